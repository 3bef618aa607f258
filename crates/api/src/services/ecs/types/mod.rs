//! ecs: structures; generated from `api-models/ecs` by `cargo xtask gen`.
mod parts_a_d;
mod parts_e_m;
mod parts_n_t;
mod parts_u_v;
mod requests;
mod responses;

pub use parts_a_d::*;
pub use parts_e_m::*;
pub use parts_n_t::*;
pub use parts_u_v::*;
pub use requests::*;
pub use responses::*;
