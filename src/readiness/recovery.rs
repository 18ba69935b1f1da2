//! Ways back in where something goes wrong: BitLocker keys, a local administrator, LAPS (prerequisites 1.9).

use super::Judged;
use super::device::{Expect, unlisted, unread};
use crate::dag::{Index, View};
use crate::model::{Check, DeviceFacts, Feature, KeyId, Known, LapsTarget, Survey, words};

/// Judges what the device alone can tell.
pub(super) fn checks(
    facts: &DeviceFacts,
    survey: Option<&Survey>,
    expect: &Expect<'_>,
    add: &mut dyn FnMut(Check, Judged),
) {
    add(Check::RecBitlocker, bitlocker(facts, expect));
    add(Check::RecLapsGap, laps(facts, survey));
    if let Some(survey) = survey {
        add(Check::RecLocalAdmin, local_admin(facts, survey));
    }
}

fn bitlocker(facts: &DeviceFacts, expect: &Expect<'_>) -> Judged {
    let bitlocker = &facts.bitlocker;
    if bitlocker.converting {
        return Judged::fail("the volume is being encrypted or decrypted")
            .code("device.bitlocker-converting")
            .remedy("wait until that has ended, then let the agent report again");
    }
    if !bitlocker.encrypted {
        return Judged::not_applicable("the system volume isn't encrypted");
    }
    if bitlocker.protectors.is_empty() {
        return Judged::fail("the volume is encrypted and has no recovery password")
            .remedy("add one on the device: `manage-bde -protectors -add C: -RecoveryPassword`, then back it up");
    }
    let armed = facts.staging.boot_start;
    if bitlocker.suspended_reboots > 0 && !armed && !expect.under_way {
        // Protection that somebody suspended may be a firmware update that waits (domain.md C2).
        return Judged::warn(format!("protection is suspended for {} restarts", bitlocker.suspended_reboots))
            .remedy("find out what suspended it; `manage-bde -protectors -enable C:` switches it on again");
    }
    if !expect.features.has(Feature::Bitlocker) {
        return Judged::pass("it has a recovery password; the feature `bitlocker` is off, so nobody looks for its key");
    }
    Judged::pass("encrypted, with a recovery password")
}

/// Judges, for a device whose own half of `rec.bitlocker` holds, whether its keys are in the approved escrow.
pub(super) fn escrow(index: &Index<'_>, view: &View<'_>, facts: &DeviceFacts) -> Option<Judged> {
    if !facts.bitlocker.encrypted || !index.plan.features.on.has(Feature::Bitlocker) {
        return None;
    }
    let keys = || facts.bitlocker.protectors.iter().map(|protector| protector.id);
    let list = |keys: &[KeyId]| keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let Some(device) = view.old.device_id.or_else(|| facts.entra.as_ref().map(|entra| entra.device_id)) else {
        // A device that is joined to Active Directory alone keeps its keys there, beneath its computer object.
        let keys: Vec<KeyId> = keys().collect();
        return Some(
            Judged::warn(format!("its key {} is kept by Active Directory, where this tool doesn't look", list(&keys)))
                .remedy("see in Active Directory that the key is there (`msFVE-RecoveryInformation`)"),
        );
    };
    let Some(origin) = index.origin() else { return Some(Judged::unknown("the plan names no tenant with an escrow")) };
    if let Some(why) = origin.keys.gap {
        let judged = unlisted(&format!("recovery keys of `{}`", origin.name), words::brief(why));
        return Some(judged.code("observation.recovery-keys").remedy("mend what stops the reading and plan again"));
    }
    let missing: Vec<KeyId> = keys().filter(|key| !origin.has_key(*key, device)).collect();
    let Some(first) = missing.first() else { return Some(Judged::pass("every key is in escrow")) };
    let command = format!("BackupToAAD-BitLockerKeyProtector -MountPoint C: -KeyProtectorId '{{{first}}}'");
    Some(
        Judged::fail(format!("key {} isn't in the escrow of `{}`", list(&missing), origin.name))
            .remedy(format!("back it up on the device (`{command}`), one call for each key, and plan again")),
    )
}

fn local_admin(facts: &DeviceFacts, survey: &Survey) -> Judged {
    if facts.staging.recovery_admin_proven {
        return Judged::pass("the recovery administrator's password was proven by a logon");
    }
    match &survey.recovery.local_admin {
        Known::Known(admin) if admin.proven => Judged::pass(format!("`{}` was proven to work", admin.account)),
        // Enabled and a member isn't enough: only a logon shows that somebody knows the password (domain.md B9).
        Known::Known(admin) => Judged::fail(format!("`{}` is enabled, and nothing proves its password", admin.account))
            .remedy("let Windows LAPS manage the account, or prove its password with a logon"),
        Known::Absent => Judged::fail("no local administrator is enabled"),
        Known::Unknown(why) => unread("local administrators", why),
    }
}

fn laps(facts: &DeviceFacts, survey: Option<&Survey>) -> Judged {
    let policy = survey.and_then(|survey| survey.recovery.laps_policy.known()).map(String::as_str);
    match (facts.laps, policy) {
        (LapsTarget::Ad, policy) => {
            let by = policy.map_or_else(String::new, |policy| format!(" by the {policy} policy"));
            Judged::warn(format!(
                "LAPS backs up to Active Directory{by}: after the move nobody manages the password until a policy comes"
            ))
        }
        // Group policies end with the domain, whatever they order.
        (LapsTarget::Entra, Some("gpo")) if facts.domain.is_some() => {
            Judged::warn("LAPS is ordered by group policy, which ends with the domain")
        }
        (LapsTarget::Entra, _) => Judged::pass("LAPS backs up to Microsoft Entra ID"),
        (LapsTarget::None, _) => Judged::not_applicable("LAPS is off"),
    }
}
