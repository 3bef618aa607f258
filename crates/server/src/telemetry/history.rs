//! The last hour of services and clusters, a point for each minute.

use std::collections::{BTreeMap, VecDeque};

use berth_model::time::Timestamp;
use berth_ops::{MetricMinute, MetricSubject, StatisticSet};

use super::Summary;

/// How many minutes are kept.
const MINUTES: usize = 60;
/// The most services and clusters that are kept: ECS allows 5,000 services in a cluster. Those
/// that come later in the order of names have no history.
pub(super) const SUBJECTS_MAX: usize = 5_000;
const MS_PER_MINUTE: i64 = 60_000;

/// A statistic set in half the bytes.
#[derive(Clone, Copy, Debug)]
struct Short {
    samples: u32,
    sum: f32,
    minimum: f32,
    maximum: f32,
}

/// Consecutive minutes of one subject.
#[derive(Clone, Debug, Default)]
struct Series {
    /// Which minute since the epoch the newest is.
    last: i64,
    /// CPU and memory, the oldest first.
    minutes: VecDeque<[Option<Short>; 2]>,
}

/// The minutes of all subjects.
#[derive(Debug, Default)]
pub(super) struct History(BTreeMap<MetricSubject, Series>);

/// Which minute since the epoch it is.
pub(super) fn minute_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(MS_PER_MINUTE)
}

impl History {
    /// Notes the minute that ended at about `now`. What has no data in it is forgotten.
    pub(super) fn end_minute(&mut self, summary: &Summary, now: Timestamp) {
        let minute = minute_of(now) - 1;
        let clusters = summary.clusters.iter().map(|(key, used)| {
            let subject = MetricSubject::Cluster(key.clone());
            (subject, [used.cpu, used.memory])
        });
        let services = summary.services.iter().map(|(key, used)| {
            let subject = MetricSubject::Service(key.clone());
            (subject, [used.cpu, used.memory])
        });
        let with_data = clusters
            .chain(services)
            .filter(|(_, sets)| sets.iter().any(Option::is_some));
        let mut before = std::mem::take(&mut self.0);
        for (subject, sets) in with_data.take(SUBJECTS_MAX) {
            let mut series = before.remove(&subject).unwrap_or_default();
            series.push(minute, sets.map(|set| set.as_ref().map(Short::of)));
            self.0.insert(subject, series);
        }
    }

    /// The minutes of a subject, the oldest first.
    pub(super) fn minutes(&self, subject: &MetricSubject) -> Vec<MetricMinute> {
        let Some(series) = self.0.get(subject) else {
            return Vec::new();
        };
        let newest_first = (0..).zip(series.minutes.iter().rev());
        let mut minutes: Vec<MetricMinute> = newest_first
            .map(|(age, [cpu, memory])| MetricMinute {
                at: Timestamp::from_millis((series.last - age) * MS_PER_MINUTE),
                cpu: cpu.map(Short::whole),
                memory: memory.map(Short::whole),
            })
            .collect();
        minutes.reverse();
        minutes
    }
}

impl Series {
    fn push(&mut self, minute: i64, sets: [Option<Short>; 2]) {
        if self.minutes.is_empty() || self.last + 1 != minute {
            // All at once, so that an hour takes what it needs and no more.
            self.minutes = VecDeque::with_capacity(MINUTES);
        }
        if self.minutes.len() == MINUTES {
            self.minutes.pop_front();
        }
        self.minutes.push_back(sets);
        self.last = minute;
    }
}

impl Short {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "percents, with seven digits"
    )]
    fn of(set: &StatisticSet) -> Self {
        Self {
            samples: set.samples,
            sum: set.sum as f32,
            minimum: set.minimum as f32,
            maximum: set.maximum as f32,
        }
    }

    fn whole(self) -> StatisticSet {
        StatisticSet {
            samples: self.samples,
            sum: self.sum.into(),
            minimum: self.minimum.into(),
            maximum: self.maximum.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::{SUBJECT_BYTES_MAX, ServiceUse};

    fn summary(percents: &[(&str, f64)]) -> Summary {
        let services = percents.iter().map(|(name, percent)| {
            let key = format!("123456789012/us-east-1/default/{name}");
            let used = ServiceUse {
                cpu: Some(StatisticSet::one(*percent)),
                ..ServiceUse::default()
            };
            (key.parse().unwrap(), used)
        });
        Summary {
            services: services.collect(),
            ..Summary::default()
        }
    }

    fn web() -> MetricSubject {
        let key = "123456789012/us-east-1/default/web";
        MetricSubject::Service(key.parse().unwrap())
    }

    fn shown(history: &History) -> Vec<(i64, f64)> {
        let minutes = history.minutes(&web());
        let shown = |minute: &MetricMinute| (minute_of(minute.at), minute.cpu.unwrap().average());
        minutes.iter().map(shown).collect()
    }

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_millis(minute * MS_PER_MINUTE + 1_500)
    }

    #[test]
    fn an_hour_is_kept() {
        let mut history = History::default();
        for minute in 1..=70_u32 {
            let percent = f64::from(minute);
            history.end_minute(&summary(&[("web", percent)]), at(minute.into()));
        }
        let shown = shown(&history);
        assert_eq!((shown.len(), shown[0]), (60, (10, 11.0)));
        assert_eq!(shown[59], (69, 70.0));
    }

    #[test]
    fn a_gap_begins_anew() {
        let mut history = History::default();
        history.end_minute(&summary(&[("web", 1.0)]), at(10));
        history.end_minute(&summary(&[("web", 2.0)]), at(11));
        history.end_minute(&summary(&[("other", 2.0)]), at(12));
        assert_eq!(shown(&history), []);
        history.end_minute(&summary(&[("web", 3.0)]), at(13));
        history.end_minute(&summary(&[("web", 4.0)]), at(15));
        assert_eq!(shown(&history), [(14, 4.0)]);
        // The clock was set back.
        history.end_minute(&summary(&[("web", 5.0)]), at(9));
        assert_eq!(shown(&history), [(8, 5.0)]);
    }

    #[test]
    fn subjects_are_bounded_in_number_and_size() {
        let names: Vec<String> = (0..SUBJECTS_MAX + 10).map(|n| format!("s{n:05}")).collect();
        let percents: Vec<(&str, f64)> = names.iter().map(|name| (&**name, 1.0)).collect();
        let mut history = History::default();
        history.end_minute(&summary(&percents), at(10));
        assert_eq!(history.0.len(), SUBJECTS_MAX);
        let minutes = history.0.values().next().unwrap().minutes.capacity();
        let bytes =
            size_of::<(MetricSubject, Series)>() + minutes * size_of::<[Option<Short>; 2]>();
        assert!(bytes <= SUBJECT_BYTES_MAX, "{bytes} bytes");
    }
}
