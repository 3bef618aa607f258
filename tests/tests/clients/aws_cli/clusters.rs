//! Clusters and capacity providers.

use berth_tests::Cli;
use serde_json::json;

use super::{text, texts};

const GROUP: &str = "arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:\
                     1f6a1d43-ddb5-4f66-b4a6-b2a5f2d6c8f1:autoScalingGroupName/shop";

pub(super) fn live(cli: &mut Cli) {
    let create = ["ecs", "create-cluster", "--cluster-name", "cli"];
    let rest = ["--tags", "key=team,value=blue", "--settings"];
    let setting = ["name=containerInsights,value=enabled"];
    let created = cli.run(&[&create[..], &rest[..], &setting[..]].concat());
    assert_eq!(created["cluster"]["status"], "ACTIVE");
    let arn = text(&created, "/cluster/clusterArn").to_owned();
    assert_eq!(arn, "arn:aws:ecs:us-east-1:000000000000:cluster/cli");

    let listed = cli.run(&["ecs", "list-clusters", "--page-size", "1"]);
    assert!(
        texts(&listed["clusterArns"]).contains(&arn.as_str()),
        "{listed}"
    );
    // The CLI makes a token of its own out of the server's.
    let first = cli.run(&["ecs", "list-clusters", "--max-items", "1"]);
    let token = text(&first, "/NextToken");
    let second = ["ecs", "list-clusters", "--starting-token", token];
    let second = cli.run(&second);
    let pages = [&first, &second].map(|page| texts(&page["clusterArns"]).len());
    assert_eq!(pages, [1, 1], "the default cluster is the other");

    capacity_providers(cli);
    let update = ["ecs", "update-cluster", "--cluster", "cli"];
    let configuration = [
        "--configuration",
        "executeCommandConfiguration={logging=NONE}",
    ];
    let _ = cli.run(&[&update[..], &configuration[..]].concat());
    let update = ["ecs", "update-cluster-settings", "--cluster", "cli"];
    let setting = ["--settings", "name=containerInsights,value=disabled"];
    let _ = cli.run(&[&update[..], &setting[..]].concat());
    let describe = ["ecs", "describe-clusters", "--clusters", "cli", "--include"];
    let include = [
        "TAGS",
        "SETTINGS",
        "CONFIGURATIONS",
        "ATTACHMENTS",
        "STATISTICS",
    ];
    let described = cli.run(&[&describe[..], &include[..]].concat());
    let seen = &described["clusters"][0];
    assert_eq!(seen["tags"], json!([{ "key": "team", "value": "blue" }]));
    assert_eq!(
        seen["settings"],
        json!([{ "name": "containerInsights", "value": "disabled" }])
    );
    let logging = "/configuration/executeCommandConfiguration/logging";
    assert_eq!(text(seen, logging), "NONE");
    assert_eq!(seen["statistics"].as_array().map(Vec::len), Some(16));

    let deleted = cli.run(&["ecs", "delete-cluster", "--cluster", "cli"]);
    assert_eq!(deleted["cluster"]["status"], "INACTIVE");
}

/// A capacity provider, used by the cluster for a while.
fn capacity_providers(cli: &mut Cli) {
    let provider =
        format!("autoScalingGroupArn={GROUP},managedScaling={{status=ENABLED,targetCapacity=90}}");
    let create = ["ecs", "create-capacity-provider", "--name", "shop"];
    let rest = ["--auto-scaling-group-provider", &provider];
    let made = cli.run(&[&create[..], &rest[..]].concat());
    assert_eq!(made["capacityProvider"]["status"], "ACTIVE");
    let update = ["ecs", "update-capacity-provider", "--name", "shop"];
    let rest = [
        "--auto-scaling-group-provider",
        "managedScaling={status=ENABLED,targetCapacity=80}",
    ];
    let _ = cli.run(&[&update[..], &rest[..]].concat());
    let describe = ["ecs", "describe-capacity-providers", "--capacity-providers"];
    let described = cli.run(&[&describe[..], &["shop", "FARGATE"]].concat());
    let names: Vec<&str> = (0..2)
        .map(|at| text(&described, &format!("/capacityProviders/{at}/name")))
        .collect();
    assert_eq!(names, ["shop", "FARGATE"]);
    let scaling = &described["capacityProviders"][0]["autoScalingGroupProvider"]["managedScaling"];
    assert_eq!(scaling["targetCapacity"], 80);

    let put = ["ecs", "put-cluster-capacity-providers", "--cluster", "cli"];
    let lists = |providers, strategy| {
        let flags = [
            "--capacity-providers",
            providers,
            "--default-capacity-provider-strategy",
            strategy,
        ];
        [&put[..], &flags[..]].concat()
    };
    let used = cli.run(&lists("shop", "capacityProvider=shop,weight=1,base=2"));
    assert_eq!(
        used["cluster"]["defaultCapacityProviderStrategy"],
        json!([{ "capacityProvider": "shop", "weight": 1, "base": 2 }])
    );
    let delete = [
        "ecs",
        "delete-capacity-provider",
        "--capacity-provider",
        "shop",
    ];
    // Reference §2.2: that it is used makes no error, and is seen afterwards.
    let deleted = cli.run(&delete);
    assert_eq!(text(&deleted, "/capacityProvider/status"), "ACTIVE");
    let described = cli.run(&[&describe[..], &["shop"]].concat());
    let status = "/capacityProviders/0/updateStatus";
    assert_eq!(text(&described, status), "DELETE_FAILED");
    let _ = cli.run(&lists("[]", "[]"));
    let _ = cli.run(&delete);
}
