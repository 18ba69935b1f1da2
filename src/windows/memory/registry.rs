//! The registry in memory.

use super::security::private_descriptor;
use super::{Memory, lower};
use crate::windows::machine::{Cause, Key, Registry, Sys, SysError, Value};

/// ERROR_CHILD_MUST_BE_VOLATILE: a lasting key can't be made below one that goes.
const CHILD_MUST_BE_VOLATILE: u32 = 1021;

/// Refuses a key that Windows wouldn't make.
fn fits(state: &super::State, call: &'static str, key: &Key) -> Sys<()> {
    // RegCreateKeyEx: names of at most 255 characters, no empty ones.
    if key.path.split('\\').any(|part| part.is_empty() || part.chars().count() > 255) {
        return Err(SysError::new(call, key.to_string(), Cause::Other, 87, "ERROR_INVALID_PARAMETER"));
    }
    let path = lower(&key.path);
    let mut end = path.len();
    while let Some(cut) = path[..end].rfind('\\') {
        end = cut;
        if state.keys.get(&(key.root, path[..end].to_owned())).is_some_and(|node| node.volatile) {
            let text = "ERROR_CHILD_MUST_BE_VOLATILE";
            return Err(SysError::new(call, key.to_string(), Cause::Other, CHILD_MUST_BE_VOLATILE, text));
        }
    }
    Ok(())
}

impl Registry for Memory {
    fn value(&self, key: &Key, name: &str) -> Sys<Option<Value>> {
        let state = self.read("RegQueryValueEx", &format!("{key} {name}"))?;
        let node = state.keys.get(&(key.root, lower(&key.path)));
        Ok(node.and_then(|node| node.values.get(&lower(name))).map(|(_, value)| value.clone()))
    }
    fn values(&self, key: &Key) -> Sys<Option<Vec<(String, Value)>>> {
        let state = self.read("RegEnumValue", &key.to_string())?;
        let node = state.keys.get(&(key.root, lower(&key.path)));
        Ok(node.map(|node| node.values.values().cloned().collect()))
    }
    fn keys(&self, key: &Key) -> Sys<Option<Vec<String>>> {
        let state = self.read("RegEnumKeyEx", &key.to_string())?;
        let path = lower(&key.path);
        // The roots themselves are always there and have no node.
        if !path.is_empty() && !state.keys.contains_key(&(key.root, path.clone())) {
            return Ok(None);
        }
        let below = if path.is_empty() { String::new() } else { format!("{path}\\") };
        let from = (key.root, below.clone());
        let mut names = Vec::new();
        for ((root, other), node) in state.keys.range(from..) {
            if *root != key.root || !other.starts_with(&below) {
                break;
            }
            if let Some(name) = node.path.get(below.len()..).filter(|name| !name.is_empty() && !name.contains('\\')) {
                names.push(name.to_owned());
            }
        }
        Ok(Some(names))
    }
    fn set(&self, key: &Key, name: &str, value: &Value) -> Sys<()> {
        let mut state = self.write("RegSetValueEx", &format!("{key} {name}"))?;
        if !state.keys.contains_key(&(key.root, lower(&key.path))) {
            fits(&state, "RegCreateKeyEx", key)?;
        }
        state.put_value(key, name, value.clone());
        Ok(())
    }
    fn create_volatile(&self, key: &Key) -> Sys<bool> {
        let mut state = self.write("RegCreateKeyEx", &key.to_string())?;
        if state.keys.contains_key(&(key.root, lower(&key.path))) {
            return Ok(false);
        }
        state.put_key(key, true);
        Ok(true)
    }
    fn create_private(&self, key: &Key) -> Sys<()> {
        let mut state = self.write("RegCreateKeyEx", &key.to_string())?;
        fits(&state, "RegCreateKeyEx", key)?;
        state.put_key(key, false).security = private_descriptor();
        Ok(())
    }
    fn remove_value(&self, key: &Key, name: &str) -> Sys<()> {
        let mut state = self.write("RegDeleteValue", &format!("{key} {name}"))?;
        if let Some(node) = state.keys.get_mut(&(key.root, lower(&key.path))) {
            node.values.remove(&lower(name));
        }
        Ok(())
    }
    fn remove_tree(&self, key: &Key) -> Sys<()> {
        let mut state = self.write("RegDeleteTree", &key.to_string())?;
        state.drop_key(key);
        Ok(())
    }
    fn key_security(&self, key: &Key) -> Sys<Option<Vec<u8>>> {
        let state = self.read("RegGetKeySecurity", &key.to_string())?;
        Ok(state.keys.get(&(key.root, lower(&key.path))).map(|node| node.security.clone()))
    }
    fn set_key_security(&self, key: &Key, descriptor: &[u8]) -> Sys<()> {
        let mut state = self.write("RegSetKeySecurity", &key.to_string())?;
        match state.keys.get_mut(&(key.root, lower(&key.path))) {
            Some(node) => {
                node.security = descriptor.to_vec();
                Ok(())
            }
            None => Err(SysError::new("RegSetKeySecurity", key.to_string(), Cause::Other, 2, "ERROR_FILE_NOT_FOUND")),
        }
    }
}
