//! Agents that were refused or failed lately, for `berth doctor agent`.
//!
//! Rules kept here:
//! - volatile and bounded: so many entries, and so many from one address, so that nobody can fill
//!   memory or push out what others left; what repeats is one entry with a count;
//! - what came in without a good signature is kept apart from what was signed, and can never push
//!   that out;
//! - no secret is kept: of an access key only its id, and of an unknown one only its ends.

mod report;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};

use berth_model::id::AccountId;
use berth_model::time::Timestamp;

pub(crate) use report::{AgentSockets, Facts, Wanted, report};

/// The most entries of each kind: an operator reads a screen or two of them.
const ENTRIES_MAX: usize = 256;
/// The most entries from one address, of each kind: one machine has a few troubles at a time.
const ENTRIES_PER_SOURCE_MAX: usize = 16;
/// The longest text that is kept of what a peer said.
const TEXT_LENGTH_MAX: usize = 256;
/// How far a clock may be off, in seconds, before a signature is refused: AWS's five minutes.
const SKEW_MAX: i64 = 300;
/// Characters of an unknown access key's id that are kept at either end.
const KEY_ENDS: usize = 4;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// What was tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Door {
    /// A TCP connection, before any request.
    Connection,
    /// A call of the API, by its name.
    Call(String),
    /// The ACS socket.
    Acs,
    /// The TCS socket.
    Tcs,
    /// A socket at a path where there is none.
    OtherPath(String),
}

/// How it went wrong.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trouble {
    /// TLS was spoken to a port without it.
    TlsToPlain,
    /// Plain HTTP was spoken to a port with TLS.
    PlainToTls,
    /// The TLS handshake failed.
    Tls,
    /// There is no socket at that path.
    WrongPath,
    /// A fault, by its code without a namespace.
    Refused(String),
    /// This server does not lead.
    NotLeading,
    /// The server closed an open socket.
    Closed,
    /// Another connection took the instance over, from another address.
    Replaced,
}

/// What is told of one attempt.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    /// Where it came from.
    pub(crate) from: IpAddr,
    /// Whose signature was good, if one was.
    pub(crate) account: Option<AccountId>,
    /// What was tried.
    pub(crate) door: Door,
    /// How it went wrong.
    pub(crate) trouble: Trouble,
    /// What was said to the peer, or by it.
    pub(crate) text: String,
    /// What else is known.
    pub(crate) about: About,
}

/// What an attempt says of its sender: claims, none of them proved.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct About {
    /// The container instance, as named.
    pub(crate) instance: Option<String>,
    /// The cluster, as named.
    pub(crate) cluster: Option<String>,
    /// The region signed for.
    pub(crate) region: Option<String>,
    /// The access key's id.
    pub(crate) key: Option<String>,
    /// What it calls itself.
    pub(crate) agent: Option<String>,
}

/// What makes two attempts the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Same {
    from: IpAddr,
    account: Option<AccountId>,
    door: Door,
    trouble: Trouble,
    /// Whether the clock alone is reason enough to refuse it.
    clock_off: bool,
    about: About,
}

/// What went wrong at least once.
#[derive(Clone, Debug)]
pub(crate) struct Contact {
    pub(crate) from: IpAddr,
    pub(crate) account: Option<AccountId>,
    pub(crate) door: Door,
    pub(crate) trouble: Trouble,
    pub(crate) about: About,
    /// What was said the last time.
    pub(crate) text: String,
    /// How far the sender's clock was ahead the last time, in seconds.
    pub(crate) clock_ahead: Option<i64>,
    pub(crate) count: u64,
    pub(crate) first_at: Timestamp,
    pub(crate) last_at: Timestamp,
}

#[derive(Debug, Default)]
struct Pool(BTreeMap<Same, Contact>);

#[derive(Debug, Default)]
struct Kept {
    strangers: Pool,
    signed: Pool,
}

/// What went wrong lately.
#[derive(Debug, Default)]
pub(crate) struct Contacts(Mutex<Kept>);

impl Contacts {
    /// Notes an attempt that went wrong; `clock_ahead` in seconds, where a date came with it.
    pub(crate) fn note(&self, attempt: Attempt, clock_ahead: Option<i64>, now: Timestamp) {
        let Attempt {
            from,
            account,
            door,
            trouble,
            text,
            about,
        } = attempt;
        let from = source(from);
        let about = About {
            instance: about.instance.map(|text| short(&text)),
            cluster: about.cluster.map(|text| short(&text)),
            region: about.region.map(|text| short(&text)),
            key: about.key.map(|key| match account {
                Some(_) => short(&key),
                None => ends(&key),
            }),
            agent: about.agent.map(|text| short(&text)),
        };
        let door = match door {
            Door::Call(name) => Door::Call(short(&name)),
            Door::OtherPath(path) => Door::OtherPath(short(&path)),
            Door::Connection | Door::Acs | Door::Tcs => door,
        };
        let trouble = match trouble {
            Trouble::Refused(code) => Trouble::Refused(short(&code)),
            Trouble::TlsToPlain
            | Trouble::PlainToTls
            | Trouble::Tls
            | Trouble::WrongPath
            | Trouble::NotLeading
            | Trouble::Closed
            | Trouble::Replaced => trouble,
        };
        let mut kept = self.kept();
        let pool = match account {
            Some(_) => &mut kept.signed,
            None => &mut kept.strangers,
        };
        let same = Same {
            from,
            account,
            door,
            trouble,
            clock_off: clock_ahead.is_some_and(|ahead| ahead.abs() > SKEW_MAX),
            about,
        };
        pool.note(same, short(&text), clock_ahead, now);
    }

    /// What an owner of `account` may see, the newest first: what was signed for that account, and
    /// what was not signed by anybody known.
    pub(crate) fn seen_by(&self, account: AccountId) -> Vec<Contact> {
        let kept = self.kept();
        let own = kept.signed.0.values();
        let own = own.filter(|contact| contact.account == Some(account));
        let mut all: Vec<Contact> = own.chain(kept.strangers.0.values()).cloned().collect();
        all.sort_by_key(|contact| std::cmp::Reverse(contact.last_at));
        all
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pool {
    fn note(&mut self, same: Same, text: String, clock_ahead: Option<i64>, now: Timestamp) {
        if let Some(known) = self.0.get_mut(&same) {
            known.count = known.count.saturating_add(1);
            (known.text, known.clock_ahead, known.last_at) = (text, clock_ahead, now);
            return;
        }
        let from_here = |known: &&Same| known.from == same.from;
        if self.0.keys().filter(from_here).count() >= ENTRIES_PER_SOURCE_MAX {
            self.drop_oldest(|known| known.from == same.from);
        } else if self.0.len() >= ENTRIES_MAX {
            self.drop_oldest(|_| true);
        }
        let contact = Contact {
            from: same.from,
            account: same.account,
            door: same.door.clone(),
            trouble: same.trouble.clone(),
            about: same.about.clone(),
            text,
            clock_ahead,
            count: 1,
            first_at: now,
            last_at: now,
        };
        self.0.insert(same, contact);
    }

    fn drop_oldest(&mut self, of: impl Fn(&Same) -> bool) {
        let candidates = self.0.iter().filter(|(same, _)| of(same));
        let oldest = candidates.min_by_key(|(_, contact)| contact.last_at);
        if let Some(same) = oldest.map(|(same, _)| same.clone()) {
            self.0.remove(&same);
        }
    }
}

/// The address as a source: a network of 64 bits is one, since its owner has all of it.
pub(crate) fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) if !v6.is_loopback() => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        other => other,
    }
}

/// As much as is kept, without what would disturb a terminal.
fn short(text: &str) -> String {
    let printable = text.chars().filter(|c| !c.is_control());
    printable.take(TEXT_LENGTH_MAX).collect()
}

/// The ends of an access key's id: enough to tell which it is, and nothing of use if somebody put
/// a secret in its place.
fn ends(key: &str) -> String {
    let count = key.chars().count();
    if count <= 2 * KEY_ENDS {
        return "…".to_owned();
    }
    let first: String = key.chars().take(KEY_ENDS).collect();
    let last: String = key.chars().skip(count - KEY_ENDS).collect();
    short(&format!("{first}…{last}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    fn attempt(from: IpAddr, account: Option<AccountId>, text: &str) -> Attempt {
        Attempt {
            from,
            account,
            door: Door::Acs,
            trouble: Trouble::Refused("InvalidInstanceException".to_owned()),
            text: text.to_owned(),
            about: About {
                instance: Some(text.to_owned()),
                ..About::default()
            },
        }
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn what_repeats_is_one_entry() {
        let contacts = Contacts::default();
        for ms in 1..=5 {
            contacts.note(attempt(address(1), None, "x"), Some(ms), at(ms));
        }
        let seen = contacts.seen_by(AccountId::ZERO);
        assert_eq!(seen.len(), 1);
        let Contact {
            count,
            first_at,
            last_at,
            clock_ahead,
            ..
        } = &seen[0];
        assert_eq!((*count, *first_at, *last_at), (5, at(1), at(5)));
        assert_eq!(*clock_ahead, Some(5));
    }

    #[test]
    fn a_wrong_clock_and_a_wrong_secret_are_two_entries() {
        let contacts = Contacts::default();
        for ahead in [0, 400, -3, -400] {
            contacts.note(attempt(address(1), None, "x"), Some(ahead), at(1));
        }
        assert_eq!(contacts.seen_by(AccountId::ZERO).len(), 2);
    }

    #[test]
    fn strangers_fill_neither_memory_nor_what_was_signed() {
        let contacts = Contacts::default();
        contacts.note(
            attempt(address(0), Some(AccountId::ZERO), "own"),
            None,
            at(0),
        );
        contacts.note(attempt(address(7), None, "mine"), None, at(1));
        // One address cannot push out what another left.
        for n in 0..10_000 {
            contacts.note(attempt(address(9), None, &n.to_string()), None, at(2 + n));
        }
        let seen = contacts.seen_by(AccountId::ZERO);
        assert_eq!(seen.len(), 2 + ENTRIES_PER_SOURCE_MAX);
        assert!(seen.iter().any(|contact| contact.text == "mine"));
        assert_eq!(seen[0].text, "9999");
        for n in 0..10_000 {
            contacts.note(attempt(address(n), None, "x"), None, at(20_000));
        }
        let seen = contacts.seen_by(AccountId::ZERO);
        assert_eq!(seen.len(), 1 + ENTRIES_MAX);
        assert!(seen.iter().any(|contact| contact.text == "own"));
    }

    #[test]
    fn a_signed_contact_is_its_accounts_alone() {
        let contacts = Contacts::default();
        let one: AccountId = "123456789012".parse().unwrap();
        contacts.note(attempt(address(1), Some(one), "x"), None, at(1));
        assert_eq!(contacts.seen_by(one).len(), 1);
        assert_eq!(contacts.seen_by(AccountId::ZERO).len(), 0);
    }

    #[test]
    fn what_peers_say_is_cut_and_keys_are_masked() {
        let contacts = Contacts::default();
        let mut long = attempt(address(1), None, &"x\u{1b}[2J".repeat(10_000));
        long.about.key = Some("AKIAIOSFODNN7EXAMPLE".to_owned());
        long.door = Door::Call("y".repeat(10_000));
        contacts.note(long, None, at(1));
        let seen = contacts.seen_by(AccountId::ZERO);
        assert_eq!(seen[0].text.len(), TEXT_LENGTH_MAX);
        assert!(!seen[0].text.contains('\u{1b}'));
        assert_eq!(seen[0].about.key.as_deref(), Some("AKIA…MPLE"));
        assert_eq!(seen[0].door, Door::Call("y".repeat(TEXT_LENGTH_MAX)));
        assert_eq!(ends("12345678"), "…");
    }

    #[test]
    fn a_network_of_64_bits_is_one_source() {
        let one: IpAddr = "2001:db8:0:1::5".parse().unwrap();
        let other: IpAddr = "2001:db8:0:1:ffff::9".parse().unwrap();
        assert_eq!(source(one), source(other));
        let mapped: IpAddr = "::ffff:10.0.0.1".parse().unwrap();
        assert_eq!(source(mapped), address(0x0a00_0001));
        let loopback: IpAddr = "::1".parse().unwrap();
        assert_eq!(source(loopback), loopback);
    }
}
