//! Tenant operations: Conditional Access exclusions of package accounts, and the packages' end.

use super::gate::Tally;
use super::{Action, Change, Reason, TenantChange};
use crate::dag::{Index, OpGraph, TenantSubject, spec};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::model::Op;
use crate::plan::ExclusionKind;

type Verdict = (Action, Reason);

/// How the waves that use a package stand.
struct Use {
    /// All of them are finished, and there is at least one.
    finished: bool,
    /// A device of theirs will run now.
    running: bool,
    /// All of them are finished once the devices that run now are.
    ending: bool,
}

/// Returns the changes of tenants.
pub(crate) fn changes(
    index: &Index<'_>,
    graph: &OpGraph,
    tallies: &[Tally],
    findings: &mut Diagnostics,
) -> Vec<TenantChange> {
    let mut changes = Vec::new();
    for subject in &graph.tenant_subjects {
        let waves = || {
            let waves = index.plan.waves.iter().zip(tallies);
            waves.filter(|(wave, _)| wave.package == subject.package).map(|(_, tally)| tally)
        };
        let running = waves().any(|tally| tally.running > 0);
        let used = Use {
            finished: waves().count() > 0 && waves().all(Tally::is_finished),
            running,
            ending: running && waves().all(Tally::is_finished_after_this),
        };
        let mut push = |op: Op, (action, reason): Verdict| {
            let closes = op != Op::ExcludePackageAccount && action == Action::Do;
            changes.push(TenantChange {
                change: Change { op, action, reason },
                account: subject.account.clone(),
                package: subject.package.clone(),
                policy: subject.policy.clone(),
                needs_complete: closes && !used.finished && reason != Reason::Expired,
            });
        };
        if subject.policy.is_none() {
            push(Op::RevokePackage, revoke(index, subject, &used));
            continue;
        }
        let on = |op| spec(op).feature.is_none_or(|feature| index.plan.features.on.has(feature));
        if !on(Op::ExcludePackageAccount) {
            push(Op::ExcludePackageAccount, (Action::Skip, Reason::FeatureOff));
            push(Op::RestorePackageAccount, (Action::Skip, Reason::FeatureOff));
            continue;
        }
        match listed(index, subject, findings) {
            Some(listed) => {
                let expired = is_expired(index, subject);
                let before = exclude(listed, expired, &used);
                push(Op::ExcludePackageAccount, before);
                push(Op::RestorePackageAccount, restore(listed || before.0 == Action::Do, expired, &used));
            }
            None => {
                push(Op::ExcludePackageAccount, (Action::Blocked, Reason::Unknown));
                push(Op::RestorePackageAccount, (Action::Blocked, Reason::Unknown));
            }
        }
    }
    changes
}

/// Says whether the policy excludes the account; none where that can't be said, which is reported.
fn listed(index: &Index<'_>, subject: &TenantSubject, findings: &mut Diagnostics) -> Option<bool> {
    let tenant = index.destination()?;
    let name = subject.policy.as_deref()?;
    let exclusion = subject.exclusion.and_then(|at| index.plan.exclusions.get(at as usize));
    let mut report = |message: String, help: &str| {
        let finding = Diagnostic::error(Code::OBSERVATION_FAILED, message).help(help);
        findings.push(match exclusion {
            Some(exclusion) if matches!(exclusion.of, ExclusionKind::ConditionalAccess(_)) => {
                finding.at(exclusion.id.span, "")
            }
            _ => finding,
        });
    };
    if let Some(why) = tenant.policies.gap.or(tenant.users.gap) {
        report(
            format!("whether policy `{name}` excludes {} couldn't be read: {why}", subject.account),
            "grant Policy.Read.All and User.Read.All, then plan again",
        );
        return None;
    }
    let mut policies = tenant.policies.items.iter().filter(|policy| policy.name == name);
    let (Some(policy), None) = (policies.next(), policies.next()) else {
        let message = format!("`{}` doesn't have exactly one Conditional Access policy `{name}`", tenant.name);
        report(message, "write the policy's display name as the portal shows it");
        return None;
    };
    let Some(user) = tenant.users_named(&subject.account.to_lowercase()).next() else {
        // An account that is gone can't be excluded and needn't be; devices that need it fail elsewhere.
        return Some(false);
    };
    let id = user.id.to_string();
    Some(policy.exclude_users.iter().any(|excluded| excluded.eq_ignore_ascii_case(&id)))
}

/// Says whether the exclusion that asks for it has run out.
fn is_expired(index: &Index<'_>, subject: &TenantSubject) -> bool {
    let exclusion = subject.exclusion.and_then(|at| index.plan.exclusions.get(at as usize));
    exclusion.is_some_and(|exclusion| exclusion.until <= index.plan.as_of)
}

fn exclude(listed: bool, expired: bool, used: &Use) -> Verdict {
    match (listed, used.finished, used.running) {
        (_, true, _) => (Action::Nothing, Reason::ChainComplete),
        (true, false, _) => (Action::Nothing, Reason::AlreadySo),
        // What has run out isn't opened again: somebody has to extend it first.
        (false, false, _) if expired => (Action::Blocked, Reason::Expired),
        (false, false, true) => (Action::Do, Reason::NotYetSo),
        (false, false, false) => (Action::Wait, Reason::LaterWaves),
    }
}

/// `listed`: the account is excluded now, or will be when the run begins.
fn restore(listed: bool, expired: bool, used: &Use) -> Verdict {
    match listed {
        true if used.finished => (Action::Do, Reason::NotYetSo),
        // Whichever is first: it is closed on its day, whatever becomes of the devices.
        true if expired => (Action::Do, Reason::Expired),
        true if used.ending => (Action::Do, Reason::NotYetSo),
        false if used.finished || expired => (Action::Nothing, Reason::AlreadySo),
        _ => (Action::Wait, Reason::LaterWaves),
    }
}

fn revoke(index: &Index<'_>, subject: &TenantSubject, used: &Use) -> Verdict {
    let Some(tenant) = index.destination() else { return (Action::Blocked, Reason::Unknown) };
    if !used.finished && !used.ending {
        return (Action::Wait, Reason::LaterWaves);
    }
    if tenant.users.gap.is_some() {
        return (Action::Blocked, Reason::Unknown);
    }
    match tenant.users_named(&subject.account.to_lowercase()).next() {
        Some(_) => (Action::Do, Reason::NotYetSo),
        None => (Action::Nothing, Reason::AlreadySo),
    }
}
