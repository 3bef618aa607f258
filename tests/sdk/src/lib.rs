//! The AWS SDK for Rust as a client of whole servers; see `tests/`.
