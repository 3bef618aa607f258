//! Log events in Postgres, for servers that share it.
//!
//! Events are rows, in one partition for each day of arrival. One task of this process does all
//! its writing, many callers' events in one transaction. It keeps nothing in memory that another
//! server could make wrong: every transaction begins by locking the rows of the groups that it
//! changes, and reads there how far they are.
//!
//! A group's events are counted and dropped in pieces, as in files. A deletion first makes events
//! invisible, in one short transaction; their rows go afterwards.

mod partition;
mod trim;
mod writer;

use std::collections::HashMap;
use std::sync::Arc;

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};
use tokio::sync::mpsc;

use super::page::PageBuilder;
use super::request::Request;
use super::{
    Direction, LogError, LogEvent, LogLimits, LogPage, LogQuery, Position, READ_BYTES_MAX,
    StreamFilter, StreamStats,
};
use crate::error::OpenError;
use crate::postgres::{open_pool, session_options};

/// Connections: one that writes, one that purges, and some readers.
const CONNECTIONS_MAX: u32 = 4;

/// Rows that one statement reads, and the bytes of their messages: what a page that is full
/// sooner reads in vain.
const BATCH_ROWS: i64 = 512;
const BATCH_BYTES: i64 = 4 << 20;

/// Log events in Postgres. See the module's comment.
#[derive(Debug)]
pub(super) struct PostgresLogs {
    pool: PgPool,
}

impl PostgresLogs {
    pub(super) async fn open(
        url: &str,
        schema: &str,
        limits: LogLimits,
        waiting: mpsc::Receiver<Request>,
    ) -> Result<Self, OpenError> {
        let options = session_options(url, schema)?;
        let pool = open_pool(options, schema, CONNECTIONS_MAX).await?;
        tokio::spawn(writer::run(pool.clone(), limits, waiting));
        Ok(Self { pool })
    }

    /// The groups that have events.
    pub(super) async fn groups(&self) -> Result<Vec<LogGroupKey>, LogError> {
        let keys: Vec<String> = sqlx::query_scalar("SELECT key FROM event_group WHERE NOT gone")
            .fetch_all(&self.pool)
            .await
            .map_err(cannot("list the groups"))?;
        let groups = keys.iter().map(|key| parse_key(key));
        let mut groups = groups.collect::<Result<Vec<_>, _>>()?;
        groups.sort();
        Ok(groups)
    }

    /// The streams that have events.
    pub(super) async fn streams(&self) -> Result<Vec<LogStreamKey>, LogError> {
        let rows = sqlx::query(
            "SELECT g.key, s.name FROM event_group g \
             JOIN event_stream s ON s.group_id = g.id AND NOT s.gone WHERE NOT g.gone",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(cannot("list the streams"))?;
        let streams = rows.iter().map(|row| {
            Ok(LogStreamKey {
                group: parse_key(row.get(0))?,
                name: Text::new(row.get(1)),
            })
        });
        let mut streams = streams.collect::<Result<Vec<_>, _>>()?;
        streams.sort();
        Ok(streams)
    }

    pub(super) async fn stats(
        &self,
        group: &LogGroupKey,
    ) -> Result<Vec<(Arc<str>, StreamStats)>, LogError> {
        let rows = sqlx::query(
            "SELECT s.name, MIN(p.first_at), MAX(p.last_at), MAX(p.last_ingested), \
             SUM(p.events)::bigint, SUM(p.bytes)::bigint \
             FROM event_group g \
             JOIN event_stream s ON s.group_id = g.id AND NOT s.gone \
             JOIN event_piece p ON p.group_id = g.id AND p.stream_id = s.id \
             WHERE g.key = $1 AND NOT g.gone GROUP BY s.name ORDER BY s.name COLLATE \"C\"",
        )
        .bind(key_text(group))
        .fetch_all(&self.pool)
        .await
        .map_err(cannot("count events"))?;
        let stats = rows.into_iter().map(|row| {
            let at = |column| Timestamp::from_millis(row.get(column));
            let count = |column| row.get::<i64, _>(column).cast_unsigned();
            let stats = StreamStats {
                first_event_at: at(1),
                last_event_at: at(2),
                last_ingested_at: at(3),
                events: count(4),
                stored_bytes: count(5),
            };
            (Arc::from(row.get::<&str, _>(0)), stats)
        });
        Ok(stats.collect())
    }

    pub(super) async fn read(&self, query: LogQuery) -> Result<LogPage, LogError> {
        self.read_page(&query).await.map_err(cannot("read events"))
    }

    async fn read_page(&self, query: &LogQuery) -> Result<LogPage, sqlx::Error> {
        let group: Option<i64> =
            sqlx::query_scalar("SELECT id FROM event_group WHERE key = $1 AND NOT gone")
                .bind(key_text(&query.group))
                .fetch_optional(&self.pool)
                .await?;
        let Some(group) = group else {
            return Ok(LogPage::default());
        };
        let mut names = Names::default();
        let mut range = Range::of(query);
        if !matches!(query.streams, StreamFilter::All) {
            let Some(span) = self.chosen_streams(group, query, &mut names).await? else {
                return Ok(LogPage::default());
            };
            range.narrow(span);
        }
        let mut page = PageBuilder::new(query);
        let mut bytes_read = 0;
        loop {
            let batch = self.batch(group, query, &range, &names).await?;
            self.learn_names(&batch, &mut names).await?;
            let mut batch_bytes = 0;
            for row in &batch.rows {
                let event = Stored::from(row);
                batch_bytes += i64::try_from(event.message.len()).unwrap_or(i64::MAX);
                range.go_on_from(event.position, query.direction);
                offer(query, &event, &names, &mut page);
            }
            bytes_read += batch_bytes.cast_unsigned();
            let count = i64::try_from(batch.rows.len()).unwrap_or(i64::MAX);
            let exhausted = count < batch.rows_max && batch_bytes < BATCH_BYTES;
            if page.is_full() || exhausted {
                return Ok(page.finish());
            }
            if bytes_read >= READ_BYTES_MAX {
                let last = batch.rows.last().map(|row| Stored::from(row).position);
                let mut page = page.finish();
                page.next = last;
                return Ok(page);
            }
        }
    }

    /// Finds the streams that a query names, and the earliest and latest time of their events.
    /// `None` when they have no events.
    async fn chosen_streams(
        &self,
        group: i64,
        query: &LogQuery,
        names: &mut Names,
    ) -> Result<Option<(i64, i64)>, sqlx::Error> {
        let (condition, wanted) = match &query.streams {
            StreamFilter::All => return Ok(None),
            StreamFilter::Named(wanted) => ("s.name = ANY($2)", wanted.clone()),
            StreamFilter::Prefix(prefix) => ("starts_with(s.name, $2[1])", vec![prefix.clone()]),
        };
        let rows = sqlx::query(&format!(
            "SELECT s.id, s.name, MIN(p.first_at), MAX(p.last_at) FROM event_stream s \
             JOIN event_piece p ON p.group_id = s.group_id AND p.stream_id = s.id \
             WHERE s.group_id = $1 AND NOT s.gone AND {condition} GROUP BY s.id, s.name"
        ))
        .bind(group)
        .bind(wanted)
        .fetch_all(&self.pool)
        .await?;
        let mut span: Option<(i64, i64)> = None;
        for row in rows {
            let (first, last): (i64, i64) = (row.get(2), row.get(3));
            span = Some(span.map_or((first, last), |(f, l)| (f.min(first), l.max(last))));
            let name = Arc::from(row.get::<&str, _>(1));
            names.0.insert(row.get(0), Some(name));
        }
        Ok(span)
    }

    async fn batch(
        &self,
        group: i64,
        query: &LogQuery,
        range: &Range,
        names: &Names,
    ) -> Result<Batch, sqlx::Error> {
        // One more than the page takes says whether it is full.
        let page_rows = i64::try_from(query.events_max)
            .unwrap_or(BATCH_ROWS)
            .saturating_add(1);
        let rows_max = match query.matching {
            None => BATCH_ROWS.min(page_rows),
            Some(_) => BATCH_ROWS,
        };
        let streams: Option<Vec<i64>> = match query.streams {
            StreamFilter::All => None,
            StreamFilter::Named(_) | StreamFilter::Prefix(_) => {
                Some(names.0.keys().copied().collect())
            }
        };
        let (condition, order) = (
            if streams.is_some() {
                "AND stream_id = ANY($7)"
            } else {
                "AND $7::bigint[] IS NULL"
            },
            match query.direction {
                Direction::Forward(_) => "at, sequence",
                Direction::Backward(_) => "at DESC, sequence DESC",
            },
        );
        let select = format!(
            "SELECT at, sequence, stream_id, ingested_at, message FROM (\
               SELECT *, SUM(octet_length(message)) OVER (ORDER BY {order}) \
                         - octet_length(message) AS before FROM (\
                 SELECT at, sequence, stream_id, ingested_at, message FROM log_event \
                 WHERE group_id = $1 AND (at, sequence) > ($2, $3) \
                 AND (at, sequence) < ($4, $5) {condition} ORDER BY {order} LIMIT $6\
               ) AS next) AS summed WHERE before < $8 ORDER BY {order}"
        );
        let rows = sqlx::query(&select)
            .bind(group)
            .bind(range.after.0)
            .bind(range.after.1)
            .bind(range.before.0)
            .bind(range.before.1)
            .bind(rows_max)
            .bind(streams)
            .bind(BATCH_BYTES)
            .fetch_all(&self.pool)
            .await?;
        Ok(Batch { rows, rows_max })
    }

    /// Looks up the streams of these rows. One that is not found was deleted.
    async fn learn_names(&self, batch: &Batch, names: &mut Names) -> Result<(), sqlx::Error> {
        let mut unknown: Vec<i64> = batch.rows.iter().map(|row| row.get(2)).collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown.retain(|id| !names.0.contains_key(id));
        if unknown.is_empty() {
            return Ok(());
        }
        names.0.extend(unknown.iter().map(|id| (*id, None)));
        let rows = sqlx::query("SELECT id, name FROM event_stream WHERE id = ANY($1) AND NOT gone")
            .bind(unknown)
            .fetch_all(&self.pool)
            .await?;
        for row in rows {
            let name = Arc::from(row.get::<&str, _>(1));
            names.0.insert(row.get(0), Some(name));
        }
        Ok(())
    }
}

/// Streams' names by their numbers; `None` for those that are gone.
#[derive(Default)]
struct Names(HashMap<i64, Option<Arc<str>>>);

struct Batch {
    rows: Vec<PgRow>,
    rows_max: i64,
}

/// An event as it stands in a row.
struct Stored<'a> {
    position: Position,
    stream: i64,
    ingested_at: i64,
    message: &'a str,
}

impl<'a> From<&'a PgRow> for Stored<'a> {
    fn from(row: &'a PgRow) -> Self {
        Self {
            position: Position {
                timestamp: Timestamp::from_millis(row.get(0)),
                sequence: row.get::<i64, _>(1).cast_unsigned(),
            },
            stream: row.get(2),
            ingested_at: row.get(3),
            message: row.get(4),
        }
    }
}

fn offer(query: &LogQuery, event: &Stored<'_>, names: &Names, page: &mut PageBuilder<'_>) {
    let Some(Some(stream)) = names.0.get(&event.stream) else {
        return;
    };
    let wanted = page.wants(event.position)
        && query
            .matching
            .as_ref()
            .is_none_or(|matches| matches(event.message));
    if wanted {
        page.offer(LogEvent {
            position: event.position,
            stream: stream.clone(),
            ingested_at: Timestamp::from_millis(event.ingested_at),
            message: event.message.to_owned(),
        });
    }
}

/// The places strictly between two others, as (time, sequence number). Events have neither
/// below 0.
struct Range {
    after: (i64, i64),
    before: (i64, i64),
}

impl Range {
    fn of(query: &LogQuery) -> Self {
        let mut range = Self {
            after: (-1, i64::MAX),
            before: (i64::MAX, i64::MAX),
        };
        if let Some(start) = query.start {
            range.after = range.after.max((start.as_millis(), -1));
        }
        if let Some(end) = query.end {
            range.before = range.before.min((end.as_millis(), -1));
        }
        match query.direction {
            Direction::Forward(Some(after)) => range.after = range.after.max(pair(after)),
            Direction::Backward(Some(before)) => range.before = range.before.min(pair(before)),
            Direction::Forward(None) | Direction::Backward(None) => {}
        }
        range
    }

    /// Leaves out what is before the first or after the second of these times.
    fn narrow(&mut self, (first, last): (i64, i64)) {
        self.after = self.after.max((first, -1));
        self.before = self.before.min((last.saturating_add(1), -1));
    }

    fn go_on_from(&mut self, position: Position, direction: Direction) {
        match direction {
            Direction::Forward(_) => self.after = pair(position),
            Direction::Backward(_) => self.before = pair(position),
        }
    }
}

fn pair(position: Position) -> (i64, i64) {
    let sequence = i64::try_from(position.sequence).unwrap_or(i64::MAX);
    (position.timestamp.as_millis(), sequence)
}

/// How a group is named in `event_group`.
fn key_text(group: &LogGroupKey) -> String {
    serde_json::to_string(group).expect("a key is plain strings, which JSON can hold")
}

fn parse_key(text: &str) -> Result<LogGroupKey, LogError> {
    serde_json::from_str(text).map_err(|error| LogError::Unavailable {
        doing: "understand a group's key",
        source: error.into(),
    })
}

fn cannot(doing: &'static str) -> impl Fn(sqlx::Error) -> LogError {
    move |error| LogError::Unavailable {
        doing,
        source: error.into(),
    }
}
