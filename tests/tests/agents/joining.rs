//! Machines that join by a token: whom it lets in, what their credentials allow, and what ends
//! them.

use std::path::PathBuf;

use berth_tests::{Caller, Key, Process, SOON, Server, Spec, call_in_session, ended, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scripted;

/// A server with a key, the cluster `c`, and a folder for its machines.
struct Yard {
    server: Server,
    folder: TempDir,
}

/// A machine and its agent.
struct Machine {
    agent: Process,
    data: PathBuf,
    log: PathBuf,
}

impl Yard {
    fn new() -> Yard {
        let server = Key::TESTS.taken_by(Spec::serve(&[])).start();
        let yard = Yard {
            server,
            folder: tempfile::tempdir().unwrap(),
        };
        yard.call("CreateCluster", &json!({ "clusterName": "c" }));
        yard
    }

    fn call(&self, operation: &str, input: &Value) -> Value {
        Caller::of(&self.server).call(operation, input)
    }

    /// A command about tokens with the account's key: its exit code and what it said.
    fn tokens(&self, arguments: &[&str]) -> (i32, String) {
        let url = self.server.url();
        let command = ["join-token"].into_iter().chain(arguments.iter().copied());
        let command: Vec<&str> = command.chain(["--server", &url]).collect();
        let keys = [
            ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
            ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
        ];
        ended(&command, &keys)
    }

    /// A new token: its id and itself.
    fn token(&self, more: &[&str]) -> (String, String) {
        let usual = ["create", "--cluster", "c", "--output", "json"];
        let (code, said) = self.tokens(&[&usual, more].concat());
        assert_eq!(code, 0, "{said}");
        let made: Value = serde_json::from_str(&said).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let command = text(&made["command"]);
        let (url, token) = (self.server.url(), text(&made["token"]));
        assert_eq!(
            command,
            format!("berth agent --server {url} --join-token {token}")
        );
        (text(&made["joinToken"]["id"]), token)
    }

    fn arguments(&self, data: &str, token: Option<&str>) -> Vec<String> {
        let url = self.server.url();
        let mut arguments = vec!["agent", "--runtime", "simulated", "--server", &url];
        arguments.extend(["--data-dir", data]);
        if let Some(token) = token {
            arguments.extend(["--join-token", token]);
        }
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Starts a machine's agent, which has no keys of the account.
    fn start(&self, name: &str, token: Option<&str>) -> Machine {
        let data = self.folder.path().join(name);
        let log = self.folder.path().join(format!("{name}.log"));
        let arguments = self.arguments(&data.display().to_string(), token);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let none = [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", "")];
        let agent = Process::start(&arguments, &none, &log);
        Machine { agent, data, log }
    }

    /// Tries to join as a new machine, which must be refused: what is said.
    fn refused(&self, name: &str, token: &str) -> String {
        let data = self.folder.path().join(name).display().to_string();
        let arguments = self.arguments(&data, Some(token));
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let (code, said) = ended(&arguments, &[]);
        assert_eq!(code, 2, "{said}");
        said
    }

    fn wait_for_connections(&self, count: f64, machines: &mut [&mut Machine]) {
        wait_for("the agents to be connected, or not", SOON, || {
            for machine in &mut *machines {
                let log = || std::fs::read_to_string(&machine.log).unwrap_or_default();
                assert!(machine.agent.is_running(), "an agent ended: {}", log());
            }
            (self.server.metric("berth_agents_connected") == count).then_some(())
        });
    }

    /// Runs a task of the family `f` on a machine: its ARN.
    fn task_on(&self, machine: &Machine) -> String {
        let input = json!({ "cluster": "c", "taskDefinition": "f",
            "containerInstances": [machine.instance()] });
        let started = self.call("StartTask", &input);
        assert_eq!(started["failures"], json!([]));
        let task = started["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
        wait_for("the task to run", SOON, || {
            (self.status(&task) == "RUNNING").then_some(())
        });
        task
    }

    fn status(&self, task: &str) -> String {
        let input = json!({ "cluster": "c", "tasks": [task] });
        let described = self.call("DescribeTasks", &input);
        described["tasks"][0]["lastStatus"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A call with a machine's own credentials: the fault's code, or `ok`.
    fn as_machine(&self, machine: &Machine, operation: &str, input: &Value) -> String {
        let credentials = &machine.joined()["granted"];
        let answer = call_in_session(self.server.address(), credentials, operation, input);
        match answer.status {
            200 => "ok".to_owned(),
            _ => answer.fault().0,
        }
    }
}

impl Machine {
    /// What the agent remembers of its joining.
    fn joined(&self) -> Value {
        let text = std::fs::read(self.data.join("joined.json")).unwrap();
        serde_json::from_slice(&text).unwrap()
    }

    fn instance(&self) -> String {
        let joined = self.joined();
        joined["granted"]["containerInstanceArn"]
            .as_str()
            .unwrap()
            .to_owned()
    }
}

#[test]
fn a_machine_joins_by_a_token_and_can_act_for_itself_alone() {
    let mut yard = Yard::new();
    let (_, token) = yard.token(&["--uses", "2"]);
    let (mut one, mut other) = (
        yard.start("one", Some(&token)),
        yard.start("other", Some(&token)),
    );
    yard.wait_for_connections(2.0, &mut [&mut one, &mut other]);
    let definition = json!({ "family": "f", "containerDefinitions": scripted(&[]) });
    yard.call("RegisterTaskDefinition", &definition);
    let (task, own) = (yard.task_on(&one), yard.task_on(&other));

    let report = |task: &str| json!({ "cluster": "c", "task": task, "status": "STOPPED" });
    let submit = "SubmitTaskStateChange";
    assert_eq!(
        yard.as_machine(&other, submit, &report(&task)),
        "AccessDeniedException"
    );
    assert_eq!(yard.status(&task), "RUNNING");
    assert_eq!(yard.as_machine(&other, submit, &report(&own)), "ok");
    assert_eq!(yard.status(&own), "STOPPED");
    let foreign = json!({ "cluster": "c", "containerInstance": one.instance(), "force": true });
    let calls = [
        ("DeregisterContainerInstance", &foreign),
        ("DiscoverPollEndpoint", &foreign),
        ("ListTasks", &json!({ "cluster": "c" })),
        ("RunTask", &json!({ "cluster": "c", "taskDefinition": "f" })),
    ];
    for (operation, input) in calls {
        let refused = yard.as_machine(&other, operation, input);
        assert_eq!(refused, "AccessDeniedException", "{operation}");
    }

    // Both sides start again, and nobody needs the token any more.
    let instance = one.instance();
    one.agent.kill();
    yard.server.kill();
    yard.server.restart();
    let mut one = yard.start("one", None);
    yard.wait_for_connections(2.0, &mut [&mut one, &mut other]);
    assert_eq!(one.instance(), instance);
    assert_eq!(yard.status(&task), "RUNNING");
    assert_eq!(
        yard.as_machine(&other, submit, &report(&task)),
        "AccessDeniedException"
    );
    yard.server.finish();
}

#[test]
fn tokens_that_are_used_up_expired_revoked_or_none_let_nobody_in() {
    let yard = Yard::new();
    let (id, token) = yard.token(&["--expires", "1h"]);
    let mut one = yard.start("one", Some(&token));
    yard.wait_for_connections(1.0, &mut [&mut one]);
    let used = yard.refused("two", &token);
    assert!(used.contains("used up"), "{used}");
    let (code, listed) = yard.tokens(&["list"]);
    assert_eq!(code, 0, "{listed}");
    assert!(
        listed.contains(&id) && listed.contains("USED_UP"),
        "{listed}"
    );
    assert!(listed.contains(&one.instance()), "{listed}");

    let (_, short) = yard.token(&["--expires", "1s"]);
    let late = wait_for("the token to expire", SOON, || {
        let (_, listed) = yard.tokens(&["list"]);
        listed
            .contains("EXPIRED")
            .then(|| yard.refused("three", &short))
    });
    assert!(late.contains("expired"), "{late}");

    let (id, revoked) = yard.token(&[]);
    assert_eq!(yard.tokens(&["revoke", &id]).0, 0);
    let refused = yard.refused("four", &revoked);
    assert!(refused.contains("revoked"), "{refused}");

    let wrong = yard.refused("five", &format!("{}0", &token[..token.len() - 1]));
    assert!(wrong.contains("not known here"), "{wrong}");
    let none = yard.tokens(&["revoke", "nonsense"]);
    assert_eq!(none.0, 2, "{}", none.1);
    yard.server.finish();
}

#[test]
fn revoking_the_machines_or_deregistering_one_ends_its_credentials() {
    let yard = Yard::new();
    let (id, token) = yard.token(&["--uses", "2"]);
    let mut one = yard.start("one", Some(&token));
    yard.wait_for_connections(1.0, &mut [&mut one]);
    let discover = ("DiscoverPollEndpoint", json!({ "cluster": "c" }));
    assert_eq!(yard.as_machine(&one, discover.0, &discover.1), "ok");

    assert_eq!(yard.tokens(&["revoke", &id, "--machines"]).0, 0);
    yard.wait_for_connections(0.0, &mut [&mut one]);
    let refused = yard.as_machine(&one, discover.0, &discover.1);
    assert_eq!(refused, "UnrecognizedClientException");

    // A new token is for another instance, as long as this one is there.
    one.agent.kill();
    let (_, token) = yard.token(&["--uses", "3"]);
    let said = yard.refused("one", &token);
    assert!(said.contains("belongs to"), "{said}");

    let instance = {
        let mut two = yard.start("two", Some(&token));
        yard.wait_for_connections(1.0, &mut [&mut two]);
        let gone = json!({ "cluster": "c", "containerInstance": two.instance() });
        yard.call("DeregisterContainerInstance", &gone);
        yard.wait_for_connections(0.0, &mut [&mut two]);
        let refused = yard.as_machine(&two, discover.0, &discover.1);
        assert_eq!(refused, "UnrecognizedClientException");
        two.instance()
    };
    // With a new token the machine is what it was.
    let (_, token) = yard.token(&[]);
    let mut two = yard.start("two", Some(&token));
    yard.wait_for_connections(1.0, &mut [&mut two]);
    assert_eq!(two.instance(), instance);
    yard.server.finish();
}

#[test]
fn a_supervised_agent_is_started_again_and_ends_with_its_supervisor() {
    let yard = Yard::new();
    let (_, token) = yard.token(&[]);
    let (url, data) = (yard.server.url(), yard.folder.path().join("one"));
    let data = data.display().to_string();
    let usual = ["join", "--foreground", "--server", &url];
    let own = ["--data-dir", &data, "--join-token", &token];
    let log = yard.folder.path().join("one.log");
    let simulated = [("BERTH_RUNTIME", "simulated")];
    let mut join = Process::start(&[usual, own].concat(), &simulated, &log);
    yard.wait_for_connections(1.0, &mut []);
    let child = |join: &Process| {
        let pid = join.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        children.unwrap_or_default().trim().to_owned()
    };
    let first = child(&join);
    signal("-KILL", &first);
    wait_for("the agent to be started again", SOON, || {
        let now = child(&join);
        (!now.is_empty() && now != first).then_some(())
    });
    yard.wait_for_connections(1.0, &mut []);
    signal("-TERM", &join.pid().to_string());
    wait_for("both to end", SOON, || (!join.is_running()).then_some(()));
    yard.wait_for_connections(0.0, &mut []);
    yard.server.finish();
}

fn signal(which: &str, pid: &str) {
    let told = std::process::Command::new("kill")
        .args([which, pid])
        .status();
    assert!(told.unwrap().success(), "{pid} is not there");
}
