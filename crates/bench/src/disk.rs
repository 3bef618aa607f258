//! How long the disk takes to keep 4 KiB while something else is measured.

use std::fs::OpenOptions;
use std::io::{Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::clock;
use crate::load::quantile;

/// Some 50 a second: enough for a p99 within seconds, too few to slow the disk down.
const EVERY: Duration = Duration::from_millis(20);
const BLOCK: [u8; 4096] = [0x5a; 4096];
/// The file's length: blocks are written over, as in a database's log that is used again.
const BLOCKS: u64 = 256;

/// Writes a block and calls `fdatasync` again and again, until it is asked for what it saw.
pub(crate) struct DiskProbe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<Vec<u32>>>,
}

/// Milliseconds that `fdatasync` took.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DiskTimes {
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

impl DiskProbe {
    /// Begins, on a file in `folder`.
    pub(crate) fn begin(folder: &Path) -> Result<Self> {
        let path = folder.join("fdatasync-probe");
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(path)?;
        for _ in 0..BLOCKS {
            file.write_all(&BLOCK)?;
        }
        file.sync_all()?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = thread::spawn(move || {
            let mut times = Vec::new();
            let mut at = 0;
            while !stopped.load(Ordering::Relaxed) {
                file.seek(SeekFrom::Start(at * BLOCK.len() as u64))?;
                file.write_all(&BLOCK)?;
                let begun = clock::now();
                file.sync_data()?;
                times.push(u32::try_from(begun.elapsed().as_micros()).unwrap_or(u32::MAX));
                at = (at + 1) % BLOCKS;
                thread::sleep(EVERY);
            }
            Ok(times)
        });
        Ok(Self { stop, thread })
    }

    /// What it saw.
    pub(crate) fn end(self) -> Result<DiskTimes> {
        self.stop.store(true, Ordering::Relaxed);
        let times = self.thread.join();
        let mut times = times.map_err(|_| anyhow!("the disk's probe panicked"))??;
        times.sort_unstable();
        Ok(DiskTimes {
            p50_ms: quantile(&times, 0.5) / 1000.0,
            p99_ms: quantile(&times, 0.99) / 1000.0,
        })
    }
}
