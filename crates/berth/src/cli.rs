//! The command line: a contract, because scripts of others use it.
//!
//! Rules kept here, and held by tests:
//! - every flag can also be set as `BERTH_…` in the environment and in the configuration file;
//!   a flag counts more than a variable, a variable more than the file;
//! - what is unknown, in any of the three, ends with exit code 2.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use berth_agent::runtime::docker::TaskRange;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::duration::parse_duration;
use crate::top::Sort;

/// Where `berth dev` listens, and where `make up` and the documentation expect it.
pub(crate) const LISTEN: &str = "127.0.0.1:7070";

/// A self-hosted control plane that speaks the Amazon ECS API.
#[derive(Debug, Parser)]
#[command(name = "berth", version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Configuration file (TOML): a table per command, keys named like its flags.
    #[arg(long, global = true, env = "BERTH_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// What to log: error, warn, info, debug, trace, or a filter such as `berth_server=debug`.
    #[arg(
        long,
        global = true,
        env = "BERTH_LOG",
        value_name = "FILTER",
        default_value = "info"
    )]
    pub(crate) log: String,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// A whole ECS on this machine: server, embedded store and local agents.
    Dev(Box<Dev>),
    /// The server alone.
    Serve(Box<Serve>),
    /// An agent: runs the tasks of a server on this machine.
    Agent(Box<Agent>),
    /// Prints the exports that point AWS clients at this server: eval $(berth env).
    Env(Env),
    /// What the server is doing.
    Status(Status),
    /// What runs, with the CPU and memory that it uses.
    Top(Top),
    /// Why a task waits or a service lacks tasks, or where they went: a sentence per instance.
    Explain(Explain),
    /// Checks this machine and a data directory, and repairs what can be repaired.
    Doctor(Doctor),
    /// Copies a running or stopped server's data into one file.
    Backup(Backup),
    /// Fills an empty data directory or database from a backup.
    Restore(Restore),
    /// Moves a data directory's content to a database.
    Move(Move),
    /// Prints a completion script for a shell.
    Completion {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Prints the version.
    Version,
}

/// What runs containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Runtime {
    /// The Docker Engine of this machine.
    Docker,
    /// No containers: their lives are made up from a seed.
    Simulated,
}

/// When an image is pulled, in the stock agent's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImagePullBehavior {
    /// Always asked for; a copy at hand serves when that fails.
    Default,
    /// Always pulled; no pull, no task.
    Always,
    /// Pulled unless a task pulled it before.
    Once,
    /// Pulled only when no copy is at hand.
    PreferCached,
}

/// What a machine is offered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Capacity {
    /// A container instance of the cluster.
    Instance,
    /// Fargate capacity for every cluster of the account and region.
    Fargate,
}

/// The rates that callers are held to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rates {
    /// None.
    Off,
    /// The quotas that Amazon documents for the ECS API, for each account and region.
    Ecs,
}

/// What `/metrics` tells of what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MetricsDetail {
    /// No names: only figures of the server itself.
    Server,
    /// Clusters and services by name.
    Service,
    /// Tasks as well.
    Task,
}

impl From<MetricsDetail> for berth_server::MetricsDetail {
    fn from(detail: MetricsDetail) -> Self {
        match detail {
            MetricsDetail::Server => Self::Server,
            MetricsDetail::Service => Self::Service,
            MetricsDetail::Task => Self::Task,
        }
    }
}

/// How long things last and how much there may be, in what a server decides.
#[derive(Debug, Args)]
pub(crate) struct Limits {
    /// After this long without its agent, an instance's service tasks are replaced.
    #[arg(long, env = "BERTH_INSTANCE_LOST_AFTER", value_name = "TIME",
          default_value = "15s", value_parser = parse_duration)]
    pub(crate) instance_lost_after: Duration,
    /// After this long without its agent, a task without a service counts as lost; 0 is never.
    #[arg(long, env = "BERTH_TASK_LOST_AFTER", value_name = "TIME",
          default_value = "10m", value_parser = parse_duration)]
    pub(crate) task_lost_after: Duration,
    /// How long after RUNNING a service's task without health checks counts as healthy [default: 0
    /// in dev, 5s in serve; Amazon waits 40 s].
    #[arg(long, env = "BERTH_SERVICE_HEALTHY_AFTER", value_name = "TIME",
          value_parser = parse_duration)]
    pub(crate) service_healthy_after: Option<Duration>,
    /// How long a task that finds no room waits for it in PROVISIONING; those of services wait as
    /// long as they are wanted. With 0 it is refused as Amazon ECS does it, which lets only tasks
    /// of capacity providers with managed scaling wait, for 15 minutes.
    #[arg(long, env = "BERTH_WAIT_FOR_ROOM", value_name = "TIME",
          default_value = "0", value_parser = parse_duration)]
    pub(crate) wait_for_room: Duration,
    /// Move tasks of services that are at rest onto instances that have fewer of them, such as new
    /// ones: one at a time, started there before one is stopped elsewhere.
    #[arg(long, env = "BERTH_MOVE_OVER")]
    pub(crate) move_over: bool,
    /// How long stopped tasks are kept in memory, where they can be listed and described.
    #[arg(long, env = "BERTH_STOPPED_TASK_RETENTION", value_name = "TIME",
          default_value = "1h", value_parser = parse_duration)]
    pub(crate) stopped_task_retention: Duration,
    /// How long tasks can be described after they stopped, beyond what is kept in memory: they
    /// stay in the database. 0 keeps none there.
    #[arg(long, env = "BERTH_TASK_HISTORY", value_name = "TIME",
          default_value = "0", value_parser = parse_duration)]
    pub(crate) task_history: Duration,
    /// The most stopped tasks that are kept in memory.
    #[arg(
        long,
        env = "BERTH_STOPPED_TASK_MAX",
        value_name = "N",
        default_value_t = 100_000
    )]
    pub(crate) stopped_task_max: usize,
    /// The most MiB of log events that one log group keeps; the oldest go first.
    #[arg(
        long,
        env = "BERTH_LOG_GROUP_MIB_MAX",
        value_name = "MIB",
        default_value_t = 1024
    )]
    pub(crate) log_group_mib_max: u32,
    /// The most MiB of log events in all.
    #[arg(
        long,
        env = "BERTH_LOG_MIB_MAX",
        value_name = "MIB",
        default_value_t = 4096
    )]
    pub(crate) log_mib_max: u32,
    /// How many calls each account may make; those beyond it are answered ThrottlingException.
    #[arg(long, env = "BERTH_RATE_LIMITS", value_enum, default_value = "off")]
    pub(crate) rate_limits: Rates,
    /// What /metrics, which is not signed, tells of what runs.
    #[arg(
        long,
        env = "BERTH_METRICS_DETAIL",
        value_enum,
        default_value = "service"
    )]
    pub(crate) metrics_detail: MetricsDetail,
}

/// What an agent does with containers.
#[derive(Debug, Args)]
pub(crate) struct Work {
    /// What runs containers.
    #[arg(long, env = "BERTH_RUNTIME", value_enum, default_value = "docker")]
    pub(crate) runtime: Runtime,
    /// When images are pulled [default: prefer-cached in dev, default elsewhere].
    #[arg(long, env = "BERTH_IMAGE_PULL_BEHAVIOR", value_enum)]
    pub(crate) image_pull_behavior: Option<ImagePullBehavior>,
    /// How long a stopped task's containers, networks and volumes stay [default: 10m in dev, 3h
    /// elsewhere].
    #[arg(long, env = "BERTH_CLEANUP_WAIT", value_name = "TIME", value_parser = parse_duration)]
    pub(crate) cleanup_wait: Option<Duration>,
    /// The address range of awsvpc tasks on this machine.
    #[arg(
        long,
        env = "BERTH_TASK_CIDR",
        value_name = "CIDR",
        default_value = "10.113.0.0/16"
    )]
    pub(crate) task_cidr: TaskRange,
    /// Ids of the machine's GPUs to offer.
    #[arg(long, env = "BERTH_GPUS", value_name = "IDS", value_delimiter = ',')]
    pub(crate) gpus: Vec<String>,
    /// A folder that stands for S3: the environment file arn:aws:s3:::bucket/key is bucket/key
    /// in it.
    #[arg(long, env = "BERTH_ENVIRONMENT_FILES", value_name = "DIR")]
    pub(crate) environment_files: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) simulation: Simulation,
}

/// What simulated containers do when their environment does not say.
#[derive(Debug, Args)]
#[command(next_help_heading = "Simulated runtime")]
pub(crate) struct Simulation {
    /// Everything random follows from it.
    #[arg(long, env = "BERTH_SEED", value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// How long containers run, as LEAST,MOST [default: until they are stopped].
    #[arg(long, env = "BERTH_RUN_TIME", value_name = "TIME,TIME", num_args = 1,
          value_delimiter = ',', value_parser = parse_duration)]
    pub(crate) run_time: Vec<Duration>,
    /// Of 100 containers that end by themselves, how many do so with exit code 1.
    #[arg(long, env = "BERTH_FAILURE_PERCENT", value_name = "PERCENT", default_value_t = 0,
          value_parser = clap::value_parser!(u8).range(0..=100))]
    pub(crate) failure_percent: u8,
    /// Take work and report nothing, to measure a server.
    #[arg(long, env = "BERTH_SILENT")]
    pub(crate) silent: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Dev {
    /// Address and port; port 0 picks one, which is printed and recorded.
    #[arg(long, env = "BERTH_LISTEN", value_name = "ADDRESS", default_value = LISTEN)]
    pub(crate) listen: SocketAddr,
    /// Serve other machines too, although every caller is let in.
    #[arg(long, env = "BERTH_ALLOW_REMOTE")]
    pub(crate) allow_remote: bool,
    /// Where everything is kept [default: berth/dev in the user's data folder].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// How many local agents.
    #[arg(long, env = "BERTH_AGENTS", value_name = "N", default_value_t = 1)]
    pub(crate) agents: u16,
    /// CPU units that each local agent offers [default: the machine's].
    #[arg(long, env = "BERTH_AGENT_CPU", value_name = "UNITS",
          value_parser = clap::value_parser!(u32).range(128..))]
    pub(crate) agent_cpu: Option<u32>,
    /// MiB that each local agent offers [default: the machine's].
    #[arg(long, env = "BERTH_AGENT_MEMORY", value_name = "MIB",
          value_parser = clap::value_parser!(u32).range(64..))]
    pub(crate) agent_memory: Option<u32>,
    /// Availability zones, dealt out to the local agents in turn: letters after the region, or
    /// whole names.
    #[arg(
        long,
        env = "BERTH_ZONES",
        value_name = "ZONES",
        value_delimiter = ',',
        default_value = "a,b,c"
    )]
    pub(crate) zones: Vec<String>,
    #[command(flatten)]
    pub(crate) work: Work,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port; port 0 picks one, which is printed and recorded.
    #[arg(long, env = "BERTH_LISTEN", value_name = "ADDRESS")]
    pub(crate) listen: SocketAddr,
    /// The URL that agents keep [default: scheme and Host of the agent's own request].
    #[arg(long, env = "BERTH_ADVERTISE_URL", value_name = "URL")]
    pub(crate) advertise_url: Option<String>,
    /// Certificate chain (PEM).
    #[arg(
        long,
        env = "BERTH_TLS_CERT",
        value_name = "FILE",
        requires = "tls_key"
    )]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key (PEM).
    #[arg(
        long,
        env = "BERTH_TLS_KEY",
        value_name = "FILE",
        requires = "tls_cert"
    )]
    pub(crate) tls_key: Option<PathBuf>,
    /// Postgres, as postgres://user@host/database [default: embedded in the data directory].
    #[arg(
        long,
        env = "BERTH_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
    /// Where the embedded store and the server's secrets are kept [default: berth/serve in the
    /// user's data folder].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The secret that servers on one database share: their keys are sealed under it there.
    #[arg(long, env = "BERTH_SECRET_FILE", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// Access key id that is let in [default: one is made at the first start].
    #[arg(
        long,
        env = "BERTH_ACCESS_KEY_ID",
        value_name = "ID",
        requires = "secret_access_key"
    )]
    pub(crate) access_key_id: Option<String>,
    /// Its secret. Other users of the machine can read flags: prefer the variable.
    #[arg(
        long,
        env = "BERTH_SECRET_ACCESS_KEY",
        value_name = "SECRET",
        hide_env_values = true,
        requires = "access_key_id"
    )]
    pub(crate) secret_access_key: Option<String>,
    /// The account of the access key.
    #[arg(
        long,
        env = "BERTH_ACCOUNT",
        value_name = "12 DIGITS",
        default_value = "000000000000"
    )]
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) limits: Limits,
}

#[derive(Debug, Args)]
pub(crate) struct Agent {
    /// The server.
    #[arg(long, env = "BERTH_SERVER", value_name = "URL")]
    pub(crate) server: String,
    /// The cluster to join.
    #[arg(long, env = "BERTH_CLUSTER", value_name = "NAME")]
    pub(crate) cluster: String,
    /// What this machine is offered as.
    #[arg(
        long,
        env = "BERTH_CAPACITY",
        value_enum,
        value_delimiter = ',',
        default_value = "instance"
    )]
    pub(crate) capacity: Vec<Capacity>,
    /// Where the agent keeps its identity [default: berth/agent in the user's data folder].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The region to sign for.
    #[arg(
        long,
        env = "BERTH_REGION",
        value_name = "REGION",
        default_value = "us-east-1"
    )]
    pub(crate) region: String,
    /// File with aws_access_key_id and aws_secret_access_key [default: AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY of the environment].
    #[arg(long, env = "BERTH_CREDENTIALS_FILE", value_name = "FILE")]
    pub(crate) credentials_file: Option<PathBuf>,
    /// The machine's id: agents that name the same one share its CPU, memory and ports, so give
    /// machines cloned from one image their own [default: Docker's id; none when simulated].
    #[arg(long, env = "BERTH_MACHINE", value_name = "ID",
          value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) machine: Option<String>,
    /// A file of certificates (PEM) to trust in place of the system's, for a server with TLS.
    #[arg(long, env = "BERTH_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
    /// The availability zone.
    #[arg(long, env = "BERTH_ZONE", value_name = "ZONE")]
    pub(crate) zone: Option<String>,
    /// An attribute that placement can ask for; may be given several times.
    #[arg(
        long,
        env = "BERTH_ATTRIBUTE",
        value_name = "KEY=VALUE",
        value_delimiter = ','
    )]
    pub(crate) attribute: Vec<String>,
    /// CPU units to offer [default: the machine's].
    #[arg(long, env = "BERTH_CPU", value_name = "UNITS",
          value_parser = clap::value_parser!(u32).range(128..))]
    pub(crate) cpu: Option<u32>,
    /// MiB to offer [default: the machine's].
    #[arg(long, env = "BERTH_MEMORY", value_name = "MIB",
          value_parser = clap::value_parser!(u32).range(64..))]
    pub(crate) memory: Option<u32>,
    /// How many agents, with the simulated runtime.
    #[arg(long, env = "BERTH_COUNT", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) count: u32,
    #[command(flatten)]
    pub(crate) work: Work,
}

#[derive(Debug, Args)]
pub(crate) struct Env {
    /// The server's data directory [default: that of berth dev].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server's database, where its key is sealed under the secret file.
    #[arg(
        long,
        env = "BERTH_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
    /// The secret that servers on one database share.
    #[arg(long, env = "BERTH_SECRET_FILE", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// The region to export.
    #[arg(
        long,
        env = "BERTH_REGION",
        value_name = "REGION",
        default_value = "us-east-1"
    )]
    pub(crate) region: String,
    /// The account to export, in dev.
    #[arg(
        long,
        env = "BERTH_ACCOUNT",
        value_name = "12 DIGITS",
        default_value = "000000000000"
    )]
    pub(crate) account: String,
}

#[derive(Debug, Args)]
pub(crate) struct Status {
    /// The server's data directory, where its address is recorded [default: that of berth dev].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server, if it is not this machine's.
    #[arg(long, env = "BERTH_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) trust: Trust,
    /// Succeed as well when the server answers that it does not serve now, as a standby does:
    /// what a supervisor wants to know before it starts a server anew.
    #[arg(long, env = "BERTH_ALIVE")]
    pub(crate) alive: bool,
    /// For people or for programs.
    #[arg(long, env = "BERTH_OUTPUT", default_value = "text",
          value_parser = PossibleValuesParser::new(["text", "json"]))]
    pub(crate) output: String,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A task's id, a service's name, or the ARN of either.
    #[arg(value_name = "TASK|SERVICE")]
    pub(crate) what: String,
    /// The cluster of an id or a name.
    #[arg(
        long,
        env = "BERTH_CLUSTER",
        value_name = "NAME",
        default_value = "default"
    )]
    pub(crate) cluster: String,
    /// The region of an id or a name.
    #[arg(
        long,
        env = "BERTH_REGION",
        value_name = "REGION",
        default_value = "us-east-1"
    )]
    pub(crate) region: String,
    /// The server's data directory, where its address and its key are [default: that of berth
    /// dev].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server, if it is not this machine's. Signed for with AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY of the environment.
    #[arg(long, env = "BERTH_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) trust: Trust,
    /// For people or for programs.
    #[arg(long, env = "BERTH_OUTPUT", default_value = "text",
          value_parser = PossibleValuesParser::new(["text", "json"]))]
    pub(crate) output: String,
}

/// Which store: a data directory, or a database.
#[derive(Debug, Args)]
pub(crate) struct StoreArgs {
    /// The server's data directory [default: that of berth dev].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Postgres instead of the data directory.
    #[arg(
        long,
        env = "BERTH_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
}

/// Whose certificates are believed.
#[derive(Debug, Args)]
pub(crate) struct Trust {
    /// Certificates (PEM) to believe in place of the system's, for servers at https URLs.
    #[arg(long, env = "BERTH_CA_FILE", value_name = "FILE")]
    pub(crate) ca_file: Option<PathBuf>,
}

/// A running server, and who asks it.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// The server's data directory, where its address and its key are [default: that of berth dev].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server's database, where its key is sealed under the secret file.
    #[arg(
        long,
        env = "BERTH_DATABASE_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub(crate) database_url: Option<String>,
    /// The secret that servers on one database share.
    #[arg(long, env = "BERTH_SECRET_FILE", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// The server, if it is not this machine's. Signed for with AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY of the environment.
    #[arg(long, env = "BERTH_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    /// The account, with a server that lets everybody in.
    #[arg(
        long,
        env = "BERTH_ACCOUNT",
        value_name = "12 DIGITS",
        default_value = "000000000000"
    )]
    pub(crate) account: String,
    #[command(flatten)]
    pub(crate) trust: Trust,
}

#[derive(Debug, Args)]
pub(crate) struct Top {
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// Only this cluster.
    #[arg(long, env = "BERTH_CLUSTER", value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    /// Only services of this name, and their tasks.
    #[arg(long, env = "BERTH_SERVICE", value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// What comes first.
    #[arg(long, env = "BERTH_SORT", value_enum, default_value = "cpu")]
    pub(crate) sort: Sort,
    /// The most tasks to show.
    #[arg(long, env = "BERTH_TASKS", value_name = "N", default_value_t = 100)]
    pub(crate) tasks: usize,
    /// Show it once, as is done where the output is no terminal.
    #[arg(long, env = "BERTH_ONCE")]
    pub(crate) once: bool,
    /// How often to look anew.
    #[arg(long, env = "BERTH_EVERY", value_name = "TIME",
          default_value = "2s", value_parser = parse_duration)]
    pub(crate) every: Duration,
    /// For people or for programs: json is shown once, with the minutes of the last hour.
    #[arg(long, env = "BERTH_OUTPUT", default_value = "text",
          value_parser = PossibleValuesParser::new(["text", "json"]))]
    pub(crate) output: String,
}

/// What a doctor looks at instead.
#[derive(Debug, Subcommand)]
pub(crate) enum DoctorWhat {
    /// Why an agent does not come up, as its server sees it.
    Agent(DoctorAgent),
}

#[derive(Debug, Args)]
pub(crate) struct DoctorAgent {
    /// The container instance, by id or ARN [default: all, and what was refused to anybody].
    pub(crate) instance: Option<String>,
    /// Only this machine: an address that agents come from, or its id (--machine of berth agent).
    #[arg(
        long,
        env = "BERTH_MACHINE",
        value_name = "ADDRESS|ID",
        conflicts_with = "instance"
    )]
    pub(crate) machine: Option<String>,
    #[command(flatten)]
    pub(crate) reach: Reach,
    /// For people or for programs.
    #[arg(long, env = "BERTH_OUTPUT", default_value = "text",
          value_parser = PossibleValuesParser::new(["text", "json"]))]
    pub(crate) output: String,
}

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Doctor {
    #[command(subcommand)]
    pub(crate) what: Option<DoctorWhat>,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
    /// The secret that servers on one database share, for the key that is sealed under it.
    #[arg(long, env = "BERTH_SECRET_FILE", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
    /// The server, if it is not this machine's: then no store is looked at unless one is named.
    /// Signed for with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment.
    #[arg(long, env = "BERTH_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) trust: Trust,
    /// Takes a record that cannot be read out of the way: TABLE/KEY as the server named it.
    #[arg(long, env = "BERTH_SET_ASIDE", value_name = "TABLE/KEY")]
    pub(crate) set_aside: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The file to write; one that exists is not replaced.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The backup.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) store: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct Move {
    /// The data directory to move [default: that of berth dev].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The database to move to, as postgres://user@host/database. It must hold no Berth yet.
    #[arg(long, env = "BERTH_TO", value_name = "URL", hide_env_values = true)]
    pub(crate) to: String,
    /// Take the server's keys along, sealed under this secret, which the servers of the database
    /// then share.
    #[arg(long, env = "BERTH_SECRET_FILE", value_name = "FILE")]
    pub(crate) secret_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_flag_has_its_variable() {
        let cli = Cli::command();
        let mut seen = 0;
        let within = cli
            .get_subcommands()
            .flat_map(clap::Command::get_subcommands);
        for command in cli.get_subcommands().chain(within).chain([&cli]) {
            for arg in command.get_arguments() {
                let Some(long) = arg
                    .get_long()
                    .filter(|long| *long != "help" && *long != "version")
                else {
                    continue;
                };
                let expected = format!("BERTH_{}", long.to_uppercase().replace('-', "_"));
                let variable = arg.get_env().map(|env| env.to_string_lossy().into_owned());
                assert_eq!(variable, Some(expected), "{} --{long}", command.get_name());
                seen += 1;
            }
        }
        assert!(seen > 40, "only {seen} flags were looked at");
    }

    #[test]
    fn the_commands_of_the_contract_parse() {
        for line in [
            "berth dev",
            "berth dev --listen 127.0.0.1:0 --data-dir d --runtime simulated --agents 0 \
             --agent-cpu 1024 --agent-memory 512 --zones a,b",
            "berth serve --listen 0.0.0.0:7070 --advertise-url http://b:7070 --tls-cert c \
             --tls-key k --database-url postgres://x --data-dir d --secret-file s \
             --instance-lost-after 15s --task-lost-after 0 --stopped-task-retention 1h \
             --stopped-task-max 5 --wait-for-room 1h --task-history 30d --move-over",
            "berth agent --server http://b:7070 --cluster default --capacity instance,fargate \
             --runtime simulated --data-dir d --region eu-west-1 --credentials-file f --zone a \
             --attribute k=v --attribute l=w --cpu 1024 --memory 512 --count 10 \
             --image-pull-behavior once --cleanup-wait 1m --task-cidr 10.1.0.0/24",
            "berth env --data-dir d",
            "berth status --output json",
            "berth status --server https://b --ca-file c --alive",
            "berth top --cluster c --service s --sort memory --tasks 5 --once",
            "berth top --server https://b --ca-file c --every 5s",
            "berth top --output json --account 123456789012",
            "berth explain 0123456789abcdef0123456789abcdef --cluster c --output json",
            "berth explain web --server https://b --ca-file c --region eu-west-1",
            "berth doctor --set-aside tasks/k",
            "berth doctor --server https://b --ca-file c",
            "berth doctor agent",
            "berth doctor agent 0123 --data-dir d --output json",
            "berth doctor agent --machine 10.0.0.7 --server https://b --ca-file c",
            "berth backup f",
            "berth restore f --data-dir d",
            "berth move --to postgres://x --secret-file s",
            "berth completion bash",
            "berth version",
        ] {
            let parsed = Cli::try_parse_from(line.split_whitespace());
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }

    #[test]
    fn what_is_unknown_is_a_usage_error() {
        for line in [
            "berth dev --no-such-flag",
            "berth no-such-command",
            "berth dev --runtime podman",
            "berth dev --listen nonsense",
            "berth serve",
            "berth serve --listen 0.0.0.0:1 --tls-cert only",
            "berth agent --server http://x --cluster c --count 0",
        ] {
            let refused = Cli::try_parse_from(line.split_whitespace()).unwrap_err();
            assert_eq!(refused.exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn zones_and_capacities_are_lists() {
        let parsed = Cli::try_parse_from(["berth", "dev", "--zones", "x,y"]).unwrap();
        let Command::Dev(dev) = parsed.command else {
            panic!("not dev")
        };
        assert_eq!(dev.zones, ["x", "y"]);
    }
}
