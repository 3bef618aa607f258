//! `deploymentConfiguration`: checks, defaults, merging and rendering (reference §2.4, §7.5, §7.7).

use berth_api::ecs;
use berth_model::scheduler::{HookAction, Stage, Weight};
use berth_model::service::{
    Alarms, CircuitBreaker, DeploymentConfiguration, HookTarget, LifecycleHook, Scheduling,
    StepDeployment, Strategy, Threshold, ThresholdKind,
};
use berth_model::text::Text;

use crate::ecs::fault::invalid;
use crate::error::ApiError;

/// The greatest `maximumPercent` (reference §2.4).
const MAXIMUM_PERCENT_MAX: i32 = 200;
/// The longest bake time, in minutes (reference §7.7).
const BAKE_MINUTES_MAX: i32 = 1440;
/// How long a hook is waited for when it does not say, in minutes (reference §7.7).
const HOOK_TIMEOUT_MINUTES: u32 = 1440;
/// The longest that a hook may be waited for, in minutes (reference §7.7).
const HOOK_TIMEOUT_MINUTES_MAX: i32 = 20_160;
/// The share of a step of LINEAR when the request does not say, and the minutes after it.
const LINEAR: StepDeployment = StepDeployment {
    weight: Weight(100),
    bake_minutes: 6,
};
/// The share of a canary when the request does not say, and the minutes after it.
const CANARY: StepDeployment = StepDeployment {
    weight: Weight(50),
    bake_minutes: 10,
};

/// What a service deploys by when nobody said (reference §2.4).
pub(super) fn default_of(scheduling: Scheduling) -> DeploymentConfiguration {
    let (minimum_healthy, maximum) = match scheduling {
        Scheduling::Replica => (100, 200),
        Scheduling::Daemon => (0, 100),
    };
    DeploymentConfiguration {
        minimum_healthy,
        maximum,
        breaker: CircuitBreaker::default(),
        alarms: None,
        strategy: Strategy::Rolling,
        bake_minutes: 0,
        hooks: Vec::new(),
    }
}

/// `before` with what the request says of it.
///
/// # Errors
/// InvalidParameterException for what cannot be.
pub(super) fn merged(
    before: &DeploymentConfiguration,
    given: &ecs::DeploymentConfiguration,
    scheduling: Scheduling,
) -> Result<DeploymentConfiguration, ApiError> {
    let mut after = before.clone();
    if let Some(maximum) = given.maximum_percent {
        after.maximum = percent(maximum)?;
    }
    if let Some(minimum) = given.minimum_healthy_percent {
        after.minimum_healthy = percent(minimum)?;
    }
    check_percents(&after, scheduling)?;
    if let Some(breaker) = &given.deployment_circuit_breaker {
        after.breaker = parse_breaker(&before.breaker, breaker)?;
    }
    if let Some(alarms) = &given.alarms {
        after.alarms = Some(parse_alarms(alarms));
    }
    if let Some(minutes) = given.bake_time_in_minutes {
        after.bake_minutes = within(minutes, BAKE_MINUTES_MAX, "bakeTimeInMinutes")?;
    }
    if let Some(hooks) = &given.lifecycle_hooks {
        after.hooks = hooks.iter().map(parse_hook).collect::<Result<_, _>>()?;
    }
    after.strategy = parse_strategy(&before.strategy, given)?;
    Ok(after)
}

fn percent(given: i32) -> Result<u32, ApiError> {
    u32::try_from(given).map_err(|_| invalid("minimumHealthyPercent must be at least 0"))
}

fn check_percents(
    configuration: &DeploymentConfiguration,
    scheduling: Scheduling,
) -> Result<(), ApiError> {
    let DeploymentConfiguration {
        minimum_healthy,
        maximum,
        ..
    } = *configuration;
    if maximum < 100 {
        return Err(invalid("maximumPercent must be at least 100"));
    }
    if scheduling == Scheduling::Daemon && maximum > 100 {
        return Err(invalid(
            "The daemon scheduling strategy does not support values above 100 for maximumPercent. \
             Change the value and try again",
        ));
    }
    if maximum > MAXIMUM_PERCENT_MAX.unsigned_abs() {
        return Err(invalid(format!(
            "maximumPercent must be at most {MAXIMUM_PERCENT_MAX}"
        )));
    }
    if minimum_healthy > 100 {
        return Err(invalid("minimumHealthyPercent must be at most 100"));
    }
    if minimum_healthy == 100 && maximum == 100 {
        return Err(invalid(
            "Both maximumPercent and minimumHealthyPercent cannot be 100 as this will block \
             deployments.",
        ));
    }
    Ok(())
}

fn within(given: i32, max: i32, name: &str) -> Result<u32, ApiError> {
    u32::try_from(given)
        .ok()
        .filter(|_| given <= max)
        .ok_or_else(|| invalid(format!("{name} must be between 0 and {max}")))
}

fn parse_breaker(
    before: &CircuitBreaker,
    given: &ecs::DeploymentCircuitBreaker,
) -> Result<CircuitBreaker, ApiError> {
    let enable = given.enable.unwrap_or(false);
    let threshold = match &given.threshold_configuration {
        None => before.threshold,
        Some(given) => parse_threshold(given)?,
    };
    Ok(CircuitBreaker {
        enable,
        // One that is off rolls nothing back, whatever was asked (reference §2.4).
        rollback: enable && given.rollback.unwrap_or(false),
        reset_on_healthy: given
            .reset_on_healthy_task
            .unwrap_or(before.reset_on_healthy),
        threshold,
    })
}

fn parse_threshold(given: &ecs::ThresholdConfiguration) -> Result<Threshold, ApiError> {
    let kind = match given.r#type.as_ref().map(|kind| kind.as_str()) {
        None | Some("BOUNDED_PERCENT") => ThresholdKind::BoundedPercent,
        Some("UNBOUNDED_PERCENT") => ThresholdKind::UnboundedPercent,
        Some("COUNT") => ThresholdKind::Count,
        Some(_) => {
            return Err(invalid(
                "type should be one of [COUNT,BOUNDED_PERCENT,UNBOUNDED_PERCENT]",
            ));
        }
    };
    let value = given
        .value
        .map(|value| u32::try_from(value).ok().filter(|value| *value > 0));
    let value = match value {
        None => Threshold::default().value,
        Some(Some(value)) => value,
        Some(None) => return Err(invalid("value must be at least 1")),
    };
    Ok(Threshold { kind, value })
}

fn parse_alarms(given: &ecs::DeploymentAlarms) -> Alarms {
    let names = given.alarm_names.as_deref().unwrap_or_default();
    Alarms {
        names: names.iter().map(|name| Text::new(name)).collect(),
        enable: given.enable.unwrap_or(false),
        rollback: given.rollback.unwrap_or(false),
    }
}

fn parse_strategy(
    before: &Strategy,
    given: &ecs::DeploymentConfiguration,
) -> Result<Strategy, ApiError> {
    let name = given.strategy.as_ref().map(|strategy| strategy.as_str());
    match name.unwrap_or(before.as_str()) {
        "ROLLING" => Ok(Strategy::Rolling),
        "BLUE_GREEN" => Ok(Strategy::BlueGreen),
        "LINEAR" => {
            let mut step = match before {
                Strategy::Linear(step) => *step,
                Strategy::Rolling | Strategy::BlueGreen | Strategy::Canary(_) => LINEAR,
            };
            if let Some(linear) = &given.linear_configuration {
                if let Some(share) = linear.step_percent {
                    step.weight = weight(share, 3.0, "stepPercent")?;
                }
                if let Some(minutes) = linear.step_bake_time_in_minutes {
                    step.bake_minutes = within(minutes, BAKE_MINUTES_MAX, "stepBakeTimeInMinutes")?;
                }
            }
            Ok(Strategy::Linear(step))
        }
        "CANARY" => {
            let mut step = match before {
                Strategy::Canary(step) => *step,
                Strategy::Rolling | Strategy::BlueGreen | Strategy::Linear(_) => CANARY,
            };
            if let Some(canary) = &given.canary_configuration {
                if let Some(share) = canary.canary_percent {
                    step.weight = weight(share, 0.1, "canaryPercent")?;
                }
                if let Some(minutes) = canary.canary_bake_time_in_minutes {
                    step.bake_minutes =
                        within(minutes, BAKE_MINUTES_MAX, "canaryBakeTimeInMinutes")?;
                }
            }
            Ok(Strategy::Canary(step))
        }
        _ => Err(invalid(
            "strategy should be one of [ROLLING,BLUE_GREEN,LINEAR,CANARY]",
        )),
    }
}

/// A share in percent, in tenths.
fn weight(given: f64, min: f64, name: &str) -> Result<Weight, ApiError> {
    let tenths = (given * 10.0).round();
    if !(min..=100.0).contains(&given) || (tenths - given * 10.0).abs() > 1e-6 {
        return Err(invalid(format!(
            "{name} must be between {min:.1} and 100.0, in steps of 0.1"
        )));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 1000, by the check above"
    )]
    Ok(Weight(tenths as u16))
}

/// The life-cycle stages, as hooks name them.
const STAGES: [Stage; 11] = [
    Stage::ReconcileService,
    Stage::PreScaleUp,
    Stage::ScaleUp,
    Stage::PostScaleUp,
    Stage::TestTrafficShift,
    Stage::PostTestTrafficShift,
    Stage::PreProductionTrafficShift,
    Stage::ProductionTrafficShift,
    Stage::PostProductionTrafficShift,
    Stage::BakeTime,
    Stage::CleanUp,
];
/// Stages at which nobody is asked (reference §7.7).
const WITHOUT_HOOKS: [Stage; 3] = [Stage::ScaleUp, Stage::BakeTime, Stage::CleanUp];
/// Stages at which a deployment may pause (reference §7.7).
const WITH_PAUSE: [Stage; 5] = [
    Stage::PreScaleUp,
    Stage::PostScaleUp,
    Stage::PostTestTrafficShift,
    Stage::PreProductionTrafficShift,
    Stage::PostProductionTrafficShift,
];

/// Refuses a kind of hook that there is not, in Amazon's own words for it.
///
/// # Errors
/// InvalidParameterException.
pub(super) fn check_targets(given: Option<&ecs::DeploymentConfiguration>) -> Result<(), ApiError> {
    let hooks = given.and_then(|given| given.lifecycle_hooks.as_deref());
    let mut targets = hooks.unwrap_or_default().iter();
    let known = |hook: &ecs::DeploymentLifecycleHook| {
        let target = hook.target_type.as_ref().map(|kind| kind.as_str());
        matches!(target, None | Some("AWS_LAMBDA" | "PAUSE"))
    };
    if targets.all(known) {
        return Ok(());
    }
    Err(invalid(
        "Invalid targetType. Valid values are: AWS_LAMBDA, PAUSE",
    ))
}

fn parse_hook(given: &ecs::DeploymentLifecycleHook) -> Result<LifecycleHook, ApiError> {
    let target = match given.target_type.as_ref().map(|kind| kind.as_str()) {
        Some("PAUSE") => HookTarget::Pause,
        None | Some("AWS_LAMBDA") => HookTarget::Lambda {
            arn: given.hook_target_arn.as_deref().unwrap_or_default().into(),
            role: given.role_arn.as_deref().map(Text::new),
            details: given
                .hook_details
                .as_ref()
                .map(serde_json::to_value)
                .transpose()
                .map_err(ApiError::internal)?,
        },
        Some(_) => {
            return Err(invalid(
                "Invalid targetType. Valid values are: AWS_LAMBDA, PAUSE",
            ));
        }
    };
    let mut stages = Vec::new();
    for name in given.lifecycle_stages.as_deref().unwrap_or_default() {
        let stage = STAGES.iter().find(|stage| stage.as_str() == name.as_str());
        let stage = stage
            .filter(|stage| !WITHOUT_HOOKS.contains(stage))
            .ok_or_else(|| invalid("Invalid lifecycle stage provided for Lifecycle Hook"))?;
        if target == HookTarget::Pause && !WITH_PAUSE.contains(stage) {
            return Err(invalid("Invalid lifecycle stage provided for Pause Hook"));
        }
        stages.push(*stage);
    }
    let timeout = given.timeout_configuration.as_ref();
    let minutes = match timeout.and_then(|timeout| timeout.timeout_in_minutes) {
        None => HOOK_TIMEOUT_MINUTES,
        Some(minutes) => within(minutes, HOOK_TIMEOUT_MINUTES_MAX, "timeoutInMinutes")?.max(1),
    };
    let action = timeout.and_then(|timeout| timeout.action.as_ref());
    Ok(LifecycleHook {
        target,
        stages,
        timeout_minutes: minutes,
        timeout_action: match action.map(|action| action.as_str()) {
            Some("CONTINUE") => HookAction::Continue,
            None | Some(_) => HookAction::Rollback,
        },
    })
}

/// A configuration as the API shows it.
pub(super) fn render(configuration: &DeploymentConfiguration) -> ecs::DeploymentConfiguration {
    let DeploymentConfiguration {
        minimum_healthy,
        maximum,
        breaker,
        alarms,
        strategy,
        bake_minutes,
        hooks,
    } = configuration;
    let number = |n: u32| i32::try_from(n).ok();
    let mut shown = ecs::DeploymentConfiguration {
        deployment_circuit_breaker: Some(ecs::DeploymentCircuitBreaker {
            enable: Some(breaker.enable),
            rollback: Some(breaker.rollback),
            reset_on_healthy_task: Some(breaker.reset_on_healthy),
            threshold_configuration: Some(ecs::ThresholdConfiguration {
                r#type: Some(
                    match breaker.threshold.kind {
                        ThresholdKind::Count => "COUNT",
                        ThresholdKind::BoundedPercent => "BOUNDED_PERCENT",
                        ThresholdKind::UnboundedPercent => "UNBOUNDED_PERCENT",
                    }
                    .into(),
                ),
                value: number(breaker.threshold.value),
            }),
        }),
        maximum_percent: number(*maximum),
        minimum_healthy_percent: number(*minimum_healthy),
        strategy: Some(strategy.as_str().into()),
        bake_time_in_minutes: number(*bake_minutes),
        ..ecs::DeploymentConfiguration::default()
    };
    shown.alarms = alarms.as_ref().map(|alarms| ecs::DeploymentAlarms {
        alarm_names: Some(alarms.names.iter().map(Text::to_string).collect()),
        enable: Some(alarms.enable),
        rollback: Some(alarms.rollback),
    });
    if !hooks.is_empty() {
        shown.lifecycle_hooks = Some(hooks.iter().map(render_hook).collect());
    }
    match strategy {
        Strategy::Rolling | Strategy::BlueGreen => {}
        Strategy::Linear(step) => {
            shown.linear_configuration = Some(ecs::LinearConfiguration {
                step_percent: Some(f64::from(step.weight.0) / 10.0),
                step_bake_time_in_minutes: number(step.bake_minutes),
            });
        }
        Strategy::Canary(step) => {
            shown.canary_configuration = Some(ecs::CanaryConfiguration {
                canary_percent: Some(f64::from(step.weight.0) / 10.0),
                canary_bake_time_in_minutes: number(step.bake_minutes),
            });
        }
    }
    shown
}

fn render_hook(hook: &LifecycleHook) -> ecs::DeploymentLifecycleHook {
    let stages = hook.stages.iter();
    let mut shown = ecs::DeploymentLifecycleHook {
        lifecycle_stages: Some(stages.map(|stage| stage.as_str().into()).collect()),
        timeout_configuration: Some(ecs::DeploymentLifecycleHookTimeoutConfiguration {
            action: Some(hook.timeout_action.as_str().into()),
            timeout_in_minutes: i32::try_from(hook.timeout_minutes).ok(),
        }),
        ..ecs::DeploymentLifecycleHook::default()
    };
    match &hook.target {
        HookTarget::Pause => shown.target_type = Some("PAUSE".into()),
        HookTarget::Lambda { arn, role, details } => {
            shown.target_type = Some("AWS_LAMBDA".into());
            shown.hook_target_arn = Some(arn.to_string());
            shown.role_arn = role.as_ref().map(Text::to_string);
            shown.hook_details = details
                .as_ref()
                .and_then(|details| serde_json::from_value(details.clone()).ok());
        }
    }
    shown
}
