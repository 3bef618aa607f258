//! The life of one simulated container: arithmetic on dates, in milliseconds since the epoch.

use std::sync::Arc;

use berth_agent_proto::Chance;
use berth_agent_proto::task::Container;
use serde::{Deserialize, Serialize};

use super::SimulatedConfig;
use crate::runtime::{Binding, Health, RuntimeId, Snapshot, Status};

/// How long containers run when their environment does not say, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunTime {
    /// Until they are stopped.
    Forever,
    /// Anything between the two, evenly spread.
    Between(u64, u64),
}

/// What a container's environment scripts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Life {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exit_code: Option<i32>,
    #[serde(skip)]
    pub(super) pull_ms: u64,
    pub(super) start_ms: u64,
    pub(super) stop_ms: u64,
    #[serde(skip)]
    pub(super) fails_pull: bool,
    #[serde(skip)]
    pub(super) fails_create: bool,
    #[serde(skip)]
    pub(super) fails_start: bool,
    pub(super) checked: bool,
    pub(super) healthy_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unhealthy_ms: Option<u64>,
}

impl Life {
    /// Reads the script. What cannot be read counts as absent.
    pub(super) fn of(container: &Container) -> Self {
        let text = |name: &str| {
            container
                .environment
                .as_ref()?
                .get(name)
                .map(String::as_str)
        };
        let number = |name: &str| text(name).and_then(|value| value.parse::<u64>().ok());
        let fails = text("BERTH_SIM_FAIL");
        Self {
            run_ms: number("BERTH_SIM_RUN_MS"),
            exit_code: text("BERTH_SIM_EXIT_CODE").and_then(|code| code.parse().ok()),
            pull_ms: number("BERTH_SIM_PULL_MS").unwrap_or(0),
            start_ms: number("BERTH_SIM_START_MS").unwrap_or(0),
            stop_ms: number("BERTH_SIM_STOP_MS").unwrap_or(0),
            fails_pull: fails == Some("pull"),
            fails_create: fails == Some("create"),
            fails_start: fails == Some("start"),
            checked: container.health_check_type.is_some(),
            healthy_ms: number("BERTH_SIM_HEALTHY_MS").unwrap_or(0),
            unhealthy_ms: number("BERTH_SIM_UNHEALTHY_MS"),
        }
    }
}

/// A simulated container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sim {
    pub(super) instance: Arc<str>,
    pub(super) task_arn: String,
    pub(super) name: String,
    pub(super) token: Arc<str>,
    pub(super) life: Life,
    pub(super) bindings: Vec<Binding>,
    pub(super) started_at: Option<i64>,
    /// How long this run lasts, if it ends by itself.
    pub(super) run_ms: Option<u64>,
    /// How it then exits.
    pub(super) exit_code: i32,
    /// When it was stopped, and how it exited.
    pub(super) stopped: Option<(i64, i32)>,
}

impl Sim {
    /// Starts a run: all of it follows from the seed, the task and the time.
    pub(super) fn start(&mut self, config: &SimulatedConfig, now: i64) {
        let mut chance =
            Chance::new(config.seed ^ hash(&[&self.task_arn, &self.name]) ^ now.unsigned_abs());
        let run_ms = match config.run {
            RunTime::Forever => None,
            RunTime::Between(low, high) => Some(chance.between(low, high)),
        };
        let fails = chance.between(0, 99) < u64::from(config.failure_percent);
        self.run_ms = self.life.run_ms.or(run_ms);
        self.exit_code = self.life.exit_code.unwrap_or(i32::from(fails));
        self.started_at = Some(now);
        self.stopped = None;
    }

    pub(super) fn stop(&mut self, now: i64, exit_code: i32) {
        if self.status(now) == Status::Running {
            self.stopped = Some((now, exit_code));
        }
    }

    /// When this run ends or ended.
    pub(super) fn ends_at(&self) -> Option<i64> {
        if let Some((at, _)) = self.stopped {
            return Some(at);
        }
        Some(self.started_at? + i64::try_from(self.run_ms?).ok()?)
    }

    pub(super) fn status(&self, now: i64) -> Status {
        match (self.started_at, self.ends_at()) {
            (None, _) => Status::Created,
            (Some(_), Some(end)) if end <= now => Status::Exited,
            (Some(_), _) => Status::Running,
        }
    }

    pub(super) fn exit_code(&self, now: i64) -> Option<i32> {
        let ended = self.status(now) == Status::Exited;
        ended.then(|| self.stopped.map_or(self.exit_code, |(_, code)| code))
    }

    pub(super) fn health(&self, now: i64) -> Health {
        let (true, Some(started)) = (self.life.checked, self.started_at) else {
            return Health::Unknown;
        };
        let since = u64::try_from(now - started).unwrap_or(0);
        if self.life.unhealthy_ms.is_some_and(|ms| since >= ms) {
            Health::Unhealthy
        } else if since >= self.life.healthy_ms {
            Health::Healthy
        } else {
            Health::Unknown
        }
    }

    /// The dates at which something about this run becomes visible.
    pub(super) fn dates(&self) -> [Option<i64>; 3] {
        let after = |ms: u64| Some(self.started_at? + i64::try_from(ms).ok()?);
        let checked = self.life.checked && self.stopped.is_none();
        [
            self.ends_at().filter(|_| self.stopped.is_none()),
            after(self.life.healthy_ms).filter(|_| checked),
            self.life.unhealthy_ms.and_then(after).filter(|_| checked),
        ]
    }

    pub(super) fn snapshot(&self, id: &RuntimeId, now: i64) -> Snapshot {
        let status = self.status(now);
        let running = status == Status::Running;
        Snapshot {
            id: Arc::clone(id),
            task_arn: self.task_arn.clone(),
            name: self.name.clone(),
            token: Arc::clone(&self.token),
            status,
            started_at: self.started_at,
            finished_at: self.ends_at().filter(|_| status == Status::Exited),
            exit_code: self.exit_code(now),
            oom_killed: false,
            health: self.health(now),
            bindings: if running {
                self.bindings.clone()
            } else {
                Vec::new()
            },
        }
    }
}

/// A number that follows from texts.
pub(super) fn hash(texts: &[&str]) -> u64 {
    let bytes = texts.iter().flat_map(|text| text.bytes().chain([0]));
    let fnv = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Chance::new(fnv).next_u64()
}

/// The id of a container, which follows from what it is, so that making it twice gives the same.
pub(super) fn runtime_id(instance: &str, task_arn: &str, name: &str) -> RuntimeId {
    let mut chance = Chance::new(hash(&[instance, task_arn, name]));
    let mut text = String::with_capacity(64);
    for _ in 0..4 {
        text.push_str(&format!("{:016x}", chance.next_u64()));
    }
    text.into()
}
