//! Graph's JSON as [`state`](crate::state) values.
//!
//! Unknown members and enum values are ignored, optional ids and dates that can't be read are absent, and a missing
//! id of the item itself is an error that names it. Nothing here panics on any JSON.

mod settings;

pub(super) use settings::{
    Enrolment, aim, app_role_assignment, app_roles, application, cross_tenant_default, cross_tenant_partner, enrolment,
    enrolment_settings, group_of_account, named_location, policy, service_principal,
};

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil;
use jiff::tz::TimeZone;
use serde_json::Value;
use uuid::{Uuid, uuid};

use crate::model::{
    AutopilotId, EntraDeviceId, EntraObjectId, GroupId, IntuneId, KeyId, Known, PolicyId, Sid, TenantId, UserId,
};
use crate::port::ImportState;
use crate::state::{
    Assignment, AutopilotIdentity, ConfigurationProfile, EntraDevice, Group, JoinScope, LapsBackup, ManagedDevice,
    Organization, RecoveryKey, RegistrationPolicy, TrustType, User,
};

/// What one JSON value means: something, nothing of interest, or why it can't be read.
pub(super) type Shaped<T> = Result<Option<T>, String>;
/// A function that reads one item of a collection.
pub(super) type Shape<T> = fn(&Value) -> Shaped<T>;

/// Service plans that let a user enrol into Intune (license-plans.json). INTUNE_O365 is basic mobility and isn't here.
const INTUNE_PLANS: [Uuid; 5] = [
    uuid!("c1ec4a95-1f05-45b3-a911-aa3fa01094f5"), // INTUNE_A
    uuid!("da24caf9-af8e-485c-b7c8-e73336da2693"), // INTUNE_EDU
    uuid!("8e9ff0ff-aa7a-4b20-83c1-2f636b600ac2"), // INTUNE_SMBIZ
    uuid!("3e170737-c728-4eae-bbb9-3f3360f7184c"), // INTUNE_A_VL
    uuid!("d216f254-796f-4dab-bbfa-710686e646b9"), // INTUNE_A_GOV
];
/// Entra ID P1 and P2.
const PREMIUM_PLANS: [Uuid; 2] =
    [uuid!("41781fb2-bc02-4b7c-bd55-b576c07bb09d"), uuid!("eec0eb4f-6444-4f95-aba0-50c24d67f998")];

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn owned(value: &Value, key: &str) -> String {
    text(value, key).unwrap_or_default().to_owned()
}

/// Returns text that says something.
fn filled(value: &Value, key: &str) -> Option<String> {
    text(value, key).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

fn flag(value: &Value, key: &str) -> bool {
    value.get(key).and_then(Value::as_bool).unwrap_or(false)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

fn texts(value: &Value, key: &str) -> Vec<String> {
    list(value, key).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns an optional id. Intune writes "none" as zeros, an empty text or prose.
fn guid(value: &Value, key: &str) -> Option<Uuid> {
    text(value, key)?.trim().parse().ok().filter(|id: &Uuid| !id.is_nil())
}

/// Returns the id that the item can't be without.
fn must(value: &Value, key: &str) -> Result<Uuid, String> {
    match value.get(key) {
        None | Some(Value::Null) => Err(format!("`{key}` is missing")),
        Some(Value::String(text)) => text.trim().parse().map_err(|_| format!("`{key}` isn't a GUID")),
        Some(_) => Err(format!("`{key}` isn't text")),
    }
}

fn guids(value: &Value, key: &str) -> Vec<Uuid> {
    list(value, key).iter().filter_map(Value::as_str).filter_map(|text| text.parse().ok()).collect()
}

/// Returns a date. Year 1 means never; a missing zone means UTC.
fn date(value: &Value, key: &str) -> Option<Timestamp> {
    let text = text(value, key)?.trim();
    let zoneless = || text.parse::<civil::DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let time = text.parse::<Timestamp>().ok().or_else(zoneless)?;
    (time > Timestamp::UNIX_EPOCH).then_some(time)
}

fn sid(value: &Value, key: &str) -> Option<Sid> {
    text(value, key)?.parse().ok()
}

/// Says whether `@odata.type` is this type of Graph's.
fn is_type(value: &Value, name: &str) -> bool {
    text(value, "@odata.type").is_some_and(|kind| kind.rsplit('.').next() == Some(name))
}

/// Returns the entity of an answer: some endpoints put it into `value`.
pub(super) fn entity(json: Value) -> Value {
    match json {
        Value::Object(mut map) if !map.contains_key("id") && map.get("value").is_some_and(Value::is_object) => {
            map.remove("value").unwrap_or(Value::Null)
        }
        other => other,
    }
}

// --- the tenant

pub(super) fn organization(value: &Value) -> Shaped<Organization> {
    let mut verified_domains: Vec<String> =
        list(value, "verifiedDomains").iter().filter_map(|domain| filled(domain, "name")).collect();
    verified_domains.iter_mut().for_each(|domain| *domain = domain.to_lowercase());
    verified_domains.sort_unstable();
    Ok(Some(Organization {
        id: TenantId(must(value, "id")?),
        display_name: owned(value, "displayName"),
        verified_domains,
        mdm_authority: mdm_authority(value),
    }))
}

/// Absent where the tenant has none; the enumeration's own word for that is `unknown`, which is kept.
pub(super) fn mdm_authority(value: &Value) -> Known<String> {
    Known::found(filled(value, "mobileDeviceManagementAuthority"))
}

pub(super) fn registration_policy(value: &Value) -> Shaped<RegistrationPolicy> {
    let quota = value.get("userDeviceQuota").and_then(Value::as_u64).ok_or("`userDeviceQuota` is missing")?;
    let allowed = value.get("azureADJoin").and_then(|join| join.get("allowedToJoin"));
    let allowed = allowed.ok_or("`azureADJoin.allowedToJoin` is missing")?;
    let join = if is_type(allowed, "allDeviceRegistrationMembership") {
        JoinScope::All
    } else if is_type(allowed, "noDeviceRegistrationMembership") {
        JoinScope::None
    } else if is_type(allowed, "enumeratedDeviceRegistrationMembership") {
        let mut users: Vec<UserId> = guids(allowed, "users").into_iter().map(UserId).collect();
        let mut groups: Vec<GroupId> = guids(allowed, "groups").into_iter().map(GroupId).collect();
        users.sort_unstable();
        groups.sort_unstable();
        JoinScope::Some { users, groups }
    } else {
        // Unknown is neither "all" nor "nobody".
        return Err("`azureADJoin.allowedToJoin` has a type that isn't known".to_owned());
    };
    // Before 2026 it was a number: 0 or 1.
    let mfa = value.get("multiFactorAuthConfiguration");
    let mfa_required = mfa.is_some_and(|mfa| mfa == "required" || mfa == "1" || mfa == 1);
    Ok(Some(RegistrationPolicy { user_device_quota: u32::try_from(quota).unwrap_or(u32::MAX), mfa_required, join }))
}

// --- users and roles

/// `privileged` stays false: roles are read apart.
pub(super) fn user(value: &Value) -> Shaped<User> {
    let holds = |plans: &[Uuid]| {
        list(value, "assignedPlans").iter().any(|plan| {
            let active = text(plan, "capabilityStatus").is_some_and(|status| {
                // A plan in `Warning` still works; the tenant is late with paying.
                status.eq_ignore_ascii_case("Enabled") || status.eq_ignore_ascii_case("Warning")
            });
            active && guid(plan, "servicePlanId").is_some_and(|id| plans.contains(&id))
        })
    };
    Ok(Some(User {
        id: UserId(must(value, "id")?),
        upn: owned(value, "userPrincipalName").to_lowercase(),
        // Absent would be a read without the permission for it: an account isn't taken for enabled on that ground.
        enabled: flag(value, "accountEnabled"),
        on_premises_sid: sid(value, "onPremisesSecurityIdentifier"),
        sid: sid(value, "securityIdentifier"),
        intune: holds(&INTUNE_PLANS),
        premium: holds(&PREMIUM_PLANS),
        created: date(value, "createdDateTime"),
        privileged: false,
    }))
}

/// Who holds a directory role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Principal {
    /// A user or an application.
    Account(Uuid),
    /// A group: its members hold the role.
    Group(GroupId),
}

pub(super) fn principal(value: &Value) -> Shaped<Principal> {
    let id = must(value, "principalId")?;
    let group = value.get("principal").is_some_and(|principal| is_type(principal, "group"));
    Ok(Some(if group { Principal::Group(GroupId(id)) } else { Principal::Account(id) }))
}

/// Returns any directory object's id.
pub(super) fn object_id(value: &Value) -> Shaped<Uuid> {
    must(value, "id").map(Some)
}

// --- devices and groups

pub(super) fn device(value: &Value) -> Shaped<EntraDevice> {
    let trust = match value.get("trustType") {
        None | Some(Value::Null) => TrustType::Pending,
        Some(kind) => match kind.as_str() {
            Some("Workplace") => TrustType::Registered,
            Some("AzureAd") => TrustType::Joined,
            Some("ServerAd") => TrustType::Hybrid,
            _ => TrustType::Other,
        },
    };
    Ok(Some(EntraDevice {
        id: EntraObjectId(must(value, "id")?),
        device_id: EntraDeviceId(must(value, "deviceId")?),
        name: owned(value, "displayName"),
        trust,
        enabled: flag(value, "accountEnabled"),
        owner: None,
    }))
}

/// A group without members.
pub(super) fn group(value: &Value) -> Shaped<Group> {
    Ok(Some(Group {
        id: GroupId(must(value, "id")?),
        name: owned(value, "displayName"),
        dynamic: list(value, "groupTypes").iter().any(|kind| kind == "DynamicMembership"),
        synced: flag(value, "onPremisesSyncEnabled"),
        role_assignable: flag(value, "isAssignableToRole"),
        mail_enabled: flag(value, "mailEnabled"),
        devices: Vec::new(),
    }))
}

/// Returns a group among memberships of several kinds.
pub(super) fn group_membership(value: &Value) -> Shaped<Group> {
    let typed = text(value, "@odata.type").is_some();
    if typed && !is_type(value, "group") { Ok(None) } else { group(value) }
}

// --- Intune

pub(super) fn managed_device(value: &Value) -> Shaped<ManagedDevice> {
    Ok(Some(ManagedDevice {
        id: IntuneId(must(value, "id")?),
        device_id: guid(value, "azureADDeviceId").map(EntraDeviceId),
        name: owned(value, "deviceName"),
        serial: text(value, "serialNumber").unwrap_or_default().trim().to_owned(),
        last_sync: date(value, "lastSyncDateTime"),
        enrolled: date(value, "enrolledDateTime"),
    }))
}

pub(super) fn autopilot(value: &Value) -> Shaped<AutopilotIdentity> {
    Ok(Some(AutopilotIdentity {
        id: AutopilotId(must(value, "id")?),
        serial: text(value, "serialNumber").unwrap_or_default().trim().to_owned(),
        group_tag: filled(value, "groupTag"),
        managed_device: guid(value, "managedDeviceId").map(IntuneId),
    }))
}

/// The state of an import (msgraph.md 2.6). A status that isn't known is still running.
pub(super) fn import_state(value: &Value) -> ImportState {
    let state = value.get("state").unwrap_or(&Value::Null);
    match text(state, "deviceImportStatus") {
        Some("complete") => ImportState::Complete(guid(state, "deviceRegistrationId").map(AutopilotId)),
        Some("error") => {
            let code = state.get("deviceErrorCode").and_then(Value::as_i64).unwrap_or_default();
            ImportState::Failed(code, owned(state, "deviceErrorName"))
        }
        _ => ImportState::Running,
    }
}

/// A profile without assignments.
pub(super) fn profile(value: &Value) -> Shaped<ConfigurationProfile> {
    Ok(Some(ConfigurationProfile {
        id: PolicyId(must(value, "id")?),
        name: owned(value, "displayName"),
        assignments: Vec::new(),
    }))
}

/// Returns an assignment's target as it is, since writing replaces the list and must lose nothing.
pub(super) fn target(value: &Value) -> Shaped<Value> {
    match value.get("target") {
        Some(target) if target.is_object() => Ok(Some(target.clone())),
        _ => Err("`target` is missing".to_owned()),
    }
}

pub(super) fn assignment(target: &Value) -> Assignment {
    Assignment { kind: owned(target, "@odata.type"), group: guid(target, "groupId").map(GroupId) }
}

// --- escrow

pub(super) fn recovery_key(value: &Value) -> Shaped<RecoveryKey> {
    Ok(Some(RecoveryKey {
        id: KeyId(must(value, "id")?),
        device_id: EntraDeviceId(must(value, "deviceId")?),
        created: date(value, "createdDateTime").ok_or("`createdDateTime` isn't a date")?,
    }))
}

/// One that was never backed up is left out.
pub(super) fn laps(value: &Value) -> Shaped<LapsBackup> {
    let device_id = EntraDeviceId(must(value, "id")?);
    Ok(date(value, "lastBackupDateTime").map(|backed_up| LapsBackup { device_id, backed_up }))
}

// --- Conditional Access

fn sorted(texts: Vec<String>) -> Vec<String> {
    texts.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Returns a policy's conditions with other excluded users and everything else as it was.
///
/// The annotations of a read (`@odata.context` and the like) can't be written and are left out.
pub(super) fn conditions_excluding(policy: &Value, users: &[String]) -> Option<Value> {
    let mut conditions = policy.get("conditions")?.clone();
    strip_annotations(&mut conditions, 0);
    conditions.get_mut("users")?.as_object_mut()?.insert("excludeUsers".to_owned(), users.into());
    Some(conditions)
}

fn strip_annotations(value: &mut Value, depth: u8) {
    if let (Value::Object(map), true) = (value, depth < 16) {
        map.retain(|key, _| !key.contains("@odata.") || key == "@odata.type");
        map.values_mut().for_each(|inner| strip_annotations(inner, depth + 1));
    }
}

/// Reads a value as everything that it could be, for tests with foreign bytes; says how many took it.
#[must_use]
pub fn read_as_anything(value: &Value) -> usize {
    let value = &entity(value.clone());
    drop((mdm_authority(value), import_state(value), assignment(value), conditions_excluding(value, &[])));
    let taken = [
        organization(value).is_ok(),
        registration_policy(value).is_ok(),
        user(value).is_ok(),
        principal(value).is_ok(),
        object_id(value).is_ok(),
        device(value).is_ok(),
        group(value).is_ok(),
        group_membership(value).is_ok(),
        managed_device(value).is_ok(),
        autopilot(value).is_ok(),
        profile(value).is_ok(),
        target(value).is_ok(),
        recovery_key(value).is_ok(),
        laps(value).is_ok(),
    ];
    taken.into_iter().filter(|taken| *taken).count() + settings::read_as_anything(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ID: &str = "0f7c6f3e-5d0a-4f6e-9a57-1f0c2f5b8b11";

    /// Catches basic mobility taken for Intune, and a plan that was taken away taken for one that is held.
    #[test]
    fn plans() {
        let user_with = |plan: &str, status: &str| {
            let value = json!({"id": ID, "assignedPlans": [{"servicePlanId": plan, "capabilityStatus": status}]});
            let user = user(&value).expect("a user").expect("a user");
            (user.intune, user.premium)
        };
        let intune = "c1ec4a95-1f05-45b3-a911-aa3fa01094f5";
        assert_eq!(user_with(intune, "Enabled"), (true, false));
        assert_eq!(user_with(intune, "Warning"), (true, false));
        assert_eq!(user_with(intune, "Deleted"), (false, false));
        assert_eq!(user_with("882e1d05-acd1-4ccb-8708-6ee03664b117", "Enabled"), (false, false));
        assert_eq!(user_with("eec0eb4f-6444-4f95-aba0-50c24d67f998", "Enabled"), (false, true));
    }

    /// Catches "never" read as a date of the year 1, and Graph's forms of a date that are lost.
    #[test]
    fn dates() {
        let read = |text: &str| date(&json!({"at": text}), "at").map(|time| time.to_string());
        assert_eq!(read("0001-01-01T00:00:00Z"), None);
        assert_eq!(read("2020-06-15T13:45:30.0000000Z").as_deref(), Some("2020-06-15T13:45:30Z"));
        assert_eq!(read("2016-12-31T23:59:43.797191-08:00").as_deref(), Some("2017-01-01T07:59:43.797191Z"));
        assert_eq!(read("2023-06-12T14:14:57").as_deref(), Some("2023-06-12T14:14:57Z"));
        assert_eq!(read("soon"), None);
    }

    /// Catches a trust type that is guessed: a null one is a hybrid registration under way, a new one is neither.
    #[test]
    fn trust_types() {
        let trust = |kind: Value| {
            let value = json!({"id": ID, "deviceId": ID, "trustType": kind});
            device(&value).expect("a device").expect("a device").trust
        };
        assert_eq!(trust(json!("ServerAd")), TrustType::Hybrid);
        assert_eq!(trust(json!(null)), TrustType::Pending);
        assert_eq!(trust(json!("unknownFutureValue")), TrustType::Other);
    }

    /// Catches a malformed item that passes as absent.
    #[test]
    fn malformed_items_are_named() {
        assert_eq!(device(&json!({"id": ID})), Err("`deviceId` is missing".to_owned()));
        assert_eq!(user(&json!({"id": "7"})), Err("`id` isn't a GUID".to_owned()));
        assert!(registration_policy(&json!({"userDeviceQuota": 1, "azureADJoin": {"allowedToJoin": {}}})).is_err());
        let managed = managed_device(&json!({"id": ID, "azureADDeviceId": "none yet"})).expect("a device");
        assert_eq!(managed.expect("a device").device_id, None);
    }

    /// Catches a change of exclusions that drops another condition of the policy.
    #[test]
    fn other_conditions_stay() {
        let policy = json!({"conditions": {"users": {"includeUsers": ["All"], "excludeUsers": ["a"],
            "excludeUsers@odata.x": 1}, "clientAppTypes": ["all"], "locations": null}});
        let changed = conditions_excluding(&policy, &["b".to_owned()]).expect("conditions");
        assert_eq!(
            changed,
            json!({"users": {"includeUsers": ["All"], "excludeUsers": ["b"]}, "clientAppTypes": ["all"],
                "locations": null})
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let keys = prop::sample::select(vec![
            "id",
            "deviceId",
            "value",
            "trustType",
            "assignedPlans",
            "target",
            "conditions",
            "users",
            "state",
            "x",
            "azureADJoin",
            "allowedToJoin",
            "@odata.type",
            "createdDateTime",
            "groupTypes",
            "principalId",
            "priority",
            "resourceId",
            "appRoles",
            "requiredResourceAccess",
            "windowsRestriction",
            "grantControls",
            "b2bCollaborationInbound",
        ]);
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,12}".prop_map(Value::from),
            Just(Value::from(ID)),
            Just(Value::from("9999-12-31T23:59:59Z")),
            Just(Value::from("#microsoft.graph.windows10EnrollmentCompletionPageConfiguration")),
        ];
        leaf.prop_recursive(4, 40, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((keys.clone(), inner), 0..6)
                    .prop_map(|map| map.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
            ]
        })
    }

    proptest! {
        /// Catches a panic on JSON of any shape.
        #[test]
        fn never_panics(value in any_json()) {
            let _ = (organization(&value), registration_policy(&value), user(&value), device(&value), group(&value));
            let _ = (managed_device(&value), autopilot(&value), profile(&value), target(&value));
            let _ = (recovery_key(&value), laps(&value), group_membership(&value));
            let _ = (assignment(&value), principal(&value), object_id(&value), mdm_authority(&value));
            import_state(&value);
            let _ = read_as_anything(&value);
            conditions_excluding(&value, &[]);
            entity(value);
        }
    }
}
