//! Settings of a tenant that decide whether devices may join and enrol (prerequisites 1.5).

use std::collections::BTreeMap;

use super::{Judged, access, unread};
use crate::dag::{Assignment, Index, TenantIndex, View, map};
use crate::model::{Check, EntraDeviceId, Known, PackageName, Scenario, Side, UserId, words};
use crate::state::{
    EnrolmentSettings, EntraDevice, JoinScope, Organization, RegistrationPolicy, StatusPage, TenantState, TrustType,
};

/// Names that are shown before a list is cut.
const SHOWN: usize = 5;

/// Devices that are still to be moved: whose quota they will count against.
#[derive(Debug, Default)]
pub(super) struct Load {
    /// By package.
    packages: BTreeMap<PackageName, u32>,
    /// By the user whom they are mapped to.
    users: BTreeMap<UserId, u32>,
}

impl Load {
    /// Counts the devices that aren't past the point of no return and that no exclusion holds back.
    pub(super) fn of(index: &Index<'_>, assignment: &Assignment, views: &[View<'_>]) -> Self {
        let mut load = Self::default();
        for (assigned, view) in assignment.devices.iter().zip(views) {
            let wave = assigned.wave.and_then(|wave| index.plan.waves.get(usize::from(wave)));
            let Some(wave) = wave.filter(|_| assigned.exclusion.is_none() && !view.past) else { continue };
            *load.packages.entry(wave.package.clone()).or_default() += 1;
            if let Some(mapping) = view.facts().and_then(|facts| map(index, view, facts).ok()) {
                *load.users.entry(mapping.user.id).or_default() += 1;
            }
        }
        load
    }
}

/// Judges the tenant of one side; with one tenant it is asked once, for the destination.
pub(super) fn checks(index: &Index<'_>, side: Side, load: &Load, add: &mut dyn FnMut(Check, Judged)) {
    let tenant = match side {
        Side::Origin => index.origin(),
        Side::Destination => index.destination(),
    };
    let Some(tenant) = tenant else { return };
    if index.plan.scenario == Scenario::TenantToTenant {
        add(Check::EntCrossTenant, cross_tenant(index, side, tenant));
    }
    // Devices neither join nor enrol in the tenant that they leave.
    if side == Side::Origin {
        return;
    }
    add(Check::EntAutoEnrolment, auto_enrolment(index, tenant));
    let gone = Known::Unknown("the snapshot doesn't hold this tenant".to_owned());
    let registration = tenant.state.map_or(&gone, |state| &state.registration_policy);
    let registration =
        read(registration).map_err(|why| unread(format!("the device registration policy couldn't be read: {why}")));
    let enrolment = tenant.state.map_or(Err("the snapshot doesn't hold this tenant"), |state| read(&state.enrolment));
    let enrolment = enrolment.map_err(|why| unread(format!("enrolment settings couldn't be read: {why}")));
    add(Check::EntMdmAuthority, mdm_authority(tenant.state));
    let of =
        |judge: &dyn Fn(&RegistrationPolicy) -> Judged| registration.as_ref().map_or_else(Clone::clone, |p| judge(p));
    add(Check::EntJoinAllowed, of(&|policy| join_allowed(index, tenant, policy)));
    add(Check::EntJoinMfa, of(&join_mfa));
    add(Check::EntDeviceQuota, of(&|policy| device_quota(index, tenant, policy, load)));
    let of = |judge: &dyn Fn(&EnrolmentSettings) -> Judged| enrolment.as_ref().map_or_else(Clone::clone, |e| judge(e));
    add(Check::EntEnrolmentRestrictions, of(&|settings| restrictions(index, settings, load)));
    add(Check::EntEsp, of(&status_pages));
    add(Check::EntMde, Judged::unknown("nobody has attested it"));
}

fn read<T>(known: &Known<T>) -> Result<&T, &str> {
    match known {
        Known::Known(value) => Ok(value),
        Known::Absent => Err("it wasn't found"),
        Known::Unknown(why) => Err(why),
    }
}

/// Cuts a list of names.
fn names<'n>(all: impl Iterator<Item = &'n str>) -> String {
    words::some(all.map(|name| format!("`{name}`")), SHOWN)
}

/// Returns the MDM authority, or why it isn't known.
fn authority(organization: &Organization) -> Result<&str, &str> {
    match &organization.mdm_authority {
        Known::Known(authority) => Ok(authority),
        Known::Absent => Ok("not set"),
        Known::Unknown(why) => Err(why),
    }
}

fn mdm_authority(state: Option<&TenantState>) -> Judged {
    let organization = state.map_or(Err("the snapshot doesn't hold this tenant"), |state| read(&state.organization));
    match organization.and_then(authority) {
        Ok(authority) if authority.eq_ignore_ascii_case("intune") => Judged::pass("the MDM authority is Intune"),
        Ok(authority) => Judged::fail(format!("the MDM authority is `{authority}`")),
        Err(why) => unread(format!("the MDM authority isn't known: {why}")),
    }
}

/// No application can read the MDM user scope (msgraph.md 0.1): a person says it, or devices that enrolled show it.
fn auto_enrolment(index: &Index<'_>, tenant: &TenantIndex<'_>) -> Judged {
    let records = index.snapshot.ledger.values();
    let moved = records.filter_map(|record| Some((record.new_device?, record.committed_at?)));
    let enrolled = |(device, commit): &(EntraDeviceId, jiff::Timestamp)| {
        tenant.managed_of(*device).any(|managed| managed.enrolled.is_some_and(|at| at >= *commit))
    };
    let moved: Vec<_> = moved.collect();
    match (moved.iter().filter(|one| enrolled(one)).count(), moved.len()) {
        (0, 0) => Judged::unknown("no application can read the MDM user scope, and nobody has attested it"),
        (0, all) => {
            Judged::unknown(format!("none of {all} moved devices has enrolled yet, and nobody has attested it"))
        }
        (some, all) => {
            Judged::pass(format!("confirmed by the outcome: {some} of {all} moved devices enrolled after their move"))
        }
    }
}

fn join_allowed(index: &Index<'_>, tenant: &TenantIndex<'_>, policy: &RegistrationPolicy) -> Judged {
    let (users, groups) = match &policy.join {
        JoinScope::All => return Judged::pass("everybody may join devices"),
        JoinScope::None => return Judged::fail("nobody may join devices"),
        JoinScope::Some { users, groups } => (users, groups),
    };
    let (mut outside, mut unsure) = (Vec::new(), Vec::new());
    let accounts = access::accounts(index.plan);
    for account in &accounts {
        let user = tenant.users_named(account).next();
        if user.is_some_and(|user| users.contains(&user.id)) {
            continue;
        }
        let own = tenant.state.and_then(|state| state.account_groups.known()).and_then(|all| all.get(account));
        match own {
            Some(own) if own.iter().any(|group| groups.contains(group)) => {}
            None if !groups.is_empty() => unsure.push(account.as_str()),
            // Without users the account's id isn't known either.
            _ if user.is_none() && tenant.users.gap.is_some() && !users.is_empty() => unsure.push(account.as_str()),
            _ => outside.push(account.as_str()),
        }
    }
    if !outside.is_empty() {
        Judged::fail(format!("only some may join devices, and {} may not", names(outside.into_iter())))
    } else if !unsure.is_empty() {
        let who = names(unsure.into_iter());
        Judged::unknown(format!("only some may join devices, and the groups of {who} couldn't be read"))
    } else {
        Judged::pass(format!("the package accounts may join devices: {}", names(accounts.iter().map(String::as_str))))
    }
}

/// The tenant's switch has to be off too where a policy with the user action is used: else the policy isn't enforced
/// properly [R: entra-docs, target resources].
fn join_mfa(policy: &RegistrationPolicy) -> Judged {
    if policy.mfa_required {
        Judged::fail("registering or joining a device asks for MFA, which a bulk token can't answer")
    } else {
        Judged::pass("registering or joining a device asks for no MFA")
    }
}

/// Whether the quota counts for a package account isn't proven [I] (domain.md E 9); that it counts Entra joined devices
/// of a user is documented [R: memdocs, device limits].
fn device_quota(index: &Index<'_>, tenant: &TenantIndex<'_>, policy: &RegistrationPolicy, load: &Load) -> Judged {
    let quota = policy.user_device_quota;
    if let Some(why) = tenant.devices.gap.or(tenant.users.gap) {
        return unread(format!("how many devices the package accounts own couldn't be read: {why}"));
    }
    let mut owned: BTreeMap<UserId, u32> = BTreeMap::new();
    // Hybrid joined devices don't count [R: memdocs, device limits].
    let counts = |device: &&EntraDevice| !matches!(device.trust, TrustType::Hybrid | TrustType::Pending);
    for owner in tenant.devices.items.iter().filter(counts).filter_map(|device| device.owner) {
        *owned.entry(owner).or_default() += 1;
    }
    let mut coming: BTreeMap<String, u32> = access::accounts(index.plan).into_iter().map(|upn| (upn, 0)).collect();
    for (package, devices) in &load.packages {
        if let Some(own) = index.plan.package(package).and_then(|of| coming.get_mut(&of.account.to_lowercase())) {
            *own += devices;
        }
    }
    let mut full = Vec::new();
    let mut most = 0;
    for (account, coming) in &coming {
        let now = tenant.users_named(account).next().and_then(|user| owned.get(&user.id)).copied().unwrap_or(0);
        most = most.max(now.saturating_add(*coming));
        if now.saturating_add(*coming) > quota && *coming > 0 {
            full.push(format!("{account} has {now} and {coming} are to come"));
        }
    }
    if !full.is_empty() {
        let needed = format!(
            "raise the maximum number of devices per user to {most} at least; whether package accounts are exempt isn't proven"
        );
        return Judged::fail(format!("a user may have {quota} devices: {}", full.join("; "))).remedy(needed);
    }
    // A moved device is owned by the package account; that it counts against its user as well isn't proven either.
    let over = load
        .users
        .iter()
        .filter(|(user, coming)| owned.get(user).copied().unwrap_or(0).saturating_add(**coming) > quota);
    let over: Vec<&str> = over.filter_map(|(user, _)| tenant.user(*user)).map(|user| user.upn.as_str()).collect();
    if !over.is_empty() {
        let seen = format!(
            "a user may have {quota} devices, and with the moved ones more are those of {}",
            names(over.into_iter())
        );
        return Judged::warn(seen)
            .remedy("remove their stale devices, or raise the maximum number of devices per user");
    }
    Judged::pass(format!("a user may have {quota} devices; the fullest package account comes to {most}"))
}

/// Bulk enrolment obeys the default platform restriction alone (msgraph.md 0.6). Intune's device limit doesn't apply to it
/// [R: memdocs, device limits], so that a small one is only told.
fn restrictions(index: &Index<'_>, settings: &EnrolmentSettings, load: &Load) -> Judged {
    match settings.windows_blocked {
        Some(true) => {
            return Judged::fail("the default platform restriction blocks Windows")
                .remedy("allow Windows (MDM) in the default platform restriction");
        }
        None => return Judged::unknown("no default platform restriction was found"),
        Some(false) => {}
    }
    let most = load.users.values().copied().max().unwrap_or(0);
    match settings.device_limit {
        Some(limit) if most > limit => {
            let seen = format!("the default device limit is {limit}, and {most} devices of one user are to be moved");
            Judged::warn(seen).remedy("raise the default device limit, or see that bulk enrolment isn't held to it")
        }
        Some(limit) => {
            let accounts = access::accounts(index.plan).len();
            let whom = if accounts == 1 { "account" } else { "accounts" };
            Judged::pass(format!(
                "the default restriction admits Windows; the device limit of {limit} doesn't hold for the package {whom}"
            ))
        }
        None => Judged::pass("the default restriction admits Windows; no device limit was found"),
    }
}

fn status_pages(settings: &EnrolmentSettings) -> Judged {
    let pages = || settings.status_pages.iter();
    let blocks = |page: &&StatusPage| page.blocks == Known::Known(true);
    let for_all: Vec<&str> = pages().filter(blocks).filter(|page| page.to_all).map(|page| page.name.as_str()).collect();
    if !for_all.is_empty() {
        return Judged::warn(format!(
            "device use is blocked after the sign-in, for everybody, by {}",
            names(for_all.into_iter())
        ));
    }
    let unsure = |page: &&StatusPage| page.to_all && page.blocks.unknown().is_some();
    let unsure: Vec<&str> = pages().filter(unsure).map(|page| page.name.as_str()).collect();
    if !unsure.is_empty() {
        return Judged::unknown(format!(
            "whether device use is blocked by {} couldn't be read",
            names(unsure.into_iter())
        ));
    }
    let some: Vec<&str> =
        pages().filter(blocks).filter(|page| !page.groups.is_empty()).map(|page| page.name.as_str()).collect();
    if some.is_empty() {
        Judged::pass("no Enrollment Status Page blocks device use")
    } else {
        Judged::pass(format!("none for everybody blocks device use; of some groups do {}", names(some.into_iter())))
    }
}

fn cross_tenant(index: &Index<'_>, side: Side, tenant: &TenantIndex<'_>) -> Judged {
    let other = match side {
        Side::Origin => index.destination(),
        Side::Destination => index.origin(),
    };
    let (Some(state), Some(other)) = (tenant.state, other) else {
        return Judged::unknown("the snapshot doesn't hold both tenants");
    };
    let access = match read(&state.cross_tenant) {
        Ok(access) => access,
        Err(why) => return unread(format!("cross-tenant access couldn't be read: {why}")),
    };
    let own = access.partners.iter().find(|(partner, _, _)| *partner == other.id);
    let (inbound, outbound) =
        own.map_or((access.default_inbound_blocked, access.default_outbound_blocked), |(_, i, o)| (*i, *o));
    let whose = if own.is_some() { "its own settings" } else { "the default settings" };
    let ways: Vec<&str> =
        [(inbound, "inbound"), (outbound, "outbound")].into_iter().filter(|(on, _)| *on).map(|(_, way)| way).collect();
    if ways.is_empty() {
        return Judged::pass(format!("{whose} for `{}` block nothing", other.name));
    }
    Judged::fail(format!("{whose} for `{}` block {} access", other.name, ways.join(" and ")))
}
