//! Leaving the domain and Entra (domain.md B3 steps 4 and 5). DNS is never touched (B13, 4).

use super::super::before::{Purpose, Thing, Was};
use super::super::own::Leaving;
use super::super::{Inner, Result, tables};
use super::volume::tail;
use crate::model::{Problem, Retry};
use crate::windows::machine::{AadJoinKind, Program, Value};

/// Seconds for `dsregcmd /leave`: it tells the tenant, where that can be reached.
const LEAVE_SECS: u32 = 120;

impl Inner {
    pub(super) fn unjoin(&self) -> Result<()> {
        let Some(join) = self.domain_join()?.filter(|join| !join.leaving) else { return Ok(()) };
        let boot = self.boot_number()?;
        self.note(Purpose::Move, Thing::Join, Was::Words(format!("member of {}", join.domain)))?;
        // Noted before it is asked for: afterwards nothing of Windows says that the restart is still to come.
        self.set_own(|own| own.leaving = Some(Leaving { domain: join.domain, boot }))?;
        self.machine.unjoin()?;
        self.taken(self.machine.domain()?.is_none(), || "the membership of the domain".to_owned())
    }
    pub(super) fn leave_entra(&self) -> Result<()> {
        // Joining by itself is switched off first: a device that left would be back before the next line ran.
        for (name, value) in tables::NO_REJOIN {
            self.set_value(Purpose::Rejoin, tables::WORKPLACE_JOIN, name, &Value::Dword(value))?;
        }
        self.switch_task(Purpose::Rejoin, tables::REJOIN_TASK, false)?;
        self.set_own(|own| own.rejoin_off = true)?;
        let joined = || -> Result<_> { Ok(self.machine.entra()?.filter(|join| join.kind == AadJoinKind::Device)) };
        let Some(join) = joined()? else { return Ok(()) };
        let was = format!("registered as {} in tenant {}", join.device_id, join.tenant);
        self.note(Purpose::Move, Thing::Join, Was::Words(was))?;
        let ran = self.machine.run(Program::Dsregcmd, &["/leave"], LEAVE_SECS)?;
        // Its exit code alone says little: what counts is whether the device is out (B13, 2).
        if self.until(|| Ok(joined()?.is_none().then_some(())))?.is_some() {
            return Ok(());
        }
        let name = self.machine.computer_name()?;
        Err(Problem::new("device.not-left", format!("{name} is still joined to Entra after it was told to leave"))
            .next("look whether security software holds dsregcmd, and at the TPM")
            .detail(format!("dsregcmd /leave gave {:#010x} {}", ran.code, tail(&ran.output)))
            .retry(Retry::ReadFirst))
    }
}
