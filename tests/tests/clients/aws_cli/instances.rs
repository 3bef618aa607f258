//! Container instances and attributes.

use berth_tests::Cli;
use serde_json::json;

use super::{text, texts};

pub(super) fn live(cli: &mut Cli) {
    let listed = cli.run(&["ecs", "list-container-instances"]);
    let arns = texts(&listed["containerInstanceArns"]);
    let [first, _] = arns[..] else {
        panic!("two agents were started: {listed}");
    };
    let target = format!("name=rack,value=a7,targetId={first}");
    let _ = cli.run(&["ecs", "put-attributes", "--attributes", &target]);
    let list = ["ecs", "list-attributes", "--target-type"];
    let rack = ["container-instance", "--attribute-name", "rack"];
    let listed = cli.run(&[&list[..], &rack[..]].concat());
    assert_eq!(
        listed["attributes"],
        json!([{
            "name": "rack", "value": "a7", "targetId": first, "targetType": "container-instance",
        }])
    );
    let filter = ["ecs", "list-container-instances", "--filter"];
    let found = cli.run(&[&filter[..], &["attribute:rack == a7"]].concat());
    assert_eq!(texts(&found["containerInstanceArns"]), [first]);
    let target = format!("name=rack,targetId={first}");
    let _ = cli.run(&["ecs", "delete-attributes", "--attributes", &target]);
    let listed = cli.run(&[&list[..], &rack[..]].concat());
    assert_eq!(listed["attributes"], json!([]));

    let describe = [
        "ecs",
        "describe-container-instances",
        "--include",
        "TAGS",
        "--container-instances",
    ];
    let described = cli.run(&[&describe[..], &[first]].concat());
    assert_eq!(described["containerInstances"][0]["agentConnected"], true);
    let update = ["ecs", "update-container-instances-state", "--status"];
    for status in ["DRAINING", "ACTIVE"] {
        let instance = [status, "--container-instances", first];
        let updated = cli.run(&[&update[..], &instance[..]].concat());
        assert_eq!(text(&updated, "/containerInstances/0/status"), status);
    }
    // Nothing but an agent's own release brings a newer one.
    let update = ["ecs", "update-container-agent", "--container-instance"];
    assert_eq!(
        cli.refused(&[&update[..], &[first]].concat()),
        "NoUpdateAvailableException"
    );
}
