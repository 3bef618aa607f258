//! One order of preference over a pool's instances, kept for requests of one shape.
//!
//! Requests share an order when they differ only in sizes and chance, and in their group too unless
//! instances are ranked or ruled out by it. Instances are parted by the values of the attributes
//! that are spread over, for the count of a value changes for all its instances at once, and is
//! kept for each group; within a part they are ranked by what is their own. The best instance is
//! the best of the parts' best.
//!
//! An order holds the instances that a request of its shape may use if only CPU, memory and
//! GPUs suffice. It is derived: instances that changed are looked at anew when the order is next
//! used, whatever the change was.

use std::collections::{BTreeSet, HashMap};

use berth_model::text::Text;

use super::criteria::Criteria;
use super::ids::NumberMap;
use super::ranked::{Entry, Key, RANKS_MAX, Ranked, Room};
use super::slot::{Machine, Registration, Slot, View};
use crate::request::Request;
use crate::strategy::{BinpackField, STRATEGIES_MAX, SpreadField, Strategy};

/// What requests must have in common to share an order, as they spell it.
#[derive(Debug, PartialEq)]
pub(super) struct Shape {
    /// The group's number, where single instances count by it.
    pub(super) group: Option<u32>,
    required: Box<[Text]>,
    member_of: Box<[Text]>,
    zones: Option<Box<[Text]>>,
    ports: Box<[berth_model::resources::HostPort]>,
    distinct: bool,
    strategy: Box<[Strategy]>,
}

impl Shape {
    pub(super) fn of(request: &Request<'_>, group: Option<u32>) -> Shape {
        Shape {
            group,
            required: request.required_attributes.into(),
            member_of: request.member_of.into(),
            zones: request.zones.map(Into::into),
            ports: request.demand.ports.as_slice().into(),
            distinct: request.distinct_instance,
            strategy: strategies(request).into(),
        }
    }

    pub(super) fn is_of(&self, request: &Request<'_>, group: Option<u32>) -> bool {
        self.group == group
            && self.distinct == request.distinct_instance
            && *self.strategy == *strategies(request)
            && *self.ports == *request.demand.ports
            && *self.required == *request.required_attributes
            && *self.member_of == *request.member_of
            && self.zones.as_deref() == request.zones
    }
}

/// The strategies of a request that count.
fn strategies<'a>(request: &Request<'a>) -> &'a [Strategy] {
    &request.strategy[..request.strategy.len().min(STRATEGIES_MAX)]
}

/// Whether requests of different groups need orders of their own.
pub(super) fn is_of_one_group(request: &Request<'_>) -> bool {
    let spread = Strategy::Spread(SpreadField::InstanceId);
    request.distinct_instance || strategies(request).contains(&spread)
}

/// What an instance is ranked by, besides attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Local {
    TasksOfGroup,
    FreeCpu,
    FreeMemory,
}

/// One step of the comparison of two instances.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The count of the value of this attribute.
    Attribute(usize),
    /// This one of the instance's own ranks.
    Local(usize),
}

/// The strategies, compiled. What cannot break a tie any more is left out: a repeat of an
/// earlier one, and everything after `random`.
#[derive(Debug, Default)]
struct Ranking {
    steps: Vec<Step>,
    attributes: Vec<Text>,
    locals: Vec<Local>,
    random: bool,
}

impl Ranking {
    fn of(strategies: &[Strategy]) -> Ranking {
        let mut ranking = Ranking::default();
        for strategy in strategies {
            match strategy {
                Strategy::Random => {
                    ranking.random = true;
                    break;
                }
                Strategy::Spread(SpreadField::Attribute(name)) => ranking.by_attribute(name),
                Strategy::Spread(SpreadField::InstanceId) => ranking.by_local(Local::TasksOfGroup),
                Strategy::Binpack(BinpackField::Cpu) => ranking.by_local(Local::FreeCpu),
                Strategy::Binpack(BinpackField::Memory) => ranking.by_local(Local::FreeMemory),
            }
        }
        ranking
    }

    fn by_attribute(&mut self, name: &Text) {
        if !self.attributes.contains(name) {
            self.steps.push(Step::Attribute(self.attributes.len()));
            self.attributes.push(name.clone());
        }
    }

    fn by_local(&mut self, local: Local) {
        if !self.locals.contains(&local) {
            self.steps.push(Step::Local(self.locals.len()));
            self.locals.push(local);
        }
    }

    /// The instance's own ranks.
    fn ranks_of(&self, tasks: u32, room: Room) -> [u32; RANKS_MAX] {
        let mut ranks = [0; RANKS_MAX];
        for (rank, local) in ranks.iter_mut().zip(&self.locals) {
            *rank = match local {
                Local::TasksOfGroup => tasks,
                Local::FreeCpu => room.cpu,
                Local::FreeMemory => room.memory,
            };
        }
        ranks
    }
}

/// A number that looks random and is different for every number: each step can be undone.
fn scattered(number: u128) -> u128 {
    const FIRST: u128 = 0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835;
    const SECOND: u128 = 0xD1B5_4A32_D192_ED03_8CB9_2BA7_2F3D_8DD7;
    let mixed = number.wrapping_mul(FIRST);
    let mixed = (mixed ^ (mixed >> 67)).wrapping_mul(SECOND);
    mixed ^ (mixed >> 61)
}

/// The tasks of one group, by the values of the attributes that are spread over.
#[derive(Debug)]
struct Counts {
    /// For each attribute, how many tasks are on instances with each value.
    tasks: Vec<Vec<u32>>,
    /// The values of the first attribute, those with the fewest tasks first.
    fewest: BTreeSet<(u32, u32)>,
    all: u32,
}

impl Counts {
    fn none(values: &[HashMap<Option<Text>, u32>]) -> Counts {
        let first = values.first().map_or(0, HashMap::len);
        Counts {
            tasks: values
                .iter()
                .map(|numbers| vec![0; numbers.len()])
                .collect(),
            fewest: (0..number_of(first)).map(|value| (0, value)).collect(),
            all: 0,
        }
    }

    /// A new value turned up, which no task of the group has.
    fn add_value(&mut self, attribute: usize) {
        let value = number_of(self.tasks[attribute].len());
        self.tasks[attribute].push(0);
        if attribute == 0 {
            self.fewest.insert((0, value));
        }
    }

    fn change(&mut self, values: &[u32], before: u32, after: u32) {
        for (attribute, value) in values.iter().enumerate() {
            let tasks = &mut self.tasks[attribute][*value as usize];
            let counted = (*tasks + after).saturating_sub(before);
            if attribute == 0 {
                self.fewest.remove(&(*tasks, *value));
                self.fewest.insert((counted, *value));
            }
            *tasks = counted;
        }
        self.all = (self.all + after).saturating_sub(before);
    }
}

/// Instances with the same values of all attributes that are spread over.
#[derive(Debug)]
struct Part {
    values: Box<[u32]>,
    ranked: Ranked,
}

/// What the order noted of an instance when it last looked.
#[derive(Debug)]
struct Note {
    epoch: u64,
    suits: bool,
    part: u32,
    /// How many tasks of each group were counted; empty where none need be.
    groups: Vec<(u32, u32)>,
    /// Its place, if it is in the order.
    key: Option<Key>,
    room: Room,
}

/// The instances of a pool in order of preference.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) shape: Shape,
    pub(super) criteria: Criteria,
    /// Up to where in the pool's log of changes it has looked.
    pub(super) seen: u64,
    /// When it was last used, by the fleet's own count.
    pub(super) used: u64,
    pool: u32,
    ranking: Ranking,
    suits_by_tasks: bool,
    notes: NumberMap<Note>,
    /// For each attribute that is spread over, the numbers of its values.
    values: Vec<HashMap<Option<Text>, u32>>,
    /// By the group's number; groups without tasks have none.
    counts: NumberMap<Counts>,
    parts: Vec<Part>,
    part_numbers: HashMap<Box<[u32]>, u32>,
    /// When an attribute comes first: the parts of each of its values.
    parts_of_first: Vec<Vec<u32>>,
}

impl Order {
    pub(super) fn new(pool: u32, shape: Shape, criteria: Criteria) -> Order {
        let ranking = Ranking::of(&shape.strategy);
        Order {
            suits_by_tasks: criteria.depends_on_tasks(),
            shape,
            criteria,
            seen: 0,
            used: 0,
            pool,
            ranking,
            notes: NumberMap::default(),
            values: Vec::new(),
            counts: NumberMap::default(),
            parts: Vec::new(),
            part_numbers: HashMap::new(),
            parts_of_first: Vec::new(),
        }
    }

    /// How much it has noted, of instances and of values: what it costs in memory.
    pub(super) fn len(&self) -> usize {
        let values: usize = self.values.iter().map(HashMap::len).sum();
        self.notes.len() + self.counts.len() * values
    }

    /// Whether most of what it keeps is about values that no instance has any more.
    pub(super) fn is_stale(&self) -> bool {
        /// Below this, a few values too many cost nothing.
        const PARTS_FLOOR: usize = 64;
        self.parts.len() > 2 * self.notes.len() + PARTS_FLOOR
    }

    /// Forgets everything and looks at these instances.
    pub(super) fn rebuild(&mut self, view: View<'_>, slots: impl Iterator<Item = u32>) {
        self.notes.clear();
        self.parts.clear();
        self.part_numbers.clear();
        self.parts_of_first.clear();
        self.counts.clear();
        self.values.clear();
        self.values
            .resize_with(self.ranking.attributes.len(), HashMap::new);
        self.notes.reserve(slots.size_hint().0);
        for slot in slots {
            self.look(view, slot);
        }
    }

    /// Looks at an instance anew.
    pub(super) fn look(&mut self, view: View<'_>, at: u32) {
        let found = view.slots.get(at).and_then(|slot| {
            let registration = slot.registration.as_ref()?;
            let machine = view.machine(registration)?;
            registration
                .pools
                .contains(&self.pool)
                .then_some((slot, registration, machine))
        });
        match found {
            Some((slot, registration, machine)) => self.note(view, at, slot, registration, machine),
            None => self.forget(at),
        }
    }

    fn forget(&mut self, at: u32) {
        if let Some(mut note) = self.notes.remove(&at) {
            self.recount(note.part, &mut note.groups, &[]);
            if let Some(key) = note.key {
                self.parts[note.part as usize].ranked.remove(key);
            }
        }
    }

    fn note(
        &mut self,
        view: View<'_>,
        at: u32,
        slot: &Slot,
        registration: &Registration,
        machine: &Machine,
    ) {
        let known = self
            .notes
            .get(&at)
            .filter(|note| note.epoch == registration.epoch);
        let (part, suits) = match known {
            Some(note) if !self.suits_by_tasks => (note.part, note.suits),
            Some(note) => (note.part, self.criteria.suits(view, slot, registration)),
            None => {
                self.forget(at);
                let suits = self.criteria.suits(view, slot, registration);
                (self.part_of(registration), suits)
            }
        };
        let tasks = self.shape.group.map_or(0, |group| slot.tasks_of(group));
        let old = self.notes.get_mut(&at);
        let mut groups = old.map_or_else(Vec::new, |note| std::mem::take(&mut note.groups));
        match self.shape.group {
            Some(_) if tasks == 0 => self.recount(part, &mut groups, &[]),
            Some(group) => self.recount(part, &mut groups, &[(group, tasks)]),
            None => self.recount(part, &mut groups, slot.groups()),
        }
        let room = machine
            .room
            .filter(|_| suits && self.criteria.admits(view, slot, machine));
        let key = room.map(|room| Key {
            ranks: self.ranking.ranks_of(tasks, room),
            instance: slot.instance,
        });
        let room = room.unwrap_or_default();
        let note = Note {
            epoch: registration.epoch,
            suits,
            part,
            groups,
            key,
            room,
        };
        let (old_key, old_room) = match self.notes.insert(at, note) {
            Some(old) => (old.key, old.room),
            None => (None, Room::default()),
        };
        let ranked = &mut self.parts[part as usize].ranked;
        if let Some(key) = key.filter(|_| key == old_key) {
            if room != old_room {
                ranked.set_room(key, room);
            }
            return;
        }
        if let Some(old_key) = old_key {
            ranked.remove(old_key);
        }
        if let Some(key) = key {
            ranked.insert(Entry {
                key,
                slot: at,
                room,
            });
        }
    }

    /// The groups on an instance of this part were `counted`, and are `now`.
    fn recount(&mut self, part: u32, counted: &mut Vec<(u32, u32)>, now: &[(u32, u32)]) {
        if self.values.is_empty() || counted == now {
            return;
        }
        let tasks_in = |groups: &[(u32, u32)], group| {
            let found = groups.iter().find(|(other, _)| *other == group);
            found.map_or(0, |(_, tasks)| *tasks)
        };
        for (group, tasks) in now {
            self.count(part, *group, tasks_in(counted, *group), *tasks);
        }
        for (group, tasks) in counted.iter() {
            if tasks_in(now, *group) == 0 {
                self.count(part, *group, *tasks, 0);
            }
        }
        counted.clear();
        counted.extend_from_slice(now);
    }

    fn count(&mut self, part: u32, group: u32, before: u32, after: u32) {
        if before == after {
            return;
        }
        let values = &self.values;
        let counts = self
            .counts
            .entry(group)
            .or_insert_with(|| Counts::none(values));
        counts.change(&self.parts[part as usize].values, before, after);
        if counts.all == 0 {
            self.counts.remove(&group);
        }
    }

    fn part_of(&mut self, registration: &Registration) -> u32 {
        let mut numbers = Vec::with_capacity(self.values.len());
        for (attribute, name) in self.ranking.attributes.iter().enumerate() {
            let value = registration.host.attribute(name);
            // A name without a value counts as empty text, as in the query language.
            let value = value.map(|value| value.cloned().unwrap_or_else(|| Text::new("")));
            let known = &mut self.values[attribute];
            let fresh = number_of(known.len());
            let number = *known.entry(value).or_insert(fresh);
            if number == fresh {
                self.counts
                    .values_mut()
                    .for_each(|counts| counts.add_value(attribute));
            }
            numbers.push(number);
        }
        let numbers = numbers.into_boxed_slice();
        if let Some(part) = self.part_numbers.get(&numbers) {
            return *part;
        }
        let part = number_of(self.parts.len());
        if let (Some(Step::Attribute(_)), Some(value)) =
            (self.ranking.steps.first(), numbers.first())
        {
            let value = *value as usize;
            if value == self.parts_of_first.len() {
                self.parts_of_first.push(Vec::new());
            }
            self.parts_of_first[value].push(part);
        }
        self.part_numbers.insert(numbers.clone(), part);
        self.parts.push(Part {
            values: numbers,
            ranked: Ranked::default(),
        });
        part
    }

    /// The most preferred instance that has room for a task of the group; `seed` decides where
    /// `random` does.
    pub(super) fn best(&self, need: Room, group: Option<u32>, seed: u64) -> Option<u32> {
        let counts = group.and_then(|group| self.counts.get(&group));
        let mut best = Best {
            order: self,
            counts,
            need,
            chance: self.ranking.random.then(|| scattered(u128::from(seed) + 1)),
            found: None,
        };
        match counts {
            _ if self.parts_of_first.is_empty() => {
                (0..number_of(self.parts.len())).for_each(|part| best.consider(part));
            }
            Some(counts) => best.consider_values(counts.fewest.iter().copied()),
            None => {
                let values = 0..number_of(self.parts_of_first.len());
                best.consider_values(values.map(|value| (0, value)));
            }
        }
        best.found.map(|(_, slot)| slot)
    }
}

/// How many values with equally few tasks are compared by the strategies that come after; any of
/// the rest would be as good by the first. Zones are three, racks some dozens; only an attribute
/// with a value for every machine has more.
const TIED_VALUES_MAX: usize = 256;

fn number_of(length: usize) -> u32 {
    u32::try_from(length).expect("there are fewer values than instances")
}

/// How an instance compares with those of other parts: less is better.
type Rank = ([u32; STRATEGIES_MAX], u128);

/// The search for the best instance, part by part.
struct Best<'a> {
    order: &'a Order,
    /// What is counted of the group; nothing while it has no tasks.
    counts: Option<&'a Counts>,
    need: Room,
    /// A number from the seed, where chance decides between equals.
    chance: Option<u128>,
    found: Option<(Rank, u32)>,
}

impl Best<'_> {
    /// Considers the values of the first attribute, given with their tasks, the fewest first.
    fn consider_values(&mut self, values: impl Iterator<Item = (u32, u32)>) {
        let mut level = None;
        for (looked_at, (tasks, value)) in values.enumerate() {
            if level.is_some_and(|level| level < tasks || looked_at >= TIED_VALUES_MAX) {
                break;
            }
            for part in &self.order.parts_of_first[value as usize] {
                self.consider(*part);
            }
            if self.found.is_some() {
                level = Some(tasks);
            }
        }
    }

    fn consider(&mut self, part: u32) {
        let part = &self.order.parts[part as usize];
        let Some(entry) = self.first_of(&part.ranked) else {
            return;
        };
        let mut steps = [0; STRATEGIES_MAX];
        for (rank, step) in steps.iter_mut().zip(&self.order.ranking.steps) {
            *rank = match step {
                Step::Attribute(index) => self.counts.map_or(0, |counts| {
                    counts.tasks[*index][part.values[*index] as usize]
                }),
                Step::Local(index) => entry.key.ranks[*index],
            };
        }
        let id = u128::from_be_bytes(*entry.key.instance.as_bytes());
        let tie = self.chance.map_or(id, |chance| scattered(id ^ chance));
        let rank = (steps, tie);
        if self.found.is_none_or(|(best, _)| rank < best) {
            self.found = Some((rank, entry.slot));
        }
    }

    /// The best of one part. Where chance decides, it picks one of the equals and takes the first
    /// from there on that has room.
    fn first_of<'b>(&self, ranked: &'b Ranked) -> Option<&'b Entry> {
        let first = ranked.first_fit(self.need, Key::FIRST)?;
        let Some(chance) = self.chance else {
            return Some(first);
        };
        let ranks = first.key.ranks;
        let start = ranked.rank_of(Key::before(ranks));
        let end = ranked.rank_of(Key::after(ranks));
        let equals = (end - start).max(1) as u128;
        let picked = start + usize::try_from(chance % equals).unwrap_or(0);
        let found = ranked.first_fit_from(self.need, picked);
        found
            .filter(|entry| entry.key.ranks == ranks)
            .or(Some(first))
    }
}
