//! A Docker for tests: the machine's, or one of our own for as long as a test wants it.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tempfile::TempDir;

use crate::deadline::{SOON, wait_for};
use crate::server::Spec;

/// The image that tests run: busybox with its usual names, made from the machine's own.
pub const IMAGE: &str = "berth/busybox:local";

/// A Docker that answers. The last one who lets go of it stops it, if it is ours.
pub struct Docker {
    /// What `DOCKER_HOST` says.
    host: String,
    own: Option<Own>,
}

/// A daemon of our own: its files, its bridge and its process.
struct Own {
    daemon: Child,
    bridge: String,
    folder: TempDir,
}

impl Own {
    /// Asked to end, it takes its containers and its containerd with it.
    fn end(&mut self) {
        let pid = self.daemon.id().to_string();
        let _ = Command::new("kill").args(["-TERM", &pid]).status();
        let _ = self.daemon.wait();
    }
}

/// Starts a daemon whose files are in `folder`.
fn begin(folder: &Path, bridge: &str, host: &str) -> Child {
    let at = |name: &str| folder.join(name).display().to_string();
    let log = File::options().create(true).append(true).open(at("log"));
    let log = log.expect("the log can be written");
    Command::new("dockerd")
        .args(["--data-root", &at("root"), "--exec-root", &at("exec")])
        .args(["--pidfile", &at("pid"), "--host", host, "--bridge", bridge])
        .args(["--iptables=false", "--ip6tables=false"])
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log can be shared"))
        .stderr(log)
        .spawn()
        .expect("dockerd starts: make test installs it, and it needs root")
}

impl Docker {
    /// The Docker that tests of this process share.
    #[must_use]
    pub fn get() -> Arc<Docker> {
        static SHARED: Mutex<Weak<Docker>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(docker) = shared.upgrade() {
            return docker;
        }
        let docker = Arc::new(Docker::running().unwrap_or_else(Docker::start));
        docker.make_image();
        *shared = Arc::downgrade(&docker);
        docker
    }

    /// The Docker that runs on this machine already.
    fn running() -> Option<Docker> {
        #[expect(clippy::disallowed_methods, reason = "where Docker is, is said there")]
        let named = std::env::var("DOCKER_HOST").ok();
        let host = named.unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned());
        let docker = Docker { host, own: None };
        docker.answers().then_some(docker)
    }

    fn start() -> Docker {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let at = |name: &str| folder.path().join(name).display().to_string();
        // A bridge of its own, so that a daemon beside it keeps docker0 and its addresses. The
        // second and later daemons of a process count down from above those of other processes.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = match STARTED.fetch_add(1, Ordering::Relaxed) {
            0 => std::process::id() % 200,
            more => 255 - (more + std::process::id() * 5) % 55,
        };
        let bridge = format!("berth-t{number}");
        let address = format!("10.213.{number}.1/24");
        for step in [
            ["link", "add", &bridge, "type", "bridge"].as_slice(),
            &["addr", "add", &address, "dev", &bridge],
            &["link", "set", &bridge, "up"],
        ] {
            let made = Command::new("ip").args(step).status();
            assert!(
                made.is_ok_and(|status| status.success()),
                "ip {}",
                step.join(" ")
            );
        }
        let host = format!("unix://{}", at("docker.sock"));
        let daemon = begin(folder.path(), &bridge, &host);
        let docker = Docker {
            host,
            own: Some(Own {
                daemon,
                bridge,
                folder,
            }),
        };
        wait_for("dockerd to answer", SOON, || docker.answers().then_some(()));
        docker
    }

    /// A daemon of the caller's own, which it may restart.
    #[must_use]
    pub fn alone() -> Docker {
        let docker = Docker::start();
        docker.make_image();
        docker
    }

    /// What `DOCKER_HOST` says.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Ends the daemon in good order, with its containers, and starts it again.
    ///
    /// # Panics
    /// When the daemon is the machine's.
    pub fn restart(&mut self) {
        let own = self.own.as_mut().expect("only a daemon of one's own");
        own.end();
        own.daemon = begin(own.folder.path(), &own.bridge, &self.host);
        wait_for("dockerd to answer", SOON, || self.answers().then_some(()));
    }

    /// The server with this Docker.
    #[must_use]
    pub fn serving(&self, spec: Spec) -> Spec {
        spec.env("DOCKER_HOST", &self.host)
    }

    /// Runs a docker command that must succeed; what it wrote.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> String {
        let output = self
            .command()
            .args(arguments)
            .output()
            .expect("docker starts");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "docker {}: {error}",
            arguments.join(" ")
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn command(&self) -> Command {
        let mut command = Command::new("docker");
        command
            .env("DOCKER_HOST", &self.host)
            .env_remove("DOCKER_CONTEXT");
        command
    }

    fn answers(&self) -> bool {
        let mut command = self.command();
        command
            .arg("version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Makes the image, without any registry.
    fn make_image(&self) {
        let known = self.command().args(["image", "inspect", IMAGE]).output();
        if known.is_ok_and(|output| output.status.success()) {
            return;
        }
        let folder = tempfile::tempdir().expect("a folder can be made");
        let busybox = ["/bin/busybox", "/usr/bin/busybox"];
        let busybox = busybox.iter().find(|path| Path::new(path).exists());
        let busybox = busybox.expect("busybox is there: make test installs it");
        let bin = folder.path().join("bin");
        fs::create_dir(&bin).expect("a folder can be made");
        fs::create_dir(folder.path().join("tmp")).expect("a folder can be made");
        fs::copy(busybox, bin.join("busybox")).expect("busybox can be copied");
        let names = Command::new(busybox)
            .arg("--list")
            .output()
            .expect("busybox starts");
        for name in String::from_utf8_lossy(&names.stdout)
            .lines()
            .filter(|n| *n != "busybox")
        {
            std::os::unix::fs::symlink("busybox", bin.join(name)).expect("a link can be made");
        }
        let everybody = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), everybody).expect("the folder is ours");
        let tar = folder.path().with_extension("tar");
        let (tar_text, root) = (
            tar.display().to_string(),
            folder.path().display().to_string(),
        );
        let packed = Command::new("tar")
            .args(["-cf", &tar_text, "-C", &root, "."])
            .status();
        assert!(packed.is_ok_and(|status| status.success()), "tar works");
        let change = "ENV PATH=/bin";
        let _ = self.run(&["import", "--change", change, &tar_text, IMAGE]);
        let _ = fs::remove_file(tar);
    }
}

impl Drop for Docker {
    fn drop(&mut self) {
        let Some(own) = &mut self.own else { return };
        own.end();
        let _ = Command::new("ip")
            .args(["link", "delete", &own.bridge])
            .status();
    }
}
