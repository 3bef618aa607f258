//! AWS STS, as far as ECS clients need it: GetCallerIdentity is everybody's first call.

use berth_api::sts::{GetCallerIdentityRequest, GetCallerIdentityResponse};

use crate::call::Call;
use crate::error::ApiError;

/// Who the caller is: account, ARN and unique id.
pub(crate) async fn get_caller_identity(
    call: Call,
    _: GetCallerIdentityRequest,
) -> Result<GetCallerIdentityResponse, ApiError> {
    Ok(GetCallerIdentityResponse {
        account: Some(call.scope().account.to_string()),
        arn: Some(call.caller.arn.clone()),
        user_id: Some(call.caller.user_id.clone()),
    })
}
