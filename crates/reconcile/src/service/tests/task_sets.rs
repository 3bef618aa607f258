//! The EXTERNAL controller.

use expect_test::expect;

use super::check;

#[test]
fn task_sets_have_their_shares() {
    check(
        "service desired=4
         taskset 1 100%
         look
         act
         wait 5s
         look
         taskset 2 25%
         look
         taskset 1 50%
         look
         rest
         counts",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            start t2 of 1 (Missing)
            start t3 of 1 (Missing)
            start t4 of 1 (Missing)
            event (service web, taskSet ecs-svc/0000000000000000001) has started 4 tasks: (task t1) (task t2) (task t3) (task t4).
            > look
            task set 1: STEADY_STATE
            event (service web, taskSet ecs-svc/0000000000000000001) has reached a steady state.
            event (service web) has reached a steady state.
            > look
            start t5 of 2 (Missing)
            event (service web, taskSet ecs-svc/0000000000000000002) has started 1 tasks: (task t5).
            > look
            stop t1 (Scaling: Scaling activity initiated by (taskset ecs-svc/0000000000000000001))
            stop t2 (Scaling: Scaling activity initiated by (taskset ecs-svc/0000000000000000001))
            event (service web, taskSet ecs-svc/0000000000000000001) has stopped 2 running tasks: (task t1) (task t2).
            > counts
            running {1: 2, 2: 1} zones {"z1": 2, "z2": 1} providers {"-": 3}
        "#]],
    );
}

#[test]
fn a_deleted_task_set_vanishes_when_it_is_empty() {
    check(
        "service desired=2
         taskset 1 100%
         rest
         delete-taskset 1
         look
         act
         wait 1s
         look",
        expect![[r#"
            > look
            stop t2 (Scaling: Scaling activity initiated by (taskset ecs-svc/0000000000000000001))
            stop t1 (Scaling: Scaling activity initiated by (taskset ecs-svc/0000000000000000001))
            task set 1: STABILIZING
            event (service web, taskSet ecs-svc/0000000000000000001) has stopped 2 running tasks: (task t2) (task t1).
            > look
            task set 1: STEADY_STATE gone
            event (service web) has reached a steady state.
        "#]],
    );
}
