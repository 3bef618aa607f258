//! Docker volumes of tasks.

use std::collections::HashMap;

use berth_agent_proto::task::{Task, Volume};
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::ListVolumesOptionsBuilder;

use super::failure::{CONFLICT, CREATE_MAX, LOOK_MAX, NOT_FOUND, REMOVE_MAX, status, within};
use super::{Inner, names};
use crate::runtime::{ErrorKind, Labels, RuntimeError};

impl Inner {
    /// Makes the Docker volumes behind a task's volumes. Asking for one that exists gives the
    /// one that is there: that is Docker's own rule.
    pub(super) async fn create_volumes(
        &self,
        instance: &str,
        task: &Task,
    ) -> Result<(), RuntimeError> {
        for volume in &task.volumes {
            if let Some(request) = request(instance, task, volume)? {
                let kind = ErrorKind::ResourceInitialization;
                let work = self.docker.create_volume(request);
                within(CREATE_MAX, kind, "created", work).await?;
            }
        }
        Ok(())
    }

    /// Removes the volumes that carry this instance's and this task's labels.
    pub(super) async fn remove_volumes(
        &self,
        instance: &str,
        task_arn: &str,
    ) -> Result<(), RuntimeError> {
        let kind = ErrorKind::ResourceInitialization;
        let filters = HashMap::from([(
            "label".to_owned(),
            vec![
                format!("{}={instance}", Labels::INSTANCE),
                format!("{}={task_arn}", Labels::TASK),
            ],
        )]);
        let options = ListVolumesOptionsBuilder::new().filters(&filters).build();
        let work = self.docker.list_volumes(Some(options));
        let found = within(LOOK_MAX, kind, "listed", work).await?;
        for volume in found.volumes.unwrap_or_default() {
            within(REMOVE_MAX, kind, "removed", async {
                let options = None::<bollard::query_parameters::RemoveVolumeOptions>;
                match self.docker.remove_volume(&volume.name, options).await {
                    Err(error) if status(&error) == Some(NOT_FOUND) => Ok(()),
                    // Somebody else's container mounts it; it is theirs to remove now.
                    Err(error) if status(&error) == Some(CONFLICT) => {
                        tracing::warn!(volume = %volume.name, "a task's volume is in use and stays");
                        Ok(())
                    }
                    outcome => outcome,
                }
            })
            .await?;
        }
        Ok(())
    }
}

/// What to make for a volume: nothing for a folder of the host, and for a shared volume that is
/// expected to be there.
fn request(
    instance: &str,
    task: &Task,
    volume: &Volume,
) -> Result<Option<VolumeCreateRequest>, RuntimeError> {
    let mut own = HashMap::from([
        (Labels::INSTANCE.to_owned(), instance.to_owned()),
        (Labels::TASK.to_owned(), task.arn.clone()),
    ]);
    match volume.kind.as_deref().unwrap_or("host") {
        "host" => {
            let path = volume
                .host
                .as_ref()
                .and_then(|host| host.source_path.as_deref());
            if path.is_some_and(|path| !path.is_empty()) {
                return Ok(None);
            }
            Ok(Some(VolumeCreateRequest {
                name: Some(names::volume(instance, task, volume)),
                labels: Some(own),
                ..VolumeCreateRequest::default()
            }))
        }
        "docker" => {
            let docker = volume
                .docker_volume_configuration
                .clone()
                .unwrap_or_default();
            let shared = docker.scope == "shared";
            if shared && !docker.autoprovision {
                return Ok(None);
            }
            let mut labels: HashMap<_, _> = docker.labels.into_iter().collect();
            // A shared volume outlives the task and carries no label of ours: it is not ours to
            // remove.
            if !shared {
                labels.extend(own.drain());
            }
            Ok(Some(VolumeCreateRequest {
                name: Some(names::volume(instance, task, volume)),
                driver: docker.driver,
                driver_opts: Some(docker.driver_opts.into_iter().collect()),
                labels: Some(labels),
                ..VolumeCreateRequest::default()
            }))
        }
        other => Err(RuntimeError::new(
            ErrorKind::ResourceInitialization,
            format!(
                "volume {} is of type {other}, which this agent cannot mount",
                volume.name
            ),
        )),
    }
}
