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

fn away() -> Ended {
    Ended::Away("connection refused".to_owned())
}

/// When a server is found that begins to answer at `back`, by an agent whose connection broke at
/// 5,000, and how often it was looked for.
fn found_after(seed: u64, back: u64, how: &Ended) -> (u64, u32) {
    let mut link = Link::new(RULES, seed, 0);
    link.poll(0);
    link.connected(0);
    link.ended(5_000, &Ended::Lost);
    let mut tries = 0;
    loop {
        let now = link.due();
        assert_eq!(link.poll(now), Some(Dial::Connect));
        tries += 1;
        if now >= back {
            return (now, tries);
        }
        link.ended(now, how);
    }
}

#[test]
fn a_server_that_was_only_restarted_is_found_at_once() {
    for seed in 0..5_000 {
        let (found, tries) = found_after(seed, 5_400, &away());
        assert!(found - 5_400 <= 100, "{found}");
        assert!(tries < 20, "{tries}");
    }
}

#[test]
fn a_fleet_finds_its_server_within_seconds_and_not_all_in_one_moment() {
    // By tenth of a second.
    let mut found = [0_u32; 30];
    for seed in 0..5_000 {
        let (at, _) = found_after(seed, 8_000, &away());
        found[(at - 8_000) as usize / 100] += 1;
    }
    assert_eq!(found[20..], [0; 10], "all are back in two seconds");
    assert!(found.iter().all(|count| *count < 2_500), "{found:?}");
}

#[test]
fn a_server_that_refuses_or_stays_away_sees_ever_fewer_attempts() {
    for (how, most) in [(away(), 30), (Ended::Failed("403: no".to_owned()), 15)] {
        let (_, tries) = found_after(7, 65_000, &how);
        assert!((8..=most).contains(&tries), "{how:?}: {tries} in a minute");
        let (_, first) = found_after(7, 6_000, &how);
        assert!(first <= 18, "{how:?}: {first} in a second");
    }
    let (_, first) = found_after(7, 6_000, &Ended::Failed("403: no".to_owned()));
    assert!(first <= 5, "{first} in a second");
}

#[test]
fn a_server_that_is_killed_again_and_again_is_found_soon_each_time() {
    let mut link = Link::new(RULES, 3, 0);
    let mut now = 0;
    for life in 0..50 {
        // It was back 300 ms after its end, and lives for half a second.
        let back = now + 300;
        let found = loop {
            let at = link.due().max(now);
            assert_eq!(link.poll(at), Some(Dial::Connect));
            if at >= back || life == 0 {
                break at;
            }
            link.ended(at, &away());
        };
        assert!(found <= back + 100, "life {life}: {} late", found - back);
        link.connected(found);
        now = found + 500;
        link.ended(now, &Ended::Lost);
    }
}

proptest::proptest! {
    /// Whatever a server does, an agent comes back sooner than its growing waits say only as often
    /// as the time that connections lasted allows.
    #[test]
    fn attempts_are_bounded_by_what_connections_lasted(
        seed: u64,
        acts in proptest::collection::vec((0_u8..4, 0_u64..3_000), 1..200),
    ) {
        let mut link = Link::new(RULES, seed, 0);
        let mut earned = QUICK_TRIES;
        let mut now = 0;
        for (act, lived) in acts {
            let before = now;
            now = link.due().max(now);
            proptest::prop_assert_eq!(link.poll(now), Some(Dial::Connect));
            if now > before && now - before < RULES.first_ms {
                earned = earned.checked_sub(1).expect("no quick attempt was left");
            }
            match act {
                0 => link.ended(now, &away()),
                1 => link.ended(now, &Ended::Failed("500".to_owned())),
                2 => {
                    link.connected(now);
                    now += lived;
                    link.ended(now, &Ended::Lost);
                    earned = QUICK_TRIES.min(earned + lived / LIVED_PER_TRY_MS);
                }
                _ => {
                    link.connected(now);
                    now += lived;
                    link.ended(now, &closed(4_000, "no"));
                }
            }
        }
    }
}
