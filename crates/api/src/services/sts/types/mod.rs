//! sts: structures; generated from `api-models/sts` by `cargo xtask gen`.
mod requests;
mod responses;

pub use requests::*;
pub use responses::*;
