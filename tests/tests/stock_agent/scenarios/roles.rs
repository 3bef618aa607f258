//! Credentials of a task's role: containers find them at the agent, and the server knows them.

use std::time::SystemTime;

use berth_tests::{exchange, wait_for};
use berth_wire::sigv4::{Signer, Unsigned};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

use super::tasks::FOREVER;
use crate::Setting;
use crate::field::{Field, PATIENCE, shell, text};

/// Where the agent answers containers; NAT rules that are not its own lead there.
const AGENT: &str = "127.0.0.1:51679";

pub(crate) fn task_role(setting: &Setting) {
    let mut field = Field::start(setting, &[("ECS_ENABLE_TASK_IAM_ROLE", "true")]);
    let role = json!({ "taskRoleArn": "arn:aws:iam::000000000000:role/web" });
    field.register("roled", &json!([shell("main", FOREVER)]), &role);
    let task = field.run("roled");
    field.wait_until(&task, "RUNNING");
    let filter = format!("label=com.amazonaws.ecs.task-arn={task}");
    let id = field.docker.run(&["ps", "-q", "--filter", &filter]);
    let form = "{{range .Config.Env}}{{println .}}{{end}}";
    let variables = field.docker.run(&["inspect", "--format", form, &id]);
    let path = variables
        .lines()
        .find_map(|line| line.strip_prefix("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI="))
        .expect("the container is told where")
        .to_owned();
    let id = task.rsplit('/').next().unwrap_or_default().to_owned();
    let expected = format!("arn:aws:sts::000000000000:assumed-role/web/{id}");
    assert_eq!(who(&field, &credentials(&path)), (200, expected.clone()));
    // Memory of them is lost with the agent, and comes back from the server.
    field.kill_agent();
    field.wait_away();
    field.start_agent();
    field.wait_connected();
    assert_eq!(who(&field, &credentials(&path)), (200, expected));
    field.stop(&task);
    field.wait_until(&task, "STOPPED");
    field.finish();
}

/// What the agent gives at this path.
fn credentials(path: &str) -> Value {
    wait_for("credentials", PATIENCE, || {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {AGENT}\r\nConnection: close\r\n\r\n");
        let answer = exchange(AGENT, request.as_bytes()).ok()?;
        (answer.status == 200).then(|| serde_json::from_str(&answer.body).ok())?
    })
}

/// Who the server says signed so: the status and the ARN.
#[expect(clippy::disallowed_methods, reason = "a signature is of its time")]
fn who(field: &Field, credentials: &Value) -> (u16, String) {
    let address = field.server.address();
    let body = b"Action=GetCallerIdentity&Version=2011-06-15";
    let signer = Signer {
        access_key_id: text(&credentials["AccessKeyId"]),
        secret_access_key: text(&credentials["SecretAccessKey"]),
        session_token: Some(text(&credentials["Token"])),
        region: "us-east-1".to_owned(),
        service: "sts".to_owned(),
    };
    let mut headers = HeaderMap::new();
    headers.insert("host", address.parse().expect("an address is a header"));
    let unsigned = Unsigned {
        method: &Method::POST,
        path_and_query: "/",
        headers: &headers,
        body,
    };
    let signed = signer.sign(&unsigned, SystemTime::now());
    headers.extend(signed.expect("the request can be signed"));
    let mut request = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in &headers {
        request += &format!("{name}: {}\r\n", value.to_str().expect("it is text"));
    }
    request += &format!(
        "content-type: application/x-www-form-urlencoded\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n",
        body.len()
    );
    let answer = exchange(address, &[request.as_bytes(), body].concat()).expect("it answers");
    let arn = answer.body.split_once("<Arn>").unwrap_or_default().1;
    let arn = arn.split('<').next().unwrap_or_default();
    (answer.status, arn.to_owned())
}
