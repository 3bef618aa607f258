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

#[cfg(test)]
mod tests {
    use berth_api::{decode_form, sts};
    use berth_wire::query::parse_form;

    #[test]
    fn a_call_without_parameters_is_understood() {
        let form = parse_form(b"Action=GetCallerIdentity&Version=2011-06-15").unwrap();
        let input = decode_form::<sts::op::GetCallerIdentity>(&form).unwrap();
        assert_eq!(input, sts::GetCallerIdentityRequest::default());
    }
}
