//! Tags: labels that users put on resources.

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// The labels of one resource, in the order in which they were first given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(Vec<(Text, Text)>);

impl Tags {
    /// Labels in the given order; a later value of the same key wins.
    pub fn from_pairs<K: Into<Text>, V: Into<Text>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let mut tags = Self::default();
        for (key, value) in pairs {
            tags.set(key.into(), value.into());
        }
        tags
    }

    /// Adds a label, or gives the one with this key a new value.
    pub fn set(&mut self, key: Text, value: Text) {
        match self.0.iter_mut().find(|(have, _)| *have == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }

    /// Removes the label with this key; an absent one is no error.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(have, _)| have.as_str() != key);
    }

    /// The value of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Text> {
        self.0
            .iter()
            .find(|(have, _)| have.as_str() == key)
            .map(|(_, value)| value)
    }

    /// Keys with their values.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Text, &Text)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    /// How many labels there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
