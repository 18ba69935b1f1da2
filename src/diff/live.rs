//! Whether a Conditional Access policy excludes an account: what a plan asks for, held against the tenant.

use crate::dag::TenantIndex;
use crate::plan::CaExclusion;
use crate::state::{ConditionalAccessPolicy, User};

/// Why it can't be said, or can't be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Gap {
    pub(super) kind: GapKind,
    /// A sentence without a full stop.
    pub(super) message: String,
}

/// What is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GapKind {
    /// Something couldn't be read.
    Unread,
    /// There isn't exactly one such policy.
    Policy,
    /// The group isn't one that the tool may use, or the policy doesn't exclude it.
    Group,
}

fn gap<T>(kind: GapKind, message: String) -> Result<T, Gap> {
    Err(Gap { kind, message })
}

/// Says whether the account is excluded in the way that the plan asks for: by itself, or as a member of the group.
pub(super) fn live(tenant: &TenantIndex<'_>, access: &CaExclusion) -> Result<bool, Gap> {
    let unread = |why: &str| {
        let message = format!("whether policy `{}` excludes {} couldn't be read: {why}", access.policy, access.account);
        gap(GapKind::Unread, message)
    };
    if let Some(why) = tenant.policies.gap.or(tenant.users.gap) {
        return unread(why);
    }
    let mut policies = tenant.policies.items.iter().filter(|policy| policy.name == access.policy);
    let (Some(policy), None) = (policies.next(), policies.next()) else {
        let message =
            format!("`{}` doesn't have exactly one Conditional Access policy `{}`", tenant.name, access.policy);
        return gap(GapKind::Policy, message);
    };
    let user = tenant.users_named(&access.account).next();
    let Some(name) = access.group.as_deref() else {
        // An account that is gone can't be excluded and needn't be; devices that need it fail elsewhere.
        return Ok(user.is_some_and(|user| lists(policy, user)));
    };
    if let Some(why) = tenant.groups.gap {
        return unread(why);
    }
    let mut groups = tenant.groups_named(name);
    let (Some(group), None) = (groups.next(), groups.next()) else {
        return gap(GapKind::Group, format!("`{}` doesn't have exactly one group `{name}`", tenant.name));
    };
    let kind = [
        (group.dynamic, "its members are computed by a rule"),
        (group.synced, "it is synchronised from Active Directory"),
        (group.role_assignable, "it can hold directory roles"),
        (group.mail_enabled, "it is mail-enabled"),
    ];
    if let Some((_, why)) = kind.into_iter().find(|(so, _)| *so) {
        return gap(GapKind::Group, format!("group `{name}` can't be used for exclusions: {why}"));
    }
    if !policy.exclude_groups.contains(&group.id) {
        return gap(GapKind::Group, format!("policy `{}` doesn't exclude the group `{name}`", access.policy));
    }
    let Some(user) = user else { return Ok(false) };
    match memberships(tenant, user) {
        Ok(groups) => Ok(groups.contains(&group.id)),
        Err(why) => unread(&why),
    }
}

/// Says whether a policy lists a user among its exclusions.
pub(super) fn lists(policy: &ConditionalAccessPolicy, user: &User) -> bool {
    let id = user.id.to_string();
    policy.exclude_users.iter().any(|excluded| excluded.eq_ignore_ascii_case(&id))
}

/// Returns the groups that a package account is in, or why that isn't known.
pub(super) fn memberships<'a>(tenant: &TenantIndex<'a>, user: &User) -> Result<&'a [crate::model::GroupId], String> {
    let Some(state) = tenant.state else { return Err("the snapshot doesn't hold this tenant".to_owned()) };
    match &state.account_groups {
        crate::model::Known::Known(all) => Ok(all.get(&user.upn).map_or(&[][..], Vec::as_slice)),
        crate::model::Known::Absent => Err("the account's groups weren't asked for".to_owned()),
        crate::model::Known::Unknown(why) => Err(why.clone()),
    }
}
