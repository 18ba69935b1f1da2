//! Applications: registrations, service principals, what they ask for and what they are granted.

use serde_json::{Value, json};
use uuid::Uuid;

use super::directory::{project, short_list};
use super::graph::Call;
use super::reply::{Answer, Refused, Reply};
use crate::lab::seed::derive;
use crate::lab::world::WorldApp;

/// App roles of Microsoft Graph (app-roles.json): every permission that an operation here takes.
const APP_ROLES: &[(&str, &str)] = &[
    ("AgentIdUser.ReadWrite.All", "d0ca41aa-9212-8ec6-8bee-d30600b82eda"),
    ("AgentIdUser.ReadWrite.IdentityParentedBy", "b289933a-7ef7-c0d0-dedf-17468cb8aaf4"),
    ("Application.Read.All", "9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30"),
    ("Application.ReadWrite.All", "1bfefb4e-e0b5-418b-a88f-73c46d2cc8e9"),
    ("Application.ReadWrite.OwnedBy", "18a4783c-866b-4cc7-a460-3d5e5662c884"),
    ("BitlockerKey.Read.All", "57f1cf28-c0c4-4ec3-9a30-19a2eaaf2f6e"),
    ("BitlockerKey.ReadBasic.All", "f690d423-6b29-4d04-98c6-694c42282419"),
    ("Device.Read.All", "7438b122-aefc-4978-80ed-43db9fcc7715"),
    ("Device.ReadWrite.All", "1138cb37-bd11-4084-a2b7-9f71582aeddb"),
    ("DeviceLocalCredential.Read.All", "884b599e-4d48-43a5-ba94-15c414d00588"),
    ("DeviceLocalCredential.ReadBasic.All", "db51be59-e728-414b-b800-e0f010df1a79"),
    ("DeviceManagementApps.Read.All", "7a6ee1e7-141e-4cec-ae74-d9db155731ff"),
    ("DeviceManagementApps.ReadWrite.All", "78145de6-330d-4800-a6ce-494ff2d33d07"),
    ("DeviceManagementConfiguration.Read.All", "dc377aa6-52d8-4e23-b271-2a7ae04cedf3"),
    ("DeviceManagementConfiguration.ReadWrite.All", "9241abd9-d0e6-425a-bd4f-47ba86e767a4"),
    ("DeviceManagementManagedDevices.PrivilegedOperations.All", "5b07b0dd-2377-4e44-a38d-703f09a0dc3c"),
    ("DeviceManagementManagedDevices.Read.All", "2f51be20-0bb4-4fed-bf7b-db946066c75e"),
    ("DeviceManagementManagedDevices.ReadWrite.All", "243333ab-4d21-40cb-a475-36241daa0842"),
    ("DeviceManagementRBAC.Read.All", "58ca0d9a-1575-47e1-a3cb-007ef2e4583b"),
    ("DeviceManagementRBAC.ReadWrite.All", "e330c4f0-4170-414e-a55a-2f022ec2b57b"),
    ("DeviceManagementServiceConfig.Read.All", "06a5fe6d-c49d-46a7-b082-56b1b14103c7"),
    ("DeviceManagementServiceConfig.ReadWrite.All", "5ac13192-7ace-4fcf-b828-1a26f28068ee"),
    ("Directory.Read.All", "7ab1d382-f21e-4acd-a863-ba3e13f7da61"),
    ("Directory.ReadWrite.All", "19dbc75e-c2e2-444c-a770-ec69d8559fc7"),
    ("Domain.Read.All", "dbb9058a-0e50-45d7-ae91-66909b5d4664"),
    ("Domain.ReadWrite.All", "7e05723c-0bb0-42da-be95-ae9f08a6e53c"),
    ("Group-NestingSupport.ReadWrite.All", "b4c7d8e9-f2a5-4b6c-9d8e-1f2a3b4c5d6e"),
    ("Group-PreferredDataLocation.ReadWrite.All", "603ce4e3-fb05-4b63-91ba-729bb1dca667"),
    ("Group-XTenantIdentitySync.Read.All", "35b96aac-d839-4362-abd4-7381f2b27ccd"),
    ("Group.ManageProtection.All", "60f8cea0-2476-45c9-ab18-70e79e60ad14"),
    ("Group.Read.All", "5b567255-7703-4780-807c-7be8301ae99b"),
    ("Group.ReadBasic.All", "07d67222-3a10-4d3b-9ddc-b8aa43198a00"),
    ("Group.ReadWrite.All", "62a82d76-70ea-41e2-9197-370581804d09"),
    ("GroupMember.Read.All", "98830695-27a2-44f7-8c18-0c3ebc9698f6"),
    ("GroupMember.ReadBasic.All", "8222c640-cae5-4860-8d11-b32cfad95e03"),
    ("GroupMember.ReadWrite.All", "dbaae8cf-10b5-4b86-a4a1-f871c94c6695"),
    ("LicenseAssignment.Read.All", "e2f98668-2877-4f38-a2f4-8202e0717aa1"),
    ("Organization.Read.All", "498476ce-e0fe-48b0-b801-37ba7e2685c6"),
    ("Organization.ReadWrite.All", "292d869f-3427-49a8-9dab-8c70152b74e9"),
    ("Policy.Read.All", "246dd0d5-5bd0-4def-940b-0421030a5b68"),
    ("Policy.Read.DeviceConfiguration", "bdba4817-6ba1-4a7c-8a01-be9bc7c242dd"),
    ("Policy.ReadWrite.ConditionalAccess", "01c0a623-fc9b-48e9-b794-0756f8e8f067"),
    ("Policy.ReadWrite.CrossTenantAccess", "338163d7-f101-4c92-94ba-ca46fe52447c"),
    ("Policy.ReadWrite.DeviceConfiguration", "230fb2d5-aa21-49c1-bfa7-ae1be179d867"),
    ("RoleManagement.Read.All", "c7fbd983-d9aa-4fa7-84b8-17382c103bc4"),
    ("RoleManagement.Read.Directory", "483bed4a-2ad3-4361-a73b-c83ccdbdc53c"),
    ("RoleManagement.ReadWrite.Directory", "9e3f62cf-ca93-4989-b6ce-bf83c28f9fe8"),
    ("User-Mail.ReadWrite.All", "280d0935-0796-47d1-8d26-273470a3f17a"),
    ("User-PasswordProfile.ReadWrite.All", "cc117bb9-00cf-4eb8-b580-ea2a878fe8f7"),
    ("User-Phone.ReadWrite.All", "86ceff06-c822-49ff-989a-d912845ffe69"),
    ("User.DeleteRestore.All", "eccc023d-eccf-4e7b-9683-8813ab36cecc"),
    ("User.EnableDisableAccount.All", "3011c876-62b7-4ada-afa2-506cbbecc68c"),
    ("User.ManageIdentities.All", "c529cfca-c91b-489c-af2b-d92990b66ce6"),
    ("User.Read.All", "df021288-bdef-4463-88db-98f22de89214"),
    ("User.ReadBasic.All", "97235f07-e226-4f63-ace3-39588e11d3a1"),
    ("User.ReadWrite.All", "741f803b-c850-494e-b5df-cde7c675a1ca"),
    ("User.ReadWrite.CrossCloud", "5652f862-b626-407b-a3e6-248aeb95763c"),
];
/// Client id of Microsoft Graph itself.
const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";

/// Returns the id of a permission. One that is written as an id has no name in this cloud.
fn app_role(world: &str, permission: &str) -> Uuid {
    let known = APP_ROLES.iter().find(|(name, _)| *name == permission).map_or(permission, |(_, id)| id);
    known.parse().unwrap_or_else(|_| derive(world, "app-role", permission))
}
fn principal(call: &Call<'_>, app: &str) -> Uuid {
    derive(&call.emulation.world.name, "service-principal", &format!("{}\n{}", call.tenant, app.to_lowercase()))
}

fn applications_of(call: &Call<'_>) -> Result<Vec<Value>, Refused> {
    let world = &call.emulation.world;
    let app = |app: &WorldApp| {
        let requested = app.requested.as_ref().unwrap_or(&app.permissions);
        let access: Vec<Value> =
            requested.iter().map(|p| json!({"id": app_role(&world.name, p), "type": "Role"})).collect();
        let of = format!("{}\n{}", call.tenant, app.client_id);
        let secret = json!({"customKeyIdentifier": null, "displayName": "lab", "hint": app.secret.get(..3),
                            "keyId": derive(&world.name, "app-secret", &of), "secretText": null,
                            "startDateTime": world.starts.to_string(),
                            "endDateTime": app.secret_ends(world.starts).to_string()});
        json!({"id": derive(&world.name, "application", &of), "appId": app.client_id,
               "displayName": app.display_name, "signInAudience": "AzureADMyOrg", "deletedDateTime": null,
               "passwordCredentials": [secret], "keyCredentials": [],
               "requiredResourceAccess": [{"resourceAppId": GRAPH_APP, "resourceAccess": access}]})
    };
    Ok(call.data()?.spec.apps.iter().filter(|app| app.home).map(app).collect())
}

fn principals_of(call: &Call<'_>) -> Result<Vec<Value>, Refused> {
    let own = |app: &str, name: &str, enabled: bool, roles: Vec<Value>| {
        json!({"id": principal(call, app), "appId": app, "displayName": name, "accountEnabled": enabled,
               "servicePrincipalType": "Application", "appRoles": roles, "deletedDateTime": null})
    };
    let role = |(name, id): &(&str, &str)| {
        json!({"id": id, "value": name, "allowedMemberTypes": ["Application"], "isEnabled": true,
               "displayName": name, "description": name})
    };
    let mut values = vec![own(GRAPH_APP, "Microsoft Graph", true, APP_ROLES.iter().map(role).collect())];
    let apps = &call.data()?.spec.apps;
    values.extend(apps.iter().map(|app| own(&app.client_id, &app.display_name, app.enabled, Vec::new())));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Permission;

    /// Catches a permission of the tool that a tenant of the lab can't name: it would be shown as missing.
    #[test]
    fn every_permission_has_its_role() {
        for permission in Permission::ALL {
            assert!(APP_ROLES.iter().any(|(name, _)| *name == permission.as_str()), "{}", permission.as_str());
        }
        assert!(APP_ROLES.iter().all(|(_, id)| id.parse::<Uuid>().is_ok()));
        assert!(APP_ROLES.is_sorted());
    }
}
