//! logs: the constraints of structures; generated from `api-models/logs` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

impl Validate for CreateLogGroupRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.kms_key_id, "kmsKeyId", path, check_kms_key_id)?;
        validation::member(
            &self.log_group_class,
            "logGroupClass",
            path,
            validation::known,
        )?;
        validation::required(&self.log_group_name, "logGroupName", path)?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for CreateLogStreamRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.log_group_name, "logGroupName", path)?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        validation::required(&self.log_stream_name, "logStreamName", path)?;
        validation::member(
            &self.log_stream_name,
            "logStreamName",
            path,
            check_log_stream_name,
        )?;
        Ok(())
    }
}

impl Validate for DeleteLogGroupRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.log_group_name, "logGroupName", path)?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        Ok(())
    }
}

impl Validate for DeleteLogStreamRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.log_group_name, "logGroupName", path)?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        validation::required(&self.log_stream_name, "logStreamName", path)?;
        validation::member(
            &self.log_stream_name,
            "logStreamName",
            path,
            check_log_stream_name,
        )?;
        Ok(())
    }
}

impl Validate for DeleteRetentionPolicyRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.log_group_name, "logGroupName", path)?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        Ok(())
    }
}

impl Validate for DescribeLogGroupsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.account_identifiers,
            "accountIdentifiers",
            path,
            check_account_ids,
        )?;
        validation::member(&self.limit, "limit", path, check_describe_limit)?;
        validation::member(
            &self.log_group_class,
            "logGroupClass",
            path,
            validation::known,
        )?;
        validation::member(
            &self.log_group_identifiers,
            "logGroupIdentifiers",
            path,
            check_describe_log_groups_log_group_identifiers,
        )?;
        validation::member(
            &self.log_group_name_pattern,
            "logGroupNamePattern",
            path,
            check_log_group_name_pattern,
        )?;
        validation::member(
            &self.log_group_name_prefix,
            "logGroupNamePrefix",
            path,
            check_log_group_name,
        )?;
        validation::member(&self.next_token, "nextToken", path, check_next_token)?;
        Ok(())
    }
}

impl Validate for DescribeLogStreamsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.limit, "limit", path, check_describe_limit)?;
        validation::member(
            &self.log_group_identifier,
            "logGroupIdentifier",
            path,
            check_log_group_identifier,
        )?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        validation::member(
            &self.log_stream_name_prefix,
            "logStreamNamePrefix",
            path,
            check_log_stream_name,
        )?;
        validation::member(&self.next_token, "nextToken", path, check_next_token)?;
        validation::member(&self.order_by, "orderBy", path, validation::known)?;
        Ok(())
    }
}

impl Validate for FilterLogEventsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.end_time, "endTime", path, check_timestamp)?;
        validation::member(
            &self.filter_pattern,
            "filterPattern",
            path,
            check_filter_pattern,
        )?;
        validation::member(&self.limit, "limit", path, check_events_limit)?;
        validation::member(
            &self.log_group_identifier,
            "logGroupIdentifier",
            path,
            check_log_group_identifier,
        )?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        validation::member(
            &self.log_stream_name_prefix,
            "logStreamNamePrefix",
            path,
            check_log_stream_name,
        )?;
        validation::member(
            &self.log_stream_names,
            "logStreamNames",
            path,
            check_input_log_stream_names,
        )?;
        validation::member(&self.next_token, "nextToken", path, check_next_token)?;
        validation::member(&self.start_time, "startTime", path, check_timestamp)?;
        Ok(())
    }
}

impl Validate for GetLogEventsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.end_time, "endTime", path, check_timestamp)?;
        validation::member(&self.limit, "limit", path, check_events_limit)?;
        validation::member(
            &self.log_group_identifier,
            "logGroupIdentifier",
            path,
            check_log_group_identifier,
        )?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        validation::required(&self.log_stream_name, "logStreamName", path)?;
        validation::member(
            &self.log_stream_name,
            "logStreamName",
            path,
            check_log_stream_name,
        )?;
        validation::member(&self.next_token, "nextToken", path, check_next_token)?;
        validation::member(&self.start_time, "startTime", path, check_timestamp)?;
        Ok(())
    }
}

impl Validate for ListTagsForResourceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.resource_arn, "resourceArn", path)?;
        validation::member(
            &self.resource_arn,
            "resourceArn",
            path,
            check_amazon_resource_name,
        )?;
        Ok(())
    }
}

impl Validate for PutLogEventsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.entity, "entity", path, Validate::validate)?;
        validation::required(&self.log_events, "logEvents", path)?;
        validation::member(&self.log_events, "logEvents", path, check_input_log_events)?;
        validation::required(&self.log_group_name, "logGroupName", path)?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        validation::required(&self.log_stream_name, "logStreamName", path)?;
        validation::member(
            &self.log_stream_name,
            "logStreamName",
            path,
            check_log_stream_name,
        )?;
        validation::member(
            &self.sequence_token,
            "sequenceToken",
            path,
            check_sequence_token,
        )?;
        Ok(())
    }
}

impl Validate for PutRetentionPolicyRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.log_group_name, "logGroupName", path)?;
        validation::member(
            &self.log_group_name,
            "logGroupName",
            path,
            check_log_group_name,
        )?;
        validation::required(&self.retention_in_days, "retentionInDays", path)?;
        Ok(())
    }
}

impl Validate for TagResourceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.resource_arn, "resourceArn", path)?;
        validation::member(
            &self.resource_arn,
            "resourceArn",
            path,
            check_amazon_resource_name,
        )?;
        validation::required(&self.tags, "tags", path)?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for UntagResourceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.resource_arn, "resourceArn", path)?;
        validation::member(
            &self.resource_arn,
            "resourceArn",
            path,
            check_amazon_resource_name,
        )?;
        validation::required(&self.tag_keys, "tagKeys", path)?;
        validation::member(&self.tag_keys, "tagKeys", path, check_tag_key_list)?;
        Ok(())
    }
}
