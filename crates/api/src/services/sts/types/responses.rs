//! sts: what operations answer; generated from `api-models/sts` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    GetCallerIdentityResponse {
        account: String = "Account",
        arn: String = "Arn",
        user_id: String = "UserId",
    }
}
