//! Following the journal of a server that leads.

use berth_model::time::Timestamp;

use crate::change::{Change, decode};
use crate::error::{LoadError, damaged};
use crate::store::{Epoch, Tail, TailedCommit};

/// Commits handed out at once: what a standby keeps in memory beside its state.
pub(crate) const TAIL_COMMITS_MAX: i64 = 256;

/// Collects consecutive journal rows for a standby.
#[derive(Debug)]
pub(crate) struct Collected {
    after: u64,
    commits: Vec<TailedCommit>,
    gap: bool,
}

impl Collected {
    pub(crate) fn after(after: u64) -> Self {
        Self {
            after,
            commits: Vec::new(),
            gap: false,
        }
    }

    /// The next journal row, in order of revisions.
    pub(crate) fn push(
        &mut self,
        (revision, epoch, at): (i64, i64, i64),
        changes: &str,
        tables: &[&'static str],
    ) -> Result<(), LoadError> {
        let expected = self.commits.last().map_or(self.after, |last| last.revision) + 1;
        if revision.cast_unsigned() != expected {
            self.gap = true;
            return Ok(());
        }
        let corrupt = |source| LoadError::CorruptRow {
            table: "journal".to_owned(),
            key: revision.to_string(),
            row: revision,
            source,
        };
        let mut tailed = Vec::new();
        for change in decode(changes).map_err(|error| corrupt(error.into()))? {
            let Some(table) = tables.iter().find(|table| **table == change.0) else {
                return Err(corrupt(format!("there is no table {:?}", change.0).into()));
            };
            tailed.push(Change {
                table,
                row: change.1,
                body: change.body().map(ToOwned::to_owned),
                key: change.2.into_owned(),
            });
        }
        self.commits.push(TailedCommit {
            revision: expected,
            epoch: Epoch(epoch.cast_unsigned()),
            at: Timestamp::from_millis(at),
            changes: tailed,
        });
        Ok(())
    }

    /// What was found, given the last committed revision as of the same instant.
    pub(crate) fn finish(self, committed: u64) -> Result<Tail, LoadError> {
        if self.gap || committed < self.after {
            return Ok(Tail::Gap);
        }
        match self.commits.last() {
            None if committed > self.after => Ok(Tail::Gap),
            Some(last) if last.revision > committed => {
                Err(damaged("the journal is ahead of the lease row").into())
            }
            None | Some(_) => Ok(Tail::Commits(self.commits)),
        }
    }
}
