//! What each operation answers, as pages of requests and answers: `tests/golden/*.md`, in the
//! form that `pages` tells.
//!
//! `UPDATE_EXPECT=1 cargo test -p berth-ops --test golden` writes the answers as they are now:
//! read the diff against the reference.

mod caller;
mod pages;

#[test]
fn every_answer_is_the_one_on_its_page() {
    for path in pages::paths() {
        let page = std::fs::read_to_string(&path).unwrap();
        let played = pages::play(&page, |_| ());
        expect_test::expect_file![&path].assert_eq(&played);
    }
}
