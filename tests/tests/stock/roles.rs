//! What a task's role may: call the API as its session, also after a restart of the server, and
//! nothing that an agent does.

use berth_tests::{AgentSocket, Caller, Key, Spec, call_in_session as call};
use serde_json::json;

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
