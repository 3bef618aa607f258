//! sts: the service; generated from `api-models/sts` by `cargo xtask gen`.
mod operations;
mod types;
mod validation;

pub use types::*;

/// The generated operations.
pub mod op {
    pub use super::operations::*;
}

/// AWS Security Token Service.
pub const SERVICE: crate::Service = crate::Service {
    name: "sts",
    full_name: "AWS Security Token Service",
    signing_name: "sts",
    api_version: "2011-06-15",
    protocol: crate::Protocol::Query {
        xml_namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    },
    operations: OPERATIONS,
    generated: GENERATED,
    refusals: crate::Refusals {
        code: "ValidationError",
        code_of: &[],
        form: crate::RefusalForm::Constraint,
    },
};

/// Every operation of the model, sorted.
pub const OPERATIONS: &[&str] = &[
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
];

/// The operations with types, sorted.
pub const GENERATED: &[&str] = &["GetCallerIdentity"];
