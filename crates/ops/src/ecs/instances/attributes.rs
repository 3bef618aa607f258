//! PutAttributes, DeleteAttributes and ListAttributes (reference §2.8, §5.2).

use berth_api::ecs::{self, Fault, op};
use berth_model::arn::is_arn;
use berth_model::id::InstanceId;
use berth_model::instance::{Attribute, CUSTOM_ATTRIBUTES_MAX, ContainerInstance, InstanceStatus};
use berth_model::name::ClusterKey;
use berth_model::text::Text;
use berth_state::Tx;

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::instances::named::{Named, is_shown};
use crate::ecs::instances::registration::{is_reserved, set};
use crate::ecs::names::{active_cluster, cluster_key};
use crate::ecs::paging::{PAGE_MAX, Page};
use crate::error::ApiError;

/// The most attributes of one call (reference §1.5).
const ATTRIBUTES_MAX: usize = 10;
/// The most characters of a name, and of a value.
const LENGTH_MAX: usize = 128;

/// An attribute of one instance as a request names it.
struct Wanted {
    target: Named,
    attribute: Attribute,
}

/// Puts attributes on instances, over those of the same names.
pub(crate) async fn put_attributes(
    call: Call,
    input: ecs::PutAttributesRequest,
) -> Result<ecs::PutAttributesResponse, ApiError> {
    call.check::<op::PutAttributes>(&input)?;
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    let wanted = parse(&cluster, input.attributes.as_deref())?;
    for one in &wanted {
        one.target.check_own::<op::PutAttributes>(&call)?;
        check_put(&one.attribute)?;
    }
    let put = call
        .transact(move |tx| {
            active_cluster(tx.state(), &cluster)?;
            let each = wanted.iter().map(|one| put_one(tx, &cluster, one));
            each.collect::<Result<Vec<_>, _>>()
        })
        .await?;
    Ok(ecs::PutAttributesResponse {
        attributes: Some(put),
    })
}

/// Takes attributes off instances, and answers those that were there.
pub(crate) async fn delete_attributes(
    call: Call,
    input: ecs::DeleteAttributesRequest,
) -> Result<ecs::DeleteAttributesResponse, ApiError> {
    call.check::<op::DeleteAttributes>(&input)?;
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    let wanted = parse(&cluster, input.attributes.as_deref())?;
    for one in &wanted {
        one.target.check_own::<op::DeleteAttributes>(&call)?;
    }
    let deleted = call
        .transact(move |tx| {
            active_cluster(tx.state(), &cluster)?;
            let mut deleted = Vec::new();
            for one in &wanted {
                deleted.extend(delete_one(tx, &cluster, one)?);
            }
            Ok::<_, ApiError>(deleted)
        })
        .await?;
    Ok(ecs::DeleteAttributesResponse {
        attributes: Some(deleted),
    })
}

/// The attributes of a cluster's instances: one entry for each instance and name.
pub(crate) async fn list_attributes(
    call: Call,
    input: ecs::ListAttributesRequest,
) -> Result<ecs::ListAttributesResponse, ApiError> {
    call.check::<op::ListAttributes>(&input)?;
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&state, &cluster)?;
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let (name, value) = (given(&input.attribute_name), given(&input.attribute_value));
    let page = Page::of_request(
        &call.cx,
        format!("ListAttributes {cluster} {name:?} {value:?}"),
        PAGE_MAX,
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let after = page.after.as_deref().map(parse_position).transpose()?;
    let named = |a: &Attribute| name.as_ref().is_none_or(|name| a.name == name.as_str());
    let valued = |a: &Attribute| {
        value
            .as_ref()
            .is_none_or(|value| a.value.as_deref() == Some(value.as_str()))
    };
    let found = state
        .instances_of(&cluster)
        .filter(|i| is_shown(i) && i.status != InstanceStatus::Inactive)
        .filter(|i| after.as_ref().is_none_or(|(last, _)| i.id >= *last))
        .flat_map(|instance| {
            let own = by_name(instance).into_iter();
            own.map(|attribute| (instance.id, attribute))
        })
        .filter(|(id, attribute)| {
            let place = (*id, attribute.name.as_str());
            after
                .as_ref()
                .is_none_or(|(last, name)| place > (*last, name.as_str()))
        })
        .filter(|(_, attribute)| named(attribute) && valued(attribute));
    let (found, next_token) = page.cut(&call.cx, found, |(id, attribute)| {
        format!("{id} {}", attribute.name)
    });
    let shown = found
        .into_iter()
        .map(|(id, attribute)| render(&cluster, id, attribute));
    Ok(ecs::ListAttributesResponse {
        attributes: Some(shown.collect()),
        next_token,
    })
}

/// An instance's attributes in the order of names, a custom one before the agent's of its name.
fn by_name(instance: &ContainerInstance) -> Vec<&Attribute> {
    let mut all: Vec<&Attribute> = instance.all_attributes().collect();
    all.sort_by(|a, b| a.name.as_str().cmp(b.name.as_str()));
    all.dedup_by(|later, earlier| later.name == earlier.name);
    all
}

fn parse_position(raw: &str) -> Result<(InstanceId, String), ApiError> {
    let (id, name) = raw.split_once(' ').unwrap_or((raw, ""));
    let id = id.parse().map_err(|_| invalid("Invalid token."))?;
    Ok((id, name.to_owned()))
}

fn parse(cluster: &ClusterKey, given: Option<&[ecs::Attribute]>) -> Result<Vec<Wanted>, ApiError> {
    let given = given.unwrap_or_default();
    if given.is_empty() {
        return Err(invalid("Attributes cannot be empty."));
    }
    if given.len() > ATTRIBUTES_MAX {
        return Err(invalid(format!(
            "Attributes can have at most {ATTRIBUTES_MAX} items."
        )));
    }
    given.iter().map(|one| parse_one(cluster, one)).collect()
}

fn parse_one(cluster: &ClusterKey, given: &ecs::Attribute) -> Result<Wanted, ApiError> {
    let target = given.target_id.as_deref().unwrap_or_default();
    if target.is_empty() {
        return Err(invalid("targetId can not be blank."));
    }
    // The type may be left out beside an ARN, which says it (reference §2.8).
    let typed = given.target_type == Some(ecs::TargetType::ContainerInstance);
    let told_by_arn = is_arn(target) && given.target_type.is_none();
    if !typed && !told_by_arn {
        return Err(invalid("targetType must be container-instance"));
    }
    Ok(Wanted {
        target: Named::parse(cluster, target)?,
        attribute: Attribute {
            name: Text::new(given.name.as_deref().unwrap_or_default()),
            value: given.value.as_deref().map(Text::new),
        },
    })
}

/// Whether a user may put this (reference §5.2).
fn check_put(attribute: &Attribute) -> Result<(), ApiError> {
    let name = attribute.name.as_str();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_/\\.".contains(c);
    let length = 1..=LENGTH_MAX;
    if !length.contains(&name.chars().count()) || !name.chars().all(allowed) {
        return Err(invalid(format!("Invalid attribute name '{name}'.")));
    }
    if is_reserved(name) {
        return Err(invalid(format!("The attribute name '{name}' is reserved.")));
    }
    let Some(value) = &attribute.value else {
        return Ok(());
    };
    let allowed = |c: char| allowed(c) || "@: ".contains(c);
    let trimmed = value.trim() == value.as_str();
    if !length.contains(&value.chars().count()) || !value.chars().all(allowed) || !trimmed {
        return Err(invalid(format!("Invalid attribute value '{value}'.")));
    }
    Ok(())
}

fn put_one(
    tx: &mut Tx<'_>,
    cluster: &ClusterKey,
    wanted: &Wanted,
) -> Result<ecs::Attribute, ApiError> {
    let mut instance = target(tx, cluster, &wanted.target)?;
    set(&mut instance.custom_attributes, wanted.attribute.clone());
    if instance.custom_attributes.len() > CUSTOM_ATTRIBUTES_MAX {
        return Err(ApiError::client(
            Fault::AttributeLimitExceeded,
            format!("An instance can have at most {CUSTOM_ATTRIBUTES_MAX} custom attributes."),
        ));
    }
    let id = instance.id;
    instance.version += 1;
    tx.put_instance(instance);
    Ok(render(cluster, id, &wanted.attribute))
}

fn delete_one(
    tx: &mut Tx<'_>,
    cluster: &ClusterKey,
    wanted: &Wanted,
) -> Result<Option<ecs::Attribute>, ApiError> {
    let mut instance = target(tx, cluster, &wanted.target)?;
    let is_wanted = |have: &Attribute| {
        let value = wanted.attribute.value.as_ref();
        have.name == wanted.attribute.name && value.is_none_or(|v| have.value.as_ref() == Some(v))
    };
    let Some(at) = instance.custom_attributes.iter().position(is_wanted) else {
        return Ok(None);
    };
    let deleted = instance.custom_attributes.remove(at);
    let id = instance.id;
    instance.version += 1;
    tx.put_instance(instance);
    Ok(Some(render(cluster, id, &deleted)))
}

/// The instance that an attribute is of.
fn target(tx: &Tx<'_>, cluster: &ClusterKey, named: &Named) -> Result<ContainerInstance, ApiError> {
    let found = named.find(tx.state(), cluster);
    let found = found.filter(|instance| instance.status != InstanceStatus::Inactive);
    let found = found.ok_or_else(|| {
        ApiError::client(
            Fault::TargetNotFound,
            format!("Could not find {}", named.arn),
        )
    })?;
    Ok((**found).clone())
}

fn render(cluster: &ClusterKey, id: InstanceId, attribute: &Attribute) -> ecs::Attribute {
    ecs::Attribute {
        name: Some(attribute.name.to_string()),
        target_id: Some(cluster.instance_arn(id)),
        target_type: Some(ecs::TargetType::ContainerInstance),
        value: attribute.value.as_ref().map(Text::to_string),
    }
}
