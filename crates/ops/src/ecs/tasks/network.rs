//! `networkConfiguration`: what goes with which network mode (reference §2.4).

use berth_api::ecs;
use berth_model::definition::NetworkMode;
use berth_model::task::{LaunchType, NetworkConfiguration};
use berth_model::text::Text;

use crate::ecs::fault::invalid;
use crate::error::ApiError;

/// The most subnets of one task (reference §9.3).
const SUBNETS_MAX: usize = 16;
/// The most security groups of one task (reference §9.3).
const SECURITY_GROUPS_MAX: usize = 5;
/// The most characters of an id after its prefix. Amazon EC2's have 8 or 17; names that people
/// make up for machines of their own are welcome.
const ID_LENGTH_MAX: usize = 64;

/// The address that a task of this mode and launch type asks for.
///
/// # Errors
/// InvalidParameterException when the configuration does not go with the mode, or is malformed.
pub(crate) fn parse_network(
    mode: NetworkMode,
    launch: LaunchType,
    given: Option<&ecs::NetworkConfiguration>,
) -> Result<Option<Box<NetworkConfiguration>>, ApiError> {
    let given = given.and_then(|given| given.awsvpc_configuration.as_ref());
    match (mode, given) {
        (NetworkMode::Awsvpc, None) => Err(invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )),
        (NetworkMode::Awsvpc, Some(given)) => parse_awsvpc(launch, given).map(Some),
        (NetworkMode::Bridge | NetworkMode::Host | NetworkMode::None, Some(_)) => Err(invalid(
            "Network Configuration is not valid for the given networkMode of this task definition.",
        )),
        (NetworkMode::Bridge | NetworkMode::Host | NetworkMode::None, None) => Ok(None),
    }
}

fn parse_awsvpc(
    launch: LaunchType,
    given: &ecs::AwsVpcConfiguration,
) -> Result<Box<NetworkConfiguration>, ApiError> {
    let subnets = given.subnets.as_deref().unwrap_or_default();
    let security_groups = given.security_groups.as_deref().unwrap_or_default();
    if subnets.is_empty() {
        return Err(invalid("subnets can not be empty."));
    }
    if subnets.len() > SUBNETS_MAX {
        return Err(invalid(format!(
            "subnets can have at most {SUBNETS_MAX} items."
        )));
    }
    if security_groups.len() > SECURITY_GROUPS_MAX {
        return Err(invalid(format!(
            "securityGroups can have at most {SECURITY_GROUPS_MAX} items."
        )));
    }
    if let Some(bad) = subnets.iter().find(|id| !is_id(id, "subnet-")) {
        return Err(invalid(format!(
            "Error retrieving subnet information for [{}]: The subnet ID '{bad}' does not exist \
             (ErrorCode: InvalidSubnetID.NotFound)",
            subnets.join(", ")
        )));
    }
    if let Some(bad) = security_groups.iter().find(|id| !is_id(id, "sg-")) {
        return Err(invalid(format!(
            "Error retrieving security group information for [{}]: The security group '{bad}' \
             does not exist (ErrorCode: InvalidGroup.NotFound)",
            security_groups.join(", ")
        )));
    }
    let assign_public_ip = given.assign_public_ip == Some(ecs::AssignPublicIp::Enabled);
    if assign_public_ip && launch != LaunchType::Fargate {
        return Err(invalid(
            "Assign public IP is not supported for this launch type.",
        ));
    }
    let texts = |ids: &[String]| ids.iter().map(|id| Text::new(id)).collect();
    Ok(Box::new(NetworkConfiguration {
        subnets: texts(subnets),
        security_groups: texts(security_groups),
        assign_public_ip,
    }))
}

/// Whether the id has the form of this kind's ids: nobody knows which ones exist.
fn is_id(id: &str, prefix: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    id.strip_prefix(prefix)
        .is_some_and(|rest| (1..=ID_LENGTH_MAX).contains(&rest.len()) && rest.bytes().all(allowed))
}
