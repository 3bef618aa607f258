//! sts: what operations take; generated from `api-models/sts` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    GetCallerIdentityRequest {
    }
}
