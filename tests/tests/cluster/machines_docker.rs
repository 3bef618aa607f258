//! Services on two machines of which one is emptied, and then dies: real agents and containers
//! under `berth serve`, which is killed on the way.

use std::time::Duration;

use berth_tests::{Aws, Docker, Key, Process, SOON, Server, Spec, wait_for};
use serde_json::Value;
use tempfile::TempDir;

use crate::services_docker::{STAYS, containers, register, service, settled, update};

/// What the tasks of these tests say.
const WORD: &str = "machines";
/// How long a dead machine's tasks may take to run elsewhere: the 15 s after which it is given
/// up, and the starts on a busy machine of tests.
const REPLACED_MAX: Duration = Duration::from_secs(60);

/// An agent in a process of its own, as on a machine of its own.
struct Machine {
    agent: Process,
    /// Its instance's ARN.
    instance: String,
    _folder: TempDir,
}

impl Machine {
    /// Starts it, and waits until the cluster has one instance more.
    fn join(docker: &Docker, server: &Server, aws: &Aws, name: &str) -> Machine {
        let before = instances(aws);
        let folder = tempfile::tempdir().unwrap();
        let (url, data) = (server.url(), folder.path().join("data"));
        let data = data.display().to_string();
        let own = ["agent", "--server", &url, "--data-dir", &data];
        let more = [
            "--cluster",
            "default",
            "--machine",
            name,
            "--cpu",
            "4096",
            "--memory",
            "1024",
            "--image-pull-behavior",
            "prefer-cached",
        ];
        let environment = [
            ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
            ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
            ("DOCKER_HOST", docker.host()),
        ];
        let log = folder.path().join("log");
        let agent = Process::start(&[&own[..], &more].concat(), &environment, &log);
        let instance = wait_for("the machine to join", SOON, || {
            instances(aws).into_iter().find(|arn| !before.contains(arn))
        });
        Machine {
            agent,
            instance,
            _folder: folder,
        }
    }

    /// Its running containers.
    fn containers(&self, docker: &Docker) -> Vec<String> {
        let filter = format!("label=berth.instance={}", self.instance);
        let listed = docker.run(&["ps", "--no-trunc", "--quiet", "--filter", &filter]);
        listed.lines().map(str::to_owned).collect()
    }

    /// Its end, as by a power failure: the agent first, which then reports nothing.
    fn die(&mut self, docker: &Docker) {
        self.agent.kill();
        let containers = self.containers(docker);
        let containers: Vec<&str> = containers.iter().map(String::as_str).collect();
        let _ = docker.run(&[&["kill"], &containers[..]].concat());
    }

    fn set_status(&self, aws: &Aws, status: &str) {
        let command = ["ecs", "update-container-instances-state"];
        let arguments = ["--status", status, "--container-instances", &self.instance];
        let _ = aws.run(&[&command[..], &arguments].concat());
    }

    fn described(&self, aws: &Aws) -> Value {
        let command = ["ecs", "describe-container-instances"];
        let arguments = ["--container-instances", &self.instance];
        aws.run(&[&command[..], &arguments].concat())["containerInstances"][0].clone()
    }
}

fn instances(aws: &Aws) -> Vec<String> {
    let listed = aws.run(&["ecs", "list-container-instances"]);
    let arns = listed["containerInstanceArns"].as_array().unwrap().iter();
    arns.map(|arn| arn.as_str().unwrap().to_owned()).collect()
}

#[test]
fn tasks_leave_a_machine_that_is_drained_and_one_that_dies() {
    let docker = Docker::get();
    let mut server = Key::TESTS.taken_by(Spec::serve(&[])).start();
    let aws = server.aws().key(Key::TESTS.id, Key::TESTS.secret);
    let _ = aws.run(&["ecs", "create-cluster"]);
    let mut first = Machine::join(&docker, &server, &aws, "first");
    let mut second = Machine::join(&docker, &server, &aws, "second");
    register(&aws, WORD, STAYS);
    let command = ["ecs", "create-service", "--service-name", "web"];
    let rest = ["--task-definition", "web", "--desired-count", "4"];
    let _ = aws.run(&[&command[..], &rest].concat());
    let _ = settled(&aws, "/web:1", 4);
    for machine in [&first, &second] {
        assert_eq!(machine.containers(&docker).len(), 2, "spread evenly");
    }

    // Drained, with a crash right behind it: the others take over before the first stops.
    second.set_status(&aws, "DRAINING");
    server.kill();
    server.restart();
    wait_for("the machine to be empty", SOON * 3, || {
        let running = containers(&docker, WORD).len();
        assert!(running >= 4, "{running} containers are fewer than 100 %");
        let seen = second.described(&aws);
        (seen["runningTasksCount"] == 0 && second.containers(&docker).is_empty()).then_some(())
    });
    let _ = settled(&aws, "/web:1", 4);
    assert_eq!(first.containers(&docker).len(), 4);

    // Back, and in use again.
    second.set_status(&aws, "ACTIVE");
    update(&aws, ["--desired-count", "8"]);
    let _ = settled(&aws, "/web:1", 8);
    let left = first.containers(&docker);
    assert_eq!((left.len(), second.containers(&docker).len()), (4, 4));

    // Dead: what it ran runs elsewhere, and what ran elsewhere is not touched.
    second.die(&docker);
    wait_for(
        "the dead machine's tasks to run elsewhere",
        REPLACED_MAX,
        || (first.containers(&docker).len() == 8).then_some(()),
    );
    let now = first.containers(&docker);
    assert!(
        left.iter().all(|id| now.contains(id)),
        "{left:?} in {now:?}"
    );
    wait_for("eight running tasks", SOON, || {
        (service(&aws)["runningCount"] == 8).then_some(())
    });

    // A server that starts anew finds the same, and does it no second time.
    server.kill();
    server.restart();
    let _ = settled(&aws, "/web:1", 8);
    let mut again = first.containers(&docker);
    let mut now = now;
    again.sort();
    now.sort();
    assert_eq!(again, now);

    let _ = aws.run(&["ecs", "delete-service", "--service", "web", "--force"]);
    wait_for("no container to be left", SOON * 2, || {
        containers(&docker, WORD).is_empty().then_some(())
    });
    assert!(first.agent.is_running());
    server.finish();
}
