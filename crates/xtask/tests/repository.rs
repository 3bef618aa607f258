//! The repository as it stands: its generated sources and its crate graph.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn generated_sources_are_what_the_models_say() {
    xtask::generate::check(&root()).unwrap();
}

#[test]
fn crates_use_only_what_the_table_allows() {
    xtask::edges::check(&root()).unwrap();
}

#[test]
fn models_are_written_as_they_are_read() {
    for service in ["ecs", "logs", "sts"] {
        let file = root().join("api-models").join(service).join("model.json");
        let text = fs::read_to_string(&file).unwrap();
        let model: xtask::model::Model = serde_json::from_str(&text).unwrap();
        assert_eq!(model.render().unwrap(), text, "{service}");
    }
}

/// A folder of its own with the models of one service, generated.
fn generated_copy(name: &str) -> PathBuf {
    let copy = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&copy);
    let folder = copy.join("api-models/sts");
    fs::create_dir_all(&folder).unwrap();
    for file in ["model.json", "manifest.json"] {
        fs::copy(root().join("api-models/sts").join(file), folder.join(file)).unwrap();
    }
    xtask::generate::write(&copy).unwrap();
    xtask::generate::check(&copy).unwrap();
    copy
}

#[test]
fn a_changed_a_missing_and_a_stray_file_are_out_of_date() {
    let copy = generated_copy("out-of-date");
    let services = copy.join("crates/api/src/services");
    let list = services.join("mod.rs");
    let text = fs::read_to_string(&list).unwrap();
    let refused = || xtask::generate::check(&copy).unwrap_err().to_string();

    fs::write(&list, format!("{text}// by hand\n")).unwrap();
    assert!(refused().contains("mod.rs"), "{}", refused());
    fs::remove_file(&list).unwrap();
    assert!(refused().contains("mod.rs"), "{}", refused());
    fs::write(&list, text).unwrap();
    xtask::generate::check(&copy).unwrap();

    fs::write(services.join("stray.rs"), "").unwrap();
    assert!(refused().contains("stray.rs"), "{}", refused());
    xtask::generate::write(&copy).unwrap();
    assert!(!services.join("stray.rs").exists());
}

#[test]
fn a_manifest_that_names_no_operation_of_the_model_is_refused() {
    let copy = generated_copy("unknown-operation");
    let manifest = copy.join("api-models/sts/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("GetCallerIdentity", "GetNothing")).unwrap();
    let refused = format!("{:#}", xtask::generate::check(&copy).unwrap_err());
    assert!(
        refused.contains("the model has no operation GetNothing"),
        "{refused}"
    );
}
