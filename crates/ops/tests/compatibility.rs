//! `docs/compatibility.md` says what is served: made from the models and the table of handlers.
//! `UPDATE_EXPECT=1 cargo test -p berth-ops --test compatibility` renews it.

use std::path::Path;

use berth_ops::SERVED;

#[test]
fn the_page_says_what_is_served() {
    let services = [
        &berth_api::ecs::SERVICE,
        &berth_api::logs::SERVICE,
        &berth_api::sts::SERVICE,
    ];
    let served = services.map(|service| -> Vec<&str> {
        SERVED
            .iter()
            .filter(|served| served.service.name == service.name)
            .map(|served| served.operation)
            .collect()
    });
    let rows: Vec<(&str, &[&str], &[&str])> = services
        .iter()
        .zip(&served)
        .map(|(service, served)| (service.full_name, service.operations, served.as_slice()))
        .collect();
    let page = berth_api::compatibility::render(&rows);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
    expect_test::expect_file![path].assert_eq(&page);
}

#[test]
fn every_operation_stands_in_the_table_once() {
    let mut names: Vec<_> = SERVED
        .iter()
        .map(|served| (served.service.name, served.operation))
        .collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    for (service, operation) in names {
        assert!(berth_ops::find(service, operation).is_some());
    }
}
