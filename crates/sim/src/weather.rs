//! What goes wrong in a run, and how often.

use berth_agent_proto::Chance;

/// Chances of faults. Those of tasks are in percent, those of steps in thousandths.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// Nothing goes wrong any more.
    pub(crate) calm: bool,
    /// Tasks that fail to start, in percent.
    pub(crate) fails: u64,
    /// Tasks whose image never comes, in percent.
    pub(crate) hangs: u64,
    /// Tasks that start and stop slowly, in percent.
    pub(crate) slow: u64,
    /// Tasks that end by themselves within a minute, in percent.
    pub(crate) exits: u64,
    /// Healthy tasks that turn unhealthy between two reports, in thousandths.
    pub(crate) flaps: u64,
    /// Messages lost, doubled and delayed, in thousandths.
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    pub(crate) delayed: u64,
    /// Each step, in thousandths: a network cut, a machine without power, an agent that
    /// restarts, many cut off together.
    pub(crate) cuts: u64,
    pub(crate) power: u64,
    pub(crate) restarts: u64,
    pub(crate) mass: u64,
    /// Each step, in thousandths: the server's process ends between two steps.
    pub(crate) crashes: u64,
    /// Each commit, in thousandths: the process ends before or after it is written; its outcome is
    /// unknown; it is refused; the database is away; it is slow.
    pub(crate) commit_crashes: u64,
    pub(crate) unknown: u64,
    pub(crate) refused: u64,
    pub(crate) unsaved: u64,
    pub(crate) slow_commits: u64,
    /// Each step, in thousandths: the wall clock jumps.
    pub(crate) jumps: u64,
    /// Each step, in thousandths: a user calls.
    pub(crate) calls: u64,
}

impl Weather {
    /// The weather of a run: each kind of fault is off, rare or frequent.
    pub(crate) fn of(chance: &mut Chance) -> Self {
        let mut pick = |most: u64| match chance.between(0, 3) {
            0 => 0,
            1 => most.div_ceil(6),
            2 => most.div_ceil(3),
            _ => most,
        };
        Self {
            calm: false,
            fails: pick(30),
            hangs: pick(10),
            slow: pick(30),
            exits: pick(25),
            flaps: pick(60),
            lost: pick(60),
            doubled: pick(60),
            delayed: pick(200),
            cuts: pick(30),
            power: pick(15),
            restarts: pick(15),
            mass: pick(4),
            crashes: pick(15),
            commit_crashes: pick(15),
            unknown: pick(25),
            refused: pick(15),
            unsaved: pick(25),
            slow_commits: pick(50),
            jumps: pick(15),
            calls: 60 + pick(200),
        }
    }
}
