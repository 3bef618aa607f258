//! The page that says, operation by operation, what is served.

use std::collections::BTreeSet;
use std::fmt::Write;

/// Renders `docs/compatibility.md`: for each service its name, every operation of its model, and
/// the operations served.
///
/// A served name that the model does not have is listed under the table, so that a slip shows.
#[must_use]
pub fn render(services: &[(&str, &[&str], &[&str])]) -> String {
    let mut page = String::from(
        "# Compatibility\n\n\
         Generated from the service models and the table of handlers; a test keeps it current.\n\
         An operation that is not served answers `UnsupportedOperationException`, status 400.\n",
    );
    for (service, all, served) in services {
        let all: BTreeSet<&str> = all.iter().copied().collect();
        let served: BTreeSet<&str> = served.iter().copied().collect();
        let count = all.intersection(&served).count();
        let _ = write!(
            page,
            "\n## {service}\n\n{count} of {} operations are served.\n\n",
            all.len()
        );
        page.push_str("| Operation | Served |\n| --- | --- |\n");
        for operation in &all {
            let mark = if served.contains(operation) {
                "yes"
            } else {
                "no"
            };
            let _ = writeln!(page, "| {operation} | {mark} |");
        }
        for stray in served.difference(&all) {
            let _ = writeln!(
                page,
                "\n`{stray}` is served, and the model does not have it."
            );
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::render;

    #[test]
    fn every_operation_stands_with_its_answer() {
        let page = render(&[("ecs", &["RunTask", "CreateCluster"], &["RunTask", "Slip"])]);
        expect![[r#"
            # Compatibility

            Generated from the service models and the table of handlers; a test keeps it current.
            An operation that is not served answers `UnsupportedOperationException`, status 400.

            ## ecs

            1 of 2 operations are served.

            | Operation | Served |
            | --- | --- |
            | CreateCluster | no |
            | RunTask | yes |

            `Slip` is served, and the model does not have it.
        "#]]
        .assert_eq(&page);
    }
}
