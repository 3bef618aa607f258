//! sts: operations; generated from `api-models/sts` by `cargo xtask gen`.
crate::shape::operations! {
    super::SERVICE;
    GetCallerIdentity: super::GetCallerIdentityRequest => super::GetCallerIdentityResponse,
}
