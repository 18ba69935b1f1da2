//! The registry, 64 bit view.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Sys;

/// A root of the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Root {
    /// `HKEY_LOCAL_MACHINE`.
    Machine,
    /// `HKEY_USERS`.
    Users,
}

/// Path of a key. Compared without case, as Windows does; written as it is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// The root.
    pub root: Root,
    /// Path below it, without a leading backslash.
    pub path: String,
}

impl Key {
    /// Returns a key of `HKEY_LOCAL_MACHINE`.
    #[must_use]
    pub fn machine(path: impl Into<String>) -> Self {
        Self { root: Root::Machine, path: path.into() }
    }
    /// Returns a key of `HKEY_USERS`.
    #[must_use]
    pub fn users(path: impl Into<String>) -> Self {
        Self { root: Root::Users, path: path.into() }
    }
    /// Returns a key below this one.
    #[must_use]
    pub fn join(&self, name: &str) -> Self {
        Self { root: self.root, path: format!("{}\\{name}", self.path) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let root = match self.root {
            Root::Machine => "HKLM",
            Root::Users => "HKU",
        };
        write!(f, "{root}\\{}", self.path)
    }
}

/// A value of the registry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Value {
    /// `REG_SZ`.
    Sz(String),
    /// `REG_EXPAND_SZ`, not expanded.
    ExpandSz(String),
    /// `REG_MULTI_SZ`.
    MultiSz(Vec<String>),
    /// `REG_DWORD`.
    Dword(u32),
    /// `REG_QWORD`.
    Qword(u64),
    /// `REG_BINARY`.
    Binary(Vec<u8>),
    /// Any other kind: its number and its bytes, so that it can be put back exactly.
    Other(u32, Vec<u8>),
}

impl Value {
    /// Returns the text of a string value, not expanded.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Sz(text) | Self::ExpandSz(text) => Some(text),
            _ => None,
        }
    }
    /// Returns the number of a `REG_DWORD` or `REG_QWORD`.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Dword(number) => Some(u64::from(*number)),
            Self::Qword(number) => Some(*number),
            _ => None,
        }
    }
}

/// The registry.
pub trait Registry {
    /// Returns one value; none where the key or the value isn't there.
    ///
    /// # Errors
    /// Where it can't be read.
    fn value(&self, key: &Key, name: &str) -> Sys<Option<Value>>;
    /// Returns all values of a key by name; none where the key isn't there.
    ///
    /// # Errors
    /// Where it can't be read.
    fn values(&self, key: &Key) -> Sys<Option<Vec<(String, Value)>>>;
    /// Returns the names of the keys right below one; none where the key isn't there.
    ///
    /// # Errors
    /// Where it can't be read.
    fn keys(&self, key: &Key) -> Sys<Option<Vec<String>>>;
    /// Sets a value, and makes the key where it isn't there.
    ///
    /// # Errors
    /// Where it can't be written.
    fn set(&self, key: &Key, name: &str, value: &Value) -> Sys<()>;
    /// Makes a key that is gone after the next restart (`REG_OPTION_VOLATILE`); says whether it was made now.
    ///
    /// # Errors
    /// Where it can't be made.
    fn create_volatile(&self, key: &Key) -> Sys<bool>;
    /// Makes a key that only SYSTEM and Administrators can read and write, with nothing inherited; an existing one
    /// gets these rights too.
    ///
    /// # Errors
    /// Where it can't be made.
    fn create_private(&self, key: &Key) -> Sys<()>;
    /// Removes a value.
    ///
    /// # Errors
    /// Where it can't be removed.
    fn remove_value(&self, key: &Key, name: &str) -> Sys<()>;
    /// Removes a key with all below it.
    ///
    /// # Errors
    /// Where it can't be removed.
    fn remove_tree(&self, key: &Key) -> Sys<()>;
    /// Returns the self-relative security descriptor (owner, group, DACL); none where the key isn't there.
    ///
    /// # Errors
    /// Where it can't be read.
    fn key_security(&self, key: &Key) -> Sys<Option<Vec<u8>>>;
    /// Gives a key the owner, group and DACL of a self-relative security descriptor.
    ///
    /// # Errors
    /// Where it can't be written.
    fn set_key_security(&self, key: &Key, descriptor: &[u8]) -> Sys<()>;
}
