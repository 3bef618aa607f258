//! Building the state from what storage kept.

use std::sync::Arc;

use berth_model::task::{Task, TaskSpec};
use berth_model::time::Timestamp;
use berth_placement::{Fleet, Host};
use serde::de::DeserializeOwned;

use crate::record::Record;
use crate::snapshot::State;
use crate::tx::{load_record, occupant};

/// A saved record that cannot be used. The server does not start before a person has decided
/// what becomes of it.
#[derive(Debug, thiserror::Error)]
#[error("the record {key:?} of table {table} cannot be used")]
pub struct BadRecord {
    /// The table.
    pub table: String,
    /// The natural key.
    pub key: String,
    /// What is wrong with it.
    #[source]
    pub cause: BadRecordCause,
}

/// What is wrong with a saved record.
#[derive(Debug, thiserror::Error)]
pub enum BadRecordCause {
    /// The body is not the JSON of such a record.
    #[error("its body does not read")]
    Body(#[source] serde_json::Error),
    /// Nothing of that name is kept by this version.
    #[error("there is no such table")]
    Table,
    /// It names a cluster or task definition that is not there.
    #[error("it refers to {0}, which does not exist")]
    Reference(String),
}

/// Takes records in, in the order of [`crate::TABLES`], and gives the state.
#[derive(Default)]
pub struct Loader {
    state: State,
    /// The spec of the last task: tasks of one call were saved one after the other, and share
    /// theirs again.
    last_spec: Option<Arc<TaskSpec>>,
}

impl Loader {
    /// A loader that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes one saved record in.
    ///
    /// # Errors
    /// [`BadRecord`] when the record cannot be used; the loader is then good for nothing.
    pub fn record(
        &mut self,
        table: &str,
        row: i64,
        key: &str,
        body: &str,
    ) -> Result<(), BadRecord> {
        let bad = |cause| BadRecord {
            table: table.into(),
            key: key.into(),
            cause,
        };
        let record = self.parse(table, body).map_err(bad)?;
        if let Record::Task(task) = &record {
            self.check_references(task).map_err(bad)?;
            self.state.count_user(&task.spec.definition, 1);
        }
        match &record {
            Record::Instance(instance) => self.state.reindex_instance(None, Some(instance)),
            Record::Definition(definition) => {
                self.state.reindex_definition(None, Some(definition));
            }
            Record::Cluster(_)
            | Record::Setting(_)
            | Record::Family(_)
            | Record::Task(_)
            | Record::LogGroup(_)
            | Record::LogStream(_) => {}
        }
        load_record(&mut self.state, row, record);
        Ok(())
    }

    /// The state at `revision`, whose last transaction was at `at`, and its placement index.
    #[must_use]
    pub fn finish(mut self, revision: u64, at: Timestamp) -> (State, Fleet) {
        self.state.revision = revision;
        self.state.at = at;
        let fleet = fleet_of(&self.state);
        (self.state, fleet)
    }

    fn parse(&mut self, table: &str, body: &str) -> Result<Record, BadRecordCause> {
        fn read<T: DeserializeOwned>(body: &str) -> Result<Arc<T>, BadRecordCause> {
            serde_json::from_str(body)
                .map(Arc::new)
                .map_err(BadRecordCause::Body)
        }
        Ok(match table {
            "cluster" => Record::Cluster(read(body)?),
            "setting" => Record::Setting(read(body)?),
            "family" => Record::Family(read(body)?),
            "task_definition" => Record::Definition(read(body)?),
            "instance" => Record::Instance(read(body)?),
            "task" => {
                let mut task: Task = serde_json::from_str(body).map_err(BadRecordCause::Body)?;
                self.share_spec(&mut task);
                Record::Task(Arc::new(task))
            }
            "log_group" => Record::LogGroup(read(body)?),
            "log_stream" => Record::LogStream(read(body)?),
            _ => return Err(BadRecordCause::Table),
        })
    }

    fn share_spec(&mut self, task: &mut Task) {
        match &self.last_spec {
            Some(last) if *last == task.spec => task.spec = last.clone(),
            Some(_) | None => self.last_spec = Some(task.spec.clone()),
        }
    }

    fn check_references(&self, task: &Task) -> Result<(), BadRecordCause> {
        if self.state.clusters.get(&task.spec.cluster).is_none() {
            return Err(BadRecordCause::Reference(format!(
                "cluster {}",
                task.spec.cluster
            )));
        }
        if self.state.definitions.get(&task.spec.definition).is_none() {
            let name = format!("task definition {}", task.spec.definition);
            return Err(BadRecordCause::Reference(name));
        }
        Ok(())
    }
}

/// The placement index of a state, built anew.
pub(crate) fn fleet_of(state: &State) -> Fleet {
    let mut fleet = Fleet::default();
    for (id, instance) in state.instances.iter() {
        fleet.host_changed(None, Some(&Host::of(instance, state.is_connected(*id))));
    }
    for task in state.tasks.iter() {
        let occupant = state.facts(task).and_then(|facts| occupant(task, facts));
        if let Some(occupant) = occupant {
            fleet.task_changed(None, Some(&occupant));
        }
    }
    fleet
}
