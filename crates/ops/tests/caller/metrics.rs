//! Telemetry of machines that are all well.

use berth_model::id::InstanceId;
use berth_model::time::Timestamp;
use berth_ops::{CheckStatus, InstanceCheck, MetricMinute, MetricSource, MetricSubject};

/// A source in which every agent says that its runtime works.
pub(crate) struct AllWell;

impl MetricSource for AllWell {
    fn minutes(&self, _: &MetricSubject) -> Vec<MetricMinute> {
        Vec::new()
    }

    fn instance_check(&self, _: InstanceId) -> Option<InstanceCheck> {
        Some(InstanceCheck {
            status: CheckStatus::Ok,
            updated_at: Timestamp::from_millis(1_704_067_201_500),
            changed_at: Timestamp::from_millis(1_704_067_200_500),
            reason: None,
        })
    }
}
