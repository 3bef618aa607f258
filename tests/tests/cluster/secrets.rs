//! Keys that a server makes: whose they are, who can read them, and how they travel.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use berth_tests::{Aws, Postgres, SOON, Server, Spec, ended, wait_for};
use serde_json::json;

/// What `berth env` exports of the key: id and secret.
fn key(arguments: &[&str]) -> (String, String) {
    let (code, exports) = ended(&[&["env"], arguments].concat(), &[]);
    assert_eq!(code, 0, "{exports}");
    let value = |name: &str| {
        let line = exports
            .lines()
            .find_map(|line| line.strip_prefix(&format!("export {name}=")));
        let value = line.unwrap().trim_end_matches(';').trim_matches('\'');
        value.to_owned()
    };
    (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"))
}

fn signed_by(server: &Server, (id, secret): &(String, String)) -> Aws {
    server.aws().key(id, secret)
}

/// Three clusters, and the token of the page after the first.
fn first_page(aws: &Aws) -> String {
    for name in ["one", "two", "three"] {
        let _ = aws.run(&["ecs", "create-cluster", "--cluster-name", name]);
    }
    let page = aws.run(&[
        "ecs",
        "list-clusters",
        "--no-paginate",
        "--max-results",
        "1",
    ]);
    assert_eq!(page["clusterArns"].as_array().unwrap().len(), 1, "{page}");
    page["nextToken"].as_str().unwrap().to_owned()
}

fn second_page(aws: &Aws, token: &str) -> serde_json::Value {
    let more = ["--max-results", "1", "--next-token", token];
    aws.run(&[&["ecs", "list-clusters", "--no-paginate"], &more[..]].concat())
}

fn names(data_dir: &str) -> Vec<String> {
    let mut names = Vec::new();
    for entry in fs::read_dir(data_dir).unwrap() {
        names.push(entry.unwrap().file_name().into_string().unwrap());
    }
    names.sort();
    names
}

#[test]
fn two_servers_on_one_database_have_the_same_keys() {
    let postgres = Postgres::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shared").display().to_string();
    fs::write(&file, "a secret of thirty-two letters..\n").unwrap();
    let url = postgres.url();
    let shared = ["--database-url", &url, "--secret-file", &file];
    let mut leader = Spec::serve(&shared).start();
    let standby = Spec::serve(&shared).stand_by();
    assert_eq!(standby.get("/health").0, 503);
    let alive = ["status", "--server", &standby.url()];
    assert_eq!(ended(&alive, &[]).0, 1);
    assert_eq!(ended(&[&alive[..], &["--alive"]].concat(), &[]).0, 0);

    let of = |server: &Server| key(&[&["--data-dir", &server.data_dir()], &shared[..]].concat());
    let key = of(&leader);
    assert_eq!(of(&standby), key);
    let token = first_page(&signed_by(&leader, &key));
    let expected = second_page(&signed_by(&leader, &key), &token);

    leader.kill();
    wait_for("the standby to lead", SOON, || {
        standby.is_healthy().then_some(())
    });
    let page = second_page(&signed_by(&standby, &key), &token);
    assert_eq!(page, expected, "the page after the one of the first leader");

    // Nothing of them is in the folders, or to be read in the database.
    for server in [&leader, &standby] {
        let names = names(&server.data_dir());
        assert!(!names.iter().any(|name| name.contains("key")), "{names:?}");
    }
    let dump = postgres.sql("SELECT encode(sealed, 'escape') FROM berth.secret");
    assert!(!dump.is_empty() && !dump.contains(&key.1), "{dump}");

    // Who has not the file gets in nowhere.
    let alone = ["serve", "--listen", "127.0.0.1:0", "--database-url", &url];
    let data = folder.path().join("alone").display().to_string();
    let (code, said) = ended(&[&alone[..], &["--data-dir", &data]].concat(), &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("secret file"), "{said}");
    fs::write(&file, "another secret of just as many..").unwrap();
    let other = [
        &["serve", "--listen", "127.0.0.1:0", "--data-dir", &data],
        &shared[..],
    ];
    let (code, said) = ended(&other.concat(), &[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("does not open"), "{said}");
    standby.finish();
}

#[test]
fn keys_move_to_a_database_with_what_they_protect() {
    let mut laptop = Spec::serve(&[]).start();
    let data_dir = laptop.data_dir();
    for name in ["access-key.json", "page-key"] {
        let metadata = fs::metadata(Path::new(&data_dir).join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let made = key(&["--data-dir", &data_dir]);
    let token = first_page(&signed_by(&laptop, &made));
    let expected = second_page(&signed_by(&laptop, &made), &token);
    assert!(laptop.terminate().success());

    let postgres = Postgres::start();
    let (url, folder) = (postgres.url(), tempfile::tempdir().unwrap());
    let file = folder.path().join("shared").display().to_string();
    fs::write(&file, "a secret of thirty-two letters..").unwrap();
    let moving = [
        "move",
        "--data-dir",
        &data_dir,
        "--to",
        &url,
        "--secret-file",
        &file,
    ];
    let (code, said) = ended(&moving, &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("keys are in the database"), "{said}");

    let moved = Spec::serve(&["--database-url", &url, "--secret-file", &file]).start();
    let page = second_page(&signed_by(&moved, &made), &token);
    assert_eq!(page, expected);
    moved.finish();

    // A database that is in use keeps its own keys.
    let other = Spec::serve(&[]).start();
    let other_dir = other.data_dir();
    other.finish();
    let again = [
        "move",
        "--data-dir",
        &other_dir,
        "--to",
        &url,
        "--secret-file",
        &file,
    ];
    let (code, said) = ended(&again, &[]);
    assert_eq!(code, 2, "{said}");
}

#[test]
fn a_backup_says_that_it_has_no_keys() {
    let mut server = Spec::serve(&[]).start();
    let data_dir = server.data_dir();
    let made = key(&["--data-dir", &data_dir]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup").display().to_string();
    let (code, said) = ended(&["backup", &file, "--data-dir", &data_dir], &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("access-key.json"), "{said}");
    let content = fs::read(&file).unwrap();
    let found = content
        .windows(made.1.len())
        .any(|part| part == made.1.as_bytes());
    assert!(!found, "the secret is in the backup");
    assert!(server.terminate().success());

    let restored = folder.path().join("restored").display().to_string();
    let (code, said) = ended(&["restore", &file, "--data-dir", &restored], &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("access-key.json"), "{said}");
    // The keys that were kept apart go on being good.
    for name in ["access-key.json", "page-key"] {
        let from = Path::new(&data_dir).join(name);
        fs::copy(from, Path::new(&restored).join(name)).unwrap();
    }
    let server = Spec::serve(&[]).data_dir(&restored).start();
    let clusters = signed_by(&server, &made).run(&["ecs", "list-clusters"]);
    assert_eq!(clusters["clusterArns"], json!([]));
    server.finish();
}
