//! The AWS query protocol: form bodies in, XML out.
//!
//! Covered are inputs and outputs of strings, structures and lists, which is what the generated
//! operations of query services use; the generator refuses others.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use quick_xml::Writer;
use quick_xml::events::{BytesEnd, BytesStart, BytesText, Event};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{Fault, REQUEST_ID_HEADER, check_body_size};

/// The content type of requests.
pub const FORM_CONTENT_TYPE: &str = "application/x-www-form-urlencoded";

/// How many pairs a form may hold: a list of the longest kind that AWS takes, and its siblings.
const PAIRS_MAX: usize = 4096;

/// How deep the parts of a key may nest.
const KEY_PARTS_MAX: usize = 16;

/// A decoded form: what `Action` and `Version` say, and the rest by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// The operation's name; empty when the form has none.
    pub action: String,
    /// The API version; empty when the form has none.
    pub version: String,
    /// The other pairs, such as `Tags.member.1.Key`.
    pub parameters: BTreeMap<String, String>,
}

/// Takes a form apart. A key given twice counts once, with its last value.
///
/// # Errors
/// `MalformedQueryString` for bytes that are not UTF-8 once decoded, U+0000, or too many pairs;
/// status 413 for a body over the limit.
pub fn parse_form(body: &[u8]) -> Result<Form, Fault> {
    check_body_size(body.len())?;
    let mut form = Form::default();
    for (index, pair) in body.split(|&byte| byte == b'&').enumerate() {
        if index >= PAIRS_MAX {
            return Err(malformed("The form has too many parameters."));
        }
        if pair.is_empty() {
            continue;
        }
        let cut = pair.iter().position(|&byte| byte == b'=');
        let (key, value) = match cut {
            Some(at) => (&pair[..at], &pair[at + 1..]),
            None => (pair, &[][..]),
        };
        let (key, value) = (unescape(key)?, unescape(value)?);
        match &*key {
            "Action" => form.action = value,
            "Version" => form.version = value,
            _ => {
                form.parameters.insert(key, value);
            }
        }
    }
    Ok(form)
}

fn malformed(message: &str) -> Fault {
    Fault::client("MalformedQueryString", message)
}

/// Undoes form encoding. A `%` without two hex digits stands for itself.
fn unescape(raw: &[u8]) -> Result<String, Fault> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        at += 1;
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => match raw.get(at..at + 2).and_then(hex_byte) {
                Some(byte) => {
                    bytes.push(byte);
                    at += 2;
                }
                None => bytes.push(b'%'),
            },
            _ => bytes.push(byte),
        }
    }
    if bytes.contains(&0) {
        return Err(malformed("The form must not contain U+0000."));
    }
    String::from_utf8(bytes).map_err(|_| malformed("The form is not valid UTF-8."))
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(digits[0])? * 16 + digit(digits[1])?;
    u8::try_from(value).ok()
}

/// Decodes a form's parameters into an operation's input.
///
/// # Errors
/// `MalformedInput` when the parameters do not have the input's form.
pub fn decode<T: DeserializeOwned>(form: &Form) -> Result<T, Fault> {
    let mut root = Node::default();
    for (key, text) in &form.parameters {
        root.insert(key, text)?;
    }
    // An input without parameters is a structure all the same, and no empty text.
    let value = if root.children.is_empty() {
        Value::Object(Map::new())
    } else {
        root.into_value()
    };
    serde_json::from_value(value).map_err(|error| {
        Fault::client("MalformedInput", "Unexpected parameter type").caused_by(error)
    })
}

/// What stands under one part of a key.
#[derive(Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, key: &str, text: &str) -> Result<(), Fault> {
        let mut node = self;
        for (depth, part) in key.split('.').enumerate() {
            if depth >= KEY_PARTS_MAX {
                return Err(malformed("A parameter nests too deep."));
            }
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.text = Some(text.to_owned());
        Ok(())
    }

    /// `member.1`, `member.2`, … is a list in the order of the numbers, anything else an object.
    fn into_value(mut self) -> Value {
        if self.children.is_empty() {
            return Value::String(self.text.unwrap_or_default());
        }
        if self.children.len() == 1
            && let Some(list) = self.children.remove("member")
        {
            let mut items: Vec<(u64, Node)> = list
                .children
                .into_iter()
                .map(|(number, node)| (number.parse().unwrap_or(u64::MAX), node))
                .collect();
            items.sort_by_key(|(number, _)| *number);
            return items
                .into_iter()
                .map(|(_, node)| node.into_value())
                .collect();
        }
        let members: Map<String, Value> = self
            .children
            .into_iter()
            .map(|(part, node)| (part, node.into_value()))
            .collect();
        Value::Object(members)
    }
}

/// What an answer's XML says beside the output: the operation, the result's element and the
/// service's namespace, all from the model.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The operation's name.
    pub operation: &'a str,
    /// The XML namespace, such as `https://sts.amazonaws.com/doc/2011-06-15/`.
    pub namespace: &'a str,
    /// The request's id.
    pub request_id: &'a str,
}

/// An answer of status 200.
pub fn respond<T: Serialize>(answer: &Answer<'_>, output: &T) -> Response<Bytes> {
    let Answer {
        operation,
        namespace,
        request_id,
    } = *answer;
    let output = match serde_json::to_value(output) {
        Ok(output) => output,
        Err(error) => return respond_fault(&Fault::internal(error), namespace, request_id),
    };
    let mut xml = Xml::default();
    let root = format!("{operation}Response");
    xml.open_in(&root, namespace);
    let result = format!("{operation}Result");
    xml.value(&result, &output);
    xml.open("ResponseMetadata");
    xml.text("RequestId", request_id);
    xml.close("ResponseMetadata");
    xml.close(&root);
    xml.response(StatusCode::OK, request_id)
}

/// The answer of a failed call. Codes of the JSON front end are turned into those that query
/// services use for the same thing.
#[must_use]
pub fn respond_fault(fault: &Fault, namespace: &str, request_id: &str) -> Response<Bytes> {
    let (code, status) = code_and_status(fault);
    let mut xml = Xml::default();
    xml.open_in("ErrorResponse", namespace);
    xml.open("Error");
    xml.text("Type", if status < 500 { "Sender" } else { "Receiver" });
    xml.text("Code", code);
    xml.text("Message", &fault.message);
    xml.close("Error");
    xml.text("RequestId", request_id);
    xml.close("ErrorResponse");
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    xml.response(status, request_id)
}

fn code_and_status(fault: &Fault) -> (&str, u16) {
    match fault.bare_code() {
        "MissingAuthenticationTokenException" => ("MissingAuthenticationToken", 403),
        "IncompleteSignatureException" => ("IncompleteSignature", 400),
        "UnrecognizedClientException" => ("InvalidClientTokenId", 403),
        "InvalidSignatureException" => ("SignatureDoesNotMatch", 403),
        "ExpiredTokenException" => ("ExpiredToken", 403),
        "UnknownOperationException" => ("InvalidAction", 400),
        "ThrottlingException" => ("Throttling", 400),
        "ServerException" => ("InternalFailure", 500),
        other => (other, fault.status),
    }
}

/// XML under construction. Writing to memory cannot fail.
struct Xml {
    writer: Writer<Vec<u8>>,
}

impl Default for Xml {
    fn default() -> Self {
        Self {
            writer: Writer::new(Vec::new()),
        }
    }
}

impl Xml {
    fn event(&mut self, event: Event<'_>) {
        self.writer
            .write_event(event)
            .expect("a Vec takes every write");
    }

    fn open(&mut self, name: &str) {
        self.event(Event::Start(BytesStart::new(name)));
    }

    fn open_in(&mut self, name: &str, namespace: &str) {
        self.event(Event::Start(
            BytesStart::new(name).with_attributes([("xmlns", namespace)]),
        ));
    }

    fn close(&mut self, name: &str) {
        self.event(Event::End(BytesEnd::new(name)));
    }

    fn text(&mut self, name: &str, text: &str) {
        self.open(name);
        self.event(Event::Text(BytesText::new(&legal(text))));
        self.close(name);
    }

    fn value(&mut self, name: &str, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => self.text(name, text),
            Value::Bool(_) | Value::Number(_) => self.text(name, &value.to_string()),
            Value::Array(items) => {
                self.open(name);
                items.iter().for_each(|item| self.value("member", item));
                self.close(name);
            }
            Value::Object(members) => {
                self.open(name);
                members
                    .iter()
                    .for_each(|(name, value)| self.value(name, value));
                self.close(name);
            }
        }
    }

    fn response(self, status: StatusCode, request_id: &str) -> Response<Bytes> {
        let mut response = Response::new(Bytes::from(self.writer.into_inner()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/xml"));
        if let Ok(id) = HeaderValue::from_str(request_id) {
            headers.insert(REQUEST_ID_HEADER, id);
        }
        response
    }
}

/// The text with characters that XML 1.0 cannot say replaced.
fn legal(text: &str) -> Cow<'_, str> {
    let forbidden = |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    if text.contains(forbidden) {
        Cow::Owned(text.replace(forbidden, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

    fn body(response: Response<Bytes>) -> String {
        String::from_utf8(response.into_body().to_vec()).unwrap()
    }

    #[test]
    fn the_form_of_a_first_call_is_read() {
        let form = parse_form(b"Action=GetCallerIdentity&Version=2011-06-15").unwrap();
        assert_eq!(form.action, "GetCallerIdentity");
        assert_eq!(form.version, "2011-06-15");
        assert!(form.parameters.is_empty());
    }

    #[test]
    fn lists_and_structures_are_read_in_the_order_of_their_numbers() {
        let form = parse_form(
            b"Action=A&Tags.member.10.Key=j&Tags.member.2.Key=b%2Bc+d&Tags.member.2.Value=%zz&Name=n",
        )
        .unwrap();
        let decoded: Value = decode(&form).unwrap();
        let expected =
            json!({"Name": "n", "Tags": [{"Key": "b+c d", "Value": "%zz"}, {"Key": "j"}]});
        assert_eq!(decoded, expected);
    }

    #[test]
    fn forms_that_no_request_may_have_are_refused() {
        let code = |body: &[u8]| parse_form(body).unwrap_err().code;
        assert_eq!(code(b"A=%00"), "MalformedQueryString");
        assert_eq!(code(b"A=%ff"), "MalformedQueryString");
        assert_eq!(
            code("a=b&".repeat(PAIRS_MAX + 1).as_bytes()),
            "MalformedQueryString"
        );
        let deep = parse_form(format!("A{}=1", ".a".repeat(40)).as_bytes()).unwrap();
        assert_eq!(
            decode::<Value>(&deep).unwrap_err().code,
            "MalformedQueryString"
        );
    }

    #[test]
    fn an_output_is_wrapped_as_the_protocol_says() {
        let answer = Answer {
            operation: "GetCallerIdentity",
            namespace: NAMESPACE,
            request_id: "r-1",
        };
        let output = json!({"Account": "000000000000", "Arn": "a<b>&\"\u{1}", "List": ["x", "y"]});
        let response = respond(&answer, &output);
        assert_eq!(response.headers()["content-type"], "text/xml");
        assert_eq!(response.headers()["x-amzn-RequestId"], "r-1");
        assert_eq!(
            body(response),
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <GetCallerIdentityResult><Account>000000000000</Account>\
             <Arn>a&lt;b&gt;&amp;&quot;\u{fffd}</Arn>\
             <List><member>x</member><member>y</member></List></GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>r-1</RequestId></ResponseMetadata>\
             </GetCallerIdentityResponse>"
        );
    }

    #[test]
    fn a_fault_is_worded_as_query_services_word_it() {
        let fault = Fault::client(
            "com.amazon.coral.service#UnrecognizedClientException",
            "The security token included in the request is invalid.",
        );
        let response = respond_fault(&fault, NAMESPACE, "r-2");
        assert_eq!(response.status(), 403);
        assert_eq!(
            body(response),
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error>\
             <Type>Sender</Type><Code>InvalidClientTokenId</Code>\
             <Message>The security token included in the request is invalid.</Message></Error>\
             <RequestId>r-2</RequestId></ErrorResponse>"
        );
    }

    proptest! {
        #[test]
        fn no_form_makes_it_panic(
            body in prop::collection::vec(any::<u8>(), 0..64),
            soup in "[a.1&=%+member0]{0,60}",
        ) {
            for body in [&body[..], soup.as_bytes()] {
                if let Ok(form) = parse_form(body) {
                    let _ = decode::<Value>(&form);
                }
            }
        }

        #[test]
        fn what_is_encoded_comes_back(key in "[A-Za-z]{1,8}x", value in "[^\0]{0,20}") {
            let escaped: String = value.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let form = parse_form(format!("{key}={escaped}").as_bytes()).unwrap();
            prop_assert_eq!(form.parameters.get(&key), Some(&value));
        }
    }
}
