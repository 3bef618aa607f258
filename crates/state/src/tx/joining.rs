//! Records of how machines join.

use std::sync::Arc;

use berth_model::id::{InstanceId, JoinTokenId};
use berth_model::joining::{Enrolment, JoinToken};

use super::Tx;
use crate::record::Record;

impl Tx<'_> {
    /// Saves a join token.
    pub fn put_join_token(&mut self, token: JoinToken) {
        self.put(Record::JoinToken(Arc::new(token)));
    }

    /// Removes a join token; an absent one is no error.
    pub fn remove_join_token(&mut self, id: JoinTokenId) {
        if let Some(token) = self.state.join_tokens.get(&id).cloned() {
            self.remove(Record::JoinToken(token));
        }
    }

    /// Saves a machine's enrolment.
    pub fn put_enrolment(&mut self, enrolment: Enrolment) {
        self.put(Record::Enrolment(Arc::new(enrolment)));
    }

    /// Removes a machine's enrolment; an absent one is no error.
    pub fn remove_enrolment(&mut self, instance: InstanceId) {
        if let Some(enrolment) = self.state.enrolments.get(&instance).cloned() {
            self.remove(Record::Enrolment(enrolment));
        }
    }
}
