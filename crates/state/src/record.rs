//! Records as storage sees them: a table, an integer key, a natural key and a JSON body.

use std::fmt;
use std::sync::Arc;

use berth_model::capacity_provider::CapacityProvider;
use berth_model::cluster::Cluster;
use berth_model::definition::{FamilyCounter, TaskDefinition};
use berth_model::instance::ContainerInstance;
use berth_model::joining::{Enrolment, JoinToken};
use berth_model::log::{LogGroup, LogStream};
use berth_model::setting::AccountSetting;
use berth_model::task::Task;
use berth_model::time::Timestamp;
use serde_json::value::RawValue;

use crate::services::ServiceRecord;

/// Every table, in the order in which loading needs them: what others refer to comes first.
pub const TABLES: [&str; 17] = [
    "cluster",
    "setting",
    "family",
    "task_definition",
    "instance",
    "task",
    "log_group",
    "log_stream",
    "capacity_provider",
    "service",
    "service_revision",
    "deployment",
    "service_deployment",
    "task_set",
    "service_event",
    "join_token",
    "enrolment",
];

/// One changed record, ready to be saved.
#[derive(Clone, Debug)]
pub struct Change {
    /// One of [`TABLES`].
    pub table: &'static str,
    /// The record's integer key.
    pub row: i64,
    /// The natural key, for people who read the tables.
    pub key: String,
    /// The record as JSON; `None` when it was removed.
    pub body: Option<Box<RawValue>>,
}

/// What one commit saves.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The revision it makes: one more than the last saved.
    pub revision: u64,
    /// The transaction time of its last closure.
    pub at: Timestamp,
    /// The newest form of every changed record.
    pub changes: Vec<Change>,
}

/// Any record.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    Cluster(Arc<Cluster>),
    Setting(Arc<AccountSetting>),
    Family(Arc<FamilyCounter>),
    Definition(Arc<TaskDefinition>),
    Instance(Arc<ContainerInstance>),
    Task(Arc<Task>),
    LogGroup(Arc<LogGroup>),
    LogStream(Arc<LogStream>),
    Provider(Arc<CapacityProvider>),
    OfService(ServiceRecord),
    JoinToken(Arc<JoinToken>),
    Enrolment(Arc<Enrolment>),
}

impl Record {
    pub(crate) fn table(&self) -> &'static str {
        match self {
            Self::Cluster(_) => "cluster",
            Self::Setting(_) => "setting",
            Self::Family(_) => "family",
            Self::Definition(_) => "task_definition",
            Self::Instance(_) => "instance",
            Self::Task(_) => "task",
            Self::LogGroup(_) => "log_group",
            Self::LogStream(_) => "log_stream",
            Self::Provider(_) => "capacity_provider",
            Self::OfService(record) => record.table(),
            Self::JoinToken(_) => "join_token",
            Self::Enrolment(_) => "enrolment",
        }
    }

    pub(crate) fn body(&self) -> Result<Box<RawValue>, serde_json::Error> {
        match self {
            Self::Cluster(record) => serde_json::value::to_raw_value(record),
            Self::Setting(record) => serde_json::value::to_raw_value(record),
            Self::Family(record) => serde_json::value::to_raw_value(record),
            Self::Definition(record) => serde_json::value::to_raw_value(record),
            Self::Instance(record) => serde_json::value::to_raw_value(record),
            Self::Task(record) => serde_json::value::to_raw_value(record),
            Self::LogGroup(record) => serde_json::value::to_raw_value(record),
            Self::LogStream(record) => serde_json::value::to_raw_value(record),
            Self::Provider(record) => serde_json::value::to_raw_value(record),
            Self::OfService(record) => record.body(),
            Self::JoinToken(record) => serde_json::value::to_raw_value(record),
            Self::Enrolment(record) => serde_json::value::to_raw_value(record),
        }
    }
}

impl fmt::Display for Record {
    /// The natural key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cluster(record) => write!(f, "{}", record.key),
            Self::Setting(r) => write!(f, "{}/{}/{}", r.scope, r.principal, r.name),
            Self::Family(r) => write!(f, "{}/{}", r.last.scope, r.last.family),
            Self::Definition(record) => write!(f, "{}", record.key),
            Self::Instance(record) => write!(f, "{}", record.id),
            Self::Task(record) => write!(f, "{}", record.id),
            Self::LogGroup(r) => write!(f, "{}/{}", r.key.scope, r.key.name),
            Self::LogStream(r) => {
                write!(
                    f,
                    "{}/{}:{}",
                    r.key.group.scope, r.key.group.name, r.key.name
                )
            }
            Self::Provider(r) => write!(f, "{}/{}", r.key.scope, r.key.name),
            Self::OfService(record) => write!(f, "{record}"),
            Self::JoinToken(record) => write!(f, "{}", record.id),
            Self::Enrolment(record) => write!(f, "{}", record.instance),
        }
    }
}
