//! The messages of the reference, letter for letter.

use berth_agent_proto::task::{Container, DockerConfig, PortMapping, Task};
use berth_agent_proto::{acs, tcs};

/// The minimal working payload (reference §4.3.7), less the space between tokens.
const PAYLOAD: &str = concat!(
    r#"{"type":"PayloadMessage","message":{"messageId":"m-1","clusterArn":"arn:aws:ecs:us-east-1:123456789012:cluster/default","#,
    r#""containerInstanceArn":"arn:aws:ecs:us-east-1:123456789012:container-instance/default/0123","seqNum":7,"generatedAt":1795181032957,"#,
    r#""tasks":[{"arn":"arn:aws:ecs:us-east-1:123456789012:task/default/aaaa","desiredStatus":"RUNNING","family":"web","version":"3","#,
    r#""containers":[{"name":"app","image":"nginx:1","essential":true,"environment":{"A":"b"},"cpu":128,"memory":256,"#,
    r#""portMappings":[{"containerPort":80,"hostPort":0,"protocol":"tcp"}],"overrides":"{}","#,
    r#""dockerConfig":{"version":"1.21","config":"{}","hostConfig":"{\"NetworkMode\":\"bridge\"}"}}],"#,
    r#""overrides":"{}","networkMode":"bridge","launchType":"EXTERNAL"}]}}"#,
);

fn payload() -> acs::ToAgent {
    let container = Container {
        name: "app".to_owned(),
        image: "nginx:1".to_owned(),
        essential: true,
        cpu: 128,
        memory: 256,
        environment: Some([("A".to_owned(), "b".to_owned())].into()),
        port_mappings: vec![PortMapping {
            container_port: Some(80),
            host_port: Some(0),
            container_port_range: None,
            protocol: Some("tcp".to_owned()),
        }],
        overrides: Some("{}".to_owned()),
        docker_config: Some(DockerConfig {
            version: Some("1.21".to_owned()),
            config: Some("{}".to_owned()),
            host_config: Some(r#"{"NetworkMode":"bridge"}"#.to_owned()),
        }),
        ..Container::default()
    };
    acs::ToAgent::PayloadMessage(acs::Payload {
        message_id: "m-1".to_owned(),
        cluster_arn: "arn:aws:ecs:us-east-1:123456789012:cluster/default".to_owned(),
        container_instance_arn:
            "arn:aws:ecs:us-east-1:123456789012:container-instance/default/0123".to_owned(),
        seq_num: Some(7),
        generated_at: Some(1_795_181_032_957),
        tasks: vec![Task {
            arn: "arn:aws:ecs:us-east-1:123456789012:task/default/aaaa".to_owned(),
            family: "web".to_owned(),
            version: "3".to_owned(),
            desired_status: "RUNNING".to_owned(),
            overrides: Some("{}".to_owned()),
            network_mode: Some("bridge".to_owned()),
            launch_type: Some("EXTERNAL".to_owned()),
            containers: vec![container],
            ..Task::default()
        }],
    })
}

#[test]
fn the_minimal_payload_is_written_as_the_reference_has_it() {
    assert_eq!(payload().encode(), PAYLOAD);
}

#[test]
fn the_minimal_payload_is_read_in_the_references_own_order_of_keys() {
    let text = r#"{"type":"PayloadMessage","message":{"messageId":"m-1","clusterArn":"arn:aws:ecs:us-east-1:123456789012:cluster/default",
 "containerInstanceArn":"arn:aws:ecs:us-east-1:123456789012:container-instance/default/0123","seqNum":7,"generatedAt":1795181032957,
 "tasks":[{"arn":"arn:aws:ecs:us-east-1:123456789012:task/default/aaaa","family":"web","version":"3","desiredStatus":"RUNNING",
  "overrides":"{}","networkMode":"bridge","launchType":"EXTERNAL",
  "containers":[{"name":"app","image":"nginx:1","essential":true,"cpu":128,"memory":256,"environment":{"A":"b"},
    "portMappings":[{"containerPort":80,"hostPort":0,"protocol":"tcp"}],"overrides":"{}",
    "dockerConfig":{"version":"1.21","config":"{}","hostConfig":"{\"NetworkMode\":\"bridge\"}"}}],"volumes":[]}]}}"#;
    assert_eq!(acs::ToAgent::decode(text).expect("it reads"), payload());
}

#[test]
fn answers_of_the_agent_read_back_as_they_were_written() {
    for text in [
        r#"{"type":"AckRequest","message":{"cluster":"c","containerInstance":"i","messageId":"m1"}}"#,
        r#"{"type":"NackRequest","message":{"cluster":"c","containerInstance":"i","messageId":"m1","reason":"Updates are disabled"}}"#,
        r#"{"type":"HeartbeatAckRequest","message":{"messageId":"hb1"}}"#,
        r#"{"type":"IAMRoleCredentialsAckRequest","message":{"messageId":"m1","credentialsId":"c1","expiration":"2026-12-01T00:00:00Z"}}"#,
        r#"{"type":"TaskStopVerificationMessage","message":{"messageId":"m","stopCandidates":[{"taskArn":"t","taskClusterArn":"c","desiredStatus":"STOPPED"}]}}"#,
    ] {
        let message = acs::ToServer::decode(text).expect("it reads");
        assert!(!matches!(message, acs::ToServer::Unknown(_)), "{text}");
        assert_eq!(message.encode(), text);
    }
}

#[test]
fn messages_of_the_server_read_back_as_they_were_written() {
    for text in [
        r#"{"type":"HeartbeatMessage","message":{"messageId":"hb1","healthy":true}}"#,
        r#"{"type":"IAMRoleCredentialsMessage","message":{"messageId":"m5","taskArn":"t","roleType":"TaskApplication","roleCredentials":{"credentialsId":"c1","roleArn":"r","accessKeyId":"a","secretAccessKey":"s","sessionToken":"t","expiration":"2026-12-01T00:00:00Z"}}}"#,
        r#"{"type":"TaskManifestMessage","message":{"messageId":"m","clusterArn":"c","containerInstanceArn":"i","timeline":12,"tasks":[{"taskArn":"t","taskClusterArn":"c","desiredStatus":"RUNNING"}]}}"#,
        r#"{"type":"TaskStopVerificationAck","message":{"messageId":"m","generatedAt":1,"stopTasks":[{"taskArn":"t","taskClusterArn":"c","desiredStatus":"STOPPED"}]}}"#,
        r#"{"type":"PerformUpdateMessage","message":{"messageId":"m","clusterArn":"c","containerInstanceArn":"i","updateInfo":{"location":"l","signature":"s"}}}"#,
        r#"{"type":"AttachTaskNetworkInterfacesMessage","message":{"messageId":"m","clusterArn":"c","containerInstanceArn":"i","taskArn":"t","waitTimeoutMs":1000,"elasticNetworkInterfaces":[{"attachmentArn":"a","ec2Id":"e","macAddress":"02:00:00:00:00:01","ipv4Addresses":[{"privateAddress":"10.0.0.5","primary":true}],"subnetGatewayIpv4Address":"10.0.0.1/24"}]}}"#,
        r#"{"type":"ConfirmAttachmentMessage","message":{"messageId":"m","clusterArn":"c","containerInstanceArn":"i","waitTimeoutMs":300000,"attachment":{"attachmentArn":"a","attachmentType":"amazonebs","attachmentProperties":[{"name":"volumeId","value":"v"}]}}}"#,
    ] {
        let message = acs::ToAgent::decode(text).expect("it reads");
        assert!(!matches!(message, acs::ToAgent::Unknown(_)), "{text}");
        assert_eq!(message.encode(), text);
    }
}

#[test]
fn telemetry_reads_back_as_it_was_written() {
    for text in [
        r#"{"type":"PublishMetricsRequest","message":{"metadata":{"cluster":"default","containerInstance":"ci","messageId":"m","idle":false,"fin":true},"taskMetrics":[{"taskArn":"t","taskDefinitionFamily":"f","taskDefinitionVersion":"1","containerMetrics":[{"containerName":"app","cpuStatsSet":{"min":0.5,"max":1.5,"sum":20.0,"sampleCount":20},"memoryStatsSet":{"min":3.0,"max":4.0,"sum":70.0,"sampleCount":20},"networkStatsSet":{"rxBytes":{"min":1,"max":2,"sum":3,"sampleCount":2,"overflowSum":9},"rxBytesPerSecond":{"min":0.0,"max":1.0,"sum":1.0,"sampleCount":2}},"storageStatsSet":{"readSizeBytes":{"min":1,"max":2,"sum":3,"sampleCount":2}},"restartStatsSet":{"restartCount":2}}]}],"timestamp":1795181033.5}}"#,
        r#"{"type":"PublishHealthRequest","message":{"metadata":{"cluster":"default","containerInstance":"ci","messageId":"m","fin":true},"tasks":[{"taskArn":"t","taskDefinitionFamily":"f","taskDefinitionVersion":"1","containers":[{"containerName":"app","healthStatus":"HEALTHY","statusSince":1795181033.25}]}],"timestamp":1795181033.5}}"#,
        r#"{"type":"PublishInstanceStatusRequest","message":{"metadata":{"cluster":"default","containerInstance":"ci","requestId":"r"},"statuses":[{"type":"ContainerRuntime","status":"OK","lastUpdated":1795181033.5,"lastStatusChange":1795181030.5}],"timestamp":1795181033.5}}"#,
    ] {
        let message = tcs::ToServer::decode(text).expect("it reads");
        assert!(!matches!(message, tcs::ToServer::Unknown(_)), "{text}");
        assert_eq!(message.encode(), text);
    }
    for text in [
        r#"{"type":"AckPublishMetric","message":{"message":"ok"}}"#,
        r#"{"type":"AckPublishHealth","message":{}}"#,
        r#"{"type":"AckPublishInstanceStatus","message":{}}"#,
        r#"{"type":"HeartbeatMessage","message":{"healthy":true}}"#,
    ] {
        assert_eq!(tcs::ToAgent::decode(text).expect("it reads").encode(), text);
    }
}

#[test]
fn a_wrong_json_type_is_an_error_and_an_unknown_type_is_not() {
    for text in [
        r#"{"type":"PayloadMessage","message":{"tasks":[{"cpu":"1"}]}}"#,
        r#"{"type":"PayloadMessage","message":{"tasks":[{"overrides":{}}]}}"#,
        r#"{"type":"PayloadMessage","message":{"tasks":[{"memory":5.0}]}}"#,
        r#"{"type":"PayloadMessage","message":{"tasks":[{"containers":[{"environment":[]}]}]}}"#,
        r#"{"type":5,"message":{}}"#,
        r#"{"message":{}}"#,
        "[]",
        "",
    ] {
        assert!(acs::ToAgent::decode(text).is_err(), "{text}");
    }
    assert_eq!(
        acs::ToAgent::decode(r#"{"type":"Novelty","message":[1]}"#).expect("an answer"),
        acs::ToAgent::Unknown("Novelty".to_owned())
    );
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let text = r#"{"type":"IAMRoleCredentialsMessage","message":{"roleCredentials":{"credentialsId":"hidden","secretAccessKey":"hidden","sessionToken":"hidden"}}}"#;
    let shown = format!("{:?}", acs::ToAgent::decode(text).expect("it reads"));
    assert!(!shown.contains("hidden"), "{shown}");
}
