use berth_model::text::Text;
use berth_model::time::Timestamp;
use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// An instance as a few lines of text would describe it.
struct Machine {
    attributes: Vec<(&'static str, Option<&'static str>)>,
    groups: Vec<&'static str>,
    connected: bool,
    version: Option<&'static str>,
    running: u32,
}

impl Facts for Machine {
    fn connected(&self) -> bool {
        self.connected
    }

    fn agent_version(&self) -> Option<&str> {
        self.version
    }

    fn machine_id(&self) -> Option<&str> {
        Some("i-0abc")
    }

    /// 2018-06-18T22:28:28.250Z
    fn registered_at(&self) -> Timestamp {
        Timestamp::from_millis(1_529_360_908_250)
    }

    fn running_tasks(&self) -> u32 {
        self.running
    }

    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        let found = self.attributes.iter().find(|(other, _)| *other == name);
        found.map(|(_, value)| *value)
    }

    fn any_group(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        self.groups.iter().any(|group| test(group))
    }
}

fn machine() -> Machine {
    Machine {
        attributes: vec![
            ("ecs.instance-type", Some("t2.small")),
            ("ecs.availability-zone", Some("us-east-1a")),
            ("stack", Some("prod")),
            ("racks", Some("10")),
            ("ecs.capability.task-eni", None),
        ],
        groups: vec!["service:web", "family:batch"],
        connected: true,
        version: Some("1.105.1"),
        running: 2,
    }
}

fn holds(raw: &str) -> bool {
    Expression::parse(raw)
        .unwrap_or_else(|error| panic!("{raw}: {error}"))
        .matches(&machine())
}

fn all_hold(expressions: &[&str]) {
    for raw in expressions {
        assert!(holds(raw), "should be true: {raw}");
    }
}

fn none_hold(expressions: &[&str]) {
    for raw in expressions {
        assert!(!holds(raw), "should be false: {raw}");
    }
}

fn refused(raw: &str, message: &Expect) {
    message.assert_eq(&Expression::parse(raw).unwrap_err().to_string());
}

#[test]
fn the_examples_of_the_ecs_documentation_are_read() {
    all_hold(&[
        "attribute:ecs.instance-type == t2.small",
        "attribute:ecs.availability-zone in [us-east-1a, us-east-1b]",
        "attribute:ecs.instance-type =~ t2.* and attribute:ecs.availability-zone != us-east-1d",
        "attribute:ecs.instance-type =~ t2.* and not(task:group == database)",
        "registeredAt >= 2018-06-18T22:28:28+00:00",
        "agentConnected==true",
        "runningTasksCount > 1",
    ]);
    none_hold(&[
        "task:group == service:production",
        "not(task:group == service:web)",
        "attribute:ecs.instance-type =~ g2.*",
        "agentVersion < 1.9.0",
    ]);
}

#[test]
fn every_operator_has_a_word_and_a_sign() {
    for (sign, word, text) in [
        ("==", "equals", "prod"),
        ("!=", "not_equals", "test"),
        (">", "greater_than", "alpha"),
        (">=", "greater_than_equal", "prod"),
        ("<", "less_than", "zulu"),
        ("<=", "less_than_equal", "prod"),
        ("=~", "matches", "pr.*"),
        ("!~", "not_matches", "te.*"),
        ("in", "in", "[prod]"),
        ("!in", "not_in", "[test]"),
    ] {
        all_hold(&[
            &format!("attribute:stack {sign} {text}"),
            &format!("attribute:stack {word} {text}"),
        ]);
    }
    all_hold(&[
        "attribute:stack exists",
        "attribute:none !exists",
        "attribute:none not_exists",
    ]);
    all_hold(&[
        "attribute:stack==prod",
        "attribute:stack in[prod]",
        "attribute:stack!~'te.*'",
    ]);
}

#[test]
fn a_missing_attribute_makes_every_comparison_false() {
    for test in [
        "== x",
        "!= x",
        "> x",
        "<= x",
        "in [x]",
        "not_in [x]",
        "=~ .*",
        "!~ x",
        "exists",
    ] {
        none_hold(&[&format!("attribute:none {test}")]);
        all_hold(&[&format!("not attribute:none {test}")]);
    }
    let no_version = Machine {
        version: None,
        ..machine()
    };
    assert!(
        !Expression::parse("agentVersion != 1.0")
            .unwrap()
            .matches(&no_version)
    );
}

#[test]
fn an_attribute_without_a_value_compares_as_empty_text() {
    all_hold(&[
        "attribute:ecs.capability.task-eni exists",
        "attribute:ecs.capability.task-eni == ''",
        "attribute:ecs.capability.task-eni != yes",
    ]);
}

#[test]
fn attributes_compare_as_numbers_when_they_are() {
    all_hold(&[
        "attribute:racks > 9",
        "attribute:racks >= 10.0",
        "attribute:racks < 1x",
    ]);
    none_hold(&["attribute:racks > 10", "attribute:racks == 10.0"]);
}

#[test]
fn a_pattern_must_match_the_whole_value() {
    all_hold(&[
        "attribute:stack =~ prod",
        "attribute:stack =~ 'p(r|x)od'",
        "attribute:stack =~ pr|prod",
    ]);
    none_hold(&[
        "attribute:stack =~ pro",
        "attribute:stack =~ rod",
        "attribute:stack =~ PROD",
    ]);
    all_hold(&["attribute:stack =~ [op]rod", "attribute:stack =~ p.{1,3}"]);
}

#[test]
fn not_binds_closer_than_and_and_and_closer_than_or() {
    let truth = "agentConnected == true";
    let lie = "agentConnected == false";
    all_hold(&[
        &format!("{truth} or {lie} and {lie}"),
        &format!("not {lie} and {truth}"),
        &format!("!{lie} && {truth} || {lie}"),
        &format!("not not {truth}"),
    ]);
    none_hold(&[
        &format!("({truth} or {lie}) and {lie}"),
        &format!("not ({lie} and {truth} or {truth})"),
    ]);
}

#[test]
fn a_group_comparison_asks_for_any_task() {
    all_hold(&[
        "task:group == service:web",
        "task:group != service:web",
        "task:group in [service:web, service:other]",
        "task:group matches family:.*",
        "task:group exists",
    ]);
    let idle = Machine {
        groups: vec![],
        ..machine()
    };
    let of_idle = |raw: &str| Expression::parse(raw).unwrap().matches(&idle);
    assert!(!of_idle("task:group != service:web"));
    assert!(of_idle("not (task:group == service:web)"));
    assert!(of_idle("task:group not_exists"));
}

#[test]
fn registration_is_compared_in_whole_seconds_unless_the_argument_is_finer() {
    all_hold(&[
        "registeredAt == 2018-06-18T22:28:28Z",
        "registeredAt == 2018-06-18T22:28:28.250",
        "registeredAt > 2018-06-18",
        "registeredAt <= '2018-06-19T00:28:28+02:00'",
    ]);
    none_hold(&[
        "registeredAt > 2018-06-18T22:28:28",
        "registeredAt < 2018-06-18",
    ]);
}

#[test]
fn quotes_hold_what_a_bare_word_cannot() {
    let named = Machine {
        attributes: vec![("owner", Some("a, b) and \"c\""))],
        ..machine()
    };
    let expression = Expression::parse(r#"attribute:owner == 'a, b) and "c"'"#).unwrap();
    assert!(expression.matches(&named));
    let listed = Expression::parse(r#"attribute:owner in ["x", 'a, b) and "c"']"#).unwrap();
    assert!(listed.matches(&named));
}

#[test]
fn what_is_no_expression_is_refused_with_a_reason() {
    refused(
        "",
        &expect!["expression ends too early: expected a subject"],
    );
    refused(
        "attribute:stack",
        &expect!["expression ends too early: expected an operator"],
    );
    refused(
        "attribute:stack ==",
        &expect!["expression ends too early: expected an argument"],
    );
    refused("attribute: == x", &expect!["unknown subject 'attribute:'"]);
    refused("zone == x", &expect!["unknown subject 'zone'"]);
    refused(
        "attribute:stack = prod",
        &expect!["expected an operator at '= prod'"],
    );
    refused(
        "attribute:stack in prod",
        &expect!["expected '[' at 'prod'"],
    );
    refused(
        "attribute:stack in [a b]",
        &expect!["expected ',' or ']' at 'b]'"],
    );
    refused(
        "attribute:stack in []",
        &expect!["expected an argument at ']'"],
    );
    refused(
        "attribute:stack == 'prod",
        &expect!["a quoted text does not end"],
    );
    refused(
        "(attribute:stack exists",
        &expect!["expression ends too early: expected ')'"],
    );
    refused(
        "attribute:stack exists)",
        &expect!["expected 'and' or 'or' at ')'"],
    );
    refused(
        "attribute:a exists AND attribute:b exists",
        &expect!["expected 'and' or 'or' at 'AND attribute:b exists'"],
    );
    refused(
        "attribute:stack == a (b)",
        &expect!["expected 'and' or 'or' at '(b)'"],
    );
    refused(
        "attribute:stack =~ 'a)|(b'",
        &expect!["'a)|(b' is not a valid pattern"],
    );
    refused(
        "attribute:stack =~ (?=x)",
        &expect!["expected an argument at '(?=x)'"],
    );
    refused(
        "attribute:stack =~ '(?=x)'",
        &expect!["'(?=x)' is not a valid pattern"],
    );
    refused(
        "attribute:stack =~ .{500}{500}",
        &expect!["'.{500}{500}' is not a valid pattern"],
    );
    refused(
        "task:group > a",
        &expect!["operator 'greater_than' does not apply to 'task:group'"],
    );
    refused(
        "agentVersion in [1]",
        &expect!["operator 'in' does not apply to 'agentVersion'"],
    );
    refused(
        "ec2InstanceId exists",
        &expect!["operator 'exists' does not apply to 'ec2InstanceId'"],
    );
    refused(
        "agentVersion == new",
        &expect!["'new' is not a valid value for 'agentVersion'"],
    );
    refused(
        "runningTasksCount > -1",
        &expect!["'-1' is not a valid value for 'runningTasksCount'"],
    );
    refused(
        "registeredAt > soon",
        &expect!["'soon' is not a valid value for 'registeredAt'"],
    );
    refused(
        "agentConnected == yes",
        &expect!["'yes' is not a valid value for 'agentConnected'"],
    );
}

#[test]
fn length_and_nesting_are_bounded() {
    let long = format!("attribute:x == {}", "y".repeat(EXPRESSION_LENGTH_MAX));
    assert_eq!(
        Expression::parse(&long).unwrap_err(),
        InvalidExpression::TooLong
    );
    let fits = format!("attribute:x == {}", "ä".repeat(EXPRESSION_LENGTH_MAX - 15));
    assert!(Expression::parse(&fits).is_ok());
    let deep = format!("{}attribute:x exists{}", "(".repeat(33), ")".repeat(33));
    assert_eq!(
        Expression::parse(&deep).unwrap_err(),
        InvalidExpression::TooDeep
    );
    assert!(Expression::parse(&deep[1..deep.len() - 1]).is_ok());
    let negated = format!("{}attribute:x exists", "!".repeat(1900));
    assert!(!holds(&negated));
}

#[test]
fn only_what_asks_about_tasks_depends_on_them() {
    let depends = |raw: &str| Expression::parse(raw).unwrap().depends_on_tasks();
    assert!(depends(
        "attribute:x exists and not (runningTasksCount > 3)"
    ));
    assert!(depends("agentConnected == true or task:group exists"));
    assert!(!depends("attribute:x exists and agentVersion > 1.0"));
}

#[test]
fn a_record_and_its_tasks_give_the_facts() {
    let record = serde_json::json!({
        "id": "0123456789abcdef0123456789abcdef",
        "cluster": "000000000001/r-1/default",
        "status": "ACTIVE",
        "offer": { "instance": true, "fargate": false },
        "capacity": { "cpu": 1024, "memory": 512 },
        "attributes": [{ "n": "stack", "v": "prod" }],
        "custom_attributes": [{ "n": "stack", "v": "test" }],
        "version_info": { "agent": "1.50.0", "hash": null, "docker": null },
        "machine_id": "i-7",
        "registered_at": 0,
        "version": 1,
    });
    let instance: ContainerInstance = serde_json::from_value(record).unwrap();
    let groups = [Text::new("service:web")];
    let facts = InstanceFacts {
        instance: &instance,
        connected: false,
        running_tasks: 1,
        groups: &groups,
    };
    for raw in [
        "attribute:stack == test",
        "agentConnected == false",
        "agentVersion >= 1.50",
        "ec2InstanceId == i-7",
        "registeredAt == 1970-01-01",
        "runningTasksCount == 1",
        "task:group == service:web",
    ] {
        assert!(Expression::parse(raw).unwrap().matches(&facts), "{raw}");
    }
}

/// Text made of the language's own pieces, most of it wrong.
fn soup() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec![
            "(", ")", "[", "]", ",", "'", "\"", "!", "not ", " and ", " or ", "&&", "||", "==", "!=",
            "=~", "!~", ">", "<=", " in ", " not_in ", " exists", " matches ", "attribute:", "attribute:x",
            "task:group", "agentVersion", "registeredAt", "runningTasksCount", "agentConnected", "true",
            "1.2", "7", "2018-06-18", "T00:00:00", "+01:00", "Z", " ", "x", "(?i)", "{9}", "*", "\\", "ä",
        ]).prop_map(String::from),
        1 => any::<String>(),
    ];
    prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_text_is_read_or_refused_without_panic(raw in soup()) {
        if let Ok(expression) = Expression::parse(&raw) {
            let once = expression.matches(&machine());
            if let Ok(negated) = Expression::parse(&format!("not ({raw})")) {
                prop_assert_eq!(negated.matches(&machine()), !once);
            }
            if let Ok(both) = Expression::parse(&format!("({raw}) and ({raw})")) {
                prop_assert_eq!(both.matches(&machine()), once);
            }
        }
    }
}
