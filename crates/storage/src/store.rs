//! The store as the rest of Berth sees it: one API over SQLite and Postgres.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use berth_model::time::Timestamp;

use crate::change::{Change, Commit, TABLES};
use crate::error::{BoxError, CommitError, LoadError, OpenError, StoreError};
use crate::folder::Folded;
use crate::hand_out::Visit;
use crate::postgres::PostgresStore;
use crate::sqlite::SqliteStore;

/// Which database, and where.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// SQLite files in a data directory that no other server uses meanwhile.
    Embedded {
        /// The data directory; made if it is not there.
        data_dir: PathBuf,
    },
    /// A Postgres database.
    Postgres {
        /// `postgres://user@host/database`, as libpq has it.
        url: String,
        /// The schema of Berth's tables, such as `berth`; made if it is not there.
        schema: String,
    },
}

impl fmt::Debug for Location {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded { data_dir } => f.debug_tuple("Embedded").field(data_dir).finish(),
            Self::Postgres { schema, .. } => f.debug_tuple("Postgres").field(schema).finish(),
        }
    }
}

/// A term of leadership: raised at every start of a writer, and checked in every commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Epoch(pub u64);

/// One record, as loading hands it out.
#[derive(Clone, Copy, Debug)]
pub struct LoadedRow<'a> {
    /// One of [`TABLES`].
    pub table: &'static str,
    /// The record's integer key.
    pub row: i64,
    /// The record's natural key.
    pub key: &'a str,
    /// The record as JSON.
    pub body: &'a str,
}

/// What was loaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The last committed revision; 0 when nothing was committed yet.
    pub revision: u64,
    /// The transaction time of that revision.
    pub at: Timestamp,
    /// How many records were handed out.
    pub rows: u64,
}

/// What became of a commit of unknown outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// It was applied, and is on disk.
    Applied,
    /// It was not applied, and never will be.
    NotApplied,
    /// Another server leads.
    Deposed,
}

/// One commit of another server, as a standby reads it.
#[derive(Clone, Debug)]
pub struct TailedCommit {
    /// The revision it made.
    pub revision: u64,
    /// The epoch it was committed in.
    pub epoch: Epoch,
    /// Its transaction time.
    pub at: Timestamp,
    /// The newest form of every changed record.
    pub changes: Vec<Change>,
}

/// What a standby finds after the revision it knows.
#[derive(Clone, Debug)]
pub enum Tail {
    /// The next commits, in order; none when it knows all.
    Commits(Vec<TailedCommit>),
    /// The journal no longer reaches back that far: load anew.
    Gap,
}

/// Control-plane storage.
///
/// Cheap to clone; clones are the same store.
#[derive(Clone, Debug)]
pub struct Store(pub(crate) Kind);

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

/// Runs the same method on whichever store this is.
macro_rules! on_either {
    ($self:ident, $store:ident => $call:expr) => {
        match &$self.0 {
            Kind::Sqlite($store) => $call,
            Kind::Postgres($store) => $call,
        }
    };
}

impl Store {
    /// Opens the store, making it when it is not there yet, and brings its schema up to date.
    ///
    /// `tables` are the tables of the caller's records, in the order in which it wants them
    /// loaded; they must be [`TABLES`], in whatever order.
    pub async fn open(
        location: &Location,
        tables: &'static [&'static str],
    ) -> Result<Self, OpenError> {
        check_tables(tables)?;
        match location {
            Location::Embedded { data_dir } => {
                let store = SqliteStore::open(data_dir, tables).await?;
                Ok(Self(Kind::Sqlite(Arc::new(store))))
            }
            Location::Postgres { url, schema } => {
                let store = PostgresStore::open(url, schema, tables).await?;
                Ok(Self(Kind::Postgres(Arc::new(store))))
            }
        }
    }

    /// Hands every record to `visit`, table by table in the order given at [`Store::open`], each
    /// in its newest form. Within a table the order means nothing.
    ///
    /// When `visit` fails, loading ends with [`LoadError::CorruptRow`].
    pub async fn load<F>(&self, mut visit: F) -> Result<Loaded, LoadError>
    where
        F: FnMut(LoadedRow<'_>) -> Result<(), BoxError> + Send,
    {
        on_either!(self, store => store.load(&mut Visit(&mut visit)).await)
    }

    /// Starts a term of leadership, whoever led before, and makes that durable. For commands and
    /// servers that have the data to themselves; servers that share a database use
    /// [`Store::acquire_lease`].
    pub async fn lead(&self) -> Result<Epoch, StoreError> {
        on_either!(self, store => store.lead().await)
    }

    /// Starts a term of leadership if no other server holds an unexpired lease. `None` when one
    /// does. On SQLite the data directory's lock is the lease, and this always succeeds.
    ///
    /// `holder` names this server to operators. The lease counts by the database's clock, from
    /// the moment it received the call: whoever leads gives up `ttl` after it *sent* the call, by
    /// its own monotonic clock, less a margin.
    pub async fn acquire_lease(
        &self,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Epoch>, StoreError> {
        match &self.0 {
            Kind::Sqlite(store) => store.lead().await.map(Some),
            Kind::Postgres(store) => store.acquire_lease(holder, ttl).await,
        }
    }

    /// Makes the lease last for `ttl` from now. [`StoreError::Deposed`] when it is another's.
    pub async fn renew_lease(&self, ttl: Duration) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Sqlite(_) => Ok(()),
            Kind::Postgres(store) => store.renew_lease(ttl).await,
        }
    }

    /// Lets another server lead at once. Does nothing when one does already.
    pub async fn release_lease(&self) -> Result<(), StoreError> {
        match &self.0 {
            Kind::Sqlite(_) => Ok(()),
            Kind::Postgres(store) => store.release_lease().await,
        }
    }

    /// The term of leadership that commits are made in; 0 before the first.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        on_either!(self, store => store.epoch())
    }

    /// Saves a commit; when this returns `Ok`, it is on disk.
    ///
    /// Dropping the future leaves the outcome unknown.
    pub async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        on_either!(self, store => store.commit(commit).await)
    }

    /// Finds out what became of the commit that would have made `revision`, and makes sure that
    /// it stays that way: raises the epoch, which waits for the doubtful transaction, then reads
    /// the revision. On `Err` nothing is known yet; ask again.
    pub async fn resolve_unknown(&self, revision: u64) -> Result<Resolved, StoreError> {
        on_either!(self, store => store.resolve_unknown(revision).await)
    }

    /// Copies one bounded batch of the journal into the tables, and removes journal rows that
    /// are no longer needed. Safe at any time, beside commits and loads.
    pub async fn fold_once(&self) -> Result<Folded, LoadError> {
        on_either!(self, store => store.fold_once().await)
    }

    /// The revision that the tables hold; the journal has what came after.
    pub async fn folded_revision(&self) -> Result<u64, StoreError> {
        on_either!(self, store => store.folded_revision().await)
    }

    /// The commits after revision `after`, for a standby.
    pub async fn tail(&self, after: u64) -> Result<Tail, LoadError> {
        on_either!(self, store => store.tail(after).await)
    }

    /// Takes a record that cannot be read out of its table, into the table `set_aside`. `false`
    /// when there is no such record. Table `journal`, key a revision: a commit that cannot be
    /// read. Needs the store to itself.
    pub async fn set_aside(&self, table: &str, key: &str) -> Result<bool, LoadError> {
        on_either!(self, store => store.set_aside(table, key).await)
    }

    /// Closes the store in good order. Dropping it loses nothing either.
    pub async fn close(&self) {
        on_either!(self, store => store.close().await);
    }
}

fn check_tables(tables: &[&str]) -> Result<(), OpenError> {
    let sorted = |names: &[&str]| {
        let mut names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        names.sort();
        names
    };
    if sorted(tables) == sorted(&TABLES) {
        Ok(())
    } else {
        Err(OpenError::Tables(tables.join(", ")))
    }
}
