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

/// App roles of Microsoft Graph (app-roles.json): the permissions that worlds usually grant.
const APP_ROLES: &[(&str, &str)] = &[
    ("Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"),
    ("BitlockerKey.ReadBasic.All", "f690d423-6b29-4d04-98c6-694c42282419"),
    ("Device.Read.All", "7438b122-aefc-4978-80ed-43db9fcc7715"),
    ("Device.ReadWrite.All", "1138cb37-bd11-4084-a2b7-9f71582aeddb"),
    ("DeviceLocalCredential.ReadBasic.All", "db51be59-e728-414b-b800-e0f010df1a79"),
    ("DeviceManagementConfiguration.Read.All", "dc377aa6-52d8-4e23-b271-2a7ae04cedf3"),
    ("DeviceManagementConfiguration.ReadWrite.All", "9241abd9-d0e6-425a-bd4f-47ba86e767a4"),
    ("DeviceManagementManagedDevices.Read.All", "2f51be20-0bb4-4fed-bf7b-db946066c75e"),
    ("DeviceManagementManagedDevices.ReadWrite.All", "243333ab-4d21-40cb-a475-36241daa0842"),
    ("DeviceManagementServiceConfig.Read.All", "06a5fe6d-c49d-46a7-b082-56b1b14103c7"),
    ("DeviceManagementServiceConfig.ReadWrite.All", "5ac13192-7ace-4fcf-b828-1a26f28068ee"),
    ("Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61"),
    ("GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6"),
    ("GroupMember.ReadWrite.All", "dbaae8cf-10b5-4b86-a4a1-f871c94c6695"),
    ("Organization.Read.All", "498476ce-e0fe-48b0-b801-37ba7e2685c6"),
    ("Policy.Read.All", "246dd0d5-5bd0-4def-940b-0421030a5b68"),
    ("Policy.Read.DeviceConfiguration", "bdba4817-6ba1-4a7c-8a01-be9bc7c242dd"),
    ("Policy.ReadWrite.ConditionalAccess", "01c0a623-fc9b-48e9-b794-0756f8e8f067"),
    ("User.DeleteRestore.All", "eccc023d-eccf-4e7b-9683-8813ab36cecc"),
    ("User.Read.All", "df021288-bdef-4463-88db-98f22de89214"),
];
/// Client id of Microsoft Graph itself.
const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";

/// Returns a value with the properties that are selected, less those that are shown only then.
fn project(query: &Query, value: Value, hidden: &[&str]) -> Value {
    let Value::Object(map) = value else { return value };
    let kept = map.into_iter().filter(|(name, _)| match &query.select {
        Some(names) => names.contains(name),
        None => !hidden.contains(&name.as_str()),
    });
    Value::Object(kept.collect())
}

/// Answers a short list that was made for the request, filtered and in one page.
fn short_list(request: &Request, query: &Query, collection: &str, values: Vec<Value>) -> Answer {
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
        "mobileDeviceManagementAuthority": "intune",
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

fn app_role(world: &str, permission: &str) -> Uuid {
    let known = APP_ROLES.iter().find(|(name, _)| *name == permission).and_then(|(_, id)| id.parse().ok());
    known.unwrap_or_else(|| derive(world, "app-role", permission))
}
fn principal(call: &Call<'_>, app: &str) -> Uuid {
    derive(&call.emulation.world.name, "service-principal", &format!("{}\n{}", call.tenant, app.to_lowercase()))
}

fn applications_of(call: &Call<'_>) -> Result<Vec<Value>, Refused> {
    let world = &call.emulation.world.name;
    let app = |app: &crate::lab::world::WorldApp| {
        let access: Vec<Value> =
            app.permissions.iter().map(|p| json!({"id": app_role(world, p), "type": "Role"})).collect();
        json!({"id": derive(world, "application", &format!("{}\n{}", call.tenant, app.client_id)), "appId": app.client_id,
               "displayName": "opsole", "signInAudience": "AzureADMyOrg", "deletedDateTime": null,
               "requiredResourceAccess": [{"resourceAppId": GRAPH_APP, "resourceAccess": access}]})
    };
    Ok(call.data()?.spec.apps.iter().map(app).collect())
}
fn principals_of(call: &Call<'_>) -> Result<Vec<Value>, Refused> {
    let world = &call.emulation.world.name;
    let own = |app: &str, name: &str, roles: Vec<Value>| {
        json!({"id": principal(call, app), "appId": app, "displayName": name, "accountEnabled": true,
               "servicePrincipalType": "Application", "appRoles": roles, "deletedDateTime": null})
    };
    let role = |name: &str| {
        json!({"id": app_role(world, name), "value": name, "allowedMemberTypes": ["Application"], "isEnabled": true,
               "displayName": name, "description": name})
    };
    let mut values = vec![own(GRAPH_APP, "Microsoft Graph", APP_ROLES.iter().map(|(name, _)| role(name)).collect())];
    values.extend(call.data()?.spec.apps.iter().map(|app| own(&app.client_id, "opsole", Vec::new())));
    Ok(values)
}
/// Returns the value with an id or an `(appId='…')` key.
fn keyed(values: Vec<Value>, key: &str) -> Result<Value, Refused> {
    let app = key.strip_prefix("(appId='").and_then(|key| key.strip_suffix("')"));
    let found = values.into_iter().find(|value| match app {
        Some(app) => value["appId"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(app)),
        None => value["id"].as_str().is_some_and(|own| own.eq_ignore_ascii_case(key)),
    });
    found.ok_or_else(|| Refused::missing(key))
}

pub(super) fn applications(call: &mut Call<'_>) -> Answer {
    short_list(call.request, &call.query, "applications", applications_of(call)?)
}
pub(super) fn application(call: &mut Call<'_>) -> Answer {
    Ok(Reply::ok(project(&call.query, keyed(applications_of(call)?, call.param(0))?, &[])))
}
pub(super) fn service_principals(call: &mut Call<'_>) -> Answer {
    short_list(call.request, &call.query, "servicePrincipals", principals_of(call)?)
}
pub(super) fn service_principal(call: &mut Call<'_>) -> Answer {
    Ok(Reply::ok(project(&call.query, keyed(principals_of(call)?, call.param(0))?, &[])))
}
pub(super) fn role_assignments_of_app(call: &mut Call<'_>) -> Answer {
    let own = keyed(principals_of(call)?, call.param(0))?;
    let world = &call.emulation.world.name;
    let app = call.data()?.spec.apps.iter().find(|app| own["appId"] == *app.client_id);
    let values = app.into_iter().flat_map(|app| &app.permissions).map(|permission| {
        let id = derive(world, "app-role-assignment", &format!("{}\n{permission}", own["id"]));
        json!({"id": id.simple().to_string(), "appRoleId": app_role(world, permission), "principalId": own["id"],
               "principalType": "ServicePrincipal", "principalDisplayName": own["displayName"],
               "resourceId": principal(call, GRAPH_APP), "resourceDisplayName": "Microsoft Graph"})
    });
    short_list(call.request, &call.query, "appRoleAssignments", values.collect())
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
