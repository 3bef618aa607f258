//! What each operation answers, as pages of requests and answers, in the form that `pages` tells:
//! `tests/golden/<operation>.md` is what one operation promises, `tests/golden/walks` are walks
//! through several.
//!
//! `UPDATE_EXPECT=1 cargo test -p berth-ops --test golden` writes the answers as they are now:
//! read the diff against the reference.

mod caller;
mod pages;

use std::collections::BTreeMap;
use std::path::Path;

use berth_ops::SERVED;

#[test]
fn every_answer_is_the_one_on_its_page() {
    for path in pages::paths() {
        let page = std::fs::read_to_string(&path).unwrap();
        let played = pages::play(&page, |_| ());
        expect_test::expect_file![&path].assert_eq(&played);
    }
}

#[test]
fn every_operation_has_a_page_with_an_answer_and_a_refusal() {
    for served in SERVED.iter().filter(|served| served.service.name == "ecs") {
        let operation = served.operation;
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let page = std::fs::read_to_string(root.join(format!("{}.md", with_hyphens(operation))));
        let page = page.unwrap_or_else(|_| panic!("{operation} has no page"));
        assert!(
            page.starts_with(&format!("# {operation}\n")),
            "{operation}: its page begins with its name"
        );
        let mut seen = BTreeMap::new();
        pages::play(&page, |exchange| {
            if exchange.operation == operation {
                *seen.entry(exchange.answer.is_some()).or_insert(0) += 1;
            }
        });
        // There is never an update, so that nothing is ever granted.
        let never_granted = operation == "UpdateContainerAgent";
        assert!(
            seen.contains_key(&false) && (never_granted || seen.contains_key(&true)),
            "{operation} is answered {:?} times and refused {:?}",
            seen.get(&true),
            seen.get(&false)
        );
    }
}

/// `list-tasks` for `ListTasks`.
fn with_hyphens(operation: &str) -> String {
    let mut name = String::new();
    for letter in operation.chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

#[test]
fn every_case_says_where_its_values_come_from() {
    for path in pages::paths() {
        let page = std::fs::read_to_string(&path).unwrap();
        for title in page.lines().filter(|line| line.starts_with("## ")) {
            assert!(
                title.contains('§') || title.contains("(API)"),
                "{}: {title}",
                path.display()
            );
        }
    }
}
