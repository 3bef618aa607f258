//! `aws_ecs_task_definition` and its data source.

use serde_json::{Value, json};

use super::containers::reduced;
use super::{Provider, set, start, tags_in, tags_out};

impl Provider {
    /// `findTaskDefinitionByFamilyOrARN`: whatever is refused with 400 is none, and so is one
    /// that is INACTIVE or being deleted.
    fn find_task_definition(&mut self, family_or_arn: &str) -> Option<(Value, Value)> {
        let input = json!({ "taskDefinition": family_or_arn, "include": ["TAGS"] });
        let found = self.try_call("DescribeTaskDefinition", &input).ok()?;
        let status = &found["taskDefinition"]["status"];
        let gone = status == "INACTIVE" || status == "DELETE_IN_PROGRESS";
        (!gone).then(|| (found["taskDefinition"].clone(), found["tags"].clone()))
    }

    /// `resourceTaskDefinitionCreate`; the ARN.
    pub(super) fn create_task_definition(&mut self, input: &Value) -> String {
        let created = self.call("RegisterTaskDefinition", input);
        let arn = &created["taskDefinition"]["taskDefinitionArn"];
        arn.as_str().unwrap().to_owned()
    }

    /// Creates it, and plans again: what is read is what was configured, in every attribute.
    fn has_no_drift(&mut self, input: &Value) -> String {
        let arn = self.create_task_definition(input);
        let (read, tags) = self.find_task_definition(&arn).unwrap();
        let mut as_configured = input.clone();
        as_configured["tags"] = json!([]);
        assert_eq!(
            attributes(&read, &tags),
            attributes(&as_configured, &input["tags"]),
            "{read}"
        );
        arn
    }
}

/// `resourceTaskDefinitionRead`, of an answer or of the request itself. Without `Computed`, an
/// attribute that is null in one and not in the other is a replacement.
fn attributes(definition: &Value, tags: &Value) -> Value {
    let is_awsvpc = definition["networkMode"] == "awsvpc";
    let platform = &definition["runtimePlatform"];
    let proxy = &definition["proxyConfiguration"];
    json!({
        "container_definitions": reduced(&definition["containerDefinitions"], is_awsvpc),
        "cpu": definition["cpu"],
        "enable_fault_injection": definition["enableFaultInjection"] == true,
        "ephemeral_storage": definition["ephemeralStorage"]["sizeInGiB"],
        "execution_role_arn": definition["executionRoleArn"],
        "family": definition["family"],
        "ipc_mode": definition["ipcMode"],
        "memory": definition["memory"],
        "network_mode": definition["networkMode"],
        "pid_mode": definition["pidMode"],
        "placement_constraints": set(&definition["placementConstraints"]),
        "proxy_configuration": [
            proxy["containerName"], proxy["type"], set(&proxy["properties"]),
        ],
        "requires_compatibilities": set(&definition["requiresCompatibilities"]),
        "runtime_platform": [platform["cpuArchitecture"], platform["operatingSystemFamily"]],
        "task_role_arn": definition["taskRoleArn"],
        "volume": set(&volumes(&definition["volumes"])),
        "tags": tags_out(tags),
    })
}

/// `flattenVolumes`.
fn volumes(volumes: &Value) -> Value {
    let volumes = volumes.as_array().into_iter().flatten();
    let flat = volumes.map(|volume| {
        json!({
            "name": volume["name"],
            "configure_at_launch": volume["configuredAtLaunch"] == true,
            "host_path": volume["host"]["sourcePath"],
            "docker_volume_configuration": volume["dockerVolumeConfiguration"],
            "efs_volume_configuration": volume["efsVolumeConfiguration"],
            "fsx_windows_file_server_volume_configuration":
                volume["fsxWindowsFileServerVolumeConfiguration"],
        })
    });
    flat.collect()
}

#[test]
fn a_task_definition_lives() {
    let (server, mut provider) = start();
    let input = json!({
        "family": "web",
        "containerDefinitions": [{ "name": "app", "image": "none", "memory": 64 }],
        "tags": tags_in(&json!({ "team": "blue" })),
    });
    let first = provider.has_no_drift(&input);
    let second = provider.has_no_drift(&input);
    assert!(second.ends_with(":task-definition/web:2"), "{second}");
    let tags = json!({ "team": "red", "stage": "test" });
    provider.update_tags(&second, &json!({ "team": "blue" }), &tags);
    let (_, read) = provider.find_task_definition(&second).unwrap();
    assert_eq!(tags_out(&read), tags);

    // With `track_latest`, and by the data source, it is found by its family.
    let (latest, _) = provider.find_task_definition("web").unwrap();
    assert_eq!(latest["taskDefinitionArn"], json!(second));
    assert_eq!(latest["revision"], 2);

    // `resourceTaskDefinitionDelete`.
    let deregister = json!({ "taskDefinition": first });
    provider.call("DeregisterTaskDefinition", &deregister);
    assert!(provider.find_task_definition(&first).is_none());
    // Somebody else deletes it: then its destruction is refused with a text that is known.
    let delete = json!({ "taskDefinitions": [first] });
    provider.call("DeleteTaskDefinitions", &delete);
    assert!(provider.find_task_definition(&first).is_none());
    let refused = provider.try_call("DeregisterTaskDefinition", &deregister);
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, "ClientException");
    let text = "in the process of being deleted";
    assert!(refused.message.contains(text), "{refused:?}");
    let absent = first.replace(":1", ":77");
    assert!(provider.find_task_definition(&absent).is_none());
    server.finish();
}

#[test]
fn one_for_instances_with_every_argument_has_no_drift() {
    let (server, mut provider) = start();
    provider.has_no_drift(&json!({
        "family": "everything",
        "networkMode": "bridge",
        "cpu": "512",
        "memory": "256",
        "ipcMode": "task",
        "pidMode": "host",
        "taskRoleArn": "arn:aws:iam::000000000000:role/task",
        "executionRoleArn": "arn:aws:iam::000000000000:role/execution",
        "requiresCompatibilities": ["EC2"],
        "placementConstraints": [
            { "type": "memberOf", "expression": "attribute:ecs.os-type == linux" },
        ],
        // The provider says of every volume whether it is configured at launch.
        "volumes": [
            { "name": "machine", "configuredAtLaunch": false, "host": { "sourcePath": "/data" } },
            { "name": "own", "configuredAtLaunch": false },
            { "name": "shared", "configuredAtLaunch": false, "dockerVolumeConfiguration": {
                "scope": "shared", "autoprovision": true, "driver": "local",
                "driverOpts": { "type": "tmpfs" }, "labels": { "a": "b" } } },
        ],
        "containerDefinitions": [{
            "name": "web",
            "image": "none",
            "cpu": 128,
            "memory": 128,
            "memoryReservation": 64,
            "links": ["side"],
            "portMappings": [
                { "containerPort": 80, "hostPort": 8080, "protocol": "tcp", "name": "http" },
                { "containerPort": 53, "hostPort": 0, "protocol": "udp" },
                { "containerPort": 81 },
            ],
            "essential": true,
            "entryPoint": ["sh", "-c"],
            "command": ["true"],
            "environment": [{ "name": "Z", "value": "1" }, { "name": "A", "value": "2" }],
            "secrets": [
                { "name": "S", "valueFrom": "arn:aws:ssm:us-east-1:000000000000:parameter/s" },
                { "name": "B", "valueFrom": "arn:aws:ssm:us-east-1:000000000000:parameter/b" },
            ],
            "mountPoints": [
                { "sourceVolume": "machine", "containerPath": "/data", "readOnly": true },
            ],
            "volumesFrom": [{ "sourceContainer": "side", "readOnly": false }],
            "linuxParameters": {
                "capabilities": { "add": ["NET_ADMIN"], "drop": ["MKNOD"] },
                "initProcessEnabled": true,
                "sharedMemorySize": 64,
                "tmpfs": [{ "containerPath": "/tmp", "size": 16 }],
            },
            "dependsOn": [{ "containerName": "side", "condition": "START" }],
            "startTimeout": 30,
            "stopTimeout": 20,
            "user": "nobody",
            "workingDirectory": "/srv",
            "privileged": false,
            "readonlyRootFilesystem": true,
            "dnsServers": ["10.0.0.2"],
            "dnsSearchDomains": ["shop.internal"],
            "extraHosts": [{ "hostname": "db", "ipAddress": "10.0.0.3" }],
            "dockerSecurityOptions": ["no-new-privileges"],
            "interactive": true,
            "pseudoTerminal": true,
            "dockerLabels": { "a": "b" },
            "ulimits": [{ "name": "nofile", "softLimit": 1024, "hardLimit": 2048 }],
            "logConfiguration": { "logDriver": "json-file", "options": { "max-size": "1m" } },
            "healthCheck": { "command": ["CMD-SHELL", "true"], "startPeriod": 5 },
            "systemControls": [{ "namespace": "net.core.somaxconn", "value": "1024" }],
        }, {
            "name": "side",
            "image": "none",
            "memory": 64,
            "essential": false,
            "environment": [],
            "portMappings": [],
        }],
    }));
    server.finish();
}

#[test]
fn one_for_fargate_has_no_drift() {
    let (server, mut provider) = start();
    provider.has_no_drift(&json!({
        "family": "fargate",
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::000000000000:role/execution",
        "requiresCompatibilities": ["FARGATE"],
        "ephemeralStorage": { "sizeInGiB": 30 },
        "runtimePlatform": { "cpuArchitecture": "X86_64", "operatingSystemFamily": "LINUX" },
        "volumes": [{ "name": "files", "configuredAtLaunch": false, "efsVolumeConfiguration": {
            "fileSystemId": "fs-12345678",
            "rootDirectory": "/",
            "transitEncryption": "ENABLED",
            "transitEncryptionPort": 2999,
            "authorizationConfig": { "iam": "ENABLED", "accessPointId": "fsap-0123456789abcdef0" },
        } }],
        "containerDefinitions": [{
            "name": "app",
            "image": "none",
            "portMappings": [{ "containerPort": 80 }],
            "mountPoints": [{ "sourceVolume": "files", "containerPath": "/files" }],
            "logConfiguration": { "logDriver": "awslogs", "options": {
                "awslogs-group": "/web", "awslogs-region": "us-east-1",
                "awslogs-stream-prefix": "web" } },
        }],
    }));
    // One that says no platform is not told one.
    provider.has_no_drift(&json!({
        "family": "plain",
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [{ "name": "app", "image": "none" }],
    }));
    server.finish();
}
