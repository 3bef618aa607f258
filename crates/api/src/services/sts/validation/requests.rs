//! sts: the constraints of structures; generated from `api-models/sts` by `cargo xtask gen`.
#[allow(unused_imports, reason = "which are used is for the model to say")]
use super::*;
#[allow(unused_imports, reason = "which are used is for the model to say")]
use crate::validation::{self, Invalid, Path, Pattern, Validate};

impl Validate for GetCallerIdentityRequest {
    fn validate(&self, _path: &mut Path) -> Result<(), Invalid> {
        Ok(())
    }
}
