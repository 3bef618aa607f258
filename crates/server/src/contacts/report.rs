//! Why agents do not come up: what is known of instances and of what went wrong, in sentences.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use berth_model::arn::EcsArn;
use berth_model::id::{AccountId, InstanceId};
use berth_model::instance::{CAPACITY_ATTRIBUTE, ContainerInstance, InstanceStatus};
use berth_model::time::Timestamp;
use berth_ops::{CheckStatus, InstanceCheck};
use berth_state::State;
use serde::Serialize;

use super::{Contact, Door, SKEW_MAX, Trouble, source};

/// The most instances in one report: an operator looks at a few.
const INSTANCES_MAX: usize = 200;
/// The most names of clusters that are listed as a hint.
const HINTS_MAX: usize = 5;
/// How long a session lasts that nobody contends for: agents come back within two minutes.
const SETTLED: Duration = Duration::from_secs(150);
/// The oldest stock agent that was run with this server (docs/stock-agent.md).
const OLDEST_AGENT: [u32; 3] = [1, 79, 1];

/// What to report of.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    /// Of this account.
    pub(crate) account: AccountId,
    /// Of this instance alone.
    pub(crate) instance: Option<InstanceId>,
    /// Of what comes from this address alone.
    pub(crate) from: Option<IpAddr>,
    /// Of the machine of this id alone.
    pub(crate) machine: Option<String>,
}

/// What the gateway knows of an instance's agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AgentSockets {
    /// Where its ACS socket comes from, and since when it is open.
    pub(crate) acs: Option<(IpAddr, Timestamp)>,
    /// Whether its TCS socket is open.
    pub(crate) tcs: bool,
}

/// Where the facts come from.
pub(crate) struct Facts<'a> {
    pub(crate) state: &'a State,
    pub(crate) contacts: &'a [Contact],
    pub(crate) sockets: &'a dyn Fn(InstanceId) -> AgentSockets,
    pub(crate) check: &'a dyn Fn(InstanceId) -> Option<InstanceCheck>,
    pub(crate) now: Timestamp,
}

/// All that is known.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// The server's clock, in seconds since the epoch.
    at: f64,
    instances: Vec<InstanceReport>,
    instances_left_out: usize,
    contacts: Vec<ContactReport>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct InstanceReport {
    container_instance_arn: String,
    cluster: String,
    region: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent_version: Option<String>,
    findings: Vec<Finding>,
}

/// One thing, and what to do about it.
#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    well: bool,
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ContactReport {
    from: String,
    tried: String,
    /// The fault's code, or a word for what is none.
    code: String,
    said: String,
    count: u64,
    first_at: f64,
    last_at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    clock_ahead_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_instance: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Whether an agent has connected from there since.
    over: bool,
    finding: Finding,
}

fn well(text: impl Into<String>) -> Finding {
    Finding {
        well: true,
        text: text.into(),
        advice: None,
    }
}

fn ill(text: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding {
        well: false,
        text: text.into(),
        advice: Some(advice.into()),
    }
}

/// Reports what is known.
pub(crate) fn report(facts: &Facts<'_>, wanted: &Wanted) -> Report {
    let instances = facts.state.instances.iter().map(|(_, instance)| instance);
    let mut instances: Vec<&ContainerInstance> = instances
        .map(|instance| &**instance)
        .filter(|instance| is_wanted(facts, wanted, instance))
        .collect();
    // Those that are not there first.
    instances.sort_by_key(|one| {
        let connected = facts.state.is_connected(one.id);
        (one.status == InstanceStatus::Inactive, connected, one.id)
    });
    let left_out = instances.len().saturating_sub(INSTANCES_MAX);
    instances.truncate(INSTANCES_MAX);
    let contacts = facts.contacts.iter().filter(|contact| {
        let named = contact.about.instance.as_deref().and_then(id_of);
        wanted.from.is_none_or(|from| contact.from == source(from))
            && wanted
                .instance
                .is_none_or(|instance| named == Some(instance))
            && wanted.machine.as_ref().is_none_or(|machine| {
                let named = named.and_then(|id| facts.state.instances.get(&id));
                named.is_some_and(|instance| instance.machine().as_str() == machine)
            })
    });
    Report {
        at: seconds(facts.now),
        instances: instances
            .iter()
            .map(|one| of_instance(facts, one))
            .collect(),
        instances_left_out: left_out,
        contacts: contacts
            .map(|contact| of_contact(facts, wanted, contact))
            .collect(),
    }
}

fn is_wanted(facts: &Facts<'_>, wanted: &Wanted, instance: &ContainerInstance) -> bool {
    let from = (facts.sockets)(instance.id)
        .acs
        .map(|(from, _)| source(from));
    instance.cluster.scope.account == wanted.account
        && match wanted.instance {
            Some(id) => instance.id == id,
            None => instance.status != InstanceStatus::Inactive,
        }
        && wanted
            .from
            .is_none_or(|wanted| from == Some(source(wanted)))
        && wanted
            .machine
            .as_ref()
            .is_none_or(|id| instance.machine().as_str() == id)
}

fn id_of(named: &str) -> Option<InstanceId> {
    let arn = EcsArn::parse(named).map(|arn| arn.last().to_owned());
    arn.as_deref().unwrap_or(named).parse().ok()
}

fn seconds(at: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
    let seconds = at.as_millis() as f64 / 1_000.0;
    seconds
}

/// A span as people say it.
fn span(span: Duration) -> String {
    let all = span.as_secs();
    let (days, hours, minutes, seconds) = (all / 86_400, all / 3_600 % 24, all / 60 % 60, all % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {seconds} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

fn of_instance(facts: &Facts<'_>, instance: &ContainerInstance) -> InstanceReport {
    let version = instance.version_info.agent.as_ref();
    let mut findings = Vec::new();
    if instance.status == InstanceStatus::Inactive {
        findings.push(ill(
            "It is deregistered. A stock agent that asks is told so, and is silent for an hour.",
            "Start the agent again: it registers anew at once.",
        ));
    } else {
        let sockets = (facts.sockets)(instance.id);
        findings.push(acs(facts, instance, sockets));
        if sockets.acs.is_some() {
            findings.push(tcs(facts, instance, sockets));
        }
        findings.extend(age(instance));
        if instance.status == InstanceStatus::Draining {
            findings.push(ill(
                "It is DRAINING: nothing new is placed on it.",
                "aws ecs update-container-instances-state --status ACTIVE ends that.",
            ));
        }
    }
    InstanceReport {
        container_instance_arn: instance.cluster.instance_arn(instance.id),
        cluster: instance.cluster.name.to_string(),
        region: instance.cluster.scope.region.to_string(),
        status: instance.status.as_str(),
        agent_version: version.map(ToString::to_string),
        findings,
    }
}

fn acs(facts: &Facts<'_>, instance: &ContainerInstance, sockets: AgentSockets) -> Finding {
    if let Some((from, since)) = sockets.acs {
        let since = span(facts.now.since(since));
        return well(format!("ACS is open for {since}, from {from}."));
    }
    let mut advice =
        "See whether the agent runs, and what it logs; it has to reach this server at \
                      the URL that it was given when it asked for one (DiscoverPollEndpoint)."
            .to_owned();
    let named =
        |contact: &&Contact| contact.about.instance.as_deref().and_then(id_of) == Some(instance.id);
    if facts.contacts.iter().any(|contact| named(&contact)) {
        advice = "See below what was refused to it.".to_owned();
    }
    match facts.state.connections.get(&instance.id) {
        Some(connection) if !connection.connected => {
            let away = span(facts.now.since(connection.since));
            ill(
                format!("ACS has not been open for {away}: nothing can be started there."),
                advice,
            )
        }
        Some(_) | None => {
            let ago = span(facts.now.since(instance.registered_at));
            let text = format!(
                "It registered {ago} ago, and has not opened ACS since this server leads: \
                 nothing can be started there."
            );
            ill(text, advice)
        }
    }
}

fn tcs(facts: &Facts<'_>, instance: &ContainerInstance, sockets: AgentSockets) -> Finding {
    if !sockets.tcs {
        return ill(
            "TCS is not open: there are no metrics, and the health of containers stays as it was.",
            "A proxy that lets /acs/ws through has to let /tcs/ws through as well.",
        );
    }
    let Some(check) = (facts.check)(instance.id) else {
        return well("TCS is open; nothing has been said yet of the container runtime.");
    };
    match check.status {
        CheckStatus::Ok => {
            well("TCS is open, and the agent says that its container runtime works.")
        }
        CheckStatus::Initializing | CheckStatus::InsufficientData => {
            well("TCS is open; the agent does not know yet whether its container runtime works.")
        }
        CheckStatus::Impaired => ill(
            "The agent says that its container runtime does not answer.",
            "Look at Docker on that machine.",
        ),
    }
}

/// Whether a stock agent is older than those that were run.
fn age(instance: &ContainerInstance) -> Option<Finding> {
    if instance.attribute(CAPACITY_ATTRIBUTE).is_some() {
        return None;
    }
    let version = instance.version_info.agent.as_ref()?;
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().ok());
    let mut next = || numbers.next().flatten();
    let (major, minor, patch) = (next()?, next()?, next()?);
    let [a, b, c] = OLDEST_AGENT;
    ([major, minor, patch] < OLDEST_AGENT).then(|| {
        ill(
            format!("Agent {version} is older than those that were run with this server."),
            format!("Use {a}.{b}.{c} or a later one if it does not do what it should."),
        )
    })
}

fn of_contact(facts: &Facts<'_>, wanted: &Wanted, contact: &Contact) -> ContactReport {
    let Contact {
        from,
        account: _,
        door,
        trouble,
        about,
        text,
        clock_ahead,
        count,
        first_at,
        last_at,
    } = contact;
    let code = match trouble {
        Trouble::TlsToPlain => "TlsToPlain",
        Trouble::PlainToTls => "PlainToTls",
        Trouble::Tls => "Tls",
        Trouble::WrongPath => "WrongPath",
        Trouble::Refused(code) => code,
        Trouble::NotLeading => "NotLeading",
        Trouble::Closed => "Closed",
        Trouble::Replaced => "Replaced",
    };
    let tried = match door {
        Door::Connection => "a connection".to_owned(),
        Door::Call(name) => name.clone(),
        Door::Acs => "the ACS socket".to_owned(),
        Door::Tcs => "the TCS socket".to_owned(),
        Door::OtherPath(path) => format!("a socket at {path}"),
    };
    ContactReport {
        from: from.to_string(),
        tried,
        code: code.to_owned(),
        said: text.clone(),
        count: *count,
        first_at: seconds(*first_at),
        last_at: seconds(*last_at),
        clock_ahead_seconds: *clock_ahead,
        container_instance: about.instance.clone(),
        cluster: about.cluster.clone(),
        region: about.region.clone(),
        access_key_id: about.key.clone(),
        agent: about.agent.clone(),
        over: is_over(facts, wanted, contact),
        finding: explain(facts, wanted, contact),
    }
}

/// Whether an agent of the same address, and of the same instance where one was named, has
/// connected since.
fn is_over(facts: &Facts<'_>, wanted: &Wanted, contact: &Contact) -> bool {
    let named = contact.about.instance.as_deref().and_then(id_of);
    // Two agents that contend for an instance do not leave each other alone for long.
    if let (Trouble::Replaced, Some(id)) = (&contact.trouble, named) {
        let open = (facts.sockets)(id).acs;
        return open.is_some_and(|(_, since)| facts.now.since(since) > SETTLED);
    }
    let later = |id: InstanceId| {
        let open = (facts.sockets)(id).acs;
        open.is_some_and(|(from, since)| {
            since > contact.last_at && (named == Some(id) || source(from) == contact.from)
        })
    };
    match named {
        Some(id) if facts.state.instances.get(&id).is_some() => later(id),
        Some(_) | None => {
            let own = facts.state.instances.iter();
            own.filter(|(_, one)| one.cluster.scope.account == wanted.account)
                .any(|(id, _)| later(*id))
        }
    }
}

fn explain(facts: &Facts<'_>, wanted: &Wanted, contact: &Contact) -> Finding {
    match &contact.trouble {
        Trouble::TlsToPlain => ill(
            "It spoke TLS, and this port speaks plain HTTP.",
            "Give the agent an http:// URL (ECS_BACKEND_HOST, or --server), or start berth serve \
             with --tls-cert and --tls-key.",
        ),
        Trouble::PlainToTls => ill(
            "It spoke plain HTTP, and this port speaks TLS.",
            "Give the agent an https:// URL (ECS_BACKEND_HOST, or --server).",
        ),
        Trouble::Tls => tls(&contact.text),
        Trouble::WrongPath => ill(
            "There is no socket at that path: they are at /acs/ws and /tcs/ws.",
            "--advertise-url must be as the agent reaches this server, without a path; a proxy \
             between must not change paths.",
        ),
        Trouble::NotLeading => ill(
            format!("This server did not lead then: {}.", contact.text),
            "The agent tries again by itself. With several servers, a proxy that asks /health \
             finds the one that leads.",
        ),
        Trouble::Closed => closed(&contact.text),
        Trouble::Replaced => ill(
            format!(
                "A newer connection took over as the same instance, {}.",
                contact.text
            ),
            "Once or twice is an agent that came back after a cut. When it goes on, two agents \
             have one identity: a data folder or a machine's image was copied. Empty the data \
             folder of the copy.",
        ),
        Trouble::Refused(code) => refused(facts, wanted, contact, code),
    }
}

fn tls(error: &str) -> Finding {
    let has = |part: &str| error.contains(part);
    if has("UnknownCA") || has("BadCertificate") || has("CertificateUnknown") {
        return ill(
            "It does not believe this server's certificate.",
            "Give it the authority: SSL_CERT_FILE for a stock agent, --ca-file for berth agent.",
        );
    }
    if has("ServerName") {
        return ill(
            "It asked for a certificate of a name that is none, as stock agents do whose URL has a \
             port.",
            "Give agents an https URL without a port (--advertise-url), with this server or a \
             proxy on port 443.",
        );
    }
    ill(
        format!("The TLS handshake failed: {error}."),
        "TLS 1.2 or 1.3 is needed, and for a stock agent with TLS 1.2 an RSA certificate.",
    )
}

fn closed(reason: &str) -> Finding {
    if reason.contains("pings") {
        return ill(
            "Its open socket was closed: pings were not answered for ten seconds.",
            "The machine was overloaded or asleep, or something between holds WebSocket frames \
             back. The agent comes back by itself.",
        );
    }
    ill(
        format!("Its open socket was closed: {reason}."),
        "That is not what agents send: see which program it is.",
    )
}

fn refused(facts: &Facts<'_>, wanted: &Wanted, contact: &Contact, code: &str) -> Finding {
    let about = &contact.about;
    let key = about.key.as_deref().unwrap_or("(none)");
    let text = &contact.text;
    match code {
        "InvalidSignatureException" => signature(contact, key),
        "UnrecognizedClientException" => ill(
            format!("Its access key {key} is not known here."),
            "Give it this server's: berth env prints it, and it is in access-key.json of the \
             server's data directory. Another server's, or Amazon's, do not work here.",
        ),
        "MissingAuthenticationTokenException" | "IncompleteSignatureException" => ill(
            "It did not sign its request.",
            "Give the agent AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
        ),
        "ExpiredTokenException" => ill(
            "Its temporary credentials have run out.",
            "Give the agent new ones, or ones that last.",
        ),
        "ClusterNotFoundException" => no_cluster(facts, wanted, contact),
        "InvalidInstanceException" => ill(
            "It says that it is a container instance that this server does not know.",
            "If the server's data was lost or is older than that, start the agent again: it \
             registers under the same ARN where its cluster exists. Else it is another server's \
             agent: check its URL.",
        ),
        "InactiveInstanceException" => ill(
            "Its container instance was deregistered. It was told so, and a stock agent is silent \
             for an hour now.",
            "Start the agent again: it registers anew at once.",
        ),
        "AccessDeniedException" => ill(
            format!("It may not do that: {text}"),
            "An agent needs a key of its own instance's account, and not one of a task's role.",
        ),
        "InvalidParameterException" | "ClientException" if is_registration(contact) => ill(
            format!("Its registration was refused: {text}"),
            "Correct the agent's settings, such as its attributes; a stock agent has ended with \
             exit code 5, and will not come up before.",
        ),
        "ThrottlingException" => ill(
            "This server had too much to do.",
            "The agent tries again by itself.",
        ),
        _ => ill(
            format!("It was refused with {code}: {text}"),
            "The agent tries again by itself, unless it has ended.",
        ),
    }
}

fn is_registration(contact: &Contact) -> bool {
    matches!(&contact.door, Door::Call(name) if name == "RegisterContainerInstance")
}

fn signature(contact: &Contact, key: &str) -> Finding {
    match contact.clock_ahead {
        Some(ahead) if ahead.abs() > SKEW_MAX => {
            let by = span(Duration::from_secs(ahead.unsigned_abs()));
            let which = if ahead > 0 { "ahead of" } else { "behind" };
            ill(
                format!(
                    "Its clock is {by} {which} this server's, and signatures are good for 5 min."
                ),
                "Set the clock of the one that is wrong, and keep it right with NTP.",
            )
        }
        Some(_) | None if contact.text.starts_with("Credential should be scoped") => ill(
            "It signs for a region that is none.",
            "AWS_DEFAULT_REGION (--region of berth agent) must be a region's name, such as \
             us-east-1.",
        ),
        Some(_) | None => ill(
            format!("Its secret is not that of the access key {key}."),
            "AWS_SECRET_ACCESS_KEY must be the one that belongs to the key, without spaces or \
             quotes. A proxy that changes the Host header or the path has the same effect.",
        ),
    }
}

fn no_cluster(facts: &Facts<'_>, wanted: &Wanted, contact: &Contact) -> Finding {
    let cluster = contact.about.cluster.as_deref().unwrap_or("default");
    let cluster = cluster.rsplit('/').next().unwrap_or(cluster);
    let region = contact.about.region.as_deref().unwrap_or_default();
    let own = facts.state.clusters.iter();
    let own = own.filter(|(key, _)| {
        key.scope.account == wanted.account && facts.state.active_cluster(key).is_some()
    });
    let own: Vec<_> = own.map(|(key, _)| key).collect();
    let text = format!("There is no cluster {cluster} in {region}.");
    let elsewhere = own.iter().find(|key| key.name.as_str() == cluster);
    if let Some(key) = elsewhere {
        let right = &key.scope.region;
        return ill(
            format!("{text} There is one in {right}."),
            format!("Set AWS_DEFAULT_REGION={right} (--region of berth agent)."),
        );
    }
    let mut advice = format!(
        "Set ECS_CLUSTER (--cluster of berth agent) to one that there is, or make it: aws ecs \
         create-cluster --cluster-name {cluster}."
    );
    let here = own.iter().filter(|key| key.scope.region.as_str() == region);
    let names: Vec<&str> = here.map(|key| key.name.as_str()).take(HINTS_MAX).collect();
    if !names.is_empty() {
        let _ = write!(advice, " There is: {}.", names.join(", "));
    }
    ill(text, advice)
}

#[cfg(test)]
mod tests;
