//! logs: what operations answer; generated from `api-models/logs` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    DescribeLogGroupsResponse {
        log_groups: Vec<LogGroup> = "logGroups",
        next_token: String = "nextToken",
    }
    DescribeLogStreamsResponse {
        log_streams: Vec<LogStream> = "logStreams",
        next_token: String = "nextToken",
    }
    FilterLogEventsResponse {
        events: Vec<FilteredLogEvent> = "events",
        next_token: String = "nextToken",
        searched_log_streams: Vec<SearchedLogStream> = "searchedLogStreams",
    }
    GetLogEventsResponse {
        events: Vec<OutputLogEvent> = "events",
        next_backward_token: String = "nextBackwardToken",
        next_forward_token: String = "nextForwardToken",
    }
    ListTagsForResourceResponse {
        tags: ::std::collections::BTreeMap<String, String> = "tags",
    }
    PutLogEventsResponse {
        next_sequence_token: String = "nextSequenceToken",
        rejected_entity_info: RejectedEntityInfo = "rejectedEntityInfo",
        rejected_log_events_info: RejectedLogEventsInfo = "rejectedLogEventsInfo",
    }
}
