//! Protectors of the system volume (domain.md B8; Microsoft's reference of `Win32_EncryptableVolume` and manage-bde).

use super::super::before::{Purpose, Thing, Was};
use super::super::{Inner, Result};
use crate::model::{KeyId, Problem, Retry};
use crate::windows::machine::{Cell, Program};

/// Seconds for manage-bde: a back-up talks to a directory.
const BACKUP_SECS: u32 = 120;

impl Inner {
    pub(super) fn suspend_protectors(&self, reboots: u8) -> Result<()> {
        let state = self.bitlocker()?;
        let Some(volume) = self.volume_path()?.filter(|_| state.encrypted && state.suspended_reboots != reboots) else {
            return Ok(());
        };
        let was = Was::Words(format!("suspended for {} restarts", state.suspended_reboots));
        self.note(Purpose::Move, Thing::Protectors, was)?;
        if reboots == 0 {
            // DisableCount 0 would be until somebody switches it on.
            return self.resume_protectors();
        }
        self.volume_call(&volume, "DisableKeyProtectors", &[("DisableCount", Cell::Number(i64::from(reboots)))])?;
        self.taken(self.bitlocker()?.suspended_reboots == reboots, || "the suspension of BitLocker".to_owned())
    }
    /// Protects the volume again, also where somebody else had suspended it before: a device that was moved is left
    /// protected, and its key is in escrow by then.
    pub(super) fn resume_protectors(&self) -> Result<()> {
        let state = self.bitlocker()?;
        let Some(volume) = self.volume_path()?.filter(|_| state.encrypted && state.suspended_reboots != 0) else {
            return Ok(());
        };
        self.volume_call(&volume, "EnableKeyProtectors", &[])?;
        self.taken(self.bitlocker()?.suspended_reboots == 0, || "the protection of BitLocker".to_owned())
    }
    pub(super) fn ensure_protector(&self) -> Result<()> {
        let state = self.bitlocker()?;
        let Some(volume) = self.volume_path()?.filter(|_| state.encrypted && state.protectors.is_empty()) else {
            return Ok(());
        };
        self.note(Purpose::Move, Thing::Protectors, Was::Words("no recovery password".to_owned()))?;
        // Without a password in the call Windows makes one; it is never read here.
        self.volume_call(&volume, "ProtectKeyWithNumericalPassword", &[])?;
        self.taken(!self.bitlocker()?.protectors.is_empty(), || "a recovery password protector".to_owned())
    }
    pub(super) fn escrow(&self, key: KeyId) -> Result<()> {
        let name = self.machine.computer_name()?;
        let unknown = || {
            Problem::new("device.no-such-protector", format!("{name} has no recovery protector {key}"))
                .next("read the protectors again")
        };
        let volume = self.volume_path()?.ok_or_else(unknown)?;
        let ids = self.recovery_passwords(&volume)?;
        let id = ids.iter().find(|id| id.trim_matches(['{', '}']).parse() == Ok(key)).ok_or_else(unknown)?;
        // A device that is joined to Active Directory alone keeps its keys there.
        let kind = if self.machine.entra()?.is_some() {
            "-aadbackup"
        } else if self.machine.domain()?.is_some() {
            "-adbackup"
        } else {
            let message = format!("{name} is joined to nothing that could keep its key");
            return Err(Problem::new("device.not-joined", message).retry(Retry::Soon));
        };
        let drive = self.machine.folder("SystemDrive")?;
        let ran = self.machine.run(Program::ManageBde, &["-protectors", kind, &drive, "-id", id], BACKUP_SECS)?;
        if ran.code == 0 {
            return Ok(());
        }
        let message = format!("backing recovery key {key} of {name} up was refused");
        Err(Problem::new("device.refused", message)
            .next("explain the code: `opsole explain CODE`")
            .detail(format!("{:#010x} {}", ran.code, tail(&ran.output)))
            .retry(Retry::Soon))
    }
}

/// Returns the last line that says anything: programs end with what went wrong.
pub(super) fn tail(output: &str) -> &str {
    output.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default()
}
