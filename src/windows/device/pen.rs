//! One change: what was there is noted, the change is made, and it is read back.

use super::before::{Purpose, Thing, Was};
use super::{Inner, Result};
use crate::model::{Problem, Retry, Sid};
use crate::windows::machine::{Key, Value};

impl Inner {
    /// Says that a change didn't take, where it didn't.
    pub(super) fn taken(&self, taken: bool, what: impl FnOnce() -> String) -> Result<()> {
        if taken {
            return Ok(());
        }
        Err(Problem::new("device.not-taken", format!("Windows took the change of {} and didn't make it", what()))
            .next("look whether a policy or security software puts it back")
            .retry(Retry::Soon))
    }
    /// Sets a value below HKLM. Keys that this makes are noted too, so that they go again.
    pub(super) fn set_value(&self, purpose: Purpose, key: &str, name: &str, value: &Value) -> Result<()> {
        let at = Key::machine(key);
        let was = self.machine.value(&at, name)?;
        if was.as_ref() == Some(value) {
            return Ok(());
        }
        let mut above = key;
        while self.machine.values(&Key::machine(above))?.is_none() {
            self.note(purpose, Thing::Key(above.to_owned()), Was::Absent)?;
            let Some((parent, _)) = above.rsplit_once('\\') else { break };
            above = parent;
        }
        self.note(purpose, Thing::Value { key: key.to_owned(), name: name.to_owned() }, was.into())?;
        self.machine.set(&at, name, value)?;
        self.taken(self.machine.value(&at, name)?.as_ref() == Some(value), || format!("{at} {name}"))
    }
    /// Removes a key below HKLM with all below it. What lay in it isn't kept: enrolments and caches hold secrets.
    pub(super) fn remove_key(&self, purpose: Purpose, key: &str) -> Result<()> {
        let at = Key::machine(key);
        if self.machine.values(&at)?.is_none() {
            return Ok(());
        }
        self.note(purpose, Thing::Key(key.to_owned()), Was::There)?;
        self.machine.remove_tree(&at)?;
        self.taken(self.machine.values(&at)?.is_none(), || at.to_string())
    }
    /// Switches a task on or off, where there is one.
    pub(super) fn switch_task(&self, purpose: Purpose, path: &str, enabled: bool) -> Result<()> {
        let Some(task) = self.machine.task(path)?.filter(|task| task.enabled != enabled) else { return Ok(()) };
        self.note(purpose, Thing::Task(path.to_owned()), Was::Enabled(task.enabled))?;
        self.machine.enable_task(path, enabled)?;
        let now = self.machine.task(path)?.is_none_or(|task| task.enabled == enabled);
        self.taken(now, || format!("task {path}"))
    }
    /// Adds to a local group, or removes from it.
    pub(super) fn set_member(&self, group: &Sid, member: &Sid, there: bool) -> Result<()> {
        let is_there = || -> Result<bool> { Ok(self.machine.members(group)?.contains(member)) };
        if is_there()? == there {
            return Ok(());
        }
        let was = if there { Was::Absent } else { Was::There };
        self.note(Purpose::Move, Thing::Member { group: group.clone(), member: member.clone() }, was)?;
        if there {
            self.machine.add_member(group, member)?;
        } else {
            self.machine.remove_member(group, member)?;
        }
        self.taken(is_there()? == there, || format!("member {member} of {group}"))
    }
    /// Removes a file or folder.
    pub(super) fn remove_file(&self, path: &str) -> Result<()> {
        if !self.machine.exists(path)? {
            return Ok(());
        }
        self.note(Purpose::Move, Thing::File(path.to_owned()), Was::There)?;
        self.machine.remove(path)?;
        self.taken(!self.machine.exists(path)?, || path.to_owned())
    }
}
