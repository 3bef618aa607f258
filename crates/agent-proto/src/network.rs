//! Network interfaces and other attachments of a stock agent (reference §4.5).

use serde::{Deserialize, Serialize};

use crate::task::Attachment;

/// An elastic network interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkInterface {
    /// The attachment's ARN.
    pub attachment_arn: String,
    /// The interface's id.
    pub ec2_id: String,
    /// The interface's hardware address, by which the agent finds it.
    pub mac_address: String,
    /// Its place among the interfaces of the task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<i64>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its IPv4 addresses.
    pub ipv4_addresses: Vec<Ipv4Address>,
    /// Its IPv6 addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ipv6_addresses: Vec<Ipv6Address>,
    /// The subnet's gateway with prefix length, as `10.0.0.1/24`.
    #[serde(rename = "subnetGatewayIpv4Address")]
    pub subnet_gateway_ipv4_address: String,
    /// The subnet's IPv6 gateway with prefix length.
    #[serde(
        rename = "subnetGatewayIpv6Address",
        skip_serializing_if = "Option::is_none"
    )]
    pub subnet_gateway_ipv6_address: Option<String>,
    /// Domains to search.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domain_name: Vec<String>,
    /// Name servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub domain_name_servers: Vec<String>,
    /// Its name in the VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_dns_name: Option<String>,
    /// `default` or `vlan`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interface_association_protocol: Option<String>,
}

/// An IPv4 address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ipv4Address {
    /// The address.
    pub private_address: String,
    /// Whether it is the interface's first.
    pub primary: bool,
}

/// An IPv6 address of an interface.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ipv6Address {
    /// The address.
    pub address: String,
    /// Whether it is the interface's first.
    pub primary: bool,
}

/// Tells the agent to await interfaces of a task. The ack means "understood", not "attached"
/// (pitfall 34).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttachTaskNetworkInterfacesMessage {
    /// What the ack names.
    pub message_id: String,
    /// The cluster.
    pub cluster_arn: String,
    /// The instance.
    pub container_instance_arn: String,
    /// The task.
    pub task_arn: String,
    /// The task's cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_cluster_arn: Option<String>,
    /// How long the agent waits for the interfaces, in milliseconds; above 0.
    pub wait_timeout_ms: i64,
    /// The interfaces.
    pub elastic_network_interfaces: Vec<NetworkInterface>,
}

/// Tells the agent to await interfaces of the instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttachInstanceNetworkInterfacesMessage {
    /// What the ack names.
    pub message_id: String,
    /// The cluster.
    pub cluster_arn: String,
    /// The instance.
    pub container_instance_arn: String,
    /// How long the agent waits for the interfaces, in milliseconds; above 0.
    pub wait_timeout_ms: i64,
    /// The interfaces.
    pub elastic_network_interfaces: Vec<NetworkInterface>,
}

/// Tells the agent to await a block device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ConfirmAttachmentMessage {
    /// What the ack names.
    pub message_id: String,
    /// The cluster; must be an ARN.
    pub cluster_arn: String,
    /// The instance; must be an ARN.
    pub container_instance_arn: String,
    /// The task.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_arn: Option<String>,
    /// The task's cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_cluster_arn: Option<String>,
    /// How long the agent waits, in milliseconds; 300000 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_timeout_ms: Option<i64>,
    /// The device.
    pub attachment: Attachment,
}
