//! Host ports for mappings that leave them to the agent.
//!
//! The agent picks, not Docker: a restart by the restart policy keeps the ports that were
//! reported, and ranges are contiguous. A port is picked when nothing listens on it and it was
//! not handed out lately; whoever binds it between the pick and the start makes the start fail,
//! with Docker's words.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::sync::{Mutex, PoisonError};

use berth_agent_proto::task::{Container, PortMapping};
use serde::{Deserialize, Serialize};

use crate::runtime::{Binding, ErrorKind, RuntimeError};

/// The ports that ECS hands out for dynamic mappings.
pub(super) const DYNAMIC: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// Transport protocol of a mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Transport {
    /// The protocol of a mapping; absent means TCP.
    pub(super) fn parse(text: Option<&str>) -> Option<Self> {
        match text.unwrap_or("tcp").to_ascii_lowercase().as_str() {
            "tcp" | "" => Some(Self::Tcp),
            "udp" => Some(Self::Udp),
            _ => None,
        }
    }

    /// Docker's spelling, which is also that of reports.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// A mapping with its host ports picked; kept in a label of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Published {
    pub(super) transport: Transport,
    /// First port of the container.
    pub(super) container: u16,
    /// First port of the host.
    pub(super) host: u16,
    /// How many ports.
    pub(super) count: u16,
    /// Whether the mapping was written as a range.
    pub(super) range: bool,
}

impl Published {
    pub(super) fn container_ports(&self) -> impl Iterator<Item = u16> + use<> {
        let first = self.container;
        (0..self.count).map(move |step| first.saturating_add(step))
    }

    pub(super) fn host_ports(&self) -> impl Iterator<Item = u16> + use<> {
        let first = self.host;
        (0..self.count).map(move |step| first.saturating_add(step))
    }

    /// The host's ports with their protocol, as a [`PortBook`] keeps them.
    pub(super) fn taken(&self) -> impl Iterator<Item = (Transport, u16)> + use<> {
        let transport = self.transport;
        self.host_ports().map(move |port| (transport, port))
    }

    pub(super) fn binding(&self) -> Binding {
        let last = |first: u16| first.saturating_add(self.count.saturating_sub(1));
        Binding {
            bind_ip: "0.0.0.0".to_owned(),
            protocol: self.transport.as_str().to_owned(),
            container: (self.container, last(self.container)),
            host: (self.host, last(self.host)),
            range: self.range,
        }
    }
}

/// Picks host ports for what a container publishes.
///
/// # Errors
/// [`ErrorKind::CannotCreateContainer`] for a mapping that makes no sense, or when no ports are
/// free; nothing stays taken then.
pub(super) fn publish(
    book: &PortBook,
    container: &Container,
) -> Result<Vec<Published>, RuntimeError> {
    let mut published: Vec<Published> = Vec::new();
    for mapping in &container.port_mappings {
        match publish_one(book, mapping) {
            Ok(one) => published.push(one),
            Err(detail) => {
                book.give_back(published.iter().flat_map(Published::taken));
                return Err(RuntimeError::new(ErrorKind::CannotCreateContainer, detail));
            }
        }
    }
    Ok(published)
}

fn publish_one(book: &PortBook, mapping: &PortMapping) -> Result<Published, String> {
    let wrong = || format!("cannot publish {mapping:?}");
    let transport = Transport::parse(mapping.protocol.as_deref()).ok_or_else(wrong)?;
    let port = |number: Option<i64>| u16::try_from(number.unwrap_or(0)).map_err(|_| wrong());
    let (container, count, range) = match &mapping.container_port_range {
        Some(text) => {
            let (first, last) = text.split_once('-').ok_or_else(wrong)?;
            let first: u16 = first.trim().parse().map_err(|_| wrong())?;
            let last: u16 = last.trim().parse().map_err(|_| wrong())?;
            let beyond = last.checked_sub(first).ok_or_else(wrong)?;
            (first, beyond.checked_add(1).ok_or_else(wrong)?, true)
        }
        None => (port(mapping.container_port)?, 1, false),
    };
    if container == 0 {
        return Err(wrong());
    }
    let host = match port(mapping.host_port)? {
        0 => book
            .pick(transport, count)
            .ok_or_else(|| format!("no {count} free host ports in a row are left"))?,
        fixed => fixed,
    };
    let published = Published {
        transport,
        container,
        host,
        count,
        range,
    };
    book.note(published.taken());
    Ok(published)
}

/// The ports handed out to containers that exist, whether they run or not.
#[derive(Debug, Default)]
pub(super) struct PortBook {
    taken: Mutex<BTreeSet<(Transport, u16)>>,
}

impl PortBook {
    /// The first of `count` free ports in a row, or `None` when there are none. They are taken
    /// until they are given [`back`](Self::give_back).
    pub(super) fn pick(&self, transport: Transport, count: u16) -> Option<u16> {
        let first = u32::from(*DYNAMIC.start());
        let span = u32::from(*DYNAMIC.end()) - first + 1;
        let starts = span.checked_sub(u32::from(count.max(1)) - 1)?;
        // A random place to begin keeps agents that share a machine out of each other's way.
        let begin = chance() % starts.max(1);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for step in 0..starts {
            let start = first + (begin + step) % starts;
            let ports = start..start + u32::from(count.max(1));
            let ports: Vec<u16> = ports.filter_map(|port| port.try_into().ok()).collect();
            let free =
                |port: &u16| !taken.contains(&(transport, *port)) && is_free(transport, *port);
            if ports.iter().all(free) {
                taken.extend(ports.iter().map(|port| (transport, *port)));
                return ports.first().copied();
            }
        }
        None
    }

    /// Notes ports of a container that was found.
    pub(super) fn note(&self, ports: impl IntoIterator<Item = (Transport, u16)>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.extend(ports);
    }

    /// The container is gone; others may have its ports.
    pub(super) fn give_back(&self, ports: impl IntoIterator<Item = (Transport, u16)>) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        for port in ports {
            taken.remove(&port);
        }
    }
}

/// Whether nothing on this machine listens on the port, on any address.
fn is_free(transport: Transport, port: u16) -> bool {
    let all = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port);
    match transport {
        Transport::Tcp => TcpListener::bind(all).is_ok(),
        Transport::Udp => UdpSocket::bind(all).is_ok(),
    }
}

fn chance() -> u32 {
    let mut bytes = [0_u8; 4];
    // Without random bytes every agent begins at the same port, which is slower and no less right.
    if getrandom::fill(&mut bytes).is_err() {
        return 0;
    }
    u32::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn picked_ports_are_in_the_range_and_never_twice() {
        let book = PortBook::default();
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let port = book.pick(Transport::Tcp, 1).unwrap();
            assert!(DYNAMIC.contains(&port));
            assert!(seen.insert(port), "{port} was picked twice");
        }
    }

    #[test]
    fn a_range_is_contiguous_and_is_taken_whole() {
        let book = PortBook::default();
        let first = book.pick(Transport::Udp, 5).unwrap();
        assert!(first + 4 <= *DYNAMIC.end());
        let taken = book.taken.lock().unwrap().clone();
        let wanted = (first..first + 5).map(|port| (Transport::Udp, port));
        assert_eq!(taken, wanted.collect());
    }

    #[test]
    fn a_port_that_somebody_listens_on_is_not_picked() {
        let book = PortBook::default();
        // All but two ports are taken, and a listener of another process has one of these.
        let held = TcpListener::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let held_port = held.local_addr().unwrap().port();
        let free = book.pick(Transport::Tcp, 1).unwrap();
        book.note(DYNAMIC.map(|port| (Transport::Tcp, port)));
        book.give_back([(Transport::Tcp, held_port), (Transport::Tcp, free)]);
        assert_eq!(book.pick(Transport::Tcp, 1), Some(free));
        assert_eq!(book.pick(Transport::Tcp, 1), None);
    }

    #[test]
    fn no_row_of_ports_longer_than_the_range() {
        assert_eq!(PortBook::default().pick(Transport::Tcp, u16::MAX), None);
    }
}
