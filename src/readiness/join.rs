//! What a device is joined to and who manages it (prerequisites 1.2; domain.md B1.1).

use super::Judged;
use super::device::{Expect, unread};
use crate::model::{Check, DeviceFacts, Feature, JoinState, Known, Scenario, Survey};

/// Judges join and management.
pub(super) fn checks(
    facts: &DeviceFacts,
    survey: Option<&Survey>,
    expect: &Expect<'_>,
    add: &mut dyn FnMut(Check, Judged),
) {
    if expect.under_way {
        for check in [Check::DevJoinState, Check::DevJoinTenant, Check::DevMdm] {
            add(check, Judged::not_applicable("an earlier run began it, and checked how it was joined"));
        }
        return;
    }
    add(Check::DevJoinState, state(facts, expect.scenario));
    add(Check::DevJoinTenant, tenant(facts, expect));
    add(Check::DevMdm, mdm(facts, survey, expect));
}

fn state(facts: &DeviceFacts, scenario: Scenario) -> Judged {
    let state = facts.join_state();
    let fits = match scenario {
        Scenario::AdToEntra => state == JoinState::Ad,
        Scenario::HybridToEntra => state == JoinState::Hybrid,
        Scenario::TenantToTenant => state != JoinState::Workgroup,
    };
    let mut parts = Vec::new();
    if !fits {
        let next = match state {
            JoinState::Workgroup => "join it to the domain again, or set it up afresh",
            JoinState::Ad => "complete its hybrid registration, or put it into an `ad-to-entra` plan",
            JoinState::Hybrid => "put it into a `hybrid-to-entra` plan",
            JoinState::Entra => "exclude it, or put it into a `tenant-to-tenant` plan",
        };
        let seen = format!("it is {}, which {} doesn't move", state.as_str(), scenario.as_str());
        parts.push(Judged::fail(seen).code("device.join-unsupported").remedy(next));
    }
    if let Some(domain) = facts.domain.as_ref().filter(|domain| domain.leaving) {
        let seen =
            format!("somebody else asked for leaving {}, and it takes effect at the next restart", domain.domain);
        parts.push(Judged::fail(seen).remedy("find out who moves it; join it to the domain again, or exclude it"));
    }
    if facts.entra.as_ref().is_some_and(|entra| !entra.healthy) {
        let seen = "it can't authenticate to its tenant: its object is disabled or deleted";
        let next =
            "enable its object in the tenant, or register the device again (`dsregcmd /leave`, then the join task)";
        parts.push(Judged::fail(seen).remedy(next));
    }
    parts.push(Judged::pass(state.as_str()));
    Judged::worst(parts)
}

fn tenant(facts: &DeviceFacts, expect: &Expect<'_>) -> Judged {
    let mut parts = Vec::new();
    if let Some(entra) = &facts.entra {
        parts.push(match &expect.origin {
            Some((id, _)) if *id == entra.tenant => Judged::pass(format!("joined to tenant {id}")),
            Some((_, name)) => Judged::fail(format!("it is registered in tenant {}, not in {name}", entra.tenant))
                .code("device.wrong-tenant")
                .remedy("take it out of this plan, or mend the tenant's id"),
            None => Judged::unknown("the plan names no tenant that it could come from"),
        });
    }
    if let (Some(domain), Some(wanted)) = (&facts.domain, expect.domain) {
        parts.push(if domain.domain.eq_ignore_ascii_case(wanted) {
            Judged::pass(format!("joined to {wanted}"))
        } else {
            Judged::fail(format!("it is joined to {}, not to {wanted}", domain.domain))
                .code("device.wrong-domain")
                .remedy("take it out of this plan, or mend the directory section")
        });
    }
    let mdm = facts.mdm.as_ref().and_then(|mdm| mdm.tenant);
    if let (Some(tenant), Some((id, name))) = (mdm, &expect.origin)
        && tenant != *id
    {
        parts.push(
            Judged::fail(format!("it is enrolled with tenant {tenant}, not with {name}"))
                .code("device.wrong-tenant")
                .remedy("end that enrolment, or take the device out of this plan"),
        );
    }
    if parts.is_empty() {
        return Judged::not_applicable("it is joined to nothing that the plan names");
    }
    Judged::worst(parts)
}

fn mdm(facts: &DeviceFacts, survey: Option<&Survey>, expect: &Expect<'_>) -> Judged {
    let mut parts = Vec::new();
    match &facts.mdm {
        Some(mdm) if !mdm.is_intune() => parts.push(
            Judged::fail(format!("it is managed by `{}`", mdm.provider))
                .code("device.third-party-mdm")
                .remedy("remove that management, or add an exclusion for check `dev.mdm` with an owner and an end"),
        ),
        Some(_) => parts.push(Judged::pass("managed by Intune")),
        None => parts.push(Judged::pass("no MDM manages it")),
    }
    if facts.configmgr {
        parts.push(if expect.features.has(Feature::ConfigmgrRemoval) {
            Judged::pass("the ConfigMgr client is removed on the way")
        } else {
            // It goes on managing what it was told before the move (domain.md E 24).
            Judged::warn("a ConfigMgr client is on it, and stays").remedy("switch the feature `configmgr-removal` on")
        });
    }
    // What a management left behind decides who may sign in afterwards (domain.md E 13).
    match survey.map(|survey| &survey.tattooed_rights) {
        Some(Known::Known(rights)) if !rights.is_empty() => parts.push(
            Judged::fail(format!("a management left user rights behind that keep people out: {}", rights.join(", ")))
                .remedy("set `Allow log on locally` and `Deny log on locally` back to Windows' own lists"),
        ),
        Some(Known::Unknown(why)) => parts.push(unread("the user rights", why)),
        Some(Known::Known(_) | Known::Absent) | None => {}
    }
    Judged::worst(parts)
}
