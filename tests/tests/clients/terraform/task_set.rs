//! `aws_ecs_task_set`, in a service with the controller EXTERNAL.

use berth_tests::{SOON, wait_for};
use serde_json::{Value, json};

use super::service::request;
use super::{Provider, start, strategy, tags_in, tags_out};

impl Provider {
    /// `findTaskSetByThreePartKey`.
    fn find_task_set(&mut self, id: &str, include: &Value) -> Option<Value> {
        let input = json!({
            "cluster": "default", "service": "web", "taskSets": [id], "include": include,
        });
        let not_found = [
            "ClusterNotFoundException",
            "ServiceNotFoundException",
            "TaskSetNotFoundException",
        ];
        let found = match self.try_call("DescribeTaskSets", &input) {
            Ok(found) => found,
            Err(refused) => {
                assert!(not_found.contains(&refused.code.as_str()), "{refused:?}");
                return None;
            }
        };
        found["taskSets"].get(0).cloned()
    }

    /// `waitTaskSetStable`.
    fn wait_for_task_set(&mut self, id: &str) {
        wait_for("the task set to be steady", SOON, || {
            let found = self.find_task_set(id, &json!([])).unwrap();
            let status = found["stabilityStatus"].as_str().unwrap();
            assert!(["STABILIZING", "STEADY_STATE"].contains(&status), "{found}");
            (status == "STEADY_STATE").then_some(())
        });
    }
}

/// `resourceTaskSetRead`.
fn attributes(set: &Value) -> Value {
    json!({
        "capacity_provider_strategy": strategy(&set["capacityProviderStrategy"]),
        "external_id": set["externalId"],
        "launch_type": set["launchType"],
        "load_balancer": set["loadBalancers"],
        "network_configuration": set["networkConfiguration"],
        "platform_version": set["platformVersion"],
        "scale": set["scale"],
        "service_registries": set["serviceRegistries"],
        "stability_status": set["stabilityStatus"],
        "status": set["status"],
        "tags": tags_out(&set["tags"]),
        "task_definition": set["taskDefinition"],
    })
}

#[test]
fn a_task_set_lives() {
    let (server, mut provider) = start();
    let definition = provider.definition("web", &json!([]));
    let mut service = request("web", &definition, 2);
    service["deploymentController"] = json!({ "type": "EXTERNAL" });
    service.as_object_mut().unwrap().remove("taskDefinition");
    let made = provider.call("CreateService", &service);
    let arn = made["service"]["serviceArn"].as_str().unwrap();
    // A service without a definition and with nothing running is waited for by its status alone.
    let read = provider.read_service(arn, "default");
    assert_eq!(read.get("taskDefinition"), None);
    assert_eq!(read["deploymentController"]["type"], "EXTERNAL");

    let create = json!({
        "clientToken": "terraform-web",
        "cluster": "default",
        "externalId": "blue",
        "launchType": "EC2",
        "scale": { "unit": "PERCENT", "value": 100.0 },
        "service": "web",
        "tags": tags_in(&json!({ "team": "blue" })),
        "taskDefinition": definition,
    });
    let created = provider.call("CreateTaskSet", &create);
    let set = &created["taskSet"];
    let (id, set_arn) = (
        set["id"].as_str().unwrap(),
        set["taskSetArn"].as_str().unwrap(),
    );
    assert!(id.starts_with("ecs-svc/"), "{id}");
    provider.wait_for_task_set(id);
    let mut configured = json!({
        "capacity_provider_strategy": [],
        "external_id": "blue",
        "launch_type": "EC2",
        "load_balancer": [],
        "network_configuration": null,
        "platform_version": null,
        "scale": { "unit": "PERCENT", "value": 100.0 },
        "service_registries": [],
        "stability_status": "STEADY_STATE",
        "status": "ACTIVE",
        "tags": { "team": "blue" },
        "task_definition": definition,
    });
    let read = provider.find_task_set(id, &json!(["TAGS"])).unwrap();
    assert_eq!(attributes(&read), configured);
    assert_eq!(read["runningCount"], 2);

    let update = json!({
        "cluster": "default", "scale": { "unit": "PERCENT", "value": 50.0 }, "service": "web",
        "taskSet": id,
    });
    provider.call("UpdateTaskSet", &update);
    provider.wait_for_task_set(id);
    provider.update_tags(set_arn, &configured["tags"], &json!({}));
    configured["scale"]["value"] = json!(50.0);
    configured["tags"] = json!({});
    let read = provider.find_task_set(id, &json!(["TAGS"])).unwrap();
    assert_eq!(attributes(&read), configured);
    assert_eq!(read["runningCount"], 1);

    let delete = json!({ "cluster": "default", "force": true, "service": "web", "taskSet": id });
    provider.call("DeleteTaskSet", &delete);
    wait_for("the task set to be gone", SOON, || {
        let Some(found) = provider.find_task_set(id, &json!([])) else {
            return Some(());
        };
        let status = found["status"].as_str().unwrap();
        assert!(["ACTIVE", "PRIMARY", "DRAINING"].contains(&status));
        None
    });
    let refused = provider.try_call("DeleteTaskSet", &delete).unwrap_err();
    assert_eq!(refused.code, "TaskSetNotFoundException");
    provider.delete_service(arn, "default", false);
    server.finish();
}
