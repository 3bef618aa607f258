//! Numbered migrations, embedded from `migrations/`.
//!
//! Both databases have the same numbers and meanings. A migration only goes forward, and is
//! never edited once merged. SQLite keeps two databases, so a number has one file for each.

use crate::error::OpenError;

/// One step of the schema.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) version: u32,
    pub(crate) sql: &'static str,
}

macro_rules! migrations {
    ($folder:literal: $($version:literal $file:literal),* $(,)?) => {
        &[$(Migration {
            version: $version,
            sql: include_str!(concat!("../../../migrations/", $folder, "/", $file, ".sql")),
        }),*]
    };
}

pub(crate) const SQLITE_JOURNAL: &[Migration] = migrations!("sqlite/journal": 1 "0001_control_plane", 2 "0002_bulk_data",
    3 "0003_services", 4 "0004_task_history", 5 "0005_joining");
pub(crate) const SQLITE_STATE: &[Migration] = migrations!("sqlite/state": 1 "0001_control_plane", 2 "0002_bulk_data",
    3 "0003_services", 4 "0004_task_history", 5 "0005_joining");
pub(crate) const POSTGRES: &[Migration] = migrations!("postgres": 1 "0001_control_plane", 2 "0002_bulk_data",
    3 "0003_services", 4 "0004_task_history", 5 "0005_joining");

/// Remembers which migrations a database has had, and which Berth ran them.
pub(crate) const CREATE_SCHEMA_VERSION: &str = "CREATE TABLE IF NOT EXISTS schema_version \
     (version BIGINT PRIMARY KEY, written_by TEXT NOT NULL)";
pub(crate) const NEWEST_VERSION: &str =
    "SELECT version, written_by FROM schema_version ORDER BY version DESC LIMIT 1";
pub(crate) const NOTE_VERSION: &str =
    "INSERT INTO schema_version (version, written_by) VALUES ($1, $2)";

/// The version of this Berth, as noted beside each migration.
pub(crate) const BERTH_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The migrations that a database still lacks, given its newest version; an error when that is
/// newer than any known here.
pub(crate) fn still_to_run(
    known: &'static [Migration],
    newest: Option<(i64, String)>,
) -> Result<&'static [Migration], OpenError> {
    let last_known = known.last().map_or(0, |migration| migration.version);
    let Some((found, written_by)) = newest else {
        return Ok(known);
    };
    let found = u32::try_from(found).map_err(|_| OpenError::Damaged {
        what: format!("schema version {found}"),
        source: None,
    })?;
    if found > last_known {
        return Err(OpenError::Newer {
            found,
            known: last_known,
            written_by,
        });
    }
    let first = known.iter().position(|migration| migration.version > found);
    Ok(first.map_or(&[], |first| &known[first..]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::TABLES;

    fn files(folder: &str) -> Vec<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../migrations")
            .join(folder);
        let entries = std::fs::read_dir(root).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn every_migration_is_embedded_and_all_databases_have_the_same() {
        let postgres = files("postgres");
        assert_eq!(postgres, files("sqlite/journal"));
        assert_eq!(postgres, files("sqlite/state"));
        for known in [SQLITE_JOURNAL, SQLITE_STATE, POSTGRES] {
            assert_eq!(known.len(), postgres.len());
            for (migration, file) in known.iter().zip(&postgres) {
                assert!(
                    file.starts_with(&format!("{:04}_", migration.version)),
                    "{file}"
                );
            }
        }
    }

    /// Tables of the schema that hold no records.
    const OURS: [&str; 8] = [
        "journal",
        "task_history",
        "lease",
        "folded",
        "set_aside",
        "filling",
        "event_group",
        "log_event",
    ];
    /// What the embedded store keeps in files, or does not need.
    const POSTGRES_ALONE: [&str; 3] = ["event_stream", "event_piece", "secret"];

    #[test]
    fn the_migrations_make_the_tables_of_records_and_no_others() {
        let both: BTreeSet<&str> = TABLES.iter().chain(&OURS).copied().collect();
        let postgres: BTreeSet<&str> = both.iter().chain(&POSTGRES_ALONE).copied().collect();
        for (databases, expected) in [
            (vec![SQLITE_JOURNAL, SQLITE_STATE], both),
            (vec![POSTGRES], postgres),
        ] {
            let lines = databases
                .iter()
                .flat_map(|d| d.iter())
                .flat_map(|m| m.sql.lines());
            let made: BTreeSet<&str> = lines
                .filter_map(|line| line.strip_prefix("CREATE TABLE "))
                .filter_map(|rest| rest.split([' ', '(']).next())
                .collect();
            assert_eq!(made, expected);
        }
    }

    const THREE: &[Migration] = &[
        Migration {
            version: 1,
            sql: "",
        },
        Migration {
            version: 2,
            sql: "",
        },
        Migration {
            version: 3,
            sql: "",
        },
    ];

    #[test]
    fn only_what_is_missing_runs_and_a_newer_database_is_refused() {
        let versions = |newest: Option<i64>| {
            still_to_run(THREE, newest.map(|v| (v, "9.9".to_owned())))
                .map(|m| m.iter().map(|m| m.version).collect::<Vec<_>>())
        };
        assert_eq!(versions(None).unwrap(), [1, 2, 3]);
        assert_eq!(versions(Some(1)).unwrap(), [2, 3]);
        assert!(versions(Some(3)).unwrap().is_empty());
        let error = versions(Some(4)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the data has schema version 4, written by Berth 9.9; \
             this Berth knows versions up to 3"
        );
    }
}
