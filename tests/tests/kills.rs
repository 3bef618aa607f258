//! Killing the server, and killing Postgres under it, while tasks are being run: whatever was
//! acknowledged is there afterwards, nothing is there twice, and no container noticed.
//!
//! `BERTH_TEST_KILLS` says how often (200 kills of the server and 40 of Postgres when it is not
//! set), `BERTH_TEST_SEED` at which instants.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use berth_tests::{
    Caller, Key, Load, Postgres, Process, SOON, Server, Spec, Tally, chance, wait_for,
};
use serde_json::{Value, json};

/// Tests of this file measure a pace, so they take turns.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Calls per second that are offered; the promise is about 200.
const PER_SECOND: u64 = 240;
/// How long tasks take that end by themselves.
const SHORT_RUN_MS: u64 = 400;
/// How many agents there are.
const AGENTS: usize = 3;
/// How long a state of many thousand tasks may take to be loaded by a debug build.
const LOAD_MAX: Duration = Duration::from_secs(60);
/// How long the last tasks may take to end.
const QUIET_MAX: Duration = Duration::from_secs(120);

fn number(name: &str, otherwise: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how long to test is said there")]
    let named = std::env::var(name).ok();
    named.map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Waits for an instant so many milliseconds from now.
#[expect(clippy::disallowed_methods, reason = "an instant of the real clock")]
fn pass(milliseconds: u64) {
    let at = Instant::now() + Duration::from_millis(milliseconds);
    wait_for("an instant", SOON, || (Instant::now() >= at).then_some(()));
}

/// One call in twenty runs a task that lasts; the others end soon.
fn input(number: u64) -> Value {
    let definition = if number.is_multiple_of(20) {
        "long"
    } else {
        "short"
    };
    json!({ "cluster": "kills", "taskDefinition": definition })
}

/// A server with agents and what they are to run.
struct Field {
    server: Server,
    agents: Process,
    folder: tempfile::TempDir,
}

impl Field {
    fn new(arguments: &[&str]) -> Field {
        let more = ["--stopped-task-max", "1000000"];
        let spec = Spec::serve(&[arguments, more.as_slice()].concat());
        let server = Key::TESTS.taken_by(spec).start();
        let mut caller = Caller::of(&server);
        caller.call("CreateCluster", &json!({ "clusterName": "kills" }));
        for (family, environment) in [
            ("long", json!([])),
            (
                "short",
                json!([{ "name": "BERTH_SIM_RUN_MS", "value": SHORT_RUN_MS.to_string() }]),
            ),
        ] {
            let container = json!({
                "name": "main", "image": "image", "memory": 8, "environment": environment,
            });
            let definition = json!({ "family": family, "containerDefinitions": [container] });
            caller.call("RegisterTaskDefinition", &definition);
        }
        let folder = tempfile::tempdir().expect("a folder can be made");
        let data = folder.path().join("agents").display().to_string();
        let count = AGENTS.to_string();
        let agents = Process::start(
            &[
                "agent",
                "--server",
                &server.url(),
                "--cluster",
                "kills",
                "--runtime",
                "simulated",
                "--count",
                &count,
                "--data-dir",
                &data,
                "--cpu",
                "1000000",
                "--memory",
                "4000000",
            ],
            &[
                ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
                ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
            ],
            &folder.path().join("log"),
        );
        let mut field = Field {
            server,
            agents,
            folder,
        };
        field.wait_for_agents();
        field
    }

    fn wait_for_agents(&mut self) {
        let log = self.folder.path().join("log");
        wait_for("the agents to be connected", LOAD_MAX, || {
            let said = || fs::read_to_string(&log).unwrap_or_default();
            assert!(self.agents.is_running(), "the agents ended: {}", said());
            let connected = self.server.metric("berth_agents_connected");
            (connected == AGENTS as f64).then_some(())
        });
    }

    fn wait_until_it_serves(&self) {
        wait_for("the server to be healthy", LOAD_MAX, || {
            self.server.is_healthy().then_some(())
        });
    }

    /// Ends the load, and checks everything that was promised.
    fn check(mut self, load: Load, seed: u64) {
        self.wait_until_it_serves();
        let mut tally = load.stop();
        let open = tally.unanswered.len();
        tally.settle(self.server.address(), input);
        self.wait_for_agents();
        let mut caller = Caller::of(&self.server);
        let mut tasks = BTreeMap::new();
        wait_for("all that ends to have ended", QUIET_MAX, || {
            tasks = all_tasks(&mut caller);
            tasks.values().all(is_settled).then_some(())
        });
        println!(
            "seed {seed}: {} tokens, {} calls sent, {open} unanswered at the end, answers {:?}",
            tally.acknowledged.len(),
            tally.sent,
            tally.answers
        );
        every_token_has_its_task(&tally, &tasks);
        tokens_name_their_tasks_again(&mut caller, &tally, seed);
        self.agents.kill();
        self.no_container_was_restarted(&tasks);
        self.server.finish();
    }

    /// The agents' journal has every start of a container; none has two, and the one there is
    /// comes before what the server was told.
    fn no_container_was_restarted(&self, tasks: &BTreeMap<String, Value>) {
        let journal = fs::read(self.folder.path().join("agents/agent.journal"));
        let journal = String::from_utf8(journal.expect("the journal is there")).expect("text");
        let mut starts: BTreeMap<String, i64> = BTreeMap::new();
        for line in journal.lines() {
            // Each line is a checksum and an object.
            let Some(object) = line.find('{').map(|at| &line[at..]) else {
                continue;
            };
            let entry: Value = serde_json::from_str(object).expect("lines hold JSON");
            let started = entry["v"]["started_at"].as_i64();
            let task = entry["v"]["task_arn"].as_str();
            let (Some(started), Some(task)) = (started, task) else {
                continue;
            };
            let first = *starts.entry(task.to_owned()).or_insert(started);
            assert_eq!(first, started, "the container of {task} was started twice");
        }
        for (arn, task) in tasks {
            let started = starts.get(arn);
            let started = started.unwrap_or_else(|| panic!("no agent ran {arn}: {task}"));
            let told = task["startedAt"].as_f64().expect("it was started") * 1000.0;
            assert!(
                (*started as f64 - told).abs() < 5_000.0 || told >= *started as f64,
                "{arn} started at {started}, but was reported for {told}"
            );
        }
    }
}

/// Whether a task is where it shall end up.
fn is_settled(task: &Value) -> bool {
    let family = task["group"].as_str().unwrap_or_default();
    match family {
        "family:long" => task["lastStatus"] == "RUNNING",
        _ => task["lastStatus"] == "STOPPED",
    }
}

/// Every task that the server knows, by ARN.
fn all_tasks(caller: &mut Caller) -> BTreeMap<String, Value> {
    let mut tasks = BTreeMap::new();
    for desired in ["RUNNING", "STOPPED"] {
        let mut token = Value::Null;
        loop {
            let mut query = json!({ "cluster": "kills", "desiredStatus": desired });
            if !token.is_null() {
                query["nextToken"] = token;
            }
            let page = caller.call("ListTasks", &query);
            let arns = &page["taskArns"];
            if arns.as_array().is_some_and(|arns| !arns.is_empty()) {
                let query = json!({ "cluster": "kills", "tasks": arns });
                let found = caller.call("DescribeTasks", &query);
                for task in found["tasks"].as_array().into_iter().flatten() {
                    let arn = task["taskArn"].as_str().expect("a task has an ARN");
                    tasks.insert(arn.to_owned(), task.clone());
                }
            }
            token = page["nextToken"].clone();
            if token.is_null() {
                break;
            }
        }
    }
    tasks
}

fn every_token_has_its_task(tally: &Tally, tasks: &BTreeMap<String, Value>) {
    let mut by_token: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (arn, task) in tasks {
        let token = task["startedBy"]
            .as_str()
            .expect("tokens stand in startedBy");
        by_token.entry(token).or_default().push(arn);
    }
    for (token, arns) in &tally.acknowledged {
        let found = by_token.get(token.as_str());
        let found = found.unwrap_or_else(|| panic!("the tasks of {token} are gone: {arns:?}"));
        assert_eq!(found, arns, "tasks of {token}");
    }
    assert_eq!(
        by_token.len(),
        tally.acknowledged.len(),
        "tokens with tasks"
    );
    for task in tasks
        .values()
        .filter(|task| task["lastStatus"] == "STOPPED")
    {
        assert_eq!(task["containers"][0]["exitCode"], 0, "{task}");
        assert_eq!(task["stopCode"], "EssentialContainerExited", "{task}");
    }
}

/// How many tokens are sent once more at the end; all were compared with the tasks before.
const ASKED_AGAIN: usize = 500;

fn tokens_name_their_tasks_again(caller: &mut Caller, tally: &Tally, seed: u64) {
    let mut chance = chance(seed ^ 1);
    let tokens: Vec<(&String, &Vec<String>)> = tally.acknowledged.iter().collect();
    for _ in 0..ASKED_AGAIN.min(tokens.len()) {
        let (token, arns) = tokens[chance(tokens.len() as u64) as usize];
        let number = token.strip_prefix("call-").and_then(|n| n.parse().ok());
        let mut again = input(number.expect("tokens have numbers"));
        again["clientToken"] = json!(token);
        again["startedBy"] = json!(token);
        let answer = caller.call("RunTask", &again);
        let found: Vec<&str> = answer["tasks"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|task| task["taskArn"].as_str())
            .collect();
        assert_eq!(&found, arns, "tasks of {token}, asked for again");
    }
}

#[test]
fn killing_the_server_loses_and_doubles_nothing() {
    let _turn = ONE_AT_A_TIME.lock();
    let kills = number("BERTH_TEST_KILLS", 200);
    let seed = number("BERTH_TEST_SEED", 7);
    println!("{kills} kills, seed {seed}");
    let mut chance = chance(seed);
    let mut field = Field::new(&[]);
    let load = Load::start(field.server.address(), PER_SECOND, input);
    for kill in 0..kills {
        // Most instants are under load, some while it starts or while agents come back.
        match chance(10) {
            0..2 => pass(chance(400)),
            2..6 => {
                field.wait_until_it_serves();
                pass(chance(700));
            }
            _ => {
                let before = load.acknowledged();
                wait_for("calls to be acknowledged again", LOAD_MAX, || {
                    (load.acknowledged() > before).then_some(())
                });
                pass(chance(700));
            }
        }
        field.server.kill();
        field.server.begin();
        if kill % 20 == 19 {
            println!("{} kills, {} acknowledged", kill + 1, load.acknowledged());
        }
    }
    field.check(load, seed);
}

#[test]
fn killing_postgres_loses_and_doubles_nothing() {
    let _turn = ONE_AT_A_TIME.lock();
    let kills = number("BERTH_TEST_KILLS_OF_POSTGRES", 40);
    let seed = number("BERTH_TEST_SEED", 7);
    println!("{kills} kills, seed {seed}");
    let mut chance = chance(seed);
    let mut postgres = Postgres::start();
    let url = postgres.url();
    let field = Field::new(&["--database-url", &url]);
    let load = Load::start(field.server.address(), PER_SECOND, input);
    let mut caller = Caller::of(&field.server);
    for kill in 0..kills {
        let before = load.acknowledged();
        wait_for("calls to be acknowledged again", LOAD_MAX, || {
            (load.acknowledged() > before + 20).then_some(())
        });
        pass(chance(500));
        if kill % 3 == 2 {
            postgres.kill_backend(chance(1000));
            continue;
        }
        postgres.kill();
        let read = json!({ "clusters": ["kills"] });
        caller.call("DescribeClusters", &read);
        let written = caller.refused("CreateCluster", &json!({ "clusterName": "other" }));
        assert_eq!(written, ("ServerException".to_owned(), 503));
        caller.call("DescribeClusters", &read);
        postgres.run();
    }
    field.check(load, seed);
}
