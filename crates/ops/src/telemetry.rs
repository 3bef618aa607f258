//! What agents told lately of their machines and tasks, as operations see it.
//!
//! All of it is volatile: it is gone with the server, and begins anew.

use berth_model::id::InstanceId;
use berth_model::name::{ClusterKey, ServiceKey};
use berth_model::text::Text;
use berth_model::time::Timestamp;

/// Where telemetry is kept.
pub trait MetricSource: Send + Sync {
    /// The minutes that are kept of a cluster or a service, the oldest first and without a gap.
    /// Minutes in which no task ran are left out, as Amazon CloudWatch has no data for them, and
    /// what lies before such a minute is forgotten.
    fn minutes(&self, subject: &MetricSubject) -> Vec<MetricMinute>;

    /// What the agent of an instance said last of its machine's health; `None` when it has not
    /// said anything for a while.
    fn instance_check(&self, instance: InstanceId) -> Option<InstanceCheck>;
}

/// What metrics are of: the dimensions of the namespace AWS/ECS.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricSubject {
    /// The dimension `ClusterName`.
    Cluster(ClusterKey),
    /// The dimensions `ClusterName` and `ServiceName`.
    Service(ServiceKey),
}

/// One minute of a cluster or a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricMinute {
    /// When the minute began.
    pub at: Timestamp,
    /// `CPUUtilization` in percent; `None` where nothing is reserved that it could be a part of.
    pub cpu: Option<StatisticSet>,
    /// `MemoryUtilization` in percent.
    pub memory: Option<StatisticSet>,
}

/// Samples as Amazon CloudWatch sums them up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StatisticSet {
    /// How many there are.
    pub samples: u32,
    /// All of them together.
    pub sum: f64,
    /// The least.
    pub minimum: f64,
    /// The most.
    pub maximum: f64,
}

impl StatisticSet {
    /// One sample.
    #[must_use]
    pub fn one(value: f64) -> Self {
        Self {
            samples: 1,
            sum: value,
            minimum: value,
            maximum: value,
        }
    }

    /// With one more sample.
    #[must_use]
    pub fn and(self, value: f64) -> Self {
        Self {
            samples: self.samples.saturating_add(1),
            sum: self.sum + value,
            minimum: self.minimum.min(value),
            maximum: self.maximum.max(value),
        }
    }

    /// The mean of the samples.
    #[must_use]
    pub fn average(&self) -> f64 {
        self.sum / f64::from(self.samples.max(1))
    }
}

/// Whether a part of a machine works, in the API's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// It works.
    Ok,
    /// It does not.
    Impaired,
    /// The agent cannot say.
    InsufficientData,
    /// The agent has not looked yet.
    Initializing,
}

/// What an agent said of the container runtime of its machine.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceCheck {
    /// Whether it works.
    pub status: CheckStatus,
    /// When the agent looked last.
    pub updated_at: Timestamp,
    /// Since when it says so.
    pub changed_at: Timestamp,
    /// Why.
    pub reason: Option<Text>,
}

/// A source that knows nothing, where no agent publishes anything.
#[derive(Clone, Copy, Debug)]
pub struct NoMetrics;

impl MetricSource for NoMetrics {
    fn minutes(&self, _: &MetricSubject) -> Vec<MetricMinute> {
        Vec::new()
    }

    fn instance_check(&self, _: InstanceId) -> Option<InstanceCheck> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_summed_up() {
        let set = StatisticSet::one(10.0).and(40.0).and(25.0);
        assert_eq!((set.samples, set.sum), (3, 75.0));
        assert_eq!(
            (set.minimum, set.maximum, set.average()),
            (10.0, 40.0, 25.0)
        );
    }
}
