//! What a new deployment of a service notes to go back to.

mod caller;

use berth_model::scheduler::{DeploymentStatus, RolloutState};
use berth_model::service::Deployment;
use berth_state::{Failure, Lane};
use caller::Bench;
use futures_util::FutureExt;
use serde_json::json;

const DEFINITION: &str = r#"{"family": "web", "containerDefinitions":
    [{"name": "app", "image": "i", "cpu": 256, "memory": 512}]}"#;

/// The scheduler's part: PRIMARY completes, and at the same instant the others leave the list.
fn complete(bench: &Bench) {
    let handle = bench.world.handle();
    let change = handle.transact(Lane::Controllers, |tx| {
        let services: Vec<_> = tx.state().services.iter().cloned().collect();
        for service in services {
            let deployments = tx.state().services.deployments(&service.key);
            let deployments: Vec<Deployment> = deployments.map(|d| Deployment::clone(d)).collect();
            for mut deployment in deployments {
                match deployment.rollout.status {
                    DeploymentStatus::Primary => deployment.rollout.state = RolloutState::Completed,
                    _ => deployment.rollout.status = DeploymentStatus::Inactive,
                }
                deployment.rollout.updated_at = tx.now();
                tx.put_deployment(deployment);
            }
        }
        Ok::<_, Failure>(())
    });
    assert_eq!(change.now_or_never(), Some(Ok(())));
}

#[test]
fn it_is_the_last_that_completed_and_not_one_that_it_replaced() {
    let bench = Bench::default();
    bench.call("CreateCluster", "{}").unwrap();
    bench.call("RegisterTaskDefinition", DEFINITION).unwrap();
    // Ids are by chance, so one service alone could be right by chance.
    for n in 0..8 {
        let name = format!("s{n}");
        let create = json!({"serviceName": name, "taskDefinition": "web", "desiredCount": 1});
        bench.call("CreateService", &create.to_string()).unwrap();
        let update = json!({"service": name, "forceNewDeployment": true}).to_string();
        complete(&bench);
        bench.call("UpdateService", &update).unwrap();
        complete(&bench);
        let state = bench.world.snapshot();
        let mut services = state.services.iter();
        let service = services.find(|s| s.key.name.as_str() == name).unwrap();
        let completed = service.spec.primary;
        bench.call("UpdateService", &update).unwrap();
        let state = bench.world.snapshot();
        let newest = state.services.get(&service.key).unwrap().spec.primary;
        let mut runs = state.services.runs(&service.key);
        let run = runs.find(|run| Some(run.target) == newest).unwrap();
        assert_eq!(run.back_to, completed, "{name}");
    }
}
