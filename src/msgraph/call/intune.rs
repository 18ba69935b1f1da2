//! Calls of Intune: managed devices, configuration profiles, Autopilot.
//!
//! Autopilot knows no `$select` (500) and no `eq` (400), msgraph.md 2.6. Configuration shares the quota of enrolment.

use serde_json::{Value, json};

use super::{Call, encode, literal};
use crate::model::{AutopilotId, EntraDeviceId, IntuneId, Permission, PolicyId, UserId};
use crate::msgraph::quota::Service;
use crate::port::AutopilotImport;

const MANAGED: &str = "id,azureADDeviceId,deviceName,serialNumber,lastSyncDateTime,enrolledDateTime";

pub(in crate::msgraph) fn managed_devices() -> Call {
    Call::get(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices?$select={MANAGED}&$top=1000"),
        &[Permission::ManagedDevicesReadAll],
        "read Intune devices",
    )
}

pub(in crate::msgraph) fn managed_device(id: IntuneId) -> Call {
    Call::get(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices/{id}?$select={MANAGED}"),
        &[Permission::ManagedDevicesReadAll],
        format!("read the Intune device {id}"),
    )
    .accepts(&[404])
}

pub(in crate::msgraph) fn managed_devices_of(id: EntraDeviceId) -> Call {
    let filter = encode(&format!("azureADDeviceId eq '{id}'"));
    Call::get(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices?$filter={filter}&$select={MANAGED}"),
        &[Permission::ManagedDevicesReadAll],
        format!("read the Intune devices of the registration {id}"),
    )
}

pub(in crate::msgraph) fn delete_managed_device(id: IntuneId) -> Call {
    Call::delete(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices/{id}"),
        &[Permission::ManagedDevicesReadWriteAll],
        format!("delete the Intune device {id}"),
    )
}

pub(in crate::msgraph) fn primary_users(id: IntuneId) -> Call {
    Call::get(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices/{id}/users?$select=id"),
        &[Permission::ManagedDevicesReadAll],
        format!("read the primary user of the Intune device {id}"),
    )
}

/// Beta only (msgraph.md 0.8). Replaces the one primary user, so it may be sent twice.
pub(in crate::msgraph) fn set_primary_user(graph: &str, id: IntuneId, user: UserId) -> Call {
    Call::post(
        Service::IntuneDevices,
        format!("/deviceManagement/managedDevices/{id}/users/$ref"),
        json!({ "@odata.id": format!("{graph}/beta/users/{user}") }),
        &[Permission::ManagedDevicesReadWriteAll],
        format!("make the user {user} the primary user of the Intune device {id}"),
    )
    .beta()
}

pub(in crate::msgraph) fn profiles() -> Call {
    Call::get(
        Service::IntuneEnrolment,
        "/deviceManagement/deviceConfigurations?$select=id,displayName&$top=1000",
        &[Permission::ConfigurationReadAll],
        "read configuration profiles",
    )
}

pub(in crate::msgraph) fn profile_assignments(id: PolicyId) -> Call {
    Call::get(
        Service::IntuneEnrolment,
        format!("/deviceManagement/deviceConfigurations/{id}/assignments"),
        &[Permission::ConfigurationReadAll],
        format!("read the assignments of the profile {id}"),
    )
}

/// Replaces the whole list of assignments.
pub(in crate::msgraph) fn assign_profile(id: PolicyId, targets: &[Value]) -> Call {
    let assignments: Vec<Value> = targets.iter().map(|target| json!({ "target": target })).collect();
    Call::post(
        Service::IntuneEnrolment,
        format!("/deviceManagement/deviceConfigurations/{id}/assign"),
        json!({ "assignments": assignments }),
        &[Permission::ConfigurationReadWriteAll],
        format!("assign the profile {id}"),
    )
    .never_repeated()
}

pub(in crate::msgraph) fn autopilot() -> Call {
    Call::get(
        Service::IntuneEnrolment,
        "/deviceManagement/windowsAutopilotDeviceIdentities?$top=1000",
        &[Permission::ServiceConfigReadAll],
        "read Autopilot identities",
    )
}

/// Identities whose serial number holds a text of letters and digits; hyphens would be refused.
pub(in crate::msgraph) fn autopilot_containing(part: &str) -> Call {
    let filter = encode(&format!("contains(serialNumber,{})", literal(part)));
    Call::get(
        Service::IntuneEnrolment,
        format!("/deviceManagement/windowsAutopilotDeviceIdentities?$filter={filter}"),
        &[Permission::ServiceConfigReadAll],
        format!("look for the Autopilot identity of a serial number with {part}"),
    )
}

pub(in crate::msgraph) fn delete_autopilot(id: AutopilotId) -> Call {
    Call::delete(
        Service::IntuneEnrolment,
        format!("/deviceManagement/windowsAutopilotDeviceIdentities/{id}"),
        &[Permission::ServiceConfigReadWriteAll],
        format!("delete the Autopilot identity {id}"),
    )
}

pub(in crate::msgraph) fn import_autopilot(import: &AutopilotImport) -> Call {
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

pub(in crate::msgraph) fn autopilot_import(id: &str) -> Call {
    Call::get(
        Service::IntuneEnrolment,
        format!("/deviceManagement/importedWindowsAutopilotDeviceIdentities/{}", encode(id)),
        &[Permission::ServiceConfigReadAll],
        format!("read the Autopilot import {id}"),
    )
}

/// Beta only. Asked again too soon it answers 409 or 429 (unproven); a synchronisation is under way then.
pub(in crate::msgraph) fn sync_autopilot() -> Call {
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
