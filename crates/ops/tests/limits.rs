//! Limits whose requests are too long for a page of answers (reference §1.4, §1.5, §2.3, §9.2).

mod caller;

use caller::{Bench, Outcome};
use serde_json::{Value, json};

fn refusal(outcome: Outcome) -> String {
    match outcome {
        Ok(answer) => panic!("no refusal: {answer}"),
        Err(error) => format!("{}: {}", error.0.code, error.0.message),
    }
}

fn tags(range: std::ops::Range<usize>) -> Value {
    range
        .map(|nth| json!({"key": format!("key-{nth}"), "value": ""}))
        .collect()
}

#[test]
fn a_resource_has_at_most_fifty_tags() {
    let bench = Bench::default();
    let request = json!({"tags": tags(0..51)}).to_string();
    assert_eq!(
        refusal(bench.call("CreateCluster", &request)),
        "InvalidParameterException: The maximum number of tags that you can apply to a resource \
         is 50."
    );
    let request = json!({"tags": tags(0..50)}).to_string();
    let cluster = bench.call("CreateCluster", &request).expect("50 will do");
    let arn = &cluster["cluster"]["clusterArn"];
    let again = json!({"resourceArn": arn, "tags": tags(10..20)}).to_string();
    bench.call("TagResource", &again).expect("no key is new");
    let more = json!({"resourceArn": arn, "tags": tags(50..51)}).to_string();
    assert_eq!(
        refusal(bench.call("TagResource", &more)),
        "LimitExceededException: The maximum number of tags that you can apply to a resource is \
         50."
    );
}

#[test]
fn a_definition_has_at_most_64_kib() {
    let bench = Bench::default();
    let register = |characters: usize| {
        let container = json!({
            "name": "c", "image": "i", "memory": 64, "command": ["x".repeat(characters)],
        });
        let request = json!({"family": "web", "containerDefinitions": [container]});
        bench.call("RegisterTaskDefinition", &request.to_string())
    };
    assert!(register(65_000).is_ok());
    let refused = refusal(register(65_536));
    assert!(
        refused.starts_with("ClientException: Actual length: '656")
            && refused.ends_with("Max allowed length is '65536' bytes."),
        "{refused}"
    );
}

#[test]
fn lists_have_a_hundred_to_a_page_and_describe_takes_a_hundred() {
    let bench = Bench::default();
    let names: Vec<String> = (0..101).map(|nth| format!("c{nth:03}")).collect();
    for name in &names {
        let request = json!({"clusterName": name}).to_string();
        bench
            .call("CreateCluster", &request)
            .expect("a new cluster");
    }
    assert_eq!(bench.world.snapshot().clusters.len(), 101);
    let page = bench.call("ListClusters", "{}").expect("a page");
    assert_eq!(page["clusterArns"].as_array().map(Vec::len), Some(100));
    let request = json!({"nextToken": page["nextToken"]}).to_string();
    let rest = bench.call("ListClusters", &request).expect("a page");
    assert_eq!(
        rest,
        json!({"clusterArns": ["arn:aws:ecs:us-east-1:123456789012:cluster/c100"]})
    );
    let request = json!({"clusters": names}).to_string();
    assert_eq!(
        refusal(bench.call("DescribeClusters", &request)),
        "InvalidParameterException: Clusters must not be longer than 100."
    );
}

#[test]
fn a_strategy_has_at_most_twenty_providers() {
    let bench = Bench::default();
    let items: Value = (0..21)
        .map(|nth| json!({"capacityProvider": format!("p{nth}")}))
        .collect();
    let request = json!({"defaultCapacityProviderStrategy": items}).to_string();
    assert_eq!(
        refusal(bench.call("CreateCluster", &request)),
        "InvalidParameterException: A capacity provider strategy can contain a maximum of 20 \
         capacity providers."
    );
    let providers: Value = (0..21).map(|nth| json!(format!("p{nth}"))).collect();
    let request = json!({"capacityProviders": providers}).to_string();
    assert_eq!(
        refusal(bench.call("CreateCluster", &request)),
        "InvalidParameterException: A cluster can contain a maximum of 20 capacity providers."
    );
}

#[test]
fn overrides_have_at_most_8192_characters() {
    let bench = Bench::default();
    bench.call("CreateCluster", "{}").expect("a cluster");
    let container = json!({"name": "c", "image": "i", "memory": 64});
    let definition = json!({"family": "web", "containerDefinitions": [container]}).to_string();
    bench
        .call("RegisterTaskDefinition", &definition)
        .expect("a definition");
    let request = |characters: usize| {
        let over = json!({"name": "c", "command": ["x".repeat(characters)]});
        json!({"taskDefinition": "web", "overrides": {"containerOverrides": [over]}}).to_string()
    };
    let refused = refusal(bench.call("RunTask", &request(8192)));
    assert!(
        refused.starts_with("InvalidParameterException: "),
        "{refused}"
    );
    assert_eq!(
        refusal(bench.call("RunTask", &request(8000))),
        "InvalidParameterException: No Container Instances were found in your cluster."
    );
}
