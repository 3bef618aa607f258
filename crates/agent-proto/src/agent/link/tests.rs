use super::*;

const RULES: LinkRules = LinkRules {
    first_ms: 250,
    growth_tenths: 15,
    longest_ms: 10_000,
    closes_when_idle: false,
};

fn closed(code: u16, reason: &str) -> Ended {
    Ended::Closed {
        code,
        reason: reason.to_owned(),
    }
}

/// How long after `how` ended a connection of `lived` ms the next attempt comes.
fn wait_after(how: &Ended, lived: u64) -> u64 {
    let mut link = Link::new(RULES, 1, 0);
    assert_eq!(link.poll(0), Some(Dial::Connect));
    link.connected(0);
    link.ended(lived, how);
    link.due() - lived
}

#[test]
fn normal_ends_lead_back_at_once_and_others_after_a_wait() {
    for code in [1000, 1001, 1011] {
        assert_eq!(wait_after(&closed(code, ""), 5_000), 0, "{code}");
    }
    assert_eq!(wait_after(&Ended::Lost, 5_000), 0);
    for code in [1002, 1003, 1008, 1012, 4000] {
        assert!(
            (250..=300).contains(&wait_after(&closed(code, ""), 5_000)),
            "{code}"
        );
    }
}

#[test]
fn a_server_that_accepts_and_closes_sees_no_storm() {
    let mut link = Link::new(RULES, 1, 0);
    let mut attempts = 0;
    while link.due() < 60_000 {
        let now = link.due();
        assert_eq!(link.poll(now), Some(Dial::Connect));
        attempts += 1;
        link.connected(now);
        link.ended(now + 1, &Ended::Lost);
    }
    assert!((5..30).contains(&attempts), "{attempts}");
}

#[test]
fn waits_grow_to_their_limit() {
    let mut link = Link::new(RULES, 1, 0);
    let mut waits = Vec::new();
    let mut now = 0;
    for _ in 0..20 {
        assert_eq!(link.poll(now), Some(Dial::Connect));
        link.ended(now, &Ended::Failed("refused".to_owned()));
        waits.push(link.due() - now);
        now = link.due();
    }
    assert!((250..=300).contains(&waits[0]));
    assert!(waits[19] >= 10_000 && waits[19] <= 12_000, "{waits:?}");
}

#[test]
fn silence_drops_the_socket_between_one_and_two_minutes() {
    let mut link = Link::new(RULES, 1, 0);
    link.poll(0);
    link.connected(0);
    link.active(30_000);
    let at = link.due();
    assert_eq!(link.poll(at - 1), None);
    let mut now = at;
    // The first date may be the one at which the wait is reset.
    let dial = loop {
        if let Some(dial) = link.poll(now) {
            break dial;
        }
        now = link.due();
    };
    assert_eq!(dial, Dial::Drop);
    assert!((90_000..=150_000).contains(&now), "{now}");
    assert!(link.due() > now, "comes back after a wait");
}

#[test]
fn an_old_connection_is_closed_and_followed_by_a_new_one() {
    for answers in [true, false] {
        let mut link = Link::new(RULES, 1, 0);
        link.poll(0);
        link.connected(0);
        let mut now = 0;
        let dial = loop {
            now += 10_000;
            link.active(now);
            if let Some(dial) = link.poll(now) {
                break dial;
            }
        };
        assert_eq!(dial, Dial::Close);
        assert!((1_800_000..=2_110_000).contains(&now), "{now}");
        if answers {
            link.ended(now + 5, &closed(1000, ""));
            assert_eq!(link.poll(now + 5), Some(Dial::Connect));
        } else {
            let now = link.due();
            assert_eq!(link.poll(now), Some(Dial::Drop));
            assert_eq!(link.poll(now), Some(Dial::Connect));
        }
    }
}

#[test]
fn the_exception_counts_anywhere_but_in_a_normal_close() {
    const TEXT: &str = r#"{"InactiveInstanceException":"gone"}"#;
    assert!(Ended::Failed(TEXT.to_owned()).is_inactive());
    assert!(closed(1008, TEXT).is_inactive());
    assert!(!closed(1000, TEXT).is_inactive());
    assert!(!Ended::Lost.is_inactive());
}
