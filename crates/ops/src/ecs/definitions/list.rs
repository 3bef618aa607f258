//! Lists of task definitions and their families, in pages (reference §1.4, §2.3).

use std::ops::Bound;

use berth_api::ecs::{self, SortOrder, TaskDefinitionFamilyStatus, op};
use berth_model::definition::{DefinitionStatus, TaskDefinition};
use berth_model::name::{DefinitionKey, Family, Scope};
use berth_state::State;

use crate::call::Call;
use crate::ecs::paging::{PAGE_MAX, Page};
use crate::error::ApiError;

/// A key before every one of `family`, and one after them; of all families when there is none.
fn ends(scope: &Scope, family: Option<&Family>) -> (DefinitionKey, DefinitionKey) {
    // `-` is the least of the characters that a name may have and `z` the greatest.
    let name = |text: &str| text.parse().expect("letters and dashes are a name");
    let key = |family: Family, revision| DefinitionKey {
        scope: scope.clone(),
        family,
        revision,
    };
    match family {
        Some(family) => (key(family.clone(), 0), key(family.clone(), u32::MAX)),
        None => (key(name("-"), 0), key(name(&"z".repeat(255)), u32::MAX)),
    }
}

/// Lists the ARNs of revisions, by family and number.
pub(crate) async fn list_task_definitions(
    call: Call,
    input: ecs::ListTaskDefinitionsRequest,
) -> Result<ecs::ListTaskDefinitionsResponse, ApiError> {
    call.check::<op::ListTaskDefinitions>(&input)?;
    let status = match input.status {
        Some(ecs::TaskDefinitionStatus::Inactive) => DefinitionStatus::Inactive,
        Some(ecs::TaskDefinitionStatus::DeleteInProgress) => DefinitionStatus::DeleteInProgress,
        // Others than the model's are refused above.
        Some(ecs::TaskDefinitionStatus::Active | ecs::TaskDefinitionStatus::Unknown(_)) | None => {
            DefinitionStatus::Active
        }
    };
    let descending = input.sort == Some(SortOrder::Desc);
    let prefix = input.family_prefix.as_deref().filter(|p| !p.is_empty());
    let page = Page::of_request(
        &call.cx,
        format!(
            "ListTaskDefinitions {} {prefix:?} {status:?} {descending}",
            call.scope()
        ),
        PAGE_MAX,
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let family = prefix.map(str::parse::<Family>).transpose();
    let state = call.snapshot();
    let (arns, next_token) = match family {
        Ok(family) => {
            let ends = ends(call.scope(), family.as_ref());
            let after = page.after.as_deref().and_then(|at| at.parse().ok());
            let wanted = revisions(&state, ends, after, descending)
                .filter(|definition| definition.status == status);
            let (found, token) = page.cut(&call.cx, wanted, |d| d.key.to_string());
            (found.iter().map(|d| d.key.arn()).collect(), token)
        }
        // No family has such a name.
        Err(_) => (Vec::new(), None),
    };
    Ok(ecs::ListTaskDefinitionsResponse {
        next_token,
        task_definition_arns: Some(arns),
    })
}

/// The revisions between two keys, beginning after `after`.
fn revisions(
    state: &State,
    (first, last): (DefinitionKey, DefinitionKey),
    after: Option<DefinitionKey>,
    descending: bool,
) -> Box<dyn Iterator<Item = &TaskDefinition> + '_> {
    let (mut low, mut high) = (
        Bound::Included(first.clone()),
        Bound::Included(last.clone()),
    );
    // The token was made by us for this list, so that its key lies within.
    if let Some(after) = after.filter(|after| (&first..=&last).contains(&after)) {
        if descending {
            high = Bound::Excluded(after);
        } else {
            low = Bound::Excluded(after);
        }
    }
    let range = state.definitions.range((low, high));
    let range = range.map(|(_, definition)| definition.as_ref());
    if descending {
        Box::new(range.rev())
    } else {
        Box::new(range)
    }
}

/// Lists the names of families that have revisions.
pub(crate) async fn list_task_definition_families(
    call: Call,
    input: ecs::ListTaskDefinitionFamiliesRequest,
) -> Result<ecs::ListTaskDefinitionFamiliesResponse, ApiError> {
    call.check::<op::ListTaskDefinitionFamilies>(&input)?;
    let prefix = input.family_prefix.as_deref().filter(|p| !p.is_empty());
    let page = Page::of_request(
        &call.cx,
        format!(
            "ListTaskDefinitionFamilies {} {prefix:?} {:?}",
            call.scope(),
            input.status
        ),
        PAGE_MAX,
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let state = call.snapshot();
    let wanted = |family: &Family| {
        let active = || state.newest_active(call.scope(), family).is_some();
        match input.status {
            Some(TaskDefinitionFamilyStatus::Active) => active(),
            Some(TaskDefinitionFamilyStatus::Inactive) => !active(),
            Some(TaskDefinitionFamilyStatus::All | TaskDefinitionFamilyStatus::Unknown(_))
            | None => true,
        }
    };
    let from = page.after.as_deref().or(prefix).unwrap_or("-");
    let (families, next_token) = match from.parse::<Family>() {
        Ok(from) => {
            let families = state
                .families
                .range((call.scope().clone(), from)..)
                .map(|((scope, family), _)| (scope, family))
                .take_while(|(scope, _)| *scope == call.scope())
                .map(|(_, family)| family)
                .take_while(|family| family.as_str().starts_with(prefix.unwrap_or_default()))
                .filter(|family| page.after.as_deref() != Some(family.as_str()))
                .filter(|family| has_revisions(&state, call.scope(), family))
                .filter(|family| wanted(family));
            page.cut(&call.cx, families, |family| family.to_string())
        }
        // No family begins with such characters.
        Err(_) => (Vec::new(), None),
    };
    Ok(ecs::ListTaskDefinitionFamiliesResponse {
        families: Some(families.into_iter().map(ToString::to_string).collect()),
        next_token,
    })
}

/// Whether a revision is left: the counter of a family outlives them.
fn has_revisions(state: &State, scope: &Scope, family: &Family) -> bool {
    let (first, last) = ends(scope, Some(family));
    state.definitions.range(first..=last).next().is_some()
}
