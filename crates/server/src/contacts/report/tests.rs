//! Facts in, sentences out. The world: clusters `default` and `blue` in us-east-1, `green` in
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
    check_instance(
        &bench,
        &expect![[r#"
        WARN It registered 3 min 20 s ago, and has not opened ACS since this server leads: nothing can be started there.
          See whether the agent runs, and what it logs; it has to reach this server at the URL that it was given when it asked for one (DiscoverPollEndpoint).
        WARN Agent 1.50.2 is older than those that were run with this server.
          Use 1.79.1 or a later one if it does not do what it should.
    "#]],
    );
    bench.change(|tx| {
        let connection = Connection {
            connected: false,
            since: tx.now(),
        };
        tx.set_connection(INSTANCE, Some(connection));
    });
    bench.world.advance(Duration::from_secs(3_700));
    check_instance(
        &bench,
        &expect![[r#"
        WARN ACS has not been open for 1 h 1 min: nothing can be started there.
          See whether the agent runs, and what it logs; it has to reach this server at the URL that it was given when it asked for one (DiscoverPollEndpoint).
        WARN Agent 1.50.2 is older than those that were run with this server.
          Use 1.79.1 or a later one if it does not do what it should.
    "#]],
    );
    bench.sockets.acs = Some((address(), bench.world.now()));
    bench.world.advance(Duration::from_secs(5));
    check_instance(
        &bench,
        &expect![[r#"
        ok ACS is open for 5 s, from 10.0.0.7.
        WARN TCS is not open: there are no metrics, and the health of containers stays as it was.
          A proxy that lets /acs/ws through has to let /tcs/ws through as well.
        WARN Agent 1.50.2 is older than those that were run with this server.
          Use 1.79.1 or a later one if it does not do what it should.
    "#]],
    );
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
    check_instance(
        &bench,
        &expect![[r#"
        ok ACS is open for 5 s, from 10.0.0.7.
        WARN The agent says that its container runtime does not answer.
          Look at Docker on that machine.
        WARN It is DRAINING: nothing new is placed on it.
          aws ecs update-container-instances-state --status ACTIVE ends that.
    "#]],
    );
}

#[test]
fn a_clock_that_is_off_is_told_of_with_how_far() {
    let bench = Bench::new();
    let mut ahead = bench.refused("InvalidSignatureException", "Signature not yet current: …");
    ahead.clock_ahead = Some(3_700);
    let mut behind = bench.refused("InvalidSignatureException", "Signature expired: …");
    behind.clock_ahead = Some(-320);
    check_contacts(
        &bench,
        &[ahead, behind],
        &expect![[r#"
        WARN Its clock is 1 h 1 min ahead of this server's, and signatures are good for 5 min.
          Set the clock of the one that is wrong, and keep it right with NTP.
        WARN Its clock is 5 min 20 s behind this server's, and signatures are good for 5 min.
          Set the clock of the one that is wrong, and keep it right with NTP.
    "#]],
    );
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
    check_contacts(
        &bench,
        &contacts,
        &expect![[r#"
        WARN Its secret is not that of the access key AKIA…MPLE.
          AWS_SECRET_ACCESS_KEY must be the one that belongs to the key, without spaces or quotes. A proxy that changes the Host header or the path has the same effect.
        WARN Its access key AKIA…MPLE is not known here.
          Give it this server's: berth env prints it, and it is in access-key.json of the server's data directory. Another server's, or Amazon's, do not work here.
        WARN It did not sign its request.
          Give the agent AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
        WARN It signs for a region that is none.
          AWS_DEFAULT_REGION (--region of berth agent) must be a region's name, such as us-east-1.
    "#]],
    );
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
    check_contacts(
        &bench,
        &contacts,
        &expect![[r#"
        WARN There is no cluster bleu in us-east-1.
          Set ECS_CLUSTER (--cluster of berth agent) to one that there is, or make it: aws ecs create-cluster --cluster-name bleu. There is: blue, default.
        WARN There is no cluster green in us-east-1. There is one in eu-west-1.
          Set AWS_DEFAULT_REGION=eu-west-1 (--region of berth agent).
        WARN There is no cluster blue in eu-west-1. There is one in us-east-1.
          Set AWS_DEFAULT_REGION=us-east-1 (--region of berth agent).
        WARN There is no cluster other in ap-south-1.
          Set ECS_CLUSTER (--cluster of berth agent) to one that there is, or make it: aws ecs create-cluster --cluster-name other.
    "#]],
    );
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
    check_contacts(
        &bench,
        &contacts,
        &expect![[r#"
        WARN It spoke TLS, and this port speaks plain HTTP.
          Give the agent an http:// URL (ECS_BACKEND_HOST, or --server), or start berth serve with --tls-cert and --tls-key.
        WARN It spoke plain HTTP, and this port speaks TLS.
          Give the agent an https:// URL (ECS_BACKEND_HOST, or --server).
        WARN It does not believe this server's certificate.
          Give it the authority: SSL_CERT_FILE for a stock agent, --ca-file for berth agent.
        WARN It asked for a certificate of a name that is none, as stock agents do whose URL has a port.
          Give agents an https URL without a port (--advertise-url), with this server or a proxy on port 443.
        WARN The TLS handshake failed: peer is incompatible: NoCipherSuitesInCommon.
          TLS 1.2 or 1.3 is needed, and for a stock agent with TLS 1.2 an RSA certificate.
        WARN There is no socket at that path: they are at /acs/ws and /tcs/ws.
          --advertise-url must be as the agent reaches this server, without a path; a proxy between must not change paths.
        WARN This server did not lead then: another server leads.
          The agent tries again by itself. With several servers, a proxy that asks /health finds the one that leads.
    "#]],
    );
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
    check_contacts(
        &bench,
        &contacts,
        &expect![[r#"
        WARN It says that it is a container instance that this server does not know.
          If the server's data was lost or is older than that, start the agent again: it registers under the same ARN where its cluster exists. Else it is another server's agent: check its URL.
        WARN Its container instance was deregistered. It was told so, and a stock agent is silent for an hour now.
          Start the agent again: it registers anew at once.
        WARN It may not do that: The role of a task is no agent.
          An agent needs a key of its own instance's account, and not one of a task's role.
        WARN It was refused with Strange: it is
          The agent tries again by itself, unless it has ended.
        WARN Its open socket was closed: pings were not answered for ten seconds.
          The machine was overloaded or asleep, or something between holds WebSocket frames back. The agent comes back by itself.
        WARN Its open socket was closed: too many messages.
          That is not what agents send: see which program it is.
        WARN A newer connection took over as the same instance, from 10.0.0.8.
          Once or twice is an agent that came back after a cut. When it goes on, two agents have one identity: a data folder or a machine's image was copied. Empty the data folder of the copy.
        WARN Its registration was refused: attributes can have at most 500 items.
          Correct the agent's settings, such as its attributes; a stock agent has ended with exit code 5, and will not come up before.
        WARN This server had too much to do.
          The agent tries again by itself.
    "#]],
    );
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
