//! The device checks before the first change (domain.md B3 step 1, E): all that fail are named at once.

use super::steps::{Context, same_path};
use crate::model::{JoinState, Mode, ProfileHealth, Scenario};

/// Least free space in MiB: the hives are copied, and Windows needs room for the join (domain.md B15).
pub const FREE_MIB_MIN: u64 = 5 * 1024;

/// A profile of at most this size in MiB is taken for empty: Windows' own fresh one is smaller (`[I]`).
pub const EMPTY_PROFILE_MIB: u64 = 200;

/// Editions that can't join Microsoft Entra ID: the Home family.
const HOME: [&str; 4] = ["Core", "CoreN", "CoreSingleLanguage", "CoreCountrySpecific"];

/// Returns every check that fails, each as a sentence without a full stop.
#[must_use]
pub fn failed_checks(context: &Context<'_>) -> Vec<String> {
    let mut failed = Vec::new();
    identity(context, &mut failed);
    // A device that an earlier run left half way isn't joined as at the start any more; that run checked it.
    if !context.is_under_way() {
        join(context, &mut failed);
        if context.facts.pending_reboot {
            failed.push("a restart of Windows is pending".to_owned());
        }
    }
    profile(context, &mut failed);
    machine(context, &mut failed);
    failed
}

fn identity(context: &Context<'_>, failed: &mut Vec<String>) {
    let (facts, task) = (context.facts, context.task);
    let found = &facts.identity;
    if !found.name.eq_ignore_ascii_case(task.device.as_str()) {
        failed.push(format!("the computer's name is {}, not {}", found.name, task.device));
    }
    if let Some(serial) = task.serial.as_ref().filter(|serial| !serial.trim().eq_ignore_ascii_case(found.serial.trim()))
    {
        failed.push(format!("the serial number is {}, not {serial}", found.serial));
    }
    if HOME.contains(&found.edition.as_str()) {
        failed.push(format!("edition {} (Home) can't join Microsoft Entra ID", found.edition));
    }
}

fn join(context: &Context<'_>, failed: &mut Vec<String>) {
    let (facts, task) = (context.facts, context.task);
    let state = facts.join_state();
    let fits = match task.scenario {
        Scenario::AdToEntra => state == JoinState::Ad,
        Scenario::HybridToEntra => state == JoinState::Hybrid,
        Scenario::TenantToTenant => state != JoinState::Workgroup,
    };
    if !fits {
        failed.push(format!("the device is {}, which {} doesn't start from", state.as_str(), task.scenario.as_str()));
    }
    if facts.domain.as_ref().is_some_and(|domain| domain.leaving) {
        failed.push("somebody else already asked for leaving the domain".to_owned());
    }
    if let Some(entra) = &facts.entra {
        if entra.tenant != task.origin_tenant {
            failed.push(format!("the device is joined to tenant {}, not {}", entra.tenant, task.origin_tenant));
        }
        if !entra.healthy {
            failed.push("the device can't authenticate to its tenant: its object is disabled or deleted".to_owned());
        }
        if task.old_device.is_some_and(|old| old != entra.device_id) {
            failed.push(format!("the registration is {}, not the one that was planned for", entra.device_id));
        }
    }
    if let Some(mdm) = facts.mdm.as_ref().filter(|mdm| mdm.provider != INTUNE) {
        failed.push(format!("{} manages the device, not Intune", mdm.provider));
    }
}

/// `ProviderID` of Intune (domain.md B1.1).
pub const INTUNE: &str = "MS DM Server";

fn profile(context: &Context<'_>, failed: &mut Vec<String>) {
    let (facts, task) = (context.facts, context.task);
    let target = facts.profile_of(&task.new_sid);
    if target.is_some_and(|profile| same_path(&profile.path, &task.profile_path)) {
        return;
    }
    if let Some(target) = target.filter(|profile| profile.size_mib > EMPTY_PROFILE_MIB) {
        failed.push(format!("{} already has a profile with data in {}", task.new_sid, target.path));
    }
    match facts.profile_of(&task.old_sid) {
        None => failed.push(format!("{} has no profile", task.old_sid)),
        Some(profile) => {
            if profile.health != ProfileHealth::Healthy {
                failed.push(format!("the profile in {} is {}", profile.path, word(profile.health)));
            }
            if !same_path(&profile.path, &task.profile_path) {
                failed.push(format!("the profile lies in {}, not in {}", profile.path, task.profile_path));
            }
            if profile.acl_owner != profile.sid {
                failed.push(format!("the profile in {} belongs to {} on disk", profile.path, profile.acl_owner));
            }
        }
    }
}

fn word(health: ProfileHealth) -> &'static str {
    match health {
        ProfileHealth::Healthy => "healthy",
        ProfileHealth::Temporary => "a temporary one",
        ProfileHealth::Corrupt => "corrupt",
        ProfileHealth::Roaming => "a roaming one",
        ProfileHealth::Mandatory => "mandatory",
        ProfileHealth::Container => "in a container (FSLogix, Citrix and the like)",
    }
}

fn machine(context: &Context<'_>, failed: &mut Vec<String>) {
    let facts = context.facts;
    // A user who starts it by hand sees the battery; a silent start has nobody to plug it in.
    if !facts.on_ac && context.task.mode != Mode::UserInitiated {
        failed.push("the device runs on battery".to_owned());
    }
    if facts.bitlocker.converting {
        failed.push("the volume is being encrypted or decrypted".to_owned());
    }
    if facts.free_mib < FREE_MIB_MIN {
        failed.push(format!("{} MiB are free, {FREE_MIB_MIN} are needed", facts.free_mib));
    }
}
