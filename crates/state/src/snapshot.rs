//! A snapshot: everything known at one revision. A clone is a handful of pointers.

use std::sync::Arc;

use berth_model::capacity_provider::{CapacityProvider, ProviderKey};
use berth_model::cluster::{Cluster, ClusterStatus};
use berth_model::definition::{DefinitionFacts, DefinitionStatus, FamilyCounter, TaskDefinition};
use berth_model::id::{InstanceId, JoinTokenId, TaskId};
use berth_model::instance::ContainerInstance;
use berth_model::joining::{Enrolment, JoinToken};
use berth_model::log::{LogGroup, LogGroupKey, LogStream, LogStreamKey};
use berth_model::name::{ClusterKey, DefinitionKey, Family, Scope, ServiceKey, ServiceName};
use berth_model::scheduler::Refused;
use berth_model::service::PlacementStrategy;
use berth_model::setting::AccountSetting;
use berth_model::task::{Task, TaskSpec};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_model::waiting::WaitForRoom;
use imbl::{OrdMap, OrdSet};

use crate::services::Services;
use crate::table::Table;
use crate::tasks::Tasks;

/// Whether an instance's agent is connected. Volatile: never saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Whether its ACS session is up.
    pub connected: bool,
    /// Since when.
    pub since: Timestamp,
}

/// An instance that is kept free for a task that has waited long. Volatile: never saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The task.
    pub task: TaskId,
    /// The task's cluster.
    pub cluster: ClusterKey,
}

/// Everything known at one revision.
#[derive(Clone, Default)]
pub struct State {
    /// The revision: one more for every commit.
    pub revision: u64,
    /// The time of the last saved transaction.
    pub at: Timestamp,
    /// Clusters, deleted ones included.
    pub clusters: Table<ClusterKey, Cluster>,
    /// Explicit account settings by scope, principal and name.
    pub settings: Table<(Scope, Text, Text), AccountSetting>,
    /// The last revision of every family.
    pub families: Table<(Scope, Family), FamilyCounter>,
    /// Task definitions.
    pub definitions: Table<DefinitionKey, TaskDefinition>,
    /// Container instances, deregistered ones included.
    pub instances: Table<InstanceId, ContainerInstance>,
    /// Tasks and their indexes.
    pub tasks: Tasks,
    /// Services and what belongs to them.
    pub services: Services,
    /// Capacity providers that users made, deleted ones included.
    pub providers: Table<ProviderKey, CapacityProvider>,
    /// Log groups.
    pub log_groups: Table<LogGroupKey, LogGroup>,
    /// Log streams.
    pub log_streams: Table<LogStreamKey, LogStream>,
    /// Tokens by which machines may join, those that are over included.
    pub join_tokens: Table<JoinTokenId, JoinToken>,
    /// Machines that joined by a token.
    pub enrolments: Table<InstanceId, Enrolment>,
    /// Which agents are connected.
    pub connections: OrdMap<InstanceId, Connection>,
    /// Instances that are kept free for tasks that have waited long: a few. Volatile: never saved.
    pub holds: OrdMap<InstanceId, Hold>,
    /// Services that found no room for a task, and try again. Volatile: never saved.
    pub refused: OrdMap<ServiceKey, Refused>,
    pub(crate) instances_by_cluster: OrdSet<(ClusterKey, InstanceId)>,
    pub(crate) instances_by_token: OrdMap<(ClusterKey, Text), InstanceId>,
    pub(crate) definition_users: OrdMap<DefinitionKey, u32>,
    pub(crate) active_revisions: OrdSet<DefinitionKey>,
}

impl State {
    /// The cluster if it exists and is ACTIVE.
    #[must_use]
    pub fn active_cluster(&self, key: &ClusterKey) -> Option<&Arc<Cluster>> {
        self.clusters
            .get(key)
            .filter(|cluster| cluster.status == ClusterStatus::Active)
    }

    /// The cluster's integer key, by which the task indexes know it.
    #[must_use]
    pub fn cluster_row(&self, key: &ClusterKey) -> Option<i64> {
        self.clusters.row(key).map(|row| row.row)
    }

    /// The facts of a task's definition. A definition outlives its tasks, so they are there for
    /// every task of the state.
    #[must_use]
    pub fn facts(&self, task: &Task) -> Option<&Arc<DefinitionFacts>> {
        self.definitions
            .get(&task.spec.definition)
            .map(|definition| &definition.facts)
    }

    /// The family's newest ACTIVE revision.
    #[must_use]
    pub fn newest_active(&self, scope: &Scope, family: &Family) -> Option<&Arc<TaskDefinition>> {
        let key = |revision| DefinitionKey {
            scope: scope.clone(),
            family: family.clone(),
            revision,
        };
        let newest = self
            .active_revisions
            .range(key(0)..=key(u32::MAX))
            .next_back()?;
        self.definitions.get(newest)
    }

    /// How many tasks, service revisions and task sets refer to a task definition.
    #[must_use]
    pub fn users_of(&self, definition: &DefinitionKey) -> u32 {
        self.definition_users.get(definition).copied().unwrap_or(0)
    }

    /// The instances of a cluster in the order of ids, deregistered ones included.
    pub fn instances_of<'a>(
        &'a self,
        cluster: &ClusterKey,
    ) -> impl Iterator<Item = &'a Arc<ContainerInstance>> {
        let first = (cluster.clone(), InstanceId::from_bytes([0; 16]));
        let last = (cluster.clone(), InstanceId::from_bytes([0xff; 16]));
        self.instances_by_cluster
            .range(first..=last)
            .filter_map(|(_, id)| self.instances.get(id))
    }

    /// The instance that a registration with this token made.
    #[must_use]
    pub fn instance_by_token(
        &self,
        cluster: &ClusterKey,
        token: &Text,
    ) -> Option<&Arc<ContainerInstance>> {
        let id = self
            .instances_by_token
            .get(&(cluster.clone(), token.clone()))?;
        self.instances.get(id)
    }

    /// The instance's version: raised by every change of it that a user can see, also by those of
    /// its tasks, which are not written into its record.
    #[must_use]
    pub fn instance_version(&self, instance: &ContainerInstance) -> u32 {
        let counts = self.tasks.instance_counts(instance.id);
        instance.version.saturating_add(counts.changes)
    }

    /// The instance that is kept free for a task.
    #[must_use]
    pub fn held_for(&self, task: TaskId) -> Option<InstanceId> {
        let mut holds = self.holds.iter();
        holds.find(|(_, hold)| hold.task == task).map(|(id, _)| *id)
    }

    /// The services of a cluster that found no room for a task, and try again.
    pub fn refused_of<'a>(
        &'a self,
        cluster: &ClusterKey,
    ) -> impl Iterator<Item = &'a ServiceKey> + use<'a> {
        let cluster = cluster.clone();
        let first = ServiceKey {
            cluster: cluster.clone(),
            name: ServiceName::least(),
        };
        self.refused
            .range(first..)
            .map(|(key, _)| key)
            .take_while(move |key| key.cluster == cluster)
    }

    /// What a task prefers among instances: its service's strategy as it is now, or its own.
    #[must_use]
    pub fn strategy_of<'a>(&'a self, spec: &'a TaskSpec) -> &'a [PlacementStrategy] {
        let service = spec.service_key().and_then(|key| self.services.get(&key));
        service.map_or(&spec.strategy, |service| &service.spec.strategy)
    }

    /// Whether a task of this provider waits for room, rather than to be refused: by the server's
    /// setting, or because more instances of the provider are expected.
    #[must_use]
    pub fn may_wait(&self, scope: &Scope, provider: Option<&Text>, setting: WaitForRoom) -> bool {
        let provider = provider.map(|name| ProviderKey {
            scope: scope.clone(),
            name: name.clone(),
        });
        let provider = provider.and_then(|key| self.providers.get(&key));
        setting.is_for_all() || provider.is_some_and(|provider| provider.scales())
    }

    /// Whether the instance's agent is connected.
    #[must_use]
    pub fn is_connected(&self, instance: InstanceId) -> bool {
        self.connections
            .get(&instance)
            .is_some_and(|connection| connection.connected)
    }

    pub(crate) fn reindex_instance(
        &mut self,
        before: Option<&ContainerInstance>,
        after: Option<&ContainerInstance>,
    ) {
        if let Some(old) = before {
            self.instances_by_cluster
                .remove(&(old.cluster.clone(), old.id));
            if let Some(token) = &old.client_token {
                self.instances_by_token
                    .remove(&(old.cluster.clone(), token.clone()));
            }
        }
        if let Some(new) = after {
            self.instances_by_cluster
                .insert((new.cluster.clone(), new.id));
            if let Some(token) = &new.client_token {
                self.instances_by_token
                    .insert((new.cluster.clone(), token.clone()), new.id);
            }
        }
    }

    pub(crate) fn reindex_definition(
        &mut self,
        before: Option<&TaskDefinition>,
        after: Option<&TaskDefinition>,
    ) {
        let active = |d: &&TaskDefinition| d.status == DefinitionStatus::Active;
        if let Some(old) = before.filter(active) {
            self.active_revisions.remove(&old.key);
        }
        if let Some(new) = after.filter(active) {
            self.active_revisions.insert(new.key.clone());
        }
    }

    pub(crate) fn count_user(&mut self, definition: &DefinitionKey, one: i32) {
        let users = self.users_of(definition).saturating_add_signed(one);
        if users == 0 {
            self.definition_users.remove(definition);
        } else {
            self.definition_users.insert(definition.clone(), users);
        }
    }
}
