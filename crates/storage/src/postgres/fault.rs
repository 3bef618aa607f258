//! What Postgres' errors mean for a commit. The codes are those of its manual, appendix A.

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use crate::error::CommitError;

/// What a failed commit statement says of the commit.
///
/// An `ERROR` reports that the transaction was rolled back. `FATAL` and `PANIC` report the end of
/// the connection, which may come after the commit itself; so may a connection that breaks.
pub(super) fn on_commit(error: sqlx::Error) -> CommitError {
    let certainly_not_applied = match &error {
        sqlx::Error::Database(cause) => cause
            .try_downcast_ref::<PgDatabaseError>()
            .is_some_and(|cause| cause.severity() == PgSeverity::Error),
        _ => false,
    };
    if !certainly_not_applied {
        return CommitError::Unknown(Box::new(error));
    }
    let code = error
        .as_database_error()
        .and_then(|cause| cause.code())
        .unwrap_or_default();
    // Data exceptions, broken constraints, limits of the program such as jsonb's.
    if ["22", "23", "54"]
        .iter()
        .any(|class| code.starts_with(class))
    {
        CommitError::Refused(Box::new(error))
    } else {
        CommitError::Unavailable(Box::new(error))
    }
}

/// Whether a migration may have failed because another server runs the same one: then something
/// exists that was not there just before (23505, or 42P06, 42P07 and 42710 for a schema, a table and its type).
pub(crate) fn may_be_a_race(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|cause| cause.code())
        .is_some_and(|code| ["23505", "42P06", "42P07", "42710"].contains(&code.as_ref()))
}
