//! Laying the server's `dockerConfig` strings over what the agent worked out.
//!
//! The stock agent decodes each string over a filled structure: objects are laid over member by
//! member, anything else replaces what was there, and `null` changes nothing (reference §4.3.3).

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::runtime::{ErrorKind, RuntimeError};

/// `base` with the JSON text `over` laid over it.
///
/// # Errors
/// `kind` when the text is no JSON object, or a member has a type that Docker's API does not know.
pub(super) fn lay_over<T>(base: &T, over: Option<&str>, kind: ErrorKind) -> Result<T, RuntimeError>
where
    T: Serialize + DeserializeOwned,
{
    let broken = |error: serde_json::Error| RuntimeError::new(kind, error.to_string());
    let mut merged = serde_json::to_value(base).map_err(broken)?;
    if let Some(text) = over.filter(|text| !text.trim().is_empty()) {
        let over: Value = serde_json::from_str(text).map_err(broken)?;
        if !over.is_object() && !over.is_null() {
            return Err(RuntimeError::new(
                kind,
                "the configuration is no JSON object",
            ));
        }
        merge(&mut merged, over);
    }
    serde_json::from_value(merged).map_err(broken)
}

fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (_, Value::Null) => {}
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(&key) {
                    Some(slot) => merge(slot, value),
                    None => {
                        base.insert(key, value);
                    }
                }
            }
        }
        (base, over) => *base = over,
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::HostConfig;

    use super::*;

    fn base() -> HostConfig {
        HostConfig {
            memory: Some(64),
            binds: Some(vec!["/a:/a".to_owned()]),
            sysctls: Some([("net.core.somaxconn".to_owned(), "1".to_owned())].into()),
            ..HostConfig::default()
        }
    }

    fn over(text: &str) -> Result<HostConfig, RuntimeError> {
        lay_over(&base(), Some(text), ErrorKind::HostConfig)
    }

    #[test]
    fn objects_are_merged_and_everything_else_is_replaced() {
        let merged = over(
            r#"{"Memory":128,"Binds":["/b:/b"],"Sysctls":{"kernel.shmmax":"2"},"Init":true,"CpuShares":null}"#,
        )
        .unwrap();
        assert_eq!(merged.memory, Some(128));
        assert_eq!(merged.binds, Some(vec!["/b:/b".to_owned()]));
        assert_eq!(merged.sysctls.unwrap().len(), 2);
        assert_eq!(merged.init, Some(true));
        assert_eq!(merged.cpu_shares, None);
    }

    #[test]
    fn nothing_to_lay_over_leaves_the_base() {
        assert_eq!(
            lay_over(&base(), None, ErrorKind::HostConfig).unwrap(),
            base()
        );
        assert_eq!(over("").unwrap(), base());
        assert_eq!(over("{}").unwrap(), base());
    }

    #[test]
    fn text_that_docker_could_not_take_is_refused_by_the_stock_agents_name() {
        for text in ["{", "[]", "7", r#"{"Memory":"much"}"#] {
            let error = over(text).unwrap_err();
            assert_eq!(error.kind.as_str(), "HostConfigError", "{text}");
        }
    }
}
