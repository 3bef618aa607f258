//! Network modes, ports and the networks of tasks.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use berth_agent::runtime::docker::{DockerRuntime, DockerSettings};
use berth_agent::runtime::{Binding, Runtime};
use berth_agent_proto::extra::Awsvpc;
use berth_agent_proto::task::{PortMapping, Task};
use serde_json::json;

use crate::support::{
    Daemon, Running, TASK_RANGE, eventually, instance, isolated, output_of, shell, task, with_host,
};

fn mapping(container: i64, host: i64) -> PortMapping {
    PortMapping {
        container_port: Some(container),
        host_port: Some(host),
        protocol: Some("tcp".to_owned()),
        ..PortMapping::default()
    }
}

fn read_from(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(b"\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    (!text.is_empty()).then_some(text)
}

fn awsvpc(id: &str, containers: Vec<berth_agent_proto::task::Container>) -> Task {
    Task {
        network_mode: Some("awsvpc".to_owned()),
        berth_awsvpc: Some(Awsvpc {}),
        ..task(id, containers)
    }
}

#[test]
fn ports_are_published_reported_and_never_given_twice() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let serve = "while true; do echo served | nc -l -p 80; done";
        let free = std::net::TcpListener::bind("0.0.0.0:0").expect("a port");
        let fixed = free.local_addr().expect("bound").port();
        drop(free);
        let mut container = shell("app", serve);
        container.port_mappings = vec![
            mapping(80, 0),
            mapping(81, fixed.into()),
            PortMapping {
                container_port_range: Some("9000-9002".to_owned()),
                protocol: Some("udp".to_owned()),
                ..PortMapping::default()
            },
        ];
        let running = Running::start_all(&runtime, task("ports", vec![container.clone()])).await;
        let seen = runtime
            .inspect(running.id("app"))
            .await
            .expect("inspected")
            .expect("there");
        let [dynamic, fixed_one, range] = seen.bindings.as_slice() else {
            panic!("{:?}", seen.bindings);
        };
        let binding = |protocol: &str, container, host, range| Binding {
            bind_ip: "0.0.0.0".to_owned(),
            protocol: protocol.to_owned(),
            container,
            host,
            range,
        };
        assert!((32_768..=60_999).contains(&dynamic.host.0));
        assert_eq!(
            *dynamic,
            binding("tcp", (80, 80), (dynamic.host.0, dynamic.host.0), false)
        );
        assert_eq!(*fixed_one, binding("tcp", (81, 81), (fixed, fixed), false));
        assert_eq!(
            *range,
            binding("udp", (9000, 9002), (range.host.0, range.host.0 + 2), true)
        );
        let address = format!("127.0.0.1:{}", dynamic.host.0);
        let text = eventually("an answer", || async { read_from(&address) }).await;
        assert_eq!(text, "served\n");

        // The fixed port is in use, and Docker says so at the start.
        container.port_mappings.remove(0);
        let mut second = Running::prepare(&runtime, task("second", vec![container])).await;
        let id = second.create(0).await;
        let error = runtime.start(id).await.expect_err("the port is in use");
        assert!(error.to_string().contains("already allocated"), "{error}");
        second.remove().await;

        // A stopped container holds no ports, a restarted one has the same.
        let id = running.id("app");
        let stopped = runtime
            .stop(id.clone(), std::time::Duration::ZERO)
            .await
            .expect("stopped");
        assert_eq!(stopped.bindings, []);
        let again = runtime.start(id).await.expect("started");
        assert_eq!(again.bindings, seen.bindings);
        running.remove().await;
    });
}

#[test]
fn containers_in_bridge_mode_reach_each_other_by_link() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let server = shell("server", "while true; do echo linked | nc -l -p 80; done");
        let mut client = shell(
            "client",
            "until nc peer 80 < /dev/null; do usleep 50000; done",
        );
        client.links = vec!["server:peer".to_owned()];
        let output = output_of(
            &daemon,
            &runtime,
            task("links", vec![server, client]),
            "client",
        )
        .await;
        assert!(output.contains("linked"), "{output}");
    });
}

#[test]
fn host_and_none_modes_are_what_they_say() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let mode = |mode: &str| {
            let mut container = with_host(shell("app", "ip addr"), &json!({"NetworkMode": mode}));
            container.port_mappings = vec![mapping(80, 0)];
            Task {
                network_mode: Some(mode.to_owned()),
                ..task(mode, vec![container])
            }
        };
        let host = output_of(&daemon, &runtime, mode("host"), "app").await;
        let gateway = runtime
            .gateways()
            .await
            .expect("gateways")
            .bridge
            .expect("a bridge");
        assert!(host.contains(&gateway.to_string()), "{host}");
        let none = output_of(&daemon, &runtime, mode("none"), "app").await;
        assert!(
            none.contains("127.0.0.1") && !none.contains("eth0"),
            "{none}"
        );
    });
}

#[test]
fn tasks_with_a_network_of_their_own_have_an_address_and_share_localhost() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let server = shell("server", "while true; do echo here | nc -l -p 80; done");
        let hosts =
            json!({"NetworkMode": "awsvpc", "ExtraHosts": ["db:192.0.2.9"], "Dns": ["192.0.2.53"]});
        let client = shell(
            "client",
            "until nc 127.0.0.1 80 < /dev/null; do usleep 50000; done; cat /etc/hosts /etc/resolv.conf; ip addr",
        );
        let first = Running::start_all(
            &runtime,
            awsvpc("first", vec![server.clone(), with_host(client, &hosts)]),
        )
        .await;
        let network = first.network.clone().expect("a network");
        first.ended("client").await;
        let output = daemon.docker(&["logs", &first.id("client")]);
        assert!(output.starts_with("here\n"), "{output}");
        let ip = network.ip.to_string();
        for part in [&*ip, &*network.mac, "192.0.2.9\tdb"] {
            assert!(output.contains(part), "{part} is missing in {output}");
        }
        // Docker answers names itself there, and asks the servers of the definition.
        let asked = daemon.docker(&[
            "inspect",
            "--format",
            "{{.HostConfig.Dns}}",
            &network.handle,
        ]);
        assert_eq!(asked, "[192.0.2.53]");
        assert_eq!(network.subnet, TASK_RANGE);
        assert_eq!(
            network.gateway,
            Some(runtime.gateways().await.expect("gateways").tasks)
        );
        let again = runtime
            .make_network(instance(), Arc::clone(&first.task))
            .await;
        assert_eq!(again.expect("the same"), network);
        let seen = runtime
            .inspect(first.id("server"))
            .await
            .expect("inspected")
            .expect("there");
        assert_eq!(seen.bindings, []);

        // What the network carried is seen at each container that shares it.
        let measured = || async {
            let usage = runtime.usage(first.id("server")).await.expect("measured");
            let network = usage.expect("it runs").network.expect("a network");
            (network.rx_packets > 0 || network.tx_packets > 0).then_some(network)
        };
        let before = runtime.usage(first.id("server")).await.expect("measured");
        let raw = before.expect("it runs").raw.expect("as docker says it");
        assert!(raw["networks"]["eth0"].is_object(), "{raw}");

        // Another task has another address, reaches the first, and is reached from the host.
        let ask = format!(
            "until nc {} 80 < /dev/null; do usleep 50000; done",
            network.ip
        );
        let second = Running::start_all(
            &runtime,
            awsvpc("second", vec![shell("client", &ask), server]),
        )
        .await;
        let other = second.network.clone().expect("a network");
        assert_ne!((&other.ip, &other.mac), (&network.ip, &network.mac));
        second.ended("client").await;
        assert_eq!(daemon.docker(&["logs", &second.id("client")]), "here");
        let address = format!("{}:80", other.ip);
        assert_eq!(
            eventually("an answer", || async { read_from(&address) }).await,
            "here\n"
        );
        eventually("traffic to be counted", measured).await;
        // The containers that hold the networks are not the task's.
        assert_eq!(runtime.list(&instance()).await.expect("listed").len(), 4);
        first.remove().await;
        second.remove().await;
        assert_eq!(daemon.docker(&["ps", "--all", "--quiet"]), "");
    });
}

/// The range's pool is taken before the network that takes it can be seen, so Docker answers the
/// slower ones with an overlap of addresses, not with a conflict of names.
#[test]
fn agents_that_start_together_on_a_fresh_docker_share_one_task_network() {
    isolated(async {
        const AGENTS: usize = 8;
        let daemon = Daemon::start().await;
        let mut runtimes = Vec::new();
        for number in 0..AGENTS {
            let settings = DockerSettings {
                data_dir: daemon.path(&format!("agent-{number}")),
                ..daemon.settings(None)
            };
            runtimes.push(DockerRuntime::connect(settings).await.expect("it connects"));
        }
        let asked = runtimes.iter().map(|runtime| runtime.gateways());
        for gateways in futures_util::future::join_all(asked).await {
            gateways.expect("gateways");
        }
        let listed = daemon.docker(&["network", "ls", "--quiet", "--filter", "name=berth"]);
        assert_eq!(listed.lines().count(), 1, "{listed}");
    });
}
