use super::*;

fn open() -> TcsSession {
    let mut session = TcsSession::new(1, 0);
    let mut out = Vec::new();
    session.poll(0, &mut out);
    assert_eq!(out, [TcsOutput::Dial(Dial::Connect)]);
    session.connected(0);
    session
}

/// Lets `seconds` pass with a server that acks or one that is silent; what happened and when.
fn run(session: &mut TcsSession, seconds: u64, acks: bool) -> Vec<(u64, TcsOutput)> {
    let mut seen = Vec::new();
    let mut out = Vec::new();
    while session.due() < seconds * 1_000 {
        let now = session.due();
        session.poll(now, &mut out);
        for output in out.drain(..) {
            seen.push((now, output));
            if acks && matches!(output, TcsOutput::Publish { .. }) {
                session.received(now, r#"{"type":"AckPublishMetric","message":{}}"#);
            }
        }
    }
    seen
}

#[test]
fn it_publishes_every_20_s_and_tells_the_instances_status_once_at_first() {
    let mut session = open();
    let seen = run(&mut session, 600, true);
    let published: Vec<(u64, bool)> = seen
        .iter()
        .map(|(at, output)| match output {
            TcsOutput::Publish { instance_status } => (*at, *instance_status),
            other @ TcsOutput::Dial(_) => panic!("{other:?}"),
        })
        .collect();
    assert!(published[0].0 <= PUBLISH_EVERY_MS);
    assert!(
        published
            .windows(2)
            .all(|w| w[1].0 - w[0].0 == PUBLISH_EVERY_MS)
    );
    assert_eq!(published.iter().filter(|(_, status)| *status).count(), 1);
    session.want_instance_status();
    let seen = run(&mut session, 620, true);
    assert!(matches!(
        seen[0].1,
        TcsOutput::Publish {
            instance_status: true
        }
    ));
}

#[test]
fn without_acks_the_connection_is_closed_and_made_anew() {
    let mut session = open();
    let seen = run(&mut session, 121, false);
    let dials: Vec<_> = seen
        .iter()
        .filter(|(_, output)| matches!(output, TcsOutput::Dial(_)))
        .collect();
    assert!(matches!(
        dials[..],
        [(60_000..=120_000, TcsOutput::Dial(Dial::Close)), ..]
    ));
    let now = 121_000;
    session.ended(
        now,
        &Ended::Closed {
            code: 1000,
            reason: String::new(),
        },
    );
    let mut out = Vec::new();
    session.poll(session.due().max(now), &mut out);
    assert!(out.is_empty() || out == [TcsOutput::Dial(Dial::Connect)]);
}

#[test]
fn a_change_can_bring_the_next_publication_forward() {
    let mut session = open();
    run(&mut session, 60, true);
    session.want_publication(60_000, 500);
    assert!(session.due() <= 60_500);
}
