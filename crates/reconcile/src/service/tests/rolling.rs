//! REPLICA services and rolling deployments.

use expect_test::expect;

use super::check;

#[test]
fn a_deployment_adds_then_takes_away_at_100_200() {
    check(
        "service desired=2
         deploy 1
         rest
         deploy 2
         look
         act
         look
         wait 5s
         look
         act
         look
         counts",
        expect![[r#"
            > look
            start t3 of 2 (Missing)
            start t4 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t3) (task t4).
            > look
            digests of 2 from t4
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 2 running tasks: (task t2) (task t1).
            > look
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000002 completed."
            run: SUCCESSFUL
            event (service web) (deployment ecs-svc/0000000000000000002) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {2: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn at_0_100_old_tasks_stop_first_and_new_ones_take_their_room() {
    check(
        "service desired=2 min=0 max=100
         deploy 1
         rest
         deploy 2
         look
         look
         act
         look",
        expect![[r#"
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            run: IN_PROGRESS
            event (service web) has stopped 2 running tasks: (task t2) (task t1).
            > look
            nothing
            > look
            start t3 of 2 (Missing)
            start t4 of 2 (Missing)
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            event (service web) has started 2 tasks: (task t3) (task t4).
        "#]],
    );
}

#[test]
fn at_50_100_half_is_stopped_first() {
    check(
        "service desired=4 min=50 max=100
         deploy 1
         rest
         deploy 2
         look
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
            stop t3 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            run: IN_PROGRESS
            event (service web) has stopped 2 running tasks: (task t2) (task t3).
            > look
            nothing
            > look
            start t5 of 2 (Missing)
            start t6 of 2 (Missing)
            event (service web) has started 2 tasks: (task t5) (task t6).
            > look
            stop t4 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            digests of 2 from t5
            event (service web) has stopped 2 running tasks: (task t4) (task t1).
        "#]],
    );
}

#[test]
fn at_50_200_old_ones_go_down_to_the_minimum_once_new_ones_are_there() {
    check(
        "service desired=4 min=50 max=200
         deploy 1
         rest
         deploy 2
         look
         look
         look",
        expect![[r#"
            > look
            start t5 of 2 (Missing)
            start t6 of 2 (Missing)
            start t7 of 2 (Missing)
            start t8 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 4 tasks: (task t5) (task t6) (task t7) (task t8).
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t3 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 2 running tasks: (task t2) (task t3).
            > look
            nothing
        "#]],
    );
}

#[test]
fn percents_that_allow_nothing_are_told_once() {
    check(
        "service desired=1 min=100 max=150
         deploy 1
         rest
         deploy 2
         look
         look",
        expect![[r#"
            > look
            run: IN_PROGRESS
            event (service web) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.
            > look
            nothing
        "#]],
    );
}

#[test]
fn scaling_in_stops_those_that_do_not_run_then_the_fullest_zone() {
    check(
        "service desired=4
         deploy 1
         rest
         service desired=5
         look
         wait 1s
         service desired=2
         look
         act
         wait 1s
         look
         counts",
        expect![[r#"
            > look
            start t5 of 1 (Missing)
            event (service web) has started 1 tasks: (task t5).
            > look
            stop t5 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t3 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 2 running tasks: (task t2) (task t3).
            event (service web) stopped 1 pending tasks.
            > look
            event (service web) has reached a steady state.
            > counts
            running {1: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn scaling_out_while_a_deployment_runs_starts_new_ones() {
    check(
        "service desired=2
         deploy 1
         rest
         deploy 2
         look
         service desired=3
         look
         rest
         counts",
        expect![[r#"
            > look
            start t3 of 2 (Missing)
            start t4 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t3) (task t4).
            > look
            start t5 of 2 (Missing)
            event (service web) has started 1 tasks: (task t5).
            > counts
            running {2: 3} zones {"z1": 2, "z2": 1} providers {"-": 3}
        "#]],
    );
}

#[test]
fn a_task_that_ends_is_replaced() {
    check(
        "service desired=2
         deploy 1
         rest
         exit t1
         look
         rest aloud",
        expect![[r#"
            > look
            start t3 of 1 (Missing)
            event (service web) has started 1 tasks: (task t3).
            > rest aloud
            event (service web) has reached a steady state.
        "#]],
    );
}

#[test]
fn a_protected_task_is_not_scaled_in_but_another_is() {
    check(
        "service desired=2
         deploy 1
         rest
         protect t1
         protect t2
         service desired=1
         look
         look
         wait 7201s
         look",
        expect![[r#"
            > look
            event (service web) was unable to reach steady state because (taskSet ecs-svc/0000000000000000001) was unable to scale in due to (reason 1 tasks under protection)
            > look
            nothing
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t2).
        "#]],
    );
}

#[test]
fn a_deployment_waits_for_a_protected_task() {
    check(
        "service desired=1
         deploy 1
         rest
         protect t1
         deploy 2
         look
         act
         wait 5s
         look
         look
         wait 7200s
         look
         act
         wait 1s
         look",
        expect![[r#"
            > look
            start t2 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t2).
            > look
            digests of 2 from t2
            event (service web) was unable to reach steady state because (taskSet ecs-svc/0000000000000000002) was unable to scale in due to (reason 1 tasks under protection)
            > look
            nothing
            > look
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t1).
            > look
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000002 completed."
            run: SUCCESSFUL
            event (service web) (deployment ecs-svc/0000000000000000002) deployment completed.
            event (service web) has reached a steady state.
        "#]],
    );
}

#[test]
fn an_unhealthy_task_is_replaced_before_it_is_stopped() {
    check(
        "service desired=2 checked
         deploy 1
         rest
         health t1 bad
         look
         look
         act
         look
         act
         wait 1s
         look",
        expect![[r#"
            > look
            start t3 of 1 (ReplacesUnhealthy)
            event (service web) has started 1 tasks: (task t3). Amazon ECS replaced 1 tasks due to an unhealthy status.
            > look
            nothing
            > look
            stop t1 (Unhealthy: Task failed container health checks)
            event (service web) (task t1) failed container health checks.
            event (service web) has stopped 1 running tasks: (task t1).
            > look
            event (service web) has reached a steady state.
        "#]],
    );
}

#[test]
fn at_the_maximum_an_unhealthy_task_is_stopped_first() {
    check(
        "service desired=2 min=0 max=100 checked
         deploy 1
         rest
         health t1 bad
         health t2 bad
         look
         look
         act
         wait 1s
         look",
        expect![[r#"
            > look
            stop t2 (Unhealthy: Task failed container health checks)
            event (service web) (task t2) failed container health checks.
            event (service web) has stopped 1 running tasks: (task t2).
            > look
            nothing
            > look
            stop t1 (Unhealthy: Task failed container health checks)
            start t3 of 1 (ReplacesUnhealthy)
            event (service web) (task t1) failed container health checks.
            event (service web) has stopped 1 running tasks: (task t1).
            event (service web) has started 1 tasks: (task t3). Amazon ECS replaced 1 tasks due to an unhealthy status.
        "#]],
    );
}

#[test]
fn a_task_serves_once_its_targets_are_healthy() {
    check(
        "service desired=1
         deploy 1
         look
         target t1 waits
         act
         wait 60s
         look
         target t1 good
         look
         target t1 bad
         look
         act
         wait 5s
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t1).
            > look
            digests of 1 from t1
            > look
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            run: SUCCESSFUL
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > look
            start t2 of 1 (ReplacesUnhealthy)
            event (service web) has started 1 tasks: (task t2). Amazon ECS replaced 1 tasks due to an unhealthy status.
            > look
            stop t1 (Unhealthy: Task failed ELB health checks in (target-group arn:tg))
            event (service web) (task t1) (port 80) is unhealthy in (target-group arn:tg) due to (reason Request timed out).
            event (service web) has stopped 1 running tasks: (task t1).
        "#]],
    );
}

#[test]
fn a_failing_check_counts_for_nothing_within_the_grace_period() {
    check(
        "service desired=1 checked grace=60
         deploy 1
         look
         run t1
         health t1 bad
         look
         wait 59s
         look
         wait 1s
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t1).
            > look
            digests of 1 from t1
            > look
            nothing
            > look
            start t2 of 1 (ReplacesUnhealthy)
            event (service web) has started 1 tasks: (task t2). Amazon ECS replaced 1 tasks due to an unhealthy status.
        "#]],
    );
}

#[test]
fn a_protected_task_that_has_not_come_up_stays_on_a_draining_instance() {
    check(
        "service desired=2
         deploy 1
         look
         protect t1
         protect t2
         drain a
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            start t2 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t1) (task t2).
            > look
            start t3 of 1 (Missing)
            event (service web) has started 1 tasks: (task t3).
        "#]],
    );
}

#[test]
fn a_draining_instance_is_emptied_after_replacements_serve() {
    check(
        "service desired=2
         deploy 1
         rest
         drain a
         look
         look
         act
         look
         wait 5s
         look
         act
         wait 1s
         look
         counts",
        expect![[r#"
            > look
            start t3 of 1 (Missing)
            event (service web) has started 1 tasks: (task t3).
            > look
            nothing
            > look
            nothing
            > look
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t1).
            > look
            event (service web) has reached a steady state.
            > counts
            running {1: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn a_draining_instance_is_emptied_at_once_as_far_as_the_minimum_allows() {
    check(
        "service desired=2 min=50 max=100
         deploy 1
         rest
         drain a
         drain b
         look
         act
         wait 1s
         look",
        expect![[r#"
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t2).
            > look
            start t3 of 1 (Missing)
            event (service web) has started 1 tasks: (task t3).
        "#]],
    );
}

#[test]
fn tasks_of_a_lost_instance_are_replaced_and_count_for_nothing() {
    check(
        "service desired=2 max=100 min=50
         deploy 1
         rest
         lose a
         look
         look
         rest
         counts",
        expect![[r#"
            > look
            stop t1 (InstanceLost: Host (container-instance 61616161616161616161616161616161) stopped/terminated.)
            start t3 of 1 (Missing)
            event (service web) has started 1 tasks: (task t3).
            > look
            nothing
            > counts
            running {1: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn starts_that_fail_wait_longer_and_longer() {
    check(
        "service desired=2
         deploy 1
         look
         fail pending
         look
         fail pending
         look
         fail pending
         look
         fail pending
         look
         wait 8s
         look
         wait 1s
         look
         fail pending
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            start t2 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t1) (task t2).
            > look
            start t3 of 1 (Missing)
            start t4 of 1 (Missing)
            deployment 1: PRIMARY IN_PROGRESS failed=2 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) has started 2 tasks: (task t3) (task t4).
            > look
            start t5 of 1 (Missing)
            start t6 of 1 (Missing)
            deployment 1: PRIMARY IN_PROGRESS failed=4 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) has started 2 tasks: (task t5) (task t6).
            > look
            start t7 of 1 (Missing)
            start t8 of 1 (Missing)
            deployment 1: PRIMARY IN_PROGRESS failed=6 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) has started 2 tasks: (task t7) (task t8).
            > look
            deployment 1: PRIMARY IN_PROGRESS failed=8 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.
            > look
            nothing
            > look
            start t9 of 1 (Missing)
            start t10 of 1 (Missing)
            event (service web) has started 2 tasks: (task t9) (task t10).
            > look
            deployment 1: PRIMARY IN_PROGRESS failed=10 "ECS deployment ecs-svc/0000000000000000001 in progress."
        "#]],
    );
}

#[test]
fn a_task_that_ran_ends_the_back_off() {
    check(
        "service desired=1
         deploy 1
         look
         fail pending
         look
         fail pending
         look
         fail pending
         look
         fail pending
         look
         wait 10s
         look
         act
         wait 1s
         look
         exit t5
         look
         fail pending
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t1).
            > look
            start t2 of 1 (Missing)
            deployment 1: PRIMARY IN_PROGRESS failed=1 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) has started 1 tasks: (task t2).
            > look
            start t3 of 1 (Missing)
            deployment 1: PRIMARY IN_PROGRESS failed=2 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) has started 1 tasks: (task t3).
            > look
            start t4 of 1 (Missing)
            deployment 1: PRIMARY IN_PROGRESS failed=3 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) has started 1 tasks: (task t4).
            > look
            deployment 1: PRIMARY IN_PROGRESS failed=4 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.
            > look
            start t5 of 1 (Missing)
            event (service web) has started 1 tasks: (task t5).
            > look
            deployment 1: PRIMARY IN_PROGRESS failed=4 "ECS deployment ecs-svc/0000000000000000001 in progress."
            digests of 1 from t5
            > look
            start t6 of 1 (Missing)
            deployment 1: PRIMARY IN_PROGRESS failed=5 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) has started 1 tasks: (task t6).
            > look
            start t7 of 1 (Missing)
            deployment 1: PRIMARY IN_PROGRESS failed=6 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) has started 1 tasks: (task t7).
        "#]],
    );
}

#[test]
fn no_room_is_told_once_and_tried_again() {
    check(
        "service desired=1
         room a 0
         room b 0
         room c 0
         room d 0
         deploy 1
         look
         look
         wait 1s
         look
         room a 1
         wait 2s
         look",
        expect![[r#"
            > look
            start nothing of 1 (Missing)
            run: IN_PROGRESS
            event (service web) was unable to place a task because no container instance met all of its requirements. The closest matching (container-instance 61616161616161616161616161616161) has insufficient memory available. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.
            > look
            nothing
            > look
            start nothing of 1 (Missing)
            > look
            start t1 of 1 (Missing)
            event (service web) has started 1 tasks: (task t1).
        "#]],
    );
}

#[test]
fn without_room_at_50_200_old_tasks_make_room() {
    check(
        "service desired=2 min=50 max=200
         room a 1
         room b 1
         room c 0
         room d 0
         deploy 1
         rest
         deploy 2
         look
         wait 1s
         look
         act
         wait 1s
         look
         rest
         counts",
        expect![[r#"
            > look
            start nothing of 2 (Missing)
            start nothing of 2 (Missing)
            run: IN_PROGRESS
            event (service web) was unable to place a task because no container instance met all of its requirements. The closest matching (container-instance 61616161616161616161616161616161) has insufficient memory available. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.
            > look
            start nothing of 2 (Missing)
            start nothing of 2 (Missing)
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t2).
            > counts
            running {2: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn tasks_that_wait_for_room_count_as_pending() {
    check(
        "service desired=2 waits
         room a 1
         room b 0
         room c 0
         room d 0
         deploy 1
         look
         look
         act
         room b 1
         act
         wait 5s
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            start t2 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t1) (task t2).
            event (service web) was unable to place a task because no container instance met all of its requirements. The closest matching (container-instance 61616161616161616161616161616161) has insufficient memory available. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.
            > look
            nothing
            > look
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            run: SUCCESSFUL
            digests of 1 from t2
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
        "#]],
    );
}

#[test]
fn the_circuit_breaker_rolls_back() {
    check(
        "service desired=2 breaker=rollback
         deploy 1
         rest
         deploy 2
         look
         fail pending
         look
         fail pending
         look
         look
         rest aloud
         counts",
        expect![[r#"
            > look
            start t3 of 2 (Missing)
            start t4 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t3) (task t4).
            > look
            start t5 of 2 (Missing)
            start t6 of 2 (Missing)
            deployment 2: PRIMARY IN_PROGRESS failed=2 "ECS deployment ecs-svc/0000000000000000002 in progress."
            event (service web) has started 2 tasks: (task t5) (task t6).
            > look
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: INACTIVE FAILED failed=4 "ECS deployment circuit breaker: tasks failed to start."
            run: ROLLBACK_SUCCESSFUL "Service deployment rolled back because the circuit breaker threshold was exceeded."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: tasks failed to start.
            event (service web) rolling back to deployment ecs-svc/0000000000000000001.
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > look
            nothing
            > counts
            running {1: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn without_rollback_the_failed_one_stays_and_the_old_one_keeps_the_count() {
    check(
        "service desired=2 breaker
         deploy 1
         rest
         deploy 2
         look
         fail pending
         look
         fail pending
         look
         wait 1s
         exit t1
         look
         rest
         counts
         deploy 3
         rest
         counts",
        expect![[r#"
            > look
            start t3 of 2 (Missing)
            start t4 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t3) (task t4).
            > look
            start t5 of 2 (Missing)
            start t6 of 2 (Missing)
            deployment 2: PRIMARY IN_PROGRESS failed=2 "ECS deployment ecs-svc/0000000000000000002 in progress."
            event (service web) has started 2 tasks: (task t5) (task t6).
            > look
            deployment 2: PRIMARY FAILED failed=4 "ECS deployment circuit breaker: tasks failed to start."
            run: STOPPED "Service deployment stopped because the circuit breaker threshold was exceeded."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: tasks failed to start.
            > look
            start t7 of 1 (Missing)
            event (service web) has started 1 tasks: (task t7).
            > counts
            running {1: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
            > counts
            running {3: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn nothing_to_go_back_to() {
    check(
        "service desired=2 breaker=rollback
         deploy 1
         look
         fail pending
         look
         fail pending
         look
         wait 60s
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            start t2 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t1) (task t2).
            > look
            start t3 of 1 (Missing)
            start t4 of 1 (Missing)
            deployment 1: PRIMARY IN_PROGRESS failed=2 "ECS deployment ecs-svc/0000000000000000001 in progress."
            event (service web) has started 2 tasks: (task t3) (task t4).
            > look
            deployment 1: PRIMARY FAILED failed=4 "ECS deployment circuit breaker: tasks failed to start."
            run: ROLLBACK_FAILED "No rollback candidate was found to run the rollback."
            event (service web) (deployment ecs-svc/0000000000000000001) deployment failed: tasks failed to start.
            > look
            nothing
        "#]],
    );
}

#[test]
fn tasks_that_fail_their_checks_trip_the_breaker() {
    check(
        "service desired=1 breaker=rollback checked
         deploy 1
         rest
         deploy 2
         look
         run t2
         health t2 bad
         look
         act
         wait 1s
         look
         run t3
         health t3 bad
         look
         act
         wait 1s
         look
         run t4
         health t4 bad
         look
         rest aloud",
        expect![[r#"
            > look
            start t2 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t2).
            > look
            stop t2 (Unhealthy: Task failed container health checks)
            deployment 2: PRIMARY IN_PROGRESS failed=1 "ECS deployment ecs-svc/0000000000000000002 in progress."
            digests of 2 from t2
            event (service web) (task t2) failed container health checks.
            event (service web) has stopped 1 running tasks: (task t2).
            > look
            start t3 of 2 (Missing)
            event (service web) has started 1 tasks: (task t3).
            > look
            stop t3 (Unhealthy: Task failed container health checks)
            deployment 2: PRIMARY IN_PROGRESS failed=2 "ECS deployment ecs-svc/0000000000000000002 in progress."
            event (service web) (task t3) failed container health checks.
            event (service web) has stopped 1 running tasks: (task t3).
            > look
            start t4 of 2 (Missing)
            event (service web) has started 1 tasks: (task t4).
            > look
            stop t4 (Unhealthy: Task failed container health checks)
            deployment 2: PRIMARY IN_PROGRESS failed=3 "ECS deployment ecs-svc/0000000000000000002 in progress."
            event (service web) (task t4) failed container health checks.
            event (service web) has stopped 1 running tasks: (task t4).
            > rest aloud
            deployment 1: PRIMARY IN_PROGRESS failed=0 "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0000000000000000001."
            deployment 2: ACTIVE FAILED failed=3 "ECS deployment circuit breaker: tasks failed to start."
            run: ROLLBACK_IN_PROGRESS "Service deployment rolled back because the circuit breaker threshold was exceeded."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: tasks failed to start.
            event (service web) rolling back to deployment ecs-svc/0000000000000000001.
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: INACTIVE FAILED failed=3 "ECS deployment circuit breaker: tasks failed to start."
            run: ROLLBACK_SUCCESSFUL "Service deployment rolled back because the circuit breaker threshold was exceeded."
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
        "#]],
    );
}

#[test]
fn a_user_stopping_tasks_does_not_trip_the_breaker() {
    check(
        "service desired=1 breaker
         deploy 1
         look
         user-stop t1
         look
         user-stop t2
         look
         user-stop t3
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t1).
            > look
            start t2 of 1 (Missing)
            event (service web) has started 1 tasks: (task t2).
            > look
            start t3 of 1 (Missing)
            event (service web) has started 1 tasks: (task t3).
            > look
            start t4 of 1 (Missing)
            event (service web) has started 1 tasks: (task t4).
        "#]],
    );
}

#[test]
fn an_alarm_rolls_back_unless_it_rang_before() {
    check(
        "service desired=1 alarms=rollback
         alarm early
         deploy 1
         rest
         deploy 2
         look
         look
         alarm late
         look
         rest
         counts",
        expect![[r#"
            > look
            start t2 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t2).
            > look
            nothing
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000002))
            deployment 1: PRIMARY IN_PROGRESS failed=0 "ECS deployment alarm: rolling back to deploymentId ecs-svc/0000000000000000001."
            deployment 2: ACTIVE FAILED failed=0 "ECS deployment failed: alarm detected."
            run: ROLLBACK_IN_PROGRESS "Service deployment rolled back because alarm was detected."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: alarm detected.
            event (service web) rolling back to deployment ecs-svc/0000000000000000001.
            event (service web) stopped 1 pending tasks.
            > counts
            running {1: 1} zones {"z1": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn bake_time_delays_the_end_and_alarms_count_in_it() {
    check(
        "service desired=1 alarms=rollback bake=60
         deploy 1
         look
         act
         wait 5s
         look
         wait 59s
         look
         wait 1s
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t1).
            > look
            run: IN_PROGRESS BAKE_TIME
            digests of 1 from t1
            > look
            nothing
            > look
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            run: SUCCESSFUL
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
        "#]],
    );
}

#[test]
fn a_user_asks_to_go_back() {
    check(
        "service desired=1
         deploy 1
         rest
         deploy 2
         look
         act
         ask rollback
         look
         rest aloud",
        expect![[r#"
            > look
            start t2 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t2).
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000002))
            deployment 1: PRIMARY IN_PROGRESS failed=0 "ECS deployment rollback: rolling back to deploymentId ecs-svc/0000000000000000001."
            deployment 2: ACTIVE FAILED failed=0 "ECS deployment failed: stopped by user."
            run: ROLLBACK_IN_PROGRESS "Service deployment rolled back by user."
            digests of 2 from t2
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: stopped by user.
            event (service web) rolling back to deployment ecs-svc/0000000000000000001.
            event (service web) has stopped 1 running tasks: (task t2).
            > rest aloud
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: INACTIVE FAILED failed=0 "ECS deployment failed: stopped by user."
            run: ROLLBACK_SUCCESSFUL "Service deployment rolled back by user."
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
        "#]],
    );
}

#[test]
fn a_user_aborts() {
    check(
        "service desired=1
         deploy 1
         rest
         deploy 2
         look
         ask abort
         look
         rest
         counts",
        expect![[r#"
            > look
            start t2 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 1 tasks: (task t2).
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000002))
            deployment 2: PRIMARY FAILED failed=0 "ECS deployment failed: stopped by user."
            run: STOPPED "Service deployment stopped by user."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: stopped by user.
            event (service web) stopped 1 pending tasks.
            > counts
            running {1: 1} zones {"z1": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn a_service_of_no_tasks_completes() {
    check(
        "service desired=0
         deploy 1
         look
         look",
        expect![[r#"
            > look
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            run: SUCCESSFUL
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > look
            nothing
        "#]],
    );
}

#[test]
fn the_steady_state_is_told_again_after_six_hours() {
    check(
        "service desired=1
         deploy 1
         rest
         look
         wait 21599s
         look
         wait 1s
         look",
        expect![[r#"
            > look
            nothing
            > look
            event (service web) has reached a steady state.
            > look
            nothing
        "#]],
    );
}

#[test]
fn two_deployments_in_a_row_leave_one() {
    check(
        "service desired=2
         deploy 1
         rest
         deploy 2
         look
         deploy 3
         look
         rest aloud
         counts",
        expect![[r#"
            > look
            start t3 of 2 (Missing)
            start t4 of 2 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t3) (task t4).
            > look
            stop t4 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000002))
            stop t3 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000002))
            run: IN_PROGRESS
            event (service web) stopped 2 pending tasks.
            > rest aloud
            start t5 of 3 (Missing)
            start t6 of 3 (Missing)
            deployment 2: INACTIVE IN_PROGRESS failed=0 "ECS deployment ecs-svc/0000000000000000002 in progress."
            event (service web) has started 2 tasks: (task t5) (task t6).
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            digests of 3 from t5
            event (service web) has stopped 2 running tasks: (task t2) (task t1).
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 3: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000003 completed."
            run: SUCCESSFUL
            event (service web) (deployment ecs-svc/0000000000000000003) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {3: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn capacity_is_split_by_the_strategy() {
    check(
        "service desired=6 capacity=spot:0:2,base:2:1
         deploy 1
         rest
         counts",
        expect![[r#"
            > counts
            running {1: 6} zones {"z1": 3, "z2": 3} providers {"base": 3, "spot": 3}
        "#]],
    );
}

#[test]
fn deleting_stops_everything_protected_or_not() {
    check(
        "service desired=2
         deploy 1
         rest
         protect t1
         service draining
         look
         act
         wait 1s
         look",
        expect![[r#"
            > look
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 2 running tasks: (task t2) (task t1).
            > look
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            service INACTIVE
        "#]],
    );
}
