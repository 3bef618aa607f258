//! The items that are measured, by their letters.

mod describe;
mod placed;

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
    /// RunTask on a schedule.
    C,
    /// DescribeTasks.
    D,
}

impl Item {
    pub(crate) const ALL: &[Self] = &[Self::A, Self::C, Self::D];

    fn letter(self) -> &'static str {
        match self {
            Self::A => "a",
            Self::C => "c",
            Self::D => "d",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::A => "tasks placed and durable",
            Self::C => "RunTask of 10, 400 calls/s on a schedule",
            Self::D => "DescribeTasks of 100",
        }
    }

    /// Whether the item's figure depends on the store.
    pub(crate) fn on_postgres(self) -> bool {
        match self {
            Self::A | Self::C => true,
            Self::D => false,
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
        for number in 1..=self.runs {
            eprintln!("({}) {store}, run {number} of {}", item.letter(), self.runs);
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
            Item::C => placed::latency(self, postgres),
            Item::D => describe::describe(self, postgres),
        }
    }
}
