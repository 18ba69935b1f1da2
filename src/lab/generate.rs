//! Believable worlds of any size, with a plan that fits: for trying things at the size of a real fleet.
//!
//! The same number, seed and scenario give the same bytes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use fastrand::Rng;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use uuid::Uuid;

use super::seed::derive;
use super::survey::WorldSurvey;
use super::world::{
    World, WorldApp, WorldCrossTenant, WorldDevice, WorldDirectory, WorldDisjoinAccount, WorldEnrolment, WorldGroup,
    WorldPackage, WorldPolicy, WorldRegistration, WorldService, WorldTenant, WorldUser,
};
use crate::model::{Check, JoinState, ProfileHealth, Scenario};

/// A generated world with the files that go with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    /// The world; [`World::to_yaml`] writes `world.yaml`.
    pub world: World,
    /// `plan.yaml`.
    pub plan: String,
    /// `devices.csv`.
    pub devices: String,
    /// `users.csv`, old to new UPN; tenant-to-tenant only.
    pub users: Option<String>,
}

/// Sites: name, code, share in percent.
const SITES: &[(&str, &str, u32)] = &[
    ("London", "LON", 30),
    ("Manchester", "MAN", 18),
    ("Berlin", "BER", 16),
    ("Madrid", "MAD", 12),
    ("Warsaw", "WAW", 10),
    ("Dublin", "DUB", 8),
    ("Oslo", "OSL", 6),
];
/// Departments: code, share in percent.
const DEPARTMENTS: &[(&str, u32)] =
    &[("FIN", 20), ("ENG", 24), ("SAL", 22), ("OPS", 20), ("HR", 7), ("IT", 6), ("VIP", 1)];
const FIRST: &[&str] = &[
    "anna", "ben", "chloe", "david", "elena", "farid", "grace", "henrik", "ines", "jonas", "kira", "liam", "maria",
    "noah", "olga", "paul", "quinn", "rosa", "stefan", "tara", "uma", "victor", "wanda", "xavier", "yusuf", "zoe",
];
const LAST: &[&str] = &[
    "adams", "berg", "costa", "dahl", "evans", "fischer", "garcia", "hansen", "ivanov", "jones", "kowalski", "larsen",
    "murphy", "nowak", "ortiz", "patel", "reid", "schmidt", "taylor", "urban", "vega", "weber", "young", "zimmer",
];
const PERMISSIONS: &[&str] = &[
    "User.Read.All",
    "Device.ReadWrite.All",
    "GroupMember.ReadWrite.All",
    "Directory.Read.All",
    "Organization.Read.All",
    "DeviceManagementManagedDevices.ReadWrite.All",
    "BitlockerKey.ReadBasic.All",
    "DeviceLocalCredential.ReadBasic.All",
    "Policy.Read.All",
    "Policy.Read.DeviceConfiguration",
    "User.DeleteRestore.All",
];
/// What the plan's people answer for.
const ATTESTED: &[(Check, &str)] = &[
    (Check::RecWorkflow, "service-desk"),
    (Check::RecEscalation, "service-desk"),
    (Check::EntAutoEnrolment, "identity-team"),
    (Check::EntMde, "secops"),
    (Check::PplCommunication, "change"),
    (Check::PplMode, "change"),
    (Check::PplServiceDesk, "service-desk"),
    (Check::PplRollback, "migration-lead"),
    (Check::PplKnownBehaviours, "change"),
    (Check::AppsReadiness, "migration-lead"),
];
const SECRET: &str = "lab-secret-of-a-generated-world";

fn pick<'a, T>(rng: &mut Rng, of: &'a [T], share: impl Fn(&T) -> u32) -> &'a T {
    let total: u32 = of.iter().map(&share).sum();
    let mut left = rng.u32(0..total);
    for item in of {
        let own = share(item);
        if left < own {
            return item;
        }
        left -= own;
    }
    &of[0]
}

/// Makes a world with some devices, and a plan that moves them: a pilot and a wave for each site.
#[must_use]
pub fn generate(devices: u32, seed: u64, scenario: Scenario) -> Generated {
    Generator::new(devices, seed, scenario).run()
}

struct Person {
    upn: String,
    sid: Option<String>,
    enabled: bool,
    licensed: bool,
    privileged: bool,
    known: bool,
}

struct Generator {
    rng: Rng,
    scenario: Scenario,
    name: String,
    starts: Timestamp,
    count: u32,
    devices: Vec<WorldDevice>,
    sites: Vec<&'static str>,
    people: Vec<Person>,
    pilot: Vec<String>,
}

impl Generator {
    fn new(count: u32, seed: u64, scenario: Scenario) -> Self {
        let size = usize::try_from(count).unwrap_or(0);
        // A Wednesday evening inside the pilot's window.
        let starts =
            date(2026, 12, 2).at(18, 30, 0, 0).to_zoned(TimeZone::UTC).map_or(Timestamp::UNIX_EPOCH, |z| z.timestamp());
        Self {
            rng: Rng::with_seed(seed),
            scenario,
            name: format!("generated-{}-{count}-{seed}", scenario.as_str()),
            starts,
            count,
            devices: Vec::with_capacity(size),
            sites: Vec::with_capacity(size),
            people: Vec::with_capacity(size),
            pilot: Vec::new(),
        }
    }

    fn run(mut self) -> Generated {
        let mut numbers: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        for at in 0..self.count {
            let site = pick(&mut self.rng, SITES, |site| site.2);
            let department = pick(&mut self.rng, DEPARTMENTS, |department| department.1).0;
            let number = numbers.entry((site.1, department)).or_default();
            *number += 1;
            let name = format!("{}-{department}-{number:05}", site.1);
            self.add(at, site, department, name);
        }
        let world = self.world();
        let (plan, devices) = (self.plan(), self.inventory());
        let users = (self.scenario == Scenario::TenantToTenant).then(|| self.mapping());
        Generated { world, plan, devices, users }
    }

    /// Says yes so many times in a thousand.
    fn chance(&mut self, in_thousand: u32) -> bool {
        self.rng.u32(0..1000) < in_thousand
    }

    fn add(&mut self, at: u32, site: &(&'static str, &'static str, u32), department: &str, name: String) {
        let healthy = self.count <= 5;
        let special = |own: &mut Self, in_thousand: u32| !healthy && own.chance(in_thousand);
        let (first, last) = (FIRST[self.rng.usize(0..FIRST.len())], LAST[self.rng.usize(0..LAST.len())]);
        let upn = format!("{first}.{last}{at}@contoso.com");
        let on_premises = self.scenario != Scenario::TenantToTenant;
        let old_hybrid = self.chance(200);
        let join = match self.scenario {
            Scenario::AdToEntra => JoinState::Ad,
            Scenario::HybridToEntra => JoinState::Hybrid,
            Scenario::TenantToTenant if old_hybrid => JoinState::Hybrid,
            Scenario::TenantToTenant => JoinState::Entra,
        };
        let person = Person {
            upn: upn.clone(),
            sid: (on_premises || join == JoinState::Hybrid)
                .then(|| format!("S-1-5-21-1004336348-1177238915-682003330-{}", 5000 + at)),
            enabled: !special(self, 2),
            licensed: !special(self, 3),
            privileged: special(self, 1),
            known: !special(self, 3),
        };
        let profile = match (special(self, 6), self.rng.u32(0..3)) {
            (false, _) => ProfileHealth::Healthy,
            (true, 0) => ProfileHealth::Corrupt,
            (true, 1) => ProfileHealth::Temporary,
            (true, _) => ProfileHealth::Roaming,
        };
        let device = WorldDevice {
            // An odd factor is a permutation of 28 bits: serials look random and are never the same.
            serial: format!("PF{:07X}", at.wrapping_mul(0x9E3_779B) & 0x0FFF_FFFF),
            join,
            tenant: (join != JoinState::Ad).then(|| "contoso".to_owned()),
            user: upn.clone(),
            signs_in_as: (self.scenario == Scenario::TenantToTenant && person.known).then(|| moved(&upn)),
            intune: join == JoinState::Entra || self.chance(850),
            configmgr: join != JoinState::Entra && self.chance(220),
            autopilot: (join != JoinState::Ad && self.chance(300)).then(|| site.1.to_owned()),
            bitlocker: self.chance(930),
            edition: if special(self, 4) {
                "Core".to_owned()
            } else if self.chance(150) {
                "Professional".to_owned()
            } else {
                "Enterprise".to_owned()
            },
            profile,
            profile_mib: u64::from(self.rng.u32(2_000..90_000)),
            local_groups: if department == "ENG" && self.chance(400) {
                vec!["administrators".to_owned()]
            } else {
                Vec::new()
            },
            legal_notice: (site.1 == "BER").then(|| ("Contoso".to_owned(), "Authorised use only".to_owned())),
            on_ac: true,
            pending_reboot: special(self, 3),
            restart_secs: u64::from(self.rng.u32(60..240)),
            sign_in_secs: Some(u64::from(self.rng.u32(60..900))),
            name,
            survey: WorldSurvey::default(),
        };
        // The pilot: healthy ordinary devices, about one in twenty; eight at the least where there are so many, so that
        // a pilot shows something, and never more than 25.
        let wanted = (self.count / 20).clamp(self.count.min(8), 25);
        let ordinary = person.known && person.enabled && person.licensed && !person.privileged;
        let fit =
            ordinary && device.profile == ProfileHealth::Healthy && device.edition != "Core" && !device.pending_reboot;
        let behind = u64::from(wanted) * u64::from(at + 1) > self.pilot.len() as u64 * u64::from(self.count);
        if fit && department != "VIP" && behind && self.pilot.len() < wanted as usize {
            self.pilot.push(device.name.clone());
        }
        self.sites.push(site.0);
        self.people.push(person);
        self.devices.push(device);
    }

    fn id(&self, kind: &str) -> Uuid {
        derive(&self.name, "generated", kind)
    }
    fn account(&self, domain: &str) -> String {
        format!("package_{}@{domain}", self.id(domain))
    }

    fn users_of(&self, target: bool) -> Vec<WorldUser> {
        let person = |person: &Person| WorldUser {
            upn: if target { moved(&person.upn) } else { person.upn.clone() },
            id: None,
            on_premises_sid: person.sid.clone().filter(|_| !target),
            enabled: person.enabled,
            licences: if person.licensed { vec!["intune".to_owned(), "entra-p1".to_owned()] } else { Vec::new() },
            roles: if person.privileged { vec!["Intune Administrator".to_owned()] } else { Vec::new() },
            created: None,
        };
        self.people.iter().filter(|own| own.known).map(person).collect()
    }

    fn groups(&mut self) -> Vec<WorldGroup> {
        let group = |name: &str, members: Vec<String>| WorldGroup {
            name: name.to_owned(),
            id: None,
            dynamic: false,
            synced: false,
            role_assignable: false,
            mail_enabled: false,
            members,
        };
        // A device without an object in Entra is in no group of Entra.
        let names: Vec<String> =
            self.devices.iter().filter(|d| d.join != JoinState::Ad).map(|d| d.name.clone()).collect();
        let mut groups = vec![group("MIG-Pilot", if names.is_empty() { Vec::new() } else { self.pilot.clone() })];
        for (app, in_thousand) in
            [("App-CAD", 40), ("App-SAP", 180), ("App-Office-Beta", 25), ("App-VPN", 600), ("Kiosk-Exempt", 8)]
        {
            let members = names.iter().filter(|_| self.rng.u32(0..1000) < in_thousand).cloned().collect();
            groups.push(group(app, members));
        }
        for (site, code, _) in SITES {
            let prefix = format!("{code}-");
            groups.push(group(
                &format!("Site-{site}"),
                names.iter().filter(|name| name.starts_with(&prefix)).cloned().collect(),
            ));
        }
        groups.push(group("VIP", names.iter().filter(|name| name.contains("-VIP-")).cloned().collect()));
        let engineers = names.iter().filter(|name| name.contains("-ENG-")).cloned().collect();
        groups.push(WorldGroup { dynamic: true, ..group("Dyn-Engineering", engineers) });
        let printers = names.iter().filter(|_| self.rng.u32(0..1000) < 50).cloned().collect();
        groups.push(WorldGroup { synced: true, ..group("AD-Printers", printers) });
        groups.push(group("All-Staff-Devices", names));
        groups
    }

    fn tenant(&self, domain: &str, users: Vec<WorldUser>, groups: Vec<WorldGroup>) -> WorldTenant {
        let autopilot = if self.scenario == Scenario::TenantToTenant { "ReadWrite" } else { "Read" };
        let mut permissions: Vec<String> = PERMISSIONS.iter().map(|&name| name.to_owned()).collect();
        permissions.push(format!("DeviceManagementServiceConfig.{autopilot}.All"));
        let destination = self.scenario != Scenario::TenantToTenant || domain == "fabrikam.com";
        let account = self.account(domain);
        let mut all = Vec::with_capacity(users.len() + 1);
        let mut packages = Vec::new();
        if destination {
            let created = self.starts.saturating_sub(jiff::SignedDuration::from_hours(24 * 31)).unwrap_or(self.starts);
            all.push(WorldUser {
                upn: account.clone(),
                id: None,
                on_premises_sid: None,
                enabled: true,
                licences: Vec::new(),
                roles: Vec::new(),
                created: Some(created),
            });
            let expires = self.starts.saturating_add(jiff::SignedDuration::from_hours(24 * 149)).unwrap_or(self.starts);
            packages.push(WorldPackage { name: "bulk".to_owned(), account, expires, content: Default::default() });
        }
        all.extend(users);
        WorldTenant {
            id: self.id(&format!("tenant {domain}")),
            domain: domain.to_owned(),
            display_name: None,
            apps: vec![WorldApp::new(&self.id(&format!("app {domain}")).to_string(), SECRET, permissions)],
            users: all,
            groups,
            packages,
            conditional_access: vec![WorldPolicy {
                state: "disabled".to_owned(),
                user_actions: vec!["urn:user:registerdevice".to_owned()],
                grant: vec!["mfa".to_owned()],
                ..WorldPolicy::new("Require MFA for device join")
            }],
            named_locations: Vec::new(),
            mdm_authority: "intune".to_owned(),
            enrolment: WorldEnrolment::default(),
            cross_tenant: WorldCrossTenant::default(),
            // The package account joins them all: its quota has to hold them.
            registration: WorldRegistration {
                user_device_quota: self.count.saturating_add(100),
                ..WorldRegistration::default()
            },
            configuration_profiles: Vec::new(),
            service: WorldService::default(),
        }
    }

    fn world(&mut self) -> World {
        let groups = self.groups();
        let mut tenants = BTreeMap::new();
        tenants.insert("contoso".to_owned(), self.tenant("contoso.com", self.users_of(false), groups));
        if self.scenario == Scenario::TenantToTenant {
            tenants.insert("fabrikam".to_owned(), self.tenant("fabrikam.com", self.users_of(true), Vec::new()));
        }
        World {
            lab: 1,
            name: self.name.clone(),
            starts: self.starts,
            speed: 600.0,
            tenants,
            directory: Some(WorldDirectory {
                domain: "corp.contoso.com".to_owned(),
                computers: "OU=Workstations,DC=corp,DC=contoso,DC=com".to_owned(),
                sync_to: Some("contoso".to_owned()),
                sync_secs: 1800,
                elsewhere: false,
                disjoin_account: Some(WorldDisjoinAccount::default()),
            }),
            devices: self.devices.clone(),
            faults: Vec::new(),
        }
    }

    fn inventory(&self) -> String {
        let mut text = String::with_capacity(self.devices.len() * 64);
        text.push_str("name,serial,site,user\n");
        for (device, site) in self.devices.iter().zip(&self.sites) {
            // Names, sites and UPNs hold no comma. Writing to a string can't fail.
            let _ = writeln!(text, "{},{},{site},{}", device.name, device.serial, device.user);
        }
        text
    }
    fn mapping(&self) -> String {
        let mut text = String::from("old_upn,new_upn\n");
        for person in self.people.iter().filter(|person| person.known) {
            let _ = writeln!(text, "{},{}", person.upn, moved(&person.upn));
        }
        text
    }

    fn plan(&self) -> String {
        let mut text = String::new();
        let target = if self.scenario == Scenario::TenantToTenant { "fabrikam" } else { "contoso" };
        let scenario = self.scenario.as_str();
        let _ = write!(
            text,
            "opsole: 1\nname: {}\nscenario: {scenario}\nzone: Europe/London\n\nowners:\n  identity: identity-team@contoso.com\n  \
             endpoint: desktop-engineering@contoso.com\n  network: network@contoso.com\n  security: secops@contoso.com\n  \
             directory: ad-admins@contoso.com\n  change-management: change@contoso.com\n  project-lead: migration-lead@contoso.com\n\n\
             tenants:\n",
            self.name
        );
        let roles: &[(&str, &str)] = match self.scenario {
            Scenario::TenantToTenant => &[("contoso", "source"), ("fabrikam", "target")],
            _ => &[("contoso", "current")],
        };
        for (name, role) in roles {
            let domain = format!("{name}.com");
            let _ = write!(
                text,
                "  {name}:\n    role: {role}\n    id: {}\n    domain: {domain}\n    cloud: {{lab: world.yaml}}\n    app:\n      \
                 client_id: {}\n      credential: {{client_secret: lab}}\n      expires: 2027-06-30\n",
                self.id(&format!("tenant {domain}")),
                self.id(&format!("app {domain}"))
            );
        }
        text.push_str(
            "\ndirectory:\n  domain: corp.contoso.com\n  server: ldaps://dc1.corp.contoso.com\n  \
             computers: [\"OU=Workstations,DC=corp,DC=contoso,DC=com\"]\n  retire: disable\n",
        );
        let _ = write!(
            text,
            "\npackages:\n  bulk:\n    tenant: {target}\n    account: {}\n    issued: 2026-11-01\n    expires: 2027-04-29\n    \
             validated: {{by: desktop-engineering@contoso.com, on: 2026-11-03, device: LAB-017, evidence: CHG-1881}}\n",
            self.account(&format!("{target}.com"))
        );
        let (autopilot, users) = match self.scenario {
            Scenario::TenantToTenant => ("true", "{mapping: users.csv}"),
            _ => ("false", "{match: on-premises-sid}"),
        };
        let groups = if self.scenario == Scenario::TenantToTenant { "false" } else { "{exclude: [\"All-Staff-*\"]}" };
        let _ = write!(
            text,
            "\nfeatures:\n  bitlocker: true\n  laps: true\n  primary-user: true\n  group-restore: {groups}\n  \
             configuration-profiles: false\n  autopilot: {autopilot}\n  conditional-access-exclusions: observe\n  \
             configmgr-removal: true\n\ndevices: {{inventory: devices.csv}}\nusers: {users}\n\nwaves:\n"
        );
        self.waves(&mut text);
        text.push_str(
            "\nexclusions:\n  - id: vip-laptops\n    of: {devices: {name: \"*-VIP-*\"}}\n    owner: migration-lead@contoso.com\n    \
             reason: board meeting season\n    expires: 2027-01-31\n\nattestations:\n",
        );
        for (check, by) in ATTESTED {
            let _ = writeln!(text, "  - {{check: {check}, by: {by}@contoso.com, on: 2026-11-18, evidence: CHG-1881}}");
        }
        text.push_str("\npolicy:\n  approvals: {required: 0, from: [change-management]}\n  plan_max_age: 24h\n");
        text
    }

    fn waves(&self, text: &mut String) {
        let names: Vec<String> = self.pilot.iter().map(|name| format!("{{name: {name}}}")).collect();
        let pilot = match self.scenario {
            // Computers without an object in Entra are in no group there.
            Scenario::AdToEntra => format!("{{any: [{}]}}", names.join(", ")),
            _ => "{group: MIG-Pilot}".to_owned(),
        };
        let _ = write!(
            text,
            "  - name: pilot\n    package: bulk\n    devices: {pilot}\n    mode: user-initiated\n    \
             window: {{from: 2026-12-01T18:00, to: 2026-12-12T06:00, zone: Europe/London, hours: \"18:00-06:00\", \
             days: [mon, tue, wed, thu, fri]}}\n    concurrency: 5\n    failure_budget: {{max: 1, same_cause: 1}}\n"
        );
        let mut before = "pilot".to_owned();
        for (site, _, _) in SITES {
            let left = self
                .devices
                .iter()
                .zip(&self.sites)
                .any(|(device, own)| own == site && !self.pilot.contains(&device.name));
            if !left {
                continue;
            }
            let name = site.to_lowercase();
            let _ = write!(
                text,
                "  - name: {name}\n    package: bulk\n    needs: [{before}]\n    \
                 gate: {{criteria: pilot-exit, sign_off: [project-lead], soak: 7d}}\n    \
                 devices: {{all: [{{site: {site}}}, {{not: {pilot}}}]}}\n    mode: silent\n    concurrency: 200\n    \
                 failure_budget: {{percent: 2}}\n"
            );
            before = name;
        }
    }
}

/// Returns a person's UPN in the target tenant.
fn moved(upn: &str) -> String {
    upn.replace("@contoso.com", "@fabrikam.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Scenario; 3] = [Scenario::AdToEntra, Scenario::HybridToEntra, Scenario::TenantToTenant];

    /// Catches a world that its own reader refuses, and two runs that differ.
    #[test]
    fn worlds_hold_together() {
        for scenario in ALL {
            for devices in [0, 1, 7, 600] {
                let made = generate(devices, 7, scenario);
                assert_eq!(made, generate(devices, 7, scenario));
                let read = World::parse("generated", &made.world.to_yaml()).expect("a world");
                assert_eq!(read, made.world, "{scenario:?} {devices}");
                assert_eq!(made.devices.lines().count(), devices as usize + 1);
            }
            assert_ne!(generate(600, 7, scenario), generate(600, 8, scenario));
        }
    }

    /// Catches a fleet without anything special in it, and a pilot of special cases.
    #[test]
    fn worlds_are_believable() {
        for scenario in ALL {
            let made = generate(5000, 1, scenario);
            let tenant = &made.world.tenants["contoso"];
            let known = |device: &WorldDevice| tenant.users.iter().any(|user| user.upn == device.user);
            let count =
                |of: &dyn Fn(&WorldDevice) -> bool| made.world.devices.iter().filter(|device| of(device)).count();
            assert!(count(&|device| device.profile != ProfileHealth::Healthy) > 10);
            assert!(count(&|device| device.edition == "Core") > 5);
            assert!((1..60).contains(&made.world.devices.iter().take(3000).filter(|device| !known(device)).count()));
            assert_eq!(made.plan.matches("  - name: ").count(), SITES.len() + 1);
            if scenario != Scenario::AdToEntra {
                let pilot = tenant.groups.iter().find(|group| group.name == "MIG-Pilot").expect("there");
                assert_eq!(pilot.members.len(), 25);
            }
        }
    }

    /// Catches a small world whose pilot is one device or none: nothing to show, and nothing for laws to run on.
    #[test]
    fn pilots_of_small_worlds_hold_something() {
        for (devices, least) in [(1, 1), (5, 5), (20, 7), (60, 8), (400, 20)] {
            for seed in 0..30 {
                let made = generate(devices, seed, Scenario::HybridToEntra);
                let tenant = &made.world.tenants["contoso"];
                let pilot = tenant.groups.iter().find(|group| group.name == "MIG-Pilot").expect("there");
                assert!(pilot.members.len() >= least, "{devices} devices, seed {seed}: {:?}", pilot.members);
            }
        }
    }
}
