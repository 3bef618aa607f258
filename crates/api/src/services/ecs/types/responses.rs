//! ecs: what operations answer; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    AssociateGatewayWithClusterResponse {
        cluster_arn: String = "clusterArn",
        gateway_arn: String = "gatewayArn",
        status: GatewayClusterAssociationStatus = "status",
    }
    ContinueServiceDeploymentResponse {
        service_deployment_arn: String = "serviceDeploymentArn",
    }
    CreateCapacityProviderResponse {
        capacity_provider: CapacityProvider = "capacityProvider",
    }
    CreateClusterResponse {
        cluster: Cluster = "cluster",
        cluster_count: i32 = "clusterCount",
    }
    CreateDaemonResponse {
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        daemon_arn: String = "daemonArn",
        deployment_arn: String = "deploymentArn",
        status: DaemonStatus = "status",
    }
    CreateExpressGatewayServiceResponse {
        service: ECSExpressGatewayService = "service",
    }
    CreateGatewayResponse {
        gateway_arn: String = "gatewayArn",
        name: String = "name",
        status: GatewayStatus = "status",
    }
    CreateServiceResponse {
        service: Service = "service",
    }
    CreateTaskSetResponse {
        task_set: TaskSet = "taskSet",
    }
    DeleteAccountSettingResponse {
        setting: Setting = "setting",
    }
    DeleteAttributesResponse {
        attributes: Vec<Attribute> = "attributes",
    }
    DeleteCapacityProviderResponse {
        capacity_provider: CapacityProvider = "capacityProvider",
    }
    DeleteClusterResponse {
        cluster: Cluster = "cluster",
        cluster_count: i32 = "clusterCount",
    }
    DeleteDaemonResponse {
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        daemon_arn: String = "daemonArn",
        deployment_arn: String = "deploymentArn",
        status: DaemonStatus = "status",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    DeleteDaemonTaskDefinitionResponse {
        daemon_task_definition_arn: String = "daemonTaskDefinitionArn",
    }
    DeleteExpressGatewayServiceResponse {
        service: ECSExpressGatewayService = "service",
    }
    DeleteGatewayResponse {
        gateway_arn: String = "gatewayArn",
        name: String = "name",
        status: GatewayStatus = "status",
    }
    DeleteServiceResponse {
        service: Service = "service",
    }
    DeleteTaskDefinitionsResponse {
        failures: Vec<Failure> = "failures",
        task_definitions: Vec<TaskDefinition> = "taskDefinitions",
    }
    DeleteTaskSetResponse {
        task_set: TaskSet = "taskSet",
    }
    DeregisterContainerInstanceResponse {
        container_instance: ContainerInstance = "containerInstance",
    }
    DeregisterTaskDefinitionResponse {
        task_definition: TaskDefinition = "taskDefinition",
    }
    DescribeCapacityProvidersResponse {
        capacity_providers: Vec<CapacityProvider> = "capacityProviders",
        failures: Vec<Failure> = "failures",
        next_token: String = "nextToken",
    }
    DescribeClustersResponse {
        clusters: Vec<Cluster> = "clusters",
        failures: Vec<Failure> = "failures",
    }
    DescribeContainerInstancesResponse {
        container_instances: Vec<ContainerInstance> = "containerInstances",
        failures: Vec<Failure> = "failures",
    }
    DescribeDaemonDeploymentsResponse {
        daemon_deployments: Vec<DaemonDeployment> = "daemonDeployments",
        failures: Vec<Failure> = "failures",
    }
    DescribeDaemonResponse {
        daemon: DaemonDetail = "daemon",
    }
    DescribeDaemonRevisionsResponse {
        daemon_revisions: Vec<DaemonRevision> = "daemonRevisions",
        failures: Vec<Failure> = "failures",
    }
    DescribeDaemonTaskDefinitionResponse {
        daemon_task_definition: DaemonTaskDefinition = "daemonTaskDefinition",
    }
    DescribeExpressGatewayServiceResponse {
        service: ECSExpressGatewayService = "service",
    }
    DescribeGatewayResourcesResponse {
        gateway_resources: GatewayResources = "gatewayResources",
        next_token: String = "nextToken",
    }
    DescribeGatewayResponse {
        gateway: Gateway = "gateway",
    }
    DescribeGatewayRouteResponse {
        gateway_route: GatewayRoute = "gatewayRoute",
    }
    DescribeServiceDeploymentsResponse {
        failures: Vec<Failure> = "failures",
        service_deployments: Vec<ServiceDeployment> = "serviceDeployments",
    }
    DescribeServiceRevisionsResponse {
        failures: Vec<Failure> = "failures",
        service_revisions: Vec<ServiceRevision> = "serviceRevisions",
    }
    DescribeServicesResponse {
        failures: Vec<Failure> = "failures",
        services: Vec<Service> = "services",
    }
    DescribeTaskDefinitionResponse {
        tags: Vec<Tag> = "tags",
        task_definition: TaskDefinition = "taskDefinition",
    }
    DescribeTaskSetsResponse {
        failures: Vec<Failure> = "failures",
        task_sets: Vec<TaskSet> = "taskSets",
    }
    DescribeTasksResponse {
        failures: Vec<Failure> = "failures",
        tasks: Vec<Task> = "tasks",
    }
    DisassociateGatewayFromClusterResponse {
        cluster_arn: String = "clusterArn",
        gateway_arn: String = "gatewayArn",
        status: GatewayClusterAssociationStatus = "status",
    }
    DiscoverPollEndpointResponse {
        endpoint: String = "endpoint",
        service_connect_endpoint: String = "serviceConnectEndpoint",
        telemetry_endpoint: String = "telemetryEndpoint",
    }
    ExecuteCommandResponse {
        cluster_arn: String = "clusterArn",
        container_arn: String = "containerArn",
        container_name: String = "containerName",
        interactive: bool = "interactive",
        session: Session = "session",
        task_arn: String = "taskArn",
    }
    GetTaskProtectionResponse {
        failures: Vec<Failure> = "failures",
        protected_tasks: Vec<ProtectedTask> = "protectedTasks",
    }
    ListAccountSettingsResponse {
        next_token: String = "nextToken",
        settings: Vec<Setting> = "settings",
    }
    ListAttributesResponse {
        attributes: Vec<Attribute> = "attributes",
        next_token: String = "nextToken",
    }
    ListClustersResponse {
        cluster_arns: Vec<String> = "clusterArns",
        next_token: String = "nextToken",
    }
    ListContainerInstancesResponse {
        container_instance_arns: Vec<String> = "containerInstanceArns",
        next_token: String = "nextToken",
    }
    ListDaemonDeploymentsResponse {
        daemon_deployments: Vec<DaemonDeploymentSummary> = "daemonDeployments",
        next_token: String = "nextToken",
    }
    ListDaemonTaskDefinitionsResponse {
        daemon_task_definitions: Vec<DaemonTaskDefinitionSummary> = "daemonTaskDefinitions",
        next_token: String = "nextToken",
    }
    ListDaemonsResponse {
        daemon_summaries_list: Vec<DaemonSummary> = "daemonSummariesList",
        next_token: String = "nextToken",
    }
    ListGatewayClusterAssociationsResponse {
        gateway_cluster_associations: Vec<GatewayClusterAssociationSummary> = "gatewayClusterAssociations",
        next_token: String = "nextToken",
    }
    ListGatewayRoutesResponse {
        gateway_routes: Vec<GatewayRouteSummary> = "gatewayRoutes",
        next_token: String = "nextToken",
    }
    ListGatewaysResponse {
        gateways: Vec<GatewaySummary> = "gateways",
        next_token: String = "nextToken",
    }
    ListServiceDeploymentsResponse {
        next_token: String = "nextToken",
        service_deployments: Vec<ServiceDeploymentBrief> = "serviceDeployments",
    }
    ListServicesByNamespaceResponse {
        next_token: String = "nextToken",
        service_arns: Vec<String> = "serviceArns",
    }
    ListServicesResponse {
        next_token: String = "nextToken",
        service_arns: Vec<String> = "serviceArns",
    }
    ListTagsForResourceResponse {
        tags: Vec<Tag> = "tags",
    }
    ListTaskDefinitionFamiliesResponse {
        families: Vec<String> = "families",
        next_token: String = "nextToken",
    }
    ListTaskDefinitionsResponse {
        next_token: String = "nextToken",
        task_definition_arns: Vec<String> = "taskDefinitionArns",
    }
    ListTasksResponse {
        next_token: String = "nextToken",
        task_arns: Vec<String> = "taskArns",
    }
    PutAccountSettingDefaultResponse {
        setting: Setting = "setting",
    }
    PutAccountSettingResponse {
        setting: Setting = "setting",
    }
    PutAttributesResponse {
        attributes: Vec<Attribute> = "attributes",
    }
    PutClusterCapacityProvidersResponse {
        cluster: Cluster = "cluster",
    }
    RegisterContainerInstanceResponse {
        container_instance: ContainerInstance = "containerInstance",
    }
    RegisterDaemonTaskDefinitionResponse {
        daemon_task_definition_arn: String = "daemonTaskDefinitionArn",
    }
    RegisterTaskDefinitionResponse {
        tags: Vec<Tag> = "tags",
        task_definition: TaskDefinition = "taskDefinition",
    }
    RunTaskResponse {
        failures: Vec<Failure> = "failures",
        tasks: Vec<Task> = "tasks",
    }
    StartTaskResponse {
        failures: Vec<Failure> = "failures",
        tasks: Vec<Task> = "tasks",
    }
    StopServiceDeploymentResponse {
        service_deployment_arn: String = "serviceDeploymentArn",
    }
    StopTaskResponse {
        task: Task = "task",
    }
    SubmitAttachmentStateChangesResponse {
        acknowledgment: String = "acknowledgment",
    }
    SubmitContainerStateChangeResponse {
        acknowledgment: String = "acknowledgment",
    }
    SubmitTaskStateChangeResponse {
        acknowledgment: String = "acknowledgment",
    }
    TagResourceResponse {
    }
    UntagResourceResponse {
    }
    UpdateCapacityProviderResponse {
        capacity_provider: CapacityProvider = "capacityProvider",
    }
    UpdateClusterResponse {
        cluster: Cluster = "cluster",
    }
    UpdateClusterSettingsResponse {
        cluster: Cluster = "cluster",
    }
    UpdateContainerAgentResponse {
        container_instance: ContainerInstance = "containerInstance",
    }
    UpdateContainerInstancesStateResponse {
        container_instances: Vec<ContainerInstance> = "containerInstances",
        failures: Vec<Failure> = "failures",
    }
    UpdateDaemonResponse {
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        daemon_arn: String = "daemonArn",
        deployment_arn: String = "deploymentArn",
        status: DaemonStatus = "status",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    UpdateExpressGatewayServiceResponse {
        service: UpdatedExpressGatewayService = "service",
    }
    UpdateGatewayResponse {
        gateway_arn: String = "gatewayArn",
        name: String = "name",
        status: GatewayStatus = "status",
    }
    UpdateServicePrimaryTaskSetResponse {
        task_set: TaskSet = "taskSet",
    }
    UpdateServiceResponse {
        service: Service = "service",
    }
    UpdateTaskProtectionResponse {
        failures: Vec<Failure> = "failures",
        protected_tasks: Vec<ProtectedTask> = "protectedTasks",
    }
    UpdateTaskSetResponse {
        task_set: TaskSet = "taskSet",
    }
}
