//! The agent on a real device: where it lies, what it is told, how it is put there and taken away.
//!
//! | what | where | who reads it |
//! |---|---|---|
//! | the program | `%ProgramFiles%\Opsole\opsole.exe` | SYSTEM and Administrators; people have no use for it |
//! | settings | `HKLM\SOFTWARE\Opsole` | SYSTEM and Administrators |
//! | the enrolment token, until it is used | `%ProgramData%\Opsole\agent\token.bin`, encrypted by DPAPI | the same |
//! | identity, journal, package | `%ProgramData%\Opsole\agent` | the same |
//! | logs | `%ProgramData%\Opsole\logs` | the same |
//! | the service | `Opsole`, as SYSTEM, with Windows | |

#[cfg(test)]
mod laws;
mod settings;
mod setup;

pub use settings::{AgentSettings, Stored, forget_token, read, write};
pub use setup::{Installed, Part, Places, Request, Uninstalled, command, install, look, uninstall};

/// Short name of the service.
pub const SERVICE: &str = "Opsole";
/// What people see in the list of services.
pub const SERVICE_DISPLAY: &str = "opsole agent";
/// What the list says of it.
pub const SERVICE_DESCRIPTION: &str =
    "Moves this device to Microsoft Entra ID as its controller orders it, and brings it back up after each restart.";
/// Seconds until Windows starts it again after it failed, for the first, second and any further time.
pub const RESTART_SECS: [u32; 3] = [5, 30, 120];
/// Longest time that it may take to stop, in seconds: between two actions, or at the end of a package's installation.
pub const STOP_SECS: u32 = 90;
