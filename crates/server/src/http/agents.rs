//! `ExplainAgents`: why agents do not come up, for `berth doctor agent`.

use berth_model::id::{AccountId, InstanceId};
use berth_ops::{ApiError, MetricSource};
use berth_wire::Fault;
use serde::Deserialize;

use crate::app::App;
use crate::clock;
use crate::contacts::{Contacts, Facts, Wanted, report};

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Input {
    /// An instance's id.
    container_instance: Option<InstanceId>,
    /// An address that agents come from, or a machine's id.
    machine: Option<String>,
}

/// Answers what is known.
///
/// # Errors
/// For an input that does not read.
pub(super) fn explain(
    app: &App,
    contacts: &Contacts,
    account: AccountId,
    body: &[u8],
) -> Result<Vec<u8>, ApiError> {
    let input: Input = serde_json::from_slice(body)
        .map_err(|error| Fault::client("SerializationException", error.to_string()))?;
    let facts = Facts {
        state: &app.newest.load(),
        contacts: &contacts.seen_by(account),
        sockets: &|instance| app.gateway.sockets(instance),
        check: &|instance| app.telemetry.instance_check(instance),
        now: clock::wall(),
    };
    let address = input
        .machine
        .as_deref()
        .and_then(|named| named.parse().ok());
    let wanted = Wanted {
        account,
        instance: input.container_instance,
        from: address,
        machine: input.machine.filter(|_| address.is_none()),
    };
    serde_json::to_vec(&report(&facts, &wanted)).map_err(ApiError::internal)
}
