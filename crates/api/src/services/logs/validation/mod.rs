//! logs: the constraints of scalars, lists and maps; generated from `api-models/logs` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

mod parts_e_s;
mod requests;

static ACCOUNT_ID: Pattern = Pattern::new("^\\d{12}$", "^(?:^[0-9]{12}$)$");

fn check_account_id(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(12), Some(12)), path)?;
    validation::pattern(value, &ACCOUNT_ID, path)?;
    Ok(())
}

fn check_account_ids(value: &Vec<String>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(20)), path)?;
    validation::elements(value, path, check_account_id)?;
    Ok(())
}

static AMAZON_RESOURCE_NAME: Pattern =
    Pattern::new("[\\w+=/:,.@-]*", "^(?:[[0-9A-Za-z_]+=/:,.@-]*)$");

fn check_amazon_resource_name(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(1011)), path)?;
    validation::pattern(value, &AMAZON_RESOURCE_NAME, path)?;
    Ok(())
}

fn check_describe_limit(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(1), Some(50)), path)?;
    Ok(())
}

fn check_describe_log_groups_log_group_identifiers(
    value: &Vec<String>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::count(value.len(), (Some(1), Some(50)), path)?;
    validation::elements(value, path, check_log_group_identifier)?;
    Ok(())
}

fn check_entity_attributes(
    value: &::std::collections::BTreeMap<String, String>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(10)), path)?;
    validation::keys(value, path, check_entity_attributes_key)?;
    validation::values(value, path, check_entity_attributes_value)?;
    Ok(())
}

fn check_entity_attributes_key(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(256)), path)?;
    Ok(())
}

fn check_entity_attributes_value(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(512)), path)?;
    Ok(())
}

fn check_entity_key_attributes(
    value: &::std::collections::BTreeMap<String, String>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::count(value.len(), (Some(2), Some(4)), path)?;
    validation::keys(value, path, check_entity_key_attributes_key)?;
    validation::values(value, path, check_entity_key_attributes_value)?;
    Ok(())
}

fn check_entity_key_attributes_key(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(32)), path)?;
    Ok(())
}

fn check_entity_key_attributes_value(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(512)), path)?;
    Ok(())
}

fn check_event_message(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), None), path)?;
    Ok(())
}

fn check_events_limit(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(1), Some(10000)), path)?;
    Ok(())
}

fn check_filter_pattern(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (None, Some(1024)), path)?;
    Ok(())
}

fn check_input_log_events(value: &Vec<InputLogEvent>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (Some(1), Some(10000)), path)?;
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_input_log_stream_names(value: &Vec<String>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (Some(1), Some(100)), path)?;
    validation::elements(value, path, check_log_stream_name)?;
    Ok(())
}

fn check_kms_key_id(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (None, Some(256)), path)?;
    Ok(())
}

static LOG_GROUP_IDENTIFIER: Pattern =
    Pattern::new("[\\w#+=/:,.@-]*", "^(?:[[0-9A-Za-z_]#+=/:,.@-]*)$");

fn check_log_group_identifier(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(2048)), path)?;
    validation::pattern(value, &LOG_GROUP_IDENTIFIER, path)?;
    Ok(())
}

static LOG_GROUP_NAME: Pattern =
    Pattern::new("[\\.\\-_/#A-Za-z0-9]+", "^(?:[\\.\\-_/#A-Za-z0-9]+)$");

fn check_log_group_name(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(512)), path)?;
    validation::pattern(value, &LOG_GROUP_NAME, path)?;
    Ok(())
}

static LOG_GROUP_NAME_PATTERN: Pattern =
    Pattern::new("[\\.\\-_/#A-Za-z0-9]*", "^(?:[\\.\\-_/#A-Za-z0-9]*)$");

fn check_log_group_name_pattern(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (None, Some(512)), path)?;
    validation::pattern(value, &LOG_GROUP_NAME_PATTERN, path)?;
    Ok(())
}

static LOG_STREAM_NAME: Pattern = Pattern::new("[^:*]*", "^(?:[^:*]*)$");

fn check_log_stream_name(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(512)), path)?;
    validation::pattern(value, &LOG_STREAM_NAME, path)?;
    Ok(())
}

fn check_next_token(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), None), path)?;
    Ok(())
}

fn check_sequence_token(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), None), path)?;
    Ok(())
}

static TAG_KEY: Pattern = Pattern::new(
    "^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+)$",
    "^(?:^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+)$)$",
);

fn check_tag_key(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(128)), path)?;
    validation::pattern(value, &TAG_KEY, path)?;
    Ok(())
}

fn check_tag_key_list(value: &Vec<String>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(50)), path)?;
    validation::elements(value, path, check_tag_key)?;
    Ok(())
}

static TAG_VALUE: Pattern = Pattern::new(
    "^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$",
    "^(?:^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)$)$",
);

fn check_tag_value(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (None, Some(256)), path)?;
    validation::pattern(value, &TAG_VALUE, path)?;
    Ok(())
}

fn check_tags(
    value: &::std::collections::BTreeMap<String, String>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::count(value.len(), (Some(1), Some(50)), path)?;
    validation::keys(value, path, check_tag_key)?;
    validation::values(value, path, check_tag_value)?;
    Ok(())
}

fn check_timestamp(value: &i64, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(0), None), path)?;
    Ok(())
}
