//! The output of `awslogs` containers, shipped to CloudWatch Logs by the agent itself.
mod settings;
use crate::runtime::RuntimeError;
use bollard::models::ContainerInspectResponse;
pub(super) use settings::LogSettings;
use std::path::Path;
/// x
pub trait LogsApi: Send + Sync {}
pub(super) struct Shippers;
impl Shippers {
    pub(super) fn open(_: &Path) -> Result<Self, RuntimeError> {
        Ok(Self)
    }
}
impl super::Inner {
    pub(super) fn ship_output(self: &std::sync::Arc<Self>, _seen: &ContainerInspectResponse) {}
    pub(super) async fn finish_shipping(&self, _id: &str) {}
}
