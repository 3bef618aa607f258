//! The ECS operations that an agent calls.

use std::sync::Arc;

use berth_agent_proto::extra::{KEY_ADDRESS, OwnAddress};
use berth_api::ecs;
use berth_wire::EpochSeconds;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::engine::{ContainerChange, Report};
use crate::http::{ApiClient, CallError, KeySource, Keys};
use crate::runtime::Binding;

/// The longest reason that the API takes, in characters.
const REASON_CHARS_MAX: usize = 1_024;

/// What an answer to DiscoverPollEndpoint names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Where ACS is.
    pub acs: String,
    /// Where TCS is.
    pub tcs: Option<String>,
}

/// Calls ECS for one agent.
#[derive(Clone)]
pub struct EcsClient {
    api: ApiClient,
    keys: Arc<dyn KeySource>,
    region: Arc<str>,
    cluster: Arc<str>,
}

impl EcsClient {
    /// A client that signs with `keys` for `region`, for an agent of `cluster`.
    #[must_use]
    pub fn new(
        api: ApiClient,
        keys: Arc<dyn KeySource>,
        region: Arc<str>,
        cluster: Arc<str>,
    ) -> Self {
        Self {
            api,
            keys,
            region,
            cluster,
        }
    }

    /// The same client signing with other keys: those of a task's role.
    #[must_use]
    pub fn with_keys(&self, keys: Keys) -> Self {
        Self {
            keys: Arc::new(keys),
            ..self.clone()
        }
    }

    /// The client underneath.
    #[must_use]
    pub fn api(&self) -> &ApiClient {
        &self.api
    }

    /// Who signs now.
    ///
    /// # Errors
    /// When there are no keys at present.
    pub fn signer(&self) -> Result<berth_wire::sigv4::Signer, CallError> {
        let keys = self.keys.keys().map_err(CallError::Failed)?;
        Ok(keys.signer(&self.region, "ecs"))
    }

    /// Registers the container instance; `extra` goes into the request beside the model's own
    /// members. Gives its ARN.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn register(
        &self,
        request: &ecs::RegisterContainerInstanceRequest,
        client_token: &str,
    ) -> Result<String, CallError> {
        // Amazon's agent sends a token that the published model does not have.
        let mut body = members(request);
        body.insert("clientToken".to_owned(), client_token.into());
        let answer: ecs::RegisterContainerInstanceResponse =
            self.call("RegisterContainerInstance", body).await?;
        let instance = answer.container_instance.unwrap_or_default();
        let arn = instance.container_instance_arn;
        arn.filter(|arn| !arn.is_empty())
            .ok_or_else(|| CallError::Failed("the answer names no container instance".to_owned()))
    }

    /// Makes the agent's cluster.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn create_cluster(&self) -> Result<(), CallError> {
        let request = ecs::CreateClusterRequest {
            cluster_name: Some(self.cluster.to_string()),
            ..Default::default()
        };
        let _: Value = self.call("CreateCluster", members(&request)).await?;
        Ok(())
    }

    /// Asks where the websockets are.
    ///
    /// # Errors
    /// As [`ApiClient::call`], or when the answer lacks the ACS endpoint.
    pub async fn discover(&self, instance: &str) -> Result<Endpoints, CallError> {
        let request = ecs::DiscoverPollEndpointRequest {
            cluster: Some(self.cluster.to_string()),
            container_instance: Some(instance.to_owned()),
        };
        let answer: ecs::DiscoverPollEndpointResponse =
            self.call("DiscoverPollEndpoint", members(&request)).await?;
        let acs = answer.endpoint.filter(|url| !url.is_empty());
        Ok(Endpoints {
            acs: acs.ok_or_else(|| CallError::Failed("the answer names no endpoint".to_owned()))?,
            tcs: answer.telemetry_endpoint.filter(|url| !url.is_empty()),
        })
    }

    /// Reports a task's state.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn submit_task(&self, report: &Report) -> Result<(), CallError> {
        let _: Value = self
            .call("SubmitTaskStateChange", self.task_state(report))
            .await?;
        Ok(())
    }

    /// Reports that an attachment is there.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn submit_attachment(&self, attachment_arn: &str) -> Result<(), CallError> {
        let request = ecs::SubmitAttachmentStateChangesRequest {
            cluster: Some(self.cluster.to_string()),
            attachments: Some(vec![ecs::AttachmentStateChange {
                attachment_arn: Some(attachment_arn.to_owned()),
                status: Some("ATTACHED".to_owned()),
            }]),
        };
        let _: Value = self
            .call("SubmitAttachmentStateChanges", members(&request))
            .await?;
        Ok(())
    }

    /// The tags of an instance or task.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn tags(&self, arn: &str) -> Result<Vec<ecs::Tag>, CallError> {
        let request = ecs::ListTagsForResourceRequest {
            resource_arn: Some(arn.to_owned()),
        };
        let answer: ecs::ListTagsForResourceResponse =
            self.call("ListTagsForResource", members(&request)).await?;
        Ok(answer.tags.unwrap_or_default())
    }

    /// A task's protection.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn protection(
        &self,
        task_arn: &str,
    ) -> Result<ecs::GetTaskProtectionResponse, CallError> {
        let request = ecs::GetTaskProtectionRequest {
            cluster: Some(self.cluster.to_string()),
            tasks: Some(vec![task_arn.to_owned()]),
        };
        self.call("GetTaskProtection", members(&request)).await
    }

    /// Protects a task from being scaled in, or no longer.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn protect(
        &self,
        task_arn: &str,
        enabled: bool,
        expires_in_minutes: Option<i32>,
    ) -> Result<ecs::UpdateTaskProtectionResponse, CallError> {
        let request = ecs::UpdateTaskProtectionRequest {
            cluster: Some(self.cluster.to_string()),
            tasks: Some(vec![task_arn.to_owned()]),
            protection_enabled: Some(enabled),
            expires_in_minutes,
        };
        self.call("UpdateTaskProtection", members(&request)).await
    }

    /// Takes the instance out of its cluster, with its tasks when forced.
    ///
    /// # Errors
    /// As [`ApiClient::call`].
    pub async fn deregister(&self, instance: &str, force: bool) -> Result<(), CallError> {
        let request = ecs::DeregisterContainerInstanceRequest {
            cluster: Some(self.cluster.to_string()),
            container_instance: Some(instance.to_owned()),
            force: Some(force),
        };
        let _: Value = self
            .call("DeregisterContainerInstance", members(&request))
            .await?;
        Ok(())
    }

    async fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        body: Map<String, Value>,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(&body).expect("a JSON object of plain values");
        let answer = self.api.call(&self.signer()?, operation, body).await?;
        serde_json::from_value(answer)
            .map_err(|error| CallError::Failed(format!("the answer cannot be read: {error}")))
    }

    fn task_state(&self, report: &Report) -> Map<String, Value> {
        let time = |at: Option<i64>| at.map(EpochSeconds::from_millis);
        let containers: Vec<_> = report.containers.iter().map(container_state).collect();
        let request = ecs::SubmitTaskStateChangeRequest {
            cluster: Some(self.cluster.to_string()),
            task: Some(report.task.to_string()),
            status: Some(report.status.as_str().to_owned()),
            reason: Some(shortened(&report.reason)),
            containers: Some(containers).filter(|list| !list.is_empty()),
            pull_started_at: time(report.pull_started_at),
            pull_stopped_at: time(report.pull_stopped_at),
            execution_stopped_at: time(report.execution_stopped_at),
            ..Default::default()
        };
        let mut body = members(&request);
        if let Some(network) = &report.network {
            let address = OwnAddress {
                ip: network.ip.to_string(),
                mac: network.mac.clone(),
            };
            let address = serde_json::to_value(address).expect("two strings");
            body.insert(KEY_ADDRESS.to_owned(), address);
        }
        body
    }
}

/// A request as an object, to which members can be added that the model lacks.
fn members<T: Serialize>(request: &T) -> Map<String, Value> {
    match serde_json::to_value(request) {
        Ok(Value::Object(members)) => members,
        // Generated requests are structures of plain values.
        Ok(_) | Err(_) => Map::new(),
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(REASON_CHARS_MAX).collect()
}

fn container_state(change: &ContainerChange) -> ecs::ContainerStateChange {
    let bindings: Vec<_> = change.bindings.iter().map(binding).collect();
    ecs::ContainerStateChange {
        container_name: Some(change.name.clone()),
        status: Some(change.status.as_str().to_owned()),
        runtime_id: change.runtime_id.as_ref().map(ToString::to_string),
        exit_code: change.exit_code,
        reason: change.reason.as_deref().map(shortened),
        image_digest: change.image_digest.clone(),
        network_bindings: Some(bindings).filter(|list| !list.is_empty()),
    }
}

fn binding(binding: &Binding) -> ecs::NetworkBinding {
    let mut wire = ecs::NetworkBinding {
        bind_ip: Some(binding.bind_ip.clone()),
        protocol: Some(binding.protocol.as_str().into()),
        ..Default::default()
    };
    let range = |(first, last): (u16, u16)| Some(format!("{first}-{last}"));
    if binding.range {
        wire.container_port_range = range(binding.container);
        wire.host_port_range = range(binding.host);
    } else {
        wire.container_port = Some(binding.container.0.into());
        wire.host_port = Some(binding.host.0.into());
    }
    wire
}
