//! logs: structures that others hold; generated from `api-models/logs` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    Entity {
        attributes: ::std::collections::BTreeMap<String, String> = "attributes",
        key_attributes: ::std::collections::BTreeMap<String, String> = "keyAttributes",
    }
    FilteredLogEvent {
        event_id: String = "eventId",
        ingestion_time: i64 = "ingestionTime",
        log_stream_name: String = "logStreamName",
        message: String = "message",
        timestamp: i64 = "timestamp",
    }
    InputLogEvent {
        message: String = "message",
        timestamp: i64 = "timestamp",
    }
    LogGroup {
        arn: String = "arn",
        bearer_token_authentication_enabled: bool = "bearerTokenAuthenticationEnabled",
        creation_time: i64 = "creationTime",
        data_protection_status: DataProtectionStatus = "dataProtectionStatus",
        deletion_protection_enabled: bool = "deletionProtectionEnabled",
        inherited_properties: Vec<InheritedProperty> = "inheritedProperties",
        kms_key_id: String = "kmsKeyId",
        log_group_arn: String = "logGroupArn",
        log_group_class: LogGroupClass = "logGroupClass",
        log_group_name: String = "logGroupName",
        metric_filter_count: i32 = "metricFilterCount",
        retention_in_days: i32 = "retentionInDays",
        retention_policy_name: String = "retentionPolicyName",
        stored_bytes: i64 = "storedBytes",
    }
    LogStream {
        arn: String = "arn",
        creation_time: i64 = "creationTime",
        first_event_timestamp: i64 = "firstEventTimestamp",
        last_event_timestamp: i64 = "lastEventTimestamp",
        last_ingestion_time: i64 = "lastIngestionTime",
        log_stream_name: String = "logStreamName",
        stored_bytes: i64 = "storedBytes",
        upload_sequence_token: String = "uploadSequenceToken",
    }
    OutputLogEvent {
        ingestion_time: i64 = "ingestionTime",
        message: String = "message",
        timestamp: i64 = "timestamp",
    }
    RejectedEntityInfo {
        error_type: EntityRejectionErrorType = "errorType",
    }
    RejectedLogEventsInfo {
        expired_log_event_end_index: i32 = "expiredLogEventEndIndex",
        too_new_log_event_start_index: i32 = "tooNewLogEventStartIndex",
        too_old_log_event_end_index: i32 = "tooOldLogEventEndIndex",
    }
    SearchedLogStream {
        log_stream_name: String = "logStreamName",
        searched_completely: bool = "searchedCompletely",
    }
}
