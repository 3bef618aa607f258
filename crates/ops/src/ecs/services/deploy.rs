//! Beginning a deployment: a new revision, its deployment, and the service deployment that brings
//! it about. The services controller does the rest.

use berth_model::id::ServiceDeploymentId;
use berth_model::scheduler::{DeploymentId, DeploymentStatus, Rollout, RolloutState, Run};
use berth_model::service::{Deployment, Service, ServiceDeployment, ServiceRevision};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_state::Tx;

use super::wanted::Template;

/// How many service deployments of a service are kept, and with them their revisions. ECS keeps
/// them for ninety days; a hundred are more than anybody reads.
const HISTORY_MAX: usize = 100;

/// Makes a new revision of what `template` says the primary one, and saves everything but
/// `service` itself.
pub(super) fn deploy(tx: &mut Tx<'_>, service: &mut Service, template: &Template) {
    let now = tx.now();
    let key = service.key.clone();
    let id = DeploymentId::from_chance(tx.ids().chance());
    let run_id = ServiceDeploymentId::from_bytes(tx.ids().bytes());
    let before: Vec<Deployment> = tx
        .state()
        .services
        .deployments(&key)
        .map(|deployment| Deployment::clone(deployment))
        .collect();
    let sources = before
        .iter()
        .filter(|deployment| deployment.rollout.status != DeploymentStatus::Inactive)
        .map(|deployment| deployment.id)
        .collect();
    let back_to = before
        .iter()
        .filter(|deployment| deployment.rollout.state == RolloutState::Completed)
        // One that left the list did so when a later one completed, at the very same instant.
        .max_by_key(|deployment| {
            let listed = deployment.rollout.status != DeploymentStatus::Inactive;
            let updated_at = deployment.rollout.updated_at;
            (listed, updated_at, deployment.created_at, deployment.id)
        })
        .map(|deployment| deployment.id);
    for mut deployment in before {
        if deployment.rollout.status == DeploymentStatus::Primary {
            deployment.rollout = deployment.rollout.demoted(now);
            tx.put_deployment(deployment);
        }
    }
    supersede_runs(tx, service, now);
    tx.put_service_revision(ServiceRevision {
        service: key.clone(),
        id,
        definition: template.definition.clone(),
        capacity: service.spec.capacity.clone(),
        platform_version: template.platform_version.clone(),
        network: template.network.clone(),
        service_connect: template.service_connect.clone(),
        created_at: now,
    });
    tx.put_deployment(Deployment {
        service: key.clone(),
        id,
        rollout: Rollout::new(id, now),
        digests: Vec::new(),
        created_at: now,
    });
    tx.put_service_deployment(ServiceDeployment {
        service: key,
        id: run_id,
        sources,
        back_to,
        target: id,
        requested: service.spec.desired,
        configuration: service.spec.deployment.clone(),
        run: Run::new(now),
        created_at: now,
    });
    service.spec.primary = Some(id);
    trim(tx, service);
}

fn supersede_runs(tx: &mut Tx<'_>, service: &Service, now: Timestamp) {
    let under_way: Vec<ServiceDeployment> = tx
        .state()
        .services
        .runs(&service.key)
        .filter(|run| !run.run.status.is_terminal())
        .map(|run| ServiceDeployment::clone(run))
        .collect();
    for mut run in under_way {
        run.run = run.run.superseded(now);
        if run.run.reason.is_none() {
            run.run.reason = Some(Text::new(
                "Service deployment stopped because a new deployment replaced it.",
            ));
        }
        tx.put_service_deployment(run);
    }
}

/// Forgets the oldest service deployments, and revisions that nothing refers to any more.
fn trim(tx: &mut Tx<'_>, service: &Service) {
    let key = &service.key;
    let services = &tx.state().services;
    let mut runs: Vec<_> = services.runs(key).cloned().collect();
    if runs.len() <= HISTORY_MAX {
        return;
    }
    runs.sort_by_key(|run| (run.created_at, run.id));
    let kept = runs.split_off(runs.len() - HISTORY_MAX);
    let used = |id: DeploymentId| {
        kept.iter()
            .any(|run| run.target == id || run.back_to == Some(id) || run.sources.contains(&id))
    };
    let unused: Vec<DeploymentId> = services
        .deployments(key)
        .filter(|d| d.rollout.status == DeploymentStatus::Inactive && !used(d.id))
        .map(|d| d.id)
        .collect();
    for run in runs {
        tx.remove_service_deployment(key, run.id);
    }
    for id in unused {
        tx.remove_deployment(key, id);
    }
}
