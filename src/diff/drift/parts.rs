//! The parts of an observation, each compared by id.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{DriftField, DriftKind, DriftLine, DriftWhat, Found, Weight, changed};
use crate::model::{EntraObjectId, Known};
use crate::state::{Evidence, Snapshot, TenantState};

/// Returns the line of something.
fn line(kind: DriftKind, place: &str, subject: &str, id: Option<String>, what: DriftWhat) -> DriftLine {
    let weight = if what == DriftWhat::Appeared { Weight::Note } else { Weight::Grave };
    let (place, subject) = (place.to_owned(), subject.to_owned());
    DriftLine { weight, kind, place, subject, id, what, fields: Vec::new() }
}

/// What is compared in one list.
struct List<'s, T> {
    kind: DriftKind,
    place: &'s str,
    before: &'s [T],
    now: &'s [T],
    /// Members that move by themselves.
    but: &'s [&'s str],
}

/// Compares lists by id. `about` says which the plan is about, `ours` which changes we made ourselves.
fn lists<T: Serialize, I: Ord + ToString + Clone>(
    found: &mut Found<'_>,
    list: &List<'_, T>,
    id: impl Fn(&T) -> I,
    name: impl Fn(&T) -> &str,
    about: impl Fn(&Found<'_>, &T, DriftWhat) -> bool,
    ours: impl Fn(&Found<'_>, &T, DriftWhat, &[DriftField]) -> bool,
) {
    let before: BTreeMap<I, &T> = list.before.iter().map(|one| (id(one), one)).collect();
    let now: BTreeMap<I, &T> = list.now.iter().map(|one| (id(one), one)).collect();
    let ids: BTreeSet<&I> = before.keys().chain(now.keys()).collect();
    for own in ids {
        let (one, what, fields) = match (before.get(own), now.get(own)) {
            (Some(before), Some(now)) => {
                let fields = changed(*before, *now, list.but);
                if fields.is_empty() {
                    continue;
                }
                // A thing is told by the name under which people knew it.
                (*before, DriftWhat::Changed, fields)
            }
            (Some(before), None) => (*before, DriftWhat::Gone, Vec::new()),
            (None, Some(now)) => (*now, DriftWhat::Appeared, Vec::new()),
            (None, None) => continue,
        };
        let either = about(found, one, what) || now.get(own).is_some_and(|now| about(found, now, what));
        if !either {
            continue;
        }
        let ours = ours(found, one, what, &fields);
        let line = line(list.kind, list.place, name(one), Some(own.to_string()), what);
        found.add(ours, DriftLine { fields, ..line });
    }
}

/// A name that others gave is never our doing.
fn renamed(fields: &[DriftField]) -> bool {
    fields.iter().any(|one| one.field == "name")
}

pub(super) fn tenants(found: &mut Found<'_>, before: &Snapshot, now: &Snapshot) {
    for (name, now) in &now.tenants {
        // A tenant that the plan didn't name then has nothing to be compared with.
        if let Some(before) = before.tenants.get(name) {
            tenant(found, name.as_str(), before, now);
        }
    }
}

fn tenant(found: &mut Found<'_>, place: &str, before: &TenantState, now: &TenantState) {
    let mut came: BTreeSet<EntraObjectId> = BTreeSet::new();
    let mut known: BTreeMap<EntraObjectId, String> = BTreeMap::new();
    if let Some((old, new)) = found.both(place, "Entra devices", &before.devices, &now.devices) {
        let ids = |list: &[crate::state::EntraDevice]| list.iter().map(|one| one.id).collect::<BTreeSet<_>>();
        came = ids(old).symmetric_difference(&ids(new)).copied().collect();
        known = old.iter().chain(new).map(|one| (one.id, one.name.clone())).collect();
        let list = List { kind: DriftKind::EntraDevice, place, before: old, now: new, but: &["id"] };
        lists(found, &list, |one| one.id, |one| &one.name, |found, one, _| found.ours.is_about(&one.name), {
            |found, one, _, fields| found.ours.registration(one.id, one.device_id) && !renamed(fields)
        });
    }
    if let Some((old, new)) = found.both(place, "Intune devices", &before.managed_devices, &now.managed_devices) {
        let list = List { kind: DriftKind::IntuneRecord, place, before: old, now: new, but: &["id", "last_sync"] };
        lists(found, &list, |one| one.id, |one| &one.name, |found, one, _| found.ours.is_about(&one.name), {
            |found, one, _, fields| found.ours.record(one.id, one.device_id) && !renamed(fields)
        });
        primary_users(found, place, before, now);
    }
    if let Some((old, new)) = found.both(place, "Autopilot identities", &before.autopilot, &now.autopilot) {
        let list = List { kind: DriftKind::Autopilot, place, before: old, now: new, but: &["id"] };
        lists(found, &list, |one| one.id, |one| &one.serial, |_, _, what| what != DriftWhat::Appeared, {
            |found, one, _, _| found.ours.serial(&one.serial)
        });
    }
    if let Some((old, new)) = found.both(place, "users", &before.users, &now.users) {
        let list = List { kind: DriftKind::User, place, before: old, now: new, but: &["id", "created"] };
        // Whoever is hired is none of the plan's business.
        let about = |found: &Found<'_>, one: &crate::state::User, what| {
            what != DriftWhat::Appeared || found.ours.is_package(&one.upn)
        };
        lists(
            found,
            &list,
            |one| one.id,
            |one| &one.upn,
            about,
            |found, one, what, _| what == DriftWhat::Gone && found.ours.revoked(&one.upn),
        );
    }
    if let Some((old, new)) = found.both(place, "groups", &before.groups, &now.groups) {
        groups(found, place, (old, new), &came, &known);
    }
    let policies = (&before.conditional_access, &now.conditional_access);
    if let Some((old, new)) = found.both(place, "Conditional Access policies", policies.0, policies.1) {
        let list = List { kind: DriftKind::ConditionalAccess, place, before: old, now: new, but: &["id"] };
        lists(
            found,
            &list,
            |one| one.id,
            |one| &one.name,
            |_, _, _| true,
            |found, one, _, fields| found.ours.policy(place, &one.name, fields),
        );
    }
    if let Some((old, new)) = found.both(place, "configuration profiles", &before.profiles, &now.profiles) {
        let list = List { kind: DriftKind::Profile, place, before: old, now: new, but: &["id"] };
        lists(
            found,
            &list,
            |one| one.id,
            |one| &one.name,
            |found, one, what| what == DriftWhat::Changed || found.ours.names_profile(&one.name),
            |found, _, what, fields| what == DriftWhat::Changed && found.ours.assigned(fields),
        );
    }
    setting(found, place, "device registration policy", &before.registration_policy, &now.registration_policy);
    setting(found, place, "organization", &before.organization, &now.organization);
    setting(found, place, "enrolment settings", &before.enrolment, &now.enrolment);
    setting(found, place, "cross-tenant access", &before.cross_tenant, &now.cross_tenant);
    setting(found, place, "named locations", &before.named_locations, &now.named_locations);
    setting(found, place, "application", &before.app, &now.app);
    account_groups(found, place, before, now);
}

fn setting<T: Serialize>(found: &mut Found<'_>, place: &str, name: &str, before: &Known<T>, now: &Known<T>) {
    let Some((before, now)) = found.both(place, name, before, now) else { return };
    let fields = changed(before, now, &[]);
    if !fields.is_empty() {
        let line = line(DriftKind::TenantSetting, place, name, None, DriftWhat::Changed);
        found.add(false, DriftLine { fields, ..line });
    }
}

/// Groups of the package accounts: who is in them decides which policies hold for a join.
fn account_groups(found: &mut Found<'_>, place: &str, before: &TenantState, now: &TenantState) {
    let both = found.both(place, "groups of package accounts", &before.account_groups, &now.account_groups);
    let Some((before, now)) = both else { return };
    for (account, new) in now {
        let Some(old) = before.get(account) else { continue };
        let text = |list: &[crate::model::GroupId]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        if old != new {
            let ours = found.ours.account_group(account);
            let line = line(DriftKind::User, place, account, None, DriftWhat::Changed);
            let fields = vec![DriftField { field: "groups".into(), before: Some(text(old)), after: Some(text(new)) }];
            found.add(ours, DriftLine { fields, ..line });
        }
    }
}

/// Primary users are read of devices that have moved; a record that only one side knows is told as such.
fn primary_users(found: &mut Found<'_>, place: &str, before: &TenantState, now: &TenantState) {
    let Some((old, new)) = found.both(place, "primary users", &before.primary_users, &now.primary_users) else {
        return;
    };
    let records = now.managed_devices.known().into_iter().flatten();
    let names: BTreeMap<_, _> = records.map(|one| (one.id, (one.name.as_str(), one.device_id))).collect();
    for (id, users) in new {
        let Some(before) = old.get(id).filter(|before| *before != users) else { continue };
        let (name, registration) = names.get(id).copied().unwrap_or(("", None));
        let text = |list: &[crate::model::UserId]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let ours = found.ours.record(*id, registration);
        let line = line(DriftKind::PrimaryUser, place, name, Some(id.to_string()), DriftWhat::Changed);
        let field = DriftField { field: "users".into(), before: Some(text(before)), after: Some(text(users)) };
        found.add(ours, DriftLine { fields: vec![field], ..line });
    }
}

/// Groups are read where the plan names them, so that one which is new to us needn't be new. A device that came or went as
/// a whole is told as that, not as its memberships.
fn groups(
    found: &mut Found<'_>,
    place: &str,
    (old, new): (&[crate::state::Group], &[crate::state::Group]),
    came: &BTreeSet<EntraObjectId>,
    names: &BTreeMap<EntraObjectId, String>,
) {
    let now: BTreeMap<_, _> = new.iter().map(|group| (group.id, group)).collect();
    for before in old {
        let id = Some(before.id.to_string());
        let Some(now) = now.get(&before.id) else {
            if found.ours.names_group(&before.name) {
                found.add(false, line(DriftKind::Group, place, &before.name, id, DriftWhat::Gone));
            }
            continue;
        };
        let mut fields = changed(before, *now, &["id", "devices"]);
        let members = |group: &crate::state::Group| group.devices.iter().copied().collect::<BTreeSet<_>>();
        let (was, is) = (members(before), members(now));
        let mut ours = 0;
        for object in was.symmetric_difference(&is).filter(|object| !came.contains(*object)) {
            let name = names.get(object).cloned().unwrap_or_else(|| object.to_string());
            if !found.ours.is_about(&name) {
                continue;
            }
            if found.ours.worked_on(&crate::model::DeviceName::new(&name)) {
                ours += 1;
                continue;
            }
            let there = |set: &BTreeSet<EntraObjectId>| set.contains(object).then(|| "member".to_owned());
            fields.push(DriftField { field: name, before: there(&was), after: there(&is) });
        }
        found.count += ours;
        if !fields.is_empty() {
            let line = line(DriftKind::Group, place, &before.name, id, DriftWhat::Changed);
            found.add(false, DriftLine { fields, ..line });
        }
    }
}

pub(super) fn directory(found: &mut Found<'_>, before: &Snapshot, now: &Snapshot) {
    let Some((old, new)) = found.both("directory", "computers", &before.directory, &now.directory) else { return };
    let list = List {
        kind: DriftKind::Computer,
        place: "directory",
        before: &old.computers,
        now: &new.computers,
        but: &["guid", "password_set"],
    };
    lists(found, &list, |one| one.guid, |one| &one.name, |found, one, _| found.ours.is_about(&one.name), {
        |found, one, _, fields| found.ours.computer(one.guid) && !renamed(fields)
    });
    setting(found, "directory", "disjoin account", &old.account, &new.account);
}

/// What of a device decides about its move; the rest moves by itself.
#[derive(Serialize)]
struct Telling<'a> {
    name: &'a str,
    serial: &'a str,
    edition: &'a str,
    join_state: &'a str,
    entra: &'a Option<crate::model::EntraJoin>,
    domain: &'a Option<crate::model::DomainJoin>,
    mdm_provider: Option<&'a str>,
    mdm_record: Option<crate::model::IntuneId>,
    configmgr: bool,
    encrypted: bool,
    recovery_keys: Vec<String>,
    laps: crate::model::LapsTarget,
    local_members: Vec<String>,
    profiles: Vec<String>,
    local_admin: Option<&'a str>,
}

fn telling(evidence: &Evidence) -> Telling<'_> {
    let facts = &evidence.facts;
    let sorted = |mut list: Vec<String>| {
        list.sort();
        list
    };
    let members = facts.local_members.iter().map(|one| format!("{} in {}", one.member, one.group)).collect();
    let admin = evidence.survey.as_ref().and_then(|survey| survey.recovery.local_admin.known());
    Telling {
        name: &facts.identity.name,
        serial: &facts.identity.serial,
        edition: &facts.identity.edition,
        join_state: facts.join_state().as_str(),
        entra: &facts.entra,
        domain: &facts.domain,
        mdm_provider: facts.mdm.as_ref().map(|mdm| mdm.provider.as_str()),
        mdm_record: facts.mdm.as_ref().and_then(|mdm| mdm.device),
        configmgr: facts.configmgr,
        encrypted: facts.bitlocker.encrypted,
        recovery_keys: sorted(facts.bitlocker.protectors.iter().map(|one| one.id.to_string()).collect()),
        laps: facts.laps,
        local_members: sorted(members),
        profiles: sorted(facts.profiles.iter().map(|one| format!("{} of {}", one.path, one.sid)).collect()),
        local_admin: admin.map(|admin| admin.account.as_str()),
    }
}

pub(super) fn evidence(found: &mut Found<'_>, before: &Snapshot, now: &Snapshot) {
    for (name, new) in &now.evidence {
        // An agent that reports for the first time tells of itself, not of a change.
        let Some(old) = before.evidence.get(name) else { continue };
        if !found.ours.is_about(name.as_str()) {
            continue;
        }
        let Some((old, new)) = found.both("device", name.as_str(), old, new) else { continue };
        let fields = changed(&telling(old), &telling(new), &[]);
        if !fields.is_empty() {
            let ours = found.ours.worked_on(name);
            let line = line(DriftKind::Device, "device", name.as_str(), None, DriftWhat::Changed);
            found.add(ours, DriftLine { fields, ..line });
        }
    }
}
