//! `berth join-token`: tokens by which machines join.

use anyhow::{Context, Result, anyhow};
use berth_agent::clock::Clock;
use berth_agent::http::{ApiClient, CallError, Dialer};
use serde_json::{Value, json};

use crate::cli::{Asked, CreateToken, JoinTokenCommand, ListTokens, RevokeToken};
use crate::exit::Failure;
use crate::{data_dir, keys};

/// The account of a server that lets everybody in.
const ACCOUNT: &str = "000000000000";

/// Does what the command says.
///
/// # Errors
/// When the server does not answer, or refuses.
pub(crate) async fn run(command: &JoinTokenCommand) -> Result<(), Failure> {
    match command {
        JoinTokenCommand::Create(create) => self::create(create).await,
        JoinTokenCommand::List(list) => self::list(list).await,
        JoinTokenCommand::Revoke(revoke) => self::revoke(revoke).await,
    }
}

async fn create(create: &CreateToken) -> Result<(), Failure> {
    let input = json!({
        "cluster": create.cluster,
        "expiresInSeconds": create.expires.as_secs(),
        "uses": create.uses,
        "fargate": create.fargate,
    });
    let made = call(&create.asked, "CreateJoinToken", &input).await?;
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    let command = command(&text("server"), &text("token"), create.stock);
    if create.asked.output == "json" {
        let mut made = made;
        made["command"] = command.into();
        println!("{made:#}");
        return Ok(());
    }
    println!("{command}");
    let machines = match create.uses {
        1 => "one machine".to_owned(),
        uses => format!("{uses} machines"),
    };
    eprintln!(
        "Run it on the machine that is to join. Good for {machines}, until {}; it is not shown \
         again.",
        made["joinToken"]["expiresAt"].as_str().unwrap_or_default()
    );
    for hint in hints(&text("server"), create) {
        eprintln!("{hint}");
    }
    Ok(())
}

/// The command that makes a machine join.
fn command(server: &str, token: &str, stock: bool) -> String {
    match stock {
        true => format!("sudo berth join --stock --server {server} --join-token {token}"),
        false => format!("berth agent --server {server} --join-token {token}"),
    }
}

/// What else there is to know before the command is run elsewhere.
fn hints(server: &str, create: &CreateToken) -> Vec<String> {
    let mut hints = Vec::new();
    let uri = server.parse::<http::Uri>().ok();
    let host = uri.as_ref().and_then(http::Uri::host).unwrap_or_default();
    if matches!(host, "127.0.0.1" | "localhost" | "[::1]") {
        hints.push(format!(
            "Other machines cannot reach {server}: there, put the URL in its place at which they \
             can (berth serve --advertise-url makes it the printed one)."
        ));
    }
    if create.asked.trust.ca_file.is_some() {
        hints.push("Add --ca-file with the certificates to believe.".to_owned());
    }
    if !create.stock {
        hints.push(
            "To keep it running, put `sudo berth join` in place of `berth agent`.".to_owned(),
        );
    }
    hints
}

async fn list(list: &ListTokens) -> Result<(), Failure> {
    let input = list
        .cluster
        .as_ref()
        .map_or_else(|| json!({}), |cluster| json!({ "cluster": cluster }));
    let answer = call(&list.asked, "ListJoinTokens", &input).await?;
    match list.asked.output.as_str() {
        "json" => println!("{:#}", answer["joinTokens"]),
        _ => print!("{}", table(&answer["joinTokens"])),
    }
    Ok(())
}

/// One line for each token, and one beneath it for each machine.
fn table(tokens: &Value) -> String {
    let tokens = tokens.as_array().map(Vec::as_slice).unwrap_or_default();
    if tokens.is_empty() {
        return "no join tokens\n".to_owned();
    }
    let mut text = format!(
        "{:<32}  {:<7}  {:>9}  {:<20}  CLUSTER\n",
        "ID", "STATUS", "USED", "EXPIRES"
    );
    for token in tokens {
        let word = |name: &str| token[name].as_str().unwrap_or_default().to_owned();
        let used = format!("{}/{}", token["uses"], token["usesMax"]);
        text += &format!(
            "{:<32}  {:<7}  {used:>9}  {:<20}  {}\n",
            word("id"),
            word("status"),
            word("expiresAt"),
            word("cluster"),
        );
        for machine in token["machines"].as_array().into_iter().flatten() {
            let word = |name: &str| machine[name].as_str();
            let arn = word("containerInstanceArn").unwrap_or_default();
            let joined = word("joinedAt").unwrap_or_default();
            let ended = word("revokedAt").map(|at| format!(", credentials ended {at}"));
            text += &format!("  {arn}  joined {joined}{}\n", ended.unwrap_or_default());
        }
    }
    text
}

async fn revoke(revoke: &RevokeToken) -> Result<(), Failure> {
    let input = json!({ "id": revoke.id, "machines": revoke.machines });
    let answer = call(&revoke.asked, "RevokeJoinToken", &input).await?;
    if revoke.asked.output == "json" {
        println!("{answer:#}");
        return Ok(());
    }
    let id = answer["joinToken"]["id"].as_str().unwrap_or_default();
    println!("{id} is revoked");
    let machines = answer["joinToken"]["machines"]
        .as_array()
        .map_or(0, Vec::len);
    match (revoke.machines, machines) {
        (true, _) => println!("credentials ended: {}", answer["machinesRevoked"]),
        (false, 0) => {}
        (false, joined) => println!(
            "{joined} joined by it and stay: --machines ends their credentials, and \
             deregister-container-instance those of one"
        ),
    }
    Ok(())
}

async fn call(asked: &Asked, operation: &str, input: &Value) -> Result<Value, Failure> {
    let folder = data_dir::resolve(asked.data_dir.as_deref(), "dev")?;
    let (url, made) = match &asked.server {
        Some(url) => (url.clone(), None),
        None => {
            let (database, file) = (&asked.database_url, &asked.secret_file);
            let made = keys::made(&folder, database.as_deref(), file.as_deref()).await?;
            (data_dir::recorded_endpoint(&folder)?, made)
        }
    };
    let dialer = Dialer::new(asked.trust.ca_file.as_deref());
    let dialer = dialer.context("the certificates cannot be used")?;
    let uri = url.parse();
    let uri = uri
        .with_context(|| format!("not a URL: {url}"))
        .map_err(Failure::Usage)?;
    let api = ApiClient::new(dialer, uri, env!("CARGO_PKG_VERSION"), Clock::start());
    let api = api.with_context(|| format!("{url} is not a server's URL"));
    let signer = crate::client::keys_for(made.as_ref(), ACCOUNT).signer(&asked.region, "ecs");
    let target = format!("Berth.{operation}");
    let body = input.to_string().into_bytes();
    let answer = api.map_err(Failure::Usage)?;
    let answer = answer.call_target(&signer, &target, body).await;
    answer.map_err(|error| match &error {
        CallError::Refused { status, .. } if *status < 500 => {
            Failure::Usage(anyhow!(error).context("the server refuses"))
        }
        CallError::Refused { .. } | CallError::Failed(_) => {
            Failure::Retry(anyhow!(error).context(format!("the server at {url} does not do it")))
        }
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn tokens_are_listed_with_their_machines() {
        let tokens = json!([{
            "id": "0123456789abcdef0123456789abcdef", "status": "OPEN", "uses": 1, "usesMax": 3,
            "expiresAt": "2026-11-30T23:59:59Z", "cluster": "blue",
            "machines": [
                {"containerInstanceArn": "arn:one", "joinedAt": "1970-01-01T00:00:00Z", "revokedAt": null},
                {"containerInstanceArn": "arn:two", "joinedAt": "1970-01-01T00:00:00Z", "revokedAt": "1970-01-01T00:01:00Z"},
            ],
        }]);
        expect![[r#"
            ID                                STATUS        USED  EXPIRES               CLUSTER
            0123456789abcdef0123456789abcdef  OPEN           1/3  2026-11-30T23:59:59Z  blue
              arn:one  joined 1970-01-01T00:00:00Z
              arn:two  joined 1970-01-01T00:00:00Z, credentials ended 1970-01-01T00:01:00Z
        "#]]
        .assert_eq(&table(&tokens));
        assert_eq!(table(&json!([])), "no join tokens\n");
    }

    #[test]
    fn the_command_is_one_line_for_either_agent() {
        assert_eq!(
            command("http://b:7070", "bj_1_2", false),
            "berth agent --server http://b:7070 --join-token bj_1_2"
        );
        assert_eq!(
            command("http://b:7070", "bj_1_2", true),
            "sudo berth join --stock --server http://b:7070 --join-token bj_1_2"
        );
    }
}
