//! Objects of one type, each with what readers still see of its past.
//!
//! A write is in force at once, for conflicts and for other writes. Reads see it after the service's delay:
//! a row keeps its old versions until their time is over. Closing a lab lets the delays pass.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use super::object::Object;

/// An object's versions.
#[derive(Debug, Clone)]
pub(super) struct Row<T> {
    now: Option<T>,
    /// What readers see until a moment, oldest first.
    old: Vec<(Timestamp, Option<T>)>,
}

impl<T> Row<T> {
    /// Returns a row that readers see from the start.
    pub(super) fn settled(value: T) -> Self {
        Self { now: Some(value), old: Vec::new() }
    }
    /// Returns a row of something that doesn't exist.
    pub(super) fn absent() -> Self {
        Self { now: None, old: Vec::new() }
    }
    /// Returns what is in force.
    pub(super) fn now(&self) -> Option<&T> {
        self.now.as_ref()
    }
    /// Returns what readers see at a moment.
    pub(super) fn seen(&self, at: Timestamp) -> Option<&T> {
        self.old.iter().find(|(until, _)| *until > at).map_or(self.now.as_ref(), |(_, value)| value.as_ref())
    }
    /// Puts a new value in force that readers see from `until` on.
    pub(super) fn set(&mut self, value: Option<T>, now: Timestamp, until: Timestamp) {
        let before = std::mem::replace(&mut self.now, value);
        self.old.retain(|(moment, _)| *moment > now);
        if until > now {
            self.old.push((until, before));
        }
    }
    /// Says whether nothing is left of it, in force or in readers' eyes.
    pub(super) fn is_over(&self, at: Timestamp) -> bool {
        self.now.is_none() && self.old.iter().all(|(until, _)| *until <= at)
    }
}

/// A table in the order of ids, with an index of some properties.
#[derive(Debug)]
pub(super) struct Table<T> {
    rows: BTreeMap<Uuid, Row<T>>,
    /// Property and lower-case value to every id that has or had it. Candidates: readers check the filter.
    index: HashMap<(&'static str, String), Vec<Uuid>>,
}

impl<T: Object> Table<T> {
    /// Returns an empty table.
    pub(super) fn new() -> Self {
        Self { rows: BTreeMap::new(), index: HashMap::new() }
    }

    fn note(&mut self, value: &T) {
        for property in T::INDEXED {
            // Nobody looks for what is empty, and many objects may have it.
            if let Some(Value::String(text)) = value.get(property)
                && !text.is_empty()
            {
                let ids = self.index.entry((property, text.to_lowercase())).or_default();
                if !ids.contains(&value.id()) {
                    ids.push(value.id());
                }
            }
        }
    }
    /// Puts an object there that readers see from the start.
    pub(super) fn seed(&mut self, value: T) {
        self.note(&value);
        self.rows.insert(value.id(), Row::settled(value));
    }
    /// Removes an object from the first moment.
    pub(super) fn unseed(&mut self, id: Uuid) {
        self.rows.remove(&id);
    }
    /// Puts an object in force.
    pub(super) fn put(&mut self, value: T, now: Timestamp, until: Timestamp) {
        self.note(&value);
        self.rows.entry(value.id()).or_insert_with(Row::absent).set(Some(value), now, until);
    }
    /// Takes an object out of force.
    pub(super) fn remove(&mut self, id: Uuid, now: Timestamp, until: Timestamp) {
        if let Some(row) = self.rows.get_mut(&id) {
            row.set(None, now, until);
        }
    }
    /// Returns the object in force.
    pub(super) fn get(&self, id: Uuid) -> Option<&T> {
        self.rows.get(&id).and_then(Row::now)
    }
    /// Returns the object that readers see.
    pub(super) fn seen(&self, id: Uuid, at: Timestamp) -> Option<&T> {
        self.rows.get(&id).and_then(|row| row.seen(at))
    }
    /// Returns the objects in force.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.values().filter_map(Row::now)
    }
    /// Returns the objects that readers see, after an id.
    pub(super) fn seen_after(&self, after: Option<Uuid>, at: Timestamp) -> impl Iterator<Item = &T> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.rows.range((from, Bound::Unbounded)).filter_map(move |(_, row)| row.seen(at))
    }
    /// Returns the ids that may have a value in an indexed property, in order; `None` without an index.
    pub(super) fn candidates(&self, property: &str, value: &str) -> Option<Vec<Uuid>> {
        let property = T::INDEXED.iter().find(|name| **name == property && !value.is_empty())?;
        let mut ids = self.index.get(&(*property, value.to_lowercase())).cloned().unwrap_or_default();
        ids.sort_unstable();
        Some(ids)
    }
    /// Returns the objects in force with a value in an indexed property.
    pub(super) fn having<'a>(&'a self, property: &'static str, value: &str) -> impl Iterator<Item = &'a T> {
        let wanted = value.to_lowercase();
        let ids = self.index.get(&(property, wanted.clone())).map_or(&[][..], Vec::as_slice);
        ids.iter().filter_map(|id| self.get(*id)).filter(move |object| {
            object.get(property).is_some_and(|own| own.as_str().is_some_and(|own| own.to_lowercase() == wanted))
        })
    }
    /// Forgets rows of which nothing is left.
    pub(super) fn tidy(&mut self, id: Uuid, at: Timestamp) {
        if self.rows.get(&id).is_some_and(|row| row.is_over(at)) {
            self.rows.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("in range")
    }

    /// Catches a second write that shows the first one early, and a delete that readers see at once.
    #[test]
    fn readers_lag() {
        let mut row = Row::settled("a");
        row.set(Some("b"), at(10), at(15));
        row.set(Some("c"), at(12), at(17));
        row.set(None, at(13), at(18));
        assert_eq!(row.now(), None);
        for (moment, seen) in [(10, Some("a")), (14, Some("a")), (15, Some("b")), (17, Some("c")), (18, None)] {
            assert_eq!(row.seen(at(moment)).copied(), seen, "{moment}");
        }
        assert!(!row.is_over(at(17)) && row.is_over(at(18)));
        row.set(Some("d"), at(20), at(20));
        assert_eq!(row.seen(at(20)).copied(), Some("d"));
    }
}
