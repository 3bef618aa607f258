//! What the machine is, and what containers use.

use std::sync::{Arc, PoisonError};

use bollard::models::{ContainerStatsResponse, SystemInfo};
use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt;

use super::failure::{LOOK_MAX, NOT_FOUND, describe, status, timed_out, within};
use super::{DockerSettings, Inner};
use crate::runtime::{ErrorKind, NetworkUsage, RuntimeError, RuntimeFacts, Usage};

const BYTES_PER_MIB: i64 = 1024 * 1024;
const UNITS_PER_CPU: i64 = 1024;
/// Versions of Docker's API that have an attribute of their own (reference §2.2).
const API_MINORS: [u32; 13] = [17, 18, 19, 20, 21, 22, 23, 24, 25, 28, 29, 30, 32];
/// The log drivers of Docker that ECS knows. `awslogs` is the agent's own work.
const LOG_DRIVERS: [&str; 7] = [
    "json-file",
    "syslog",
    "journald",
    "gelf",
    "fluentd",
    "splunk",
    "local",
];

impl Inner {
    pub(super) async fn facts(&self) -> Result<RuntimeFacts, RuntimeError> {
        let kind = ErrorKind::Unavailable;
        let info = within(LOOK_MAX, kind, "inspected", self.docker.info()).await?;
        let version = within(LOOK_MAX, kind, "inspected", self.docker.version()).await?;
        let api = version.api_version.unwrap_or_default();
        let machine = info.architecture.clone().unwrap_or_default();
        Ok(RuntimeFacts {
            version: version.version.unwrap_or_default(),
            cpu_units: info.ncpu.unwrap_or(1).saturating_mul(UNITS_PER_CPU),
            memory_mib: info.mem_total.unwrap_or(0) / BYTES_PER_MIB,
            architecture: match machine.as_str() {
                "aarch64" => "arm64".to_owned(),
                _ => machine,
            },
            capabilities: capabilities(&info, &api, &self.settings),
            gpus: self.settings.gpus.clone(),
            machine: info.id.filter(|id| !id.is_empty()),
        })
    }

    pub(super) async fn usage(&self, id: &str) -> Result<Option<Usage>, RuntimeError> {
        let Some(mut stats) = self.stats(id).await? else {
            return Ok(None);
        };
        if stats.networks.is_none()
            && let Some(holder) = self.network_holder(id).await?
        {
            stats.networks = self.stats(&holder).await?.and_then(|held| held.networks);
        }
        Ok(usage(&stats))
    }

    /// One look, without the second that Docker would wait to work out rates.
    async fn stats(&self, id: &str) -> Result<Option<ContainerStatsResponse>, RuntimeError> {
        let kind = ErrorKind::CannotInspectContainer;
        let options = StatsOptionsBuilder::new()
            .stream(false)
            .one_shot(true)
            .build();
        let mut stats = std::pin::pin!(self.docker.stats(id, Some(options)));
        match tokio::time::timeout(LOOK_MAX, stats.next()).await {
            Err(_) => Err(timed_out("measured", LOOK_MAX)),
            Ok(Some(Ok(stats))) => Ok(Some(stats)),
            Ok(Some(Err(error))) if status(&error) == Some(NOT_FOUND) => Ok(None),
            Ok(Some(Err(error))) => Err(describe(kind, &error)),
            Ok(None) => Ok(None),
        }
    }

    /// The container whose network this one shares, which Docker counts for that one alone. It
    /// stays the same for a container's whole life.
    async fn network_holder(&self, id: &str) -> Result<Option<String>, RuntimeError> {
        let lock = || self.holders.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = lock().get(id) {
            return Ok(known.clone());
        }
        let Some(seen) = self.look(id).await? else {
            return Ok(None);
        };
        let mode = seen.host_config.and_then(|host| host.network_mode);
        let holder = mode.and_then(|mode| Some(mode.strip_prefix("container:")?.to_owned()));
        lock().insert(id.to_owned(), holder.clone());
        Ok(holder)
    }

    /// Forgets what was learned of a container that is gone.
    pub(super) fn forget_holder(&self, id: &str) {
        let holders = self.holders.lock();
        holders.unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

fn capabilities(info: &SystemInfo, api: &str, settings: &DockerSettings) -> Vec<String> {
    let minor = api
        .strip_prefix("1.")
        .and_then(|minor| minor.parse::<u32>().ok());
    let minors = API_MINORS.iter().filter(|known| Some(**known) <= minor);
    let mut names: Vec<String> = minors
        .map(|minor| format!("com.amazonaws.ecs.capability.docker-remote-api.1.{minor}"))
        .collect();
    let plugins = info.plugins.as_ref();
    let drivers = plugins
        .and_then(|plugins| plugins.log.as_deref())
        .unwrap_or_default();
    let known = drivers
        .iter()
        .filter(|driver| LOG_DRIVERS.contains(&driver.as_str()));
    let driver = |name: &str| format!("com.amazonaws.ecs.capability.logging-driver.{name}");
    names.extend(known.map(|name| driver(name)));
    names.push(driver("none"));
    if settings.logs.is_some() {
        names.push(driver("awslogs"));
        names.push("ecs.capability.execution-role-awslogs".to_owned());
    }
    if settings.environment_files.is_some() {
        names.push("ecs.capability.env-files.s3".to_owned());
    }
    // Docker's configuration stands for every registry, Amazon's among them, and for the role
    // that would have been used.
    if settings.registry_config.is_some() {
        names.push("com.amazonaws.ecs.capability.ecr-auth".to_owned());
        names.push("ecs.capability.execution-role-ecr-pull".to_owned());
    }
    let options = info.security_options.as_deref().unwrap_or_default();
    for module in ["selinux", "apparmor"] {
        if options
            .iter()
            .any(|option| option.contains(&format!("name={module}")))
        {
            names.push(format!("com.amazonaws.ecs.capability.{module}"));
        }
    }
    names.extend(
        [
            "com.amazonaws.ecs.capability.privileged-container",
            "ecs.capability.container-health-check",
            "ecs.capability.docker-plugin.local",
            "ecs.capability.network.container-port-range",
            "ecs.capability.pid-ipc-namespace-sharing",
            "ecs.capability.task-cpu-mem-limit",
            "ecs.capability.task-eni",
        ]
        .map(str::to_owned),
    );
    names
}

/// `None` for a container that does not run: Docker answers with zeroes.
fn usage(stats: &ContainerStatsResponse) -> Option<Usage> {
    let cpu = stats.cpu_stats.as_ref()?;
    // Docker leaves the host's CPU time out when it measured nothing.
    cpu.system_cpu_usage?;
    let cpu_ns = cpu.cpu_usage.as_ref()?.total_usage?;
    let memory = stats.memory_stats.as_ref()?;
    let detail = memory.stats.as_ref();
    // What Docker's own command takes off: page cache that can be dropped; the first name is
    // that of cgroup v1, the second that of v2.
    let cache = ["total_inactive_file", "inactive_file"];
    let cache = cache
        .iter()
        .find_map(|key| detail?.get(*key).copied())
        .unwrap_or(0);
    let networks = stats.networks.as_ref();
    Some(Usage {
        cpu_ns,
        memory_bytes: memory.usage.unwrap_or(0).saturating_sub(cache),
        network: networks.map(|networks| {
            let mut sum = NetworkUsage::default();
            for one in networks.values() {
                let add = |slot: &mut u64, value: Option<u64>| {
                    *slot = slot.saturating_add(value.unwrap_or(0));
                };
                add(&mut sum.rx_bytes, one.rx_bytes);
                add(&mut sum.rx_packets, one.rx_packets);
                add(&mut sum.rx_dropped, one.rx_dropped);
                add(&mut sum.rx_errors, one.rx_errors);
                add(&mut sum.tx_bytes, one.tx_bytes);
                add(&mut sum.tx_packets, one.tx_packets);
                add(&mut sum.tx_dropped, one.tx_dropped);
                add(&mut sum.tx_errors, one.tx_errors);
            }
            sum
        }),
        block: block(stats),
        raw: serde_json::to_value(stats).ok().map(Arc::new),
    })
}

/// Bytes read and written over all devices.
fn block(stats: &ContainerStatsResponse) -> Option<(u64, u64)> {
    let entries = stats
        .blkio_stats
        .as_ref()?
        .io_service_bytes_recursive
        .as_ref()?;
    let sum = |wanted: &str| {
        let of_kind = entries.iter().filter(|entry| {
            entry
                .op
                .as_deref()
                .is_some_and(|op| op.eq_ignore_ascii_case(wanted))
        });
        of_kind
            .filter_map(|entry| entry.value)
            .fold(0_u64, u64::saturating_add)
    };
    Some((sum("read"), sum("write")))
}
