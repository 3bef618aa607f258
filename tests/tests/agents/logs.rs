//! What containers write, as it comes out of the logs' API.

use berth_tests::{Aws, Docker, IMAGE, Key, SOON, wait_for};
use serde_json::json;

use crate::Field;

fn messages(aws: &Aws, group: &str) -> Vec<String> {
    let get = ["logs", "filter-log-events", "--log-group-name", group];
    let Ok(answer) = aws.try_run(&get) else {
        return Vec::new();
    };
    let events = answer["events"].as_array().unwrap();
    let text = |event: &serde_json::Value| event["message"].as_str().unwrap().to_owned();
    events.iter().map(text).collect()
}

#[test]
fn bytes_that_are_no_text_hold_nothing_up_and_lose_no_line() {
    const LINES: usize = 60;
    let docker = Docker::get();
    let mut field = Field::with_docker(&docker, &[]);
    let options = json!({ "awslogs-group": "odd", "awslogs-region": "us-east-1",
        "awslogs-create-group": "true", "awslogs-stream-prefix": "t" });
    // U+0000 at the start, inside and at the end of a line and alone on one, bytes that are no
    // UTF-8, U+FFFF, a bell and a tab.
    let line = r"i=0; while [ $i -lt 60 ]; do
        case $((i % 6)) in
            0) printf '\000%s starts\n' $i;;
            1) printf '%s a\000\000b\n' $i;;
            2) printf '%s ends\000\n' $i;;
            3) printf '%s no \377\376 text\n' $i;;
            4) printf '%s \357\277\277 \a \t|\n' $i;;
            5) printf '\000\n';;
        esac
        i=$((i + 1)); usleep 50000; done";
    let container = json!([{ "name": "main", "image": IMAGE, "memory": 32,
        "command": ["sh", "-c", line],
        "logConfiguration": { "logDriver": "awslogs", "options": options } }]);
    field.register("odd", &container, &json!({}));
    let task = field.run("odd", &json!({}));
    field.wait_until(&task, "RUNNING");
    let aws = field.server.aws().key(Key::TESTS.id, Key::TESTS.secret);
    wait_for("the first lines", SOON, || {
        (messages(&aws, "odd").len() > 3).then_some(())
    });
    // Neither loses or repeats a line.
    field.kill_agent();
    field.restart_agent();
    field.server.kill();
    field.server.restart();
    field.wait_until(&task, "STOPPED");
    let seen = wait_for("the last line", SOON, || {
        let seen = messages(&aws, "odd");
        (seen.len() >= LINES).then_some(seen)
    });
    let expected: Vec<String> = (0..LINES)
        .map(|i| match i % 6 {
            0 => format!("\u{fffd}{i} starts"),
            1 => format!("{i} a\u{fffd}\u{fffd}b"),
            2 => format!("{i} ends\u{fffd}"),
            3 => format!("{i} no \u{fffd}\u{fffd} text"),
            4 => format!("{i} \u{ffff} \u{7} \t|"),
            _ => "\u{fffd}".to_owned(),
        })
        .collect();
    assert_eq!(seen, expected);
    field.finish();
}
