//! Reading the `Authorization` header.

use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName};

use super::DATE_HEADER;
use crate::Fault;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";

/// How many headers a request may sign: more than any client sends, and few enough to sort.
const SIGNED_HEADERS_MAX: usize = 100;

/// What a request says about who signed it, for where, and how. Nothing of it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// The access key id.
    pub access_key_id: String,
    /// The day signed for, as `YYYYMMDD`.
    pub date: String,
    /// The region signed for.
    pub region: String,
    /// The service signed for, such as `ecs`.
    pub service: String,
    /// The names of the headers under the signature; `host` and `x-amz-date` are among them.
    pub signed_headers: Vec<HeaderName>,
    /// The signature in lower-case hex.
    pub signature: String,
}

/// Reads the credential off a request's headers.
///
/// # Errors
/// `MissingAuthenticationTokenException` without the header, `IncompleteSignatureException` for
/// one that is not a whole signature of the kind we take.
pub fn parse_authorization(headers: &HeaderMap) -> Result<Credential, Fault> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Err(Fault::client(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    let parameters = text.and_then(|text| text.trim().strip_prefix(ALGORITHM));
    let Some(parameters) = parameters.filter(|rest| rest.starts_with([' ', '\t'])) else {
        return Err(incomplete(format!(
            "Authorization header must be one '{ALGORITHM}'."
        )));
    };
    let parts = Parts::read(parameters, headers.contains_key(DATE_HEADER))?;
    let (access_key_id, [date, region, service]) = split_scope(parts.credential)?;
    let signed_headers = split_headers(parts.signed_headers)?;
    if parts.signature.len() != 64 || !parts.signature.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(incomplete("Signature must be 64 hexadecimal digits."));
    }
    Ok(Credential {
        access_key_id: access_key_id.to_owned(),
        date: date.to_owned(),
        region: region.to_owned(),
        service: service.to_owned(),
        signed_headers,
        signature: parts.signature.to_owned(),
    })
}

fn incomplete(message: impl Into<String>) -> Fault {
    Fault::client("IncompleteSignatureException", message)
}

struct Parts<'a> {
    credential: &'a str,
    signed_headers: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    /// Every missing part is named, as AWS does it.
    fn read(parameters: &'a str, dated: bool) -> Result<Self, Fault> {
        let [mut credential, mut signed_headers, mut signature] = [None; 3];
        for parameter in parameters.split(',') {
            match parameter.trim().split_once('=') {
                Some(("Credential", value)) => credential = Some(value),
                Some(("SignedHeaders", value)) => signed_headers = Some(value),
                Some(("Signature", value)) => signature = Some(value),
                Some(_) | None => {}
            }
        }
        if let (Some(credential), Some(signed_headers), Some(signature), true) =
            (credential, signed_headers, signature, dated)
        {
            return Ok(Self {
                credential,
                signed_headers,
                signature,
            });
        }
        let mut missing = Vec::new();
        let named = [
            ("Credential", credential),
            ("Signature", signature),
            ("SignedHeaders", signed_headers),
        ];
        for (name, value) in named {
            if value.is_none() {
                missing.push(format!("Authorization header requires '{name}' parameter."));
            }
        }
        if !dated {
            missing.push(
                "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' \
                 header."
                    .to_owned(),
            );
        }
        Err(incomplete(missing.join(" ")))
    }
}

/// `<access key>/<date>/<region>/<service>/aws4_request`; read from the end, since an access key
/// of `berth dev` is any text.
fn split_scope(credential: &str) -> Result<(&str, [&str; 3]), Fault> {
    let mut parts = credential.rsplitn(5, '/');
    let terminator = parts.next();
    let (service, region, date) = (parts.next(), parts.next(), parts.next());
    let access_key_id = parts.next();
    match (access_key_id, date, region, service, terminator) {
        (Some(key), Some(date), Some(region), Some(service), Some("aws4_request"))
            if ![key, date, region, service].contains(&"") =>
        {
            Ok((key, [date, region, service]))
        }
        _ => Err(incomplete(format!(
            "Credential must have at least 5 slash-delimited elements, e.g. \
             keyid/date/region/service/term, got '{credential}'"
        ))),
    }
}

fn split_headers(signed_headers: &str) -> Result<Vec<HeaderName>, Fault> {
    let mut names = Vec::new();
    for name in signed_headers.split(';') {
        let name = HeaderName::try_from(name)
            .map_err(|_| incomplete(format!("'{name}' in SignedHeaders is not a header name.")))?;
        if names.len() >= SIGNED_HEADERS_MAX || names.contains(&name) {
            return Err(incomplete(
                "SignedHeaders names too many headers, or one of them twice.",
            ));
        }
        names.push(name);
    }
    for required in [HOST, DATE_HEADER] {
        if !names.contains(&required) {
            return Err(Fault::client(
                "com.amazon.coral.service#InvalidSignatureException",
                format!("'{required}' must be a 'SignedHeader' in the AWS Authorization."),
            ));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

    fn headers(authorization: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("x-amz-date", "20150830T123600Z".parse().unwrap());
        headers.insert(AUTHORIZATION, authorization.parse().unwrap());
        headers
    }

    #[test]
    fn a_credential_is_read_with_and_without_spaces() {
        for text in [GOOD.to_owned(), GOOD.replace(", ", ",")] {
            let credential = parse_authorization(&headers(&text)).unwrap();
            assert_eq!(credential.access_key_id, "AKIDEXAMPLE");
            assert_eq!(credential.date, "20150830");
            assert_eq!(credential.region, "us-east-1");
            assert_eq!(credential.service, "service");
            assert_eq!(credential.signed_headers, [HOST, DATE_HEADER]);
            assert_eq!(credential.signature.len(), 64);
        }
    }

    #[test]
    fn an_access_key_may_hold_slashes() {
        let text = GOOD.replace("AKIDEXAMPLE", "a/b//c");
        assert_eq!(
            parse_authorization(&headers(&text)).unwrap().access_key_id,
            "a/b//c"
        );
    }

    #[track_caller]
    fn refused(headers: &HeaderMap, code: &str, message: &str) {
        let fault = parse_authorization(headers).unwrap_err();
        assert_eq!((fault.bare_code(), fault.status), (code, 400));
        assert!(fault.message.contains(message), "{}", fault.message);
    }

    #[test]
    fn no_header_is_a_missing_token() {
        refused(
            &HeaderMap::new(),
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        );
    }

    #[test]
    fn missing_parts_are_named() {
        let code = "IncompleteSignatureException";
        for part in ["Credential", "SignedHeaders", "Signature"] {
            let text = GOOD.replace(&format!("{part}="), "x=");
            let message = format!("Authorization header requires '{part}' parameter.");
            refused(&headers(&text), code, &message);
        }
        let mut undated = headers(GOOD);
        undated.remove("x-amz-date");
        refused(&undated, code, "'X-Amz-Date' or a 'Date' header.");
    }

    #[test]
    fn what_is_no_signature_of_ours_is_refused() {
        let code = "IncompleteSignatureException";
        for (from, to) in [
            ("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"),
            ("AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256"),
            ("AWS4-HMAC-SHA256", "Basic"),
            ("/aws4_request", ""),
            ("/aws4_request", "/aws3_request"),
            ("us-east-1", ""),
            ("AKIDEXAMPLE", ""),
            ("5fa00fa3", "5fa00fa"),
            ("5fa00fa3", "5fa00fag"),
            ("host;x", "host;host;x"),
            ("host;x", "ho st;x"),
        ] {
            refused(&headers(&GOOD.replace(from, to)), code, "");
        }
        let mut twice = headers(GOOD);
        twice.append(AUTHORIZATION, GOOD.parse().unwrap());
        refused(&twice, code, "must be one");
    }

    #[test]
    fn host_and_date_must_be_signed() {
        let code = "InvalidSignatureException";
        refused(
            &headers(&GOOD.replace("host;", "")),
            code,
            "'host' must be a 'SignedHeader' in the AWS Authorization.",
        );
        refused(
            &headers(&GOOD.replace(";x-amz-date", "")),
            code,
            "'x-amz-date' must be",
        );
    }
}
