//! The tenant itself, its users, roles and applications.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::graph::{Call, trouble};
use super::object::{Object, User};
use super::query::{DIRECTORY, Query, Rules};
use super::reply::{Answer, Refused, Reply, Request};
use super::state::TenantData;
use super::support;
use crate::lab::seed::derive;

const USERS: Rules = Rules { support: Some(support::USER), ..DIRECTORY };

/// Returns a value with the properties that are selected, less those that are shown only then.
pub(super) fn project(query: &Query, value: Value, hidden: &[&str]) -> Value {
    let Value::Object(map) = value else { return value };
    let kept = map.into_iter().filter(|(name, _)| match &query.select {
        Some(names) => names.contains(name),
        None => !hidden.contains(&name.as_str()),
    });
    Value::Object(kept.collect())
}

/// Answers a short list that was made for the request, filtered and in one page.
pub(super) fn short_list(request: &Request, query: &Query, collection: &str, values: Vec<Value>) -> Answer {
    let matches =
        |value: &Value| query.filter.as_ref().is_none_or(|filter| filter.matches(&|name| value.get(name).cloned()));
    let values: Vec<Value> = values.into_iter().filter(matches).map(|value| project(query, value, &[])).collect();
    Ok(Reply::ok(json!({"@odata.context": request.context(collection), "value": values})))
}

fn organization_of(data: &TenantData) -> Value {
    let domain = |name: &str, default: bool| {
        json!({"capabilities": "Email, OfficeCommunicationsOnline", "isDefault": default, "isInitial": !default,
               "name": name, "type": "Managed"})
    };
    json!({
        "id": data.spec.id,
        "displayName": data.spec.display_name.as_ref().unwrap_or(&data.name),
        "onPremisesSyncEnabled": data.synced.then_some(true),
        "tenantType": "AAD",
        "verifiedDomains": [domain(&data.spec.domain, true), domain(&initial_domain(data), false)],
        "assignedPlans": [],
        "provisionedPlans": [],
        "businessPhones": [],
        "technicalNotificationMails": [],
        "mobileDeviceManagementAuthority": data.spec.mdm_authority,
    })
}

fn initial_domain(data: &TenantData) -> String {
    format!("{}.onmicrosoft.com", data.name.to_lowercase())
}

pub(super) fn organizations(call: &mut Call<'_>) -> Answer {
    let value = project(&call.query, organization_of(call.data()?), &["mobileDeviceManagementAuthority"]);
    Ok(Reply::ok(json!({"@odata.context": call.request.context("organization"), "value": [value]})))
}

pub(super) fn organization(call: &mut Call<'_>) -> Answer {
    let data = call.data()?;
    if call.id(0)? != data.spec.id {
        return Err(Refused::missing(call.param(0)));
    }
    let mut value = project(&call.query, organization_of(data), &["mobileDeviceManagementAuthority"]);
    value["@odata.context"] = call.request.context("organization/$entity");
    Ok(Reply::ok(value))
}

pub(super) fn domains(call: &mut Call<'_>) -> Answer {
    let data = call.data()?;
    let domain = |name: &str, default: bool| {
        json!({"id": name, "authenticationType": "Managed", "availabilityStatus": null, "isAdminManaged": true,
               "isDefault": default, "isInitial": !default, "isRoot": true, "isVerified": true,
               "supportedServices": ["Email", "OfficeCommunicationsOnline", "Intune"]})
    };
    let values = vec![domain(&data.spec.domain, true), domain(&initial_domain(data), false)];
    short_list(call.request, &call.query, "domains", values)
}

pub(super) fn skus(call: &mut Call<'_>) -> Answer {
    let data = call.data()?;
    let mut skus: BTreeMap<String, (Value, u32)> = BTreeMap::new();
    for detail in data.users.iter().flat_map(User::licence_details) {
        let id = detail["skuId"].as_str().unwrap_or_default().to_owned();
        skus.entry(id).or_insert((detail, 0)).1 += 1;
    }
    let sku = |(id, (detail, used)): (String, (Value, u32))| {
        json!({"id": format!("{}_{id}", data.spec.id), "skuId": id, "skuPartNumber": detail["skuPartNumber"],
               "capabilityStatus": "Enabled", "appliesTo": "User", "consumedUnits": used,
               "prepaidUnits": {"enabled": used + 25, "suspended": 0, "warning": 0, "lockedOut": 0},
               "servicePlans": detail["servicePlans"]})
    };
    short_list(call.request, &call.query, "subscribedSkus", skus.into_iter().map(sku).collect())
}

pub(super) fn users(call: &mut Call<'_>) -> Answer {
    call.query.list(call.request, "users", &USERS, &call.data()?.users, |_| true)
}
pub(super) fn users_count(call: &mut Call<'_>) -> Answer {
    call.query.count(call.request, &USERS, &call.data()?.users)
}

/// Returns the user that readers see under an id or a UPN.
fn seen_user<'a>(call: &'a Call<'_>, key: &str) -> Result<&'a User, Refused> {
    let data = call.data()?;
    let found = match key.parse::<Uuid>() {
        Ok(id) => data.users.seen(id, call.request.now),
        Err(_) => {
            let ids = data.users.candidates("userPrincipalName", key).unwrap_or_default();
            let mut seen = ids.into_iter().filter_map(|id| data.users.seen(id, call.request.now));
            seen.find(|user| user.upn.eq_ignore_ascii_case(key))
        }
    };
    found.ok_or_else(|| Refused::missing(key))
}

/// Returns the user that both readers see and is in force.
fn live_user(call: &Call<'_>, key: &str) -> Result<User, Refused> {
    let id = seen_user(call, key)?.id;
    call.data()?.users.get(id).cloned().ok_or_else(|| Refused::missing(key))
}

pub(super) fn user(call: &mut Call<'_>) -> Answer {
    call.query.one(call.request, "users", seen_user(call, call.param(0))?)
}

pub(super) fn update_user(call: &mut Call<'_>) -> Answer {
    let mut user = live_user(call, call.param(0))?;
    let Value::Object(body) = call.body()?.clone() else { return Ok(Reply::done()) };
    for (name, value) in &body {
        match (name.as_str(), value.as_bool()) {
            ("accountEnabled", Some(enabled)) => user.enabled = enabled,
            _ => return Err(Refused::bad(format!("Property '{name}' is read-only or can't be set in the lab."))),
        }
    }
    let now = call.request.now;
    call.data_mut()?.put(user, now).map_err(trouble)?;
    Ok(Reply::done())
}

pub(super) fn delete_user(call: &mut Call<'_>) -> Answer {
    let user = live_user(call, call.param(0))?;
    // Deleting somebody who holds a role needs a role that an application rarely has.
    if !user.roles.is_empty() {
        return Err(Refused::forbidden());
    }
    let now = call.request.now;
    super::emulation::delete_user(call.data_mut()?, &user, now).map_err(trouble)?;
    Ok(Reply::done())
}

/// The soft-deleted ones.
pub(super) fn deleted_users(call: &mut Call<'_>) -> Answer {
    let keep = |own: &super::object::Deleted| own.device_id.is_none();
    call.query.list(call.request, "users", &DIRECTORY, &call.data()?.deleted, keep)
}

pub(super) fn licence_details(call: &mut Call<'_>) -> Answer {
    let user = seen_user(call, call.param(0))?;
    let collection = format!("users('{}')/licenseDetails", user.id);
    short_list(call.request, &call.query, &collection, user.licence_details())
}

fn role_of(call: &Call<'_>, name: &str) -> Value {
    let id = derive(&call.emulation.world.name, "directory-role", &format!("{}\n{name}", call.tenant));
    let template = template_of(call, name);
    json!({"@odata.type": "#microsoft.graph.directoryRole", "id": id, "displayName": name, "description": null,
           "deletedDateTime": null, "roleTemplateId": template})
}
fn template_of(call: &Call<'_>, name: &str) -> Value {
    match name {
        "Global Administrator" => json!("62e90394-69f5-4237-9190-012177145e10"),
        "Intune Administrator" => json!("3a2c62db-5318-420d-8d74-23affee5d9d5"),
        "Cloud Device Administrator" => json!("7698a772-787b-4ac8-901f-60d6b08affd2"),
        other => json!(derive(&call.emulation.world.name, "role-template", other)),
    }
}
/// Returns the activated roles with their members.
fn roles_in_use(call: &Call<'_>) -> Result<BTreeMap<String, Vec<Uuid>>, Refused> {
    let mut roles: BTreeMap<String, Vec<Uuid>> = BTreeMap::new();
    for user in call.data()?.users.seen_after(None, call.request.now) {
        for role in &user.roles {
            roles.entry(role.clone()).or_default().push(user.id);
        }
    }
    Ok(roles)
}

pub(super) fn roles(call: &mut Call<'_>) -> Answer {
    let roles = roles_in_use(call)?;
    let values = roles.keys().map(|name| role_of(call, name)).collect();
    short_list(call.request, &call.query, "directoryRoles", values)
}

pub(super) fn role_members(call: &mut Call<'_>) -> Answer {
    let roles = roles_in_use(call)?;
    let wanted = call.param(0);
    let found = roles.iter().find(|(name, _)| role_of(call, name)["id"] == *wanted);
    let (_, members) = found.ok_or_else(|| Refused::missing(wanted))?;
    let data = call.data()?;
    let users = members.iter().filter_map(|id| data.users.seen(*id, call.request.now));
    let values: Vec<Value> = users.map(|user| call.query.show(user, call.request.beta, true)).collect();
    Ok(Reply::ok(json!({"@odata.context": call.request.context("directoryObjects"), "value": values})))
}

pub(super) fn role_assignments(call: &mut Call<'_>) -> Answer {
    let expanded = call.query.expand.clone().unwrap_or_default();
    let expands = |name: &str| expanded.split(',').any(|one| one.trim() == name);
    let mut values = Vec::new();
    let roles = roles_in_use(call)?;
    let users = &call.data()?.users;
    for (name, members) in roles {
        let definition = template_of(call, &name);
        for member in members {
            let id =
                derive(&call.emulation.world.name, "role-assignment", &format!("{}\n{name}\n{member}", call.tenant));
            let mut value = json!({"id": id.simple().to_string(), "principalId": member, "roleDefinitionId": definition,
                                   "directoryScopeId": "/", "appScopeId": null});
            if expands("principal")
                && let Some(user) = users.seen(member, call.request.now)
            {
                value["principal"] = call.query.show(user, call.request.beta, true);
            }
            if expands("roleDefinition") {
                value["roleDefinition"] =
                    json!({"id": definition, "displayName": name, "isBuiltIn": true, "isEnabled": true});
            }
            values.push(value);
        }
    }
    short_list(call.request, &call.query, "roleManagement/directory/roleAssignments", values)
}

/// Answers the groups (and roles) that somebody is in.
pub(super) fn member_of(call: &Call<'_>, id: Uuid, roles: Vec<Value>, of: &str, cast: Option<&str>) -> Answer {
    let data = call.data()?;
    let request = call.request;
    let groups = data.groups_seen(id, request.now);
    let wanted = |kind: &str| cast.is_none_or(|cast| cast == kind);
    let mut values: BTreeMap<Uuid, Value> = BTreeMap::new();
    if wanted("microsoft.graph.group") {
        call.query.check_select::<super::object::Group>(request.beta)?;
        let seen = groups.iter().filter_map(|group| data.groups.seen(*group, request.now));
        values.extend(seen.map(|group| (group.id, call.query.show(group, request.beta, true))));
    }
    if wanted("microsoft.graph.directoryRole") {
        let id = |role: &Value| role["id"].as_str().and_then(|id| id.parse().ok()).unwrap_or_default();
        values.extend(roles.into_iter().map(|role| (id(&role), role)));
    }
    if let Some(filter) = &call.query.filter {
        values.retain(|_, value| filter.matches(&|name| value.get(name).cloned()));
    }
    let after = |start: Option<Uuid>| {
        let from = start.map_or(std::ops::Bound::Unbounded, std::ops::Bound::Excluded);
        values.range((from, std::ops::Bound::Unbounded)).map(|(id, value)| (*id, value.clone()))
    };
    call.query.mixed(request, of, &DIRECTORY, after)
}

pub(super) fn user_member_of(call: &mut Call<'_>) -> Answer {
    let user = seen_user(call, call.param(0))?;
    let roles = user.roles.iter().map(|name| role_of(call, name)).collect();
    let cast = call.params.get(1).map(String::as_str);
    member_of(call, user.id, roles, "directoryObjects", cast)
}

/// Devices whose registered owner somebody is.
pub(super) fn owned_devices(call: &mut Call<'_>) -> Answer {
    let user = seen_user(call, call.param(0))?.id;
    let data = call.data()?;
    let (request, query) = (call.request, &call.query);
    query.check_select::<super::object::Device>(request.beta)?;
    let after = |start: Option<Uuid>| {
        let own = data.devices.seen_after(start, request.now).filter(move |device| device.registered_by == Some(user));
        own.map(move |device| (device.id, query.show(device, request.beta, true)))
    };
    query.mixed(request, "directoryObjects", &DIRECTORY, after)
}

pub(super) fn by_ids(call: &mut Call<'_>) -> Answer {
    let body = call.body()?;
    let ids = body["ids"].as_array().ok_or_else(|| Refused::bad("The required parameter 'ids' is missing."))?;
    if ids.len() > 1000 {
        return Err(Refused::bad("The number of ids exceeds the maximum of 1000."));
    }
    let types: Vec<&str> = body["types"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let wanted = |kind: &str| types.is_empty() || types.contains(&kind) || types.contains(&"directoryObject");
    let data = call.data()?;
    let now = call.request.now;
    let plain = Query::default();
    let mut values = Vec::new();
    for id in ids.iter().filter_map(Value::as_str).filter_map(|id| id.parse::<Uuid>().ok()) {
        if let Some(device) = data.devices.seen(id, now).filter(|_| wanted("device")) {
            values.push(plain.show(device, call.request.beta, true));
        } else if let Some(user) = data.users.seen(id, now).filter(|_| wanted("user")) {
            values.push(plain.show(user, call.request.beta, true));
        } else if let Some(group) = data.groups.seen(id, now).filter(|_| wanted("group")) {
            values.push(plain.show(group, call.request.beta, true));
        }
    }
    Ok(Reply::ok(json!({"@odata.context": call.request.context("directoryObjects"), "value": values})))
}

/// Returns an object's reference in a request's body, `{"@odata.id": "…/{id}"}`.
pub(super) fn reference(body: &Value) -> Result<Uuid, Refused> {
    let text = body["@odata.id"].as_str().ok_or_else(|| Refused::bad("The property '@odata.id' is missing."))?;
    let last = text.trim_end_matches('/').rsplit(['/', '(']).next().unwrap_or_default();
    let last = last.trim_matches(|c| c == '\'' || c == ')');
    last.parse()
        .map_err(|_| Refused::bad(format!("Invalid URL format specified in @odata.bind for members: '{text}'.")))
}

/// Returns an object of the directory with its type, as a member of something.
pub(super) fn shown_member(call: &Call<'_>, id: Uuid, cast: Option<&str>) -> Option<Value> {
    fn show<T: Object>(call: &Call<'_>, object: Option<&T>, cast: Option<&str>) -> Option<Value> {
        let object = object.filter(|_| cast.is_none_or(|cast| cast == T::TYPE))?;
        Some(call.query.show(object, call.request.beta, cast.is_none()))
    }
    let data = call.data().ok()?;
    let now = call.request.now;
    let found = show(call, data.devices.seen(id, now), cast).or_else(|| show(call, data.users.seen(id, now), cast));
    // A member that readers don't see yet, or no longer, is left out.
    found.or_else(|| show(call, data.groups.seen(id, now), cast))
}
