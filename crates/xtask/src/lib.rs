//! What `cargo xtask` does, as a library, so that tests run the same code.

pub mod check;
pub mod edges;
pub mod generate;
pub mod import;
pub mod model;
