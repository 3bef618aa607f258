//! What Berth adds to Amazon's messages: every key and attribute of ours, in one place.
//!
//! A stock agent ignores unknown keys (reference §3.2) and our server treats each of these as
//! absent when a stock agent leaves it out. A new one needs a reason why Amazon's own fields
//! cannot say it.
//!
//! | where | name | meaning |
//! |---|---|---|
//! | ACS `Task` | `berthAwsvpc` | the agent makes the task's network itself: [`Awsvpc`] |
//! | ACS `Container` | `berthImage` | the image as the task definition names it, where `image` names a digest instead |
//! | `SubmitTaskStateChange` | `berthAddress` | the address that it gave the task: [`OwnAddress`] |
//! | registration attribute | [`CAPACITY_ATTRIBUTE`] | what the machine is offered as |
//! | registration attribute | [`MACHINE_ATTRIBUTE`] | which machine it is, so that one machine offered twice is counted once |

use serde::{Deserialize, Serialize};

/// What a registration offers (`instance`, `fargate` or both) and which machine is behind it.
pub use berth_model::instance::{CAPACITY_ATTRIBUTE, MACHINE_ATTRIBUTE};

/// The key of [`Awsvpc`] on a task.
pub const KEY_AWSVPC: &str = "berthAwsvpc";

/// The key of [`OwnAddress`] in a `SubmitTaskStateChange`.
pub const KEY_ADDRESS: &str = "berthAddress";

/// Asks our agent to make the network of an `awsvpc` task itself, from its own address range,
/// where Amazon would first attach a network interface of the VPC.
///
/// An object and not a flag, so that settings can be added.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Awsvpc {}

/// The address that our agent gave a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OwnAddress {
    /// The IPv4 or IPv6 address, without a prefix length.
    pub ip: String,
    /// The interface's hardware address, six pairs of hex digits with colons.
    pub mac: String,
}
