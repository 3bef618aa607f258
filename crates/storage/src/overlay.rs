//! The newest form of each record that journal rows changed: what is not yet in the tables.
//!
//! Loading lays it over the tables; folding writes it into them.

use std::collections::BTreeMap;

use crate::change::decode;
use crate::error::{LoadError, StoreError, damaged};

/// A record's newest form.
#[derive(Debug, PartialEq)]
pub(crate) struct Newest {
    pub(crate) key: String,
    /// `None` when the record was removed.
    pub(crate) body: Option<String>,
}

/// The coalesced changes of consecutive commits.
#[derive(Debug)]
pub(crate) struct Overlay {
    /// The last revision laid over: that of the tables when there is none.
    pub(crate) revision: u64,
    /// The transaction time of that revision, milliseconds.
    pub(crate) at: i64,
    /// By table, in the order of the caller's tables, then by row.
    tables: Vec<(&'static str, BTreeMap<i64, Newest>)>,
}

impl Overlay {
    /// Nothing changed since `revision`.
    pub(crate) fn after(revision: u64, at: i64, tables: &[&'static str]) -> Self {
        let tables = tables
            .iter()
            .map(|table| (*table, BTreeMap::new()))
            .collect();
        Self {
            revision,
            at,
            tables,
        }
    }

    /// Lays one journal row over what is there.
    pub(crate) fn push(&mut self, revision: u64, at: i64, changes: &str) -> Result<(), LoadError> {
        if revision != self.revision + 1 {
            return Err(damaged(format!(
                "the journal goes from revision {} to {revision}",
                self.revision
            ))
            .into());
        }
        let corrupt = |source: crate::BoxError| LoadError::CorruptRow {
            table: "journal".to_owned(),
            key: revision.to_string(),
            row: i64::try_from(revision).unwrap_or(i64::MAX),
            source,
        };
        let decoded = decode(changes).map_err(|error| corrupt(Box::new(error)))?;
        // All or nothing: a row that is set aside must have left no trace.
        if let Some(stranger) = decoded.iter().find(|c| !self.knows(&c.0)) {
            return Err(corrupt(
                format!("there is no table {:?}", stranger.0).into(),
            ));
        }
        for change in decoded {
            let body = change.body().map(|body| body.get().to_owned());
            let rows = self.tables.iter_mut().find(|(table, _)| *table == change.0);
            let (_, rows) = rows.expect("every change's table was looked up above");
            rows.insert(
                change.1,
                Newest {
                    key: change.2.into_owned(),
                    body,
                },
            );
        }
        self.revision = revision;
        self.at = at;
        Ok(())
    }

    fn knows(&self, name: &str) -> bool {
        self.tables.iter().any(|(table, _)| *table == name)
    }

    /// Fails unless the journal reached the revision that the lease row names.
    pub(crate) fn must_reach(&self, lease_revision: u64) -> Result<(), StoreError> {
        if self.revision < lease_revision {
            return Err(damaged(format!(
                "the journal ends at revision {}, but revision {lease_revision} was committed",
                self.revision
            )));
        }
        Ok(())
    }

    /// The changed records of each table.
    pub(crate) fn tables(&self) -> &[(&'static str, BTreeMap<i64, Newest>)] {
        &self.tables
    }

    pub(crate) fn rows(&self) -> usize {
        self.tables.iter().map(|(_, rows)| rows.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: [&str; 2] = ["cluster", "task"];

    #[test]
    fn the_newest_form_wins_and_a_removal_is_kept() {
        let mut overlay = Overlay::after(4, 40, &TABLES);
        overlay
            .push(5, 50, r#"[["task",1,"a",{"n":1}],["task",2,"b",{"n":1}]]"#)
            .unwrap();
        overlay
            .push(6, 60, r#"[["task",1,"a",{"n":2}],["task",2,"b",null]]"#)
            .unwrap();
        assert_eq!((overlay.revision, overlay.at, overlay.rows()), (6, 60, 2));
        let tasks = &overlay.tables()[1].1;
        assert_eq!(
            tasks[&1],
            Newest {
                key: "a".into(),
                body: Some(r#"{"n":2}"#.into())
            }
        );
        assert_eq!(
            tasks[&2],
            Newest {
                key: "b".into(),
                body: None
            }
        );
    }

    #[test]
    fn a_gap_a_torn_row_and_a_stranger_are_refused_and_leave_no_trace() {
        let mut overlay = Overlay::after(4, 40, &TABLES);
        let gap = overlay.push(6, 60, "[]").unwrap_err();
        assert!(
            matches!(gap, LoadError::Store(StoreError::Damaged { .. })),
            "{gap:?}"
        );
        for bad in [
            r#"[["task",1,"#,
            r#"[["task",1,"a",{}],["moon",1,"a",{}]]"#,
            "{}",
            "",
        ] {
            let error = overlay.push(5, 50, bad).unwrap_err();
            let LoadError::CorruptRow { table, key, .. } = error else {
                panic!("{error:?}")
            };
            assert_eq!((table.as_str(), key.as_str()), ("journal", "5"));
        }
        assert_eq!((overlay.revision, overlay.rows()), (4, 0));
        overlay.push(5, 50, "[]").unwrap();
        assert!(overlay.must_reach(5).is_ok() && overlay.must_reach(6).is_err());
    }
}
