//! Instances in order of preference, with what is free on them.
//!
//! The order is kept in blocks of bounded length, and each block knows the most of every resource
//! that one of its instances has free. So the first instance in order that a task fits on is
//! found without looking into blocks where it cannot fit.

use berth_model::id::InstanceId;

/// What is free on an instance, or what a task needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) cpu: u32,
    pub(super) memory: u32,
    pub(super) gpus: u32,
}

impl Room {
    fn fits_in(self, free: Room) -> bool {
        self.cpu <= free.cpu && self.memory <= free.memory && self.gpus <= free.gpus
    }

    /// Whether this was as much as `most` of a resource of which there is less `now`.
    fn had_the_most(self, now: Room, most: Room) -> bool {
        self.cpu > now.cpu && self.cpu == most.cpu
            || self.memory > now.memory && self.memory == most.memory
            || self.gpus > now.gpus && self.gpus == most.gpus
    }

    fn or_more(self, other: Room) -> Room {
        Room {
            cpu: self.cpu.max(other.cpu),
            memory: self.memory.max(other.memory),
            gpus: self.gpus.max(other.gpus),
        }
    }
}

/// How many ranks of its own an instance can have: one for each kind that there is.
pub(super) const RANKS_MAX: usize = 3;

/// Where an instance stands: less comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) ranks: [u32; RANKS_MAX],
    pub(super) instance: InstanceId,
}

impl Key {
    /// Where all instances come after.
    pub(super) const FIRST: Key = Key::before([0; RANKS_MAX]);

    /// Where instances with these ranks begin.
    pub(super) const fn before(ranks: [u32; RANKS_MAX]) -> Key {
        Key {
            ranks,
            instance: InstanceId::from_bytes([0; 16]),
        }
    }

    /// Where instances with these ranks end.
    pub(super) const fn after(ranks: [u32; RANKS_MAX]) -> Key {
        Key {
            ranks,
            instance: InstanceId::from_bytes([0xff; 16]),
        }
    }
}

/// One instance.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) key: Key,
    pub(super) slot: u32,
    pub(super) room: Room,
}

/// The most entries of a block: some 3 kB, which are searched and shifted in well under a
/// microsecond.
const BLOCK_MAX: usize = 64;
/// Two neighbours that together have no more than this become one.
const MERGE_MAX: usize = BLOCK_MAX / 2;

#[derive(Debug)]
struct Block {
    /// The key of the last entry, kept here so that a search over blocks looks into none.
    last: Key,
    /// The most of each resource that an entry has free.
    room: Room,
    entries: Vec<Entry>,
}

impl Block {
    fn of(entries: Vec<Entry>) -> Block {
        let mut block = Block {
            last: Key::FIRST,
            room: Room::default(),
            entries,
        };
        block.measure();
        block
    }

    /// Reckons anew what is known of the entries, of which there is at least one.
    fn measure(&mut self) {
        self.last = self.entries.last().map_or(self.last, |entry| entry.key);
        self.room = self
            .entries
            .iter()
            .fold(Room::default(), |most, entry| most.or_more(entry.room));
    }
}

/// Instances in order.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    blocks: Vec<Block>,
}

impl Ranked {
    pub(super) fn insert(&mut self, entry: Entry) {
        let at = self
            .block_of(entry.key)
            .min(self.blocks.len().saturating_sub(1));
        let Some(block) = self.blocks.get_mut(at) else {
            self.blocks.push(Block::of(vec![entry]));
            return;
        };
        let place = block.entries.partition_point(|other| other.key < entry.key);
        block.entries.insert(place, entry);
        block.room = block.room.or_more(entry.room);
        block.last = block.last.max(entry.key);
        if block.entries.len() > BLOCK_MAX {
            let upper = block.entries.split_off(BLOCK_MAX / 2);
            block.measure();
            self.blocks.insert(at + 1, Block::of(upper));
        }
    }

    pub(super) fn remove(&mut self, key: Key) {
        let Some((at, place)) = self.find(key) else {
            return;
        };
        let block = &mut self.blocks[at];
        block.entries.remove(place);
        if block.entries.is_empty() {
            self.blocks.remove(at);
            return;
        }
        block.measure();
        if self.blocks[at].entries.len() < MERGE_MAX / 2 {
            self.merge(at.saturating_sub(1));
        }
    }

    /// Changes what is free on an instance that keeps its place.
    pub(super) fn set_room(&mut self, key: Key, room: Room) {
        if let Some((at, place)) = self.find(key) {
            let block = &mut self.blocks[at];
            let before = std::mem::replace(&mut block.entries[place].room, room);
            block.room = block.room.or_more(room);
            // Whoever had the most and has less now leaves a smaller most behind.
            if before.had_the_most(room, block.room) {
                block.measure();
            }
        }
    }

    /// The first entry not before `from` that has room for `need`.
    pub(super) fn first_fit(&self, need: Room, from: Key) -> Option<&Entry> {
        let start = self.block_of(from);
        let fitting = |block: &&Block| need.fits_in(block.room);
        let found = |block: &'_ Block| -> Option<usize> {
            block
                .entries
                .iter()
                .position(|entry| entry.key >= from && need.fits_in(entry.room))
        };
        self.blocks[start..]
            .iter()
            .filter(fitting)
            .find_map(|block| found(block).map(|place| &block.entries[place]))
    }

    /// The first entry with room for `need` at or after the one with `rank`, counted from 0.
    pub(super) fn first_fit_from(&self, need: Room, rank: usize) -> Option<&Entry> {
        let mut skipped = 0;
        let start = self.blocks.iter().find_map(|block| {
            let place = rank - skipped;
            skipped += block.entries.len();
            block.entries.get(place)
        })?;
        self.first_fit(need, start.key)
    }

    /// How many entries come before the key.
    pub(super) fn rank_of(&self, key: Key) -> usize {
        let at = self.block_of(key);
        let before: usize = self.blocks[..at]
            .iter()
            .map(|block| block.entries.len())
            .sum();
        let within = self.blocks.get(at).map_or(0, |block| {
            block.entries.partition_point(|entry| entry.key < key)
        });
        before + within
    }

    fn merge(&mut self, at: usize) {
        let Some(upper) = self.blocks.get(at + 1) else {
            return;
        };
        if self.blocks[at].entries.len() + upper.entries.len() <= MERGE_MAX {
            let upper = self.blocks.remove(at + 1);
            self.blocks[at].entries.extend(upper.entries);
            self.blocks[at].measure();
        }
    }

    /// The block in which the key is or belongs; one past the last if it comes after all.
    fn block_of(&self, key: Key) -> usize {
        self.blocks.partition_point(|block| block.last < key)
    }

    fn find(&self, key: Key) -> Option<(usize, usize)> {
        let at = self.block_of(key);
        let block = self.blocks.get(at)?;
        let place = block
            .entries
            .binary_search_by(|entry| entry.key.cmp(&key))
            .ok()?;
        Some((at, place))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn key(number: u8) -> Key {
        Key {
            ranks: [u32::from(number / 16), 0, u32::from(number / 4 % 4)],
            instance: InstanceId::from_bytes([number % 4; 16]),
        }
    }

    fn room() -> impl proptest::strategy::Strategy<Value = Room> {
        (0..4_u32, 0..4_u32, 0..2_u32).prop_map(|(cpu, memory, gpus)| Room { cpu, memory, gpus })
    }

    proptest! {
        #[test]
        fn the_first_fit_is_the_one_a_plain_map_finds(
            changes in prop::collection::vec((any::<u8>(), prop::option::weighted(0.7, room())), 0..600),
            need in room(),
            from in any::<u8>(),
        ) {
            let mut ranked = Ranked::default();
            let mut plain = BTreeMap::new();
            for (number, change) in changes {
                let at = key(number);
                match (change, plain.contains_key(&at)) {
                    (Some(room), true) => ranked.set_room(at, room),
                    (Some(room), false) => ranked.insert(Entry { key: at, slot: u32::from(number), room }),
                    (None, _) => ranked.remove(at),
                }
                match change {
                    Some(room) => plain.insert(at, room),
                    None => plain.remove(&at),
                };
            }
            let expected = plain.range(key(from)..).find(|(_, room)| need.fits_in(**room));
            let found = ranked.first_fit(need, key(from));
            prop_assert_eq!(found.map(|entry| entry.key), expected.map(|(key, _)| *key));
            let rank = plain.range(..key(from)).count();
            prop_assert_eq!(ranked.rank_of(key(from)), rank);
            let from_rank = ranked.first_fit_from(need, rank);
            prop_assert_eq!(from_rank.map(|entry| entry.key), found.map(|entry| entry.key));
            let most = |block: &Block| block.entries.iter().fold(Room::default(), |most, e| most.or_more(e.room));
            prop_assert!(ranked.blocks.iter().all(|block| block.room == most(block) && Some(block.last) == block.entries.last().map(|e| e.key)));
            let lengths: usize = ranked.blocks.iter().map(|block| block.entries.len()).sum();
            prop_assert_eq!(lengths, plain.len());
            prop_assert!(ranked.blocks.iter().all(|block| (1..=BLOCK_MAX).contains(&block.entries.len())));
        }
    }
}
