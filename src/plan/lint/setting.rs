//! The setting: tenants, directory, features and users have to fit the scenario and each other.

use super::super::TenantRole;
use super::super::file::{Autopilot, CaFeature, ExclusionOf, Profiles, UsersFile};
use super::super::resolve::Review;
use super::super::words::{CaMode, Word, quoted};
use crate::diag::{Code, Diagnostic};
use crate::model::Scenario;

pub(in crate::plan) fn setting(review: &mut Review<'_>) {
    tenants(review);
    packages(review);
    directory(review);
    users(review);
    features(review);
}

fn tenants(review: &mut Review<'_>) {
    let file = review.file;
    let Some(scenario) = &file.scenario else { return };
    let wanted: &[TenantRole] = match scenario.value {
        Scenario::TenantToTenant => &[TenantRole::Source, TenantRole::Target],
        Scenario::AdToEntra | Scenario::HybridToEntra => &[TenantRole::Current],
    };
    let help = match scenario.value {
        Scenario::TenantToTenant => "tenant-to-tenant has one tenant with `role: source` and one with `role: target`",
        Scenario::AdToEntra | Scenario::HybridToEntra => "this scenario has one tenant, with `role: current`",
    };
    let mut roles = Vec::new();
    let mut whole = true;
    for tenant in &file.tenants {
        let Some(role) = &tenant.item.role else {
            whole = false;
            continue;
        };
        let name = quoted(&tenant.name.value);
        if !wanted.contains(&role.value) {
            let message = format!("the tenant {name} can't be `{}` in {}", role.value.word(), scenario.value.word());
            let found = Diagnostic::error(Code::TENANT_ROLES, message).at(role.span, "this role");
            review.report(found.at(scenario.span, "in this scenario").help(help));
        } else if let Some((_, before)) = roles.iter().find(|(other, _)| *other == role.value) {
            let message = format!("the tenant {name} is the second one with the role `{}`", role.value.word());
            let found = Diagnostic::error(Code::TENANT_ROLES, message).at(role.span, "again here");
            review.report(found.at(*before, "first here").help(help));
        }
        roles.push((role.value, role.span));
    }
    if whole && review.has("tenants") {
        for role in wanted.iter().filter(|role| roles.iter().all(|(found, _)| found != *role)) {
            let message = format!("no tenant has the role `{}`", role.word());
            let found = Diagnostic::error(Code::TENANT_ROLES, message).at(scenario.span, "this scenario needs it");
            review.report(found.help(help));
        }
    }
    for (at, tenant) in file.tenants.iter().enumerate() {
        let Some(id) = &tenant.item.id else { continue };
        let twin = file.tenants[..at].iter().find_map(|other| other.item.id.as_ref().filter(|other| *other == id));
        if let Some(twin) = twin {
            let message = format!("the tenant {} has the id of another one", quoted(&tenant.name.value));
            let found =
                Diagnostic::error(Code::TENANT_ROLES, message).at(id.span, "again here").at(twin.span, "first here");
            review.report(found.help("devices can't move from a tenant to itself; look the ids up again"));
        }
    }
}

/// A package joins devices to the tenant it was made in; any other than the destination is the wrong one.
fn packages(review: &mut Review<'_>) {
    let Some((destination, _)) = review.destination() else { return };
    let tenants = &review.file.tenants;
    for package in &review.file.packages {
        let Some(tenant) = &package.item.tenant else { continue };
        if tenant.value == destination.value || !tenants.iter().any(|known| known.name.value == tenant.value) {
            continue;
        }
        let name = quoted(&package.name.value);
        let message = format!("the package {name} joins devices to {}, not where they go", quoted(&tenant.value));
        let found = Diagnostic::error(Code::TENANT_ROLES, message).at(tenant.span, "this tenant");
        review.report(
            found.at(destination.span, "devices go here").help("make the package in the tenant that devices go to"),
        );
    }
}

fn directory(review: &mut Review<'_>) {
    let file = review.file;
    let Some(scenario) = &file.scenario else { return };
    if scenario.value == Scenario::TenantToTenant {
        return;
    }
    match &file.directory {
        None if review.has("directory") => {}
        None => {
            let message = format!("{} needs the section `directory`", scenario.value.word());
            let found = Diagnostic::error(Code::DIRECTORY_MISSING, message).at(scenario.span, "this scenario");
            review.report(found.help("add `directory:` with the `domain` that devices leave and its `computers`"));
        }
        Some(directory) if directory.computers.is_empty() => {
            if let Some(domain) = &directory.domain {
                let message = "the directory names no organizational unit with computers";
                let found = Diagnostic::error(Code::DIRECTORY_MISSING, message).at(domain.span, "of this domain");
                review.report(found.help("list the units in `computers`: objects elsewhere are never touched"));
            }
        }
        Some(_) => {}
    }
}

fn users(review: &mut Review<'_>) {
    let Some(scenario) = &review.file.scenario else { return };
    if scenario.value != Scenario::TenantToTenant {
        return;
    }
    let help = "write `users: {mapping: users.csv}` and list old_upn,new_upn there";
    match &review.file.users {
        None if review.has("users") => {}
        None => {
            let message = "tenant-to-tenant needs a user mapping";
            let found = Diagnostic::error(Code::MAPPING, message).at(scenario.span, "this scenario");
            review.report(found.help(help));
        }
        Some(UsersFile::Match(by)) => {
            let message = "users of another tenant can't be matched by their on-premises SID";
            let found = Diagnostic::error(Code::MAPPING, message).at(by.span, "here");
            review.report(found.at(scenario.span, "in this scenario").help(help));
        }
        Some(UsersFile::Mapping(_)) => {}
    }
}

fn features(review: &mut Review<'_>) {
    let file = review.file;
    let features = &file.features;
    if let (Some(autopilot), Some(scenario)) = (&features.autopilot, &file.scenario)
        && scenario.value != Scenario::TenantToTenant
    {
        let on = match autopilot {
            Autopilot::Switch(on) => on.value.then_some(on.span),
            Autopilot::Settings(settings) => settings.group_tag.as_ref().map(|tag| tag.span),
        };
        if let Some(span) = on {
            let message = "`autopilot` has no effect: identities stay in their tenant";
            let found = Diagnostic::warning(Code::FEATURE_CONFLICT, message).at(span, "on");
            review.report(found.at(scenario.span, "in this scenario").help("switch it off, or remove it"));
        }
    }
    if let Some(Profiles::Settings(settings)) = &features.configuration_profiles
        && let (true, Some(group)) = (settings.profiles.is_empty(), &settings.group)
    {
        let message = "`configuration-profiles` names a group and no profile";
        let found = Diagnostic::error(Code::FEATURE_CONFLICT, message).at(group.span, "for this group");
        review.report(found.help("list the profiles by display name, or write `configuration-profiles: false`"));
    }
    let access: Vec<_> = file
        .exclusions
        .iter()
        .filter(|exclusion| matches!(exclusion.of, Some(ExclusionOf::ConditionalAccess(_))))
        .filter_map(|exclusion| exclusion.id.as_ref())
        .collect();
    match &features.conditional_access_exclusions {
        Some(CaFeature::Mode(mode)) if mode.value == CaMode::Manage && access.is_empty() => {
            if !review.parsed.incomplete {
                let message = "`conditional-access-exclusions: manage` has no exclusion to manage";
                let found = Diagnostic::warning(Code::FEATURE_CONFLICT, message).at(mode.span, "manage");
                let help = "add an exclusion with `of: {conditional-access: {policy, account}}`, or write `observe`";
                review.report(found.help(help));
            }
        }
        None | Some(CaFeature::Off(_)) => {
            for id in access {
                let message = format!("nothing looks at the exclusion {}", quoted(&id.value));
                let found = Diagnostic::warning(Code::FEATURE_CONFLICT, message).at(id.span, "this exclusion");
                review.report(found.help("set the feature `conditional-access-exclusions` to `observe` or `manage`"));
            }
        }
        Some(CaFeature::Mode(_)) => {}
    }
}
