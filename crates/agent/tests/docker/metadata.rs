//! Containers reach the endpoints from every network, and at 169.254.170.2.

use berth_agent::metadata::{MetadataServer, MetadataSettings, firewall};
use berth_agent_proto::extra::Awsvpc;
use berth_agent_proto::task::Task;
use serde_json::json;

use crate::support::{Daemon, Running, isolated, shell, task, with_host};

#[test]
fn containers_of_every_network_reach_the_endpoints() {
    isolated(async {
        let daemon = Daemon::start().await;
        let runtime = daemon.runtime().await;
        let server = MetadataServer::start(MetadataSettings {
            port_file: daemon.path("metadata-port"),
            docker: Some(runtime.clone()),
            gateways: runtime.gateways().await.expect("gateways"),
        });
        let server = server.await.expect("a server");
        let base = server.base();
        firewall::install(server.port()).await.expect("rules");
        // As after a kill.
        firewall::install(server.port()).await.expect("rules");
        for mode in ["bridge", "host", "awsvpc"] {
            let mut definition = Task {
                network_mode: Some(mode.to_owned()),
                berth_awsvpc: (mode == "awsvpc").then_some(Awsvpc {}),
                ..task(mode, Vec::new())
            };
            let network = {
                let running = Running::prepare(&runtime, definition.clone()).await;
                running.network
            };
            let own = base(&definition, network.as_ref()).expect("a base");
            // Nobody has this id, and the server says so.
            let ask = |base: &str| {
                let address = base.trim_start_matches("http://").replacen(':', " ", 1);
                format!("printf 'GET /v4/x HTTP/1.0\\r\\n\\r\\n' | nc {address}; ")
            };
            let line = ask(&own) + &ask("http://169.254.170.2:80");
            definition.containers = vec![with_host(
                shell("app", &line),
                &json!({"NetworkMode": mode}),
            )];
            let running = Running::start_all(&runtime, definition).await;
            running.ended("app").await;
            let output = daemon.docker(&["logs", &running.id("app")]);
            let answers = output.matches("unable to get task arn").count();
            assert_eq!(answers, 2, "{mode}: {output}");
            running.remove().await;
        }
        firewall::remove(server.port()).await.expect("removed");
        firewall::remove(server.port()).await.expect("nothing left");
        let rules = std::process::Command::new("iptables-save")
            .output()
            .expect("iptables");
        assert!(!String::from_utf8_lossy(&rules.stdout).contains("BERTH"));
    });
}
