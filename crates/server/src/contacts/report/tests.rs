//! Facts in, sentences out. The world: clusters `default` and `blue` in us-east-1, `blue` in
//! eu-west-1, and one instance of `default`.

use berth_state::{Connection, Failure, Lane};
use berth_testkit::World;
use expect_test::{Expect, expect};
use futures_util::FutureExt;
use serde_json::json;

use super::*;
use crate::contacts::About;

const INSTANCE: InstanceId = InstanceId::from_bytes([1; 16]);
const ARN: &str = "arn:aws:ecs:us-east-1:000000000000:container-instance/default/01010101010101010101010101010101";

fn address() -> IpAddr {
    "10.0.0.7".parse().unwrap()
}

struct Bench {
    world: World,
    sockets: AgentSockets,
    check: Option<InstanceCheck>,
}

impl Bench {
    fn new() -> Self {
        let world = World::default();
        let spec = json!({ "container_insights": "disabled" });
        let cluster = |key: &str| {
            let key = format!("000000000000/{key}");
            json!({ "key": key, "status": "ACTIVE", "spec": spec, "created_as": spec,
                    "created_at": 0 })
        };
        let clusters = ["us-east-1/default", "us-east-1/blue", "eu-west-1/green"].map(cluster);
        let instance = json!({
            "id": INSTANCE, "cluster": "000000000000/us-east-1/default", "status": "ACTIVE",
            "offer": { "instance": true, "fargate": false }, "attributes": [],
            "capacity": { "cpu": 2048, "memory": 4096 }, "version": 1,
            "registered_at": world.now(),
            "version_info": { "agent": "1.50.2", "hash": null, "docker": null },
        });
        let bench = Self {
            world,
            sockets: AgentSockets::default(),
            check: None,
        };
        bench.change(move |tx| {
            for cluster in &clusters {
                tx.put_cluster(serde_json::from_value(cluster.clone()).unwrap());
            }
            tx.put_instance(serde_json::from_value(instance.clone()).unwrap());
        });
        bench
    }

    fn change(&self, change: impl Fn(&mut berth_state::Tx<'_>) + Send + 'static) {
        let handle = self.world.handle();
        let changing = handle.transact(Lane::Controllers, move |tx| {
            change(tx);
            Ok::<(), Failure>(())
        });
        changing.now_or_never().unwrap().unwrap();
    }

    fn report(&self, contacts: &[Contact], wanted: &Wanted) -> Report {
        let state = self.world.snapshot();
        let facts = Facts {
            state: &state,
            contacts,
            sockets: &|_| self.sockets,
            check: &|_| self.check.clone(),
            now: self.world.now(),
        };
        report(&facts, wanted)
    }

    fn contact(&self, door: Door, trouble: Trouble, text: &str) -> Contact {
        Contact {
            from: address(),
            account: None,
            door,
            trouble,
            about: About {
                region: Some("us-east-1".to_owned()),
                key: Some("AKIA…MPLE".to_owned()),
                ..About::default()
            },
            text: text.to_owned(),
            clock_ahead: Some(0),
            count: 1,
            first_at: self.world.now(),
            last_at: self.world.now(),
        }
    }

    fn refused(&self, code: &str, text: &str) -> Contact {
        let door = Door::Call("RegisterContainerInstance".to_owned());
        self.contact(door, Trouble::Refused(code.to_owned()), text)
    }
}

const ALL: Wanted = Wanted {
    account: AccountId::ZERO,
    instance: None,
    from: None,
    machine: None,
};

fn line(finding: &Finding) -> String {
    let mark = if finding.well { "ok" } else { "WARN" };
    let advice = finding
        .advice
        .as_deref()
        .map_or_else(String::new, |a| format!("\n  {a}"));
    format!("{mark} {}{advice}\n", finding.text)
}

fn check_instance(bench: &Bench, expected: &Expect) {
    let report = bench.report(&[], &ALL);
    let findings = report.instances[0].findings.iter().map(line);
    expected.assert_eq(&findings.collect::<String>());
}

fn check_contacts(bench: &Bench, contacts: &[Contact], expected: &Expect) {
    let report = bench.report(contacts, &ALL);
    let findings = report.contacts.iter().map(|contact| line(&contact.finding));
    expected.assert_eq(&findings.collect::<String>());
}

#[test]
fn an_instance_without_sockets_is_told_of() {
    let mut bench = Bench::new();
    bench.world.advance(Duration::from_secs(200));
    check_instance(&bench, &expect![[r#""#]]);
    bench.change(|tx| {
        let connection = Connection {
            connected: false,
            since: tx.now(),
        };
        tx.set_connection(INSTANCE, Some(connection));
    });
    bench.world.advance(Duration::from_secs(3_700));
    check_instance(&bench, &expect![[r#""#]]);
    bench.sockets.acs = Some((address(), bench.world.now()));
    bench.world.advance(Duration::from_secs(5));
    check_instance(&bench, &expect![[r#""#]]);
    bench.sockets.tcs = true;
    bench.check = Some(InstanceCheck {
        status: CheckStatus::Impaired,
        updated_at: bench.world.now(),
        changed_at: bench.world.now(),
        reason: None,
    });
    bench.change(|tx| {
        let mut record = (**tx.state().instances.get(&INSTANCE).unwrap()).clone();
        record.status = InstanceStatus::Draining;
        record.version_info.agent = Some("1.105.1".into());
        tx.put_instance(record);
    });
    check_instance(&bench, &expect![[r#""#]]);
}

#[test]
fn a_clock_that_is_off_is_told_of_with_how_far() {
    let bench = Bench::new();
    let mut ahead = bench.refused("InvalidSignatureException", "Signature not yet current: …");
    ahead.clock_ahead = Some(3_700);
    let mut behind = bench.refused("InvalidSignatureException", "Signature expired: …");
    behind.clock_ahead = Some(-320);
    check_contacts(&bench, &[ahead, behind], &expect![[r#""#]]);
}

#[test]
fn wrong_keys_are_told_from_wrong_secrets() {
    let bench = Bench::new();
    let contacts = [
        bench.refused(
            "InvalidSignatureException",
            "The request signature we calculated …",
        ),
        bench.refused("UnrecognizedClientException", "The security token …"),
        bench.refused(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ),
        bench.refused(
            "InvalidSignatureException",
            "Credential should be scoped to a valid region, not ''.",
        ),
    ];
    check_contacts(&bench, &contacts, &expect![[r#""#]]);
}

#[test]
fn a_wrong_cluster_is_told_from_a_wrong_region() {
    let bench = Bench::new();
    let of = |cluster: &str, region: &str| {
        let mut contact = bench.refused("ClusterNotFoundException", "Cluster not found.");
        contact.about.cluster = Some(cluster.to_owned());
        contact.about.region = Some(region.to_owned());
        contact
    };
    let contacts = [
        of("bleu", "us-east-1"),
        of("green", "us-east-1"),
        of(
            "arn:aws:ecs:eu-west-1:000000000000:cluster/blue",
            "eu-west-1",
        ),
        of("other", "ap-south-1"),
    ];
    check_contacts(&bench, &contacts, &expect![[r#""#]]);
}

#[test]
fn doors_that_were_missed_are_told_of() {
    let bench = Bench::new();
    let contact = |trouble, text| bench.contact(Door::Connection, trouble, text);
    let contacts = [
        contact(Trouble::TlsToPlain, ""),
        contact(Trouble::PlainToTls, ""),
        contact(Trouble::Tls, "received fatal alert: UnknownCA"),
        contact(
            Trouble::Tls,
            "peer is incompatible: ServerNameMustContainOneHostName",
        ),
        contact(Trouble::Tls, "peer is incompatible: NoCipherSuitesInCommon"),
        contact(Trouble::WrongPath, ""),
        contact(Trouble::NotLeading, "another server leads"),
    ];
    check_contacts(&bench, &contacts, &expect![[r#""#]]);
}

#[test]
fn sockets_that_were_refused_or_closed_are_told_of() {
    let bench = Bench::new();
    let refused =
        |code: &str, text| bench.contact(Door::Acs, Trouble::Refused(code.to_owned()), text);
    let contacts = [
        refused("InvalidInstanceException", "…"),
        refused("InactiveInstanceException", "…"),
        refused("AccessDeniedException", "The role of a task is no agent."),
        refused("Strange", "it is"),
        bench.contact(Door::Acs, Trouble::Closed, "no answer to pings"),
        bench.contact(Door::Tcs, Trouble::Closed, "too many messages"),
        bench.contact(Door::Acs, Trouble::Replaced, "from 10.0.0.8"),
        bench.refused(
            "InvalidParameterException",
            "attributes can have at most 500 items.",
        ),
        bench.refused("ThrottlingException", "Rate exceeded"),
    ];
    check_contacts(&bench, &contacts, &expect![[r#""#]]);
}

#[test]
fn what_was_refused_before_the_agent_came_up_is_over() {
    let mut bench = Bench::new();
    let mut named = bench.refused("InvalidInstanceException", "…");
    named.about.instance = Some(ARN.to_owned());
    let mut elsewhere = bench.refused("InvalidInstanceException", "…");
    elsewhere.from = "10.0.0.9".parse().unwrap();
    let contacts = [
        bench.refused("UnrecognizedClientException", "…"),
        named,
        elsewhere,
    ];
    bench.world.advance(Duration::from_secs(5));
    let over = |bench: &Bench| -> Vec<bool> {
        let report = bench.report(&contacts, &ALL);
        report.contacts.iter().map(|contact| contact.over).collect()
    };
    assert_eq!(over(&bench), [false, false, false]);
    bench.sockets.acs = Some((address(), bench.world.now()));
    assert_eq!(over(&bench), [true, true, false]);
    let mut replaced = bench.contact(Door::Acs, Trouble::Replaced, "from 10.0.0.8");
    replaced.about.instance = Some(ARN.to_owned());
    let is_over = |bench: &Bench| bench.report(&[replaced.clone()], &ALL).contacts[0].over;
    assert!(!is_over(&bench));
    bench.world.advance(SETTLED + Duration::from_secs(1));
    assert!(is_over(&bench));
}

#[test]
fn one_instance_or_one_machine_can_be_asked_for() {
    let mut bench = Bench::new();
    let mut named = bench.refused("InvalidInstanceException", "…");
    named.about.instance = Some(ARN.to_owned());
    let mut elsewhere = bench.refused("UnrecognizedClientException", "…");
    elsewhere.from = "10.0.0.9".parse().unwrap();
    let contacts = [named, elsewhere];
    let counts = |bench: &Bench, wanted: Wanted| {
        let report = bench.report(&contacts, &wanted);
        (report.instances.len(), report.contacts.len())
    };
    let instance = Some(INSTANCE);
    assert_eq!(counts(&bench, Wanted { instance, ..ALL }), (1, 1));
    let instance = Some(InstanceId::from_bytes([9; 16]));
    assert_eq!(counts(&bench, Wanted { instance, ..ALL }), (0, 0));
    let from = Some(address());
    assert_eq!(counts(&bench, Wanted { from, ..ALL }), (0, 1));
    bench.sockets.acs = Some((address(), bench.world.now()));
    assert_eq!(counts(&bench, Wanted { from, ..ALL }), (1, 1));
    // An instance that names no machine is one of its own.
    let machine = Some(INSTANCE.to_string());
    assert_eq!(counts(&bench, Wanted { machine, ..ALL }), (1, 1));
    let machine = Some("other".to_owned());
    assert_eq!(counts(&bench, Wanted { machine, ..ALL }), (0, 0));
    let account = "123456789012".parse().unwrap();
    assert_eq!(counts(&bench, Wanted { account, ..ALL }).0, 0);
}
