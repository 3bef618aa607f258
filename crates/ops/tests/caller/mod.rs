//! Calls operations over a control plane in memory, with bytes as a client would send them.

mod logs;
mod metrics;

use std::sync::Arc;
use std::time::Duration;

use berth_model::name::Scope;
use berth_model::waiting::WaitForRoom;
use berth_ops::{ApiError, Call, Caller, Context, DefinitionCache, Limits, PageTokens};
use berth_reconcile::services::{Surroundings, look};
use berth_state::{Failure, Lane};
use berth_testkit::World;
use bytes::Bytes;
use futures_util::FutureExt;
use serde_json::Value;

/// The account and region of a call that does not say otherwise.
pub(crate) const SCOPE: &str = "123456789012/us-east-1";
/// Who makes such a call.
pub(crate) const CALLER_ARN: &str = "arn:aws:iam::123456789012:user/admin";

/// How long after RUNNING a task counts as healthy when nothing checks it (reference §7.1).
#[allow(dead_code, reason = "not every suite has services")]
const HEALTHY_AFTER: Duration = Duration::from_secs(40);

/// A control plane in memory and the means to call it.
pub(crate) struct Bench {
    pub(crate) world: World,
    cx: Arc<Context>,
}

impl Default for Bench {
    fn default() -> Self {
        Self::new(WaitForRoom::default())
    }
}

impl Bench {
    /// A control plane of a server with this setting.
    pub(crate) fn new(wait_for_room: WaitForRoom) -> Self {
        let world = World::default();
        let cx = Context {
            state: world.handle(),
            definitions: DefinitionCache::default(),
            logs: Arc::new(logs::MemoryLogs::default()),
            metrics: Arc::new(metrics::AllWell),
            history: None,
            pages: PageTokens::new([9; 32]),
            limits: Limits {
                advertise_url: None,
                wait_for_room,
            },
            wall: berth_testkit::wall,
        };
        Self {
            world,
            cx: Arc::new(cx),
        }
    }
}

/// What a call came to: the answer's JSON, or the fault.
pub(crate) type Outcome = Result<Value, ApiError>;

impl Bench {
    /// Calls an operation as `arn` of `scope`: ECS's, or another service's as
    /// `logs:PutLogEvents`; `None` when the operation is not served.
    ///
    /// # Panics
    /// When the operation waits for something, or answers what is not JSON.
    pub(crate) fn call_as(
        &self,
        scope: &Scope,
        arn: &str,
        operation: &str,
        body: &str,
    ) -> Option<Outcome> {
        let caller = Caller {
            scope: scope.clone(),
            arn: arn.to_owned(),
            user_id: "AIDAEXAMPLE".to_owned(),
            instance: None,
            base_url: "http://127.0.0.1:7070".to_owned(),
        };
        self.call_by(caller, operation, body)
    }

    /// Calls an operation as `caller`; see [`Bench::call_as`].
    ///
    /// # Panics
    /// When the operation waits for something, or answers what is not JSON.
    pub(crate) fn call_by(&self, caller: Caller, operation: &str, body: &str) -> Option<Outcome> {
        let (service, operation) = operation.split_once(':').unwrap_or(("ecs", operation));
        let served = berth_ops::find(service, operation)?;
        let call = Call::new(self.cx.clone(), Arc::new(caller));
        let run = served.run(call, Bytes::from(body.to_owned()), "request-1".to_owned());
        // The world saves where a change is asked for, so there is nothing to wait for.
        let outcome = run.now_or_never().expect("no operation waits");
        Some(
            outcome.map(|response| {
                serde_json::from_slice(response.body()).expect("an answer is JSON")
            }),
        )
    }

    /// Asks as the usual caller why a task waits, or where it went.
    ///
    /// # Panics
    /// When the answer does not come at once.
    #[allow(dead_code, reason = "not every suite asks")]
    pub(crate) fn explain(&self, body: &Value) -> Outcome {
        let caller = Caller {
            scope: SCOPE.parse().expect("a scope"),
            arn: CALLER_ARN.to_owned(),
            user_id: "AIDAEXAMPLE".to_owned(),
            instance: None,
            base_url: "http://127.0.0.1:7070".to_owned(),
        };
        let call = Call::new(self.cx.clone(), Arc::new(caller));
        let explained = berth_ops::explain::explain(call, Bytes::from(body.to_string()));
        let explained = explained.now_or_never().expect("nothing waits");
        explained.map(|explained| serde_json::to_value(explained).expect("it is JSON"))
    }

    /// Lets the controller of services do what each of them needs, once.
    ///
    /// # Panics
    /// When a look is refused.
    #[allow(dead_code, reason = "not every suite has services")]
    pub(crate) fn scheduler_looks(&self) {
        let around = Surroundings {
            healthy_after: HEALTHY_AFTER,
            ..Surroundings::default()
        };
        let state = self.world.snapshot();
        for key in state.services.iter().map(|service| service.key.clone()) {
            let around = around.clone();
            let handle = self.world.handle();
            let looked = handle.transact(Lane::Controllers, move |tx| {
                look(tx, &key, &around);
                Ok::<_, Failure>(())
            });
            assert_eq!(looked.now_or_never(), Some(Ok(())));
        }
    }

    /// Calls an ECS operation as the usual caller.
    ///
    /// # Panics
    /// When the operation is not served.
    #[allow(dead_code, reason = "not every suite calls as the usual caller")]
    pub(crate) fn call(&self, operation: &str, body: &str) -> Outcome {
        let scope = SCOPE.parse().expect("a scope");
        self.call_as(&scope, CALLER_ARN, operation, body)
            .unwrap_or_else(|| panic!("{operation} is not served"))
    }
}
