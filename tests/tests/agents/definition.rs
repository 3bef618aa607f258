//! What a task definition says through the API is what a container of Docker gets.

use std::io::Read;
use std::net::TcpStream;
use std::path::Path;

use berth_tests::{Docker, IMAGE, SOON, wait_for};
use serde_json::{Value, json};

use crate::Field;

fn runtime_id<'a>(task: &'a Value, name: &str) -> &'a str {
    let mut containers = task["containers"].as_array().unwrap().iter();
    let found = containers.find(|one| one["name"] == name).unwrap();
    found["runtimeId"]
        .as_str()
        .unwrap_or_else(|| panic!("{name} in {task}"))
}

fn exit_code(task: &Value, name: &str) -> Value {
    let mut containers = task["containers"].as_array().unwrap().iter();
    containers.find(|one| one["name"] == name).unwrap()["exitCode"].clone()
}

/// A container that runs a line of shell.
fn shell(name: &str, line: &str, more: &Value) -> Value {
    let mut container = json!({ "name": name, "image": IMAGE, "memory": 32, "stopTimeout": 2,
        "entryPoint": ["sh", "-c"], "command": [line] });
    for (name, value) in more.as_object().unwrap() {
        container[name] = value.clone();
    }
    container
}

#[test]
fn every_setting_reaches_the_process() {
    const SCRIPT: &str = "env; echo user=$(id -u):$(id -g); echo folder=$(pwd); \
        echo files=$(ulimit -n); echo host=$(hostname); cat /etc/hosts /etc/resolv.conf; \
        echo somaxconn=$(cat /proc/sys/net/core/somaxconn); \
        echo shm=$(df -m /dev/shm | tail -1 | awk '{print $2}'); grep ' /scratch ' /proc/mounts; \
        touch /x || echo read-only; echo gift=$(ls /dev/gift); \
        grep CapBnd /proc/self/status; echo first=$(cat /proc/1/comm)";
    let docker = Docker::get();
    let files = tempfile::tempdir().unwrap();
    std::fs::create_dir(files.path().join("bucket")).unwrap();
    let text = "FROM_FILE=file\nBOTH=file\n";
    std::fs::write(files.path().join("bucket/app.env"), text).unwrap();
    let folder = files.path().display().to_string();
    let field = Field::with_docker(&docker, &["--environment-files", &folder]);
    let container = shell(
        "app",
        SCRIPT,
        &json!({
            "cpu": 128, "memory": 64, "memoryReservation": 16,
            "environment": [{ "name": "OWN", "value": "own = x" }, { "name": "BOTH", "value": "own" }],
            "environmentFiles": [{ "type": "s3", "value": "arn:aws:s3:::bucket/app.env" }],
            "user": "1000:1001", "workingDirectory": "/tmp", "hostname": "box",
            "readonlyRootFilesystem": true,
            "ulimits": [{ "name": "nofile", "softLimit": 1234, "hardLimit": 2345 }],
            "dnsServers": ["192.0.2.53"], "dnsSearchDomains": ["corp.example"],
            "extraHosts": [{ "hostname": "db", "ipAddress": "192.0.2.9" }],
            "systemControls": [{ "namespace": "net.core.somaxconn", "value": "77" }],
            "dockerLabels": { "team": "7" },
            "linuxParameters": {
                "capabilities": { "drop": ["ALL"], "add": ["NET_RAW"] },
                "devices": [{ "hostPath": "/dev/null", "containerPath": "/dev/gift",
                    "permissions": ["read"] }],
                "sharedMemorySize": 32, "initProcessEnabled": false, "maxSwap": 0, "swappiness": 10,
                "tmpfs": [{ "containerPath": "/scratch", "size": 1, "mountOptions": ["noexec"] }] },
        }),
    );
    let role = json!({ "executionRoleArn": "arn:aws:iam::000000000000:role/e" });
    field.register("all", &json!([container]), &role);
    let over = json!({ "overrides": { "containerOverrides": [{ "name": "app",
        "environment": [{ "name": "OVER", "value": "ridden" }] }] } });
    let task = field.run("all", &over);
    let stopped = field.wait_until(&task, "STOPPED");
    assert_eq!(exit_code(&stopped, "app"), 0, "{stopped}");
    let id = runtime_id(&stopped, "app");
    let output = docker.run(&["logs", id]);
    for line in [
        "OWN=own = x",
        "BOTH=own",
        "FROM_FILE=file",
        "OVER=ridden",
        "AWS_REGION=us-east-1",
        "user=1000:1001",
        "folder=/tmp",
        "files=1234",
        "host=box",
        "nameserver 192.0.2.53",
        "search corp.example",
        "somaxconn=77",
        "shm=32",
        "read-only",
        "gift=/dev/gift",
        // NET_RAW alone.
        "CapBnd:\t0000000000002000",
        "first=sh",
    ] {
        assert!(
            output.lines().any(|found| found == line),
            "{line} is missing in:\n{output}"
        );
    }
    assert!(output.contains("192.0.2.9\tdb"), "{output}");
    let scratch = output
        .lines()
        .find(|line| line.contains(" /scratch "))
        .unwrap();
    assert!(
        scratch.contains("size=1024k") && scratch.contains("noexec"),
        "{scratch}"
    );
    for variable in [
        "ECS_CONTAINER_METADATA_URI_V4=http://",
        "ECS_AGENT_URI=http://",
    ] {
        assert!(
            output.contains(variable),
            "{variable} is missing in:\n{output}"
        );
    }
    let inspected = docker.run(&["inspect", "--format", "{{json .}}", id]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let host = &inspected["HostConfig"];
    assert_eq!(host["CpuShares"], 128);
    assert_eq!(host["Memory"], 64 << 20);
    assert_eq!(host["MemoryReservation"], 16 << 20);
    assert_eq!(inspected["Config"]["Labels"]["team"], "7");
    assert_eq!(
        inspected["Config"]["Labels"]["com.amazonaws.ecs.container-name"],
        "app"
    );
    field.finish();
}

#[test]
fn volumes_of_every_kind_are_shared_and_go_when_their_kind_says() {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &["--cleanup-wait", "1s"]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("greeting"), "hello from the host\n").unwrap();
    let shared = format!("shared-{}", std::process::id());
    let mount = |volume: &str, path: &str, read_only: bool| json!({ "sourceVolume": volume, "containerPath": path, "readOnly": read_only });
    let writer = shell(
        "writer",
        "cat /host/greeting && ! touch /host/x && echo n > /scratch/n && echo s > /shared/s \
         && echo t > /own/t",
        &json!({ "essential": false, "mountPoints": [mount("host", "/host", true),
            mount("scratch", "/scratch", false), mount("shared", "/shared", false),
            mount("own", "/own", false)] }),
    );
    let reader = shell(
        "reader",
        "cat /scratch/n /shared/s /own/t && ! touch /scratch/y; echo $? > /dev/null; sleep 600",
        &json!({ "volumesFrom": [{ "sourceContainer": "writer", "readOnly": true }],
            "dependsOn": [{ "containerName": "writer", "condition": "COMPLETE" }] }),
    );
    let docker_volume = |scope: &str| json!({ "scope": scope, "driver": "local" });
    let mut provisioned = docker_volume("shared");
    provisioned["autoprovision"] = json!(true);
    let own = docker_volume("task");
    let mut volumes = json!([
        { "name": "host", "host": { "sourcePath": folder.path() } },
        { "name": "scratch" },
        { "name": "shared", "dockerVolumeConfiguration": provisioned },
        { "name": "own", "dockerVolumeConfiguration": own },
    ]);
    // Docker's volumes are named as the definition says when they are shared.
    volumes[2]["name"] = json!(shared);
    let mut containers = json!([writer, reader]);
    containers[0]["mountPoints"][2]["sourceVolume"] = json!(shared);
    field.register("volumes", &containers, &json!({ "volumes": volumes }));
    let volumes_there = || docker.run(&["volume", "ls", "--quiet"]);
    let before = volumes_there().lines().count();
    let task = field.run("volumes", &json!({}));
    let running = field.wait_until(&task, "RUNNING");
    assert_eq!(exit_code(&running, "writer"), 0, "{running}");
    let id = runtime_id(&running, "reader").to_owned();
    wait_for("what the writer left", SOON, || {
        let said = docker.run(&["logs", &id]);
        (said == "n\ns\nt").then_some(())
    });
    assert_eq!(volumes_there().lines().count(), before + 3);
    field.stop(&task);
    field.wait_until(&task, "STOPPED");
    let label = format!("label=com.amazonaws.ecs.task-arn={task}");
    wait_for("containers and volumes of the task to go", SOON, || {
        let containers = docker.run(&["ps", "--all", "--quiet", "--filter", &label]);
        let left = volumes_there();
        (containers.is_empty() && left.lines().count() == before + 1).then_some(())
    });
    assert!(volumes_there().lines().any(|name| name == shared));
    let _ = docker.run(&["volume", "rm", &shared]);
    assert!(Path::new(&folder.path().join("greeting")).exists());
    field.finish();
}

#[test]
fn an_images_own_stop_signal_is_heeded() {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &[]);
    let folder = tempfile::tempdir().unwrap();
    let file = format!("FROM {IMAGE}\nSTOPSIGNAL SIGUSR1\n");
    std::fs::write(folder.path().join("Dockerfile"), file).unwrap();
    let signal = "berth/signal:local";
    let _ = docker.run(&[
        "build",
        "--tag",
        signal,
        &folder.path().display().to_string(),
    ]);
    let line = "trap 'exit 7' USR1; trap 'exit 8' TERM; while :; do sleep 0.1; done";
    let container = shell("main", line, &json!({ "image": signal, "stopTimeout": 20 }));
    field.register("signal", &json!([container]), &json!({}));
    let task = field.run("signal", &json!({}));
    field.wait_until(&task, "RUNNING");
    field.stop(&task);
    let stopped = field.wait_until(&task, "STOPPED");
    assert_eq!(exit_code(&stopped, "main"), 7, "{stopped}");
    field.finish();
}

#[test]
fn a_start_timeout_ends_a_wait_that_is_in_vain() {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &[]);
    let check = json!({ "command": ["CMD", "false"], "interval": 5, "retries": 10 });
    let never = shell(
        "never",
        "sleep 600",
        &json!({ "healthCheck": check, "startTimeout": 3 }),
    );
    let waits = shell(
        "waits",
        "sleep 600",
        &json!({ "dependsOn": [
        { "containerName": "never", "condition": "HEALTHY" }] }),
    );
    field.register("vain", &json!([never, waits]), &json!({}));
    let task = field.run("vain", &json!({}));
    let stopped = field.wait_until(&task, "STOPPED");
    assert!(exit_code(&stopped, "waits").is_null(), "{stopped}");
    let mut containers = stopped["containers"].as_array().unwrap().iter();
    let waits = containers.find(|one| one["name"] == "waits").unwrap();
    let reason = waits["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("never"), "{stopped}");
    field.finish();
}

#[test]
fn ports_of_every_kind_are_told_and_lead_into_the_container() {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &[]);
    let listen = |port: u16| format!("while :; do echo at {port} | nc -l -p {port}; done & ");
    let line = [80, 81, 90, 91].map(listen).concat() + "sleep 600";
    let container = shell(
        "main",
        &line,
        &json!({ "portMappings": [
        { "containerPort": 80, "hostPort": 18_123 }, { "containerPort": 81 },
        { "containerPortRange": "90-91" }, { "containerPort": 53, "protocol": "udp" }] }),
    );
    field.register("ports", &json!([container]), &json!({}));
    let task = field.run("ports", &json!({}));
    let running = field.wait_until(&task, "RUNNING");
    let bindings = running["containers"][0]["networkBindings"]
        .as_array()
        .unwrap();
    let of = |name: &str, value: Value| {
        bindings
            .iter()
            .find(|one| one[name] == value)
            .unwrap_or_else(|| panic!("{running}"))
    };
    assert_eq!(of("containerPort", json!(80))["hostPort"], 18_123);
    assert_eq!(of("containerPort", json!(53))["protocol"], "udp");
    let dynamic = of("containerPort", json!(81))["hostPort"].as_u64().unwrap();
    let range = of("containerPortRange", json!("90-91"))["hostPortRange"]
        .as_str()
        .unwrap();
    let first: u64 = range.split_once('-').unwrap().0.parse().unwrap();
    for (host, inside) in [(18_123, 80), (dynamic, 81), (first, 90), (first + 1, 91)] {
        let text = wait_for("an answer from the container", SOON, || {
            let port = u16::try_from(host).unwrap();
            let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
            let mut text = String::new();
            stream.read_to_string(&mut text).ok()?;
            (!text.is_empty()).then_some(text)
        });
        assert_eq!(text, format!("at {inside}\n"));
    }
    // The fixed one is taken.
    let answer = field.try_run("ports", &json!({}));
    assert_eq!(
        answer["failures"][0]["reason"], "RESOURCE:PORTS",
        "{answer}"
    );
    field.stop(&task);
    field.wait_until(&task, "STOPPED");
    field.finish();
}
