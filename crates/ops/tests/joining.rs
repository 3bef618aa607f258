//! Join tokens and those who join by them.

mod caller;

use std::time::Duration;

use berth_ops::joining::{self, Enrolled, SECRET_BYTES};
use berth_ops::{ApiError, Principal, RoleAccess};
use caller::Bench;
use futures_util::FutureExt;
use serde_json::{Value, json};

/// What a machine calls itself.
const MACHINE: &str = "0123456789abcdef0123456789abcdef";
const OTHER_MACHINE: &str = "fedcba9876543210fedcba9876543210";

fn bench() -> Bench {
    let bench = Bench::default();
    bench.call("CreateCluster", "{}").expect("a cluster");
    bench
}

fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("nothing waits")
}

fn create_as(bench: &Bench, principal: Principal, input: &Value) -> Result<Value, ApiError> {
    let call = bench.own_call(principal);
    let body = input.to_string();
    now(joining::create(call, body.as_bytes(), [7; SECRET_BYTES]))
}

fn create(bench: &Bench, input: &Value) -> Value {
    create_as(bench, Principal::Account, input).expect("a token")
}

fn list(bench: &Bench) -> Value {
    joining::list(&bench.own_call(Principal::Account), b"{}").expect("a list")
}

fn revoke(bench: &Bench, input: &Value) -> Value {
    let call = bench.own_call(Principal::Account);
    now(joining::revoke(call, input.to_string().as_bytes())).expect("revoked")
}

fn join(bench: &Bench, token: &str, machine: &str) -> Result<Enrolled, String> {
    join_with(bench, &json!({"token": token, "machine": machine}))
}

fn join_with(bench: &Bench, input: &Value) -> Result<Enrolled, String> {
    let call = bench.own_call(Principal::Account);
    let joined = now(joining::enrol(&call.cx, input.to_string().as_bytes()));
    joined.map_err(|ApiError(fault)| format!("{}: {}", fault.code, fault.message))
}

fn token(made: &Value) -> String {
    made["token"].as_str().expect("a token").to_owned()
}

fn good(bench: &Bench, enrolled: &Enrolled) -> bool {
    let state = bench.world.snapshot();
    let enrolment = state.enrolments.get(&enrolled.rights.instance);
    enrolment.is_some_and(|enrolment| enrolment.accepts(enrolled.joined_at))
}

#[test]
fn a_token_lets_as_many_machines_join_as_it_says() {
    let bench = bench();
    let made = create(&bench, &json!({"uses": 2}));
    assert_eq!(made["server"], "http://127.0.0.1:7070");
    let token = token(&made);
    let one = join(&bench, &token, MACHINE).unwrap();
    // It did not hear the answer: it is the same machine, and no further use.
    assert_eq!(join(&bench, &token, MACHINE).unwrap(), one);
    let other = join(&bench, &token, OTHER_MACHINE).unwrap();
    assert_ne!(other.rights.instance, one.rights.instance);
    let third = join(&bench, &token, &"x".repeat(32)).unwrap_err();
    assert!(third.contains("used up"), "{third}");
    // Also now that it is used up.
    assert_eq!(join(&bench, &token, MACHINE).unwrap(), one);
    let listed = &list(&bench)["joinTokens"][0];
    assert_eq!(listed["status"], "USED_UP");
    assert_eq!(
        (&listed["uses"], &listed["usesMax"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(listed["machines"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_kept_and_listed_does_not_give_the_secret_away() {
    let bench = bench();
    let made = create(&bench, &json!({}));
    let token = token(&made);
    join(&bench, &token, MACHINE).unwrap();
    let secret = token.rsplit('_').next().unwrap();
    assert_eq!(secret.len(), 2 * SECRET_BYTES);
    let saved: String = bench
        .world
        .saved()
        .into_values()
        .map(|(_, body)| body)
        .collect();
    for text in [saved, list(&bench).to_string()] {
        assert!(!text.contains(secret) && !text.contains(MACHINE), "{text}");
    }
}

#[test]
fn tokens_that_are_none_are_over_or_revoked_let_nobody_in() {
    let bench = bench();
    let made = create(&bench, &json!({"expiresInSeconds": 60, "uses": 9}));
    let token = token(&made);
    let (known, secret) = token.rsplit_once('_').unwrap();
    let wrong = format!("{known}_{}", "0".repeat(secret.len()));
    let unknown = format!("bj_{}_{secret}", "0".repeat(32));
    for none in [&wrong, &unknown, "", "bj_", "bj__", "x", &token[1..]] {
        let refused = join(&bench, none, MACHINE).unwrap_err();
        assert_eq!(
            refused,
            "AccessDeniedException: The join token is not known here."
        );
    }
    let joined = join(&bench, &token, MACHINE).unwrap();
    bench.world.advance(Duration::from_secs(61));
    let late = join(&bench, &token, OTHER_MACHINE).unwrap_err();
    assert!(late.contains("expired"), "{late}");
    assert!(good(&bench, &joined), "who has joined stays");

    let other = create(&bench, &json!({"uses": 9}));
    let other = self::token(&other);
    let joined = join(&bench, &other, MACHINE).unwrap();
    let revoked = revoke(&bench, &json!({"id": other}));
    assert_eq!(revoked["joinToken"]["status"], "REVOKED");
    assert_eq!(revoked["machinesRevoked"], 0);
    let refused = join(&bench, &other, OTHER_MACHINE).unwrap_err();
    assert!(refused.contains("revoked"), "{refused}");
    assert!(good(&bench, &joined), "who has joined stays");
    let id = revoked["joinToken"]["id"].clone();
    let revoked = revoke(&bench, &json!({"id": id, "machines": true}));
    assert_eq!(revoked["machinesRevoked"], 1);
    assert!(!good(&bench, &joined));
}

#[test]
fn deregistration_ends_a_machines_credentials_until_it_joins_anew() {
    let bench = bench();
    let token = token(&create(&bench, &json!({"uses": 9})));
    let joined = join(&bench, &token, MACHINE).unwrap();
    let arn = joined.rights.cluster.instance_arn(joined.rights.instance);
    let call = bench.own_call(Principal::Agent(joined.rights.clone()));
    let register = bench.call_by((*call.caller).clone(), "RegisterContainerInstance", "{}");
    register.unwrap().unwrap();
    // Nobody can say that it is a machine that is there.
    let claim = json!({"token": token, "machine": OTHER_MACHINE, "containerInstance": arn});
    let other = join_with(&bench, &claim).unwrap();
    assert_ne!(other.rights.instance, joined.rights.instance);

    let deregister = json!({"containerInstance": arn}).to_string();
    bench
        .call("DeregisterContainerInstance", &deregister)
        .unwrap();
    assert!(!good(&bench, &joined));
    let refused = join(&bench, &token, MACHINE).unwrap_err();
    assert!(refused.contains("were ended"), "{refused}");
    bench.world.advance(Duration::from_secs(1));
    let claim = json!({"token": token, "machine": "y".repeat(32), "containerInstance": arn});
    let again = join_with(&bench, &claim).unwrap();
    assert_eq!(again.rights.instance, joined.rights.instance);
    assert!(good(&bench, &again) && !good(&bench, &joined));
}

#[test]
fn only_an_accounts_key_makes_tokens_and_within_limits() {
    let bench = bench();
    let role = Principal::TaskRole {
        task: None,
        access: RoleAccess::Full,
    };
    let token = token(&create(&bench, &json!({})));
    let joined = join(&bench, &token, MACHINE).unwrap();
    let agent = Principal::Agent(joined.rights);
    for principal in [role, Principal::ExecutionRole, agent] {
        let ApiError(fault) = create_as(&bench, principal, &json!({})).unwrap_err();
        assert_eq!(fault.code, "AccessDeniedException");
    }
    let refused = [
        (json!({"cluster": "none"}), "ClusterNotFoundException"),
        (json!({"uses": 0}), "InvalidParameterException"),
        (json!({"uses": 1001}), "InvalidParameterException"),
        (json!({"expiresInSeconds": 0}), "InvalidParameterException"),
        (
            json!({"expiresInSeconds": 2_592_001}),
            "InvalidParameterException",
        ),
        (json!({"uses": "many"}), "SerializationException"),
        (json!({"usess": 1}), "SerializationException"),
    ];
    for (input, code) in refused {
        let ApiError(fault) = create_as(&bench, Principal::Account, &input).unwrap_err();
        assert_eq!(fault.code, code, "{input}");
    }
    let short = join(&bench, &token, "short").unwrap_err();
    assert!(short.starts_with("InvalidParameterException"), "{short}");
}
