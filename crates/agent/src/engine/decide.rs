//! What to do next for one task, from how it stands.

use std::sync::Arc;
use std::time::Duration;

use berth_agent_proto::Chance;
use berth_agent_proto::task::Container;

use super::check::needs;
use super::report::LastStatus;
use super::task::{ContainerRun, Setup, TaskRun};
use super::{Effect, EngineConfig, Now, Work};
use crate::directory::Known;
use crate::runtime::Health;

/// Container changes without a task change go out together after 10 to 30 s (reference §2.4).
const FLUSH_MS: (u64, u64) = (10_000, 30_000);

/// Whether a container may start.
enum Ready {
    Yes,
    NotYet,
    /// What it depends on cannot happen any more.
    Never(String),
}

impl TaskRun {
    /// Looks at the task and says what is to be done now.
    pub(super) fn look(
        &mut self,
        now: Now,
        config: &EngineConfig,
        chance: &mut Chance,
        out: &mut Vec<Effect>,
    ) {
        // Each pass may make another possible: an end that stops the task, say. States only
        // lead forward, so passes end.
        loop {
            let before = self.progress();
            if self.wanted {
                self.look_wanted(now, out);
            } else {
                self.look_unwanted(now, config, out);
            }
            self.notice(now);
            if self.progress() == before {
                break;
            }
        }
        self.look_stopped(now, config, out);
        self.look_report(now, chance, out);
        if std::mem::take(&mut self.dirty) && !self.forgotten {
            out.push(Effect::Save(Arc::clone(&self.arn)));
        }
        // What it holds of the machine is known by its definition, so that goes back first.
        if self.is_over() && !self.admitted && !self.let_go {
            self.let_go();
            out.push(Effect::Show(Arc::clone(&self.arn)));
        }
    }

    /// When there will be something to do though nothing happens. Dates that have passed are
    /// none: what they allow waits for something else, which will bring the next look.
    pub(super) fn next_due(&self, now: Now) -> u64 {
        let named = self.task.containers.iter().zip(&self.containers);
        let of_containers = named.flat_map(|(spec, container)| {
            let retry = Some(container.not_before);
            [retry, start_deadline(spec, container)]
        });
        let of_task = [Some(self.setup_not_before), self.flush_at, self.cleanup_at];
        let dates = of_task.into_iter().chain(of_containers).flatten();
        dates.filter(|at| *at > now.mono).min().unwrap_or(u64::MAX)
    }

    /// Something that changes with every step forward.
    fn progress(&self) -> (bool, bool, usize, usize) {
        let known = self.containers.iter().map(|c| c.known as usize).sum();
        let doing = self.containers.iter().filter(|c| c.doing.is_some()).count();
        (self.wanted, self.running_seen, known, doing)
    }

    fn look_wanted(&mut self, now: Now, out: &mut Vec<Effect>) {
        if !self.admitted {
            return;
        }
        match self.setup {
            Setup::Todo if now.mono >= self.setup_not_before => {
                self.setup_not_before = 0;
                self.setup = Setup::Doing;
                out.push(Effect::Work(Arc::clone(&self.arn), Work::SetUp));
            }
            Setup::Todo | Setup::Doing | Setup::Done | Setup::Removing | Setup::Removed => {}
        }
        for index in 0..self.containers.len() {
            self.look_container(now, index, out);
        }
    }

    fn look_container(&mut self, now: Now, index: usize, out: &mut Vec<Effect>) {
        let container = &self.containers[index];
        if container.doing.is_some() || now.mono < container.not_before {
            return;
        }
        let work = match container.known {
            Known::None => Work::Pull(index),
            Known::Pulled if self.setup == Setup::Done && self.sources_created(index) => {
                Work::Create(index)
            }
            Known::Created => match self.ready(now, index) {
                Ready::Yes => Work::Start(index),
                Ready::NotYet => return,
                Ready::Never(why) => {
                    let reason = format!("CannotStartContainerError: {why}");
                    self.containers[index].stop_with(now, Some(reason));
                    self.dirty = true;
                    return;
                }
            },
            Known::Running if container.look_again => Work::Inspect(index),
            Known::Pulled | Known::Running | Known::Stopped => return,
        };
        let container = &mut self.containers[index];
        if let Work::Pull(_) = work {
            self.pull_started_at.get_or_insert(now.wall);
        }
        container.begun_mono.get_or_insert(now.mono);
        container.look_again = false;
        container.not_before = 0;
        container.doing = Some(work);
        out.push(Effect::Work(Arc::clone(&self.arn), work));
    }

    /// Whether the containers are there whose volumes and links it takes, so that it can be
    /// created. One that could not be made does not hold others up: they fail with a reason of
    /// their own.
    fn sources_created(&self, index: usize) -> bool {
        needs(&self.task.containers[index]).all(|name| {
            self.find(name)
                .is_none_or(|(_, container)| container.known >= Known::Created)
        })
    }

    fn find(&self, name: &str) -> Option<(&Container, &ContainerRun)> {
        let mut pairs = self.task.containers.iter().zip(&self.containers);
        pairs.find(|(spec, _)| spec.name == name)
    }

    /// Whether what the container depends on has happened.
    fn ready(&self, now: Now, index: usize) -> Ready {
        for dependency in &self.task.containers[index].depends_on {
            let name = &dependency.container_name;
            let Some((spec, other)) = self.find(name) else {
                return Ready::Never(format!("dependency on unknown container {name}"));
            };
            let stopped = other.is_stopped();
            let (met, possible) = match dependency.condition.as_str() {
                "START" => (other.has_started(), !stopped),
                "COMPLETE" => (stopped, true),
                "SUCCESS" => (stopped && other.exit_code == Some(0), !stopped),
                "HEALTHY" => (
                    other.known == Known::Running && other.health == Health::Healthy,
                    !stopped,
                ),
                unknown => return Ready::Never(format!("unknown condition {unknown:.40}")),
            };
            if met {
                continue;
            }
            let condition = &dependency.condition;
            if !possible {
                return Ready::Never(format!(
                    "dependency on container {name} cannot be resolved: {condition} will not happen"
                ));
            }
            if start_deadline(spec, other).is_some_and(|at| now.mono >= at) {
                return Ready::Never(format!(
                    "dependency on container {name} was not resolved in time: no {condition} within its start timeout"
                ));
            }
            return Ready::NotYet;
        }
        Ready::Yes
    }

    fn look_unwanted(&mut self, now: Now, config: &EngineConfig, out: &mut Vec<Effect>) {
        for index in 0..self.containers.len() {
            let held = self.has_running_dependents(index);
            let container = &mut self.containers[index];
            if let Some(Work::Pull(_)) = container.doing {
                container.doing = None;
                container.stop_with(now, None);
                self.dirty = true;
                out.push(Effect::AbandonPull(Arc::clone(&self.arn), index));
                continue;
            }
            if container.doing.is_some() {
                continue;
            }
            match container.known {
                // Never started, so there is nothing to stop. One that waits for a restart
                // keeps its last exit code.
                Known::None | Known::Pulled | Known::Created => {
                    container.stop_with(now, None);
                    self.dirty = true;
                }
                Known::Running if !held && now.mono >= container.not_before => {
                    let spec = &self.task.containers[index];
                    let seconds = spec.stop_timeout.and_then(|s| u64::try_from(s).ok());
                    let grace = seconds.map_or(config.stop_timeout, Duration::from_secs);
                    let work = Work::Stop(index, grace);
                    container.not_before = 0;
                    container.doing = Some(work);
                    out.push(Effect::Work(Arc::clone(&self.arn), work));
                }
                Known::Running | Known::Stopped => {}
            }
        }
    }

    /// Whether a container still runs that depends on this one; it stops first.
    fn has_running_dependents(&self, index: usize) -> bool {
        let name = self.task.containers[index].name.as_str();
        let mut pairs = self.task.containers.iter().zip(&self.containers);
        pairs.any(|(spec, other)| {
            !other.is_stopped() && spec.name != name && needs(spec).any(|needed| needed == name)
        })
    }

    /// Notices what follows from the containers' states for the task.
    fn notice(&mut self, now: Now) {
        if !self.wanted {
            return;
        }
        let specs = self.task.containers.iter().zip(&self.containers);
        let essential_stopped = specs.clone().any(|(s, c)| s.essential && c.is_stopped());
        let up = self
            .containers
            .iter()
            .all(|c| c.is_stopped() || c.has_started());
        let some_run = self.containers.iter().any(|c| c.known == Known::Running);
        if up && some_run && !essential_stopped && !self.running_seen {
            self.running_seen = true;
            self.dirty = true;
        }
        let all_stopped = self.containers.iter().all(ContainerRun::is_stopped);
        if essential_stopped || all_stopped {
            self.wanted = false;
            if essential_stopped {
                self.execution_stopped_at.get_or_insert(now.wall);
            }
            self.dirty = true;
        }
    }

    /// What is left to do for a task that has ended: nothing for a while, then to remove it.
    fn look_stopped(&mut self, now: Now, config: &EngineConfig, out: &mut Vec<Effect>) {
        if !self.is_stopped()
            || self
                .containers
                .iter()
                .any(|c| c.doing.is_some_and(not_removal))
        {
            return;
        }
        if !std::mem::replace(&mut self.credentials_dropped, true) {
            out.push(Effect::DropCredentials(Arc::clone(&self.arn)));
        }
        let stopped_at = *self.stopped_at.get_or_insert_with(|| {
            self.dirty = true;
            now.wall
        });
        let wait_ms = u64::try_from(config.cleanup_wait.as_millis()).unwrap_or(u64::MAX);
        let cleanup_at = *self.cleanup_at.get_or_insert_with(|| {
            // After a restart the wait goes on where it was.
            let ago = u64::try_from(now.wall.saturating_sub(stopped_at)).unwrap_or(0);
            now.mono.saturating_add(wait_ms.saturating_sub(ago))
        });
        if self.is_over() && now.mono >= cleanup_at {
            self.clean_up(now, out);
        }
    }

    /// Whether it has ended, nothing but its removal is under way, and the server knows.
    fn is_over(&self) -> bool {
        let mut containers = self.containers.iter();
        self.is_stopped()
            && self.reported == LastStatus::Stopped
            && !self.reporting
            && containers.all(|c| !c.doing.is_some_and(not_removal))
    }

    fn clean_up(&mut self, now: Now, out: &mut Vec<Effect>) {
        let mut left = false;
        for index in 0..self.containers.len() {
            let container = &mut self.containers[index];
            if container.runtime_id.is_none() || container.removed {
                continue;
            }
            left = true;
            if container.doing.is_none() && now.mono >= container.not_before {
                let work = Work::Remove(index);
                container.not_before = 0;
                container.doing = Some(work);
                out.push(Effect::Work(Arc::clone(&self.arn), work));
            }
        }
        if left {
            return;
        }
        match self.setup {
            Setup::Todo | Setup::Removed => self.forgotten = true,
            Setup::Done if now.mono >= self.setup_not_before => {
                self.setup_not_before = 0;
                self.setup = Setup::Removing;
                out.push(Effect::Work(Arc::clone(&self.arn), Work::TearDown));
            }
            Setup::Doing | Setup::Done | Setup::Removing => {}
        }
    }

    fn look_report(&mut self, now: Now, chance: &mut Chance, out: &mut Vec<Effect>) {
        if self.reporting || self.reported == LastStatus::Stopped || self.forgotten {
            return;
        }
        let flush = self.flush_at.is_some_and(|at| now.mono >= at);
        if let Some(report) = self.next_report(flush) {
            self.reporting = true;
            self.flush_at = None;
            out.push(Effect::Report(Box::new(report)));
        } else if flush {
            self.flush_at = None;
        } else if self.flush_at.is_none() && self.has_unreported_change() {
            self.flush_at = Some(now.mono + chance.between(FLUSH_MS.0, FLUSH_MS.1));
        }
    }
}

fn not_removal(work: Work) -> bool {
    !matches!(work, Work::Remove(_))
}

/// When others give up waiting for the container.
fn start_deadline(spec: &Container, container: &ContainerRun) -> Option<u64> {
    let seconds = u64::try_from(spec.start_timeout?).ok()?;
    let begun = container.begun_mono?;
    (!container.is_stopped()).then(|| begun.saturating_add(seconds.saturating_mul(1_000)))
}
