//! A policy for people: its categories, and its conditions in words.

use super::control::meets_devices;
use super::policy::{Category, DEVICE_REGISTRATION, INTUNE, INTUNE_ENROLMENT, REGISTER_DEVICE, has};
use crate::model::Known;
use crate::state::{ConditionalAccessPolicy, InOut, NamedLocation};

/// Names that are shown of a list before it is cut.
const SHOWN: usize = 4;

/// Returns which of the eight categories a policy falls in, whatever becomes of it.
#[must_use]
pub fn categories(policy: &ConditionalAccessPolicy) -> Vec<Category> {
    let asks = |words: &[&str]| words.iter().any(|word| has(&policy.grant, word));
    let blocks = has(&policy.grant, "block");
    let legacy = !policy.client_app_types.is_empty()
        && !["all", "browser", "mobileAppsAndDesktopClients"].iter().any(|kind| has(&policy.client_app_types, kind));
    let unknown_platforms = policy.platforms.as_ref().is_some_and(|platforms| {
        let everything = platforms.include.is_empty() || has(&platforms.include, "all");
        everything && !platforms.exclude.is_empty() || has(&platforms.include, "windows")
    });
    let risks = [&policy.sign_in_risk, &policy.user_risk, &policy.service_principal_risk];
    let places = policy.locations.as_ref();
    let foreign = |list: &[String]| has(list, "GuestsOrExternalUsers");
    let is = |category| match category {
        Category::JoinMfa => (asks(&["mfa"]) || policy.authentication_strength.is_some()) && meets_devices(policy),
        Category::CompliantDevice => asks(&["compliantDevice"]),
        Category::HybridDevice => asks(&["domainJoinedDevice"]),
        Category::TrustedLocation => places.is_some_and(|p| !p.exclude.is_empty() || !has(&p.include, "All")),
        Category::ApprovedApp => asks(&["approvedApplication", "compliantApplication"]),
        Category::Risk => asks(&["passwordChange"]) || risks.iter().any(|levels| !levels.is_empty()),
        Category::Platform => blocks && (legacy || unknown_platforms),
        Category::CrossTenant => foreign(&policy.include_users),
    };
    Category::ALL.into_iter().filter(|category| is(*category)).collect()
}

/// Returns a policy's conditions, each a clause such as `platforms: all except iOS`; what isn't limited isn't named.
#[must_use]
pub fn conditions(policy: &ConditionalAccessPolicy, named: &Known<Vec<NamedLocation>>) -> Vec<String> {
    let mut shown = Vec::new();
    let mut say = |what: &str, text: String| {
        if !text.is_empty() {
            shown.push(format!("{what}: {text}"));
        }
    };
    say("users", users(policy));
    if let Some(principals) = &policy.service_principals {
        say("applications", in_out(principals, &str::to_owned));
    }
    say("user action", list(&policy.user_actions, &action));
    say("resources", in_out(&policy.applications, &resource));
    if !has(&policy.client_app_types, "all") {
        say("client apps", list(&policy.client_app_types, &str::to_owned));
    }
    if let Some(platforms) = &policy.platforms {
        say("platforms", in_out(platforms, &str::to_owned));
    }
    if let Some(locations) = &policy.locations {
        say("locations", places(locations, named));
    }
    say("sign-in risk", list(&policy.sign_in_risk, &str::to_owned));
    say("user risk", list(&policy.user_risk, &str::to_owned));
    say("risk of the application", list(&policy.service_principal_risk, &str::to_owned));
    say("sign-in flows", list(&policy.authentication_flows, &str::to_owned));
    if let Some((mode, rule)) = &policy.device_filter {
        say("device filter", format!("{mode} {rule}"));
    }
    shown
}

/// Returns the places of a location condition, by name where that is known.
pub(super) fn places(places: &InOut, named: &Known<Vec<NamedLocation>>) -> String {
    let name = |id: &str| {
        let mut all = named.known().into_iter().flatten();
        let found = all.find(|location| location.id.to_string().eq_ignore_ascii_case(id));
        match found {
            Some(location) if location.trusted => format!("{} (trusted)", location.name),
            Some(location) => location.name.clone(),
            None if id.eq_ignore_ascii_case("AllTrusted") => "trusted places".to_owned(),
            None if id.eq_ignore_ascii_case("All") => "anywhere".to_owned(),
            None => id.to_owned(),
        }
    };
    in_out(places, &name)
}

fn users(policy: &ConditionalAccessPolicy) -> String {
    let groups = counted(policy.include_groups.len(), "group");
    let roles = counted(policy.include_roles.len(), "role");
    let named = policy.include_users.iter().filter(|user| uuid::Uuid::parse_str(user).is_ok()).count();
    let words = policy.include_users.iter().filter(|user| uuid::Uuid::parse_str(user).is_err()).cloned();
    let parts: Vec<String> = words.chain(counted(named, "account")).chain(groups).chain(roles).take(SHOWN).collect();
    let out: Vec<String> = counted(policy.exclude_users.len(), "account")
        .into_iter()
        .chain(counted(policy.exclude_groups.len(), "group"))
        .collect();
    match (parts.join(", "), out.join(" and ")) {
        (parts, out) if parts.is_empty() || out.is_empty() => parts,
        (parts, out) => format!("{parts} except {out}"),
    }
}

fn counted(count: usize, noun: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("1 {noun}")),
        count => Some(format!("{count} {noun}s")),
    }
}

fn list(words: &[String], name: &dyn Fn(&str) -> String) -> String {
    let mut shown: Vec<String> = words.iter().take(SHOWN).map(|word| name(word)).collect();
    if words.len() > SHOWN {
        shown.push(format!("{} more", words.len() - SHOWN));
    }
    shown.join(", ")
}

fn in_out(part: &InOut, name: &dyn Fn(&str) -> String) -> String {
    let out = list(&part.exclude, name);
    match list(&part.include, name) {
        within if out.is_empty() => within,
        within if within.is_empty() => format!("all except {out}"),
        within => format!("{within} except {out}"),
    }
}

fn action(word: &str) -> String {
    match word {
        REGISTER_DEVICE => "register or join devices".to_owned(),
        "urn:user:registersecurityinfo" => "register security information".to_owned(),
        other => other.to_owned(),
    }
}

fn resource(word: &str) -> String {
    match word.to_ascii_lowercase().as_str() {
        "all" => "all".to_owned(),
        DEVICE_REGISTRATION => "Device Registration Service".to_owned(),
        INTUNE_ENROLMENT => "Microsoft Intune Enrollment".to_owned(),
        INTUNE => "Microsoft Intune".to_owned(),
        _ => word.to_owned(),
    }
}
