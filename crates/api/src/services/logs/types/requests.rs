//! logs: what operations take; generated from `api-models/logs` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    CreateLogGroupRequest {
        deletion_protection_enabled: bool = "deletionProtectionEnabled",
        kms_key_id: String = "kmsKeyId",
        log_group_class: LogGroupClass = "logGroupClass",
        log_group_name: String = "logGroupName",
        tags: ::std::collections::BTreeMap<String, String> = "tags",
    }
    CreateLogStreamRequest {
        log_group_name: String = "logGroupName",
        log_stream_name: String = "logStreamName",
    }
    DeleteLogGroupRequest {
        log_group_name: String = "logGroupName",
    }
    DeleteLogStreamRequest {
        log_group_name: String = "logGroupName",
        log_stream_name: String = "logStreamName",
    }
    DeleteRetentionPolicyRequest {
        log_group_name: String = "logGroupName",
    }
    DescribeLogGroupsRequest {
        account_identifiers: Vec<String> = "accountIdentifiers",
        include_linked_accounts: bool = "includeLinkedAccounts",
        limit: i32 = "limit",
        log_group_class: LogGroupClass = "logGroupClass",
        log_group_identifiers: Vec<String> = "logGroupIdentifiers",
        log_group_name_pattern: String = "logGroupNamePattern",
        log_group_name_prefix: String = "logGroupNamePrefix",
        next_token: String = "nextToken",
    }
    DescribeLogStreamsRequest {
        descending: bool = "descending",
        limit: i32 = "limit",
        log_group_identifier: String = "logGroupIdentifier",
        log_group_name: String = "logGroupName",
        log_stream_name_prefix: String = "logStreamNamePrefix",
        next_token: String = "nextToken",
        order_by: OrderBy = "orderBy",
    }
    FilterLogEventsRequest {
        end_time: i64 = "endTime",
        filter_pattern: String = "filterPattern",
        interleaved: bool = "interleaved",
        limit: i32 = "limit",
        log_group_identifier: String = "logGroupIdentifier",
        log_group_name: String = "logGroupName",
        log_stream_name_prefix: String = "logStreamNamePrefix",
        log_stream_names: Vec<String> = "logStreamNames",
        next_token: String = "nextToken",
        start_from_head: bool = "startFromHead",
        start_time: i64 = "startTime",
        unmask: bool = "unmask",
    }
    GetLogEventsRequest {
        end_time: i64 = "endTime",
        limit: i32 = "limit",
        log_group_identifier: String = "logGroupIdentifier",
        log_group_name: String = "logGroupName",
        log_stream_name: String = "logStreamName",
        next_token: String = "nextToken",
        start_from_head: bool = "startFromHead",
        start_time: i64 = "startTime",
        unmask: bool = "unmask",
    }
    ListTagsForResourceRequest {
        resource_arn: String = "resourceArn",
    }
    PutLogEventsRequest {
        entity: Entity = "entity",
        log_events: Vec<InputLogEvent> = "logEvents",
        log_group_name: String = "logGroupName",
        log_stream_name: String = "logStreamName",
        sequence_token: String = "sequenceToken",
    }
    PutRetentionPolicyRequest {
        log_group_name: String = "logGroupName",
        retention_in_days: i32 = "retentionInDays",
    }
    TagResourceRequest {
        resource_arn: String = "resourceArn",
        tags: ::std::collections::BTreeMap<String, String> = "tags",
    }
    UntagResourceRequest {
        resource_arn: String = "resourceArn",
        tag_keys: Vec<String> = "tagKeys",
    }
}
