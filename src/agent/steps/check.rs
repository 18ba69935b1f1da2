//! The postconditions of the catalogue, on facts.

use super::Verdict::{Holds, No, Unknown};
use super::{Context, Verdict, same_path};
use crate::agent::preflight;
use crate::dag::{Phase, spec};
use crate::model::{LocalMembership, Op, ProfileHealth, Staging};
use crate::port::DeviceAction;

fn so(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Holds } else { No(otherwise()) }
}

/// Says whether the postcondition of an operation's agent part holds.
#[must_use]
pub fn check(op: Op, context: &Context<'_>) -> Verdict {
    let facts = context.facts;
    match op {
        Op::Preflight => {
            let failed = preflight::failed_checks(context, context.is_under_way());
            so(failed.is_empty(), || failed.join("; "))
        }
        Op::EscrowBitlocker | Op::EscrowBitlockerNew => escrow(context),
        Op::Stage => stage(context),
        Op::Arm => {
            let staging = &facts.staging;
            so(staging.boot_start && staging.recovery_admin_proven && staging.banner, || {
                let missing = [
                    (staging.boot_start, "boot start"),
                    (staging.recovery_admin_proven, "a proven recovery administrator"),
                    (staging.banner, "the banner"),
                ];
                let names: Vec<_> = missing.iter().filter(|(there, _)| !there).map(|(_, name)| *name).collect();
                format!("it lacks {}", names.join(", "))
            })
        }
        Op::UnjoinDomain => so(facts.domain.as_ref().is_none_or(|domain| domain.leaving), || {
            "the device is still a member of the domain".to_owned()
        }),
        Op::LeaveEntra => match &facts.entra {
            _ if context.is_moved() => Holds,
            Some(join) => No(format!("the device is still registered in tenant {}", join.tenant)),
            None => so(facts.staging.auto_rejoin_off, || "automatic re-join is still on".to_owned()),
        },
        Op::RemoveMdm => match &facts.mdm {
            None => Holds,
            Some(_) if context.is_moved() && enrolment(context) == Holds => Holds,
            Some(mdm) => No(format!("an enrolment with {} is still there", mdm.provider)),
        },
        Op::RemoveConfigmgr => so(!facts.configmgr, || "the ConfigMgr client is still there".to_owned()),
        Op::ApplyPackage => apply_package(context),
        Op::VerifyJoin => match join(context) {
            Holds => so(facts.staging.package_file.is_none(), || "the package still lies on the device".to_owned()),
            other => other,
        },
        Op::SwapProfile => profile(context),
        Op::RestoreLocalGroups => match missing_members(context) {
            None => Unknown("the old local groups weren't recorded".to_owned()),
            Some(missing) => so(missing.is_empty(), || {
                let groups: Vec<_> = missing.iter().map(|member| member.group.as_str()).collect();
                format!("{} isn't in {}", context.task.new_sid, groups.join(", "))
            }),
        },
        Op::CleanIdentityCaches => so(!facts.cached_identities.contains(&context.task.old_sid), || {
            format!("entries of {} are left", context.task.old_sid)
        }),
        Op::RestoreLogonSurface => surface(context),
        Op::AwaitSignIn => sign_in(context),
        Op::VerifyEnrolment => enrolment(context),
        Op::VerifyExit => [join(context), profile(context), sign_in(context), enrolment(context)]
            .into_iter()
            .find(|verdict| *verdict != Holds)
            .unwrap_or(Holds),
        Op::CleanUp => so(facts.staging == Staging::default() && facts.bitlocker.suspended_reboots == 0, || {
            "something of the migration is left on the device".to_owned()
        }),
        _ => Unknown(format!("{op} has no part on the device")),
    }
}

/// Says whether nothing of an operation is left on the device.
#[must_use]
pub fn undone(op: Op, context: &Context<'_>) -> Verdict {
    let facts = context.facts;
    match op {
        Op::Stage => so(facts.staging.recorded.is_none() && facts.staging.package_file.is_none(), || {
            "the protected folder is still there".to_owned()
        }),
        Op::Arm => {
            let staging = &facts.staging;
            let there = staging.boot_start || staging.recovery_admin_proven || staging.banner;
            so(!there && facts.bitlocker.suspended_reboots == 0, || "the device is still armed".to_owned())
        }
        Op::SwapProfile => {
            let back = facts.profile_of(&context.task.old_sid);
            so(back.is_some_and(|found| same_path(&found.path, &context.task.profile_path)), || {
                format!("{} doesn't own {}", context.task.old_sid, context.task.profile_path)
            })
        }
        Op::RestoreLocalGroups => so(added_members(context).is_empty(), || {
            format!("{} is still in groups it wasn't in", context.task.new_sid)
        }),
        // Nothing was changed, so nothing is to be put back.
        _ if spec(op).phase == Phase::Reversible => Holds,
        _ => No("nothing puts it back".to_owned()),
    }
}

fn escrow(context: &Context<'_>) -> Verdict {
    let bitlocker = &context.facts.bitlocker;
    if !bitlocker.encrypted {
        return Holds;
    }
    if bitlocker.protectors.is_empty() {
        return No("the volume has no recovery protector".to_owned());
    }
    // Only the tenant can tell whether the key is in escrow; the controller looks there.
    let asked = |id| context.performed.contains(&DeviceAction::EscrowProtector(id));
    if bitlocker.protectors.iter().all(|protector| asked(protector.id)) {
        Holds
    } else {
        Unknown("whether the key is in escrow can't be seen on the device".to_owned())
    }
}

fn stage(context: &Context<'_>) -> Verdict {
    match &context.facts.staging.recorded {
        None => No("the old facts aren't recorded".to_owned()),
        // Facts that an earlier run recorded before its first change are the old ones; later ones aren't.
        Some(recorded) if recorded.run == context.run || context.is_under_way() => Holds,
        Some(_) => No("the recorded facts are those of an earlier run".to_owned()),
    }
}

fn apply_package(context: &Context<'_>) -> Verdict {
    if context.is_moved() {
        return Holds;
    }
    if context.facts.domain.is_some() {
        return No("the device hasn't left the domain".to_owned());
    }
    let accepted = context.facts.staging.installed_package.as_ref().is_some_and(|package| {
        package.name == context.task.package && context.recorded_at().is_none_or(|at| package.at >= at)
    });
    so(accepted, || format!("Windows hasn't accepted package {}", context.task.package))
}

fn join(context: &Context<'_>) -> Verdict {
    let task = context.task;
    if let Some(domain) = &context.facts.domain {
        return No(format!("the device is still joined to {}", domain.domain));
    }
    match &context.facts.entra {
        None => No(match context.join_error {
            Some(error) => error.to_string(),
            None => "the device isn't joined yet".to_owned(),
        }),
        Some(join) if join.tenant != task.target_tenant => {
            No(format!("the device is joined to tenant {}", join.tenant))
        }
        Some(join) if Some(join.device_id) == task.old_device => No("the registration is still the old one".to_owned()),
        Some(join) if !join.healthy => No("the device can't authenticate with its new registration".to_owned()),
        Some(_) => Holds,
    }
}

fn profile(context: &Context<'_>) -> Verdict {
    let (task, facts) = (context.task, context.facts);
    let left = facts.profiles.iter().any(|p| p.sid == task.old_sid && same_path(&p.path, &task.profile_path));
    match facts.profile_of(&task.new_sid) {
        None => No(format!("{} has no profile", task.new_sid)),
        Some(found) if found.health == ProfileHealth::Temporary => {
            No(format!("{} got a temporary profile", task.new_sid))
        }
        Some(found) if !same_path(&found.path, &task.profile_path) => {
            No(format!("the profile of {} lies in {}, not in {}", task.new_sid, found.path, task.profile_path))
        }
        Some(found) if found.acl_owner != task.new_sid => {
            No(format!("the access lists of {} name {}", found.path, found.acl_owner))
        }
        Some(_) if left => No(format!("{} is still listed for {}", task.old_sid, task.profile_path)),
        Some(_) => Holds,
    }
}

/// Returns the recorded memberships of the old identity that the new one lacks.
pub(super) fn missing_members(context: &Context<'_>) -> Option<Vec<LocalMembership>> {
    let recorded = context.facts.staging.recorded.as_ref()?;
    let wanted = recorded.local_members.iter().filter(|member| member.member == context.task.old_sid);
    let wanted = wanted.map(|old| LocalMembership { group: old.group.clone(), member: context.task.new_sid.clone() });
    Some(wanted.filter(|member| !context.facts.local_members.contains(member)).collect())
}

/// Returns memberships of the new identity that weren't there before.
pub(super) fn added_members(context: &Context<'_>) -> Vec<LocalMembership> {
    let before = context.facts.staging.recorded.as_ref().map(|recorded| &recorded.local_members);
    let now = context.facts.local_members.iter().filter(|member| member.member == context.task.new_sid);
    now.filter(|member| !before.is_some_and(|before| before.contains(member))).cloned().collect()
}

/// DNS isn't part of it: this tool never writes it, and a laptop that moved to another network has other servers.
fn surface(context: &Context<'_>) -> Verdict {
    let facts = context.facts;
    if facts.staging.banner {
        return No("the banner is still shown".to_owned());
    }
    let Some(recorded) = &facts.staging.recorded else {
        return Unknown("the old sign-in screen wasn't recorded".to_owned());
    };
    let (was, is) = (&recorded.logon, &facts.logon);
    let parts = [
        (was.legal_notice == is.legal_notice, "the legal notice"),
        (was.auto_logon == is.auto_logon, "automatic sign-in"),
        (was.disabled_providers == is.disabled_providers, "the credential providers"),
    ];
    let differing: Vec<_> = parts.iter().filter(|(same, _)| !same).map(|(_, name)| *name).collect();
    so(differing.is_empty(), || format!("{} differ from what was recorded", differing.join(", ")))
}

fn sign_in(context: &Context<'_>) -> Verdict {
    let task = context.task;
    match &context.facts.sign_in {
        Some(sign_in) if sign_in.sid == task.new_sid && sign_in.prt => profile(context),
        Some(sign_in) if sign_in.sid == task.new_sid => No(format!("{} signed in without a token", task.upn)),
        _ => No(format!("{} hasn't signed in yet", task.upn)),
    }
}

fn enrolment(context: &Context<'_>) -> Verdict {
    match &context.facts.mdm {
        None => No("the device isn't enrolled yet".to_owned()),
        Some(mdm) if !mdm.is_intune() => No(format!("{} manages the device, not Intune", mdm.provider)),
        Some(mdm) if mdm.tenant != Some(context.task.target_tenant) => {
            No("the enrolment belongs to another tenant".to_owned())
        }
        Some(mdm) if context.recorded_at().is_some_and(|at| mdm.since < at) => {
            No("the enrolment is the old one".to_owned())
        }
        Some(mdm) if mdm.device.is_none() => Unknown("the enrolment's certificate names no managed device".to_owned()),
        Some(_) => Holds,
    }
}
