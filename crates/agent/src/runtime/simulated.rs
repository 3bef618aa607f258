//! Containers that do not exist.
