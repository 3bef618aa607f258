//! The page that says what is served: operation by operation, and member by member of requests.

use std::fmt::{self, Write};

/// How a member of an operation's request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It does what it does in AWS: a case sends it and sees it.
    Served,
    /// A case sends it and reads it back; it changes nothing else.
    Recorded,
    /// A case sends it and is refused.
    Refused,
    /// A case sends it; nothing depends on it.
    PassedOver,
    /// It is taken; no case sends it and looks what became of it.
    Untested,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Served => "served",
            Self::Recorded => "accepted and recorded only",
            Self::Refused => "refused",
            Self::PassedOver => "accepted and passed over",
            Self::Untested => "accepted, untested",
        })
    }
}

/// An operation of a model.
#[derive(Clone, Debug)]
pub struct OperationRow {
    /// Its name.
    pub name: String,
    /// Whether there is a handler for it.
    pub served: bool,
    /// The members of its request, nested ones as `tags[].key`, and how each stands.
    pub fields: Vec<(String, Standing)>,
}

/// A service and every operation of its model, in order.
#[derive(Clone, Debug)]
pub struct ServiceRows {
    /// The service's full name.
    pub name: String,
    /// Its operations.
    pub operations: Vec<OperationRow>,
}

/// Renders `docs/compatibility.md`.
#[must_use]
pub fn render(services: &[ServiceRows]) -> String {
    let mut page = String::from(
        "# Compatibility\n\n\
         Generated from the service models, the table of handlers and the cases in \
         `crates/ops/tests/golden`; a test keeps it current.\n\
         An operation that is not served answers `UnsupportedOperationException`, status 400.\n",
    );
    for service in services {
        let served = || service.operations.iter().filter(|row| row.served);
        let _ = write!(
            page,
            "\n## {}\n\n{} of {} operations are served.\n\n",
            service.name,
            served().count(),
            service.operations.len()
        );
        page.push_str("| Operation | Served |\n| --- | --- |\n");
        for row in &service.operations {
            let mark = if row.served { "yes" } else { "no" };
            let _ = writeln!(page, "| {} | {mark} |", row.name);
        }
        for row in served().filter(|row| !row.fields.is_empty()) {
            let _ = write!(page, "\n### {}\n\n", row.name);
            page.push_str("| Member of the request | |\n| --- | --- |\n");
            for (field, standing) in &row.fields {
                let _ = writeln!(page, "| `{field}` | {standing} |");
            }
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::{OperationRow, ServiceRows, Standing, render};

    #[test]
    fn every_operation_stands_with_its_answer_and_those_served_with_their_members() {
        let page = render(&[ServiceRows {
            name: "ecs".into(),
            operations: vec![
                OperationRow {
                    name: "CreateCluster".into(),
                    served: false,
                    fields: vec![("clusterName".into(), Standing::Untested)],
                },
                OperationRow {
                    name: "RunTask".into(),
                    served: true,
                    fields: vec![
                        ("cluster".into(), Standing::Served),
                        ("tags[].key".into(), Standing::Recorded),
                    ],
                },
            ],
        }]);
        expect![[r#"
            # Compatibility

            Generated from the service models, the table of handlers and the cases in `crates/ops/tests/golden`; a test keeps it current.
            An operation that is not served answers `UnsupportedOperationException`, status 400.

            ## ecs

            1 of 2 operations are served.

            | Operation | Served |
            | --- | --- |
            | CreateCluster | no |
            | RunTask | yes |

            ### RunTask

            | Member of the request | |
            | --- | --- |
            | `cluster` | served |
            | `tags[].key` | accepted and recorded only |
        "#]]
        .assert_eq(&page);
    }
}
