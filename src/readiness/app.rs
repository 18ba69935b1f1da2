//! The application registration: credential, tenant, permissions in both directions.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::permissions::{Comparison, GrantState, NeededPermission, Surplus, compare, needed, ops_of};
use super::unread::NO_TOKEN;
use super::{Judged, Measured};
use crate::dag::{Index, Maker, OpGraph, possible_ops};
use crate::model::{Check, Permission, Side, words};
use crate::plan::{Credential, MigrationPlan, TenantSpec};
use crate::state::TenantState;

/// Judges the application in one side's tenant.
pub(super) fn checks(index: &Index<'_>, side: Side, graph: &OpGraph, add: &mut dyn FnMut(Check, Judged)) {
    let plan = index.plan;
    let Some(spec) = plan.tenant(side) else { return };
    let state = index.snapshot.tenants.get(&spec.name);
    add(Check::AppCredential, credential(plan, spec, state));
    let refused = state.is_some_and(|state| state.refused.is_some());
    // Their own remedies are about what a token shows.
    let mut add = |check, judged: Judged| match judged.measured {
        Measured::Unknown if refused => add(check, judged.remedy(NO_TOKEN)),
        _ => add(check, judged),
    };
    add(Check::AppTenant, tenant(spec, state));
    let of = |all: Vec<super::permissions::TenantNeeds>| all.into_iter().find(|needs| needs.tenant == spec.name);
    let now = of(needed(plan, ops_of(plan, graph, index.snapshot, None)));
    let possible = of(needed(plan, possible_ops(plan)));
    let (Some(now), Some(possible)) = (now, possible) else { return };
    let compared = compare(&now, &possible, state);
    add(Check::AppPermissions, permissions(&compared));
    add(Check::AppExcess, excess(&compared));
}

/// Says why no token was got, where that is so.
fn no_token(state: Option<&TenantState>) -> Option<String> {
    let Some(state) = state else { return Some("nothing was read of this tenant".to_owned()) };
    let got = state.granted.known().is_some()
        || state.token_tenant.known().is_some()
        || state.organization.known().is_some()
        || state.devices.known().is_some();
    let why = state.granted.unknown().unwrap_or("the token wasn't looked at");
    (!got).then(|| format!("no token was seen to be given: {why}"))
}

/// A day, and what it is the last day of.
struct End {
    at: Timestamp,
    day: Date,
    of: &'static str,
}

/// Returns the ends that are known: the plan's word, and the last one among the registration's credentials of the
/// plan's kind. Which of these is in use nobody says, so a later one may be meant.
fn ends(plan: &MigrationPlan, spec: &TenantSpec, state: Option<&TenantState>) -> Vec<End> {
    let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
    let mut ends = Vec::new();
    if let Some(day) = spec.app.expires {
        let after = day.tomorrow().ok().and_then(|next| next.to_zoned(zone.clone()).ok());
        ends.extend(after.map(|after| End { at: after.timestamp(), day, of: "`app.expires` in the plan" }));
    }
    let kind = match spec.app.credential {
        Credential::ClientSecret(_) => "secret",
        Credential::Certificate(_) => "certificate",
        Credential::Federated(_) | Credential::ManagedIdentity => return ends,
    };
    let app = state.and_then(|state| state.app.known());
    let credentials = app.and_then(|app| app.credentials.known()).map(Vec::as_slice).unwrap_or_default();
    let last = credentials.iter().filter(|one| one.kind == kind).filter_map(|one| one.ends).max();
    ends.extend(last.map(|at| End { at, day: at.to_zoned(zone).date(), of: "the app registration" }));
    ends
}

fn credential(plan: &MigrationPlan, spec: &TenantSpec, state: Option<&TenantState>) -> Judged {
    if let Some(refused) = state.and_then(|state| state.refused.as_ref()) {
        let judged = Judged::fail(refused.why.clone());
        return match &refused.next {
            Some(next) => judged.remedy(next.clone()),
            None => judged,
        };
    }
    if let Some(why) = no_token(state) {
        return Judged::unknown(why);
    }
    if let Some(app) = state.and_then(|state| state.app.known())
        && !app.enabled
    {
        return Judged::fail(format!("the service principal {} is disabled", app.name))
            .remedy("enable it under Enterprise applications");
    }
    let first = ends(plan, spec, state).into_iter().min_by_key(|end| end.at);
    let last_wave = plan.waves.iter().filter_map(|wave| Some((wave.window.as_ref()?.to, &wave.name.value))).max();
    let Some(end) = first else {
        return match spec.app.credential {
            Credential::Federated(_) | Credential::ManagedIdentity => {
                Judged::pass("a token was given, and this kind of credential has no end of its own")
            }
            Credential::ClientSecret(_) | Credential::Certificate(_) => {
                Judged::warn("a token was given; when the credential ends isn't known")
                    .remedy("write its last day under `app.expires`")
            }
        };
    };
    if end.at <= plan.as_of {
        return Judged::fail(format!("the credential ended on {} ({})", end.day, end.of));
    }
    match last_wave {
        Some((to, wave)) if end.at < to => {
            let zone = TimeZone::get(&plan.zone).unwrap_or(TimeZone::UTC);
            let until = to.to_zoned(zone).date();
            Judged::fail(format!(
                "the credential ends on {} ({}), and the wave `{wave}` runs until {until}",
                end.day, end.of
            ))
        }
        _ => Judged::pass(format!("a token was given, and the credential lasts until {} ({})", end.day, end.of)),
    }
}

fn tenant(spec: &TenantSpec, state: Option<&TenantState>) -> Judged {
    let token = state.and_then(|state| state.token_tenant.known()).map(|id| (*id, "the token"));
    // What a token opened says the same: it opens one tenant alone.
    let read = state.and_then(|state| state.organization.known()).map(|of| (of.id, "the organization"));
    let found: Vec<_> = token.into_iter().chain(read).collect();
    if let Some((id, of)) = found.iter().find(|(id, _)| *id != spec.id) {
        return Judged::fail(format!("{of} is of tenant {id}, and the plan names {}", spec.id));
    }
    match found.first() {
        Some((id, of)) => Judged::pass(format!("{of} is of tenant {id}")),
        None => {
            let why = state.and_then(|state| state.token_tenant.unknown().or(state.organization.unknown()));
            Judged::unknown(format!("the token's tenant isn't known: {}", why.unwrap_or("nothing was read")))
        }
    }
}

/// Says what doesn't work without a permission, in a few names.
fn blocks(need: &NeededPermission) -> String {
    let makers = need.makers();
    let names = makers.iter().map(|maker| match maker {
        Maker::Part(part) => format!("reading {}", part.as_str()),
        Maker::Op(op) => op.to_string(),
    });
    words::some(names, 3)
}

fn names(permissions: &[Permission]) -> String {
    permissions.iter().map(|permission| permission.as_str()).collect::<Vec<_>>().join(", ")
}

fn permissions(compared: &Comparison) -> Judged {
    let missing: Vec<String> = compared
        .missing()
        .map(|(need, state)| {
            let how = if state == GrantState::NotConsented { "asked for and not consented to; " } else { "" };
            format!("{} ({how}without it: {})", need.permission.as_str(), blocks(need))
        })
        .collect();
    if !missing.is_empty() {
        let count = missing.len();
        let verb = if count == 1 { "isn't" } else { "aren't" };
        return Judged::fail(format!(
            "{count} of the permissions that are needed {verb} granted: {}",
            missing.join("; ")
        ));
    }
    if compared.is_unknown() {
        let why = if compared.gaps.is_empty() { "it wasn't read".to_owned() } else { compared.gaps.join("; ") };
        return Judged::unknown(format!("what the application is granted isn't known: {why}"));
    }
    let waiting: Vec<Permission> = compared.not_in_token().map(|need| need.permission).collect();
    if !waiting.is_empty() {
        return Judged::warn(format!("granted since the token was given: {}", names(&waiting)))
            .remedy("wait some minutes and run it again: a new token has them");
    }
    let asked = compared.needed.iter().filter(|(need, _)| need.covered_by.is_none()).count();
    Judged::pass(format!("all {asked} permissions that are needed are granted"))
}

fn excess(compared: &Comparison) -> Judged {
    let said: Vec<String> = compared
        .excess()
        .map(|(name, surplus)| match surplus {
            Surplus::Redundant(by) => format!("{name} (redundant beside {})", by.as_str()),
            Surplus::Beyond(by) => format!("{name} (nothing needs more of it than {} gives)", names(by)),
            Surplus::Wide(instead) => format!("{name} (wider than needed: grant {} in its place)", names(instead)),
            Surplus::Excess | Surplus::Idle => format!("{name} (nothing needs it)"),
        })
        .collect();
    if said.is_empty() {
        return if compared.is_unknown() {
            Judged::unknown(format!("what the application is granted isn't known: {}", compared.gaps.join("; ")))
        } else {
            Judged::pass("nothing beyond need is granted")
        };
    }
    let judged = Judged::warn(format!("granted beyond need: {}", said.join("; ")));
    let first: Vec<Permission> = compared.first().into_iter().collect();
    if first.is_empty() {
        return judged;
    }
    let away: Vec<&str> = compared.excess().map(|(name, _)| name).collect();
    judged.remedy(format!(
        "grant {} first (`opsole permissions --grant-script az` writes the commands), then take away {}",
        names(&first),
        away.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dag::fixture::{Fleet, Join, at};
    use crate::dag::{assign, compile, views};
    use crate::model::{Known, Scenario, TenantId};
    use crate::plan::Window;
    use crate::state::{AppCredential, AppRegistration, TokenRefusal};
    use jiff::civil::date;

    fn judged(fleet: &Fleet, check: Check) -> Judged {
        let index = Index::new(&fleet.plan, &fleet.snapshot);
        let assignment = assign(&index);
        let views = views(&index, &assignment);
        let graph = compile(&index, &assignment, &views).expect("no cycle");
        let mut found = None;
        checks(&index, Side::Destination, &graph, &mut |own, judged| {
            if own == check {
                found = Some(judged);
            }
        });
        found.expect("judged")
    }

    fn fleet() -> Fleet {
        Fleet::new(Scenario::HybridToEntra, Join::Hybrid, 1)
    }

    fn exact(fleet: &Fleet) -> Vec<Permission> {
        needed(&fleet.plan, possible_ops(&fleet.plan))[0].asked().map(|need| need.permission).collect()
    }

    fn registration(ends: &str) -> AppRegistration {
        AppRegistration {
            app_id: "app".to_owned(),
            name: "Migration".to_owned(),
            enabled: true,
            principal: uuid::Uuid::nil(),
            requested: Known::Known(Vec::new()),
            assigned: Vec::new(),
            credentials: Known::Known(vec![AppCredential {
                kind: "secret".to_owned(),
                id: "1".to_owned(),
                ends: Some(at(ends)),
            }]),
        }
    }

    /// Catches a credential that ends in the middle of a wave and is called good, by the plan's word or by the
    /// registration's; an end that nobody knows; and a tenant that gave no token.
    #[test]
    fn credentials_outlive_the_last_wave() {
        let mut fleet = fleet();
        fleet.plan.tenants[0].app.expires = None;
        let of = |fleet: &Fleet| judged(fleet, Check::AppCredential);
        assert_eq!(of(&fleet).measured, Measured::Warn, "no end is known");
        fleet.plan.waves[1].window = Some(Window {
            from: at("2026-12-01T00:00:00Z"),
            to: at("2027-02-01T00:00:00Z"),
            zone: "UTC".to_owned(),
            hours: None,
            days: Vec::new(),
        });
        for (day, wanted) in [
            (date(2027, 3, 1), Measured::Pass),
            (date(2027, 1, 31), Measured::Pass),
            (date(2027, 1, 30), Measured::Fail),
            (date(2026, 12, 1), Measured::Fail),
        ] {
            fleet.plan.tenants[0].app.expires = Some(day);
            let judged = of(&fleet);
            assert_eq!(judged.measured, wanted, "{day}: {judged:?}");
            assert!(judged.seen.contains(&day.to_string()), "{judged:?}");
        }
        fleet.plan.tenants[0].app.expires = Some(date(2027, 3, 1));
        fleet.origin().app = Known::Known(registration("2027-01-10T12:00:00Z"));
        let judged = of(&fleet);
        assert_eq!(judged.measured, Measured::Fail);
        assert!(judged.seen.contains("2027-01-10") && judged.seen.contains("2027-02-01"), "{judged:?}");
        fleet.plan.tenants[0].app.expires = None;
        fleet.origin().app = Known::Known(registration("2027-06-01T00:00:00Z"));
        assert_eq!(of(&fleet).measured, Measured::Pass);
        let state = fleet.origin();
        state.granted = Known::Unknown("AADSTS7000215".to_owned());
        state.token_tenant = Known::Unknown(String::new());
        state.organization = Known::Unknown(String::new());
        state.devices = Known::Unknown(String::new());
        let judged = of(&fleet);
        assert_eq!(judged.measured, Measured::Unknown);
        assert!(judged.seen.contains("AADSTS7000215"), "{judged:?}");
    }

    /// Catches a refused token that names neither what the authority said nor what to do, and the checks that need a token
    /// and send people elsewhere.
    #[test]
    fn a_refused_token_fails_the_credential_alone() {
        let mut fleet = fleet();
        let why = "tenant contoso gives no token: the client secret is wrong (token.wrong-secret)".to_owned();
        let state = fleet.origin();
        state.refused =
            Some(TokenRefusal { why: format!("{why}; AADSTS7000215"), next: Some("make a new secret".to_owned()) });
        state.granted = Known::Unknown(why.clone());
        state.token_tenant = Known::Unknown(why.clone());
        state.organization = Known::Unknown(why.clone());
        state.app = Known::Unknown(why);
        let of = judged(&fleet, Check::AppCredential);
        assert_eq!((of.measured, of.remedy.as_deref()), (Measured::Fail, Some("make a new secret")));
        assert!(of.seen.contains("AADSTS7000215"), "{of:?}");
        for check in [Check::AppTenant, Check::AppPermissions, Check::AppExcess] {
            let of = judged(&fleet, check);
            assert_eq!((of.measured, of.remedy.as_deref()), (Measured::Unknown, Some(NO_TOKEN)), "{check}");
            assert_eq!(of.seen.matches("gives no token").count(), 1, "{of:?}");
        }
    }

    /// Catches a disabled application that is called good because an old token still works.
    #[test]
    fn a_disabled_application_fails() {
        let mut fleet = fleet();
        fleet.origin().app = Known::Known(AppRegistration { enabled: false, ..registration("2028-01-01T00:00:00Z") });
        assert_eq!(judged(&fleet, Check::AppCredential).measured, Measured::Fail);
    }

    /// Catches a token of another tenant, and one of an unknown tenant that passes.
    #[test]
    fn tokens_are_of_the_plans_tenant() {
        let mut fleet = fleet();
        assert_eq!(judged(&fleet, Check::AppTenant).measured, Measured::Pass);
        let other = TenantId(uuid::Uuid::from_u128(77));
        fleet.origin().token_tenant = Known::Known(other);
        let found = judged(&fleet, Check::AppTenant);
        assert_eq!(found.measured, Measured::Fail);
        assert!(found.seen.contains(&other.to_string()), "{found:?}");
        fleet.origin().token_tenant = Known::Unknown("it wasn't read".to_owned());
        assert_eq!(judged(&fleet, Check::AppTenant).measured, Measured::Pass, "the organization says it too");
        fleet.origin().organization = Known::Unknown("forbidden".to_owned());
        assert_eq!(judged(&fleet, Check::AppTenant).measured, Measured::Unknown);
    }

    /// Catches a missing permission that isn't named with what it blocks, and grants that only a new token shows.
    #[test]
    fn permissions_are_named() {
        let mut fleet = fleet();
        let exact = exact(&fleet);
        fleet.origin().granted = Known::Known(exact.clone());
        let all = judged(&fleet, Check::AppPermissions);
        assert_eq!(all.measured, Measured::Pass, "{all:?}");
        for without in &exact {
            let rest: Vec<Permission> = exact.iter().copied().filter(|one| one != without).collect();
            fleet.origin().granted = Known::Known(rest);
            let found = judged(&fleet, Check::AppPermissions);
            assert_eq!(found.measured, Measured::Fail);
            assert!(found.seen.contains(&format!("{} (without it: ", without.as_str())), "{found:?}");
        }
        let assigned = exact.iter().map(|one| one.as_str().to_owned()).collect();
        fleet.origin().app = Known::Known(AppRegistration { assigned, ..registration("2028-01-01T00:00:00Z") });
        assert_eq!(judged(&fleet, Check::AppPermissions).measured, Measured::Warn);
        fleet.origin().granted = Known::Unknown("no JWT".to_owned());
        assert_eq!(judged(&fleet, Check::AppPermissions).measured, Measured::Pass);
        fleet.origin().app = Known::Unknown("forbidden".to_owned());
        let found = judged(&fleet, Check::AppPermissions);
        assert_eq!(found.measured, Measured::Unknown);
        assert!(found.seen.contains("no JWT") && found.seen.contains("forbidden"), "{found:?}");
    }

    /// Catches an excess that is kept quiet, and needed permissions that are called excess.
    #[test]
    fn excess_is_named() {
        let mut fleet = fleet();
        let mut granted = exact(&fleet);
        fleet.origin().granted = Known::Known(granted.clone());
        assert_eq!(judged(&fleet, Check::AppExcess).measured, Measured::Pass);
        granted.push(Permission::DirectoryReadAll);
        fleet.origin().granted = Known::Known(granted);
        fleet.origin().app = Known::Known(AppRegistration {
            assigned: vec!["Mail.Send".to_owned()],
            ..registration("2028-01-01T00:00:00Z")
        });
        let found = judged(&fleet, Check::AppExcess);
        assert_eq!(found.measured, Measured::Warn);
        assert!(found.seen.contains("Mail.Send (nothing needs it)"), "{found:?}");
        assert!(found.seen.contains("Directory.Read.All (nothing needs more of it than "), "{found:?}");
        assert_eq!(found.remedy, None, "nothing has to be granted before it goes");
    }
}
