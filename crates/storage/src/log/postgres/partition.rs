//! The partitions of `log_event`: one for each day on which events arrived.

use sqlx::{PgConnection, PgPool, Row};

use crate::log::request::COUNTER_BITS;

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// How long to wait for readers before a partition is dropped some other time. Whoever comes
/// meanwhile waits behind us.
const DROP_LOCK_TIMEOUT: &str = "SET LOCAL lock_timeout = '2s'";

/// The day of arrival of an event with this number, in days since 1970.
pub(super) fn day_of(sequence: i64) -> i64 {
    (sequence >> COUNTER_BITS) / DAY_MILLIS
}

/// Makes a day's partition if it is not there.
pub(super) async fn make(connection: &mut PgConnection, day: i64) -> Result<(), sqlx::Error> {
    let name = name(&mut *connection, day).await?;
    let first = (day * DAY_MILLIS) << COUNTER_BITS;
    // Past the year 2248 there is no next day.
    let next = (day + 1)
        .checked_mul(DAY_MILLIS << COUNTER_BITS)
        .unwrap_or(i64::MAX);
    let create = format!(
        "CREATE TABLE IF NOT EXISTS {name} PARTITION OF log_event \
         FOR VALUES FROM ({first}) TO ({next})"
    );
    sqlx::query(&create).execute(connection).await?;
    Ok(())
}

async fn name(connection: &mut PgConnection, day: i64) -> Result<String, sqlx::Error> {
    let name = "SELECT 'log_event_' || to_char(DATE '1970-01-01' + $1::int, 'YYYYMMDD')";
    sqlx::query_scalar(name)
        .bind(day)
        .fetch_one(connection)
        .await
}

/// Drops the partitions of past days that no piece has events in; the days that it dropped.
pub(super) async fn drop_empty(pool: &PgPool) -> Result<Vec<i64>, sqlx::Error> {
    let found = sqlx::query(
        "SELECT c.relname::text, (to_date(right(c.relname, 8), 'YYYYMMDD') - DATE '1970-01-01')::bigint \
         FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
         WHERE i.inhparent = 'log_event'::regclass",
    )
    .fetch_all(pool)
    .await?;
    let newest: Option<i64> = sqlx::query_scalar("SELECT MAX(last_sequence) FROM event_group")
        .fetch_one(pool)
        .await?;
    let today = newest.map_or(0, day_of);
    let mut dropped = Vec::new();
    for row in found {
        let (name, day): (String, i64) = (row.get(0), row.get(1));
        if day < today && is_unused(pool, day).await? && drop_one(pool, &name, day).await? {
            dropped.push(day);
        }
    }
    Ok(dropped)
}

async fn is_unused(pool: &PgPool, day: i64) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM event_piece WHERE day = $1)")
        .bind(day)
        .fetch_one(pool)
        .await
}

async fn drop_one(pool: &PgPool, name: &str, day: i64) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    sqlx::query(DROP_LOCK_TIMEOUT).execute(&mut *tx).await?;
    // Under this lock nobody adds events: what is unused now stays so.
    let lock = format!("LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE");
    sqlx::query(&lock).execute(&mut *tx).await?;
    let unused: bool =
        sqlx::query_scalar("SELECT NOT EXISTS (SELECT 1 FROM event_piece WHERE day = $1)")
            .bind(day)
            .fetch_one(&mut *tx)
            .await?;
    if unused {
        let drop = format!("DROP TABLE {name}");
        sqlx::query(&drop).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(unused)
}
