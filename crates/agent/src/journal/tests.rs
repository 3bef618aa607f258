use super::*;
use proptest::prelude::*;

fn put(key: &str, value: &str) -> Change {
    Change::put(key.to_owned(), &value)
}

fn texts(loaded: &Loaded) -> Vec<(String, String)> {
    let mut all: Vec<_> = loaded
        .iter()
        .map(|(key, value)| (key.clone(), value.get().to_owned()))
        .collect();
    all.sort();
    all
}

async fn write(journal: &Journal, changes: Vec<Change>) {
    let saved = journal.write_durably(changes).await.expect("open");
    saved.await.expect("saved");
}

/// Opens as soon as the writer of the journal before has let go of the lock.
fn reopen(folder: &Path) -> (Journal, Loaded) {
    for _ in 0..1_000_000 {
        match Journal::open(folder) {
            Err(JournalError::InUse(_)) => std::thread::yield_now(),
            other => return other.expect("it opens"),
        }
    }
    panic!("the writer does not end");
}

#[tokio::test]
async fn what_was_saved_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    let (journal, loaded) = Journal::open(folder.path()).expect("it opens");
    assert!(loaded.is_empty());
    write(&journal, vec![put("a", "1"), put("b", "2")]).await;
    write(
        &journal,
        vec![put("a", "3"), Change::Delete("b".to_owned())],
    )
    .await;
    journal.write(vec![put("c", "4")]).await.expect("open");
    drop(journal);
    let (_, loaded) = reopen(folder.path());
    assert_eq!(
        texts(&loaded),
        [
            ("a".to_owned(), "\"3\"".to_owned()),
            ("c".to_owned(), "\"4\"".to_owned())
        ]
    );
}

#[test]
fn a_second_process_is_told_that_it_is_in_use() {
    let folder = tempfile::tempdir().expect("a folder");
    let _open = Journal::open(folder.path()).expect("it opens");
    assert!(matches!(
        Journal::open(folder.path()),
        Err(JournalError::InUse(_))
    ));
}

fn file(folder: &Path) -> (JournalFile, Loaded) {
    let lock = File::create(folder.join("lock")).expect("a file");
    let mut file = JournalFile::open(folder, lock).expect("it opens");
    let loaded = file.load().expect("it loads");
    (file, loaded)
}

#[test]
fn rewriting_keeps_what_is_live_and_appending_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut journal, _) = file(folder.path());
    for n in 0..200 {
        let key = format!("k{}", n % 7);
        journal.append(&[put(&key, &n.to_string())]).expect("room");
    }
    let before = journal.length;
    journal.rewrite().expect("room");
    assert!(journal.length < before / 10);
    assert_eq!(journal.live_bytes, journal.length);
    journal.append(&[put("k0", "last")]).expect("room");
    let (again, loaded) = file(folder.path());
    assert_eq!(loaded.len(), 7);
    assert_eq!(loaded["k0"].get(), "\"last\"");
    assert_eq!(loaded["k3"].get(), "\"199\"");
    assert_eq!(again.live_bytes, journal.live_bytes);
}

proptest! {
    /// Whatever is cut off or spoilt, what remains is what was there after some earlier write.
    #[test]
    fn a_torn_end_leaves_the_state_after_an_earlier_write(
        writes in prop::collection::vec((0_u8..5, prop::option::of(0_u16..1000)), 1..40),
        cut in any::<prop::sample::Index>(),
        spoil in any::<Option<u8>>(),
    ) {
        let folder = tempfile::tempdir().expect("a folder");
        let (mut journal, _) = file(folder.path());
        let mut states = vec![vec![]];
        let mut state = std::collections::BTreeMap::new();
        for (key, value) in writes {
            let key = format!("k{key}");
            let change = match value {
                Some(value) => {
                    state.insert(key.clone(), format!("\"{value}\""));
                    put(&key, &value.to_string())
                }
                None => {
                    state.remove(&key);
                    Change::Delete(key)
                }
            };
            journal.append(&[change]).expect("room");
            states.push(state.clone().into_iter().collect::<Vec<_>>());
        }
        let path = folder.path().join(FILE);
        let mut bytes = std::fs::read(&path).expect("it reads");
        let at = cut.index(bytes.len());
        match spoil {
            Some(byte) => bytes[at] = byte,
            None => bytes.truncate(at),
        }
        std::fs::write(&path, bytes).expect("it writes");
        let (_, loaded) = file(folder.path());
        prop_assert!(states.contains(&texts(&loaded)));
    }
}
