//! sts: operations; generated from `api-models/sts` by `cargo xtask gen`.
crate::shape::operations! {
    super::SERVICE;
    GetCallerIdentity: super::GetCallerIdentityRequest => super::GetCallerIdentityResponse,
}

/// Calls the macro `$then` with the names of all generated operations.
#[macro_export]
macro_rules! sts_operations {
    ($then:ident) => {
        $then! { GetCallerIdentity }
    };
}
