//! What decides whether devices may join and enrol, and the application itself, as
//! [`state`](crate::state) values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use uuid::Uuid;

use super::{Shaped, date, filled, guid, guids, is_type, list, must, owned, sorted, target, text, texts};
use crate::model::{GroupId, Known, PolicyId, TenantId};
use crate::msgraph::call::GRAPH_APP;
use crate::state::{
    AppCredential, AppRegistration, ConditionalAccessPolicy, EnrolmentSettings, InOut, NamedLocation, StatusPage,
};

// --- the application

/// A service principal: what it is asked for is read apart.
pub(in crate::msgraph) fn service_principal(value: &Value) -> Shaped<AppRegistration> {
    Ok(Some(AppRegistration {
        app_id: owned(value, "appId"),
        name: owned(value, "displayName"),
        // Absent isn't enabled: an account isn't taken for enabled on that ground either.
        enabled: super::flag(value, "accountEnabled"),
        principal: must(value, "id")?,
        requested: Known::Absent,
        assigned: Vec::new(),
        credentials: Known::Absent,
    }))
}

/// Names of application permissions by the id of their role, and the resource that they are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::msgraph) struct AppRoles {
    /// Object id of Graph's service principal.
    pub(in crate::msgraph) resource: Uuid,
    names: BTreeMap<Uuid, String>,
}

impl AppRoles {
    /// Returns the name of a permission, or its id where this cloud's Graph doesn't know it.
    fn name(&self, id: Uuid) -> String {
        self.names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }
    /// Returns the permissions on Graph among what a service principal is granted.
    pub(in crate::msgraph) fn assigned(&self, grants: &[(Uuid, Uuid)]) -> Vec<String> {
        sorted(grants.iter().filter(|(resource, _)| *resource == self.resource).map(|(_, id)| self.name(*id)).collect())
    }
}

pub(in crate::msgraph) fn app_roles(value: &Value) -> Shaped<AppRoles> {
    let roles = list(value, "appRoles").iter();
    let names = roles.filter_map(|role| Some((guid(role, "id")?, filled(role, "value")?))).collect();
    Ok(Some(AppRoles { resource: must(value, "id")?, names }))
}

/// One grant: the resource and the role on it.
pub(in crate::msgraph) fn app_role_assignment(value: &Value) -> Shaped<(Uuid, Uuid)> {
    Ok(Some((must(value, "resourceId")?, must(value, "appRoleId")?)))
}

/// What an application's registration asks Graph for, and how it proves itself.
pub(in crate::msgraph) fn application(value: &Value, roles: &AppRoles) -> (Vec<String>, Vec<AppCredential>) {
    let of_graph = |access: &&Value| {
        text(access, "resourceAppId").is_some_and(|resource| resource.eq_ignore_ascii_case(GRAPH_APP))
    };
    let resources = list(value, "requiredResourceAccess").iter().filter(of_graph);
    let requested = resources
        .flat_map(|access| list(access, "resourceAccess"))
        // `Scope` is a delegated permission: nobody signs in here.
        .filter(|access| text(access, "type") == Some("Role"))
        .filter_map(|access| guid(access, "id"))
        .map(|id| roles.name(id))
        .collect();
    let credentials = |key: &str, kind: &'static str| -> Vec<AppCredential> {
        let one = move |value: &Value| AppCredential {
            kind: kind.to_owned(),
            id: owned(value, "keyId"),
            ends: date(value, "endDateTime"),
        };
        list(value, key).iter().map(one).collect()
    };
    let mut all = credentials("passwordCredentials", "secret");
    all.extend(credentials("keyCredentials", "certificate"));
    all.sort_by(|a, b| (&a.kind, &a.id).cmp(&(&b.kind, &b.id)));
    (sorted(requested), all)
}

// --- enrolment

/// One `deviceEnrollmentConfiguration` of interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::msgraph) enum Enrolment {
    /// The default platform restriction: whether it blocks Windows.
    Restriction(Option<bool>),
    /// The default limit.
    Limit(u32),
    /// A status page by id, and whether its targets were expanded.
    StatusPage(String, StatusPage, bool),
}

/// Bulk enrolment obeys the default restriction alone (msgraph.md 0.6); the default has priority 0.
pub(in crate::msgraph) fn enrolment(value: &Value) -> Shaped<Enrolment> {
    let default = value.get("priority").and_then(Value::as_u64) == Some(0);
    if is_type(value, "deviceEnrollmentPlatformRestrictionsConfiguration") && default {
        let windows = value.get("windowsRestriction").and_then(|windows| windows.get("platformBlocked"));
        return Ok(Some(Enrolment::Restriction(windows.and_then(Value::as_bool))));
    }
    if is_type(value, "deviceEnrollmentLimitConfiguration") && default {
        let limit = value.get("limit").and_then(Value::as_u64).ok_or("`limit` is missing")?;
        return Ok(Some(Enrolment::Limit(u32::try_from(limit).unwrap_or(u32::MAX))));
    }
    if !is_type(value, "windows10EnrollmentCompletionPageConfiguration") {
        return Ok(None);
    }
    let id = filled(value, "id").ok_or("`id` is missing")?;
    let expanded = value.get("assignments").is_some_and(Value::is_array);
    let mut page =
        StatusPage { name: owned(value, "displayName"), blocks: blocks(value), to_all: default, groups: Vec::new() };
    for assignment in list(value, "assignments") {
        aim(&mut page, &target(assignment)?.unwrap_or(Value::Null));
    }
    Ok(Some(Enrolment::StatusPage(id, page, expanded)))
}

/// Adds a target to a page. An excluded group takes nothing away here: some of its members may be in another one.
pub(in crate::msgraph) fn aim(page: &mut StatusPage, target: &Value) {
    if is_type(target, "allDevicesAssignmentTarget") || is_type(target, "allLicensedUsersAssignmentTarget") {
        page.to_all = true;
    } else if is_type(target, "groupAssignmentTarget")
        && let Some(group) = guid(target, "groupId").map(GroupId)
        && let Err(place) = page.groups.binary_search(&group)
    {
        page.groups.insert(place, group);
    }
}

/// Says whether a page keeps people from their desktop until it is done. The admin center's "block device use" is the
/// opposite of `blockDeviceSetupRetryByUser` [I], and a page for devices from the factory alone isn't shown on one
/// that has been in use [I].
fn blocks(value: &Value) -> Known<bool> {
    let says = |key: &str| value.get(key).and_then(Value::as_bool);
    match (says("showInstallationProgress"), says("blockDeviceSetupRetryByUser")) {
        (Some(false), _) => Known::Known(false),
        (Some(true), Some(open)) => Known::Known(!open && says("trackInstallProgressForAutopilotOnly") != Some(true)),
        _ => Known::Unknown("Graph doesn't say what the page blocks: only beta does".to_owned()),
    }
}

/// Puts together what was read; the pages are given apart.
pub(in crate::msgraph) fn enrolment_settings(all: Vec<Enrolment>, mut pages: Vec<StatusPage>) -> EnrolmentSettings {
    let mut settings = EnrolmentSettings::default();
    for one in all {
        match one {
            Enrolment::Restriction(blocked) => settings.windows_blocked = blocked,
            Enrolment::Limit(limit) => settings.device_limit = Some(limit),
            Enrolment::StatusPage(..) => {}
        }
    }
    pages.sort_by(|a, b| a.name.cmp(&b.name));
    settings.status_pages = pages;
    settings
}

// --- Conditional Access

pub(in crate::msgraph) fn policy(value: &Value) -> Shaped<ConditionalAccessPolicy> {
    let none = Value::Null;
    let conditions = value.get("conditions").unwrap_or(&none);
    let users = conditions.get("users").unwrap_or(&none);
    let applications = conditions.get("applications").unwrap_or(&none);
    let controls = value.get("grantControls").unwrap_or(&none);
    let words = |of: &Value, key: &str| sorted(texts(of, key));
    // A condition that isn't set is null: it doesn't restrict.
    let in_out = |key: &str, include: &str, exclude: &str| {
        let of = conditions.get(key).filter(|of| of.is_object())?;
        Some(InOut { include: words(of, include), exclude: words(of, exclude) })
    };
    // Flags in one text: `deviceCodeFlow,authenticationTransfer`.
    let flows =
        conditions.get("authenticationFlows").and_then(|flows| text(flows, "transferMethods")).unwrap_or_default();
    let filter = conditions.get("devices").and_then(|devices| devices.get("deviceFilter"));
    let strength = controls.get("authenticationStrength").filter(|strength| strength.is_object());
    Ok(Some(ConditionalAccessPolicy {
        id: PolicyId(must(value, "id")?),
        name: owned(value, "displayName"),
        state: owned(value, "state"),
        include_users: words(users, "includeUsers"),
        include_groups: groups(users, "includeGroups"),
        include_roles: words(users, "includeRoles"),
        exclude_users: words(users, "excludeUsers"),
        exclude_groups: groups(users, "excludeGroups"),
        service_principals: in_out("clientApplications", "includeServicePrincipals", "excludeServicePrincipals"),
        applications: InOut {
            include: words(applications, "includeApplications"),
            exclude: words(applications, "excludeApplications"),
        },
        user_actions: words(applications, "includeUserActions"),
        client_app_types: words(conditions, "clientAppTypes"),
        platforms: in_out("platforms", "includePlatforms", "excludePlatforms"),
        locations: in_out("locations", "includeLocations", "excludeLocations"),
        sign_in_risk: words(conditions, "signInRiskLevels"),
        user_risk: words(conditions, "userRiskLevels"),
        service_principal_risk: words(conditions, "servicePrincipalRiskLevels"),
        authentication_flows: sorted(
            flows.split(',').map(str::trim).filter(|flow| !flow.is_empty()).map(str::to_owned).collect(),
        ),
        device_filter: filter.and_then(|filter| Some((filled(filter, "mode")?, filled(filter, "rule")?))),
        operator: filled(controls, "operator"),
        grant: words(controls, "builtInControls"),
        authentication_strength: strength.map(|strength| {
            filled(strength, "displayName").or_else(|| filled(strength, "id")).unwrap_or_else(|| "unnamed".to_owned())
        }),
        terms_of_use: !list(controls, "termsOfUse").is_empty(),
    }))
}

fn groups(value: &Value, key: &str) -> Vec<GroupId> {
    guids(value, key).into_iter().map(GroupId).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A location by countries can't be trusted and doesn't say so.
pub(in crate::msgraph) fn named_location(value: &Value) -> Shaped<NamedLocation> {
    Ok(Some(NamedLocation {
        id: must(value, "id")?,
        name: owned(value, "displayName"),
        trusted: super::flag(value, "isTrusted"),
    }))
}

/// Returns a group among what an account is in. Roles and administrative units are left out.
pub(in crate::msgraph) fn group_of_account(value: &Value) -> Shaped<GroupId> {
    let typed = text(value, "@odata.type").is_some();
    if typed && !is_type(value, "group") { Ok(None) } else { must(value, "id").map(GroupId).map(Some) }
}

// --- cross-tenant access

/// Whether collaboration is blocked, in and out; none where the tenant's default holds.
pub(in crate::msgraph) type Blocked = (Option<bool>, Option<bool>);

/// Returns whether a `crossTenantAccessPolicyB2BSetting` blocks everybody or everything. One that names some is an
/// exception for these and doesn't block as a whole.
fn blocked(value: &Value, key: &str) -> Option<bool> {
    let setting = value.get(key).filter(|setting| setting.is_object())?;
    let all = |part: &str, everything: &str| {
        let part = setting.get(part).unwrap_or(&Value::Null);
        text(part, "accessType").is_some_and(|kind| kind.eq_ignore_ascii_case("blocked"))
            && list(part, "targets").iter().any(|target| text(target, "target") == Some(everything))
    };
    Some(all("usersAndGroups", "AllUsers") || all("applications", "AllApplications"))
}

fn collaboration(value: &Value) -> Blocked {
    (blocked(value, "b2bCollaborationInbound"), blocked(value, "b2bCollaborationOutbound"))
}

/// The default, which has to say both.
pub(in crate::msgraph) fn cross_tenant_default(value: &Value) -> Shaped<(bool, bool)> {
    match collaboration(value) {
        (Some(inbound), Some(outbound)) => Ok(Some((inbound, outbound))),
        (None, _) => Err("`b2bCollaborationInbound` is missing".to_owned()),
        (_, None) => Err("`b2bCollaborationOutbound` is missing".to_owned()),
    }
}

pub(in crate::msgraph) fn cross_tenant_partner(value: &Value) -> Shaped<(TenantId, Blocked)> {
    Ok(Some((TenantId(must(value, "tenantId")?), collaboration(value))))
}

/// Reads a value as each of these, for tests with foreign bytes; says how many took it.
pub(super) fn read_as_anything(value: &Value) -> usize {
    let roles = AppRoles { resource: Uuid::nil(), names: BTreeMap::new() };
    drop(application(value, &roles));
    let taken = [
        service_principal(value).is_ok(),
        app_roles(value).is_ok(),
        app_role_assignment(value).is_ok(),
        enrolment(value).is_ok(),
        policy(value).is_ok(),
        named_location(value).is_ok(),
        group_of_account(value).is_ok(),
        cross_tenant_default(value).is_ok(),
        cross_tenant_partner(value).is_ok(),
    ];
    taken.into_iter().filter(|taken| *taken).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const ID: &str = "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11";
    const OTHER: &str = "1b0c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b22";

    fn read<T>(shape: fn(&Value) -> Shaped<T>, value: &Value) -> T {
        shape(value).expect("readable").expect("of interest")
    }

    /// Catches permissions on another resource and delegated ones taken for Graph's, an unknown one that is lost,
    /// and a credential without its end.
    #[test]
    fn applications() {
        let roles =
            read(app_roles, &json!({"id": OTHER, "appRoles": [{"id": ID, "value": "User.Read.All"}, {"id": 7}]}));
        let role = |id: &str, kind: &str| json!({"id": id, "type": kind});
        let value = json!({
            "requiredResourceAccess": [
                {"resourceAppId": GRAPH_APP, "resourceAccess": [role(OTHER, "Role"), role(ID, "Role"), role(ID, "Scope")]},
                {"resourceAppId": ID, "resourceAccess": [role(ID, "Role")]},
            ],
            "passwordCredentials": [{"keyId": "k2", "endDateTime": "2027-01-01T00:00:00Z"}],
            "keyCredentials": [{"keyId": "k1", "endDateTime": null}],
        });
        let (requested, credentials) = application(&value, &roles);
        assert_eq!(requested, [OTHER, "User.Read.All"]);
        let shown: Vec<_> = credentials.iter().map(|c| (c.kind.as_str(), c.id.as_str(), c.ends.is_some())).collect();
        assert_eq!(shown, [("certificate", "k1", false), ("secret", "k2", true)]);
        assert_eq!(application(&json!({}), &roles), (Vec::new(), Vec::new()));
        let grant = |resource: &str, role: &str| {
            read(app_role_assignment, &json!({"id": "x", "resourceId": resource, "appRoleId": role}))
        };
        assert_eq!(roles.assigned(&[grant(OTHER, ID), grant(ID, ID), grant(OTHER, ID)]), ["User.Read.All"]);
        assert!(app_role_assignment(&json!({"id": "x", "resourceId": ID})).is_err());
        let principal = read(service_principal, &json!({"id": ID, "appId": "a"}));
        assert!(!principal.enabled, "not said is not enabled");
    }

    /// Catches a targeted restriction taken for the default one, and a status page whose silence passes for "open".
    #[test]
    fn enrolment_configurations() {
        let restriction = |priority: i64, windows: Value| {
            let value = json!({"@odata.type": "#microsoft.graph.deviceEnrollmentPlatformRestrictionsConfiguration",
                               "id": "x", "priority": priority, "windowsRestriction": windows});
            enrolment(&value).expect("readable")
        };
        assert_eq!(restriction(0, json!({"platformBlocked": true})), Some(Enrolment::Restriction(Some(true))));
        assert_eq!(restriction(1, json!({"platformBlocked": true})), None);
        assert_eq!(restriction(0, Value::Null), Some(Enrolment::Restriction(None)));
        let page = |more: Value| {
            let mut value = json!({"@odata.type": "#microsoft.graph.windows10EnrollmentCompletionPageConfiguration",
                                   "id": "a_Page", "displayName": "P", "priority": 1});
            value.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            match enrolment(&value) {
                Ok(Some(Enrolment::StatusPage(_, page, expanded))) => (page, expanded),
                other => panic!("{other:?}"),
            }
        };
        assert!(page(json!({})).0.blocks.unknown().is_some());
        assert!(page(json!({"showInstallationProgress": true})).0.blocks.unknown().is_some());
        let shown = |open: bool| json!({"showInstallationProgress": true, "blockDeviceSetupRetryByUser": open});
        assert_eq!(page(shown(false)).0.blocks, Known::Known(true));
        assert_eq!(page(shown(true)).0.blocks, Known::Known(false));
        assert_eq!(page(json!({"showInstallationProgress": false})).0.blocks, Known::Known(false));
        let target = |kind: &str| json!({"target": {"@odata.type": format!("#microsoft.graph.{kind}"), "groupId": ID}});
        let (aimed, expanded) =
            page(json!({"assignments": [target("groupAssignmentTarget"), target("exclusionGroupAssignmentTarget"),
                                        target("groupAssignmentTarget")]}));
        assert!(expanded && !aimed.to_all && aimed.groups.len() == 1, "{aimed:?}");
        assert!(page(json!({"assignments": [target("allDevicesAssignmentTarget")]})).0.to_all);
        assert!(page(json!({"priority": 0})).0.to_all && !page(json!({})).1);
        let limit = json!({"@odata.type": "#microsoft.graph.deviceEnrollmentLimitConfiguration", "priority": 0});
        assert!(enrolment(&limit).is_err(), "a limit without a number isn't none");
    }

    /// Catches a condition that is lost, and one that is null taken for one that lets nobody through.
    #[test]
    fn policies_in_full() {
        let plain = read(
            policy,
            &json!({"id": ID, "conditions": {"platforms": null, "locations": null,
            "clientApplications": null}, "grantControls": null}),
        );
        assert_eq!((&plain.platforms, &plain.locations, &plain.service_principals), (&None, &None, &None));
        assert_eq!((&plain.operator, plain.terms_of_use, &plain.device_filter), (&None, false, &None));
        let full = read(
            policy,
            &json!({
                "id": ID, "displayName": "Full", "state": "enabled",
                "conditions": {
                    "users": {"includeUsers": ["All"], "includeGroups": [ID, "x"], "includeRoles": ["r"],
                              "excludeUsers": ["b", "a"], "excludeGroups": [OTHER]},
                    "clientApplications": {"includeServicePrincipals": ["ServicePrincipalsInMyTenant"]},
                    "applications": {"includeApplications": ["All"], "excludeApplications": ["Office365"],
                                     "includeUserActions": ["urn:user:registerdevice"]},
                    "clientAppTypes": ["all"], "platforms": {"includePlatforms": ["windows"]},
                    "locations": {"includeLocations": ["All"], "excludeLocations": ["AllTrusted"]},
                    "signInRiskLevels": ["high"], "userRiskLevels": ["low"], "servicePrincipalRiskLevels": ["medium"],
                    "authenticationFlows": {"transferMethods": "deviceCodeFlow,authenticationTransfer"},
                    "devices": {"deviceFilter": {"mode": "exclude", "rule": "device.isCompliant -eq True"}},
                },
                "grantControls": {"operator": "AND", "builtInControls": ["mfa", "block"], "termsOfUse": ["t"],
                                  "authenticationStrength": {"id": "s"}},
            }),
        );
        assert_eq!((full.include_users.len(), full.include_groups.len(), full.include_roles.len()), (1, 1, 1));
        assert_eq!((full.exclude_users, full.exclude_groups.len()), (vec!["a".to_owned(), "b".to_owned()], 1));
        assert_eq!(full.service_principals.expect("set").include, ["ServicePrincipalsInMyTenant"]);
        assert_eq!((full.applications.exclude, full.user_actions.len()), (vec!["Office365".to_owned()], 1));
        assert_eq!(full.platforms.expect("set").include, ["windows"]);
        assert_eq!(full.locations.expect("set").exclude, ["AllTrusted"]);
        assert_eq!((full.sign_in_risk.len(), full.user_risk.len(), full.client_app_types.len()), (1, 1, 1));
        assert_eq!(full.service_principal_risk, ["medium"]);
        assert_eq!(full.authentication_flows, ["authenticationTransfer", "deviceCodeFlow"]);
        assert_eq!(full.device_filter.expect("set").0, "exclude");
        assert_eq!((full.operator.as_deref(), full.grant.len(), full.terms_of_use), (Some("AND"), 2, true));
        assert_eq!(full.authentication_strength.as_deref(), Some("s"));
        assert!(!read(named_location, &json!({"id": ID, "countriesAndRegions": ["US"]})).trusted);
    }

    /// Catches a block of some taken for a block of all, and a partner's silence taken for "allowed".
    #[test]
    fn cross_tenant() {
        let part = |access: &str, target: &str| json!({"accessType": access, "targets": [{"target": target}]});
        let setting =
            |users: Value| json!({"usersAndGroups": users, "applications": part("allowed", "AllApplications")});
        let value = json!({"tenantId": ID, "b2bCollaborationInbound": setting(part("blocked", "AllUsers")),
                           "b2bCollaborationOutbound": setting(part("blocked", OTHER))});
        assert_eq!(read(cross_tenant_default, &value), (true, false));
        assert_eq!(read(cross_tenant_partner, &value).1, (Some(true), Some(false)));
        assert_eq!(
            read(cross_tenant_partner, &json!({"tenantId": ID, "b2bCollaborationInbound": null})).1,
            (None, None)
        );
        assert!(
            cross_tenant_default(&json!({"b2bCollaborationInbound": setting(part("allowed", "AllUsers"))})).is_err()
        );
        assert_eq!(group_of_account(&json!({"@odata.type": "#microsoft.graph.directoryRole", "id": ID})), Ok(None));
        assert!(group_of_account(&json!({"@odata.type": "#microsoft.graph.group"})).is_err());
    }
}
