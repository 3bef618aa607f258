//! Docker's statistics of containers, with what clients expect of a second look: the figures of
//! the look before (`precpu_stats`), and network rates.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::Asker;
use crate::runtime::docker::DockerRuntime;
use crate::runtime::{Runtime, RuntimeId, Usage};

/// How long the first look at a container waits for its second; Docker's own command waits as
/// long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// A look that is newer is answered again: the agent's own are a second apart.
const SAMPLE_AGE_MIN: Duration = Duration::from_secs(1);
/// A look that is older says nothing of a rate now.
const SAMPLE_AGE_MAX: Duration = Duration::from_secs(60);
/// Containers remembered; more than run on a machine.
const SAMPLES_MAX: usize = 4096;

#[derive(Clone)]
struct Sample {
    at: Instant,
    usage: Usage,
    answer: Value,
}

/// The last look at each container.
#[derive(Default)]
pub(super) struct Samples {
    last: Mutex<HashMap<RuntimeId, Sample>>,
}

impl Samples {
    /// The statistics of a container; `None` when it does not run.
    pub(super) async fn of(&self, docker: Option<&DockerRuntime>, id: &RuntimeId) -> Option<Value> {
        let docker = docker?;
        let now = Instant::now();
        let last = self.last(id).filter(|last| now - last.at < SAMPLE_AGE_MAX);
        let before = match last {
            Some(last) if now - last.at < SAMPLE_AGE_MIN && !last.answer.is_null() => {
                return Some(last.answer);
            }
            Some(last) => last,
            None => {
                let first = look(docker, id).await?;
                tokio::time::sleep(FIRST_PAUSE).await;
                first
            }
        };
        let mut sample = look(docker, id).await?;
        sample.answer = combine(&before, &sample);
        let answer = sample.answer.clone();
        let mut samples = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= SAMPLES_MAX {
            samples.retain(|_, sample| sample.at.elapsed() < SAMPLE_AGE_MAX);
        }
        samples.insert(Arc::clone(id), sample);
        Some(answer)
    }

    /// The statistics of a task's containers, by their ids; `null` for one that does not run.
    pub(super) async fn of_task(&self, docker: Option<&DockerRuntime>, asker: &Asker) -> Value {
        let ids = asker
            .view
            .containers
            .iter()
            .filter_map(|one| one.runtime_id.clone());
        let each = ids.map(|id| async move {
            let stats = self.of(docker, &id).await;
            (id.to_string(), stats.unwrap_or(Value::Null))
        });
        Value::Object(
            futures_util::future::join_all(each)
                .await
                .into_iter()
                .collect(),
        )
    }

    fn last(&self, id: &RuntimeId) -> Option<Sample> {
        let samples = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        samples.get(id).cloned()
    }
}

async fn look(docker: &DockerRuntime, id: &RuntimeId) -> Option<Sample> {
    let usage = docker.usage(Arc::clone(id)).await.ok()??;
    Some(Sample {
        at: Instant::now(),
        usage,
        answer: Value::Null,
    })
}

fn combine(before: &Sample, now: &Sample) -> Value {
    let raw = |sample: &Sample| sample.usage.raw.as_deref().cloned().unwrap_or_default();
    let earlier = raw(before);
    let mut answer = raw(now);
    for (key, of) in [("precpu_stats", "cpu_stats"), ("preread", "read")] {
        if let Some(value) = earlier.get(of) {
            answer[key] = value.clone();
        }
    }
    let seconds = (now.at - before.at).as_secs_f64();
    if let (Some(before), Some(now)) = (before.usage.network, now.usage.network)
        && seconds > 0.0
    {
        let rate = |before: u64, now: u64| now.saturating_sub(before) as f64 / seconds;
        answer["network_rate_stats"] = json!({
            "rx_bytes_per_sec": rate(before.rx_bytes, now.rx_bytes),
            "tx_bytes_per_sec": rate(before.tx_bytes, now.tx_bytes),
        });
    }
    answer
}
