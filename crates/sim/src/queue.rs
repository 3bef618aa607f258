//! Which services are worth a look, and when: the server's own loop without its task.

use std::collections::{BTreeMap, BTreeSet};

use berth_model::instance::InstanceStatus;
use berth_model::name::{ClusterKey, ServiceKey};
use berth_model::service::ServiceStatus;
use berth_model::task::LastStatus;
use berth_state::{Changed, State};

/// As in the server: how often one service is looked at, at most, in milliseconds.
const LOOK_EVERY_MS: u64 = 100;

/// When keys are due, in monotonic milliseconds.
#[derive(Default)]
pub(crate) struct Queue {
    due: BTreeMap<ServiceKey, u64>,
    looked_at: BTreeMap<ServiceKey, u64>,
}

impl Queue {
    /// Notes that a key is worth a look at `at`, or when it may be looked at again.
    pub(crate) fn add(&mut self, key: ServiceKey, at: u64) {
        let earliest = self.looked_at.get(&key).map_or(0, |at| at + LOOK_EVERY_MS);
        let at = at.max(earliest);
        let due = self.due.entry(key).or_insert(at);
        *due = (*due).min(at);
    }

    /// The keys that are due.
    pub(crate) fn take(&mut self, now: u64) -> Vec<ServiceKey> {
        let due = self.due.iter().filter(|(_, at)| **at <= now);
        let keys: Vec<ServiceKey> = due.map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.due.remove(key);
            self.looked_at.insert(key.clone(), now);
        }
        keys
    }

    /// When the next key is due.
    pub(crate) fn next_due(&self) -> Option<u64> {
        self.due.values().copied().min()
    }

    /// Every service that is not INACTIVE.
    pub(crate) fn sweep(&mut self, state: &State, now: u64) {
        for service in state.services.iter() {
            if service.status != ServiceStatus::Inactive {
                self.add(service.key.clone(), now);
            }
        }
    }

    /// Notes the services that the changes concern.
    pub(crate) fn touch(&mut self, state: &State, changes: &[Changed], now: u64) {
        let mut roomier: BTreeSet<ClusterKey> = BTreeSet::new();
        for change in changes {
            match change {
                Changed::Service(key) => self.add(key.clone(), now),
                Changed::Task(id, _) => {
                    let Some(task) = state.tasks.get(*id) else {
                        continue;
                    };
                    if let Some(key) = task.spec.service_key() {
                        self.add(key, now);
                    }
                    if task.last == LastStatus::Stopped {
                        roomier.insert(task.spec.cluster.clone());
                        let instance = task.instance.and_then(|id| state.instances.get(&id));
                        if instance.is_some_and(|i| i.status == InstanceStatus::Draining) {
                            let daemons = state.services.daemons_of(&task.spec.cluster);
                            daemons.for_each(|key| self.add(key.clone(), now));
                        }
                    }
                }
                Changed::Instance(id) | Changed::Connection(id) => {
                    for task in state.tasks.on_instance(*id) {
                        let key = task.spec.service_key();
                        if let Some(key) = key.filter(|_| task.last != LastStatus::Stopped) {
                            self.add(key, now);
                        }
                    }
                    if let Some(instance) = state.instances.get(id) {
                        for key in state.services.daemons_of(&instance.cluster) {
                            self.add(key.clone(), now);
                        }
                        roomier.insert(instance.cluster.clone());
                    }
                }
                Changed::Cluster(_) | Changed::Definition(_) | Changed::Other => {}
            }
        }
        for cluster in &roomier {
            for key in state.refused_of(cluster) {
                self.add(key.clone(), now);
            }
        }
    }
}
