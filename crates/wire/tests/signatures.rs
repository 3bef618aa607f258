//! Signatures against two independent sources: AWS's published test suite for signature version
//! 4, and requests signed by botocore, which is what the aws CLI and boto3 sign with.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use berth_wire::Fault;
use berth_wire::sigv4::{
    Credential, Received, Secret, SignError, Signer, Unsigned, parse_authorization, verify,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use proptest::prelude::*;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

/// 2015-08-30T12:36:00Z, the instant of all of them.
fn signed_at() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_440_938_160)
}

#[derive(Clone)]
struct Request {
    name: String,
    method: Method,
    path_and_query: String,
    headers: HeaderMap,
    body: Vec<u8>,
    token: Option<String>,
}

impl Request {
    fn set(&mut self, name: &str, value: &str) {
        let name: HeaderName = name.parse().unwrap();
        self.headers
            .insert(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }

    fn verify_with(&self, secret: &Secret<'_>, now: SystemTime) -> Result<Credential, Fault> {
        let credential = parse_authorization(&self.headers)?;
        let received = Received {
            method: &self.method,
            path_and_query: &self.path_and_query,
            headers: &self.headers,
            body: &self.body,
        };
        verify(&received, &credential, secret, now)?;
        Ok(credential)
    }

    fn verify_at(&self, now: SystemTime) -> Result<Credential, Fault> {
        let secret = Secret {
            secret_access_key: SECRET,
            session_token: self.token.as_deref(),
        };
        self.verify_with(&secret, now)
    }

    fn verify(&self) -> Result<Credential, Fault> {
        self.verify_at(signed_at())
    }
}

/// A request of AWS's suite: its headers besides host, date and token, and its signature.
fn of_the_suite(
    name: &str,
    (method, path_and_query): (Method, &str),
    extra: &[(&str, &str)],
    body: &str,
    signature: &str,
) -> Request {
    let mut request = Request {
        name: name.to_owned(),
        method,
        path_and_query: path_and_query.to_owned(),
        headers: HeaderMap::new(),
        body: body.as_bytes().to_vec(),
        token: None,
    };
    let mut names = vec!["host", "x-amz-date"];
    request.set("host", "example.amazonaws.com");
    request.set("x-amz-date", "20150830T123600Z");
    for (name, value) in extra {
        request.set(name, value);
        names.push(name);
        if *name == "x-amz-security-token" {
            request.token = Some((*value).to_owned());
        }
    }
    names.sort_unstable();
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders={}, Signature={signature}",
        names.join(";")
    );
    request.set("authorization", &authorization);
    request
}

const SUITE_TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

fn suite() -> Vec<Request> {
    let (get, post) = (Method::GET, Method::POST);
    let form = "application/x-www-form-urlencoded";
    let alphabet = "/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    vec![
        of_the_suite(
            "get-vanilla",
            (get.clone(), "/"),
            &[],
            "",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
        ),
        of_the_suite(
            "get-vanilla-query-order-key-case",
            (get.clone(), "/?Param2=value2&Param1=value1"),
            &[],
            "",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
        of_the_suite(
            "get-vanilla-query-order-value",
            (get.clone(), "/?Param1=value2&Param1=value1"),
            &[],
            "",
            "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694",
        ),
        of_the_suite(
            "get-vanilla-empty-query-key",
            (get.clone(), "/?Param1=value1"),
            &[],
            "",
            "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb",
        ),
        of_the_suite(
            "get-unreserved",
            (get.clone(), alphabet),
            &[],
            "",
            "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f",
        ),
        of_the_suite(
            "get-header-value-trim",
            (get, "/"),
            &[("my-header1", " value1"), ("my-header2", " \"a   b   c\"")],
            "",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        of_the_suite(
            "post-vanilla",
            (post.clone(), "/"),
            &[],
            "",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        of_the_suite(
            "post-vanilla-query",
            (post.clone(), "/?Param1=value1"),
            &[],
            "",
            "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11",
        ),
        of_the_suite(
            "post-header-key-sort",
            (post.clone(), "/"),
            &[("my-header1", "value1")],
            "",
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        of_the_suite(
            "post-x-www-form-urlencoded",
            (post.clone(), "/"),
            &[("content-type", form)],
            "Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        of_the_suite(
            "post-x-www-form-urlencoded-parameters",
            (post.clone(), "/"),
            &[(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf8",
            )],
            "Param1=value1",
            "1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe",
        ),
        of_the_suite(
            "post-sts-header-before",
            (post, "/"),
            &[("x-amz-security-token", SUITE_TOKEN)],
            "",
            "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead",
        ),
    ]
}

fn signed_by_botocore() -> Vec<Request> {
    let text = include_str!("fixtures/signed_by_botocore.json");
    let fixture: serde_json::Value = serde_json::from_str(text).unwrap();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let requests = fixture["requests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|request| {
            let mut read = Request {
                name: text(&request["name"]),
                method: text(&request["method"]).parse().unwrap(),
                path_and_query: text(&request["path_and_query"]),
                headers: HeaderMap::new(),
                body: text(&request["body"]).into_bytes(),
                token: request["session_token"].as_str().map(str::to_owned),
            };
            for (name, value) in request["headers"].as_object().unwrap() {
                read.set(name, value.as_str().unwrap());
            }
            read
        });
    requests.collect()
}

fn all() -> Vec<Request> {
    let mut all = suite();
    all.extend(signed_by_botocore());
    all
}

#[track_caller]
fn refused(request: &Request, outcome: Result<Credential, Fault>, code: &str) -> String {
    let fault = outcome
        .err()
        .unwrap_or_else(|| panic!("{} was accepted", request.name));
    assert_eq!(
        (fault.bare_code(), fault.status),
        (code, 400),
        "{}",
        request.name
    );
    fault.message
}

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.";

#[test]
fn the_published_suite_and_botocore_are_accepted() {
    for request in all() {
        if let Err(fault) = request.verify() {
            panic!("{}: {fault}", request.name);
        }
    }
}

#[test]
fn the_scope_says_account_region_and_service() {
    let requests = signed_by_botocore();
    let by_name = |name: &str| {
        requests
            .iter()
            .find(|request| request.name == name)
            .unwrap()
    };
    let ecs = by_name("list clusters").verify().unwrap();
    assert_eq!(
        (&*ecs.access_key_id, &*ecs.region, &*ecs.service),
        ("AKIDEXAMPLE", "eu-west-1", "ecs")
    );
    let sts = by_name("caller identity").verify().unwrap();
    assert_eq!((&*sts.region, &*sts.service), ("us-east-1", "sts"));
}

#[test]
fn another_secret_does_not_verify() {
    for request in all() {
        let secret = Secret {
            secret_access_key: "another",
            session_token: request.token.as_deref(),
        };
        let outcome = request.verify_with(&secret, signed_at());
        assert_eq!(
            refused(&request, outcome, "InvalidSignatureException"),
            MISMATCH
        );
    }
}

#[test]
fn what_is_changed_after_signing_does_not_verify() {
    type Change = fn(&mut Request);
    let changes: [(&str, Change); 5] = [
        ("body", |request| request.body.push(b' ')),
        ("path", |request| request.path_and_query.insert(1, 'x')),
        ("method", |request| request.method = Method::PUT),
        ("host", |request| request.set("host", "elsewhere.example")),
        ("query", |request| {
            let mark = if request.path_and_query.contains('?') {
                "&"
            } else {
                "?"
            };
            request.path_and_query.push_str(mark);
            request.path_and_query.push_str("added=1");
        }),
    ];
    for original in all() {
        for (what, change) in changes {
            let mut request = original.clone();
            change(&mut request);
            request.name = format!("{} with another {what}", original.name);
            let outcome = request.verify();
            assert_eq!(
                refused(&request, outcome, "InvalidSignatureException"),
                MISMATCH
            );
        }
    }
}

#[test]
fn a_signed_header_that_is_gone_does_not_verify() {
    for original in signed_by_botocore() {
        let mut request = original.clone();
        if request.headers.remove("x-amz-target").is_some() {
            let outcome = request.verify();
            assert_eq!(
                refused(&request, outcome, "InvalidSignatureException"),
                MISMATCH
            );
        }
    }
}

#[test]
fn a_header_that_is_not_signed_may_change() {
    for mut request in all() {
        request.set("x-forwarded-for", "10.0.0.1");
        request.set("user-agent", "anything");
        assert!(request.verify().is_ok(), "{}", request.name);
    }
}

#[test]
fn five_minutes_either_way_are_accepted_and_no_more() {
    let request = &all()[0];
    let second = Duration::from_secs(1);
    let five_minutes = Duration::from_secs(300);
    assert!(request.verify_at(signed_at() + five_minutes).is_ok());
    assert!(request.verify_at(signed_at() - five_minutes).is_ok());
    let late = request.verify_at(signed_at() + five_minutes + second);
    assert_eq!(
        refused(request, late, "InvalidSignatureException"),
        "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z \
         (20150830T124101Z - 5 min.)"
    );
    let early = request.verify_at(signed_at() - five_minutes - second);
    assert_eq!(
        refused(request, early, "InvalidSignatureException"),
        "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z \
         (20150830T123059Z + 5 min.)"
    );
}

#[test]
fn the_day_of_the_scope_is_the_day_of_the_date() {
    let mut request = all()[0].clone();
    let authorization = request.headers["authorization"]
        .to_str()
        .unwrap()
        .replace("0830/", "0829/");
    request.set("authorization", &authorization);
    let outcome = request.verify();
    assert_eq!(
        refused(&request, outcome, "InvalidSignatureException"),
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
         HTTP: '20150829' != '20150830', from '20150830T123600Z'."
    );
}

#[test]
fn a_date_that_is_none_is_named() {
    let mut request = all()[0].clone();
    request.set("x-amz-date", "2015-08-30T12:36:00Z");
    let outcome = request.verify();
    let message = refused(&request, outcome, "IncompleteSignatureException");
    assert!(message.contains("Got '2015-08-30T12:36:00Z'"), "{message}");
}

#[test]
fn a_session_token_must_be_the_one_that_belongs_to_the_key() {
    for request in all() {
        for token in [None, Some("another"), Some("")] {
            if token != request.token.as_deref() {
                let secret = Secret {
                    secret_access_key: SECRET,
                    session_token: token,
                };
                let outcome = request.verify_with(&secret, signed_at());
                assert_eq!(
                    refused(&request, outcome, "UnrecognizedClientException"),
                    "The security token included in the request is invalid."
                );
            }
        }
    }
}

#[test]
fn a_body_hash_that_is_given_must_be_the_bodys() {
    let mut request = all()[0].clone();
    request.set("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
    let outcome = request.verify();
    assert_eq!(
        refused(&request, outcome, "InvalidSignatureException"),
        MISMATCH
    );
}

fn signer(token: Option<&str>) -> Signer {
    Signer {
        access_key_id: "AKIDEXAMPLE".to_owned(),
        secret_access_key: SECRET.to_owned(),
        session_token: token.map(str::to_owned),
        region: "eu-west-1".to_owned(),
        service: "ecs".to_owned(),
    }
}

/// Our signer against botocore's signature of the same request with the same headers.
#[test]
fn our_signature_is_botocores() {
    let mut compared = 0;
    for request in signed_by_botocore() {
        let theirs = parse_authorization(&request.headers).unwrap();
        if theirs.service != "ecs" {
            continue;
        }
        let mut headers = HeaderMap::new();
        for name in &theirs.signed_headers {
            if !["x-amz-date", "x-amz-security-token"].contains(&name.as_str()) {
                headers.insert(name.clone(), request.headers[name].clone());
            }
        }
        let unsigned = Unsigned {
            method: &request.method,
            path_and_query: &request.path_and_query,
            headers: &headers,
            body: &request.body,
        };
        let added = signer(request.token.as_deref())
            .sign(&unsigned, signed_at())
            .unwrap();
        let ours = parse_authorization(&added).unwrap();
        assert_eq!(ours, theirs, "{}", request.name);
        compared += 1;
    }
    assert!(compared >= 8, "{compared}");
}

#[test]
fn a_telemetry_frame_begins_with_the_headers_that_botocore_would_sign() {
    let frame = signed_by_botocore()
        .into_iter()
        .find(|r| r.name == "a telemetry frame")
        .unwrap();
    let block = signer(None)
        .frame_headers(
            "localhost:7070",
            &frame.path_and_query,
            &frame.body,
            signed_at(),
        )
        .unwrap();
    let authorization = frame.headers["authorization"].to_str().unwrap();
    assert_eq!(
        block,
        format!(
            "Authorization: {authorization}\r\nHost: localhost:7070\r\n\
             X-Amz-Date: 20150830T123600Z\r\n\r\n"
        )
    );
}

#[test]
fn a_request_without_host_cannot_be_signed() {
    let headers = HeaderMap::new();
    let unsigned = Unsigned {
        method: &Method::GET,
        path_and_query: "/",
        headers: &headers,
        body: b"",
    };
    assert_eq!(signer(None).sign(&unsigned, signed_at()), Err(SignError));
}

proptest! {
    #[test]
    fn what_we_sign_verifies_and_no_header_makes_it_panic(
        path in "/[ -~]{0,20}",
        body in prop::collection::vec(any::<u8>(), 0..40),
        value in "[ -~]{0,20}",
        authorization in "(AWS4-HMAC-SHA256 )?[ -~]{0,60}",
    ) {
        let mut request = Request {
            name: "ours".to_owned(),
            method: Method::GET,
            path_and_query: path,
            headers: HeaderMap::new(),
            body,
            token: Some("token".to_owned()),
        };
        request.set("host", "localhost:7070");
        request.set("x-extra", &value);
        let unsigned = Unsigned {
            method: &request.method,
            path_and_query: &request.path_and_query,
            headers: &request.headers,
            body: &request.body,
        };
        if let Ok(added) = signer(Some("token")).sign(&unsigned, signed_at()) {
            request.headers.extend(added);
            prop_assert!(request.verify().is_ok());
        }
        request.set("authorization", &authorization);
        prop_assert!(request.verify().is_err());
    }
}
