//! Fixtures for tests: the real writer in memory, a clock moved by hand, ids from a fixed seed.
//!
//! Rules kept here:
//! - a change is run, "saved" and answered before the call that asked for it returns, so that
//!   tests neither wait nor sleep;
//! - what the writer asks to be saved is kept as storage would keep it, so that a test can ask
//!   whether it reads back as the state that it was.

mod world;

pub use world::{Saved, World, wall};
