//! sts: the constraints of structures; generated from `api-models/sts` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

impl Validate for GetCallerIdentityRequest {
    fn validate(&self, _path: &mut Path) -> Result<(), Invalid> {
        Ok(())
    }
}
