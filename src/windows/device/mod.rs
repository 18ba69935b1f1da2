//! What a device is and what can be done to it, over the calls of [`super::machine`].
//!
//! ```text
//! tables     every path, name and value, as data
//! facts      what is read: one file a concern
//! actions    what is changed: one file a concern
//! survey     what costs something to look at
//! own        what this tool knows of its own work, in a private folder, durable
//! before     what everything was before it was changed, and putting it back
//! pen        a change: noted before, made, read back
//! boot       the number of this boot
//! ```
//!
//! Nothing here calls Windows itself. A change that is cut off anywhere is safe to repeat: what was there first is
//! noted before anything is written, and the first note counts.

mod actions;
mod before;
mod boot;
mod facts;
mod os;
mod own;
mod pen;
mod survey;
pub mod tables;
mod task;

#[cfg(test)]
mod laws;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::machine::Machine;
use super::profile::Sizes;
use crate::model::Problem;

/// Outcome of what a device is asked for.
type Result<T> = std::result::Result<T, Problem>;

/// What a device needs to know of the program that it is part of.
#[derive(Debug, Clone)]
pub struct Options {
    /// Command line of the service, quoted, for a device on which it isn't installed.
    pub service_command: String,
    /// How long to wait between two looks at something that Windows does by itself.
    pub pause: Duration,
    /// How often to look before it counts as not happened.
    pub looks: u32,
}

impl Default for Options {
    fn default() -> Self {
        let command = r#""C:\Program Files\Opsole\opsole.exe" service run"#.to_owned();
        // NG looks ten times, two seconds apart, after `dsregcmd /leave` (domain.md B3 step 5).
        Self { service_command: command, pause: Duration::from_secs(2), looks: 10 }
    }
}

/// One Windows device: this one.
#[derive(Clone)]
pub struct WindowsDevice {
    inner: Arc<Inner>,
}

/// What runs on a thread that may block.
struct Inner {
    machine: Arc<dyn Machine>,
    options: Options,
    /// Held by whoever reads or changes: two agents' halves never write at once.
    turn: Mutex<()>,
    /// Sizes of profiles, since the last change.
    sizes: Mutex<Sizes>,
}

impl std::fmt::Debug for WindowsDevice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WindowsDevice").finish_non_exhaustive()
    }
}

impl WindowsDevice {
    /// Returns the device that a machine is.
    #[must_use]
    pub fn new(machine: Arc<dyn Machine>) -> Self {
        Self::with_options(machine, Options::default())
    }
    /// As [`WindowsDevice::new`], with own options.
    #[must_use]
    pub fn with_options(machine: Arc<dyn Machine>, options: Options) -> Self {
        Self { inner: Arc::new(Inner { machine, options, turn: Mutex::default(), sizes: Mutex::default() }) }
    }
}

impl Inner {
    /// Looks until something is there, at most as often as the options say.
    fn until<T>(&self, mut look: impl FnMut() -> Result<Option<T>>) -> Result<Option<T>> {
        for turn in 0..self.options.looks.max(1) {
            if turn > 0 {
                std::thread::sleep(self.options.pause);
            }
            if let Some(found) = look()? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
    /// Returns a path below one of Windows' folders.
    fn path(&self, variable: &str, below: &str) -> Result<String> {
        Ok(format!("{}\\{below}", self.machine.folder(variable)?))
    }
    /// Returns this tool's private folder.
    fn private(&self) -> Result<String> {
        self.path("ProgramData", tables::PRIVATE)
    }
}

/// Says that something can't be understood that another program wrote.
fn unreadable(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Problem {
    Problem::new("windows.unreadable", format!("{what} can't be understood"))
        .next("look at what is named; another program wrote it")
        .detail(why.to_string())
}
