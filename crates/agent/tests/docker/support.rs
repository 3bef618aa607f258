//! A Docker of the test's own: a daemon with its own folders and socket, and an image made of
//! busybox.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use berth_agent::runtime::docker::logs::LogsApi;
use berth_agent::runtime::docker::{DockerRuntime, DockerSettings};
use berth_agent::runtime::{
    CreateRequest, PullBehavior, PullRequest, Runtime, RuntimeId, Snapshot, Status, TaskNetwork,
};
use berth_agent_proto::task::{Container, DockerConfig, Task};
use bollard::Docker;
use tokio::time::Instant;

/// How long anything may take before the test fails: machines of CI are slow.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Addresses of containers on the default bridge, and of awsvpc tasks. Every test has a network
/// namespace of its own, so all may use the same.
const BRIDGE_RANGE: &str = "10.112.0.1/16";
pub(crate) const TASK_RANGE: &str = "10.113.0.0/16";

/// Runs a test in a network namespace of its own: daemons that share one flush each other's
/// firewall rules, and those of the machine's own Docker.
pub(crate) fn isolated(test: impl Future<Output = ()> + Send + 'static) {
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)
            .expect("a network namespace; the tests need root");
        run("ip", &["link", "set", "lo", "up"]);
        // Machines have a way out, though nobody answers there.
        run(
            "ip",
            &[
                "link", "add", "out", "type", "veth", "peer", "name", "beyond",
            ],
        );
        run("ip", &["addr", "add", "192.0.2.1/24", "dev", "out"]);
        run("ip", &["link", "set", "beyond", "up"]);
        run("ip", &["link", "set", "out", "up"]);
        run("ip", &["route", "add", "default", "via", "192.0.2.254"]);
        // Its threads begin in the namespace of this one.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        runtime.block_on(test);
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program} is needed: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
}

/// A running daemon; stopped, and its folders removed, when dropped.
pub(crate) struct Daemon {
    folder: tempfile::TempDir,
    process: Option<Child>,
}

impl Daemon {
    /// Starts a daemon with the image `busybox:latest` and nothing else.
    pub(crate) async fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("berth-docker-")
            .tempdir_in("/tmp")
            .expect("a folder for the daemon");
        let mut daemon = Self {
            folder,
            process: None,
        };
        daemon.launch().await;
        daemon.import_busybox();
        daemon
    }

    pub(crate) fn host(&self) -> String {
        format!("unix://{}", self.path("docker.sock").display())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) async fn launch(&mut self) {
        let log = std::fs::File::create(self.path("log")).expect("a log file");
        let process = Command::new("dockerd")
            .arg("--data-root")
            .arg(self.path("data"))
            .arg("--exec-root")
            .arg(self.path("exec"))
            .arg("--pidfile")
            .arg(self.path("pid"))
            .arg("--host")
            .arg(self.host())
            .args(["--bip", BRIDGE_RANGE])
            .stdin(Stdio::null())
            .stdout(Stdio::from(log.try_clone().expect("a second handle")))
            .stderr(Stdio::from(log))
            .spawn()
            .expect("dockerd is needed for the tests: apt-get install docker.io iptables");
        self.process = Some(process);
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Ok(docker) = self.client()
                && docker.ping().await.is_ok()
            {
                return;
            }
            let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
            assert!(
                Instant::now() < deadline,
                "dockerd did not start (it needs root): {log}"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Stops the daemon as a package update does.
    pub(crate) fn stop(&mut self) {
        self.signal("-TERM");
    }

    /// Ends the daemon as a crash does.
    pub(crate) fn kill(&mut self) {
        self.signal("-KILL");
        // Docker's own containerd dies with it. Where nobody reaps it, a new Docker takes it for
        // one that runs.
        let _ = std::fs::remove_file(self.path("exec/containerd/containerd.pid"));
    }

    fn signal(&mut self, signal: &str) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let id = process.id().to_string();
        let _ = Command::new("kill").args([signal, &id]).status();
        let _ = process.wait();
    }

    pub(crate) fn client(&self) -> Result<Docker, bollard::errors::Error> {
        Docker::connect_with_unix(&self.host(), 120, bollard::API_DEFAULT_VERSION)
    }

    fn import_busybox(&self) {
        let root = self.path("busybox");
        std::fs::create_dir_all(root.join("bin")).expect("a folder");
        for folder in ["etc", "tmp", "proc", "root"] {
            std::fs::create_dir_all(root.join(folder)).expect("a folder");
        }
        std::fs::copy("/bin/busybox", root.join("bin/busybox"))
            .expect("a static busybox is needed: apt-get install busybox-static");
        let applets = [
            "sh", "sleep", "echo", "cat", "nc", "wget", "env", "id", "kill", "dd", "ls", "ip",
            "hostname", "true", "false", "touch", "head", "seq", "test", "ps", "mount", "grep",
            "stat", "printf", "pwd", "sysctl", "wc", "df", "httpd", "tail", "nslookup", "usleep",
        ];
        for applet in applets {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).expect("a link");
        }
        std::fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").expect("a file");
        let archive = self.path("busybox.tar");
        let packed = Command::new("tar")
            .arg("-C")
            .arg(&root)
            .arg("-cf")
            .arg(&archive)
            .arg(".")
            .status()
            .expect("tar");
        assert!(packed.success());
        self.docker(&["import", &archive.display().to_string(), "busybox:latest"]);
    }

    /// Runs a command of Docker's client library's elder sister and gives what it printed.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        let output = Command::new("docker")
            .arg("--host")
            .arg(self.host())
            .args(arguments)
            .output()
            .expect("the docker command is needed: apt-get install docker.io");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docker {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn settings(&self, logs: Option<Arc<dyn LogsApi>>) -> DockerSettings {
        DockerSettings {
            host: self.host(),
            data_dir: self.path("agent"),
            task_range: TASK_RANGE.parse().expect("a range"),
            registry_config: Some(self.path("config.json")),
            environment_files: Some(self.path("s3")),
            disk_free_bytes_min: 0,
            image_age: None,
            gpus: Vec::new(),
            logs,
        }
    }

    pub(crate) async fn runtime(&self) -> DockerRuntime {
        self.runtime_with(self.settings(None)).await
    }

    pub(crate) async fn runtime_with(&self, settings: DockerSettings) -> DockerRuntime {
        DockerRuntime::connect(settings)
            .await
            .expect("docker answers")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Containers first: they outlive a daemon that is stopped with them in the way.
        if self.process.is_some() {
            let all = Command::new("docker")
                .args(["--host", &self.host(), "ps", "--all", "--quiet"])
                .output();
            let all = all.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
            for id in all.unwrap_or_default().split_whitespace() {
                let _ = Command::new("docker")
                    .args(["--host", &self.host(), "rm", "--force", "--volumes", id])
                    .output();
            }
        }
        self.stop();
        // What Docker left mounted would keep the folder.
        let folder = self.folder.path().display().to_string();
        let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
        let mounts = mounts.lines().filter_map(|line| line.split(' ').nth(1));
        for mount in mounts.filter(|mount| mount.starts_with(&folder)) {
            let _ = Command::new("umount").args(["--lazy", mount]).status();
        }
    }
}

pub(crate) fn instance() -> Arc<str> {
    "arn:aws:ecs:us-east-1:000000000000:container-instance/default/0123456789abcdef0123456789abcdef"
        .into()
}

/// A container that runs a line of shell.
pub(crate) fn shell(name: &str, line: &str) -> Container {
    Container {
        name: name.to_owned(),
        image: "busybox:latest".to_owned(),
        essential: true,
        command: Some(vec!["sh".to_owned(), "-c".to_owned(), line.to_owned()]),
        ..Container::default()
    }
}

pub(crate) fn with_host(mut container: Container, host_config: &serde_json::Value) -> Container {
    let docker = container
        .docker_config
        .get_or_insert_with(DockerConfig::default);
    docker.host_config = Some(host_config.to_string());
    container
}

pub(crate) fn with_config(mut container: Container, config: &serde_json::Value) -> Container {
    let docker = container
        .docker_config
        .get_or_insert_with(DockerConfig::default);
    docker.config = Some(config.to_string());
    container
}

/// A task. Tests run side by side on one machine, so each takes ids of its own.
pub(crate) fn task(id: &str, containers: Vec<Container>) -> Task {
    Task {
        arn: format!("arn:aws:ecs:us-east-1:000000000000:task/default/{id}"),
        desired_status: "RUNNING".to_owned(),
        family: "web".to_owned(),
        version: "3".to_owned(),
        network_mode: Some("bridge".to_owned()),
        containers,
        ..Task::default()
    }
}

/// A task's containers as the engine would bring them up, one after the other.
pub(crate) struct Running {
    pub(crate) runtime: DockerRuntime,
    pub(crate) task: Arc<Task>,
    pub(crate) network: Option<TaskNetwork>,
    pub(crate) siblings: BTreeMap<String, RuntimeId>,
}

impl Running {
    pub(crate) async fn prepare(runtime: &DockerRuntime, task: Task) -> Self {
        let task = Arc::new(task);
        runtime
            .make_volumes(instance(), Arc::clone(&task))
            .await
            .expect("volumes");
        let network = match task.berth_awsvpc {
            Some(_) => {
                let made = runtime.make_network(instance(), Arc::clone(&task)).await;
                Some(made.expect("a network"))
            }
            None => None,
        };
        Self {
            runtime: runtime.clone(),
            task,
            network,
            siblings: BTreeMap::new(),
        }
    }

    pub(crate) fn request(&self, container: usize) -> CreateRequest {
        CreateRequest {
            instance: instance(),
            cluster: "default".into(),
            task: Arc::clone(&self.task),
            container,
            token: format!("token-{container}").into(),
            network: self.network.clone(),
            siblings: self.siblings.clone(),
            environment: [("AWS_REGION".to_owned(), "us-east-1".to_owned())].into(),
        }
    }

    pub(crate) async fn create(&mut self, container: usize) -> RuntimeId {
        let id = self
            .runtime
            .create(self.request(container))
            .await
            .expect("a container");
        let name = self.task.containers[container].name.clone();
        self.siblings.insert(name, Arc::clone(&id));
        id
    }

    pub(crate) async fn start_all(runtime: &DockerRuntime, task: Task) -> Self {
        let mut running = Self::prepare(runtime, task).await;
        for container in 0..running.task.containers.len() {
            let id = running.create(container).await;
            runtime.start(id).await.expect("started");
        }
        running
    }

    pub(crate) fn id(&self, name: &str) -> RuntimeId {
        Arc::clone(&self.siblings[name])
    }

    /// How the container looks once it has ended.
    pub(crate) async fn ended(&self, name: &str) -> Snapshot {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let seen = self
                .runtime
                .inspect(self.id(name))
                .await
                .expect("inspected");
            let seen = seen.expect("it is there");
            if seen.status == Status::Exited {
                return seen;
            }
            assert!(Instant::now() < deadline, "{name} did not end: {seen:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn remove(&self) {
        for id in self.siblings.values() {
            self.runtime.remove(Arc::clone(id)).await.expect("removed");
        }
        let arn: Arc<str> = self.task.arn.as_str().into();
        self.runtime
            .remove_task(instance(), arn)
            .await
            .expect("removed");
    }
}

/// Runs one container to its end and gives what it wrote.
pub(crate) async fn output_of(
    daemon: &Daemon,
    runtime: &DockerRuntime,
    task: Task,
    name: &str,
) -> String {
    let running = Running::start_all(runtime, task).await;
    running.ended(name).await;
    let output = daemon.docker(&["logs", &running.id(name)]);
    running.remove().await;
    output
}

pub(crate) fn pull_request(image: &str, behavior: PullBehavior) -> PullRequest {
    let mut container = shell("app", "true");
    container.image = image.to_owned();
    PullRequest {
        task: Arc::new(task("pull", vec![container])),
        container: 0,
        behavior,
    }
}

/// Waits until `condition` holds.
pub(crate) async fn eventually<F, T>(what: &str, mut condition: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "{what} did not come to pass");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}
