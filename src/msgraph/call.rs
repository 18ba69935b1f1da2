//! Every request that this tool can make, as a typed function. A URL that has no function here can't be built:
//! the fields of [`Call`] are private to this file.
//!
//! That is on purpose. `DELETE /groups/{g}/members/{m}` without `/$ref` deletes the member itself (msgraph.md 0.3),
//! and `wipe` is authorised by the permission that deleting an Intune record needs (5.1): neither stands here, and
//! the tests at the end hold the whole list to that.

use serde_json::{Value, json};

use super::quota::Service;
use crate::model::{
    AutopilotId, EntraDeviceId, EntraObjectId, GroupId, IntuneId, Permission, PolicyId, TenantId, UserId,
};
use crate::port::AutopilotImport;

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Patch,
    Delete,
}

impl Verb {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A version of Graph. A batch has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V1,
    Beta,
}

impl Version {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::V1 => "v1.0",
            Self::Beta => "beta",
        }
    }
}

/// Whether a request whose answer was lost may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Sent twice it leaves the same as sent once.
    Safe,
    /// The state has to be read before it is sent again.
    Never,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Call {
    verb: Verb,
    version: Version,
    path: String,
    service: Service,
    units: u32,
    repeat: Repeat,
    eventual: bool,
    write: bool,
    body: Option<Value>,
    accepts: &'static [u16],
    needs: &'static [Permission],
    what: String,
}

impl Call {
    fn new(verb: Verb, service: Service, path: String, needs: &'static [Permission], what: String) -> Self {
        let version = Version::V1;
        Self {
            verb,
            version,
            path,
            service,
            units: 1,
            repeat: Repeat::Safe,
            eventual: false,
            write: verb != Verb::Get,
            body: None,
            accepts: &[],
            needs,
            what,
        }
    }
    fn get(service: Service, path: impl Into<String>, needs: &'static [Permission], what: impl Into<String>) -> Self {
        Self::new(Verb::Get, service, path.into(), needs, what.into())
    }
    fn delete(service: Service, path: String, needs: &'static [Permission], what: String) -> Self {
        Self { accepts: &[404], ..Self::new(Verb::Delete, service, path, needs, what) }
    }
    fn post(service: Service, path: String, body: Value, needs: &'static [Permission], what: String) -> Self {
        Self { body: Some(body), ..Self::new(Verb::Post, service, path, needs, what) }
    }
    fn units(self, units: u32) -> Self {
        Self { units, ..self }
    }
    fn accepts(self, accepts: &'static [u16]) -> Self {
        Self { accepts, ..self }
    }
    fn beta(self) -> Self {
        Self { version: Version::Beta, ..self }
    }
    fn never_repeated(self) -> Self {
        Self { repeat: Repeat::Never, ..self }
    }
    /// Asks the index instead of the directory: casts, `$count` and `ne` need it (msgraph.md 3).
    fn eventual(self) -> Self {
        Self { eventual: true, ..self }
    }

    pub(super) fn verb(&self) -> Verb {
        self.verb
    }
    pub(super) fn version(&self) -> Version {
        self.version
    }
    /// Path with query, after the version, beginning with `/`.
    pub(super) fn path(&self) -> &str {
        &self.path
    }
    pub(super) fn service(&self) -> Service {
        self.service
    }
    /// What it costs of the service's request quota.
    pub(super) fn cost(&self) -> u32 {
        self.units
    }
    pub(super) fn is_write(&self) -> bool {
        self.write
    }
    pub(super) fn may_repeat(&self) -> bool {
        self.repeat == Repeat::Safe
    }
    pub(super) fn is_eventual(&self) -> bool {
        self.eventual
    }
    pub(super) fn body(&self) -> Option<&Value> {
        self.body.as_ref()
    }
    /// Says whether a status that isn't a success is an answer, not a failure.
    pub(super) fn takes(&self, status: u16) -> bool {
        self.accepts.contains(&status)
    }
    /// Permissions, all of which it needs.
    pub(super) fn needs(&self) -> &'static [Permission] {
        self.needs
    }
    /// What it does, in the imperative: reads after "can't".
    pub(super) fn what(&self) -> &str {
        &self.what
    }
}

/// Encodes text for one path segment or one query value, so that a URL parser leaves it as it is.
fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            b'-' | b'.' | b'_' | b'~' | b'@' | b'(' | b')' | b',' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

/// Returns text as an OData string literal.
fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

const USER: &str = "id,userPrincipalName,accountEnabled,onPremisesSecurityIdentifier,securityIdentifier,assignedPlans,\
                    createdDateTime";
const DEVICE: &str = "id,deviceId,displayName,trustType,accountEnabled";
const GROUP: &str = "id,displayName,groupTypes,onPremisesSyncEnabled,isAssignableToRole,mailEnabled";
const MANAGED: &str = "id,azureADDeviceId,deviceName,serialNumber,lastSyncDateTime,enrolledDateTime";

/// Names in one `$filter`: the directory takes at most 15 alternatives in one expression [K].
pub(super) const NAMES_PER_FILTER: usize = 15;

/// Several reads of one service and version in one request. Costs what its parts cost (msgraph.md 3).
///
/// Only reads: a batch of them may be sent again as a whole. A write in it makes this `None`.
pub(super) fn batch(parts: &[(String, &Call)]) -> Option<Call> {
    let (_, first) = parts.first()?;
    let alike = |call: &Call| {
        call.verb == Verb::Get && (call.version, call.service) == (first.version, first.service) && call.body.is_none()
    };
    if parts.len() > BATCH_MAX || !parts.iter().all(|(_, call)| alike(call)) {
        return None;
    }
    let requests: Vec<Value> = parts
        .iter()
        .map(|(id, call)| {
            let mut request = json!({ "id": id, "method": "GET", "url": call.path });
            if call.eventual {
                request["headers"] = json!({ "ConsistencyLevel": "eventual" });
            }
            request
        })
        .collect();
    let body = json!({ "requests": requests });
    let what = format!("{}, and {} more in one request", first.what, parts.len() - 1);
    let call = Call::post(first.service, "/$batch".to_owned(), body, first.needs, what);
    let units = parts.iter().map(|(_, call)| call.units).sum();
    Some(Call { version: first.version, write: false, units, ..call })
}

/// Requests in one batch.
pub(super) const BATCH_MAX: usize = 20;

// --- the tenant

pub(super) fn organization() -> Call {
    Call::get(
        Service::Directory,
        "/organization?$select=id,displayName,verifiedDomains",
        &[Permission::OrganizationReadAll],
        "read the organization",
    )
}

pub(super) fn mdm_authority(tenant: TenantId) -> Call {
    Call::get(
        Service::Directory,
        format!("/organization/{tenant}?$select=mobileDeviceManagementAuthority"),
        &[Permission::ServiceConfigReadAll],
        "read the MDM authority",
    )
}

pub(super) fn registration_policy() -> Call {
    Call::get(
        Service::Directory,
        "/policies/deviceRegistrationPolicy",
        &[Permission::PolicyReadDeviceConfiguration],
        "read the device registration policy",
    )
}

// --- users

pub(super) fn users() -> Call {
    Call::get(Service::Directory, format!("/users?$select={USER}&$top=999"), &[Permission::UserReadAll], "read users")
}

/// By id or user principal name.
pub(super) fn user(key: &str) -> Call {
    let path = format!("/users/{}?$select={USER}", encode(key));
    Call::get(Service::Directory, path, &[Permission::UserReadAll], format!("read the user {key}")).accepts(&[404])
}

/// Who holds directory roles, with the kind of each holder. Expanding `directoryRoles` would show 20 members of each
/// role at most [K].
pub(super) fn role_assignments() -> Call {
    Call::get(
        Service::Directory,
        "/roleManagement/directory/roleAssignments?$expand=principal",
        &[Permission::DirectoryReadAll],
        "read directory roles",
    )
    .units(2)
}

/// Members of a group, of any kind, also through other groups.
pub(super) fn all_members(group: GroupId) -> Call {
    Call::get(
        Service::Directory,
        format!("/groups/{group}/transitiveMembers?$select=id&$top=999"),
        &[Permission::GroupMemberReadAll],
        format!("read the members of the group {group}"),
    )
    .units(4)
}

/// Deletes a user. The caller checks that it is a package account.
pub(super) fn delete_user(upn: &str) -> Call {
    Call::delete(
        Service::Directory,
        format!("/users/{}", encode(upn)),
        &[Permission::UserDeleteRestoreAll],
        format!("delete the package account {upn}"),
    )
}

// --- Entra devices

pub(super) fn devices() -> Call {
    Call::get(
        Service::Directory,
        format!("/devices?$select={DEVICE}&$top=999"),
        &[Permission::DeviceReadAll],
        "read Entra devices",
    )
}

pub(super) fn device(id: EntraDeviceId) -> Call {
    Call::get(
        Service::Directory,
        format!("/devices(deviceId='{id}')?$select={DEVICE}"),
        &[Permission::DeviceReadAll],
        format!("read the registration {id}"),
    )
    .accepts(&[404])
}

pub(super) fn device_object(id: EntraObjectId) -> Call {
    Call::get(
        Service::Directory,
        format!("/devices/{id}?$select={DEVICE}"),
        &[Permission::DeviceReadAll],
        format!("read the device object {id}"),
    )
    .accepts(&[404])
}

/// Deletes a device object. The caller has read it and seen that it isn't a hybrid one.
pub(super) fn delete_device(id: EntraObjectId) -> Call {
    Call::delete(
        Service::Directory,
        format!("/devices/{id}"),
        &[Permission::DeviceReadWriteAll],
        format!("delete the device object {id}"),
    )
}

pub(super) fn memberships_of_device(id: EntraObjectId) -> Call {
    Call::get(
        Service::Directory,
        format!("/devices/{id}/memberOf?$select={GROUP}&$top=999"),
        &[Permission::DeviceReadAll],
        format!("read the groups of the device object {id}"),
    )
}

// --- groups

/// Groups with any of these display names, at most [`NAMES_PER_FILTER`].
pub(super) fn groups_named(names: &[&str]) -> Call {
    let filter = names.iter().map(|name| format!("displayName eq {}", literal(name))).collect::<Vec<_>>().join(" or ");
    let shown = if let [name] = names { format!("read the group {name}") } else { "read groups by name".to_owned() };
    Call::get(
        Service::Directory,
        format!("/groups?$filter={}&$select={GROUP}&$top=999", encode(&filter)),
        &[Permission::GroupMemberReadAll],
        shown,
    )
}

pub(super) fn group(id: GroupId) -> Call {
    Call::get(
        Service::Directory,
        format!("/groups/{id}?$select={GROUP}"),
        &[Permission::GroupMemberReadAll],
        format!("read the group {id}"),
    )
    .accepts(&[404])
}

/// Direct members that are devices.
pub(super) fn device_members(id: GroupId) -> Call {
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
pub(super) fn add_member(graph: &str, group: GroupId, device: EntraObjectId) -> Call {
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
pub(super) fn remove_member(group: GroupId, device: EntraObjectId) -> Call {
    Call::delete(
        Service::Directory,
        format!("/groups/{group}/members/{device}/$ref"),
        &[Permission::GroupMemberReadWriteAll, Permission::DeviceReadWriteAll],
        format!("remove the device object {device} from the group {group}"),
    )
}

// --- Intune

pub(super) fn managed_devices() -> Call {
    Call::get(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices?$select={MANAGED}&$top=1000"),
        &[Permission::ManagedDevicesReadAll],
        "read Intune devices",
    )
}

pub(super) fn managed_device(id: IntuneId) -> Call {
    Call::get(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices/{id}?$select={MANAGED}"),
        &[Permission::ManagedDevicesReadAll],
        format!("read the Intune device {id}"),
    )
    .accepts(&[404])
}

pub(super) fn managed_devices_of(id: EntraDeviceId) -> Call {
    let filter = encode(&format!("azureADDeviceId eq '{id}'"));
    Call::get(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices?$filter={filter}&$select={MANAGED}"),
        &[Permission::ManagedDevicesReadAll],
        format!("read the Intune devices of the registration {id}"),
    )
}

pub(super) fn delete_managed_device(id: IntuneId) -> Call {
    Call::delete(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices/{id}"),
        &[Permission::ManagedDevicesReadWriteAll],
        format!("delete the Intune device {id}"),
    )
}

pub(super) fn primary_users(id: IntuneId) -> Call {
    Call::get(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices/{id}/users?$select=id"),
        &[Permission::ManagedDevicesReadAll],
        format!("read the primary user of the Intune device {id}"),
    )
}

/// Beta only (msgraph.md 0.8). Replaces the one primary user, so it may be sent twice.
pub(super) fn set_primary_user(graph: &str, id: IntuneId, user: UserId) -> Call {
    Call::post(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices/{id}/users/$ref"),
        json!({ "@odata.id": format!("{graph}/beta/users/{user}") }),
        &[Permission::ManagedDevicesReadWriteAll],
        format!("make the user {user} the primary user of the Intune device {id}"),
    )
    .beta()
}

pub(super) fn profiles() -> Call {
    Call::get(
        Service::IntuneDevices,
        "/deviceManagement/deviceConfigurations?$select=id,displayName&$top=1000",
        &[Permission::ConfigurationReadAll],
        "read configuration profiles",
    )
}

pub(super) fn profile_assignments(id: PolicyId) -> Call {
    Call::get(
        Service::IntuneDevices,
        format!("/deviceManagement/deviceConfigurations/{id}/assignments"),
        &[Permission::ConfigurationReadAll],
        format!("read the assignments of the profile {id}"),
    )
}

/// Replaces the whole list of assignments.
pub(super) fn assign_profile(id: PolicyId, targets: &[Value]) -> Call {
    let assignments: Vec<Value> = targets.iter().map(|target| json!({ "target": target })).collect();
    Call::post(
        Service::IntuneDevices,
        format!("/deviceManagement/deviceConfigurations/{id}/assign"),
        json!({ "assignments": assignments }),
        &[Permission::ConfigurationReadWriteAll],
        format!("assign the profile {id}"),
    )
    .never_repeated()
}

// --- escrow

/// All keys' metadata. The documentation knows no `$top` here.
pub(super) fn recovery_keys() -> Call {
    Call::get(
        Service::Directory,
        "/informationProtection/bitlocker/recoveryKeys",
        &[Permission::BitlockerKeyReadBasicAll],
        "read which recovery keys are in escrow",
    )
}

pub(super) fn recovery_keys_of(device: EntraDeviceId) -> Call {
    let filter = encode(&format!("deviceId eq '{device}'"));
    Call::get(
        Service::Directory,
        format!("/informationProtection/bitlocker/recoveryKeys?$filter={filter}"),
        &[Permission::BitlockerKeyReadBasicAll],
        format!("read which recovery keys of the registration {device} are in escrow"),
    )
}

pub(super) fn laps() -> Call {
    Call::get(
        Service::Directory,
        "/directory/deviceLocalCredentials?$select=id,lastBackupDateTime&$top=999",
        &[Permission::DeviceLocalCredentialReadBasicAll],
        "read LAPS backups",
    )
}

/// Without `$select=credentials` no password is in the answer.
pub(super) fn laps_of(device: EntraDeviceId) -> Call {
    Call::get(
        Service::Directory,
        format!("/directory/deviceLocalCredentials/{device}?$select=id,lastBackupDateTime"),
        &[Permission::DeviceLocalCredentialReadBasicAll],
        format!("read the LAPS backup of the registration {device}"),
    )
    .accepts(&[404])
}

// --- Autopilot: no `$select` (500) and no `eq` (400) here, msgraph.md 2.6

pub(super) fn autopilot() -> Call {
    Call::get(
        Service::IntuneEnrolment,
        "/deviceManagement/windowsAutopilotDeviceIdentities?$top=1000",
        &[Permission::ServiceConfigReadAll],
        "read Autopilot identities",
    )
}

/// Identities whose serial number holds a text of letters and digits; hyphens would be refused.
pub(super) fn autopilot_containing(part: &str) -> Call {
    let filter = encode(&format!("contains(serialNumber,{})", literal(part)));
    Call::get(
        Service::IntuneEnrolment,
        format!("/deviceManagement/windowsAutopilotDeviceIdentities?$filter={filter}"),
        &[Permission::ServiceConfigReadAll],
        format!("look for the Autopilot identity of a serial number with {part}"),
    )
}

pub(super) fn delete_autopilot(id: AutopilotId) -> Call {
    Call::delete(
        Service::IntuneEnrolment,
        format!("/deviceManagement/windowsAutopilotDeviceIdentities/{id}"),
        &[Permission::ServiceConfigReadWriteAll],
        format!("delete the Autopilot identity {id}"),
    )
}

pub(super) fn import_autopilot(import: &AutopilotImport) -> Call {
    Call::post(
        Service::IntuneEnrolment,
        "/deviceManagement/importedWindowsAutopilotDeviceIdentities".to_owned(),
        json!({
            "@odata.type": "#microsoft.graph.importedWindowsAutopilotDeviceIdentity",
            "serialNumber": import.serial,
            "hardwareIdentifier": import.hardware_hash,
            "groupTag": import.group_tag.as_deref().unwrap_or_default(),
        }),
        &[Permission::ServiceConfigReadWriteAll],
        format!("import the Autopilot identity of serial number {}", import.serial),
    )
    .never_repeated()
}

pub(super) fn autopilot_import(id: &str) -> Call {
    Call::get(
        Service::IntuneEnrolment,
        format!("/deviceManagement/importedWindowsAutopilotDeviceIdentities/{}", encode(id)),
        &[Permission::ServiceConfigReadAll],
        format!("read the Autopilot import {id}"),
    )
}

/// Beta only. Asked again too soon it answers 409 or 429 [I]; a synchronisation is under way then.
pub(super) fn sync_autopilot() -> Call {
    Call::post(
        Service::IntuneEnrolment,
        "/deviceManagement/windowsAutopilotSettings/sync".to_owned(),
        json!({}),
        &[Permission::ServiceConfigReadWriteAll],
        "synchronise Autopilot".to_owned(),
    )
    .beta()
    .accepts(&[409, 429])
}

// --- Conditional Access

pub(super) fn policies() -> Call {
    Call::get(
        Service::ConditionalAccess,
        "/identity/conditionalAccess/policies",
        &[Permission::PolicyReadAll],
        "read Conditional Access policies",
    )
}

pub(super) fn policy(id: PolicyId) -> Call {
    Call::get(
        Service::ConditionalAccess,
        format!("/identity/conditionalAccess/policies/{id}"),
        &[Permission::PolicyReadAll],
        format!("read the Conditional Access policy {id}"),
    )
}

/// Replaces the conditions of a policy; the caller sends what it read with one list changed.
pub(super) fn set_conditions(id: PolicyId, conditions: Value) -> Call {
    let call = Call::new(
        Verb::Patch,
        Service::ConditionalAccess,
        format!("/identity/conditionalAccess/policies/{id}"),
        &[Permission::PolicyReadAll, Permission::PolicyReadWriteConditionalAccess, Permission::ApplicationReadAll],
        format!("change the excluded users of the Conditional Access policy {id}"),
    );
    Call { body: Some(json!({ "conditions": conditions })), ..call }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn all() -> Vec<Call> {
        let id = Uuid::from_u128(7);
        let (g, o, d, i) = (GroupId(id), EntraObjectId(id), EntraDeviceId(id), IntuneId(id));
        let (u, p, a) = (UserId(id), PolicyId(id), AutopilotId(id));
        let import = AutopilotImport { serial: "1".into(), hardware_hash: "aGg=".into(), group_tag: None };
        vec![
            organization(),
            mdm_authority(TenantId(id)),
            registration_policy(),
            users(),
            user("a#b$@contoso.com"),
            role_assignments(),
            all_members(g),
            delete_user("package_1@contoso.com"),
            devices(),
            device(d),
            device_object(o),
            delete_device(o),
            memberships_of_device(o),
            groups_named(&["it's", "b&c"]),
            group(g),
            device_members(g),
            add_member("https://graph.microsoft.com", g, o),
            remove_member(g, o),
            managed_devices(),
            managed_device(i),
            managed_devices_of(d),
            delete_managed_device(i),
            primary_users(i),
            set_primary_user("https://graph.microsoft.com", i, u),
            profiles(),
            profile_assignments(p),
            assign_profile(p, &[]),
            recovery_keys(),
            recovery_keys_of(d),
            laps(),
            laps_of(d),
            autopilot(),
            autopilot_containing("5CG1"),
            delete_autopilot(a),
            import_autopilot(&import),
            autopilot_import("1/../2"),
            sync_autopilot(),
            policies(),
            policy(p),
            set_conditions(p, json!({})),
        ]
    }

    /// Catches a request that deletes a member instead of a membership, or touches a device's content.
    #[test]
    fn nothing_dangerous() {
        for call in all() {
            let path = call.path().split('?').next().unwrap_or_default();
            if call.is_write() && path.contains("/members") {
                assert!(path.ends_with("/$ref"), "{path}");
            }
            for word in ["wipe", "retire", "cleanWindowsDevice", "resetPasscode", "remoteLock", "$select=key"] {
                assert!(!call.path().to_lowercase().contains(&word.to_lowercase()), "{path}");
            }
            assert!(!call.needs().is_empty() && !call.what().is_empty(), "{path}");
        }
    }

    /// Catches a text that leaves its place in a URL: another path, another parameter, an open quote.
    #[test]
    fn texts_stay_in_place() {
        assert_eq!(user("a#b/../c?x@h").path().split('?').next(), Some("/users/a%23b%2F..%2Fc%3Fx@h"));
        let call = groups_named(&["it's", "b&c"]);
        assert!(
            call.path().starts_with(
                "/groups?$filter=displayName%20eq%20%27it%27%27s%27%20or%20displayName%20eq%20%27b%26c%27&"
            )
        );
        for call in all() {
            let url = url::Url::parse("https://graph.microsoft.com").expect("a URL");
            let joined = url.join(&format!("/v1.0{}", call.path())).expect("a path");
            assert_eq!(joined.host_str(), Some("graph.microsoft.com"));
            assert_eq!(&joined.as_str()["https://graph.microsoft.com/v1.0".len()..], call.path());
        }
    }

    /// Catches a write that would be repeated blindly although it isn't idempotent.
    #[test]
    fn posts_are_considered() {
        let never: Vec<String> =
            all().iter().filter(|call| !call.may_repeat()).map(|call| call.what().to_owned()).collect();
        assert_eq!(never.len(), 2, "{never:?}");
    }

    /// Catches a version that Graph doesn't have the path in (msgraph.md 3).
    #[test]
    fn versions() {
        let beta: Vec<String> = all()
            .iter()
            .filter(|call| call.version() == Version::Beta)
            .map(|call| call.path().rsplit('/').take(2).collect::<Vec<_>>().join("<"))
            .collect();
        assert_eq!(beta, ["$ref<users", "sync<windowsAutopilotSettings"]);
    }
}
