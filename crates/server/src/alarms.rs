//! Which alarms are in ALARM: what deployments watch, and whoever evaluates metrics fills in.
//!
//! Nothing of it is saved: an alarm is a matter of the present, and whoever knows of it says so
//! anew to a server that starts.

use std::collections::BTreeSet;
use std::sync::Arc;

use berth_model::name::Scope;
use berth_model::text::Text;
use tokio::sync::watch;

/// The alarms that are in ALARM, by account, region and name.
pub(crate) type InAlarm = Arc<BTreeSet<(Scope, Text)>>;

/// The way to say which alarms are in ALARM. All clones speak of the same server.
#[derive(Clone, Debug, Default)]
pub struct Alarms(Arc<watch::Sender<InAlarm>>);

impl Alarms {
    /// Says whether an alarm is in ALARM; one that nobody spoke of is not. Deployments that watch
    /// it, whether it exists or not, are looked at right away.
    pub fn set(&self, scope: Scope, name: &str, in_alarm: bool) {
        let key = (scope, Text::new(name));
        self.0.send_if_modified(|all| match in_alarm {
            true => Arc::make_mut(all).insert(key),
            false => all.contains(&key) && Arc::make_mut(all).remove(&key),
        });
    }

    /// Those that are in ALARM, now and whenever that changes.
    pub(crate) fn watch(&self) -> watch::Receiver<InAlarm> {
        self.0.subscribe()
    }
}
