//! Tasks that move onto instances that have fewer, by the server's setting.

use std::collections::BTreeMap;

use berth_model::id::InstanceId;
use berth_model::task::{Desired, LastStatus};
use expect_test::expect;
use proptest::prelude::*;

use super::check;
use super::world::{World, machine};
use crate::service::StartReason;

#[test]
fn tasks_move_to_a_new_instance_one_by_one() {
    check(
        "service desired=4 moves
         drain b
         drain c
         drain d
         deploy 1
         rest
         return c
         look
         look
         rest aloud",
        expect![[r#"
            > look
            start t5 of 1 at c (Rebalance)
            event (service web) has started 1 tasks: (task t5).
            > look
            nothing
            > rest aloud
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t1).
            start t6 of 1 at c (Rebalance)
            event (service web) has started 1 tasks: (task t6).
            stop t3 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t3).
            event (service web) has reached a steady state.
        "#]],
    );
}

#[test]
fn without_the_setting_nothing_moves() {
    check(
        "service desired=4
         drain b
         drain c
         drain d
         deploy 1
         rest
         return c
         rest aloud",
        expect![[""]],
    );
}

/// How many tasks each ACTIVE machine has.
fn counts(world: &World) -> BTreeMap<InstanceId, usize> {
    let on = |id: InstanceId| {
        let there = |t: &&crate::service::TaskView| {
            t.instance == Some(id) && t.last != LastStatus::Stopped && t.desired == Desired::Running
        };
        world.tasks.values().filter(there).count()
    };
    world
        .eligible()
        .into_iter()
        .map(|id| (id, on(id)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Wherever tasks are and whichever machines come, moving ends, with fewer moves than there
    /// are tasks for each machine; then no machine with room has two tasks less than another from
    /// which one may go there. With balance between zones on as well, neither undoes the other.
    #[test]
    fn moving_ends_with_instances_even(
        desired in 1_u32..12,
        away in prop::collection::vec(0_u8..4, 1..4),
        rooms in prop::collection::vec(1_usize..8, 4),
        zones in any::<bool>(),
        protected in prop::collection::vec(any::<bool>(), 12),
    ) {
        let mut world = World::new();
        let zones = if zones { " rebalances" } else { "" };
        world.obey(&format!("service desired={desired} moves{zones}"));
        for at in &away {
            world.obey(&format!("drain {}", char::from(b'a' + at)));
        }
        world.deploy(1);
        world.until_quiet(|_, _, _| ());
        let until = world.now + std::time::Duration::from_secs(1_000_000);
        for (task, protected) in world.tasks.values_mut().zip(&protected) {
            task.protected_until = protected.then_some(until);
        }
        for (at, room) in (0_u8..).zip(&rooms) {
            let name = char::from(b'a' + at);
            let id = machine(&name.to_string());
            if let Some(machine) = world.machines.get_mut(&id) {
                // Balance between zones is tried again for ever where there is no room for it.
                machine.room = if zones.is_empty() { *room } else { 20 };
            }
            if away.contains(&at) {
                world.obey(&format!("return {name}"));
            }
        }
        let mut moves = 0;
        world.until_quiet(|world, plan, _| {
            let kept = plan.stops.iter().all(|stop| {
                let task = world.tasks.get(&stop.id);
                task.is_none_or(|task| task.protected_until.is_none())
            });
            assert!(kept, "a protected task is moved: {plan:#?}");
            let moved = plan.starts.iter().filter(|s| s.why == StartReason::Rebalance);
            moves += moved.count();
        });
        prop_assert!(moves <= 4 * desired as usize, "{moves} moves of {desired} tasks");
        let counts = counts(&world);
        for (from, many) in &counts {
            for (to, few) in &counts {
                let zone = |id: &InstanceId| world.machines[id].zone.clone();
                let of_zone = |id: &InstanceId| -> usize {
                    counts.iter().filter(|(i, _)| zone(i) == zone(id)).map(|(_, n)| n).sum()
                };
                let allowed = zone(from) == zone(to) || of_zone(to) < of_zone(from);
                let free = world.machines[to].room > *few;
                let all_protected = world
                    .tasks
                    .values()
                    .filter(|t| t.instance == Some(*from) && t.last != LastStatus::Stopped)
                    .all(|t| t.protected_until.is_some());
                let fullest = counts.values().max() == Some(many);
                let least = counts
                    .iter()
                    .filter(|(id, n)| world.machines[*id].room > **n)
                    .map(|(_, n)| n)
                    .min() == Some(few);
                prop_assert!(
                    many - few.min(many) < 2 || !allowed || !free || all_protected
                        || !fullest || !least,
                    "{counts:?} is uneven"
                );
            }
        }
    }
}
