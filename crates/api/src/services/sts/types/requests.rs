//! sts: what operations take; generated from `api-models/sts` by `cargo xtask gen`.
#[allow(unused_imports, reason = "not every file names the others")]
use super::super::*;

crate::shape::structures! {
    GetCallerIdentityRequest {
    }
}
