//! Storage stood in for: what a commit wrote is there after a crash, and nothing else is.

use std::collections::BTreeMap;

use berth_model::time::Timestamp;
use berth_placement::Fleet;
use berth_state::{Commit, Loader, State, TABLES};

/// The newest form of every record, by table and integer key, as the folded tables hold it.
#[derive(Clone, Default)]
pub(crate) struct Journal {
    rows: BTreeMap<(&'static str, i64), (String, String)>,
    revision: u64,
    at: Timestamp,
}

impl Journal {
    /// Writes a commit.
    pub(crate) fn write(&mut self, commit: &Commit) {
        for change in &commit.changes {
            let at = (change.table, change.row);
            match &change.body {
                Some(body) => self
                    .rows
                    .insert(at, (change.key.clone(), body.get().to_owned())),
                None => self.rows.remove(&at),
            };
        }
        self.revision = commit.revision;
        self.at = commit.at;
    }

    /// The revision of the last commit.
    pub(crate) fn revision(&self) -> u64 {
        self.revision
    }

    /// The state as a server that starts now loads it.
    ///
    /// # Errors
    /// A record that was saved and does not read back.
    pub(crate) fn load(&self) -> Result<(State, Fleet), String> {
        let mut loader = Loader::new();
        for table in TABLES {
            for ((_, row), (key, body)) in self.rows.range((table, i64::MIN)..=(table, i64::MAX)) {
                loader
                    .record(table, *row, key, body)
                    .map_err(|bad| format!("{bad}: {:?}", bad.cause))?;
            }
        }
        Ok(loader.finish(self.revision, self.at))
    }
}
