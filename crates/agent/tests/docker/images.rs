//! Pulls, from Debian's registry on the loopback.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use berth_agent::runtime::{ErrorKind, PullBehavior, Runtime};

use crate::support::{Daemon, eventually, isolated, pull_request, write};

/// Any port does: the network namespace is the test's own.
const REGISTRY: &str = "127.0.0.1:5000";
/// `me` with the password `secret>?`, whose credentials header has signs that differ between the
/// two alphabets of base64.
const HTPASSWD: &str = "me:$2y$05$abcdefghijklmnopqrstuupJ/7fliGMzBkRmZ231SP1nIMS/5Hcsu";

struct Registry(Child);

impl Registry {
    async fn start(daemon: &Daemon, with_password: bool) -> Self {
        let folder = daemon.path("registry");
        let auth = match with_password {
            true => {
                write(&folder.join("htpasswd"), HTPASSWD);
                format!(
                    "auth:\n  htpasswd:\n    realm: test\n    path: {}\n",
                    folder.join("htpasswd").display()
                )
            }
            false => String::new(),
        };
        let config = format!(
            "version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {}\nhttp:\n  addr: {REGISTRY}\n{auth}",
            folder.join("data").display()
        );
        write(&folder.join("config.yml"), &config);
        let child = Command::new("docker-registry")
            .arg("serve")
            .arg(folder.join("config.yml"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("docker-registry is needed for the tests: apt-get install docker-registry");
        let registry = Self(child);
        eventually("the registry", || async {
            std::net::TcpStream::connect(REGISTRY).ok()
        })
        .await;
        registry
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

const IMAGE: &str = "127.0.0.1:5000/team/tool:1";

#[test]
fn every_pull_behavior_does_what_it_says() {
    isolated(async {
        let daemon = Daemon::start().await;
        let registry = Registry::start(&daemon, false).await;
        let runtime = daemon.runtime().await;
        let pull = async |behavior| runtime.pull(pull_request(IMAGE, behavior)).await;
        let error = pull(PullBehavior::Default).await.expect_err("not there");
        assert_eq!(error.kind, ErrorKind::CannotPullContainer);
        assert!(
            error.to_string().starts_with("CannotPullContainerError: "),
            "{error}"
        );

        daemon.docker(&["tag", "busybox", IMAGE]);
        daemon.docker(&["push", "--quiet", IMAGE]);
        let digest = daemon.docker(&["inspect", "--format", "{{index .RepoDigests 0}}", IMAGE]);
        let digest = digest.split_once('@').expect("a digest").1.to_owned();
        daemon.docker(&["rmi", IMAGE]);
        let pulled = pull(PullBehavior::PreferCached).await.expect("pulled");
        assert_eq!(
            (pulled.digest.as_deref(), pulled.note),
            (Some(&*digest), None)
        );
        let pinned = format!("127.0.0.1:5000/team/tool@{digest}");
        let pinned = runtime
            .pull(pull_request(&pinned, PullBehavior::Always))
            .await;
        assert_eq!(pinned.expect("pulled").digest, Some(digest.clone()));

        drop(registry);
        for behavior in [PullBehavior::PreferCached, PullBehavior::Once] {
            let there = pull(behavior).await.expect("no registry is asked");
            assert_eq!(
                (there.digest.as_deref(), there.note),
                (Some(&*digest), None)
            );
        }
        let there = pull(PullBehavior::Default)
            .await
            .expect("the one that is there does");
        assert_eq!(there.digest.as_deref(), Some(&*digest));
        assert!(
            there
                .note
                .expect("a note")
                .starts_with("CannotPullContainerError: pull image manifest has been retried")
        );
        let error = pull(PullBehavior::Always).await.expect_err("no registry");
        assert_eq!(error.kind, ErrorKind::CannotPullContainer);

        // An image that no registry has.
        let local = runtime
            .pull(pull_request("busybox", PullBehavior::PreferCached))
            .await;
        assert_eq!(local.expect("there").digest, None);
    });
}

#[test]
fn credentials_come_from_dockers_configuration_and_from_helpers() {
    isolated(async {
        let daemon = Daemon::start().await;
        let _registry = Registry::start(&daemon, true).await;
        let runtime = daemon.runtime().await;
        let always = || runtime.pull(pull_request(IMAGE, PullBehavior::Always));
        let error = always().await.expect_err("no credentials");
        assert_eq!(error.kind, ErrorKind::CannotPullContainerAuth, "{error}");

        let config = format!(r#"{{"auths":{{"{REGISTRY}":{{"auth":"bWU6c2VjcmV0Pj8="}}}}}}"#);
        write(&daemon.path("config.json"), &config);
        daemon.docker(&["tag", "busybox", IMAGE]);
        let folder = daemon.path("").display().to_string();
        daemon.docker(&["--config", &folder, "push", "--quiet", IMAGE]);
        assert!(always().await.expect("pulled").digest.is_some());

        let config = format!(r#"{{"credHelpers":{{"{REGISTRY}":"not-there"}}}}"#);
        write(&daemon.path("config.json"), &config);
        let error = always().await.expect_err("no helper");
        assert!(
            error.to_string().contains("docker-credential-not-there"),
            "{error}"
        );
    });
}

#[test]
fn a_low_disk_stops_pulls_and_says_so() {
    isolated(async {
        let daemon = Daemon::start().await;
        let mut settings = daemon.settings(None);
        settings.disk_free_bytes_min = u64::MAX;
        let runtime = daemon.runtime_with(settings).await;
        let error = runtime
            .pull(pull_request(IMAGE, PullBehavior::Default))
            .await;
        let error = error.expect_err("no space");
        assert_eq!(error.kind, ErrorKind::CannotPullContainer);
        assert!(error.detail.contains("no space left on device"), "{error}");
        let there = runtime
            .pull(pull_request("busybox", PullBehavior::Default))
            .await;
        assert!(there.expect("there").note.is_some());
    });
}

#[test]
fn images_that_nothing_used_for_long_are_removed_and_others_stay() {
    isolated(async {
        let daemon = Daemon::start().await;
        let _registry = Registry::start(&daemon, false).await;
        daemon.docker(&["tag", "busybox", IMAGE]);
        daemon.docker(&["push", "--quiet", IMAGE]);
        daemon.docker(&["rmi", IMAGE]);
        let mut settings = daemon.settings(None);
        settings.image_age = Some(Duration::from_millis(10));
        let runtime = daemon.runtime_with(settings).await;
        let pulled = runtime
            .pull(pull_request(IMAGE, PullBehavior::Default))
            .await;
        pulled.expect("pulled");
        eventually("the removal", || async {
            let images = daemon.docker(&["images", "--format", "{{.Repository}}"]);
            (!images.contains("team/tool")).then_some(())
        })
        .await;
        assert!(
            daemon
                .docker(&["images", "--format", "{{.Repository}}"])
                .contains("busybox")
        );
    });
}
