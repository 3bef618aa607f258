//! Changes of services and of what belongs to them.

use std::sync::Arc;

use berth_model::id::ServiceDeploymentId;
use berth_model::name::ServiceKey;
use berth_model::scheduler::DeploymentId;
use berth_model::service::{
    Deployment, Service, ServiceDeployment, ServiceEvent, ServiceRevision, TaskSet,
};

use super::Tx;
use crate::record::Record;
use crate::services::ServiceRecord;

impl Tx<'_> {
    /// Saves a service.
    pub fn put_service(&mut self, service: Service) {
        self.put_of_service(ServiceRecord::Service(Arc::new(service)));
    }

    /// Saves a revision of a service. Its definition must exist.
    pub fn put_service_revision(&mut self, revision: ServiceRevision) {
        self.put_of_service(ServiceRecord::Revision(Arc::new(revision)));
    }

    /// Saves a deployment of a service.
    pub fn put_deployment(&mut self, deployment: Deployment) {
        self.put_of_service(ServiceRecord::Deployment(Arc::new(deployment)));
    }

    /// Saves a service deployment.
    pub fn put_service_deployment(&mut self, run: ServiceDeployment) {
        self.put_of_service(ServiceRecord::Run(Arc::new(run)));
    }

    /// Saves a task set. Its definition must exist.
    pub fn put_task_set(&mut self, set: TaskSet) {
        self.put_of_service(ServiceRecord::TaskSet(Arc::new(set)));
    }

    /// Saves what a service told.
    pub fn put_service_event(&mut self, event: ServiceEvent) {
        self.put_of_service(ServiceRecord::Event(Arc::new(event)));
    }

    /// Removes a revision and its deployment; absent ones are no error.
    pub fn remove_deployment(&mut self, key: &ServiceKey, id: DeploymentId) {
        if let Some(deployment) = self.state.services.deployment(key, id).cloned() {
            self.remove(Record::OfService(ServiceRecord::Deployment(deployment)));
        }
        if let Some(revision) = self.state.services.revision(key, id).cloned() {
            self.remove(Record::OfService(ServiceRecord::Revision(revision)));
        }
    }

    /// Removes a service deployment; an absent one is no error.
    pub fn remove_service_deployment(&mut self, key: &ServiceKey, id: ServiceDeploymentId) {
        if let Some(run) = self.state.services.run(key, id).cloned() {
            self.remove(Record::OfService(ServiceRecord::Run(run)));
        }
    }

    /// Removes a task set; an absent one is no error.
    pub fn remove_task_set(&mut self, key: &ServiceKey, id: DeploymentId) {
        if let Some(set) = self.state.services.task_set(key, id).cloned() {
            self.remove(Record::OfService(ServiceRecord::TaskSet(set)));
        }
    }

    /// Removes the oldest events of a service, until `kept` are left.
    pub fn trim_service_events(&mut self, key: &ServiceKey, kept: usize) {
        let surplus = self.state.services.events(key).count().saturating_sub(kept);
        let oldest: Vec<_> = self
            .state
            .services
            .events(key)
            .take(surplus)
            .cloned()
            .collect();
        for event in oldest {
            self.remove(Record::OfService(ServiceRecord::Event(event)));
        }
    }

    /// Removes a service with everything that belongs to it, but for its tasks.
    pub fn remove_service(&mut self, key: &ServiceKey) {
        self.set_refused(key, None);
        let services = &self.state.services;
        let mut parts: Vec<ServiceRecord> = Vec::new();
        parts.extend(services.runs(key).cloned().map(ServiceRecord::Run));
        parts.extend(
            services
                .deployments(key)
                .cloned()
                .map(ServiceRecord::Deployment),
        );
        parts.extend(
            services
                .revisions(key)
                .cloned()
                .map(ServiceRecord::Revision),
        );
        parts.extend(services.task_sets(key).cloned().map(ServiceRecord::TaskSet));
        parts.extend(services.events(key).cloned().map(ServiceRecord::Event));
        parts.extend(services.get(key).cloned().map(ServiceRecord::Service));
        for part in parts {
            self.remove(Record::OfService(part));
        }
    }

    fn put_of_service(&mut self, record: ServiceRecord) {
        self.put(Record::OfService(record));
    }
}
