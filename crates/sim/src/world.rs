//! A whole cluster from one seed: time, network, machines, users, and one server at a time.

mod faults;
mod network;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use berth_agent_proto::Chance;
use berth_agent_proto::agent::Ended;
use berth_leader::Step;
use berth_model::id::InstanceId;
use berth_model::time::Timestamp;
use berth_model::waiting::WaitForRoom;
use berth_reconcile::absence::Patience;
use berth_reconcile::purge::Retention;
use berth_state::{Commit, Gathered, Outcome, State};
use serde_json::Value;

use crate::agent::Agent;
use crate::journal::Journal;
use crate::mutant::Mutant;
use crate::notes::Notes;
use crate::rest;
use crate::term::{Answer, Saving, Settings, Term, Who};
use crate::users::Users;
use crate::watch::{self, Watch};
use crate::weather::Weather;

/// When a run begins: 2024-01-01T00:00:00Z.
const BEGINNING: i64 = 1_704_067_200_000;
/// Steps with faults.
const STEPS: u64 = 300;
/// How long everything may take to come to rest once faults stop, in milliseconds: a little more
/// than twice the longest back-off of starts.
const REST_WITHIN_MS: u64 = 40 * 60_000;
/// How long it must have been at rest, in milliseconds.
const QUIET_MS: u64 = 90_000;

/// How long a stock agent takes at most to come back to a server that was away.
const STOCK_REDIAL_MS: u64 = 140_000;

thread_local! {
    static WALL: Cell<i64> = const { Cell::new(BEGINNING) };
}

fn wall() -> Timestamp {
    Timestamp::from_millis(WALL.get())
}

/// A call on its way over the network.
struct Http {
    at: u64,
    who: Who,
    operation: &'static str,
    body: Value,
    /// Whether the answer comes back.
    answers: bool,
}

/// A run under way.
pub(crate) struct World {
    chance: Chance,
    weather: Weather,
    now: u64,
    skew: i64,
    journal: Journal,
    term: Option<Term>,
    up_at: u64,
    epoch: u32,
    settings: Settings,
    agents: Vec<Agent>,
    users: Users,
    http: Vec<Http>,
    watch: Watch,
    notes: Notes,
    attributes: Vec<String>,
    /// The highest number that each instance's agent was sent.
    numbers: BTreeMap<InstanceId, i64>,
}

impl World {
    /// The beginning of the run of `seed`.
    pub(crate) fn new(seed: u64, mutant: Option<Mutant>, notes: Notes) -> Self {
        let mut chance = Chance::new(seed);
        chance.next_u64();
        let weather = Weather::of(&mut chance);
        let machines = chance.between(3, 20) as usize;
        let zones = chance.between(1, 3);
        let services = chance.between(1, 10);
        let settings = Settings {
            patience: Patience {
                instance_lost_after: Duration::from_secs(15),
                task_lost_after: Some(Duration::from_secs(40)),
            },
            retention: Retention {
                stopped_tasks: Duration::from_secs(3600),
                stopped_tasks_max: [20, 10_000][chance.between(0, 1) as usize],
                inactive_instances: Duration::from_secs(120),
                inactive_services: Duration::from_secs(120),
            },
            healthy_after: Duration::from_secs(chance.between(0, 1) * 3),
            // By the seed itself, so that the others are as they were before tasks could wait.
            wait_for_room: WaitForRoom::new(match seed % 5 {
                0 => Duration::from_secs(15),
                1 => Duration::from_secs(1200),
                _ => Duration::ZERO,
            }),
            move_over: matches!(seed % 7, 2 | 5),
            batch_max: chance.between(3, 60) as usize,
            mutant,
        };
        let agents = (0..machines)
            .map(|n| Agent::new(n, &mut chance, zones))
            .collect();
        WALL.set(BEGINNING);
        Self {
            chance,
            weather,
            now: 1_000,
            skew: 0,
            journal: Journal::default(),
            term: None,
            up_at: 0,
            epoch: 0,
            settings,
            agents,
            users: Users::new(services),
            http: Vec::new(),
            watch: Watch::default(),
            notes,
            attributes: Vec::new(),
            numbers: BTreeMap::new(),
        }
    }

    /// Runs to the end.
    pub(crate) fn run(&mut self) -> u64 {
        self.notes.step(0, self.now);
        self.begin();
        if self.notes.is_broken() {
            return 0;
        }
        let mut steps = 0;
        while steps < STEPS && !self.notes.is_broken() {
            let took = match self.chance.between(0, 99) {
                0..=19 => self.chance.between(1, 50),
                20..=64 => self.chance.between(50, 500),
                65..=93 => self.chance.between(500, 2_000),
                94..=98 => self.chance.between(2_000, 8_000),
                _ => self.chance.between(8_000, 25_000),
            };
            steps += 1;
            self.advance(took, steps);
            self.fault();
            if self.dice(self.weather.calls) {
                self.user_acts();
            }
            self.step();
        }
        if !self.notes.is_broken() {
            steps += self.come_to_rest(steps);
        }
        steps
    }

    fn dice(&mut self, thousandths: u64) -> bool {
        !self.weather.calm && self.chance.between(0, 999) < thousandths
    }

    fn advance(&mut self, span: u64, step: u64) {
        self.now += span;
        if let Some(term) = &self.term {
            term.at(self.now);
        }
        let now = i64::try_from(self.now).unwrap_or(i64::MAX);
        WALL.set(BEGINNING + now + self.skew);
        self.notes
            .step(usize::try_from(step).unwrap_or(usize::MAX), self.now);
    }

    /// A cluster with its definitions, before anything goes wrong.
    fn begin(&mut self) {
        let weather = std::mem::take(&mut self.weather);
        self.weather.calm = true;
        self.start_server();
        for (operation, body) in Users::beginning() {
            let Some(term) = &mut self.term else { return };
            term.call(Who::User(0), operation, &body);
            let mut answers = Vec::new();
            for _ in 0..4 {
                self.pump(&mut answers);
            }
            for (_, answer) in answers {
                let Answer::Call(answer) = answer else {
                    continue;
                };
                let value = match answer {
                    Ok(value) => value,
                    Err(error) => {
                        self.notes
                            .broken(watch::NO_PANIC, format!("{operation}: {error}"));
                        return;
                    }
                };
                let needed = value["taskDefinition"]["requiresAttributes"].as_array();
                for attribute in needed.into_iter().flatten() {
                    if let Some(name) = attribute["name"].as_str()
                        && !self.attributes.iter().any(|have| have == name)
                    {
                        self.attributes.push(name.to_owned());
                    }
                }
            }
        }
        for agent in &mut self.agents {
            agent.attributes.clone_from(&self.attributes);
        }
        self.weather = weather;
    }

    fn start_server(&mut self) {
        let loaded = match self.journal.load() {
            Ok(loaded) => loaded,
            Err(error) => {
                self.notes.broken(watch::ACKNOWLEDGED, error);
                return;
            }
        };
        self.epoch += 1;
        let mut seed = [0; 32];
        for part in seed.chunks_exact_mut(8) {
            part.copy_from_slice(&self.chance.next_u64().to_le_bytes());
        }
        let state = Arc::new(loaded.0.clone());
        self.notes
            .log(|| format!("server starts at revision {}", state.revision));
        self.term = Some(Term::begin(
            loaded,
            seed,
            match self.settings.mutant {
                Some(Mutant::KeepsEpoch) => 1,
                _ => self.epoch,
            },
            self.now,
            wall,
            self.settings.clone(),
            self.notes.clone(),
        ));
        self.watch.reloaded(&self.notes, &state);
        self.users.check(&state, &self.notes);
    }

    fn crash(&mut self, why: &'static str) {
        let Some(term) = self.term.take() else { return };
        self.notes.cover(why);
        self.notes.log(|| format!("server ends: {why}"));
        if let Some(saving) = &term.saving
            && saving.outcome == Outcome::Saved
            && self.journal.revision() < saving.commit.revision
        {
            self.journal.write(&saving.commit);
        }
        for (who, _) in &term.pending {
            if let Who::User(number) | Who::Nobody(Some(number)) = who {
                self.users.closed(*number);
            }
        }
        drop(term);
        self.up_at = self.now + self.chance.between(200, 40_000);
        if self.weather.calm {
            self.up_at = self.now;
        }
        for agent in &mut self.agents {
            if agent.stock && !self.weather.calm {
                agent.redial_at = self.up_at + self.chance.between(0, STOCK_REDIAL_MS);
            }
            if agent.generation.is_some() {
                agent.ended(self.now, &Ended::Lost);
            }
        }
    }

    fn user_acts(&mut self) {
        let Some(term) = &self.term else { return };
        let state = term.snapshot();
        let tokens = &mut self.watch.tokens;
        let request = self.users.act(&state, self.now, &mut self.chance, tokens);
        if let Some((number, operation, body)) = request {
            self.notes.cover(operation);
            self.post(Who::User(number), operation, body);
        }
    }

    /// Everything that happens at this instant.
    fn step(&mut self) {
        if self.term.is_none() && self.now >= self.up_at {
            self.start_server();
        }
        for (number, operation, body) in self.users.again(self.now) {
            self.notes.cover("users: call repeated");
            self.post(Who::User(number), operation, body);
        }
        self.deliver_calls();
        for which in 0..self.agents.len() {
            let acts = self.agents[which].poll(self.now, &mut self.chance, &self.weather);
            self.carry_out(which, acts);
            self.deliver_down(which);
            self.deliver_up(which);
        }
        for _ in 0..3 {
            let mut down = Vec::new();
            if let Some(term) = &mut self.term {
                term.serve_agents(self.now, &mut down);
            }
            self.send_down(down);
            for which in 0..self.agents.len() {
                self.deliver_down(which);
                self.deliver_up(which);
            }
            if let Some(term) = &mut self.term {
                let agents = &self.agents;
                let excused = |id: InstanceId| {
                    let agent = agents
                        .iter()
                        .find(|a| a.instance.as_ref().is_some_and(|i| i.0 == id));
                    agent.is_none_or(|agent| agent.excuse.is_some())
                };
                term.loops(self.now, wall(), &excused);
            }
            let mut answers = Vec::new();
            for _ in 0..6 {
                if !self.pump(&mut answers) {
                    break;
                }
            }
            self.hear(answers);
            if self.dice(self.weather.crashes / 3) {
                self.crash("fault: server crashed within a step");
            }
            if self.notes.is_broken() {
                return;
            }
        }
        if let Some(term) = &self.term {
            self.users.check(&term.snapshot(), &self.notes);
        }
    }

    /// Lets the writer take a step, and what waits for it. Answers whether anything moved.
    fn pump(&mut self, answers: &mut Vec<(Who, Answer)>) -> bool {
        let Some(term) = &mut self.term else {
            return false;
        };
        let ended = term.poll_pending(self.now, wall());
        let mut moved = !ended.is_empty();
        answers.extend(ended);
        if let Some(saving) = &term.saving {
            if self.now < saving.until {
                return moved;
            }
            self.saved();
            return true;
        }
        if !term.may_gather(self.now) {
            return moved;
        }
        let inbox = term.inbox.clone();
        let gathered = term
            .writer
            .gather(|| inbox.lanes().take_batch(), wall(), &mut |_| {});
        match gathered {
            Gathered::Idle => term.stepped(Step::Idle, self.now),
            _ if term.writer.panics() > 0 => {
                self.notes
                    .broken(watch::NO_PANIC, "a closure panicked".to_owned());
            }
            Gathered::Answered(published) => {
                moved = true;
                term.stepped(Step::Answered, self.now);
                self.publish(published.changes);
            }
            Gathered::Save(commit) => {
                moved = true;
                self.save(commit);
            }
        }
        if let Some(term) = &mut self.term {
            answers.extend(term.poll_pending(self.now, wall()));
        }
        moved
    }

    /// Begins to save a commit; how that ends is the weather's.
    fn save(&mut self, mut commit: Commit) {
        if self.dice(self.weather.commit_crashes) {
            if self.chance.between(0, 1) == 0 {
                self.crash("fault: server crashed before a commit");
            } else {
                self.journal.write(&commit);
                self.crash("fault: server crashed after a commit");
            }
            return;
        }
        let mutant = self.settings.mutant;
        let (mut outcome, mut until, mut writes) = (Outcome::Saved, self.now, true);
        if self.dice(self.weather.unknown) {
            until = self.now + self.chance.between(1, 5_000);
            if self.chance.between(0, 1) == 0 {
                self.notes.cover("fault: unknown outcome, applied");
            } else {
                self.notes.cover("fault: unknown outcome, not applied");
                (outcome, writes) = (Outcome::NotSaved, false);
            }
        } else if self.dice(self.weather.unsaved) {
            self.notes.cover("fault: database away");
            (outcome, writes) = (Outcome::NotSaved, false);
        } else if self.dice(self.weather.refused) {
            self.notes.cover("fault: batch refused as data");
            (outcome, writes) = (Outcome::Refused, false);
        } else if self.dice(self.weather.slow_commits) {
            self.notes.cover("fault: slow commit");
            until = self.now + self.chance.between(1, 3_000);
        }
        if mutant == Some(Mutant::AnswersUnsaved) && outcome == Outcome::NotSaved {
            outcome = Outcome::Saved;
        }
        if mutant == Some(Mutant::LosesCommit) && self.chance.between(0, 9) == 0 {
            writes = false;
        }
        if mutant == Some(Mutant::HalfCommit) && commit.changes.len() > 1 {
            commit.changes.pop();
        }
        if writes {
            self.journal.write(&commit);
        }
        if let Some(term) = &mut self.term {
            term.saving = Some(Saving {
                commit,
                until,
                outcome,
            });
        }
        if until <= self.now {
            self.saved();
        }
    }

    /// The outcome of a commit is known.
    fn saved(&mut self) {
        let Some(term) = &mut self.term else { return };
        let Some(saving) = term.saving.take() else {
            return;
        };
        let published = term.writer.outcome(saving.outcome);
        term.stepped(Step::Ended(saving.outcome), self.now);
        self.publish(published.changes);
    }

    fn publish(&mut self, mut changes: Vec<berth_state::Changed>) {
        let Some(term) = &mut self.term else { return };
        // They come in no order, and a run must be the same each time.
        changes.sort();
        let state = term.snapshot();
        if !changes.is_empty() {
            self.notes
                .log(|| format!("revision {}: {} changes", state.revision, changes.len()));
        }
        term.dispatch(&changes);
        term.waiting.touch(&state, &changes, self.now);
        term.news.changed(&changes);
        self.watch.published(&self.notes, &state, &changes);
    }

    /// Faults stop, and everything must come to rest and stay so.
    fn come_to_rest(&mut self, first: u64) -> u64 {
        self.weather.calm = true;
        for agent in &mut self.agents {
            agent.cut_until = 0;
            agent.off_until = agent.off_until.min(self.now);
        }
        self.notes.log(|| "faults stop".to_owned());
        let began = self.now;
        let (mut quiet_since, mut revision) = (None, 0);
        let mut steps = 0;
        let mut why = String::new();
        while self.now - began < REST_WITHIN_MS && !self.notes.is_broken() {
            let next = self.term.as_ref().map(|term| {
                let services = term.turns.next_look().unwrap_or(u64::MAX);
                services.min(term.waiting.next_due())
            });
            let busy =
                !self.http.is_empty() || self.term.as_ref().is_some_and(|t| !t.pending.is_empty());
            let next = match next {
                Some(due) if !busy => due.saturating_sub(self.now),
                None if !busy => 5_000,
                _ => 0,
            };
            steps += 1;
            self.advance(next.clamp(200, 5_000), first + steps);
            self.step();
            let Some(term) = &self.term else { continue };
            let state: Arc<State> = term.snapshot();
            for (number, operation, body) in self.users.mend(&state, self.now) {
                self.post(Who::User(number), operation, body);
            }
            let Some(term) = &self.term else { continue };
            let pending = !term.pending.is_empty() || !self.users.is_idle();
            let unrest = rest::unrest(&state, &self.agents, wall(), self.settings.wait_for_room);
            match unrest {
                Some(what) => {
                    why = what;
                    quiet_since = None;
                }
                None if pending => quiet_since = None,
                None => {
                    let since = *quiet_since.get_or_insert(self.now);
                    if since == self.now {
                        revision = state.revision;
                    }
                    if self.now - since >= QUIET_MS {
                        // Deployments of which the first state is right may still end.
                        if state.revision == revision {
                            return steps;
                        }
                        revision = state.revision;
                        quiet_since = Some(self.now);
                        why = "something changes while all is as desired".to_owned();
                    }
                }
            }
        }
        if !self.notes.is_broken() {
            let name = if quiet_since.is_some() {
                watch::AT_REST
            } else {
                watch::FIXPOINT
            };
            self.notes.broken(name, why);
            if let Some(term) = &self.term {
                rest::dump(&term.snapshot(), &self.notes);
            }
        }
        steps
    }
}
