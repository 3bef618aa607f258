//! What the percents of a deployment configuration mean for a count, with ECS's rounding, and
//! the other sums of the scheduler.

use super::view::{CapacityItem, Threshold};

/// How many tasks must stay healthy, and how many may take room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The least healthy tasks.
    pub floor: usize,
    /// The most tasks of every kind.
    pub cap: usize,
}

/// The bounds for `desired` tasks: the minimum is rounded up, the maximum down.
pub(super) fn bounds(desired: usize, minimum_percent: u32, maximum_percent: u32) -> Bounds {
    let (minimum, maximum) = (minimum_percent as usize, maximum_percent as usize);
    Bounds {
        floor: desired.saturating_mul(minimum).div_ceil(100),
        cap: desired.saturating_mul(maximum) / 100,
    }
}

/// What the circuit breaker counts to, for `desired` tasks (reference §7.5).
#[must_use]
pub fn breaker_threshold(threshold: Threshold, desired: usize) -> u32 {
    let share = |percent: u32| {
        let tasks = desired.saturating_mul(percent as usize).div_ceil(100);
        u32::try_from(tasks).unwrap_or(u32::MAX)
    };
    match threshold {
        Threshold::Count(count) => count.max(1),
        Threshold::BoundedPercent(percent) => share(percent).clamp(3, 200),
        Threshold::UnboundedPercent(percent) => share(percent).max(1),
    }
}

/// What a task set of `scale` thousandths of a percent has of `desired` tasks: rounded up.
#[must_use]
pub fn scaled(desired: u32, scale_millipercent: u32) -> u32 {
    let tasks = (u64::from(desired) * u64::from(scale_millipercent)).div_ceil(100_000);
    u32::try_from(tasks).unwrap_or(u32::MAX)
}

/// The item of the strategy that gets the next task, when each has `counts` already: bases are
/// filled first, then the one with the least tasks per weight (reference §8).
#[must_use]
pub fn next_capacity(items: &[CapacityItem], counts: &[u32]) -> Option<usize> {
    let pairs = || items.iter().zip(counts).enumerate();
    if let Some((at, _)) = pairs().find(|(_, (item, count))| **count < item.base) {
        return Some(at);
    }
    pairs()
        .filter(|(_, (item, _))| item.weight > 0)
        // a / b < c / d is a * d < c * b, which needs no fractions.
        .min_by(|(_, (a, had)), (_, (b, has))| {
            let left = u64::from(**had - a.base) * u64::from(b.weight);
            let right = u64::from(**has - b.base) * u64::from(a.weight);
            left.cmp(&right)
        })
        .map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_rounds_up_and_the_maximum_down() {
        let of = |desired, min, max| {
            let bounds = bounds(desired, min, max);
            (bounds.floor, bounds.cap)
        };
        assert_eq!(of(4, 50, 200), (2, 8));
        assert_eq!(of(3, 50, 150), (2, 4));
        assert_eq!(of(1, 50, 150), (1, 1));
        assert_eq!(of(0, 100, 200), (0, 0));
    }

    #[test]
    fn the_breaker_counts_to_half_of_the_tasks_within_3_and_200() {
        let at = |desired| breaker_threshold(Threshold::BoundedPercent(50), desired);
        assert_eq!([1, 25, 400, 800].map(at), [3, 13, 200, 200]);
        assert_eq!(breaker_threshold(Threshold::Count(7), 100), 7);
        assert_eq!(breaker_threshold(Threshold::UnboundedPercent(50), 2), 1);
    }

    #[test]
    fn a_task_set_has_its_share_rounded_up() {
        assert_eq!(scaled(3, 50_000), 2);
        assert_eq!(scaled(3, 0), 0);
        assert_eq!(scaled(3, 100_000), 3);
        assert_eq!(scaled(1000, 333), 4);
    }

    #[test]
    fn capacity_is_split_by_base_and_then_by_weight() {
        let item = |name: &str, base, weight| CapacityItem {
            provider: name.into(),
            base,
            weight,
        };
        let items = [item("a", 2, 1), item("b", 0, 3)];
        let mut counts = [0, 0];
        let order: String = (0..10)
            .map(|_| {
                let at = next_capacity(&items, &counts).unwrap();
                counts[at] += 1;
                ['a', 'b'][at]
            })
            .collect();
        assert_eq!(order, "aaabbbabbb");
        assert_eq!(next_capacity(&[], &[]), None);
        assert_eq!(next_capacity(&[item("a", 1, 0)], &[1]), None);
    }
}
