//! logs: structures; generated from `api-models/logs` by `cargo xtask gen`.
mod parts_e_s;
mod requests;
mod responses;

pub use parts_e_s::*;
pub use requests::*;
pub use responses::*;
