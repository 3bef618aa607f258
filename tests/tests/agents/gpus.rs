//! GPUs that a setting offers: placed one by one, and handed to their container.

use berth_tests::{Docker, IMAGE};
use serde_json::{Value, json};

use crate::Field;

fn definition(count: u32) -> Value {
    json!([{ "name": "main", "image": IMAGE, "memory": 32, "command": ["sleep", "600"],
        "resourceRequirements": [{ "type": "GPU", "value": count.to_string() }] },
        { "name": "beside", "image": IMAGE, "memory": 32, "command": ["sleep", "600"],
        "essential": false, "stopTimeout": 2 }])
}

fn gpus(task: &Value, container: &str) -> Vec<String> {
    let mut containers = task["containers"].as_array().unwrap().iter();
    let found = containers.find(|one| one["name"] == container).unwrap();
    let ids = found["gpuIds"].as_array().into_iter().flatten();
    let mut ids: Vec<String> = ids.map(|id| id.as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[test]
fn each_gpu_is_given_to_one_container_at_a_time() {
    let field = Field::simulated(&["--gpus", "GPU-0,GPU-1,GPU-2"]);
    let registered = field.instances()[0]["registeredResources"].clone();
    let resource = registered.as_array().unwrap().iter();
    let resource = resource.clone().find(|one| one["name"] == "GPU").unwrap();
    assert_eq!(
        resource["stringSetValue"],
        json!(["GPU-0", "GPU-1", "GPU-2"])
    );
    field.register("one", &definition(1), &json!({}));
    field.register("two", &definition(2), &json!({}));
    let first = field.run("two", &json!({}));
    let second = field.run("one", &json!({}));
    let mut given = gpus(&field.wait_until(&first, "RUNNING"), "main");
    assert_eq!(given.len(), 2);
    given.extend(gpus(&field.wait_until(&second, "RUNNING"), "main"));
    given.sort();
    assert_eq!(given, ["GPU-0", "GPU-1", "GPU-2"]);
    let answer = field.try_run("one", &json!({}));
    assert_eq!(answer["failures"][0]["reason"], "RESOURCE:GPU", "{answer}");
    field.stop(&first);
    field.wait_until(&first, "STOPPED");
    let third = field.run("one", &json!({}));
    field.wait_until(&third, "RUNNING");
    field.finish();
}

/// There is no GPU here, so Docker cannot start the container; what it was asked for is seen.
#[test]
fn docker_is_asked_for_the_gpus_of_the_container_alone() {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &["--gpus", "GPU-a,GPU-b"]);
    field.register("two", &definition(2), &json!({}));
    let task = field.run("two", &json!({}));
    let stopped = field.wait_until(&task, "STOPPED");
    assert_eq!(gpus(&stopped, "main"), ["GPU-a", "GPU-b"], "{stopped}");
    let reason = stopped["containers"].to_string();
    assert!(reason.contains("CannotStartContainerError: "), "{stopped}");
    let label = format!("label=com.amazonaws.ecs.task-arn={task}");
    let seen = |name: &str| -> Value {
        let of = format!("label=com.amazonaws.ecs.container-name={name}");
        let list = [
            "ps",
            "--all",
            "--quiet",
            "--no-trunc",
            "--filter",
            &label,
            "--filter",
            &of,
        ];
        let id = docker.run(&list);
        serde_json::from_str(&docker.run(&["inspect", "--format", "{{json .}}", &id])).unwrap()
    };
    let main = seen("main");
    let asked = &main["HostConfig"]["DeviceRequests"];
    assert_eq!(asked.as_array().unwrap().len(), 1, "{asked}");
    assert_eq!(asked[0]["Driver"], "nvidia");
    assert_eq!(asked[0]["DeviceIDs"], json!(["GPU-a", "GPU-b"]));
    assert_eq!(asked[0]["Capabilities"], json!([["gpu"]]));
    let variable = json!("NVIDIA_VISIBLE_DEVICES=GPU-a,GPU-b");
    let environment = |one: &Value| one["Config"]["Env"].as_array().unwrap().clone();
    assert!(environment(&main).contains(&variable), "{main}");
    let beside = seen("beside");
    assert!(beside["HostConfig"]["DeviceRequests"].is_null(), "{beside}");
    let named = |one: &Value| one.as_str().unwrap().starts_with("NVIDIA_");
    assert!(!environment(&beside).iter().any(named), "{beside}");
    field.finish();
}
