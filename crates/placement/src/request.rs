//! What is asked of placement, and its answer.

use berth_model::id::InstanceId;
use berth_model::name::ClusterKey;
use berth_model::resources::Demand;
use berth_model::task::LaunchType;
use berth_model::text::Text;

use crate::strategy::Strategy;

/// On what kind of capacity a task is to be placed: the API's launch type.
pub type Launch = LaunchType;

/// One task to place.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The task's cluster.
    pub cluster: &'a ClusterKey,
    /// `EC2` takes any instance of the cluster, `EXTERNAL` those whose agent registered as
    /// external, `FARGATE` what is offered as Fargate capacity anywhere in the cluster's account
    /// and region. Amazon keeps external instances from `EC2`; here all machines are the user's
    /// own, and a stock agent off Amazon's machines can register in no other way.
    pub launch: Launch,
    /// The task group, which `spread` and `distinctInstance` count by.
    pub group: &'a Text,
    /// What the task takes.
    pub demand: &'a Demand,
    /// Names of attributes that the instance must have.
    pub required_attributes: &'a [Text],
    /// `memberOf` expressions of the task definition and the request, already checked by
    /// [`Expression::parse`](crate::Expression::parse); no instance satisfies one that does not parse.
    pub member_of: &'a [Text],
    /// No instance that has a task of the group.
    pub distinct_instance: bool,
    /// Preferences, at most [`STRATEGIES_MAX`](crate::STRATEGIES_MAX); more are not looked at.
    pub strategy: &'a [Strategy],
    /// The zones of the given subnets, for a task in awsvpc mode; `None` when any will do.
    pub zones: Option<&'a [Text]>,
    /// Chance for [`Strategy::Random`], from the transaction.
    pub seed: u64,
}

/// Where a task goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// The instance.
    pub instance: InstanceId,
    /// The GPUs that the task gets, as many as it demands. The caller keeps them with the task
    /// and tells them again in [`Occupant::gpus`](crate::Occupant::gpus).
    pub gpus: Vec<Text>,
}
