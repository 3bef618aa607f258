//! What is used, as lines of text.

use clap::ValueEnum;
use serde_json::Value;

/// How what is shown is sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    /// Who uses most CPU first.
    Cpu,
    /// Who uses most memory first.
    Memory,
    /// By name.
    Name,
}

impl Sort {
    /// As the server calls it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Name => "name",
        }
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) heading: bool,
}

/// Where the text of a column stands.
#[derive(Clone, Copy)]
enum Align {
    Left,
    Right,
}
use Align::{Left, Right};

/// Characters of a task's id that are shown: what `docker ps` shows of a container's.
const ID_LENGTH: usize = 12;
const UNITS_PER_VCPU: f64 = 1_024.0;
const MIB_PER_GIB: f64 = 1_024.0;

/// The tables of clusters, services and tasks.
pub(super) fn lines(usage: &Value, sort: Sort) -> Vec<Line> {
    let list = |name: &str| usage[name].as_array().cloned().unwrap_or_default();
    let (clusters, services, tasks) = (list("clusters"), list("services"), list("tasks"));
    let mut lines = Vec::new();
    section(&mut lines, &CLUSTERS, &clusters, cluster);
    section(&mut lines, &SERVICES, &services, service);
    section(&mut lines, &TASKS, &tasks, task);
    if clusters.is_empty() {
        lines.push(plain("There is no cluster here."));
    } else if tasks.is_empty() {
        lines.push(plain("No task runs."));
    } else if tasks.iter().all(|task| task["cpu"]["used"].is_null()) {
        lines.push(plain(
            "Nothing is known of their use yet: agents tell it every 20 s.",
        ));
    }
    for (kind, name) in [
        ("clusters", "clusters"),
        ("services", "services"),
        ("tasks", "tasks"),
    ] {
        let more = usage["leftOut"][kind].as_u64().unwrap_or(0);
        if more > 0 {
            let by = sort.as_str();
            lines.push(plain(&format!("{more} more {name}, the last by {by}")));
        }
    }
    lines
}

fn plain(text: &str) -> Line {
    Line {
        text: text.to_owned(),
        heading: false,
    }
}

type Column = (&'static str, Align);

const CLUSTERS: [Column; 8] = [
    ("CLUSTER", Left),
    ("AGENTS", Right),
    ("SERVICES", Right),
    ("TASKS", Right),
    ("CPU%", Right),
    ("VCPU", Left),
    ("MEM%", Right),
    ("MEMORY", Left),
];

const SERVICES: [Column; 7] = [
    ("SERVICE", Left),
    ("CLUSTER", Left),
    ("TASKS", Right),
    ("CPU%", Right),
    ("VCPU", Left),
    ("MEM%", Right),
    ("MEMORY", Left),
];

const TASKS: [Column; 9] = [
    ("TASK", Left),
    ("OF", Left),
    ("CLUSTER", Left),
    ("STATUS", Left),
    ("CPU%", Right),
    ("VCPU", Left),
    ("MEM%", Right),
    ("MEMORY", Left),
    ("NETWORK IN/OUT", Left),
];

fn cluster(one: &Value) -> Vec<String> {
    let agents = format!("{}/{}", one["connectedInstances"], one["instances"]);
    let [cpu, vcpu] = figures(&one["cpu"], "registered", UNITS_PER_VCPU, "");
    let [mem, memory] = figures(&one["memory"], "registered", MIB_PER_GIB, " GiB");
    let tasks = counts(&one["running"], None, &one["pending"]);
    let services = one["services"].to_string();
    vec![
        name(one, "cluster"),
        agents,
        services,
        tasks,
        cpu,
        vcpu,
        mem,
        memory,
    ]
}

fn service(one: &Value) -> Vec<String> {
    let [cpu, vcpu] = figures(&one["cpu"], "reserved", UNITS_PER_VCPU, "");
    let [mem, memory] = figures(&one["memory"], "reserved", 1.0, " MiB");
    let tasks = counts(&one["running"], Some(&one["desired"]), &one["pending"]);
    vec![
        text(&one["service"]),
        name(one, "cluster"),
        tasks,
        cpu,
        vcpu,
        mem,
        memory,
    ]
}

fn task(one: &Value) -> Vec<String> {
    let [cpu, vcpu] = figures(&one["cpu"], "reserved", UNITS_PER_VCPU, "");
    let [mem, memory] = figures(&one["memory"], "reserved", 1.0, " MiB");
    let id: String = text(&one["task"]).chars().take(ID_LENGTH).collect();
    let of = match one["service"].as_str() {
        Some(service) => service.to_owned(),
        None => text(&one["taskDefinition"]),
    };
    let status = match one["healthStatus"].as_str() {
        Some(health @ ("HEALTHY" | "UNHEALTHY")) => {
            format!("{} {health}", text(&one["lastStatus"]))
        }
        Some(_) | None => text(&one["lastStatus"]),
    };
    let network = &one["network"];
    let network = match network.is_null() {
        true => "-".to_owned(),
        false => format!(
            "{} / {}",
            bytes(&network["receivedPerSecond"]),
            bytes(&network["sentPerSecond"])
        ),
    };
    vec![
        id,
        of,
        name(one, "cluster"),
        status,
        cpu,
        vcpu,
        mem,
        memory,
        network,
    ]
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

/// A cluster's name, with its region where that is not the usual one.
fn name(one: &Value, key: &str) -> String {
    match one["region"].as_str() {
        None | Some("us-east-1") => text(&one[key]),
        Some(region) => format!("{}.{region}", text(&one[key])),
    }
}

/// Tasks that run, of how many, and those that start.
fn counts(running: &Value, desired: Option<&Value>, pending: &Value) -> String {
    let of = desired.map_or_else(String::new, |desired| format!("/{desired}"));
    match pending.as_u64() {
        None | Some(0) => format!("{running}{of}"),
        Some(pending) => format!("{running}{of} (+{pending})"),
    }
}

/// The percent and the absolute figure, of a whole.
fn figures(of: &Value, whole: &str, unit: f64, suffix: &str) -> [String; 2] {
    let percent = of["utilization"].as_f64();
    let percent = percent.map_or_else(|| "-".to_owned(), |percent| format!("{percent:.1}"));
    // Single MiB are reserved whole, and used in parts.
    let (fine, coarse) = if unit == 1.0 { (1, 0) } else { (2, 2) };
    let amount = |value: Option<f64>, places: usize| match value {
        Some(value) => format!("{:.places$}", value / unit),
        None => "-".to_owned(),
    };
    let used = amount(of["used"].as_f64(), fine);
    let whole = amount(of[whole].as_f64().filter(|whole| *whole > 0.0), coarse);
    [percent, format!("{used} / {whole}{suffix}")]
}

/// Bytes in a second.
fn bytes(value: &Value) -> String {
    let mut value = value.as_f64().unwrap_or(0.0);
    for unit in ["B", "KiB", "MiB"] {
        if value < 1_000.0 {
            let places = usize::from(unit != "B" && value < 100.0);
            return format!("{value:.places$} {unit}/s");
        }
        value /= 1_024.0;
    }
    format!("{value:.1} GiB/s")
}

fn section(
    lines: &mut Vec<Line>,
    columns: &[Column],
    all: &[Value],
    row: fn(&Value) -> Vec<String>,
) {
    if all.is_empty() {
        return;
    }
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let width = |at: usize| {
        let cells = rows.iter().map(|row| row[at].chars().count());
        cells.chain([columns[at].0.len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let aligned = cells.iter().zip(columns).zip(&widths);
        let aligned = aligned.map(|((cell, (_, align)), width)| match align {
            Left => format!("{cell:<width$}"),
            Right => format!("{cell:>width$}"),
        });
        aligned.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    lines.push(Line {
        text: line(&names),
        heading: true,
    });
    for row in &rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        lines.push(plain(&line(&cells)));
    }
    lines.push(plain(""));
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn shown(usage: &Value) -> String {
        let lines = lines(usage, Sort::Cpu).into_iter();
        lines.map(|line| line.text + "\n").collect()
    }

    #[test]
    fn clusters_services_and_tasks_are_tables() {
        let usage = json!({
            "clusters": [{
                "region": "us-east-1", "cluster": "default", "instances": 2,
                "connectedInstances": 1, "services": 1, "running": 3, "pending": 1,
                "cpu": { "registered": 4096.0, "reserved": 768.0, "used": 1766.4,
                         "utilization": 43.125 },
                "memory": { "registered": 8192.0, "reserved": 768.0, "used": 672.0,
                            "utilization": 8.203 },
            }, {
                "region": "eu-west-1", "cluster": "empty", "instances": 0,
                "connectedInstances": 0, "services": 0, "running": 0, "pending": 0,
                "cpu": { "registered": 0.0, "reserved": 0.0 },
                "memory": { "registered": 0.0, "reserved": 0.0 },
            }],
            "services": [{
                "region": "us-east-1", "cluster": "default", "service": "web", "desired": 3,
                "running": 2, "pending": 1,
                "cpu": { "reserved": 512.0, "used": 742.4, "utilization": 145.0 },
                "memory": { "reserved": 512.0, "used": 160.4, "utilization": 31.25 },
            }],
            "tasks": [{
                "region": "us-east-1", "cluster": "default", "service": "web",
                "task": "0123456789abcdef0123456789abcdef", "taskDefinition": "web:3",
                "lastStatus": "RUNNING", "healthStatus": "UNHEALTHY",
                "cpu": { "reserved": 256.0, "used": 614.4, "utilization": 240.0 },
                "memory": { "reserved": 256.0, "used": 96.0, "utilization": 37.5 },
                "network": { "receivedPerSecond": 12.4, "sentPerSecond": 5_500_000.0 },
            }, {
                "region": "us-east-1", "cluster": "default",
                "task": "fedcba9876543210fedcba9876543210", "taskDefinition": "job:1",
                "lastStatus": "PENDING", "healthStatus": "UNKNOWN",
                "cpu": { "reserved": 0.0 }, "memory": { "reserved": 64.0 },
            }],
            "leftOut": { "clusters": 0, "services": 0, "tasks": 7 },
        });
        expect![[r#"
            CLUSTER          AGENTS  SERVICES   TASKS  CPU%  VCPU         MEM%  MEMORY
            default             1/2         1  3 (+1)  43.1  1.73 / 4.00   8.2  0.66 / 8.00 GiB
            empty.eu-west-1     0/0         0       0     -  - / -           -  - / - GiB

            SERVICE  CLUSTER     TASKS   CPU%  VCPU         MEM%  MEMORY
            web      default  2/3 (+1)  145.0  0.72 / 0.50  31.2  160.4 / 512 MiB

            TASK          OF     CLUSTER  STATUS              CPU%  VCPU         MEM%  MEMORY          NETWORK IN/OUT
            0123456789ab  web    default  RUNNING UNHEALTHY  240.0  0.60 / 0.25  37.5  96.0 / 256 MiB  12 B/s / 5.2 MiB/s
            fedcba987654  job:1  default  PENDING                -  - / -           -  - / 64 MiB      -

            7 more tasks, the last by cpu
        "#]].assert_eq(&shown(&usage));
    }

    #[test]
    fn emptiness_is_said() {
        let none = json!({ "clusters": [], "services": [], "tasks": [] });
        assert_eq!(shown(&none), "There is no cluster here.\n");
        let idle = json!({ "clusters": [{ "cluster": "c", "cpu": {}, "memory": {} }] });
        assert!(
            shown(&idle).ends_with("\nNo task runs.\n"),
            "{}",
            shown(&idle)
        );
    }

    #[test]
    fn rates_have_units() {
        for (value, text) in [
            (0.0, "0 B/s"),
            (999.0, "999 B/s"),
            (2_048.0, "2.0 KiB/s"),
            (204_800.0, "200 KiB/s"),
            (5e9, "4.7 GiB/s"),
        ] {
            assert_eq!(bytes(&json!(value)), text);
        }
    }
}
