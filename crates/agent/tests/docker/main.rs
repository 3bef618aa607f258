//! The Docker runtime against a real Docker: each test starts a daemon of its own.
//!
//! They need root, and of Debian the packages docker.io, busybox-static, iptables and iproute2,
//! and docker-registry for the tests of pulls.

mod definition;

mod network;

mod support;
