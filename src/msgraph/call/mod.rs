//! Every request that this tool can make, as a typed function. A URL that has no function here can't be built:
//! the fields of [`Call`] are private to this folder.
//!
//! That is on purpose. `DELETE /groups/{g}/members/{m}` without `/$ref` deletes the member itself (msgraph.md 0.3),
//! and `wipe` is authorised by the permission that deleting an Intune record needs (5.1): neither stands here, and
//! the tests at the end hold the whole list to that.

mod directory;
mod intune;
mod policy;
mod settings;

pub(super) use directory::{
    NAMES_PER_FILTER, add_member, add_user_member, all_members, delete_device, delete_user, device, device_members,
    device_object, devices, devices_of_account, group, groups_named, groups_of_account, laps, laps_of, mdm_authority,
    memberships_of_device, organization, recovery_keys, recovery_keys_of, registration_policy, remove_member,
    remove_user_member, role_assignments, user, users,
};
pub(super) use intune::{
    assign_profile, autopilot, autopilot_containing, autopilot_import, delete_autopilot, delete_managed_device,
    import_autopilot, managed_device, managed_devices, managed_devices_of, primary_users, profile_assignments,
    profiles, set_primary_user, sync_autopilot,
};
pub(super) use policy::{named_locations, policies, policy, set_conditions};
pub(super) use settings::{
    GRAPH_APP, app_role_assignments, application, cross_tenant_default, cross_tenant_partners,
    enrolment_configurations, graph_principal, service_principal, status_page_assignments, status_pages,
};

use serde_json::{Value, json};

use super::quota::Service;
use crate::model::Permission;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AutopilotId, EntraDeviceId, EntraObjectId, GroupId, IntuneId, PolicyId, TenantId, UserId};
    use crate::port::AutopilotImport;
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
            add_user_member("https://graph.microsoft.com", g, u),
            remove_user_member(g, u),
            groups_of_account("package_1@contoso.com"),
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
            named_locations(),
            groups_of_account("package_1@contoso.com"),
            devices_of_account("package_1@contoso.com"),
            service_principal("a'b/../c"),
            graph_principal(),
            app_role_assignments(id),
            application("a'b?c"),
            enrolment_configurations(),
            status_pages(),
            status_page_assignments("7_Default/../x"),
            cross_tenant_default(),
            cross_tenant_partners(),
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
        let pages = "deviceEnrollmentConfigurations?$expand=assignments<deviceManagement";
        assert_eq!(beta, ["$ref<users", "sync<windowsAutopilotSettings", pages]);
    }

    /// Says whether a request's path is one of a table's, whose `{id}` stands for anything.
    fn fits(path: &str, pattern: &str) -> bool {
        let (mut path, mut pattern) = (path.split('/'), pattern.split('/'));
        loop {
            match (path.next(), pattern.next()) {
                (None, None) => return true,
                (Some(own), Some(wanted)) => {
                    let fits = match wanted.split_once("{id}") {
                        Some(("", "")) => !own.contains("(") && own != "$ref",
                        Some((head, tail)) => own.starts_with(head) && own.ends_with(tail),
                        None => own == wanted,
                    };
                    if !fits {
                        return false;
                    }
                }
                _ => return false,
            }
        }
    }

    /// Catches a request whose permission nobody would be asked for: it isn't in the table that plans, permission
    /// lists and docs read, or asks for something else there.
    #[test]
    fn requests_stand_in_the_table() {
        use crate::model::GraphCall;
        let mut built = std::collections::BTreeSet::new();
        for call in all() {
            let path = call.path().split('?').next().unwrap_or_default();
            let same = |row: &&GraphCall| {
                (row.method(), row.version()) == (call.verb().as_str(), call.version().as_str())
                    && fits(path, row.path())
                    // Members of a group are devices or users: one path, and other permissions.
                    && (!(path.ends_with("/$ref") && path.contains("/members")) || call.needs() == row.needs())
            };
            let rows: Vec<&GraphCall> = GraphCall::ALL.iter().filter(same).collect();
            let [row] = rows.as_slice() else { panic!("{} {path}: {rows:?}", call.verb().as_str()) };
            assert_eq!(call.needs(), row.needs(), "{} {path}", call.verb().as_str());
            built.insert(**row);
        }
        let unbuilt: Vec<&GraphCall> = GraphCall::ALL.iter().filter(|row| !built.contains(row)).collect();
        assert!(unbuilt.is_empty(), "nothing builds {unbuilt:?}");
    }
}
