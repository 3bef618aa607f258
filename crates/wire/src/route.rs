//! Which protocol a request speaks, and what it asks for.

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method};

use crate::{Fault, query};

/// What a request to `/` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// awsJson: `X-Amz-Target` names service and operation.
    Json {
        /// What stands before the last dot, such as `AmazonEC2ContainerServiceV20141113`.
        target_prefix: &'a str,
        /// The operation's name.
        operation: &'a str,
    },
    /// AWS query: the form body's `Action` names the operation, the signature the service.
    Query,
}

/// Reads the route off a request's head.
///
/// # Errors
/// `UnknownOperationException` when it is no API call, or names no operation.
pub fn route<'a>(method: &Method, path: &str, headers: &'a HeaderMap) -> Result<Route<'a>, Fault> {
    if method != Method::POST || path != "/" {
        return Err(Fault::unknown_operation(&format!("{method} {path}")));
    }
    if let Some(target) = headers.get("x-amz-target") {
        let target = target.to_str().map_err(|_| Fault::unknown_operation(""))?;
        let (target_prefix, operation) = target
            .rsplit_once('.')
            .ok_or_else(|| Fault::unknown_operation(target))?;
        return Ok(Route::Json {
            target_prefix,
            operation,
        });
    }
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = content_type
        .and_then(|value| value.split(';').next())
        .unwrap_or_default();
    if essence
        .trim()
        .eq_ignore_ascii_case(query::FORM_CONTENT_TYPE)
    {
        return Ok(Route::Query);
    }
    Err(Fault::unknown_operation(""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_target_is_split_at_its_last_dot() {
        let headers = headers(&[("x-amz-target", "com.amazonaws.Logs_20140328.PutLogEvents")]);
        let route = route(&Method::POST, "/", &headers).unwrap();
        let expected = Route::Json {
            target_prefix: "com.amazonaws.Logs_20140328",
            operation: "PutLogEvents",
        };
        assert_eq!(route, expected);
    }

    #[test]
    fn a_form_is_a_query_call() {
        let headers = headers(&[(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )]);
        assert_eq!(route(&Method::POST, "/", &headers).unwrap(), Route::Query);
    }

    #[test]
    fn what_names_no_operation_is_an_unknown_one() {
        let cases = [
            (Method::GET, "/", headers(&[("x-amz-target", "A.B")])),
            (Method::POST, "/x", headers(&[("x-amz-target", "A.B")])),
            (
                Method::POST,
                "/",
                headers(&[("x-amz-target", "ListClusters")]),
            ),
            (Method::POST, "/", headers(&[])),
        ];
        for (method, path, headers) in cases {
            let fault = route(&method, path, &headers).unwrap_err();
            assert_eq!(
                (fault.bare_code(), fault.status),
                ("UnknownOperationException", 400)
            );
        }
    }
}
