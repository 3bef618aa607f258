//! Services and what belongs to them, each kind in a table of its own.
//!
//! What belongs to a service is kept under the service's key and its own, so that the parts of one
//! service lie side by side and are found without looking at any other.

use std::fmt;
use std::sync::Arc;

use berth_model::id::ServiceDeploymentId;
use berth_model::name::{ClusterKey, ServiceKey, ServiceName};
use berth_model::scheduler::DeploymentId;
use berth_model::service::{
    Deployment, Scheduling, Service, ServiceCapacity, ServiceDeployment, ServiceEvent,
    ServiceRevision, ServiceStatus, TaskSet,
};
use berth_model::task::LaunchType;
use imbl::{OrdMap, OrdSet};
use serde_json::value::RawValue;

use crate::table::Table;

/// How many services of one cluster there are, by launch type: EC2, Fargate, external. A service
/// with a capacity-provider strategy counts by what the strategy stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServiceCounts {
    /// ACTIVE services.
    pub active: [u32; 3],
    /// DRAINING services.
    pub draining: [u32; 3],
}

/// Services and what belongs to them.
#[derive(Clone, Default)]
pub struct Services {
    services: Table<ServiceKey, Service>,
    revisions: Table<(ServiceKey, DeploymentId), ServiceRevision>,
    deployments: Table<(ServiceKey, DeploymentId), Deployment>,
    runs: Table<(ServiceKey, ServiceDeploymentId), ServiceDeployment>,
    task_sets: Table<(ServiceKey, DeploymentId), TaskSet>,
    events: Table<(ServiceKey, u64), ServiceEvent>,
    daemons: OrdSet<ServiceKey>,
    waiting: OrdSet<ServiceKey>,
    counts: OrdMap<ClusterKey, ServiceCounts>,
}

impl Services {
    /// The service, whatever its status.
    #[must_use]
    pub fn get(&self, key: &ServiceKey) -> Option<&Arc<Service>> {
        self.services.get(key)
    }

    /// Every service, in the order of keys, INACTIVE ones included.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Service>> {
        self.services.iter().map(|(_, service)| service)
    }

    /// The services of a cluster in the order of names, beginning after `after`.
    pub fn of_cluster<'a>(
        &'a self,
        cluster: &'a ClusterKey,
        after: Option<&ServiceName>,
    ) -> impl Iterator<Item = &'a Arc<Service>> {
        let first = ServiceKey {
            cluster: cluster.clone(),
            name: after.cloned().unwrap_or_else(ServiceName::least),
        };
        let after = after.cloned();
        self.services
            .range(first..)
            .take_while(move |(key, _)| key.cluster == *cluster)
            .filter(move |(key, _)| after.as_ref().is_none_or(|after| key.name != *after))
            .map(|(_, service)| service)
    }

    /// The daemon services of a cluster that are not INACTIVE.
    pub fn daemons_of<'a>(
        &'a self,
        cluster: &'a ClusterKey,
    ) -> impl Iterator<Item = &'a ServiceKey> {
        within(&self.daemons, cluster)
    }

    /// The services of a cluster that are not INACTIVE and have tasks for which there was no room.
    pub fn waiting_for_room<'a>(
        &'a self,
        cluster: &'a ClusterKey,
    ) -> impl Iterator<Item = &'a ServiceKey> {
        within(&self.waiting, cluster)
    }

    /// The counts of a cluster.
    #[must_use]
    pub fn counts(&self, cluster: &ClusterKey) -> ServiceCounts {
        self.counts.get(cluster).copied().unwrap_or_default()
    }

    /// A revision of a service.
    #[must_use]
    pub fn revision(&self, key: &ServiceKey, id: DeploymentId) -> Option<&Arc<ServiceRevision>> {
        self.revisions.get(&(key.clone(), id))
    }

    /// The revisions of a service, in the order of ids.
    pub fn revisions<'a>(
        &'a self,
        key: &ServiceKey,
    ) -> impl Iterator<Item = &'a Arc<ServiceRevision>> {
        self.revisions.range(numbers(key)).map(|(_, part)| part)
    }

    /// A deployment of a service.
    #[must_use]
    pub fn deployment(&self, key: &ServiceKey, id: DeploymentId) -> Option<&Arc<Deployment>> {
        self.deployments.get(&(key.clone(), id))
    }

    /// The deployments of a service, INACTIVE ones included, in the order of ids.
    pub fn deployments<'a>(
        &'a self,
        key: &ServiceKey,
    ) -> impl Iterator<Item = &'a Arc<Deployment>> {
        self.deployments.range(numbers(key)).map(|(_, part)| part)
    }

    /// A service deployment.
    #[must_use]
    pub fn run(
        &self,
        key: &ServiceKey,
        id: ServiceDeploymentId,
    ) -> Option<&Arc<ServiceDeployment>> {
        self.runs.get(&(key.clone(), id))
    }

    /// The service deployments of a service, in the order of ids.
    pub fn runs<'a>(
        &'a self,
        key: &ServiceKey,
    ) -> impl Iterator<Item = &'a Arc<ServiceDeployment>> {
        let first = (key.clone(), ServiceDeploymentId::FIRST);
        let last = (key.clone(), ServiceDeploymentId::LAST);
        self.runs.range(first..=last).map(|(_, part)| part)
    }

    /// A task set.
    #[must_use]
    pub fn task_set(&self, key: &ServiceKey, id: DeploymentId) -> Option<&Arc<TaskSet>> {
        self.task_sets.get(&(key.clone(), id))
    }

    /// The task sets of a service, in the order of ids.
    pub fn task_sets<'a>(&'a self, key: &ServiceKey) -> impl Iterator<Item = &'a Arc<TaskSet>> {
        self.task_sets.range(numbers(key)).map(|(_, part)| part)
    }

    /// What a service told, oldest first.
    pub fn events<'a>(
        &'a self,
        key: &ServiceKey,
    ) -> impl DoubleEndedIterator<Item = &'a Arc<ServiceEvent>> {
        let range = (key.clone(), 0)..=(key.clone(), u64::MAX);
        self.events.range(range).map(|(_, event)| event)
    }

    fn reindex(&mut self, before: Option<&Service>, after: Option<&Service>) {
        for (service, one) in [(before, -1), (after, 1)] {
            let Some(service) = service else { continue };
            let cluster = &service.key.cluster;
            let mut counts = self.counts(cluster);
            let kind = kind_index(&service.spec.capacity);
            let count = match service.status {
                ServiceStatus::Active => Some(&mut counts.active[kind]),
                ServiceStatus::Draining => Some(&mut counts.draining[kind]),
                ServiceStatus::Inactive => None,
            };
            if let Some(count) = count {
                *count = count.saturating_add_signed(one);
            }
            if counts == ServiceCounts::default() {
                self.counts.remove(cluster);
            } else {
                self.counts.insert(cluster.clone(), counts);
            }
        }
        let lives = |service: &&Service| service.status != ServiceStatus::Inactive;
        let (before, after) = (before.filter(lives), after.filter(lives));
        let is_daemon = |service: &Service| service.spec.scheduling == Scheduling::Daemon;
        move_key(&mut self.daemons, before, after, is_daemon);
        let waits = |service: &Service| service.memory.place_again_at.is_some();
        move_key(&mut self.waiting, before, after, waits);
    }
}

/// The keys of this cluster.
fn within<'a>(
    keys: &'a OrdSet<ServiceKey>,
    cluster: &'a ClusterKey,
) -> impl Iterator<Item = &'a ServiceKey> {
    let first = ServiceKey {
        cluster: cluster.clone(),
        name: ServiceName::least(),
    };
    keys.range(first..)
        .take_while(move |key| key.cluster == *cluster)
}

/// Brings the set of those services that `belongs` says up to date.
fn move_key(
    keys: &mut OrdSet<ServiceKey>,
    before: Option<&Service>,
    after: Option<&Service>,
    belongs: impl Fn(&Service) -> bool,
) {
    let (was, is) = (
        before.filter(|service| belongs(service)),
        after.filter(|service| belongs(service)),
    );
    match (was, is) {
        (Some(service), None) => {
            keys.remove(&service.key);
        }
        (None, Some(service)) => {
            keys.insert(service.key.clone());
        }
        (Some(_), Some(_)) | (None, None) => {}
    }
}

fn numbers(key: &ServiceKey) -> std::ops::RangeInclusive<(ServiceKey, DeploymentId)> {
    (key.clone(), DeploymentId::FIRST)..=(key.clone(), DeploymentId::LAST)
}

fn kind_index(capacity: &ServiceCapacity) -> usize {
    let launch = match capacity {
        ServiceCapacity::Launch(launch) => *launch,
        ServiceCapacity::Strategy(items) => {
            let fargate = items.iter().any(|item| {
                berth_model::cluster::BUILT_IN_PROVIDERS.contains(&item.provider.as_str())
            });
            if fargate {
                LaunchType::Fargate
            } else {
                LaunchType::Ec2
            }
        }
    };
    match launch {
        LaunchType::Ec2 => 0,
        LaunchType::Fargate => 1,
        LaunchType::External => 2,
    }
}

/// A record of a service or of what belongs to one.
#[derive(Clone, Debug)]
pub(crate) enum ServiceRecord {
    Service(Arc<Service>),
    Revision(Arc<ServiceRevision>),
    Deployment(Arc<Deployment>),
    Run(Arc<ServiceDeployment>),
    TaskSet(Arc<TaskSet>),
    Event(Arc<ServiceEvent>),
}

impl ServiceRecord {
    pub(crate) fn table(&self) -> &'static str {
        match self {
            Self::Service(_) => "service",
            Self::Revision(_) => "service_revision",
            Self::Deployment(_) => "deployment",
            Self::Run(_) => "service_deployment",
            Self::TaskSet(_) => "task_set",
            Self::Event(_) => "service_event",
        }
    }

    pub(crate) fn body(&self) -> Result<Box<RawValue>, serde_json::Error> {
        match self {
            Self::Service(record) => serde_json::value::to_raw_value(record),
            Self::Revision(record) => serde_json::value::to_raw_value(record),
            Self::Deployment(record) => serde_json::value::to_raw_value(record),
            Self::Run(record) => serde_json::value::to_raw_value(record),
            Self::TaskSet(record) => serde_json::value::to_raw_value(record),
            Self::Event(record) => serde_json::value::to_raw_value(record),
        }
    }

    /// The record of this table that `body` holds; `None` when the table is none of these.
    pub(crate) fn parse(table: &str, body: &str) -> Option<Result<Self, serde_json::Error>> {
        fn read<T: serde::de::DeserializeOwned>(body: &str) -> Result<Arc<T>, serde_json::Error> {
            serde_json::from_str(body).map(Arc::new)
        }
        Some(match table {
            "service" => read(body).map(Self::Service),
            "service_revision" => read(body).map(Self::Revision),
            "deployment" => read(body).map(Self::Deployment),
            "service_deployment" => read(body).map(Self::Run),
            "task_set" => read(body).map(Self::TaskSet),
            "service_event" => read(body).map(Self::Event),
            _ => return None,
        })
    }

    /// The service that it belongs to.
    pub(crate) fn service(&self) -> &ServiceKey {
        match self {
            Self::Service(record) => &record.key,
            Self::Revision(record) => &record.service,
            Self::Deployment(record) => &record.service,
            Self::Run(record) => &record.service,
            Self::TaskSet(record) => &record.service,
            Self::Event(record) => &record.service,
        }
    }

    /// Puts the record in; answers its integer key and what was there.
    pub(crate) fn put(&self, to: &mut Services) -> (i64, Option<Self>) {
        fn put<K: Ord + Clone, V>(
            table: &mut Table<K, V>,
            key: K,
            value: &Arc<V>,
            wrap: fn(Arc<V>) -> ServiceRecord,
        ) -> (i64, Option<ServiceRecord>) {
            let (row, before) = table.put(key, value.clone());
            (row, before.map(wrap))
        }
        match self {
            Self::Service(r) => {
                let (row, before) = to.services.put(r.key.clone(), r.clone());
                to.reindex(before.as_deref(), Some(r));
                (row, before.map(Self::Service))
            }
            Self::Revision(r) => {
                let key = (r.service.clone(), r.id);
                put(&mut to.revisions, key, r, Self::Revision)
            }
            Self::Deployment(r) => {
                let key = (r.service.clone(), r.id);
                put(&mut to.deployments, key, r, Self::Deployment)
            }
            Self::Run(r) => put(&mut to.runs, (r.service.clone(), r.id), r, Self::Run),
            Self::TaskSet(r) => {
                let key = (r.service.clone(), r.id);
                put(&mut to.task_sets, key, r, Self::TaskSet)
            }
            Self::Event(r) => put(
                &mut to.events,
                (r.service.clone(), r.number),
                r,
                Self::Event,
            ),
        }
    }

    /// Takes the record out; answers its integer key.
    pub(crate) fn remove(&self, from: &mut Services) -> Option<i64> {
        match self {
            Self::Service(r) => {
                let row = from.services.remove(&r.key)?;
                from.reindex(Some(&row.value), None);
                Some(row.row)
            }
            Self::Revision(r) => {
                let key = (r.service.clone(), r.id);
                from.revisions.remove(&key).map(|row| row.row)
            }
            Self::Deployment(r) => {
                let key = (r.service.clone(), r.id);
                from.deployments.remove(&key).map(|row| row.row)
            }
            Self::Run(r) => {
                let key = (r.service.clone(), r.id);
                from.runs.remove(&key).map(|row| row.row)
            }
            Self::TaskSet(r) => {
                let key = (r.service.clone(), r.id);
                from.task_sets.remove(&key).map(|row| row.row)
            }
            Self::Event(r) => {
                let key = (r.service.clone(), r.number);
                from.events.remove(&key).map(|row| row.row)
            }
        }
    }

    /// Puts the record in under the integer key that storage knows it by.
    pub(crate) fn load(self, row: i64, to: &mut Services) {
        match self {
            Self::Service(r) => {
                let before = to.services.load(r.key.clone(), row, r.clone());
                to.reindex(before.as_ref().map(|row| &*row.value), Some(&r));
            }
            Self::Revision(r) => {
                to.revisions.load((r.service.clone(), r.id), row, r);
            }
            Self::Deployment(r) => {
                to.deployments.load((r.service.clone(), r.id), row, r);
            }
            Self::Run(r) => {
                to.runs.load((r.service.clone(), r.id), row, r);
            }
            Self::TaskSet(r) => {
                to.task_sets.load((r.service.clone(), r.id), row, r);
            }
            Self::Event(r) => {
                to.events.load((r.service.clone(), r.number), row, r);
            }
        }
    }
}

impl fmt::Display for ServiceRecord {
    /// The natural key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(r) => write!(f, "{}", r.key),
            Self::Revision(r) => write!(f, "{}/{}", r.service, r.id),
            Self::Deployment(r) => write!(f, "{}/{}", r.service, r.id),
            Self::Run(r) => write!(f, "{}/{}", r.service, r.id),
            Self::TaskSet(r) => write!(f, "{}/{}", r.service, r.id),
            Self::Event(r) => write!(f, "{}/{}", r.service, r.number),
        }
    }
}
