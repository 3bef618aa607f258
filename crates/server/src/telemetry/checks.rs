//! What agents say of their machines.

use std::collections::HashMap;

use berth_agent_proto::tcs::InstanceStatus;
use berth_model::id::InstanceId;
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_ops::{CheckStatus, InstanceCheck};
use berth_state::State;

use super::Moment;
use super::intake::Refused;

/// What agents call the check of the container runtime, the only one that they make.
const CONTAINER_RUNTIME: &str = "ContainerRuntime";
/// After how long without a word nothing is known of an instance: agents say it after each
/// heartbeat of ACS, which are at most 45 s apart, at their next publication.
const SILENCE_MS: u64 = 180_000;
/// The longest reason that is kept; agents give none or a short sentence.
const REASON_LENGTH_MAX: usize = 255;
/// The most checks that are looked at in one message.
const CHECKS_MAX: usize = 8;

/// The last word of each instance's agent, with when it came.
#[derive(Debug, Default)]
pub(super) struct Checks(HashMap<InstanceId, (u64, InstanceCheck)>);

impl Checks {
    /// Takes in what an agent says; one entry for an instance, so there are never more than
    /// instances.
    pub(super) fn take(
        &mut self,
        instance: InstanceId,
        statuses: &[InstanceStatus],
        now: Moment,
    ) -> Refused {
        let mut refused = Refused::default();
        let more = statuses.len().saturating_sub(CHECKS_MAX);
        refused.too_many += u64::try_from(more).unwrap_or(u64::MAX);
        for said in statuses.iter().take(CHECKS_MAX) {
            match parse(said, now.wall).filter(|_| said.kind == CONTAINER_RUNTIME) {
                Some(check) => drop(self.0.insert(instance, (now.mono_ms, check))),
                None => refused.unknown_check += 1,
            }
        }
        refused
    }

    /// The last word; `None` when it is too long ago.
    pub(super) fn last(&self, instance: InstanceId, now: u64) -> Option<InstanceCheck> {
        let (at, check) = self.0.get(&instance)?;
        (now.saturating_sub(*at) <= SILENCE_MS).then(|| check.clone())
    }

    /// Forgets instances that are gone.
    pub(super) fn forget_gone(&mut self, state: &State) {
        self.0.retain(|id, _| state.is_connected(*id));
    }
}

fn parse(said: &InstanceStatus, now: Timestamp) -> Option<InstanceCheck> {
    let InstanceStatus {
        kind: _,
        status,
        last_updated,
        last_status_change,
        status_reason,
    } = said;
    let status = match status.as_str() {
        "OK" => CheckStatus::Ok,
        "IMPAIRED" => CheckStatus::Impaired,
        "INSUFFICIENT_DATA" => CheckStatus::InsufficientData,
        "INITIALIZING" => CheckStatus::Initializing,
        _ => return None,
    };
    let reason = status_reason.as_deref().map(|why| {
        let printable = why.chars().filter(|c| !c.is_control());
        printable.take(REASON_LENGTH_MAX).collect::<String>()
    });
    let updated_at = past(*last_updated, now);
    Some(InstanceCheck {
        status,
        updated_at,
        changed_at: past(*last_status_change, updated_at),
        reason: reason
            .filter(|why| !why.is_empty())
            .map(|why| Text::new(&why)),
    })
}

/// A time of the agent's clock in seconds, if it is one that `latest` allows; else that.
fn past(seconds: Option<f64>, latest: Timestamp) -> Timestamp {
    let millis = seconds.map(|seconds| seconds * 1_000.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a cast of a float saturates, and what is not a number becomes 0"
    )]
    let millis = millis.map(|millis| millis as i64);
    let at = millis.map(Timestamp::from_millis);
    at.filter(|at| at.as_millis() > 0 && *at <= latest)
        .unwrap_or(latest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANCE: InstanceId = InstanceId::from_bytes([1; 16]);

    fn now() -> Moment {
        Moment {
            mono_ms: 1_000,
            wall: Timestamp::from_millis(1_700_000_000_000),
        }
    }

    fn said(kind: &str, status: &str) -> InstanceStatus {
        InstanceStatus {
            kind: kind.to_owned(),
            status: status.to_owned(),
            last_updated: Some(1_699_999_990.5),
            last_status_change: Some(1_699_999_000.25),
            status_reason: None,
        }
    }

    #[test]
    fn the_last_word_counts_until_it_is_old() {
        let mut checks = Checks::default();
        let first = said(CONTAINER_RUNTIME, "INITIALIZING");
        let second = said(CONTAINER_RUNTIME, "OK");
        assert_eq!(checks.take(INSTANCE, &[first], now()), Refused::default());
        assert_eq!(checks.take(INSTANCE, &[second], now()), Refused::default());
        let last = checks.last(INSTANCE, 1_000 + SILENCE_MS).unwrap();
        assert_eq!(last.status, CheckStatus::Ok);
        assert_eq!(last.updated_at.as_millis(), 1_699_999_990_500);
        assert_eq!(last.changed_at.as_millis(), 1_699_999_000_250);
        assert!(checks.last(INSTANCE, 1_001 + SILENCE_MS).is_none());
    }

    #[test]
    fn what_is_not_known_is_counted() {
        let mut checks = Checks::default();
        let strange = [said("Weather", "OK"), said(CONTAINER_RUNTIME, "FINE")];
        let refused = checks.take(INSTANCE, &strange, now());
        assert_eq!(refused.unknown_check, 2);
        let many = vec![said(CONTAINER_RUNTIME, "OK"); 100];
        assert_eq!(checks.take(INSTANCE, &many, now()).too_many, 92);
        assert_eq!(checks.0.len(), 1);
    }

    #[test]
    fn times_that_cannot_be_and_long_reasons_are_cut() {
        for seconds in [f64::NAN, f64::INFINITY, -1.0, 1e300, 1_800_000_000.0] {
            assert_eq!(past(Some(seconds), now().wall), now().wall, "{seconds}");
        }
        let mut long = said(CONTAINER_RUNTIME, "IMPAIRED");
        long.status_reason = Some("no\n".repeat(1_000));
        let check = parse(&long, now().wall).unwrap();
        assert_eq!(check.reason.unwrap().len(), REASON_LENGTH_MAX);
    }
}
