//! Changes: one file a concern. Each is safe to repeat, also after it was cut off anywhere.

mod arm;
mod identity;
mod leave;
mod mdm;
mod package;
mod profile;
mod stage;
mod volume;

use super::{Inner, Result};
use crate::model::Problem;
use crate::port::DeviceAction;

impl Inner {
    /// Carries one out.
    pub(super) fn apply(&self, action: &DeviceAction) -> Result<()> {
        match action {
            DeviceAction::Stage { run, profile } => self.stage(*run, profile),
            DeviceAction::Unstage => self.unstage(),
            DeviceAction::Arm { suspend_reboots, recovery } => self.arm(*suspend_reboots, recovery.as_ref()),
            DeviceAction::Disarm => self.disarm(),
            DeviceAction::EnsureRecoveryProtector => self.ensure_protector(),
            DeviceAction::EscrowProtector(key) => self.escrow(*key),
            DeviceAction::UnjoinDomain => self.unjoin(),
            DeviceAction::LeaveEntra => self.leave_entra(),
            DeviceAction::RemoveMdm => self.remove_mdm(),
            DeviceAction::RemoveConfigmgr => self.remove_configmgr(),
            DeviceAction::PlacePackage { name, sha256, content } => self.place(name, *sha256, content),
            DeviceAction::WipePackage => self.wipe(),
            DeviceAction::InstallPackage(name) => self.install(name),
            DeviceAction::Restart => {
                let message = "This device is being moved and restarts now.";
                Ok(self.machine.restart(message, 10)?)
            }
            DeviceAction::SwapProfile { from, to, path } => self.swap(from, to, path),
            DeviceAction::AddLocalMembers(members) => {
                members.iter().try_for_each(|m| self.set_member(&m.group, &m.member, true))
            }
            DeviceAction::RemoveLocalMembers(members) => {
                members.iter().try_for_each(|m| self.set_member(&m.group, &m.member, false))
            }
            DeviceAction::CleanIdentity(sid) => self.clean_identity(sid),
            DeviceAction::RestoreLogonSurface => self.restore_surface(),
            DeviceAction::SyncMdm => self.sync(),
            DeviceAction::CleanUp { keep_recovery_admin } => self.clean_up(*keep_recovery_admin),
        }
    }
    /// Says that nothing was recorded yet.
    fn not_staged(&self) -> Problem {
        let name = self.machine.computer_name().unwrap_or_else(|_| "the device".to_owned());
        Problem::new("device.not-staged", format!("{name} has no protected folder with the old facts"))
            .next("stage the device first")
    }
}
