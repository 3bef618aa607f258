//! The container that holds the namespaces of a task: its network (awsvpc), and its process and
//! IPC namespaces when these are to be the task's.
//!
//! Why a container, and not a namespace of our own making: Docker then does the addresses, the
//! veth pair and the clean-up, also after a crash of the agent; joining is `container:<id>`, which
//! every version of Docker has; and the agent need not be root. The stock agent does the same
//! with an image that it brings along. Ours is made on the spot by Docker's import: one static
//! program of a few instructions that sleeps for ever and lets the kernel reap the orphans of a
//! shared process namespace, so no registry and no file of the distribution is needed.
//!
//! The network is one bridge per address range, `berth-<range>`, shared by the agents of a machine that
//! have the same range; Docker's own allocator gives each holder its address.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use berth_agent_proto::task::Task;
use bollard::errors::Error;
use bollard::models::{
    ContainerCreateBody, ContainerInspectResponse, HostConfig, Ipam, IpamConfig,
    NetworkCreateRequest,
};
use bollard::query_parameters::{CreateContainerOptionsBuilder, CreateImageOptionsBuilder};
use futures_util::TryStreamExt;

use super::failure::{CONFLICT, CREATE_MAX, LOOK_MAX, NOT_FOUND, START_MAX, status, within};
use super::{Inner, names};
use crate::runtime::{ErrorKind, Labels, RuntimeError, TaskNetwork};

/// Tells a holder from a container of a task definition.
pub(super) const LABEL_ROLE: &str = "berth.role";
pub(super) const ROLE_HOLDER: &str = "holder";

/// How often, and how many times, another agent's bridge is looked for: Docker makes one in some
/// tens of milliseconds, a busy machine in a few seconds.
const OTHERS_BRIDGE_EVERY: Duration = Duration::from_millis(100);
const OTHERS_BRIDGE_LOOKS: u32 = 50;

const IMAGE: &str = "berth-holder";
/// Changes with the program.
const IMAGE_TAG: &str = "1";
const PROGRAM_PATH: &str = "hold";
/// Where the program is loaded: the usual address of programs that are not relocated.
const LOAD_ADDRESS: u64 = 0x40_0000;

/// `rt_sigaction(SIGCHLD, &{SIG_IGN, SA_RESTORER…}, NULL, 8)`, so that the kernel reaps, then
/// `pause()` for ever. The action is 32 bytes at the end.
const PROGRAM_X86_64: &[u8] = &[
    0xb8, 0x0d, 0x00, 0x00, 0x00, // mov eax, 13 (rt_sigaction)
    0xbf, 0x11, 0x00, 0x00, 0x00, // mov edi, 17 (SIGCHLD)
    0x48, 0x8d, 0x35, 0x17, 0x00, 0x00, 0x00, // lea rsi, [rip + 23] (the action)
    0x31, 0xd2, // xor edx, edx
    0x41, 0xba, 0x08, 0x00, 0x00, 0x00, // mov r10d, 8 (bytes of a signal set)
    0x0f, 0x05, // syscall
    0xb8, 0x22, 0x00, 0x00, 0x00, // again: mov eax, 34 (pause)
    0x0f, 0x05, // syscall
    0xeb, 0xf7, // jmp again
    0x90, 0x90, 0x90, 0x90, // up to a multiple of eight
    // The action: handler SIG_IGN, no flags, no restorer, an empty mask.
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// The same for arm64, whose kernel has no `pause`: `ppoll(NULL, 0, NULL, NULL, 0)`.
const PROGRAM_ARM64: &[u8] = &[
    0x20, 0x02, 0x80, 0xd2, // mov x0, 17 (SIGCHLD)
    0xa1, 0x01, 0x00, 0x10, // adr x1, +52 (the action)
    0x02, 0x00, 0x80, 0xd2, // mov x2, 0
    0x03, 0x01, 0x80, 0xd2, // mov x3, 8 (bytes of a signal set)
    0xc8, 0x10, 0x80, 0xd2, // mov x8, 134 (rt_sigaction)
    0x01, 0x00, 0x00, 0xd4, // svc 0
    0x00, 0x00, 0x80, 0xd2, // again: mov x0, 0
    0x01, 0x00, 0x80, 0xd2, // mov x1, 0
    0x02, 0x00, 0x80, 0xd2, // mov x2, 0
    0x03, 0x00, 0x80, 0xd2, // mov x3, 0
    0x04, 0x00, 0x80, 0xd2, // mov x4, 0
    0x28, 0x09, 0x80, 0xd2, // mov x8, 73 (ppoll)
    0x01, 0x00, 0x00, 0xd4, // svc 0
    0xf9, 0xff, 0xff, 0x17, // b again
    // The action: handler SIG_IGN, no flags, no restorer, an empty mask.
    1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
];

/// The namespaces of a task that a holder keeps.
struct Wanted {
    network: Option<String>,
    labels: HashMap<String, String>,
    host: HostConfig,
}

impl Inner {
    /// Makes the network of a task, or gives the one that is there.
    pub(super) async fn task_network(
        &self,
        instance: &str,
        task: &Task,
    ) -> Result<TaskNetwork, RuntimeError> {
        let network = self.ensure_bridge().await?;
        let seen = self.ensure_holder(instance, task, Some(&network)).await?;
        read_network(&seen, &network, &self.settings.task_range.to_string()).ok_or_else(|| {
            RuntimeError::new(
                ErrorKind::ResourceInitialization,
                "docker gave the task's network no address",
            )
        })
    }

    /// Makes the holder of a task that shares its process or IPC namespace and has no network
    /// of its own.
    pub(super) async fn ensure_namespaces(
        &self,
        instance: &str,
        task: &Task,
    ) -> Result<(), RuntimeError> {
        if !shares_namespaces(task) || task.berth_awsvpc.is_some() {
            return Ok(());
        }
        self.ensure_holder(instance, task, None).await.map(drop)
    }

    /// The bridge of the address range; made when it is not there.
    ///
    /// Another agent of this machine may be making it at the same time. Docker takes the range
    /// before the network can be seen, and answers the slower one with an overlap of addresses:
    /// so whatever it answers, the network is waited for before that counts as a failure.
    pub(super) async fn ensure_bridge(&self) -> Result<String, RuntimeError> {
        let name = self.settings.task_range.network_name();
        if self.sees_network(&name).await? {
            return Ok(name);
        }
        let Err(refused) = self.create_bridge(&name).await else {
            return Ok(name);
        };
        for _ in 0..OTHERS_BRIDGE_LOOKS {
            if self.sees_network(&name).await? {
                return Ok(name);
            }
            tokio::time::sleep(OTHERS_BRIDGE_EVERY).await;
        }
        Err(refused)
    }

    async fn sees_network(&self, name: &str) -> Result<bool, RuntimeError> {
        let kind = ErrorKind::ResourceInitialization;
        within(LOOK_MAX, kind, "inspected", async {
            match self.docker.inspect_network(name, None).await {
                Ok(_) => Ok(true),
                Err(error) if status(&error) == Some(NOT_FOUND) => Ok(false),
                Err(error) => Err(error),
            }
        })
        .await
    }

    async fn create_bridge(&self, name: &str) -> Result<(), RuntimeError> {
        let range = IpamConfig {
            subnet: Some(self.settings.task_range.to_string()),
            ..IpamConfig::default()
        };
        let request = NetworkCreateRequest {
            name: name.to_owned(),
            driver: Some("bridge".to_owned()),
            ipam: Some(Ipam {
                config: Some(vec![range]),
                ..Ipam::default()
            }),
            labels: Some([(LABEL_ROLE.to_owned(), "task-network".to_owned())].into()),
            ..NetworkCreateRequest::default()
        };
        let work = self.docker.create_network(request);
        let made = within(
            CREATE_MAX,
            ErrorKind::ResourceInitialization,
            "created",
            work,
        );
        made.await.map(drop)
    }

    async fn ensure_holder(
        &self,
        instance: &str,
        task: &Task,
        network: Option<&str>,
    ) -> Result<ContainerInspectResponse, RuntimeError> {
        let kind = ErrorKind::ResourceInitialization;
        let name = names::holder(instance, &task.arn);
        let wanted = Wanted {
            network: network.map(str::to_owned),
            labels: labels(instance, &task.arn),
            host: host_config(task, network),
        };
        let created = self.create_holder(&name, &wanted).await;
        let created = match created {
            Err(error) if status(&error) == Some(NOT_FOUND) => {
                self.import_image().await?;
                self.create_holder(&name, &wanted).await
            }
            other => other,
        };
        match created {
            Ok(()) => {}
            Err(error) if status(&error) == Some(CONFLICT) => {}
            Err(error) => return Err(super::failure::describe(kind, &error)),
        }
        within(
            START_MAX,
            kind,
            "started",
            self.docker.start_container(&name, None),
        )
        .await?;
        within(
            LOOK_MAX,
            kind,
            "inspected",
            self.docker.inspect_container(&name, None),
        )
        .await
    }

    async fn create_holder(&self, name: &str, wanted: &Wanted) -> Result<(), Error> {
        let body = ContainerCreateBody {
            image: Some(format!("{IMAGE}:{IMAGE_TAG}")),
            entrypoint: Some(vec![format!("/{PROGRAM_PATH}")]),
            labels: Some(wanted.labels.clone()),
            host_config: Some(wanted.host.clone()),
            network_disabled: wanted.network.is_none().then_some(true),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let work = self.docker.create_container(Some(options), body);
        match tokio::time::timeout(CREATE_MAX, work).await {
            Ok(outcome) => outcome.map(drop),
            Err(_) => Err(Error::RequestTimeoutError),
        }
    }

    async fn import_image(&self) -> Result<(), RuntimeError> {
        let kind = ErrorKind::ResourceInitialization;
        let info = within(LOOK_MAX, kind, "inspected", self.docker.info()).await?;
        let program = match info.architecture.as_deref() {
            Some("x86_64") => elf(MACHINE_X86_64, PROGRAM_X86_64),
            Some("aarch64" | "arm64") => elf(MACHINE_ARM64, PROGRAM_ARM64),
            other => {
                return Err(RuntimeError::new(
                    kind,
                    format!("tasks cannot have a network of their own on {other:?}"),
                ));
            }
        };
        let options = CreateImageOptionsBuilder::new()
            .from_src("-")
            .repo(IMAGE)
            .tag(IMAGE_TAG)
            .build();
        let body = bollard::body_full(tar(PROGRAM_PATH, &program).into());
        let progress = self.docker.create_image(Some(options), Some(body), None);
        let done = progress.try_for_each(|_| async { Ok(()) });
        within(CREATE_MAX, kind, "imported", done).await
    }

    /// Stops and removes the holder of a task; one that is not there is as good.
    pub(super) async fn remove_holder(
        &self,
        instance: &str,
        task_arn: &str,
    ) -> Result<(), RuntimeError> {
        self.remove_container(&names::holder(instance, task_arn))
            .await
    }
}

/// Whether containers of the task share a process or IPC namespace of the task's own.
pub(super) fn shares_namespaces(task: &Task) -> bool {
    let is_task = |mode: &Option<String>| mode.as_deref() == Some("task");
    is_task(&task.pid_mode) || is_task(&task.ipc_mode)
}

fn labels(instance: &str, task_arn: &str) -> HashMap<String, String> {
    let labels = [
        (Labels::INSTANCE, instance),
        (Labels::TASK, task_arn),
        (LABEL_ROLE, ROLE_HOLDER),
    ];
    let labels = labels.into_iter();
    labels
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The namespace's name servers, search domains and hosts are the holder's: what any container
/// of the task asks for, in order.
fn host_config(task: &Task, network: Option<&str>) -> HostConfig {
    HostConfig {
        network_mode: Some(network.unwrap_or("none").to_owned()),
        ipc_mode: (task.ipc_mode.as_deref() == Some("task")).then(|| "shareable".to_owned()),
        dns: network.map(|_| asked(task, "Dns")),
        dns_search: network.map(|_| asked(task, "DnsSearch")),
        extra_hosts: network.map(|_| asked(task, "ExtraHosts")),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        ..HostConfig::default()
    }
}

/// What the containers' `hostConfig` strings ask for in a list, each once.
fn asked(task: &Task, key: &str) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut list = Vec::new();
    for container in &task.containers {
        let text = container.docker_config.as_ref();
        let text = text.and_then(|docker| docker.host_config.as_deref());
        // A broken string is reported when its container is made.
        let host: serde_json::Value = text
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let entries = host.get(key).and_then(|entries| entries.as_array());
        for entry in entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.as_str())
        {
            if seen.insert(entry.to_owned()) {
                list.push(entry.to_owned());
            }
        }
    }
    list
}

fn read_network(
    seen: &ContainerInspectResponse,
    network: &str,
    subnet: &str,
) -> Option<TaskNetwork> {
    let networks = seen.network_settings.as_ref()?.networks.as_ref()?;
    let endpoint = networks.get(network)?;
    let address = |text: &Option<String>| text.as_deref()?.parse::<IpAddr>().ok();
    Some(TaskNetwork {
        ip: address(&endpoint.ip_address)?,
        mac: endpoint.mac_address.clone()?,
        subnet: subnet.to_owned(),
        gateway: address(&endpoint.gateway),
        handle: seen.id.clone()?,
    })
}

const MACHINE_X86_64: u16 = 62;
const MACHINE_ARM64: u16 = 183;

/// A program of one segment that holds the whole file.
fn elf(machine: u16, code: &[u8]) -> Vec<u8> {
    const HEADER_BYTES: u16 = 64;
    const SEGMENT_BYTES: u16 = 56;
    const EXECUTABLE: u16 = 2;
    const LOADED: u32 = 1;
    const READ_AND_EXECUTE: u32 = 5;
    const PAGE: u64 = 0x1_0000;
    let code_at = u64::from(HEADER_BYTES + SEGMENT_BYTES);
    let bytes = code_at + code.len() as u64;
    let mut file = Vec::new();
    // 64 bits, little endian, version 1, no particular system.
    file.extend(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
    file.extend(EXECUTABLE.to_le_bytes());
    file.extend(machine.to_le_bytes());
    file.extend(1_u32.to_le_bytes());
    file.extend((LOAD_ADDRESS + code_at).to_le_bytes());
    file.extend(u64::from(HEADER_BYTES).to_le_bytes());
    file.extend(0_u64.to_le_bytes()); // no sections
    file.extend(0_u32.to_le_bytes()); // no flags
    file.extend(HEADER_BYTES.to_le_bytes());
    file.extend(SEGMENT_BYTES.to_le_bytes());
    file.extend(1_u16.to_le_bytes()); // one segment
    file.extend([0_u8; 6]); // size, number and names of sections
    file.extend(LOADED.to_le_bytes());
    file.extend(READ_AND_EXECUTE.to_le_bytes());
    file.extend(0_u64.to_le_bytes()); // from the start of the file
    file.extend(LOAD_ADDRESS.to_le_bytes());
    file.extend(LOAD_ADDRESS.to_le_bytes());
    file.extend(bytes.to_le_bytes());
    file.extend(bytes.to_le_bytes());
    file.extend(PAGE.to_le_bytes());
    file.extend(code);
    file
}

/// An archive (ustar) with one executable file.
fn tar(path: &str, content: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    const CHECKSUM: std::ops::Range<usize> = 148..156;
    let mut header = [0_u8; BLOCK];
    let mut put = |at: usize, text: &str| {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    };
    put(0, path);
    put(100, "0000755\0");
    put(108, "0000000\0"); // owner
    put(116, "0000000\0"); // group
    put(124, &format!("{:011o}\0", content.len()));
    put(136, "00000000000\0"); // time
    put(CHECKSUM.start, "        ");
    put(156, "0"); // a plain file
    put(257, "ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(content);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
    // Two empty blocks end it.
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_archive_is_one_that_tar_reads() {
        let archive = tar(PROGRAM_PATH, &elf(MACHINE_X86_64, PROGRAM_X86_64));
        let listing = Command::new("tar")
            .arg("-tvf")
            .arg("-")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let mut listing = listing.expect("tar is part of every Debian");
        listing.stdin.take().unwrap().write_all(&archive).unwrap();
        let output = listing.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.starts_with("-rwxr-xr-x 0/0"), "{text}");
        assert!(text.trim_end().ends_with("hold"), "{text}");
    }

    #[test]
    fn the_action_stands_where_the_programs_look_for_it() {
        // x86-64: `lea rsi, [rip + 23]` ends at 17.
        assert_eq!(PROGRAM_X86_64.len(), 17 + 23 + 32);
        // arm64: `adr x1, +52` stands at 4.
        assert_eq!(PROGRAM_ARM64.len(), 4 + 52 + 32);
    }
}
