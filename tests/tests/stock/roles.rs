//! What a task's role may: call the API as its session, also after a restart of the server, and
//! nothing that an agent does.

use std::time::SystemTime;

use berth_tests::{AgentSocket, Answer, Caller, Key, Spec, exchange};
use berth_wire::sigv4::{Signer, Unsigned};
use http::{HeaderMap, Method};
use serde_json::{Value, json};

#[test]
fn a_tasks_role_is_known_by_its_token_and_is_no_agent() {
    let mut server = Key::TESTS.taken_by(Spec::serve(&[])).start();
    let mut caller = Caller::of(&server);
    caller.call("CreateCluster", &json!({ "clusterName": "default" }));
    let instance = super::arithmetic::register(&mut caller);
    let definition = json!({
        "family": "roled", "taskRoleArn": "arn:aws:iam::000000000000:role/web",
        "containerDefinitions": [{ "name": "c", "image": "i", "memory": 64 }],
    });
    caller.call("RegisterTaskDefinition", &definition);
    let mut agent = AgentSocket::acs(server.address(), Key::TESTS, "default", &instance).unwrap();
    let run = caller.call("RunTask", &json!({ "taskDefinition": "roled" }));
    assert_eq!(run["failures"], json!([]));
    let payload = agent.expect("PayloadMessage");
    let credentials = &payload["tasks"][0]["roleCredentials"];
    assert_eq!(credentials["roleArn"], "arn:aws:iam::000000000000:role/web");
    for restart in [false, true] {
        if restart {
            server.kill();
            server.restart();
        }
        let listed = call(server.address(), credentials, "ListClusters", &json!({}));
        assert_eq!(listed.status, 200, "{}", listed.body);
        for operation in ["RegisterContainerInstance", "DiscoverPollEndpoint"] {
            let refused = call(server.address(), credentials, operation, &json!({}));
            assert_eq!(refused.fault().0, "AccessDeniedException");
        }
    }
    let mut forged = credentials.clone();
    forged["secretAccessKey"] = json!("another");
    let refused = call(server.address(), &forged, "ListClusters", &json!({}));
    assert_eq!(refused.fault().0, "InvalidSignatureException");
    server.finish();
}

/// A call signed with a role's credentials.
#[expect(clippy::disallowed_methods, reason = "a signature is of its time")]
fn call(address: &str, credentials: &Value, operation: &str, input: &Value) -> Answer {
    let text = |key: &str| credentials[key].as_str().unwrap().to_owned();
    let signer = Signer {
        access_key_id: text("accessKeyId"),
        secret_access_key: text("secretAccessKey"),
        session_token: Some(text("sessionToken")),
        region: "us-east-1".to_owned(),
        service: "ecs".to_owned(),
    };
    let body = input.to_string();
    let mut headers = HeaderMap::new();
    headers.insert("host", address.parse().unwrap());
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    headers.insert("x-amz-target", target.parse().unwrap());
    let unsigned = Unsigned {
        method: &Method::POST,
        path_and_query: "/",
        headers: &headers,
        body: body.as_bytes(),
    };
    headers.extend(signer.sign(&unsigned, SystemTime::now()).unwrap());
    let mut request = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in &headers {
        request += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    request += &format!(
        "content-type: application/x-amz-json-1.1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(address, request.as_bytes()).unwrap()
}
