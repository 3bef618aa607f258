//! The items that are measured, by their letters.

mod describe;
mod docker;
mod killed;
mod lives;
mod placed;
mod placement;
mod scheduler;
mod services;
mod start;

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::postgres::Postgres;
use crate::report::{Run, Section};

/// An item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Item {
    /// Tasks placed and durable.
    A,
    /// Whole lives of tasks.
    B,
    /// RunTask on a schedule.
    C,
    /// DescribeTasks.
    D,
    /// Placement alone.
    E,
    /// First answer and memory, by the number of tasks.
    F,
    /// The server is killed under load.
    G,
    /// RunTask beside `docker run`.
    H,
    /// Services to a steady state, and back to it.
    I,
    /// What services cost, by their number.
    J,
}

impl Item {
    pub(crate) const ALL: &[Self] = &[
        Self::A,
        Self::B,
        Self::C,
        Self::D,
        Self::E,
        Self::F,
        Self::G,
        Self::H,
        Self::I,
        Self::J,
    ];

    fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::B => "b",
            Self::C => "c",
            Self::D => "d",
            Self::E => "e",
            Self::F => "f",
            Self::G => "g",
            Self::H => "h",
            Self::I => "i",
            Self::J => "j",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::A => "tasks placed and durable",
            Self::B => "whole lives of tasks, purged in the end",
            Self::C => "RunTask of 10, 400 calls/s on a schedule",
            Self::D => "DescribeTasks of 100",
            Self::E => "placement alone",
            Self::F => "first answer and memory, by the number of tasks",
            Self::G => "5,000 agents, and the server killed under load",
            Self::H => "RunTask to RUNNING beside docker run -d",
            Self::I => "1,000 services of 100 tasks on 5,000 agents",
            Self::J => "a look and a change, by the number of services",
        }
    }

    /// Whether the item is measured on both stores.
    pub(crate) fn on_postgres(self) -> bool {
        match self {
            Self::A | Self::B | Self::C | Self::D | Self::F | Self::G | Self::I => true,
            // Placement and looks have no store, and beside Docker one commit is nothing.
            Self::E | Self::H | Self::J => false,
        }
    }

    /// Whether one run has medians of its own.
    fn is_repeated_inside(self) -> bool {
        match self {
            Self::E | Self::F | Self::H | Self::J => true,
            Self::A | Self::B | Self::C | Self::D | Self::G | Self::I => false,
        }
    }
}

/// What all items need to know.
pub(crate) struct Bench {
    /// This program.
    pub(crate) this: PathBuf,
    /// The program that is measured.
    pub(crate) berth: PathBuf,
    /// For everything that is written.
    pub(crate) folder: PathBuf,
    /// Small numbers.
    pub(crate) quick: bool,
    /// With a million tasks as well.
    pub(crate) million: bool,
    pub(crate) runs: u32,
}

impl Bench {
    /// The number for a real run, or for a quick one.
    pub(crate) fn size<T>(&self, real: T, quick: T) -> T {
        if self.quick { quick } else { real }
    }

    /// Progress, on standard error.
    pub(crate) fn say(&self, what: &str) {
        eprintln!("    {what}");
    }

    /// Measures one item on one store.
    pub(crate) fn measure(&self, item: Item, postgres: Option<&Postgres>) -> Result<Section> {
        let store = if postgres.is_some() {
            "Postgres"
        } else {
            "SQLite"
        };
        let mut runs = Vec::new();
        let count = if item.is_repeated_inside() {
            1
        } else {
            self.runs
        };
        for number in 1..=count {
            eprintln!("({}) {store}, run {number} of {count}", item.letter());
            let run = self.run(item, postgres);
            runs.push(run.with_context(|| format!("item ({})", item.letter()))?);
        }
        Ok(Section {
            item: item.letter(),
            title: item.title(),
            store,
            runs,
        })
    }

    fn run(&self, item: Item, postgres: Option<&Postgres>) -> Result<Run> {
        match item {
            Item::A => placed::throughput(self, postgres),
            Item::B => lives::lives(self, postgres),
            Item::C => placed::latency(self, postgres),
            Item::D => describe::describe(self, postgres),
            Item::E => placement::placement(self),
            Item::F => start::starts(self, postgres),
            Item::G => killed::killed(self, postgres),
            Item::I => services::services(self, postgres),
            Item::J => scheduler::scheduler(self),
            Item::H => match docker::cannot() {
                None => docker::beside_docker(self),
                Some(why) => {
                    let mut run = Run::default();
                    run.note(format!("not measured: {why}"));
                    Ok(run)
                }
            },
        }
    }
}
