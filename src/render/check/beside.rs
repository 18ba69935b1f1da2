//! What keeps devices back and is no prerequisite: a wave that couldn't be found out, another machine of the same name.
//! `apply` leaves these devices alone too, so nobody may read that nothing blocks.

use std::collections::BTreeMap;

use super::view::Row;
use crate::diff::{DeviceChanges, Standing};
use crate::model::{Check, DeviceName, OwnerRole};

/// One cause, with the devices that it keeps back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside<'a> {
    /// Code of the cause, such as `device.wave-unknown`.
    pub code: &'static str,
    /// Who acts.
    pub owner: OwnerRole,
    /// What was seen, of the first device.
    pub seen: &'a str,
    /// What to do, of the first device.
    pub next: &'a str,
    /// The first device.
    pub first: &'a DeviceName,
    /// How many devices.
    pub devices: u32,
}

/// Collects what keeps devices back and that no row says.
pub(super) fn collect<'a>(devices: impl Iterator<Item = &'a DeviceChanges>, rows: &[Row<'_>]) -> Vec<Beside<'a>> {
    let blocked = |check: Check| rows.iter().any(|row| row.blocks && row.check == check);
    let told = |code: &str| match code {
        // The application's check and that of the policies say it once for all devices.
        "permission.missing" => blocked(Check::AppPermissions),
        "tenant.exclusion-closed" => blocked(Check::EntConditionalAccess),
        _ => rows.iter().filter(|row| row.blocks).flat_map(|row| &row.findings).any(|finding| finding.code == code),
    };
    let mut found: BTreeMap<&'static str, Beside<'a>> = BTreeMap::new();
    for device in devices {
        let Standing::Blocked(blockers) = &device.standing else { continue };
        let mut counted: Vec<&str> = Vec::new();
        for blocker in blockers.iter().filter(|blocker| blocker.check.is_none()) {
            if counted.contains(&blocker.code) {
                continue;
            }
            counted.push(blocker.code);
            let entry = found.entry(blocker.code).or_insert(Beside {
                code: blocker.code,
                owner: blocker.owner,
                seen: &blocker.message,
                next: &blocker.next,
                first: &device.device,
                devices: 0,
            });
            entry.devices += 1;
        }
    }
    found.into_values().filter(|one| !told(one.code)).collect()
}
