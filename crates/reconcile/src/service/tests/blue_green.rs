//! BLUE_GREEN, LINEAR and CANARY deployments.

use expect_test::expect;

use super::check;

#[test]
fn blue_green_goes_through_its_stages() {
    check(
        "service desired=2 strategy=blue-green bake=60
         deploy 1
         rest
         deploy 2
         rest aloud
         counts",
        expect![[r#"
            > rest aloud
            run: IN_PROGRESS SCALE_UP
            start t3 of 2 (Missing)
            start t4 of 2 (Missing)
            event (service web) has started 2 tasks: (task t3) (task t4).
            run: IN_PROGRESS POST_SCALE_UP
            digests of 2 from t4
            run: IN_PROGRESS TEST_TRAFFIC_SHIFT
            run: IN_PROGRESS POST_TEST_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRE_PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS POST_PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS BAKE_TIME production=1000 test=1000
            run: IN_PROGRESS CLEAN_UP production=1000 test=1000
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 2 running tasks: (task t2) (task t1).
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000002 completed."
            run: SUCCESSFUL production=1000 test=1000
            event (service web) (deployment ecs-svc/0000000000000000002) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {2: 2} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn linear_shifts_in_steps() {
    check(
        "service desired=1 strategy=linear
         deploy 1
         rest
         deploy 2
         rest aloud
         counts",
        expect![[r#"
            > rest aloud
            run: IN_PROGRESS SCALE_UP
            start t2 of 2 (Missing)
            event (service web) has started 1 tasks: (task t2).
            run: IN_PROGRESS POST_SCALE_UP
            digests of 2 from t2
            run: IN_PROGRESS TEST_TRAFFIC_SHIFT
            run: IN_PROGRESS POST_TEST_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRE_PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=400 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=800 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS POST_PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS BAKE_TIME production=1000 test=1000
            run: IN_PROGRESS CLEAN_UP production=1000 test=1000
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t1).
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000002 completed."
            run: SUCCESSFUL production=1000 test=1000
            event (service web) (deployment ecs-svc/0000000000000000002) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {2: 1} zones {"z2": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn canary_shifts_a_little_first() {
    check(
        "service desired=1 strategy=canary
         deploy 1
         rest
         deploy 2
         rest aloud
         counts",
        expect![[r#"
            > rest aloud
            run: IN_PROGRESS SCALE_UP
            start t2 of 2 (Missing)
            event (service web) has started 1 tasks: (task t2).
            run: IN_PROGRESS POST_SCALE_UP
            digests of 2 from t2
            run: IN_PROGRESS TEST_TRAFFIC_SHIFT
            run: IN_PROGRESS POST_TEST_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRE_PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=100 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS POST_PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS BAKE_TIME production=1000 test=1000
            run: IN_PROGRESS CLEAN_UP production=1000 test=1000
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t1).
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000002 completed."
            run: SUCCESSFUL production=1000 test=1000
            event (service web) (deployment ecs-svc/0000000000000000002) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {2: 1} zones {"z2": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn a_pause_waits_for_a_user() {
    check(
        "service desired=1 strategy=blue-green pause=POST_SCALE_UP
         deploy 1
         rest
         answer continue
         rest
         deploy 2
         rest
         look
         answer continue
         look
         rest
         counts",
        expect![[r#"
            > look
            nothing
            > look
            run: IN_PROGRESS TEST_TRAFFIC_SHIFT
            > counts
            running {2: 1} zones {"z2": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn a_pause_that_nobody_answers_goes_back() {
    check(
        "service desired=1 strategy=blue-green
         deploy 1
         rest
         service pause=POST_TEST_TRAFFIC_SHIFT
         deploy 2
         rest
         wait 3600s
         look
         rest aloud
         counts",
        expect![[r#"
            > look
            deployment 1: PRIMARY IN_PROGRESS failed=0 "ECS deployment rollback: rolling back to deploymentId ecs-svc/0000000000000000001."
            deployment 2: ACTIVE FAILED failed=0 "ECS deployment failed: Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out."
            run: ROLLBACK_IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=0 test=1000 "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out.
            event (service web) rolling back to deployment ecs-svc/0000000000000000001.
            > rest aloud
            run: ROLLBACK_IN_PROGRESS TEST_TRAFFIC_SHIFT production=0 test=1000 "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out."
            run: ROLLBACK_IN_PROGRESS CLEAN_UP "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out."
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000002))
            event (service web) has stopped 1 running tasks: (task t2).
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: INACTIVE FAILED failed=0 "ECS deployment failed: Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out."
            run: ROLLBACK_SUCCESSFUL "Service deployment rolled back because POST_TEST_TRAFFIC_SHIFT pause hook timed out."
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {1: 1} zones {"z1": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn a_hook_that_fails_in_the_shift_takes_the_traffic_back() {
    check(
        "service desired=1 strategy=blue-green
         deploy 1
         rest
         service call=PRODUCTION_TRAFFIC_SHIFT
         deploy 2
         rest
         look
         answer rollback
         rest aloud
         answer continue
         rest aloud
         counts",
        expect![[r#"
            > look
            nothing
            > rest aloud
            deployment 1: PRIMARY IN_PROGRESS failed=0 "ECS deployment rollback: rolling back to deploymentId ecs-svc/0000000000000000001."
            deployment 2: ACTIVE FAILED failed=0 "ECS deployment failed: Service deployment rolled back because PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed. Lifecycle hook target arn:hook returned FAILED status."
            run: ROLLBACK_IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000 "Service deployment rolled back because PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed. Lifecycle hook target arn:hook returned FAILED status."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: Service deployment rolled back because PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed. Lifecycle hook target arn:hook returned FAILED status.
            event (service web) rolling back to deployment ecs-svc/0000000000000000001.
            run: ROLLBACK_IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=0 test=1000 "Service deployment rolled back because PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed. Lifecycle hook target arn:hook returned FAILED status."
            call hook 0 in PRODUCTION_TRAFFIC_SHIFT
            > rest aloud
            run: ROLLBACK_IN_PROGRESS TEST_TRAFFIC_SHIFT production=0 test=1000 "Service deployment rolled back because PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed. Lifecycle hook target arn:hook returned FAILED status."
            run: ROLLBACK_IN_PROGRESS CLEAN_UP "Service deployment rolled back because PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed. Lifecycle hook target arn:hook returned FAILED status."
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000002))
            event (service web) has stopped 1 running tasks: (task t2).
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: INACTIVE FAILED failed=0 "ECS deployment failed: Service deployment rolled back because PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed. Lifecycle hook target arn:hook returned FAILED status."
            run: ROLLBACK_SUCCESSFUL "Service deployment rolled back because PRODUCTION_TRAFFIC_SHIFT lifecycle hook(s) failed. Lifecycle hook target arn:hook returned FAILED status."
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {1: 1} zones {"z1": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn tasks_that_fail_go_back_before_any_traffic() {
    check(
        "service desired=1 strategy=canary breaker=rollback
         deploy 1
         rest
         deploy 2
         look
         look
         look
         fail pending
         look
         fail pending
         look
         fail pending
         look
         rest aloud
         counts",
        expect![[r#"
            > look
            run: IN_PROGRESS SCALE_UP
            > look
            start t2 of 2 (Missing)
            event (service web) has started 1 tasks: (task t2).
            > look
            nothing
            > look
            start t3 of 2 (Missing)
            deployment 2: PRIMARY IN_PROGRESS failed=1 "ECS deployment ecs-svc/0000000000000000002 in progress."
            event (service web) has started 1 tasks: (task t3).
            > look
            start t4 of 2 (Missing)
            deployment 2: PRIMARY IN_PROGRESS failed=2 "ECS deployment ecs-svc/0000000000000000002 in progress."
            event (service web) has started 1 tasks: (task t4).
            > look
            deployment 1: PRIMARY IN_PROGRESS failed=0 "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0000000000000000001."
            deployment 2: ACTIVE FAILED failed=3 "ECS deployment circuit breaker: tasks failed to start."
            run: ROLLBACK_IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT "Service deployment rolled back because the circuit breaker threshold was exceeded."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: tasks failed to start.
            event (service web) rolling back to deployment ecs-svc/0000000000000000001.
            > rest aloud
            run: ROLLBACK_IN_PROGRESS TEST_TRAFFIC_SHIFT "Service deployment rolled back because the circuit breaker threshold was exceeded."
            run: ROLLBACK_IN_PROGRESS CLEAN_UP "Service deployment rolled back because the circuit breaker threshold was exceeded."
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: INACTIVE FAILED failed=3 "ECS deployment circuit breaker: tasks failed to start."
            run: ROLLBACK_SUCCESSFUL "Service deployment rolled back because the circuit breaker threshold was exceeded."
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {1: 1} zones {"z1": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn an_alarm_in_bake_time_goes_back() {
    check(
        "service desired=1 strategy=blue-green bake=7200 alarms=rollback
         deploy 1
         rest
         deploy 2
         rest
         look
         alarm loud
         rest aloud
         counts",
        expect![[r#"
            > look
            nothing
            > rest aloud
            deployment 1: PRIMARY IN_PROGRESS failed=0 "ECS deployment alarm: rolling back to deploymentId ecs-svc/0000000000000000001."
            deployment 2: ACTIVE FAILED failed=0 "ECS deployment failed: alarm detected."
            run: ROLLBACK_IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000 "Service deployment rolled back because alarm was detected."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: alarm detected.
            event (service web) rolling back to deployment ecs-svc/0000000000000000001.
            run: ROLLBACK_IN_PROGRESS TEST_TRAFFIC_SHIFT production=0 test=1000 "Service deployment rolled back because alarm was detected."
            run: ROLLBACK_IN_PROGRESS CLEAN_UP "Service deployment rolled back because alarm was detected."
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000002))
            event (service web) has stopped 1 running tasks: (task t2).
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: INACTIVE FAILED failed=0 "ECS deployment failed: alarm detected."
            run: ROLLBACK_SUCCESSFUL "Service deployment rolled back because alarm was detected."
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {1: 1} zones {"z1": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn a_newer_deployment_reconciles_first() {
    check(
        "service desired=1 strategy=blue-green bake=7200
         deploy 1
         rest
         deploy 2
         rest
         counts
         deploy 3
         rest aloud
         counts",
        expect![[r#"
            > counts
            running {1: 1, 2: 1} zones {"z1": 1, "z2": 1} providers {"-": 2}
            > rest aloud
            stop t2 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000002))
            run: IN_PROGRESS RECONCILE_SERVICE
            event (service web) has stopped 1 running tasks: (task t2).
            run: IN_PROGRESS PRE_SCALE_UP
            run: IN_PROGRESS SCALE_UP
            start t3 of 3 (Missing)
            event (service web) has started 1 tasks: (task t3).
            run: IN_PROGRESS POST_SCALE_UP
            digests of 3 from t3
            run: IN_PROGRESS TEST_TRAFFIC_SHIFT
            run: IN_PROGRESS POST_TEST_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRE_PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS POST_PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS BAKE_TIME production=1000 test=1000
            > counts
            running {1: 1, 3: 1} zones {"z1": 1, "z2": 1} providers {"-": 2}
        "#]],
    );
}

#[test]
fn a_call_without_an_answer_goes_on_where_that_is_configured() {
    check(
        "service desired=1 strategy=blue-green
         deploy 1
         rest
         service call=PRE_SCALE_UP
         deploy 2
         look
         wait 3599s
         look
         wait 1s
         look",
        expect![[r#"
            > look
            run: IN_PROGRESS PRE_SCALE_UP
            call hook 0 in PRE_SCALE_UP
            > look
            nothing
            > look
            run: IN_PROGRESS SCALE_UP
        "#]],
    );
}

#[test]
fn aborting_gives_the_traffic_back_too() {
    check(
        "service desired=1 strategy=canary
         deploy 1
         rest
         deploy 2
         look
         look
         act
         wait 5s
         look
         look
         look
         look
         look
         look
         ask abort
         look
         look
         look
         rest
         counts",
        expect![[r#"
            > look
            run: IN_PROGRESS SCALE_UP
            > look
            start t2 of 2 (Missing)
            event (service web) has started 1 tasks: (task t2).
            > look
            run: IN_PROGRESS POST_SCALE_UP
            digests of 2 from t2
            > look
            run: IN_PROGRESS TEST_TRAFFIC_SHIFT
            > look
            run: IN_PROGRESS POST_TEST_TRAFFIC_SHIFT production=0 test=1000
            > look
            run: IN_PROGRESS PRE_PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            > look
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            > look
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=100 test=1000
            > look
            deployment 1: PRIMARY IN_PROGRESS failed=0 "ECS deployment rollback: rolling back to deploymentId ecs-svc/0000000000000000001."
            deployment 2: ACTIVE FAILED failed=0 "ECS deployment failed: stopped by user."
            run: ROLLBACK_IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=100 test=1000 "Service deployment rolled back by user."
            event (service web) (deployment ecs-svc/0000000000000000002) deployment failed: stopped by user.
            event (service web) rolling back to deployment ecs-svc/0000000000000000001.
            > look
            run: ROLLBACK_IN_PROGRESS TEST_TRAFFIC_SHIFT production=0 test=1000 "Service deployment rolled back by user."
            > look
            run: ROLLBACK_IN_PROGRESS CLEAN_UP "Service deployment rolled back by user."
            > counts
            running {1: 1} zones {"z1": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn a_stage_waits_until_the_traffic_is_what_was_wished_for() {
    check(
        "service desired=1 strategy=blue-green
         deploy 1
         rest
         traffic 0 0
         deploy 2
         rest
         look
         traffic 0 1000
         rest aloud
         traffic 1000 1000
         rest aloud
         counts",
        expect![[r#"
            > look
            nothing
            > rest aloud
            run: IN_PROGRESS POST_TEST_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRE_PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            > rest aloud
            run: IN_PROGRESS POST_PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS BAKE_TIME production=1000 test=1000
            run: IN_PROGRESS CLEAN_UP production=1000 test=1000
            stop t1 (Scaling: Scaling activity initiated by (deployment ecs-svc/0000000000000000001))
            event (service web) has stopped 1 running tasks: (task t1).
            deployment 1: INACTIVE COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            deployment 2: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000002 completed."
            run: SUCCESSFUL production=1000 test=1000
            event (service web) (deployment ecs-svc/0000000000000000002) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {2: 1} zones {"z2": 1} providers {"-": 1}
        "#]],
    );
}

#[test]
fn a_first_deployment_has_nothing_to_bake() {
    check(
        "service desired=1 strategy=blue-green bake=7200 breaker=rollback
         deploy 1
         rest aloud
         counts",
        expect![[r#"
            > rest aloud
            run: IN_PROGRESS SCALE_UP
            start t1 of 1 (Missing)
            event (service web) has started 1 tasks: (task t1).
            run: IN_PROGRESS POST_SCALE_UP
            digests of 1 from t1
            run: IN_PROGRESS TEST_TRAFFIC_SHIFT
            run: IN_PROGRESS POST_TEST_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRE_PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=0 test=1000
            run: IN_PROGRESS PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS POST_PRODUCTION_TRAFFIC_SHIFT production=1000 test=1000
            run: IN_PROGRESS BAKE_TIME production=1000 test=1000
            run: IN_PROGRESS CLEAN_UP production=1000 test=1000
            deployment 1: PRIMARY COMPLETED failed=0 "ECS deployment ecs-svc/0000000000000000001 completed."
            run: SUCCESSFUL production=1000 test=1000
            event (service web) (deployment ecs-svc/0000000000000000001) deployment completed.
            event (service web) has reached a steady state.
            > counts
            running {1: 1} zones {"z1": 1} providers {"-": 1}
        "#]],
    );
}
