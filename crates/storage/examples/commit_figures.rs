//! Prints how long commits and loads take, beside what the disk itself takes to sync.
//!
//! `cargo run --release -p berth-storage --example commit_figures -- DIR [postgres://…]`

#![expect(clippy::disallowed_methods, reason = "measuring needs the clock")]

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use berth_model::time::Timestamp;
use berth_storage::{Change, Commit, Location, Store, TABLES, run_folder};
use serde_json::value::RawValue;

/// About what a task takes.
const BODY_BYTES: usize = 700;
const MEASURE: Duration = Duration::from_secs(5);
const ROWS_TO_LOAD: i64 = 100_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let dir = arguments
        .next()
        .context("first argument: a directory on the disk to measure")?;
    let dir = Path::new(&dir);
    raw_syncs(dir)?;
    let embedded = Location::Embedded {
        data_dir: dir.join("figures"),
    };
    measure("sqlite", &embedded).await?;
    if let Some(url) = arguments.next() {
        let location = Location::Postgres {
            url,
            schema: "figures".to_owned(),
        };
        measure("postgres", &location).await?;
    }
    Ok(())
}

/// 4 KiB appended and synced, as a small commit does.
fn raw_syncs(dir: &Path) -> anyhow::Result<()> {
    let path = dir.join("raw-syncs");
    let mut file = std::fs::File::create(&path)?;
    let mut times = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < MEASURE {
        let start = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    std::fs::remove_file(path)?;
    report("fdatasync of 4 KiB", &mut times, 1);
    Ok(())
}

async fn measure(name: &str, location: &Location) -> anyhow::Result<()> {
    let store = Store::open(location, &TABLES).await?;
    store.lead().await?;
    let mut revision = store.load(|_| Ok(())).await?.revision;
    anyhow::ensure!(revision == 0, "{name}: the store must be empty");
    let cancel = tokio_util::sync::CancellationToken::new();
    let folder = tokio::spawn(run_folder(store.clone(), cancel.clone(), |_, _| {}));
    let mut row = 0;
    for changes in [1, 10, 100, 1000] {
        let mut times = Vec::new();
        let begin = Instant::now();
        while begin.elapsed() < MEASURE {
            revision += 1;
            let next = |_| {
                row = (row + 1) % ROWS_TO_LOAD;
                change(row)
            };
            let at = Timestamp::from_millis(i64::try_from(revision)?);
            let commit = Commit {
                revision,
                at,
                changes: (0..changes).map(next).collect(),
            };
            let start = Instant::now();
            store.commit(&commit).await?;
            times.push(start.elapsed());
        }
        report(&format!("{name}, {changes} changes"), &mut times, changes);
    }
    // The whole table, for the load.
    for first in (0..ROWS_TO_LOAD).step_by(1000) {
        revision += 1;
        let at = Timestamp::from_millis(i64::try_from(revision)?);
        let changes = (first..first + 1000).map(change).collect();
        store
            .commit(&Commit {
                revision,
                at,
                changes,
            })
            .await?;
    }
    cancel.cancel();
    folder.await?;
    while store.fold_once().await?.more {}
    let start = Instant::now();
    let mut bytes = 0;
    let loaded = store
        .load(|row| {
            bytes += row.body.len();
            Ok(())
        })
        .await?;
    println!(
        "{name}: {} rows, {bytes} bytes loaded in {:?}",
        loaded.rows,
        start.elapsed()
    );
    Ok(())
}

fn change(row: i64) -> Change {
    let id = format!("task-{row:020}");
    let filler = "x".repeat(BODY_BYTES - 40 - id.len());
    let body = format!("{{\"id\":\"{id}\",\"n\":{row},\"text\":\"{filler}\"}}");
    let body = RawValue::from_string(body).expect("the text above is JSON");
    Change {
        table: "task",
        row,
        key: id,
        body: Some(body),
    }
}

fn report(what: &str, times: &mut [Duration], changes: usize) {
    times.sort();
    let total: Duration = times.iter().sum();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    let count = u32::try_from(times.len() * changes).unwrap_or(u32::MAX);
    println!(
        "{what}: p50 {:?}, p99 {:?}, {:.0} changes/s",
        at(50),
        at(99),
        f64::from(count) / total.as_secs_f64()
    );
}
