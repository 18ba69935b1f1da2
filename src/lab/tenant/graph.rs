//! Microsoft Graph: which operations there are, who may call them, what they cost; `$batch`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::emulation::Emulation;
use super::permissions;
use super::query::Query;
use super::reply::{Answer, Refused, Reply, Request, segments};
use super::state::TenantData;
use super::throttle::{Charge, Service};
use super::{apps, autopilot, devices, directory, enrolment, groups, intune, policies};
use crate::lab::folder::Lab;
use crate::model::Problem;

/// One call that is being answered.
pub(super) struct Call<'a> {
    pub(super) emulation: &'a mut Emulation,
    pub(super) lab: &'a Lab,
    /// Tenant by the world's name.
    pub(super) tenant: &'a str,
    pub(super) request: &'a Request,
    pub(super) query: Query,
    /// What stands in the path's places.
    pub(super) params: Vec<String>,
    /// The token's permissions.
    pub(super) roles: &'a [String],
}

impl Call<'_> {
    /// Returns the tenant's data.
    pub(super) fn data(&self) -> Result<&TenantData, Refused> {
        self.emulation.tenants.get(self.tenant).ok_or_else(|| Refused::missing(self.tenant))
    }
    /// Returns the tenant's data, for changes.
    pub(super) fn data_mut(&mut self) -> Result<&mut TenantData, Refused> {
        self.emulation.tenants.get_mut(self.tenant).ok_or_else(|| Refused::missing(self.tenant))
    }
    /// Returns what stands in a place of the path.
    pub(super) fn param(&self, at: usize) -> &str {
        self.params.get(at).map_or("", String::as_str)
    }
    /// Returns an object id that stands in a place of the path.
    pub(super) fn id(&self, at: usize) -> Result<Uuid, Refused> {
        let text = self.param(at);
        text.parse().map_err(|_| Refused::bad(format!("Invalid object identifier '{text}'.")))
    }
    /// Says whether the token has one of some permissions.
    pub(super) fn has(&self, permissions: &[&str]) -> bool {
        self.roles.iter().any(|role| permissions.contains(&role.as_str()))
    }
    /// Returns the body.
    pub(super) fn body(&self) -> Result<&Value, Refused> {
        self.request.body.as_ref().filter(|body| body.is_object()).ok_or_else(|| {
            Refused::gateway("Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid JSON format.")
        })
    }
}

/// The lab's own trouble, such as a full disk, as the service would show its.
pub(super) fn trouble(problem: Problem) -> Refused {
    tracing::warn!(%problem, detail = problem.detail, "the lab can't go on");
    Refused::new(503, "ServiceUnavailable", format!("The lab can't go on: {problem}"))
}

/// An operation.
struct Operation {
    /// Row in the table of permissions.
    id: &'static str,
    method: &'static str,
    /// Path; `{}` is anything that isn't a `$` segment, `{cast}` a type.
    path: &'static str,
    beta: bool,
    service: Service,
    /// Resource units.
    cost: u32,
    run: fn(&mut Call<'_>) -> Answer,
}

macro_rules! operations {
    ($($method:ident $version:ident $path:literal, $id:literal, $service:ident, $cost:literal => $run:path;)*) => {
        const OPERATIONS: &[Operation] = &[$(Operation {
            id: $id,
            method: stringify!($method),
            path: $path,
            beta: operations!(@ $version),
            service: Service::$service,
            cost: $cost,
            run: $run,
        }),*];
    };
    (@ both) => { false };
    (@ beta) => { true };
}

operations! {
    GET both "/organization", "organization-list", Directory, 1 => directory::organizations;
    GET both "/organization/{}", "organization-get", Directory, 1 => directory::organization;
    GET both "/domains", "domain-list", Directory, 1 => directory::domains;
    GET both "/subscribedSkus", "subscribedsku-list", Directory, 3 => directory::skus;
    GET both "/applications", "application-list", Directory, 1 => apps::applications;
    GET both "/applications/{}", "application-get", Directory, 1 => apps::application;
    GET both "/servicePrincipals", "serviceprincipal-list", Directory, 1 => apps::service_principals;
    GET both "/servicePrincipals/{}", "serviceprincipal-get", Directory, 1 => apps::service_principal;
    GET both "/servicePrincipals/{}/appRoleAssignments", "serviceprincipal-list-approleassignments", Directory, 2 => apps::role_assignments_of_app;
    GET both "/directoryRoles", "directoryrole-list", Directory, 1 => directory::roles;
    GET both "/directoryRoles/{}/members", "directoryrole-list-members", Directory, 2 => directory::role_members;
    GET both "/roleManagement/directory/roleAssignments", "rolemanagement-list-roleassignments", Directory, 2 => directory::role_assignments;
    GET both "/users", "user-list", Directory, 2 => directory::users;
    GET both "/users/$count", "user-list", Directory, 2 => directory::users_count;
    GET both "/users/{}", "user-get", Directory, 1 => directory::user;
    PATCH both "/users/{}", "user-update", Directory, 1 => directory::update_user;
    DELETE both "/users/{}", "user-delete", Directory, 1 => directory::delete_user;
    GET both "/users/{}/licenseDetails", "user-list-licensedetails", Directory, 2 => directory::licence_details;
    GET both "/users/{}/memberOf", "user-list-memberof", Directory, 2 => directory::user_member_of;
    GET both "/users/{}/memberOf/{cast}", "user-list-memberof", Directory, 2 => directory::user_member_of;
    GET both "/users/{}/transitiveMemberOf", "user-list-transitivememberof", Directory, 5 => directory::user_member_of;
    GET both "/users/{}/transitiveMemberOf/{cast}", "user-list-transitivememberof", Directory, 5 => directory::user_member_of;
    GET both "/users/{}/ownedDevices", "user-list-owneddevices", Directory, 1 => directory::owned_devices;
    GET both "/directory/deletedItems/microsoft.graph.user", "directory-deleteditems-list-user", Directory, 1 => directory::deleted_users;
    GET beta "/directory/deletedItems/microsoft.graph.device", "directory-deleteditems-list-device", Directory, 1 => devices::deleted;
    POST both "/directoryObjects/getByIds", "directoryobject-getbyids", Directory, 3 => directory::by_ids;

    GET both "/groups", "group-list", Directory, 1 => groups::list;
    GET both "/groups/$count", "group-list", Directory, 1 => groups::count;
    GET both "/groups/{}", "group-get", Directory, 1 => groups::get;
    GET both "/groups/{}/members", "group-list-members", Directory, 3 => groups::members;
    GET both "/groups/{}/members/{cast}", "group-list-members", Directory, 3 => groups::members;
    GET both "/groups/{}/transitiveMembers", "group-list-transitivemembers", Directory, 5 => groups::members;
    GET both "/groups/{}/transitiveMembers/{cast}", "group-list-transitivemembers", Directory, 5 => groups::members;
    POST both "/groups/{}/members/$ref", "group-post-members", Directory, 1 => groups::add_member;
    DELETE both "/groups/{}/members/{}/$ref", "group-delete-members", Directory, 1 => groups::remove_member;
    DELETE both "/groups/{}/members/{}", "group-delete-member-object", Directory, 1 => groups::delete_member_object;

    GET both "/devices", "device-list", Directory, 1 => devices::list;
    GET both "/devices/$count", "device-list", Directory, 1 => devices::count;
    GET both "/devices/{}", "device-get", Directory, 1 => devices::get;
    PATCH both "/devices/{}", "device-update", Directory, 1 => devices::update;
    DELETE both "/devices/{}", "device-delete", Directory, 1 => devices::delete;
    GET both "/devices/{}/memberOf", "device-list-memberof", Directory, 2 => devices::member_of;
    GET both "/devices/{}/memberOf/{cast}", "device-list-memberof", Directory, 2 => devices::member_of;
    GET both "/devices/{}/transitiveMemberOf", "device-list-transitivememberof", Directory, 5 => devices::member_of;
    GET both "/devices/{}/transitiveMemberOf/{cast}", "device-list-transitivememberof", Directory, 5 => devices::member_of;
    GET both "/devices/{}/registeredOwners", "device-list-registeredowners", Directory, 1 => devices::owners;
    GET both "/devices/{}/registeredUsers", "device-list-registeredusers", Directory, 1 => devices::owners;
    GET both "/directory/deviceLocalCredentials", "devicelocalcredentialinfo-list", Directory, 1 => devices::laps_list;
    GET both "/directory/deviceLocalCredentials/{}", "devicelocalcredentialinfo-get", Directory, 1 => devices::laps;
    GET both "/informationProtection/bitlocker/recoveryKeys", "bitlocker-list-recoverykeys", Directory, 1 => devices::recovery_keys;
    GET both "/informationProtection/bitlocker/recoveryKeys/{}", "bitlockerrecoverykey-get", Directory, 1 => devices::recovery_key;

    GET both "/deviceManagement", "devicemanagement-get", Intune, 1 => intune::service;
    GET both "/deviceManagement/managedDevices", "manageddevice-list", Intune, 1 => intune::list;
    GET both "/deviceManagement/managedDevices/{}", "manageddevice-get", Intune, 1 => intune::get;
    DELETE both "/deviceManagement/managedDevices/{}", "manageddevice-delete", Intune, 1 => intune::delete;
    GET both "/deviceManagement/managedDevices/{}/users", "manageddevice-list-users", Intune, 1 => intune::users;
    POST both "/deviceManagement/managedDevices/{}/users", "manageddevice-post-users-ref", Intune, 1 => intune::users_without_ref;
    POST beta "/deviceManagement/managedDevices/{}/users/$ref", "manageddevice-post-users-ref", Intune, 1 => intune::set_user;
    DELETE beta "/deviceManagement/managedDevices/{}/users/$ref", "manageddevice-delete-users-ref", Intune, 1 => intune::clear_user;
    POST both "/deviceManagement/managedDevices/{}/syncDevice", "manageddevice-syncdevice", Intune, 1 => intune::sync;

    GET both "/deviceManagement/windowsAutopilotDeviceIdentities", "windowsautopilotdeviceidentity-list", IntuneConfig, 1 => autopilot::list;
    GET both "/deviceManagement/windowsAutopilotDeviceIdentities/{}", "windowsautopilotdeviceidentity-get", IntuneConfig, 1 => autopilot::get;
    DELETE both "/deviceManagement/windowsAutopilotDeviceIdentities/{}", "windowsautopilotdeviceidentity-delete", IntuneConfig, 1 => autopilot::delete;
    POST both "/deviceManagement/windowsAutopilotDeviceIdentities/{}/updateDeviceProperties", "windowsautopilotdeviceidentity-updatedeviceproperties", IntuneConfig, 1 => autopilot::update;
    GET both "/deviceManagement/importedWindowsAutopilotDeviceIdentities", "importedwindowsautopilotdeviceidentity-list", IntuneConfig, 1 => autopilot::imports;
    POST both "/deviceManagement/importedWindowsAutopilotDeviceIdentities", "importedwindowsautopilotdeviceidentity-create", IntuneConfig, 1 => autopilot::import;
    POST both "/deviceManagement/importedWindowsAutopilotDeviceIdentities/import", "importedwindowsautopilotdeviceidentity-import", IntuneConfig, 1 => autopilot::import_many;
    GET both "/deviceManagement/importedWindowsAutopilotDeviceIdentities/{}", "importedwindowsautopilotdeviceidentity-get", IntuneConfig, 1 => autopilot::imported;
    DELETE both "/deviceManagement/importedWindowsAutopilotDeviceIdentities/{}", "importedwindowsautopilotdeviceidentity-delete", IntuneConfig, 1 => autopilot::forget_import;
    GET beta "/deviceManagement/windowsAutopilotSettings", "windowsautopilotsettings-get", IntuneConfig, 1 => autopilot::settings;
    POST beta "/deviceManagement/windowsAutopilotSettings/sync", "windowsautopilotsettings-sync", IntuneConfig, 1 => autopilot::sync;

    GET both "/deviceManagement/deviceConfigurations", "deviceconfiguration-list", IntuneConfig, 1 => policies::profiles;
    GET both "/deviceManagement/deviceConfigurations/{}", "deviceconfiguration-get", IntuneConfig, 1 => policies::profile;
    GET both "/deviceManagement/deviceConfigurations/{}/assignments", "deviceconfigurationassignment-list", IntuneConfig, 1 => policies::assignments;
    POST both "/deviceManagement/deviceConfigurations/{}/assign", "deviceconfiguration-assign", IntuneConfig, 1 => policies::assign;
    GET both "/deviceManagement/deviceEnrollmentConfigurations", "deviceenrollmentconfiguration-list", IntuneConfig, 1 => enrolment::list;
    GET both "/deviceManagement/deviceEnrollmentConfigurations/{}", "deviceenrollmentlimitconfiguration-get", IntuneConfig, 1 => enrolment::get;

    GET both "/deviceManagement/deviceEnrollmentConfigurations/{}/assignments", "deviceenrollmentconfiguration-assignments", IntuneConfig, 1 => enrolment::assignments;

    GET both "/policies/deviceRegistrationPolicy", "deviceregistrationpolicy-get", Directory, 1 => policies::registration;
    GET beta "/policies/mobileDeviceManagementPolicies", "mobiledevicemanagementpolicies-list", Directory, 1 => policies::none;
    GET both "/policies/crossTenantAccessPolicy/default", "crosstenantaccesspolicy-default-get", Directory, 1 => policies::cross_tenant;
    GET both "/policies/crossTenantAccessPolicy/partners", "crosstenantaccesspolicy-list-partners", Directory, 1 => policies::cross_tenant_partners;
    GET both "/identity/conditionalAccess/policies", "conditionalaccesspolicy-list", ConditionalAccess, 1 => policies::conditional_access;
    GET both "/identity/conditionalAccess/policies/{}", "conditionalaccesspolicy-get", ConditionalAccess, 1 => policies::conditional_access_policy;
    PATCH both "/identity/conditionalAccess/policies/{}", "conditionalaccesspolicy-update", ConditionalAccess, 1 => policies::update_conditional_access;
    GET both "/identity/conditionalAccess/namedLocations", "conditionalaccess-namedlocations-list", ConditionalAccess, 1 => policies::named_locations;
}

/// What can be expanded, by operation.
const EXPANDS: &[(&str, &str)] = &[
    ("rolemanagement-list-roleassignments", "roleDefinition"),
    ("rolemanagement-list-roleassignments", "principal"),
    ("deviceconfiguration-list", "assignments"),
    ("deviceconfiguration-get", "assignments"),
    ("deviceenrollmentconfiguration-list", "assignments"),
];

/// Returns what stands in the places of a pattern, or how many segments fit.
fn fit(pattern: &str, segments: &[String]) -> Result<Vec<String>, usize> {
    let mut params = Vec::new();
    let mut wanted = pattern.split('/').skip(1);
    for (at, own) in segments.iter().enumerate() {
        match wanted.next() {
            Some("{}") if !own.starts_with('$') => params.push(own.clone()),
            Some("{cast}") if own.starts_with("microsoft.graph.") => params.push(own.clone()),
            Some(word) if word.eq_ignore_ascii_case(own) => {}
            _ => return Err(at),
        }
    }
    if wanted.next().is_none() { Ok(params) } else { Err(segments.len()) }
}

/// Finds the operation of a request.
fn find(request: &Request, segments: &[String]) -> Result<(&'static Operation, Vec<String>), Refused> {
    let mut reached = 0;
    let mut path_known = false;
    for operation in OPERATIONS {
        match fit(operation.path, segments) {
            Ok(_) if operation.beta && !request.beta => reached = reached.max(segments.len().saturating_sub(1)),
            Ok(params) if operation.method == request.method => return Ok((operation, params)),
            Ok(_) => path_known = true,
            Err(at) => reached = reached.max(at),
        }
    }
    if path_known {
        return Err(Refused::new(
            405,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
        ));
    }
    let unknown = segments.get(reached).or(segments.last()).map_or("", String::as_str);
    Err(Refused::gateway(format!("Resource not found for the segment '{unknown}'.")))
}

/// Checks the token's permissions against an operation's row.
fn permitted(operation: &Operation, roles: &[String]) -> Result<(), Refused> {
    let row = permissions::ROWS.iter().find(|(id, ..)| *id == operation.id);
    let (accepted, all) = row.map_or((&[][..], false), |(_, accepted, all)| (*accepted, *all));
    let has = |permission: &&&str| roles.iter().any(|role| role == **permission);
    let enough = if all { accepted.iter().all(|p| has(&p)) } else { accepted.iter().any(|p| has(&p)) };
    if enough {
        return Ok(());
    }
    match operation.service {
        Service::Intune | Service::IntuneConfig => {
            let message = format!(
                "Application is not authorized to perform this operation. Application must have one of the following scopes: {}",
                accepted.join(", ")
            );
            Err(Refused::intune(403, "Forbidden", message))
        }
        Service::ConditionalAccess => {
            let message = format!(
                "You cannot perform the requested operation, required scopes are missing in the token. Required: {}",
                accepted.join(", ")
            );
            Err(Refused::new(403, "AccessDenied", message))
        }
        Service::Directory | Service::Reports => Err(Refused::forbidden()),
    }
}

/// Answers one request of a token.
pub(super) fn answer(
    emulation: &mut Emulation,
    lab: &Lab,
    (tenant, app, roles): (&str, &str, &[String]),
    request: &Request,
) -> Reply {
    let answer = (|| {
        let segments = segments(&request.path).ok_or_else(|| Refused::gateway("The path isn't well encoded."))?;
        if segments.len() == 1 && segments[0] == "$batch" && request.method == "POST" {
            emulation.count("POST /$batch");
            return batch(emulation, lab, (tenant, app, roles), request);
        }
        let (operation, params) = find(request, &segments)?;
        let step = if request.step { "$batch " } else { "" };
        emulation.count(&format!("{step}{} {}", operation.method, operation.path));
        permitted(operation, roles)?;
        let query = Query::parse(request)?;
        if let Some(expand) = &query.expand
            && !EXPANDS.contains(&(operation.id, expand.as_str()))
        {
            let message = format!("Parsing OData Select and Expand failed: '{expand}' can't be expanded here.");
            return Err(Refused::gateway(message));
        }
        let data = emulation.tenants.get(tenant).ok_or_else(|| Refused::missing(tenant))?;
        let mut cost = operation.cost;
        if query.select.is_some() {
            cost = cost.saturating_sub(1);
        }
        if query.top.is_some_and(|top| top < 20) {
            cost = cost.saturating_sub(1);
        }
        let charge = Charge {
            tenant,
            app,
            service: operation.service,
            write: operation.method != "GET" && operation.id != "directoryobject-getbyids",
            cost: (cost + u32::from(query.expand.is_some())).max(1),
            users: data.user_count,
        };
        let passed = lab.passed().as_secs_f64();
        emulation.throttle.charge(&charge, &data.spec.service, passed).map_err(|retry_after| {
            let message =
                "This request is throttled. Please try again after the value specified in the Retry-After header.";
            match operation.service {
                Service::Intune | Service::IntuneConfig => {
                    Refused { retry_after, ..Refused::intune(429, "TooManyRequests", "Too many requests.") }
                }
                _ => Refused { retry_after, ..Refused::new(429, "TooManyRequests", message) },
            }
        })?;
        (operation.run)(&mut Call { emulation, lab, tenant, request, query, params, roles })
    })();
    answer.unwrap_or_else(|refused| refused.reply(request))
}

/// Answers up to 20 requests, each on its own (msgraph.md 3).
fn batch(emulation: &mut Emulation, lab: &Lab, caller: (&str, &str, &[String]), request: &Request) -> Answer {
    let body = request.body.as_ref().and_then(|body| body["requests"].as_array());
    let steps = body.ok_or_else(|| Refused::gateway("Invalid batch payload format."))?;
    if steps.len() > 20 {
        let message = "Number of batch request steps exceeds the maximum value of 20.";
        return Err(Refused::gateway(message));
    }
    let mut ids = BTreeSet::new();
    for step in steps {
        let id = step["id"].as_str().filter(|id| !id.is_empty());
        if !id.is_some_and(|id| ids.insert(id)) {
            return Err(Refused::gateway("Invalid batch request: ids have to be there and unique."));
        }
        if step["method"].as_str().is_none() || step["url"].as_str().is_none() {
            return Err(Refused::gateway("Invalid batch request: method and url have to be there."));
        }
    }
    let mut failed: BTreeMap<&str, bool> = BTreeMap::new();
    let mut answers = Vec::with_capacity(steps.len());
    for (number, step) in steps.iter().enumerate() {
        let id = step["id"].as_str().unwrap_or_default();
        let header = |name: &str| {
            let headers = step["headers"].as_object()?;
            headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).and_then(|(_, value)| value.as_str())
        };
        let url = step["url"].as_str().unwrap_or_default();
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let sub = Request {
            method: step["method"].as_str().unwrap_or_default().to_uppercase(),
            path: format!("/{}", path.trim_start_matches('/')),
            // Batch URLs hold spaces as they are; links and tokens are made from what is encoded.
            query: query.replace(' ', "%20"),
            eventual: header("ConsistencyLevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual")),
            user_agent: request.user_agent || header("User-Agent").is_some(),
            body: step.get("body").cloned(),
            id: Uuid::from_u128(request.id.as_u128().wrapping_add(number as u128 + 1)),
            client_id: header("client-request-id").map(str::to_owned).or_else(|| request.client_id.clone()),
            step: true,
            ..request.clone()
        };
        let mut depends = step["dependsOn"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let reply = if depends.any(|on| failed.get(on).copied().unwrap_or(true)) {
            Refused::new(424, "FailedDependency", "A request that this one depends on failed.").reply(&sub)
        } else if sub.body.is_some() && header("Content-Type").is_none() {
            Refused::gateway("Invalid batch request: a body needs the header Content-Type.").reply(&sub)
        } else if sub.path == "/$batch" {
            Refused::gateway("Resource not found for the segment '$batch'.").reply(&sub)
        } else {
            answer(emulation, lab, caller, &sub)
        };
        failed.insert(id, reply.status >= 400);
        let mut headers = serde_json::Map::new();
        headers.insert("request-id".to_owned(), sub.id.to_string().into());
        if let Some(seconds) = reply.retry_after {
            headers.insert("Retry-After".to_owned(), seconds.to_string().into());
        }
        if reply.body.is_some() {
            headers.insert("Content-Type".to_owned(), "application/json".into());
        }
        answers.push(json!({"id": id, "status": reply.status, "headers": headers, "body": reply.body}));
    }
    // Answers come in no order that could be relied on.
    answers.reverse();
    Ok(Reply::ok(json!({"responses": answers})))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Catches an operation without a row of permissions: it would be open to nobody.
    #[test]
    fn every_operation_has_its_permissions() {
        for operation in OPERATIONS {
            let rows = permissions::ROWS.iter().filter(|(id, ..)| *id == operation.id).count();
            assert_eq!(rows, 1, "{}", operation.id);
        }
    }

    /// Catches rows that drift from Microsoft's data, where that is at hand, but for the known anomalies.
    #[test]
    fn agrees_with_the_published_permissions() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/graph/permissions-by-operation.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: the published permissions aren't here");
            return;
        };
        let published: Value = serde_json::from_str(&text).expect("JSON");
        let anomalies = ["user-delete", "user-update", "manageddevice-delete", "devicelocalcredentialinfo-get"];
        let mut compared = 0;
        for (id, accepted, _) in permissions::ROWS.iter().filter(|(id, ..)| !anomalies.contains(id)) {
            let operations = published["operations"].as_array().expect("a list");
            let Some(own) = operations.iter().find(|o| o["id"] == *id && o["path"].as_str().is_some()) else {
                continue;
            };
            let Some(list) = own["application"]["accepted"].as_array().filter(|_| *id != "group-post-members") else {
                continue;
            };
            let list: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
            assert_eq!(*accepted, list, "{id}");
            compared += 1;
        }
        assert!(compared > 50, "{compared}");
    }

    /// Catches a `$ref` that is taken for an id, and a beta path that answers under v1.0.
    #[test]
    fn finds_the_operation() {
        let request = |method: &str, beta: bool| Request {
            method: method.to_owned(),
            beta,
            base: String::new(),
            path: String::new(),
            query: String::new(),
            eventual: false,
            user_agent: true,
            body: None,
            id: Uuid::nil(),
            client_id: None,
            now: jiff::Timestamp::UNIX_EPOCH,
            step: false,
        };
        let find = |method: &str, beta: bool, path: &str| {
            find(&request(method, beta), &segments(path).expect("a path")).map(|(operation, _)| operation.id)
        };
        assert_eq!(find("DELETE", false, "/groups/g/members/m/$ref"), Ok("group-delete-members"));
        assert_eq!(find("DELETE", false, "/groups/g/members/m"), Ok("group-delete-member-object"));
        assert_eq!(find("GET", false, "/groups/g/members/microsoft.graph.device"), Ok("group-list-members"));
        assert_eq!(
            find("POST", true, "/deviceManagement/managedDevices/d/users/$ref"),
            Ok("manageddevice-post-users-ref")
        );
        let refused = find("POST", false, "/deviceManagement/managedDevices/d/users/$ref").expect_err("beta only");
        assert_eq!((refused.status, refused.message.as_str()), (400, "Resource not found for the segment '$ref'."));
        assert_eq!(find("GET", false, "/nothing").expect_err("unknown").status, 400);
        assert_eq!(find("PUT", false, "/devices").expect_err("method").status, 405);
    }
}
