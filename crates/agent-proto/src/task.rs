//! A task as a `PayloadMessage` carries it (reference §4.3).
//!
//! Spellings are the wire's. Fields that the agent checks itself, such as `desiredStatus`, stay
//! text here: a value that it does not know spoils one task, where a wrong JSON type spoils the
//! whole message.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::extra::Awsvpc;
use crate::network::NetworkInterface;

/// One task of a payload.
///
/// For a task that the agent knows, only `arn` and `desiredStatus` matter.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Task {
    /// The task's ARN.
    pub arn: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
    /// The task definition's family.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub family: String,
    /// The task definition's revision, as text.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The containers; never empty for a RUNNING task, which makes a stock agent spin
    /// (pitfall 14).
    pub containers: Vec<Container>,
    /// Ignored by agents; a string, by convention `"{}"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<String>,
    /// The volumes that containers mount.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// The task's limit in vCPU: 0.5 is 512 CPU units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// The task's limit in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<i64>,
    /// `bridge`, `host`, `awsvpc` or `none`. For bridge and host, Docker's own mode must stand in
    /// each container's `hostConfig.NetworkMode` as well (pitfall 27).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<String>,
    /// Credentials of the task role, for the containers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_credentials: Option<Credentials>,
    /// Credentials of the execution role, for the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_role_credentials: Option<Credentials>,
    /// Interfaces of an awsvpc task of a stock agent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub elastic_network_interfaces: Vec<NetworkInterface>,
    /// `host` or `task`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid_mode: Option<String>,
    /// `host`, `task` or `none`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc_mode: Option<String>,
    /// GPUs and accelerators given to containers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub associations: Vec<Association>,
    /// Proxy of a service mesh.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proxy_configuration: Option<ProxyConfiguration>,
    /// Service Connect and managed volumes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// `EC2`, `FARGATE` or `EXTERNAL`; `FARGATE` skips the agent's resource check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_type: Option<String>,
    /// The service that wants the task, shown in its metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_name: Option<String>,
    /// The task group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether the task may call the fault injection endpoints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_fault_injection: Option<bool>,
    /// Accepted by agents and not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_cluster_arn: Option<String>,
    /// Accepted by agents and not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_definition_account_id: Option<String>,
    /// Accepted by agents and not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// Ours: the agent makes the task's network itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub berth_awsvpc: Option<Awsvpc>,
}

/// One container of a [`Task`] (reference §4.3.2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// The name, unique in its task. Never `service-connect` (pitfall 44).
    pub name: String,
    /// The image.
    pub image: String,
    /// Ours: the image as the task definition names it, where `image` names a digest instead. The
    /// task metadata show this one, as Amazon's do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub berth_image: Option<String>,
    /// The container's ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_arn: Option<String>,
    /// Whether the task stops with it. Absent means false, unlike in a task definition.
    pub essential: bool,
    /// Arguments; empty means the image's.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub command: Option<Vec<String>>,
    /// The program; empty means the image's.
    #[serde(skip_serializing_if = "none_or_empty")]
    pub entry_point: Option<Vec<String>>,
    /// Environment variables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<BTreeMap<String, String>>,
    /// Files of environment variables.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment_files: Vec<EnvironmentFile>,
    /// Secrets that the agent looks up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<Secret>,
    /// CPU shares.
    pub cpu: i64,
    /// Hard limit in MiB; 0 is none.
    pub memory: i64,
    /// Ports to publish.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub port_mappings: Vec<PortMapping>,
    /// `name[:alias]` of containers to link with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// Volumes of the task to mount.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub mount_points: Vec<MountPoint>,
    /// Containers whose mounts it shares.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volumes_from: Vec<VolumeFrom>,
    /// What must have happened to others before it starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<DependsOn>,
    /// How long, in seconds, others wait for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_timeout: Option<i64>,
    /// Seconds between the stop signal and the kill.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_timeout: Option<i64>,
    /// `docker` when its health is to be reported; the check itself stands in `dockerConfig`
    /// (pitfall 25).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check_type: Option<String>,
    /// Whether and when the agent restarts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_policy: Option<RestartPolicy>,
    /// How to log in to its registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registry_authentication: Option<RegistryAuthentication>,
    /// `ExecutionRole` when its log driver uses the execution role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_auth_strategy: Option<String>,
    /// Makes it the log router of its task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firelens_configuration: Option<FirelensConfiguration>,
    /// `ExecuteCommandAgent`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub managed_agents: Vec<ManagedAgent>,
    /// Credential specifications.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub credential_specs: Vec<String>,
    /// String of JSON that may hold `command` alone (pitfall 13).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overrides: Option<String>,
    /// What Docker is told beyond what the agent works out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_config: Option<DockerConfig>,
}

fn none_or_empty(list: &Option<Vec<String>>) -> bool {
    list.as_ref().is_none_or(Vec::is_empty)
}

/// Strings of JSON in the Docker Engine API's spelling, laid over what the agent works out
/// (reference §4.3.3).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DockerConfig {
    /// The API version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The container's configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The host's side of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_config: Option<String>,
}

/// A port or range of ports to publish.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortMapping {
    /// The container's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_port: Option<i64>,
    /// The host's port; absent or 0 lets the agent pick.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_port: Option<i64>,
    /// First and last port, as `9000-9002`, in place of `containerPort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_port_range: Option<String>,
    /// `tcp` (the default) or `udp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
}

/// A mount of a task volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MountPoint {
    /// The volume's name.
    pub source_volume: String,
    /// Where in the container.
    pub container_path: String,
    /// Whether it cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// The mounts of another container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeFrom {
    /// The other container's name.
    pub source_container: String,
    /// Whether they cannot be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_only: Option<bool>,
}

/// What must have happened to another container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DependsOn {
    /// The other container's name.
    pub container_name: String,
    /// `START`, `COMPLETE`, `SUCCESS` or `HEALTHY`.
    pub condition: String,
}

/// Restarts by the agent, which are not reported.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestartPolicy {
    /// Whether it applies.
    pub enabled: bool,
    /// Exit codes after which it is left stopped.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored_exit_codes: Vec<i64>,
    /// Seconds it must have run before a restart is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_attempt_period: Option<i64>,
}

/// A file of environment variables in S3.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvironmentFile {
    /// The object's ARN.
    pub value: String,
    /// `s3`.
    #[serde(rename = "type")]
    pub kind: String,
}

/// A secret that the agent looks up with the execution role.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Secret {
    /// The variable's name.
    pub name: String,
    /// Parameter or secret.
    pub value_from: String,
    /// Its region.
    pub region: String,
    /// `ssm` or `asm`.
    pub provider: String,
    /// `ENVIRONMENT_VARIABLE`, `MOUNT_POINT` or `BOOTSTRAP`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `CONTAINER` or `LOG_DRIVER`.
    pub target: String,
    /// Where it is mounted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_path: Option<String>,
}

/// How to log in to a registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RegistryAuthentication {
    /// `ecr` or `asm`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For `ecr`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ecr_auth_data: Option<EcrAuthData>,
    /// For `asm`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asm_auth_data: Option<AsmAuthData>,
}

/// An ECR registry.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EcrAuthData {
    /// The account that owns it.
    pub registry_id: String,
    /// Its region.
    pub region: String,
    /// Its address, where not Amazon's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint_override: Option<String>,
    /// Whether to use the task's execution role.
    pub use_execution_role: bool,
}

/// A secret with user name and password.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AsmAuthData {
    /// The secret.
    pub credentials_parameter: String,
    /// Its region.
    pub region: String,
}

/// What makes a container the log router.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct FirelensConfiguration {
    /// `fluentbit` or `fluentd`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its options.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
}

/// A helper inside the container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManagedAgent {
    /// `ExecuteCommandAgent`.
    pub name: String,
    /// Its settings, all as text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
}

/// A volume of a task (reference §4.3.4).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Volume {
    /// The name that mounts use.
    pub name: String,
    /// `host` (when absent), `docker`, `efs` or `fsxWindowsFileServer`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Required with `host`, may be empty (pitfall 28).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostVolume>,
    /// Required with `docker`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub docker_volume_configuration: Option<DockerVolume>,
    /// Required with `efs`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efs_volume_configuration: Option<EfsVolume>,
}

/// A folder of the host, or one of the task's own.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostVolume {
    /// The folder; absent or empty for a volume that lives as long as the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_path: Option<String>,
}

/// A Docker volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DockerVolume {
    /// `task` or `shared`.
    pub scope: String,
    /// Whether a shared one is made when missing.
    pub autoprovision: bool,
    /// The volume driver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The driver's options.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver_opts: BTreeMap<String, String>,
    /// Labels on the volume.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// An EFS file system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EfsVolume {
    /// Its id.
    pub file_system_id: String,
    /// The folder in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root_directory: Option<String>,
    /// `ENABLED` or `DISABLED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transit_encryption: Option<String>,
    /// The port used for encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transit_encryption_port: Option<i64>,
    /// Who may mount it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authorization_config: Option<EfsAuthorization>,
}

/// How an EFS mount is authorized.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EfsAuthorization {
    /// The access point.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_point_id: Option<String>,
    /// `ENABLED` or `DISABLED`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iam: Option<String>,
}

/// A GPU or accelerator given to containers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Association {
    /// The device's id.
    pub name: String,
    /// `gpu` or `elastic-inference`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The containers that get it; exactly one for a GPU.
    pub containers: Vec<String>,
    /// What the metadata endpoint shows of it.
    pub content: AssociationContent,
}

/// Content of an [`Association`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AssociationContent {
    /// `identity` or `base64`.
    pub encoding: String,
    /// The content.
    pub value: String,
}

/// Proxy of a service mesh.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ProxyConfiguration {
    /// `APPMESH`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The proxy container.
    pub container_name: String,
    /// Its settings.
    pub properties: BTreeMap<String, String>,
}

/// A resource attached to a task (reference §4.3.5).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attachment {
    /// Its ARN.
    pub attachment_arn: String,
    /// `serviceconnectdetail`, `amazonebs` or `s3files`.
    pub attachment_type: String,
    /// Its properties.
    pub attachment_properties: Vec<Property>,
}

/// A named value.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Property {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// Credentials of a role (reference §4.4).
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Credentials {
    /// What containers name them by: unguessable, and the same for the life of the task.
    pub credentials_id: String,
    /// The role.
    pub role_arn: String,
    /// The access key's id.
    pub access_key_id: String,
    /// The secret key.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: String,
    /// When they lapse, RFC 3339.
    pub expiration: String,
}

/// Never shows a secret: messages end up in logs.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials")
            .field("role_arn", &self.role_arn)
            .field("expiration", &self.expiration)
            .finish_non_exhaustive()
    }
}
