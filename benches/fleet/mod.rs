//! A synthetic fleet that benches measure with: hybrid joined, made in memory, the same every time.

mod memory;

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::date;
use opsole::diag::{Span, Spanned};
use opsole::model::{
    BitLocker, Check, DeviceFacts, DeviceName, Digest, DomainJoin, EntraDeviceId, EntraJoin, EntraObjectId, Feature,
    GroupId, Identity, IntuneId, KeyId, Known, LapsTarget, LocalMembership, LogonSurface, Mdm, Mode, Permission,
    Profile, ProfileHealth, Protector, RetirePolicy, Scenario, Sid, Staging, Survey, TenantId, UserId,
};
use opsole::plan::{
    AppSpec, ApprovalPolicy, Attestation, Cloud, Credential, DeviceRow, DeviceSource, DirectorySpec, FailureBudget,
    FeatureSpec, MigrationPlan, PackageSpec, SecretRef, Selector, TenantRole, TenantSpec, UserMatch, Validation,
    WaveSpec,
};
use opsole::state::{
    AdComputer, DirectoryState, DisjoinAccount, EnrolmentSettings, EntraDevice, Evidence, FORMAT, Group, JoinScope,
    LapsBackup, ManagedDevice, Organization, OuRights, PackageFacts, RecoveryKey, RegistrationPolicy, Snapshot,
    TenantState, TrustType, User,
};
use uuid::Uuid;

pub use memory::peak_mib;

const SITES: [&str; 4] = ["London", "Paris", "Berlin", "Madrid"];

fn id(kind: u128, n: usize) -> Uuid {
    // Spread over the whole range, as real ids are.
    let mixed = (n as u128).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    Uuid::from_u128(mixed ^ kind << 120)
}
fn name(n: usize) -> DeviceName {
    DeviceName::new(&format!("LAPTOP-{n:06}"))
}
pub fn spanned<T>(value: T) -> Spanned<T> {
    Spanned::new(value, Span::default())
}

/// The plan of a fleet: four waves by site, every feature on that the scenario knows.
pub fn plan(size: usize) -> Result<MigrationPlan, Box<dyn std::error::Error>> {
    let wave = |label: &str, site: &str| WaveSpec {
        name: spanned(label.into()),
        package: "bulk".into(),
        devices: Selector::All(vec![
            Selector::Site(spanned(site.to_owned())),
            Selector::Ou(spanned("OU=Workstations,DC=corp,DC=contoso,DC=com".to_owned())),
            Selector::Not(Box::new(Selector::Group(spanned("VIP".to_owned())))),
        ]),
        size: (None, None),
        mode: Mode::Silent,
        window: None,
        concurrency: 200,
        failure_budget: FailureBudget::default(),
        needs: Vec::new(),
        gate: None,
    };
    let row = |n: usize| DeviceRow {
        name: name(n),
        serial: Some(format!("SN-{n:06}")),
        site: Some(SITES[n % SITES.len()].to_owned()),
        user: Some(format!("user{n}@contoso.com")),
    };
    let features =
        [Feature::Bitlocker, Feature::Laps, Feature::PrimaryUser, Feature::GroupRestore, Feature::ConfigmgrRemoval];
    Ok(MigrationPlan {
        name: "scale".to_owned(),
        scenario: Scenario::HybridToEntra,
        zone: "UTC".to_owned(),
        owners: BTreeMap::new(),
        tenants: vec![TenantSpec {
            name: "contoso".into(),
            role: TenantRole::Current,
            id: TenantId(id(1, 1)),
            domain: "contoso.com".to_owned(),
            cloud: Cloud::Lab("world.yaml".into()),
            app: AppSpec {
                client_id: "app".to_owned(),
                credential: Credential::ClientSecret(SecretRef::Lab),
                expires: Some(date(2027, 12, 31)),
            },
        }],
        directory: Some(DirectorySpec {
            domain: "corp.contoso.com".to_owned(),
            server: None,
            fallback: Vec::new(),
            ca_file: None,
            computers: vec!["OU=Workstations,DC=corp,DC=contoso,DC=com".to_owned()],
            account: None,
            retire: RetirePolicy::Disable,
        }),
        packages: vec![PackageSpec {
            name: "bulk".into(),
            tenant: "contoso".into(),
            file: None,
            sha256: None,
            account: "package_1@contoso.com".to_owned(),
            issued: date(2026, 11, 1),
            expires: spanned(date(2027, 4, 1)),
            validated: Some(Validation {
                by: "desk@contoso.com".to_owned(),
                on: date(2026, 11, 3),
                device: "LAB-017".to_owned(),
                evidence: None,
            }),
        }],
        features: FeatureSpec { on: features.into_iter().collect(), ..FeatureSpec::default() },
        devices: DeviceSource::Inventory((0..size).map(row).collect()),
        users: UserMatch::OnPremisesSid,
        waves: SITES.iter().map(|site| wave(&site.to_lowercase(), site)).collect(),
        exclusions: Vec::new(),
        attestations: attested(),
        policy: ApprovalPolicy::default(),
        as_of: "2026-12-02T18:30:00Z".parse()?,
        digest: Digest::of(b"scale"),
    })
}

/// Returns a word of a person for everything that only people know.
fn attested() -> Vec<Attestation> {
    let one = |check: &Check| Attestation {
        check: check.id().to_owned(),
        by: "lead@contoso.com".to_owned(),
        on: date(2026, 11, 20),
        until: None,
        evidence: None,
    };
    Check::ALL.iter().filter(|check| check.attestable() && **check != Check::PilotExit).map(one).collect()
}

/// What is observed of the fleet: hybrid joined, ready, the same every time.
pub fn snapshot(size: usize) -> Result<Snapshot, Box<dyn std::error::Error>> {
    let at: Timestamp = "2026-12-01T00:00:00Z".parse()?;
    let group = |number: usize, label: String, devices: Vec<EntraObjectId>| Group {
        id: GroupId(id(5, number)),
        name: label,
        dynamic: false,
        synced: false,
        role_assignable: false,
        mail_enabled: false,
        devices,
    };
    // Everybody's group, fifty applications, and the one that selectors name.
    let mut groups = vec![group(0, "VIP".to_owned(), Vec::new())];
    groups.push(group(1, "All devices".to_owned(), (0..size).map(|n| EntraObjectId(id(3, n))).collect()));
    for app in 0..50 {
        let members = (app..size).step_by(50).map(|n| EntraObjectId(id(3, n))).collect();
        groups.push(group(2 + app, format!("App-{app}"), members));
    }
    let mut users = Vec::with_capacity(size + 1);
    users.push(User {
        id: UserId(id(9, 0)),
        upn: "package_1@contoso.com".to_owned(),
        enabled: true,
        on_premises_sid: None,
        sid: Some(Sid::of_entra_user(UserId(id(9, 0)))),
        intune: false,
        premium: false,
        created: None,
        privileged: false,
    });
    let mut devices = Vec::with_capacity(size);
    let mut managed_devices = Vec::with_capacity(size);
    let mut recovery_keys = Vec::with_capacity(size);
    let mut laps = Vec::with_capacity(size);
    let mut computers = Vec::with_capacity(size);
    let mut evidence = BTreeMap::new();
    for n in 0..size {
        let sid: Sid = format!("S-1-5-21-1004336348-1177238915-682003330-{}", 1100 + n).parse()?;
        let user = UserId(id(2, n));
        users.push(User {
            id: user,
            upn: format!("user{n}@contoso.com"),
            enabled: true,
            on_premises_sid: Some(sid.clone()),
            sid: Some(Sid::of_entra_user(user)),
            intune: true,
            premium: true,
            created: None,
            privileged: false,
        });
        let device_id = EntraDeviceId(id(4, n));
        devices.push(EntraDevice {
            id: EntraObjectId(id(3, n)),
            device_id,
            name: name(n).to_string(),
            trust: TrustType::Hybrid,
            enabled: true,
            owner: None,
        });
        managed_devices.push(ManagedDevice {
            id: IntuneId(id(6, n)),
            device_id: Some(device_id),
            name: name(n).to_string(),
            serial: format!("SN-{n:06}"),
            last_sync: Some(at),
            enrolled: Some(at),
        });
        recovery_keys.push(RecoveryKey { id: KeyId(id(7, n)), device_id, created: at });
        laps.push(LapsBackup { device_id, backed_up: at });
        let computer = format!("S-1-5-21-1004336348-1177238915-682003330-{}", 500_000 + n).parse()?;
        let dn = format!("CN={},OU=Laptops,OU=Workstations,DC=corp,DC=contoso,DC=com", name(n));
        computers.push(AdComputer::new(id(8, n), computer, name(n).to_string(), dn));
        evidence.insert(
            name(n),
            Known::Known(Evidence { at, facts: facts(n, sid, device_id, at)?, survey: Some(Survey::sound(at)) }),
        );
    }
    let tenant = TenantState {
        organization: Known::Known(Organization {
            id: TenantId(id(1, 1)),
            display_name: "Contoso".to_owned(),
            verified_domains: vec!["contoso.com".to_owned()],
            mdm_authority: Known::Known("intune".to_owned()),
        }),
        granted: Known::Known(Permission::ALL.to_vec()),
        users: Known::Known(users),
        devices: Known::Known(devices),
        managed_devices: Known::Known(managed_devices),
        groups: Known::Known(groups),
        autopilot: Known::Absent,
        recovery_keys: Known::Known(recovery_keys),
        laps: Known::Known(laps),
        conditional_access: Known::Known(Vec::new()),
        registration_policy: Known::Known(RegistrationPolicy {
            user_device_quota: u32::MAX,
            mfa_required: false,
            join: JoinScope::All,
        }),
        profiles: Known::Absent,
        primary_users: Known::Known(BTreeMap::new()),
        token_tenant: Known::Known(TenantId(id(1, 1))),
        app: Known::Absent,
        enrolment: Known::Known(EnrolmentSettings {
            windows_blocked: Some(false),
            device_limit: Some(15),
            status_pages: Vec::new(),
        }),
        named_locations: Known::Known(Vec::new()),
        cross_tenant: Known::Absent,
        account_groups: Known::Known(BTreeMap::new()),
        refused: None,
    };
    Ok(Snapshot {
        format: FORMAT,
        taken_at: at,
        tenants: BTreeMap::from([("contoso".into(), tenant)]),
        directory: Known::Known(DirectoryState::of(
            "corp.contoso.com",
            computers,
            Known::Known(DisjoinAccount {
                name: "CORP\\svc-disjoin".to_owned(),
                enabled: true,
                locked: false,
                password_expires: None,
                account_expires: None,
                rights: vec![OuRights::all("OU=Workstations,DC=corp,DC=contoso,DC=com", true)],
            }),
        )),
        evidence,
        ledger: BTreeMap::new(),
        packages: BTreeMap::from([(
            "bulk".into(),
            Known::Known(PackageFacts { bulk_token: true, ..PackageFacts::of(Digest::of(b"bulk"), 2048) }),
        )]),
        sign_offs: Vec::new(),
    })
}

fn facts(n: usize, sid: Sid, device_id: EntraDeviceId, at: Timestamp) -> Result<DeviceFacts, String> {
    Ok(DeviceFacts {
        identity: Identity {
            name: name(n).to_string(),
            serial: format!("SN-{n:06}"),
            edition: "Enterprise".to_owned(),
            build: 22631,
        },
        entra: Some(EntraJoin { tenant: TenantId(id(1, 1)), device_id, healthy: true }),
        domain: Some(DomainJoin { domain: "corp.contoso.com".to_owned(), leaving: false }),
        mdm: Some(Mdm {
            provider: "MS DM Server".to_owned(),
            tenant: Some(TenantId(id(1, 1))),
            device: Some(IntuneId(id(6, n))),
            since: at,
        }),
        configmgr: n.is_multiple_of(10),
        profiles: vec![Profile {
            sid: sid.clone(),
            path: format!("C:\\Users\\user{n}"),
            health: ProfileHealth::Healthy,
            loaded: false,
            acl_owner: sid.clone(),
            size_mib: 20_000,
            loaders: Vec::new(),
            last_used: Some(at),
        }],
        bitlocker: BitLocker {
            encrypted: true,
            converting: false,
            suspended_reboots: 0,
            protectors: vec![Protector { id: KeyId(id(7, n)) }],
        },
        laps: LapsTarget::Entra,
        local_members: vec![LocalMembership { group: "S-1-5-32-544".parse()?, member: sid.clone() }],
        logon: LogonSurface {
            legal_notice: Some(("Contoso".to_owned(), "Authorised use only".to_owned())),
            dns_servers: vec!["10.0.0.53".to_owned()],
            ..LogonSurface::default()
        },
        cached_identities: vec![sid],
        staging: Staging::default(),
        sign_in: None,
        pending_reboot: false,
        on_ac: true,
        free_mib: 100_000,
    })
}
