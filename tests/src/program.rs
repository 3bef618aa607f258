//! The program under test.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The folder of the repository.
#[must_use]
pub fn project_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is a folder of the repository")
}

/// The built program. Building it is left to cargo, which does nothing when it is current;
/// `BERTH_TEST_PROGRAM` names one that shall be tested as it is.
#[must_use]
pub fn berth() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let named = std::env::var_os("BERTH_TEST_PROGRAM");
        if let Some(named) = named {
            return named.into();
        }
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "berth", "--bin", "berth"])
            .current_dir(project_root())
            .status()
            .expect("cargo starts");
        assert!(built.success(), "berth does not build");
        // This test runs from <target>/<profile>/deps, which also is where its cargo builds to.
        let own = std::env::current_exe().expect("a test knows its own path");
        let profile = own
            .ancestors()
            .nth(2)
            .expect("a test lies two folders down");
        let program = profile.join("berth");
        assert!(program.exists(), "{} is missing", program.display());
        program
    })
}

/// Runs the program to its end. Variables of the outer environment that would set its flags are
/// kept from it.
#[must_use]
pub fn run_berth(arguments: &[&str]) -> Output {
    command().args(arguments).output().expect("berth starts")
}

/// The program with an environment that sets none of its flags.
pub(crate) fn command() -> Command {
    let mut command = Command::new(berth());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("BERTH_") {
            command.env_remove(name);
        }
    }
    command
}
