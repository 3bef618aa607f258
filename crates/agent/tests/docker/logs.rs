//! The output of `awslogs` containers arrives whole and once, whatever dies in between.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use berth_agent::runtime::docker::logs::{LogEvent, LogsApi, LogsError, StreamName};
use berth_agent::runtime::{ErrorKind, Runtime};
use berth_agent_proto::task::Container;
use futures_util::future::BoxFuture;
use serde_json::json;

use crate::support::{Daemon, Running, eventually, instance, isolated, shell, task, with_host};

/// A log service in memory that fails as it is told.
#[derive(Default)]
struct Service {
    groups: Mutex<Vec<String>>,
    streams: Mutex<HashMap<String, Vec<LogEvent>>>,
    puts: AtomicUsize,
    /// Every so many puts, one fails: in turn before it is stored, after, and for want of time.
    fails_every: usize,
}

impl Service {
    fn with_group(name: &str, fails_every: usize) -> Arc<Self> {
        Arc::new(Self {
            groups: Mutex::new(vec![name.to_owned()]),
            fails_every,
            ..Self::default()
        })
    }

    fn messages(&self, stream: &str) -> Vec<String> {
        let streams = self.streams.lock().expect("no panic");
        let events = streams.get(stream).into_iter().flatten();
        events.map(|event| event.message.clone()).collect()
    }

    fn store(&self, name: &StreamName, events: &[LogEvent]) -> Result<(), LogsError> {
        let mut streams = self.streams.lock().expect("no panic");
        let stored = streams.get_mut(&name.stream);
        let stored = stored.ok_or_else(|| LogsError::Missing("no stream".to_owned()))?;
        assert!(!events.is_empty() && events.len() <= 10_000);
        assert!(events.iter().all(|event| !event.message.is_empty()));
        let bytes: usize = events.iter().map(|event| event.message.len() + 26).sum();
        assert!(bytes <= 1_048_576, "{bytes} bytes");
        let times = stored.iter().chain(events).map(|event| event.time);
        assert!(times.is_sorted(), "events out of order");
        stored.extend_from_slice(events);
        Ok(())
    }
}

impl LogsApi for Service {
    fn create_group<'a>(&'a self, name: &'a StreamName) -> BoxFuture<'a, Result<(), LogsError>> {
        Box::pin(async {
            self.groups
                .lock()
                .expect("no panic")
                .push(name.group.clone());
            Ok(())
        })
    }

    fn create_stream<'a>(&'a self, name: &'a StreamName) -> BoxFuture<'a, Result<bool, LogsError>> {
        Box::pin(async {
            if !self.groups.lock().expect("no panic").contains(&name.group) {
                let text = "ResourceNotFoundException: The specified log group does not exist.";
                return Err(LogsError::Missing(text.to_owned()));
            }
            let mut streams = self.streams.lock().expect("no panic");
            let new = !streams.contains_key(&name.stream);
            streams.entry(name.stream.clone()).or_default();
            Ok(new)
        })
    }

    fn put<'a>(
        &'a self,
        name: &'a StreamName,
        events: &'a [LogEvent],
    ) -> BoxFuture<'a, Result<(), LogsError>> {
        Box::pin(async move {
            let put = self.puts.fetch_add(1, Ordering::Relaxed) + 1;
            if self.fails_every == 0 || !put.is_multiple_of(self.fails_every) {
                return self.store(name, events);
            }
            match put / self.fails_every % 3 {
                0 => Err(LogsError::Busy("throttled".to_owned())),
                1 => {
                    self.store(name, events)?;
                    Err(LogsError::Unknown("the answer was lost".to_owned()))
                }
                _ => Err(LogsError::Unknown("the request was lost".to_owned())),
            }
        })
    }

    fn count_since<'a>(
        &'a self,
        name: &'a StreamName,
        time: i64,
    ) -> BoxFuture<'a, Result<u64, LogsError>> {
        Box::pin(async move {
            let streams = self.streams.lock().expect("no panic");
            let events = streams.get(&name.stream).into_iter().flatten();
            Ok(events.filter(|event| event.time >= time).count() as u64)
        })
    }
}

fn logged(container: Container, options: serde_json::Value) -> Container {
    let mut config = json!({"awslogs-group": "g", "awslogs-stream": "s"});
    for (key, value) in options.as_object().expect("an object") {
        config[key] = value.clone();
    }
    with_host(
        container,
        &json!({"LogConfig": {"Type": "awslogs", "Config": config}}),
    )
}

/// What is asked of numbered lines on both outputs: all there, once, in order.
fn check_lines(messages: &[String], lines: usize) {
    for output in ["out", "err"] {
        let of_output = messages
            .iter()
            .filter(|message| message.starts_with(output));
        let expected = (1..=lines).map(|number| format!("{output} {number}"));
        let expected: Vec<String> = expected.collect();
        let found: Vec<&String> = of_output.collect();
        assert!(
            found.iter().copied().eq(&expected),
            "{output}: {} of {lines} lines",
            found.len()
        );
    }
}

const NUMBERED: &str =
    "i=0; while [ $i -lt LINES ]; do i=$((i+1)); echo out $i; echo err $i >&2; PAUSE done";

fn numbered(lines: usize, pause: &str) -> Container {
    let line = NUMBERED
        .replace("LINES", &lines.to_string())
        .replace("PAUSE", pause);
    logged(shell("app", &line), json!({}))
}

#[test]
fn lines_arrive_once_and_in_order_though_every_third_call_fails() {
    isolated(async {
        let daemon = Daemon::start().await;
        let service = Service::with_group("g", 3);
        let runtime = daemon
            .runtime_with(daemon.settings(Some(service.clone())))
            .await;
        // About two seconds, so that it takes several batches.
        let container = numbered(400, "usleep 5000;");
        let running = Running::start_all(&runtime, task("logs", vec![container])).await;
        running.ended("app").await;
        // Removal waits for what is not shipped.
        running.remove().await;
        check_lines(&service.messages("s"), 400);
        assert!(service.puts.load(Ordering::Relaxed) >= 3);
    });
}

#[test]
fn lines_arrive_once_though_agent_and_docker_restart() {
    isolated(async {
        let mut daemon = Daemon::start().await;
        let service = Service::with_group("g", 2);
        let settings = daemon.settings(Some(service.clone()));
        let runtime = daemon.runtime_with(settings.clone()).await;
        let container = numbered(100_000, "usleep 2000;");
        let running = Running::start_all(&runtime, task("again", vec![container])).await;
        let id = running.id("app");
        drop(running);
        let shipped = |more: usize| {
            let from = service.messages("s").len();
            let service = Arc::clone(&service);
            async move {
                eventually("more lines", || async {
                    (service.messages("s").len() >= from + more).then_some(())
                })
                .await;
            }
        };
        shipped(100).await;
        let mut runtime = Some(runtime);
        for _ in 0..3 {
            // As a kill: nothing is told to the shipper, whatever it is doing.
            drop(runtime.take());
            let again = daemon.runtime_with(settings.clone()).await;
            assert_eq!(again.list(&instance()).await.expect("listed").len(), 1);
            shipped(100).await;
            runtime = Some(again);
        }
        // Docker ends, and the container with it; what it wrote until then arrives.
        daemon.stop();
        daemon.launch().await;
        let runtime = runtime.expect("set above");
        let written = daemon.docker(&["logs", &id]).lines().count();
        assert!(written > 0);
        eventually("the last line", || async {
            let messages = service.messages("s");
            let out = messages
                .iter()
                .filter(|message| message.starts_with("out"))
                .count();
            (out >= written).then_some(())
        })
        .await;
        runtime.remove(id).await.expect("removed");
        let messages = service.messages("s");
        let of = |output: &str| messages.iter().filter(|m| m.starts_with(output)).count();
        let (out, err) = (of("out"), of("err"));
        assert!(out.abs_diff(err) <= 1, "{out} and {err}");
        let err_beyond = format!("err {out}");
        let all: Vec<String> = messages
            .into_iter()
            .chain((err < out).then_some(err_beyond))
            .collect();
        check_lines(&all, out);
    });
}

#[test]
fn long_lines_events_of_several_lines_and_terminals_keep_their_form() {
    isolated(async {
        let daemon = Daemon::start().await;
        let service = Service::with_group("g", 0);
        let runtime = daemon
            .runtime_with(daemon.settings(Some(service.clone())))
            .await;
        let long = "head -c 100000 /dev/zero | busybox tr '\\0' x; echo; echo short";
        let container = logged(shell("long", long), json!({"awslogs-stream": "long"}));
        let several = "echo '[1] a'; echo ' at b'; echo '[2] c'";
        let options =
            json!({"awslogs-stream": "several", "awslogs-multiline-pattern": r"^\[\d+\]"});
        let several = logged(shell("several", several), options);
        let terminal = logged(
            shell("terminal", "echo one; echo two"),
            json!({"awslogs-stream": "terminal"}),
        );
        let terminal = crate::support::with_config(terminal, &json!({"Tty": true}));
        let containers = vec![container, several, terminal];
        let running = Running::start_all(&runtime, task("forms", containers)).await;
        for name in ["long", "several", "terminal"] {
            running.ended(name).await;
        }
        running.remove().await;
        let lengths: Vec<usize> = service.messages("long").iter().map(String::len).collect();
        assert_eq!(lengths, [100_000, 5]);
        assert_eq!(service.messages("several"), ["[1] a\n at b", "[2] c"]);
        assert_eq!(service.messages("terminal"), ["one", "two"]);
    });
}

#[test]
fn a_missing_group_stops_the_start_unless_it_is_to_be_made() {
    isolated(async {
        let daemon = Daemon::start().await;
        let service = Service::with_group("other", 0);
        let runtime = daemon
            .runtime_with(daemon.settings(Some(service.clone())))
            .await;
        let strict = logged(shell("app", "echo x"), json!({}));
        let mut running = Running::prepare(&runtime, task("strict", vec![strict])).await;
        let id = running.create(0).await;
        let error = runtime.start(id).await.expect_err("no group");
        assert_eq!(error.kind, ErrorKind::CannotStartContainer);
        assert!(
            error
                .detail
                .contains("The specified log group does not exist"),
            "{error}"
        );
        running.remove().await;
        let made = logged(
            shell("app", "echo x"),
            json!({"awslogs-create-group": "true"}),
        );
        let running = Running::start_all(&runtime, task("made", vec![made])).await;
        running.ended("app").await;
        running.remove().await;
        assert_eq!(service.messages("s"), ["x"]);
    });
}
