//! Answers to the byte, as `AWS JSON 1.1` has them.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;

use berth_wire::{Blob, EpochSeconds, Fault, FaultCode, json};
use serde_json::json;

fn text(response: &http::Response<bytes::Bytes>) -> &str {
    std::str::from_utf8(response.body()).unwrap()
}

#[test]
fn a_success_is_a_json_object_with_the_requests_id() {
    let output = BTreeMap::from([
        ("taskArns".to_owned(), vec!["a".to_owned()]),
        ("failures".to_owned(), vec![]),
    ]);
    let response = json::respond(&output, "2f2a8c3e-9d4b-4f10-a6c1-0123456789ab");
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "application/x-amz-json-1.1"
    );
    assert_eq!(
        response.headers()["x-amzn-RequestId"],
        "2f2a8c3e-9d4b-4f10-a6c1-0123456789ab"
    );
    assert_eq!(text(&response), r#"{"failures":[],"taskArns":["a"]}"#);
}

#[test]
fn faults_read_as_amazon_ecs_writes_them() {
    let not_found = Fault::client("ClusterNotFoundException", "Cluster not found.");
    let conflict = Fault::client("ConflictException", "In use.")
        .with_field("resourceIds", json!(["arn:1", "arn:2"]));
    let empty = Fault::client("ServiceNotFoundException", "");
    let internal = Fault::internal("the disk is full");
    let oddly_coded = Fault::client(
        FaultCode {
            code: "X".into(),
            status: 7,
        },
        "no such HTTP status",
    );
    for (fault, status, body) in [
        (
            not_found,
            400,
            r#"{"__type":"ClusterNotFoundException","message":"Cluster not found."}"#,
        ),
        (
            conflict,
            400,
            r#"{"__type":"ConflictException","message":"In use.","resourceIds":["arn:1","arn:2"]}"#,
        ),
        (
            empty,
            400,
            r#"{"__type":"ServiceNotFoundException","message":""}"#,
        ),
        (
            internal,
            500,
            r#"{"__type":"ServerException","message":"Service Unavailable. Please try again later."}"#,
        ),
        (
            Fault::throttled(),
            400,
            r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
        ),
        (
            oddly_coded,
            500,
            r#"{"__type":"X","message":"no such HTTP status"}"#,
        ),
    ] {
        let response = json::respond_fault(&fault, "r-1");
        assert_eq!(text(&response), body);
        assert_eq!(response.status(), status);
        assert_eq!(
            response.headers()["content-type"],
            "application/x-amz-json-1.1"
        );
        assert_eq!(response.headers()["x-amzn-requestid"], "r-1");
    }
}

#[test]
fn the_cause_is_for_the_log_alone() {
    let fault = Fault::internal("password=hunter2");
    assert!(!text(&json::respond_fault(&fault, "r")).contains("hunter2"));
    assert_eq!(
        std::error::Error::source(&fault).unwrap().to_string(),
        "password=hunter2"
    );
}

#[test]
fn timestamps_are_seconds_with_milliseconds() {
    let written = |millis| serde_json::to_string(&EpochSeconds(millis)).unwrap();
    assert_eq!(written(1_789_573_438_905), "1789573438.905");
    assert_eq!(written(1_789_573_438_000), "1789573438.0");
    assert_eq!(written(-1), "-0.001");
    let read = |text: &str| serde_json::from_str::<EpochSeconds>(text).map(EpochSeconds::millis);
    assert_eq!(read("1789573438.905").unwrap(), 1_789_573_438_905);
    assert_eq!(read("1.789573438905E9").unwrap(), 1_789_573_438_905);
    assert_eq!(read("1789573438").unwrap(), 1_789_573_438_000);
    assert_eq!(read("-1.5").unwrap(), -1500);
    for text in [
        "1789573438905",
        "1e300",
        "-1e300",
        "\"2026-01-01T00:00:00Z\"",
        "null",
        "true",
    ] {
        assert!(read(text).is_err(), "{text}");
    }
}

#[test]
fn blobs_are_base64() {
    assert_eq!(
        serde_json::to_string(&Blob(b"hello".to_vec())).unwrap(),
        r#""aGVsbG8=""#
    );
    assert_eq!(
        serde_json::from_str::<Blob>(r#""aGVsbG8=""#).unwrap().0,
        b"hello"
    );
    assert!(serde_json::from_str::<Blob>(r#""no base64""#).is_err());
}
