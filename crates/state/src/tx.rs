//! A transaction: the newest state, what a closure changes in it, and how to take that back.

mod joining;
mod services;

use std::sync::Arc;

use berth_model::capacity_provider::{CapacityProvider, ProviderKey};
use berth_model::cluster::Cluster;
use berth_model::definition::{DefinitionFacts, FamilyCounter, TaskDefinition};
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::ContainerInstance;
use berth_model::log::{LogGroup, LogGroupKey, LogStream, LogStreamKey};
use berth_model::name::{ClusterKey, DefinitionKey, Scope, ServiceKey};
use berth_model::resources::HostPort;
use berth_model::scheduler::Refused;
use berth_model::service::ServiceNotice;
use berth_model::setting::AccountSetting;
use berth_model::task::{LastStatus, Task};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_placement::{Fleet, Host, Occupant};

use crate::ids::Ids;
use crate::record::Record;
use crate::services::ServiceRecord;
use crate::snapshot::{Connection, Hold, State};
use crate::table::Table;

/// What a commit changed, for those who follow the state: keys, not contents.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Changed {
    /// A cluster.
    Cluster(ClusterKey),
    /// A task definition.
    Definition(DefinitionKey),
    /// A container instance's record, or what its machine may do.
    Instance(InstanceId),
    /// Whether an instance's agent is connected.
    Connection(InstanceId),
    /// A task, and the instance it is placed on.
    Task(TaskId, Option<InstanceId>),
    /// A service, or a deployment or task set of it.
    Service(ServiceKey),
    /// A setting, family counter, log group, log stream, capacity provider, service revision,
    /// service event or join token: nobody follows these.
    Other,
}

/// One change of one record, or of a connection, with what was there before.
#[derive(Clone)]
pub(crate) enum Mutation {
    Record {
        row: i64,
        before: Option<Record>,
        after: Option<Record>,
    },
    Connection {
        instance: InstanceId,
        before: Option<Connection>,
        after: Option<Connection>,
    },
    /// Nothing of the state: told to whoever listens once the batch is saved.
    Notice(Arc<ServiceNotice>),
    Refused {
        service: ServiceKey,
        before: Option<Refused>,
        after: Option<Refused>,
    },
    Hold {
        instance: InstanceId,
        before: Option<Hold>,
        after: Option<Hold>,
    },
}

impl Mutation {
    pub(crate) fn changed(&self) -> Changed {
        match self {
            Self::Notice(_) => Changed::Other,
            Self::Connection { instance, .. } => Changed::Connection(*instance),
            // The scheduler has noted when to look again.
            Self::Refused { .. } => Changed::Other,
            // There is room where there was none, or the other way round.
            Self::Hold { instance, .. } => Changed::Instance(*instance),
            Self::Record { before, after, .. } => match after.as_ref().or(before.as_ref()) {
                Some(Record::Cluster(cluster)) => Changed::Cluster(cluster.key.clone()),
                Some(Record::Definition(definition)) => Changed::Definition(definition.key.clone()),
                Some(Record::Instance(instance)) => Changed::Instance(instance.id),
                Some(Record::Enrolment(enrolment)) => Changed::Instance(enrolment.instance),
                Some(Record::Task(task)) => Changed::Task(task.id, task.instance),
                Some(Record::OfService(ServiceRecord::Revision(_) | ServiceRecord::Event(_))) => {
                    Changed::Other
                }
                Some(Record::OfService(record)) => Changed::Service(record.service().clone()),
                Some(
                    Record::Setting(_)
                    | Record::Family(_)
                    | Record::LogGroup(_)
                    | Record::LogStream(_)
                    | Record::Provider(_)
                    | Record::JoinToken(_),
                )
                | None => Changed::Other,
            },
        }
    }
}

/// The newest state, and the means to change it.
///
/// Every method that puts a record in replaces the one with the same key. Nothing is saved, and
/// nobody sees anything, before the writer has saved the whole batch.
pub struct Tx<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) fleet: &'a mut Fleet,
    pub(crate) ids: &'a mut Ids,
    pub(crate) log: &'a mut Vec<Mutation>,
    pub(crate) now: Timestamp,
}

impl Tx<'_> {
    /// The time of this transaction: never before that of a saved one.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The newest state, with what this transaction has changed so far.
    #[must_use]
    pub fn state(&self) -> &State {
        self.state
    }

    /// Where new ids and chance come from.
    pub fn ids(&mut self) -> &mut Ids {
        self.ids
    }

    /// The placement index over the newest state. It is changed through records alone.
    pub fn fleet(&mut self) -> &mut Fleet {
        self.fleet
    }

    /// Saves a cluster.
    pub fn put_cluster(&mut self, cluster: Cluster) {
        self.put(Record::Cluster(Arc::new(cluster)));
    }

    /// Saves an account setting.
    pub fn put_setting(&mut self, setting: AccountSetting) {
        self.put(Record::Setting(Arc::new(setting)));
    }

    /// Removes an account setting; an absent one is no error.
    pub fn remove_setting(&mut self, scope: &Scope, principal: &Text, name: &Text) {
        let key = (scope.clone(), principal.clone(), name.clone());
        if let Some(setting) = self.state.settings.get(&key).cloned() {
            self.remove(Record::Setting(setting));
        }
    }

    /// Saves a task definition.
    pub fn put_definition(&mut self, definition: TaskDefinition) {
        self.put(Record::Definition(Arc::new(definition)));
    }

    /// Removes a task definition that no task refers to; an absent one is no error.
    pub fn remove_definition(&mut self, key: &DefinitionKey) {
        if let Some(definition) = self.state.definitions.get(key).cloned() {
            self.remove(Record::Definition(definition));
        }
    }

    /// Notes the last revision of a family.
    pub fn put_family(&mut self, family: FamilyCounter) {
        self.put(Record::Family(Arc::new(family)));
    }

    /// Saves a container instance.
    pub fn put_instance(&mut self, instance: ContainerInstance) {
        self.put(Record::Instance(Arc::new(instance)));
    }

    /// Removes a container instance; an absent one is no error.
    pub fn remove_instance(&mut self, id: InstanceId) {
        self.set_connection(id, None);
        self.set_hold(id, None);
        if let Some(instance) = self.state.instances.get(&id).cloned() {
            self.remove(Record::Instance(instance));
        }
    }

    /// Saves a task. Its cluster and its definition must exist; a task without them is dropped
    /// by the next load, so this refuses it with a panic that fails the one transaction.
    pub fn put_task(&mut self, task: Task) {
        assert!(
            self.state.clusters.get(&task.spec.cluster).is_some()
                && self.state.definitions.get(&task.spec.definition).is_some(),
            "a task needs its cluster and its definition"
        );
        self.put(Record::Task(Arc::new(task)));
    }

    /// Removes a task; an absent one is no error. What it added to its instance's version goes
    /// into the instance's record, so that the version never goes back.
    pub fn remove_task(&mut self, id: TaskId) {
        let Some(task) = self.state.tasks.get(id).cloned() else {
            return;
        };
        let raised = task.instance_changes();
        let instance = task.instance;
        self.remove(Record::Task(task));
        if let Some(instance) = instance {
            self.raise_version(instance, raised);
        }
    }

    /// Saves a log group.
    pub fn put_log_group(&mut self, group: LogGroup) {
        self.put(Record::LogGroup(Arc::new(group)));
    }

    /// Removes a log group's record; an absent one is no error.
    pub fn remove_log_group(&mut self, key: &LogGroupKey) {
        if let Some(group) = self.state.log_groups.get(key).cloned() {
            self.remove(Record::LogGroup(group));
        }
    }

    /// Saves a log stream.
    pub fn put_log_stream(&mut self, stream: LogStream) {
        self.put(Record::LogStream(Arc::new(stream)));
    }

    /// Removes a log stream's record; an absent one is no error.
    pub fn remove_log_stream(&mut self, key: &LogStreamKey) {
        if let Some(stream) = self.state.log_streams.get(key).cloned() {
            self.remove(Record::LogStream(stream));
        }
    }

    /// Saves a capacity provider.
    pub fn put_provider(&mut self, provider: CapacityProvider) {
        self.put(Record::Provider(Arc::new(provider)));
    }

    /// Removes a capacity provider; an absent one is no error.
    pub fn remove_provider(&mut self, key: &ProviderKey) {
        if let Some(provider) = self.state.providers.get(key).cloned() {
            self.remove(Record::Provider(provider));
        }
    }

    /// Tells the event bus something about a service, once this transaction is saved.
    pub fn tell_bus(&mut self, notice: ServiceNotice) {
        self.log.push(Mutation::Notice(Arc::new(notice)));
    }

    /// Notes whether an instance's agent is connected; `None` forgets the instance. Not saved,
    /// but for the version of the instance, which a connection that comes or goes raises.
    pub fn set_connection(&mut self, instance: InstanceId, connection: Option<Connection>) {
        let before = self.state.connections.get(&instance).copied();
        if before == connection {
            return;
        }
        let connected = |connection: Option<Connection>| connection.is_some_and(|c| c.connected);
        if connection.is_some() && connected(before) != connected(connection) {
            self.raise_version(instance, 1);
        }
        let mutation = Mutation::Connection {
            instance,
            before,
            after: connection,
        };
        apply(self.state, self.fleet, &mutation);
        self.log.push(mutation);
    }

    fn raise_version(&mut self, instance: InstanceId, by: u32) {
        if let Some(record) = self.state.instances.get(&instance) {
            let mut record = ContainerInstance::clone(record);
            record.version = record.version.saturating_add(by);
            self.put_instance(record);
        }
    }

    /// Notes when a service that found no room tries again; `None` once it found some. Not saved.
    pub fn set_refused(&mut self, service: &ServiceKey, refused: Option<Refused>) {
        let before = self.state.refused.get(service).copied();
        if before == refused {
            return;
        }
        let mutation = Mutation::Refused {
            service: service.clone(),
            before,
            after: refused,
        };
        apply(self.state, self.fleet, &mutation);
        self.log.push(mutation);
    }

    /// Keeps an instance free for a task that has waited long, or no longer. Not saved.
    pub fn set_hold(&mut self, instance: InstanceId, hold: Option<Hold>) {
        let before = self.state.holds.get(&instance).cloned();
        if before == hold {
            return;
        }
        let mutation = Mutation::Hold {
            instance,
            before,
            after: hold,
        };
        apply(self.state, self.fleet, &mutation);
        self.log.push(mutation);
    }

    fn put(&mut self, after: Record) {
        let (row, before) = put_record(self.state, &after);
        index(self.state, self.fleet, before.as_ref(), Some(&after));
        self.log.push(Mutation::Record {
            row,
            before,
            after: Some(after),
        });
    }

    fn remove(&mut self, before: Record) {
        if let Some(row) = remove_record(self.state, &before) {
            index(self.state, self.fleet, Some(&before), None);
            self.log.push(Mutation::Record {
                row,
                before: Some(before),
                after: None,
            });
        }
    }
}

/// Takes the mutations back, newest first.
pub(crate) fn undo(state: &mut State, fleet: &mut Fleet, log: &[Mutation]) {
    for mutation in log.iter().rev() {
        let inverse = match mutation.clone() {
            Mutation::Record { row, before, after } => Mutation::Record {
                row,
                before: after,
                after: before,
            },
            Mutation::Connection {
                instance,
                before,
                after,
            } => Mutation::Connection {
                instance,
                before: after,
                after: before,
            },
            Mutation::Notice(_) => continue,
            Mutation::Refused {
                service,
                before,
                after,
            } => Mutation::Refused {
                service,
                before: after,
                after: before,
            },
            Mutation::Hold {
                instance,
                before,
                after,
            } => Mutation::Hold {
                instance,
                before: after,
                after: before,
            },
        };
        apply(state, fleet, &inverse);
    }
}

fn apply(state: &mut State, fleet: &mut Fleet, mutation: &Mutation) {
    match mutation {
        Mutation::Notice(_) => {}
        Mutation::Record { row, before, after } => {
            match (before, after) {
                (_, Some(after)) => load_record(state, *row, after.clone()),
                (Some(before), None) => {
                    remove_record(state, before);
                }
                (None, None) => {}
            }
            index(state, fleet, before.as_ref(), after.as_ref());
        }
        Mutation::Connection {
            instance,
            before,
            after,
        } => {
            match after {
                Some(connection) => state.connections.insert(*instance, *connection),
                None => state.connections.remove(instance),
            };
            if let Some(record) = state.instances.get(instance) {
                let connected = |c: &Option<Connection>| c.is_some_and(|c| c.connected);
                let old = Host::of(record, connected(before));
                let new = Host::of(record, connected(after));
                fleet.host_changed(Some(&old), Some(&new));
            }
        }
        Mutation::Refused { service, after, .. } => {
            match after {
                Some(refused) => state.refused.insert(service.clone(), *refused),
                None => state.refused.remove(service),
            };
        }
        Mutation::Hold {
            instance, after, ..
        } => {
            match after {
                Some(hold) => state.holds.insert(*instance, hold.clone()),
                None => state.holds.remove(instance),
            };
            fleet.hold(*instance, after.is_some());
        }
    }
}

/// The integer key of a task's cluster; 0 for one whose cluster is gone, which load refuses.
fn cluster_row(state: &State, task: &Task) -> i64 {
    state.cluster_row(&task.spec.cluster).unwrap_or(0)
}

fn setting_key(setting: &AccountSetting) -> (Scope, Text, Text) {
    (
        setting.scope.clone(),
        setting.principal.clone(),
        setting.name.clone(),
    )
}

fn put_record(state: &mut State, record: &Record) -> (i64, Option<Record>) {
    fn put<K: Ord + Clone, V>(
        table: &mut Table<K, V>,
        key: K,
        value: &Arc<V>,
        wrap: fn(Arc<V>) -> Record,
    ) -> (i64, Option<Record>) {
        let (row, before) = table.put(key, value.clone());
        (row, before.map(wrap))
    }
    match record {
        Record::Cluster(r) => put(&mut state.clusters, r.key.clone(), r, Record::Cluster),
        Record::Setting(r) => put(&mut state.settings, setting_key(r), r, Record::Setting),
        Record::Family(r) => {
            let key = (r.last.scope.clone(), r.last.family.clone());
            put(&mut state.families, key, r, Record::Family)
        }
        Record::Definition(r) => put(&mut state.definitions, r.key.clone(), r, Record::Definition),
        Record::Instance(r) => put(&mut state.instances, r.id, r, Record::Instance),
        Record::Task(r) => {
            let cluster = cluster_row(state, r);
            let (row, before) = state.tasks.put(cluster, r.clone());
            (row, before.map(Record::Task))
        }
        Record::LogGroup(r) => put(&mut state.log_groups, r.key.clone(), r, Record::LogGroup),
        Record::LogStream(r) => put(&mut state.log_streams, r.key.clone(), r, Record::LogStream),
        Record::Provider(r) => put(&mut state.providers, r.key.clone(), r, Record::Provider),
        Record::OfService(r) => {
            let (row, before) = r.put(&mut state.services);
            (row, before.map(Record::OfService))
        }
        Record::JoinToken(r) => put(&mut state.join_tokens, r.id, r, Record::JoinToken),
        Record::Enrolment(r) => put(&mut state.enrolments, r.instance, r, Record::Enrolment),
    }
}

/// Takes a record out; answers its integer key.
pub(crate) fn remove_record(state: &mut State, record: &Record) -> Option<i64> {
    match record {
        Record::Cluster(r) => state.clusters.remove(&r.key).map(|row| row.row),
        Record::Setting(r) => state.settings.remove(&setting_key(r)).map(|row| row.row),
        Record::Family(r) => {
            let key = (r.last.scope.clone(), r.last.family.clone());
            state.families.remove(&key).map(|row| row.row)
        }
        Record::Definition(r) => state.definitions.remove(&r.key).map(|row| row.row),
        Record::Instance(r) => state.instances.remove(&r.id).map(|row| row.row),
        Record::Task(r) => {
            let cluster = cluster_row(state, r);
            state.tasks.remove(cluster, r.id).map(|row| row.row)
        }
        Record::LogGroup(r) => state.log_groups.remove(&r.key).map(|row| row.row),
        Record::LogStream(r) => state.log_streams.remove(&r.key).map(|row| row.row),
        Record::Provider(r) => state.providers.remove(&r.key).map(|row| row.row),
        Record::OfService(r) => r.remove(&mut state.services),
        Record::JoinToken(r) => state.join_tokens.remove(&r.id).map(|row| row.row),
        Record::Enrolment(r) => state.enrolments.remove(&r.instance).map(|row| row.row),
    }
}

/// Puts a record in under an integer key that is known already.
pub(crate) fn load_record(state: &mut State, row: i64, record: Record) {
    match record {
        Record::Cluster(r) => {
            state.clusters.load(r.key.clone(), row, r);
        }
        Record::Setting(r) => {
            state.settings.load(setting_key(&r), row, r);
        }
        Record::Family(r) => {
            let key = (r.last.scope.clone(), r.last.family.clone());
            state.families.load(key, row, r);
        }
        Record::Definition(r) => {
            state.definitions.load(r.key.clone(), row, r);
        }
        Record::Instance(r) => {
            state.instances.load(r.id, row, r);
        }
        Record::Task(r) => {
            let cluster = cluster_row(state, &r);
            state.tasks.load(cluster, row, r);
        }
        Record::LogGroup(r) => {
            state.log_groups.load(r.key.clone(), row, r);
        }
        Record::LogStream(r) => {
            state.log_streams.load(r.key.clone(), row, r);
        }
        Record::Provider(r) => {
            state.providers.load(r.key.clone(), row, r);
        }
        Record::OfService(r) => r.load(row, &mut state.services),
        Record::JoinToken(r) => {
            state.join_tokens.load(r.id, row, r);
        }
        Record::Enrolment(r) => {
            state.enrolments.load(r.instance, row, r);
        }
    }
}

/// Brings the indexes that span tables, and the fleet, up to date.
pub(crate) fn index(
    state: &mut State,
    fleet: &mut Fleet,
    before: Option<&Record>,
    after: Option<&Record>,
) {
    match before.or(after) {
        Some(Record::Definition(_)) => {
            state.reindex_definition(
                before.and_then(Record::as_definition),
                after.and_then(Record::as_definition),
            );
        }
        Some(Record::Instance(instance)) => {
            let (old, new) = (
                before.and_then(Record::as_instance),
                after.and_then(Record::as_instance),
            );
            let connected = state.is_connected(instance.id);
            state.reindex_instance(old, new);
            let (old, new) = (
                old.map(|r| Host::of(r, connected)),
                new.map(|r| Host::of(r, connected)),
            );
            // Most changes raise the version alone, which placement does not look at.
            if old != new {
                fleet.host_changed(old.as_ref(), new.as_ref());
            }
        }
        Some(Record::Task(task)) => {
            let (old, new) = (
                before.and_then(Record::as_task),
                after.and_then(Record::as_task),
            );
            match (old, new) {
                (None, Some(new)) => state.count_user(&new.spec.definition, 1),
                (Some(old), None) => state.count_user(&old.spec.definition, -1),
                (None, None) | (Some(_), Some(_)) => {}
            }
            if same_for_placement(old, new) {
                return;
            }
            let Some(facts) = state.facts(task).cloned() else {
                return;
            };
            let old = old.and_then(|task| occupant(task, &facts));
            let new = new.and_then(|task| occupant(task, &facts));
            fleet.task_changed(old.as_ref(), new.as_ref());
        }
        Some(
            Record::Cluster(_)
            | Record::Setting(_)
            | Record::Family(_)
            | Record::LogGroup(_)
            | Record::LogStream(_)
            | Record::Provider(_)
            | Record::JoinToken(_)
            | Record::Enrolment(_),
        )
        | None => {}
        Some(Record::OfService(_)) => {
            for (record, one) in [(before, -1), (after, 1)] {
                if let Some(definition) = record.and_then(Record::uses) {
                    state.count_user(definition, one);
                }
            }
        }
    }
}

/// The task as placement sees it; `None` for one that takes nothing from any machine.
pub(crate) fn occupant(task: &Task, facts: &DefinitionFacts) -> Option<Occupant> {
    if task.last == LastStatus::Stopped {
        return None;
    }
    let bindings = task
        .seen
        .containers
        .iter()
        .flat_map(|c| c.bindings.iter().flatten());
    let reported_ports = bindings
        .flat_map(|binding| {
            let transport = binding.transport;
            (binding.host.0..=binding.host.1).map(move |port| HostPort { transport, port })
        })
        .collect();
    Some(Occupant {
        task: task.id,
        instance: task.instance?,
        cluster: task.spec.cluster.clone(),
        group: task.spec.group.clone(),
        demand: Arc::new(task.demand(facts)),
        gpus: task.gpus.clone(),
        reported_ports,
        running: task.last == LastStatus::Running,
    })
}

/// Whether a change of a task is none that placement could see.
fn same_for_placement(before: Option<&Task>, after: Option<&Task>) -> bool {
    let (Some(before), Some(after)) = (before, after) else {
        return false;
    };
    let stopped = |task: &Task| task.last == LastStatus::Stopped;
    let bindings = |task: &Task| -> Vec<_> {
        task.seen
            .containers
            .iter()
            .map(|container| container.bindings.clone())
            .collect()
    };
    before.instance == after.instance
        && stopped(before) == stopped(after)
        && before.last == after.last
        && bindings(before) == bindings(after)
}

impl Record {
    /// The definition that a service revision or a task set runs.
    fn uses(&self) -> Option<&DefinitionKey> {
        match self {
            Self::OfService(ServiceRecord::Revision(revision)) => Some(&revision.definition),
            Self::OfService(ServiceRecord::TaskSet(set)) => Some(&set.definition),
            Self::OfService(
                ServiceRecord::Service(_)
                | ServiceRecord::Deployment(_)
                | ServiceRecord::Run(_)
                | ServiceRecord::Event(_),
            )
            | Self::Cluster(_)
            | Self::Setting(_)
            | Self::Family(_)
            | Self::Definition(_)
            | Self::Instance(_)
            | Self::Task(_)
            | Self::LogGroup(_)
            | Self::LogStream(_)
            | Self::Provider(_)
            | Self::JoinToken(_)
            | Self::Enrolment(_) => None,
        }
    }

    fn as_definition(&self) -> Option<&TaskDefinition> {
        if let Self::Definition(record) = self {
            Some(record)
        } else {
            None
        }
    }

    fn as_instance(&self) -> Option<&ContainerInstance> {
        if let Self::Instance(record) = self {
            Some(record)
        } else {
            None
        }
    }

    fn as_task(&self) -> Option<&Task> {
        if let Self::Task(record) = self {
            Some(record)
        } else {
            None
        }
    }
}
