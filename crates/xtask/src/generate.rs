//! From the models in `api-models/` to the sources in `crates/api/src/services`.
//!
//! Of each service the operations in its manifest are generated, and the shapes that they reach.
//! What a model says and the generated code could not keep is an error here, not a surprise
//! there; patterns that our regex engine cannot express are left out, and said so.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::model::{Manifest, Model};

mod names;
mod reach;
mod service;
mod types;
mod validation;

/// Where generated sources lie, from the repository's root.
const TARGET: &str = "crates/api/src/services";

/// The sources by their path under [`TARGET`], and what is worth saying about them.
struct Generated {
    files: BTreeMap<PathBuf, String>,
    remarks: Vec<String>,
}

/// Generates every service.
pub fn write(root: &Path) -> Result<()> {
    let Generated { files, remarks } = generate(root)?;
    let target = root.join(TARGET);
    for stale in files_under(&target)? {
        if !files.contains_key(&stale) {
            fs::remove_file(target.join(stale))?;
        }
    }
    for (path, text) in &files {
        let path = target.join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder"))?;
        // An unchanged file keeps its time, so that nothing is compiled anew for it.
        if fs::read_to_string(&path).ok().as_ref() != Some(text) {
            fs::write(&path, text)?;
        }
    }
    for remark in remarks {
        println!("{remark}");
    }
    println!("{} files in {TARGET}", files.len());
    Ok(())
}

/// Fails, naming the files, when what is checked in is not what would be generated.
pub fn check(root: &Path) -> Result<()> {
    let Generated { files, .. } = generate(root)?;
    let target = root.join(TARGET);
    let mut stale = files_under(&target)?;
    stale.retain(|path| !files.contains_key(path));
    for (path, text) in files {
        if fs::read_to_string(target.join(&path)).ok() != Some(text) {
            stale.push(path);
        }
    }
    ensure!(
        stale.is_empty(),
        "out of date, run `cargo xtask gen`: {stale:?}"
    );
    Ok(())
}

fn generate(root: &Path) -> Result<Generated> {
    let mut files = BTreeMap::new();
    let mut remarks = Vec::new();
    let models = root.join("api-models");
    let mut services = Vec::new();
    for entry in fs::read_dir(&models).context("no api-models/")? {
        let entry = entry?;
        if entry.path().join("manifest.json").is_file() {
            services.push(
                entry
                    .file_name()
                    .into_string()
                    .ok()
                    .context("a folder's name")?,
            );
        }
    }
    services.sort();
    for service in &services {
        let folder = models.join(service);
        let model: Model = serde_json::from_str(&fs::read_to_string(folder.join("model.json"))?)
            .with_context(|| format!("{service}: model.json"))?;
        let manifest: Manifest =
            serde_json::from_str(&fs::read_to_string(folder.join("manifest.json"))?)
                .with_context(|| format!("{service}: manifest.json"))?;
        let model = model
            .with_undocumented(&manifest)
            .with_context(|| format!("{service}: manifest.json"))?;
        let sources = service::generate(service, &model, &manifest)
            .with_context(|| format!("could not generate {service}"))?;
        for (name, text) in sources.files {
            let text = format!(
                "//! {service}: {}; generated from `api-models/{service}` by `cargo xtask gen`.\n{text}",
                service::holds(&name)
            );
            files.insert(Path::new(service).join(name), text);
        }
        remarks.extend(
            sources
                .remarks
                .into_iter()
                .map(|remark| format!("{service}: {remark}")),
        );
    }
    files.insert("mod.rs".into(), service::list(&services));
    Ok(Generated {
        files: formatted(files)?,
        remarks,
    })
}

/// Every file through rustfmt, so that the format check holds for generated sources too.
fn formatted(files: BTreeMap<PathBuf, String>) -> Result<BTreeMap<PathBuf, String>> {
    files
        .into_iter()
        .map(|(path, text)| Ok((path, rustfmt(&text)?)))
        .collect()
}

fn rustfmt(text: &str) -> Result<String> {
    let mut child = Command::new("rustfmt")
        .args(["--edition", "2024", "--emit", "stdout", "--config-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../rustfmt.toml"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("rustfmt is not installed")?;
    let mut input = child.stdin.take().context("rustfmt has no input")?;
    // From a thread of its own: rustfmt may write before it has read everything.
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    if writer.join().is_err() || !output.status.success() {
        bail!("rustfmt refused a generated file");
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn files_under(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = fs::read_dir(&next) else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push(path.strip_prefix(folder)?.to_path_buf());
            }
        }
    }
    files.sort();
    Ok(files)
}
