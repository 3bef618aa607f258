//! Small numbers in place of things that are compared often, and a slab to keep things by them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Things kept by a small number, which is used again after they are gone.
#[derive(Debug)]
pub(super) struct Slab<T> {
    items: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T> Slab<T> {
    pub(super) fn insert(&mut self, item: T) -> u32 {
        if let Some(at) = self.free.pop() {
            self.items[at as usize] = Some(item);
            return at;
        }
        self.items.push(Some(item));
        u32::try_from(self.items.len() - 1).expect("memory ends before four billion items")
    }

    pub(super) fn remove(&mut self, at: u32) -> Option<T> {
        let item = self.items.get_mut(at as usize)?.take();
        if item.is_some() {
            self.free.push(at);
        }
        item
    }

    pub(super) fn get(&self, at: u32) -> Option<&T> {
        self.items.get(at as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut T> {
        self.items.get_mut(at as usize)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        (0..)
            .zip(&self.items)
            .filter_map(|(at, item)| Some((at, item.as_ref()?)))
    }
}

/// Numbers for keys, each for as long as somebody holds it.
#[derive(Debug)]
pub(super) struct Interner<K> {
    numbers: HashMap<K, u32>,
    held: Slab<(K, usize)>,
}

impl<K> Default for Interner<K> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            held: Slab::default(),
        }
    }
}

impl<K: Clone + Eq + Hash> Interner<K> {
    /// The key's number, which stays its own until it has been released as often as acquired.
    pub(super) fn acquire(&mut self, key: &K) -> u32 {
        if let Some(number) = self.numbers.get(key) {
            let (_, holders) = self.held.get_mut(*number).expect("a number in use is held");
            *holders += 1;
            return *number;
        }
        let number = self.held.insert((key.clone(), 1));
        self.numbers.insert(key.clone(), number);
        number
    }

    pub(super) fn release(&mut self, number: u32) {
        let Some((key, holders)) = self.held.get_mut(number) else {
            return;
        };
        *holders -= 1;
        if *holders == 0 {
            self.numbers.remove(key);
            self.held.remove(number);
        }
    }

    pub(super) fn find(&self, key: &K) -> Option<u32> {
        self.numbers.get(key).copied()
    }

    pub(super) fn key(&self, number: u32) -> Option<&K> {
        self.held.get(number).map(|(key, _)| key)
    }
}

/// A map by numbers that the fleet gave out itself, which nobody can choose so as to collide.
pub(super) type NumberMap<T> = HashMap<u32, T, BuildHasherDefault<NumberHasher>>;

/// Spreads a number over the whole width with one multiplication.
#[derive(Debug, Default)]
pub(super) struct NumberHasher(u64);

impl Hasher for NumberHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u32(u32::from(*byte));
        }
    }

    fn write_u32(&mut self, number: u32) {
        // The golden ratio's bits; the map takes its slot from the low end and its tag from the
        // high one, so both must depend on the number.
        let mixed = (self.0 ^ u64::from(number)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

#[cfg(test)]
impl<K: Clone + Ord> Interner<K> {
    /// Every key with the number of its holders.
    pub(super) fn told(&self) -> std::collections::BTreeMap<K, usize> {
        assert_eq!(self.numbers.len(), self.held.iter().count());
        self.held.iter().map(|(_, held)| held.clone()).collect()
    }
}
