//! Lists in pages (reference §1.4): whatever comes and goes between two pages, what was there all
//! the time is shown once and nothing is shown twice; a token is good for its own list alone, and
//! only as it was given.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod caller;

use std::collections::BTreeSet;

use caller::{Bench, SCOPE};
use proptest::prelude::*;
use serde_json::Value;

/// A list: how it is asked for, and how what it lists comes and goes.
struct List {
    operation: &'static str,
    /// The members of the request beside the page's own.
    request: &'static str,
    /// The list in the answer, and the name within an element; empty for an element that is one.
    items: &'static str,
    name: &'static str,
    /// Makes an item; `#` is its number.
    create: (&'static str, &'static str),
    /// What the creating call's answer names the item by, in the list and for its end.
    id: &'static str,
    /// Ends an item; `$` is its id.
    delete: (&'static str, &'static str),
    /// The greatest page.
    page_max: usize,
}

const SERVICE: &str = r#"{"serviceName": "s#", "taskDefinition": "web", "desiredCount": 0,
    "serviceConnectConfiguration": {"enabled": true, "namespace": "local"}}"#;

const LISTS: &[List] = &[
    List {
        operation: "ListClusters",
        request: "",
        items: "/clusterArns",
        name: "",
        create: ("CreateCluster", r#"{"clusterName": "c#"}"#),
        id: "/cluster/clusterArn",
        delete: ("DeleteCluster", r#"{"cluster": "$"}"#),
        page_max: 100,
    },
    List {
        operation: "ListServices",
        request: "",
        items: "/serviceArns",
        name: "",
        create: ("CreateService", SERVICE),
        id: "/service/serviceArn",
        delete: ("DeleteService", r#"{"service": "$"}"#),
        page_max: 100,
    },
    List {
        operation: "ListServicesByNamespace",
        request: r#""namespace": "local","#,
        items: "/serviceArns",
        name: "",
        create: ("CreateService", SERVICE),
        id: "/service/serviceArn",
        delete: ("DeleteService", r#"{"service": "$"}"#),
        page_max: 100,
    },
    List {
        operation: "ListTaskDefinitions",
        request: r#""sort": "DESC","#,
        items: "/taskDefinitionArns",
        name: "",
        create: (
            "RegisterTaskDefinition",
            r#"{"family": "f#", "containerDefinitions": [{"name": "a", "image": "i", "memory": 1}]}"#,
        ),
        id: "/taskDefinition/taskDefinitionArn",
        delete: ("DeregisterTaskDefinition", r#"{"taskDefinition": "$"}"#),
        page_max: 100,
    },
    List {
        operation: "ListTaskDefinitionFamilies",
        request: r#""status": "ACTIVE","#,
        items: "/families",
        name: "",
        create: (
            "RegisterTaskDefinition",
            r#"{"family": "f#", "containerDefinitions": [{"name": "a", "image": "i", "memory": 1}]}"#,
        ),
        id: "/taskDefinition/family",
        delete: ("DeregisterTaskDefinition", r#"{"taskDefinition": "$:1"}"#),
        page_max: 100,
    },
    List {
        operation: "ListTasks",
        request: "",
        items: "/taskArns",
        name: "",
        create: ("RunTask", r#"{"taskDefinition": "web"}"#),
        id: "/tasks/0/taskArn",
        delete: ("StopTask", r#"{"task": "$"}"#),
        page_max: 100,
    },
    List {
        operation: "ListContainerInstances",
        request: "",
        items: "/containerInstanceArns",
        name: "",
        create: ("RegisterContainerInstance", r#"{"totalResources": []}"#),
        id: "/containerInstance/containerInstanceArn",
        delete: (
            "DeregisterContainerInstance",
            r#"{"containerInstance": "$"}"#,
        ),
        page_max: 100,
    },
    List {
        operation: "ListAttributes",
        request: r#""targetType": "container-instance", "attributeName": "rack","#,
        items: "/attributes",
        name: "/targetId",
        create: (
            "RegisterContainerInstance",
            r##"{"totalResources": [], "attributes": [{"name": "rack", "value": "#"}]}"##,
        ),
        id: "/containerInstance/containerInstanceArn",
        delete: (
            "DeregisterContainerInstance",
            r#"{"containerInstance": "$"}"#,
        ),
        page_max: 100,
    },
    List {
        operation: "DescribeCapacityProviders",
        request: "",
        items: "/capacityProviders",
        name: "/name",
        create: (
            "CreateCapacityProvider",
            r#"{"name": "p#", "autoScalingGroupProvider": {"autoScalingGroupArn": "arn:#"}}"#,
        ),
        id: "/capacityProvider/name",
        delete: ("DeleteCapacityProvider", r#"{"capacityProvider": "$"}"#),
        page_max: 10,
    },
];

fn call(bench: &Bench, operation: &str, request: &str) -> Value {
    bench
        .call(operation, request)
        .unwrap_or_else(|error| panic!("{operation} {request}: {}", error.0.message))
}

fn furnished() -> Bench {
    let bench = Bench::default();
    call(&bench, "CreateCluster", "{}");
    call(
        &bench,
        "RegisterTaskDefinition",
        r#"{"family": "web", "containerDefinitions": [{"name": "a", "image": "i", "memory": 1,
            "portMappings": [{"name": "http", "containerPort": 80}]}]}"#,
    );
    call(
        &bench,
        "RegisterContainerInstance",
        r#"{"totalResources": [{"name": "CPU", "integerValue": 1024},
            {"name": "MEMORY", "integerValue": 1024}]}"#,
    );
    bench
}

impl List {
    fn create(&self, bench: &Bench, number: usize) -> String {
        let (operation, request) = self.create;
        let answer = call(bench, operation, &request.replace('#', &number.to_string()));
        let id = answer.pointer(self.id).and_then(Value::as_str);
        id.unwrap_or_else(|| panic!("no {} in {answer}", self.id))
            .to_owned()
    }

    fn delete(&self, bench: &Bench, id: &str) {
        let (operation, request) = self.delete;
        call(bench, operation, &request.replace('$', id));
    }

    fn request(&self, size: usize, token: Option<&str>) -> String {
        let token = token.map_or(String::new(), |token| {
            format!(r#", "nextToken": "{token}""#)
        });
        format!(r#"{{{} "maxResults": {size}{token}}}"#, self.request)
    }

    /// A page's items, and the token of the next one.
    fn page(
        &self,
        bench: &Bench,
        size: usize,
        token: Option<&str>,
    ) -> (Vec<String>, Option<String>) {
        let answer = call(bench, self.operation, &self.request(size, token));
        let items = answer
            .pointer(self.items)
            .and_then(Value::as_array)
            .unwrap();
        assert!(items.len() <= size, "{} of {size}", items.len());
        let name = |item: &Value| {
            item.pointer(self.name)
                .unwrap()
                .as_str()
                .unwrap()
                .to_owned()
        };
        let next = answer
            .get("nextToken")
            .map(|token| token.as_str().unwrap().to_owned());
        (items.iter().map(name).collect(), next)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_there_all_the_time_is_shown_once(
        list in 0..LISTS.len(),
        size in 1_usize..4,
        start in 1_usize..9,
        changes in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 12),
    ) {
        let list = &LISTS[list];
        let bench = furnished();
        let mut living: Vec<String> = (0..start).map(|n| list.create(&bench, n * 2)).collect();
        let mut always: BTreeSet<String> = living.iter().cloned().collect();
        let mut shown = Vec::new();
        let mut token: Option<String> = None;
        for (turn, (adds, which)) in changes.iter().enumerate().chain(
            // More turns than there can be pages.
            std::iter::repeat_n((1000, &changes[0]), 40),
        ) {
            let (items, next) = list.page(&bench, size, token.as_deref());
            shown.extend(items);
            token = next;
            if token.is_none() {
                break;
            }
            if turn == 1000 {
                continue;
            }
            if *adds {
                living.push(list.create(&bench, 100 + turn));
            } else if !living.is_empty() {
                let gone = living.remove(which.index(living.len()));
                list.delete(&bench, &gone);
                always.remove(&gone);
            }
        }
        prop_assert!(token.is_none(), "{} does not end", list.operation);
        let once: BTreeSet<String> = shown.iter().cloned().collect();
        prop_assert_eq!(once.len(), shown.len(), "{} shows one twice", list.operation);
        let missed: Vec<&String> = always.difference(&once).collect();
        prop_assert!(missed.is_empty(), "{} misses {missed:?}", list.operation);
    }
}

#[test]
fn a_token_is_good_for_its_own_list_alone_and_as_it_was_given() {
    for list in LISTS {
        let bench = furnished();
        for number in 0..3 {
            list.create(&bench, number);
        }
        let (_, token) = list.page(&bench, 1, None);
        let token = token.expect("there is more");
        let refusal = |request: &str, scope: &str| {
            let arn = "arn:aws:iam::123456789012:user/admin";
            let outcome = bench.call_as(&scope.parse().unwrap(), arn, list.operation, request);
            match outcome.unwrap() {
                Ok(answer) => panic!("{} took {request}: {answer}", list.operation),
                Err(error) => error.0.code.to_string(),
            }
        };
        for at in 0..token.len() {
            let mut bad = token.clone().into_bytes();
            bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
            let bad = String::from_utf8(bad).unwrap();
            // The last character may hold bits that say nothing.
            if at + 1 == token.len() {
                continue;
            }
            assert_eq!(
                refusal(&list.request(1, Some(&bad)), SCOPE),
                "InvalidParameterException",
                "{} {at}",
                list.operation
            );
        }
        for other in LISTS
            .iter()
            .filter(|other| other.operation != list.operation)
        {
            let outcome = bench.call(other.operation, &other.request(1, Some(&token)));
            assert!(
                outcome.is_err(),
                "{} took {}'s",
                other.operation,
                list.operation
            );
        }
    }
}

#[test]
fn pages_have_a_size_from_one_to_the_most() {
    for list in LISTS {
        let bench = furnished();
        call(&bench, list.operation, &list.request(list.page_max, None));
        for size in [0, list.page_max + 1] {
            let outcome = bench.call(list.operation, &list.request(size, None));
            let error = outcome.expect_err("a size out of range");
            let invalid = match list.operation {
                "ListTaskDefinitions" | "ListTaskDefinitionFamilies" => {
                    ["ClientException", "InvalidParameterException"]
                }
                _ => ["InvalidParameterException"; 2],
            };
            assert!(
                invalid.contains(&&*error.0.code),
                "{}: {error:?}",
                list.operation
            );
        }
    }
}

#[test]
fn without_a_size_services_come_in_tens_and_service_deployments_in_twenties() {
    let bench = furnished();
    for number in 0..11 {
        call(
            &bench,
            "CreateService",
            &SERVICE.replace('#', &number.to_string()),
        );
    }
    for request in [
        ("ListServices", "{}"),
        ("ListServicesByNamespace", r#"{"namespace": "local"}"#),
    ] {
        let page = call(&bench, request.0, request.1);
        assert_eq!(page["serviceArns"].as_array().map(Vec::len), Some(10));
    }
    for _ in 0..20 {
        call(
            &bench,
            "UpdateService",
            r#"{"service": "s0", "forceNewDeployment": true}"#,
        );
    }
    let page = call(&bench, "ListServiceDeployments", r#"{"service": "s0"}"#);
    assert_eq!(
        page["serviceDeployments"].as_array().map(Vec::len),
        Some(20)
    );
    let rest = format!(r#"{{"service": "s0", "nextToken": {}}}"#, page["nextToken"]);
    let rest = call(&bench, "ListServiceDeployments", &rest);
    assert_eq!(rest["serviceDeployments"].as_array().map(Vec::len), Some(1));
}
