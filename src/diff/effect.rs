//! What an operation does to one device, as before and after. Texts for people, made only where they are shown.

use super::{DeviceChanges, TenantChange};
use crate::dag::{Index, TenantIndex};
use crate::model::{DeviceFacts, GroupId, Op, RetirePolicy, Scenario};
use crate::state::{ConditionalAccessPolicy, DeviceRecord};

/// Returns what is there before an operation and what will be there after it; none for operations that only look.
#[must_use]
pub fn effect(op: Op, device: &DeviceChanges, index: &Index<'_>) -> Option<(String, String)> {
    let task = device.task.as_deref()?;
    let facts = &index.snapshot.evidence.get(&device.device)?.known()?.facts;
    let record = index.snapshot.ledger.get(&device.device);
    let pair = |before: String, after: String| Some((before, after));
    match op {
        Op::EscrowBitlocker => {
            let count = facts.bitlocker.protectors.len();
            let held = in_escrow(index, facts);
            pair(format!("{held} of {count} recovery keys in escrow"), format!("all {} in escrow", count.max(1)))
        }
        Op::Stage => pair("nothing recorded".to_owned(), "old facts in a protected folder".to_owned()),
        Op::Arm => pair("no boot start".to_owned(), "boot start, proven recovery administrator, banner".to_owned()),
        Op::UnjoinDomain => {
            let domain = facts.domain.as_ref()?;
            pair(format!("joined to {}", domain.domain), "in no domain".to_owned())
        }
        Op::LeaveEntra => {
            let entra = facts.entra.as_ref()?;
            pair(format!("registration {} in {}", entra.device_id, entra.tenant), "no registration".to_owned())
        }
        Op::RemoveMdm => {
            let mdm = facts.mdm.as_ref()?;
            let id = mdm.device.map(|id| format!(" as {id}")).unwrap_or_default();
            pair(format!("enrolled with {}{id}", mdm.provider), "not enrolled".to_owned())
        }
        Op::RemoveConfigmgr => pair("ConfigMgr client installed".to_owned(), "no ConfigMgr client".to_owned()),
        Op::ApplyPackage => pair("no package".to_owned(), format!("package {} accepted, restart", task.package)),
        Op::VerifyJoin => {
            pair(facts.join_state().as_str().to_owned(), format!("Entra joined to {}", task.target_tenant))
        }
        Op::SwapProfile => pair(
            format!("{} belongs to {}", task.profile_path, task.old_sid),
            format!("to {} ({})", task.new_sid, task.upn),
        ),
        Op::RestoreLocalGroups => {
            let groups = facts.local_members.iter().filter(|member| member.member == task.old_sid);
            let groups: Vec<&str> = groups.map(|member| member.group.as_str()).collect();
            let list = if groups.is_empty() { "no local group".to_owned() } else { groups.join(", ") };
            pair(format!("{} is in {list}", task.old_sid), format!("{} is in the same", task.new_sid))
        }
        Op::CleanIdentityCaches => {
            pair(format!("cached names and tokens of {}", task.old_sid), "none of them".to_owned())
        }
        Op::SetPrimaryUser => pair("no primary user on the new record".to_owned(), task.upn.clone()),
        Op::RestoreGroups => {
            let names = group_names(index, device, record);
            let known = if names.is_empty() { "groups that are recorded first".to_owned() } else { names.join(", ") };
            pair(format!("old object in {known}"), "new object in the same".to_owned())
        }
        Op::EscrowBitlockerNew => pair(
            "no key in escrow for the new device".to_owned(),
            format!("all {} in escrow", facts.bitlocker.protectors.len().max(1)),
        ),
        Op::RetireOldIntune => {
            let id = record.and_then(|record| record.old_intune).or_else(|| facts.mdm.as_ref()?.device)?;
            pair(format!("Intune record {id}"), "deleted".to_owned())
        }
        Op::RetireOldObject => old_object(index, device, record),
        Op::CleanUp => pair("folder, banner, boot start, recovery administrator".to_owned(), "none of them".to_owned()),
        _ => None,
    }
}

/// Returns what an operation of a tenant changes, as before and after, and the policy that it edits.
#[must_use]
pub fn tenant_effect<'a>(
    tenant: &TenantChange,
    index: &Index<'a>,
) -> Option<(String, String, Option<&'a ConditionalAccessPolicy>)> {
    let account = &tenant.account;
    let destination = index.destination()?;
    let Some(name) = tenant.policy.as_deref() else {
        let there = destination.users_named(account).next().is_some();
        let before = if there { format!("account {account}") } else { format!("no account {account}") };
        return Some((before, "no such account, and its package joins nothing".to_owned(), None));
    };
    let policy = destination.policies.items.iter().find(|policy| policy.name == name)?;
    let (before, after) = match (tenant.change.op, tenant.group.as_deref()) {
        (Op::ExcludePackageAccount, Some(group)) => {
            (format!("group `{group}` without {account}"), format!("group `{group}` with {account}"))
        }
        (Op::ExcludePackageAccount, None) => {
            let (users, groups) = (policy.exclude_users.len(), policy.exclude_groups.len());
            let state = &policy.state;
            let before = format!("policy `{name}` ({state}) excludes {users} users and {groups} groups");
            (before, format!("{account} too"))
        }
        (_, Some(group)) => (format!("group `{group}` with {account}"), format!("group `{group}` without {account}")),
        (_, None) => (format!("policy `{name}` excludes {account}"), "no longer".to_owned()),
    };
    Some((before, after, Some(policy)))
}

fn tenants<'i, 'a>(index: &'i Index<'a>) -> impl Iterator<Item = &'i TenantIndex<'a>> {
    [index.origin(), index.destination().filter(|_| !index.one_tenant())].into_iter().flatten()
}

fn in_escrow(index: &Index<'_>, facts: &DeviceFacts) -> usize {
    let Some(device) = facts.entra.as_ref().map(|entra| entra.device_id) else { return 0 };
    let seen = |id| tenants(index).any(|tenant| tenant.has_key(id, device));
    facts.bitlocker.protectors.iter().filter(|protector| seen(protector.id)).count()
}

fn group_names(index: &Index<'_>, device: &DeviceChanges, record: Option<&DeviceRecord>) -> Vec<String> {
    let group = |id: GroupId| tenants(index).find_map(|tenant| tenant.group(id));
    if let Some(record) = record.filter(|record| !record.groups.is_empty()) {
        let name = |id: &GroupId| group(*id).map_or_else(|| id.to_string(), |group| group.name.clone());
        return record.groups.iter().map(name).collect();
    }
    let Some(old) = device.task.as_ref().and_then(|task| task.old_device) else { return Vec::new() };
    let mut names: Vec<String> = Vec::new();
    for tenant in tenants(index) {
        let Some(object) = tenant.device(old) else { continue };
        let restored = tenant.groups_of(object.id).filter(|group| index.may_restore(group.id));
        names.extend(restored.map(|group| group.name.clone()));
    }
    names.sort_unstable();
    names
}

fn old_object(index: &Index<'_>, device: &DeviceChanges, record: Option<&DeviceRecord>) -> Option<(String, String)> {
    let computer = match record.and_then(|record| record.old_computer) {
        Some(guid) => index.computer(guid),
        None => index.computers_named(&device.device).next(),
    };
    if let Some(computer) = computer {
        let after = match index.plan.directory.as_ref().map(|directory| directory.retire)? {
            RetirePolicy::Keep => return None,
            RetirePolicy::Disable => "disabled",
            RetirePolicy::Delete => "deleted",
        };
        let state = if computer.enabled { "enabled" } else { "disabled" };
        return Some((format!("{} is {state}", computer.dn), after.to_owned()));
    }
    let task = device.task.as_deref().filter(|task| task.scenario == Scenario::TenantToTenant)?;
    let id = record.and_then(|record| record.old_device).map(|(_, id)| id).or(task.old_device)?;
    Some((format!("Entra device {id} in {}", task.origin_tenant), "deleted".to_owned()))
}
