//! Reading a published service model.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use flate2::read::GzDecoder;
use serde_json::Value;

use crate::model::Model;

/// Writes `api-models/<service>/model.json` from the newest version of the service's model
/// that lies under `botocore`.
pub fn run(root: &Path, botocore: &Path, service: &str) -> Result<()> {
    let folder = newest_version(botocore, service)?;
    let published = read_json(&folder, "service-2.json")?
        .with_context(|| format!("no service-2.json in {}", folder.display()))?;
    let mut model: Model = serde_json::from_value(published).context("not a service model")?;
    if let Some(mut paginators) = read_json(&folder, "paginators-1.json")? {
        model.pagination = serde_json::from_value(paginators["pagination"].take())?;
    }
    if let Some(mut waiters) = read_json(&folder, "waiters-2.json")? {
        model.waiters = serde_json::from_value(waiters["waiters"].take())?;
        model.waiters.values_mut().for_each(drop_prose);
    }
    let target = root.join("api-models").join(service);
    fs::create_dir_all(&target)?;
    let file = target.join("model.json");
    fs::write(&file, model.render()?)
        .with_context(|| format!("could not write {}", file.display()))?;
    println!(
        "{}: {} operations, {} shapes",
        file.display(),
        model.operations.len(),
        model.shapes.len()
    );
    Ok(())
}

/// The folder of the service's newest version; versions are dates, so the greatest name.
fn newest_version(botocore: &Path, service: &str) -> Result<PathBuf> {
    let candidates = [botocore.join("data"), botocore.join("botocore/data")];
    let Some(data) = candidates.iter().find(|folder| folder.is_dir()) else {
        bail!(
            "{} holds neither data/ nor botocore/data/",
            botocore.display()
        );
    };
    let versions = fs::read_dir(data.join(service))
        .with_context(|| format!("no service {service} in {}", data.display()))?;
    let mut folders = Vec::new();
    for version in versions {
        folders.push(version?.path());
    }
    folders
        .into_iter()
        .filter(|f| f.is_dir())
        .max()
        .context("the service has no version")
}

/// The file as it is or gzipped; `None` when there is neither.
fn read_json(folder: &Path, name: &str) -> Result<Option<Value>> {
    let plain = folder.join(name);
    if plain.is_file() {
        return Ok(Some(serde_json::from_slice(&fs::read(plain)?)?));
    }
    let zipped = folder.join(format!("{name}.gz"));
    if !zipped.is_file() {
        return Ok(None);
    }
    let mut text = Vec::new();
    GzDecoder::new(fs::File::open(zipped)?).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text)?))
}

fn drop_prose(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("documentation");
            members.remove("description");
            members.values_mut().for_each(drop_prose);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_prose),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
