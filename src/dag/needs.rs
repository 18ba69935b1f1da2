//! Permissions of an operation in one plan: the catalogue's, but for an exclusion through a group.

use super::catalogue::{Need, spec};
use crate::model::{Op, Permission, Side};
use crate::plan::{ExclusionKind, MigrationPlan};

const fn destination(permission: Permission) -> Need {
    Need { side: Side::Destination, permission }
}

/// What an exclusion through a group takes: the policy is read and never written (msgraph.md 2.4, 2.7).
static GROUP: &[Need] = &[
    destination(Permission::PolicyReadAll),
    destination(Permission::UserReadAll),
    destination(Permission::GroupMemberReadAll),
    destination(Permission::GroupMemberReadWriteAll),
];

/// Returns the permissions that an operation needs in a plan. The catalogue says what it needs at most; where every
/// exclusion of the plan goes through a group, changing policies isn't needed.
#[must_use]
pub fn needs(plan: &MigrationPlan, op: Op) -> Vec<Need> {
    let all = || spec(op).needs.to_vec();
    if !matches!(op, Op::ExcludePackageAccount | Op::RestorePackageAccount) {
        return all();
    }
    let ways = plan.exclusions.iter().filter_map(|exclusion| match &exclusion.of {
        ExclusionKind::ConditionalAccess(access) => Some(access.group.is_some()),
        ExclusionKind::Devices(_) | ExclusionKind::Area(_) | ExclusionKind::Check(_) => None,
    });
    let (groups, policies): (Vec<bool>, Vec<bool>) = ways.partition(|group| *group);
    let mut needs = if policies.is_empty() && !groups.is_empty() { Vec::new() } else { all() };
    if !groups.is_empty() {
        needs.extend(GROUP.iter().filter(|need| !spec(op).needs.contains(need) || policies.is_empty()));
    }
    needs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::fixture::{Fleet, Join, exclusion};
    use crate::model::Scenario;
    use crate::plan::{CaExclusion, Selector};

    /// Catches a plan whose exclusions all go through a group and that asks for the right to change policies.
    #[test]
    fn a_group_takes_less_than_a_policy() {
        let mut plan = Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1).plan;
        let mut add = |group: Option<&str>| {
            let mut one = exclusion(Selector::Everything);
            let (policy, account, group) =
                ("MFA".to_owned(), "package_1@contoso.com".to_owned(), group.map(str::to_owned));
            one.of = ExclusionKind::ConditionalAccess(CaExclusion { policy, account, group });
            plan.exclusions.push(one);
            let needs = needs(&plan, Op::ExcludePackageAccount);
            let mut permissions: Vec<Permission> = needs.iter().map(|need| need.permission).collect();
            let total = permissions.len();
            permissions.sort_unstable();
            permissions.dedup();
            assert_eq!(permissions.len(), total, "each once");
            permissions
        };
        let group = add(Some("CA-Excluded"));
        assert!(!group.contains(&Permission::PolicyReadWriteConditionalAccess), "{group:?}");
        assert!(group.contains(&Permission::GroupMemberReadWriteAll), "{group:?}");
        let both = add(None);
        assert!(group.iter().all(|need| both.contains(need)), "{both:?}");
        assert!(both.contains(&Permission::PolicyReadWriteConditionalAccess), "{both:?}");
    }
}
