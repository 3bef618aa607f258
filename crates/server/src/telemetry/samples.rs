//! The last few samples of one task.

use super::intake::Reading;

/// How many samples are kept: what is published in a minute, and one more.
const POINTS: usize = 4;
/// What counts as lately: CloudWatch's shortest period for ECS.
const LATELY_MS: u64 = 60_000;
/// After how long without a sample a task's use is not known any more: agents publish every 20 s,
/// so three were missed.
const GAP_MS: u64 = 75_000;
/// Samples that come closer than this make one: after a cut an agent sends at once what it had
/// queued.
const CLOSEST_MS: u64 = 5_000;
/// Between which times of the agent's clock, in seconds, a rate is worked out.
const RATE_SECONDS: std::ops::RangeInclusive<f64> = 1.0..=300.0;

/// What a task uses: means over the last minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct TaskUse {
    /// CPU units.
    pub(crate) cpu: Option<f64>,
    /// MiB.
    pub(crate) memory: Option<f64>,
    /// Bytes received and sent in a second.
    pub(crate) network: Option<[f64; 2]>,
    /// Bytes read and written in a second.
    pub(crate) storage: Option<[f64; 2]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Point {
    at_ms: u64,
    cpu: Option<f32>,
    memory: Option<f32>,
    network: Option<[f32; 2]>,
    storage: Option<[f32; 2]>,
}

/// Where the counters of a task stood.
#[derive(Clone, Copy, Debug)]
struct Counters {
    at: f64,
    network: Option<[u64; 2]>,
    storage: Option<[u64; 2]>,
}

/// The last few samples of one task.
#[derive(Clone, Debug, Default)]
pub(super) struct TaskSamples {
    /// The oldest first.
    points: [Point; POINTS],
    count: usize,
    counters: Option<Counters>,
}

impl TaskSamples {
    /// One more sample, received at `now`.
    pub(super) fn push(&mut self, now: u64, reading: &Reading) {
        let last = self.points[..self.count].last().map(|point| point.at_ms);
        let since = last.map(|at| now.saturating_sub(at));
        if since.is_some_and(|since| since > GAP_MS) {
            *self = Self::default();
        }
        let before = self.counters.replace(Counters {
            at: reading.at,
            network: reading.network,
            storage: reading.storage,
        });
        let seconds = before.map_or(0.0, |before| reading.at - before.at);
        let rates = |new: Option<[u64; 2]>, old: Option<[u64; 2]>| {
            let (new, old) = (new?, old?);
            let first = rate(new[0], old[0], seconds)?;
            Some([first, rate(new[1], old[1], seconds)?])
        };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "figures for people, with seven digits"
        )]
        let short = |figure: f64| figure as f32;
        let point = Point {
            at_ms: now,
            cpu: reading.cpu.map(short),
            memory: reading.memory.map(short),
            network: rates(reading.network, before.and_then(|b| b.network)).map(|r| r.map(short)),
            storage: rates(reading.storage, before.and_then(|b| b.storage)).map(|r| r.map(short)),
        };
        if self.count > 0 && since.is_some_and(|since| since < CLOSEST_MS) {
            self.points[self.count - 1] = point;
        } else if self.count < POINTS {
            self.points[self.count] = point;
            self.count += 1;
        } else {
            self.points.rotate_left(1);
            self.points[POINTS - 1] = point;
        }
    }

    /// What the task uses; `None` when nothing was heard of it for too long.
    pub(super) fn lately(&self, now: u64) -> Option<TaskUse> {
        let points = &self.points[..self.count];
        let newest = points.last()?;
        if now.saturating_sub(newest.at_ms) > GAP_MS {
            return None;
        }
        // Counted from the newest, so that one that is late is not worth less.
        let recent = points
            .iter()
            .filter(|point| newest.at_ms - point.at_ms < LATELY_MS);
        let mean = |figure: fn(&Point) -> Option<f32>| {
            let figures = recent.clone().filter_map(figure).map(f64::from);
            let (count, sum) = figures.fold((0_u32, 0.0), |(n, sum), f| (n + 1, sum + f));
            (count > 0).then(|| sum / f64::from(count))
        };
        let pair = |first, second| Some([mean(first)?, mean(second)?]);
        Some(TaskUse {
            cpu: mean(|point| point.cpu),
            memory: mean(|point| point.memory),
            network: pair(|p| Some(p.network?[0]), |p| Some(p.network?[1])),
            storage: pair(|p| Some(p.storage?[0]), |p| Some(p.storage?[1])),
        })
    }
}

/// How fast a counter rose. One that fell began anew, with a container that was replaced.
fn rate(new: u64, old: u64, seconds: f64) -> Option<f64> {
    let risen = new.checked_sub(old)?;
    #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
    let rate = risen as f64 / seconds;
    RATE_SECONDS.contains(&seconds).then_some(rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::TASK_BYTES_MAX;

    fn reading(at: f64, cpu: f64, received: u64) -> Reading {
        Reading {
            at,
            cpu: Some(cpu),
            memory: Some(64.0),
            network: Some([received, 0]),
            storage: None,
        }
    }

    /// Samples each 20 s, the first at zero.
    fn pushed(all: &[(f64, u64)]) -> TaskSamples {
        let mut samples = TaskSamples::default();
        for (number, (cpu, received)) in (0_u32..).zip(all) {
            let at = f64::from(number) * 20.0;
            samples.push(u64::from(number) * 20_000, &reading(at, *cpu, *received));
        }
        samples
    }

    #[test]
    fn the_last_minute_is_averaged() {
        let samples = pushed(&[(900.0, 0), (100.0, 200), (200.0, 400), (300.0, 800)]);
        let lately = samples.lately(60_000).unwrap();
        assert_eq!(lately.cpu, Some(200.0));
        assert_eq!(lately.memory, Some(64.0));
        // 10, 10 and 20 bytes in a second.
        let network = lately.network.unwrap();
        assert!((network[0] - 40.0 / 3.0).abs() < 1e-4, "{network:?}");
    }

    #[test]
    fn what_was_not_heard_of_for_long_is_not_known() {
        let samples = pushed(&[(100.0, 0), (100.0, 0)]);
        assert!(samples.lately(20_000 + GAP_MS).is_some());
        assert!(samples.lately(20_000 + GAP_MS + 1).is_none());
        assert!(TaskSamples::default().lately(0).is_none());
    }

    #[test]
    fn a_gap_is_not_bridged() {
        let mut samples = pushed(&[(100.0, 0), (100.0, 0)]);
        samples.push(200_000, &reading(200.0, 700.0, 90_000));
        let lately = samples.lately(200_000).unwrap();
        assert_eq!((lately.cpu, lately.network), (Some(700.0), None));
    }

    #[test]
    fn a_burst_is_one_sample_with_rates_of_its_own_times() {
        let mut samples = pushed(&[(100.0, 0)]);
        for number in 1..=3_u32 {
            let at = f64::from(number) * 20.0;
            let now = 60_000 + u64::from(number);
            samples.push(now, &reading(at, 200.0, u64::from(number) * 2_000));
        }
        assert_eq!(samples.count, 2);
        let lately = samples.lately(60_003).unwrap();
        assert_eq!(lately.network, Some([100.0, 0.0]));
    }

    #[test]
    fn a_counter_that_fell_and_times_that_cannot_be_make_no_rate() {
        let mut samples = pushed(&[(1.0, 1_000)]);
        samples.push(20_000, &reading(20.0, 1.0, 10));
        assert_eq!(samples.lately(20_000).unwrap().network, None);
        for at in [f64::NAN, f64::INFINITY, -5.0, 20.0, 1e9] {
            let mut samples = pushed(&[(1.0, 0), (1.0, 20)]);
            samples.push(40_000, &reading(at, 1.0, 40));
            let network = samples.lately(40_000).unwrap().network;
            assert_eq!(network, Some([1.0, 0.0]), "{at}");
        }
    }

    #[test]
    fn a_task_takes_no_more_than_is_said() {
        let entry = size_of::<(berth_model::id::TaskId, TaskSamples)>();
        assert!(entry <= TASK_BYTES_MAX, "{entry} bytes");
    }
}
