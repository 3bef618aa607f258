//! PutRetentionPolicy and DeleteRetentionPolicy.

use berth_api::Empty;
use berth_api::logs::{self, op};
use berth_model::log::{LogGroup, LogGroupKey};

use crate::call::Call;
use crate::error::ApiError;
use crate::logs::fault::invalid;
use crate::logs::names::{group_key, known_group};

/// The numbers of days that CloudWatch Logs allows.
const DAYS: [i32; 22] = [
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922,
    3288, 3653,
];

/// Says for how long a group keeps events.
pub(crate) async fn put_retention_policy(
    call: Call,
    input: logs::PutRetentionPolicyRequest,
) -> Result<Empty, ApiError> {
    call.check::<op::PutRetentionPolicy>(&input)?;
    let days = input.retention_in_days.unwrap_or_default();
    if !DAYS.contains(&days) {
        let allowed: Vec<String> = DAYS.iter().map(ToString::to_string).collect();
        return Err(invalid(format!(
            "1 validation error detected: Value '{days}' at 'retentionInDays' failed to satisfy \
             constraint: Member must satisfy enum value set: [{}]",
            allowed.join(", ")
        )));
    }
    let key = group_key(call.scope(), input.log_group_name.as_deref());
    set(&call, key, u32::try_from(days).ok()).await
}

/// Lets a group keep events for ever.
pub(crate) async fn delete_retention_policy(
    call: Call,
    input: logs::DeleteRetentionPolicyRequest,
) -> Result<Empty, ApiError> {
    call.check::<op::DeleteRetentionPolicy>(&input)?;
    let key = group_key(call.scope(), input.log_group_name.as_deref());
    set(&call, key, None).await
}

async fn set(call: &Call, key: LogGroupKey, days: Option<u32>) -> Result<Empty, ApiError> {
    call.transact(move |tx| {
        let group = known_group(tx.state(), &key)?;
        if group.retention_days != days {
            let group = LogGroup {
                retention_days: days,
                ..(**group).clone()
            };
            tx.put_log_group(group);
        }
        Ok::<_, ApiError>(())
    })
    .await?;
    Ok(Empty {})
}
