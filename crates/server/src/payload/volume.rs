//! Volumes of a task (agent protocol reference §4.3.4).

use berth_agent_proto::task::{DockerVolume, EfsAuthorization, EfsVolume, HostVolume, Volume};
use berth_api::ecs;

pub(super) fn render_all(body: &ecs::TaskDefinition) -> Vec<Volume> {
    let volumes = body.volumes.as_deref().unwrap_or_default();
    volumes.iter().map(render).collect()
}

/// A volume without any configuration lives as long as the task; an agent still wants the empty
/// object (pitfall 28). What an attachment configures is only named.
fn render(volume: &ecs::Volume) -> Volume {
    let ecs::Volume {
        configured_at_launch,
        docker_volume_configuration,
        efs_volume_configuration,
        fsx_windows_file_server_volume_configuration: _,
        host,
        name,
        s3files_volume_configuration,
    } = volume;
    let named = Volume {
        name: name.clone().unwrap_or_default(),
        ..Volume::default()
    };
    if let Some(docker) = docker_volume_configuration {
        return Volume {
            kind: Some("docker".to_owned()),
            docker_volume_configuration: Some(docker_volume(docker)),
            ..named
        };
    }
    if let Some(efs) = efs_volume_configuration {
        return Volume {
            kind: Some("efs".to_owned()),
            efs_volume_configuration: Some(efs_volume(efs)),
            ..named
        };
    }
    if s3files_volume_configuration.is_some() || *configured_at_launch == Some(true) {
        return named;
    }
    let source_path = host.as_ref().and_then(|host| host.source_path.clone());
    Volume {
        kind: Some("host".to_owned()),
        host: Some(HostVolume {
            source_path: source_path.filter(|path| !path.is_empty()),
        }),
        ..named
    }
}

fn docker_volume(docker: &ecs::DockerVolumeConfiguration) -> DockerVolume {
    let ecs::DockerVolumeConfiguration {
        autoprovision,
        driver,
        driver_opts,
        labels,
        scope,
    } = docker;
    DockerVolume {
        scope: scope
            .as_ref()
            .map_or_else(|| "task".to_owned(), ToString::to_string),
        autoprovision: autoprovision.unwrap_or_default(),
        driver: driver.clone(),
        driver_opts: driver_opts.clone().unwrap_or_default(),
        labels: labels.clone().unwrap_or_default(),
    }
}

fn efs_volume(efs: &ecs::EFSVolumeConfiguration) -> EfsVolume {
    let ecs::EFSVolumeConfiguration {
        authorization_config,
        file_system_id,
        root_directory,
        transit_encryption,
        transit_encryption_port,
    } = efs;
    let authorization = |config: &ecs::EFSAuthorizationConfig| EfsAuthorization {
        access_point_id: config.access_point_id.clone(),
        iam: config.iam.as_ref().map(ToString::to_string),
    };
    EfsVolume {
        file_system_id: file_system_id.clone().unwrap_or_default(),
        root_directory: root_directory.clone(),
        transit_encryption: transit_encryption.as_ref().map(ToString::to_string),
        transit_encryption_port: transit_encryption_port.map(i64::from),
        authorization_config: authorization_config.as_ref().map(authorization),
    }
}
