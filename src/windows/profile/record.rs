//! What a swap writes down before it changes anything: one document in the private folder, written as a whole.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::list::unreadable;
use crate::model::{Problem, Sid};
use crate::port::Result;
use crate::windows::machine::{Files, Key, Registry, Value};

const FORMAT: u32 = 1;
/// A record holds one key and the descriptors of few files; more than this is something else.
const BYTES_MAX: u64 = 256 << 20;

/// How far a swap came. Each is written after what it names was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stage {
    /// Everything was looked at and written down; nothing has changed.
    Seen,
    /// Files, folders and hives name the new owner.
    Reowned,
    /// ProfileList does too.
    Moved,
    /// All is done; the record is kept for the way back.
    Done,
}

/// Bytes that stand in the document as base64.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bytes(pub Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}
impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A value of the registry in the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Stored {
    Sz(String),
    ExpandSz(String),
    MultiSz(Vec<String>),
    Dword(u32),
    Qword(u64),
    Binary(Bytes),
    Other(u32, Bytes),
}

impl From<Value> for Stored {
    fn from(value: Value) -> Self {
        match value {
            Value::Sz(text) => Self::Sz(text),
            Value::ExpandSz(text) => Self::ExpandSz(text),
            Value::MultiSz(texts) => Self::MultiSz(texts),
            Value::Dword(number) => Self::Dword(number),
            Value::Qword(number) => Self::Qword(number),
            Value::Binary(bytes) => Self::Binary(Bytes(bytes)),
            Value::Other(kind, bytes) => Self::Other(kind, Bytes(bytes)),
        }
    }
}
impl From<Stored> for Value {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::Sz(text) => Self::Sz(text),
            Stored::ExpandSz(text) => Self::ExpandSz(text),
            Stored::MultiSz(texts) => Self::MultiSz(texts),
            Stored::Dword(number) => Self::Dword(number),
            Stored::Qword(number) => Self::Qword(number),
            Stored::Binary(bytes) => Self::Binary(bytes.0),
            Stored::Other(kind, bytes) => Self::Other(kind, bytes.0),
        }
    }
}

/// One swap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    format: u32,
    /// Owner before.
    pub from: Sid,
    /// Owner afterwards.
    pub to: Sid,
    /// The profile's folder.
    pub path: String,
    /// How far it came.
    pub stage: Stage,
    /// The old owner's key in ProfileList, and the keys below it by their path from it.
    pub keys: BTreeMap<String, Vec<(String, Stored)>>,
    /// The hives are copied as they were at home.
    pub copied: bool,
    /// Who had the profile when this began: a way back ends there.
    pub home: Sid,
    /// Descriptors, as they were at home, that a substitution alone wouldn't give back: of both hives' files, and of
    /// whatever named the new owner before. By path in lower case; of a key in a hive, with its cell behind a `#`.
    pub originals: BTreeMap<String, Bytes>,
}

impl Record {
    pub(super) fn new(from: &Sid, to: &Sid, path: &str) -> Self {
        Self {
            format: FORMAT,
            from: from.clone(),
            to: to.clone(),
            path: path.to_owned(),
            stage: Stage::Seen,
            keys: BTreeMap::new(),
            copied: false,
            home: from.clone(),
            originals: BTreeMap::new(),
        }
    }
    pub(super) fn file(folder: &str) -> String {
        format!("{folder}\\profile-swap.json")
    }
    /// Returns the record of the last swap.
    pub(super) fn load<M: Files + ?Sized>(machine: &M, folder: &str) -> Result<Option<Self>> {
        let path = Self::file(folder);
        let Some(bytes) = machine.read(&path, BYTES_MAX)? else { return Ok(None) };
        let record: Self = serde_json::from_slice(&bytes).map_err(|error| unreadable(&path, error))?;
        if record.format == FORMAT { Ok(Some(record)) } else { Err(unreadable(&path, "it is of a newer version")) }
    }
    /// Writes it, durably.
    pub(super) fn save<M: Files + ?Sized>(&self, machine: &M, folder: &str) -> Result<()> {
        let bytes = serde_json::to_vec(self)
            .map_err(|error| Problem::new("windows.failed", format!("the record of a swap can't be made: {error}")))?;
        Ok(machine.write(&Self::file(folder), &bytes)?)
    }
    /// Notes that a stage is done.
    pub(super) fn reach<M: Files + ?Sized>(&mut self, stage: Stage, machine: &M, folder: &str) -> Result<()> {
        self.stage = stage;
        self.save(machine, folder)
    }
}

/// Reads a key and all below it.
pub(super) fn export<M: Registry + ?Sized>(machine: &M, key: &Key) -> Result<BTreeMap<String, Vec<(String, Stored)>>> {
    let mut out = BTreeMap::new();
    let mut queue = vec![String::new()];
    while let Some(path) = queue.pop() {
        let at = if path.is_empty() { key.clone() } else { key.join(&path) };
        let values = machine.values(&at)?.unwrap_or_default();
        for name in machine.keys(&at)?.unwrap_or_default() {
            queue.push(if path.is_empty() { name } else { format!("{path}\\{name}") });
        }
        out.insert(path, values.into_iter().map(|(name, value)| (name, value.into())).collect());
    }
    Ok(out)
}
