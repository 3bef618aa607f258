//! Containers of a task (agent protocol reference §4.3.2).

use std::collections::BTreeMap;

use berth_agent_proto::task as proto;
use berth_api::ecs;
use berth_model::definition::{NetworkMode, TaskDefinition};
use berth_model::task::{LaunchType, Task};

use super::docker::{self, DockerView};
use super::{AgentKind, PayloadContext};

/// How an ECR image's host goes on after account and `dkr.ecr`.
const ECR_LABELS: [&str; 2] = ["dkr", "ecr"];

pub(super) fn render_all(
    task: &Task,
    definition: &TaskDefinition,
    body: &ecs::TaskDefinition,
    overrides: &ecs::TaskOverride,
    cx: &PayloadContext,
) -> Vec<proto::Container> {
    let view = View {
        task,
        definition,
        cx,
    };
    let given = overrides.container_overrides.as_deref().unwrap_or_default();
    let containers = body.container_definitions.as_deref().unwrap_or_default();
    containers
        .iter()
        .enumerate()
        .map(|(index, container)| {
            let named = |o: &&ecs::ContainerOverride| o.name == container.name;
            view.container(index, container, given.iter().find(named))
        })
        .collect()
}

/// Names with their values; a pair without a name says nothing.
pub(super) fn pairs(
    list: Option<&[ecs::KeyValuePair]>,
) -> impl Iterator<Item = (String, String)> + '_ {
    list.unwrap_or_default().iter().filter_map(|pair| {
        let name = pair.name.clone()?;
        Some((name, pair.value.clone().unwrap_or_default()))
    })
}

/// What stays the same for all containers of a task.
struct View<'a> {
    task: &'a Task,
    definition: &'a TaskDefinition,
    cx: &'a PayloadContext,
}

impl View<'_> {
    fn container(
        &self,
        index: usize,
        container: &ecs::ContainerDefinition,
        over: Option<&ecs::ContainerOverride>,
    ) -> proto::Container {
        let none = ecs::ContainerOverride::default();
        // Sizes and GPUs also count for placement, which reads them from here; the rest stays
        // with the override as given.
        let ecs::ContainerOverride {
            command,
            cpu,
            environment,
            environment_files,
            memory,
            memory_reservation,
            name: _,
            resource_requirements: _,
        } = over.unwrap_or(&none);
        let memory = memory.or(container.memory);
        let memory_reservation = memory_reservation.or(container.memory_reservation);
        let name = container.name.clone().unwrap_or_default();
        let named = container.image.clone().unwrap_or_default();
        let digest = self.cx.digests.get(index).and_then(Option::as_ref);
        let pinned = digest.and_then(|digest| at_digest(&named, digest));
        let own_agent = self.cx.agent == AgentKind::Berth;
        let (image, berth_image) = match pinned {
            Some(pinned) => (pinned, own_agent.then_some(named)),
            None => (named, None),
        };
        let files = environment_files
            .as_deref()
            .or(container.environment_files.as_deref());
        let command = command.as_ref().filter(|command| !command.is_empty());
        let cluster = &self.task.spec.cluster;
        let container_id = self.task.container_id(index);
        proto::Container {
            container_arn: Some(cluster.container_arn(self.task.id, container_id)),
            essential: container.essential.unwrap_or(true),
            command: command.or(container.command.as_ref()).cloned(),
            entry_point: container.entry_point.clone(),
            environment: Some(self.environment(container, environment.as_deref())),
            environment_files: files.unwrap_or_default().iter().map(file).collect(),
            secrets: self.secrets(container),
            cpu: i64::from(cpu.or(container.cpu).unwrap_or_default()),
            memory: i64::from(memory.unwrap_or_default()),
            port_mappings: self.port_mappings(container),
            links: container.links.clone().unwrap_or_default(),
            mount_points: mount_points(container),
            volumes_from: volumes_from(container),
            depends_on: depends_on(container),
            start_timeout: container.start_timeout.map(i64::from),
            stop_timeout: container.stop_timeout.map(i64::from),
            health_check_type: container.health_check.as_ref().map(|_| "docker".to_owned()),
            restart_policy: container.restart_policy.as_ref().map(restart_policy),
            registry_authentication: self.registry(container, &image),
            logs_auth_strategy: self.logs_auth(container),
            firelens_configuration: container.firelens_configuration.as_ref().map(firelens),
            // Until ExecuteCommand is served, a helper inside the container has nobody to talk to.
            managed_agents: Vec::new(),
            credential_specs: container.credential_specs.clone().unwrap_or_default(),
            overrides: Some("{}".to_owned()),
            docker_config: Some(docker::render(&DockerView {
                container,
                name: &name,
                memory_mib: memory.filter(|mib| *mib > 0),
                memory_reservation_mib: memory_reservation,
                network: self.definition.facts.network_mode,
                task: self.task,
                cx: self.cx,
            })),
            name,
            image,
            berth_image,
        }
    }

    /// The definition's variables, then the override's; the later one wins, also over ours.
    fn environment(
        &self,
        container: &ecs::ContainerDefinition,
        over: Option<&[ecs::KeyValuePair]>,
    ) -> BTreeMap<String, String> {
        let place = match self.task.spec.launch_type {
            LaunchType::Ec2 | LaunchType::External => "AWS_ECS_EC2",
            LaunchType::Fargate => "AWS_ECS_FARGATE",
        };
        let own = [("AWS_EXECUTION_ENV".to_owned(), place.to_owned())];
        own.into_iter()
            .chain(pairs(container.environment.as_deref()))
            .chain(pairs(over))
            .collect()
    }

    fn region(&self) -> &str {
        self.task.spec.cluster.scope.region.as_str()
    }

    fn secrets(&self, container: &ecs::ContainerDefinition) -> Vec<proto::Secret> {
        let log = container.log_configuration.as_ref();
        let of_log = log.and_then(|log| log.secret_options.as_deref());
        let of_container = container.secrets.as_deref();
        let render = |secret: &ecs::Secret, kind: &str, target: &str| {
            let value_from = secret.value_from.clone().unwrap_or_default();
            let (provider, region) = self.secret_home(&value_from);
            proto::Secret {
                name: secret.name.clone().unwrap_or_default(),
                region,
                provider: provider.to_owned(),
                kind: kind.to_owned(),
                target: target.to_owned(),
                container_path: None,
                value_from,
            }
        };
        let variables = of_container.unwrap_or_default().iter();
        let options = of_log.unwrap_or_default().iter();
        variables
            .map(|secret| render(secret, "ENVIRONMENT_VARIABLE", "CONTAINER"))
            .chain(options.map(|secret| render(secret, "BOOTSTRAP", "LOG_DRIVER")))
            .collect()
    }

    /// Provider and region of a secret. A name that is no ARN is a parameter of the task's region.
    fn secret_home(&self, value_from: &str) -> (&'static str, String) {
        let mut parts = value_from.split(':').skip(2);
        let (service, region) = (parts.next(), parts.next());
        let provider = match service {
            Some("secretsmanager") if value_from.starts_with("arn:") => "asm",
            _ => "ssm",
        };
        let named = region.filter(|region| value_from.starts_with("arn:") && !region.is_empty());
        (provider, named.unwrap_or(self.region()).to_owned())
    }

    fn port_mappings(&self, container: &ecs::ContainerDefinition) -> Vec<proto::PortMapping> {
        let mappings = container.port_mappings.as_deref().unwrap_or_default();
        mappings.iter().filter_map(|m| self.port(m)).collect()
    }

    /// A single port or a range; a mapping that names neither maps nothing.
    fn port(&self, mapping: &ecs::PortMapping) -> Option<proto::PortMapping> {
        let ecs::PortMapping {
            app_protocol: _,
            container_port,
            container_port_range,
            host_port,
            name: _,
            protocol,
        } = mapping;
        let protocol = protocol
            .as_ref()
            .map_or_else(|| "tcp".to_owned(), ToString::to_string);
        if let Some(range) = container_port_range {
            return Some(proto::PortMapping {
                container_port_range: Some(range.clone()),
                protocol: Some(protocol),
                ..proto::PortMapping::default()
            });
        }
        let container_port = (*container_port)?;
        let host_port = match self.definition.facts.network_mode {
            NetworkMode::Bridge => host_port.unwrap_or_default(),
            // The container has the machine's ports, or a network of its own.
            NetworkMode::Host | NetworkMode::Awsvpc | NetworkMode::None => container_port,
        };
        Some(proto::PortMapping {
            container_port: Some(i64::from(container_port)),
            host_port: Some(i64::from(host_port)),
            container_port_range: None,
            protocol: Some(protocol),
        })
    }

    /// Credentials of a secret where the definition names one, else ECR's for an ECR image.
    fn registry(
        &self,
        container: &ecs::ContainerDefinition,
        image: &str,
    ) -> Option<proto::RegistryAuthentication> {
        let secret = container
            .repository_credentials
            .as_ref()
            .and_then(|credentials| credentials.credentials_parameter.clone());
        if let Some(parameter) = secret {
            return Some(proto::RegistryAuthentication {
                kind: "asm".to_owned(),
                ecr_auth_data: None,
                asm_auth_data: Some(proto::AsmAuthData {
                    region: self.secret_home(&parameter).1,
                    credentials_parameter: parameter,
                }),
            });
        }
        let (account, region) = ecr_registry(image)?;
        Some(proto::RegistryAuthentication {
            kind: "ecr".to_owned(),
            ecr_auth_data: Some(proto::EcrAuthData {
                registry_id: account.to_owned(),
                region: region.to_owned(),
                endpoint_override: None,
                use_execution_role: self.cx.execution_role_credentials.is_some(),
            }),
            asm_auth_data: None,
        })
    }

    /// A stock agent gives the log driver the execution role when told so. Our agent ships with
    /// its own identity.
    fn logs_auth(&self, container: &ecs::ContainerDefinition) -> Option<String> {
        let log = container.log_configuration.as_ref();
        let awslogs = log.is_some_and(|l| l.log_driver == Some(ecs::LogDriver::Awslogs));
        let role = self.cx.execution_role_credentials.is_some();
        let told = awslogs && role && self.cx.agent == AgentKind::Stock;
        told.then(|| "ExecutionRole".to_owned())
    }
}

/// The image at this digest instead of its tag; `None` when it names a digest of its own. The tag
/// is left out, for not every agent takes both.
fn at_digest(image: &str, digest: &str) -> Option<String> {
    if image.contains('@') {
        return None;
    }
    // A colon after the last slash begins a tag; one before it, a port.
    let after_slash = image.rfind('/').map_or(0, |at| at + 1);
    let name = image[after_slash..]
        .find(':')
        .map_or(image, |at| &image[..after_slash + at]);
    Some(format!("{name}@{digest}"))
}

/// Account and region of `<account>.dkr.ecr.<region>.<domain>/…`.
fn ecr_registry(image: &str) -> Option<(&str, &str)> {
    let (host, _) = image.split_once('/')?;
    let mut labels = host.split('.');
    let account = labels.next()?;
    let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    let is_ecr = ECR_LABELS.iter().all(|want| labels.next() == Some(*want));
    let region = labels.next()?;
    (is_account && is_ecr).then_some((account, region))
}

fn file(file: &ecs::EnvironmentFile) -> proto::EnvironmentFile {
    proto::EnvironmentFile {
        value: file.value.clone().unwrap_or_default(),
        kind: file
            .r#type
            .as_ref()
            .map_or_else(|| "s3".to_owned(), ToString::to_string),
    }
}

/// Mounts that name a volume and a place; the API lets through ones that name neither.
fn mount_points(container: &ecs::ContainerDefinition) -> Vec<proto::MountPoint> {
    let mounts = container.mount_points.as_deref().unwrap_or_default();
    let render = |mount: &ecs::MountPoint| {
        Some(proto::MountPoint {
            source_volume: mount.source_volume.clone()?,
            container_path: mount.container_path.clone()?,
            read_only: mount.read_only,
        })
    };
    mounts.iter().filter_map(render).collect()
}

fn volumes_from(container: &ecs::ContainerDefinition) -> Vec<proto::VolumeFrom> {
    let sources = container.volumes_from.as_deref().unwrap_or_default();
    let render = |source: &ecs::VolumeFrom| {
        Some(proto::VolumeFrom {
            source_container: source.source_container.clone()?,
            read_only: source.read_only,
        })
    };
    sources.iter().filter_map(render).collect()
}

fn depends_on(container: &ecs::ContainerDefinition) -> Vec<proto::DependsOn> {
    let dependencies = container.depends_on.as_deref().unwrap_or_default();
    let render = |dependency: &ecs::ContainerDependency| {
        Some(proto::DependsOn {
            container_name: dependency.container_name.clone()?,
            condition: dependency.condition.as_ref()?.to_string(),
        })
    };
    dependencies.iter().filter_map(render).collect()
}

fn restart_policy(policy: &ecs::ContainerRestartPolicy) -> proto::RestartPolicy {
    let ecs::ContainerRestartPolicy {
        enabled,
        ignored_exit_codes,
        restart_attempt_period,
    } = policy;
    let ignored = ignored_exit_codes.as_deref().unwrap_or_default();
    proto::RestartPolicy {
        enabled: enabled.unwrap_or_default(),
        ignored_exit_codes: ignored.iter().copied().map(i64::from).collect(),
        restart_attempt_period: restart_attempt_period.map(i64::from),
    }
}

fn firelens(firelens: &ecs::FirelensConfiguration) -> proto::FirelensConfiguration {
    proto::FirelensConfiguration {
        kind: firelens
            .r#type
            .as_ref()
            .map_or_else(String::new, ToString::to_string),
        options: firelens.options.clone().unwrap_or_default(),
    }
}
