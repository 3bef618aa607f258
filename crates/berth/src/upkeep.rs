//! `berth backup`, `restore` and `move`.

use std::path::PathBuf;

use anyhow::{Context, anyhow};
use berth_server::upkeep::{self, Extent, UpkeepError};
use berth_server::{BackupError, LoadError, Location, OpenError, Secrets, StoreError};

use crate::cli::{Backup, Move, Restore, StoreArgs};
use crate::exit::Failure;
use crate::{control, data_dir, keys, server};

/// The store that the arguments name.
pub(crate) fn location(store: &StoreArgs) -> Result<Location, Failure> {
    Ok(match &store.database_url {
        Some(url) => server::postgres(url),
        None => Location::Embedded {
            data_dir: data_dir::resolve(store.data_dir.as_deref(), "dev")?,
        },
    })
}

/// Writes a backup: by the server where one uses the data directory, else from the store itself.
///
/// # Errors
/// When the file exists, or cannot be written, or the store not be read.
pub(crate) async fn backup(backup: &Backup) -> Result<(), Failure> {
    let file = absolute(&backup.file)?;
    if file.exists() {
        let wrong = anyhow!("{} exists, and is not replaced", file.display());
        return Err(Failure::Usage(wrong));
    }
    let location = location(&backup.store)?;
    eprintln!("berth: writing a backup to {}", file.display());
    if let Location::Embedded { data_dir } = &location {
        must_exist(data_dir)?;
        if let Some((revision, records)) = control::backup(data_dir, &file).await? {
            report("backed up", Extent { revision, records });
            eprintln!("berth: {}", keys_left_out(&location));
            return Ok(());
        }
    }
    report(
        "backed up",
        upkeep::backup(&location, &file).await.map_err(failure)?,
    );
    eprintln!("berth: {}", keys_left_out(&location));
    Ok(())
}

/// Who can read a backup cannot act as its server, and who restores one must know that.
fn keys_left_out(location: &Location) -> String {
    match location {
        Location::Embedded { data_dir } => format!(
            "the server's keys are not in it: keep access-key.json and page-key of {} as well",
            data_dir.display()
        ),
        Location::Postgres { .. } => "the server's keys are not in it: keep the table \
             berth.secret and the secret file as well, or, without a secret file, access-key.json \
             and page-key of each server's data directory"
            .to_owned(),
    }
}

/// Fills an empty store from a backup.
///
/// # Errors
/// When the store is not empty or in use, or the file is no backup.
pub(crate) async fn restore(restore: &Restore) -> Result<(), Failure> {
    let file = absolute(&restore.file)?;
    if !file.exists() {
        return Err(Failure::Usage(anyhow!("there is no {}", file.display())));
    }
    let location = location(&restore.store)?;
    eprintln!("berth: restoring {}", file.display());
    report(
        "restored",
        upkeep::restore(&file, &location).await.map_err(failure)?,
    );
    eprintln!(
        "berth: a backup has no keys: clients and agents need those of {}",
        match &location {
            Location::Embedded { data_dir } => format!(
                "access-key.json and page-key in {}, which the server makes anew at its start \
                 unless they are put there",
                data_dir.display()
            ),
            Location::Postgres { .. } => "the table berth.secret, which the server makes anew at \
                 its start unless they are put there"
                .to_owned(),
        }
    );
    Ok(())
}

/// Copies a data directory's state into an empty database.
///
/// # Errors
/// When either is in use, or the database is not empty.
pub(crate) async fn move_to(moving: &Move) -> Result<(), Failure> {
    let data_dir = data_dir::resolve(moving.data_dir.as_deref(), "dev")?;
    must_exist(&data_dir)?;
    eprintln!("berth: moving {} to the database", data_dir.display());
    let to = server::postgres(&moving.to);
    if let Some(secret_file) = &moving.secret_file {
        // Keys go first, so that a move that went wrong in between can be done again; a database
        // of other servers keeps its own.
        let there = upkeep::read_through(&to).await.map_err(failure)?;
        if there.revision > 0 {
            let revision = there.revision;
            let error = UpkeepError::Copy(BackupError::NotEmpty { revision });
            return Err(failure(error));
        }
        let carried = Secrets::carry(&data_dir, &to, secret_file).await;
        carried.map_err(keys::failure)?;
    }
    let from = Location::Embedded {
        data_dir: data_dir.clone(),
    };
    let moved = upkeep::move_to(&from, &to).await;
    report("moved", moved.map_err(failure)?);
    match moving.secret_file {
        Some(_) => eprintln!("berth: the server's keys are in the database, sealed"),
        None => eprintln!(
            "berth: the server's keys were not moved: start berth serve with --data-dir {}, or \
             move with --secret-file",
            data_dir.display()
        ),
    }
    eprintln!("berth: the data directory is as it was");
    Ok(())
}

fn report(done: &str, extent: Extent) {
    println!(
        "{done} {} records at revision {}",
        extent.records, extent.revision
    );
}

/// A mistyped folder would otherwise be made, and found empty.
pub(crate) fn must_exist(data_dir: &std::path::Path) -> Result<(), Failure> {
    if data_dir.is_dir() {
        return Ok(());
    }
    Err(Failure::Usage(anyhow!(
        "there is no {}",
        data_dir.display()
    )))
}

fn absolute(file: &std::path::Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(file);
    absolute
        .with_context(|| format!("{} cannot be used", file.display()))
        .map_err(Failure::Usage)
}

/// What the end of a command means for whoever called it.
pub(crate) fn failure(error: UpkeepError) -> Failure {
    match &error {
        UpkeepError::Open(cause) => server::open_failure(cause)(error.into()),
        UpkeepError::Read(LoadError::CorruptRow { .. })
        | UpkeepError::Read(LoadError::Store(StoreError::Damaged { .. }))
        | UpkeepError::Copy(BackupError::Copy(LoadError::CorruptRow { .. })) => {
            Failure::Data(error.into())
        }
        // A backup that is newer or damaged is data as a store is.
        UpkeepError::Copy(BackupError::File { source, .. })
            if matches!(**source, OpenError::Newer { .. } | OpenError::Damaged { .. }) =>
        {
            Failure::Data(error.into())
        }
        UpkeepError::Copy(BackupError::NotEmpty { .. } | BackupError::File { .. }) => {
            Failure::Usage(error.into())
        }
        UpkeepError::Read(LoadError::Store(
            StoreError::Unavailable { .. } | StoreError::Deposed,
        ))
        // What else can fail in a copy is the disk's or the database's, and may pass.
        | UpkeepError::Settle(_)
        | UpkeepError::Copy(_) => Failure::Retry(error.into()),
    }
}
