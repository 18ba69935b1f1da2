//! Tenant operations: Conditional Access exclusions of package accounts, and the packages' end.

use super::gate::Tally;
use super::live::{self, GapKind};
use super::{Action, Blocker, Change, DeviceChanges, Reason, TenantChange};
use crate::dag::{Index, OpGraph, TenantSubject, spec};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::model::{Check, Op, OwnerRole};
use crate::plan::{CaExclusion, Exclusion};

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
                group: subject.group.clone(),
                until: exclusion(index, subject).map(|exclusion| exclusion.until),
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
            Ok(listed) => {
                let expired = is_expired(index, subject);
                let before = exclude(listed, expired, &used);
                push(Op::ExcludePackageAccount, before);
                push(Op::RestorePackageAccount, restore(listed || before.0 == Action::Do, expired, &used));
            }
            Err(why) => {
                push(Op::ExcludePackageAccount, (Action::Blocked, why));
                push(Op::RestorePackageAccount, (Action::Blocked, why));
            }
        }
    }
    changes
}

/// Says whether the policy excludes the account in the way that the plan asks for. Where that can't be said, or the
/// way can't be gone, it is reported.
fn listed(index: &Index<'_>, subject: &TenantSubject, findings: &mut Diagnostics) -> Result<bool, Reason> {
    let (Some(tenant), Some(name)) = (index.destination(), subject.policy.as_deref()) else {
        return Err(Reason::Unknown);
    };
    let access =
        CaExclusion { policy: name.to_owned(), account: subject.account.clone(), group: subject.group.clone() };
    live::live(tenant, &access).map_err(|gap| {
        let (reason, help) = match gap.kind {
            GapKind::Unread => (Reason::Unknown, "grant what is missing to read it, then plan again"),
            GapKind::Policy => (Reason::NothingThere, "write the policy's display name as the portal shows it"),
            GapKind::Group => (
                Reason::Blocked,
                "name a static group of the tenant that the policy excludes, or leave `group` out so that the policy \
                 lists the account",
            ),
        };
        let finding = Diagnostic::error(Code::OBSERVATION_FAILED, gap.message).help(help);
        findings.push(match exclusion(index, subject) {
            Some(exclusion) => finding.at(exclusion.id.span, ""),
            None => finding,
        });
        reason
    })
}

/// Returns the exclusion that asks for a tenant's operation.
fn exclusion<'a>(index: &Index<'a>, subject: &TenantSubject) -> Option<&'a Exclusion> {
    subject.exclusion.and_then(|at| index.plan.exclusions.get(at as usize))
}

/// Says whether the exclusion that asks for it has run out.
fn is_expired(index: &Index<'_>, subject: &TenantSubject) -> bool {
    exclusion(index, subject).is_some_and(|exclusion| !exclusion.is_live(index.plan.as_of))
}

fn exclude(listed: bool, expired: bool, used: &Use) -> Verdict {
    match (listed, used.finished, used.running) {
        (_, true, _) => (Action::Nothing, Reason::ChainComplete),
        // What has run out isn't opened again, and nobody begins on it: somebody has to extend it first.
        (_, false, _) if expired => (Action::Blocked, Reason::Expired),
        (true, false, _) => (Action::Nothing, Reason::AlreadySo),
        (false, false, true) => (Action::Do, Reason::NotYetSo),
        (false, false, false) => (Action::Wait, Reason::FirstDevice),
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

/// Blocks a device that would join with a package whose exclusion can't be opened: Conditional Access would
/// refuse the join after the device has left its old identity.
pub(super) fn block(tenant: &[TenantChange], device: &mut DeviceChanges) {
    if !device.changes.iter().any(|change| change.op == Op::ApplyPackage && change.action == Action::Do) {
        return;
    }
    let Some(task) = &device.task else { return };
    let closed = |one: &&TenantChange| {
        one.change.op == Op::ExcludePackageAccount
            && one.change.action == Action::Blocked
            && one.package == task.package
    };
    let Some(found) = tenant.iter().find(closed) else { return };
    let policy = found.policy.as_deref().unwrap_or("Conditional Access");
    if found.change.reason == Reason::NothingThere {
        let message = format!(
            "the plan excludes {} from policy `{policy}`, and the tenant doesn't have exactly one of that name: which policy \
             would refuse the join of package {} isn't known",
            found.account, found.package
        );
        closed_by(device, message, "correct the policy's name under `exclusions`, and plan again");
        return;
    }
    let (why, next) = match found.change.reason {
        Reason::Expired => {
            ("its exclusion has run out", "give the exclusion a new end, or take the device out of the wave")
        }
        Reason::Blocked => {
            ("its exclusion group can't be used", "mend the exclusion as the findings say, and plan again")
        }
        _ => ("its exclusions couldn't be read", "mend what keeps the policy from being read, and plan again"),
    };
    let message = format!("`{policy}` would refuse the join of package {}: {why}", found.package);
    closed_by(device, message, next);
}

fn closed_by(device: &mut DeviceChanges, message: String, next: &str) {
    let blocker = Blocker::new("tenant.exclusion-closed", OwnerRole::Security, message, next);
    device.block(vec![blocker.of(Check::EntConditionalAccess)]);
}
