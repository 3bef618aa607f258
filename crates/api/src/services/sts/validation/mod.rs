//! sts: the constraints of scalars, lists and maps; generated from `api-models/sts` by `cargo xtask gen`.
mod requests;

#[allow(unused_imports, reason = "which are used is for the model to say")]
use super::*;
#[allow(unused_imports, reason = "which are used is for the model to say")]
use crate::validation::{self, Invalid, Path, Pattern, Validate};
