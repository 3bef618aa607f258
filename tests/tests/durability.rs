//! What survives, and what a server says when it cannot go on.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use berth_tests::{Caller, Key, Postgres, SOON, Server, Spec, Trace, ended, wait_for};
use serde_json::{Value, json};

/// Writes that are traced; one more or less says nothing about this number.
const WRITES: usize = 30;
/// Reads in a round.
const READS: usize = 50;
/// The file system that is filled: room for a start, and little more.
const SMALL_DISK: &str = "16m";
/// How long agents' reports are kept waiting at most, and some more.
const REPORTS_WAIT_MAX: Duration = Duration::from_secs(45);

fn serve(arguments: &[&str]) -> Server {
    Key::TESTS.taken_by(Spec::serve(arguments)).start()
}

/// The environment in which a command's server takes the key of tests.
const KEY: [(&str, &str); 2] = [
    ("BERTH_ACCESS_KEY_ID", Key::TESTS.id),
    ("BERTH_SECRET_ACCESS_KEY", Key::TESTS.secret),
];

#[test]
fn a_write_is_on_disk_before_its_answer_begins_and_a_read_writes_nothing() {
    let server = serve(&[]);
    let mut caller = Caller::of(&server);
    caller.call("ListClusters", &json!({}));
    let trace = Trace::attach(server.pid());
    for number in 0..WRITES {
        if number % 2 == 0 {
            let name = format!("cluster-{number}");
            caller.call("CreateCluster", &json!({ "clusterName": name }));
        } else {
            caller.call("RegisterTaskDefinition", &definition("family"));
        }
    }
    let answers = || trace.lines().iter().filter(|l| l.sends_answer()).count();
    wait_for("the trace of all answers", SOON, || {
        (answers() >= WRITES).then_some(())
    });
    let (mut synced, mut answered) = (false, 0);
    for line in trace.lines() {
        if line.ends_sync_of("journal.db") {
            synced = true;
        }
        if line.sends_answer() {
            assert!(synced, "answer {answered} before any sync: {}", line.text());
            (synced, answered) = (false, answered + 1);
        }
    }
    assert_eq!(answered, WRITES);
    // What was written is folded for a moment longer; after that, reading is all there is.
    wait_for("a round of reads without a sync", SOON, || {
        let before = trace.lines().len();
        for _ in 0..READS {
            caller.call("DescribeClusters", &json!({ "clusters": ["cluster-0"] }));
            caller.call("ListTaskDefinitions", &json!({}));
        }
        let lines = wait_for("the trace of the reads", SOON, || {
            let lines = trace.lines().split_off(before);
            let answers = lines.iter().filter(|line| line.sends_answer());
            (answers.count() >= 2 * READS).then_some(lines)
        });
        (!lines.iter().any(|line| line.text().contains("sync("))).then_some(())
    });
    drop(trace);
    server.finish();
}

fn definition(family: &str) -> Value {
    json!({
        "family": family,
        "containerDefinitions": [{ "name": "main", "image": "image", "memory": 8 }],
    })
}

/// Fills a store with some of everything that needs no agent.
fn populate(caller: &mut Caller) {
    for name in ["default", "one", "two"] {
        let tags = json!([{ "key": "for", "value": name }]);
        caller.call(
            "CreateCluster",
            &json!({ "clusterName": name, "tags": tags }),
        );
    }
    caller.call("DeleteCluster", &json!({ "cluster": "two" }));
    for _ in 0..3 {
        caller.call("RegisterTaskDefinition", &definition("family"));
    }
    let first = json!({ "taskDefinition": "family:1" });
    caller.call("DeregisterTaskDefinition", &first);
    let setting = json!({ "name": "containerInsights", "value": "enabled" });
    caller.call("PutAccountSettingDefault", &setting);
    let instance = register_instance(caller, "token");
    let attribute = json!({
        "cluster": "default",
        "attributes": [{ "name": "rack", "value": "7", "targetId": instance }],
    });
    caller.call("PutAttributes", &attribute);
    let run = json!({ "taskDefinition": "family", "count": 2, "clientToken": "twice" });
    let ran = caller.call("RunTask", &run);
    assert_eq!(ran["tasks"].as_array().map(Vec::len), Some(2), "{ran}");
    let stop = json!({ "task": ran["tasks"][0]["taskArn"], "reason": "enough" });
    caller.call("StopTask", &stop);
}

fn register_instance(caller: &mut Caller, token: &str) -> String {
    let resource =
        |name: &str, value: u32| json!({ "name": name, "type": "INTEGER", "integerValue": value });
    let registered = caller.call(
        "RegisterContainerInstance",
        &json!({
            "cluster": "default",
            "clientToken": token,
            "totalResources": [
                resource("CPU", 4096),
                resource("MEMORY", 4096),
                { "name": "PORTS", "type": "STRINGSET", "stringSetValue": [] },
                { "name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": [] },
            ],
            "versionInfo": { "agentVersion": "1.90.0", "agentHash": "0", "dockerVersion": "25" },
        }),
    );
    let arn = registered["containerInstance"]["containerInstanceArn"].as_str();
    arn.expect("an instance has an ARN").to_owned()
}

/// All that can be asked about what [`populate`] made, without what changes by itself.
fn seen(caller: &mut Caller) -> BTreeMap<String, Value> {
    let mut seen = BTreeMap::new();
    let mut ask = |operation: &str, input: Value| {
        let mut answer = caller.call(operation, &input);
        forget_what_is_not_saved(&mut answer);
        seen.insert(format!("{operation} {input}"), answer);
    };
    let include = json!([
        "ATTACHMENTS",
        "CONFIGURATIONS",
        "SETTINGS",
        "STATISTICS",
        "TAGS"
    ]);
    let clusters = json!(["default", "one", "two"]);
    ask(
        "DescribeClusters",
        json!({ "clusters": clusters, "include": include }),
    );
    ask("ListClusters", json!({}));
    ask("ListTaskDefinitions", json!({}));
    ask("ListTaskDefinitions", json!({ "status": "INACTIVE" }));
    for revision in 1..=3 {
        let name = format!("family:{revision}");
        ask("DescribeTaskDefinition", json!({ "taskDefinition": name }));
    }
    ask("ListAccountSettings", json!({ "effectiveSettings": true }));
    ask(
        "ListAttributes",
        json!({ "targetType": "container-instance" }),
    );
    let instances =
        caller.call("ListContainerInstances", &json!({}))["containerInstanceArns"].clone();
    let mut tasks = Vec::new();
    for desired in ["RUNNING", "STOPPED"] {
        let listed = caller.call("ListTasks", &json!({ "desiredStatus": desired }));
        tasks.extend(listed["taskArns"].as_array().cloned().unwrap_or_default());
    }
    let mut ask = |operation: &str, input: Value| {
        let mut answer = caller.call(operation, &input);
        forget_what_is_not_saved(&mut answer);
        seen.insert(format!("{operation} {input}"), answer);
    };
    ask(
        "DescribeContainerInstances",
        json!({ "containerInstances": instances }),
    );
    ask(
        "DescribeTasks",
        json!({ "tasks": tasks, "include": ["TAGS"] }),
    );
    ask(
        "RunTask",
        json!({ "taskDefinition": "family", "count": 2, "clientToken": "twice" }),
    );
    seen
}

/// One question at a time, so that a failure can be read.
fn assert_same(after: &BTreeMap<String, Value>, before: &BTreeMap<String, Value>) {
    for (question, answer) in before {
        let now = after.get(question);
        assert_eq!(now, Some(answer), "{question}");
    }
    assert_eq!(after.len(), before.len(), "questions");
}

/// Whether an agent is connected is not saved, and page tokens are signed by each server anew.
fn forget_what_is_not_saved(answer: &mut Value) {
    match answer {
        Value::Object(members) => {
            for name in [
                "agentConnected",
                "connectivity",
                "connectivityAt",
                "nextToken",
            ] {
                members.remove(name);
            }
            members.values_mut().for_each(forget_what_is_not_saved);
        }
        Value::Array(values) => values.iter_mut().for_each(forget_what_is_not_saved),
        _ => {}
    }
}

#[test]
fn a_populated_store_is_the_same_after_a_kill_and_after_a_stop() {
    let mut server = serve(&[]);
    let mut caller = Caller::of(&server);
    populate(&mut caller);
    let before = seen(&mut caller);
    server.kill();
    server.restart();
    assert_same(&seen(&mut caller), &before);
    assert!(server.terminate().success());
    server.restart();
    assert_same(&seen(&mut caller), &before);
    server.finish();
}

#[test]
fn a_populated_database_is_the_same_after_a_kill_and_after_a_stop() {
    let postgres = Postgres::start();
    let mut server = serve(&["--database-url", &postgres.url()]);
    let mut caller = Caller::of(&server);
    populate(&mut caller);
    let before = seen(&mut caller);
    server.kill();
    server.restart();
    assert_same(&seen(&mut caller), &before);
    assert!(server.terminate().success());
    server.restart();
    assert_same(&seen(&mut caller), &before);
    server.finish();
}

/// Changes one of the embedded store's files, while no server uses it.
fn sqlite(server: &Server, file: &str, statement: &str) -> String {
    let path = format!("{}/{file}", server.data_dir());
    let output = Command::new("sqlite3").args([&path, statement]).output();
    let output = output.expect("sqlite3 starts: make test installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{statement}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Starts a server that must end by itself: exit code and what it said.
fn start_fails(data_dir: &str, more: &[&str]) -> (i32, String) {
    let usual = ["serve", "--listen", "127.0.0.1:0", "--data-dir", data_dir];
    ended(&[usual.as_slice(), more].concat(), &KEY)
}

#[test]
fn a_store_of_a_newer_version_is_left_alone() {
    let mut server = serve(&[]);
    populate(&mut Caller::of(&server));
    assert!(server.terminate().success());
    for file in ["journal.db", "state.db"] {
        sqlite(
            &server,
            file,
            "INSERT INTO schema_version VALUES (4711, '99.0.0')",
        );
        let (code, said) = start_fails(&server.data_dir(), &[]);
        assert_eq!(code, 3, "{said}");
        assert!(said.contains("4711") && said.contains("99.0.0"), "{said}");
        sqlite(
            &server,
            file,
            "DELETE FROM schema_version WHERE version = 4711",
        );
    }
    server.restart();
    server.finish();
}

#[test]
fn a_corrupt_record_is_named_and_can_be_set_aside() {
    let mut server = serve(&[]);
    let mut caller = Caller::of(&server);
    populate(&mut caller);
    assert!(server.terminate().success());
    let broken = "SELECT key FROM cluster WHERE body LIKE '%\"one\"%' OR key LIKE '%one%' LIMIT 1";
    let key = sqlite(&server, "state.db", broken);
    assert!(!key.is_empty(), "the cluster has a record");
    let damage = format!("UPDATE cluster SET body = '{{\"name\":' WHERE key = '{key}'");
    sqlite(&server, "state.db", &damage);
    let (code, said) = start_fails(&server.data_dir(), &[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("cluster") && said.contains(&key), "{said}");
    // Agents that wait for a server which cannot lead do not keep it from ending.
    let dev = ["dev", "--listen", "127.0.0.1:0", "--runtime", "simulated"];
    let (code, said) = ended(
        &[&dev[..], &["--data-dir", &server.data_dir()]].concat(),
        &[],
    );
    assert_eq!(code, 3, "{said}");
    assert!(said.contains(&key), "{said}");

    let name = format!("cluster/{key}");
    let (code, said) = ended(
        &[
            "doctor",
            "--data-dir",
            &server.data_dir(),
            "--set-aside",
            &name,
        ],
        &[],
    );
    assert_eq!(code, 0, "{said}");
    server.restart();
    let listed = caller.call("ListClusters", &json!({}));
    assert_eq!(
        listed["clusterArns"].as_array().map(Vec::len),
        Some(1),
        "{listed}"
    );
    server.finish();
}

#[test]
fn data_directory_and_address_belong_to_one_server() {
    let server = serve(&[]);
    let (code, said) = start_fails(&server.data_dir(), &[]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("in use"), "{said}");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let other = folder.path().display().to_string();
    let arguments = ["serve", "--listen", server.address(), "--data-dir", &other];
    let (code, said) = ended(&arguments, &KEY);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains(server.address()), "{said}");
    Caller::of(&server).call("CreateCluster", &json!({}));
    server.finish();
}

/// A small file system. Dropping it unmounts it.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> SmallDisk {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let size = format!("size={SMALL_DISK}");
        let path = folder.path().display().to_string();
        as_root(&[
            "mount",
            "-t",
            "tmpfs",
            "-o",
            &format!("{size},mode=1777"),
            "tmpfs",
            &path,
        ]);
        SmallDisk(folder)
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// Writes until there is no room left.
    fn fill(&self) {
        use std::io::Write;
        let file = fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("filler"));
        let mut file = file.expect("a file can be made");
        for size in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        fs::remove_file(self.path("filler")).expect("the file is ours");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let path = self.0.path().display().to_string();
        as_root(&["umount", "--lazy", &path]);
    }
}

/// Mounting needs root; who is not asks for it.
fn as_root(command: &[&str]) {
    let id = Command::new("id").arg("-u").output().expect("id starts");
    let plain = id.stdout.trim_ascii() == b"0";
    let whole = if plain {
        command.to_vec()
    } else {
        [&["sudo", "-n"], command].concat()
    };
    let status = Command::new(whole[0]).args(&whole[1..]).status();
    assert!(
        status.is_ok_and(|status| status.success()),
        "{}",
        whole.join(" ")
    );
}

#[test]
fn a_full_disk_stops_writes_alone_and_until_there_is_room() {
    let disk = SmallDisk::mount();
    let spec = Spec::serve(&[]).data_dir(&disk.path("data"));
    let server = Key::TESTS.taken_by(spec).start();
    let mut caller = Caller::of(&server);
    populate(&mut caller);
    let instance = register_instance(&mut caller, "reports");
    let ran = caller.call(
        "StartTask",
        &json!({
            "taskDefinition": "family", "containerInstances": [instance],
        }),
    );
    let task = ran["tasks"][0]["taskArn"].clone();

    disk.fill();
    let mut number = 0;
    let mut write = |caller: &mut Caller| {
        number += 1;
        let name = format!("filled-{number}");
        let answer = caller.ask("CreateCluster", &json!({ "clusterName": name }));
        let answer = answer.expect("the server answers");
        assert!(
            answer.status == 200 || answer.fault() == ("ServerException".to_owned(), 503),
            "{answer:?}"
        );
        (name, answer.status == 200)
    };
    let mut kept = Vec::new();
    // The files have some room of their own left; it ends soon.
    wait_for("writes to be refused", SOON, || {
        let (name, is_kept) = write(&mut caller);
        disk.fill();
        if is_kept {
            kept.push(name);
        }
        (!is_kept).then_some(())
    });
    let read = json!({ "clusters": ["one"] });
    caller.call("DescribeClusters", &read);
    assert!(server.is_healthy(), "it still serves");

    let report = json!({
        "cluster": "default", "task": task, "status": "RUNNING",
        "containers": [{ "containerName": "main", "status": "RUNNING" }],
    });
    let address = server.address().to_owned();
    let reporting = std::thread::spawn(move || {
        let mut agent = Caller::at(&address);
        agent.ask("SubmitTaskStateChange", &report)
    });
    wait_for("more refused writes", SOON, || {
        let (name, is_kept) = write(&mut caller);
        if is_kept {
            kept.push(name);
        }
        disk.fill();
        caller.call("DescribeClusters", &read);
        (!is_kept).then_some(())
    });
    assert!(!reporting.is_finished(), "the report did not wait");
    disk.make_room();
    wait_for("the report to be taken", REPORTS_WAIT_MAX, || {
        reporting.is_finished().then_some(())
    });
    let answer = reporting.join().expect("no panic").expect("an answer");
    assert_eq!(answer.status, 200, "{}", answer.body);
    wait_for("writes to be taken again", SOON, || {
        let (name, is_kept) = write(&mut caller);
        is_kept.then(|| kept.push(name))
    });

    let before = seen(&mut caller);
    let mut server = server;
    server.kill();
    server.restart();
    assert_same(&seen(&mut caller), &before);
    for name in &kept {
        let found = caller.call("DescribeClusters", &json!({ "clusters": [name] }));
        assert_eq!(found["clusters"][0]["status"], "ACTIVE", "{name}");
    }
    let task = caller.call("DescribeTasks", &json!({ "tasks": [task] }));
    assert_eq!(task["tasks"][0]["lastStatus"], "RUNNING", "{task}");
    server.finish();
}

/// An outage that outlasts the lease of 10 s, and one that does not.
const OUTAGES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(14)];

#[test]
fn a_database_that_goes_and_returns_stops_writes_alone() {
    for outage in OUTAGES {
        database_goes(outage);
    }
}

#[expect(clippy::disallowed_methods, reason = "outages last by the real clock")]
fn database_goes(outage: Duration) {
    let mut postgres = Postgres::start();
    let server = serve(&["--database-url", &postgres.url()]);
    let mut caller = Caller::of(&server);
    populate(&mut caller);
    let before = seen(&mut caller);
    postgres.kill();
    let read = json!({ "clusters": ["one"] });
    let begun = Instant::now();
    let mut number = 0;
    wait_for("the end of the outage", REPORTS_WAIT_MAX, || {
        caller.call("DescribeClusters", &read);
        number += 1;
        let name = json!({ "clusterName": format!("refused-{number}") });
        let refused = caller.refused("CreateCluster", &name);
        assert_eq!(refused, ("ServerException".to_owned(), 503));
        (begun.elapsed() > outage).then_some(())
    });
    postgres.run();
    wait_for("writes to be taken again", SOON, || {
        let answer = caller.ask("CreateCluster", &json!({ "clusterName": "taken" }));
        (answer.expect("an answer").status == 200).then_some(())
    });
    caller.call("DeleteCluster", &json!({ "cluster": "taken" }));
    let after = seen(&mut caller);
    let tasks = |seen: &BTreeMap<String, Value>| -> Vec<(String, Value)> {
        let kept = seen
            .iter()
            .filter(|(question, _)| !question.contains("Clusters"));
        kept.map(|(q, a)| (q.clone(), a.clone())).collect()
    };
    assert_eq!(tasks(&after), tasks(&before));
    server.finish();
}

#[test]
fn a_backup_made_while_it_runs_restores_what_was_there() {
    let server = serve(&[]);
    let mut caller = Caller::of(&server);
    populate(&mut caller);
    let before = seen(&mut caller);
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("backup").display().to_string();
    let (code, said) = ended(&["backup", &file, "--data-dir", &server.data_dir()], &[]);
    assert_eq!(code, 0, "{said}");
    caller.call("CreateCluster", &json!({ "clusterName": "later" }));
    server.finish();

    let restored = folder.path().join("restored").display().to_string();
    let (code, said) = ended(&["restore", &file, "--data-dir", &restored], &[]);
    assert_eq!(code, 0, "{said}");
    let (code, said) = ended(&["restore", &file, "--data-dir", &restored], &[]);
    assert_ne!(
        code, 0,
        "a store that holds something was overwritten: {said}"
    );
    let spec = Spec::serve(&[]).data_dir(&restored);
    let server = Key::TESTS.taken_by(spec).start();
    assert_same(&seen(&mut Caller::of(&server)), &before);
    server.finish();

    let newer = "INSERT INTO schema_version VALUES (4711, '99.0.0')";
    let inserted = Command::new("sqlite3").args([&file, newer]).status();
    assert!(inserted.expect("sqlite3 starts").success());
    let elsewhere = folder.path().join("elsewhere").display().to_string();
    let (code, said) = ended(&["restore", &file, "--data-dir", &elsewhere], &[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("4711"), "{said}");
    let whole = std::fs::read(&file).expect("the backup is there");
    std::fs::write(&file, &whole[..5000]).expect("the backup is ours");
    let (code, said) = ended(&["restore", &file, "--data-dir", &elsewhere], &[]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("damaged"), "{said}");
}

#[test]
fn a_store_moves_to_postgres_whole() {
    let mut server = serve(&[]);
    let mut caller = Caller::of(&server);
    populate(&mut caller);
    let before = seen(&mut caller);
    assert!(server.terminate().success());
    let postgres = Postgres::start();
    let arguments = [
        "move",
        "--data-dir",
        &server.data_dir(),
        "--to",
        &postgres.url(),
    ];
    let (code, said) = ended(&arguments, &[]);
    assert_eq!(code, 0, "{said}");
    let moved = serve(&["--database-url", &postgres.url()]);
    assert_same(&seen(&mut Caller::of(&moved)), &before);
    moved.finish();
    let (code, said) = ended(&arguments, &[]);
    assert_ne!(
        code, 0,
        "a database that holds something was overwritten: {said}"
    );
}
