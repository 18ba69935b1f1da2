//! What has to hold on the device before its first change, and again right before the point of no return: the device
//! checks of `readiness` against the order, and what only the order and the disk can tell. All that fail are named
//! at once.

use super::steps::{Context, same_path};
use crate::model::Check;
use crate::readiness::{CheckSeverity, Expect, ExpectedProfile, Judged, Measured, device_checks, spec};
use crate::wire::Task;

/// Returns every check that fails, each as a sentence without a full stop.
///
/// `under_way` says that an earlier run left the device half way: it isn't joined as at the start any more, and that
/// run checked the start. Right before the point of no return an armed device still is.
#[must_use]
pub fn failed_checks(context: &Context<'_>, under_way: bool) -> Vec<String> {
    let mut failed = Vec::new();
    identity(context, under_way, &mut failed);
    profile(context, &mut failed);
    let task = context.task;
    if context.survey.is_none() {
        failed.push("the device wasn't surveyed".to_owned());
    }
    let expect = Expect {
        scenario: task.scenario,
        features: task.features,
        mode: task.mode,
        origin: Some((task.origin_tenant, format!("the plan's ({})", task.origin_tenant))),
        // The order doesn't name it; the plan has compared it.
        domain: None,
        profile: Some(ExpectedProfile { old_sid: &task.old_sid, new_sid: &task.new_sid, path: &task.profile_path }),
        under_way,
    };
    device_checks(context.facts, context.survey, &expect, &mut |check, judged| {
        if stops(check, &judged, task) {
            failed.push(format!("{} ({check})", judged.seen));
        }
    });
    failed
}

/// Says whether a judgement keeps the device from going on, with the plan's word laid over it as `readiness` does.
fn stops(check: Check, judged: &Judged, task: &Task) -> bool {
    let excepted = task.excepted.contains(&check);
    let open = match judged.measured {
        Measured::Fail => !excepted,
        Measured::Unknown => !excepted && !task.attested.contains(&check),
        Measured::Pass | Measured::Warn | Measured::NotApplicable => false,
    };
    open && spec(check).severity == CheckSeverity::Block
}

fn identity(context: &Context<'_>, under_way: bool, failed: &mut Vec<String>) {
    let (facts, task) = (context.facts, context.task);
    let found = &facts.identity;
    if !found.name.eq_ignore_ascii_case(task.device.as_str()) {
        failed.push(format!("the computer's name is {}, not {}", found.name, task.device));
    }
    if let Some(serial) = task.serial.as_ref().filter(|serial| !serial.trim().eq_ignore_ascii_case(found.serial.trim()))
    {
        failed.push(format!("the serial number is {}, not {serial}", found.serial));
    }
    if let Some(entra) = facts.entra.as_ref().filter(|_| !under_way)
        && task.old_device.is_some_and(|old| old != entra.device_id)
    {
        failed.push(format!("the registration is {}, not the one that was planned for", entra.device_id));
    }
}

/// The plan knows an owner and a path; only the device knows whether they still belong together on its disk.
fn profile(context: &Context<'_>, failed: &mut Vec<String>) {
    let (facts, task) = (context.facts, context.task);
    if facts.profile_of(&task.new_sid).is_some_and(|profile| same_path(&profile.path, &task.profile_path)) {
        return;
    }
    let Some(profile) = facts.profile_of(&task.old_sid) else { return };
    if !same_path(&profile.path, &task.profile_path) {
        failed.push(format!("the profile lies in {}, not in {}", profile.path, task.profile_path));
    }
    if profile.acl_owner != profile.sid {
        failed.push(format!("the profile in {} belongs to {} on disk", profile.path, profile.acl_owner));
    }
}
