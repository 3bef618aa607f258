//! Dropping what is too old, too much or deleted.

use std::collections::HashSet;

use sqlx::{PgConnection, PgPool, Row};

use super::partition;

/// One of a group's pieces.
struct Piece {
    number: i64,
    day: i64,
    bytes: i64,
    first_at: i64,
    last_at: i64,
}

/// Drops a group's oldest pieces while they take more than `bytes_max`.
pub(super) async fn keep_within(
    pool: &PgPool,
    group: i64,
    bytes_max: i64,
) -> Result<(), sqlx::Error> {
    drop_pieces(pool, group, |pieces| {
        let all: i64 = pieces.iter().map(|piece| piece.bytes).sum();
        let mut excess = all - bytes_max;
        let too_much = pieces.iter().take_while(|piece| {
            let drop = excess > 0;
            excess -= piece.bytes;
            drop
        });
        too_much.count()
    })
    .await
}

/// Drops a group's oldest pieces that end before `before`.
pub(super) async fn expire(pool: &PgPool, key: &str, before: i64) -> Result<(), sqlx::Error> {
    let group: Option<i64> =
        sqlx::query_scalar("SELECT id FROM event_group WHERE key = $1 AND NOT gone")
            .bind(key)
            .fetch_optional(pool)
            .await?;
    let Some(group) = group else { return Ok(()) };
    drop_pieces(pool, group, |pieces| {
        let old = pieces.iter().take_while(|piece| piece.last_at < before);
        old.count()
    })
    .await
}

/// Drops the pieces that were written to least recently, whosever they are, while all take more
/// than `bytes_max`; how much is left.
pub(super) async fn keep_all_within(pool: &PgPool, bytes_max: i64) -> Result<i64, sqlx::Error> {
    let all: i64 = sqlx::query_scalar(
        "SELECT COALESCE(SUM(bytes), 0)::bigint FROM event_group WHERE NOT gone",
    )
    .fetch_one(pool)
    .await?;
    let mut left = all;
    if left <= bytes_max {
        return Ok(left);
    }
    let pieces = sqlx::query(
        "SELECT group_id, piece, SUM(bytes)::bigint FROM event_piece GROUP BY group_id, piece \
         ORDER BY MAX(last_ingested), piece, group_id",
    )
    .fetch_all(pool)
    .await?;
    for row in pieces {
        if left <= bytes_max {
            break;
        }
        let (group, number, bytes): (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
        drop_pieces(pool, group, |pieces| {
            let up_to = pieces.iter().take_while(|piece| piece.number <= number);
            up_to.count()
        })
        .await?;
        left -= bytes;
    }
    Ok(left)
}

/// Drops as many of a group's oldest pieces as `count` says.
async fn drop_pieces(
    pool: &PgPool,
    group: i64,
    count: impl FnOnce(&[Piece]) -> usize,
) -> Result<(), sqlx::Error> {
    let mut tx = pool.begin().await?;
    let current: Option<i64> =
        sqlx::query_scalar("SELECT piece FROM event_group WHERE id = $1 AND NOT gone FOR UPDATE")
            .bind(group)
            .fetch_optional(&mut *tx)
            .await?;
    let Some(current) = current else {
        return Ok(());
    };
    let mut pieces = pieces(&mut tx, group).await?;
    pieces.truncate(count(&pieces));
    if pieces.is_empty() {
        return Ok(());
    }
    let numbers: Vec<i64> = pieces.iter().map(|piece| piece.number).collect();
    let bytes: i64 = pieces.iter().map(|piece| piece.bytes).sum();
    sqlx::query("DELETE FROM event_piece WHERE group_id = $1 AND piece = ANY($2)")
        .bind(group)
        .bind(&numbers)
        .execute(&mut *tx)
        .await?;
    // Nothing is added to a piece that is gone.
    sqlx::query(
        "UPDATE event_group SET bytes = bytes - $2, \
         piece = CASE WHEN $3 THEN piece + 1 ELSE piece END, \
         piece_bytes = CASE WHEN $3 THEN 0 ELSE piece_bytes END WHERE id = $1",
    )
    .bind(group)
    .bind(bytes)
    .bind(numbers.contains(&current))
    .execute(&mut *tx)
    .await?;
    delete_rows(&mut tx, group, &pieces).await?;
    // A stream without events needs no row; it gets another with its next event.
    sqlx::query(
        "DELETE FROM event_stream s WHERE s.group_id = $1 AND NOT s.gone AND NOT EXISTS \
         (SELECT 1 FROM event_piece p WHERE p.stream_id = s.id)",
    )
    .bind(group)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}

async fn pieces(connection: &mut PgConnection, group: i64) -> Result<Vec<Piece>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT piece, MAX(day), SUM(bytes)::bigint, MIN(first_at), MAX(last_at) \
         FROM event_piece WHERE group_id = $1 GROUP BY piece ORDER BY piece",
    )
    .bind(group)
    .fetch_all(connection)
    .await?;
    let piece = |row: sqlx::postgres::PgRow| Piece {
        number: row.get(0),
        day: row.get(1),
        bytes: row.get(2),
        first_at: row.get(3),
        last_at: row.get(4),
    };
    Ok(rows.into_iter().map(piece).collect())
}

/// Deletes the events of pieces, but for those that go with their day's partition.
async fn delete_rows(
    connection: &mut PgConnection,
    group: i64,
    pieces: &[Piece],
) -> Result<(), sqlx::Error> {
    let days: Vec<i64> = pieces.iter().map(|piece| piece.day).collect();
    let used: Vec<i64> = sqlx::query_scalar(
        "SELECT DISTINCT day FROM event_piece WHERE day = ANY($1) \
         UNION SELECT piece_day FROM event_group",
    )
    .bind(days)
    .fetch_all(&mut *connection)
    .await?;
    let used: HashSet<i64> = used.into_iter().collect();
    for piece in pieces.iter().filter(|piece| used.contains(&piece.day)) {
        sqlx::query(
            "DELETE FROM log_event WHERE group_id = $1 AND piece = $2 \
             AND at BETWEEN $3 AND $4",
        )
        .bind(group)
        .bind(piece.number)
        .bind(piece.first_at)
        .bind(piece.last_at)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Makes a stream's events invisible; true when it had any.
pub(super) async fn delete_stream(
    pool: &PgPool,
    key: &str,
    stream: &str,
) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let gone: Option<i64> = sqlx::query_scalar(
        "WITH locked AS (SELECT id FROM event_group WHERE key = $1 AND NOT gone FOR UPDATE) \
         UPDATE event_stream s SET gone = TRUE FROM locked \
         WHERE s.group_id = locked.id AND s.name = $2 AND NOT s.gone RETURNING s.id",
    )
    .bind(key)
    .bind(stream)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(gone) = gone else { return Ok(false) };
    sqlx::query(
        "WITH counted AS (DELETE FROM event_piece WHERE stream_id = $2 RETURNING bytes) \
         UPDATE event_group SET bytes = bytes - (SELECT COALESCE(SUM(bytes), 0) FROM counted) \
         WHERE key = $1 AND NOT gone",
    )
    .bind(key)
    .bind(gone)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Makes a group's events invisible; true when it had any.
pub(super) async fn delete_group(pool: &PgPool, key: &str) -> Result<bool, sqlx::Error> {
    let mut tx = pool.begin().await?;
    let gone: Option<i64> = sqlx::query_scalar(
        "UPDATE event_group SET gone = TRUE, bytes = 0 WHERE key = $1 AND NOT gone RETURNING id",
    )
    .bind(key)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(gone) = gone else { return Ok(false) };
    for statement in [
        "UPDATE event_stream SET gone = TRUE WHERE group_id = $1",
        "DELETE FROM event_piece WHERE group_id = $1",
    ] {
        sqlx::query(statement).bind(gone).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(true)
}

/// Deletes the rows of what was made invisible, also by a server that did not get that far.
/// Readers and writers do not wait for it.
pub(super) async fn purge(pool: PgPool) {
    let purged: Result<(), sqlx::Error> = async {
        let gone: Vec<i64> = sqlx::query_scalar("SELECT id FROM event_stream WHERE gone")
            .fetch_all(&pool)
            .await?;
        for statement in [
            "DELETE FROM log_event e USING event_stream s WHERE s.id = ANY($1) \
             AND e.group_id = s.group_id AND e.stream_id = s.id",
            "DELETE FROM event_stream WHERE id = ANY($1)",
            "DELETE FROM event_group g WHERE g.gone AND $1::bigint[] IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM event_stream s WHERE s.group_id = g.id)",
        ] {
            sqlx::query(statement).bind(&gone).execute(&pool).await?;
        }
        partition::drop_empty(&pool).await?;
        Ok(())
    }
    .await;
    if let Err(error) = purged {
        // They are invisible, and the next deletion or start tries again.
        tracing::warn!(?error, "could not delete the rows of deleted log events");
    }
}
