//! Reading a world file: YAML with bounds, a place in every message, and everything that refers to something.

use std::collections::{BTreeMap, BTreeSet};

use super::world::{World, WorldDevice, WorldTenant};
use crate::model::{JoinState, Problem, Sid};
use crate::port::Result;

/// Bytes of a world file at most: 100,000 devices need about a third of it.
const BYTES_MAX: usize = 96 << 20;

impl World {
    /// Parses a world. `name` is the file's, for messages.
    ///
    /// # Errors
    /// `world.syntax` with line and column, `world.size`, or `world.reference` naming everything that is wrong.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        if text.len() > BYTES_MAX {
            let message = format!("{name} has {} MiB; a world has at most {}", text.len() >> 20, BYTES_MAX >> 20);
            return Err(Problem::new("world.size", message).next("make a smaller world"));
        }
        let budget = serde_saphyr::budget! {
            max_events: 40_000_000,
            max_nodes: 20_000_000,
            max_total_scalar_bytes: BYTES_MAX,
            max_depth: 16,
            max_aliases: 1000,
            max_anchors: 100,
        };
        let options = serde_saphyr::options! { budget: budget };
        let world: Self = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
            let place = error.location().filter(|at| at.line() > 0);
            let place = place.map_or_else(String::new, |at| format!(":{}:{}", at.line(), at.column()));
            let first = error.without_snippet().to_string();
            let first = first.lines().next().unwrap_or_default().to_owned();
            Problem::new("world.syntax", format!("{name}{place}: {first}")).next("correct the world file")
        })?;
        let wrong = world.check();
        if wrong.is_empty() {
            return Ok(world);
        }
        let shown: Vec<&str> = wrong.iter().take(20).map(String::as_str).collect();
        let more = if wrong.len() > 20 { format!("; and {} more", wrong.len() - 20) } else { String::new() };
        Err(Problem::new("world.reference", format!("{name}: {}{more}", shown.join("; ")))
            .next("correct the world file"))
    }

    /// Returns everything that doesn't hang together.
    fn check(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.lab != 1 {
            wrong.push(format!("`lab: {}` is a format that this version doesn't know; it knows 1", self.lab));
        }
        if !self.speed.is_finite() || self.speed <= 0.0 || self.speed > 1e6 {
            wrong.push(format!("`speed: {}` isn't a number from just above 0 to 1,000,000", self.speed));
        }
        let devices: BTreeSet<String> = self.devices.iter().map(|device| device.name.to_uppercase()).collect();
        let mut ids = BTreeMap::new();
        for (name, tenant) in &self.tenants {
            if let Some(other) = ids.insert(tenant.id, name) {
                wrong.push(format!("tenants `{other}` and `{name}` have the same id"));
            }
            check_tenant(name, tenant, &devices, &mut wrong);
            let partners = tenant.cross_tenant.partners.keys();
            for key in partners.filter(|key| !self.tenants.contains_key(*key) && key.parse::<uuid::Uuid>().is_err()) {
                wrong.push(format!("tenant `{name}`: cross-tenant: `{key}` isn't a tenant"));
            }
        }
        let mut packages = BTreeSet::new();
        for package in self.tenants.values().flat_map(|tenant| &tenant.packages) {
            if !packages.insert(package.name.as_str()) {
                wrong.push(format!("package `{}` is there twice", package.name));
            }
        }
        if let Some(directory) = &self.directory {
            if let Some(name) = directory.sync_to.as_ref().filter(|name| !self.tenants.contains_key(*name)) {
                wrong.push(format!("directory: `sync-to: {name}` isn't a tenant"));
            }
            if !directory.computers.contains('=') {
                wrong.push(format!("directory: `{}` isn't a distinguished name", directory.computers));
            }
        }
        self.check_devices(&mut wrong);
        for fault in &self.faults {
            if let Some(name) = fault.device.as_ref().filter(|name| !devices.contains(&name.to_uppercase())) {
                wrong.push(format!("faults: `{name}` isn't a device"));
            }
            if let Some(name) = fault.tenant.as_ref().filter(|name| !self.tenants.contains_key(*name)) {
                wrong.push(format!("faults: `{name}` isn't a tenant"));
            }
        }
        wrong
    }

    fn check_devices(&self, wrong: &mut Vec<String>) {
        let users: BTreeMap<&str, BTreeSet<String>> = self
            .tenants
            .iter()
            .map(|(name, tenant)| (name.as_str(), tenant.users.iter().map(|user| user.upn.to_lowercase()).collect()))
            .collect();
        let mut names = BTreeSet::new();
        let mut serials = BTreeSet::new();
        for device in &self.devices {
            if !names.insert(device.name.to_uppercase()) {
                wrong.push(format!("device `{}` is there twice", device.name));
            }
            if !serials.insert(device.serial.to_uppercase()) {
                wrong.push(format!("device `{}`: serial `{}` is another device's", device.name, device.serial));
            }
            self.check_device(device, &users, wrong);
        }
    }

    fn check_device(&self, device: &WorldDevice, users: &BTreeMap<&str, BTreeSet<String>>, wrong: &mut Vec<String>) {
        let name = &device.name;
        // NetBIOS: 15 characters, none of these.
        if name.is_empty() || name.len() > 15 || name.contains(|c: char| !c.is_ascii_alphanumeric() && c != '-') {
            wrong.push(format!("device `{name}`: a computer name has 1 to 15 letters, digits and hyphens"));
        }
        match &device.tenant {
            Some(tenant) if !self.tenants.contains_key(tenant) => {
                wrong.push(format!("device `{name}`: `{tenant}` isn't a tenant"));
            }
            None if matches!(device.join, JoinState::Entra | JoinState::Hybrid) => {
                wrong.push(format!("device `{name}`: an {} device needs a `tenant`", device.join.as_str()));
            }
            _ => {}
        }
        if matches!(device.join, JoinState::Ad | JoinState::Hybrid) && self.directory.is_none() {
            wrong.push(format!("device `{name}`: an {} device needs a `directory`", device.join.as_str()));
        }
        // The person who uses a device may be unknown to the tenant: that is a case to be found. Who signs in
        // afterwards was written on purpose.
        if let Some(upn) = &device.signs_in_as
            && !users.values().any(|known| known.contains(&upn.to_lowercase()))
        {
            wrong.push(format!("device `{name}`: `signs-in-as: {upn}` isn't a user of any tenant"));
        }
        for group in &device.local_groups {
            if group != "administrators" && group != "remote-desktop-users" {
                wrong.push(format!("device `{name}`: `{group}` isn't `administrators` or `remote-desktop-users`"));
            }
        }
    }
}

fn check_tenant(name: &str, tenant: &WorldTenant, devices: &BTreeSet<String>, wrong: &mut Vec<String>) {
    let mut users = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for user in &tenant.users {
        if !users.insert(user.upn.to_lowercase()) {
            wrong.push(format!("tenant `{name}`: user `{}` is there twice", user.upn));
        }
        if user.id.is_some_and(|id| !ids.insert(id)) {
            wrong.push(format!("tenant `{name}`: the id of user `{}` is another object's", user.upn));
        }
        if let Some(sid) = user.on_premises_sid.as_ref().filter(|sid| sid.parse::<Sid>().is_err()) {
            wrong.push(format!("tenant `{name}`: user `{}`: `{sid}` isn't a security identifier", user.upn));
        }
        for licence in &user.licences {
            if !["intune", "entra-p1", "entra-p2"].contains(&licence.as_str()) {
                wrong.push(format!("tenant `{name}`: user `{}`: `{licence}` isn't a licence", user.upn));
            }
        }
    }
    let mut groups = BTreeSet::new();
    for group in &tenant.groups {
        if !groups.insert(group.name.as_str()) {
            wrong.push(format!("tenant `{name}`: group `{}` is there twice", group.name));
        }
        if group.id.is_some_and(|id| !ids.insert(id)) {
            wrong.push(format!("tenant `{name}`: the id of group `{}` is another object's", group.name));
        }
        for member in &group.members {
            let known = if member.contains('@') {
                users.contains(&member.to_lowercase())
            } else {
                devices.contains(&member.to_uppercase())
            };
            if !known {
                wrong.push(format!("tenant `{name}`: group `{}`: `{member}` isn't a device or a user", group.name));
            }
        }
    }
    for package in &tenant.packages {
        if !users.contains(&package.account.to_lowercase()) {
            wrong.push(format!("tenant `{name}`: package `{}`: `{}` isn't a user", package.name, package.account));
        }
    }
    let locations: BTreeSet<&str> = tenant.named_locations.iter().map(|location| location.name.as_str()).collect();
    for policy in &tenant.conditional_access {
        let mut isnt = |what: &str, kind: &str| {
            wrong.push(format!("tenant `{name}`: policy `{}`: `{what}` isn't a {kind}", policy.name));
        };
        let words = ["All", "None", "GuestsOrExternalUsers"];
        let included = policy.include_users.iter().filter(|upn| !words.contains(&upn.as_str()));
        for upn in included.chain(&policy.exclude_users).filter(|upn| !users.contains(&upn.to_lowercase())) {
            isnt(upn, "user");
        }
        let named = policy.include_groups.iter().chain(&policy.exclude_groups);
        for group in named.filter(|group| !groups.contains(group.as_str())) {
            isnt(group, "group");
        }
        let places = policy.locations.iter().flat_map(|of| of.include.iter().chain(&of.exclude));
        let words = ["All", "AllTrusted"];
        for place in places.filter(|place| !words.contains(&place.as_str()) && !locations.contains(place.as_str())) {
            isnt(place, "named location");
        }
        if !["AND", "OR"].contains(&policy.operator.as_str()) {
            isnt(&policy.operator, "operator");
        }
        if let Some(filter) = policy.device_filter.as_ref().filter(|f| f.mode != "include" && f.mode != "exclude") {
            isnt(&filter.mode, "mode of a filter");
        }
        if !["enabled", "disabled", "enabledForReportingButNotEnforced"].contains(&policy.state.as_str()) {
            wrong.push(format!("tenant `{name}`: policy `{}`: `{}` isn't a state", policy.name, policy.state));
        }
    }
    for profile in &tenant.configuration_profiles {
        for group in profile.groups.iter().filter(|group| !groups.contains(group.as_str())) {
            wrong.push(format!("tenant `{name}`: profile `{}`: `{group}` isn't a group", profile.name));
        }
    }
    let pages = tenant.enrolment.status_pages.iter();
    for group in pages.flat_map(|page| &page.groups).filter(|group| !groups.contains(group.as_str())) {
        wrong.push(format!("tenant `{name}`: enrolment: `{group}` isn't a group"));
    }
    let registration = &tenant.registration;
    for upn in registration.join_users.iter().filter(|upn| !users.contains(&upn.to_lowercase())) {
        wrong.push(format!("tenant `{name}`: registration: `{upn}` isn't a user"));
    }
    for group in registration.join_groups.iter().filter(|group| !groups.contains(group.as_str())) {
        wrong.push(format!("tenant `{name}`: registration: `{group}` isn't a group"));
    }
    if !["intune", "sccm", "office365", "unknown"].contains(&tenant.mdm_authority.as_str()) {
        wrong.push(format!("tenant `{name}`: `mdm-authority: {}` isn't one", tenant.mdm_authority));
    }
    let mut apps = BTreeSet::new();
    for app in &tenant.apps {
        if !apps.insert(app.client_id.to_lowercase()) {
            wrong.push(format!("tenant `{name}`: app `{}` is there twice", app.client_id));
        }
    }
    if !tenant.service.throttle.is_finite() || tenant.service.throttle < 0.0 {
        wrong.push(format!("tenant `{name}`: `throttle: {}` isn't 0 or more", tenant.service.throttle));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../examples/hybrid-to-entra/world.yaml");

    /// Catches a message that sends the reader searching, and a name that refers to nothing.
    #[test]
    fn says_where_and_what() {
        let problem =
            World::parse("w.yaml", "lab: 1\nname: x\nstarts: 2026-12-02T18:30:00Z\ntenant: {}\n").expect_err("typo");
        assert!(problem.message.starts_with("w.yaml:4:"), "{problem}");
        let text = EXAMPLE.replace("[LON-IT-001]", "[LON-IT-009, nobody@contoso.com]").replace("PF-0002", "pf-0001");
        let problem = World::parse("w.yaml", &text).expect_err("names");
        for word in ["LON-IT-009", "nobody@contoso.com", "pf-0001"] {
            assert!(problem.message.contains(word), "{word}: {problem}");
        }
    }

    /// Catches a hostile file that takes the machine: aliases that grow, and depth.
    #[test]
    fn has_bounds() {
        let mut bomb = String::from("a: &a [x,x,x,x,x,x,x,x,x]\n");
        for i in 0..12 {
            let (new, old) = ((b'b' + i) as char, (b'a' + i) as char);
            bomb.push_str(&format!("{new}: &{new} [*{old},*{old},*{old},*{old},*{old},*{old},*{old},*{old},*{old}]\n"));
        }
        assert!(World::parse("bomb", &bomb).is_err());
        assert!(World::parse("deep", &format!("name: {}", "[".repeat(10_000))).is_err());
        assert_eq!(World::parse("big", &" ".repeat(BYTES_MAX + 1)).expect_err("size").code, "world.size");
    }
}
