//! Why a task waits, or where it went: a call of Berth's own, beside the APIs of AWS, for
//! `berth explain`.
//!
//! It answers in sentences for people, with the same facts as members for programs. Instances are
//! grouped by what placement says of them, those that come closest first, and the first
//! [`SHOWN_MAX`] of each group are told one by one, so that an answer about a cluster of thousands
//! can be read.

mod service;
mod task;
mod words;

use std::collections::BTreeMap;

use berth_api::ecs::Fault;
use berth_model::id::InstanceId;
use berth_placement::{Examined, Reason, Wanted};
use berth_state::Tx;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, task_id};
use crate::ecs::services::service_key;
use crate::error::ApiError;

/// The call's name.
pub const OPERATION: &str = "Explain";

/// Instances told one by one in each group.
const SHOWN_MAX: usize = 10;
/// Instances that are looked at: a few milliseconds of the writer.
const EXAMINED_MAX: usize = 10_000;

/// What is asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Question {
    /// The cluster, by name or ARN; `default` when absent.
    cluster: Option<String>,
    /// The task, by id or ARN.
    task: Option<String>,
    /// The service, by name or ARN.
    service: Option<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The ARN of what was asked about.
    pub arn: String,
    /// What is to be said of it, in a sentence.
    pub summary: String,
    /// What else has a part in it, a sentence each.
    pub notes: Vec<String>,
    /// What placement says of the instances, those that come closest first.
    pub groups: Vec<Group>,
    /// How many instances there are to choose from.
    pub instances: usize,
}

/// Instances of which placement says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Group {
    /// What is said of them: a `reason` of the ECS API's failures, `HERE` where the task is, `ROOM`
    /// where it could go, or `HELD` where room is kept for another.
    pub reason: String,
    /// How many they are.
    pub count: usize,
    /// The first of them.
    pub shown: Vec<Candidate>,
}

/// An instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Candidate {
    /// Its ARN.
    pub container_instance_arn: String,
    /// Its zone, if it names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub availability_zone: Option<String>,
    /// What is to be said of it.
    pub sentence: String,
}

/// Answers the call.
///
/// # Errors
/// InvalidParameterException for what names nothing, and what the ECS API says of a cluster,
/// task or service that is not there.
pub async fn explain(call: Call, body: Bytes) -> Result<Explanation, ApiError> {
    let question: Question = serde_json::from_slice(&body)
        .map_err(|error| ApiError::client(Fault::InvalidParameter, error.to_string()))?;
    let cluster = cluster_key(call.scope(), question.cluster.as_deref())?;
    active_cluster(&call.snapshot(), &cluster)?;
    let setting = call.cx.limits.wait_for_room;
    match (question.task, question.service) {
        (Some(task), None) => {
            let id = task_id(&cluster, &task)?;
            call.transact(move |tx| task::explain(tx, &cluster, id, setting))
                .await
        }
        (None, Some(service)) => {
            let key = service_key(&cluster, &service)?;
            call.transact(move |tx| service::explain(tx, &key)).await
        }
        (Some(_), Some(_)) | (None, None) => Err(invalid("Specify either a task or a service.")),
    }
}

/// Where an instance stands in the answer. The order is the order of the groups.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    Here,
    Room,
    Refuses(std::cmp::Reverse<Reason>),
}

impl Standing {
    fn of(examined: &Examined, here: Option<InstanceId>) -> Self {
        match examined.refusal {
            _ if here == Some(examined.instance) => Self::Here,
            None => Self::Room,
            Some(reason) => Self::Refuses(std::cmp::Reverse(reason)),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Here => "HERE",
            Self::Room => "ROOM",
            Self::Refuses(std::cmp::Reverse(Reason::Held)) => "HELD",
            Self::Refuses(std::cmp::Reverse(reason)) => reason.as_str(),
        }
    }
}

/// What placement says of each instance.
struct Surveyed {
    examined: Vec<Examined>,
    instances: usize,
}

fn survey(tx: &mut Tx<'_>, wanted: &Wanted<'_>) -> Surveyed {
    let (examined, instances) = tx.fleet().examine(&wanted.request(None, 0), EXAMINED_MAX);
    Surveyed {
        examined,
        instances,
    }
}

impl Surveyed {
    /// The instances in groups; `here` is where the task is.
    fn groups(&self, tx: &mut Tx<'_>, wanted: &Wanted<'_>, here: Option<InstanceId>) -> Vec<Group> {
        let mut by_standing: BTreeMap<Standing, Vec<&Examined>> = BTreeMap::new();
        for examined in &self.examined {
            let standing = Standing::of(examined, here);
            by_standing.entry(standing).or_default().push(examined);
        }
        let groups = by_standing.into_iter();
        groups
            .map(|(standing, members)| Group {
                reason: standing.as_str().to_owned(),
                count: members.len(),
                shown: members
                    .iter()
                    .take(SHOWN_MAX)
                    .filter_map(|examined| words::candidate(tx, wanted, examined, standing))
                    .collect(),
            })
            .collect()
    }

    /// Whether one of them could take the task now.
    fn has_room(&self) -> bool {
        self.examined.iter().any(|one| one.refusal.is_none())
    }
}
