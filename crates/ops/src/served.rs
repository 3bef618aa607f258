//! The table of operations that are served. An operation not in it is answered as unserved, and
//! `docs/compatibility.md` is made from it.

use berth_api::{Operation, Protocol, Service, decode_form, decode_json};
use berth_wire::query::{Answer, parse_form};
use berth_wire::{json, query};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::Response;

use crate::access;
use crate::call::Call;
use crate::ecs::fault::access_denied;
use crate::error::ApiError;

/// An operation that is served.
pub struct Served {
    /// Its service.
    pub service: &'static Service,
    /// Its name.
    pub operation: &'static str,
    run: Run,
}

/// Body and request id to an answer.
type Run = fn(Call, Bytes, String) -> Answered;
type Answered = BoxFuture<'static, Result<Response<Bytes>, ApiError>>;

impl Served {
    /// Decodes the body, does what the operation does, and writes the answer.
    ///
    /// # Errors
    /// The fault to answer with, in the service's protocol.
    pub async fn run(
        &self,
        mut call: Call,
        body: Bytes,
        request_id: String,
    ) -> Result<Response<Bytes>, ApiError> {
        let (service, operation) = (self.service.name, self.operation);
        let caller = &call.caller;
        if !access::may_call(&caller.principal, service, operation) {
            return Err(access_denied(&caller.arn, service, operation, "*"));
        }
        call.body = body.clone();
        (self.run)(call, body, request_id).await
    }
}

/// The operation of this name, if it is served.
#[must_use]
pub fn find(service: &str, operation: &str) -> Option<&'static Served> {
    SERVED
        .iter()
        .find(|served| served.service.name == service && served.operation == operation)
}

fn input<O: Operation>(body: &[u8]) -> Result<O::Input, ApiError> {
    Ok(match O::SERVICE.protocol {
        Protocol::Json { .. } => decode_json::<O>(body)?,
        Protocol::Query { .. } => decode_form::<O>(&parse_form(body)?)?,
    })
}

fn answer<O: Operation>(output: &O::Output, request_id: &str) -> Response<Bytes> {
    match O::SERVICE.protocol {
        Protocol::Json { .. } => json::respond(output, request_id),
        Protocol::Query { xml_namespace } => {
            let answer = Answer {
                operation: O::NAME,
                namespace: xml_namespace,
                request_id,
            };
            query::respond(&answer, output)
        }
    }
}

macro_rules! served {
    ($($service:ident { $($operation:ident => $handler:path,)* })*) => {
        &[$($(Served {
            service: &berth_api::$service::SERVICE,
            operation: <berth_api::$service::op::$operation as Operation>::NAME,
            run: |call, body, request_id| Box::pin(async move {
                type O = berth_api::$service::op::$operation;
                let output = $handler(call, input::<O>(&body)?).await?;
                Ok(answer::<O>(&output, &request_id))
            }),
        },)*)*]
    };
}

/// Every operation that is served, by service and name.
pub static SERVED: &[Served] = served! {
    ecs {
        ContinueServiceDeployment => crate::ecs::services::continue_service_deployment,
        CreateCapacityProvider => crate::ecs::clusters::create_capacity_provider,
        CreateCluster => crate::ecs::clusters::create_cluster,
        CreateService => crate::ecs::services::create_service,
        CreateTaskSet => crate::ecs::services::create_task_set,
        DeleteAccountSetting => crate::ecs::settings::delete_account_setting,
        DeleteAttributes => crate::ecs::instances::delete_attributes,
        DeleteCapacityProvider => crate::ecs::clusters::delete_capacity_provider,
        DeleteCluster => crate::ecs::clusters::delete_cluster,
        DeleteService => crate::ecs::services::delete_service,
        DeleteTaskDefinitions => crate::ecs::definitions::delete_task_definitions,
        DeleteTaskSet => crate::ecs::services::delete_task_set,
        DeregisterContainerInstance => crate::ecs::instances::deregister_container_instance,
        DeregisterTaskDefinition => crate::ecs::definitions::deregister_task_definition,
        DescribeCapacityProviders => crate::ecs::clusters::describe_capacity_providers,
        DescribeClusters => crate::ecs::clusters::describe_clusters,
        DescribeContainerInstances => crate::ecs::instances::describe_container_instances,
        DescribeServiceDeployments => crate::ecs::services::describe_service_deployments,
        DescribeServiceRevisions => crate::ecs::services::describe_service_revisions,
        DescribeServices => crate::ecs::services::describe_services,
        DescribeTaskDefinition => crate::ecs::definitions::describe_task_definition,
        DescribeTaskSets => crate::ecs::services::describe_task_sets,
        DescribeTasks => crate::ecs::tasks::describe_tasks,
        DiscoverPollEndpoint => crate::ecs::agents::discover_poll_endpoint,
        GetTaskProtection => crate::ecs::services::get_task_protection,
        ListAccountSettings => crate::ecs::settings::list_account_settings,
        ListAttributes => crate::ecs::instances::list_attributes,
        ListClusters => crate::ecs::clusters::list_clusters,
        ListContainerInstances => crate::ecs::instances::list_container_instances,
        ListServiceDeployments => crate::ecs::services::list_service_deployments,
        ListServices => crate::ecs::services::list_services,
        ListServicesByNamespace => crate::ecs::services::list_services_by_namespace,
        ListTagsForResource => crate::ecs::tags::list_tags_for_resource,
        ListTaskDefinitionFamilies => crate::ecs::definitions::list_task_definition_families,
        ListTaskDefinitions => crate::ecs::definitions::list_task_definitions,
        ListTasks => crate::ecs::tasks::list_tasks,
        PutAccountSetting => crate::ecs::settings::put_account_setting,
        PutAccountSettingDefault => crate::ecs::settings::put_account_setting_default,
        PutAttributes => crate::ecs::instances::put_attributes,
        PutClusterCapacityProviders => crate::ecs::clusters::put_cluster_capacity_providers,
        RegisterContainerInstance => crate::ecs::instances::register_container_instance,
        RegisterTaskDefinition => crate::ecs::definitions::register_task_definition,
        RunTask => crate::ecs::tasks::run_task,
        StartTask => crate::ecs::tasks::start_task,
        StopServiceDeployment => crate::ecs::services::stop_service_deployment,
        StopTask => crate::ecs::tasks::stop_task,
        SubmitAttachmentStateChanges => crate::ecs::agents::submit_attachment_state_changes,
        SubmitContainerStateChange => crate::ecs::agents::submit_container_state_change,
        SubmitTaskStateChange => crate::ecs::agents::submit_task_state_change,
        TagResource => crate::ecs::tags::tag_resource,
        UntagResource => crate::ecs::tags::untag_resource,
        UpdateCapacityProvider => crate::ecs::clusters::update_capacity_provider,
        UpdateCluster => crate::ecs::clusters::update_cluster,
        UpdateClusterSettings => crate::ecs::clusters::update_cluster_settings,
        UpdateContainerAgent => crate::ecs::instances::update_container_agent,
        UpdateContainerInstancesState => crate::ecs::instances::update_container_instances_state,
        UpdateService => crate::ecs::services::update_service,
        UpdateServicePrimaryTaskSet => crate::ecs::services::update_service_primary_task_set,
        UpdateTaskProtection => crate::ecs::services::update_task_protection,
        UpdateTaskSet => crate::ecs::services::update_task_set,
    }
    logs {
        CreateLogGroup => crate::logs::create_log_group,
        CreateLogStream => crate::logs::create_log_stream,
        DeleteLogGroup => crate::logs::delete_log_group,
        DeleteLogStream => crate::logs::delete_log_stream,
        DeleteRetentionPolicy => crate::logs::delete_retention_policy,
        DescribeLogGroups => crate::logs::describe_log_groups,
        DescribeLogStreams => crate::logs::describe_log_streams,
        FilterLogEvents => crate::logs::filter_log_events,
        GetLogEvents => crate::logs::get_log_events,
        ListTagsForResource => crate::logs::list_tags_for_resource,
        PutLogEvents => crate::logs::put_log_events,
        PutRetentionPolicy => crate::logs::put_retention_policy,
        TagResource => crate::logs::tag_resource,
        UntagResource => crate::logs::untag_resource,
    }
    sts {
        GetCallerIdentity => crate::sts::get_caller_identity,
    }
};
