//! What the service scheduler remembers between two looks at a service: the parts of service,
//! deployment, service-deployment and task-set records that it alone writes.
//!
//! Rules kept here:
//! - operations write what is wanted, beside these blocks; the exception is a request that
//!   belongs to a run ([`Run::asked`], [`HookRun::answer`]), which an operation sets once;
//! - nothing that can be counted from the tasks is kept.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::{InstanceId, InvalidId};
use crate::text::Text;
use crate::time::Timestamp;

/// The id of a deployment or task set: `ecs-svc/` and up to twenty digits. The service revision
/// that a deployment rolls out has the same digits (reference §1.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeploymentId(pub u64);

impl DeploymentId {
    /// The least id, where ranges begin.
    pub const FIRST: DeploymentId = DeploymentId(0);
    /// The greatest id, where ranges end.
    pub const LAST: DeploymentId = DeploymentId(u64::MAX);

    /// The id that this much chance makes: it has nineteen digits at most.
    #[must_use]
    pub const fn from_chance(chance: u64) -> Self {
        Self(chance >> 1)
    }

    /// The digits alone, as the ARN of a service revision ends in them.
    #[must_use]
    pub fn digits(self) -> String {
        format!("{:019}", self.0)
    }

    /// Reads the digits alone.
    ///
    /// # Errors
    /// When they are no number.
    pub fn parse_digits(raw: &str) -> Result<Self, InvalidId> {
        const WRONG: InvalidId = InvalidId {
            what: "deployment id",
        };
        if raw.is_empty() || !raw.bytes().all(|b| b.is_ascii_digit()) {
            return Err(WRONG);
        }
        raw.parse().map(Self).map_err(|_| WRONG)
    }
}

impl fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Amazon's numbers have nineteen digits (reference §2.4).
        write!(f, "ecs-svc/{:019}", self.0)
    }
}

impl FromStr for DeploymentId {
    type Err = InvalidId;
    fn from_str(raw: &str) -> Result<Self, InvalidId> {
        const WRONG: InvalidId = InvalidId {
            what: "deployment id",
        };
        Self::parse_digits(raw.strip_prefix("ecs-svc/").ok_or(WRONG)?)
    }
}

impl Serialize for DeploymentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeploymentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        raw.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! spelled {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The spelling of the ECS API.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

spelled! {
    /// Where a deployment stands among those of its service (reference §7.3).
    DeploymentStatus {
        /// The newest: the one to which tasks are added.
        Primary = "PRIMARY",
        /// An older one that still has tasks, or a failed one.
        Active = "ACTIVE",
        /// Replaced and empty; no longer listed.
        Inactive = "INACTIVE",
    }
}

spelled! {
    /// How far a deployment is (reference §7.3).
    RolloutState {
        /// Tasks are being replaced.
        InProgress = "IN_PROGRESS",
        /// Its tasks are all there, healthy, and alone.
        Completed = "COMPLETED",
        /// The circuit breaker, an alarm or a user ended it.
        Failed = "FAILED",
    }
}

/// Starts that wait because earlier ones failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle {
    /// Rounds of failed starts in a row: failures before `until` are one round.
    pub rounds: u32,
    /// Nothing is started before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// When the last round began: a task made later that fails begins another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
}

/// The scheduler's part of an entry of `deployments[]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Its place among the service's deployments.
    pub status: DeploymentStatus,
    /// How far it is.
    pub state: RolloutState,
    /// The API's `rolloutStateReason`.
    pub reason: Text,
    /// The API's `failedTasks`: failures in a row, as the circuit breaker counts them.
    #[serde(default)]
    pub failed_tasks: u32,
    /// When the last of them failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<Timestamp>,
    /// Back-off of starts. UpdateService sets it back to its default.
    #[serde(default)]
    pub throttle: Throttle,
    /// When it last changed: the API's `updatedAt`.
    pub updated_at: Timestamp,
}

impl Rollout {
    /// That of a deployment that an operation has just made.
    #[must_use]
    pub fn new(id: DeploymentId, now: Timestamp) -> Self {
        Self {
            status: DeploymentStatus::Primary,
            state: RolloutState::InProgress,
            reason: Text::from(format!("ECS deployment {id} in progress.")),
            failed_tasks: 0,
            failed_at: None,
            throttle: Throttle::default(),
            updated_at: now,
        }
    }

    /// That of one which a newer deployment replaces: it keeps its state and reason (reference
    /// §2.4).
    #[must_use]
    pub fn demoted(&self, now: Timestamp) -> Self {
        Self {
            status: DeploymentStatus::Active,
            updated_at: now,
            ..self.clone()
        }
    }
}

spelled! {
    /// How a service deployment stands (reference §7.6).
    RunStatus {
        /// Not looked at yet.
        Pending = "PENDING",
        /// Under way.
        InProgress = "IN_PROGRESS",
        /// Done.
        Successful = "SUCCESSFUL",
        /// A user asked to stop it.
        StopRequested = "STOP_REQUESTED",
        /// Ended without going back.
        Stopped = "STOPPED",
        /// To be rolled back.
        RollbackRequested = "ROLLBACK_REQUESTED",
        /// Being rolled back.
        RollbackInProgress = "ROLLBACK_IN_PROGRESS",
        /// Rolled back.
        RollbackSuccessful = "ROLLBACK_SUCCESSFUL",
        /// Could not be rolled back.
        RollbackFailed = "ROLLBACK_FAILED",
    }
}

impl RunStatus {
    /// Whether nothing more will happen.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Successful | Self::Stopped | Self::RollbackSuccessful | Self::RollbackFailed => {
                true
            }
            Self::Pending
            | Self::InProgress
            | Self::StopRequested
            | Self::RollbackRequested
            | Self::RollbackInProgress => false,
        }
    }
}

spelled! {
    /// The life-cycle stages of a service deployment, in order (reference §7.7).
    Stage {
        /// Several revisions run: the service is brought back to one first.
        ReconcileService = "RECONCILE_SERVICE",
        /// Before green tasks start.
        PreScaleUp = "PRE_SCALE_UP",
        /// Green tasks start.
        ScaleUp = "SCALE_UP",
        /// Green tasks run.
        PostScaleUp = "POST_SCALE_UP",
        /// Test traffic goes over.
        TestTrafficShift = "TEST_TRAFFIC_SHIFT",
        /// Test traffic is green's.
        PostTestTrafficShift = "POST_TEST_TRAFFIC_SHIFT",
        /// Before production traffic goes over. A stage of hooks; the API's `lifecycleStage`
        /// does not know it and shows the stage before.
        PreProductionTrafficShift = "PRE_PRODUCTION_TRAFFIC_SHIFT",
        /// Production traffic goes over, in steps for LINEAR and CANARY.
        ProductionTrafficShift = "PRODUCTION_TRAFFIC_SHIFT",
        /// Production traffic is green's.
        PostProductionTrafficShift = "POST_PRODUCTION_TRAFFIC_SHIFT",
        /// Both run, alarms are watched.
        BakeTime = "BAKE_TIME",
        /// Blue tasks stop.
        CleanUp = "CLEAN_UP",
    }
}

spelled! {
    /// How a run of a life-cycle hook stands.
    HookStatus {
        /// A pause: waits for ContinueServiceDeployment.
        AwaitingAction = "AWAITING_ACTION",
        /// A target was called and has not answered for good.
        InProgress = "IN_PROGRESS",
        /// Go on.
        Succeeded = "SUCCEEDED",
        /// Go back.
        Failed = "FAILED",
        /// No answer in time.
        TimedOut = "TIMED_OUT",
    }
}

spelled! {
    /// What to do: after a pause, or when a hook does not answer in time.
    HookAction {
        /// Go on.
        Continue = "CONTINUE",
        /// Go back.
        Rollback = "ROLLBACK",
    }
}

/// One run of a hook in one stage. The scheduler makes it, an operation or the caller of hook
/// targets sets `answer`, the scheduler ends it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookRun {
    /// Which of the configuration's hooks, by its place.
    pub hook: u32,
    /// A number of its own, of which the API's `hookId` is made.
    pub id: u64,
    /// The stage.
    pub stage: Stage,
    /// Whether this is on the way back.
    #[serde(default)]
    pub rollback: bool,
    /// How it stands.
    pub status: HookStatus,
    /// When it began.
    pub started_at: Timestamp,
    /// When its time is over.
    pub expires_at: Timestamp,
    /// What was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<HookAnswer>,
}

/// What came back for a [`HookRun`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookAnswer {
    /// Go on.
    Continue,
    /// Go back: a user's wish, or the target said FAILED. The text is the run's `statusReason`,
    /// empty for the usual one.
    Rollback(Text),
}

spelled! {
    /// How the circuit breaker or the alarms of a service deployment stand.
    MonitorStatus {
        /// Not watched.
        Disabled = "DISABLED",
        /// Watched.
        Monitoring = "MONITORING",
        /// The deployment ended well.
        Complete = "MONITORING_COMPLETE",
        /// It failed the deployment.
        Triggered = "TRIGGERED",
    }
}

spelled! {
    /// What StopServiceDeployment asks for.
    StopType {
        /// Stay as it is.
        Abort = "ABORT",
        /// Go back to the last completed deployment.
        Rollback = "ROLLBACK",
    }
}

/// A weight of traffic in thousandths, since LINEAR and CANARY steps are given in tenths of a
/// percent.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Weight(pub u16);

impl Weight {
    /// All traffic.
    pub const ALL: Weight = Weight(1000);
    /// No traffic.
    pub const NONE: Weight = Weight(0);
}

/// How much of the traffic goes to the target (green) revision; the rest goes to the source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Of the production listener.
    pub production: Weight,
    /// Of the test listener.
    pub test: Weight,
}

/// Why and since when a service deployment goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The API's `rollback.reason`, and `statusReason` of the whole.
    pub reason: Text,
    /// When it began.
    pub started_at: Timestamp,
    /// The deployment to which it goes back; `None` when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<DeploymentId>,
}

/// The scheduler's part of a service-deployment record (reference §7.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// How it stands.
    pub status: RunStatus,
    /// The API's `statusReason`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// What StopServiceDeployment asked for; the operation sets it once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<StopType>,
    /// Where it is; `None` until it has begun, and for a rolling deployment's whole life but its
    /// bake time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// Since when it is in that stage, or in this step of a traffic shift.
    pub stage_since: Timestamp,
    /// What the traffic is wished to be.
    #[serde(default)]
    pub traffic: Traffic,
    /// Its hooks' runs, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookRun>,
    /// How the circuit breaker stands.
    pub breaker: MonitorStatus,
    /// How the alarms stand.
    pub alarms: MonitorStatus,
    /// Alarms that were in ALARM when it began: they do not count (reference §7.5).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms_ignored: Vec<Text>,
    /// Alarms that failed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms_triggered: Vec<Text>,
    /// The way back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// The API's `startedAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// The API's `finishedAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The API's `updatedAt`.
    pub updated_at: Timestamp,
}

impl Run {
    /// That of a service deployment that an operation has just made.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            status: RunStatus::Pending,
            reason: None,
            asked: None,
            stage: None,
            stage_since: now,
            traffic: Traffic::default(),
            hooks: Vec::new(),
            breaker: MonitorStatus::Disabled,
            alarms: MonitorStatus::Disabled,
            alarms_ignored: Vec::new(),
            alarms_triggered: Vec::new(),
            rollback: None,
            started_at: None,
            finished_at: None,
            updated_at: now,
        }
    }

    /// One that a newer deployment replaced before it had ended.
    #[must_use]
    pub fn superseded(&self, now: Timestamp) -> Self {
        Self {
            status: RunStatus::Stopped,
            finished_at: Some(now),
            updated_at: now,
            ..self.clone()
        }
    }
}

spelled! {
    /// Whether a task set has come to rest.
    Stability {
        /// As many tasks run, healthy, as it should have.
        SteadyState = "STEADY_STATE",
        /// Not yet.
        Stabilizing = "STABILIZING",
    }
}

/// A kind of trouble that a service's event tells, once until it is over or six hours have gone
/// by (reference §7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Trouble {
    /// No instance can take a task.
    Placement,
    /// Tasks stop before they run, again and again.
    Starts,
    /// The percents allow neither a start nor a stop.
    Percents,
    /// Protected tasks stand in the way of scaling in.
    Protection,
    /// The zones are out of balance.
    Zones,
}

/// Placements of a service that were refused. Not saved: it says when to try again, and trying
/// at once after a start of the server does no harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Placement is tried again at this instant at the latest.
    pub again_at: Timestamp,
    /// How many times in a row.
    pub times: u32,
}

/// What the scheduler remembers of a service as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceMemory {
    /// Tasks that stopped up to this instant have been counted.
    #[serde(default)]
    pub counted_until: Timestamp,
    /// When its steady state was last told; `None` while it is not steady.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady_told_at: Option<Timestamp>,
    /// Instances that refused this daemon service's task when it was last tried; sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused_by: Vec<InstanceId>,
    /// Troubles that were told and are not over, and when they were told.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub told: BTreeMap<Trouble, Timestamp>,
    /// Whether tasks are being moved for balance between zones.
    #[serde(default)]
    pub rebalancing: bool,
    /// From which instance a task is being moved to a newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moving_from: Option<InstanceId>,
    /// No task is started for balance before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rebalance_again_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deployment_id_reads_back_as_written() {
        let id = DeploymentId(1_234_567_890_123_456_789);
        assert_eq!(id.to_string(), "ecs-svc/1234567890123456789");
        assert_eq!(id.to_string().parse::<DeploymentId>().unwrap(), id);
        for raw in [
            "",
            "ecs-svc/",
            "ecs-svc/+1",
            "1",
            "ecs-svc/99999999999999999999999",
        ] {
            assert!(raw.parse::<DeploymentId>().is_err(), "{raw}");
        }
    }

    #[test]
    fn what_is_remembered_reads_back_as_saved() {
        let now = Timestamp::from_millis(5);
        let run = Run::new(now);
        let text = serde_json::to_string(&run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
        let mut memory = ServiceMemory::default();
        memory.told.insert(Trouble::Placement, now);
        let text = serde_json::to_string(&memory).unwrap();
        assert_eq!(
            serde_json::from_str::<ServiceMemory>(&text).unwrap(),
            memory
        );
    }
}
