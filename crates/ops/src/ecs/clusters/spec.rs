//! The members of a cluster that users choose: settings, configuration, namespace.

use berth_api::ecs;
use berth_model::text::Text;

use crate::ecs::fault::invalid;
use crate::error::ApiError;

/// The values of the setting `containerInsights`.
const CONTAINER_INSIGHTS: [&str; 3] = ["enabled", "disabled", "enhanced"];

/// The value of `containerInsights` in `settings`; the last one counts.
///
/// # Errors
/// InvalidParameterException for a setting of another name, or a value that it cannot have.
pub(super) fn container_insights(
    settings: Option<&[ecs::ClusterSetting]>,
) -> Result<Option<Text>, ApiError> {
    let mut chosen = None;
    for setting in settings.unwrap_or_default() {
        if setting.name != Some(ecs::ClusterSettingName::ContainerInsights) {
            return Err(invalid("Invalid setting 'name'"));
        }
        let value = setting.value.as_deref().unwrap_or_default();
        if !CONTAINER_INSIGHTS.contains(&value) {
            return Err(invalid("Invalid setting 'value'"));
        }
        chosen = Some(Text::new(value));
    }
    Ok(chosen)
}

/// The `configuration`, checked, in the API's own JSON.
///
/// # Errors
/// InvalidParameterException when logging is overridden without saying how, or the other way
/// around.
pub(super) fn configuration(
    given: Option<&ecs::ClusterConfiguration>,
) -> Result<Option<serde_json::Value>, ApiError> {
    let Some(given) = given else { return Ok(None) };
    if let Some(execute) = &given.execute_command_configuration {
        check_logging(execute)?;
    }
    serde_json::to_value(given)
        .map(Some)
        .map_err(ApiError::internal)
}

fn check_logging(execute: &ecs::ExecuteCommandConfiguration) -> Result<(), ApiError> {
    use ecs::ExecuteCommandLogging as Logging;
    match (&execute.logging, &execute.log_configuration) {
        (Some(Logging::Override), logs) => {
            let named = |name: &Option<String>| name.as_ref().is_some_and(|n| !n.is_empty());
            let somewhere = logs.as_ref().is_some_and(|logs| {
                named(&logs.cloud_watch_log_group_name) || named(&logs.s3_bucket_name)
            });
            if somewhere {
                return Ok(());
            }
            Err(invalid(
                "A CloudWatch log group name or S3 bucket name must be specified when overriding \
                 the default log configuration",
            ))
        }
        (Some(Logging::Default | Logging::None) | None, Some(_)) => Err(invalid(
            "A log configuration can only be specified when logging is OVERRIDE",
        )),
        // A value that the model does not name is refused with the model's words.
        (Some(Logging::Default | Logging::None | Logging::Unknown(_)) | None, _) => Ok(()),
    }
}

/// The namespace of `serviceConnectDefaults`: `Some(None)` for the empty one, which removes it.
pub(super) fn namespace(
    given: Option<&ecs::ClusterServiceConnectDefaultsRequest>,
) -> Option<Option<Text>> {
    let namespace = given?.namespace.as_deref()?;
    Some((!namespace.is_empty()).then(|| Text::new(namespace)))
}
