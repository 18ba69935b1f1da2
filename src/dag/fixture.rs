//! A small fleet for tests: a plan and a snapshot that fit each other, and a device's way through a migration.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::date;
use uuid::Uuid;

use crate::diag::{SourceId, Span, Spanned};
use crate::model::{
    AutopilotId, BitLocker, Check, DeviceFacts, DeviceName, Digest, DomainJoin, EntraDeviceId, EntraJoin,
    EntraObjectId, Feature, FeatureSet, GroupId, Identity, IntuneId, JoinState, KeyId, Known, LapsTarget,
    LocalMembership, LogonSurface, Mdm, Mode, OwnerRole, Permission, Profile, ProfileHealth, Protector, RetirePolicy,
    RunId, Scenario, Sid, SignIn, Staging, Survey, TenantId, UserId,
};
use crate::plan::{
    AppSpec, ApprovalPolicy, Attestation, Cloud, Credential, DeviceRow, DeviceSource, DirectorySpec, Exclusion,
    ExclusionKind, FailureBudget, FeatureSpec, MigrationPlan, PackageSpec, SecretRef, Selector, TenantRole, TenantSpec,
    UserMatch, Validation, WaveSpec,
};
use crate::state::{
    AdComputer, AutopilotIdentity, CrossTenantAccess, DeviceRecord, DirectoryState, DisjoinAccount, EnrolmentSettings,
    EntraDevice, Evidence, FORMAT, Group, JoinScope, LapsBackup, ManagedDevice, Organization, OuRights, Outcome,
    PackageFacts, RecoveryKey, RegistrationPolicy, Snapshot, TenantState, TrustType, User,
};

/// Kind of id of the package account.
pub(crate) const PACKAGE: u32 = 0xC;

pub(crate) const AS_OF: &str = "2026-12-02T18:30:00Z";
/// The package account of every fixture's package.
pub(crate) const ACCOUNT: &str = "package_1@contoso.com";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("a moment")
}
pub(crate) fn id(kind: u32, n: usize) -> Uuid {
    Uuid::from_u128(u128::from(kind) << 96 | n as u128)
}
pub(crate) fn spanned<T>(value: T, start: u32) -> Spanned<T> {
    Spanned::new(value, Span { source: SourceId(0), start, len: 1 })
}
pub(crate) fn name(n: usize) -> DeviceName {
    DeviceName::new(&format!("PC-{n:03}"))
}
pub(crate) fn old_sid(scenario: Join, n: usize) -> Sid {
    match scenario {
        Join::Entra => Sid::of_entra_user(UserId(id(0xA, n))),
        Join::Ad | Join::Hybrid => format!("S-1-5-21-1-2-3-{}", 1100 + n).parse().expect("a SID"),
    }
}

/// How the fleet is joined at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Join {
    Ad,
    Hybrid,
    Entra,
}

/// A plan with what it is held against.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    pub(crate) plan: MigrationPlan,
    pub(crate) snapshot: Snapshot,
    pub(crate) join: Join,
}

fn tenant_id(two: bool) -> TenantId {
    TenantId(id(1, usize::from(two)))
}

fn tenant_spec(role: TenantRole, label: &str) -> TenantSpec {
    TenantSpec {
        name: label.into(),
        role,
        id: tenant_id(role == TenantRole::Target),
        domain: format!("{label}.com"),
        cloud: Cloud::Lab("world.yaml".into()),
        app: AppSpec {
            client_id: "app".to_owned(),
            credential: Credential::ClientSecret(SecretRef::Lab),
            expires: Some(date(2027, 12, 31)),
        },
    }
}

pub(crate) fn wave(label: &str, start: u32, devices: Selector) -> WaveSpec {
    WaveSpec {
        name: spanned(label.into(), start),
        package: "bulk".into(),
        devices,
        size: (None, None),
        mode: Mode::Silent,
        window: None,
        concurrency: 10,
        failure_budget: FailureBudget::default(),
        needs: Vec::new(),
        gate: None,
    }
}

pub(crate) fn exclusion(devices: Selector) -> Exclusion {
    Exclusion {
        id: spanned("vip-laptops".to_owned(), 900),
        of: ExclusionKind::Devices(devices),
        owner: "lead@contoso.com".to_owned(),
        reason: "board meeting season".to_owned(),
        ticket: None,
        expires: spanned(date(2027, 1, 31), 910),
        until: at("2027-02-01T00:00:00Z"),
    }
}

pub(crate) fn group(label: &str) -> Selector {
    Selector::Group(spanned(label.to_owned(), 500))
}
pub(crate) fn named(glob: &str) -> Selector {
    Selector::Name(spanned(glob.to_owned(), 600))
}

fn package_facts() -> PackageFacts {
    PackageFacts { bulk_token: true, ..PackageFacts::of(Digest::of(b"bulk"), 2048) }
}

/// Returns every permission that some plan asks for.
fn asked_for() -> Vec<Permission> {
    let all: std::collections::BTreeSet<Permission> =
        crate::dag::uses().iter().flat_map(|one| one.call.needs().iter().copied()).collect();
    all.into_iter().collect()
}

/// Returns a word of a person for everything that only people know.
pub(crate) fn attested() -> Vec<Attestation> {
    let checks = Check::ALL.iter().filter(|check| check.attestable() && **check != Check::PilotExit);
    let one = |check: &Check| Attestation {
        check: check.id().to_owned(),
        by: "lead@contoso.com".to_owned(),
        on: date(2026, 11, 20),
        until: None,
        evidence: None,
    };
    checks.map(one).collect()
}

/// Returns an account that may retire every computer of the fixture.
pub(crate) fn disjoin_account() -> DisjoinAccount {
    let ou = "OU=PCs,DC=corp,DC=contoso,DC=com".to_owned();
    DisjoinAccount {
        name: "CORP\\svc-disjoin".to_owned(),
        enabled: true,
        locked: false,
        password_expires: None,
        account_expires: None,
        rights: vec![OuRights::all(ou, true)],
    }
}

fn empty_tenant(two: bool) -> TenantState {
    TenantState {
        organization: Known::Known(Organization {
            id: tenant_id(two),
            display_name: "Contoso".to_owned(),
            verified_domains: vec!["contoso.com".to_owned()],
            mdm_authority: Known::Known("intune".to_owned()),
        }),
        granted: Known::Known(asked_for()),
        users: Known::Known(Vec::new()),
        devices: Known::Known(Vec::new()),
        managed_devices: Known::Known(Vec::new()),
        groups: Known::Known(Vec::new()),
        autopilot: Known::Known(Vec::new()),
        recovery_keys: Known::Known(Vec::new()),
        laps: Known::Known(Vec::new()),
        conditional_access: Known::Known(Vec::new()),
        registration_policy: Known::Known(RegistrationPolicy {
            user_device_quota: 100_000,
            mfa_required: false,
            join: JoinScope::All,
        }),
        profiles: Known::Known(Vec::new()),
        primary_users: Known::Known(BTreeMap::new()),
        token_tenant: Known::Known(tenant_id(two)),
        app: Known::Absent,
        enrolment: Known::Known(EnrolmentSettings {
            windows_blocked: Some(false),
            device_limit: Some(15),
            status_pages: Vec::new(),
        }),
        named_locations: Known::Known(Vec::new()),
        cross_tenant: Known::Known(CrossTenantAccess {
            default_inbound_blocked: false,
            default_outbound_blocked: false,
            partners: Vec::new(),
        }),
        account_groups: Known::Known(BTreeMap::from([(ACCOUNT.to_owned(), Vec::new())])),
        refused: None,
    }
}

/// Returns the id of a device's computer: a hybrid registration has it too.
pub(crate) fn computer_id(join: Join, n: usize) -> Uuid {
    id(if join == Join::Hybrid { 4 } else { 9 }, n)
}

pub(crate) fn list<T>(known: &mut Known<Vec<T>>) -> &mut Vec<T> {
    match known {
        Known::Known(list) => list,
        Known::Absent | Known::Unknown(_) => panic!("the fixture's lists are known"),
    }
}

fn user(kind: u32, n: usize, domain: &str, sid: Option<Sid>) -> User {
    let id = UserId(id(kind, n));
    User {
        id,
        upn: format!("user{n}@{domain}"),
        enabled: true,
        on_premises_sid: sid,
        sid: Some(Sid::of_entra_user(id)),
        intune: true,
        premium: true,
        created: None,
        privileged: false,
    }
}

impl Fleet {
    /// Returns `n` devices: the first two are the pilot, the others the second wave.
    pub(crate) fn new(scenario: Scenario, join: Join, n: usize) -> Self {
        let two = scenario == Scenario::TenantToTenant;
        let tenants = if two {
            vec![tenant_spec(TenantRole::Source, "contoso"), tenant_spec(TenantRole::Target, "fabrikam")]
        } else {
            vec![tenant_spec(TenantRole::Current, "contoso")]
        };
        let on = Feature::ALL.into_iter().filter(|f| {
            !matches!(f, Feature::ConditionalAccessExclusions | Feature::ConfigurationProfiles)
                && (two || *f != Feature::Autopilot)
        });
        let on: FeatureSet = on.collect();
        let mapping = (0..n).map(|n| (format!("user{n}@contoso.com"), format!("user{n}@fabrikam.com"))).collect();
        let row = |n| DeviceRow {
            name: name(n),
            serial: Some(format!("SN-{n}")),
            site: Some(if n % 2 == 0 { "London" } else { "Paris" }.to_owned()),
            user: None,
        };
        let not_pilot = Selector::Not(Box::new(group("mig-pilot")));
        let plan = MigrationPlan {
            name: "contoso".to_owned(),
            scenario,
            zone: "UTC".to_owned(),
            owners: BTreeMap::from([(OwnerRole::Identity, "identity@contoso.com".to_owned())]),
            packages: vec![PackageSpec {
                name: "bulk".into(),
                tenant: if two { "fabrikam".into() } else { "contoso".into() },
                file: None,
                sha256: None,
                account: ACCOUNT.to_owned(),
                issued: date(2026, 11, 1),
                expires: spanned(date(2027, 4, 1), 800),
                validated: Some(Validation {
                    by: "desk@contoso.com".to_owned(),
                    on: date(2026, 11, 3),
                    device: "LAB-017".to_owned(),
                    evidence: None,
                }),
            }],
            directory: (join != Join::Entra).then(|| DirectorySpec {
                domain: "corp.contoso.com".to_owned(),
                server: None,
                fallback: Vec::new(),
                ca_file: None,
                computers: vec!["OU=PCs,DC=corp,DC=contoso,DC=com".to_owned()],
                account: None,
                retire: RetirePolicy::Disable,
            }),
            features: FeatureSpec { on, group_restore_exclude: vec!["All-*".to_owned()], ..FeatureSpec::default() },
            devices: DeviceSource::Inventory((0..n).map(row).collect()),
            users: if two { UserMatch::Mapping(mapping) } else { UserMatch::OnPremisesSid },
            waves: vec![wave("pilot", 100, group("MIG-Pilot")), wave("broad", 200, not_pilot)],
            exclusions: Vec::new(),
            attestations: attested(),
            policy: ApprovalPolicy::default(),
            as_of: at(AS_OF),
            digest: Digest::of(b"plan"),
            tenants,
        };
        let mut tenants = BTreeMap::from([("contoso".into(), empty_tenant(false))]);
        if two {
            tenants.insert("fabrikam".into(), empty_tenant(true));
        }
        let snapshot = Snapshot {
            format: FORMAT,
            taken_at: at(AS_OF),
            tenants,
            directory: if join == Join::Entra {
                Known::Absent
            } else {
                let account = Known::Known(disjoin_account());
                Known::Known(DirectoryState::of("corp.contoso.com", Vec::new(), account))
            },
            evidence: BTreeMap::new(),
            ledger: BTreeMap::new(),
            packages: BTreeMap::from([("bulk".into(), Known::Known(package_facts()))]),
            sign_offs: Vec::new(),
        };
        let mut fleet = Self { plan, snapshot, join };
        let account = User { upn: ACCOUNT.to_owned(), ..user(PACKAGE, 0, "contoso.com", None) };
        list(&mut fleet.target().users).push(account);
        let members = |range: std::ops::Range<usize>| range.map(|n| EntraObjectId(id(3, n))).collect::<Vec<_>>();
        let all = if join == Join::Ad { Vec::new() } else { members(0..n) };
        for (at, label, devices) in
            [(1, "MIG-Pilot", members(0..n.min(2))), (2, "All-Devices", all.clone()), (3, "App-CAD", all)]
        {
            let group = Group {
                id: GroupId(id(5, at)),
                name: label.to_owned(),
                dynamic: false,
                synced: false,
                role_assignable: false,
                mail_enabled: false,
                devices,
            };
            list(&mut fleet.origin().groups).push(group);
        }
        if join == Join::Ad {
            // No object to be a member: the pilot is chosen by name.
            fleet.plan.waves[0].devices = named("pc-00[01]");
            fleet.plan.waves[1].devices = Selector::Not(Box::new(named("pc-00[01]")));
        }
        for n in 0..n {
            fleet.add(n);
        }
        fleet
    }

    pub(crate) fn origin(&mut self) -> &mut TenantState {
        self.snapshot.tenants.get_mut(&"contoso".into()).expect("the fixture's tenant")
    }
    pub(crate) fn target(&mut self) -> &mut TenantState {
        let two = self.plan.scenario == Scenario::TenantToTenant;
        let name = if two { "fabrikam" } else { "contoso" };
        self.snapshot.tenants.get_mut(&name.into()).expect("the fixture's tenant")
    }
    pub(crate) fn facts(&mut self, n: usize) -> &mut DeviceFacts {
        match self.snapshot.evidence.get_mut(&name(n)) {
            Some(Known::Known(evidence)) => &mut evidence.facts,
            other => panic!("no evidence of {n}: {other:?}"),
        }
    }
    pub(crate) fn record(&mut self, n: usize) -> &mut DeviceRecord {
        self.snapshot.ledger.get_mut(&name(n)).expect("a record")
    }
    pub(crate) fn user(&mut self, n: usize) -> &mut User {
        let two = self.plan.scenario == Scenario::TenantToTenant;
        let id = UserId(id(if two { 0xB } else { 0xA }, n));
        list(&mut self.target().users).iter_mut().find(|user| user.id == id).expect("a user")
    }

    fn add(&mut self, n: usize) {
        let join = self.join;
        let two = self.plan.scenario == Scenario::TenantToTenant;
        let sid = old_sid(join, n);
        let registered = join != Join::Ad;
        let origin = self.origin();
        let on_premises = (join != Join::Entra).then(|| sid.clone());
        list(&mut origin.users).push(user(0xA, n, "contoso.com", on_premises));
        if registered {
            list(&mut origin.devices).push(EntraDevice {
                id: EntraObjectId(id(3, n)),
                device_id: EntraDeviceId(id(4, n)),
                name: name(n).to_string(),
                trust: if join == Join::Hybrid { TrustType::Hybrid } else { TrustType::Joined },
                enabled: true,
                owner: None,
            });
            list(&mut origin.managed_devices).push(ManagedDevice {
                id: IntuneId(id(6, n)),
                device_id: Some(EntraDeviceId(id(4, n))),
                name: name(n).to_string(),
                serial: format!("SN-{n}"),
                last_sync: Some(at("2026-12-01T00:00:00Z")),
                enrolled: Some(at("2025-01-01T00:00:00Z")),
            });
            list(&mut origin.recovery_keys).push(RecoveryKey {
                id: KeyId(id(7, n)),
                device_id: EntraDeviceId(id(4, n)),
                created: at("2025-01-01T00:00:00Z"),
            });
            if join == Join::Entra {
                list(&mut origin.autopilot).push(AutopilotIdentity {
                    id: AutopilotId(id(8, n)),
                    serial: format!("SN-{n}"),
                    group_tag: Some("sales".to_owned()),
                    managed_device: Some(IntuneId(id(6, n))),
                });
            }
        }
        if two {
            list(&mut self.target().users).push(user(0xB, n, "fabrikam.com", None));
        }
        if let Known::Known(directory) = &mut self.snapshot.directory {
            let sid = format!("S-1-5-21-1-2-3-{}", 5000 + n).parse().expect("a SID");
            let dn = format!("CN={},OU=PCs,DC=corp,DC=contoso,DC=com", name(n));
            directory.computers.push(AdComputer::new(computer_id(join, n), sid, name(n).to_string(), dn));
        }
        let facts = DeviceFacts {
            identity: Identity {
                name: name(n).to_string(),
                serial: format!("SN-{n}"),
                edition: "Enterprise".to_owned(),
                build: 22631,
            },
            entra: registered.then(|| EntraJoin {
                tenant: tenant_id(false),
                device_id: EntraDeviceId(id(4, n)),
                healthy: true,
            }),
            domain: (join != Join::Entra).then(|| DomainJoin { domain: "corp.contoso.com".to_owned(), leaving: false }),
            mdm: registered.then(|| Mdm {
                provider: "MS DM Server".to_owned(),
                tenant: Some(tenant_id(false)),
                device: Some(IntuneId(id(6, n))),
                since: at("2025-01-01T00:00:00Z"),
            }),
            configmgr: false,
            profiles: vec![Profile {
                sid: sid.clone(),
                path: format!("C:\\Users\\user{n}"),
                health: ProfileHealth::Healthy,
                loaded: false,
                acl_owner: sid.clone(),
                size_mib: 20_000,
                loaders: Vec::new(),
                last_used: Some(at("2026-12-01T00:00:00Z")),
            }],
            bitlocker: BitLocker {
                encrypted: registered,
                converting: false,
                suspended_reboots: 0,
                protectors: if registered { vec![Protector { id: KeyId(id(7, n)) }] } else { Vec::new() },
            },
            laps: LapsTarget::Entra,
            local_members: vec![LocalMembership { group: "S-1-5-32-544".parse().expect("a SID"), member: sid.clone() }],
            logon: LogonSurface::default(),
            cached_identities: vec![sid],
            staging: Staging::default(),
            sign_in: None,
            pending_reboot: false,
            on_ac: true,
            free_mib: 100_000,
        };
        let evidence =
            Evidence { at: at("2026-12-02T18:00:00Z"), facts, survey: Some(Survey::sound(at("2026-12-02T18:00:00Z"))) };
        self.snapshot.evidence.insert(name(n), Known::Known(evidence));
    }

    /// Takes a device through the whole migration, as `apply` leaves the world.
    pub(crate) fn migrate(&mut self, n: usize) {
        let commit = at("2026-12-02T10:00:00Z");
        let later = at("2026-12-02T11:00:00Z");
        let two = self.plan.scenario == Scenario::TenantToTenant;
        let (join, wave) = (self.join, if n < 2 { "pilot" } else { "broad" });
        let user = UserId(id(if two { 0xB } else { 0xA }, n));
        let new_sid = Sid::of_entra_user(user);
        let new_id = EntraDeviceId(id(0x14, n));
        let registered = join != Join::Ad;
        self.snapshot.ledger.insert(
            name(n),
            DeviceRecord {
                device: name(n),
                run: RunId(id(2, 0)),
                wave: Some(wave.into()),
                taken_at: Some(commit),
                committed_at: Some(commit),
                user: Some(user),
                old_sid: Some(old_sid(join, n)),
                profile_path: Some(format!("C:\\Users\\user{n}")),
                old_device: registered.then(|| (EntraObjectId(id(3, n)), EntraDeviceId(id(4, n)))),
                old_intune: registered.then(|| IntuneId(id(6, n))),
                old_autopilot: (join == Join::Entra).then(|| (AutopilotId(id(8, n)), Some("sales".to_owned()))),
                hardware_hash: None,
                old_computer: (join != Join::Entra).then(|| computer_id(join, n)),
                groups: if registered && !two { vec![GroupId(id(5, 3))] } else { Vec::new() },
                old_keys: Vec::new(),
                old_primary_users: Vec::new(),
                new_device: Some(new_id),
                outcome: Some(Outcome::Complete),
                done: Vec::new(),
            },
        );
        if self.snapshot.ledger.len() == self.snapshot.evidence.len() {
            // The last one revokes the package.
            list(&mut self.target().users).retain(|user| user.id != UserId(id(PACKAGE, 0)));
        }
        let facts = self.facts(n);
        facts.entra = Some(EntraJoin { tenant: tenant_id(two), device_id: new_id, healthy: true });
        facts.domain = None;
        facts.mdm = Some(Mdm {
            provider: "MS DM Server".to_owned(),
            tenant: Some(tenant_id(two)),
            device: Some(IntuneId(id(0x16, n))),
            since: later,
        });
        facts.profiles[0].sid = new_sid.clone();
        facts.profiles[0].acl_owner = new_sid.clone();
        let again = LocalMembership { group: facts.local_members[0].group.clone(), member: new_sid.clone() };
        facts.local_members.push(again);
        facts.cached_identities.clear();
        facts.sign_in = Some(SignIn { sid: new_sid, prt: true, at: later });
        facts.staging = Staging { auto_rejoin_off: true, ..Staging::default() };
        let protectors: Vec<KeyId> = facts.bitlocker.protectors.iter().map(|protector| protector.id).collect();
        let origin = self.origin();
        list(&mut origin.managed_devices).retain(|device| device.id != IntuneId(id(6, n)));
        // Deleted between tenants; within one the synchronisation has taken it with its computer.
        list(&mut origin.devices).retain(|device| device.id != EntraObjectId(id(3, n)));
        if two {
            list(&mut origin.autopilot).retain(|identity| identity.id != AutopilotId(id(8, n)));
        }
        if let Known::Known(directory) = &mut self.snapshot.directory {
            directory.computers.iter_mut().filter(|c| c.guid == computer_id(join, n)).for_each(|c| c.enabled = false);
        }
        let target = self.target();
        list(&mut target.devices).push(EntraDevice {
            id: EntraObjectId(id(0x13, n)),
            device_id: new_id,
            name: name(n).to_string(),
            trust: TrustType::Joined,
            enabled: true,
            owner: None,
        });
        list(&mut target.managed_devices).push(ManagedDevice {
            id: IntuneId(id(0x16, n)),
            device_id: Some(new_id),
            name: name(n).to_string(),
            serial: format!("SN-{n}"),
            last_sync: Some(later),
            enrolled: Some(later),
        });
        let key = |id| RecoveryKey { id, device_id: new_id, created: later };
        list(&mut target.recovery_keys).extend(protectors.into_iter().map(key));
        list(&mut target.laps).push(LapsBackup { device_id: new_id, backed_up: later });
        if let Known::Known(users) = &mut target.primary_users {
            users.insert(IntuneId(id(0x16, n)), vec![user]);
        }
        if two && join == Join::Entra {
            list(&mut target.autopilot).push(AutopilotIdentity {
                id: AutopilotId(id(0x18, n)),
                serial: format!("SN-{n}"),
                group_tag: Some("sales".to_owned()),
                managed_device: None,
            });
        }
        if !two {
            for group in list(&mut target.groups).iter_mut().filter(|group| group.name == "App-CAD" && registered) {
                group.devices.push(EntraObjectId(id(0x13, n)));
            }
        }
    }

    /// Puts a record of the recorded state back, as if the device were in the middle.
    pub(crate) fn stage(&mut self, n: usize) {
        let join = self.join;
        let recorded = crate::model::Recorded {
            run: RunId(id(2, 0)),
            at: at("2026-12-02T09:59:00Z"),
            logon: LogonSurface::default(),
            local_members: vec![LocalMembership {
                group: "S-1-5-32-544".parse().expect("a SID"),
                member: old_sid(join, n),
            }],
            profile: Some((old_sid(join, n), format!("C:\\Users\\user{n}"))),
            join: match join {
                Join::Ad => JoinState::Ad,
                Join::Hybrid => JoinState::Hybrid,
                Join::Entra => JoinState::Entra,
            },
        };
        let staging = &mut self.facts(n).staging;
        staging.recorded = Some(recorded);
        staging.boot_start = true;
        staging.recovery_admin_proven = true;
    }
}
