//! What a leading server decides around the reconcilers: whose turn it is, who is away, what each
//! agent is told.
//!
//! Step machines that own no task, channel, clock or socket. The server drives them from its
//! tasks, the simulation from its one thread, so that what is proven of them there holds here.
//! Times are monotonic milliseconds unless they are [`Timestamp`](berth_model::time::Timestamp)s.

mod absence;
mod health;
mod outage;
mod presence;
mod queue;
mod session;
mod turns;

pub use absence::{AbsenceWatch, Missed};
pub use health::HealthNews;
pub use outage::{DOWN_FOR, Next, Outage, REPORTS_WAIT, Step, WriterPace};
pub use presence::{COUNTER_GAP, Entered, Mailbox, Presence, SessionNews};
pub use queue::Queue;
pub use session::{
    AgentSession, INACTIVE, Moment, Payloads, REPLACED, SessionOutput, SessionPlace,
    note_connection, note_missing, note_stops_sent,
};
pub use turns::{AT_ONCE_MAX, LOOK_EVERY, SWEEP_EVERY, ServiceNews, Told, Turns};

/// A span in whole milliseconds, as monotonic times count.
fn ms(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
