//! Signature version 4, in its header form: verifying requests, and signing them.
//!
//! Verifying recomputes the signature with the same crate that AWS's own SDK signs with, from the
//! headers that the request says it signed. Between reading the credential and verifying, the
//! caller looks up the secret. Query-string signatures are not taken.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign as sign_request,
};
use aws_sigv4::sign::v4;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{Fault, amz_date};

mod authorization;

pub use authorization::{Credential, parse_authorization};

/// How far a request's date may lie from now, either way: AWS's five minutes.
pub const SKEW_MAX: Duration = Duration::from_secs(5 * 60);

const DATE_HEADER: HeaderName = HeaderName::from_static("x-amz-date");
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-amz-security-token");
const BODY_HASH_HEADER: HeaderName = HeaderName::from_static("x-amz-content-sha256");

const MISMATCH: &str = "The request signature we calculated does not match the signature you \
     provided. Check your AWS Secret Access Key and signing method. Consult the service \
     documentation for details.";

/// A request as it came in, or one that stands for something else that is signed like one, such
/// as a frame of the telemetry protocol.
#[derive(Clone, Copy, Debug)]
pub struct Received<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query as sent.
    pub path_and_query: &'a str,
    /// All headers.
    pub headers: &'a HeaderMap,
    /// The whole body.
    pub body: &'a [u8],
}

/// The secret side of an access key.
#[derive(Clone, Copy)]
pub struct Secret<'a> {
    /// The secret access key.
    pub secret_access_key: &'a str,
    /// The session token that belongs to a temporary key.
    pub session_token: Option<&'a str>,
}

/// The answer to an access key that nobody knows, or whose session token is another.
#[must_use]
pub fn unrecognized_client() -> Fault {
    Fault::client(
        "com.amazon.coral.service#UnrecognizedClientException",
        "The security token included in the request is invalid.",
    )
}

/// The answer to a temporary key past its end.
#[must_use]
pub fn expired_token() -> Fault {
    Fault::client(
        "com.amazon.coral.service#ExpiredTokenException",
        "The security token included in the request is expired",
    )
}

fn invalid_signature(message: impl Into<String>) -> Fault {
    Fault::client(
        "com.amazon.coral.service#InvalidSignatureException",
        message,
    )
}

/// Checks that `received` was signed at about `now` by the holder of `secret`.
///
/// # Errors
/// AWS's faults for a date too far off, a foreign session token, and a wrong signature.
pub fn verify(
    received: &Received<'_>,
    credential: &Credential,
    secret: &Secret<'_>,
    now: SystemTime,
) -> Result<(), Fault> {
    check_session_token(received.headers, secret.session_token)?;
    let date = check_date(received.headers, credential, now)?;
    check_body_hash(received)?;
    let expected = recompute(received, credential, secret, date)?;
    if bool::from(expected.as_bytes().ct_eq(credential.signature.as_bytes())) {
        Ok(())
    } else {
        Err(invalid_signature(MISMATCH))
    }
}

/// How many seconds the sender's clock was ahead of `now` when it signed; `None` where it gave no
/// date, or none that reads.
#[must_use]
pub fn clock_ahead(headers: &HeaderMap, now: SystemTime) -> Option<i64> {
    let date = amz_date::parse(headers.get(DATE_HEADER)?.to_str().ok()?)?;
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    Some(match date.duration_since(now) {
        Ok(ahead) => seconds(ahead),
        Err(behind) => -seconds(behind.duration()),
    })
}

fn check_session_token(headers: &HeaderMap, expected: Option<&str>) -> Result<(), Fault> {
    let matches = match (headers.get(TOKEN_HEADER), expected) {
        (None, None) => true,
        (Some(given), Some(expected)) => given.as_bytes().ct_eq(expected.as_bytes()).into(),
        (Some(_), None) | (None, Some(_)) => false,
    };
    if matches {
        Ok(())
    } else {
        Err(unrecognized_client())
    }
}

fn check_date(
    headers: &HeaderMap,
    credential: &Credential,
    now: SystemTime,
) -> Result<SystemTime, Fault> {
    let text = headers
        .get(DATE_HEADER)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let date = amz_date::parse(text).ok_or_else(|| {
        Fault::client(
            "IncompleteSignatureException",
            format!(
                "Date must be in ISO-8601 'basic format'. Got '{text}'. See \
                 http://en.wikipedia.org/wiki/ISO_8601"
            ),
        )
    })?;
    if text[..8] != *credential.date {
        return Err(invalid_signature(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from \
             HTTP: '{}' != '{}', from '{text}'.",
            credential.date,
            &text[..8],
        )));
    }
    let minutes = SKEW_MAX.as_secs() / 60;
    let (earliest, latest) = (now - SKEW_MAX, now + SKEW_MAX);
    let at = amz_date::render(now);
    if date < earliest {
        let limit = amz_date::render(earliest);
        return Err(invalid_signature(format!(
            "Signature expired: {text} is now earlier than {limit} ({at} - {minutes} min.)"
        )));
    }
    if date > latest {
        let limit = amz_date::render(latest);
        return Err(invalid_signature(format!(
            "Signature not yet current: {text} is still later than {limit} ({at} + {minutes} min.)"
        )));
    }
    Ok(date)
}

/// A client that names its body's hash must have it right: the header alone would let a
/// signature be carried over to another body.
fn check_body_hash(received: &Received<'_>) -> Result<(), Fault> {
    let Some(given) = received.headers.get(BODY_HASH_HEADER) else {
        return Ok(());
    };
    let hash = hex(&Sha256::digest(received.body));
    if bool::from(given.as_bytes().ct_eq(hash.as_bytes())) {
        Ok(())
    } else {
        Err(invalid_signature(MISMATCH))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn recompute(
    received: &Received<'_>,
    credential: &Credential,
    secret: &Secret<'_>,
    date: SystemTime,
) -> Result<String, Fault> {
    let mut signed = Vec::new();
    for name in &credential.signed_headers {
        // A header that is signed but not there can only lead to another signature.
        for value in received.headers.get_all(name) {
            let value = std::str::from_utf8(value.as_bytes());
            signed.push((
                name.as_str(),
                value.map_err(|_| invalid_signature(MISMATCH))?,
            ));
        }
    }
    let scope = Scope {
        access_key_id: &credential.access_key_id,
        secret_access_key: secret.secret_access_key,
        region: &credential.region,
        service: &credential.service,
    };
    let signable = SignableRequest::new(
        received.method.as_str(),
        received.path_and_query,
        signed.into_iter(),
        SignableBody::Bytes(received.body),
    );
    let signature = signable
        .map_err(|_| ())
        .and_then(|signable| scope.signature(signable, date).map_err(|_| ()))
        .map_err(|()| invalid_signature(MISMATCH))?;
    Ok(signature.0)
}

/// What a signature is made with and for.
struct Scope<'a> {
    access_key_id: &'a str,
    secret_access_key: &'a str,
    region: &'a str,
    service: &'a str,
}

impl Scope<'_> {
    /// The signature in hex, and the value of the `Authorization` header.
    fn signature(
        &self,
        signable: SignableRequest<'_>,
        date: SystemTime,
    ) -> Result<(String, String), SignError> {
        // The session token is an ordinary header here: what the request carries and signs.
        let identity = Credentials::new(
            self.access_key_id,
            self.secret_access_key,
            None,
            None,
            "signature",
        )
        .into();
        let mut settings = SigningSettings::default();
        settings.excluded_headers = None;
        settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(date)
            .settings(settings)
            .build()
            .map_err(|_| SignError)?
            .into();
        let (instructions, signature) = sign_request(signable, &parameters)
            .map_err(|_| SignError)?
            .into_parts();
        let mut headers = instructions.headers();
        let authorization = headers.find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let (_, authorization) = authorization.ok_or(SignError)?;
        Ok((signature, authorization.to_owned()))
    }
}

/// Who signs requests of ours, and for where.
#[derive(Clone)]
pub struct Signer {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token of a temporary key.
    pub session_token: Option<String>,
    /// The region signed for.
    pub region: String,
    /// The service's signing name.
    pub service: String,
}

/// The request has no form that can be signed: its path or a header is not what HTTP allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignError;

impl std::fmt::Display for SignError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("could not sign the request")
    }
}

impl std::error::Error for SignError {}

/// A request to sign. Of its headers, `Host` must be there; all given are signed, so that what
/// a proxy may change stays out.
#[derive(Clone, Copy, Debug)]
pub struct Unsigned<'a> {
    /// The method.
    pub method: &'a Method,
    /// Path and query as they will be sent.
    pub path_and_query: &'a str,
    /// The headers to sign.
    pub headers: &'a HeaderMap,
    /// The body: the whole of it, empty for a websocket's upgrade, the JSON part of a telemetry
    /// frame.
    pub body: &'a [u8],
}

impl Signer {
    /// The headers to add to the request: `x-amz-date`, `x-amz-security-token` where there is a
    /// token, and `authorization`.
    ///
    /// # Errors
    /// When the request cannot be sent, let alone signed.
    pub fn sign(&self, request: &Unsigned<'_>, now: SystemTime) -> Result<HeaderMap, SignError> {
        if !request.headers.contains_key(HOST) {
            return Err(SignError);
        }
        let mut added = HeaderMap::new();
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| SignError);
        added.insert(DATE_HEADER, value(&amz_date::render(now))?);
        if let Some(token) = &self.session_token {
            let mut token = value(token)?;
            token.set_sensitive(true);
            added.insert(TOKEN_HEADER, token);
        }
        let mut signed = Vec::new();
        for (name, value) in request.headers.iter().chain(&added) {
            let value = std::str::from_utf8(value.as_bytes()).map_err(|_| SignError)?;
            signed.push((name.as_str(), value));
        }
        let signable = SignableRequest::new(
            request.method.as_str(),
            request.path_and_query,
            signed.into_iter(),
            SignableBody::Bytes(request.body),
        )
        .map_err(|_| SignError)?;
        let scope = Scope {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            region: &self.region,
            service: &self.service,
        };
        let (_, authorization) = scope.signature(signable, now)?;
        added.insert(AUTHORIZATION, value(&authorization)?);
        Ok(added)
    }

    /// The header block that stands before the JSON of each frame an agent sends on its telemetry
    /// socket: signed like the socket's own upgrade, with the JSON as its body.
    ///
    /// # Errors
    /// When host or path are not what HTTP allows.
    pub fn frame_headers(
        &self,
        host: &str,
        path_and_query: &str,
        json: &[u8],
        now: SystemTime,
    ) -> Result<String, SignError> {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::from_str(host).map_err(|_| SignError)?);
        let request = Unsigned {
            method: &Method::GET,
            path_and_query,
            headers: &headers,
            body: json,
        };
        let added = self.sign(&request, now)?;
        let text = |name: &HeaderName| added.get(name).and_then(|value| value.to_str().ok());
        let authorization = text(&AUTHORIZATION).ok_or(SignError)?;
        let date = text(&DATE_HEADER).ok_or(SignError)?;
        let mut block =
            format!("Authorization: {authorization}\r\nHost: {host}\r\nX-Amz-Date: {date}\r\n");
        if let Some(token) = &self.session_token {
            block.push_str(&format!("X-Amz-Security-Token: {token}\r\n"));
        }
        block.push_str("\r\n");
        Ok(block)
    }
}
