//! REPLICA services and rolling deployments.

use expect_test::expect;

use super::check;

#[test]
fn a_new_service_starts_its_tasks_completes_and_is_steady() {
    check(
        "service desired=2
         deploy 1
         look
         look
         act
         look
         wait 5s
         look
         look",
        expect![[r#"
            > look
            start t1 of 1 (Missing)
            start t2 of 1 (Missing)
            run: IN_PROGRESS
            event (service web) has started 2 tasks: (task t1) (task t2).
            > look
            nothing
            > look
            digests of 1 from t2
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
