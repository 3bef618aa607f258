//! Handing loaded records to whoever asked for them.

use std::collections::BTreeMap;
use std::pin::Pin;

use crate::error::{BoxError, LoadError, StoreError};
use crate::overlay::Newest;
use crate::store::LoadedRow;

/// The wait for a sink to take what it was given.
pub(crate) type Flush<'a> = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send + 'a>>;

/// Where loading puts the records.
pub(crate) trait RowSink: Send {
    fn row(&mut self, row: LoadedRow<'_>) -> Result<(), BoxError>;

    /// Called every [`ROWS_PER_FLUSH`] rows and at the end, for sinks that must wait for
    /// something.
    fn flush(&mut self) -> Flush<'_>;
}

/// How many rows a sink may have to keep before it gets a chance to wait.
const ROWS_PER_FLUSH: u64 = 512;

/// A sink that calls a closure.
pub(crate) struct Visit<'a, F>(pub(crate) &'a mut F);

impl<F> RowSink for Visit<'_, F>
where
    F: FnMut(LoadedRow<'_>) -> Result<(), BoxError> + Send,
{
    fn row(&mut self, row: LoadedRow<'_>) -> Result<(), BoxError> {
        (self.0)(row)
    }

    fn flush(&mut self) -> Flush<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A sink, and how many rows it was given.
pub(crate) struct HandOut<'a, S> {
    sink: &'a mut S,
    rows: u64,
}

impl<'a, S: RowSink> HandOut<'a, S> {
    pub(crate) fn to(sink: &'a mut S) -> Self {
        Self { sink, rows: 0 }
    }

    /// Hands out one record of a table. `key` or `body` is an error when it is not even text.
    pub(crate) async fn stored(
        &mut self,
        table: &'static str,
        row: i64,
        key: Result<&str, sqlx::Error>,
        body: Result<&str, sqlx::Error>,
    ) -> Result<(), LoadError> {
        let corrupt = |key: &str, source| LoadError::CorruptRow {
            table: table.to_owned(),
            key: key.to_owned(),
            row,
            source,
        };
        let key = key.map_err(|error| corrupt("", error.into()))?;
        let body = body.map_err(|error| corrupt(key, error.into()))?;
        self.sink
            .row(LoadedRow {
                table,
                row,
                key,
                body,
            })
            .map_err(|source| corrupt(key, source))?;
        self.rows += 1;
        if self.rows.is_multiple_of(ROWS_PER_FLUSH) {
            self.flush().await?;
        }
        Ok(())
    }

    /// Hands out what the journal changed in a table.
    pub(crate) async fn changed(
        &mut self,
        table: &'static str,
        rows: &BTreeMap<i64, Newest>,
    ) -> Result<(), LoadError> {
        for (row, newest) in rows {
            if let Some(body) = &newest.body {
                self.stored(table, *row, Ok(&newest.key), Ok(body)).await?;
            }
        }
        Ok(())
    }

    /// The end: how many rows there were.
    pub(crate) async fn finish(mut self) -> Result<u64, LoadError> {
        self.flush().await?;
        Ok(self.rows)
    }

    async fn flush(&mut self) -> Result<(), LoadError> {
        let doing = "hand on what was loaded";
        let flushed = self.sink.flush().await;
        flushed.map_err(|source| StoreError::Unavailable { doing, source }.into())
    }
}

/// Rows that wait to be written, for sinks that write.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Vec<(&'static str, i64, String, String)>);

impl Waiting {
    pub(crate) fn push(&mut self, row: LoadedRow<'_>) {
        self.0
            .push((row.table, row.row, row.key.to_owned(), row.body.to_owned()));
    }

    /// The rows by table, in their order.
    pub(crate) fn by_table(&self) -> impl Iterator<Item = (&'static str, Vec<(i64, &str, &str)>)> {
        self.0.chunk_by(|one, other| one.0 == other.0).map(|rows| {
            let plain = rows
                .iter()
                .map(|(_, row, key, body)| (*row, key.as_str(), body.as_str()));
            (rows[0].0, plain.collect())
        })
    }
}
