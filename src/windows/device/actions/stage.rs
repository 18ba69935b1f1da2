//! The protected folder with the old facts, and taking everything away again.

use super::super::before::Purpose;
use super::super::{Inner, Result, tables};
use crate::model::{JoinState, Problem, Recorded, RunId, Sid};
use crate::windows::machine::AadJoinKind;

impl Inner {
    pub(super) fn stage(&self, run: RunId, profile: &Sid) -> Result<()> {
        let own = self.own()?;
        let under_way = own.banner || own.armed || own.installed.is_some();
        if own.recorded.as_ref().is_some_and(|recorded| recorded.run == run || under_way) {
            // What was recorded before the first change is never written over by what came after it.
            return self.ensure_private();
        }
        // Only what is recorded is read: all the facts would look through every profile.
        let entra = self.machine.entra()?.is_some_and(|join| join.kind == AadJoinKind::Device);
        let join = match (entra, self.domain_join()?.is_some()) {
            (false, false) => JoinState::Workgroup,
            (false, true) => JoinState::Ad,
            (true, true) => JoinState::Hybrid,
            (true, false) => JoinState::Entra,
        };
        let path = self.profile_path(&format!("{}\\{profile}", tables::PROFILE_LIST))?;
        let recorded = Recorded {
            run,
            at: self.machine.now(),
            join,
            profile: path.map(|path| (profile.clone(), path)),
            logon: self.logon_surface()?,
            local_members: self.local_members()?,
        };
        self.set_own(|own| own.recorded = Some(recorded))
    }
    pub(super) fn unstage(&self) -> Result<()> {
        let own = self.own()?;
        if own.banner || own.armed {
            let name = self.machine.computer_name()?;
            return Err(Problem::new(
                "device.still-armed",
                format!("{name} still needs the recorded facts to put its sign-in screen back"),
            )
            .next("disarm the device first"));
        }
        // Nothing is ours any more, whatever a cut-off change left noted.
        self.put_back_all()?;
        self.drop_private()
    }
    fn put_back_all(&self) -> Result<()> {
        [Purpose::Surface, Purpose::BootStart, Purpose::Rejoin, Purpose::Package]
            .into_iter()
            .try_for_each(|purpose| self.put_back(purpose))
    }
    pub(super) fn clean_up(&self, keep_recovery_admin: bool) -> Result<()> {
        let keep = keep_recovery_admin && self.own()?.recovery_proven;
        self.put_back_all()?;
        if !keep {
            self.remove_recovery()?;
        }
        // Protectors that are still suspended, because a restart fell out, protect again.
        self.resume_protectors()?;
        self.drop_private()?;
        if keep {
            self.set_own(|own| own.recovery_proven = true)?;
        }
        Ok(())
    }
}
