//! What RunTask and StartTask ask for alike, read before anything is changed.

use std::sync::Arc;

use berth_api::ecs::{self, Fault};
use berth_model::cluster::Cluster;
use berth_model::definition::{DefinitionFacts, TaskDefinition};
use berth_model::id::TaskId;
use berth_model::resources::Demand;
use berth_model::tags::Tags;
use berth_model::task::{
    ContainerSeen, Desired, LastStatus, LaunchType, Seen, Task, TaskOverrides, TaskSpec,
};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_placement::Placement;
use berth_state::State;

use crate::ecs::fault::{client, invalid};
use crate::ecs::sizes;
use crate::ecs::tags::given_tags;
use crate::ecs::tasks::network::parse_network;
use crate::ecs::tasks::overrides::parse_overrides;
use crate::error::ApiError;

/// The most characters of a task group's name.
const GROUP_LENGTH_MAX: usize = 255;
/// The most characters of a `referenceId`, which Berth has no use for.
const REFERENCE_LENGTH_MAX: usize = 1024;
/// The tag that `enableECSManagedTags` puts on a task that is of no service (reference §9.2).
const MANAGED_TAG: &str = "aws:ecs:clusterName";

/// The members that both operations have.
pub(super) struct Given<'a> {
    pub(super) group: Option<&'a str>,
    pub(super) started_by: Option<&'a str>,
    /// The most characters of `started_by`: the operations differ (reference §2.7).
    pub(super) started_by_max: usize,
    pub(super) reference_id: Option<&'a str>,
    pub(super) overrides: Option<&'a ecs::TaskOverride>,
    pub(super) network: Option<&'a ecs::NetworkConfiguration>,
    pub(super) execute_command: Option<bool>,
    pub(super) tags: Option<&'a [ecs::Tag]>,
    pub(super) propagate_tags: Option<&'a ecs::PropagateTags>,
    pub(super) managed_tags: Option<bool>,
    pub(super) volumes: Option<&'a [ecs::TaskVolumeConfiguration]>,
}

/// A task to be made, but for its id, its place and its time.
#[derive(Clone)]
pub(super) struct Draft {
    /// What is asked for; `created_at` is filled in by the transaction.
    pub(super) spec: TaskSpec,
    /// The labels of each task.
    pub(super) tags: Tags,
    /// The definition's facts.
    pub(super) facts: Arc<DefinitionFacts>,
    /// What one task takes.
    pub(super) demand: Arc<Demand>,
}

impl Draft {
    /// Reads what both operations have.
    ///
    /// # Errors
    /// What ECS says of the first member that cannot be.
    pub(super) fn parse(
        cluster: &Cluster,
        definition: &TaskDefinition,
        launch: LaunchType,
        given: &Given<'_>,
    ) -> Result<Draft, ApiError> {
        let facts = definition.facts.clone();
        let network = parse_network(facts.network_mode, launch, given.network)?;
        let overrides = parse_overrides(&facts, given.overrides)?;
        check_lengths(given)?;
        check_volumes(given.volumes)?;
        let execute_command = given.execute_command.unwrap_or(false);
        let role = given.overrides.and_then(|o| o.task_role_arn.as_ref());
        if execute_command && !facts.task_role && role.is_none() {
            return Err(invalid(
                "The task couldn't be started because a valid taskRoleArn is not being used. \
                 Specify a valid task role in your task definition and try again.",
            ));
        }
        let demand = facts.demand(overrides.as_deref());
        if launch == LaunchType::Fargate {
            check_fargate_size(&facts, overrides.as_deref())?;
        }
        let family = &definition.key.family;
        let group = given.group.filter(|group| !group.is_empty());
        let spec = TaskSpec {
            cluster: cluster.key.clone(),
            definition: definition.key.clone(),
            group: group.map_or_else(|| Text::from(format!("family:{family}")), Text::new),
            started_by: given.started_by.filter(|by| !by.is_empty()).map(Text::new),
            service: None,
            launch_type: launch,
            capacity_provider: None,
            platform_version: None,
            overrides,
            network,
            constraints: Vec::new(),
            strategy: Vec::new(),
            execute_command,
            client_token: None,
            created_at: Timestamp::default(),
        };
        Ok(Draft {
            spec,
            tags: tags(cluster, definition, given)?,
            facts,
            demand: Arc::new(demand),
        })
    }

    /// What is asked for, as accepted now from this provider.
    pub(super) fn spec_at(&self, now: Timestamp, provider: Option<&Text>) -> Arc<TaskSpec> {
        Arc::new(TaskSpec {
            created_at: now,
            capacity_provider: provider.cloned(),
            ..self.spec.clone()
        })
    }

    /// A task about to be told to the agent of its instance, or waiting for one.
    pub(super) fn task(
        &self,
        id: TaskId,
        spec: Arc<TaskSpec>,
        placement: Option<Placement>,
    ) -> Task {
        let (instance, gpus, last) = match placement {
            Some(Placement { instance, gpus }) => {
                let last = LastStatus::once_placed(self.facts.network_mode);
                (Some(instance), gpus, last)
            }
            None => (None, Vec::new(), LastStatus::Provisioning),
        };
        Task {
            id,
            spec,
            instance,
            gpus,
            tags: self.tags.clone(),
            desired: Desired::Running,
            stop: None,
            protected_until: None,
            last,
            seen: Seen {
                containers: vec![ContainerSeen::default(); self.facts.containers.len()],
                ..Seen::default()
            },
            version: 1,
        }
    }

    /// Refuses what is gone since the call was read.
    ///
    /// # Errors
    /// As the operation would have answered, had it come a moment later.
    pub(super) fn check_still_there(&self, state: &State) -> Result<(), ApiError> {
        crate::ecs::names::active_cluster(state, &self.spec.cluster)?;
        let definition = state.definitions.get(&self.spec.definition);
        let active = definition
            .is_some_and(|d| d.status == berth_model::definition::DefinitionStatus::Active);
        if active {
            Ok(())
        } else {
            Err(client("TaskDefinition is inactive"))
        }
    }
}

fn check_lengths(given: &Given<'_>) -> Result<(), ApiError> {
    let longer =
        |text: Option<&str>, max: usize| text.is_some_and(|text| text.chars().count() > max);
    if longer(given.group, GROUP_LENGTH_MAX) {
        return Err(invalid(format!("group longer than {GROUP_LENGTH_MAX}.")));
    }
    if longer(given.started_by, given.started_by_max) {
        return Err(client(format!(
            "startedBy longer than {}.",
            given.started_by_max
        )));
    }
    if longer(given.reference_id, REFERENCE_LENGTH_MAX) {
        return Err(invalid(format!(
            "referenceId longer than {REFERENCE_LENGTH_MAX}."
        )));
    }
    Ok(())
}

/// Volumes that the request configures are Amazon EBS volumes, which are of no use off AWS.
fn check_volumes(given: Option<&[ecs::TaskVolumeConfiguration]>) -> Result<(), ApiError> {
    match given.unwrap_or_default() {
        [] => Ok(()),
        [first, ..] => Err(ApiError::client(
            Fault::UnsupportedFeature,
            format!(
                "The volume {} cannot be attached: Amazon EBS volumes are not supported in this \
                 Region.",
                first.name.as_deref().unwrap_or_default()
            ),
        )),
    }
}

/// A Fargate task has sizes of its own, of which only some go together (reference §3.1). Berth runs
/// no Windows tasks, so the sizes are those of Linux.
fn check_fargate_size(
    facts: &DefinitionFacts,
    overrides: Option<&TaskOverrides>,
) -> Result<(), ApiError> {
    let cpu = overrides.and_then(|over| over.cpu).or(facts.cpu);
    let memory = overrides.and_then(|over| over.memory).or(facts.memory);
    match (cpu, memory) {
        (Some(cpu), Some(memory)) => sizes::check_fargate(cpu, memory, false),
        (None, _) | (_, None) => Err(client("No Fargate configuration exists for given values.")),
    }
}

/// The request's tags, the definition's where the request has none of that key, and ECS's own.
fn tags(
    cluster: &Cluster,
    definition: &TaskDefinition,
    given: &Given<'_>,
) -> Result<Tags, ApiError> {
    let mut tags = given_tags(Fault::InvalidParameter, given.tags)?;
    match given.propagate_tags {
        Some(ecs::PropagateTags::TaskDefinition) => {
            for (key, value) in definition.tags.iter() {
                if tags.get(key).is_none() {
                    tags.set(key.clone(), value.clone());
                }
            }
        }
        None | Some(ecs::PropagateTags::None) => {}
        Some(ecs::PropagateTags::Service | ecs::PropagateTags::Unknown(_)) => {
            return Err(invalid(
                "propagateTags should be one of [TASK_DEFINITION,NONE]",
            ));
        }
    }
    if given.managed_tags == Some(true) {
        tags.set(MANAGED_TAG.into(), cluster.key.name.as_text().clone());
    }
    Ok(tags)
}
