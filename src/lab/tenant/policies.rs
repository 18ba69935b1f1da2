//! Policies and configuration profiles.

use serde_json::{Value, json};
use uuid::Uuid;

use super::graph::{Call, trouble};
use super::object::{Policy, Profile};
use super::query::{INTUNE, Rules};
use super::reply::{Answer, Refused, Reply};
use super::state::TenantData;
use crate::lab::seed::derive;

/// Policies come in one page.
const ALL: Rules = Rules { page: 1000, ..INTUNE };

pub(super) fn registration(call: &mut Call<'_>) -> Answer {
    let data = call.data()?;
    let own = &data.spec.registration;
    let allowed = if own.enumerated() {
        let (users, groups) = &data.joiners;
        json!({"@odata.type": "#microsoft.graph.enumeratedDeviceRegistrationMembership", "users": users,
               "groups": groups})
    } else {
        let scope = if own.join_allowed { "allDeviceRegistrationMembership" } else { "noDeviceRegistrationMembership" };
        json!({"@odata.type": format!("#microsoft.graph.{scope}")})
    };
    let all = json!({"@odata.type": "#microsoft.graph.allDeviceRegistrationMembership"});
    Ok(Reply::ok(json!({
        "@odata.context": call.request.context("policies/deviceRegistrationPolicy/$entity"),
        "id": "deviceRegistrationPolicy",
        "displayName": "Device Registration Policy",
        "description": "Tenant-wide policy that manages intial provisioning controls using quota restrictions, additional authentication and authorization checks",
        "userDeviceQuota": own.user_device_quota,
        "multiFactorAuthConfiguration": if own.mfa_required { "required" } else { "notRequired" },
        "azureADRegistration": {"isAdminConfigurable": false, "allowedToRegister": all},
        "azureADJoin": {
            "isAdminConfigurable": true,
            "allowedToJoin": allowed,
            "localAdmins": {"enableGlobalAdmins": true, "registeringUsers": all},
        },
        "localAdminPassword": {"isEnabled": true},
    })))
}

/// A collection that is empty in every world.
pub(super) fn none(call: &mut Call<'_>) -> Answer {
    let collection = call.request.path.trim_start_matches('/');
    Ok(Reply::ok(json!({"@odata.context": call.request.context(collection), "value": []})))
}

/// One setting of cross-tenant access.
fn setting(blocked: bool) -> Value {
    let access = if blocked { "blocked" } else { "allowed" };
    let targets =
        |kind: &str, target: &str| json!({"accessType": access, "targets": [{"target": target, "targetType": kind}]});
    json!({"usersAndGroups": targets("user", "AllUsers"), "applications": targets("application", "AllApplications")})
}

pub(super) fn cross_tenant(call: &mut Call<'_>) -> Answer {
    let own = &call.data()?.spec.cross_tenant;
    Ok(Reply::ok(json!({
        "@odata.context": call.request.context("policies/crossTenantAccessPolicy/default/$entity"),
        "id": derive(&call.emulation.world.name, "cross-tenant-default", call.tenant),
        "isServiceDefault": !own.inbound_blocked && !own.outbound_blocked,
        "inboundTrust": {"isMfaAccepted": false, "isCompliantDeviceAccepted": false,
                         "isHybridAzureADJoinedDeviceAccepted": false},
        "b2bCollaborationInbound": setting(own.inbound_blocked),
        "b2bCollaborationOutbound": setting(own.outbound_blocked),
        "b2bDirectConnectInbound": setting(true),
        "b2bDirectConnectOutbound": setting(true),
    })))
}

/// Tenants with settings of their own; what one doesn't set is null.
pub(super) fn cross_tenant_partners(call: &mut Call<'_>) -> Answer {
    let world = &call.emulation.world;
    let partners = call.data()?.spec.cross_tenant.partners(|name| world.tenants.get(name).map(|spec| spec.id));
    let values: Vec<Value> = partners
        .map(|(tenant, own)| {
            json!({"tenantId": tenant, "isServiceProvider": null, "inboundTrust": null,
                   "b2bCollaborationInbound": own.inbound_blocked.map(setting),
                   "b2bCollaborationOutbound": own.outbound_blocked.map(setting),
                   "b2bDirectConnectInbound": null, "b2bDirectConnectOutbound": null})
        })
        .collect();
    let context = call.request.context("policies/crossTenantAccessPolicy/partners");
    Ok(Reply::ok(json!({"@odata.context": context, "value": values})))
}

pub(super) fn named_locations(call: &mut Call<'_>) -> Answer {
    let data = call.data()?;
    let starts = call.emulation.world.starts.to_string();
    let values = data.spec.named_locations.iter().map(|own| {
        let ranges: Vec<Value> = own
            .ranges
            .iter()
            .map(|range| {
                let kind = if range.contains(':') { "iPv6CidrRange" } else { "iPv4CidrRange" };
                json!({"@odata.type": format!("#microsoft.graph.{kind}"), "cidrAddress": range})
            })
            .collect();
        json!({"@odata.type": "#microsoft.graph.ipNamedLocation", "id": data.location_id(&own.name),
               "displayName": own.name, "createdDateTime": starts, "modifiedDateTime": starts,
               "isTrusted": own.trusted, "ipRanges": ranges})
    });
    let context = call.request.context("identity/conditionalAccess/namedLocations");
    Ok(Reply::ok(json!({"@odata.context": context, "value": values.collect::<Vec<_>>()})))
}

const CONDITIONAL_ACCESS: &str = "identity/conditionalAccess/policies";

pub(super) fn conditional_access(call: &mut Call<'_>) -> Answer {
    call.query.list(call.request, CONDITIONAL_ACCESS, &ALL, &call.data()?.policies, |_| true)
}

fn policy(call: &Call<'_>) -> Result<Policy, Refused> {
    let missing = || Refused::new(404, "NotFound", format!("{} cannot be found in directory", call.param(0)));
    let id = call.param(0).parse().map_err(|_| missing())?;
    call.data()?.policies.seen(id, call.request.now).cloned().ok_or_else(missing)
}
pub(super) fn conditional_access_policy(call: &mut Call<'_>) -> Answer {
    call.query.one(call.request, CONDITIONAL_ACCESS, &policy(call)?)
}

/// Puts a patch over a value: objects are merged, everything else is replaced.
pub(super) fn merge(value: &mut Value, patch: &Value) {
    match (value, patch) {
        (Value::Object(own), Value::Object(patch)) => {
            for (name, patch) in patch {
                merge(own.entry(name.clone()).or_insert(Value::Null), patch);
            }
        }
        (value, patch) => value.clone_from(patch),
    }
}

pub(super) fn update_conditional_access(call: &mut Call<'_>) -> Answer {
    let id = policy(call)?.id;
    let mut policy = call.data()?.policies.get(id).cloned().ok_or_else(|| Refused::missing(call.param(0)))?;
    let patch = call.body()?.clone();
    for name in patch.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !["conditions", "displayName", "grantControls", "sessionControls", "state"].contains(&name.as_str()) {
            return Err(Refused::gateway(format!("1005: The property '{name}' can't be updated.")));
        }
    }
    merge(&mut policy.body, &patch);
    let state = policy.body["state"].as_str().unwrap_or_default();
    if !["enabled", "disabled", "enabledForReportingButNotEnforced"].contains(&state) {
        return Err(Refused::gateway(format!("1004: '{state}' isn't a policy state.")));
    }
    check_users(call.data()?, &policy.body["conditions"]["users"])?;
    policy.body["modifiedDateTime"] = call.request.now.to_string().into();
    let now = call.request.now;
    call.data_mut()?.put(policy, now).map_err(trouble)?;
    Ok(Reply::done())
}

/// Users and groups of a policy have to exist.
fn check_users(data: &TenantData, users: &Value) -> Result<(), Refused> {
    let listed = |name: &str| users[name].as_array().into_iter().flatten().filter_map(Value::as_str);
    let words = ["All", "None", "GuestsOrExternalUsers"];
    for user in listed("excludeUsers").chain(listed("includeUsers")).filter(|user| !words.contains(user)) {
        // One that was deleted may stay where it is: it does no harm and the service leaves it.
        if user.parse::<Uuid>().is_err() {
            return Err(Refused::gateway(format!("1009: Invalid user value: {user}.")));
        }
    }
    for group in listed("excludeGroups").chain(listed("includeGroups")) {
        let known = group.parse::<Uuid>().is_ok_and(|id| data.groups.get(id).is_some());
        if !known {
            return Err(Refused::gateway(format!("1007: Invalid group value: {group}.")));
        }
    }
    Ok(())
}

const PROFILES: &str = "deviceManagement/deviceConfigurations";

/// Profiles are of many types: each says its own.
const TYPED: Rules = Rules { typed: true, ..INTUNE };

pub(super) fn profiles(call: &mut Call<'_>) -> Answer {
    let data = call.data()?;
    let mut reply = call.query.list(call.request, PROFILES, &TYPED, &data.profiles, |_| true)?;
    if call.query.expand.is_some() {
        let values = reply.body.as_mut().and_then(|body| body["value"].as_array_mut());
        for value in values.into_iter().flatten() {
            let id = value["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
            let profile = data.profiles.seen(id, call.request.now);
            value["assignments"] = profile.map_or_else(Vec::new, Profile::assignments).into();
        }
    }
    Ok(reply)
}
fn live_profile(call: &Call<'_>) -> Result<Profile, Refused> {
    let id = call.param(0).parse().map_err(|_| Refused::intune_missing())?;
    call.data()?.profiles.get(id).cloned().ok_or_else(Refused::intune_missing)
}
fn seen_profile(call: &Call<'_>) -> Result<Profile, Refused> {
    let id = call.param(0).parse().map_err(|_| Refused::intune_missing())?;
    call.data()?.profiles.seen(id, call.request.now).cloned().ok_or_else(Refused::intune_missing)
}
pub(super) fn profile(call: &mut Call<'_>) -> Answer {
    call.query.check_select::<Profile>(call.request.beta)?;
    let profile = seen_profile(call)?;
    let mut value = call.query.show(&profile, call.request.beta, true);
    if call.query.expand.is_some() {
        value["assignments"] = profile.assignments().into();
    }
    value["@odata.context"] = call.request.context(&format!("{PROFILES}/$entity"));
    Ok(Reply::ok(value))
}
pub(super) fn assignments(call: &mut Call<'_>) -> Answer {
    let profile = seen_profile(call)?;
    let context = call.request.context(&format!("{PROFILES}('{}')/assignments", profile.id));
    Ok(Reply::ok(json!({"@odata.context": context, "value": profile.assignments()})))
}

/// Replaces the whole list (msgraph.md 2.5).
pub(super) fn assign(call: &mut Call<'_>) -> Answer {
    let mut profile = live_profile(call)?;
    let body = call.body()?;
    let bad = |what: String| Refused::intune(400, "BadRequest", what);
    let list = body["assignments"].as_array().ok_or_else(|| bad("The list of assignments is missing.".to_owned()))?;
    let mut targets = Vec::with_capacity(list.len());
    for assignment in list {
        let target = &assignment["target"];
        let kind = target["@odata.type"].as_str().unwrap_or_default().trim_start_matches('#');
        let name = kind.strip_prefix("microsoft.graph.").filter(|name| name.ends_with("AssignmentTarget"));
        let name = name.ok_or_else(|| bad(format!("'{kind}' isn't a target.")))?;
        let mut own = json!({"@odata.type": format!("#microsoft.graph.{name}")});
        if ["groupAssignmentTarget", "exclusionGroupAssignmentTarget"].contains(&name) {
            let group = target["groupId"].as_str().and_then(|id| id.parse::<Uuid>().ok());
            let known = group.filter(|id| call.data().is_ok_and(|data| data.groups.get(*id).is_some()));
            own["groupId"] = json!(known.ok_or_else(|| bad("The target's groupId isn't a group.".to_owned()))?);
        }
        targets.push(own);
    }
    profile.targets = targets;
    profile.modified = call.request.now;
    let shown = profile.assignments();
    let now = call.request.now;
    call.data_mut()?.put(profile, now).map_err(trouble)?;
    Ok(Reply::ok(json!({"value": shown})))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches a patch of one list that empties the others beside it.
    #[test]
    fn a_patch_leaves_its_neighbours() {
        let mut value = json!({"a": {"x": [1, 2], "y": [3]}, "b": 1});
        merge(&mut value, &json!({"a": {"x": [4]}, "b": null}));
        assert_eq!(value, json!({"a": {"x": [4], "y": [3]}, "b": null}));
    }
}
