//! Whose change is it: what the plan is about, and what our own runs account for.

use std::collections::BTreeSet;

use super::DriftField;
use crate::model::{DeviceName, EntraDeviceId, EntraObjectId, IntuneId, Op, UserId};
use crate::plan::{DeviceSource, MigrationPlan, Selector};
use crate::state::{DeviceRecord, Snapshot};

/// An operation on a tenant that one of our runs had in its plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TenantOp {
    /// Which.
    pub op: Op,
    /// Package account (UPN).
    pub account: String,
    /// Conditional Access policy by display name.
    pub policy: Option<String>,
    /// The policy's exclusion group, where the account is put into it.
    pub group: Option<String>,
}

/// What the plan is about and what our runs did between two observations.
#[derive(Debug)]
pub(super) struct Ours<'a> {
    before: &'a Snapshot,
    now: &'a Snapshot,
    plan: &'a MigrationPlan,
    ops: &'a [TenantOp],
    /// Devices of the plan; none where it takes whatever there is.
    devices: Option<BTreeSet<DeviceName>>,
    /// Devices whose record a run wrote in between, by the ids that it holds.
    touched: BTreeSet<DeviceName>,
    old_objects: BTreeSet<EntraObjectId>,
    registrations: BTreeSet<EntraDeviceId>,
    old_intune: BTreeSet<IntuneId>,
    old_computers: BTreeSet<uuid::Uuid>,
    serials: BTreeSet<String>,
    groups: BTreeSet<String>,
}

impl<'a> Ours<'a> {
    pub(super) fn new(before: &'a Snapshot, now: &'a Snapshot, plan: &'a MigrationPlan, ops: &'a [TenantOp]) -> Self {
        let devices = match &plan.devices {
            DeviceSource::Selector(_) => None,
            DeviceSource::Inventory(rows) => {
                let rows = rows.iter().map(|row| row.name.clone());
                Some(rows.chain(now.ledger.keys().cloned()).collect())
            }
        };
        let mut ours = Self {
            before,
            now,
            plan,
            ops,
            devices,
            touched: BTreeSet::new(),
            old_objects: BTreeSet::new(),
            registrations: BTreeSet::new(),
            old_intune: BTreeSet::new(),
            old_computers: BTreeSet::new(),
            serials: BTreeSet::new(),
            groups: named_groups(plan),
        };
        let written =
            |record: &&DeviceRecord| before.ledger.get(&record.device).is_none_or(|earlier| earlier != *record);
        for record in now.ledger.values().filter(written) {
            ours.touch(record);
        }
        ours
    }

    fn touch(&mut self, record: &DeviceRecord) {
        self.touched.insert(record.device.clone());
        self.old_objects.extend(record.old_device.map(|(object, _)| object));
        self.registrations.extend(record.old_device.map(|(_, registration)| registration));
        self.registrations.extend(record.new_device);
        self.old_intune.extend(record.old_intune);
        self.old_computers.extend(record.old_computer);
        for snapshot in [self.before, self.now] {
            let evidence = snapshot.evidence.get(&record.device).and_then(crate::model::Known::known);
            self.serials.extend(evidence.map(|evidence| evidence.facts.identity.serial.clone()));
        }
    }

    /// Says whether the plan is about a device of this name.
    pub(super) fn is_about(&self, name: &str) -> bool {
        self.devices.as_ref().is_none_or(|devices| devices.contains(&DeviceName::new(name)))
    }
    /// Says whether the plan names a group.
    pub(super) fn names_group(&self, name: &str) -> bool {
        self.groups.contains(&name.to_lowercase())
    }
    /// Says whether the plan names a configuration profile.
    pub(super) fn names_profile(&self, name: &str) -> bool {
        let profiles = self.plan.features.profiles.as_ref();
        profiles.is_some_and(|(names, _)| names.iter().any(|one| one.eq_ignore_ascii_case(name)))
    }
    /// Says whether a user is a package account of the plan.
    pub(super) fn is_package(&self, upn: &str) -> bool {
        self.plan.packages.iter().any(|package| package.account.eq_ignore_ascii_case(upn))
    }
    /// Says whether a run of ours worked on a device in between.
    pub(super) fn worked_on(&self, device: &DeviceName) -> bool {
        self.touched.contains(device)
    }
    /// Says whether an Entra object is the old or the new one of a device that we worked on.
    pub(super) fn registration(&self, object: EntraObjectId, registration: EntraDeviceId) -> bool {
        self.old_objects.contains(&object) || self.registrations.contains(&registration)
    }
    /// Says whether an Intune record is the old or the new one of a device that we worked on.
    pub(super) fn record(&self, id: IntuneId, registration: Option<EntraDeviceId>) -> bool {
        self.old_intune.contains(&id) || registration.is_some_and(|one| self.registrations.contains(&one))
    }
    /// Says whether a computer object is the old one of a device that we worked on.
    pub(super) fn computer(&self, guid: uuid::Uuid) -> bool {
        self.old_computers.contains(&guid)
    }
    /// Says whether a serial number is that of a device that we worked on.
    pub(super) fn serial(&self, serial: &str) -> bool {
        self.serials.contains(serial)
    }
    /// Says whether one of our runs revoked a package account.
    pub(super) fn revoked(&self, upn: &str) -> bool {
        self.ops.iter().any(|one| one.op == Op::RevokePackage && one.account.eq_ignore_ascii_case(upn))
    }
    /// Says whether our runs account for what changed in a policy: nothing but package accounts that they put in or
    /// took out.
    pub(super) fn policy(&self, tenant: &str, name: &str, changed: &[DriftField]) -> bool {
        let ops: Vec<&TenantOp> =
            self.ops.iter().filter(|one| one.policy.as_deref() == Some(name) && one.group.is_none()).collect();
        let accounts: BTreeSet<UserId> = [self.before, self.now]
            .iter()
            .filter_map(|snapshot| snapshot.tenants.iter().find(|(own, _)| own.as_str() == tenant)?.1.users.known())
            .flatten()
            .filter(|user| ops.iter().any(|one| one.account.eq_ignore_ascii_case(&user.upn)))
            .map(|user| user.id)
            .collect();
        let ids = |text: &Option<String>| -> BTreeSet<String> {
            text.iter().flat_map(|text| text.split(", ")).map(str::to_owned).collect()
        };
        !changed.is_empty()
            && changed.iter().all(|one| {
                let (before, after) = (ids(&one.before), ids(&one.after));
                one.field == "exclude_users"
                    && before
                        .symmetric_difference(&after)
                        .all(|id| accounts.iter().any(|account| account.to_string() == *id))
            })
    }
    /// Says whether one of our runs put a package account into a group, or took it out.
    pub(super) fn account_group(&self, upn: &str) -> bool {
        self.ops.iter().any(|one| one.group.is_some() && one.account.eq_ignore_ascii_case(upn))
    }
    /// Says whether a run of ours assigned configuration profiles.
    pub(super) fn assigned(&self, fields: &[DriftField]) -> bool {
        !self.touched.is_empty() && fields.iter().all(|one| one.field.starts_with("assignments"))
    }
}

fn named_groups(plan: &MigrationPlan) -> BTreeSet<String> {
    fn of(selector: &Selector, names: &mut BTreeSet<String>) {
        match selector {
            Selector::All(list) | Selector::Any(list) => list.iter().for_each(|one| of(one, names)),
            Selector::Not(one) => of(one, names),
            Selector::Group(name) => {
                names.insert(name.value.to_lowercase());
            }
            Selector::Name(_) | Selector::Site(_) | Selector::Ou(_) | Selector::Everything => {}
        }
    }
    let mut names = BTreeSet::new();
    plan.waves.iter().for_each(|wave| of(&wave.devices, &mut names));
    for exclusion in &plan.exclusions {
        match &exclusion.of {
            crate::plan::ExclusionKind::Devices(selector) => of(selector, &mut names),
            crate::plan::ExclusionKind::ConditionalAccess(access) => {
                names.extend(access.group.iter().map(|group| group.to_lowercase()));
            }
            crate::plan::ExclusionKind::Area(_) | crate::plan::ExclusionKind::Check(_) => {}
        }
    }
    if let DeviceSource::Selector(selector) = &plan.devices {
        of(selector, &mut names);
    }
    names.extend(plan.features.profiles.iter().map(|(_, group)| group.to_lowercase()));
    names
}
