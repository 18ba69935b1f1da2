//! The person of a device: exactly one enabled, ordinary, licensed account with a proven SID (domain.md B1.4).

use super::Judged;
use super::device::unlisted;
use crate::dag::{Blocker, Index, Mapping, View, origin_user, person};
use crate::model::{Check, DeviceFacts, Scenario, Sid};
use crate::state::User;

/// Checks that are answered from what kept the person from being found.
const MAPPED: [Check; 4] = [Check::DevUserSynced, Check::ProfLocal, Check::ProfHealthy, Check::ProfTargetAbsent];

/// Returns the check that a finding of the mapping belongs to, by its code.
#[must_use]
pub fn check_of_mapping(code: &str) -> Check {
    match code {
        "profile.temporary" | "profile.corrupt" => Check::ProfHealthy,
        "profile.roaming" | "profile.mandatory" | "profile.container" => Check::ProfLocal,
        "profile.target-exists" => Check::ProfTargetAbsent,
        // Whose profile it is comes before everything else.
        _ => Check::DevUserSynced,
    }
}

/// Judges the person from the mapping that `dag::map` found, or from what kept it from being found.
pub(super) fn checks(
    index: &Index<'_>,
    view: &View<'_>,
    facts: &DeviceFacts,
    mapping: Result<&Mapping<'_>, &[Blocker]>,
    add: &mut dyn FnMut(Check, Judged),
) {
    match mapping {
        Ok(mapping) => {
            // The profile is judged where the device is: its owner and path are known now.
            add(Check::DevUserSynced, Judged::pass(format!("{} ({})", mapping.user.upn, mapping.new_sid)));
            for (check, has, plan) in licences() {
                add(check, licensed(index, &mapping.old_sid, mapping.user, has, plan));
            }
        }
        Err(blockers) => {
            let person = person(index, view, facts);
            for check in MAPPED {
                let own = blockers.iter().filter(|blocker| check_of_mapping(blocker.code) == check);
                let mut parts: Vec<Judged> = own.map(|blocker| judged(view, blocker)).collect();
                if let (Check::DevUserSynced, [], Some((_, user))) = (check, parts.as_slice(), &person) {
                    parts.push(Judged::pass(format!("{}, whose profile isn't fit yet", user.upn)));
                }
                // Said once: what was found keeps the device back, and the rest is judged when that is mended.
                parts.push(Judged::not_applicable("judged once the person and the profile are certain"));
                add(check, Judged::worst(parts));
            }
            // A profile that can't move yet, or a disabled account, hides nothing of the licences.
            for (check, has, plan) in licences() {
                let open = || Judged::not_applicable("judged once the person is certain");
                add(check, person.as_ref().map_or_else(open, |(old, user)| licensed(index, old, user, has, plan)));
            }
        }
    }
}

fn judged(view: &View<'_>, blocker: &Blocker) -> Judged {
    let own = format!("{}: ", view.device);
    let seen = blocker.message.strip_prefix(&own).unwrap_or(&blocker.message).to_owned();
    let judged = if blocker.is_unknown() { Judged::unknown(seen) } else { Judged::fail(seen) };
    judged.code(blocker.code).remedy(blocker.next.clone())
}

type Licence = (Check, fn(&User) -> bool, &'static str);

fn licences() -> [Licence; 2] {
    [
        (Check::LicIntune, |user| user.intune, "an Intune service plan"),
        (Check::LicEntraPremium, |user| user.premium, "an Entra ID P1 or P2 service plan"),
    ]
}

fn licensed(index: &Index<'_>, old: &Sid, user: &User, has: fn(&User) -> bool, plan: &str) -> Judged {
    let lacks = |user: &User, tenant: &str, why: &str| {
        Judged::fail(format!("{} lacks {plan} in `{tenant}`, {why}", user.upn))
            .code("user.unlicensed")
            .remedy(format!("assign {} a licence that holds {plan} in `{tenant}`, and plan again", user.upn))
    };
    let mut parts = Vec::new();
    if !has(user) {
        let tenant = index.destination().map_or("the destination", |tenant| tenant.name);
        parts.push(lacks(user, tenant, "so the device wouldn't enrol"));
    }
    // Both tenants, so that the device stays compliant on the way (prerequisites 1.1).
    if index.plan.scenario == Scenario::TenantToTenant {
        let name = index.origin().map_or("the source", |tenant| tenant.name);
        match (index.origin().and_then(|origin| origin.users.gap), origin_user(index, old)) {
            (Some(why), _) => parts.push(unlisted(&format!("users of `{name}`"), why).code("observation.users")),
            (None, Some(user)) if !has(user) => {
                parts.push(lacks(user, name, "so the device loses compliance on the way"))
            }
            // Somebody whom the source's tenant doesn't know needs no licence there.
            (None, _) => {}
        }
    }
    parts.push(Judged::pass(format!("{} holds {plan}", user.upn)));
    Judged::worst(parts)
}
