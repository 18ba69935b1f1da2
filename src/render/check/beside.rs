//! What keeps devices back and stands in no row: a wave that couldn't be found out, another machine of the same name;
//! where one device is shown, also what its tenant lacks. `apply` leaves these devices alone too, so nobody may read
//! that nothing blocks.

use std::collections::{BTreeMap, BTreeSet};

use super::view::Row;
use crate::dag::Blocker;
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
    let blocking = || rows.iter().filter(|row| row.blocks);
    let checks: BTreeSet<Check> = blocking().map(|row| row.check).collect();
    let codes: BTreeSet<&str> = blocking().flat_map(|row| &row.findings).map(|finding| finding.code).collect();
    let told =
        |blocker: &&Blocker| blocker.check.is_some_and(|check| checks.contains(&check)) || codes.contains(blocker.code);
    let mut found: BTreeMap<&'static str, Beside<'a>> = BTreeMap::new();
    for device in devices {
        let Standing::Blocked(blockers) = &device.standing else { continue };
        let mut counted: Vec<&str> = Vec::new();
        for blocker in blockers.iter().filter(|blocker| !told(blocker)) {
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
    found.into_values().collect()
}
