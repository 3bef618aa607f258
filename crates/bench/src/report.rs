//! Measures, their medians, and how they are shown.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use anyhow::Result;
use serde_json::{Value, json};

/// What a figure should reach. Nothing fails when it does not: the table says so.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(goal) => value >= goal,
            Self::AtMost(goal) => value <= goal,
        }
    }
}

impl std::fmt::Display for Goal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::AtLeast(goal) => write!(f, "≥ {goal}"),
            Self::AtMost(goal) => write!(f, "≤ {goal}"),
        }
    }
}

/// One value that a run measured.
#[derive(Clone, Debug)]
pub(crate) struct Measure {
    name: String,
    unit: &'static str,
    value: f64,
    goal: Option<Goal>,
}

/// What one run measured, in the order in which it is shown.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    measures: Vec<Measure>,
    /// What went otherwise than it should, such as calls that were refused.
    notes: Vec<String>,
}

impl Run {
    /// Adds a value that is only told.
    pub(crate) fn tell(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.measures.push(Measure {
            name: name.into(),
            unit,
            value,
            goal: None,
        });
    }

    /// Adds a value that has a goal.
    pub(crate) fn figure(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        goal: Goal,
    ) {
        self.measures.push(Measure {
            name: name.into(),
            unit,
            value,
            goal: Some(goal),
        });
    }

    /// Adds a remark.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }
}

/// All runs of one item on one store.
pub(crate) struct Section {
    pub(crate) item: &'static str,
    pub(crate) title: &'static str,
    pub(crate) store: &'static str,
    pub(crate) runs: Vec<Run>,
}

impl Section {
    /// The medians, in the first run's order.
    fn medians(&self) -> Vec<Measure> {
        let names = self.runs.first().map_or(&[][..], |run| &run.measures);
        names
            .iter()
            .map(|measure| Measure {
                value: median(self.values(&measure.name)),
                ..measure.clone()
            })
            .collect()
    }

    fn values(&self, name: &str) -> Vec<f64> {
        let measures = self.runs.iter().flat_map(|run| &run.measures);
        measures
            .filter(|measure| measure.name == name)
            .map(|measure| measure.value)
            .collect()
    }

    /// The table's lines.
    pub(crate) fn table(&self) -> String {
        let runs = self.runs.len();
        let mut text = format!(
            "({}) {}, {}, median of {runs}\n",
            self.item, self.title, self.store
        );
        for measure in self.medians() {
            let verdict = match measure.goal {
                Some(goal) if goal.is_met(measure.value) => format!("goal {goal}: reached"),
                Some(goal) => format!("goal {goal}: MISSED"),
                None => String::new(),
            };
            let all: Vec<String> = self.values(&measure.name).into_iter().map(shown).collect();
            let all = if runs > 1 {
                format!("[{}]", all.join(" "))
            } else {
                String::new()
            };
            let (name, value, unit) = (&measure.name, shown(measure.value), measure.unit);
            let line = format!("  {name:<44} {value:>10} {unit:<9} {verdict:<26} {all}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
        for (number, run) in self.runs.iter().enumerate() {
            for note in &run.notes {
                let _ = writeln!(text, "  run {}: {note}", number + 1);
            }
        }
        text
    }

    fn json(&self) -> Value {
        let measures: Vec<Value> = self
            .medians()
            .into_iter()
            .map(|measure| {
                json!({
                    "name": measure.name,
                    "unit": measure.unit,
                    "median": measure.value,
                    "runs": self.values(&measure.name),
                    "goal": measure.goal.map(|goal| goal.to_string()),
                    "reached": measure.goal.map(|goal| goal.is_met(measure.value)),
                })
            })
            .collect();
        let notes: Vec<&String> = self.runs.iter().flat_map(|run| &run.notes).collect();
        json!({
            "item": self.item,
            "title": self.title,
            "store": self.store,
            "measures": measures,
            "notes": notes,
        })
    }
}

/// Three or four significant places.
fn shown(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The middle value; of an even number, the mean of the two in the middle; 0 of none.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        count if count % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

/// Writes all sections as one JSON document, whole or not at all.
pub(crate) fn write_json(path: &Path, sections: &[Section]) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let items: Vec<Value> = sections.iter().map(Section::json).collect();
    let document = json!({ "version": env!("CARGO_PKG_VERSION"), "cores": cores, "items": items });
    let fresh = path.with_extension("new");
    let mut file = std::fs::File::create(&fresh)?;
    serde_json::to_writer_pretty(&mut file, &document)?;
    writeln!(file)?;
    std::fs::rename(fresh, path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(value: f64) -> Run {
        let mut run = Run::default();
        run.figure("placed", value, "tasks/s", Goal::AtLeast(5000.0));
        run
    }

    #[test]
    fn the_median_is_what_counts() {
        let mut section = Section {
            item: "a",
            title: "tasks placed",
            store: "SQLite",
            runs: vec![run(4000.0), run(6000.0), run(5500.0)],
        };
        assert!(section.table().contains("reached"));
        assert_eq!(section.json()["measures"][0]["median"], 5500.0);
        section.runs.pop();
        section.runs.push(run(1.25));
        assert!(section.table().contains("MISSED"));
        assert_eq!(section.json()["measures"][0]["reached"], false);
    }

    #[test]
    fn medians_of_few() {
        assert_eq!(median(vec![]), 0.0);
        assert_eq!(median(vec![3.0, 1.0]), 2.0);
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
    }
}
