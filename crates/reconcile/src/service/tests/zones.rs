//! Balance between zones.

use expect_test::expect;

use super::check;

#[test]
fn tasks_move_to_the_emptier_zone_one_by_one() {
    check(
        "service desired=4 rebalances
         drain b
         drain d
         deploy 1
         rest
         counts
         return b
         return d
         look
         look
         rest aloud
         counts",
        expect![[r#"
            > counts
            running {1: 4} zones {"z1": 4} providers {"-": 4}
            > look
            start t5 of 1 in z2 (Rebalance)
            event (service web) is not AZ balanced with 4 tasks in z1, 0 tasks in z2. AZ Rebalancing in progress.
            event (service web) has started 1 tasks in z2 to AZ Rebalance: (task t5).
            > look
            nothing
            > rest aloud
            stop t2 (Rebalance: Availability-zone rebalancing initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks in z1 due to AZ rebalancing: (task t2).
            start t6 of 1 in z2 (Rebalance)
            event (service web) has started 1 tasks in z2 to AZ Rebalance: (task t6).
            stop t3 (Rebalance: Availability-zone rebalancing initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks in z1 due to AZ rebalancing: (task t3).
            event (service web) is AZ balanced with 2 tasks in z1, 2 tasks in z2.
            event (service web) has reached a steady state.
            > counts
            running {1: 4} zones {"z1": 2, "z2": 2} providers {"-": 4}
        "#]],
    );
}

#[test]
fn a_deployment_stops_rebalancing() {
    check(
        "service desired=4 rebalances
         drain b
         drain d
         deploy 1
         rest
         return b
         look
         deploy 2
         look
         rest
         counts",
        expect![[r#"
            > look
            start t5 of 1 in z2 (Rebalance)
            event (service web) is not AZ balanced with 4 tasks in z1, 0 tasks in z2. AZ Rebalancing in progress.
            event (service web) has started 1 tasks in z2 to AZ Rebalance: (task t5).
            > look
            stop t5 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            start t6 of 2 (Missing)
            start t7 of 2 (Missing)
            start t8 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) stopped AZ Rebalancing.
            event (service web) stopped 1 pending tasks.
            event (service web) has started 3 tasks: (task t6) (task t7) (task t8).
            > counts
            running {2: 4} zones {"z1": 2, "z2": 2} providers {"-": 4}
        "#]],
    );
}

#[test]
fn no_room_in_the_empty_zone_is_tried_again_later() {
    check(
        "service desired=3 rebalances
         drain b
         drain d
         deploy 1
         rest
         return b
         room b 0
         look
         look
         room b 9
         wait 300s
         look",
        expect![[r#"
            > look
            start nothing of 1 in z2 (Rebalance)
            event (service web) is not AZ balanced with 3 tasks in z1, 0 tasks in z2. AZ Rebalancing in progress.
            > look
            event (service web) has reached a steady state.
            > look
            start t4 of 1 in z2 (Rebalance)
            event (service web) has started 1 tasks in z2 to AZ Rebalance: (task t4).
        "#]],
    );
}
