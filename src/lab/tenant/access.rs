//! Whether Conditional Access lets a package account join a device: each policy's conditions, the way Entra lays them
//! on the register-device action.
//!
//! A bulk token answers no prompt and its device isn't registered yet, so that every control stops it. Nobody in a lab
//! is at risk. A device is in the named locations that say so, and in no trusted one else.

use serde_json::Value;
use uuid::Uuid;

use super::state::TenantData;

/// Returns the name of the first enabled policy that stops an account's join.
pub(super) fn stops_join(data: &TenantData, account: Uuid) -> Option<String> {
    let stops = |body: &Value| {
        body["state"] == "enabled"
            && demands(&body["grantControls"])
            && action(&body["conditions"])
            && concerns(data, &body["conditions"]["users"], account)
            && circumstances(data, &body["conditions"])
    };
    let found = data.policies.iter().find(|policy| stops(&policy.body))?;
    Some(found.body["displayName"].as_str().unwrap_or_default().to_owned())
}

fn listed(value: &Value, wanted: &str) -> bool {
    value.as_array().is_some_and(|list| list.iter().any(|own| own == wanted))
}
fn empty(value: &Value) -> bool {
    value.as_array().is_none_or(Vec::is_empty)
}

/// A policy of session controls alone stops nobody.
fn demands(controls: &Value) -> bool {
    !empty(&controls["builtInControls"])
        || !empty(&controls["termsOfUse"])
        || !empty(&controls["customAuthenticationFactors"])
        || controls["authenticationStrength"].is_object()
}

fn action(conditions: &Value) -> bool {
    listed(&conditions["applications"]["includeUserActions"], "urn:user:registerdevice")
        && conditions["clientApplications"].is_null()
}

fn concerns(data: &TenantData, users: &Value, account: Uuid) -> bool {
    let id = account.to_string();
    let roles = data.users.get(account).is_some_and(|user| !user.roles.is_empty());
    let included = listed(&users["includeUsers"], "All")
        || listed(&users["includeUsers"], &id)
        || in_groups(data, &users["includeGroups"], account)
        || (roles && !empty(&users["includeRoles"]));
    included && !listed(&users["excludeUsers"], &id) && !in_groups(data, &users["excludeGroups"], account)
}

/// Says whether somebody is in one of some groups.
pub(super) fn in_groups(data: &TenantData, groups: &Value, member: Uuid) -> bool {
    let ids = groups.as_array().into_iter().flatten().filter_map(Value::as_str).filter_map(|id| id.parse().ok());
    ids.into_iter().any(|group| data.is_member(group, member))
}

fn circumstances(data: &TenantData, conditions: &Value) -> bool {
    let client = &conditions["clientAppTypes"];
    let client = empty(client) || listed(client, "all") || listed(client, "mobileAppsAndDesktopClients");
    let windows = |list: &Value| listed(list, "all") || listed(list, "windows");
    let platforms = &conditions["platforms"];
    let platform = platforms.is_null()
        || (windows(&platforms["includePlatforms"]) && !listed(&platforms["excludePlatforms"], "windows"));
    let safe = empty(&conditions["signInRiskLevels"]) && empty(&conditions["userRiskLevels"]);
    client
        && platform
        && safe
        && place(data, &conditions["locations"])
        && filter(&conditions["devices"]["deviceFilter"])
}

fn place(data: &TenantData, locations: &Value) -> bool {
    if locations.is_null() {
        return true;
    }
    let here: Vec<_> = data.spec.named_locations.iter().filter(|location| location.devices).collect();
    let trusted = here.iter().any(|location| location.trusted);
    let within = |list: &Value| {
        listed(list, "All")
            || (trusted && listed(list, "AllTrusted"))
            || here.iter().any(|location| listed(list, &data.location_id(&location.name).to_string()))
    };
    within(&locations["includeLocations"]) && !within(&locations["excludeLocations"])
}

/// An unregistered device has no properties: only a rule that says what a property is not holds for it.
fn filter(filter: &Value) -> bool {
    let Some(rule) = filter["rule"].as_str() else { return true };
    let rule = rule.to_lowercase();
    let holds = ["-ne ", "-notin ", "-notcontains ", "-notstartswith ", "-notendswith "];
    let holds = holds.iter().any(|operator| rule.contains(operator));
    holds != (filter["mode"] == "exclude")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Catches a filter that is laid on a device as if Entra knew it before it joined.
    #[test]
    fn filters_of_a_device_that_nobody_knows() {
        let of = |mode: &str, rule: &str| filter(&json!({"mode": mode, "rule": rule}));
        assert!(filter(&Value::Null));
        assert!(!of("include", "device.isCompliant -eq True"));
        assert!(of("exclude", "device.isCompliant -eq True"));
        assert!(of("include", "device.isCompliant -ne True"));
        assert!(!of("exclude", "device.trustType -notIn [\"AzureAD\"]"));
    }
}
