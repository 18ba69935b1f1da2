//! The old records of a device: one that vanished before the chain ended is somebody's doing (prerequisites 1.10).

use super::Judged;
use super::device::unlisted;
use crate::dag::{Index, View};
use crate::model::{DeviceFacts, Known, words};
use crate::state::{DirectoryState, TrustType};

const RESTORE: &str = "find out who removed it and restore it; old records stay until the move is verified";

/// Judges whether the tenant, Intune and the directory still hold what the device says it has there.
pub(super) fn cleanup_timing(index: &Index<'_>, view: &View<'_>, facts: &DeviceFacts) -> Judged {
    let mut parts = Vec::new();
    parts.extend(entra(index, view));
    parts.extend(intune(index, view, facts));
    parts.extend(computer(index, view, facts));
    if parts.is_empty() {
        return Judged::not_applicable("it has no records that could be missed");
    }
    Judged::worst(parts)
}

fn entra(index: &Index<'_>, view: &View<'_>) -> Option<Judged> {
    view.old.device_id?;
    let origin = index.origin()?;
    if let Some(why) = origin.devices.gap {
        let judged = unlisted(&format!("Entra devices of `{}`", origin.name), words::brief(why));
        return Some(judged.code("observation.devices").remedy("mend what stops the reading and plan again"));
    }
    Some(match view.old.device {
        // Deleted alone, the Entra half comes back with the next synchronisation, without keys and not registered
        // (msgraph.md 0.4).
        Some(device) if device.trust == TrustType::Pending => {
            Judged::fail(format!("its object in `{}` is pending: somebody deleted the one before", origin.name))
                .code("device.entra-object-pending")
                .remedy("let it register again, and see that its recovery keys are in escrow, before it is moved")
        }
        Some(_) => Judged::pass("its old records are there"),
        None => Judged::fail(format!("`{}` has no object for its registration any more", origin.name))
            .code("device.entra-object-missing")
            .remedy(RESTORE),
    })
}

fn intune(index: &Index<'_>, view: &View<'_>, facts: &DeviceFacts) -> Option<Judged> {
    let (mdm, origin) = (facts.mdm.as_ref()?, index.origin()?);
    let own = mdm.device.filter(|_| mdm.is_intune() && mdm.tenant.is_none_or(|tenant| tenant == origin.id))?;
    // What an earlier run retired isn't missed: the device came back with what it held before.
    if view.record.is_some_and(|record| record.old_intune == Some(own)) {
        return None;
    }
    if let Some(why) = origin.managed.gap {
        let judged = unlisted(&format!("Intune devices of `{}`", origin.name), words::brief(why));
        return Some(judged.code("observation.managed-devices").remedy("mend what stops the reading and plan again"));
    }
    Some(match view.old.managed {
        Some(_) => Judged::pass("its old records are there"),
        None => Judged::fail(format!("Intune of `{}` has no record {own} of it any more", origin.name)).remedy(RESTORE),
    })
}

fn computer(index: &Index<'_>, view: &View<'_>, facts: &DeviceFacts) -> Option<Judged> {
    let domain = &facts.domain.as_ref()?.domain;
    match &index.snapshot.directory {
        Known::Absent => None,
        Known::Unknown(why) => {
            let judged = unlisted(&format!("computers of `{domain}`"), words::brief(why));
            Some(judged.code("observation.directory").remedy("mend what stops the reading and plan again"))
        }
        // Two computers of its name are two too many, and said elsewhere.
        Known::Known(directory)
            if view.computer.is_some() || view.blockers.iter().any(|b| b.code == "device.ambiguous") =>
        {
            let mut parts = vec![Judged::pass("its old records are there")];
            parts.extend(elsewhere(index, directory));
            parts.extend(other_computer(view, facts));
            Some(Judged::worst(parts))
        }
        // One of another domain isn't looked for here.
        Known::Known(directory) if !directory.domain.eq_ignore_ascii_case(domain) => None,
        Known::Known(_) => {
            let seen = format!("`{domain}` has no computer of its name below the plan's organizational units");
            let next =
                "find out who removed it and restore it, or add its organizational unit to `directory.computers`";
            Some(Judged::fail(seen).remedy(next))
        }
    }
}

/// Devices of the forest register in the tenant that it names, and so does what synchronises them.
fn elsewhere(index: &Index<'_>, directory: &DirectoryState) -> Option<Judged> {
    let named = directory.hybrid.known()?.tenant?;
    let origin = index.origin().filter(|origin| origin.id != named)?;
    let seen = format!("its forest tells devices to register in tenant {named}, not in `{}`", origin.name);
    let next = "see which tenant is right: `opsole directory check` shows what the service connection point names";
    Some(Judged::warn(seen).remedy(next))
}

/// A registration that was made from another computer than the one of its name: somebody made that anew.
fn other_computer(view: &View<'_>, facts: &DeviceFacts) -> Option<Judged> {
    let (computer, entra) = (view.computer?, facts.entra.as_ref().filter(|_| !view.past)?);
    if entra.device_id.0 == computer.guid {
        return None;
    }
    let seen = format!("{} isn't the computer that its registration was made from", computer.dn);
    let next = "look whether somebody made the computer anew under the same name, and let the device register again";
    Some(Judged::warn(seen).remedy(next))
}
