//! Expected values: the agent protocol reference, §4.3 and the pitfalls of §10.

use std::sync::Arc;

use berth_model::definition::{ContainerFacts, DefinitionStatus};
use berth_model::id::{InstanceId, TaskId};
use berth_model::scheduler::DeploymentId;
use berth_model::tags::Tags;
use berth_model::task::{
    ContainerSeen, LastStatus, LaunchType, Membership, Seen, TaskOverrides, TaskSpec,
};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

/// A task and its definition, as a test changes them.
struct Given {
    body: Value,
    overrides: Option<Value>,
    task: Task,
    mode: NetworkMode,
    task_size: (Option<u32>, Option<u32>),
    gpus: Vec<u32>,
    cx: PayloadContext,
}

fn given(containers: Value) -> Given {
    given_body(json!({ "containerDefinitions": containers }))
}

fn given_body(body: Value) -> Given {
    let at = Timestamp::from_millis(1_000);
    let spec = TaskSpec {
        cluster: "123456789012/us-east-1/default".parse().unwrap(),
        definition: "123456789012/us-east-1/web:3".parse().unwrap(),
        group: "family:web".into(),
        started_by: None,
        service: None,
        launch_type: LaunchType::Ec2,
        capacity_provider: None,
        platform_version: None,
        overrides: None,
        network: None,
        constraints: Vec::new(),
        strategy: Vec::new(),
        execute_command: false,
        client_token: None,
        created_at: at,
    };
    let task = Task {
        id: TaskId::from_bytes([0xaa; 16]),
        spec: Arc::new(spec),
        instance: Some(InstanceId::from_bytes([1; 16])),
        gpus: Vec::new(),
        tags: Tags::default(),
        desired: Desired::Running,
        stop: None,
        protected_until: None,
        last: LastStatus::Pending,
        seen: Seen {
            containers: vec![ContainerSeen::default()],
            ..Seen::default()
        },
        version: 1,
    };
    Given {
        body,
        overrides: None,
        task,
        mode: NetworkMode::Bridge,
        task_size: (None, None),
        gpus: Vec::new(),
        cx: PayloadContext {
            agent: AgentKind::Berth,
            logs: LogRoute::default(),
            zone: None,
            digests: Vec::new(),
            role_credentials: None,
            execution_role_credentials: None,
            log_credentials: None,
        },
    }
}

impl Given {
    fn mode(mut self, mode: NetworkMode) -> Self {
        self.mode = mode;
        self
    }

    fn overridden(mut self, overrides: Value) -> Self {
        self.overrides = Some(overrides);
        self
    }

    fn spec(mut self, change: impl FnOnce(&mut TaskSpec)) -> Self {
        change(Arc::make_mut(&mut self.task.spec));
        self
    }

    fn try_render(mut self) -> Result<proto::Task, Unrenderable> {
        let body: ecs::TaskDefinition = serde_json::from_value(self.body.clone()).unwrap();
        let containers = body.container_definitions.iter().flatten().enumerate();
        let facts = DefinitionFacts {
            cpu: self.task_size.0,
            memory: self.task_size.1,
            network_mode: self.mode,
            compatibilities: vec!["EC2".into()],
            requires_attributes: Vec::new(),
            member_of: Vec::new(),
            containers: containers
                .map(|(index, container)| ContainerFacts {
                    name: container.name.as_deref().unwrap().into(),
                    image: container.image.as_deref().unwrap().into(),
                    essential: true,
                    cpu: 0,
                    memory: None,
                    memory_reservation: None,
                    gpus: self.gpus.get(index).copied().unwrap_or_default(),
                    ports: Vec::new(),
                    dynamic_ports: 0,
                    health_check: container.health_check.is_some(),
                    keeps_tag: false,
                })
                .collect(),
            task_role: false,
        };
        if let Some(given) = &self.overrides {
            let number = |name: &str| given[name].as_str().map(|text| text.parse().unwrap());
            let overrides = TaskOverrides {
                cpu: number("cpu"),
                memory: number("memory"),
                containers: Vec::new(),
                given: Text::new(&given.to_string()),
            };
            let spec = Arc::make_mut(&mut self.task.spec);
            spec.overrides = Some(Box::new(overrides));
        }
        let definition = TaskDefinition {
            key: self.task.spec.definition.clone(),
            status: DefinitionStatus::Active,
            body: serde_json::value::to_raw_value(&self.body).unwrap().into(),
            facts: Arc::new(facts),
            registered_at: Timestamp::from_millis(1_000),
            registered_by: "arn:aws:iam::123456789012:root".into(),
            deregistered_at: None,
            delete_requested_at: None,
            tags: Tags::default(),
        };
        render(&self.task, &definition, &body, &self.cx)
    }

    fn render(self) -> proto::Task {
        self.try_render().unwrap()
    }

    /// The first container as it stands on the wire.
    fn container(self) -> Value {
        serde_json::to_value(&self.render().containers[0]).unwrap()
    }

    fn config(self) -> Value {
        docker_string(&self.container(), "config")
    }

    fn host_config(self) -> Value {
        docker_string(&self.container(), "hostConfig")
    }
}

/// Docker's part is a string that holds JSON, not JSON (pitfall 12).
fn docker_string(container: &Value, name: &str) -> Value {
    let text = container["dockerConfig"][name].as_str().unwrap();
    serde_json::from_str(text).unwrap()
}

/// A definition of one container with these members beside name and image.
fn one(members: Value) -> Given {
    let mut container = json!({ "name": "app", "image": "nginx:1" });
    for (name, value) in members.as_object().unwrap() {
        container[name] = value.clone();
    }
    given(json!([container]))
}

fn check(rendered: &impl serde::Serialize, expected: &Expect) {
    expected.assert_eq(&(serde_json::to_string_pretty(rendered).unwrap() + "\n"));
}

fn credentials() -> proto::Credentials {
    proto::Credentials {
        credentials_id: "c1".to_owned(),
        role_arn: "arn:aws:iam::123456789012:role/r".to_owned(),
        access_key_id: "a".to_owned(),
        secret_access_key: "b".to_owned(),
        session_token: "t".to_owned(),
        expiration: "2026-12-01T00:00:00Z".to_owned(),
    }
}

/// §4.3.7: what it shows, and the fields that our server knows besides.
#[test]
fn the_minimal_payload_runs_on_a_stock_agent() {
    let task = one(json!({
        "essential": true, "cpu": 128, "memory": 256,
        "environment": [{ "name": "A", "value": "b" }],
        "portMappings": [{ "containerPort": 80, "hostPort": 0, "protocol": "tcp" }],
    }))
    .spec(|spec| spec.launch_type = LaunchType::External)
    .render();
    check(
        &task,
        &expect![[r#"
        {
          "arn": "arn:aws:ecs:us-east-1:123456789012:task/default/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "desiredStatus": "RUNNING",
          "family": "web",
          "version": "3",
          "containers": [
            {
              "name": "app",
              "image": "nginx:1",
              "containerArn": "arn:aws:ecs:us-east-1:123456789012:container/default/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaf0ab",
              "essential": true,
              "environment": {
                "A": "b",
                "AWS_EXECUTION_ENV": "AWS_ECS_EC2"
              },
              "cpu": 128,
              "memory": 256,
              "portMappings": [
                {
                  "containerPort": 80,
                  "hostPort": 0,
                  "protocol": "tcp"
                }
              ],
              "overrides": "{}",
              "dockerConfig": {
                "version": "1.21",
                "config": "{}",
                "hostConfig": "{\"NetworkMode\":\"bridge\"}"
              }
            }
          ],
          "overrides": "{}",
          "networkMode": "bridge",
          "launchType": "EXTERNAL",
          "group": "family:web",
          "taskClusterArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
          "taskDefinitionAccountId": "123456789012"
        }
    "#]],
    );
}

#[test]
fn a_stop_names_the_task_and_nothing_that_could_fail_to_parse() {
    let mut stopping = one(json!({}));
    stopping.task.desired = Desired::Stopped;
    check(
        &stopping.render(),
        &expect![[r#"
        {
          "arn": "arn:aws:ecs:us-east-1:123456789012:task/default/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
          "desiredStatus": "STOPPED",
          "containers": []
        }
    "#]],
    );
}

#[test]
fn user_directory_hostname_labels_and_terminal_go_to_dockers_config() {
    let config = one(json!({
        "user": "1000:1000", "workingDirectory": "/srv", "hostname": "web",
        "dockerLabels": { "team": "a" }, "disableNetworking": true,
        "interactive": true, "pseudoTerminal": true,
    }))
    .config();
    check(
        &config,
        &expect![[r#"
        {
          "Hostname": "web",
          "Labels": {
            "team": "a"
          },
          "NetworkDisabled": true,
          "OpenStdin": true,
          "Tty": true,
          "User": "1000:1000",
          "WorkingDir": "/srv"
        }
    "#]],
    );
}

/// Pitfall 25.
#[test]
fn a_health_check_goes_to_dockers_config_in_nanoseconds() {
    let container = one(json!({ "healthCheck": {
        "command": ["CMD-SHELL", "true"], "interval": 5, "timeout": 2, "retries": 4, "startPeriod": 10,
    } }))
    .container();
    assert_eq!(container["healthCheckType"], "docker");
    check(
        &docker_string(&container, "config"),
        &expect![[r#"
        {
          "Healthcheck": {
            "Interval": 5000000000,
            "Retries": 4,
            "StartPeriod": 10000000000,
            "Test": [
              "CMD-SHELL",
              "true"
            ],
            "Timeout": 2000000000
          }
        }
    "#]],
    );
}

#[test]
fn a_container_without_a_health_check_does_not_claim_one() {
    let container = one(json!({})).container();
    assert_eq!(container["healthCheckType"], Value::Null);
    assert_eq!(docker_string(&container, "config"), json!({}));
}

/// Pitfall 26.
#[test]
fn privileges_limits_and_linux_parameters_go_to_dockers_host_config() {
    let container = one(json!({
        "privileged": true, "readonlyRootFilesystem": true,
        "memory": 64, "memoryReservation": 32,
        "linuxParameters": {
            "capabilities": { "add": ["NET_ADMIN"], "drop": ["MKNOD"] },
            "devices": [
                { "hostPath": "/dev/fuse" },
                { "hostPath": "/dev/a", "containerPath": "/dev/b", "permissions": ["read", "write"] },
            ],
            "initProcessEnabled": true, "sharedMemorySize": 128,
            "tmpfs": [{ "containerPath": "/run", "size": 64, "mountOptions": ["noexec"] }],
            "maxSwap": 16, "swappiness": 10,
        },
        "ulimits": [{ "name": "nofile", "softLimit": 1024, "hardLimit": 2048 }],
        "systemControls": [{ "namespace": "net.core.somaxconn", "value": "1024" }],
        "dnsServers": ["10.0.0.2"], "dnsSearchDomains": ["example.com"],
        "extraHosts": [{ "hostname": "db", "ipAddress": "10.0.0.3" }],
        "dockerSecurityOptions": ["no-new-privileges"],
    }))
    .container();
    check(
        &docker_string(&container, "hostConfig"),
        &expect![[r#"
        {
          "CapAdd": [
            "NET_ADMIN"
          ],
          "CapDrop": [
            "MKNOD"
          ],
          "Devices": [
            {
              "CgroupPermissions": "rwm",
              "PathInContainer": "/dev/fuse",
              "PathOnHost": "/dev/fuse"
            },
            {
              "CgroupPermissions": "rw",
              "PathInContainer": "/dev/b",
              "PathOnHost": "/dev/a"
            }
          ],
          "Dns": [
            "10.0.0.2"
          ],
          "DnsSearch": [
            "example.com"
          ],
          "ExtraHosts": [
            "db:10.0.0.3"
          ],
          "Init": true,
          "MemoryReservation": 33554432,
          "MemorySwap": 83886080,
          "MemorySwappiness": 10,
          "NetworkMode": "bridge",
          "Privileged": true,
          "ReadonlyRootfs": true,
          "SecurityOpt": [
            "no-new-privileges"
          ],
          "ShmSize": 134217728,
          "Sysctls": {
            "net.core.somaxconn": "1024"
          },
          "Tmpfs": {
            "/run": "noexec,size=64m"
          },
          "Ulimits": [
            {
              "Hard": 2048,
              "Name": "nofile",
              "Soft": 1024
            }
          ]
        }
    "#]],
    );
    for schema_field in ["linuxParameters", "privileged", "user", "ulimits"] {
        assert_eq!(container[schema_field], Value::Null, "{schema_field}");
    }
}

#[test]
fn swap_needs_a_hard_limit_and_swappiness_needs_a_limit_on_swap() {
    let without_memory = one(json!({ "linuxParameters": { "maxSwap": 16 } })).host_config();
    assert_eq!(without_memory["MemorySwap"], Value::Null);
    let without_swap = one(json!({ "memory": 64, "linuxParameters": { "swappiness": 10 } }));
    assert_eq!(without_swap.host_config()["MemorySwappiness"], Value::Null);
    let no_swap = one(json!({ "memory": 64, "linuxParameters": { "maxSwap": 0 } })).host_config();
    assert_eq!(no_swap["MemorySwap"], 64 * 1024 * 1024);
}

/// What the agent works out itself would be replaced by what stands here.
#[test]
fn nothing_that_the_agent_works_out_stands_in_dockers_strings() {
    let container = one(json!({
        "command": ["run"], "environment": [{ "name": "A", "value": "b" }], "memory": 64,
        "portMappings": [{ "containerPort": 80 }],
        "mountPoints": [{ "sourceVolume": "v", "containerPath": "/v" }],
    }))
    .container();
    let (config, host) = (
        docker_string(&container, "config"),
        docker_string(&container, "hostConfig"),
    );
    for name in ["Env", "Cmd", "Image", "Entrypoint", "ExposedPorts"] {
        assert_eq!(config[name], Value::Null, "{name}");
    }
    for name in ["Binds", "PortBindings", "Memory", "CpuShares", "Links"] {
        assert_eq!(host[name], Value::Null, "{name}");
    }
}

/// Pitfall 27.
#[test]
fn dockers_network_mode_stands_in_every_host_config() {
    let mode_of = |mode: NetworkMode| {
        let task = one(json!({})).mode(mode).render();
        let container = serde_json::to_value(&task.containers[0]).unwrap();
        let docker = docker_string(&container, "hostConfig")["NetworkMode"].clone();
        (task.network_mode.unwrap(), docker)
    };
    assert_eq!(
        mode_of(NetworkMode::Bridge),
        ("bridge".into(), "bridge".into())
    );
    assert_eq!(mode_of(NetworkMode::Host), ("host".into(), "host".into()));
    assert_eq!(mode_of(NetworkMode::None), ("none".into(), "none".into()));
    assert_eq!(mode_of(NetworkMode::Awsvpc), ("awsvpc".into(), Value::Null));
}

#[test]
fn only_our_agent_is_asked_to_make_the_network_of_an_awsvpc_task() {
    let asked = |agent, mode| {
        let mut given = one(json!({})).mode(mode);
        given.cx.agent = agent;
        given.render().berth_awsvpc.is_some()
    };
    assert!(asked(AgentKind::Berth, NetworkMode::Awsvpc));
    assert!(!asked(AgentKind::Berth, NetworkMode::Bridge));
    assert!(!asked(AgentKind::Stock, NetworkMode::Awsvpc));
}

/// Pitfalls 12 and 13.
#[test]
fn environment_is_a_map_and_overrides_are_an_empty_string_of_json() {
    let task = one(json!({ "environment": [{ "name": "A", "value": "b" }, { "name": "C" }] }));
    let rendered = serde_json::to_value(task.render()).unwrap();
    assert_eq!(rendered["overrides"], "{}");
    let container = &rendered["containers"][0];
    assert_eq!(container["overrides"], "{}");
    assert_eq!(
        container["environment"],
        json!({ "A": "b", "C": "", "AWS_EXECUTION_ENV": "AWS_ECS_EC2" })
    );
}

/// Pitfall 12: a fraction where Go wants an integer makes the message vanish.
#[test]
fn every_number_but_the_tasks_cpu_is_an_integer() {
    fn fractions(value: &Value, path: String, found: &mut Vec<String>) {
        match value {
            Value::Number(number) if number.is_f64() => found.push(path),
            Value::Array(list) => {
                for (at, element) in list.iter().enumerate() {
                    fractions(element, format!("{path}.{at}"), found);
                }
            }
            Value::Object(map) => {
                for (name, member) in map {
                    fractions(member, format!("{path}.{name}"), found);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut task = one(json!({
        "cpu": 128, "memory": 256, "startTimeout": 5, "stopTimeout": 6,
        "restartPolicy": { "enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 60 },
        "portMappings": [{ "containerPort": 80, "hostPort": 8080 }],
    }));
    task.task_size = (Some(512), Some(1024));
    let rendered = serde_json::to_value(task.render()).unwrap();
    let mut found = Vec::new();
    fractions(&rendered, "task".to_owned(), &mut found);
    assert_eq!(found, ["task.cpu"]);
    assert_eq!(
        (&rendered["cpu"], &rendered["memory"]),
        (&json!(0.5), &json!(1024))
    );
}

/// Pitfall 14.
#[test]
fn a_task_without_containers_is_never_sent_to_run() {
    let refused = given(json!([])).try_render();
    assert!(matches!(refused, Err(Unrenderable::NoContainers)));
}

#[test]
fn damaged_overrides_are_an_error_and_not_a_panic() {
    let mut damaged = one(json!({})).overridden(json!({}));
    damaged.overrides = Some(json!({ "containerOverrides": "app" }));
    let refused = damaged.try_render();
    assert!(matches!(refused, Err(Unrenderable::Overrides(_))));
}

#[test]
fn overrides_are_merged_into_the_fields() {
    let mut task = given(json!([
        {
            "name": "app", "image": "a", "command": ["old"], "cpu": 10, "memory": 64,
            "environment": [{ "name": "A", "value": "1" }, { "name": "B", "value": "2" }],
            "environmentFiles": [{ "type": "s3", "value": "arn:aws:s3:::b/old.env" }],
        },
        { "name": "side", "image": "a", "command": ["kept"] },
    ]))
    .overridden(json!({
        "cpu": "1024", "memory": "2048",
        "containerOverrides": [{
            "name": "app", "command": ["new", "x"], "cpu": 20, "memory": 128, "memoryReservation": 96,
            "environment": [{ "name": "B", "value": "3" }, { "name": "C", "value": "4" }],
            "environmentFiles": [{ "type": "s3", "value": "arn:aws:s3:::b/new.env" }],
        }],
    }));
    task.task_size = (Some(256), Some(512));
    let task = task.render();
    assert_eq!((task.cpu, task.memory), (Some(1.0), Some(2048)));
    check(
        &task.containers,
        &expect![[r#"
        [
          {
            "name": "app",
            "image": "a",
            "containerArn": "arn:aws:ecs:us-east-1:123456789012:container/default/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaf0ab",
            "essential": true,
            "command": [
              "new",
              "x"
            ],
            "environment": {
              "A": "1",
              "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
              "B": "3",
              "C": "4"
            },
            "environmentFiles": [
              {
                "value": "arn:aws:s3:::b/new.env",
                "type": "s3"
              }
            ],
            "cpu": 20,
            "memory": 128,
            "overrides": "{}",
            "dockerConfig": {
              "version": "1.21",
              "config": "{}",
              "hostConfig": "{\"MemoryReservation\":100663296,\"NetworkMode\":\"bridge\"}"
            }
          },
          {
            "name": "side",
            "image": "a",
            "containerArn": "arn:aws:ecs:us-east-1:123456789012:container/default/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa/aaaaaaaa-aaaa-4aaa-aaaa-aaaaaaaaf0a8",
            "essential": true,
            "command": [
              "kept"
            ],
            "environment": {
              "AWS_EXECUTION_ENV": "AWS_ECS_EC2"
            },
            "cpu": 0,
            "memory": 0,
            "overrides": "{}",
            "dockerConfig": {
              "version": "1.21",
              "config": "{}",
              "hostConfig": "{\"NetworkMode\":\"bridge\"}"
            }
          }
        ]
    "#]],
    );
}

#[test]
fn an_empty_command_in_an_override_leaves_the_definitions() {
    let container = one(json!({ "command": ["run"] }))
        .overridden(json!({ "containerOverrides": [{ "name": "app", "command": [] }] }))
        .container();
    assert_eq!(container["command"], json!(["run"]));
}

#[test]
fn fargate_tasks_are_told_where_they_run() {
    let container = one(json!({}))
        .spec(|spec| spec.launch_type = LaunchType::Fargate)
        .container();
    assert_eq!(
        container["environment"]["AWS_EXECUTION_ENV"],
        "AWS_ECS_FARGATE"
    );
}

#[test]
fn containers_are_essential_unless_the_definition_says_otherwise() {
    assert_eq!(one(json!({})).container()["essential"], true);
    assert_eq!(
        one(json!({ "essential": false })).container()["essential"],
        false
    );
}

#[test]
fn ports_are_single_or_ranges_and_the_mode_decides_the_hosts() {
    let mappings = json!([
        { "containerPort": 80 },
        { "containerPort": 53, "hostPort": 5353, "protocol": "udp", "name": "dns", "appProtocol": "http" },
        { "containerPortRange": "9000-9002" },
        {},
    ]);
    let ports = |mode| {
        let container = one(json!({ "portMappings": mappings }))
            .mode(mode)
            .container();
        container["portMappings"].clone()
    };
    let range = json!({ "containerPortRange": "9000-9002", "protocol": "tcp" });
    assert_eq!(
        ports(NetworkMode::Bridge),
        json!([
            { "containerPort": 80, "hostPort": 0, "protocol": "tcp" },
            { "containerPort": 53, "hostPort": 5353, "protocol": "udp" },
            range,
        ])
    );
    assert_eq!(
        ports(NetworkMode::Awsvpc),
        json!([
            { "containerPort": 80, "hostPort": 80, "protocol": "tcp" },
            { "containerPort": 53, "hostPort": 53, "protocol": "udp" },
            range,
        ])
    );
}

/// Pitfall 28.
#[test]
fn volumes_of_every_kind_carry_the_object_that_their_type_wants() {
    let task = given_body(json!({
        "containerDefinitions": [{
            "name": "app", "image": "a",
            "mountPoints": [
                { "sourceVolume": "scratch", "containerPath": "/s" },
                { "sourceVolume": "folder", "containerPath": "/f", "readOnly": true },
                {},
            ],
            "volumesFrom": [{ "sourceContainer": "side", "readOnly": true }],
        }],
        "volumes": [
            { "name": "scratch" },
            { "name": "empty", "host": {} },
            { "name": "folder", "host": { "sourcePath": "/srv" } },
            { "name": "shared", "dockerVolumeConfiguration": {
                "scope": "shared", "autoprovision": true, "driver": "local",
                "driverOpts": { "type": "tmpfs" }, "labels": { "a": "b" } } },
            { "name": "task", "dockerVolumeConfiguration": {} },
            { "name": "nfs", "efsVolumeConfiguration": {
                "fileSystemId": "fs-1", "rootDirectory": "/x", "transitEncryption": "ENABLED",
                "transitEncryptionPort": 2999,
                "authorizationConfig": { "accessPointId": "fsap-1", "iam": "ENABLED" } } },
            { "name": "later", "configuredAtLaunch": true },
        ],
    }))
    .render();
    check(
        &json!({
            "volumes": task.volumes,
            "mountPoints": task.containers[0].mount_points,
            "volumesFrom": task.containers[0].volumes_from,
        }),
        &expect![[r#"
            {
              "mountPoints": [
                {
                  "containerPath": "/s",
                  "sourceVolume": "scratch"
                },
                {
                  "containerPath": "/f",
                  "readOnly": true,
                  "sourceVolume": "folder"
                }
              ],
              "volumes": [
                {
                  "host": {},
                  "name": "scratch",
                  "type": "host"
                },
                {
                  "host": {},
                  "name": "empty",
                  "type": "host"
                },
                {
                  "host": {
                    "sourcePath": "/srv"
                  },
                  "name": "folder",
                  "type": "host"
                },
                {
                  "dockerVolumeConfiguration": {
                    "autoprovision": true,
                    "driver": "local",
                    "driverOpts": {
                      "type": "tmpfs"
                    },
                    "labels": {
                      "a": "b"
                    },
                    "scope": "shared"
                  },
                  "name": "shared",
                  "type": "docker"
                },
                {
                  "dockerVolumeConfiguration": {
                    "autoprovision": false,
                    "scope": "task"
                  },
                  "name": "task",
                  "type": "docker"
                },
                {
                  "efsVolumeConfiguration": {
                    "authorizationConfig": {
                      "accessPointId": "fsap-1",
                      "iam": "ENABLED"
                    },
                    "fileSystemId": "fs-1",
                    "rootDirectory": "/x",
                    "transitEncryption": "ENABLED",
                    "transitEncryptionPort": 2999
                  },
                  "name": "nfs",
                  "type": "efs"
                },
                {
                  "name": "later"
                }
              ],
              "volumesFrom": [
                {
                  "readOnly": true,
                  "sourceContainer": "side"
                }
              ]
            }
        "#]],
    );
}

#[test]
fn order_timeouts_restarts_and_links_are_passed_on() {
    let container = one(json!({
        "entryPoint": ["/bin/sh"], "links": ["db:database"],
        "dependsOn": [{ "containerName": "db", "condition": "HEALTHY" }],
        "startTimeout": 30, "stopTimeout": 5,
        "restartPolicy": { "enabled": true, "ignoredExitCodes": [0, 3], "restartAttemptPeriod": 60 },
        "firelensConfiguration": { "type": "fluentbit", "options": { "a": "b" } },
    }))
    .container();
    let picked = [
        "entryPoint",
        "links",
        "dependsOn",
        "startTimeout",
        "stopTimeout",
        "restartPolicy",
        "firelensConfiguration",
    ];
    let picked: serde_json::Map<String, Value> = picked
        .iter()
        .map(|name| ((*name).to_owned(), container[*name].clone()))
        .collect();
    check(
        &picked,
        &expect![[r#"
        {
          "dependsOn": [
            {
              "condition": "HEALTHY",
              "containerName": "db"
            }
          ],
          "entryPoint": [
            "/bin/sh"
          ],
          "firelensConfiguration": {
            "options": {
              "a": "b"
            },
            "type": "fluentbit"
          },
          "links": [
            "db:database"
          ],
          "restartPolicy": {
            "enabled": true,
            "ignoredExitCodes": [
              0,
              3
            ],
            "restartAttemptPeriod": 60
          },
          "startTimeout": 30,
          "stopTimeout": 5
        }
    "#]],
    );
}

#[test]
fn process_and_ipc_modes_proxy_and_service_stand_on_the_task() {
    let task = given_body(json!({
        "containerDefinitions": [{ "name": "app", "image": "a" }],
        "pidMode": "task", "ipcMode": "none", "enableFaultInjection": true,
        "proxyConfiguration": {
            "containerName": "envoy", "properties": [{ "name": "AppPorts", "value": "80" }],
        },
    }))
    .spec(|spec| {
        spec.service = Some(Membership {
            service: "web".parse().unwrap(),
            deployment: DeploymentId::FIRST,
        });
    })
    .render();
    assert_eq!(task.pid_mode.as_deref(), Some("task"));
    assert_eq!(task.ipc_mode.as_deref(), Some("none"));
    assert_eq!(task.enable_fault_injection, Some(true));
    assert_eq!(task.service_name.as_deref(), Some("web"));
    let proxy = task.proxy_configuration.unwrap();
    assert_eq!(
        (proxy.kind.as_str(), proxy.container_name.as_str()),
        ("APPMESH", "envoy")
    );
    assert_eq!(proxy.properties["AppPorts"], "80");
}

#[test]
fn each_gpu_belongs_to_one_container() {
    let mut task = given(json!([
        { "name": "one", "image": "a" },
        { "name": "none", "image": "a" },
        { "name": "two", "image": "a" },
    ]));
    task.gpus = vec![1, 0, 2];
    task.task.gpus = vec!["GPU-a".into(), "GPU-b".into(), "GPU-c".into()];
    let given: Vec<(String, Vec<String>)> = task
        .render()
        .associations
        .into_iter()
        .map(|association| (association.name, association.containers))
        .collect();
    let expected = [("GPU-a", "one"), ("GPU-b", "two"), ("GPU-c", "two")];
    let expected = expected.map(|(gpu, owner)| (gpu.to_owned(), vec![owner.to_owned()]));
    assert_eq!(given, expected);
}

#[test]
fn an_awslogs_stream_is_named_after_prefix_container_and_task() {
    let log = json!({ "logConfiguration": { "logDriver": "awslogs", "options": {
        "awslogs-group": "/ecs/web", "awslogs-stream-prefix": "p", "mode": "non-blocking",
    } } });
    check(
        &one(log).host_config()["LogConfig"],
        &expect![[r#"
        {
          "Config": {
            "awslogs-group": "/ecs/web",
            "awslogs-region": "us-east-1",
            "awslogs-stream": "p/app/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "mode": "non-blocking"
          },
          "Type": "awslogs"
        }
    "#]],
    );
}

#[test]
fn a_stock_agents_docker_is_told_where_the_logs_service_is() {
    let mut stock = one(
        json!({ "logConfiguration": { "logDriver": "awslogs", "options": {
        "awslogs-group": "g", "awslogs-region": "eu-west-1",
    } } }),
    );
    stock.cx.agent = AgentKind::Stock;
    stock.cx.logs.endpoint = Some("http://10.0.0.1:7070".to_owned());
    stock.cx.logs.credentials_path = Some("/v2/credentials/c1".to_owned());
    stock.cx.execution_role_credentials = Some(credentials());
    let container = stock.container();
    assert_eq!(container["logsAuthStrategy"], "ExecutionRole");
    check(
        &docker_string(&container, "hostConfig")["LogConfig"],
        &expect![[r#"
            {
              "Config": {
                "awslogs-credentials-endpoint": "/v2/credentials/c1",
                "awslogs-endpoint": "http://10.0.0.1:7070",
                "awslogs-group": "g",
                "awslogs-region": "eu-west-1"
              },
              "Type": "awslogs"
            }
        "#]],
    );
}

#[test]
fn other_log_drivers_keep_their_options() {
    let log = json!({ "logConfiguration": { "logDriver": "json-file", "options": { "max-size": "1m" } } });
    let host = one(log).host_config();
    assert_eq!(
        host["LogConfig"],
        json!({ "Type": "json-file", "Config": { "max-size": "1m" } })
    );
    assert_eq!(one(json!({})).host_config()["LogConfig"], Value::Null);
}

#[test]
fn secrets_say_where_they_are_kept_and_what_they_are_for() {
    let container = one(json!({
        "secrets": [
            { "name": "A", "valueFrom": "/param" },
            { "name": "B", "valueFrom": "arn:aws:ssm:eu-west-1:123456789012:parameter/p" },
            { "name": "C", "valueFrom": "arn:aws:secretsmanager:us-west-2:123456789012:secret:s:key::" },
        ],
        "logConfiguration": { "logDriver": "splunk", "secretOptions": [
            { "name": "splunk-token", "valueFrom": "token" },
        ] },
    }))
    .container();
    let secrets: Vec<String> = container["secrets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|secret| {
            let field = |name: &str| secret[name].as_str().unwrap().to_owned();
            let fields = ["name", "provider", "region", "type", "target"];
            fields.map(field).join(" ")
        })
        .collect();
    assert_eq!(
        secrets,
        [
            "A ssm us-east-1 ENVIRONMENT_VARIABLE CONTAINER",
            "B ssm eu-west-1 ENVIRONMENT_VARIABLE CONTAINER",
            "C asm us-west-2 ENVIRONMENT_VARIABLE CONTAINER",
            "splunk-token ssm us-east-1 BOOTSTRAP LOG_DRIVER",
        ]
    );
}

#[test]
fn registries_are_logged_in_to_by_secret_or_as_ecr() {
    let by_secret = one(json!({ "repositoryCredentials": {
        "credentialsParameter": "arn:aws:secretsmanager:us-west-2:123456789012:secret:s",
    } }))
    .container();
    assert_eq!(
        by_secret["registryAuthentication"],
        json!({ "type": "asm", "asmAuthData": {
            "credentialsParameter": "arn:aws:secretsmanager:us-west-2:123456789012:secret:s",
            "region": "us-west-2",
        } })
    );
    let ecr = one(json!({ "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:1" }));
    assert_eq!(
        ecr.container()["registryAuthentication"],
        json!({ "type": "ecr", "ecrAuthData": {
            "registryId": "123456789012", "region": "eu-west-1", "useExecutionRole": false,
        } })
    );
    assert_eq!(
        one(json!({})).container()["registryAuthentication"],
        Value::Null
    );
}

#[test]
fn credentials_and_zone_come_from_the_context() {
    let mut task = one(json!({}));
    task.cx.role_credentials = Some(credentials());
    task.cx.zone = Some("us-east-1a".to_owned());
    let task = task.render();
    assert_eq!(task.role_credentials, Some(credentials()));
    assert_eq!(task.zone.as_deref(), Some("us-east-1a"));
}
