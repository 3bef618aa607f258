//! Generated AWS API types.
