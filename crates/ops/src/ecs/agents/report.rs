//! SubmitTaskStateChange and its like: what agents say became of tasks (agent protocol reference
//! §2.4–2.6).
//!
//! Rules kept here:
//! - an answer is given once the report is saved, for an agent says everything once;
//! - a report that no record is left for is taken and dropped: an error would make the agent
//!   repeat it for ever;
//! - whatever an agent says is bounded before it reaches a record.

use berth_api::ecs::{self, op};
use berth_model::arn::is_arn;
use berth_model::definition::NetworkMode;
use berth_model::id::TaskId;
use berth_model::resources::Transport;
use berth_model::task::{
    ContainerLast, ContainerReport, NetworkBinding, ReportedStatus, Task, TaskReport,
};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_state::Tx;
use berth_wire::EpochSeconds;

use crate::access::{self, Resource};
use crate::call::Call;
use crate::ecs::agents::address::reported_address;
use crate::ecs::fault::{access_denied, invalid};
use crate::ecs::names::own_arn;
use crate::error::ApiError;

/// What agents are answered; they look only for an object.
const ACKNOWLEDGMENT: &str = "ACK";
/// The most entries of one report that are looked at. A task has at most 10 containers, and
/// each a few events between two reports.
const ENTRIES_MAX: usize = 200;
/// The most characters of a reason, which is the agents' own limit.
const REASON_LENGTH_MAX: usize = 1024;
/// The most characters of a container's runtime id and of an image's digest: Docker's have 64
/// and 71.
const ID_LENGTH_MAX: usize = 128;
/// The most characters of an address that a port is bound on.
const BIND_IP_LENGTH_MAX: usize = 45;
/// The most host ports of one report, ranges counted in full: each is held against every later
/// placement on the machine.
const PORTS_MAX: usize = 4096;

/// An agent's word on a task.
pub(crate) async fn submit_task_state_change(
    call: Call,
    input: ecs::SubmitTaskStateChangeRequest,
) -> Result<ecs::SubmitTaskStateChangeResponse, ApiError> {
    call.check::<op::SubmitTaskStateChange>(&input)?;
    let task = input.task.as_deref().unwrap_or_default();
    let id = parse_task(&call, task)?;
    let answer = ecs::SubmitTaskStateChangeResponse {
        acknowledgment: Some(ACKNOWLEDGMENT.into()),
    };
    let (Some(id), Some(status)) = (id, input.status.as_deref()) else {
        // Without a status it tells that a network interface was attached, which nobody waits for.
        return Ok(answer);
    };
    let report = TaskReport {
        status: parse_status(status)?,
        reason: input.reason.as_deref().map(short_reason),
        containers: containers(input.containers.as_deref().unwrap_or_default()),
        pull_started_at: input.pull_started_at.map(instant),
        pull_stopped_at: input.pull_stopped_at.map(instant),
        execution_stopped_at: input.execution_stopped_at.map(instant),
        address: reported_address(&call.body),
    };
    take(&call, "SubmitTaskStateChange", id, report).await?;
    Ok(answer)
}

/// An agent's word on one container.
pub(crate) async fn submit_container_state_change(
    call: Call,
    input: ecs::SubmitContainerStateChangeRequest,
) -> Result<ecs::SubmitContainerStateChangeResponse, ApiError> {
    call.check::<op::SubmitContainerStateChange>(&input)?;
    let task = input.task.as_deref().unwrap_or_default();
    if let Some(id) = parse_task(&call, task)? {
        let entry = ecs::ContainerStateChange {
            container_name: input.container_name,
            exit_code: input.exit_code,
            image_digest: None,
            network_bindings: input.network_bindings,
            reason: input.reason,
            runtime_id: input.runtime_id,
            status: input.status,
        };
        let report = TaskReport {
            // The task has arrived at the agent, and nothing is said of how far it is.
            status: ReportedStatus::Pending,
            reason: None,
            containers: containers(&[entry]),
            pull_started_at: None,
            pull_stopped_at: None,
            execution_stopped_at: None,
            address: None,
        };
        take(&call, "SubmitContainerStateChange", id, report).await?;
    }
    Ok(ecs::SubmitContainerStateChangeResponse {
        acknowledgment: Some(ACKNOWLEDGMENT.into()),
    })
}

/// An agent's word that a network interface or volume is attached. Berth sends neither to
/// agents, so nobody waits for it.
pub(crate) async fn submit_attachment_state_changes(
    call: Call,
    input: ecs::SubmitAttachmentStateChangesRequest,
) -> Result<ecs::SubmitAttachmentStateChangesResponse, ApiError> {
    call.check::<op::SubmitAttachmentStateChanges>(&input)?;
    Ok(ecs::SubmitAttachmentStateChangesResponse {
        acknowledgment: Some(ACKNOWLEDGMENT.into()),
    })
}

/// The task that a report is about. Its cluster need not be the agent's own: Fargate tasks run on
/// machines of any cluster of the account and region. `None` for one that cannot be ours.
fn parse_task(call: &Call, given: &str) -> Result<Option<TaskId>, ApiError> {
    if given.is_empty() {
        return Err(invalid("Task can not be blank."));
    }
    let id = if is_arn(given) {
        own_arn(call.scope(), given, &["task"])?.last().to_owned()
    } else {
        given.to_owned()
    };
    Ok(id.parse().ok())
}

fn parse_status(status: &str) -> Result<ReportedStatus, ApiError> {
    match status {
        "PENDING" => Ok(ReportedStatus::Pending),
        "RUNNING" => Ok(ReportedStatus::Running),
        "STOPPED" => Ok(ReportedStatus::Stopped),
        _ => Err(invalid(
            "Task status should be one of [PENDING,RUNNING,STOPPED]",
        )),
    }
}

/// Saves what the report changes.
async fn take(
    call: &Call,
    operation: &'static str,
    id: TaskId,
    report: TaskReport,
) -> Result<(), ApiError> {
    let caller = call.caller.clone();
    call.report(move |tx| {
        let Some(task) = tx.state().tasks.get(id).cloned() else {
            return Ok(());
        };
        if task.spec.cluster.scope != caller.scope || task.instance.is_none() {
            return Ok(());
        }
        let on = task.instance;
        if !access::allows(
            &caller.principal,
            ecs::SERVICE.name,
            operation,
            &Resource::Task { id: Some(id), on },
        ) {
            let arn = task.spec.cluster.task_arn(id);
            return Err(access_denied(
                &caller.arn,
                ecs::SERVICE.name,
                operation,
                &arn,
            ));
        }
        put_report(tx, &task, &report);
        Ok(())
    })
    .await
}

fn put_report(tx: &mut Tx<'_>, task: &Task, report: &TaskReport) {
    let Some(facts) = tx.state().facts(task).cloned() else {
        return;
    };
    let now = tx.now();
    let after = if report.address.is_some() && facts.network_mode != NetworkMode::Awsvpc {
        let report = TaskReport {
            address: None,
            ..report.clone()
        };
        task.after_report(&facts, &report, now)
    } else {
        task.after_report(&facts, report, now)
    };
    if let Some(after) = after {
        tx.put_task(after);
    }
}

fn containers(given: &[ecs::ContainerStateChange]) -> Vec<ContainerReport> {
    let mut ports_left = PORTS_MAX;
    given
        .iter()
        .take(ENTRIES_MAX)
        .filter_map(|entry| container(entry, &mut ports_left))
        .collect()
}

/// One entry; `None` when it names no container or no status that the API shows.
fn container(entry: &ecs::ContainerStateChange, ports_left: &mut usize) -> Option<ContainerReport> {
    let status = match entry.status.as_deref()? {
        "PENDING" => ContainerLast::Pending,
        "RUNNING" => ContainerLast::Running,
        "STOPPED" => ContainerLast::Stopped,
        _ => return None,
    };
    let short = |text: &&String| (1..=ID_LENGTH_MAX).contains(&text.len());
    let bindings = entry.network_bindings.iter().flatten();
    Some(ContainerReport {
        name: Text::new(entry.container_name.as_deref()?),
        status,
        exit_code: entry.exit_code,
        reason: entry.reason.as_deref().map(short_reason),
        runtime_id: entry.runtime_id.as_ref().filter(short).cloned(),
        image_digest: entry
            .image_digest
            .as_ref()
            .filter(short)
            .map(|digest| Text::new(digest)),
        bindings: bindings
            .filter_map(|given| binding(given, ports_left))
            .collect(),
    })
}

fn short_reason(reason: &str) -> Text {
    match reason.char_indices().nth(REASON_LENGTH_MAX) {
        Some((end, _)) => Text::new(&reason[..end]),
        None => Text::new(reason),
    }
}

/// A binding; `None` for ports that cannot be, and beyond the most that are kept.
fn binding(given: &ecs::NetworkBinding, ports_left: &mut usize) -> Option<NetworkBinding> {
    let transport = match given.protocol {
        None | Some(ecs::TransportProtocol::Tcp) => Transport::Tcp,
        Some(ecs::TransportProtocol::Udp) => Transport::Udp,
        Some(ecs::TransportProtocol::Unknown(_)) => return None,
    };
    let single = |port: Option<i32>| {
        let port = u16::try_from(port?).ok().filter(|port| *port > 0)?;
        Some((port, port))
    };
    let range = given.host_port_range.is_some() || given.container_port_range.is_some();
    let (container, host) = if range {
        (
            port_range(given.container_port_range.as_deref()?)?,
            port_range(given.host_port_range.as_deref()?)?,
        )
    } else {
        (single(given.container_port)?, single(given.host_port)?)
    };
    let bind_ip = given.bind_ip.as_deref().unwrap_or_default();
    if bind_ip.len() > BIND_IP_LENGTH_MAX {
        return None;
    }
    let ports = usize::from(host.1 - host.0) + 1;
    *ports_left = ports_left.checked_sub(ports)?;
    Some(NetworkBinding {
        bind_ip: Text::new(bind_ip),
        transport,
        container,
        host,
        range,
    })
}

/// `9000-9002`, the first not after the last.
fn port_range(raw: &str) -> Option<(u16, u16)> {
    let (first, last) = raw.split_once('-')?;
    let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    (first > 0 && first <= last).then_some((first, last))
}

fn instant(at: EpochSeconds) -> Timestamp {
    Timestamp::from_millis(at.millis())
}
