//! DAEMON services.

use expect_test::expect;

use super::check;

#[test]
fn a_daemon_runs_on_every_active_instance() {
    check(
        "service daemon
         drain d
         deploy 1
         look
         act
         wait 5s
         look
         return d
         look
         rest
         counts",
        expect![[r#"
            > look
            start t1 of 1 at a (Missing)
            start t2 of 1 at b (Missing)
            start t3 of 1 at c (Missing)
            run: IN_PROGRESS
            event (service web) has started 3 tasks: (task t1) (task t2) (task t3).
            > look
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            run: SUCCESSFUL
            digests of 1 from t2
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > look
            start t4 of 1 at d (Missing)
            event (service web) has started 1 tasks: (task t4).
            > counts
            running {1: 4} zones {"z1": 2, "z2": 2} providers {"-": 4}
        "#]],
    );
}

#[test]
fn a_daemon_deployment_stops_then_starts() {
    check(
        "service daemon
         drain c
         drain d
         deploy 1
         rest
         deploy 2
         look
         look
         act
         wait 1s
         look
         rest aloud",
        expect![[r#"
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            run: IN_PROGRESS
            event (service web) has stopped 2 running tasks: (task t2) (task t1).
            > look
            nothing
            > look
            start t3 of 2 at a (Missing)
            start t4 of 2 at b (Missing)
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            event (service web) has started 2 tasks: (task t3) (task t4).
            > rest aloud
            deployment 2: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000002 completed."
            run: SUCCESSFUL
            digests of 2 from t4
            event (service web) (deployment ecs-svc/0000000000000000002) deployment completed.
            event (service web) has reached a steady state.
        "#]],
    );
}

#[test]
fn a_daemon_deployment_keeps_the_minimum() {
    check(
        "service daemon min=50
         deploy 1
         rest
         deploy 2
         look
         act
         wait 1s
         look
         act
         wait 5s
         look",
        expect![[r#"
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t4 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            run: IN_PROGRESS
            event (service web) has stopped 2 running tasks: (task t2) (task t4).
            > look
            start t5 of 2 at b (Missing)
            start t6 of 2 at d (Missing)
            event (service web) has started 2 tasks: (task t5) (task t6).
            > look
            stop t3 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            digests of 2 from t5
            event (service web) has stopped 2 running tasks: (task t3) (task t1).
        "#]],
    );
}

#[test]
fn a_daemon_task_stops_last_on_a_draining_instance() {
    check(
        "service daemon
         deploy 1
         rest
         drain a busy
         look
         drain a
         look",
        expect![[r#"
            > look
            nothing
            > look
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t1).
        "#]],
    );
}

#[test]
fn an_instance_without_room_holds_up_nothing() {
    check(
        "service daemon
         room a 0
         deploy 1
         look
         act
         wait 5s
         look
         look
         wait 10s
         look
         look
         room a 1
         wait 20s
         look",
        expect![[r#"
            > look
            start nothing of 1 at a (Missing)
            start t1 of 1 at b (Missing)
            start t2 of 1 at c (Missing)
            start t3 of 1 at d (Missing)
            run: IN_PROGRESS
            event (service web) has started 3 tasks: (task t1) (task t2) (task t3).
            event (service web) was unable to place a task because no container instance met all of its requirements. The closest matching (container-instance 61616161616161616161616161616161) has insufficient memory available. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.
            > look
            start nothing of 1 at a (Missing)
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            run: SUCCESSFUL
            digests of 1 from t1
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > look
            nothing
            > look
            start nothing of 1 at a (Missing)
            > look
            nothing
            > look
            start t4 of 1 at a (Missing)
            event (service web) has started 1 tasks: (task t4).
        "#]],
    );
}

#[test]
fn a_failing_daemon_task_is_stopped_and_then_replaced() {
    check(
        "service daemon checked
         drain b
         drain c
         drain d
         deploy 1
         rest
         health t1 bad
         look
         act
         wait 1s
         look",
        expect![[r#"
            > look
            stop t1 (Unhealthy: Task failed container health checks)
            event (service web) (task t1) failed container health checks.
            event (service web) has stopped 1 running tasks: (task t1).
            > look
            start t2 of 1 at a (Missing)
            event (service web) has started 1 tasks: (task t2).
        "#]],
    );
}
