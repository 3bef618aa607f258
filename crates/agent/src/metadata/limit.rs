//! How often a client may ask: the stock agent's 40 requests a second, and 60 at once. Counted
//! per address, so that one container does not use up what others need.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

const PER_SECOND: f64 = 40.0;
const BURST: f64 = 60.0;
/// Addresses remembered; full buckets are forgotten first, and all when that is not enough.
const ADDRESSES_MAX: usize = 4096;

#[derive(Default)]
pub(super) struct Limiter {
    buckets: Mutex<HashMap<IpAddr, (f64, Instant)>>,
}

impl Limiter {
    /// Whether the client may ask now.
    pub(super) fn allows(&self, client: IpAddr) -> bool {
        let now = Instant::now();
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_MAX {
            buckets.retain(|_, (left, at)| refilled(*left, *at, now) < BURST);
        }
        if buckets.len() >= ADDRESSES_MAX {
            buckets.clear();
        }
        let (left, at) = buckets.entry(client).or_insert((BURST, now));
        *left = refilled(*left, *at, now);
        *at = now;
        if *left < 1.0 {
            return false;
        }
        *left -= 1.0;
        true
    }
}

fn refilled(left: f64, at: Instant, now: Instant) -> f64 {
    let seconds = now.saturating_duration_since(at).as_secs_f64();
    (left + seconds * PER_SECOND).min(BURST)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn sixty_at_once_and_forty_a_second_per_client() {
        let limiter = Limiter::default();
        let client: IpAddr = "10.0.0.1".parse().unwrap();
        let allowed = (0..100).filter(|_| limiter.allows(client)).count();
        assert_eq!(allowed, 60);
        assert!(limiter.allows("10.0.0.2".parse().unwrap()));
        tokio::time::advance(Duration::from_millis(500)).await;
        let allowed = (0..100).filter(|_| limiter.allows(client)).count();
        assert_eq!(allowed, 20);
    }
}
