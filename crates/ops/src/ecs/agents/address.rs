//! The address that our agent gave a task in awsvpc mode: a key of ours beside Amazon's own.

use std::net::IpAddr;

use berth_model::task::TaskAddress;
use berth_model::text::Text;
use serde::Deserialize;

/// The members of SubmitTaskStateChange that are not in the model.
#[derive(Deserialize)]
struct Extra {
    #[serde(rename = "berthAddress")]
    address: Option<serde_json::Value>,
}

/// The address that the report tells; `None` for a stock agent's, and for one that is no address.
pub(super) fn reported_address(body: &[u8]) -> Option<TaskAddress> {
    let extra: Extra = serde_json::from_slice(body).ok()?;
    let address = extra.address?;
    let ip: IpAddr = address.get("ip")?.as_str()?.parse().ok()?;
    let mac = address.get("mac")?.as_str().filter(|mac| is_mac(mac))?;
    Some(TaskAddress {
        ip,
        mac: Text::new(mac),
    })
}

/// Six pairs of hexadecimal digits with colons.
fn is_mac(raw: &str) -> bool {
    let pair = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
    raw.split(':').count() == 6 && raw.split(':').all(pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_anything_else_is_none() {
        let body = br#"{"task":"x","berthAddress":{"ip":"10.1.2.3","mac":"02:00:0a:01:02:03"}}"#;
        let address = reported_address(body).unwrap();
        assert_eq!(address.ip.to_string(), "10.1.2.3");
        for bad in [
            r#"{}"#,
            r#"{"berthAddress":7}"#,
            r#"{"berthAddress":{"ip":"10.1.2.3","mac":"x"}}"#,
            r#"{"berthAddress":{"ip":"10.1.2.300","mac":"02:00:0a:01:02:03"}}"#,
            "no json",
        ] {
            assert_eq!(reported_address(bad.as_bytes()), None, "{bad}");
        }
    }
}
