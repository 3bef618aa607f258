//! What SQLite's error codes mean for a commit. The codes are those of sqlite.org/rescode.html.

use crate::error::{CommitError, OpenError};

const BUSY: i32 = 5;
const LOCKED: i32 = 6;
const NOMEM: i32 = 7;
const READONLY: i32 = 8;
const IOERR: i32 = 10;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANTOPEN: i32 = 14;
const TOOBIG: i32 = 18;
const CONSTRAINT: i32 = 19;
const MISMATCH: i32 = 20;
const NOTADB: i32 = 26;

/// The low byte of an extended code is the primary one.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code: i32 = error.as_database_error()?.code()?.parse().ok()?;
    Some(code & 0xff)
}

/// What a failed statement of a commit, or its COMMIT, says of the commit.
///
/// The commit is applied by the last step alone: SQLite writes the frames, syncs them, and only
/// then answers. A refusal before that step applied nothing. An I/O error may stand between the
/// two: frames that this process no longer believes in may still be found by the next one, so
/// nothing here can say what is saved until the files are read anew.
pub(super) fn on_commit(error: sqlx::Error) -> CommitError {
    match primary_code(&error) {
        Some(BUSY | LOCKED | NOMEM | READONLY | FULL | CANTOPEN) => {
            CommitError::Unavailable(Box::new(error))
        }
        Some(TOOBIG | CONSTRAINT | MISMATCH) => CommitError::Refused(Box::new(error)),
        Some(IOERR | CORRUPT | NOTADB) => CommitError::Fatal(Box::new(error)),
        Some(_) | None => CommitError::Unknown(Box::new(error)),
    }
}

pub(super) fn on_open(file: &str, error: sqlx::Error) -> OpenError {
    match primary_code(&error) {
        Some(CORRUPT | NOTADB) => OpenError::Damaged {
            what: format!("{file} is not a sound SQLite database"),
            source: Some(Box::new(error)),
        },
        _ => OpenError::Unavailable {
            doing: "open a database",
            source: Box::new(error),
        },
    }
}
