//! The task that writes log events.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use berth_model::time::Timestamp;
use sqlx::{PgConnection, PgPool, Row};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use super::{cannot, key_text, partition, trim};
use crate::log::request::{Answer, ROUND_MAX, Request, Task, next_sequence, respond};
use crate::log::{LogError, LogEvent, LogLimits, NewLogEvent, PIECE_BYTES_MAX, PIECES_PER_GROUP};
use crate::postgres::fault::may_be_a_race;

/// What an event's row and its index entry take beside the message, roughly.
const BYTES_AROUND_A_MESSAGE: i64 = 100;

/// Past this a try to write counts as of unknown outcome, and callers wait no longer than the
/// second for that to be cleared up.
const TRY_TIMEOUT: Duration = Duration::from_secs(10);
const DOUBT_MAX: Duration = Duration::from_secs(30);
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Tries when servers trip over each other's partitions.
const RACES_MAX: u32 = 5;

/// Writes until nobody can ask any more.
pub(super) async fn run(pool: PgPool, limits: LogLimits, mut waiting: mpsc::Receiver<Request>) {
    let piece_bytes = PIECE_BYTES_MAX.min(limits.group_bytes_max / PIECES_PER_GROUP);
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let mut writer = Writer {
        group_bytes_max: bytes(limits.group_bytes_max),
        all_bytes_max: bytes(limits.all_bytes_max),
        piece_bytes: bytes(piece_bytes),
        days: HashSet::new(),
        all_bytes: None,
        pool,
    };
    // What an earlier server left undone.
    tokio::spawn(trim::purge(writer.pool.clone()));
    let mut round = Vec::new();
    while waiting.recv_many(&mut round, ROUND_MAX).await > 0 {
        writer.round(&mut round).await;
    }
}

struct Writer {
    pool: PgPool,
    group_bytes_max: i64,
    all_bytes_max: i64,
    piece_bytes: i64,
    /// Days whose partitions are known to be there.
    days: HashSet<i64>,
    /// What all groups take, as far as known.
    all_bytes: Option<i64>,
}

/// Events of one stream.
enum Part {
    New {
        stream: Arc<str>,
        events: Vec<NewLogEvent>,
        ingested_at: Timestamp,
    },
    Kept(Vec<LogEvent>),
}

/// What a round appends: by group, as `event_group` names it.
#[derive(Default)]
struct Appends {
    groups: BTreeMap<String, Vec<Part>>,
    answers: Vec<Answer>,
}

/// Why a try to write failed.
enum Failed {
    /// Nothing was written.
    Certainly(sqlx::Error),
    /// It may have been written.
    Perhaps(LogError),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        Self::Certainly(error)
    }
}

impl Writer {
    /// Does what was asked, in order, and answers.
    async fn round(&mut self, round: &mut Vec<Request>) {
        let mut appends = Appends::default();
        for Request {
            group,
            task,
            answer,
        } in round.drain(..)
        {
            let key = key_text(&group);
            let done = match task {
                Task::Put {
                    stream,
                    events,
                    ingested_at,
                } => {
                    let part = Part::New {
                        stream,
                        events,
                        ingested_at,
                    };
                    appends.groups.entry(key).or_default().push(part);
                    appends.answers.push(answer);
                    continue;
                }
                Task::Import { events } => {
                    let part = Part::Kept(events);
                    appends.groups.entry(key).or_default().push(part);
                    appends.answers.push(answer);
                    continue;
                }
                Task::DeleteStream { stream } => {
                    self.append(std::mem::take(&mut appends)).await;
                    self.delete_stream(&key, &stream).await
                }
                Task::DeleteGroup => {
                    self.append(std::mem::take(&mut appends)).await;
                    self.delete_group(&key).await
                }
                Task::Expire { before } => {
                    self.append(std::mem::take(&mut appends)).await;
                    self.expire(&key, before).await
                }
            };
            respond(answer, done);
        }
        self.append(appends).await;
    }

    async fn delete_stream(&mut self, key: &str, stream: &str) -> Result<(), LogError> {
        let had_events = trim::delete_stream(&self.pool, key, stream)
            .await
            .map_err(cannot("delete a stream"))?;
        if had_events {
            tokio::spawn(trim::purge(self.pool.clone()));
        }
        Ok(())
    }

    async fn delete_group(&mut self, key: &str) -> Result<(), LogError> {
        let had_events = trim::delete_group(&self.pool, key)
            .await
            .map_err(cannot("delete a group"))?;
        if had_events {
            tokio::spawn(trim::purge(self.pool.clone()));
        }
        Ok(())
    }

    async fn expire(&mut self, key: &str, before: Timestamp) -> Result<(), LogError> {
        trim::expire(&self.pool, key, before.as_millis())
            .await
            .map_err(cannot("remove old events"))?;
        self.drop_partitions()
            .await
            .map_err(cannot("remove old events"))
    }

    async fn drop_partitions(&mut self) -> Result<(), sqlx::Error> {
        for day in partition::drop_empty(&self.pool).await? {
            self.days.remove(&day);
        }
        Ok(())
    }

    async fn append(&mut self, appends: Appends) {
        let Appends { groups, answers } = appends;
        if answers.is_empty() {
            return;
        }
        match self.write(&groups).await {
            Ok(written) => {
                for answer in answers {
                    respond(answer, Ok(()));
                }
                if let Err(error) = self.keep_within_limits(&written).await {
                    tracing::warn!(?error, "could not remove log events that are too much");
                }
            }
            Err(error) => {
                let cause = format!("{error:?}");
                for answer in answers {
                    // The cause goes to every caller, and cannot be cloned.
                    let refused = LogError::Unavailable {
                        doing: "take events",
                        source: cause.clone().into(),
                    };
                    respond(answer, Err(refused));
                }
            }
        }
    }

    /// Writes the events. When it is not known whether a try did, the next one looks for its
    /// first event before it writes again, so that no event is there twice.
    async fn write(&mut self, groups: &BTreeMap<String, Vec<Part>>) -> Result<Written, LogError> {
        let give_up_at = Instant::now() + DOUBT_MAX;
        let mut doubt: Option<First> = None;
        let mut races = 0;
        loop {
            let mut first = None;
            let trying = self.try_write(groups, doubt.as_ref(), &mut first);
            let tried = timeout(TRY_TIMEOUT, trying).await;
            let tried = tried.unwrap_or_else(|elapsed| {
                Err(Failed::Perhaps(LogError::Unavailable {
                    doing: "take events",
                    source: elapsed.into(),
                }))
            });
            match tried {
                Ok(written) => {
                    self.days.extend(&written.days);
                    return Ok(written);
                }
                Err(Failed::Certainly(error)) => {
                    let again = races < RACES_MAX && trips(&error);
                    races += 1;
                    // A partition may be gone that was there.
                    self.days.clear();
                    let may_wait = doubt.is_some() && Instant::now() < give_up_at;
                    if !again && !may_wait {
                        return Err(cannot("take events")(error));
                    }
                }
                Err(Failed::Perhaps(error)) => {
                    // An earlier doubt was cleared up before this try wrote anything.
                    doubt = first.or(doubt);
                    if Instant::now() >= give_up_at {
                        return Err(error);
                    }
                }
            }
            sleep(TRY_AGAIN_AFTER).await;
        }
    }

    /// Writes the events in one transaction. `first` becomes what tells whether it happened.
    async fn try_write(
        &self,
        groups: &BTreeMap<String, Vec<Part>>,
        doubt: Option<&First>,
        first: &mut Option<First>,
    ) -> Result<Written, Failed> {
        let mut tx = self.pool.begin().await?;
        let mut counters = lock_groups(&mut tx, groups.keys()).await?;
        if let Some(doubt) = doubt
            && doubt.is_written(&mut tx).await?
        {
            return Ok(Written::default());
        }
        let streams = find_streams(&mut tx, groups, &counters).await?;
        let mut rows = Rows::default();
        for (key, parts) in groups {
            let counter = counters
                .get_mut(key)
                .expect("every group's row was locked above");
            for part in parts {
                rows.add(part, counter, &streams, self.piece_bytes);
            }
        }
        for day in rows.days().difference(&self.days) {
            partition::make(&mut tx, *day).await?;
        }
        *first = rows.first();
        rows.insert(&mut tx).await?;
        save_counters(&mut tx, &counters).await?;
        let commit = tx.commit().await;
        commit.map_err(|error| match error {
            sqlx::Error::Database(_) => Failed::Certainly(error),
            _ => Failed::Perhaps(cannot("take events")(error)),
        })?;
        Ok(Written {
            bytes: rows.bytes.iter().sum(),
            days: rows.days(),
            grown: counters
                .values()
                .filter(|counter| counter.rolled)
                .map(|counter| counter.group)
                .collect(),
        })
    }

    async fn keep_within_limits(&mut self, written: &Written) -> Result<(), sqlx::Error> {
        for group in &written.grown {
            trim::keep_within(&self.pool, *group, self.group_bytes_max).await?;
        }
        let known = self.all_bytes.map(|all| all + written.bytes);
        // Counted anew now and then: limits of groups and other servers change it, too.
        let count = written.grown.is_empty().then_some(known).flatten();
        self.all_bytes = match count {
            Some(known) if known <= self.all_bytes_max => Some(known),
            Some(_) | None => Some(trim::keep_all_within(&self.pool, self.all_bytes_max).await?),
        };
        if !written.grown.is_empty() {
            self.drop_partitions().await?;
        }
        Ok(())
    }
}

/// Whether another server did something in our way: made the same partition, or dropped one.
fn trips(error: &sqlx::Error) -> bool {
    const NO_PARTITION: &str = "23514";
    const DEADLOCK: &str = "40P01";
    let code = error.as_database_error().and_then(|cause| cause.code());
    may_be_a_race(error) || code.is_some_and(|code| [NO_PARTITION, DEADLOCK].contains(&&*code))
}

/// What a round wrote.
#[derive(Default)]
struct Written {
    bytes: i64,
    days: HashSet<i64>,
    /// Groups that began a new piece.
    grown: Vec<i64>,
}

/// The first event of a round, by which another try finds out whether the round was written.
struct First {
    group: i64,
    at: i64,
    sequence: i64,
    stream: i64,
    message: String,
}

impl First {
    async fn is_written(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM log_event WHERE group_id = $1 AND at = $2 \
             AND sequence = $3 AND stream_id = $4 AND message = $5)",
        )
        .bind(self.group)
        .bind(self.at)
        .bind(self.sequence)
        .bind(self.stream)
        .bind(&self.message)
        .fetch_one(connection)
        .await
    }
}

/// Where a group's numbering and its newest piece are.
struct Counter {
    group: i64,
    last_sequence: i64,
    piece: i64,
    piece_bytes: i64,
    piece_day: i64,
    /// Bytes added to the group in this round.
    added: i64,
    /// A new piece was begun in this round.
    rolled: bool,
}

/// Locks the groups' rows, always in the same order, and makes those that are not there. A
/// transaction that made one and is still in doubt is waited for.
async fn lock_groups(
    connection: &mut PgConnection,
    keys: impl Iterator<Item = &String>,
) -> Result<HashMap<String, Counter>, sqlx::Error> {
    let wanted: Vec<&String> = keys.collect();
    let mut counters = HashMap::new();
    loop {
        let rows = sqlx::query(
            "SELECT key, id, last_sequence, piece, piece_bytes, piece_day FROM event_group \
             WHERE key = ANY($1) AND NOT gone ORDER BY id FOR UPDATE",
        )
        .bind(&wanted)
        .fetch_all(&mut *connection)
        .await?;
        for row in rows {
            let counter = Counter {
                group: row.get(1),
                last_sequence: row.get(2),
                piece: row.get(3),
                piece_bytes: row.get(4),
                piece_day: row.get(5),
                added: 0,
                rolled: false,
            };
            counters.insert(row.get(0), counter);
        }
        let missing: Vec<&String> = wanted
            .iter()
            .filter(|key| !counters.contains_key(key.as_str()))
            .copied()
            .collect();
        if missing.is_empty() {
            return Ok(counters);
        }
        sqlx::query(
            "INSERT INTO event_group (key) SELECT UNNEST($1::text[]) \
             ON CONFLICT (key) WHERE NOT gone DO NOTHING",
        )
        .bind(missing)
        .execute(&mut *connection)
        .await?;
    }
}

/// Streams' numbers by group and name.
type Streams = HashMap<(i64, String), i64>;

/// Finds the streams of a round, and makes those that are not there. The groups are locked, so
/// nobody else does.
async fn find_streams(
    connection: &mut PgConnection,
    groups: &BTreeMap<String, Vec<Part>>,
    counters: &HashMap<String, Counter>,
) -> Result<Streams, sqlx::Error> {
    let mut wanted: BTreeSet<(i64, &str)> = BTreeSet::new();
    for (key, parts) in groups {
        let group = counters[key].group;
        for part in parts {
            match part {
                Part::New { stream, .. } => drop(wanted.insert((group, stream))),
                Part::Kept(events) => {
                    wanted.extend(events.iter().map(|event| (group, &*event.stream)));
                }
            }
        }
    }
    let mut found = Streams::new();
    for statement in [
        "SELECT s.id, s.group_id, s.name FROM event_stream s \
         JOIN UNNEST($1::bigint[], $2::text[]) AS w (group_id, name) \
         ON s.group_id = w.group_id AND s.name = w.name WHERE NOT s.gone",
        "INSERT INTO event_stream (group_id, name) \
         SELECT * FROM UNNEST($1::bigint[], $2::text[]) RETURNING id, group_id, name",
    ] {
        wanted.retain(|(group, name)| !found.contains_key(&(*group, (*name).to_owned())));
        if wanted.is_empty() {
            break;
        }
        let (groups, names): (Vec<i64>, Vec<&str>) = wanted.iter().copied().unzip();
        let rows = sqlx::query(statement)
            .bind(groups)
            .bind(names)
            .fetch_all(&mut *connection)
            .await?;
        found.extend(
            rows.iter()
                .map(|row| ((row.get(1), row.get(2)), row.get(0))),
        );
    }
    Ok(found)
}

async fn save_counters(
    connection: &mut PgConnection,
    counters: &HashMap<String, Counter>,
) -> Result<(), sqlx::Error> {
    let column = |of: fn(&Counter) -> i64| counters.values().map(of).collect::<Vec<i64>>();
    sqlx::query(
        "UPDATE event_group g SET last_sequence = n.last_sequence, piece = n.piece, \
         piece_bytes = n.piece_bytes, piece_day = n.piece_day, bytes = g.bytes + n.added \
         FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
         $6::bigint[]) AS n (id, last_sequence, piece, piece_bytes, piece_day, added) \
         WHERE g.id = n.id",
    )
    .bind(column(|counter| counter.group))
    .bind(column(|counter| counter.last_sequence))
    .bind(column(|counter| counter.piece))
    .bind(column(|counter| counter.piece_bytes))
    .bind(column(|counter| counter.piece_day))
    .bind(column(|counter| counter.added))
    .execute(connection)
    .await?;
    Ok(())
}

/// A round's events, column by column.
#[derive(Default)]
struct Rows<'a> {
    groups: Vec<i64>,
    times: Vec<i64>,
    sequences: Vec<i64>,
    streams: Vec<i64>,
    pieces: Vec<i64>,
    days: Vec<i64>,
    ingested: Vec<i64>,
    bytes: Vec<i64>,
    messages: Vec<&'a str>,
}

impl<'a> Rows<'a> {
    fn add(&mut self, part: &'a Part, counter: &mut Counter, streams: &Streams, piece_max: i64) {
        match part {
            Part::New {
                stream,
                events,
                ingested_at,
            } => {
                let stream = streams[&(counter.group, stream.as_ref().to_owned())];
                for event in events {
                    let last = counter.last_sequence.cast_unsigned();
                    let sequence = next_sequence(last, *ingested_at).cast_signed();
                    self.push(counter, piece_max, sequence, &event.message);
                    self.times.push(event.timestamp.as_millis());
                    self.streams.push(stream);
                    self.ingested.push(ingested_at.as_millis());
                }
            }
            Part::Kept(events) => {
                for event in events {
                    let stream = streams[&(counter.group, event.stream.as_ref().to_owned())];
                    let sequence = event.position.sequence.cast_signed();
                    self.push(counter, piece_max, sequence, &event.message);
                    self.times.push(event.position.timestamp.as_millis());
                    self.streams.push(stream);
                    self.ingested.push(event.ingested_at.as_millis());
                }
            }
        }
    }

    /// Gives an event its piece: the newest, unless that is full or of another day.
    fn push(&mut self, counter: &mut Counter, piece_max: i64, sequence: i64, message: &'a str) {
        let day = partition::day_of(sequence);
        let length = i64::try_from(message.len()).unwrap_or(i64::MAX);
        let bytes = length.saturating_add(BYTES_AROUND_A_MESSAGE);
        if counter.piece_bytes >= piece_max || counter.piece_day != day {
            counter.piece += 1;
            counter.piece_bytes = 0;
            counter.piece_day = day;
            counter.rolled = true;
        }
        counter.piece_bytes += bytes;
        counter.added += bytes;
        counter.last_sequence = counter.last_sequence.max(sequence);
        self.groups.push(counter.group);
        self.sequences.push(sequence);
        self.pieces.push(counter.piece);
        self.days.push(day);
        self.bytes.push(bytes);
        self.messages.push(message);
    }

    fn days(&self) -> HashSet<i64> {
        self.days.iter().copied().collect()
    }

    fn first(&self) -> Option<First> {
        Some(First {
            group: *self.groups.first()?,
            at: *self.times.first()?,
            sequence: *self.sequences.first()?,
            stream: *self.streams.first()?,
            message: (*self.messages.first()?).to_owned(),
        })
    }

    async fn insert(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO log_event (group_id, at, sequence, stream_id, piece, ingested_at, message) \
             SELECT * FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], \
             $5::bigint[], $6::bigint[], $7::text[])",
        )
        .bind(&self.groups)
        .bind(&self.times)
        .bind(&self.sequences)
        .bind(&self.streams)
        .bind(&self.pieces)
        .bind(&self.ingested)
        .bind(&self.messages)
        .execute(&mut *connection)
        .await?;
        sqlx::query(
            "INSERT INTO event_piece AS p (group_id, piece, stream_id, day, events, bytes, \
             first_at, last_at, last_ingested) \
             SELECT group_id, piece, stream_id, MAX(day), COUNT(*), SUM(bytes), MIN(at), \
             MAX(at), MAX(ingested_at) \
             FROM UNNEST($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], \
             $6::bigint[], $7::bigint[]) \
             AS n (group_id, piece, stream_id, day, bytes, at, ingested_at) \
             GROUP BY group_id, piece, stream_id \
             ON CONFLICT (group_id, piece, stream_id) DO UPDATE SET \
             events = p.events + excluded.events, bytes = p.bytes + excluded.bytes, \
             first_at = LEAST(p.first_at, excluded.first_at), \
             last_at = GREATEST(p.last_at, excluded.last_at), \
             last_ingested = GREATEST(p.last_ingested, excluded.last_ingested)",
        )
        .bind(&self.groups)
        .bind(&self.pieces)
        .bind(&self.streams)
        .bind(&self.days)
        .bind(&self.bytes)
        .bind(&self.times)
        .bind(&self.ingested)
        .execute(&mut *connection)
        .await?;
        Ok(())
    }
}
