//! The stock Amazon ECS agent: its credentials, its settings, and how it is started.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use berth_agent::joined::{Granted, Joined, replace};

use super::STOCK_FINAL;
use super::rules::Rules;
use super::supervise::{Child, Ended, supervise};
use crate::cli::Join;
use crate::server::make_folder;

/// Where the agent looks for credentials that change, and reads them anew each minute. The place
/// is built into it.
const CREDENTIALS_FOLDER: &str = "/rotatingcreds";
const CREDENTIALS_FILE: &str = "credentials";
/// The agent's container.
const CONTAINER: &str = "berth-ecs-agent";
/// What the agent must not find: keys of somebody else go before the file, and a bundle of
/// certificates under this name ends it at once.
const UNSET: [&str; 7] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "AWS_ENDPOINT_URL",
];

/// Runs the agent until a signal, or until it ends for good.
///
/// # Errors
/// When it cannot be started, or what it needs cannot be made.
pub(super) async fn run(join: &Join, joined: Arc<Joined>) -> Result<Ended> {
    let folder = match &join.stock_agent {
        Some(_) => PathBuf::from(CREDENTIALS_FOLDER),
        None => join.data_dir.join("credentials"),
    };
    make_folder(&folder)?;
    make_folder(&join.data_dir.join("data"))?;
    let granted = joined.granted().borrow().clone();
    keep_written(&joined, folder.join(CREDENTIALS_FILE))?;
    tokio::spawn(joined.keep_renewed());
    let rules = Rules::install().await?;
    let given = given_settings();
    let ended = supervise(
        || match &join.stock_agent {
            Some(program) => Ok(as_process(program, join, &granted, &given)),
            None => {
                remove_container();
                Ok(as_container(join, &folder, &granted, &given))
            }
        },
        &STOCK_FINAL,
    )
    .await;
    rules.remove().await;
    ended
}

/// Writes the credentials of now, and every newer ones.
fn keep_written(joined: &Joined, file: PathBuf) -> Result<()> {
    let mut granted = joined.granted();
    let text = credentials_text(&granted.borrow_and_update());
    let failed = || format!("could not write {}", file.display());
    replace(&file, text.as_bytes()).with_context(failed)?;
    tokio::spawn(async move {
        while granted.changed().await.is_ok() {
            let text = credentials_text(&granted.borrow_and_update());
            if let Err(error) = replace(&file, text.as_bytes()) {
                tracing::warn!(%error, "the agent's credentials are not written");
            }
        }
    });
    Ok(())
}

/// In the form of `~/.aws/credentials`.
fn credentials_text(granted: &Granted) -> String {
    format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\naws_session_token = {}\n",
        granted.access_key_id, granted.secret_access_key, granted.session_token
    )
}

/// The agent's settings in this process's environment, which go before ours.
fn given_settings() -> Vec<(String, OsString)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with("ECS_"))
        .collect()
}

/// The agent's settings: the server's address, the folders as the agent and as Docker see them,
/// and what a machine of one's own should have.
fn settings(join: &Join, granted: &Granted, data: &str) -> Vec<(String, OsString)> {
    let set = |name: &str, value: &str| (name.to_owned(), OsString::from(value));
    vec![
        set("ECS_BACKEND_HOST", &join.server),
        set("ECS_EXTERNAL", "true"),
        set("AWS_DEFAULT_REGION", &granted.region),
        set("ECS_CLUSTER", &granted.cluster),
        set("ECS_DATADIR", data),
        ("ECS_HOST_DATA_DIR".to_owned(), join.data_dir.clone().into()),
        set("ECS_AUDIT_LOGFILE_DISABLED", "true"),
        set(
            "ECS_AVAILABLE_LOGGING_DRIVERS",
            r#"["json-file","syslog","awslogs","fluentd","none"]"#,
        ),
        set("ECS_ENABLE_TASK_IAM_ROLE", "true"),
        set("ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST", "true"),
        // Control groups need mounts that differ from machine to machine.
        set("ECS_ENABLE_TASK_CPU_MEM_LIMIT", "false"),
    ]
}

fn as_process(
    program: &Path,
    join: &Join,
    granted: &Granted,
    given: &[(String, OsString)],
) -> Child {
    let mut child = Child::new(program);
    let data = join.data_dir.join("data").display().to_string();
    child.set = settings(join, granted, &data);
    if let Some(ca_file) = &join.trust.ca_file {
        child.set.push(("SSL_CERT_FILE".to_owned(), ca_file.into()));
    }
    child.set.extend(given.iter().cloned());
    child.unset = UNSET.to_vec();
    child
}

fn as_container(
    join: &Join,
    credentials: &Path,
    granted: &Granted,
    given: &[(String, OsString)],
) -> Child {
    let mut child = Child::new(Path::new("docker"));
    child.arguments(["run", "--rm", "--name", CONTAINER, "--net", "host"]);
    let mut mount = |from: &Path, to: &str| {
        child.arguments.push("-v".into());
        let mut pair = OsString::from(from);
        pair.push(":");
        pair.push(to);
        child.arguments.push(pair);
    };
    mount(Path::new("/var/run"), "/var/run");
    mount(&join.data_dir.join("data"), "/data");
    mount(credentials, &format!("{CREDENTIALS_FOLDER}:ro"));
    let mut set = settings(join, granted, "/data");
    if let Some(ca_file) = &join.trust.ca_file {
        mount(ca_file, "/etc/berth-ca.pem:ro");
        set.push(("SSL_CERT_FILE".to_owned(), "/etc/berth-ca.pem".into()));
    }
    // Docker takes the last of two.
    for (name, value) in set.iter().chain(given) {
        let mut pair = OsString::from(name);
        pair.push("=");
        pair.push(value);
        child.arguments.extend([OsString::from("-e"), pair]);
    }
    child.arguments.push((&join.stock_image).into());
    child
}

/// A container of that name is left over from a kill of this process.
fn remove_container() {
    let _ = std::process::Command::new("docker")
        .args(["rm", "--force", CONTAINER])
        .output();
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::cli::{Cli, Command};

    fn join(flags: &str) -> Join {
        use clap::Parser as _;
        let line = format!("berth join --server https://b.example --stock --data-dir /d {flags}");
        match Cli::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        {
            Command::Join(join) => *join,
            _ => unreachable!("the line says join"),
        }
    }

    fn granted() -> Granted {
        let text = |text: &str| text.to_owned();
        Granted {
            container_instance_arn: text(
                "arn:aws:ecs:eu-west-1:000000000000:container-instance/b/0",
            ),
            cluster: text("blue"),
            region: text("eu-west-1"),
            access_key_id: text("ASIA"),
            secret_access_key: text("s/e=c"),
            session_token: text("t"),
            expiration: text("2026-11-30T23:59:59Z"),
            renew_after_seconds: 3600,
        }
    }

    #[test]
    fn the_agent_finds_credentials_that_it_can_read_anew() {
        assert_eq!(
            credentials_text(&granted()),
            "[default]\naws_access_key_id = ASIA\naws_secret_access_key = s/e=c\n\
             aws_session_token = t\n"
        );
    }

    #[test]
    fn the_agent_runs_in_docker_with_the_machines_settings() {
        let given = [(
            "ECS_INSTANCE_ATTRIBUTES".to_owned(),
            "{\"rack\":\"7\"}".into(),
        )];
        let child = as_container(
            &join("--ca-file /ca.pem"),
            Path::new("/d/credentials"),
            &granted(),
            &given,
        );
        let arguments: Vec<_> = child
            .arguments
            .iter()
            .map(|a| a.to_str().unwrap())
            .collect();
        expect![[r#"
            run --rm --name berth-ecs-agent --net host
            -v /var/run:/var/run
            -v /d/data:/data
            -v /d/credentials:/rotatingcreds:ro
            -v /ca.pem:/etc/berth-ca.pem:ro
            -e ECS_BACKEND_HOST=https://b.example
            -e ECS_EXTERNAL=true
            -e AWS_DEFAULT_REGION=eu-west-1
            -e ECS_CLUSTER=blue
            -e ECS_DATADIR=/data
            -e ECS_HOST_DATA_DIR=/d
            -e ECS_AUDIT_LOGFILE_DISABLED=true
            -e ECS_AVAILABLE_LOGGING_DRIVERS=["json-file","syslog","awslogs","fluentd","none"]
            -e ECS_ENABLE_TASK_IAM_ROLE=true
            -e ECS_ENABLE_TASK_IAM_ROLE_NETWORK_HOST=true
            -e ECS_ENABLE_TASK_CPU_MEM_LIMIT=false
            -e SSL_CERT_FILE=/etc/berth-ca.pem
            -e ECS_INSTANCE_ATTRIBUTES={"rack":"7"} public.ecr.aws/ecs/amazon-ecs-agent:latest
        "#]]
        .assert_eq(
            &(arguments
                .join(" ")
                .replace(" -v", "\n-v")
                .replace(" -e", "\n-e")
                + "\n"),
        );
    }

    #[test]
    fn a_setting_that_was_given_goes_before_ours_and_keys_of_others_are_kept_out() {
        let given = [("ECS_DATADIR".to_owned(), "/elsewhere".into())];
        let child = as_process(Path::new("/agent"), &join(""), &granted(), &given);
        let last = child.set.iter().rfind(|(name, _)| name == "ECS_DATADIR");
        assert_eq!(last.unwrap().1, "/elsewhere");
        assert!(child.unset.contains(&"AWS_ACCESS_KEY_ID"));
    }
}
