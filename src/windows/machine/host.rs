//! The machine itself: names, power, protection of bytes, programs, logs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Sys;

/// A program that is run because no API does the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Program {
    /// `%SystemRoot%\System32\dsregcmd.exe`.
    Dsregcmd,
    /// `%SystemRoot%\System32\WindowsPowerShell\v1.0\powershell.exe`.
    PowerShell,
    /// `%SystemRoot%\System32\Dism.exe`.
    Dism,
    /// `%SystemRoot%\System32\manage-bde.exe`.
    ManageBde,
    /// `%SystemRoot%\ccmsetup\ccmsetup.exe`.
    Ccmsetup,
    /// `%SystemRoot%\System32\deviceenroller.exe`.
    DeviceEnroller,
}

impl Program {
    /// Path below `%SystemRoot%`.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            Self::Dsregcmd => r"System32\dsregcmd.exe",
            Self::PowerShell => r"System32\WindowsPowerShell\v1.0\powershell.exe",
            Self::Dism => r"System32\Dism.exe",
            Self::ManageBde => r"System32\manage-bde.exe",
            Self::Ccmsetup => r"ccmsetup\ccmsetup.exe",
            Self::DeviceEnroller => r"System32\deviceenroller.exe",
        }
    }
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ran {
    /// Exit code.
    pub code: u32,
    /// Standard output, decoded (UTF-16 with a mark, UTF-8, else the OEM code page, lossy), at most 256 KiB.
    pub output: String,
    /// Standard error, likewise.
    pub error: String,
}

/// Programs.
pub trait Programs {
    /// Runs a program without a window, waits for its end, and kills it with its children at the limit.
    ///
    /// # Errors
    /// Where there is no such program ([`Cause::NotThere`](super::Cause::NotThere)), it can't be started, or it takes
    /// too long.
    fn run(&self, program: Program, arguments: &[&str], limit_secs: u32) -> Sys<Ran>;
}

/// A network adapter that is up and has a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Adapter {
    /// `IfType` of iphlpapi: 6 Ethernet, 71 wireless, 243 and 244 mobile broadband.
    pub kind: u32,
    /// Its DNS servers.
    pub dns_servers: Vec<String>,
}

/// One event of Windows' logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEvent {
    /// When.
    pub at: Timestamp,
    /// Its number.
    pub id: u32,
    /// Its data in order, not the localised message.
    pub data: Vec<String>,
}

/// The machine.
pub trait Host {
    /// Returns the computer's name.
    ///
    /// # Errors
    /// Where it can't be read.
    fn computer_name(&self) -> Sys<String>;
    /// Says whether this process is SYSTEM (S-1-5-18).
    ///
    /// # Errors
    /// Where it can't be found out.
    fn is_system(&self) -> Sys<bool>;
    /// Returns the time of the machine's clock.
    fn now(&self) -> Timestamp;
    /// Returns major, minor and build number of Windows itself, not of what it pretends to be (`RtlGetVersion`).
    ///
    /// # Errors
    /// Where it can't be read.
    fn version(&self) -> Sys<(u32, u32, u32)>;
    /// Says whether it runs on mains power; a machine without a battery does.
    ///
    /// # Errors
    /// Where it can't be read.
    fn on_ac(&self) -> Sys<bool>;
    /// Returns the adapters that are up, that of the default route first.
    ///
    /// # Errors
    /// Where they can't be read.
    fn adapters(&self) -> Sys<Vec<Adapter>>;
    /// Returns a folder of Windows: `%SystemRoot%`, `%ProgramData%`, `%SystemDrive%`, without a backslash at the end.
    ///
    /// # Errors
    /// Where there is no such variable.
    fn folder(&self, variable: &str) -> Sys<String>;
    /// Restarts Windows, and closes programs by force after the seconds.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn restart(&self, message: &str, after_secs: u32) -> Sys<()>;
    /// Encrypts with DPAPI for the machine (`CRYPTPROTECT_LOCAL_MACHINE`), with own entropy, so that only administrators
    /// that know where to look get it back. Files that hold it still have to be private.
    ///
    /// # Errors
    /// Where Windows refuses it.
    fn protect(&self, plain: &[u8]) -> Sys<Vec<u8>>;
    /// Decrypts what [`Host::protect`] encrypted on this machine.
    ///
    /// # Errors
    /// Where it is from elsewhere, or changed.
    fn unprotect(&self, protected: &[u8]) -> Sys<Zeroizing<Vec<u8>>>;
    /// Returns the newest events of a log with one of the numbers, newest first, at most so many (`EvtQuery`).
    ///
    /// # Errors
    /// Where the log can't be read.
    fn events(&self, log: &str, ids: &[u32], max: usize) -> Sys<Vec<LogEvent>>;
    /// Says how far a TLS connection to a host's port 443 comes, as this process.
    ///
    /// # Errors
    /// Where it can't be tried at all.
    fn probe(&self, host: &str, limit_secs: u32) -> Sys<crate::model::ProbeOutcome>;
}
