//! A fleet of agents that ack and do not report, in a process of its own.
//!
//! They register, open ACS and TCS, answer pings, ack payloads, manifests and heartbeats, and
//! come back as our agent does when a connection breaks. Each frame is looked at only as far as
//! its type and message id, so that little of the machine goes to the fleet: what an agent costs
//! is not what is measured with it.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use berth_wire::sigv4::{Signer, Unsigned};
use clap::Args;
use http::header::HOST;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use crate::calls::{self, Api};
use crate::clock;
use crate::connection::find;

/// Instances registered at once, and sockets opened at once.
const AT_ONCE: usize = 32;
/// The first wait before a connection is tried again, and the longest: those of our agent.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A socket's buffer starts with this, and is let go when nothing lies in it.
const BUFFER_BYTES: usize = 4 * 1024;
/// The longest frame that is taken: one payload of the server's largest batch is far below.
const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What the parent process reads once all agents are connected.
pub(crate) const READY: &str = "connected";

/// What each agent can do, as the agent with Docker registers it.
const CAPABILITIES: &[&str] = &[
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.20",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.22",
    "com.amazonaws.ecs.capability.docker-remote-api.1.23",
    "com.amazonaws.ecs.capability.docker-remote-api.1.24",
    "com.amazonaws.ecs.capability.docker-remote-api.1.25",
    "com.amazonaws.ecs.capability.docker-remote-api.1.28",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.docker-remote-api.1.30",
    "com.amazonaws.ecs.capability.docker-remote-api.1.32",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.logging-driver.none",
    "com.amazonaws.ecs.capability.privileged-container",
    "com.amazonaws.ecs.capability.task-iam-role",
    "com.amazonaws.ecs.capability.task-iam-role-network-host",
    "ecs.capability.container-health-check",
    "ecs.capability.container-ordering",
    "ecs.capability.container-restart-policy",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.full-sync",
    "ecs.capability.network.container-port-range",
    "ecs.capability.pid-ipc-namespace-sharing",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
];

/// `berth-bench agents`.
#[derive(Debug, Args)]
pub(crate) struct AgentsArgs {
    /// The server's address and port.
    #[arg(long)]
    pub(crate) server: SocketAddr,
    /// How many.
    #[arg(long)]
    pub(crate) count: u32,
    /// The cluster to join.
    #[arg(long)]
    pub(crate) cluster: String,
    /// CPU units that each offers.
    #[arg(long)]
    pub(crate) cpu: i32,
    /// MiB that each offers.
    #[arg(long)]
    pub(crate) memory: i32,
}

/// Runs the agents until the process is ended.
pub(crate) fn run(args: &AgentsArgs) -> Result<()> {
    let instances = register_all(args)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(connect_all(args, instances))
}

/// Registers the instances, several at once, and gives their ARNs.
fn register_all(args: &AgentsArgs) -> Result<Vec<String>> {
    let next = AtomicU32::new(0);
    let register = || -> Result<Vec<String>> {
        let mut api = Api::open(args.server)?;
        let mut arns = Vec::new();
        while next.fetch_add(1, Ordering::Relaxed) < args.count {
            let answer = api.call("RegisterContainerInstance", &registration(args))?;
            let arn = answer["containerInstance"]["containerInstanceArn"].as_str();
            arns.push(arn.context("a registration without an ARN")?.to_owned());
        }
        Ok(arns)
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(register)).collect();
        let mut all = Vec::new();
        for thread in threads {
            let arns = thread
                .join()
                .map_err(|_| anyhow!("a registration panicked"))?;
            all.extend(arns?);
        }
        Ok(all)
    })
}

fn registration(args: &AgentsArgs) -> Value {
    let integer =
        |name: &str, value: i32| json!({ "name": name, "type": "INTEGER", "integerValue": value });
    let ports = |name: &str| json!({ "name": name, "type": "STRINGSET", "stringSetValue": [] });
    let mut attributes: Vec<Value> = CAPABILITIES
        .iter()
        .map(|name| json!({ "name": name }))
        .collect();
    let mut valued =
        |name: &str, value: &str| attributes.push(json!({ "name": name, "value": value }));
    valued("ecs.os-type", "linux");
    valued("ecs.os-family", "LINUX");
    valued("ecs.cpu-architecture", "x86_64");
    json!({
        "cluster": args.cluster,
        "instanceIdentityDocument": "",
        "instanceIdentityDocumentSignature": "",
        "totalResources": [
            integer("CPU", args.cpu),
            integer("MEMORY", args.memory),
            ports("PORTS"),
            ports("PORTS_UDP"),
        ],
        "attributes": attributes,
    })
}

/// What all sockets of the fleet share.
struct Fleet {
    server: SocketAddr,
    cluster: String,
    signer: Signer,
    /// Not yet connected for the first time.
    missing: AtomicU32,
    dialling: Semaphore,
}

#[derive(Clone, Copy, PartialEq)]
enum Channel {
    Acs,
    Tcs,
}

async fn connect_all(args: &AgentsArgs, instances: Vec<String>) -> Result<()> {
    let fleet = Arc::new(Fleet {
        server: args.server,
        cluster: args.cluster.clone(),
        signer: calls::signer(),
        missing: AtomicU32::new(u32::try_from(instances.len())? * 2),
        dialling: Semaphore::new(AT_ONCE),
    });
    for arn in instances {
        let arn: Arc<str> = arn.into();
        for channel in [Channel::Acs, Channel::Tcs] {
            tokio::spawn(fleet.clone().stay_connected(channel, arn.clone()));
        }
    }
    std::future::pending().await
}

impl Fleet {
    async fn stay_connected(self: Arc<Self>, channel: Channel, instance: Arc<str>) {
        let mut first = true;
        // Spread over the agents, so that they do not all come back in the same moment.
        let spread = instance.bytes().fold(0_u64, |hash, byte| {
            hash.wrapping_mul(31).wrapping_add(byte.into())
        });
        let mut wait = FIRST_WAIT + Duration::from_millis(spread % 250);
        loop {
            let dialled = {
                let _permit = self.dialling.acquire().await;
                self.dial(channel, &instance, first).await
            };
            if let Ok((mut stream, buffer)) = dialled {
                wait = FIRST_WAIT + Duration::from_millis(spread % 250);
                if std::mem::take(&mut first) && self.missing.fetch_sub(1, Ordering::Relaxed) == 1 {
                    println!("{READY}");
                    let _ = std::io::stdout().flush();
                }
                let _ = self.serve(&mut stream, buffer, &instance).await;
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 3 / 2).min(LONGEST_WAIT);
        }
    }

    /// Opens the websocket; gives what came in behind the answer as well.
    async fn dial(
        &self,
        channel: Channel,
        instance: &str,
        first: bool,
    ) -> Result<(TcpStream, Vec<u8>)> {
        let (cluster, arn) = (
            &self.cluster,
            instance.replace(':', "%3A").replace('/', "%2F"),
        );
        let path = match channel {
            Channel::Acs => format!(
                "/acs/ws?agentHash=bench&agentVersion=1.0.0&clusterArn={cluster}\
                 &containerInstanceArn={arn}&dockerVersion=none&protocolVersion=2\
                 &sendCredentials={first}&seqNum=1"
            ),
            Channel::Tcs => format!(
                "/tcs/ws?agentHash=bench&agentVersion=1.0.0&cluster={cluster}\
                 &containerInstance={arn}&dockerVersion=none"
            ),
        };
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(&self.server.to_string())?);
        let unsigned = Unsigned {
            method: &Method::GET,
            path_and_query: &path,
            headers: &headers,
            body: b"",
        };
        headers.extend(self.signer.sign(&unsigned, clock::wall())?);
        let mut request = format!(
            "GET {path} HTTP/1.1\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        )
        .into_bytes();
        for (name, value) in &headers {
            request.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
        }
        request.extend(b"\r\n");
        let mut stream = TcpStream::connect(self.server).await?;
        stream.set_nodelay(true)?;
        stream.write_all(&request).await?;
        let mut buffer = Vec::with_capacity(BUFFER_BYTES);
        let end = loop {
            ensure!(stream.read_buf(&mut buffer).await? > 0, "no answer");
            if let Some(end) = find(&buffer, b"\r\n\r\n") {
                break end + 4;
            }
        };
        ensure!(buffer.starts_with(b"HTTP/1.1 101"), "no websocket");
        buffer.drain(..end);
        Ok((stream, buffer))
    }

    async fn serve(
        &self,
        stream: &mut TcpStream,
        mut buffer: Vec<u8>,
        instance: &str,
    ) -> Result<()> {
        let mut answers = Vec::new();
        loop {
            let mut used = 0;
            while let Some((frame, length)) = Frame::first(&buffer[used..])? {
                self.answer(&frame, instance, &mut answers)?;
                used += length;
            }
            buffer.drain(..used);
            if !answers.is_empty() {
                stream.write_all(&answers).await?;
                answers = Vec::new();
            }
            if buffer.is_empty() {
                buffer = Vec::new();
                // Memory is taken only when there is something to read.
                stream.readable().await?;
            }
            buffer.reserve(BUFFER_BYTES);
            ensure!(
                stream.read_buf(&mut buffer).await? > 0,
                "the server is gone"
            );
        }
    }

    fn answer(&self, frame: &Frame<'_>, instance: &str, answers: &mut Vec<u8>) -> Result<()> {
        match frame.kind {
            TEXT => {}
            PING => {
                put_frame(answers, PONG, frame.content);
                return Ok(());
            }
            CLOSE => bail!("closed by the server"),
            _ => return Ok(()),
        }
        let text = frame.content;
        let Some(id) = message_id(text) else {
            return Ok(());
        };
        let answer = if text.starts_with(b"{\"type\":\"HeartbeatMessage\"") {
            format!(r#"{{"type":"HeartbeatAckRequest","message":{{"messageId":"{id}"}}}}"#)
        } else if text.starts_with(b"{\"type\":\"PayloadMessage\"")
            || text.starts_with(b"{\"type\":\"TaskManifestMessage\"")
        {
            let cluster = &self.cluster;
            format!(
                r#"{{"type":"AckRequest","message":{{"cluster":"{cluster}","containerInstance":"{instance}","messageId":"{id}"}}}}"#
            )
        } else {
            return Ok(());
        };
        put_frame(answers, TEXT, answer.as_bytes());
        Ok(())
    }
}

/// The first `messageId` of a message.
fn message_id(text: &[u8]) -> Option<&str> {
    const KEY: &[u8] = b"\"messageId\":\"";
    let begin = find(text, KEY)? + KEY.len();
    let end = begin + text[begin..].iter().position(|byte| *byte == b'"')?;
    std::str::from_utf8(&text[begin..end]).ok()
}

// Kinds of websocket frames (RFC 6455, section 5.2).
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame from the server: whole and unmasked.
struct Frame<'a> {
    kind: u8,
    content: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame of `bytes` and its length there, if it is whole.
    fn first(bytes: &'a [u8]) -> Result<Option<(Self, usize)>> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        ensure!(
            first & 0x80 != 0 && second & 0x80 == 0,
            "a frame in parts, or masked"
        );
        let (head, length) = match (second, rest) {
            (126, [a, b, ..]) => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                let length = u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
                (10, usize::try_from(length)?)
            }
            (126 | 127, _) => return Ok(None),
            (length, _) => (2, usize::from(*length)),
        };
        ensure!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
        let content = bytes.get(head..head + length);
        let kind = first & 0x0f;
        Ok(content.map(|content| (Self { kind, content }, head + length)))
    }
}

/// Adds a frame to the server. Its mask is zero, which leaves the content as it is.
fn put_frame(out: &mut Vec<u8>, kind: u8, content: &[u8]) {
    out.push(0x80 | kind);
    match u16::try_from(content.len()) {
        Ok(length @ 0..=125) => out.push(0x80 | length.to_le_bytes()[0]),
        Ok(length) => {
            out.push(0x80 | 126);
            out.extend(length.to_be_bytes());
        }
        Err(_) => {
            out.push(0x80 | 127);
            out.extend((content.len() as u64).to_be_bytes());
        }
    }
    out.extend([0; 4]);
    out.extend(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_taken_when_they_are_whole() {
        let mut bytes = vec![0x81, 3, b'a', b'b', b'c', 0x89, 126, 0, 130];
        let (frame, used) = Frame::first(&bytes).unwrap().unwrap();
        assert_eq!((frame.kind, frame.content, used), (TEXT, &b"abc"[..], 5));
        bytes.drain(..5);
        assert!(Frame::first(&bytes).unwrap().is_none());
        bytes.extend([7; 130]);
        let (frame, used) = Frame::first(&bytes).unwrap().unwrap();
        assert_eq!((frame.kind, frame.content.len(), used), (PING, 130, 134));
        assert!(Frame::first(&[0x01, 0]).is_err());
        assert!(Frame::first(&[0x82, 127, 1, 0, 0, 0, 0, 0, 0, 0]).is_err());
    }

    #[test]
    fn frames_to_the_server_are_masked_and_tell_their_length() {
        let length_of = |count: usize| {
            let mut out = Vec::new();
            put_frame(&mut out, TEXT, &vec![1; count]);
            assert_eq!(out[0], 0x81);
            (out[1], out.len() - count)
        };
        assert_eq!(length_of(5), (0x85, 6));
        assert_eq!(length_of(126), (0xfe, 8));
        assert_eq!(length_of(70_000), (0xff, 14));
    }

    #[test]
    fn the_message_id_is_found() {
        let text = br#"{"type":"HeartbeatMessage","message":{"messageId":"a-1","healthy":true}}"#;
        assert_eq!(message_id(text), Some("a-1"));
        assert_eq!(message_id(b"{}"), None);
    }
}
