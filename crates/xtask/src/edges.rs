//! Which crate may use which: the table of the house style, read against the manifests.
