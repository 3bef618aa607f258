//! Whether the server is there, as all agents of a process know it.
//!
//! When each agent alone says when to try again, thousands in one process look for a server that
//! is away thousands of times in the second in which it starts, on the same machine perhaps. So
//! while it is away one attempt at a time is made, and the first that meets the server lets all
//! others go.

use std::time::Duration;

use berth_agent_proto::agent::Ended;
use tokio::sync::{Mutex, Semaphore, watch};
use tokio::time::Instant;

/// How far apart attempts are while the server is away. Below the least wait of a session that
/// looks for its server, so that a process with one agent is not held up.
const PACE: Duration = Duration::from_millis(25);

/// How many attempts are under way at once when the server is there: enough to keep it busy with
/// a returning fleet, too few to fill its queue of connections.
const ATTEMPTS_AT_ONCE: usize = 64;

/// Whether the server is there.
#[derive(Debug)]
pub(crate) struct Reach {
    there: watch::Sender<bool>,
    /// Held by whoever looks for the server; when that was done last.
    turn: Mutex<Instant>,
    attempts: Semaphore,
}

impl Reach {
    /// The server is taken to be there until an attempt says otherwise.
    pub(crate) fn new() -> Self {
        Self {
            there: watch::Sender::new(true),
            turn: Mutex::new(Instant::now()),
            attempts: Semaphore::new(ATTEMPTS_AT_ONCE),
        }
    }

    /// Makes an attempt to connect when it is its turn, and learns from how it ends.
    pub(crate) async fn attempt<T>(
        &self,
        attempt: impl Future<Output = Result<T, Ended>>,
    ) -> Result<T, Ended> {
        loop {
            let turn = self.turn().await;
            let permit = self.attempts.acquire().await;
            let _permit = permit.expect("the semaphore is never closed");
            if turn.is_none() && !*self.there.borrow() {
                // It went away while this one queued.
                continue;
            }
            let outcome = attempt.await;
            let there = !matches!(outcome, Err(Ended::Away(_)));
            self.there.send_if_modified(|known| {
                let changed = *known != there;
                *known = there;
                changed
            });
            if let Some(mut turn) = turn {
                *turn = Instant::now();
            }
            return outcome;
        }
    }

    /// Waits until the server is there, which gives `None`, or until the caller is the one to
    /// look.
    async fn turn(&self) -> Option<tokio::sync::MutexGuard<'_, Instant>> {
        let mut there = self.there.subscribe();
        tokio::select! {
            biased;
            _ = there.wait_for(|there| *there) => None,
            turn = async {
                let turn = self.turn.lock().await;
                tokio::time::sleep_until(*turn + PACE).await;
                turn
            } => Some(turn),
        }
    }

    /// Waits for this time, or less when the server goes away and is back meanwhile.
    pub(crate) async fn pause(&self, time: Duration) {
        let mut there = self.there.subscribe();
        let back = async {
            // The sender is this value's own, so neither wait can fail.
            let _ = there.wait_for(|there| !*there).await;
            let _ = there.wait_for(|there| *there).await;
        };
        tokio::select! {
            () = back => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use tokio::task::JoinSet;

    use super::*;

    fn away() -> Ended {
        Ended::Away("connection refused".to_owned())
    }

    /// A fleet that looks for a server until each agent has met it once.
    #[tokio::test(start_paused = true)]
    async fn one_looks_for_all_and_all_go_when_the_server_is_back() {
        const AGENTS: u32 = 5_000;
        const AWAY: Duration = Duration::from_secs(10);
        let reach = Arc::new(Reach::new());
        let (tried, at_once) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let start = Instant::now();
        let mut fleet = JoinSet::new();
        for _ in 0..AGENTS {
            let (reach, tried, at_once) = (reach.clone(), tried.clone(), at_once.clone());
            fleet.spawn(async move {
                loop {
                    let attempt = async {
                        let others = at_once.fetch_add(1, Ordering::Relaxed);
                        assert!(others < 64, "{others} at once");
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        at_once.fetch_sub(1, Ordering::Relaxed);
                        if start.elapsed() >= AWAY {
                            return Ok(());
                        }
                        tried.fetch_add(1, Ordering::Relaxed);
                        Err(away())
                    };
                    if reach.attempt(attempt).await.is_ok() {
                        return start.elapsed();
                    }
                    // What a session waits at least.
                    tokio::time::sleep(Duration::from_millis(30)).await;
                }
            });
        }
        let mut last = Duration::ZERO;
        while let Some(met) = fleet.join_next().await {
            last = last.max(met.expect("no agent panics"));
        }
        let tried = tried.load(Ordering::Relaxed);
        assert!(tried < 64 + 400, "{tried} attempts in ten seconds");
        assert!(last - AWAY < Duration::from_millis(500), "{last:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_a_sign_of_life() {
        let reach = Reach::new();
        let refused = Ended::Failed("400: no".to_owned());
        for how in [away(), refused.clone()] {
            let ended: Result<(), Ended> = reach.attempt(async { Err(how.clone()) }).await;
            assert_eq!(ended, Err(how));
        }
        let before = Instant::now();
        let ended: Result<(), Ended> = reach.attempt(async { Err(refused.clone()) }).await;
        assert_eq!((ended, before.elapsed()), (Err(refused), Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_ends_when_the_server_is_back() {
        let reach = Arc::new(Reach::new());
        let served = AtomicBool::new(false);
        let start = Instant::now();
        let look = async {
            for wait in [10, 200, 300] {
                tokio::time::sleep(Duration::from_millis(wait)).await;
                let there = served.swap(wait == 200, Ordering::Relaxed);
                let _ = reach
                    .attempt(async { if there { Ok(()) } else { Err(away()) } })
                    .await;
            }
        };
        let pause = async {
            reach.pause(Duration::from_secs(60)).await;
            start.elapsed()
        };
        let ((), paused) = tokio::join!(look, pause);
        assert!(paused < Duration::from_secs(1), "{paused:?}");
        let before = Instant::now();
        reach.pause(Duration::from_secs(60)).await;
        assert_eq!(before.elapsed(), Duration::from_secs(60));
    }
}
