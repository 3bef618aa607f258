//! `docs/compatibility.md` says what is served: made from the models, the table of handlers and the
//! golden pages. `UPDATE_EXPECT=1 cargo test -p berth-ops --test compatibility` renews it.

mod caller;
mod fields;
mod pages;

use std::path::Path;

use berth_api::compatibility::{OperationRow, ServiceRows, render};
use berth_ops::SERVED;
use fields::{Evidence, Model};

#[test]
fn the_page_says_what_is_served() {
    let evidence = Evidence::gather();
    let services = [
        (&berth_api::ecs::SERVICE, "ecs", ""),
        (&berth_api::logs::SERVICE, "logs", "logs:"),
        (&berth_api::sts::SERVICE, "sts", "sts:"),
    ];
    let rows = services.map(|(service, folder, prefix)| {
        let model = Model::read(folder);
        let row = |name: &&str| OperationRow {
            name: (*name).to_owned(),
            served: berth_ops::find(service.name, name).is_some(),
            fields: model
                .fields(name)
                .into_iter()
                .map(|field| {
                    let standing = evidence.standing(&format!("{prefix}{name}"), &field);
                    (field, standing)
                })
                .collect(),
        };
        let mut operations: Vec<_> = service.operations.iter().map(row).collect();
        operations.sort_by(|a, b| a.name.cmp(&b.name));
        ServiceRows {
            name: service.full_name.to_owned(),
            operations,
        }
    });
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/compatibility.md");
    expect_test::expect_file![path].assert_eq(&render(&rows));
}

#[test]
fn members_that_are_named_apart_are_in_the_model() {
    fields::check_lists();
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
