//! Windows Management Instrumentation: BitLocker, TPM, ConfigMgr, hardware.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Sys;

/// One property of one instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Cell {
    /// Null, or a kind that nothing here asks for.
    Null,
    /// A truth value.
    Bool(bool),
    /// Any integer.
    Number(i64),
    /// A string, also a time and a reference.
    Text(String),
    /// An array of strings.
    Texts(Vec<String>),
}

impl Cell {
    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }
    /// Returns the number.
    #[must_use]
    pub fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }
    /// Returns the truth value.
    #[must_use]
    pub fn bool(&self) -> Option<bool> {
        if let Self::Bool(bool) = self { Some(*bool) } else { None }
    }
    /// Returns the array.
    #[must_use]
    pub fn texts(&self) -> Option<&[String]> {
        if let Self::Texts(texts) = self { Some(texts) } else { None }
    }
}

/// Properties by name. `__PATH` is the instance's own path.
pub type Row = BTreeMap<String, Cell>;

/// WMI.
pub trait Wmi {
    /// Returns the instances that a WQL query finds; none where the namespace or class isn't there.
    ///
    /// # Errors
    /// Where the query fails.
    fn query(&self, namespace: &str, query: &str) -> Sys<Option<Vec<Row>>>;
    /// Calls a method of an instance, given by its `__PATH`, or of a class, given by its name, and returns what comes
    /// out, with `ReturnValue`. Not 0 there isn't an error here: what it means is the method's own.
    ///
    /// # Errors
    /// Where the call can't be made.
    fn call(&self, namespace: &str, object: &str, method: &'static str, arguments: &Row) -> Sys<Row>;
}
