//! The limits of a task hold for its containers together.

use std::fs;
use std::path::PathBuf;

use berth_tests::{Docker, IMAGE, SOON, wait_for};
use serde_json::{Value, json};

use crate::Field;

const MIB: u64 = 1024 * 1024;

/// Holds 40 MiB and waits: it reads them, and nobody takes them from it.
fn holder(name: &str, more: &Value) -> Value {
    let line = "mkfifo /f; sleep 600 < /f & exec dd if=/dev/zero of=/f bs=40M";
    let mut container = json!({ "name": name, "image": IMAGE, "stopTimeout": 2,
        "command": ["sh", "-c", line] });
    for (name, value) in more.as_object().unwrap() {
        container[name] = value.clone();
    }
    container
}

/// The group in which the kernel counts a container's memory, below any version of cgroups.
fn memory_group(docker: &Docker, id: &str) -> PathBuf {
    let pid = docker.run(&["inspect", "--format", "{{.State.Pid}}", id]);
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    let of = |wanted: &dyn Fn(&str) -> bool| {
        groups.lines().find_map(|line| {
            let mut parts = line.splitn(3, ':').skip(1);
            let (controllers, path) = (parts.next()?, parts.next()?);
            wanted(controllers).then(|| path.trim_start_matches('/').to_owned())
        })
    };
    match of(&|controllers| controllers.split(',').any(|c| c == "memory")) {
        Some(path) => PathBuf::from("/sys/fs/cgroup/memory").join(path),
        None => PathBuf::from("/sys/fs/cgroup").join(of(&str::is_empty).unwrap()),
    }
}

fn memory_limit(group: &std::path::Path) -> u64 {
    let texts = ["memory.limit_in_bytes", "memory.max"].map(|name| group.join(name));
    let mut texts = texts
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok());
    texts.next().unwrap().trim().parse().unwrap()
}

#[test]
fn containers_of_a_task_share_its_memory_and_cpu() {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &["--cleanup-wait", "1s"]);
    let sized = json!({ "cpu": "256", "memory": "64" });
    field.register("alone", &json!([holder("one", &json!({}))]), &sized);
    let task = field.run("alone", &json!({}));
    let running = field.wait_until(&task, "RUNNING");
    let id = running["containers"][0]["runtimeId"].as_str().unwrap();
    let own = memory_group(&docker, id);
    let group = own.parent().unwrap().to_owned();
    let name = group.file_name().unwrap().to_string_lossy().into_owned();
    assert!(name.contains(task.rsplit('/').next().unwrap()), "{name}");
    assert_eq!(memory_limit(&group), 64 * MIB);
    let format = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}}";
    assert_eq!(docker.run(&["inspect", "--format", format, id]), "0 0");
    // 40 MiB alone are within the limit.
    let usage = ["memory.usage_in_bytes", "memory.current"].map(|name| group.join(name));
    wait_for("40 MiB in use", SOON, || {
        let mut texts = usage
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok());
        let used: u64 = texts.next()?.trim().parse().ok()?;
        (used > 40 * MIB).then_some(())
    });
    assert_eq!(field.describe(&task)["lastStatus"], "RUNNING");
    field.stop(&task);
    field.wait_until(&task, "STOPPED");
    // Cgroup v1 has the group once for each controller.
    wait_for("the group to go with its task", SOON, || {
        let mounts = fs::read_dir("/sys/fs/cgroup").unwrap().flatten();
        let mut left = mounts.map(|entry| entry.path().join("ecs").join(&name));
        (!group.exists() && !left.any(|path| path.exists())).then_some(())
    });

    // Twice 40 MiB are not.
    let after = json!({ "dependsOn": [{ "containerName": "one", "condition": "START" }] });
    let both = json!([holder("one", &json!({})), holder("two", &after)]);
    field.register("both", &both, &sized);
    let task = field.run("both", &json!({}));
    let stopped = wait_for("one to be killed", SOON, || {
        let seen = field.describe(&task);
        (seen["lastStatus"] == "STOPPED").then_some(seen)
    });
    let mut containers = stopped["containers"].as_array().unwrap().iter();
    let killed = containers.any(|container| {
        let reason = container["reason"].as_str().unwrap_or_default();
        container["exitCode"] == 137 && reason.starts_with("OutOfMemoryError")
    });
    assert!(killed, "{stopped}");
    field.finish();
}
