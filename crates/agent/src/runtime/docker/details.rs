//! What the metadata endpoint shows of a container that only Docker knows.

use std::collections::BTreeMap;

use super::{DockerRuntime, config};
use crate::runtime::RuntimeError;

/// See [`DockerRuntime::details`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The container's name in Docker.
    pub name: String,
    /// The image's id.
    pub image_id: String,
    /// The labels, but for those of the agent's own.
    pub labels: BTreeMap<String, String>,
    /// Its addresses on networks of its own, IPv4 and IPv6.
    pub addresses: (Vec<String>, Vec<String>),
    /// Its mounts: the volume's name where it is one, source and destination.
    pub mounts: Vec<(Option<String>, String, String)>,
}

impl DockerRuntime {
    /// What Docker knows of a container; `None` when it is gone.
    ///
    /// # Errors
    /// When Docker does not answer.
    pub async fn details(&self, id: &str) -> Result<Option<Details>, RuntimeError> {
        let Some(seen) = self.inner.look(id).await? else {
            return Ok(None);
        };
        let labels = seen
            .config
            .and_then(|config| config.labels)
            .unwrap_or_default();
        let shown = labels
            .into_iter()
            .filter(|(key, _)| !config::is_own_label(key));
        let networks = seen.network_settings.and_then(|network| network.networks);
        let mut addresses = (Vec::new(), Vec::new());
        for endpoint in networks.unwrap_or_default().into_values() {
            let filled = |address: Option<String>| address.filter(|address| !address.is_empty());
            addresses.0.extend(filled(endpoint.ip_address));
            addresses.1.extend(filled(endpoint.global_ipv6_address));
        }
        let mounts = seen.mounts.unwrap_or_default().into_iter().map(|mount| {
            (
                mount.name.filter(|name| !name.is_empty()),
                mount.source.unwrap_or_default(),
                mount.destination.unwrap_or_default(),
            )
        });
        Ok(Some(Details {
            name: seen
                .name
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
            image_id: seen.image.unwrap_or_default(),
            labels: shown.collect(),
            addresses,
            mounts: mounts.collect(),
        }))
    }
}
