use super::*;

fn open() -> AcsSession {
    let mut session = AcsSession::new(1, -1, 0);
    let mut out = Vec::new();
    session.poll(0, &mut out);
    session.connected(0);
    session
}

fn take(session: &mut AcsSession, frame: &str) -> Vec<AcsOutput> {
    let mut out = Vec::new();
    session.received(0, frame, &mut out);
    out
}

fn payload(number: i64) -> String {
    format!(
        r#"{{"type":"PayloadMessage","message":{{"messageId":"m{number}","clusterArn":"c",
        "containerInstanceArn":"i","seqNum":{number},"tasks":[{{"arn":"t","desiredStatus":"RUNNING",
        "containers":[],"roleCredentials":{{"credentialsId":"c1","expiration":"e1"}},
        "executionRoleCredentials":{{"credentialsId":"c2","expiration":"e2"}}}}]}}}}"#
    )
}

fn manifest(number: i64, tasks: &str) -> String {
    format!(
        r#"{{"type":"TaskManifestMessage","message":{{"messageId":"m{number}","clusterArn":"c",
        "containerInstanceArn":"i","timeline":{number},"tasks":[{tasks}]}}}}"#
    )
}

#[test]
fn credentials_are_wanted_on_the_first_connection_only() {
    let mut session = AcsSession::new(1, -1, 0);
    let mut out = Vec::new();
    session.poll(0, &mut out);
    session.ended(0, &Ended::Failed("refused".to_owned()), &mut out);
    session.poll(session.due(), &mut out);
    session.connected(1_000);
    session.ended(60_000, &Ended::Lost, &mut out);
    session.poll(60_000, &mut out);
    let wanted: Vec<bool> = out
        .iter()
        .filter_map(|output| match output {
            AcsOutput::Dial {
                dial: Dial::Connect,
                send_credentials,
            } => Some(*send_credentials),
            _ => None,
        })
        .collect();
    assert_eq!(wanted, [true, true, false]);
}

#[test]
fn a_payload_is_acked_after_it_is_stored_with_one_ack_per_set_of_credentials() {
    let mut session = open();
    let out = take(&mut session, &payload(7));
    let [AcsOutput::Store(receipt, message)] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(message.tasks[0].arn, "t");
    let mut sent = Vec::new();
    session.stored(receipt.clone(), &mut sent);
    let frames: Vec<String> = sent
        .iter()
        .map(|output| match output {
            AcsOutput::Send(message) => message.encode(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        frames,
        [
            r#"{"type":"AckRequest","message":{"cluster":"c","containerInstance":"i","messageId":"m7"}}"#,
            r#"{"type":"IAMRoleCredentialsAckRequest","message":{"messageId":"m7","credentialsId":"c1","expiration":"e1"}}"#,
            r#"{"type":"IAMRoleCredentialsAckRequest","message":{"messageId":"m7","credentialsId":"c2","expiration":"e2"}}"#,
        ]
    );
}

#[test]
fn a_manifest_counts_only_above_every_number_seen() {
    let mut session = open();
    take(&mut session, &payload(7));
    for number in [3, 7] {
        let out = take(&mut session, &manifest(number, ""));
        assert!(matches!(out[..], [AcsOutput::Ignored(_)]), "{out:?}");
    }
    let out = take(&mut session, &manifest(8, ""));
    assert!(matches!(out[..], [AcsOutput::Manifest(_)]), "{out:?}");
    let out = take(&mut session, &manifest(8, ""));
    assert!(matches!(out[..], [AcsOutput::Ignored(_)]), "{out:?}");
    // The number outlives the process.
    let mut restarted = AcsSession::new(2, 8, 0);
    let out = take(&mut restarted, &manifest(8, ""));
    assert!(matches!(out[..], [AcsOutput::Ignored(_)]), "{out:?}");
}

#[test]
fn only_tasks_not_listed_as_running_are_candidates_and_only_confirmed_ones_stop() {
    let mut session = open();
    let listed = r#"{"taskArn":"a","taskClusterArn":"c","desiredStatus":"RUNNING"},
        {"taskArn":"b","taskClusterArn":"c","desiredStatus":"STOPPED"}"#;
    let out = take(&mut session, &manifest(8, listed));
    let [AcsOutput::Manifest(message)] = &out[..] else {
        panic!("{out:?}");
    };
    let mut sent = Vec::new();
    session.manifest_saved(message, ["a", "b", "x"], &mut sent);
    let [
        AcsOutput::Send(ToServer::AckRequest(ack)),
        AcsOutput::Send(ToServer::TaskStopVerificationMessage(question)),
    ] = &sent[..]
    else {
        panic!("{sent:?}");
    };
    assert_eq!(ack.message_id, "m8");
    let candidates: Vec<&str> = question
        .stop_candidates
        .iter()
        .map(|task| task.task_arn.as_str())
        .collect();
    assert_eq!(candidates, ["b", "x"]);

    let answer = |id: &str| {
        format!(
            r#"{{"type":"TaskStopVerificationAck","message":{{"messageId":"{id}","generatedAt":1,
            "stopTasks":[{{"taskArn":"x","taskClusterArn":"c","desiredStatus":"STOPPED"}}]}}}}"#
        )
    };
    let out = take(&mut session, &answer("m5"));
    assert!(matches!(out[..], [AcsOutput::Ignored(_)]));
    let out = take(&mut session, &answer("m8"));
    assert_eq!(out, [AcsOutput::Stop(vec!["x".to_owned()])]);
    let out = take(&mut session, &answer("m8"));
    assert!(matches!(out[..], [AcsOutput::Ignored(_)]));
}

#[test]
fn a_manifest_without_candidates_is_only_acked() {
    let mut session = open();
    let out = take(&mut session, &manifest(8, ""));
    let [AcsOutput::Manifest(message)] = &out[..] else {
        panic!("{out:?}");
    };
    let mut sent = Vec::new();
    session.manifest_saved(message, [], &mut sent);
    assert!(matches!(
        sent[..],
        [AcsOutput::Send(ToServer::AckRequest(_))]
    ));
}

#[test]
fn heartbeats_and_updates_are_answered() {
    let mut session = open();
    let out = take(
        &mut session,
        r#"{"type":"HeartbeatMessage","message":{"healthy":true,"messageId":"hb1"}}"#,
    );
    let AcsOutput::Send(answer) = &out[0] else {
        panic!("{out:?}");
    };
    assert_eq!(
        answer.encode(),
        r#"{"type":"HeartbeatAckRequest","message":{"messageId":"hb1"}}"#
    );
    assert_eq!(out[1], AcsOutput::HeartbeatSeen);
    let out = take(
        &mut session,
        r#"{"type":"StageUpdateMessage","message":{"messageId":"u","clusterArn":"c","containerInstanceArn":"i"}}"#,
    );
    let [AcsOutput::Send(ToServer::NackRequest(nack))] = &out[..] else {
        panic!("{out:?}");
    };
    assert_eq!(nack.reason, "Updates are disabled");
}

#[test]
fn what_cannot_be_used_is_dropped_whole_and_unknown_types_are_no_activity() {
    let mut session = open();
    for frame in [
        r#"{"type":"PayloadMessage","message":{"messageId":"m","clusterArn":"c","containerInstanceArn":"i","tasks":[{"arn":"t","cpu":"1"}]}}"#,
        r#"{"type":"PayloadMessage","message":{"clusterArn":"c","containerInstanceArn":"i","tasks":[]}}"#,
        r#"{"type":"IAMRoleCredentialsMessage","message":{"messageId":"m","taskArn":"t","roleType":"Other","roleCredentials":{"credentialsId":"c"}}}"#,
        r#"{"type":"IAMRoleCredentialsMessage","message":{"messageId":"m","taskArn":"t","roleType":"TaskExecution"}}"#,
        "not json",
    ] {
        let out = take(&mut session, frame);
        assert!(
            matches!(out[..], [AcsOutput::Ignored(_)]),
            "{frame}: {out:?}"
        );
    }
    let before = session.due();
    let mut out = Vec::new();
    session.received(50_000, r#"{"type":"Novelty","message":{}}"#, &mut out);
    assert_eq!(session.due(), before);
}

#[test]
fn an_inactive_instance_stays_away_for_an_hour() {
    let mut session = AcsSession::new(1, -1, 0);
    let mut out = Vec::new();
    session.poll(0, &mut out);
    out.clear();
    let body = r#"{"InactiveInstanceException":"gone"}"#.to_owned();
    session.ended(5, &Ended::Failed(body), &mut out);
    assert_eq!(out, [AcsOutput::StayAway(5 + INACTIVE_WAIT_MS)]);
    assert_eq!(session.due(), 5 + INACTIVE_WAIT_MS);
}

#[test]
fn an_instance_that_the_server_does_not_know_registers_again_and_connects_at_once() {
    let mut session = open();
    let mut out = Vec::new();
    session.ended(5_000, &Ended::Lost, &mut out);
    session.poll(5_000, &mut out);
    out.clear();
    let body = r#"400 Bad Request: {"type":"InvalidInstanceException"}"#;
    session.ended(5_001, &Ended::Failed(body.to_owned()), &mut out);
    assert_eq!(out, [AcsOutput::Register]);
    // Until that is done, it goes on trying with pauses.
    assert!(session.due() > 5_100, "{}", session.due());
    out.clear();
    session.registered(5_050);
    session.poll(5_050, &mut out);
    assert!(
        matches!(
            out[..],
            [AcsOutput::Dial {
                dial: Dial::Connect,
                ..
            }]
        ),
        "{out:?}"
    );
}
