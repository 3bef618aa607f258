//! Clusters, and which capacity providers they use (reference §2.1, §2.2).
//!
//! Rules kept here:
//! - a repeated CreateCluster answers the cluster as it was created, and one that asks for
//!   something else is refused;
//! - a deleted cluster stays describable, and its name can be used again;
//! - a cluster with tasks, services or container instances is not deleted.
//!
//! Berth scales no machines, so that no association of a provider needs any waiting.

mod groups;
mod providers;
mod spec;

use berth_api::ecs::{self, Fault, op};
use berth_model::arn::is_arn;
use berth_model::cluster::{Cluster, ClusterSpec, ClusterStatus};
use berth_model::name::ClusterKey;
use berth_model::tags::Tags;
use berth_model::text::Text;
use berth_state::Tx;

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{cluster_key, cluster_name, known_cluster};
use crate::ecs::paging::{PAGE_MAX, Page};
use crate::ecs::settings;
use crate::ecs::strategy;
use crate::ecs::tags::given_tags;
use crate::error::ApiError;
use crate::render::cluster::{self as render, Parts};

pub(crate) use groups::{
    create_capacity_provider, delete_capacity_provider, update_capacity_provider,
};
pub(crate) use providers::{describe_capacity_providers, put_cluster_capacity_providers};

/// The most clusters that one DescribeClusters may name.
const DESCRIBED_MAX: usize = 100;

/// What a CreateCluster asks for; `None` where it says nothing.
#[derive(Clone)]
struct Wish {
    container_insights: Option<Text>,
    configuration: Option<serde_json::Value>,
    namespace: Option<Option<Text>>,
    providers: Option<Vec<Text>>,
    default_strategy: Option<Vec<berth_model::cluster::StrategyItem>>,
    tags: Option<Tags>,
}

/// Makes a cluster.
pub(crate) async fn create_cluster(
    call: Call,
    input: ecs::CreateClusterRequest,
) -> Result<ecs::CreateClusterResponse, ApiError> {
    let key = new_key(&call, &input)?;
    let wish = Wish::parse(&call, &input)?;
    call.check::<op::CreateCluster>(&input)?;
    let principal = call.caller.arn.clone();
    let cluster = call
        .transact(move |tx| create(tx, &key, &wish, &principal))
        .await?;
    Ok(ecs::CreateClusterResponse {
        cluster: Some(cluster),
        // Beside the cluster, and in no document: seen on the wire (reference §2.1).
        cluster_count: Some(1),
    })
}

fn new_key(call: &Call, input: &ecs::CreateClusterRequest) -> Result<ClusterKey, ApiError> {
    let given = input.cluster_name.as_deref();
    Ok(ClusterKey {
        scope: call.scope().clone(),
        name: cluster_name(given.filter(|name| !name.is_empty()).unwrap_or("default"))?,
    })
}

impl Wish {
    fn parse(call: &Call, input: &ecs::CreateClusterRequest) -> Result<Self, ApiError> {
        let ecs::CreateClusterRequest {
            capacity_providers,
            cluster_name: _,
            configuration,
            default_capacity_provider_strategy,
            service_connect_defaults,
            settings,
            tags,
        } = input;
        let tags = tags.as_deref();
        let strategy = default_capacity_provider_strategy.as_deref();
        Ok(Self {
            container_insights: spec::container_insights(settings.as_deref())?,
            configuration: spec::configuration(configuration.as_ref())?,
            namespace: spec::namespace(service_connect_defaults.as_ref()),
            providers: capacity_providers
                .as_deref()
                .map(|given| providers::parse(&call.snapshot(), call.scope(), given))
                .transpose()?,
            default_strategy: strategy.map(strategy::parse).transpose()?,
            tags: tags
                .map(|tags| given_tags(Fault::InvalidParameter, Some(tags)))
                .transpose()?,
        })
    }

    /// Whether a repeat that asks for this asks for what `cluster` was created as.
    fn agrees_with(&self, cluster: &Cluster) -> bool {
        fn agrees<T: PartialEq>(wish: &Option<T>, created: &T) -> bool {
            wish.as_ref().is_none_or(|wish| wish == created)
        }
        let created = &cluster.created_as;
        agrees(&self.container_insights, &created.container_insights)
            && self.configuration.is_none_or_equals(&created.configuration)
            && agrees(&self.namespace, &created.service_connect_namespace)
            && agrees(&self.providers, &created.providers)
            && agrees(&self.default_strategy, &created.default_strategy)
            && agrees(&self.tags, &cluster.created_tags)
    }
}

/// Comparison of an optional wish with an optional fact.
trait NoneOrEquals {
    fn is_none_or_equals(&self, other: &Self) -> bool;
}

impl<T: PartialEq> NoneOrEquals for Option<T> {
    fn is_none_or_equals(&self, other: &Self) -> bool {
        self.is_none() || self == other
    }
}

fn create(
    tx: &mut Tx<'_>,
    key: &ClusterKey,
    wish: &Wish,
    principal: &str,
) -> Result<ecs::Cluster, ApiError> {
    if let Some(have) = tx.state().clusters.get(key)
        && have.status == ClusterStatus::Active
    {
        if !wish.agrees_with(have) {
            return Err(invalid(
                "Arguments on this idempotent request are inconsistent with arguments used in \
                 previous request(s).",
            ));
        }
        return render::cluster_as_created(tx.state(), have);
    }
    let wish = wish.clone();
    let account_wide = || settings::container_insights(tx.state(), &key.scope, principal);
    let spec = ClusterSpec {
        container_insights: wish.container_insights.unwrap_or_else(account_wide),
        configuration: wish.configuration,
        service_connect_namespace: wish.namespace.flatten(),
        providers: wish.providers.unwrap_or_default(),
        default_strategy: wish.default_strategy.unwrap_or_default(),
    };
    strategy::check_associated(&spec.default_strategy, &spec.providers)?;
    strategy::check_kinds(tx.state(), &key.scope, &spec.default_strategy)?;
    let tags = wish.tags.unwrap_or_default();
    let cluster = Cluster {
        key: key.clone(),
        status: ClusterStatus::Active,
        created_as: spec.clone(),
        spec,
        created_tags: tags.clone(),
        tags,
        created_at: tx.now(),
    };
    tx.put_cluster(cluster.clone());
    render::cluster_as_created(tx.state(), &cluster)
}

/// Describes clusters, deleted ones included.
pub(crate) async fn describe_clusters(
    call: Call,
    input: ecs::DescribeClustersRequest,
) -> Result<ecs::DescribeClustersResponse, ApiError> {
    call.check::<op::DescribeClusters>(&input)?;
    let named = input.clusters.unwrap_or_default();
    if named.len() > DESCRIBED_MAX {
        return Err(invalid(format!(
            "Clusters must not be longer than {DESCRIBED_MAX}."
        )));
    }
    let wanted = |part| input.include.iter().flatten().any(|given| *given == part);
    let parts = Parts {
        attachments: wanted(ecs::ClusterField::Attachments),
        configuration: wanted(ecs::ClusterField::Configurations),
        settings: wanted(ecs::ClusterField::Settings),
        statistics: wanted(ecs::ClusterField::Statistics),
        tags: wanted(ecs::ClusterField::Tags),
    };
    let state = call.snapshot();
    let mut keys: Vec<ClusterKey> = Vec::new();
    let default = [String::new()];
    let named = if named.is_empty() {
        &default[..]
    } else {
        &named
    };
    for given in named {
        let key = cluster_key(call.scope(), Some(given))?;
        // The same cluster twice is described once.
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut clusters = Vec::new();
    let mut failures = Vec::new();
    for key in keys {
        match state.clusters.get(&key) {
            Some(cluster) => clusters.push(render::cluster(&state, cluster, parts)?),
            None => failures.push(ecs::Failure {
                arn: Some(key.arn()),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(ecs::DescribeClustersResponse {
        clusters: Some(clusters),
        failures: Some(failures),
    })
}

/// Lists the ARNs of clusters that are not deleted, by name.
pub(crate) async fn list_clusters(
    call: Call,
    input: ecs::ListClustersRequest,
) -> Result<ecs::ListClustersResponse, ApiError> {
    call.check::<op::ListClusters>(&input)?;
    let page = Page::of_request(
        &call.cx,
        format!("ListClusters {}", call.scope()),
        PAGE_MAX,
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let state = call.snapshot();
    // `-` is the least of the characters that a name may have, so that no name comes before it.
    let first = cluster_name(page.after.as_deref().unwrap_or("-"))?;
    let from = ClusterKey {
        scope: call.scope().clone(),
        name: first,
    };
    let active = state
        .clusters
        .range(from..)
        .map(|(_, cluster)| cluster)
        .take_while(|cluster| cluster.key.scope == *call.scope())
        .filter(|cluster| page.after.as_deref() != Some(cluster.key.name.as_str()))
        .filter(|cluster| cluster.status == ClusterStatus::Active);
    let (clusters, next_token) = page.cut(&call.cx, active, |c| c.key.name.to_string());
    Ok(ecs::ListClustersResponse {
        cluster_arns: Some(clusters.iter().map(|cluster| cluster.key.arn()).collect()),
        next_token,
    })
}

/// The parts that the answers to changes have.
const CHANGED: Parts = Parts {
    attachments: true,
    configuration: true,
    settings: true,
    statistics: false,
    tags: false,
};

/// The `cluster` of a request that must name one.
fn named_cluster(call: &Call, given: Option<&str>) -> Result<ClusterKey, ApiError> {
    let given = given.filter(|given| !given.is_empty());
    let given = given.ok_or_else(|| invalid("Cluster can not be blank."))?;
    cluster_key(call.scope(), Some(given))
}

/// Changes what is given of a cluster's configuration, settings and Service Connect namespace.
pub(crate) async fn update_cluster(
    call: Call,
    input: ecs::UpdateClusterRequest,
) -> Result<ecs::UpdateClusterResponse, ApiError> {
    let key = named_cluster(&call, input.cluster.as_deref())?;
    let insights = spec::container_insights(input.settings.as_deref())?;
    let configuration = spec::configuration(input.configuration.as_ref())?;
    let namespace = spec::namespace(input.service_connect_defaults.as_ref());
    call.check::<op::UpdateCluster>(&input)?;
    let cluster = call
        .transact(move |tx| {
            change(tx, &key, |spec| {
                if let Some(insights) = &insights {
                    spec.container_insights = insights.clone();
                }
                if let Some(configuration) = &configuration {
                    spec.configuration = Some(configuration.clone());
                }
                if let Some(namespace) = &namespace {
                    spec.service_connect_namespace = namespace.clone();
                }
                Ok(())
            })
        })
        .await?;
    Ok(ecs::UpdateClusterResponse {
        cluster: Some(cluster),
    })
}

/// Changes a cluster's settings.
pub(crate) async fn update_cluster_settings(
    call: Call,
    input: ecs::UpdateClusterSettingsRequest,
) -> Result<ecs::UpdateClusterSettingsResponse, ApiError> {
    let key = named_cluster(&call, input.cluster.as_deref())?;
    let insights = spec::container_insights(input.settings.as_deref())?;
    call.check::<op::UpdateClusterSettings>(&input)?;
    let cluster = call
        .transact(move |tx| {
            change(tx, &key, |spec| {
                if let Some(insights) = &insights {
                    spec.container_insights = insights.clone();
                }
                Ok(())
            })
        })
        .await?;
    Ok(ecs::UpdateClusterSettingsResponse {
        cluster: Some(cluster),
    })
}

/// Changes the spec of a cluster that is in use, and answers the cluster.
fn change(
    tx: &mut Tx<'_>,
    key: &ClusterKey,
    change: impl FnOnce(&mut ClusterSpec) -> Result<(), ApiError>,
) -> Result<ecs::Cluster, ApiError> {
    let mut cluster = Cluster::clone(known_cluster(tx.state(), key)?);
    if cluster.status != ClusterStatus::Active {
        return Err(ApiError::client(Fault::Client, "Cluster was not ACTIVE."));
    }
    change(&mut cluster.spec)?;
    tx.put_cluster(cluster.clone());
    render::cluster(tx.state(), &cluster, CHANGED)
}

/// Deletes a cluster that holds nothing; deleting it again is no error.
pub(crate) async fn delete_cluster(
    call: Call,
    input: ecs::DeleteClusterRequest,
) -> Result<ecs::DeleteClusterResponse, ApiError> {
    let key = named_cluster(&call, input.cluster.as_deref())?;
    call.check::<op::DeleteCluster>(&input)?;
    let cluster = call.transact(move |tx| delete(tx, &key)).await?;
    Ok(ecs::DeleteClusterResponse {
        cluster: Some(cluster),
        cluster_count: Some(0),
    })
}

fn delete(tx: &mut Tx<'_>, key: &ClusterKey) -> Result<ecs::Cluster, ApiError> {
    let state = tx.state();
    let cluster = known_cluster(state, key)?.clone();
    let parts = Parts {
        settings: true,
        configuration: true,
        ..Parts::default()
    };
    if cluster.status == ClusterStatus::Inactive {
        return render::cluster(state, &cluster, parts);
    }
    let live_tasks = state
        .cluster_row(key)
        .map_or(0, |row| state.tasks.cluster_counts(row).live);
    if live_tasks > 0 {
        return Err(ApiError::client(
            Fault::ClusterContainsTasks,
            "The Cluster cannot be deleted while Tasks are active.",
        ));
    }
    let services = state.services.counts(key);
    if services
        .active
        .iter()
        .chain(&services.draining)
        .any(|n| *n > 0)
    {
        return Err(ApiError::client(
            Fault::ClusterContainsServices,
            "The Cluster cannot be deleted while Services are active.",
        ));
    }
    if render::registered_instances(state, &cluster) > 0 {
        return Err(ApiError::client(
            Fault::ClusterContainsContainerInstances,
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        ));
    }
    let deleted = Cluster {
        status: ClusterStatus::Inactive,
        ..Cluster::clone(&cluster)
    };
    tx.put_cluster(deleted.clone());
    render::cluster(tx.state(), &deleted, parts)
}
