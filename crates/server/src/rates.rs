//! Rate limits of the ECS API, as Amazon documents them in the API reference under "Request
//! throttling": a token bucket for each category of actions, in each account and region.
//!
//! Rules kept here:
//! - a call takes one token of its category's bucket, whatever comes of it; one that finds none is
//!   answered `ThrottlingException`, status 400, `Rate exceeded`;
//! - what no category names (task sets, DiscoverPollEndpoint, stopping a service deployment) is not
//!   limited, nor are the other services: Amazon documents no quota for them;
//! - what is kept is bounded, whoever calls: buckets that are full again need not be kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use berth_api::ecs;
use berth_model::name::Scope;

/// Whether callers of the ECS API are held to a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimits {
    /// Nobody is.
    Off,
    /// To the quotas that every account of Amazon ECS begins with.
    Ecs,
}

/// Actions that share one bucket in each account and region.
struct Category {
    actions: &'static [&'static str],
    /// Tokens of a full bucket.
    burst: u64,
    /// Tokens that come back each second.
    per_second: u64,
}

const fn category(burst: u64, per_second: u64, actions: &'static [&'static str]) -> Category {
    Category {
        actions,
        burst,
        per_second,
    }
}

/// The documented categories, in the documentation's order.
const CATEGORIES: [Category; 20] = [
    category(
        20,
        1,
        &[
            "CreateCluster",
            "DeleteCluster",
            "PutClusterCapacityProviders",
            "UpdateCluster",
            "UpdateClusterSettings",
        ],
    ),
    category(50, 20, &["DescribeClusters", "ListClusters"]),
    category(
        20,
        1,
        &["DeregisterTaskDefinition", "RegisterTaskDefinition"],
    ),
    category(
        50,
        20,
        &[
            "DescribeTaskDefinition",
            "ListTaskDefinitions",
            "ListTaskDefinitionFamilies",
        ],
    ),
    category(5, 1, &["DeleteTaskDefinitions"]),
    category(
        10,
        1,
        &[
            "CreateCapacityProvider",
            "DeleteCapacityProvider",
            "UpdateCapacityProvider",
        ],
    ),
    category(50, 20, &["DescribeCapacityProviders"]),
    category(20, 10, &["TagResource", "UntagResource"]),
    category(50, 20, &["ListTagsForResource"]),
    category(
        10,
        1,
        &[
            "DeleteAccountSetting",
            "PutAccountSetting",
            "PutAccountSettingDefault",
        ],
    ),
    category(50, 20, &["ListAccountSettings"]),
    category(
        100,
        40,
        &[
            "DeleteAttributes",
            "DeregisterContainerInstance",
            "ExecuteCommand",
            "PutAttributes",
            "RunTask",
            "StartTask",
            "StopTask",
            "UpdateContainerAgent",
            // The documentation writes it with one s too many at the end.
            "UpdateContainerInstancesState",
        ],
    ),
    category(
        100,
        20,
        &[
            "DescribeContainerInstances",
            "DescribeTasks",
            "ListAttributes",
            "ListContainerInstances",
            "ListTasks",
        ],
    ),
    category(
        200,
        120,
        &[
            "RegisterContainerInstance",
            "SubmitAttachmentStateChanges",
            "SubmitContainerStateChange",
            "SubmitTaskStateChange",
        ],
    ),
    category(50, 5, &["CreateService", "DeleteService", "UpdateService"]),
    category(100, 20, &["DescribeServices", "ListServices"]),
    category(
        50,
        20,
        &["DescribeServiceDeployments", "ListServiceDeployments"],
    ),
    category(50, 20, &["DescribeServiceRevisions"]),
    category(200, 80, &["UpdateTaskProtection", "GetTaskProtection"]),
    category(10, 1, &["ListServicesByNamespace"]),
];

const NS_PER_SECOND: u64 = 1_000_000_000;

/// The most accounts and regions whose buckets are kept, 200 bytes each. No bucket needs more than
/// 20 s to be full, so this many callers a second for 20 s are told apart; `berth serve` has one
/// account.
const SCOPES_MAX: usize = 100_000;

/// A token bucket, as the time at which it will be full: each token taken puts that off by the
/// time in which one token comes back.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at_ns: u64,
}

impl Bucket {
    /// Takes a token, if there is one.
    fn take(&mut self, category: &Category, now_ns: u64) -> bool {
        let token_ns = NS_PER_SECOND / category.per_second;
        let full_at_ns = self.full_at_ns.max(now_ns) + token_ns;
        let admitted = full_at_ns - now_ns <= category.burst * token_ns;
        if admitted {
            self.full_at_ns = full_at_ns;
        }
        admitted
    }
}

type Buckets = [Bucket; CATEGORIES.len()];

/// The buckets of all accounts and regions.
pub(crate) struct Rates {
    limits: RateLimits,
    scopes: Mutex<HashMap<Scope, Buckets>>,
    scopes_max: usize,
}

impl Rates {
    /// With every bucket full.
    pub(crate) fn new(limits: RateLimits) -> Rates {
        Rates {
            limits,
            scopes: Mutex::new(HashMap::new()),
            scopes_max: SCOPES_MAX,
        }
    }

    /// Whether a call of this operation is within its rate; it is counted then. `now_ns` is of a
    /// clock that never goes back.
    pub(crate) fn admit(&self, scope: &Scope, service: &str, operation: &str, now_ns: u64) -> bool {
        if self.limits == RateLimits::Off || service != ecs::SERVICE.name {
            return true;
        }
        let found = CATEGORIES
            .iter()
            .position(|category| category.actions.contains(&operation));
        let Some(at) = found else {
            return true;
        };
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if !scopes.contains_key(scope) && scopes.len() >= self.scopes_max {
            scopes.retain(|_, buckets| buckets.iter().any(|bucket| bucket.full_at_ns > now_ns));
            if scopes.len() >= self.scopes_max {
                return false;
            }
        }
        let buckets = scopes.entry(scope.clone()).or_default();
        buckets[at].take(&CATEGORIES[at], now_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = NS_PER_SECOND;

    fn scope(account: &str, region: &str) -> Scope {
        Scope {
            account: account.parse().unwrap(),
            region: region.parse().unwrap(),
        }
    }

    fn home() -> Scope {
        scope("000000000000", "us-east-1")
    }

    /// How many of `calls` at once are admitted.
    fn admitted(rates: &Rates, scope: &Scope, operation: &str, calls: u32, now_ns: u64) -> usize {
        let calls = (0..calls).map(|_| rates.admit(scope, "ecs", operation, now_ns));
        calls.filter(|admitted| *admitted).count()
    }

    // The example in Amazon's documentation: a bucket of 50 that gets 20 each second.
    #[test]
    fn fifty_at_once_and_twenty_a_second_after_that() {
        let rates = Rates::new(RateLimits::Ecs);
        let calls = |now_ns| admitted(&rates, &home(), "DescribeClusters", 100, now_ns);
        let begin = 7 * SECOND;
        assert_eq!(calls(begin), 50);
        assert_eq!(calls(begin), 0);
        for second in 1..=5 {
            assert_eq!(calls(begin + second * SECOND), 20);
        }
        // Tokens that come while the bucket is full are lost: it is full after 2.5 s.
        assert_eq!(calls(begin + 5 * SECOND + SECOND * 24 / 10), 48);
        assert_eq!(calls(begin + 100 * SECOND), 50);
    }

    #[test]
    fn actions_of_a_category_share_a_bucket_and_others_do_not() {
        let rates = Rates::new(RateLimits::Ecs);
        assert_eq!(admitted(&rates, &home(), "DescribeClusters", 30, 0), 30);
        assert_eq!(admitted(&rates, &home(), "ListClusters", 30, 0), 20);
        assert_eq!(admitted(&rates, &home(), "CreateCluster", 30, 0), 20);
    }

    #[test]
    fn accounts_and_regions_share_nothing() {
        let rates = Rates::new(RateLimits::Ecs);
        let others = [
            home(),
            scope("111111111111", "us-east-1"),
            scope("000000000000", "eu-west-1"),
        ];
        for other in &others {
            assert_eq!(admitted(&rates, other, "DeleteTaskDefinitions", 9, 0), 5);
        }
    }

    #[test]
    fn what_has_no_quota_is_not_limited() {
        let rates = Rates::new(RateLimits::Ecs);
        assert_eq!(admitted(&rates, &home(), "DescribeTaskSets", 999, 0), 999);
        assert!((0..999).all(|_| rates.admit(&home(), "logs", "TagResource", 0)));
        let off = Rates::new(RateLimits::Off);
        assert_eq!(admitted(&off, &home(), "DescribeClusters", 999, 0), 999);
    }

    #[test]
    fn every_action_is_of_the_service_and_in_one_category() {
        let mut all: Vec<&str> = CATEGORIES.iter().flat_map(|c| c.actions).copied().collect();
        for action in &all {
            assert!(ecs::SERVICE.operations.contains(action), "{action}");
        }
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn only_buckets_that_are_not_full_are_kept() {
        let mut rates = Rates::new(RateLimits::Ecs);
        rates.scopes_max = 2;
        let [one, two, three] = ["1", "2", "3"].map(|digit| scope(&digit.repeat(12), "us-east-1"));
        // One token of a second, and one of a twentieth of it.
        assert!(rates.admit(&one, "ecs", "CreateCluster", 0));
        assert!(rates.admit(&two, "ecs", "ListClusters", 0));
        assert!(!rates.admit(&three, "ecs", "ListClusters", SECOND / 40));
        assert!(rates.admit(&three, "ecs", "ListClusters", SECOND / 20));
        let scopes = rates.scopes.lock().unwrap();
        assert!(scopes.contains_key(&one) && !scopes.contains_key(&two));
    }
}
