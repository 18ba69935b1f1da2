//! The number of this boot. A key that a restart takes away holds it; a file counts on.

use serde::{Deserialize, Serialize};

use super::own::{DOCUMENT_MAX, unwritable};
use super::{Inner, Result, tables, unreadable};
use crate::windows::machine::{Key, Value};

#[derive(Serialize, Deserialize)]
struct Counter {
    format: u32,
    boots: u64,
}

impl Inner {
    /// Returns the number of this boot. The file is written before the key, and durably: a number that somebody was
    /// told is never given again, also where the power goes right after.
    pub(super) fn boot_number(&self) -> Result<u64> {
        let key = Key::machine(tables::BOOT_KEY);
        if let Some(number) = self.machine.value(&key, "Number")?.and_then(|value| value.number()) {
            return Ok(number);
        }
        let path = self.path("ProgramData", tables::BOOT_FILE)?;
        let last = match self.machine.read(&path, DOCUMENT_MAX)? {
            Some(bytes) => serde_json::from_slice::<Counter>(&bytes).map_err(|e| unreadable(&path, e))?.boots,
            None => 0,
        };
        let boots = last.saturating_add(1);
        let bytes = serde_json::to_vec(&Counter { format: 1, boots }).map_err(|e| unwritable(&e))?;
        self.private_folder(&self.path("ProgramData", tables::PRIVATE_PARENT)?)?;
        self.machine.write(&path, &bytes)?;
        self.machine.create_volatile(&key)?;
        self.machine.set(&key, "Number", &Value::Qword(boots))?;
        Ok(boots)
    }
}
