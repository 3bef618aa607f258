//! logs: faults; generated from `api-models/logs` by `cargo xtask gen`.
crate::shape::faults! {
    DataAlreadyAccepted = ("DataAlreadyAcceptedException", 400),
    InvalidParameter = ("InvalidParameterException", 400),
    InvalidSequenceToken = ("InvalidSequenceTokenException", 400),
    LimitExceeded = ("LimitExceededException", 400),
    OperationAborted = ("OperationAbortedException", 400),
    ResourceAlreadyExists = ("ResourceAlreadyExistsException", 400),
    ResourceNotFound = ("ResourceNotFoundException", 400),
    ServiceUnavailable = ("ServiceUnavailableException", 500),
    TooManyTags = ("TooManyTagsException", 400),
    UnrecognizedClient = ("UnrecognizedClientException", 400),
    Validation = ("ValidationException", 400),
}
