//! Conditional Access: which enabled policy would stop the package account or the application, and why.
//!
//! Every policy is held against three sign-ins that nobody sits before: the device join and the Intune enrolment of
//! each package account that a wave uses, and the application's own sign-in. `docs/conditional-access.md` is for people.

mod control;
mod policy;
mod shown;
#[cfg(test)]
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use super::{Judged, unread};
use crate::dag::Index;
use crate::model::{Check, Feature, Known, Side, words};
use crate::plan::{Credential, ExclusionKind, MigrationPlan, TenantSpec};
use crate::state::{ConditionalAccessPolicy, TenantState};

pub use policy::{Caller, Category, PolicyVerdict, SignIn, Verdict, judge};
pub use shown::{categories, conditions};

/// Names of policies that are shown before a list is cut.
const SHOWN: usize = 5;

/// One policy against one caller: what a report shows of it.
#[derive(Debug, Clone)]
pub struct Reviewed<'a> {
    /// The policy.
    pub policy: &'a ConditionalAccessPolicy,
    /// Package account by UPN in lower case, or the application's name.
    pub caller: String,
    /// Categories that the policy falls in.
    pub categories: Vec<Category>,
    /// Its conditions in words.
    pub conditions: Vec<String>,
    /// What becomes of each sign-in of this caller.
    pub verdicts: Vec<PolicyVerdict>,
    /// Position of the plan's exclusion for this policy and account that is in force.
    pub entry: Option<usize>,
}

impl Reviewed<'_> {
    fn those(&self, of: impl Fn(&Verdict) -> bool) -> Vec<&PolicyVerdict> {
        self.verdicts.iter().filter(|one| of(&one.verdict)).collect()
    }
}

/// Reviews the policies of one side's tenant: each against each caller, in the order of the policies.
///
/// # Errors
/// Why they couldn't be read.
pub fn review<'a>(index: &Index<'a>, side: Side) -> Result<Vec<Reviewed<'a>>, String> {
    let tenant = match side {
        Side::Origin => index.origin(),
        Side::Destination => index.destination(),
    };
    let (Some(tenant), Some(spec)) = (tenant, index.plan.tenant(side)) else { return Ok(Vec::new()) };
    let state = tenant.state.ok_or("the snapshot doesn't hold this tenant")?;
    let policies = match &state.conditional_access {
        Known::Known(policies) => policies,
        Known::Absent => return Err("the policies weren't read".to_owned()),
        Known::Unknown(why) => return Err(why.clone()),
    };
    let mut callers = vec![(application(spec, state), &[SignIn::Application][..])];
    if side == Side::Destination {
        let accounts = accounts(index.plan).into_iter().map(|upn| package_account(index, state, upn));
        callers.extend(accounts.map(|caller| (caller, &[SignIn::Join, SignIn::Enrolment][..])));
    }
    let one = |policy: &'a ConditionalAccessPolicy, caller: &Caller, sign_ins: &[SignIn]| Reviewed {
        policy,
        caller: caller.name.clone(),
        categories: categories(policy),
        conditions: conditions(policy, &state.named_locations),
        verdicts: sign_ins.iter().map(|sign_in| judge(policy, *sign_in, caller, &state.named_locations)).collect(),
        entry: entry(index.plan, &policy.name, &caller.name),
    };
    let each = policies.iter().flat_map(|policy| callers.iter().map(move |(caller, of)| (policy, caller, *of)));
    Ok(each.map(|(policy, caller, of)| one(policy, caller, of)).collect())
}

/// Returns the UPNs of the package accounts that waves use, in lower case, each once.
pub(super) fn accounts(plan: &MigrationPlan) -> BTreeSet<String> {
    let used = plan.waves.iter().filter_map(|wave| plan.package(&wave.package));
    used.map(|package| package.account.to_lowercase()).collect()
}

fn application(spec: &TenantSpec, state: &TenantState) -> Caller {
    let app = state.app.known();
    Caller {
        name: app.map_or_else(|| format!("the application {}", spec.app.client_id), |app| app.name.clone()),
        id: match &state.app {
            Known::Known(app) => Known::Known(app.principal),
            Known::Absent => Known::Absent,
            Known::Unknown(why) => Known::Unknown(why.clone()),
        },
        groups: Known::Absent,
        privileged: false,
        // Only its home tenant tells what a registration asks for.
        at_home: app.is_none_or(|app| app.requested != Known::Absent),
        managed: spec.app.credential == Credential::ManagedIdentity,
    }
}

fn package_account(index: &Index<'_>, state: &TenantState, upn: String) -> Caller {
    let tenant = index.destination();
    let user = tenant.and_then(|tenant| tenant.users_named(&upn).next());
    let id = match (user, &state.users) {
        (Some(user), _) => Known::Known(user.id.0),
        (None, Known::Unknown(why)) => Known::Unknown(why.clone()),
        (None, Known::Known(_) | Known::Absent) => Known::Absent,
    };
    let groups = match &state.account_groups {
        Known::Known(all) => match all.get(&upn) {
            Some(own) => Known::Known(own.clone()),
            None => Known::Unknown("its groups weren't read".to_owned()),
        },
        Known::Absent => Known::Unknown("its groups weren't read".to_owned()),
        Known::Unknown(why) => Known::Unknown(why.clone()),
    };
    let privileged = user.is_some_and(|user| user.privileged);
    Caller { name: upn, id, groups, privileged, at_home: true, managed: false }
}

/// Returns the position of the plan's exclusion for a policy and an account, where it is in force.
fn entry(plan: &MigrationPlan, policy: &str, account: &str) -> Option<usize> {
    plan.exclusions.iter().position(|exclusion| match &exclusion.of {
        ExclusionKind::ConditionalAccess(of) => {
            exclusion.until > plan.as_of && of.policy == policy && of.account.eq_ignore_ascii_case(account)
        }
        ExclusionKind::Devices(_) | ExclusionKind::Area(_) | ExclusionKind::Check(_) => false,
    })
}

/// Judges the Conditional Access policies of one side's tenant: one finding for each policy and account that a person
/// has to look at, and one for all others.
pub(super) fn checks(index: &Index<'_>, side: Side, add: &mut dyn FnMut(Check, Judged)) {
    let reviewed = match review(index, side) {
        Ok(reviewed) => reviewed,
        Err(why) => {
            add(Check::EntConditionalAccess, unread(format!("Conditional Access policies couldn't be read: {why}")));
            return;
        }
    };
    let mut quiet = true;
    if side == Side::Destination {
        for judged in misnamed(index) {
            quiet = false;
            add(Check::EntConditionalAccess, judged);
        }
    }
    for one in &reviewed {
        if let Some(judged) = judged(index.plan, one) {
            quiet = false;
            add(Check::EntConditionalAccess, judged);
        }
    }
    if quiet {
        add(Check::EntConditionalAccess, Judged::pass(summary(&reviewed)));
    }
}

/// Judges the plan's exclusions of policies that the tenant doesn't have, or has more than one of, where `apply` would
/// open or close them: whatever policy was meant stays as it is.
fn misnamed(index: &Index<'_>) -> Vec<Judged> {
    let plan = index.plan;
    let policies =
        index.destination().and_then(|tenant| tenant.state).and_then(|state| state.conditional_access.known());
    let Some(policies) = policies.filter(|_| plan.features.on.has(Feature::ConditionalAccessExclusions)) else {
        return Vec::new();
    };
    let used = accounts(plan);
    let mut found = Vec::new();
    for exclusion in &plan.exclusions {
        let ExclusionKind::ConditionalAccess(of) = &exclusion.of else { continue };
        if !used.contains(&of.account.to_lowercase()) {
            continue;
        }
        let whose = match policies.iter().filter(|policy| policy.name == of.policy).count() {
            1 => continue,
            0 => "which the tenant doesn't have".to_owned(),
            several => format!("and the tenant has {several} of that name"),
        };
        let remedy = if exclusion.is_live(plan.as_of) {
            "write the policy's display name as the portal shows it, one that no other policy has"
        } else {
            "the exclusion has run out: take it out of the plan, or correct the policy's name and its last day"
        };
        let (id, account, policy) = (&exclusion.id.value, &of.account, &of.policy);
        let seen = format!("the plan excludes {account} from policy `{policy}` (exclusion `{id}`), {whose}");
        found.push(Judged::fail(seen).remedy(remedy));
    }
    found
}

fn summary(reviewed: &[Reviewed<'_>]) -> String {
    let policies: BTreeMap<_, _> = reviewed.iter().map(|one| (one.policy.id, one)).collect();
    let off = |one: &&&Reviewed<'_>| one.policy.state == "disabled";
    let disabled: Vec<String> = policies.values().filter(off).map(|one| format!("`{}`", one.policy.name)).collect();
    let excluded =
        reviewed.iter().filter(|one| !one.those(|v| matches!(v, Verdict::Excluded { .. })).is_empty()).count();
    let mut text = format!("none of {} policies stops the package account or the application", policies.len());
    if excluded > 0 {
        text += &format!("; {excluded} would, and the plan's exclusions are open");
    }
    if !disabled.is_empty() {
        text += &format!("; disabled: {}", words::some(disabled, SHOWN));
    }
    text
}

/// Returns what a person has to be told of one policy and one caller.
fn judged(plan: &MigrationPlan, one: &Reviewed<'_>) -> Option<Judged> {
    let blocks = one.those(|verdict| *verdict == Verdict::Blocks);
    let may = one.those(|verdict| matches!(verdict, Verdict::MayBlock(_)));
    let excluded = one.those(|verdict| matches!(verdict, Verdict::Excluded { .. }));
    let reported = one.those(|verdict| matches!(verdict, Verdict::NotEnforced { report_only: true, would: true }));
    let policy = &one.policy.name;
    if !blocks.is_empty() || !may.is_empty() {
        let judged = if blocks.is_empty() {
            Judged::unknown(told(one, "may refuse", &may))
        } else {
            Judged::fail(told(one, "refuses", &blocks))
        };
        return Some(opened(plan, one, judged));
    }
    if !excluded.is_empty() && one.entry.is_none() {
        let by = match excluded.first().map(|one| &one.verdict) {
            Some(Verdict::Excluded { by }) => by.as_ref(),
            _ => "itself",
        };
        let seen = format!(
            "policy `{policy}` excludes {} ({by}), and no entry under `exclusions` says so: nobody will take it out",
            one.caller
        );
        let remedy = if is_application(one) {
            "write down who takes the application out of the policy again, and when".to_owned()
        } else {
            format!("write it under `exclusions`: {}", written(one))
        };
        return Some(Judged::warn(seen).remedy(remedy));
    }
    if !reported.is_empty() {
        let seen = told(one, "is only reported now; enforced, it refuses or may refuse", &reported);
        let remedy = "let it stay like this until the last wave is over, or exclude the account before it is enforced";
        return Some(Judged::warn(seen).remedy(remedy));
    }
    None
}

fn is_application(one: &Reviewed<'_>) -> bool {
    one.verdicts.iter().any(|verdict| verdict.sign_in == SignIn::Application)
}

/// Says what keeps a policy that blocks from being one, and what is done about it by itself.
fn opened(plan: &MigrationPlan, one: &Reviewed<'_>, mut judged: Judged) -> Judged {
    if is_application(one) {
        return judged.remedy("exclude the application from the policy, or let the controller run where it allows it");
    }
    let Some(at) = one.entry else {
        return judged.remedy(format!(
            "exclude the account from the policy, with an entry under `exclusions`: {}; set \
             `conditional-access-exclusions: manage` to have `apply` open and close it",
            written(one)
        ));
    };
    let id = plan.exclusions.get(at).map_or("", |exclusion| exclusion.id.value.as_str());
    if plan.features.on.has(Feature::ConditionalAccessExclusions) {
        judged.seen = format!("{}; `apply` opens the exclusion `{id}` before the first device", judged.seen).into();
        return judged.covered_by(at);
    }
    judged.seen = format!("{}; the exclusion `{id}` isn't in the tenant", judged.seen).into();
    judged.remedy(
        "exclude the account from the policy, or set `conditional-access-exclusions: manage` to have `apply` do it",
    )
}

/// Returns the entry of the plan that covers a policy and an account.
fn written(one: &Reviewed<'_>) -> String {
    let policy = one.policy.name.replace('\\', "\\\\").replace('"', "\\\"");
    format!("of: {{conditional-access: {{policy: \"{policy}\", account: {}}}}}", one.caller)
}

fn told(one: &Reviewed<'_>, does: &str, verdicts: &[&PolicyVerdict]) -> String {
    let sign_ins: Vec<&str> = verdicts.iter().map(|verdict| verdict.sign_in.as_str()).collect();
    let control = verdicts.first().map_or("", |verdict| verdict.control.as_ref());
    let mut text =
        format!("policy `{}` {does} the {} of {}: {control}", one.policy.name, sign_ins.join(" and "), one.caller);
    if !one.conditions.is_empty() {
        text += &format!(" ({})", one.conditions.join("; "));
    }
    let mut unsure: Vec<&str> = Vec::new();
    for verdict in verdicts {
        if let Verdict::MayBlock(why) = &verdict.verdict {
            unsure.extend(why.iter().map(AsRef::as_ref));
        }
    }
    unsure.dedup();
    if !unsure.is_empty() {
        text += &format!("; {}", unsure.join("; "));
    }
    let categories: Vec<&str> = one.categories.iter().map(|category| category.as_str()).collect();
    if !categories.is_empty() {
        text += &format!("; category: {}", categories.join(", "));
    }
    text
}
