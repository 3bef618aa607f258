//! What holds for any service, whatever happens to it.

use std::collections::BTreeMap;

use berth_model::id::TaskId;
use berth_model::scheduler::{DeploymentStatus, RolloutState, Stability};
use berth_model::task::{Desired, Health, LastStatus, StopCode};
use proptest::prelude::*;

use super::super::{InstanceView, StopReason, Strategy as Shift, TaskView, scaled};
use super::world::{World, machine};

/// Something that happens to a service.
#[derive(Clone, Debug)]
enum Happening {
    Look,
    Act,
    Wait(u64),
    Desired(u32),
    Deploy,
    Run(usize),
    FailStart(usize),
    Exit(usize),
    UserStop(usize),
    Health(usize, bool),
    Protect(usize),
    Machine(u8, u8),
    Room(u8, usize),
    Answer(bool),
    Ask(bool),
    Alarm,
}

fn happening() -> impl Strategy<Value = Happening> {
    use Happening as H;
    prop_oneof![
        12 => Just(H::Look),
        6 => Just(H::Act),
        4 => (1_u64..40).prop_map(H::Wait),
        2 => (0_u32..9).prop_map(H::Desired),
        2 => Just(H::Deploy),
        3 => any::<usize>().prop_map(H::Run),
        3 => any::<usize>().prop_map(H::FailStart),
        2 => any::<usize>().prop_map(H::Exit),
        1 => any::<usize>().prop_map(H::UserStop),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(at, good)| H::Health(at, good)),
        1 => any::<usize>().prop_map(H::Protect),
        2 => (0_u8..4, 0_u8..4).prop_map(|(at, how)| H::Machine(at, how)),
        1 => (0_u8..4, 0_usize..6).prop_map(|(at, room)| H::Room(at, room)),
        1 => any::<bool>().prop_map(H::Answer),
        1 => any::<bool>().prop_map(H::Ask),
        1 => Just(H::Alarm),
    ]
}

fn percents() -> impl Strategy<Value = (u32, u32)> {
    prop_oneof![
        Just((100, 200)),
        Just((50, 200)),
        Just((50, 100)),
        Just((0, 100)),
        Just((66, 133)),
        Just((100, 150)),
    ]
}

/// The settings of some service.
fn service() -> impl Strategy<Value = String> {
    let kind = prop_oneof![
        6 => Just(""),
        2 => Just("daemon"),
        1 => Just("strategy=blue-green pause=POST_SCALE_UP"),
        1 => Just("strategy=linear"),
        1 => Just("strategy=canary call=PRODUCTION_TRAFFIC_SHIFT"),
    ];
    let on = any::<bool>;
    let flags = (on(), on(), on(), on(), on(), on());
    (kind, percents(), 0_u32..8, flags).prop_map(|(kind, (min, max), desired, flags)| {
        let (checked, rebalances, breaker, alarms, waits, moves) = flags;
        let mut line = format!("service desired={desired} min={min} max={max} ");
        line += match kind {
            "daemon" => "min=0 max=100 daemon",
            other => other,
        };
        for (on, words) in [
            (checked, " checked grace=10"),
            (rebalances && kind.is_empty() && max > 100, " rebalances"),
            (breaker, " breaker=rollback"),
            (waits, " waits"),
            (moves && kind.is_empty(), " moves"),
            (alarms, " alarms=rollback bake=30"),
        ] {
            if on {
                line += words;
            }
        }
        line
    })
}

fn begin(line: &str) -> World {
    let mut world = World::new();
    world.obey(line);
    world.deploy(1);
    world
}

fn pick(world: &World, at: usize, which: impl Fn(&TaskView) -> bool) -> Option<TaskId> {
    let fitting: Vec<TaskId> = world
        .tasks
        .values()
        .filter(|t| which(t))
        .map(|t| t.id)
        .collect();
    fitting.get(at % fitting.len().max(1)).copied()
}

fn happen(world: &mut World, happening: &Happening, next: &mut u64) {
    use Happening as H;
    let now = world.now;
    let end = |world: &mut World, id: Option<TaskId>, code| {
        if let Some(task) = id.and_then(|id| world.tasks.get_mut(&id)) {
            World::end_task(task, code, now);
            world.now = now.next();
        }
    };
    match happening {
        H::Look => checked_look(world),
        H::Act => world.agents_act(),
        H::Wait(seconds) => world.now = now + std::time::Duration::from_secs(*seconds),
        H::Desired(desired) => world.desired = *desired,
        H::Deploy => {
            *next += 1;
            match &mut world.task_sets {
                None => world.deploy(*next),
                Some(sets) => {
                    // An operation changes the scale of one of them.
                    let nth = usize::try_from(*next % 2).expect("0 or 1");
                    let set = sets.values_mut().nth(nth).expect("there are two");
                    set.scale_millipercent = u32::try_from(*next * 17 % 101).expect("small") * 1000;
                }
            }
        }
        H::Run(at) => {
            let id = pick(world, *at, |t| {
                t.desired == Desired::Running && t.instance.is_some()
            });
            if let Some(task) = id.and_then(|id| world.tasks.get_mut(&id)) {
                World::run_task(task, now);
            }
        }
        H::FailStart(at) => {
            let id = pick(world, *at, |t| t.last < LastStatus::Running);
            end(world, id, StopCode::TaskFailedToStart);
        }
        H::Exit(at) => {
            let id = pick(world, *at, |t| t.last == LastStatus::Running);
            end(world, id, StopCode::EssentialContainerExited);
        }
        H::UserStop(at) => {
            let id = pick(world, *at, |t| t.last == LastStatus::Running);
            end(world, id, StopCode::UserInitiated);
        }
        H::Health(at, good) => {
            let id = pick(world, *at, |t| t.has_check && t.last == LastStatus::Running);
            if let Some(task) = id.and_then(|id| world.tasks.get_mut(&id)) {
                task.health = if *good {
                    Health::Healthy
                } else {
                    Health::Unhealthy
                };
            }
        }
        H::Protect(at) => {
            let id = pick(world, *at, |t| t.last == LastStatus::Running);
            if let Some(task) = id.and_then(|id| world.tasks.get_mut(&id)) {
                task.protected_until = Some(now + std::time::Duration::from_secs(300));
            }
        }
        H::Machine(at, how) => {
            let condition = match how {
                0 => InstanceView::Draining { busy: false },
                1 => InstanceView::Lost,
                _ => InstanceView::Active,
            };
            let id = machine(["a", "b", "c", "d"][usize::from(*at)]);
            world.machines.get_mut(&id).expect("a machine").condition = condition;
        }
        H::Room(at, room) => {
            let id = machine(["a", "b", "c", "d"][usize::from(*at)]);
            world.machines.get_mut(&id).expect("a machine").room = *room;
        }
        H::Answer(go_on) => {
            let hooks = world
                .run
                .iter_mut()
                .flat_map(|run| run.run.hooks.iter_mut());
            if let Some(hook) = hooks.rev().find(|hook| hook.answer.is_none()) {
                hook.answer = Some(if *go_on {
                    berth_model::scheduler::HookAnswer::Continue
                } else {
                    berth_model::scheduler::HookAnswer::Rollback("".into())
                });
            }
        }
        H::Ask(back) => {
            if let Some(run) = &mut world.run {
                run.run.asked = Some(if *back {
                    berth_model::scheduler::StopType::Rollback
                } else {
                    berth_model::scheduler::StopType::Abort
                });
            }
        }
        H::Alarm => {
            if let Some(alarms) = &mut world.alarms {
                alarms.1.push("loud".into());
            }
        }
    }
}

/// Whether a task serves, by the rules of the reference rather than by the scheduler's code.
fn serves(world: &World, task: &TaskView) -> bool {
    let there = task
        .instance
        .and_then(|id| world.machines.get(&id))
        .is_some_and(|m| m.condition != InstanceView::Lost);
    let since = task.started_at.map(|at| world.now.since(at).as_secs());
    there
        && task.desired == Desired::Running
        && task.last == LastStatus::Running
        && if task.has_check {
            task.health == Health::Healthy
        } else {
            since.is_some_and(|since| since >= 5)
        }
}

fn present(world: &World, task: &TaskView) -> bool {
    let lost = task
        .instance
        .and_then(|id| world.machines.get(&id))
        .is_none_or(|m| m.condition == InstanceView::Lost);
    task.last != LastStatus::Stopped && !lost
}

/// Looks, and holds the plan against the rules.
fn checked_look(world: &mut World) {
    let before = world.clone();
    let (plan, _) = world.look();
    let external = world.task_sets.is_some();
    let rolling = !external && (world.strategy == Shift::Rolling || before.run.is_none());
    let size = if world.daemon {
        before.eligible().len()
    } else {
        world.desired as usize
    };
    let floor = (size * world.minimum as usize).div_ceil(100);
    let cap = size * world.maximum as usize / 100;

    let count = |world: &World| world.tasks.values().filter(|t| serves(world, t)).count();
    let (had, has) = (count(&before), count(world));
    let stopped_healthy = plan
        .stops
        .iter()
        .filter(|stop| serves(&before, &before.tasks[&stop.id]))
        .count();
    assert!(
        stopped_healthy == 0 || has >= floor.min(had) || external,
        "healthy {had} became {has}, below {floor}, by {plan:#?}"
    );
    let there = |world: &World| world.tasks.values().filter(|t| present(world, t)).count();
    if rolling && !world.daemon && !plan.starts.is_empty() {
        // One more moves between zones only where the maximum leaves room for it.
        assert!(
            there(world) <= cap.max(there(&before)),
            "above {cap} by {plan:#?}"
        );
    }
    for stop in &plan.stops {
        let task = &before.tasks[&stop.id];
        let protected = task.protected_until.is_some_and(|until| before.now < until);
        let scaled = matches!(stop.why, StopReason::Scaling | StopReason::Rebalance);
        // A daemon's task leaves with its instance, protected or not.
        assert!(
            !(protected && scaled) || world.daemon || fails(&before, task),
            "protected, yet stopped: {stop:?}"
        );
    }
    let mut per_machine: BTreeMap<_, usize> = BTreeMap::new();
    for task in world.tasks.values().filter(|t| present(world, t)) {
        *per_machine.entry(task.instance).or_default() += 1;
    }
    assert!(
        !world.daemon || per_machine.values().all(|count| *count <= 1),
        "two daemon tasks on one instance: {per_machine:?}"
    );
    let listed = world
        .rollouts
        .values()
        .filter(|r| r.status == DeploymentStatus::Primary);
    assert_eq!(
        listed.count(),
        usize::from(!external),
        "one deployment is PRIMARY"
    );
    for (id, rollout) in &before.rollouts {
        if rollout.state == RolloutState::Failed {
            let after = &world.rollouts[id];
            assert_ne!(
                after.state,
                RolloutState::Completed,
                "a failed one never succeeds"
            );
        }
    }
}

fn fails(world: &World, task: &TaskView) -> bool {
    let since = task
        .started_at
        .map_or(0, |at| world.now.since(at).as_secs());
    task.has_check && task.health == Health::Unhealthy && since >= world.grace.as_secs()
}

/// Ends all faults: machines are there and empty enough, nothing more fails, hooks are answered.
fn calm(world: &mut World) {
    for machine in world.machines.values_mut() {
        machine.condition = InstanceView::Active;
        machine.room = 100;
    }
    world.hooks.clear();
    for task in world.tasks.values_mut() {
        task.protected_until = None;
        if task.has_check && task.last == LastStatus::Running {
            task.health = Health::Healthy;
        }
    }
}

proptest! {
    /// Whatever happens, every look keeps the rules; and once faults stop, as many tasks run as
    /// are wanted, of one deployment that stays, and nothing changes any more.
    #[test]
    fn a_service_keeps_the_rules_and_comes_to_rest(
        service in service(),
        happenings in prop::collection::vec(happening(), 1..80),
    ) {
        let mut world = begin(&service);
        let mut next = 1;
        for one in &happenings {
            happen(&mut world, one, &mut next);
        }
        calm(&mut world);
        world.until_quiet(|_, _, _| {});
        let wanted = if world.daemon {
            world.eligible().len()
        } else {
            world.desired as usize
        };
        let running: Vec<&TaskView> = world
            .tasks
            .values()
            .filter(|t| t.desired == Desired::Running && t.last == LastStatus::Running)
            .collect();
        let primary = world
            .rollouts
            .values()
            .find(|r| r.status == DeploymentStatus::Primary)
            .expect("one is PRIMARY");
        let listed = world.rollouts.values().filter(|r| r.status != DeploymentStatus::Inactive);
        if primary.state == RolloutState::Completed {
            prop_assert_eq!(listed.count(), 1, "completed, and alone");
            prop_assert!(world.run.is_none(), "its service deployment has ended");
            prop_assert!(world.memory.steady_told_at.is_some(), "its steady state was told");
        }
        let kept = world.rollouts.values().any(|r| {
            r.status == DeploymentStatus::Active && r.state == RolloutState::Completed
        });
        // A failed first deployment starts nothing more, as ECS has it.
        if primary.state != RolloutState::Failed || kept {
            let blocked = primary.state == RolloutState::InProgress
                && (wanted * world.maximum as usize / 100) <= wanted
                && (wanted * world.minimum as usize).div_ceil(100) >= wanted;
            prop_assert!(blocked || running.len() == wanted, "{} of {wanted}: {world:#?}", running.len());
        }
    }

    /// A plan carried out leaves nothing to do: looked at again and again while nothing happens, a
    /// service is soon left alone, and stays so.
    #[test]
    fn looking_again_finds_nothing_to_do(
        service in service(),
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let mut world = begin(&service);
        let mut next = 1;
        for one in &happenings {
            happen(&mut world, one, &mut next);
        }
        // A deployment that shifts traffic takes a look for each of its stages.
        for _ in 0..20 {
            world.look();
            world.now = world.now.next();
        }
        let (plan, _) = world.look();
        // What is refused is tried again, by time alone.
        if world.refused.is_none() {
            prop_assert!(plan.starts.is_empty() && plan.stops.is_empty(), "{plan:#?}");
            prop_assert!(plan.events.is_empty() && plan.rollouts.is_empty(), "{plan:#?}");
            prop_assert!(plan.run.is_none() && plan.memory.is_none(), "{plan:#?}");
        }
    }

    /// Under the EXTERNAL controller each task set comes to its share, steady.
    #[test]
    fn task_sets_come_to_their_shares(
        desired in 0_u32..9,
        scales in (0_u32..101, 0_u32..101),
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let mut world = World::new();
        world.obey(&format!("service desired={desired}"));
        world.obey(&format!("taskset 1 {}%", scales.0));
        world.obey(&format!("taskset 2 {}%", scales.1));
        let mut next = 1;
        for one in &happenings {
            happen(&mut world, one, &mut next);
        }
        calm(&mut world);
        world.until_quiet(|_, _, _| {});
        for set in world.task_sets.iter().flatten().map(|(_, set)| set) {
            let running = world.tasks.values().filter(|t| {
                t.deployment == set.id
                    && t.desired == Desired::Running
                    && t.last == LastStatus::Running
            });
            let share = scaled(world.desired, set.scale_millipercent) as usize;
            prop_assert_eq!(running.count(), share);
            prop_assert_eq!(set.stability, Stability::SteadyState);
        }
    }

    /// Deleting ends every service.
    #[test]
    fn a_deleted_service_becomes_inactive(
        service in service(),
        happenings in prop::collection::vec(happening(), 1..40),
    ) {
        let mut world = begin(&service);
        let mut next = 1;
        for one in &happenings {
            happen(&mut world, one, &mut next);
        }
        world.draining = true;
        for _ in 0..10 {
            world.look();
            world.agents_act();
            world.now = world.now.next();
            if world.inactive {
                break;
            }
        }
        prop_assert!(world.inactive);
        let left = world.tasks.values().filter(|t| t.desired == Desired::Running).count();
        prop_assert_eq!(left, 0);
    }
}
