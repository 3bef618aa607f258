//! A socket in the data directory, by which commands of its owner reach the running server.
//!
//! One line of JSON each way. The data directory is its owner's alone, and so is the socket.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use berth_server::upkeep::Backups;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

/// The socket's name in the data directory.
const SOCKET: &str = "control.sock";
/// The longest line: a path has at most 4096 bytes.
const LINE_BYTES_MAX: u64 = 16 * 1024;

/// What is asked of the server.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Request {
    /// Write a backup to this file.
    Backup(PathBuf),
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Answer {
    /// It did.
    Done {
        /// The revision of the state.
        revision: u64,
        /// How many records it has.
        records: u64,
    },
    /// It could not, and why.
    Failed(String),
}

/// Answers commands from now on.
///
/// # Errors
/// When the socket cannot be made.
pub(crate) fn listen(data_dir: &Path, backups: Backups) -> Result<()> {
    let path = data_dir.join(SOCKET);
    // The store's lock says that no other server uses the folder, so this one is left over.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("could not remove {}", path.display()));
        }
        Ok(()) | Err(_) => {}
    }
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) if error.kind() == ErrorKind::InvalidInput => {
            // A socket's path has at most 107 bytes. The server works without.
            tracing::warn!(path = %path.display(), "no control socket: the path is too long");
            return Ok(());
        }
        Err(error) => {
            return Err(error).with_context(|| format!("could not listen on {}", path.display()));
        }
    };
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
        .with_context(|| format!("could not protect {}", path.display()))?;
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(serve(stream, backups.clone()))),
                Err(error) => {
                    tracing::warn!(%error, "the control socket fails");
                    return;
                }
            }
        }
    });
    Ok(())
}

async fn serve(mut stream: UnixStream, backups: Backups) {
    let answer = match read_line(&mut stream).await {
        Ok(line) => answer(&line, &backups).await,
        Err(error) => Answer::Failed(format!("{error:#}")),
    };
    let sent = async {
        let line = serde_json::to_string(&answer)? + "\n";
        stream.write_all(line.as_bytes()).await?;
        anyhow::Ok(())
    };
    if let Err(error) = sent.await {
        tracing::warn!(%error, "a command did not wait for its answer");
    }
}

async fn answer(line: &str, backups: &Backups) -> Answer {
    match serde_json::from_str(line) {
        Ok(Request::Backup(file)) => match backups.take(&file).await {
            Ok(extent) => Answer::Done {
                revision: extent.revision,
                records: extent.records,
            },
            Err(error) => Answer::Failed(format!("{:#}", anyhow::Error::new(error))),
        },
        Err(error) => Answer::Failed(format!("not a command: {error}")),
    }
}

async fn read_line(stream: &mut UnixStream) -> Result<String> {
    let mut line = String::new();
    let mut limited = BufReader::new(stream.take(LINE_BYTES_MAX));
    limited.read_line(&mut line).await?;
    Ok(line)
}

/// Has the server that uses the data directory write a backup: revision and number of records,
/// or `None` when no server uses it.
///
/// # Errors
/// When the server cannot.
pub(crate) async fn backup(data_dir: &Path, file: &Path) -> Result<Option<(u64, u64)>> {
    let connected = UnixStream::connect(data_dir.join(SOCKET)).await;
    let mut stream = match connected {
        Ok(stream) => stream,
        // A server that crashed leaves its socket behind.
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::NotFound | ErrorKind::ConnectionRefused
            ) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error).context("could not reach the server"),
    };
    let request = serde_json::to_string(&Request::Backup(file.to_owned()))? + "\n";
    stream.write_all(request.as_bytes()).await?;
    let line = read_line(&mut stream).await?;
    match serde_json::from_str(&line).context("the server broke off")? {
        Answer::Done { revision, records } => Ok(Some((revision, records))),
        Answer::Failed(why) => bail!("{why}"),
    }
}
