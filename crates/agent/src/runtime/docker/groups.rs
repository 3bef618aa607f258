//! A control group (cgroup) around the containers of each task, which carries the task's own CPU
//! and memory limit, as the stock agent makes it: `/ecs/<task id>`, or with systemd the slice
//! `ecs-<task id>.slice`.
//!
//! Docker has no limit around several containers; it only puts a container under a parent that
//! it is told. Making that parent takes root, and the same view of the kernel's groups as
//! Docker's own. Where that is not so, each container of a task is bounded by the task's limit
//! alone (see [`config`](super::config)), and one line of the log says why.

use std::fs;
use std::io::{self, ErrorKind as IoErrorKind};
use std::path::{Path, PathBuf};

use berth_agent_proto::task::Task;
use bollard::models::SystemInfo;
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio::sync::OnceCell;

use super::Inner;
use super::failure::{LOOK_MAX, within};
use crate::runtime::{ErrorKind, RuntimeError};

/// The group over those of all tasks. The stock agent's name.
const ROOT: &str = "ecs";
/// The time in which a task may use its share of CPU, in microseconds: the kernel's default, and
/// the stock agent's.
const PERIOD_US: i64 = 100_000;
/// The least quota that Linux takes, in microseconds.
const QUOTA_US_MIN: i64 = 1_000;
/// The bounds of a weight: cgroup v1 calls it shares, and v2 counts it from 1 to 10,000.
const SHARES: (i64, i64) = (2, 262_144);
const BYTES_PER_MIB: i64 = 1024 * 1024;
const SHARES_PER_CPU: f64 = 1024.0;
/// Far more CPUs than any machine has, and far from the end of the type.
const VCPUS_MAX: f64 = 4096.0;

/// How groups are made on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Way {
    /// In the file system, below where each of cgroup v1's controllers is mounted.
    FilesV1(Vec<Hierarchy>),
    /// In the file system, below where cgroup v2 is mounted.
    FilesV2(PathBuf),
    /// By systemd.
    Systemd,
}

/// A mounted hierarchy of cgroup v1.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hierarchy {
    path: PathBuf,
    controllers: Vec<String>,
}

/// The limits of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limits {
    quota_us: Option<i64>,
    shares: i64,
    memory_bytes: Option<i64>,
}

/// The groups of tasks on this machine.
#[derive(Debug, Default)]
pub(super) struct TaskGroups {
    way: OnceCell<Option<Way>>,
    /// Set once one could not be made: from then on containers are bounded one by one.
    failed: OnceCell<()>,
}

impl Inner {
    /// Makes the group of a task, and gives its name as a container's parent; `None` where groups
    /// cannot be made. One that is there is given its limits again.
    ///
    /// # Errors
    /// When Docker does not answer.
    pub(super) async fn task_group(&self, task: &Task) -> Result<Option<String>, RuntimeError> {
        let groups = &self.groups;
        let (Some(way), Some(id)) = (self.way().await?, task_id(&task.arn)) else {
            return Ok(None);
        };
        if groups.failed.initialized() {
            return Ok(None);
        }
        match way.make(id, limits(task)).await {
            Ok(()) => Ok(Some(way.parent(id))),
            Err(error) => {
                if groups.failed.set(()).is_ok() {
                    tell_fallback(&format!("a control group cannot be made: {error}"));
                }
                Ok(None)
            }
        }
    }

    /// Removes the group of a task; one that is not there is as good.
    ///
    /// # Errors
    /// When it is in use, or Docker does not answer.
    pub(super) async fn remove_group(&self, task_arn: &str) -> Result<(), RuntimeError> {
        let (Some(way), Some(id)) = (self.way().await?, task_id(task_arn)) else {
            return Ok(());
        };
        way.remove(id).await.map_err(|error| {
            let detail = format!("the task's control group cannot be removed: {error}");
            RuntimeError::new(ErrorKind::ResourceInitialization, detail)
        })
    }

    async fn way(&self) -> Result<Option<&Way>, RuntimeError> {
        let find = async || {
            let kind = ErrorKind::Unavailable;
            let info = within(LOOK_MAX, kind, "inspected", self.docker.info()).await?;
            let found = match sees_dockers_groups(&self.settings.host).await {
                Ok(()) => find_way(&info, &read_mounts()),
                Err(why) => Err(why),
            };
            Ok(found.map_err(|why| tell_fallback(&why)).ok())
        };
        self.groups
            .way
            .get_or_try_init(find)
            .await
            .map(Option::as_ref)
    }
}

fn tell_fallback(why: &str) {
    tracing::warn!(
        why,
        "limits of tasks bound each of their containers alone, not all together"
    );
}

/// The last part of the ARN. It becomes a part of a path, so it must be plain.
fn task_id(arn: &str) -> Option<&str> {
    let id = arn.rsplit('/').next()?;
    let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain.then_some(id)
}

fn limits(task: &Task) -> Limits {
    let vcpus = task.cpu.filter(|vcpus| vcpus.is_finite() && *vcpus > 0.0);
    #[expect(clippy::cast_possible_truncation, reason = "bounded by VCPUS_MAX")]
    let scaled = |by: f64| vcpus.map(|vcpus| (vcpus.min(VCPUS_MAX) * by) as i64);
    #[expect(clippy::cast_precision_loss, reason = "a small constant")]
    let quota_us = scaled(PERIOD_US as f64).map(|quota| quota.max(QUOTA_US_MIN));
    let asked = task.containers.iter().map(|c| c.cpu.max(SHARES.0));
    let shares = scaled(SHARES_PER_CPU).unwrap_or_else(|| asked.fold(0, i64::saturating_add));
    let memory = task.memory.filter(|mib| *mib > 0);
    Limits {
        quota_us,
        shares: shares.clamp(SHARES.0, SHARES.1),
        memory_bytes: memory.map(|mib| mib.saturating_mul(BYTES_PER_MIB)),
    }
}

/// Whether Docker runs on this machine with the same groups in sight: an agent in a container
/// would make groups of its own there, which Docker knows nothing of.
async fn sees_dockers_groups(host: &str) -> Result<(), String> {
    let path = host.strip_prefix("unix://");
    let path = path.ok_or("docker may be on another machine")?;
    let failed = |error: io::Error| format!("docker's process cannot be looked at: {error}");
    let peer = UnixStream::connect(path).await.and_then(|s| s.peer_cred());
    let pid = peer.map_err(failed)?.pid().filter(|pid| *pid > 0);
    let pid = pid.ok_or("docker's process cannot be seen from here")?;
    let own = fs::read_link("/proc/self/ns/cgroup").map_err(failed)?;
    let dockers = fs::read_link(format!("/proc/{pid}/ns/cgroup")).map_err(failed)?;
    match own == dockers {
        true => Ok(()),
        false => Err("docker has other control groups in sight".to_owned()),
    }
}

fn read_mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").unwrap_or_default()
}

/// How groups are made, by what Docker says and what is mounted; or why they cannot be.
fn find_way(info: &SystemInfo, mounts: &str) -> Result<Way, String> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let driver = text(info.cgroup_driver.map(|driver| driver.to_string()));
    let version = text(info.cgroup_version.map(|version| version.to_string()));
    match (driver.as_str(), version.as_str()) {
        ("systemd", _) => Ok(Way::Systemd),
        ("cgroupfs", "2") => {
            let mounted = mounted(mounts).find(|mount| mount.kind == "cgroup2");
            let mounted = mounted.ok_or("cgroup v2 is not mounted")?;
            Ok(Way::FilesV2(mounted.path))
        }
        ("cgroupfs", _) => {
            let hierarchies = mounted(mounts).map(|mount| Hierarchy {
                path: mount.path,
                // Beside v1, v2 has no controllers but the same groups.
                controllers: match mount.kind.as_str() {
                    "cgroup" => mount.options,
                    _ => Vec::new(),
                },
            });
            let hierarchies: Vec<_> = hierarchies.collect();
            for needed in ["cpu", "memory"] {
                let has = |h: &Hierarchy| h.controllers.iter().any(|c| c == needed);
                if !hierarchies.iter().any(has) {
                    return Err(format!("cgroup v1's controller {needed} is not mounted"));
                }
            }
            Ok(Way::FilesV1(hierarchies))
        }
        (other, _) => Err(format!("docker's cgroup driver is {other:?}")),
    }
}

struct Mounted {
    kind: String,
    path: PathBuf,
    options: Vec<String>,
}

/// The lines of `/proc/self/mountinfo` that mount a whole hierarchy.
fn mounted(mounts: &str) -> impl Iterator<Item = Mounted> {
    mounts.lines().filter_map(|line| {
        let (mount, system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(3);
        let (root, path) = (mount.next()?, mount.next()?);
        let mut system = system.split(' ');
        let (kind, _source, options) = (system.next()?, system.next()?, system.next()?);
        (root == "/" && kind.starts_with("cgroup")).then(|| Mounted {
            kind: kind.to_owned(),
            path: path.into(),
            options: options.split(',').map(str::to_owned).collect(),
        })
    })
}

impl Way {
    /// What Docker is told.
    fn parent(&self, id: &str) -> String {
        match self {
            Self::FilesV1(_) | Self::FilesV2(_) => format!("/{ROOT}/{id}"),
            Self::Systemd => slice(id),
        }
    }

    async fn make(&self, id: &str, limits: Limits) -> io::Result<()> {
        match self {
            Self::FilesV1(hierarchies) => make_v1(hierarchies, id, limits),
            Self::FilesV2(root) => make_v2(root, id, limits),
            Self::Systemd => {
                let properties = properties(limits);
                let slice = slice(id);
                let arguments = ["set-property", "--runtime", &slice].map(str::to_owned);
                systemctl(arguments.into_iter().chain(properties)).await
            }
        }
    }

    async fn remove(&self, id: &str) -> io::Result<()> {
        match self {
            // Docker makes the parent in every hierarchy, and leaves it there.
            Self::FilesV1(hierarchies) => hierarchies
                .iter()
                .try_for_each(|hierarchy| remove(&hierarchy.path.join(ROOT).join(id))),
            Self::FilesV2(root) => remove(&root.join(ROOT).join(id)),
            Self::Systemd => {
                for verb in ["stop", "revert"] {
                    // A slice that nothing is in any more costs nothing.
                    if let Err(error) = systemctl([verb.to_owned(), slice(id)]).await {
                        tracing::debug!(id, verb, %error, "systemd kept the slice of a task");
                    }
                }
                Ok(())
            }
        }
    }
}

/// The dash makes it a part of `ecs.slice`.
fn slice(id: &str) -> String {
    format!("{ROOT}-{id}.slice")
}

fn properties(limits: Limits) -> Vec<String> {
    let mut list = vec![format!("CPUWeight={}", weight(limits.shares))];
    if let Some(quota) = limits.quota_us {
        // Percent of one CPU; with tenths, since a quarter of a percent is the least there is.
        let tenths = quota.saturating_mul(1_000) / PERIOD_US;
        list.push(format!("CPUQuota={}.{}%", tenths / 10, tenths % 10));
    }
    if let Some(bytes) = limits.memory_bytes {
        list.push(format!("MemoryMax={bytes}"));
    }
    list
}

async fn systemctl(arguments: impl IntoIterator<Item = String>) -> io::Result<()> {
    let output = Command::new("systemctl")
        .args(arguments)
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(LOOK_MAX, output).await {
        Ok(output) => output?,
        Err(_) => return Err(IoErrorKind::TimedOut.into()),
    };
    match output.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(io::Error::other(said.trim().replace('\n', "; ")))
        }
    }
}

fn make_v1(hierarchies: &[Hierarchy], id: &str, limits: Limits) -> io::Result<()> {
    for hierarchy in hierarchies {
        let has = |name: &str| hierarchy.controllers.iter().any(|c| c == name);
        if !has("cpu") && !has("memory") {
            continue;
        }
        let group = hierarchy.path.join(ROOT).join(id);
        fs::create_dir_all(&group)?;
        if has("cpu") {
            set(&group, "cpu.shares", limits.shares)?;
            if let Some(quota) = limits.quota_us {
                set(&group, "cpu.cfs_period_us", PERIOD_US)?;
                set(&group, "cpu.cfs_quota_us", quota)?;
            }
        }
        if let Some(bytes) = limits.memory_bytes.filter(|_| has("memory")) {
            // Without it the limit would bind the group's own processes alone. Kernels that have
            // no other way left refuse to be asked.
            let _ = set(&group, "memory.use_hierarchy", 1);
            set(&group, "memory.limit_in_bytes", bytes)?;
        }
    }
    Ok(())
}

fn make_v2(root: &Path, id: &str, limits: Limits) -> io::Result<()> {
    let above = root.join(ROOT);
    let group = above.join(id);
    fs::create_dir_all(&group)?;
    for parent in [root, &above] {
        set(parent, "cgroup.subtree_control", "+cpu +memory")?;
    }
    set(&group, "cpu.weight", weight(limits.shares))?;
    if let Some(quota) = limits.quota_us {
        set(&group, "cpu.max", format!("{quota} {PERIOD_US}"))?;
    }
    if let Some(bytes) = limits.memory_bytes {
        set(&group, "memory.max", bytes)?;
    }
    Ok(())
}

/// Shares on the scale of cgroup v2, as container runtimes convert them.
fn weight(shares: i64) -> i64 {
    1 + (shares - SHARES.0) * 9_999 / (SHARES.1 - SHARES.0)
}

fn set(group: &Path, file: &str, value: impl ToString) -> io::Result<()> {
    let path = group.join(file);
    let failed =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    fs::write(&path, value.to_string()).map_err(failed)
}

/// A group that is still in use is an error.
fn remove(group: &Path) -> io::Result<()> {
    match fs::remove_dir(group) {
        Err(error) if error.kind() != IoErrorKind::NotFound => {
            let text = format!("{}: {error}", group.display());
            Err(io::Error::new(error.kind(), text))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use berth_agent_proto::task::Container;
    use bollard::models::{SystemInfoCgroupDriverEnum, SystemInfoCgroupVersionEnum};

    use super::*;

    const V1: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
33 31 0:30 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
";

    fn info(
        driver: SystemInfoCgroupDriverEnum,
        version: SystemInfoCgroupVersionEnum,
    ) -> SystemInfo {
        SystemInfo {
            cgroup_driver: Some(driver),
            cgroup_version: Some(version),
            ..SystemInfo::default()
        }
    }

    #[test]
    fn the_way_follows_dockers_driver_and_version() {
        use SystemInfoCgroupDriverEnum as Driver;
        use SystemInfoCgroupVersionEnum as Version;
        let one = info(Driver::CGROUPFS, Version::_1);
        let Ok(Way::FilesV1(hierarchies)) = find_way(&one, V1) else {
            panic!("cgroup v1");
        };
        let paths: Vec<_> = hierarchies
            .iter()
            .map(|h| h.path.display().to_string())
            .collect();
        assert_eq!(
            paths,
            [
                "/sys/fs/cgroup/cpu,cpuacct",
                "/sys/fs/cgroup/memory",
                "/sys/fs/cgroup/unified"
            ]
        );
        assert!(hierarchies[2].controllers.is_empty());
        assert!(find_way(&one, "").is_err_and(|why| why.contains("cpu")));

        let two = info(Driver::CGROUPFS, Version::_2);
        assert_eq!(
            find_way(&two, V1),
            Ok(Way::FilesV2("/sys/fs/cgroup/unified".into()))
        );
        // Part of a hierarchy, as a container sees it, is not ours to use.
        let part = "34 31 0:31 /docker/1 /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        assert!(find_way(&two, part).is_err());
        assert_eq!(
            find_way(&info(Driver::SYSTEMD, Version::_2), ""),
            Ok(Way::Systemd)
        );
        assert!(find_way(&info(Driver::NONE, Version::_2), V1).is_err());
    }

    fn task(cpu: Option<f64>, memory: Option<i64>) -> Task {
        let container = |cpu| Container {
            cpu,
            ..Container::default()
        };
        Task {
            cpu,
            memory,
            containers: vec![container(100), container(0)],
            ..Task::default()
        }
    }

    #[test]
    fn a_group_has_the_tasks_limits_or_the_weight_of_its_containers() {
        let whole = limits(&task(Some(0.25), Some(512)));
        assert_eq!((whole.quota_us, whole.shares), (Some(25_000), 256));
        assert_eq!(whole.memory_bytes, Some(512 * 1024 * 1024));
        assert_eq!(
            properties(whole),
            ["CPUWeight=10", "CPUQuota=25.0%", "MemoryMax=536870912"]
        );
        let free = limits(&task(None, None));
        assert_eq!(
            (free.quota_us, free.shares, free.memory_bytes),
            (None, 102, None)
        );
        assert_eq!((weight(2), weight(1_024), weight(262_144)), (1, 39, 10_000));
        let odd = limits(&task(Some(f64::INFINITY), Some(-1)));
        assert_eq!((odd.quota_us, odd.memory_bytes), (None, None));
        assert_eq!(limits(&task(Some(1e-9), None)).quota_us, Some(QUOTA_US_MIN));
    }

    #[test]
    fn only_a_plain_id_becomes_part_of_a_path() {
        assert_eq!(task_id("arn:aws:ecs:r:1:task/c/0123abcd"), Some("0123abcd"));
        for wrong in ["arn/..", "arn/", "arn/a b", "arn/a-b"] {
            assert_eq!(task_id(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn files_of_v2_are_written_from_the_top_down() {
        let folder = tempfile::tempdir().unwrap();
        make_v2(folder.path(), "t", limits(&task(Some(2.0), Some(64)))).unwrap();
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("cgroup.subtree_control"), "+cpu +memory");
        assert_eq!(read("ecs/cgroup.subtree_control"), "+cpu +memory");
        assert_eq!(read("ecs/t/cpu.max"), "200000 100000");
        assert_eq!(read("ecs/t/memory.max"), (64 * 1024 * 1024).to_string());
    }
}
