//! The SDKs of other languages, each through one life of a cluster: the programs in
//! `tests/clients` make it, run tasks and a service in it, change them and delete them, and print what they saw.
//! The one in Java is run by hand: `tests/clients/java/run`.

use std::path::Path;
use std::process::Command;

use berth_tests::{Spec, client, project_root};
use serde_json::Value;

/// What every program must have seen.
fn expected() -> Value {
    let file = project_root().join("tests/clients/expected.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn live(program: &str, arguments: &[&Path]) {
    let server = Spec::dev(&["--runtime", "simulated"]).start();
    let mut command = Command::new(program);
    command.args(arguments);
    assert_eq!(client(&server.aws(), command), expected());
    server.finish();
}

#[test]
fn the_sdk_for_javascript() {
    let folder = project_root().join("tests/clients/javascript");
    let packages = folder.join("node_modules");
    assert!(packages.exists(), "make test installs its packages");
    live("node", &[&folder.join("life.mjs")]);
}

#[test]
fn the_sdk_for_go() {
    let program = project_root().join("target/clients/go");
    assert!(program.exists(), "make test builds it");
    live(&program.display().to_string(), &[]);
}
