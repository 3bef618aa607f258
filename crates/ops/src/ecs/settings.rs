//! Account settings (reference §9.1).
//!
//! A setting is looked up in three steps: what was put for the principal itself, what was put for
//! the account (kept under the account root's ARN), and what the service does by default.

use berth_api::ecs;
use berth_model::name::Scope;
use berth_model::setting::AccountSetting;
use berth_model::text::Text;
use berth_state::State;

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::paging::{Page, SHORT_PAGE_MAX};
use crate::error::ApiError;

/// A setting that there is.
struct Known {
    name: &'static str,
    values: &'static [&'static str],
    default: &'static str,
    rule: Rule,
}

/// Who may change a setting.
#[derive(PartialEq)]
enum Rule {
    /// Everybody, for themselves or for the account.
    Free,
    /// Everybody, but it stays enabled.
    StaysEnabled,
    /// Only for the whole account.
    AccountOnly,
    /// Nobody: AWS manages it.
    ReadOnly,
}

const ON_OFF: &[&str] = &["on", "off"];
const ENABLED_DISABLED: &[&str] = &["enabled", "disabled"];

/// Every setting, in the order of the model; `dualStackIPv6` is documented but not in the model.
const SETTINGS: [Known; 12] = [
    long_arn("serviceLongArnFormat"),
    long_arn("taskLongArnFormat"),
    long_arn("containerInstanceLongArnFormat"),
    free("awsvpcTrunking", ENABLED_DISABLED, "disabled"),
    free(
        "containerInsights",
        &["enabled", "disabled", "enhanced"],
        "disabled",
    ),
    free("dualStackIPv6", ENABLED_DISABLED, "enabled"),
    free("fargateFIPSMode", ENABLED_DISABLED, "disabled"),
    free("tagResourceAuthorization", ON_OFF, "on"),
    Known {
        name: "fargateTaskRetirementWaitPeriod",
        values: &["0", "7", "14"],
        default: "7",
        rule: Rule::AccountOnly,
    },
    Known {
        name: "guardDutyActivate",
        values: ON_OFF,
        default: "off",
        rule: Rule::ReadOnly,
    },
    free(
        "defaultLogDriverMode",
        &["blocking", "non-blocking"],
        "non-blocking",
    ),
    free("fargateEventWindows", ENABLED_DISABLED, "disabled"),
];

const fn free(name: &'static str, values: &'static [&'static str], default: &'static str) -> Known {
    Known {
        name,
        values,
        default,
        rule: Rule::Free,
    }
}

const fn long_arn(name: &'static str) -> Known {
    Known {
        name,
        values: ENABLED_DISABLED,
        default: "enabled",
        rule: Rule::StaysEnabled,
    }
}

fn known(name: Option<&ecs::SettingName>) -> Result<&'static Known, ApiError> {
    let name = name.ok_or_else(|| invalid("Setting name can not be blank."))?;
    let found = SETTINGS.iter().find(|known| known.name == name.as_str());
    found.ok_or_else(|| {
        let names: Vec<&str> = SETTINGS.iter().map(|known| known.name).collect();
        invalid(format!("{name} should be one of [{}]", names.join(",")))
    })
}

/// The value of `containerInsights` that a new cluster of this principal gets.
pub(crate) fn container_insights(state: &State, scope: &Scope, principal: &str) -> Text {
    let known = SETTINGS
        .iter()
        .find(|known| known.name == "containerInsights");
    known.map_or_else(
        || Text::new("disabled"),
        |known| effective(state, scope, principal, known).value,
    )
}

fn explicit(state: &State, scope: &Scope, principal: &str, name: &str) -> Option<AccountSetting> {
    let key = (scope.clone(), Text::new(principal), Text::new(name));
    state.settings.get(&key).map(|have| have.as_ref().clone())
}

fn effective(state: &State, scope: &Scope, principal: &str, known: &Known) -> AccountSetting {
    let root = scope.root_arn();
    explicit(state, scope, principal, known.name)
        .or_else(|| explicit(state, scope, &root, known.name))
        .unwrap_or_else(|| AccountSetting {
            scope: scope.clone(),
            principal: root.into(),
            name: known.name.into(),
            value: known.default.into(),
        })
}

fn render(setting: &AccountSetting) -> ecs::Setting {
    let managed = SETTINGS
        .iter()
        .any(|known| setting.name == known.name && known.rule == Rule::ReadOnly);
    ecs::Setting {
        name: Some(ecs::SettingName::from(setting.name.as_str())),
        principal_arn: Some(setting.principal.to_string()),
        r#type: Some(if managed {
            ecs::SettingType::AwsManaged
        } else {
            ecs::SettingType::User
        }),
        value: Some(setting.value.to_string()),
    }
}

/// Whose setting a request is about: the caller's, unless it names another principal of the
/// account.
fn principal(call: &Call, given: Option<&str>) -> Result<Text, ApiError> {
    let Some(given) = given.filter(|given| !given.is_empty()) else {
        return Ok(Text::new(&call.caller.arn));
    };
    let account = format!(":{}:", call.scope().account);
    if !given.starts_with("arn:") || !given.contains(&account) {
        return Err(invalid(format!("Invalid principal ARN: {given}")));
    }
    Ok(Text::new(given))
}

/// Changes a setting of one principal.
pub(crate) async fn put_account_setting(
    call: Call,
    input: ecs::PutAccountSettingRequest,
) -> Result<ecs::PutAccountSettingResponse, ApiError> {
    let principal = principal(&call, input.principal_arn.as_deref())?;
    let setting = put(
        &call,
        input.name.as_ref(),
        input.value.as_deref(),
        principal,
    )
    .await?;
    Ok(ecs::PutAccountSettingResponse {
        setting: Some(setting),
    })
}

/// Changes a setting for every principal of the account that has none of its own.
pub(crate) async fn put_account_setting_default(
    call: Call,
    input: ecs::PutAccountSettingDefaultRequest,
) -> Result<ecs::PutAccountSettingDefaultResponse, ApiError> {
    let root = Text::from(call.scope().root_arn());
    let setting = put(&call, input.name.as_ref(), input.value.as_deref(), root).await?;
    Ok(ecs::PutAccountSettingDefaultResponse {
        setting: Some(setting),
    })
}

async fn put(
    call: &Call,
    name: Option<&ecs::SettingName>,
    value: Option<&str>,
    principal: Text,
) -> Result<ecs::Setting, ApiError> {
    let known = known(name)?;
    let value = value.filter(|value| !value.is_empty());
    let value = value.ok_or_else(|| invalid("Setting value can not be blank."))?;
    if !known.values.contains(&value) {
        return Err(invalid(format!(
            "{value} should be one of [{}]",
            known.values.join(",")
        )));
    }
    match known.rule {
        Rule::Free => {}
        Rule::StaysEnabled if value == known.default => {}
        Rule::StaysEnabled => {
            return Err(invalid("You can no longer disable Long Arn settings"));
        }
        Rule::AccountOnly if *principal == *call.scope().root_arn() => {}
        Rule::AccountOnly => {
            return Err(invalid(format!(
                "The {} setting can only be changed for the account root user.",
                known.name
            )));
        }
        Rule::ReadOnly => {
            return Err(invalid(format!("The {} setting is read-only.", known.name)));
        }
    }
    let setting = AccountSetting {
        scope: call.scope().clone(),
        principal,
        name: known.name.into(),
        value: value.into(),
    };
    let rendered = render(&setting);
    call.transact(move |tx| {
        tx.put_setting(setting.clone());
        Ok(())
    })
    .await?;
    Ok(rendered)
}

/// Forgets what was put for one principal; answers what holds for it now.
pub(crate) async fn delete_account_setting(
    call: Call,
    input: ecs::DeleteAccountSettingRequest,
) -> Result<ecs::DeleteAccountSettingResponse, ApiError> {
    let known = known(input.name.as_ref())?;
    let principal = principal(&call, input.principal_arn.as_deref())?;
    let scope = call.scope().clone();
    let setting = call
        .transact(move |tx| {
            tx.remove_setting(&scope, &principal, &Text::new(known.name));
            let now = effective(tx.state(), &scope, &principal, known);
            Ok(AccountSetting {
                principal: principal.clone(),
                ..now
            })
        })
        .await?;
    Ok(ecs::DeleteAccountSettingResponse {
        setting: Some(render(&setting)),
    })
}

/// Lists the settings that were put for a principal or, if asked for, those that hold for it.
pub(crate) async fn list_account_settings(
    call: Call,
    input: ecs::ListAccountSettingsRequest,
) -> Result<ecs::ListAccountSettingsResponse, ApiError> {
    let only = input
        .name
        .as_ref()
        .map(|name| known(Some(name)))
        .transpose()?;
    let value = input.value.as_deref().filter(|value| !value.is_empty());
    if value.is_some() && only.is_none() {
        return Err(invalid(
            "You must specify a setting name when you filter by value.",
        ));
    }
    let principal = principal(&call, input.principal_arn.as_deref())?;
    let effective_wanted = input.effective_settings == Some(true);
    let page = Page::of_request(
        &call.cx,
        format!(
            "ListAccountSettings {} {principal} {effective_wanted} {:?} {value:?}",
            call.scope(),
            only.map(|known| known.name)
        ),
        SHORT_PAGE_MAX,
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let state = call.snapshot();
    let after = page.after.as_deref();
    let seen = SETTINGS.iter().position(|known| Some(known.name) == after);
    let settings = SETTINGS
        .iter()
        .skip(seen.map_or(0, |at| at + 1))
        .filter(|known| only.is_none_or(|only| only.name == known.name))
        .filter_map(|known| {
            if effective_wanted {
                Some(effective(&state, call.scope(), &principal, known))
            } else {
                explicit(&state, call.scope(), &principal, known.name)
            }
        })
        .filter(|setting| value.is_none_or(|value| setting.value == *value));
    let (settings, next_token) = page.cut(&call.cx, settings, |s| s.name.to_string());
    Ok(ecs::ListAccountSettingsResponse {
        next_token,
        settings: Some(settings.iter().map(render).collect()),
    })
}
