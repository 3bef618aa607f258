//! `berth-bench`: measures the figures that Berth promises, and says which of them hold.
//!
//! Each item starts what it needs — a server, a fleet of agents, a Postgres — on loopback and in
//! folders of its own, measures from outside over the wire, and ends what it started. Nothing here
//! asserts a time: a figure that falls short is shown as missed.

mod allocations;
mod calls;
mod clock;
mod connection;
mod disk;
mod fleet;
mod items;
mod load;
mod plane;
mod postgres;
mod process;
mod report;
mod server;
mod stage;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand, ValueEnum};

use crate::items::{Bench, Item};
use crate::postgres::Postgres;

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

/// Measures the figures that Berth promises.
#[derive(Debug, Parser)]
#[command(name = "berth-bench", args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Which, by their letters; all when none is named.
    #[arg(value_enum, value_delimiter = ',', ignore_case = true)]
    items: Vec<Item>,
    /// One short run of each with small numbers: to see that it works, not how fast.
    #[arg(long)]
    quick: bool,
    /// How often each is measured; the medians count.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    runs: u32,
    /// Which stores, where an item is measured on both.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "sqlite,postgres"
    )]
    store: Vec<StoreKind>,
    /// A Postgres server to make databases on; without it a private one is started.
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Also measure with a million tasks where an item has a figure for that.
    #[arg(long)]
    million: bool,
    /// Where servers and databases keep their files. A disk, not memory.
    #[arg(long, value_name = "DIR", default_value = "/var/tmp")]
    work_dir: PathBuf,
    /// The file for the figures as JSON.
    #[arg(long, value_name = "FILE", default_value = "target/bench.json")]
    json: PathBuf,
    /// The program to measure [default: berth beside this one].
    #[arg(long, value_name = "FILE")]
    berth: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs agents that ack and do not report.
    Agents(fleet::AgentsArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum StoreKind {
    Sqlite,
    Postgres,
}

fn main() -> Result<()> {
    let cli = Cli::parse();
    process::raise_file_limit()?;
    match &cli.command {
        Some(Command::Agents(args)) => fleet::run(args),
        None => measure(&cli),
    }
}

fn measure(cli: &Cli) -> Result<()> {
    let folder = tempfile::Builder::new()
        .prefix("berth-bench-")
        .tempdir_in(&cli.work_dir)
        .with_context(|| format!("{} cannot be used", cli.work_dir.display()))?;
    end_all_on_signal(folder.path())?;
    let this = std::env::current_exe()?;
    let berth = match &cli.berth {
        Some(berth) => berth.clone(),
        None => this.with_file_name("berth"),
    };
    let items = if cli.items.is_empty() {
        Item::ALL.to_vec()
    } else {
        cli.items.clone()
    };
    let wanted = cli.store.contains(&StoreKind::Postgres) && items.iter().any(|i| i.on_postgres());
    let postgres = match &cli.database_url {
        _ if !wanted => None,
        Some(url) => Some(Postgres::named(url)),
        None => {
            // The user that Postgres runs as must be able to reach its own folder.
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o711);
            std::fs::set_permissions(folder.path(), open)?;
            Some(Postgres::private(folder.path())?)
        }
    };
    let bench = Bench {
        this,
        berth,
        folder: folder.path().to_owned(),
        quick: cli.quick,
        million: cli.million,
        runs: if cli.quick { 1 } else { cli.runs },
    };
    let mut sections = Vec::new();
    for item in items {
        let on_sqlite = cli.store.contains(&StoreKind::Sqlite) || !item.on_postgres();
        let stores = [
            on_sqlite.then_some(None),
            postgres.as_ref().filter(|_| item.on_postgres()).map(Some),
        ];
        for store in stores.into_iter().flatten() {
            let section = bench.measure(item, store)?;
            println!("{}", section.table());
            sections.push(section);
            // After each, so that an end before the last leaves what is known.
            report::write_json(&cli.json, &sections)?;
        }
    }
    postgres.map_or(Ok(()), Postgres::stop)
}

/// Ends all processes and removes all files when this program is told to end.
fn end_all_on_signal(folder: &Path) -> Result<()> {
    let folder = folder.to_owned();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let both = signal(SignalKind::interrupt()).and_then(|interrupt| {
                signal(SignalKind::terminate()).map(|terminate| (interrupt, terminate))
            });
            if let Ok((mut interrupt, mut terminate)) = both {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                process::kill_all();
                let _ = std::fs::remove_dir_all(&folder);
                // As a shell tells the end by Ctrl-C.
                std::process::exit(130);
            }
        });
    });
    Ok(())
}
