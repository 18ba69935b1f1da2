//! What the device is joined to.

use super::super::{Inner, Result, tables, unreadable};
use crate::model::{DomainJoin, EntraJoin};
use crate::windows::machine::{AadJoinKind, Program};
use crate::winformat::dsregcmd::{DeviceAuth, Status};

/// Seconds for `dsregcmd /status`: it talks to the tenant.
const STATUS_SECS: u32 = 60;

impl Inner {
    /// The Entra half. A work account that is registered isn't a join (domain.md B1.1).
    pub(in crate::windows::device) fn entra_join(&self) -> Result<Option<EntraJoin>> {
        let Some(join) = self.machine.entra()?.filter(|join| join.kind == AadJoinKind::Device) else { return Ok(None) };
        // As SYSTEM this says whether the device itself could authenticate; the user's half of it isn't valid here.
        let ran = self.machine.run(Program::Dsregcmd, &["/status"], STATUS_SECS)?;
        let status = Status::parse(&ran.output).map_err(|e| unreadable("the output of dsregcmd /status", e))?;
        let healthy = matches!(status.view().device_auth.known(), Some(DeviceAuth::Works));
        Ok(Some(EntraJoin { tenant: join.tenant, device_id: join.device_id, healthy }))
    }
    /// The Active Directory half. NetGetJoinInformation may name a domain by its short name; the DNS suffix of the
    /// computer is the domain's own name (domain.md B1.1), and stays until the restart.
    pub(in crate::windows::device) fn domain_join(&self) -> Result<Option<DomainJoin>> {
        if let Some(short) = self.machine.domain()? {
            let domain = self.text(tables::TCPIP, "Domain")?.unwrap_or(short);
            return Ok(Some(DomainJoin { domain, leaving: false }));
        }
        let Some(leaving) = self.own()?.leaving else { return Ok(None) };
        let now = self.boot_number()?;
        Ok((leaving.boot == now).then_some(DomainJoin { domain: leaving.domain, leaving: true }))
    }
}
