//! Docker goes away and comes back, gracefully and not; the agent finds its containers again.

use berth_agent::runtime::{ErrorKind, Runtime, RuntimeEvent, Status};

use crate::support::{Daemon, Running, eventually, instance, isolated, shell, task};

#[test]
fn a_restart_of_docker_is_a_gap_after_which_ended_containers_have_exit_codes() {
    isolated(async {
        let mut daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let mut events = runtime.events(&instance());
        let sleeper = "trap 'exit 3' TERM; sleep 600 & wait";
        let running = Running::start_all(&runtime, task("away", vec![shell("app", sleeper)])).await;
        for crash in [false, true] {
            if crash {
                daemon.kill();
            } else {
                daemon.stop();
            }
            let error = runtime.check().await.expect_err("docker is away");
            assert_eq!(error.kind, ErrorKind::Unavailable);
            let error = runtime.list(&instance()).await.expect_err("docker is away");
            assert_eq!(error.kind, ErrorKind::Unavailable);
            daemon.launch().await;
            // The end may have been told before Docker went.
            loop {
                match events.recv().await.expect("the watch goes on") {
                    RuntimeEvent::Gap => break,
                    RuntimeEvent::Died { exit_code, .. } => assert!(exit_code.is_some()),
                    other @ RuntimeEvent::Health { .. } => panic!("{other:?}"),
                }
            }
            let seen = eventually("the end", || async {
                let seen = runtime.list(&instance()).await.expect("listed").pop()?;
                (seen.status == Status::Exited).then_some(seen)
            })
            .await;
            assert!(
                seen.exit_code.is_some() && seen.finished_at.is_some(),
                "{seen:?}"
            );
            if !crash {
                assert_eq!(seen.exit_code, Some(3));
            }
            let again = runtime.start(running.id("app")).await.expect("started");
            assert_eq!(again.status, Status::Running);
        }
        // Events flow again.
        daemon.docker(&["kill", &running.id("app")]);
        loop {
            if let RuntimeEvent::Died { exit_code, .. } = events.recv().await.expect("goes on")
                && exit_code == Some(137)
            {
                break;
            }
        }
        running.remove().await;
    });
}

#[test]
fn another_agent_of_the_same_instance_finds_containers_ports_and_networks_again() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let mut container = shell("app", "sleep 600");
        container.port_mappings = vec![berth_agent_proto::task::PortMapping {
            container_port: Some(80),
            ..Default::default()
        }];
        let running = Running::start_all(&runtime, task("found", vec![container])).await;
        daemon.docker(&["run", "--detach", "busybox", "sleep", "600"]);
        let before = runtime.list(&instance()).await.expect("listed");
        drop(runtime);
        let again = daemon.runtime().await;
        let after = again.list(&instance()).await.expect("listed");
        assert_eq!(before, after);
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].bindings.len(), 1);
        let made = again.create(running.request(0)).await.expect("the same");
        assert_eq!(made, running.id("app"));
        assert_eq!(
            again.start(made).await.expect("running").status,
            Status::Running
        );
        running.remove().await;
        // Somebody else's container is still there.
        assert_eq!(daemon.docker(&["ps", "--quiet"]).lines().count(), 1);
    });
}
