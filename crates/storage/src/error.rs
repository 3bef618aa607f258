//! What can go wrong here, cut by what the caller does about it.

use std::path::PathBuf;

/// A cause whose type is of no use to callers.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another server uses the data directory.
    #[error("the data directory {path} is in use by another server")]
    InUse {
        /// The data directory.
        path: PathBuf,
    },
    /// A newer Berth wrote the data, in a form that this one does not know.
    #[error(
        "the data has schema version {found}, written by Berth {written_by}; \
         this Berth knows versions up to {known}"
    )]
    Newer {
        /// The schema version of the data.
        found: u32,
        /// The newest schema version known here.
        known: u32,
        /// The version of the Berth that wrote it.
        written_by: String,
    },
    /// The caller's tables are not those of the migrations: a mistake in the program.
    #[error("the tables asked for are not those of the store: {0}")]
    Tables(String),
    /// The data cannot be what a store of ours left behind.
    #[error("the data is damaged: {what}")]
    Damaged {
        /// What is wrong, in a few words.
        what: String,
        /// What the database said, if it did.
        #[source]
        source: Option<BoxError>,
    },
    /// The database or the disk did not answer as it should; it may later.
    #[error("could not {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the database or the system said.
        #[source]
        source: BoxError,
    },
}

/// Why something other than a commit failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database or the disk did not answer as it should; it may later. Nothing was changed,
    /// or what was changed is whole and is found by doing it again.
    #[error("could not {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the database or the system said.
        #[source]
        source: BoxError,
    },
    /// The data cannot be what a store of ours left behind.
    #[error("the data is damaged: {what}")]
    Damaged {
        /// What is wrong, in a few words.
        what: String,
        /// What the parser or the database said, if it did.
        #[source]
        source: Option<BoxError>,
    },
    /// Another server leads.
    #[error("another server leads")]
    Deposed,
}

/// Why the state could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A record cannot be read. `berth doctor --set-aside` takes it out of the way.
    #[error("the record {key:?} in table {table} (row {row}) cannot be read")]
    CorruptRow {
        /// The record's table, or `journal` for a whole commit.
        table: String,
        /// The record's natural key, or the commit's revision.
        key: String,
        /// The record's integer key, or the commit's revision.
        row: i64,
        /// What the reader said.
        #[source]
        source: BoxError,
    },
    /// Anything else.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a commit was not acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The database refuses the changes as data, and always will. Nothing was applied.
    #[error("the database refuses the changes")]
    Refused(#[source] BoxError),
    /// Nothing was applied; the same commit may succeed later. A full disk ends here.
    #[error("the database cannot take the changes now")]
    Unavailable(#[source] BoxError),
    /// It may have been applied or not, or may yet be. [`crate::Store::resolve_unknown`] finds
    /// out; nothing may be committed before.
    #[error("the outcome of the commit is unknown")]
    Unknown(#[source] BoxError),
    /// Another server leads, or the revision is not the next one. Nothing was applied.
    #[error("another server leads")]
    Deposed,
    /// The disk failed to keep what it was given. What the system now shows of the files cannot
    /// be trusted: the process must end and read them anew.
    #[error("the disk failed to keep the changes")]
    Fatal(#[source] BoxError),
}

pub(crate) fn unavailable(doing: &'static str) -> impl Fn(sqlx::Error) -> StoreError {
    move |error| StoreError::Unavailable {
        doing,
        source: Box::new(error),
    }
}

pub(crate) fn damaged(what: impl Into<String>) -> StoreError {
    StoreError::Damaged {
        what: what.into(),
        source: None,
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable { doing, source } => Self::Unavailable { doing, source },
            StoreError::Damaged { what, source } => Self::Damaged { what, source },
            StoreError::Deposed => Self::Unavailable {
                doing: "lead",
                source: Box::new(StoreError::Deposed),
            },
        }
    }
}

/// What opening says of a store that a restore or a move left half-filled.
pub(crate) fn filled_by_half(what: &str) -> OpenError {
    OpenError::Damaged {
        what: format!("a {what} into it was never finished; empty it, and start that again"),
        source: None,
    }
}
