//! Version consistency: a tag that moves while a deployment runs, in Debian's registry on loopback.

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use berth_tests::{Aws, Docker, IMAGE, SOON, Spec, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A registry in a process of its own, which ends with it.
struct Registry {
    process: Child,
    address: String,
    _folder: TempDir,
}

impl Registry {
    fn start() -> Registry {
        // Taken and given back: another process is not likely to take it in between.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data").display().to_string();
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: \
             {data}\nhttp:\n  addr: {address}\n"
        );
        let path = folder.path().join("config.yml");
        std::fs::write(&path, config).unwrap();
        let process = Command::new("docker-registry")
            .arg("serve")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry starts: make test installs it");
        wait_for("the registry to listen", SOON, || {
            TcpStream::connect(&address).ok()
        });
        Registry {
            process,
            address,
            _folder: folder,
        }
    }

    /// Moves `image` to a new image with `content` in `/content`; its digest. No copy stays with
    /// Docker.
    fn push(&self, docker: &Docker, image: &str, content: &str) -> String {
        let name = format!("berth-made-{content}");
        let line = format!("echo {content} > /content");
        let _ = docker.run(&[
            "run",
            "--name",
            &name,
            "--network",
            "none",
            IMAGE,
            "sh",
            "-c",
            &line,
        ]);
        let _ = docker.run(&["commit", &name, image]);
        let _ = docker.run(&["rm", &name]);
        let _ = docker.run(&["push", "--quiet", image]);
        let digests = docker.run(&["inspect", "--format", "{{json .RepoDigests}}", image]);
        let digests: Vec<String> = serde_json::from_str(&digests).unwrap();
        let digest = digests.iter().find_map(|one| {
            let (repository, digest) = one.split_once('@')?;
            image.starts_with(repository).then(|| digest.to_owned())
        });
        let _ = docker.run(&["rmi", image]);
        digest.expect("a pushed image has a digest")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn register(aws: &Aws, family: &str, image: &str, more: &Value) {
    let mut container = json!({
        "name": "app", "image": image, "memory": 16, "stopTimeout": 2,
        "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"],
    });
    for (name, value) in more.as_object().unwrap() {
        container[name] = value.clone();
    }
    let containers = json!([container]).to_string();
    let arguments = ["ecs", "register-task-definition", "--family", family];
    let _ = aws.run(&[&arguments[..], &["--container-definitions", &containers]].concat());
}

fn create(aws: &Aws, name: &str) {
    let command = ["ecs", "create-service", "--service-name", name];
    let rest = ["--task-definition", name, "--desired-count", "1"];
    let _ = aws.run(&[&command[..], &rest].concat());
}

fn update(aws: &Aws, name: &str, change: &[&str]) {
    let command = ["ecs", "update-service", "--service", name];
    let _ = aws.run(&[&command[..], change].concat());
}

/// The containers of a service that has so many tasks, all running in one deployment.
fn running(aws: &Aws, name: &str, count: usize) -> Vec<Value> {
    wait_for("the service to be settled", SOON * 2, || {
        let described = aws.run(&["ecs", "describe-services", "--services", name]);
        let service = &described["services"][0];
        let deployments = service["deployments"].as_array()?;
        let done = deployments.len() == 1 && deployments[0]["rolloutState"] == "COMPLETED";
        let listed = aws.run(&["ecs", "list-tasks", "--service-name", name]);
        let arns = listed["taskArns"].as_array()?;
        if !done || arns.len() != count || service["runningCount"] != count {
            return None;
        }
        let arns: Vec<&str> = arns.iter().filter_map(Value::as_str).collect();
        let tasks = aws.run(&[&["ecs", "describe-tasks", "--tasks"], &arns[..]].concat());
        let tasks = tasks["tasks"].as_array()?.iter();
        Some(tasks.map(|task| task["containers"][0].clone()).collect())
    })
}

fn digests(containers: &[Value]) -> Vec<&str> {
    let mut digests: Vec<&str> = containers
        .iter()
        .map(|container| container["imageDigest"].as_str().expect("a digest"))
        .collect();
    digests.sort_unstable();
    digests
}

#[test]
fn all_tasks_of_a_deployment_run_one_image_though_its_tag_moves() {
    let docker = Docker::get();
    let registry = Registry::start();
    let image = format!("{}/team/web:live", registry.address);
    let one = registry.push(&docker, &image, "one");
    let spec = Spec::dev(&["--image-pull-behavior", "always", "--agent-memory", "512"]);
    let server = docker.serving(spec).start();
    let aws = server.aws();
    register(&aws, "web", &image, &json!({}));
    register(
        &aws,
        "loose",
        &image,
        &json!({ "versionConsistency": "disabled" }),
    );
    create(&aws, "web");
    create(&aws, "loose");
    assert_eq!(digests(&running(&aws, "web", 1)), [&one]);
    assert_eq!(digests(&running(&aws, "loose", 1)), [&one]);

    // The tag moves. A deployment stays with what its first task found; one that does not
    // want to, does not.
    let two = registry.push(&docker, &image, "two");
    assert_ne!(one, two);
    for name in ["web", "loose"] {
        update(&aws, name, &["--desired-count", "2"]);
    }
    let pair = running(&aws, "web", 2);
    assert_eq!(digests(&pair), [&one, &one]);
    for container in &pair {
        // As Amazon ECS shows it: the image by its tag, and the digest beside it.
        assert_eq!(container["image"], json!(image), "{container}");
        let id = container["runtimeId"].as_str().unwrap();
        assert_eq!(docker.run(&["exec", id, "cat", "/content"]), "one");
    }
    let mut both = [one.as_str(), two.as_str()];
    both.sort_unstable();
    assert_eq!(digests(&running(&aws, "loose", 2)), both);

    // A new deployment looks anew, and says what it found.
    update(&aws, "web", &["--force-new-deployment"]);
    assert_eq!(digests(&running(&aws, "web", 2)), [&two, &two]);
    let described = aws.run(&["ecs", "describe-services", "--services", "web"]);
    let current = &described["services"][0]["currentServiceRevisions"][0]["arn"];
    let command = [
        "ecs",
        "describe-service-revisions",
        "--service-revision-arns",
    ];
    let revision = aws.run(&[&command[..], &[current.as_str().unwrap()]].concat());
    assert_eq!(
        revision["serviceRevisions"][0]["containerImages"],
        json!([{ "containerName": "app", "image": image, "imageDigest": two }])
    );
    for name in ["web", "loose"] {
        let _ = aws.run(&["ecs", "delete-service", "--service", name, "--force"]);
    }
    server.finish();
}
