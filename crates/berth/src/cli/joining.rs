//! Flags of the commands by which machines join.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};

use super::Trust;
use crate::duration::parse_duration;

/// Tokens by which machines join a cluster.
#[derive(Debug, Args)]
pub(crate) struct JoinToken {
    #[command(subcommand)]
    pub(crate) command: JoinTokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum JoinTokenCommand {
    /// Makes a token, and prints the command that makes a machine join by it.
    Create(CreateToken),
    /// Lists the tokens, and who joined by them.
    List(ListTokens),
    /// Ends a token: nobody joins by it any more.
    Revoke(RevokeToken),
}

/// Which server is asked.
#[derive(Debug, Args)]
pub(crate) struct Asked {
    /// The server's data directory, where its address and its key are recorded [default: that of
    /// berth dev].
    #[arg(long, env = "BERTH_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// The server, if it is not this machine's. Signed for with AWS_ACCESS_KEY_ID and
    /// AWS_SECRET_ACCESS_KEY of the environment.
    #[arg(long, env = "BERTH_SERVER", value_name = "URL")]
    pub(crate) server: Option<String>,
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
    #[command(flatten)]
    pub(crate) trust: Trust,
    /// The region of the cluster.
    #[arg(
        long,
        env = "BERTH_REGION",
        value_name = "REGION",
        default_value = "us-east-1"
    )]
    pub(crate) region: String,
    /// For people or for programs.
    #[arg(long, env = "BERTH_OUTPUT", default_value = "text",
          value_parser = PossibleValuesParser::new(["text", "json"]))]
    pub(crate) output: String,
}

#[derive(Debug, Args)]
pub(crate) struct CreateToken {
    /// The cluster that machines join.
    #[arg(long, env = "BERTH_CLUSTER", value_name = "NAME")]
    pub(crate) cluster: String,
    /// How long machines may join, at most 30d.
    #[arg(long, env = "BERTH_EXPIRES", value_name = "TIME",
          default_value = "24h", value_parser = parse_duration)]
    pub(crate) expires: Duration,
    /// How many machines may join.
    #[arg(long, env = "BERTH_USES", value_name = "N", default_value_t = 1,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) uses: u32,
    /// Let machines be Fargate capacity too, which takes tasks of every cluster of the account.
    #[arg(long, env = "BERTH_FARGATE")]
    pub(crate) fargate: bool,
    /// Print the command that joins with the stock Amazon ECS agent.
    #[arg(long, env = "BERTH_STOCK")]
    pub(crate) stock: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct ListTokens {
    /// Of this cluster alone.
    #[arg(long, env = "BERTH_CLUSTER", value_name = "NAME")]
    pub(crate) cluster: Option<String>,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeToken {
    /// The token's id, as `join-token list` shows it; the token itself will do.
    pub(crate) id: String,
    /// End the credentials of the machines that joined by it too: their agents are shut out, and
    /// their tasks run on until they count as lost.
    #[arg(long, env = "BERTH_MACHINES")]
    pub(crate) machines: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
}

/// Makes this machine join, and keeps its agent running.
#[derive(Debug, Args)]
pub(crate) struct Join {
    /// The server.
    #[arg(long, env = "BERTH_SERVER", value_name = "URL")]
    pub(crate) server: String,
    /// The token; not needed once the machine has joined. Other users of the machine can read
    /// flags: prefer the variable where that matters.
    #[arg(
        long,
        env = "BERTH_JOIN_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true
    )]
    pub(crate) join_token: Option<String>,
    /// With the stock Amazon ECS agent in place of Berth's own.
    #[arg(long, env = "BERTH_STOCK")]
    pub(crate) stock: bool,
    /// The stock agent's program, run as it is [default: its image, run by Docker].
    #[arg(
        long,
        env = "BERTH_STOCK_AGENT",
        value_name = "FILE",
        requires = "stock"
    )]
    pub(crate) stock_agent: Option<PathBuf>,
    /// The stock agent's image.
    #[arg(
        long,
        env = "BERTH_STOCK_IMAGE",
        value_name = "IMAGE",
        default_value = "public.ecr.aws/ecs/amazon-ecs-agent:latest"
    )]
    pub(crate) stock_image: String,
    /// Where the machine's identity and the agent's memory are kept.
    #[arg(
        long,
        env = "BERTH_DATA_DIR",
        value_name = "DIR",
        default_value = "/var/lib/berth/agent"
    )]
    pub(crate) data_dir: PathBuf,
    /// Run here until stopped, also where systemd would run it.
    #[arg(long, env = "BERTH_FOREGROUND")]
    pub(crate) foreground: bool,
    #[command(flatten)]
    pub(crate) trust: Trust,
}
