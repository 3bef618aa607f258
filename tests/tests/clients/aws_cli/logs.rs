//! Log groups, streams and events, as far as they are served.

use berth_tests::Cli;
use serde_json::json;

use super::text;

pub(super) fn live(cli: &mut Cli) {
    let group = ["--log-group-name", "/cli/web"];
    let stream = ["--log-stream-name", "web/1"];
    let _ = cli.run(&[&["logs", "create-log-group"], &group[..]].concat());
    let _ = cli.run(&[&["logs", "create-log-stream"], &group[..], &stream[..]].concat());
    let retention = ["logs", "put-retention-policy", "--retention-in-days", "7"];
    let _ = cli.run(&[&retention[..], &group[..]].concat());
    let find = ["logs", "describe-log-groups", "--log-group-name-prefix"];
    let found = cli.run(&[&find[..], &["/cli"]].concat());
    assert_eq!(found["logGroups"][0]["retentionInDays"], 7);
    let arn = text(&found, "/logGroups/0/arn")
        .trim_end_matches(":*")
        .to_owned();
    let _ = cli.run(&[&["logs", "delete-retention-policy"], &group[..]].concat());

    let now = cli_clock();
    let events = json!([
        { "timestamp": now, "message": "one" },
        { "timestamp": now + 1, "message": "two" },
    ]);
    let put = ["logs", "put-log-events", "--log-events"];
    let events = events.to_string();
    let _ = cli.run(&[&put[..], &[&events], &group[..], &stream[..]].concat());
    let get = ["logs", "get-log-events", "--start-from-head"];
    let got = cli.run(&[&get[..], &group[..], &stream[..]].concat());
    let messages = ["/events/0/message", "/events/1/message"].map(|at| text(&got, at).to_owned());
    assert_eq!(messages, ["one", "two"]);
    let filter = ["logs", "filter-log-events", "--filter-pattern", "two"];
    let found = cli.run(&[&filter[..], &group[..]].concat());
    assert_eq!(found["events"].as_array().map(Vec::len), Some(1));
    let streams = cli.run(&[&["logs", "describe-log-streams"], &group[..]].concat());
    assert_eq!(text(&streams, "/logStreams/0/logStreamName"), "web/1");

    let on = ["--resource-arn", arn.as_str()];
    let tag = ["logs", "tag-resource", "--tags", "team=blue,stage=test"];
    let _ = cli.run(&[&tag[..], &on[..]].concat());
    let untag = ["logs", "untag-resource", "--tag-keys", "stage"];
    let _ = cli.run(&[&untag[..], &on[..]].concat());
    let listed = cli.run(&[&["logs", "list-tags-for-resource"], &on[..]].concat());
    assert_eq!(listed["tags"], json!({ "team": "blue" }));

    let _ = cli.run(&[&["logs", "delete-log-stream"], &group[..], &stream[..]].concat());
    let _ = cli.run(&[&["logs", "delete-log-group"], &group[..]].concat());
}

/// The time, in milliseconds since 1970: events of another time would be refused.
#[expect(
    clippy::disallowed_methods,
    reason = "an event is of the time at which it is written"
)]
fn cli_clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    u64::try_from(since.unwrap().as_millis()).unwrap()
}
