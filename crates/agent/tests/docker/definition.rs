//! What a task definition says is what the container gets.

use std::time::Duration;

use berth_agent::runtime::{ErrorKind, Health, Runtime, RuntimeEvent, Status};
use berth_agent_proto::task::{
    Association, Container, DockerVolume, EnvironmentFile, HostVolume, MountPoint, PortMapping,
    Volume, VolumeFrom,
};
use serde_json::json;

use crate::support::{
    Daemon, Running, eventually, instance, isolated, output_of, shell, task, with_config,
    with_host, write,
};

#[test]
fn a_container_runs_to_its_end_and_is_removed() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let containers = vec![shell("app", "echo hello; exit 7")];
        let mut running = Running::prepare(&runtime, task("one", containers)).await;
        let id = running.create(0).await;
        assert_eq!(running.create(0).await, id);
        let made = runtime
            .inspect(id.clone())
            .await
            .expect("inspected")
            .expect("there");
        assert_eq!((made.status, made.exit_code), (Status::Created, None));
        // A container that never ran stays as it is.
        let stopped = runtime
            .stop(id.clone(), Duration::ZERO)
            .await
            .expect("stopped");
        assert_eq!(stopped.status, Status::Created);
        let started = runtime.start(id.clone()).await.expect("started");
        assert!(started.started_at.is_some());
        let ended = running.ended("app").await;
        assert_eq!((ended.status, ended.exit_code), (Status::Exited, Some(7)));
        assert_eq!(&*ended.token, "token-0");
        assert_eq!(ended.task_arn, running.task.arn);
        assert_eq!(daemon.docker(&["logs", &id]), "hello");
        let name = daemon.docker(&["inspect", "--format", "{{.Name}}", &id]);
        assert!(name.starts_with("/ecs-web-3-app-") && name.len() == "/ecs-web-3-app-".len() + 20);
        let listed = runtime.list(&instance()).await.expect("listed");
        assert_eq!(listed, [ended]);
        assert_eq!(runtime.list(&"arn:other".into()).await.expect("listed"), []);
        running.remove().await;
        running.remove().await;
        assert_eq!(runtime.list(&instance()).await.expect("listed"), []);
    });
}

#[test]
fn settings_of_the_definition_reach_the_process() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        write(
            &daemon.path("s3/bucket/app.env"),
            "FROM_FILE=file\nBOTH=file\nAWS_REGION=elsewhere\n",
        );
        let script = "env; id -u; pwd; cat /proc/self/limits | grep 'open files'; hostname; \
                  cat /etc/hosts /etc/resolv.conf; cat /proc/sys/net/core/somaxconn; \
                  df -m /dev/shm | tail -1; mount | grep scratch; touch /x || echo read-only; \
                  ls /dev/gift; grep CapEff /proc/self/status; cat /proc/1/comm";
        let mut container = shell("app", script);
        container.cpu = 512;
        container.memory = 64;
        container.environment = Some(
            [("OWN", "own"), ("BOTH", "own")]
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .into(),
        );
        container.environment_files = vec![EnvironmentFile {
            value: "arn:aws:s3:::bucket/app.env".to_owned(),
            kind: "s3".to_owned(),
        }];
        let container = with_config(
            container,
            &json!({"User": "1000", "WorkingDir": "/tmp", "Hostname": "box", "Labels": {"mine": "1", "berth.instance": "forged"}}),
        );
        let container = with_host(
            container,
            &json!({
                "NetworkMode": "bridge", "ReadonlyRootfs": true, "ShmSize": 32 << 20,
                "Ulimits": [{"Name": "nofile", "Soft": 1234, "Hard": 2345}],
                "Sysctls": {"net.core.somaxconn": "77"},
                "Dns": ["192.0.2.53"], "DnsSearch": ["corp.example"], "ExtraHosts": ["db:192.0.2.9"],
                "Tmpfs": {"/scratch": "size=1m"}, "CapDrop": ["ALL"], "CapAdd": ["NET_RAW"],
                "Devices": [{"PathOnHost": "/dev/null", "PathInContainer": "/dev/gift", "CgroupPermissions": "r"}],
                "MemoryReservation": 32 << 20
            }),
        );
        let running = Running::start_all(&runtime, task("settings", vec![container])).await;
        running.ended("app").await;
        let id = running.id("app");
        let output = daemon.docker(&["logs", &id]);
        for line in [
            "OWN=own",
            "BOTH=own",
            "FROM_FILE=file",
            "AWS_REGION=elsewhere",
            "1000",
            "/tmp",
            "box",
            "77",
            "nameserver 192.0.2.53",
            "search corp.example",
            "read-only",
            "/dev/gift",
        ] {
            assert!(
                output.lines().any(|found| found == line),
                "{line} is missing in {output}"
            );
        }
        for part in ["1234", "192.0.2.9\tdb", "/scratch", " 32 "] {
            assert!(output.contains(part), "{part} is missing in {output}");
        }
        let host = daemon.docker(&["inspect", "--format", "{{json .HostConfig}}", &id]);
        let host: serde_json::Value = serde_json::from_str(&host).expect("JSON");
        assert_eq!(host["CpuShares"], 512);
        assert_eq!(host["Memory"], 64 << 20);
        assert_eq!(host["MemoryReservation"], 32 << 20);
        let labels = daemon.docker(&["inspect", "--format", "{{json .Config.Labels}}", &id]);
        let labels: serde_json::Value = serde_json::from_str(&labels).expect("JSON");
        assert_eq!(labels["mine"], "1");
        assert_eq!(labels["berth.instance"], &*instance());
        assert_eq!(labels["com.amazonaws.ecs.container-name"], "app");
        assert_eq!(labels["com.amazonaws.ecs.task-definition-version"], "3");
        running.remove().await;
    });
}

#[test]
fn volumes_are_shared_kept_and_removed_as_their_kind_says() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let folder = daemon.path("host-folder");
        write(&folder.join("greeting"), "from the host");
        let mount = |volume: &str, path: &str, read_only: bool| MountPoint {
            source_volume: volume.to_owned(),
            container_path: path.to_owned(),
            read_only: Some(read_only),
        };
        let mut writer = shell(
            "writer",
            "cat /host/greeting; touch /host/x || echo ro; echo note > /scratch/note; echo s > /shared/s; echo t > /own/t",
        );
        writer.mount_points = vec![
            mount("host", "/host", true),
            mount("scratch", "/scratch", false),
            mount("shared-volume", "/shared", false),
            mount("own", "/own", false),
        ];
        let mut reader = shell(
            "reader",
            "cat /scratch/note /shared/s /own/t; touch /scratch/y || echo ro",
        );
        reader.volumes_from = vec![VolumeFrom {
            source_container: "writer".to_owned(),
            read_only: Some(true),
        }];
        let volume = |name: &str| Volume {
            name: name.to_owned(),
            ..Volume::default()
        };
        let docker = |scope: &str| DockerVolume {
            scope: scope.to_owned(),
            autoprovision: true,
            ..DockerVolume::default()
        };
        let mut definition = task("volumes", vec![writer, reader]);
        definition.volumes = vec![
            Volume {
                host: Some(HostVolume {
                    source_path: Some(folder.display().to_string()),
                }),
                ..volume("host")
            },
            Volume {
                host: Some(HostVolume::default()),
                ..volume("scratch")
            },
            Volume {
                kind: Some("docker".to_owned()),
                docker_volume_configuration: Some(docker("shared")),
                ..volume("shared-volume")
            },
            Volume {
                kind: Some("docker".to_owned()),
                docker_volume_configuration: Some(docker("task")),
                ..volume("own")
            },
        ];
        let mut running = Running::prepare(&runtime, definition).await;
        for container in 0..2 {
            let id = running.create(container).await;
            runtime.start(id).await.expect("started");
            running.ended(["writer", "reader"][container]).await;
        }
        let written = daemon.docker(&["logs", &running.id("writer")]);
        assert!(
            written.starts_with("from the host") && written.ends_with("ro"),
            "{written}"
        );
        assert_eq!(
            daemon.docker(&["logs", &running.id("reader")]),
            "note\ns\nt\nro"
        );
        assert_eq!(
            daemon.docker(&["volume", "ls", "--quiet"]).lines().count(),
            3
        );
        running.remove().await;
        assert_eq!(daemon.docker(&["volume", "ls", "--quiet"]), "shared-volume");
    });
}

#[test]
fn a_container_that_wants_too_much_memory_is_told_from_one_that_is_killed() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let mut events = runtime.events(&instance());
        let mut hungry = shell("hungry", "dd if=/dev/zero of=/dev/null bs=100M count=1");
        hungry.command = Some(
            ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M"]
                .map(str::to_owned)
                .into(),
        );
        hungry.memory = 16;
        let running = Running::start_all(&runtime, task("oom", vec![hungry])).await;
        let ended = running.ended("hungry").await;
        assert_eq!((ended.exit_code, ended.oom_killed), (Some(137), true));
        let event = events.recv().await.expect("an event");
        let RuntimeEvent::Died {
            id,
            exit_code,
            oom_killed,
            at,
        } = event
        else {
            panic!("{event:?}");
        };
        assert_eq!(
            (id, exit_code, oom_killed),
            (running.id("hungry"), Some(137), true)
        );
        assert_eq!(Some(at), ended.finished_at);
        running.remove().await;

        let running = Running::start_all(
            &runtime,
            task(
                "kill",
                vec![shell("app", "trap '' TERM; while true; do sleep 1; done")],
            ),
        )
        .await;
        let stopped = runtime
            .stop(running.id("app"), Duration::from_secs(1))
            .await
            .expect("stopped");
        assert_eq!(
            (stopped.status, stopped.exit_code, stopped.oom_killed),
            (Status::Exited, Some(137), false)
        );
        running.remove().await;
    });
}

#[test]
fn health_is_told_when_it_changes() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let mut events = runtime.events(&instance());
        let check = json!({"Healthcheck": {
            "Test": ["CMD-SHELL", "echo looked; test -f /tmp/well"],
            "Interval": 200_000_000, "Timeout": 2_000_000_000_u64, "Retries": 1
        }});
        let container = with_config(shell("app", "touch /tmp/well; sleep 600"), &check);
        let running = Running::start_all(&runtime, task("health", vec![container])).await;
        let event = events.recv().await;
        let expected = |health, message: &str| {
            Some(RuntimeEvent::Health {
                id: running.id("app"),
                health,
                message: Some(message.to_owned()),
            })
        };
        assert_eq!(event, expected(Health::Healthy, "looked"));
        daemon.docker(&[
            "exec",
            &running.id("app"),
            "sh",
            "-c",
            "busybox rm /tmp/well",
        ]);
        assert_eq!(events.recv().await, expected(Health::Unhealthy, "looked"));
        let seen = runtime
            .inspect(running.id("app"))
            .await
            .expect("inspected")
            .expect("there");
        assert_eq!(seen.health, Health::Unhealthy);
        running.remove().await;
    });
}

#[test]
fn what_docker_cannot_do_is_reported_by_the_stock_agents_names() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let refused = async |container: Container| {
            let running = Running::prepare(&runtime, task("refused", vec![container])).await;
            let error = runtime
                .create(running.request(0))
                .await
                .expect_err("refused");
            (error.kind, error.to_string())
        };
        let (kind, _) = refused(with_host(shell("app", "true"), &json!([1]))).await;
        assert_eq!(kind, ErrorKind::HostConfig);
        let (kind, _) = refused(with_config(shell("app", "true"), &json!({"User": 7}))).await;
        assert_eq!(kind, ErrorKind::ContainerConfig);
        let mut missing = shell("app", "true");
        missing.image = "nothing/like-it:1".to_owned();
        let (kind, text) = refused(missing).await;
        assert_eq!(kind, ErrorKind::CannotCreateContainer);
        assert!(
            text.starts_with("CannotCreateContainerError: Error response from daemon: "),
            "{text}"
        );
        let mut unmounted = shell("app", "true");
        unmounted.mount_points = vec![MountPoint::default()];
        assert_eq!(refused(unmounted).await.0, ErrorKind::CannotCreateContainer);
        let logged = with_host(
            shell("app", "true"),
            &json!({"LogConfig": {"Type": "awslogs", "Config": {"awslogs-group": "g"}}}),
        );
        assert_eq!(refused(logged).await.0, ErrorKind::CannotCreateContainer);

        let mut container = shell("app", "true");
        container.command = Some(vec!["/no/such/program".to_owned()]);
        let mut running = Running::prepare(&runtime, task("start", vec![container])).await;
        let id = running.create(0).await;
        let error = runtime.start(id.clone()).await.expect_err("cannot start");
        assert_eq!(error.kind, ErrorKind::CannotStartContainer);
        assert!(
            error.to_string().contains("no such file or directory"),
            "{error}"
        );
        let seen = runtime
            .inspect(id)
            .await
            .expect("inspected")
            .expect("there");
        assert_eq!(seen.status, Status::Created);
        running.remove().await;
    });
}

#[test]
fn gpus_and_process_namespaces_are_asked_of_docker() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let mut definition = task("gpu", vec![shell("app", "sleep 600")]);
        definition.associations = vec![Association {
            name: "GPU-1".to_owned(),
            kind: "gpu".to_owned(),
            containers: vec!["app".to_owned()],
            ..Association::default()
        }];
        let mut running = Running::prepare(&runtime, definition).await;
        let id = running.create(0).await;
        let asked = daemon.docker(&[
            "inspect",
            "--format",
            "{{json .HostConfig.DeviceRequests}} {{json .Config.Env}}",
            &id,
        ]);
        assert!(
            asked.contains("GPU-1") && asked.contains("NVIDIA_VISIBLE_DEVICES=GPU-1"),
            "{asked}"
        );
        running.remove().await;

        let mut definition = task("pid", vec![shell("app", "sleep 600"), shell("spy", "ps")]);
        definition.pid_mode = Some("task".to_owned());
        definition.ipc_mode = Some("task".to_owned());
        let seen = output_of(&daemon, &runtime, definition, "spy").await;
        assert!(seen.contains("sleep 600"), "{seen}");
        assert_eq!(daemon.docker(&["ps", "--all", "--quiet"]), "");

        // Without the setting each has its own.
        let apart = task("apart", vec![shell("app", "sleep 600"), shell("spy", "ps")]);
        let seen = output_of(&daemon, &runtime, apart, "spy").await;
        assert!(!seen.contains("sleep 600"), "{seen}");
    });
}

#[test]
fn usage_is_measured_while_a_container_runs() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let mut container = shell("app", "while true; do true; done");
        container.port_mappings = vec![PortMapping::default()];
        container.port_mappings.clear();
        let mut running = Running::prepare(&runtime, task("usage", vec![container])).await;
        let id = running.create(0).await;
        assert_eq!(runtime.usage(id.clone()).await.expect("asked"), None);
        runtime.start(id.clone()).await.expect("started");
        let usage = eventually("usage", || async {
            let usage = runtime.usage(id.clone()).await.expect("asked");
            usage.filter(|usage| usage.cpu_ns > 10_000_000 && usage.memory_bytes > 0)
        })
        .await;
        assert!(usage.network.is_some() && usage.raw.is_some());
        running.remove().await;
        assert_eq!(runtime.usage(id).await.expect("asked"), None);
    });
}
