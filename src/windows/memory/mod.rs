//! A Windows in memory: the calls of [`crate::windows::machine`] as Microsoft documents them, over plain maps.
//!
//! It knows nothing of whoever calls it. Time stands still until a test moves it. Every call is written down, any
//! call can be made to fail, and the caller can be made to die after any write, so that laws can be tried at every
//! place where a real device could stop.

mod accounts;
mod bitlocker;
mod files;
mod host;
mod registry;
mod sample;
mod security;
mod services;
mod state;
mod wmi;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::machine::{Cause, Program, Ran, Row, Sys, SysError};

pub use bitlocker::Encryption;
pub use sample::{Ids, SAMPLE_NOW};
pub use security::{descriptor, private_descriptor};
pub use state::{Content, State};

/// What a program does to the machine when it is run with these arguments.
pub type OnProgram = Arc<dyn Fn(&mut State, &[&str]) -> Sys<Ran> + Send + Sync>;
/// What a WMI method does to the machine: the object's path or class, and the arguments.
pub type OnMethod = Arc<dyn Fn(&mut State, &str, &Row) -> Sys<Row> + Send + Sync>;
/// What a scheduled task does to the machine when it runs: its path and its XML.
pub type OnTask = Arc<dyn Fn(&mut State, &str, &str) -> Sys<()> + Send + Sync>;

/// What each program does.
pub type ProgramTable = BTreeMap<Program, OnProgram>;

/// ERROR_SERVICE_REQUEST_TIMEOUT: what an injected fault fails with; a failure that tells the caller nothing.
const INJECTED: u32 = 1053;

/// Whether a call changes anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

#[derive(Debug, Default)]
struct Faults {
    /// Calls until one fails.
    fail_in: Option<u64>,
    /// Writes until the caller dies.
    die_in: Option<u64>,
    dead: bool,
}

/// One machine.
pub struct Memory {
    state: Mutex<State>,
    log: Mutex<(Vec<String>, Faults)>,
}

impl std::fmt::Debug for Memory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new(SAMPLE_NOW)
    }
}

impl Memory {
    /// Returns a bare machine: a workgroup computer with Windows' folders, without people.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self { state: Mutex::new(State::new(now)), log: Mutex::default() }
    }
    /// Looks at the machine or changes it as nobody on it could, past the log and the faults.
    pub fn with<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        what(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
    /// Returns the calls so far, each with what it was about; never a secret.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.log().0.clone()
    }
    /// Forgets the calls so far.
    pub fn forget_calls(&self) {
        self.log().0.clear();
    }
    /// Lets the nth call from now fail without any effect; 1 is the next one.
    pub fn fail_at(&self, n: u64) {
        self.log().1.fail_in = Some(n);
    }
    /// Lets the caller die right after its nth write from now: nothing it calls works until [`Memory::heal`].
    pub fn die_after(&self, writes: u64) {
        self.log().1.die_in = Some(writes);
    }
    /// Takes the faults back, and says whether one struck.
    pub fn heal(&self) -> bool {
        let faults = std::mem::take(&mut self.log().1);
        faults.dead || faults.fail_in == Some(0)
    }
    /// Returns everything that a restart or a thief would find, by name, for comparing one moment with another.
    /// Passwords aren't in it, as they aren't on a disk.
    #[must_use]
    pub fn dump(&self) -> BTreeMap<String, String> {
        self.with(|state| state.dump())
    }
    /// Restarts the machine at once: sessions end, volatile keys go, what waited for the restart takes effect.
    pub fn reboot(&self) {
        self.with(State::reboot);
    }

    fn log(&self) -> MutexGuard<'_, (Vec<String>, Faults)> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Notes a call, lets it fail where a fault is due, and gives the state.
    fn enter(&self, call: &'static str, object: &str, kind: Kind) -> Sys<MutexGuard<'_, State>> {
        let mut log = self.log();
        log.0.push(format!("{call} {object}"));
        let faults = &mut log.1;
        if faults.dead {
            return Err(SysError::new(call, object, Cause::Other, 0, "the process has ended"));
        }
        if let Some(left) = faults.fail_in.as_mut().filter(|left| **left > 0) {
            *left -= 1;
            if *left == 0 {
                return Err(SysError::new(call, object, Cause::Busy, INJECTED, "an injected fault"));
            }
        }
        if kind == Kind::Write
            && let Some(left) = faults.die_in.as_mut().filter(|left| **left > 0)
        {
            *left -= 1;
            faults.dead = *left == 0;
        }
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
    fn read(&self, call: &'static str, object: &str) -> Sys<MutexGuard<'_, State>> {
        self.enter(call, object, Kind::Read)
    }
    fn write(&self, call: &'static str, object: &str) -> Sys<MutexGuard<'_, State>> {
        self.enter(call, object, Kind::Write)
    }
}

/// Returns a name as it is compared.
fn lower(text: &str) -> String {
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::machine::{Key, Machine, Registry as _, Value};
    use super::*;

    fn key() -> Key {
        Key::machine(r"SOFTWARE\Example\Deep")
    }

    /// Catches an emulation that can't stand for Windows in the adapter's tests, and a registry that tells cases apart.
    #[test]
    fn the_registry_knows_no_case_and_keeps_it() {
        let memory = Memory::default();
        let _: &dyn Machine = &memory;
        memory.set(&key(), "Name", &Value::Dword(1)).expect("set");
        let same = Key::machine(r"software\EXAMPLE\deep");
        memory.set(&same, "NAME", &Value::Dword(2)).expect("set");
        assert_eq!(memory.values(&key()), Ok(Some(vec![("Name".to_owned(), Value::Dword(2))])));
        assert_eq!(memory.keys(&Key::machine(r"SOFTWARE\Example")), Ok(Some(vec!["Deep".to_owned()])));
        assert!(memory.keys(&Key::machine("SYSTEM")).expect("keys").is_some());
        memory.remove_tree(&Key::machine(r"SOFTWARE\example")).expect("removed");
        assert_eq!(memory.value(&key(), "Name"), Ok(None));
        assert_eq!(memory.keys(&key()), Ok(None));
    }

    /// Catches a volatile key that outlives a restart: a boot would then not be told from the one before.
    #[test]
    fn volatile_keys_go_with_a_restart() {
        let memory = Memory::default();
        assert_eq!((memory.create_volatile(&key()), memory.create_volatile(&key())), (Ok(true), Ok(false)));
        assert!(memory.set(&key().join("below"), "Name", &Value::Dword(1)).is_err(), "a lasting key below it");
        memory.reboot();
        assert_eq!(memory.create_volatile(&key()), Ok(true));
    }

    /// Catches faults that strike at another call than the one named, or that leave an effect.
    #[test]
    fn faults_strike_where_they_are_asked_for() {
        let memory = Memory::default();
        memory.fail_at(2);
        memory.set(&key(), "a", &Value::Dword(1)).expect("the first call");
        assert!(
            memory.set(&key(), "b", &Value::Dword(1)).is_err() && memory.set(&key(), "c", &Value::Dword(1)).is_ok()
        );
        assert!(memory.heal());
        assert_eq!(memory.value(&key(), "b"), Ok(None));
        memory.die_after(1);
        assert!(memory.value(&key(), "a").is_ok() && memory.set(&key(), "b", &Value::Dword(1)).is_ok());
        assert!(memory.value(&key(), "b").is_err(), "dead");
        assert!(memory.heal());
        assert_eq!(memory.value(&key(), "b"), Ok(Some(Value::Dword(1))), "the write was made");
        assert_eq!(memory.calls().len(), 8);
    }
}
