//! The words of refusals. Expected values are the services' own, as the wire reference has them.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use berth_api::{Operation, SERVICES, decode_json, ecs, logs, validate};
use berth_wire::{FaultCode, json};

#[track_caller]
fn refused<O: Operation>(body: &str, code: &str, message: &str) {
    let input = decode_json::<O>(body.as_bytes()).unwrap();
    let fault = validate::<O>(&input).unwrap_err();
    assert_eq!(
        (&*fault.code, fault.status, &*fault.message),
        (code, 400, message)
    );
}

#[test]
fn amazon_ecs_lists_the_values_it_knows() {
    let code = "InvalidParameterException";
    refused::<ecs::op::RunTask>(
        r#"{"taskDefinition":"web","launchType":"MOON"}"#,
        code,
        "launch type should be one of [EC2,FARGATE,EXTERNAL,FMI,MANAGED_INSTANCES]",
    );
    refused::<ecs::op::CreateService>(
        r#"{"serviceName":"web","schedulingStrategy":"SOMETIMES"}"#,
        code,
        "Scheduling strategy should be one of [REPLICA,DAEMON]",
    );
    refused::<ecs::op::CreateService>(
        r#"{"serviceName":"web","propagateTags":"ALL"}"#,
        code,
        "propagateTags should be one of [TASK_DEFINITION,SERVICE,NONE]",
    );
}

#[test]
fn the_task_definition_domain_answers_with_client_exception() {
    refused::<ecs::op::RegisterTaskDefinition>(
        r#"{"containerDefinitions":[]}"#,
        "ClientException",
        "Family should not be null or empty.",
    );
    refused::<ecs::op::RunTask>(
        r#"{"cluster":"default"}"#,
        "InvalidParameterException",
        "TaskDefinition can not be blank.",
    );
}

#[test]
fn logs_says_which_constraint_of_which_value() {
    let code = "InvalidParameterException";
    refused::<logs::op::CreateLogGroup>(
        r#"{"logGroupName":"a b"}"#,
        code,
        r"1 validation error detected: Value 'a b' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\.\-_/#A-Za-z0-9]+",
    );
    refused::<logs::op::CreateLogGroup>(
        "{}",
        code,
        "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: \
         Member must not be null",
    );
    refused::<logs::op::CreateLogGroup>(
        r#"{"logGroupName":""}"#,
        code,
        "1 validation error detected: Value '' at 'logGroupName' failed to satisfy constraint: \
         Member must have length greater than or equal to 1",
    );
    refused::<logs::op::FilterLogEvents>(
        r#"{"logGroupName":"a","limit":10001}"#,
        code,
        "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: \
         Member must have value less than or equal to 10000",
    );
    refused::<logs::op::DescribeLogStreams>(
        r#"{"logGroupName":"a","orderBy":"Size"}"#,
        code,
        "1 validation error detected: Value 'Size' at 'orderBy' failed to satisfy constraint: \
         Member must satisfy enum value set: [LogStreamName, LastEventTime]",
    );
    refused::<logs::op::PutLogEvents>(
        r#"{"logGroupName":"a","logStreamName":"s","logEvents":[{"timestamp":1,"message":"x"},{"timestamp":1,"message":""}]}"#,
        code,
        "1 validation error detected: Value '' at 'logEvents.2.member.message' failed to satisfy \
         constraint: Member must have length greater than or equal to 1",
    );
}

#[test]
fn every_operation_of_the_models_is_known_by_name() {
    let [ecs, logs, sts] = SERVICES else {
        panic!("{} services", SERVICES.len())
    };
    assert_eq!((ecs.operations.len(), ecs.generated.len()), (88, 88));
    assert_eq!((logs.signing_name, sts.signing_name), ("logs", "sts"));
    for service in SERVICES {
        assert!(service.operations.is_sorted());
        assert!(
            service.generated.iter().all(|name| service.has(name)),
            "{}",
            service.name
        );
        assert!(!service.has("NoSuchOperation"));
    }
}

#[test]
fn faults_have_the_codes_and_statuses_of_the_model() {
    for (fault, code, status) in [
        (ecs::Fault::ClusterNotFound, "ClusterNotFoundException", 400),
        (ecs::Fault::Client, "ClientException", 400),
        (ecs::Fault::Server, "ServerException", 500),
        (ecs::Fault::AccessDenied, "AccessDeniedException", 400),
    ] {
        let expected = FaultCode {
            code: code.into(),
            status,
        };
        assert_eq!(FaultCode::from(fault), expected);
    }
}

#[test]
fn a_response_is_written_in_the_order_of_its_members_names() {
    let response = ecs::StopTaskResponse {
        task: Some(ecs::Task {
            task_arn: Some("arn:task".to_owned()),
            created_at: Some(berth_wire::EpochSeconds(1_789_573_438_905)),
            launch_type: Some(ecs::LaunchType::Fargate),
            containers: Some(vec![]),
            version: Some(3),
            ..Default::default()
        }),
    };
    let response = json::respond(&response, "r");
    assert_eq!(
        std::str::from_utf8(response.body()).unwrap(),
        r#"{"task":{"containers":[],"createdAt":1789573438.905,"launchType":"FARGATE","taskArn":"arn:task","version":3}}"#
    );
}
