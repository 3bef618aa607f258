//! Service deployments and service revisions (reference §2.6, §7.6).

use berth_api::ecs::{self, Fault, op};
use berth_model::id::ServiceDeploymentId;
use berth_model::name::{Scope, ServiceKey};
use berth_model::scheduler::{DeploymentId, HookAnswer, HookStatus, Stage, StopType};
use berth_model::service::{
    HookTarget, ServiceDeployment, ServiceRevision, ServiceStatus, Strategy, ThresholdKind,
};
use berth_model::text::Text;
use berth_state::{State, Tx};
use berth_wire::EpochSeconds;

use super::configuration;
use super::names::{known_service, part_of_service, service_key};
use super::render::{
    Moment, View, capacity, count, counts_of, desired_of, network, resolved_platform,
    service_connect,
};
use super::wanted::launch_of;
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key};
use crate::ecs::paging::{PAGE_MAX, Page};
use crate::ecs::tasks::render::seconds;
use crate::error::ApiError;

/// How many service deployments a page has when the request does not say (reference §1.4).
const PAGE_DEFAULT: i32 = 20;
/// The most ARNs of one describing call (reference §1.5).
const ARNS_MAX: usize = 20;

/// The service deployments of a service, the newest first.
pub(crate) async fn list_service_deployments(
    call: Call,
    input: ecs::ListServiceDeploymentsRequest,
) -> Result<ecs::ListServiceDeploymentsResponse, ApiError> {
    call.check::<op::ListServiceDeployments>(&input)?;
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&state, &cluster)?;
    let key = service_key(&cluster, input.service.as_deref().unwrap_or_default())?;
    known_service(&state, &key)?;
    let page = Page::of_request(
        &call.cx,
        format!(
            "ListServiceDeployments {key} {:?} {:?}",
            input.status, input.created_at
        ),
        PAGE_MAX,
        Some(input.max_results.unwrap_or(PAGE_DEFAULT)),
        input.next_token.as_deref(),
    )?;
    let statuses = input.status.as_deref().unwrap_or_default();
    let bound = |at: Option<EpochSeconds>| at.map(EpochSeconds::millis);
    let created = input.created_at.as_ref();
    let after = created.and_then(|created| bound(created.after));
    let before = created.and_then(|created| bound(created.before));
    let mut runs: Vec<_> = state
        .services
        .runs(&key)
        .filter(|run| {
            let at = run.created_at.as_millis();
            let status = run.run.status.as_str();
            (statuses.is_empty() || statuses.iter().any(|s| s.as_str() == status))
                && after.is_none_or(|after| at > after)
                && before.is_none_or(|before| at < before)
        })
        .collect();
    runs.sort_by_key(|run| std::cmp::Reverse((run.created_at, run.id)));
    // The last one of the page before may be forgotten by now: what matters is when it was made.
    let last = page.after.as_deref().map(parse_position).transpose()?;
    let place = |run: &ServiceDeployment| (run.created_at.as_millis(), run.id);
    let rest = runs.into_iter();
    let rest = rest.filter(|run| last.is_none_or(|last| place(run) < last));
    let (runs, next_token) = page.cut(&call.cx, rest, |run| {
        let (at, id) = place(run);
        format!("{at} {id}")
    });
    Ok(ecs::ListServiceDeploymentsResponse {
        next_token,
        service_deployments: Some(runs.into_iter().map(|run| brief(run)).collect()),
    })
}

/// Where a page of service deployments ended: when the last one was made, and its id.
fn parse_position(raw: &str) -> Result<(i64, ServiceDeploymentId), ApiError> {
    let position = raw.split_once(' ');
    let position = position.and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    position.ok_or_else(|| invalid("Invalid token."))
}

fn brief(run: &ServiceDeployment) -> ecs::ServiceDeploymentBrief {
    ecs::ServiceDeploymentBrief {
        cluster_arn: Some(run.service.cluster.arn()),
        created_at: Some(seconds(run.created_at)),
        finished_at: run.run.finished_at.map(seconds),
        service_arn: Some(run.service.arn()),
        service_deployment_arn: Some(run.service.deployment_arn(run.id)),
        started_at: run.run.started_at.map(seconds),
        status: Some(run.run.status.as_str().into()),
        status_reason: run.run.reason.as_ref().map(Text::to_string),
        target_service_revision_arn: Some(run.service.revision_arn(run.target)),
    }
}

fn check_arns(given: &[String], none: &str, many: &str) -> Result<(), ApiError> {
    if given.is_empty() {
        return Err(invalid(none));
    }
    if given.len() > ARNS_MAX {
        return Err(invalid(many));
    }
    Ok(())
}

fn missing(arn: &str) -> ecs::Failure {
    ecs::Failure {
        arn: Some(arn.to_owned()),
        reason: Some("MISSING".to_owned()),
        detail: None,
    }
}

/// The service deployment that an ARN names; `None` when it names none that can be.
fn named_run(
    scope: &Scope,
    given: &str,
) -> Result<Option<(ServiceKey, ServiceDeploymentId)>, ApiError> {
    let named = part_of_service(scope, given, "service-deployment")?;
    Ok(named.and_then(|(key, id)| Some((key, id.parse().ok()?))))
}

/// Describes service deployments.
pub(crate) async fn describe_service_deployments(
    call: Call,
    input: ecs::DescribeServiceDeploymentsRequest,
) -> Result<ecs::DescribeServiceDeploymentsResponse, ApiError> {
    let given = input.service_deployment_arns.as_deref().unwrap_or_default();
    check_arns(
        given,
        "The Service ARN provided is invalid.",
        "Service Deployment ARN count cannot exceed 20",
    )?;
    call.check::<op::DescribeServiceDeployments>(&input)?;
    let state = call.snapshot();
    let mut failures = Vec::new();
    let mut found: Vec<&ServiceDeployment> = Vec::new();
    for arn in given {
        let run = named_run(call.scope(), arn)?;
        match run.and_then(|(key, id)| state.services.run(&key, id)) {
            Some(run) if found.iter().any(|have| have.id == run.id) => {}
            Some(run) => found.push(run),
            None => failures.push(missing(arn)),
        }
    }
    Ok(ecs::DescribeServiceDeploymentsResponse {
        failures: Some(failures),
        service_deployments: Some(found.into_iter().map(|run| render(&state, run)).collect()),
    })
}

fn render(state: &State, run: &ServiceDeployment) -> ecs::ServiceDeployment {
    let key = &run.service;
    let service = state.services.get(key);
    let weight = |permille: u16| f64::from(permille) / 10.0;
    let weighted = !matches!(run.configuration.strategy, Strategy::Rolling);
    let summary = |id: DeploymentId, is_target: bool| {
        let counts = counts_of(state, key, id);
        let deployment = state.services.deployment(key, id);
        let wanted = match (service, deployment) {
            (Some(service), Some(deployment)) => desired_of(service, deployment, counts),
            (None | Some(_), _) => 0,
        };
        let share = |permille: u16| {
            let share = if is_target {
                permille
            } else {
                1000 - permille.min(1000)
            };
            weighted.then(|| weight(share))
        };
        ecs::ServiceRevisionSummary {
            arn: Some(key.revision_arn(id)),
            pending_task_count: count(counts.pending),
            requested_production_traffic_weight: share(run.run.traffic.production.0),
            requested_task_count: count(wanted),
            requested_test_traffic_weight: share(run.run.traffic.test.0),
            running_task_count: count(counts.running),
        }
    };
    let sources = run.sources.iter().map(|id| summary(*id, false)).collect();
    let failed = state.services.deployment(key, run.target);
    let failed = failed.map_or(0, |deployment| deployment.rollout.failed_tasks);
    let stage = run.run.stage.map(shown_stage);
    ecs::ServiceDeployment {
        alarms: run
            .configuration
            .alarms
            .as_ref()
            .map(|alarms| ecs::ServiceDeploymentAlarms {
                alarm_names: Some(alarms.names.iter().map(Text::to_string).collect()),
                status: Some(run.run.alarms.as_str().into()),
                triggered_alarm_names: Some(
                    run.run
                        .alarms_triggered
                        .iter()
                        .map(Text::to_string)
                        .collect(),
                ),
            }),
        cluster_arn: Some(key.cluster.arn()),
        created_at: Some(seconds(run.created_at)),
        deployment_circuit_breaker: Some(ecs::ServiceDeploymentCircuitBreaker {
            failure_count: count(failed),
            status: Some(run.run.breaker.as_str().into()),
            threshold: count(threshold(run)),
        }),
        deployment_configuration: Some(configuration::render(&run.configuration)),
        finished_at: run.run.finished_at.map(seconds),
        lifecycle_hook_details: hooks(run),
        lifecycle_stage: stage.map(|stage| stage.as_str().into()),
        rollback: run.run.rollback.as_ref().map(|back| ecs::Rollback {
            reason: Some(back.reason.to_string()),
            service_revision_arn: back.to.map(|id| key.revision_arn(id)),
            started_at: Some(seconds(back.started_at)),
        }),
        service_arn: Some(key.arn()),
        service_deployment_arn: Some(key.deployment_arn(run.id)),
        source_service_revisions: Some(sources),
        started_at: run.run.started_at.map(seconds),
        status: Some(run.run.status.as_str().into()),
        status_reason: run.run.reason.as_ref().map(Text::to_string),
        stopped_at: run.run.asked.and(run.run.finished_at).map(seconds),
        target_service_revision: Some(summary(run.target, true)),
        updated_at: Some(seconds(run.run.updated_at)),
    }
}

/// The API's `lifecycleStage` does not know the stage before traffic moves, and shows the one
/// before it.
fn shown_stage(stage: Stage) -> Stage {
    match stage {
        Stage::PreProductionTrafficShift => Stage::PostTestTrafficShift,
        Stage::ReconcileService
        | Stage::PreScaleUp
        | Stage::ScaleUp
        | Stage::PostScaleUp
        | Stage::TestTrafficShift
        | Stage::PostTestTrafficShift
        | Stage::ProductionTrafficShift
        | Stage::PostProductionTrafficShift
        | Stage::BakeTime
        | Stage::CleanUp => stage,
    }
}

/// How many failed tasks are too many (reference §7.5).
fn threshold(run: &ServiceDeployment) -> u32 {
    let threshold = run.configuration.breaker.threshold;
    let share = u64::from(run.requested) * u64::from(threshold.value);
    let share = u32::try_from(share.div_ceil(100)).unwrap_or(u32::MAX);
    match threshold.kind {
        ThresholdKind::Count => threshold.value,
        ThresholdKind::BoundedPercent => share.clamp(3, 200),
        ThresholdKind::UnboundedPercent => share.max(1),
    }
}

fn hook_id(kind: &str, id: u64) -> String {
    format!("ecs-{kind}-{id:016x}")
}

fn hooks(run: &ServiceDeployment) -> Option<Vec<ecs::DeploymentLifecycleHookDetail>> {
    let mut shown = Vec::new();
    for hook in &run.run.hooks {
        let configured = usize::try_from(hook.hook).ok();
        let configured = configured.and_then(|at| run.configuration.hooks.get(at));
        let (kind, target) = match configured.map(|hook| &hook.target) {
            Some(HookTarget::Lambda { arn, .. }) => ("AWS_LAMBDA", Some(arn.to_string())),
            Some(HookTarget::Pause) | None => ("PAUSE", None),
        };
        let name = if target.is_some() { "lambda" } else { "pause" };
        shown.push(ecs::DeploymentLifecycleHookDetail {
            expires_at: Some(seconds(hook.expires_at)),
            hook_id: Some(hook_id(name, hook.id)),
            status: Some(hook.status.as_str().into()),
            target_arn: target,
            target_type: Some(kind.into()),
            timeout_action: configured.map(|hook| hook.timeout_action.as_str().into()),
        });
    }
    (!shown.is_empty()).then_some(shown)
}

fn no_such_deployment() -> ApiError {
    ApiError::client(
        Fault::ServiceDeploymentNotFound,
        "The service deployment does not exist.",
    )
}

fn change_run<T>(
    tx: &mut Tx<'_>,
    key: &ServiceKey,
    id: ServiceDeploymentId,
    change: impl FnOnce(&mut ServiceDeployment) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    let run = tx.state().services.run(key, id);
    let mut run = ServiceDeployment::clone(run.ok_or_else(no_such_deployment)?);
    let done = change(&mut run)?;
    run.run.updated_at = tx.now();
    tx.put_service_deployment(run);
    Ok(done)
}

/// Asks to stop a service deployment, or to bring the revision before back.
pub(crate) async fn stop_service_deployment(
    call: Call,
    input: ecs::StopServiceDeploymentRequest,
) -> Result<ecs::StopServiceDeploymentResponse, ApiError> {
    call.check::<op::StopServiceDeployment>(&input)?;
    let arn = input.service_deployment_arn.clone().unwrap_or_default();
    let (key, id) = named_run(call.scope(), &arn)?.ok_or_else(no_such_deployment)?;
    let kind = match input.stop_type.as_ref().map(|kind| kind.as_str()) {
        Some("ABORT") => StopType::Abort,
        None | Some(_) => StopType::Rollback,
    };
    call.transact(move |tx| {
        change_run(tx, &key, id, |run| {
            let asked = run.run.asked.is_some() || run.run.rollback.is_some();
            if run.run.status.is_terminal() || asked {
                return Err(ApiError::client(
                    Fault::Conflict,
                    format!(
                        "The service deployment cannot be stopped because its status is {}.",
                        run.run.status.as_str()
                    ),
                ));
            }
            run.run.asked = Some(kind);
            Ok(())
        })
    })
    .await?;
    Ok(ecs::StopServiceDeploymentResponse {
        service_deployment_arn: Some(arn),
    })
}

/// Answers a hook at which a service deployment waits.
pub(crate) async fn continue_service_deployment(
    call: Call,
    input: ecs::ContinueServiceDeploymentRequest,
) -> Result<ecs::ContinueServiceDeploymentResponse, ApiError> {
    call.check::<op::ContinueServiceDeployment>(&input)?;
    let arn = input.service_deployment_arn.clone().unwrap_or_default();
    let (key, id) = named_run(call.scope(), &arn)?.ok_or_else(no_such_deployment)?;
    let given = input.hook_id.as_deref().unwrap_or_default();
    let number = given
        .strip_prefix("ecs-")
        .and_then(|rest| rest.split_once('-'))
        .and_then(|(_, id)| u64::from_str_radix(id, 16).ok())
        .ok_or_else(|| {
            invalid("Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}")
        })?;
    let back = input.action.as_ref().map(|action| action.as_str()) == Some("ROLLBACK");
    call.transact(move |tx| {
        change_run(tx, &key, id, |run| {
            if run.run.status.is_terminal() {
                return Err(invalid(
                    "Continuing a service deployment is not allowed for service deployment in \
                     terminal states.",
                ));
            }
            let waits = run.run.hooks.iter_mut().find(|hook| {
                hook.id == number
                    && hook.answer.is_none()
                    && hook.status == HookStatus::AwaitingAction
            });
            let hook = waits.ok_or_else(|| {
                invalid(
                    "Provided hookId is either completed, unavailable, or not associated with the \
                     given Resource ARN",
                )
            })?;
            hook.answer = Some(if back {
                HookAnswer::Rollback(Text::new(""))
            } else {
                HookAnswer::Continue
            });
            Ok(())
        })
    })
    .await?;
    Ok(ecs::ContinueServiceDeploymentResponse {
        service_deployment_arn: Some(arn),
    })
}

/// Describes the revisions of one service.
pub(crate) async fn describe_service_revisions(
    call: Call,
    input: ecs::DescribeServiceRevisionsRequest,
) -> Result<ecs::DescribeServiceRevisionsResponse, ApiError> {
    let given = input.service_revision_arns.as_deref().unwrap_or_default();
    check_arns(
        given,
        "The Service ARN provided is invalid.",
        "Service Revision ARN count cannot exceed 20",
    )?;
    call.check::<op::DescribeServiceRevisions>(&input)?;
    let state = call.snapshot();
    let mut failures = Vec::new();
    let mut found = Vec::new();
    let mut service: Option<ServiceKey> = None;
    let view = View::new(&state, Moment::Later, false);
    for arn in given {
        let (key, digits) = part_of_service(call.scope(), arn, "service-revision")?
            .ok_or_else(|| invalid("The ServiceRevision ARN is invalid."))?;
        if service.as_ref().is_some_and(|service| *service != key) {
            return Err(invalid(
                "Cross service requests are not allowed. All requested service revisions must be \
                 for a single service",
            ));
        }
        let id = DeploymentId::parse_digits(digits).ok();
        let inactive = state.services.get(&key);
        if inactive.is_some_and(|service| service.status == ServiceStatus::Inactive) {
            return Err(invalid(
                "Cannot call DescribeServiceRevisions for a service that is INACTIVE",
            ));
        }
        match id.and_then(|id| state.services.revision(&key, id)) {
            Some(revision) => found.push(revision_shown(&view, revision)?),
            None => failures.push(missing(arn)),
        }
        service = Some(key);
    }
    Ok(ecs::DescribeServiceRevisionsResponse {
        failures: Some(failures),
        service_revisions: Some(found),
    })
}

fn revision_shown(
    view: &View<'_>,
    revision: &ServiceRevision,
) -> Result<ecs::ServiceRevision, ApiError> {
    let (launch, strategy) = capacity(&revision.capacity);
    let is_fargate = launch_of(&revision.capacity) == berth_model::task::LaunchType::Fargate;
    Ok(ecs::ServiceRevision {
        capacity_provider_strategy: strategy,
        cluster_arn: Some(revision.service.cluster.arn()),
        container_images: Some(view.images(revision)),
        created_at: Some(seconds(revision.created_at)),
        guard_duty_enabled: Some(false),
        launch_type: launch,
        load_balancers: Some(Vec::new()),
        network_configuration: revision.network.as_deref().map(network),
        platform_family: is_fargate.then(|| "Linux".to_owned()),
        platform_version: resolved_platform(revision.platform_version.as_ref()),
        service_arn: Some(revision.service.arn()),
        service_connect_configuration: service_connect(revision.service_connect.as_ref())?,
        service_registries: Some(Vec::new()),
        service_revision_arn: Some(revision.service.revision_arn(revision.id)),
        task_definition: Some(revision.definition.arn()),
        volume_configurations: Some(Vec::new()),
        vpc_lattice_configurations: Some(Vec::new()),
        ..ecs::ServiceRevision::default()
    })
}
