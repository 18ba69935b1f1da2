//! What brings an operation's postcondition about, and what puts it back.

use super::Move::{Act, NeedsOrder, Refuse, Wait};
use super::check::{added_members, missing_members};
use super::{Context, Move, same_path};
use crate::agent::preflight;
use crate::dag::{Phase, spec};
use crate::model::{Op, Problem, ProfileHealth, Retry};
use crate::port::DeviceAction;

/// Restarts for which protectors are suspended: after the package, and before the first sign-in (domain.md B2.1).
const RESTARTS: u8 = 2;

/// Returns what comes next towards the postcondition of an operation's agent part.
#[must_use]
pub fn act(op: Op, context: &Context<'_>) -> Move {
    let (task, facts) = (context.task, context.facts);
    match op {
        Op::Preflight => {
            let failed = preflight::failed_checks(context, context.is_under_way());
            let message = format!("{} isn't ready: {}", task.device, failed.join("; "));
            Refuse(Problem::new("preflight.failed", message).next("mend what is named and plan again"))
        }
        Op::EscrowBitlocker | Op::EscrowBitlockerNew => escrow(context),
        Op::Stage => Act(vec![DeviceAction::Stage { run: context.run, profile: task.old_sid.clone() }]),
        Op::Arm => arm(context),
        Op::UnjoinDomain => armed(context, DeviceAction::UnjoinDomain),
        Op::LeaveEntra => armed(context, DeviceAction::LeaveEntra),
        Op::RemoveMdm => armed(context, DeviceAction::RemoveMdm),
        Op::RemoveConfigmgr => armed(context, DeviceAction::RemoveConfigmgr),
        Op::ApplyPackage => apply_package(context),
        Op::VerifyJoin => verify_join(context),
        Op::SwapProfile => swap(context),
        Op::RestoreLocalGroups => match missing_members(context) {
            None => Refuse(not_recorded(context)),
            Some(missing) => Act(vec![DeviceAction::AddLocalMembers(missing)]),
        },
        Op::CleanIdentityCaches => Act(vec![DeviceAction::CleanIdentity(task.old_sid.clone())]),
        Op::RestoreLogonSurface if facts.staging.recorded.is_none() => Refuse(not_recorded(context)),
        Op::RestoreLogonSurface => Act(vec![DeviceAction::RestoreLogonSurface, DeviceAction::Restart]),
        Op::AwaitSignIn => await_sign_in(context),
        Op::VerifyEnrolment if facts.mdm.is_some() && context.is_moved() => Act(vec![DeviceAction::SyncMdm]),
        Op::VerifyEnrolment => Wait("the new enrolment".to_owned()),
        Op::VerifyExit => Wait("join, profile, sign-in and enrolment together".to_owned()),
        Op::CleanUp => Act(vec![DeviceAction::CleanUp { keep_recovery_admin: false }]),
        _ => Refuse(Problem::new("order.no-agent-part", format!("{op} has no part on a device"))),
    }
}

/// Makes the device ready to be left. Without a password nobody could ever sign in as the recovery administrator.
fn arm(context: &Context<'_>) -> Move {
    // It is never on disk: an agent that was ended in between has none until its order comes again.
    if context.recovery.is_none() {
        return NeedsOrder("the recovery administrator's password hasn't been delivered".to_owned());
    }
    Act(vec![DeviceAction::Arm { suspend_reboots: RESTARTS, recovery: context.recovery.cloned() }])
}

/// Returns what puts an operation back.
#[must_use]
pub fn undo(op: Op, context: &Context<'_>) -> Move {
    let task = context.task;
    match op {
        Op::Stage => Act(vec![DeviceAction::Unstage]),
        Op::Arm => Act(vec![DeviceAction::Disarm]),
        Op::SwapProfile => match context.facts.profile_of(&task.new_sid) {
            Some(profile) if profile.loaded => Wait(format!("{} to be unloaded", profile.path)),
            _ => Act(vec![DeviceAction::SwapProfile {
                from: task.new_sid.clone(),
                to: task.old_sid.clone(),
                path: task.profile_path.clone(),
            }]),
        },
        Op::RestoreLocalGroups => Act(vec![DeviceAction::RemoveLocalMembers(added_members(context))]),
        _ if spec(op).phase == Phase::Reversible => Act(Vec::new()),
        _ => Refuse(
            Problem::new("step.no-way-back", format!("nothing puts {op} back on {}", task.device))
                .next("go on forward, or recover the device by hand with the recovery administrator"),
        ),
    }
}

fn not_recorded(context: &Context<'_>) -> Problem {
    Problem::new("device.not-staged", format!("the old facts of {} weren't recorded", context.task.device))
        .next("look at the device: another tool removed the protected folder")
}

/// Passes the point of no return only on a device that can come back: armed, or already on its way.
fn armed(context: &Context<'_>, action: DeviceAction) -> Move {
    let staging = &context.facts.staging;
    if staging.recorded.is_some() && staging.boot_start && staging.recovery_admin_proven {
        return Act(vec![action]);
    }
    Refuse(
        Problem::new("device.not-armed", format!("{} isn't armed, so nothing is taken from it", context.task.device))
            .next("find out what removed the boot start or the recovery administrator, then plan again"),
    )
}

fn escrow(context: &Context<'_>) -> Move {
    let protectors = &context.facts.bitlocker.protectors;
    if protectors.is_empty() {
        return Act(vec![DeviceAction::EnsureRecoveryProtector]);
    }
    // One call for each: several ids at once fail (domain.md B8).
    Act(protectors.iter().map(|protector| DeviceAction::EscrowProtector(protector.id)).collect())
}

/// Returns what puts the agreed package on the device.
fn place(context: &Context<'_>) -> Result<Option<DeviceAction>, Move> {
    let task = context.task;
    let placed = context.facts.staging.package_file.as_ref() == Some(&task.package);
    let Some(delivery) = context.delivery else {
        return if placed {
            Ok(None)
        } else {
            Err(NeedsOrder(format!("package {} hasn't been delivered", task.package)))
        };
    };
    if delivery.name != task.package || task.package_sha256.is_some_and(|agreed| agreed != delivery.sha256) {
        return Err(Refuse(
            Problem::new("package.digest", format!("the delivered package isn't {} as it was agreed", task.package))
                .next("put the package's new digest into the plan, or deliver the agreed one"),
        ));
    }
    Ok(Some(DeviceAction::PlacePackage {
        name: delivery.name.clone(),
        sha256: delivery.sha256,
        content: delivery.content.clone(),
    }))
}

fn install(context: &Context<'_>, restart: bool) -> Move {
    match place(context) {
        Err(other) => other,
        Ok(place) => {
            let install = DeviceAction::InstallPackage(context.task.package.clone());
            let restart = restart.then_some(DeviceAction::Restart);
            Act(place.into_iter().chain([install]).chain(restart).collect())
        }
    }
}

fn apply_package(context: &Context<'_>) -> Move {
    if context.is_moved() {
        return Act(vec![DeviceAction::Restart]);
    }
    match armed(context, DeviceAction::Restart) {
        Act(_) => install(context, true),
        other => other,
    }
}

fn verify_join(context: &Context<'_>) -> Move {
    if context.is_moved() {
        return if context.facts.staging.package_file.is_some() {
            Act(vec![DeviceAction::WipePackage])
        } else {
            Wait("the device to authenticate".to_owned())
        };
    }
    if context.facts.entra.is_some() || context.facts.domain.is_some() {
        return Wait("the old join to be gone".to_owned());
    }
    let asked_again = context.performed.iter().any(|action| matches!(action, DeviceAction::InstallPackage(_)));
    match context.join_error {
        // Windows gave the join up. Going forward again is the only practical way back (domain.md B5).
        Some(error) if asked_again => Refuse(error.clone().retry(Retry::Soon)),
        // Nothing was refused, but the first attempt's whole time brought no join either.
        None if asked_again || context.attempt == 1 => Wait("the join".to_owned()),
        Some(_) | None => match install(context, false) {
            NeedsOrder(why) => Wait(why),
            other => other,
        },
    }
}

fn swap(context: &Context<'_>) -> Move {
    let (task, facts) = (context.task, context.facts);
    if !context.is_moved() {
        let message = format!("{} isn't joined to the target, so its profile stays with its owner", task.device);
        return Refuse(
            Problem::new("device.not-joined", message).next("mend the join first; the profile's data is intact"),
        );
    }
    let loaded = |sid| facts.profile_of(sid).filter(|profile| profile.loaded);
    if let Some(profile) = loaded(&task.old_sid).or_else(|| loaded(&task.new_sid)) {
        let by = if profile.loaders.is_empty() { "somebody".to_owned() } else { profile.loaders.join(", ") };
        return Wait(format!("{} to be unloaded by {by}", profile.path));
    }
    let owned_here = |p: &&crate::model::Profile| p.sid == task.new_sid && !same_path(&p.path, &task.profile_path);
    if let Some(other) = facts.profiles.iter().find(owned_here)
        && other.health != ProfileHealth::Temporary
        && !other.is_empty()
    {
        let message = format!("{} already has a profile with data on {}, in {}", task.new_sid, task.device, other.path);
        return Refuse(
            Problem::new("device.profile-target-exists", message)
                .next("save that profile's files and remove it, then apply again"),
        );
    }
    Act(vec![DeviceAction::SwapProfile {
        from: task.old_sid.clone(),
        to: task.new_sid.clone(),
        path: task.profile_path.clone(),
    }])
}

fn await_sign_in(context: &Context<'_>) -> Move {
    let (task, facts) = (context.task, context.facts);
    let signed_in = facts.sign_in.as_ref().is_some_and(|sign_in| sign_in.sid == task.new_sid);
    match facts.profile_of(&task.new_sid) {
        Some(profile) if signed_in && !same_path(&profile.path, &task.profile_path) => Refuse(
            Problem::new(
                "device.wrong-profile",
                format!("{} signed in with {}, not {}", task.upn, profile.path, task.profile_path),
            )
            .next("sign the user out; the old profile is intact and can be given again"),
        ),
        _ => Wait(format!("{} to sign in", task.upn)),
    }
}
