//! How many files the process may have open: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a server of ten thousand agents needs: two sockets for each, as many for clients, and
/// some for the store. With less it works as well, for fewer.
const ENOUGH: u64 = 65_536;

/// Raises the limit as far as this process may. Shells and services start programs with 1024,
/// for the sake of old ones that cannot count further.
pub(crate) fn allow_many() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(ENOUGH, |maximum| maximum.min(ENOUGH));
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    let limit = Rlimit {
        current: Some(wanted),
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::warn!(%error, wanted, "the limit of open files stays as it is");
    }
}
