//! The task table and its indexes.
//!
//! An index is one ordered set of small flat keys that end in the task's id, so that pages come
//! out in the order of ids and a hundred thousand tasks with marks of their own cost no more than
//! a hundred thousand with the same one. Clusters stand in them by their integer key.

use std::sync::Arc;

use berth_model::id::{InstanceId, TaskId};
use berth_model::name::{ClusterKey, Family, ServiceName};
use berth_model::scheduler::DeploymentId;
use berth_model::task::{Desired, LastStatus, LaunchType, Membership, Task};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use imbl::{OrdMap, OrdSet};

use crate::table::{Row, Table};

const FIRST: TaskId = TaskId::from_bytes([0; 16]);
const LAST: TaskId = TaskId::from_bytes([0xff; 16]);

/// A task's place among those that wait for room: since when, and its id.
pub type WaitingKey = (Timestamp, TaskId);

/// Before the first that waits.
const FIRST_WAITING: WaitingKey = (Timestamp::from_millis(i64::MIN), FIRST);
/// After the last.
const LAST_WAITING: WaitingKey = (Timestamp::from_millis(i64::MAX), LAST);

/// How many tasks of one cluster run and start, by launch type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClusterCounts {
    /// Tasks last seen RUNNING: EC2, Fargate, external.
    pub running: [u32; 3],
    /// Tasks last seen PENDING or ACTIVATING: EC2, Fargate, external.
    pub pending: [u32; 3],
    /// Tasks that have not stopped, whatever their status.
    pub live: u32,
    /// Tasks that wait for room.
    pub waiting: u32,
}

/// How many tasks of one container instance run and start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InstanceCounts {
    /// Tasks last seen RUNNING.
    pub running: u32,
    /// Tasks last seen PENDING or ACTIVATING.
    pub pending: u32,
    /// Tasks that have not stopped, whatever their status.
    pub live: u32,
    /// How often its tasks, stopped ones that are kept included, changed what it has left:
    /// see [`Task::instance_changes`].
    pub changes: u32,
}

/// How many tasks of one deployment, task set or service run and start. Those that are to stop
/// count as live alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeploymentCounts {
    /// Tasks last seen RUNNING that are to run.
    pub running: u32,
    /// Tasks that are to run and do not yet.
    pub pending: u32,
    /// Tasks that have not stopped, whatever their status.
    pub live: u32,
}

/// Which tasks of a cluster to list: the narrowest index is walked, the rest is looked at.
#[derive(Clone, Debug, Default)]
pub struct TaskFilter {
    /// Of this family.
    pub family: Option<Family>,
    /// With this mark.
    pub started_by: Option<Text>,
    /// Of this service.
    pub service: Option<ServiceName>,
    /// On this instance.
    pub instance: Option<InstanceId>,
    /// Of this launch type.
    pub launch_type: Option<LaunchType>,
}

/// Tasks and their indexes.
#[derive(Clone, Default)]
pub struct Tasks {
    rows: Table<TaskId, Task>,
    by_cluster: OrdSet<(i64, Desired, TaskId)>,
    by_family: OrdSet<(i64, Family, TaskId)>,
    by_started_by: OrdSet<(i64, Text, TaskId)>,
    by_service: OrdSet<(i64, ServiceName, TaskId)>,
    service_live: OrdSet<(i64, ServiceName, TaskId)>,
    service_stopped: OrdSet<(i64, ServiceName, Timestamp, TaskId)>,
    waiting: OrdSet<(i64, WaitingKey)>,
    by_token: OrdSet<(i64, Text, TaskId)>,
    by_instance: OrdSet<(InstanceId, TaskId)>,
    by_stopped_at: OrdSet<(Timestamp, TaskId)>,
    due: OrdSet<(InstanceId, TaskId)>,
    cluster_counts: OrdMap<i64, ClusterCounts>,
    instance_counts: OrdMap<InstanceId, InstanceCounts>,
    deployment_counts: OrdMap<(i64, Membership), DeploymentCounts>,
}

impl Tasks {
    /// The task with this id.
    #[must_use]
    pub fn get(&self, id: TaskId) -> Option<&Arc<Task>> {
        self.rows.get(&id)
    }

    /// How many tasks are kept, stopped ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Every task, in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Task>> {
        self.rows.iter().map(|(_, task)| task)
    }

    /// The tasks of the cluster with integer key `cluster` that are wanted as `desired` and pass
    /// `filter`, in the order of ids, beginning after `after`.
    pub fn list<'a>(
        &'a self,
        cluster: i64,
        desired: Desired,
        filter: &'a TaskFilter,
        after: Option<TaskId>,
    ) -> impl Iterator<Item = &'a Arc<Task>> {
        self.walk(cluster, desired, filter, after)
            .filter_map(|id| self.rows.get(&id))
            .filter(move |task| task.desired == desired && passes(task, filter))
    }

    /// Ids in the narrowest index that `filter` has.
    fn walk<'a>(
        &'a self,
        cluster: i64,
        desired: Desired,
        filter: &'a TaskFilter,
        after: Option<TaskId>,
    ) -> Box<dyn Iterator<Item = TaskId> + 'a> {
        let first = after.unwrap_or(FIRST);
        let fresh = move |id: &TaskId| after.is_none_or(|after| *id > after);
        if let Some(instance) = filter.instance {
            let range = self.by_instance.range((instance, first)..=(instance, LAST));
            return Box::new(range.map(|(_, id)| *id).filter(fresh));
        }
        if let Some(mark) = &filter.started_by {
            let range = (cluster, mark.clone(), first)..=(cluster, mark.clone(), LAST);
            return Box::new(
                self.by_started_by
                    .range(range)
                    .map(|(_, _, id)| *id)
                    .filter(fresh),
            );
        }
        if let Some(service) = &filter.service {
            let range = (cluster, service.clone(), first)..=(cluster, service.clone(), LAST);
            return Box::new(
                self.by_service
                    .range(range)
                    .map(|(_, _, id)| *id)
                    .filter(fresh),
            );
        }
        if let Some(family) = &filter.family {
            let range = (cluster, family.clone(), first)..=(cluster, family.clone(), LAST);
            return Box::new(
                self.by_family
                    .range(range)
                    .map(|(_, _, id)| *id)
                    .filter(fresh),
            );
        }
        let range = (cluster, desired, first)..=(cluster, desired, LAST);
        Box::new(
            self.by_cluster
                .range(range)
                .map(|(_, _, id)| *id)
                .filter(fresh),
        )
    }

    /// The tasks that a RunTask with this token started.
    pub fn by_token<'a>(
        &'a self,
        cluster: i64,
        token: &Text,
    ) -> impl Iterator<Item = &'a Arc<Task>> {
        self.by_token
            .range((cluster, token.clone(), FIRST)..=(cluster, token.clone(), LAST))
            .filter_map(|(_, _, id)| self.rows.get(id))
    }

    /// The tasks placed on an instance, stopped ones included, in the order of ids.
    pub fn on_instance(&self, instance: InstanceId) -> impl Iterator<Item = &Arc<Task>> {
        self.by_instance
            .range((instance, FIRST)..=(instance, LAST))
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// The tasks that the instance's agent still has to be told to start or to stop.
    pub fn due(&self, instance: InstanceId) -> impl Iterator<Item = &Arc<Task>> {
        self.due
            .range((instance, FIRST)..=(instance, LAST))
            .filter_map(|(_, id)| self.rows.get(id))
    }

    /// The tasks of a service that have not stopped, in the order of ids.
    pub fn of_service(
        &self,
        cluster: i64,
        service: &ServiceName,
    ) -> impl Iterator<Item = &Arc<Task>> {
        let range = (cluster, service.clone(), FIRST)..=(cluster, service.clone(), LAST);
        self.service_live
            .range(range)
            .filter_map(|(_, _, id)| self.rows.get(id))
    }

    /// The tasks of a service that stopped after `after`, those that stopped first at the front.
    pub fn stopped_of_service(
        &self,
        cluster: i64,
        service: &ServiceName,
        after: Timestamp,
    ) -> impl Iterator<Item = &Arc<Task>> {
        let first = (cluster, service.clone(), after.next(), FIRST);
        let last = (
            cluster,
            service.clone(),
            Timestamp::from_millis(i64::MAX),
            LAST,
        );
        self.service_stopped
            .range(first..=last)
            .filter_map(|(_, _, _, id)| self.rows.get(id))
    }

    /// The tasks of a cluster that are to run and wait for room, oldest first, beginning after
    /// `after`.
    pub fn waiting(
        &self,
        cluster: i64,
        after: Option<WaitingKey>,
    ) -> impl Iterator<Item = &Arc<Task>> {
        let first = after.unwrap_or(FIRST_WAITING);
        self.waiting
            .range((cluster, first)..=(cluster, LAST_WAITING))
            .filter(move |(_, key)| after.is_none_or(|after| *key > after))
            .filter_map(|(_, (_, id))| self.rows.get(id))
    }

    /// Whether any task waits for room.
    #[must_use]
    pub fn any_waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The clusters in which tasks wait for room.
    #[must_use]
    pub fn clusters_with_waiting(&self) -> Vec<ClusterKey> {
        let mut found = Vec::new();
        let mut next = Some(i64::MIN);
        while let Some(from) = next {
            let first = self.waiting.range((from, FIRST_WAITING)..).next();
            let waits = first.and_then(|(row, (_, id))| Some((row, self.rows.get(id)?)));
            next = waits.and_then(|(row, _)| row.checked_add(1));
            found.extend(waits.map(|(_, task)| task.spec.cluster.clone()));
        }
        found
    }

    /// The counts of a deployment or task set of a service.
    #[must_use]
    pub fn deployment_counts(&self, cluster: i64, member: &Membership) -> DeploymentCounts {
        self.deployment_counts
            .get(&(cluster, member.clone()))
            .copied()
            .unwrap_or_default()
    }

    /// The counts of a service's deployments and task sets together.
    #[must_use]
    pub fn service_counts(&self, cluster: i64, service: &ServiceName) -> DeploymentCounts {
        let member = |deployment| Membership {
            service: service.clone(),
            deployment,
        };
        let range = (cluster, member(DeploymentId::FIRST))..=(cluster, member(DeploymentId::LAST));
        let mut sum = DeploymentCounts::default();
        for (_, counts) in self.deployment_counts.range(range) {
            sum.running = sum.running.saturating_add(counts.running);
            sum.pending = sum.pending.saturating_add(counts.pending);
            sum.live = sum.live.saturating_add(counts.live);
        }
        sum
    }

    /// Stopped tasks, those that stopped first at the front.
    pub fn stopped(&self) -> impl Iterator<Item = (Timestamp, &Arc<Task>)> {
        self.by_stopped_at
            .iter()
            .filter_map(|(at, id)| Some((*at, self.rows.get(id)?)))
    }

    /// How many stopped tasks are kept.
    #[must_use]
    pub fn stopped_len(&self) -> usize {
        self.by_stopped_at.len()
    }

    /// The counts of the cluster with this integer key.
    #[must_use]
    pub fn cluster_counts(&self, cluster: i64) -> ClusterCounts {
        self.cluster_counts
            .get(&cluster)
            .copied()
            .unwrap_or_default()
    }

    /// The counts of an instance.
    #[must_use]
    pub fn instance_counts(&self, instance: InstanceId) -> InstanceCounts {
        self.instance_counts
            .get(&instance)
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn put(&mut self, cluster: i64, task: Arc<Task>) -> (i64, Option<Arc<Task>>) {
        let (row, before) = self.rows.put(task.id, task.clone());
        self.reindex(cluster, before.as_deref(), Some(&task));
        (row, before)
    }

    pub(crate) fn load(&mut self, cluster: i64, row: i64, task: Arc<Task>) {
        let before = self.rows.load(task.id, row, task.clone());
        self.reindex(cluster, before.as_ref().map(|row| &*row.value), Some(&task));
    }

    pub(crate) fn remove(&mut self, cluster: i64, id: TaskId) -> Option<Row<Task>> {
        let row = self.rows.remove(&id)?;
        self.reindex(cluster, Some(&row.value), None);
        Some(row)
    }

    fn reindex(&mut self, cluster: i64, before: Option<&Task>, after: Option<&Task>) {
        // What never changes in a task's life is indexed at its birth and its end alone.
        match (before, after) {
            (None, Some(task)) => self.index_spec(cluster, task),
            (Some(task), None) => self.unindex_spec(cluster, task),
            (None, None) | (Some(_), Some(_)) => {}
        }
        let id = before.or(after).map(|task| task.id).unwrap_or(FIRST);
        move_key(&mut self.by_cluster, before, after, |t| {
            Some((cluster, t.desired, id))
        });
        move_key(&mut self.by_instance, before, after, |t| {
            Some((t.instance?, id))
        });
        move_key(&mut self.by_stopped_at, before, after, |t| {
            Some((t.seen.stopped_at?, id))
        });
        move_key(&mut self.due, before, after, |t| {
            (t.start_due() || t.stop_due()).then_some(())?;
            Some((t.instance?, id))
        });
        move_key(&mut self.service_live, before, after, |t| {
            (t.last != LastStatus::Stopped).then_some(())?;
            Some((cluster, t.spec.service.as_ref()?.service.clone(), id))
        });
        move_key(&mut self.service_stopped, before, after, |t| {
            let at = t.seen.stopped_at?;
            Some((cluster, t.spec.service.as_ref()?.service.clone(), at, id))
        });
        move_key(&mut self.waiting, before, after, |t| {
            t.is_waiting().then_some((cluster, (t.spec.created_at, id)))
        });
        self.recount(cluster, before, after);
        self.recount_service(cluster, before, after);
    }

    fn recount_service(&mut self, cluster: i64, before: Option<&Task>, after: Option<&Task>) {
        let counted = |task: Option<&Task>| task.map(|t| (t.last, t.desired));
        if counted(before) == counted(after) {
            return;
        }
        for (task, one) in [(before, -1), (after, 1)] {
            let Some(task) = task else { continue };
            let Some(member) = &task.spec.service else {
                return;
            };
            if task.last == LastStatus::Stopped {
                continue;
            }
            let mut counts = self.deployment_counts(cluster, member);
            add(&mut counts.live, one);
            if task.desired == Desired::Running {
                if task.last == LastStatus::Running {
                    add(&mut counts.running, one);
                } else {
                    add(&mut counts.pending, one);
                }
            }
            set_count(
                &mut self.deployment_counts,
                (cluster, member.clone()),
                counts,
            );
        }
    }

    fn index_spec(&mut self, cluster: i64, task: &Task) {
        let (spec, id) = (&task.spec, task.id);
        self.by_family
            .insert((cluster, spec.definition.family.clone(), id));
        if let Some(mark) = &spec.started_by {
            self.by_started_by.insert((cluster, mark.clone(), id));
        }
        if let Some(service) = &spec.service {
            self.by_service
                .insert((cluster, service.service.clone(), id));
        }
        if let Some(token) = &spec.client_token {
            self.by_token.insert((cluster, token.token.clone(), id));
        }
    }

    fn unindex_spec(&mut self, cluster: i64, task: &Task) {
        let (spec, id) = (&task.spec, task.id);
        self.by_family
            .remove(&(cluster, spec.definition.family.clone(), id));
        if let Some(mark) = &spec.started_by {
            self.by_started_by.remove(&(cluster, mark.clone(), id));
        }
        if let Some(service) = &spec.service {
            self.by_service
                .remove(&(cluster, service.service.clone(), id));
        }
        if let Some(token) = &spec.client_token {
            self.by_token.remove(&(cluster, token.token.clone(), id));
        }
    }

    fn recount(&mut self, cluster: i64, before: Option<&Task>, after: Option<&Task>) {
        let counted = |task: Option<&Task>| {
            task.map(|t| {
                let changes = t.instance_changes();
                let waits = t.is_waiting();
                (t.last, t.spec.launch_type, t.instance, changes, waits)
            })
        };
        if counted(before) == counted(after) {
            return;
        }
        for (task, one) in [(before, -1), (after, 1)] {
            let Some(task) = task else { continue };
            let kind = kind_index(task.spec.launch_type);
            let mut counts = self.cluster_counts(cluster);
            match phase(task.last) {
                Phase::Running => add(&mut counts.running[kind], one),
                Phase::Pending => add(&mut counts.pending[kind], one),
                Phase::Other | Phase::Stopped => {}
            }
            if phase(task.last) != Phase::Stopped {
                add(&mut counts.live, one);
            }
            if task.is_waiting() {
                add(&mut counts.waiting, one);
            }
            set_count(&mut self.cluster_counts, cluster, counts);
            let Some(instance) = task.instance else {
                continue;
            };
            let mut counts = self.instance_counts(instance);
            match phase(task.last) {
                Phase::Running => add(&mut counts.running, one),
                Phase::Pending => add(&mut counts.pending, one),
                Phase::Other | Phase::Stopped => {}
            }
            if phase(task.last) != Phase::Stopped {
                add(&mut counts.live, one);
            }
            let changes = i32::try_from(task.instance_changes()).unwrap_or(i32::MAX);
            add(&mut counts.changes, changes * one);
            set_count(&mut self.instance_counts, instance, counts);
        }
    }
}

/// How a task counts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Pending,
    Running,
    Other,
    Stopped,
}

fn phase(last: LastStatus) -> Phase {
    match last {
        LastStatus::Pending | LastStatus::Activating => Phase::Pending,
        LastStatus::Running => Phase::Running,
        LastStatus::Provisioning
        | LastStatus::Deactivating
        | LastStatus::Stopping
        | LastStatus::Deprovisioning => Phase::Other,
        LastStatus::Stopped => Phase::Stopped,
    }
}

fn kind_index(launch_type: LaunchType) -> usize {
    match launch_type {
        LaunchType::Ec2 => 0,
        LaunchType::Fargate => 1,
        LaunchType::External => 2,
    }
}

fn add(count: &mut u32, one: i32) {
    *count = count.saturating_add_signed(one);
}

fn set_count<K: Ord + Clone, V: Default + PartialEq + Clone>(
    counts: &mut OrdMap<K, V>,
    key: K,
    value: V,
) {
    if value == V::default() {
        counts.remove(&key);
    } else {
        counts.insert(key, value);
    }
}

fn move_key<K: Ord + Clone>(
    index: &mut OrdSet<K>,
    before: Option<&Task>,
    after: Option<&Task>,
    key: impl Fn(&Task) -> Option<K>,
) {
    let (old, new) = (before.and_then(&key), after.and_then(&key));
    if old == new {
        return;
    }
    if let Some(old) = old {
        index.remove(&old);
    }
    if let Some(new) = new {
        index.insert(new);
    }
}

fn passes(task: &Task, filter: &TaskFilter) -> bool {
    let spec = &task.spec;
    filter
        .family
        .as_ref()
        .is_none_or(|family| *family == spec.definition.family)
        && filter
            .started_by
            .as_ref()
            .is_none_or(|mark| spec.started_by.as_ref() == Some(mark))
        && filter
            .service
            .as_ref()
            .is_none_or(|name| spec.service.as_ref().is_some_and(|m| m.service == *name))
        && filter
            .instance
            .is_none_or(|instance| task.instance == Some(instance))
        && filter
            .launch_type
            .is_none_or(|kind| kind == spec.launch_type)
}
