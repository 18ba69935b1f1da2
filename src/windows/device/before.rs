//! What everything was before it was changed: one line a change, durable before the change is made.
//!
//! The first note of a thing since it was last put back is the one that counts; later ones were made by this tool.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::own::{DOCUMENT_MAX, unwritable};
use super::{Inner, Result, unreadable};
use crate::model::Sid;
use crate::windows::machine::{Key, Root, StartKind, Value};

/// Why something is changed; what is put back together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Purpose {
    /// The notice and the held sign-in.
    Surface,
    /// The start at boot.
    BootStart,
    /// Joining again by itself.
    Rejoin,
    /// Policies that forbid packages.
    Package,
    /// Anything that stays.
    Move,
}

/// Something on the device. Put back in the opposite order: values before their keys, keys before those above.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Thing {
    /// A key below HKLM with all below it.
    Key(String),
    /// A value below HKLM.
    Value {
        /// The key.
        key: String,
        /// The value's name.
        name: String,
    },
    /// A service's start.
    Service(String),
    /// A task.
    Task(String),
    /// A member of a local group.
    Member {
        /// The group.
        group: Sid,
        /// The member.
        member: Sid,
    },
    /// A certificate, by thumbprint.
    Certificate(String),
    /// A local account.
    Account(String),
    /// A file or folder.
    File(String),
    /// Protectors of the system volume.
    Protectors,
    /// The join to the domain or to Entra.
    Join,
}

/// What it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Was {
    /// It wasn't there.
    Absent,
    /// It was there; no more is kept of it.
    There,
    /// In words.
    Words(String),
    /// Text of a value.
    Sz(String),
    /// Text with variables.
    ExpandSz(String),
    /// Several texts.
    MultiSz(Vec<String>),
    /// A number.
    Dword(u32),
    /// A long number.
    Qword(u64),
    /// Bytes of any kind: its number in Windows, and the bytes.
    Bytes(u32, Vec<u8>),
    /// A task, switched on or off.
    Enabled(bool),
    /// Start of a service: `auto`, `demand`, `disabled`.
    Start(String),
    /// It was put back.
    PutBack,
}

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    at: Timestamp,
    purpose: Purpose,
    thing: Thing,
    was: Was,
}

/// REG_BINARY.
const BINARY: u32 = 3;

impl From<Option<Value>> for Was {
    fn from(value: Option<Value>) -> Self {
        match value {
            None => Self::Absent,
            Some(Value::Sz(text)) => Self::Sz(text),
            Some(Value::ExpandSz(text)) => Self::ExpandSz(text),
            Some(Value::MultiSz(texts)) => Self::MultiSz(texts),
            Some(Value::Dword(number)) => Self::Dword(number),
            Some(Value::Qword(number)) => Self::Qword(number),
            Some(Value::Binary(bytes)) => Self::Bytes(BINARY, bytes),
            Some(Value::Other(kind, bytes)) => Self::Bytes(kind, bytes),
        }
    }
}

impl Was {
    /// Returns the value of the registry that this was, where it was one.
    fn value(&self) -> Option<Value> {
        Some(match self.clone() {
            Self::Sz(text) => Value::Sz(text),
            Self::ExpandSz(text) => Value::ExpandSz(text),
            Self::MultiSz(texts) => Value::MultiSz(texts),
            Self::Dword(number) => Value::Dword(number),
            Self::Qword(number) => Value::Qword(number),
            Self::Bytes(BINARY, bytes) => Value::Binary(bytes),
            Self::Bytes(kind, bytes) => Value::Other(kind, bytes),
            _ => return None,
        })
    }
    /// Returns what a service's start was.
    pub(super) fn of_start(start: StartKind) -> Self {
        let text = match start {
            StartKind::Auto => "auto",
            StartKind::Demand => "demand",
            StartKind::Disabled => "disabled",
        };
        Self::Start(text.to_owned())
    }
}

fn start_of(text: &str) -> Option<StartKind> {
    match text {
        "auto" => Some(StartKind::Auto),
        "demand" => Some(StartKind::Demand),
        "disabled" => Some(StartKind::Disabled),
        _ => None,
    }
}

/// Returns a key below HKLM.
fn machine(path: &str) -> Key {
    Key { root: Root::Machine, path: path.to_owned() }
}

impl Inner {
    fn before_path(&self) -> Result<String> {
        Ok(format!("{}\\before.jsonl", self.private()?))
    }
    fn lines(&self) -> Result<(Vec<u8>, Vec<Line>)> {
        let path = self.before_path()?;
        let bytes = self.machine.read(&path, DOCUMENT_MAX)?.unwrap_or_default();
        let mut lines = Vec::new();
        for line in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            lines.push(serde_json::from_slice(line).map_err(|e| unreadable(&path, e))?);
        }
        Ok((bytes, lines))
    }
    /// Notes what something was, unless that is noted already.
    pub(super) fn note(&self, purpose: Purpose, thing: Thing, was: Was) -> Result<()> {
        let (mut bytes, lines) = self.lines()?;
        let last = lines.iter().rev().find(|line| line.thing == thing && line.purpose == purpose);
        if last.map(|line| &line.was) == Some(&was) {
            return Ok(());
        }
        self.ensure_private()?;
        let line = Line { at: self.machine.now(), purpose, thing, was };
        serde_json::to_writer(&mut bytes, &line).map_err(|e| unwritable(&e))?;
        bytes.push(b'\n');
        Ok(self.machine.write(&self.before_path()?, &bytes)?)
    }
    /// Puts back what was changed for a purpose, each thing as it first was, and says so.
    pub(super) fn put_back(&self, purpose: Purpose) -> Result<()> {
        let (_, lines) = self.lines()?;
        let mut first: BTreeMap<Thing, Option<Was>> = BTreeMap::new();
        for line in lines.into_iter().filter(|line| line.purpose == purpose) {
            let slot = first.entry(line.thing).or_default();
            match line.was {
                Was::PutBack => *slot = None,
                was => {
                    slot.get_or_insert(was);
                }
            }
        }
        for (thing, was) in first.into_iter().rev() {
            if let Some(was) = was {
                self.put_one_back(&thing, &was)?;
                self.note(purpose, thing, Was::PutBack)?;
            }
        }
        Ok(())
    }
    fn put_one_back(&self, thing: &Thing, was: &Was) -> Result<()> {
        let windows = &self.machine;
        match (thing, was) {
            (Thing::Value { key, name }, Was::Absent) => windows.remove_value(&machine(key), name)?,
            (Thing::Value { key, name }, was) => {
                let value = was.value().ok_or_else(|| unreadable(format!("what {name} of {key} was"), "no value"))?;
                windows.set(&machine(key), name, &value)?;
                self.taken(windows.value(&machine(key), name)? == Some(value), || format!("HKLM\\{key} {name}"))?;
            }
            (Thing::Key(key), Was::Absent) => {
                // Somebody else may have put something into it since.
                let at = machine(key);
                let empty = windows.values(&at)?.is_none_or(|values| values.is_empty())
                    && windows.keys(&at)?.is_none_or(|keys| keys.is_empty());
                if empty {
                    windows.remove_tree(&at)?;
                }
            }
            (Thing::Service(name), Was::Absent) => windows.remove_service(name)?,
            (Thing::Service(name), Was::Start(text)) => {
                let start = start_of(text).ok_or_else(|| unreadable(format!("how {name} started"), text))?;
                windows.set_start(name, start)?;
            }
            (Thing::Task(path), Was::Enabled(enabled)) => {
                windows.enable_task(path, *enabled)?;
            }
            // The rest stays changed; it is noted so that people can see what it was.
            _ => {}
        }
        Ok(())
    }
}
