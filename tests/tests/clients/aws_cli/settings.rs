//! Account settings and tags.

use berth_tests::Cli;
use serde_json::json;

use super::text;

pub(super) fn live(cli: &mut Cli) {
    let insights = ["--name", "containerInsights"];
    let put = ["ecs", "put-account-setting", "--value", "enabled"];
    let set = cli.run(&[&put[..], &insights[..]].concat());
    assert_eq!(set["setting"]["value"], "enabled");
    let put = ["ecs", "put-account-setting-default", "--value", "enhanced"];
    let _ = cli.run(&[&put[..], &insights[..]].concat());
    let list = ["ecs", "list-account-settings", "--effective-settings"];
    let effective = |cli: &mut Cli| {
        let listed = cli.run(&[&list[..], &insights[..]].concat());
        assert_eq!(listed["settings"].as_array().map(Vec::len), Some(1));
        text(&listed, "/settings/0/value").to_owned()
    };
    // Reference §9.1: what a caller has set for itself counts more than the account's default. The
    // caller of `berth dev` is the root user, whose setting is the default itself.
    assert_eq!(effective(cli), "enhanced");
    let delete = ["ecs", "delete-account-setting"];
    let _ = cli.run(&[&delete[..], &insights[..]].concat());
    let all = cli.run(&["ecs", "list-account-settings", "--effective-settings"]);
    let count = all["settings"].as_array().map_or(0, Vec::len);
    assert!(count > 8, "every setting has an effective value: {all}");

    let create = ["ecs", "create-cluster", "--cluster-name", "tagged"];
    let created = cli.run(&create);
    let arn = text(&created, "/cluster/clusterArn").to_owned();
    let on = ["--resource-arn", arn.as_str()];
    let tag = ["ecs", "tag-resource", "--tags"];
    let tags = ["key=team,value=blue", "key=stage,value=test"];
    let _ = cli.run(&[&tag[..], &tags[..], &on[..]].concat());
    let untag = ["ecs", "untag-resource", "--tag-keys", "team"];
    let _ = cli.run(&[&untag[..], &on[..]].concat());
    let list = ["ecs", "list-tags-for-resource"];
    let listed = cli.run(&[&list[..], &on[..]].concat());
    assert_eq!(listed["tags"], json!([{ "key": "stage", "value": "test" }]));
    let _ = cli.run(&["ecs", "delete-cluster", "--cluster", "tagged"]);
}
