//! Handing out all events of a store, group by group.

use berth_model::log::LogGroupKey;

use super::{Direction, LogError, LogEvent, LogQuery, LogStore, Position, StreamFilter};

/// Events handed out at once, and the bytes of their messages: what a copy keeps in memory, and
/// what a page of a file reads in vain.
const EVENTS_MAX: usize = 20_000;
const BYTES_MAX: usize = 8 << 20;

/// All events of a store, as of about now.
pub(crate) struct Exported<'a> {
    logs: &'a LogStore,
    /// The next group is the last of these.
    groups: Vec<LogGroupKey>,
    after: Option<Position>,
}

impl<'a> Exported<'a> {
    pub(crate) async fn of(logs: &'a LogStore) -> Result<Self, LogError> {
        let mut groups = logs.groups().await?;
        groups.reverse();
        Ok(Self {
            logs,
            groups,
            after: None,
        })
    }

    /// The next events of a group, in order of their positions; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<(LogGroupKey, Vec<LogEvent>)>, LogError> {
        while let Some(group) = self.groups.last().cloned() {
            let query = LogQuery {
                group: group.clone(),
                streams: StreamFilter::All,
                start: None,
                end: None,
                direction: Direction::Forward(self.after),
                events_max: EVENTS_MAX,
                bytes_max: BYTES_MAX,
                matching: None,
            };
            let page = self.logs.read(query).await?;
            self.after = page.next;
            if page.next.is_none() {
                self.groups.pop();
            }
            if !page.events.is_empty() {
                return Ok(Some((group, page.events)));
            }
        }
        Ok(None)
    }
}
