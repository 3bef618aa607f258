//! Which crate may use which: the table of the house style, held against the manifests.
//!
//! A crate's purity is in its manifest, so that it takes no promises: what may not be named
//! cannot be used.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use toml::{Table, Value};

/// Crates by their folder, and beside each the crates of ours that it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("placement", &["model"]),
    ("state", &["model", "placement"]),
    ("reconcile", &["model", "state", "placement"]),
    ("leader", &["model", "state", "reconcile", "agent-proto"]),
    ("storage", &["model", "state"]),
    ("wire", &[]),
    ("api", &["wire"]),
    ("ops", &["api", "wire", "model", "state", "placement"]),
    ("agent-proto", &["model"]),
    ("agent", &["agent-proto", "api", "wire", "model"]),
    (
        "server",
        &[
            "model",
            "placement",
            "state",
            "reconcile",
            "leader",
            "storage",
            "wire",
            "api",
            "ops",
            "agent-proto",
            "console",
        ],
    ),
    ("console", &["model", "state"]),
    ("berth", &["server", "agent", "console"]),
    ("testkit", &["model", "state"]),
    // Runs what decides, without what does.
    (
        "sim",
        &[
            "model",
            "placement",
            "state",
            "reconcile",
            "leader",
            "api",
            "ops",
            "agent-proto",
        ],
    ),
    ("xtask", &[]),
    // Measures from outside, over the wire; what parts cost by themselves, without a server.
    (
        "bench",
        &[
            "wire",
            "api",
            "model",
            "state",
            "reconcile",
            "leader",
            "ops",
        ],
    ),
];

/// What the tests of a crate may use beside that and `testkit`: the pages of operations on services
/// show what the controller makes of them.
const ALLOWED_IN_TESTS: &[(&str, &str)] = &[("ops", "reconcile")];

/// Crates that decide and do not do: no runtime, no database, no server.
const PURE: &[&str] = &["model", "placement", "state", "reconcile", "leader"];

/// What pure crates never name.
const IMPURE: &[&str] = &["tokio", "sqlx", "axum", "hyper", "bollard", "getrandom"];

/// Checks every manifest under `crates/`.
///
/// # Errors
/// All edges that the table does not have, in one message.
pub fn check(root: &Path) -> Result<()> {
    let mut wrong = Vec::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let manifest = entry?.path().join("Cargo.toml");
        // A folder whose crate is gone, or has not come yet.
        let Ok(text) = fs::read_to_string(&manifest) else {
            continue;
        };
        let folder = manifest
            .parent()
            .and_then(Path::file_name)
            .context("a crate's folder")?;
        let folder = folder.to_str().context("a folder's name")?;
        let edges = wrong_edges(folder, &text);
        wrong.extend(edges.with_context(|| format!("{}", manifest.display()))?);
    }
    wrong.sort();
    ensure!(
        wrong.is_empty(),
        "crates use what they may not:\n{}",
        wrong.join("\n")
    );
    Ok(())
}

/// What is wrong with one crate's manifest.
fn wrong_edges(folder: &str, manifest: &str) -> Result<Vec<String>> {
    let manifest: Table = manifest.parse()?;
    let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == folder) else {
        return Ok(vec![format!("{folder} is not in the table of crates")]);
    };
    let mut wrong = Vec::new();
    let name = manifest
        .get("package")
        .and_then(|package| package.get("name"));
    let expected = match folder {
        "berth" | "xtask" => folder.to_owned(),
        _ => format!("berth-{folder}"),
    };
    if name.and_then(Value::as_str) != Some(&expected) {
        wrong.push(format!("{folder}: its package is not called {expected}"));
    }
    for section in ["dependencies", "build-dependencies", "dev-dependencies"] {
        let for_tests = section == "dev-dependencies";
        for dependency in dependencies(&manifest, section) {
            let ours = match &*dependency {
                "berth" => Some("berth"),
                other => other.strip_prefix("berth-"),
            };
            let fits = match ours {
                Some(used) => {
                    let in_tests = used == "testkit" || ALLOWED_IN_TESTS.contains(&(folder, used));
                    used == folder || allowed.contains(&used) || (for_tests && in_tests)
                }
                None if dependency == "sqlx" => folder == "storage",
                None => for_tests || !(PURE.contains(&folder) && IMPURE.contains(&&*dependency)),
            };
            if !fits {
                wrong.push(format!("{folder} → {dependency} ({section})"));
            }
        }
    }
    Ok(wrong)
}

/// The packages that a section names, those for single platforms included.
fn dependencies(manifest: &Table, section: &str) -> BTreeSet<String> {
    let platforms = manifest.get("target").and_then(Value::as_table);
    let tables = platforms
        .into_iter()
        .flat_map(Table::values)
        .filter_map(|one| one.get(section));
    let tables = tables.chain(manifest.get(section));
    let mut packages = BTreeSet::new();
    for (name, value) in tables.filter_map(Value::as_table).flatten() {
        let package = value.get("package").and_then(Value::as_str);
        packages.insert(package.unwrap_or(name).to_owned());
    }
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(folder: &str, rest: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"berth-{folder}\"\n{rest}");
        wrong_edges(folder, &manifest).unwrap()
    }

    #[test]
    fn an_edge_of_the_table_is_fine() {
        let rest = "[dependencies]\nberth-model.workspace = true\nserde.workspace = true\n\
                    [dev-dependencies]\nberth-testkit.workspace = true\n";
        assert_eq!(wrong("placement", rest), [""; 0]);
    }

    #[test]
    fn other_edges_are_named() {
        let rest = "[dependencies]\nberth-state.workspace = true\n";
        assert_eq!(
            wrong("placement", rest),
            ["placement → berth-state (dependencies)"]
        );
        let renamed = "[dev-dependencies]\nx = { package = \"berth-server\", path = \"..\" }\n";
        assert_eq!(
            wrong("ops", renamed),
            ["ops → berth-server (dev-dependencies)"]
        );
        let platform = "[target.'cfg(unix)'.dependencies]\nberth-ops.workspace = true\n";
        assert_eq!(wrong("wire", platform), ["wire → berth-ops (dependencies)"]);
    }

    #[test]
    fn pure_crates_do_not_name_a_runtime_and_only_storage_names_sqlx() {
        assert_eq!(
            wrong("state", "[dependencies]\ntokio.workspace = true\n"),
            ["state → tokio (dependencies)"]
        );
        assert_eq!(
            wrong("server", "[dependencies]\nsqlx.workspace = true\n"),
            ["server → sqlx (dependencies)"]
        );
        assert_eq!(
            wrong("storage", "[dependencies]\nsqlx.workspace = true\n"),
            [""; 0]
        );
    }

    #[test]
    fn a_crate_outside_the_table_is_named() {
        assert_eq!(wrong("utils", ""), ["utils is not in the table of crates"]);
        assert_eq!(
            wrong_edges("wire", "[package]\nname = \"wire\"\n").unwrap(),
            ["wire: its package is not called berth-wire"]
        );
    }
}
