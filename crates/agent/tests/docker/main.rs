//! The Docker runtime against a real Docker: each test starts a daemon of its own, in a network
//! of its own.
//!
//! They need root, and of Debian the packages docker.io, docker-registry, busybox-static,
//! iptables and iproute2.

mod definition;
mod images;
mod logs;
mod metadata;
mod network;
mod restarts;
mod support;
