//! logs: operations; generated from `api-models/logs` by `cargo xtask gen`.
crate::shape::operations! {
    super::SERVICE;
    CreateLogGroup: super::CreateLogGroupRequest => crate::Empty,
    CreateLogStream: super::CreateLogStreamRequest => crate::Empty,
    DeleteLogGroup: super::DeleteLogGroupRequest => crate::Empty,
    DeleteLogStream: super::DeleteLogStreamRequest => crate::Empty,
    DeleteRetentionPolicy: super::DeleteRetentionPolicyRequest => crate::Empty,
    DescribeLogGroups: super::DescribeLogGroupsRequest => super::DescribeLogGroupsResponse,
    DescribeLogStreams: super::DescribeLogStreamsRequest => super::DescribeLogStreamsResponse,
    FilterLogEvents: super::FilterLogEventsRequest => super::FilterLogEventsResponse,
    GetLogEvents: super::GetLogEventsRequest => super::GetLogEventsResponse,
    ListTagsForResource: super::ListTagsForResourceRequest => super::ListTagsForResourceResponse,
    PutLogEvents: super::PutLogEventsRequest => super::PutLogEventsResponse,
    PutRetentionPolicy: super::PutRetentionPolicyRequest => crate::Empty,
    TagResource: super::TagResourceRequest => crate::Empty,
    UntagResource: super::UntagResourceRequest => crate::Empty,
}

/// Calls the macro `$then` with the names of all generated operations.
#[macro_export]
macro_rules! logs_operations {
($then:ident) => { $then! { CreateLogGroup, CreateLogStream, DeleteLogGroup, DeleteLogStream, DeleteRetentionPolicy, DescribeLogGroups, DescribeLogStreams, FilterLogEvents, GetLogEvents, ListTagsForResource, PutLogEvents, PutRetentionPolicy, TagResource, UntagResource } };
}
