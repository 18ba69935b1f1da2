//! Calls of the Entra directory: the tenant, users, devices, groups, and what is in escrow for devices.

use serde_json::json;

use super::{Call, encode, literal};
use crate::model::{EntraDeviceId, EntraObjectId, GroupId, Permission, TenantId, UserId};
use crate::msgraph::quota::Service;

const USER: &str = "id,userPrincipalName,accountEnabled,onPremisesSecurityIdentifier,securityIdentifier,assignedPlans,\
                    createdDateTime";
const DEVICE: &str = "id,deviceId,displayName,trustType,accountEnabled";
const GROUP: &str = "id,displayName,groupTypes,onPremisesSyncEnabled,isAssignableToRole,mailEnabled";

/// Names in one `$filter`: the directory takes at most 15 alternatives in one expression (unproven).
pub(in crate::msgraph) const NAMES_PER_FILTER: usize = 15;

pub(in crate::msgraph) fn organization() -> Call {
    Call::get(
        Service::Directory,
        "/organization?$select=id,displayName,verifiedDomains",
        &[Permission::OrganizationReadAll],
        "read the organization",
    )
}

pub(in crate::msgraph) fn mdm_authority(tenant: TenantId) -> Call {
    Call::get(
        Service::Directory,
        format!("/organization/{tenant}?$select=mobileDeviceManagementAuthority"),
        &[Permission::ServiceConfigReadAll],
        "read the MDM authority",
    )
}

pub(in crate::msgraph) fn registration_policy() -> Call {
    Call::get(
        Service::Directory,
        "/policies/deviceRegistrationPolicy",
        &[Permission::PolicyReadDeviceConfiguration],
        "read the device registration policy",
    )
}

pub(in crate::msgraph) fn users() -> Call {
    Call::get(Service::Directory, format!("/users?$select={USER}&$top=999"), &[Permission::UserReadAll], "read users")
}

/// By id or user principal name.
pub(in crate::msgraph) fn user(key: &str) -> Call {
    let path = format!("/users/{}?$select={USER}", encode(key));
    Call::get(Service::Directory, path, &[Permission::UserReadAll], format!("read the user {key}")).accepts(&[404])
}

/// Who holds directory roles, with the kind of each holder. Expanding `directoryRoles` would show 20 members of each
/// role at most (unproven).
pub(in crate::msgraph) fn role_assignments() -> Call {
    Call::get(
        Service::Directory,
        "/roleManagement/directory/roleAssignments?$expand=principal",
        &[Permission::RoleManagementReadDirectory],
        "read directory roles",
    )
    .units(2)
}

/// Members of a group, of any kind, also through other groups.
pub(in crate::msgraph) fn all_members(group: GroupId) -> Call {
    Call::get(
        Service::Directory,
        format!("/groups/{group}/transitiveMembers?$select=id&$top=999"),
        &[Permission::GroupMemberReadAll],
        format!("read the members of the group {group}"),
    )
    .units(4)
}

/// Groups (and roles) that an account is in, also through other groups: their ids, with the type of each.
/// Without the permission to read groups nothing more than that is shown, and it is enough.
pub(in crate::msgraph) fn groups_of_account(upn: &str) -> Call {
    Call::get(
        Service::Directory,
        format!("/users/{}/transitiveMemberOf?$select=id&$top=999", encode(upn)),
        &[Permission::UserReadAll],
        format!("read the groups of the account {upn}"),
    )
    .units(4)
    .accepts(&[404])
}

/// Devices whose registered owner an account is. The other direction, `$expand=registeredOwners` on the list of
/// devices, cuts its pages to 100 whatever `$top` says: ten times the calls for owners that nobody asks about.
pub(in crate::msgraph) fn devices_of_account(upn: &str) -> Call {
    Call::get(
        Service::Directory,
        format!("/users/{}/ownedDevices?$select=id&$top=999", encode(upn)),
        &[Permission::UserReadAll],
        format!("read the devices of the account {upn}"),
    )
    .accepts(&[404])
}

/// Deletes a user. The caller checks that it is a package account.
pub(in crate::msgraph) fn delete_user(upn: &str) -> Call {
    Call::delete(
        Service::Directory,
        format!("/users/{}", encode(upn)),
        &[Permission::UserDeleteRestoreAll],
        format!("delete the package account {upn}"),
    )
}

pub(in crate::msgraph) fn devices() -> Call {
    Call::get(
        Service::Directory,
        format!("/devices?$select={DEVICE}&$top=999"),
        &[Permission::DeviceReadAll],
        "read Entra devices",
    )
}

pub(in crate::msgraph) fn device(id: EntraDeviceId) -> Call {
    Call::get(
        Service::Directory,
        format!("/devices(deviceId='{id}')?$select={DEVICE}"),
        &[Permission::DeviceReadAll],
        format!("read the registration {id}"),
    )
    .accepts(&[404])
}

pub(in crate::msgraph) fn device_object(id: EntraObjectId) -> Call {
    Call::get(
        Service::Directory,
        format!("/devices/{id}?$select={DEVICE}"),
        &[Permission::DeviceReadAll],
        format!("read the device object {id}"),
    )
    .accepts(&[404])
}

/// Deletes a device object. The caller has read it and seen that it isn't a hybrid one.
pub(in crate::msgraph) fn delete_device(id: EntraObjectId) -> Call {
    Call::delete(
        Service::Directory,
        format!("/devices/{id}"),
        &[Permission::DeviceReadWriteAll],
        format!("delete the device object {id}"),
    )
}

pub(in crate::msgraph) fn memberships_of_device(id: EntraObjectId) -> Call {
    Call::get(
        Service::Directory,
        format!("/devices/{id}/memberOf?$select={GROUP}&$top=999"),
        &[Permission::DeviceReadAll],
        format!("read the groups of the device object {id}"),
    )
}

/// Groups with any of these display names, at most [`NAMES_PER_FILTER`].
pub(in crate::msgraph) fn groups_named(names: &[&str]) -> Call {
    let filter = names.iter().map(|name| format!("displayName eq {}", literal(name))).collect::<Vec<_>>().join(" or ");
    let shown = if let [name] = names { format!("read the group {name}") } else { "read groups by name".to_owned() };
    Call::get(
        Service::Directory,
        format!("/groups?$filter={}&$select={GROUP}&$top=999", encode(&filter)),
        &[Permission::GroupMemberReadAll],
        shown,
    )
}

pub(in crate::msgraph) fn group(id: GroupId) -> Call {
    Call::get(
        Service::Directory,
        format!("/groups/{id}?$select={GROUP}"),
        &[Permission::GroupMemberReadAll],
        format!("read the group {id}"),
    )
    .accepts(&[404])
}

/// Direct members that are devices.
pub(in crate::msgraph) fn device_members(id: GroupId) -> Call {
    Call::get(
        Service::Directory,
        format!("/groups/{id}/members/microsoft.graph.device?$select=id&$count=true&$top=999"),
        &[Permission::GroupMemberReadAll],
        format!("read the device members of the group {id}"),
    )
    .units(2)
    .eventual()
}

/// Adds a member. 400 is accepted: only its text tells "already a member" from other mistakes.
pub(in crate::msgraph) fn add_member(graph: &str, group: GroupId, device: EntraObjectId) -> Call {
    Call::post(
        Service::Directory,
        format!("/groups/{group}/members/$ref"),
        json!({ "@odata.id": format!("{graph}/v1.0/directoryObjects/{device}") }),
        &[Permission::GroupMemberReadWriteAll, Permission::DeviceReadWriteAll],
        format!("add the device object {device} to the group {group}"),
    )
    .accepts(&[400])
}

/// Removes a membership: the one way to name a group's member in a delete, and it ends in `/$ref`.
pub(in crate::msgraph) fn remove_member(group: GroupId, device: EntraObjectId) -> Call {
    Call::delete(
        Service::Directory,
        format!("/groups/{group}/members/{device}/$ref"),
        &[Permission::GroupMemberReadWriteAll, Permission::DeviceReadWriteAll],
        format!("remove the device object {device} from the group {group}"),
    )
}

/// Adds a user to a group. 400 is accepted: only its text tells "already a member" from other mistakes.
pub(in crate::msgraph) fn add_user_member(graph: &str, group: GroupId, user: UserId) -> Call {
    Call::post(
        Service::Directory,
        format!("/groups/{group}/members/$ref"),
        json!({ "@odata.id": format!("{graph}/v1.0/directoryObjects/{user}") }),
        &[Permission::GroupMemberReadWriteAll],
        format!("add the user {user} to the group {group}"),
    )
    .accepts(&[400])
}

/// Removes a user's membership; like [`remove_member`] it ends in `/$ref`.
pub(in crate::msgraph) fn remove_user_member(group: GroupId, user: UserId) -> Call {
    Call::delete(
        Service::Directory,
        format!("/groups/{group}/members/{user}/$ref"),
        &[Permission::GroupMemberReadWriteAll],
        format!("remove the user {user} from the group {group}"),
    )
}

/// All keys' metadata. The documentation knows no `$top` here.
pub(in crate::msgraph) fn recovery_keys() -> Call {
    Call::get(
        Service::Directory,
        "/informationProtection/bitlocker/recoveryKeys",
        &[Permission::BitlockerKeyReadBasicAll],
        "read which recovery keys are in escrow",
    )
}

pub(in crate::msgraph) fn recovery_keys_of(device: EntraDeviceId) -> Call {
    let filter = encode(&format!("deviceId eq '{device}'"));
    Call::get(
        Service::Directory,
        format!("/informationProtection/bitlocker/recoveryKeys?$filter={filter}"),
        &[Permission::BitlockerKeyReadBasicAll],
        format!("read which recovery keys of the registration {device} are in escrow"),
    )
}

pub(in crate::msgraph) fn laps() -> Call {
    Call::get(
        Service::Directory,
        "/directory/deviceLocalCredentials?$select=id,lastBackupDateTime&$top=999",
        &[Permission::DeviceLocalCredentialReadBasicAll],
        "read LAPS backups",
    )
}

/// Without `$select=credentials` no password is in the answer.
pub(in crate::msgraph) fn laps_of(device: EntraDeviceId) -> Call {
    Call::get(
        Service::Directory,
        format!("/directory/deviceLocalCredentials/{device}?$select=id,lastBackupDateTime"),
        &[Permission::DeviceLocalCredentialReadBasicAll],
        format!("read the LAPS backup of the registration {device}"),
    )
    .accepts(&[404])
}
