//! Revisions of a service, and how they are rolled out.

use serde::{Deserialize, Serialize};

use crate::id::ServiceDeploymentId;
use crate::name::{DefinitionKey, ServiceKey};
use crate::scheduler::{DeploymentId, Rollout, Run};
use crate::service::spec::{DeploymentConfiguration, ServiceCapacity};
use crate::task::NetworkConfiguration;
use crate::text::Text;
use crate::time::Timestamp;

/// What a service's tasks are, as of one CreateService or UpdateService. Nothing in it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceRevision {
    /// The service.
    pub service: ServiceKey,
    /// The id, which the deployment shares.
    pub id: DeploymentId,
    /// What tasks run.
    pub definition: DefinitionKey,
    /// Where.
    pub capacity: ServiceCapacity,
    /// The platform version as given, on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<Text>,
    /// Where tasks' addresses should be, in awsvpc mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Box<NetworkConfiguration>>,
    /// `serviceConnectConfiguration` as given, in the API's own JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_connect: Option<serde_json::Value>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A deployment: an entry of the API's `deployments`, or one that was, kept while a service
/// deployment may go back to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The service.
    pub service: ServiceKey,
    /// The id, which its revision shares.
    pub id: DeploymentId,
    /// How far it came: the scheduler's part.
    pub rollout: Rollout,
    /// The images' digests as the first task reported them, in the order of the definition's
    /// containers; empty until then. Later tasks run these (version consistency). `None` for a
    /// container whose tag is not to be resolved, and for an image that is in no registry.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<Option<Text>>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A service deployment: one roll-out of one revision, kept for its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceDeployment {
    /// The service.
    pub service: ServiceKey,
    /// The id.
    pub id: ServiceDeploymentId,
    /// The revisions that ran when it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<DeploymentId>,
    /// The last completed deployment when it began, to which it goes back if it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_to: Option<DeploymentId>,
    /// The revision that it rolls out.
    pub target: DeploymentId,
    /// How many tasks were asked for when it began.
    pub requested: u32,
    /// How it deploys, as of its beginning.
    pub configuration: DeploymentConfiguration,
    /// How far it came: the scheduler's part.
    pub run: Run,
    /// When it was asked for.
    pub created_at: Timestamp,
}
