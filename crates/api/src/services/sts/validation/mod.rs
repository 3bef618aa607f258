//! sts: the constraints of scalars, lists and maps; generated from `api-models/sts` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

mod requests;
