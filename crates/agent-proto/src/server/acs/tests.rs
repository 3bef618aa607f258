use super::*;
use crate::server::pulse::INBOUND_BURST;

fn id(n: u8) -> TaskId {
    TaskId::from_bytes([n; 16])
}

fn due(n: u8, desired: Desired) -> DueTask {
    DueTask {
        id: id(n),
        desired,
        task: Task {
            arn: format!("arn:task/{n}"),
            desired_status: desired.as_str().to_owned(),
            ..Task::default()
        },
    }
}

fn session() -> AcsSession {
    let config = AcsConfig {
        cluster_arn: "arn:cluster".to_owned(),
        instance_arn: "arn:instance".to_owned(),
        epoch: 3,
        counter: 0,
        send_credentials: false,
        seed: 1,
    };
    AcsSession::new(config, 0)
}

/// The payloads among the outputs: number and what is in them.
fn payloads(out: &[AcsOutput]) -> Vec<(i64, Vec<String>)> {
    out.iter()
        .filter_map(|output| match output {
            AcsOutput::Send(ToAgent::PayloadMessage(payload)) => Some((
                payload.seq_num.expect("payloads are numbered"),
                payload
                    .tasks
                    .iter()
                    .map(|task| format!("{} {}", task.arn, task.desired_status))
                    .collect(),
            )),
            _ => None,
        })
        .collect()
}

fn ack(number: i64) -> String {
    format!(
        r#"{{"type":"AckRequest","message":{{"cluster":"c","containerInstance":"i","messageId":"{number}"}}}}"#
    )
}

#[test]
fn numbers_rise_from_the_epoch_and_go_on_in_the_next_session() {
    let mut first = session();
    let mut out = Vec::new();
    first.deliver(0, vec![due(1, Desired::Running)], &mut out);
    first.deliver(0, vec![due(2, Desired::Running)], &mut out);
    let numbers: Vec<i64> = payloads(&out).iter().map(|(n, _)| *n).collect();
    assert_eq!(numbers, [(3 << 32) + 1, (3 << 32) + 2]);

    let mut second = AcsSession::new(
        AcsConfig {
            counter: first.counter(),
            ..session().config
        },
        0,
    );
    out.clear();
    second.deliver(0, vec![due(1, Desired::Running)], &mut out);
    assert_eq!(payloads(&out)[0].0, (3 << 32) + 3);
}

#[test]
fn a_task_is_sent_once_for_running_and_once_for_stopped() {
    let mut session = session();
    let mut out = Vec::new();
    session.deliver(0, vec![due(1, Desired::Running)], &mut out);
    session.deliver(0, vec![due(1, Desired::Running)], &mut out);
    session.deliver(0, vec![due(1, Desired::Stopped)], &mut out);
    session.deliver(0, vec![due(1, Desired::Stopped)], &mut out);
    // Desired status only leads forward.
    session.deliver(0, vec![due(1, Desired::Running)], &mut out);
    let sent: Vec<_> = payloads(&out).into_iter().map(|(_, t)| t).collect();
    assert_eq!(sent, [["arn:task/1 RUNNING"], ["arn:task/1 STOPPED"]]);
}

#[test]
fn the_same_task_twice_in_one_delivery_is_sent_once() {
    let mut session = session();
    let mut out = Vec::new();
    let tasks = vec![due(1, Desired::Running), due(1, Desired::Running)];
    session.deliver(0, tasks, &mut out);
    assert_eq!(payloads(&out)[0].1.len(), 1);
}

#[test]
fn payloads_hold_at_most_their_maximum() {
    let mut session = session();
    let mut out = Vec::new();
    let tasks = (0..23).map(|n| due(n, Desired::Running)).collect();
    session.deliver(0, tasks, &mut out);
    let sizes: Vec<usize> = payloads(&out).iter().map(|(_, t)| t.len()).collect();
    assert_eq!(sizes, [PAYLOAD_TASKS_MAX, PAYLOAD_TASKS_MAX, 3]);
}

#[test]
fn an_ack_names_its_tasks_once() {
    let mut session = session();
    let mut out = Vec::new();
    session.deliver(
        0,
        vec![due(1, Desired::Running), due(2, Desired::Running)],
        &mut out,
    );
    let number = payloads(&out)[0].0;
    out.clear();
    session.received(1, &ack(number), &mut out);
    session.received(2, &ack(number), &mut out);
    session.received(3, &ack(number + 7), &mut out);
    let acked = AcsOutput::Acked(vec![(id(1), Desired::Running), (id(2), Desired::Running)]);
    assert_eq!(out, [acked]);
}

#[test]
fn tasks_without_an_ack_for_long_may_be_sent_again() {
    let mut session = session();
    let mut out = Vec::new();
    session.deliver(0, vec![due(1, Desired::Running)], &mut out);
    let number = payloads(&out)[0].0;
    for now in (5_000..RESEND_AFTER_MS).step_by(5_000) {
        session.poll(now, &mut out);
        session.sign_of_life(now, &mut out);
        assert!(!session.wants(id(1), Desired::Running));
    }
    out.clear();
    assert!(session.due() <= RESEND_AFTER_MS);
    session.poll(RESEND_AFTER_MS, &mut out);
    assert!(out.contains(&AcsOutput::Overdue(vec![id(1)])), "{out:?}");
    assert!(session.wants(id(1), Desired::Running));
    // The late ack of the forgotten payload says nothing.
    out.clear();
    session.received(RESEND_AFTER_MS, &ack(number), &mut out);
    assert_eq!(out, []);
}

#[test]
fn a_report_takes_the_place_of_an_ack() {
    let mut session = session();
    let mut out = Vec::new();
    session.deliver(0, vec![due(1, Desired::Running)], &mut out);
    session.want_manifest(&mut out);
    assert!(!out.contains(&AcsOutput::ManifestDue));
    session.settled(id(1), Desired::Running, &mut out);
    assert!(out.contains(&AcsOutput::ManifestDue));
    // Nothing is in flight, so nothing becomes overdue, and it is not sent again.
    assert!(!session.wants(id(1), Desired::Running));
    assert!(session.wants(id(1), Desired::Stopped));
}

#[test]
fn a_manifest_waits_for_every_ack_and_has_a_higher_number() {
    let mut session = session();
    let mut out = Vec::new();
    session.deliver(0, vec![due(1, Desired::Running)], &mut out);
    let number = payloads(&out)[0].0;
    session.want_manifest(&mut out);
    out.clear();
    session.received(1, &ack(number), &mut out);
    assert_eq!(out.last(), Some(&AcsOutput::ManifestDue));
    // A payload goes out between the question and the answer: the question is put again.
    out.clear();
    session.deliver(2, vec![due(2, Desired::Running)], &mut out);
    let number = payloads(&out)[0].0;
    out.clear();
    session.manifest(vec![("arn:task/1".to_owned(), Desired::Running)], &mut out);
    assert_eq!(out, []);
    session.received(3, &ack(number), &mut out);
    assert_eq!(out.last(), Some(&AcsOutput::ManifestDue));
    out.clear();
    session.manifest(vec![("arn:task/1".to_owned(), Desired::Running)], &mut out);
    let [AcsOutput::Send(ToAgent::TaskManifestMessage(manifest))] = &out[..] else {
        panic!("{out:?}");
    };
    assert!(manifest.timeline > number);
    assert_eq!(manifest.message_id, manifest.timeline.to_string());
    assert_eq!(manifest.tasks[0].desired_status, "RUNNING");
}

#[test]
fn stop_candidates_come_once_and_only_for_the_newest_manifest() {
    let mut session = session();
    let mut out = Vec::new();
    session.want_manifest(&mut out);
    session.manifest(vec![], &mut out);
    let number = (3_i64 << 32) + 1;
    let question = |number: i64| {
        format!(
            r#"{{"type":"TaskStopVerificationMessage","message":{{"messageId":"{number}",
            "stopCandidates":[{{"taskArn":"t","taskClusterArn":"c","desiredStatus":"STOPPED"}}]}}}}"#
        )
    };
    out.clear();
    session.received(1, &question(number - 1), &mut out);
    session.received(1, &question(number), &mut out);
    session.received(1, &question(number), &mut out);
    assert!(matches!(out[0], AcsOutput::Ignored(_)));
    let AcsOutput::StopCandidates { manifest, tasks } = out[1].clone() else {
        panic!("{out:?}");
    };
    assert_eq!(tasks, ["t"]);
    assert!(matches!(out[2], AcsOutput::Ignored(_)));
    out.clear();
    session.confirm_stops(manifest, tasks, &mut out);
    let [AcsOutput::Send(ToAgent::TaskStopVerificationAck(answer))] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(answer.message_id, number.to_string());
    assert_eq!(answer.stop_tasks[0].desired_status, "STOPPED");
}

/// The text of an agent's answer to a heartbeat.
fn heartbeat_ack(number: &str) -> String {
    format!(r#"{{"type":"HeartbeatAckRequest","message":{{"messageId":"{number}"}}}}"#)
}

/// A session that has called the roll of these tasks: it, and the manifest's number.
fn roll_called(expected: &[u8]) -> (AcsSession, i64) {
    let mut session = session();
    let mut out = Vec::new();
    session.want_manifest(&mut out);
    out.clear();
    session.roll_call(expected.iter().copied().map(id).collect(), &mut out);
    let [AcsOutput::Send(ToAgent::TaskManifestMessage(manifest))] = &out[..] else {
        panic!("{out:?}");
    };
    assert!(manifest.tasks.is_empty());
    (session, manifest.timeline)
}

/// The heartbeat that asks whether an agent has no more to say.
fn fence(out: &[AcsOutput]) -> String {
    let [AcsOutput::Send(ToAgent::HeartbeatMessage(beat))] = out else {
        panic!("{out:?}");
    };
    beat.message_id.clone()
}

#[test]
fn what_an_agent_does_not_name_at_a_roll_call_is_missing() {
    let (mut session, number) = roll_called(&[1, 2, 3]);
    let mut out = Vec::new();
    let here = id(2);
    let answer = format!(
        r#"{{"type":"TaskStopVerificationMessage","message":{{"messageId":"{number}",
        "stopCandidates":[{{"taskArn":"arn:aws:ecs:r:a:task/c/{here}","taskClusterArn":"c",
        "desiredStatus":"STOPPED"}}]}}}}"#
    );
    session.received(1, &answer, &mut out);
    assert_eq!(out[0], AcsOutput::Missing(vec![id(1), id(3)]));
    assert!(matches!(out[1], AcsOutput::StopCandidates { .. }));
    // The ack may come after the answer, and asks for nothing then.
    out.clear();
    session.received(2, &ack(number), &mut out);
    assert_eq!(out, []);
}

#[test]
fn an_agent_without_tasks_acks_a_roll_call_and_has_no_more_to_say() {
    let (mut session, number) = roll_called(&[1]);
    let mut out = Vec::new();
    session.received(1, &ack(number), &mut out);
    let beat = fence(&out);
    out.clear();
    session.received(2, &heartbeat_ack("7"), &mut out);
    session.received(2, &ack(number), &mut out);
    assert_eq!(out, []);
    session.received(3, &heartbeat_ack(&beat), &mut out);
    assert_eq!(out, [AcsOutput::Missing(vec![id(1)])]);
    out.clear();
    session.received(4, &heartbeat_ack(&beat), &mut out);
    assert_eq!(out, []);
}

#[test]
fn nothing_is_missing_when_all_answer_and_nothing_is_told_without_an_ack() {
    let (mut session, number) = roll_called(&[1]);
    let mut out = Vec::new();
    session.received(1, &heartbeat_ack("1"), &mut out);
    let here = id(1);
    let answer = format!(
        r#"{{"type":"TaskStopVerificationMessage","message":{{"messageId":"{number}",
        "stopCandidates":[{{"taskArn":"arn:aws:ecs:r:a:task/c/{here}","taskClusterArn":"c",
        "desiredStatus":"STOPPED"}}]}}}}"#
    );
    session.received(1, &answer, &mut out);
    let [AcsOutput::StopCandidates { .. }] = &out[..] else {
        panic!("{out:?}");
    };
}

#[test]
fn credentials_are_asked_for_only_when_the_agent_has_none() {
    let mut out = Vec::new();
    let mut restarted = AcsSession::new(
        AcsConfig {
            send_credentials: true,
            ..session().config
        },
        0,
    );
    assert_eq!(restarted.due(), 0);
    restarted.poll(0, &mut out);
    restarted.poll(0, &mut out);
    assert_eq!(out, [AcsOutput::CredentialsWanted]);
    out.clear();
    session().poll(0, &mut out);
    assert_eq!(out, []);
}

#[test]
fn a_flood_ends_in_one_close_and_nothing_more() {
    let mut session = session();
    let mut out = Vec::new();
    for _ in 0..INBOUND_BURST * 2 {
        session.received(0, &ack(1), &mut out);
    }
    let close = Close {
        code: CLOSE_POLICY,
        reason: "too many messages",
    };
    assert_eq!(out, [AcsOutput::Close(close)]);
    session.deliver(0, vec![due(1, Desired::Running)], &mut out);
    session.poll(1_000_000, &mut out);
    session.want_manifest(&mut out);
    assert_eq!(out.len(), 1);
    assert!(session.is_closed());
}

#[test]
fn rubbish_is_tolerated_for_a_while() {
    let mut session = session();
    let mut out = Vec::new();
    for _ in 0..1_000 {
        session.received(
            0,
            r#"{"type":"AckRequest","message":{"messageId":5}}"#,
            &mut out,
        );
        session.received(0, r#"{"type":"FutureMessage","message":{}}"#, &mut out);
    }
    assert!(matches!(out[0], AcsOutput::Ignored(_)));
    assert_eq!(
        out.iter()
            .filter(|output| matches!(output, AcsOutput::Close(_)))
            .count(),
        1
    );
}
