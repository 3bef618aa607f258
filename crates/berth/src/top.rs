//! `berth top`: what runs, with the CPU and memory that it uses, once or live.

mod screen;
mod view;

use std::io::IsTerminal;
use std::time::Duration;

use berth_agent::http::CallError;
use serde_json::{Value, json};

use crate::cli::Top;
use crate::client::Client;
use crate::exit::Failure;
use screen::{Key, Screen};
pub(crate) use view::Sort;

/// Shows what is used: refreshed until a key ends it on a terminal, else once.
///
/// # Errors
/// When the server does not answer the first time, or refuses.
pub(crate) async fn run(top: &Top) -> Result<(), Failure> {
    let client = Client::open(&top.reach).await?;
    let first = ask(&client, top, top.sort)
        .await
        .map_err(|error| told(&client, error))?;
    if top.output == "json" {
        println!("{first:#}");
        return Ok(());
    }
    if top.once || !std::io::stdout().is_terminal() {
        for line in view::lines(&first, top.sort) {
            println!("{}", line.text);
        }
        return Ok(());
    }
    live(&client, top, first).await
}

async fn ask(client: &Client, top: &Top, sort: Sort) -> Result<Value, CallError> {
    let input = json!({
        "cluster": top.cluster.as_deref().map(name_of),
        "service": top.service.as_deref().map(name_of),
        "sort": sort.as_str(),
        "tasks": top.tasks,
        "minutes": top.output == "json",
    });
    client.call("GetUsage", &input).await
}

/// The name in an ARN, which is what comes last; a name is one already.
fn name_of(named: &str) -> &str {
    named.rsplit('/').next().unwrap_or(named)
}

fn told(client: &Client, error: CallError) -> Failure {
    let url = client.url();
    Failure::Retry(anyhow::Error::new(error).context(format!("the server at {url}")))
}

async fn live(client: &Client, top: &Top, first: Value) -> Result<(), Failure> {
    let mut screen = Screen::open()?;
    let (mut usage, mut sort, mut trouble) = (first, top.sort, None);
    let every = top.every.max(Duration::from_millis(200));
    loop {
        screen.draw(
            &header(client, trouble.as_ref()),
            &view::lines(&usage, sort),
        )?;
        let key = tokio::select! {
            key = screen.key() => key,
            () = tokio::time::sleep(every) => Some(Key::Refresh),
        };
        match key {
            None | Some(Key::Quit) => return Ok(()),
            Some(Key::Scroll(lines)) => {
                screen.scroll(lines);
                continue;
            }
            Some(Key::Sort(chosen)) => sort = chosen,
            Some(Key::Refresh) => {}
        }
        // One that is away for a while is asked again, with what it said last on the screen.
        match ask(client, top, sort).await {
            Ok(fresh) => (usage, trouble) = (fresh, None),
            Err(error) => trouble = Some(error),
        }
    }
}

fn header(client: &Client, trouble: Option<&CallError>) -> String {
    let url = client.url();
    match trouble {
        None => format!("berth top  {url}  sort: c CPU, m memory, n name; q quits"),
        Some(error) => format!("berth top  {url}  old figures: {error}"),
    }
}
