//! A persistent map from natural keys to records, each with an integer key for storage.

use std::fmt;
use std::ops::RangeBounds;
use std::sync::Arc;

use imbl::OrdMap;

/// A record and the integer key under which storage keeps it.
pub struct Row<V> {
    /// The integer key: given once, kept for the record's life.
    pub row: i64,
    /// The record.
    pub value: Arc<V>,
}

impl<V> Clone for Row<V> {
    fn clone(&self) -> Self {
        Self {
            row: self.row,
            value: self.value.clone(),
        }
    }
}

/// Records by natural key. A clone shares everything and costs one pointer.
pub struct Table<K, V> {
    rows: OrdMap<K, Row<V>>,
    next_row: i64,
}

impl<K: Ord + Clone, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self {
            rows: self.rows.clone(),
            next_row: self.next_row,
        }
    }
}

impl<K: Ord + Clone, V> Default for Table<K, V> {
    fn default() -> Self {
        Self {
            rows: OrdMap::new(),
            next_row: 1,
        }
    }
}

impl<K: Ord + Clone, V> Table<K, V> {
    /// The record with this key.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<&Arc<V>> {
        self.rows.get(key).map(|row| &row.value)
    }

    /// The record with this key and its integer key.
    #[must_use]
    pub fn row(&self, key: &K) -> Option<&Row<V>> {
        self.rows.get(key)
    }

    /// Records in the order of their keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &Arc<V>)> {
        self.rows.iter().map(|(key, row)| (key, &row.value))
    }

    /// Records whose keys lie in `range`, in order.
    pub fn range<R: RangeBounds<K>>(
        &self,
        range: R,
    ) -> impl DoubleEndedIterator<Item = (&K, &Arc<V>)> {
        self.rows.range(range).map(|(key, row)| (key, &row.value))
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Puts a record in; answers its integer key and the record that was there.
    pub(crate) fn put(&mut self, key: K, value: Arc<V>) -> (i64, Option<Arc<V>>) {
        if let Some(row) = self.rows.get_mut(&key) {
            let before = std::mem::replace(&mut row.value, value);
            return (row.row, Some(before));
        }
        let row = self.next_row;
        self.next_row += 1;
        self.rows.insert(key, Row { row, value });
        (row, None)
    }

    /// Takes a record out; answers its integer key and what it was.
    pub(crate) fn remove(&mut self, key: &K) -> Option<Row<V>> {
        self.rows.remove(key)
    }

    /// Puts a record in under the integer key that storage knows it by.
    pub(crate) fn load(&mut self, key: K, row: i64, value: Arc<V>) -> Option<Row<V>> {
        self.next_row = self.next_row.max(row.saturating_add(1));
        self.rows.insert(key, Row { row, value })
    }
}

impl<K: Ord + Clone + fmt::Debug, V: fmt::Debug> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.rows.iter().map(|(key, row)| (key, &row.value)))
            .finish()
    }
}
