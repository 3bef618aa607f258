//! logs: the constraints of structures; generated from `api-models/logs` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

impl Validate for Entity {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.attributes,
            "attributes",
            path,
            check_entity_attributes,
        )?;
        validation::member(
            &self.key_attributes,
            "keyAttributes",
            path,
            check_entity_key_attributes,
        )?;
        Ok(())
    }
}

impl Validate for InputLogEvent {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.message, "message", path)?;
        validation::member(&self.message, "message", path, check_event_message)?;
        validation::required(&self.timestamp, "timestamp", path)?;
        validation::member(&self.timestamp, "timestamp", path, check_timestamp)?;
        Ok(())
    }
}
