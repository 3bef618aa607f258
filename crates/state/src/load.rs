//! Building the state from what storage kept.

use std::collections::HashMap;
use std::sync::Arc;

use berth_model::task::{Task, TaskSpec};
use berth_model::time::Timestamp;
use berth_placement::{Fleet, Host};
use serde::de::DeserializeOwned;

use crate::record::Record;
use crate::services::ServiceRecord;
use crate::snapshot::State;
use crate::tx::{index, load_record, occupant, remove_record};

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

/// Takes records in, in the order of [`crate::TABLES`], then any later changes of them, and gives
/// the state. A standby keeps one up to date, so that it can lead without loading.
#[derive(Default)]
pub struct Loader {
    state: State,
    fleet: Fleet,
    /// Every record by table and integer key: a removal names no more than these.
    rows: HashMap<(&'static str, i64), Record>,
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

    /// Takes in one record as it was saved, or its newer form.
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
        }
        let before = self.rows.insert((record.table(), row), record.clone());
        load_record(&mut self.state, row, record.clone());
        index(
            &mut self.state,
            &mut self.fleet,
            before.as_ref(),
            Some(&record),
        );
        Ok(())
    }

    /// Takes in that a record was removed; an unknown one is no error.
    pub fn removed(&mut self, table: &'static str, row: i64) {
        if let Some(before) = self.rows.remove(&(table, row)) {
            remove_record(&mut self.state, &before);
            index(&mut self.state, &mut self.fleet, Some(&before), None);
        }
    }

    /// The state at `revision`, whose last transaction was at `at`, and its placement index.
    #[must_use]
    pub fn finish(mut self, revision: u64, at: Timestamp) -> (State, Fleet) {
        self.state.revision = revision;
        self.state.at = at;
        (self.state, self.fleet)
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
            "capacity_provider" => Record::Provider(read(body)?),
            "join_token" => Record::JoinToken(read(body)?),
            "enrolment" => Record::Enrolment(read(body)?),
            _ => match ServiceRecord::parse(table, body) {
                Some(read) => Record::OfService(read.map_err(BadRecordCause::Body)?),
                None => return Err(BadRecordCause::Table),
            },
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
