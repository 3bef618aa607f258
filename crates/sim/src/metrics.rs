//! No telemetry: simulated agents publish none that decides anything.

use berth_model::id::InstanceId;
use berth_ops::{InstanceCheck, MetricMinute, MetricSource, MetricSubject};

/// A source that knows nothing.
pub(crate) struct NoMetrics;

impl MetricSource for NoMetrics {
    fn minutes(&self, _: &MetricSubject) -> Vec<MetricMinute> {
        Vec::new()
    }

    fn instance_check(&self, _: InstanceId) -> Option<InstanceCheck> {
        None
    }
}
