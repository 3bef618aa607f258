use super::*;
use crate::server::pulse::INBOUND_BURST;
use crate::tcs::join_signed;

fn take(frame: &str) -> Vec<TcsOutput> {
    let mut out = Vec::new();
    TcsSession::new(1, 0).received(0, frame, &mut out);
    out
}

fn ok() -> Text {
    Text {
        message: Some("ok".to_owned()),
    }
}

const HEALTH: &str = r#"{"type":"PublishHealthRequest","message":{
  "metadata":{"cluster":"default","containerInstance":"ci","messageId":"m","fin":true},
  "tasks":[{"taskArn":"t","clusterArn":"c","taskDefinitionFamily":"f","taskDefinitionVersion":"1",
    "containers":[{"containerName":"a","healthStatus":"HEALTHY","statusSince":1795181032.957},
                  {"containerName":"b","healthStatus":"UNHEALTHY"},
                  {"containerName":"c","healthStatus":"SOMETHING"}]}],
  "timestamp":1795181033.5}}"#;

#[test]
fn health_is_acked_and_handed_on_with_or_without_a_signed_header_block() {
    let headers = [("Authorization", "AWS4-HMAC-SHA256 …"), ("Host", "h:1")];
    let signed = join_signed(&headers, HEALTH);
    assert!(signed.starts_with("Authorization: AWS4"));
    for frame in [HEALTH, &signed] {
        let out = take(frame);
        assert_eq!(out[0], TcsOutput::Send(ToAgent::AckPublishHealth(ok())));
        let TcsOutput::Health(reports) = &out[1] else {
            panic!("{out:?}");
        };
        let seen: Vec<_> = reports
            .iter()
            .map(|report| (report.container.as_str(), report.health))
            .collect();
        assert_eq!(
            seen,
            [
                ("a", Health::Healthy),
                ("b", Health::Unhealthy),
                ("c", Health::Unknown)
            ]
        );
        assert_eq!(reports[0].since, Some(1_795_181_032.957));
    }
}

#[test]
fn an_idle_note_is_acked_and_no_more() {
    let out = take(
        r#"{"type":"PublishMetricsRequest","message":{"metadata":{"cluster":"default",
        "containerInstance":"ci","messageId":"m","idle":true,"fin":true},"timestamp":1795181033}}"#,
    );
    assert_eq!(out, [TcsOutput::Send(ToAgent::AckPublishMetric(ok()))]);
}

#[test]
fn instance_status_is_acked_and_handed_on() {
    let out = take(
        r#"{"type":"PublishInstanceStatusRequest","message":{"metadata":{"cluster":"default",
        "containerInstance":"ci","requestId":"r"},"statuses":[{"type":"ContainerRuntime","status":"OK"}],
        "timestamp":1795181033}}"#,
    );
    assert_eq!(
        out[0],
        TcsOutput::Send(ToAgent::AckPublishInstanceStatus(ok()))
    );
    let TcsOutput::InstanceStatus(statuses) = &out[1] else {
        panic!("{out:?}");
    };
    assert_eq!(statuses[0].status, "OK");
}

#[test]
fn frames_without_json_are_ignored_and_a_flood_is_closed() {
    assert!(matches!(take("no header end")[..], [TcsOutput::Ignored(_)]));
    assert!(matches!(take("")[..], [TcsOutput::Ignored(_)]));
    let mut session = TcsSession::new(1, 0);
    let mut out = Vec::new();
    for _ in 0..INBOUND_BURST * 2 {
        session.received(0, HEALTH, &mut out);
    }
    let closes = out
        .iter()
        .filter(|output| matches!(output, TcsOutput::Close(_)))
        .count();
    assert_eq!(closes, 1);
    assert!(matches!(out.last(), Some(TcsOutput::Close(_))));
}
