//! The objects of a tenant as Graph shows them: each type's properties, which of them come without being
//! selected, and how each is computed from the little that the lab keeps (msgraph.md 2, schema-v1.json).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::model::{Digest, Sid, UserId};

/// When a property is in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Without being asked for.
    Default,
    /// Only where it is selected.
    Selected,
    /// Without being asked for, in beta only.
    Beta,
}

/// A type of object.
pub(super) trait Object: Clone + Serialize + DeserializeOwned {
    /// Name of the table, and of the collection in `@odata.context`.
    const TABLE: &'static str;
    /// Type, `microsoft.graph.…`.
    const TYPE: &'static str;
    /// Properties.
    const PROPERTIES: &'static [(&'static str, Shown)];
    /// Properties with an index for `eq`.
    const INDEXED: &'static [&'static str];
    /// Returns the key.
    fn id(&self) -> Uuid;
    /// Returns a property; `None` where the type has none of that name.
    fn get(&self, name: &str) -> Option<Value>;
}

macro_rules! object {
    ($type:ident, $table:literal, $name:literal, [$($indexed:literal),*], |$o:ident| {
        $($shown:ident $property:literal => $value:expr,)*
    }) => {
        impl Object for $type {
            const TABLE: &'static str = $table;
            const TYPE: &'static str = concat!("microsoft.graph.", $name);
            const PROPERTIES: &'static [(&'static str, Shown)] = &[$(($property, Shown::$shown)),*];
            const INDEXED: &'static [&'static str] = &[$($indexed),*];
            fn id(&self) -> Uuid {
                self.id
            }
            fn get(&self, name: &str) -> Option<Value> {
                let $o = self;
                match name {
                    $($property => Some(json!($value)),)*
                    _ => None,
                }
            }
        }
    };
}

/// A service plan: service, id, name (license-plans.json).
const PLANS: &[(&str, &str, &str, &str)] = &[
    ("intune", "SCO", "c1ec4a95-1f05-45b3-a911-aa3fa01094f5", "INTUNE_A"),
    ("entra-p1", "AADPremiumService", "41781fb2-bc02-4b7c-bd55-b576c07bb09d", "AAD_PREMIUM"),
    ("entra-p2", "AADPremiumService", "eec0eb4f-6444-4f95-aba0-50c24d67f998", "AAD_PREMIUM_P2"),
];

/// A user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) id: Uuid,
    pub(super) upn: String,
    pub(super) enabled: bool,
    pub(super) on_premises_sid: Option<String>,
    pub(super) licences: Vec<String>,
    pub(super) roles: Vec<String>,
    pub(super) created: Timestamp,
}

impl User {
    fn plans(&self) -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str, &'static str)> {
        // A P2 licence brings P1 with it (msgraph.md 6).
        let has = |plan: &str| self.licences.iter().any(|own| own == plan || (plan == "entra-p1" && own == "entra-p2"));
        PLANS.iter().filter(move |plan| has(plan.0))
    }
    /// Returns `licenseDetails`.
    pub(super) fn licence_details(&self) -> Vec<Value> {
        let plans: Vec<Value> = self
            .plans()
            .map(|(_, _, id, name)| {
                json!({"servicePlanId": id, "servicePlanName": name, "provisioningStatus": "Success", "appliesTo": "User"})
            })
            .collect();
        if plans.is_empty() {
            return Vec::new();
        }
        // Enterprise Mobility + Security E3 or E5: the SKUs that hold these plans together.
        let (sku, part) = if self.licences.iter().any(|licence| licence == "entra-p2") {
            ("b05e124f-c7cc-45a0-a6aa-8cf78c946968", "EMSPREMIUM")
        } else {
            ("efccb6f7-5641-4e0e-bd10-b4976e1bf68e", "EMS")
        };
        vec![json!({"id": self.id.simple().to_string(), "skuId": sku, "skuPartNumber": part, "servicePlans": plans})]
    }
    fn assigned_plans(&self) -> Vec<Value> {
        let plan = |(_, service, id, _): &(&str, &str, &str, &str)| {
            json!({"assignedDateTime": self.created.to_string(), "capabilityStatus": "Enabled", "service": service,
                   "servicePlanId": id})
        };
        self.plans().map(plan).collect()
    }
    fn name(&self) -> &str {
        self.upn.split('@').next().unwrap_or(&self.upn)
    }
}

object!(User, "users", "user", ["userPrincipalName", "onPremisesSecurityIdentifier", "displayName"], |o| {
    Default "id" => o.id,
    Default "businessPhones" => [(); 0],
    Default "displayName" => o.name(),
    Default "givenName" => Value::Null,
    Default "jobTitle" => Value::Null,
    Default "mail" => (!o.upn.starts_with("package_")).then_some(&o.upn),
    Default "mobilePhone" => Value::Null,
    Default "officeLocation" => Value::Null,
    Default "preferredLanguage" => Value::Null,
    Default "surname" => Value::Null,
    Default "userPrincipalName" => o.upn,
    Selected "accountEnabled" => o.enabled,
    Selected "assignedLicenses" => o.licence_details().iter()
        .map(|detail| json!({"disabledPlans": [], "skuId": detail["skuId"]})).collect::<Vec<_>>(),
    Selected "assignedPlans" => o.assigned_plans(),
    Selected "createdDateTime" => o.created.to_string(),
    Selected "mailNickname" => o.name(),
    Selected "onPremisesDomainName" => Value::Null,
    Selected "onPremisesImmutableId" => o.on_premises_sid.as_ref().map(|sid| STANDARD.encode(&Digest::of(sid.as_bytes()).to_string()[..16])),
    Selected "onPremisesSamAccountName" => o.on_premises_sid.as_ref().map(|_| o.name()),
    Selected "onPremisesSecurityIdentifier" => o.on_premises_sid,
    Selected "onPremisesSyncEnabled" => o.on_premises_sid.as_ref().map(|_| true),
    Selected "onPremisesUserPrincipalName" => o.on_premises_sid.as_ref().map(|_| &o.upn),
    Selected "proxyAddresses" => [(); 0],
    Selected "securityIdentifier" => Sid::of_entra_user(UserId(o.id)).as_str(),
    Selected "usageLocation" => Value::Null,
    Selected "userType" => "Member",
    Selected "deletedDateTime" => Value::Null,
});

/// A group, without its members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) dynamic: bool,
    pub(super) synced: bool,
    pub(super) role_assignable: bool,
    pub(super) mail_enabled: bool,
    pub(super) created: Timestamp,
}

object!(Group, "groups", "group", ["displayName"], |o| {
    Default "id" => o.id,
    Default "classification" => Value::Null,
    Default "createdDateTime" => o.created.to_string(),
    Default "deletedDateTime" => Value::Null,
    Default "description" => Value::Null,
    Default "displayName" => o.name,
    Default "expirationDateTime" => Value::Null,
    Default "groupTypes" => if o.dynamic { vec!["DynamicMembership"] } else { Vec::new() },
    Default "isAssignableToRole" => o.role_assignable.then_some(true),
    Default "mail" => o.mail_enabled.then(|| format!("{}@groups.invalid", o.id.simple())),
    Default "mailEnabled" => o.mail_enabled,
    Default "mailNickname" => o.id.simple().to_string(),
    Default "membershipRule" => o.dynamic.then_some("(device.deviceOSType -startsWith \"Windows\")"),
    Default "membershipRuleProcessingState" => o.dynamic.then_some("On"),
    Default "onPremisesLastSyncDateTime" => o.synced.then(|| o.created.to_string()),
    Default "onPremisesProvisioningErrors" => [(); 0],
    Default "onPremisesSamAccountName" => o.synced.then_some(&o.name),
    Default "onPremisesSecurityIdentifier" => Value::Null,
    Default "onPremisesSyncEnabled" => o.synced.then_some(true),
    Default "preferredDataLocation" => Value::Null,
    Default "proxyAddresses" => [(); 0],
    Default "renewedDateTime" => o.created.to_string(),
    Default "securityEnabled" => true,
    Default "securityIdentifier" => Sid::of_entra_user(UserId(o.id)).as_str(),
    Default "visibility" => Value::Null,
});

/// How a device object came to be; `trustType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Trust {
    /// Entra joined.
    AzureAd,
    /// Hybrid joined.
    ServerAd,
    /// Made by Entra Connect, and the device hasn't registered.
    Pending,
}

/// A device object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Device {
    pub(super) id: Uuid,
    pub(super) device_id: Uuid,
    pub(super) name: String,
    pub(super) trust: Trust,
    pub(super) enabled: bool,
    pub(super) managed: bool,
    pub(super) registered: Timestamp,
    pub(super) last_sign_in: Timestamp,
    pub(super) physical_ids: Vec<String>,
    pub(super) extension: std::collections::BTreeMap<String, Option<String>>,
    /// Account that joined it, whose quota it counts against.
    pub(super) registered_by: Option<Uuid>,
}

impl Device {
    fn synced(&self) -> bool {
        self.trust != Trust::AzureAd
    }
    fn extension_attributes(&self) -> Value {
        let value = |n: usize| {
            let name = format!("extensionAttribute{n}");
            let value = json!(self.extension.get(&name).cloned().flatten());
            (name, value)
        };
        Value::Object((1..=15).map(value).collect())
    }
}

object!(Device, "devices", "device", ["deviceId", "displayName"], |o| {
    Default "id" => o.id,
    Default "accountEnabled" => o.enabled,
    Default "alternativeSecurityIds" => [json!({"type": 2, "identityProvider": null, "key": STANDARD.encode(o.device_id.as_bytes())})],
    Default "approximateLastSignInDateTime" => o.last_sign_in.to_string(),
    Default "complianceExpirationDateTime" => Value::Null,
    Default "deletedDateTime" => Value::Null,
    Default "deviceCategory" => Value::Null,
    Default "deviceId" => o.device_id,
    Default "deviceMetadata" => Value::Null,
    Default "deviceOwnership" => o.managed.then_some("Company"),
    Default "deviceVersion" => 2,
    Default "displayName" => o.name,
    Default "enrollmentProfileName" => Value::Null,
    Default "enrollmentType" => Value::Null,
    Default "extensionAttributes" => o.extension_attributes(),
    Default "isCompliant" => o.managed.then_some(true),
    Default "isManaged" => o.managed.then_some(true),
    Default "isRooted" => Value::Null,
    Default "managementType" => o.managed.then_some("MDM"),
    Default "manufacturer" => "Contoso Devices",
    Default "mdmAppId" => o.managed.then_some("0000000a-0000-0000-c000-000000000000"),
    Default "model" => "Laptop 5",
    Default "onPremisesLastSyncDateTime" => o.synced().then(|| o.registered.to_string()),
    Default "onPremisesSyncEnabled" => o.synced().then_some(true),
    Default "operatingSystem" => "Windows",
    Default "operatingSystemVersion" => "10.0.22631.4460",
    Default "physicalIds" => o.physical_ids,
    Default "profileType" => (o.trust != Trust::Pending).then_some("RegisteredDevice"),
    Default "registrationDateTime" => (o.trust != Trust::Pending).then(|| o.registered.to_string()),
    Default "systemLabels" => [(); 0],
    Default "trustType" => match o.trust {
        Trust::AzureAd => Some("AzureAd"),
        Trust::ServerAd => Some("ServerAd"),
        Trust::Pending => None,
    },
});

/// What a soft delete leaves for 30 days (msgraph.md 0.4): users and joined devices, never hybrid ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Deleted {
    pub(super) id: Uuid,
    pub(super) name: String,
    /// Registration, of a device.
    pub(super) device_id: Option<Uuid>,
    pub(super) deleted: Timestamp,
}

object!(Deleted, "deletedItems", "directoryObject", [], |o| {
    Default "id" => o.id,
    Default "deletedDateTime" => o.deleted.to_string(),
    Default "deviceId" => o.device_id,
    Default "displayName" => o.name,
    Default "userPrincipalName" => o.device_id.is_none().then_some(&o.name),
});

/// An Intune record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ManagedDevice {
    pub(super) id: Uuid,
    pub(super) device_id: Uuid,
    pub(super) name: String,
    pub(super) serial: String,
    pub(super) encrypted: bool,
    pub(super) configmgr: bool,
    pub(super) hybrid: bool,
    pub(super) autopilot: bool,
    /// Edition as Windows names it.
    pub(super) edition: String,
    pub(super) enrolled: Timestamp,
    pub(super) last_sync: Timestamp,
    /// Who enrolled it, id and UPN: not the primary user (msgraph.md 0.7).
    pub(super) enrolled_by: Option<(Uuid, String)>,
    pub(super) primary_user: Option<Uuid>,
}

/// A year: what an MDM certificate lives.
const CERTIFICATE: SignedDuration = SignedDuration::from_hours(365 * 24);

object!(ManagedDevice, "managedDevices", "managedDevice",
    ["azureADDeviceId", "deviceName", "serialNumber", "userPrincipalName"], |o| {
    Default "id" => o.id,
    Default "activationLockBypassCode" => Value::Null,
    Default "androidSecurityPatchLevel" => "",
    Default "azureADDeviceId" => o.device_id,
    Default "azureADRegistered" => true,
    Default "complianceGracePeriodExpirationDateTime" => "9999-12-31T23:59:59Z",
    Default "complianceState" => "compliant",
    Default "configurationManagerClientEnabledFeatures" => o.configmgr.then(|| json!({"inventory": true,
        "modernApps": false, "resourceAccess": false, "deviceConfiguration": false, "compliancePolicy": false,
        "windowsUpdateForBusiness": false})),
    Default "deviceActionResults" => [(); 0],
    Default "deviceCategoryDisplayName" => "Unknown",
    Default "deviceEnrollmentType" => if o.enrolled_by.is_some() { "windowsAutoEnrollment" } else { "windowsBulkAzureDomainJoin" },
    Default "deviceHealthAttestationState" => Value::Null,
    Default "deviceName" => o.name,
    Default "deviceRegistrationState" => "registered",
    Default "easActivated" => false,
    Default "easActivationDateTime" => "0001-01-01T00:00:00Z",
    Default "easDeviceId" => Value::Null,
    Default "emailAddress" => o.enrolled_by.as_ref().map_or("", |(_, upn)| upn),
    Default "enrolledDateTime" => o.enrolled.to_string(),
    Default "enrollmentProfileName" => Value::Null,
    Selected "ethernetMacAddress" => Value::Null,
    Default "exchangeAccessState" => "none",
    Default "exchangeAccessStateReason" => "none",
    Default "exchangeLastSuccessfulSyncDateTime" => "0001-01-01T00:00:00Z",
    Default "freeStorageSpaceInBytes" => 128_849_018_880_u64,
    Selected "iccid" => Value::Null,
    Default "imei" => "",
    Default "isEncrypted" => o.encrypted,
    Default "isSupervised" => false,
    Default "jailBroken" => "Unknown",
    Beta "joinType" => if o.hybrid { "hybridAzureADJoined" } else { "azureADJoined" },
    Beta "autopilotEnrolled" => o.autopilot,
    Beta "skuFamily" => o.edition,
    Default "lastSyncDateTime" => o.last_sync.to_string(),
    Default "managedDeviceName" => format!("{}_Windows", o.name),
    Default "managedDeviceOwnerType" => "company",
    Default "managementAgent" => if o.configmgr { "configurationManagerClientMdm" } else { "mdm" },
    Default "managementCertificateExpirationDate" => o.enrolled.saturating_add(CERTIFICATE).unwrap_or(Timestamp::MAX).to_string(),
    Default "managementState" => "managed",
    Default "manufacturer" => "Contoso Devices",
    Default "meid" => "",
    Default "model" => "Laptop 5",
    Selected "notes" => Value::Null,
    Default "operatingSystem" => "Windows",
    Default "osVersion" => "10.0.22631.4460",
    Default "partnerReportedThreatState" => "unknown",
    Default "phoneNumber" => "",
    Selected "physicalMemoryInBytes" => 17_179_869_184_u64,
    Default "remoteAssistanceSessionErrorDetails" => Value::Null,
    Default "remoteAssistanceSessionUrl" => Value::Null,
    Default "requireUserEnrollmentApproval" => Value::Null,
    Default "serialNumber" => o.serial,
    Default "subscriberCarrier" => "",
    Default "totalStorageSpaceInBytes" => 511_101_108_224_u64,
    Selected "udid" => Value::Null,
    Default "userDisplayName" => o.enrolled_by.as_ref().map_or("", |(_, upn)| upn.split('@').next().unwrap_or("")),
    Default "userId" => o.enrolled_by.as_ref().map_or_else(String::new, |(id, _)| id.to_string()),
    Default "userPrincipalName" => o.enrolled_by.as_ref().map_or("", |(_, upn)| upn),
    Default "wiFiMacAddress" => "",
});

/// An Autopilot identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Autopilot {
    pub(super) id: Uuid,
    pub(super) serial: String,
    pub(super) group_tag: String,
    pub(super) managed_device: Option<Uuid>,
    pub(super) device_id: Option<Uuid>,
    pub(super) user: String,
    /// A delete was accepted and isn't done yet.
    pub(super) leaving: bool,
}

object!(Autopilot, "windowsAutopilotDeviceIdentities", "windowsAutopilotDeviceIdentity", ["serialNumber"], |o| {
    Default "id" => o.id,
    Default "addressableUserName" => "",
    Default "azureActiveDirectoryDeviceId" => o.device_id.unwrap_or_default(),
    Default "displayName" => "",
    Default "enrollmentState" => if o.managed_device.is_some() { "enrolled" } else { "notContacted" },
    Default "groupTag" => o.group_tag,
    Default "lastContactedDateTime" => "0001-01-01T00:00:00Z",
    Default "managedDeviceId" => o.managed_device.unwrap_or_default(),
    Default "manufacturer" => "Contoso Devices",
    Default "model" => "Laptop 5",
    Default "productKey" => "",
    Default "purchaseOrderIdentifier" => "",
    Default "resourceName" => "",
    Default "serialNumber" => o.serial,
    Default "skuNumber" => "",
    Default "systemFamily" => "Laptop",
    Default "userPrincipalName" => o.user,
});

/// How an import stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum ImportStatus {
    /// Not looked at yet.
    Unknown,
    /// Being worked on.
    Pending,
    /// The identity with this id is there.
    Complete(Uuid),
    /// Refused, with code and name (domain.md B10).
    Error(i64, String),
}

/// An Autopilot import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Import {
    pub(super) id: Uuid,
    pub(super) import_id: String,
    pub(super) serial: String,
    pub(super) group_tag: String,
    pub(super) hardware: String,
    pub(super) user: String,
    pub(super) status: ImportStatus,
}

impl Import {
    fn state(&self) -> Value {
        let (status, registration, code, name) = match &self.status {
            ImportStatus::Unknown => ("unknown", String::new(), 0, ""),
            ImportStatus::Pending => ("pending", String::new(), 0, ""),
            ImportStatus::Complete(id) => ("complete", id.to_string(), 0, ""),
            ImportStatus::Error(code, name) => ("error", String::new(), *code, name.as_str()),
        };
        json!({"deviceImportStatus": status, "deviceRegistrationId": registration, "deviceErrorCode": code,
               "deviceErrorName": name})
    }
}

object!(Import, "importedWindowsAutopilotDeviceIdentities", "importedWindowsAutopilotDeviceIdentity", [], |o| {
    Default "id" => o.id,
    Default "assignedUserPrincipalName" => o.user,
    Default "groupTag" => o.group_tag,
    Default "hardwareIdentifier" => o.hardware,
    Default "importId" => o.import_id,
    Default "productKey" => "",
    Default "serialNumber" => o.serial,
    Default "state" => o.state(),
});

/// A LAPS backup; its id is the device's registration id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Laps {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) backed_up: Timestamp,
}

impl Laps {
    /// A made-up password as Graph gives it: base64 of UTF-16LE.
    fn credentials(&self) -> Value {
        let password: String =
            Digest::of(format!("{}{}", self.id, self.backed_up).as_bytes()).to_string()[..14].to_owned();
        let bytes: Vec<u8> = password.encode_utf16().flat_map(u16::to_le_bytes).collect();
        json!([{"accountName": "Administrator", "accountSid": "S-1-5-21-0-0-0-500",
                "backupDateTime": self.backed_up.to_string(), "passwordBase64": STANDARD.encode(bytes)}])
    }
}

object!(Laps, "deviceLocalCredentials", "deviceLocalCredentialInfo", ["deviceName"], |o| {
    Default "id" => o.id,
    Default "deviceName" => o.name,
    Default "lastBackupDateTime" => o.backed_up.to_string(),
    Default "refreshDateTime" => o.backed_up.saturating_add(SignedDuration::from_hours(30 * 24)).unwrap_or(Timestamp::MAX).to_string(),
    Selected "credentials" => o.credentials(),
});

/// A recovery key in escrow of one device: the same protector may be in escrow of two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RecoveryKey {
    pub(super) id: Uuid,
    pub(super) key_id: Uuid,
    pub(super) device_id: Uuid,
    pub(super) created: Timestamp,
}

impl RecoveryKey {
    /// Returns the entry of a protector in a device's escrow.
    pub(super) fn new(key_id: Uuid, device_id: Uuid, created: Timestamp) -> Self {
        Self { id: Uuid::new_v5(&device_id, key_id.as_bytes()), key_id, device_id, created }
    }
    /// A made-up key: eight groups of six digits, each divisible by 11 as real ones are.
    fn key(&self) -> String {
        let bytes = self.key_id.as_bytes();
        let group = |at: usize| format!("{:06}", (u32::from(bytes[at]) * 256 + u32::from(bytes[at + 1])) * 11);
        (0..8).map(|n| group(n * 2)).collect::<Vec<_>>().join("-")
    }
}

object!(RecoveryKey, "recoveryKeys", "bitlockerRecoveryKey", ["deviceId", "id"], |o| {
    Default "id" => o.key_id,
    Default "createdDateTime" => o.created.to_string(),
    Default "deviceId" => o.device_id,
    Selected "key" => o.key(),
    Default "volumeType" => "operatingSystemVolume",
});

/// A Conditional Access policy, kept as Graph shows it: a PATCH may touch any part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Policy {
    pub(super) id: Uuid,
    pub(super) body: Value,
}

object!(Policy, "policies", "conditionalAccessPolicy", [], |o| {
    Default "id" => o.id,
    Default "conditions" => o.body["conditions"],
    Default "createdDateTime" => o.body["createdDateTime"],
    Default "displayName" => o.body["displayName"],
    Default "grantControls" => o.body["grantControls"],
    Default "modifiedDateTime" => o.body["modifiedDateTime"],
    Default "sessionControls" => o.body["sessionControls"],
    Default "state" => o.body["state"],
    Default "templateId" => Value::Null,
});

/// A configuration profile with its assignments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Profile {
    pub(super) id: Uuid,
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    /// `target` of each assignment.
    pub(super) targets: Vec<Value>,
    pub(super) version: u32,
}

impl Profile {
    /// Returns the assignments as Graph shows them.
    pub(super) fn assignments(&self) -> Vec<Value> {
        let assignment = |target: &Value| {
            let of = target["groupId"].as_str().or_else(|| target["@odata.type"].as_str()).unwrap_or_default();
            json!({"@odata.type": "#microsoft.graph.deviceConfigurationAssignment", "id": format!("{}_{of}", self.id),
                   "target": target})
        };
        self.targets.iter().map(assignment).collect()
    }
}

object!(Profile, "deviceConfigurations", "windows10CustomConfiguration", ["displayName"], |o| {
    Default "id" => o.id,
    Default "createdDateTime" => o.created.to_string(),
    Default "description" => Value::Null,
    Default "displayName" => o.name,
    Default "lastModifiedDateTime" => o.modified.to_string(),
    Default "version" => o.version,
});

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Object>(schema: &Value) {
        let kind = T::TYPE.trim_start_matches("microsoft.graph.");
        for (name, _) in T::PROPERTIES.iter().filter(|(_, shown)| *shown != Shown::Beta) {
            let mut found = *name == "id" || (kind == "device" && *name == "extensionAttributes");
            let mut at = Some(kind).filter(|kind| schema["entity"][kind].is_object()).or(Some("deviceConfiguration"));
            while let Some(own) = at {
                found |= schema["entity"][own]["props"].get(name).is_some();
                at = schema["entity"][own]["base"].as_str();
            }
            assert!(found, "{kind} has no property `{name}`");
        }
    }

    /// Catches properties that Graph doesn't have, selected ones included, where the schema is at hand.
    #[test]
    fn properties_are_published_ones() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/reference/graph/schema-v1.json");
        let Ok(text) = std::fs::read_to_string(path) else {
            println!("skipped: the published schema isn't here");
            return;
        };
        let schema: Value = serde_json::from_str(&text).expect("JSON");
        check::<User>(&schema);
        check::<Group>(&schema);
        check::<Device>(&schema);
        check::<ManagedDevice>(&schema);
        check::<Autopilot>(&schema);
        check::<Import>(&schema);
        check::<Laps>(&schema);
        check::<RecoveryKey>(&schema);
        check::<Policy>(&schema);
        check::<Profile>(&schema);
    }

    /// Catches a table of properties that promises one which isn't answered.
    #[test]
    fn every_property_is_answered() {
        let at = Timestamp::UNIX_EPOCH;
        let user = User {
            id: Uuid::nil(),
            upn: "a@b".to_owned(),
            enabled: true,
            on_premises_sid: Some("S-1-5-21-1-2-3-4".to_owned()),
            licences: vec!["entra-p2".to_owned()],
            roles: Vec::new(),
            created: at,
        };
        assert!(User::PROPERTIES.iter().all(|(name, _)| user.get(name).is_some()));
        assert_eq!(user.get("nothing"), None);
        assert_eq!(user.assigned_plans().len(), 2, "P2 brings P1");
        let laps = Laps { id: Uuid::nil(), name: "X".to_owned(), backed_up: at };
        let password = laps.credentials()[0]["passwordBase64"].as_str().map(|text| STANDARD.decode(text));
        let bytes = password.expect("text").expect("base64");
        assert!(bytes.len() == 28 && bytes.iter().skip(1).step_by(2).all(|byte| *byte == 0), "UTF-16LE");
    }
}
