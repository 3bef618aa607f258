//! Shared text: equal strings held once.
//!
//! A hundred thousand tasks repeat a handful of cluster names, families and attribute names.
//! [`Text`] keeps one copy of each, found again whenever the same characters are parsed or read
//! back from storage. Entries that nobody holds any more are swept as the pool grows, so a
//! client that invents names cannot fill memory with them.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::ops::Deref;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How many independently locked parts the pool has, so that parallel decoders seldom meet.
const SHARDS: usize = 16;
/// A shard smaller than this is never swept: the sweep would cost more than it frees.
const SWEEP_FLOOR: usize = 1024;

/// An immutable string whose equal copies share one allocation.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(Arc<str>);

struct Shard {
    entries: HashSet<Arc<str>>,
    sweep_at: usize,
}

static POOL: LazyLock<Vec<Mutex<Shard>>> = LazyLock::new(|| {
    (0..SHARDS)
        .map(|_| {
            Mutex::new(Shard {
                entries: HashSet::new(),
                sweep_at: SWEEP_FLOOR,
            })
        })
        .collect()
});
static SHARD_HASHER: LazyLock<std::hash::RandomState> = LazyLock::new(std::hash::RandomState::new);

impl Text {
    /// The shared copy of `raw`.
    #[must_use]
    pub fn new(raw: &str) -> Self {
        let shard = &POOL[(SHARD_HASHER.hash_one(raw) as usize) % SHARDS];
        // A panic while holding the lock leaves a valid set behind, so poison is no reason to stop.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = shard.entries.get(raw) {
            return Self(found.clone());
        }
        if shard.entries.len() >= shard.sweep_at {
            shard.entries.retain(|entry| Arc::strong_count(entry) > 1);
            shard.sweep_at = (shard.entries.len() * 2).max(SWEEP_FLOOR);
        }
        let fresh: Arc<str> = raw.into();
        shard.entries.insert(fresh.clone());
        Self(fresh)
    }

    /// The characters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Text {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Text {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Must agree with `str`, because of `Borrow<str>`.
        self.0.hash(state);
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl From<String> for Text {
    fn from(raw: String) -> Self {
        Self::new(&raw)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Text;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_str<E: serde::de::Error>(self, raw: &str) -> Result<Text, E> {
                Ok(Text::new(raw))
            }
        }
        deserializer.deserialize_str(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_text_shares_one_allocation() {
        let first = Text::new("shared-between-records");
        let second: Text = serde_json::from_str("\"shared-between-records\"").unwrap();
        assert!(Arc::ptr_eq(&first.0, &second.0));
    }

    #[test]
    fn text_nobody_holds_is_swept_as_the_pool_grows() {
        let kept = Text::new("kept-through-the-sweep");
        for n in 0..SHARDS * SWEEP_FLOOR * 3 {
            drop(Text::new(&format!("passing-{n}")));
        }
        let pooled: usize = POOL
            .iter()
            .map(|shard| shard.lock().unwrap().entries.len())
            .sum();
        assert!(
            pooled <= SHARDS * (SWEEP_FLOOR + 1),
            "{pooled} entries stayed"
        );
        assert!(Arc::ptr_eq(&kept.0, &Text::new("kept-through-the-sweep").0));
    }
}
