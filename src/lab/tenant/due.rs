//! What a service does later: deletes that take minutes, imports, backups, Entra Connect. On disk, so that a
//! lab which is closed in between goes on with it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::lab::store::{LabStore, Write};
use crate::model::Problem;
use crate::port::Result;

const KIND: &str = "due";

/// Something that happens later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::lab) enum Task {
    /// Entra Connect looks at a computer.
    Connect {
        /// `objectGUID`.
        computer: Uuid,
    },
    /// An Autopilot identity is gone.
    AutopilotGone {
        /// Tenant by the world's name.
        tenant: String,
        /// Identity.
        id: Uuid,
    },
    /// An Autopilot import ends, one way or the other.
    ImportEnds {
        /// Tenant by the world's name.
        tenant: String,
        /// Import.
        id: Uuid,
    },
    /// A LAPS backup arrives.
    LapsArrives {
        /// Tenant by the world's name.
        tenant: String,
        /// Registration.
        device: Uuid,
    },
}

/// The tasks in the order of their moments.
#[derive(Debug, Clone, Default)]
pub(in crate::lab) struct Due {
    queue: BTreeMap<(Timestamp, u64), Task>,
    last: u64,
}

impl Due {
    /// Reads the tasks that are left.
    pub(in crate::lab) fn load(store: &LabStore) -> Result<Self> {
        let mut due = Self::default();
        for (id, body) in store.all(KIND)? {
            let broken = |e: &dyn std::fmt::Display| {
                Problem::new("lab.store", format!("task {id} of the lab can't be read")).detail(e.to_string())
            };
            let number: u64 = id.parse().map_err(|e| broken(&e))?;
            let (at, task): (Timestamp, Task) = serde_json::from_str(&body).map_err(|e| broken(&e))?;
            due.queue.insert((at, number), task);
            due.last = due.last.max(number);
        }
        Ok(due)
    }
    /// Adds a task and returns what has to be written with it.
    pub(in crate::lab) fn schedule(&mut self, now: Timestamp, secs: u64, task: Task) -> Result<Write> {
        let at = later(now, secs);
        self.last += 1;
        let body = serde_json::to_string(&(at, &task))
            .map_err(|e| Problem::new("lab.store", "a task can't be written as JSON").detail(e.to_string()))?;
        self.queue.insert((at, self.last), task);
        Ok(Write { kind: KIND.to_owned(), id: format!("{:020}", self.last), body: Some(body) })
    }
    /// Takes the next task whose moment has come, and what has to be written with its effect.
    pub(in crate::lab) fn take(&mut self, now: Timestamp) -> Option<(Timestamp, Task, Write)> {
        let (&(at, number), _) = self.queue.first_key_value().filter(|((at, _), _)| *at <= now)?;
        let task = self.queue.remove(&(at, number))?;
        Some((at, task, Write { kind: KIND.to_owned(), id: format!("{number:020}"), body: None }))
    }
    /// Brings tasks forward to now, where a synchronisation was asked for.
    pub(in crate::lab) fn hasten(&mut self, now: Timestamp, of: impl Fn(&Task) -> bool) -> Result<Vec<Write>> {
        let keys: Vec<(Timestamp, u64)> =
            self.queue.iter().filter(|(key, task)| key.0 > now && of(task)).map(|(key, _)| *key).collect();
        let mut writes = Vec::with_capacity(keys.len() * 2);
        for key in keys {
            if let Some(task) = self.queue.remove(&key) {
                writes.push(Write { kind: KIND.to_owned(), id: format!("{:020}", key.1), body: None });
                writes.push(self.schedule(now, 0, task)?);
            }
        }
        Ok(writes)
    }
}

/// Returns a moment some seconds later.
pub(in crate::lab) fn later(now: Timestamp, secs: u64) -> Timestamp {
    let secs = i64::try_from(secs).unwrap_or(i64::MAX).min(1_000_000_000_000);
    now.saturating_add(SignedDuration::from_secs(secs)).unwrap_or(Timestamp::MAX)
}
