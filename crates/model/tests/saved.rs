//! Every form in which a record was ever saved still reads: `saved/<table>-<number>.json`. A form
//! is never edited; what a later version saves differently gets a number of its own.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use berth_model::capacity_provider::CapacityProvider;
use berth_model::joining::{Enrolment, JoinToken};
use berth_model::service::{
    Deployment, Service, ServiceDeployment, ServiceEvent, ServiceRevision, TaskSet,
};
use berth_model::task::Task;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads a form, and what it is written as now: that must read to the same again.
fn reads<T: DeserializeOwned + Serialize + PartialEq + std::fmt::Debug>(name: &str, form: &str) {
    let record: T = serde_json::from_str(form).unwrap_or_else(|error| panic!("{name}: {error}"));
    let again = serde_json::to_string(&record).expect("records are plain data");
    let read_again: T =
        serde_json::from_str(&again).unwrap_or_else(|error| panic!("{name} as {again}: {error}"));
    assert_eq!(read_again, record, "{name} as {again}");
}

#[test]
fn every_form_ever_saved_reads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/saved");
    let mut tables = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let form = fs::read_to_string(&path).unwrap();
        let table = name.rsplit_once('-').unwrap().0.to_owned();
        match table.as_str() {
            "task" => reads::<Task>(&name, &form),
            "service" => reads::<Service>(&name, &form),
            "service_revision" => reads::<ServiceRevision>(&name, &form),
            "deployment" => reads::<Deployment>(&name, &form),
            "service_deployment" => reads::<ServiceDeployment>(&name, &form),
            "task_set" => reads::<TaskSet>(&name, &form),
            "service_event" => reads::<ServiceEvent>(&name, &form),
            "capacity_provider" => reads::<CapacityProvider>(&name, &form),
            "join_token" => reads::<JoinToken>(&name, &form),
            "enrolment" => reads::<Enrolment>(&name, &form),
            other => panic!("no record is kept in a table {other}"),
        }
        tables.insert(table);
    }
    assert_eq!(tables.len(), 10, "{tables:?}");
}

#[test]
fn a_task_of_no_service_is_saved_as_before() {
    let form = include_str!("saved/task-1.json");
    let task: Task = serde_json::from_str(form).unwrap();
    assert_eq!(
        serde_json::to_value(&task).unwrap(),
        serde_json::from_str::<Value>(form).unwrap()
    );
}
