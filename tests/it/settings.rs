//! What decides whether devices may join and enrol, and the application itself: read from the emulated tenant by the
//! Graph client, and from what Microsoft publishes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use opsole::lab::directory::LabDirectory;
use opsole::lab::world::{
    World, WorldDeviceFilter, WorldGroup, WorldInOut, WorldLocation, WorldPartner, WorldPolicy, WorldStatusPage,
    WorldTenant,
};
use opsole::lab::{Lab, tenant};
use opsole::model::{Known, TenantId};
use opsole::msgraph::{Client, Config, Credential, TenantRef};
use opsole::port::{Clock, Directory, Tenant, Wanted};
use opsole::state::{JoinScope, TenantState};
use tokio::net::TcpListener;

const EXAMPLE: &str = include_str!("../../examples/hybrid-to-entra/world.yaml");
const ACCOUNT: &str = "package_2f3c7a10-6c1e-4b8e-9b62-0d5f1e7a4c33@contoso.com";

fn world(change: impl FnOnce(&mut World)) -> World {
    let mut world = World::parse("world.yaml", EXAMPLE).expect("the example is a world");
    let own = contoso(&mut world);
    own.service.throttle = 0.0;
    own.service.visibility_secs = 0;
    change(&mut world);
    world
}

fn contoso(world: &mut World) -> &mut WorldTenant {
    world.tenants.get_mut("contoso").expect("there")
}

/// The world's moment; waits pass at once.
struct Still(Timestamp);

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        self.0
    }
    async fn sleep(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}

struct Seen {
    state: TenantState,
    lab: Arc<Lab>,
    _folder: tempfile::TempDir,
}

/// Reads everything that readiness needs of a world's tenant.
async fn seen(world: &World) -> Seen {
    let folder = tempfile::tempdir().expect("a folder");
    let lab = Arc::new(Lab::open(folder.path(), world).expect("a lab"));
    let server = tenant::serve(lab.clone(), TcpListener::bind("127.0.0.1:0").await.expect("a port")).expect("served");
    let own = &world.tenants["contoso"];
    let config = Config {
        label: "contoso".into(),
        tenant: TenantRef::Id(TenantId(own.id)),
        authority: server.base().to_string(),
        graph: server.base().to_string(),
        scope: "https://graph.microsoft.com/.default".into(),
        client_id: own.apps[0].client_id.clone(),
        credential: Credential::ClientSecret(own.apps[0].secret.as_str().into()),
    };
    let client = Client::new(config, Arc::new(Still(world.starts))).expect("a client");
    let wanted = Wanted {
        users: true,
        conditional_access: true,
        app: Some(own.apps[0].client_id.clone()),
        enrolment: true,
        cross_tenant: true,
        accounts: [ACCOUNT.to_owned(), "package_gone@contoso.com".to_owned()].into(),
        ..Wanted::default()
    };
    let state = client.observe(&wanted).await;
    Seen { state, lab, _folder: folder }
}

/// Catches a world whose silence means trouble: every default has to be one with which nothing is wrong.
#[tokio::test]
async fn nothing_is_wrong_by_default() {
    let world = world(|_| {});
    let Seen { state, lab, .. } = seen(&world).await;
    assert_eq!(state.token_tenant, Known::Known(TenantId(world.tenants["contoso"].id)));
    let app = state.app.known().unwrap_or_else(|| panic!("{:?}", state.app));
    assert!(app.enabled && app.app_id == world.tenants["contoso"].apps[0].client_id && app.name == "opsole");
    let mut granted = world.tenants["contoso"].apps[0].permissions.clone();
    granted.sort();
    assert_eq!((&app.assigned, app.requested.known()), (&granted, Some(&granted)));
    let ends = app.credentials.known().expect("known")[0].ends.expect("an end");
    assert!(ends > world.starts.checked_add(jiff::SignedDuration::from_hours(24 * 700)).expect("in range"));
    let enrolment = state.enrolment.known().unwrap_or_else(|| panic!("{:?}", state.enrolment));
    assert_eq!((enrolment.windows_blocked, enrolment.device_limit), (Some(false), Some(15)));
    assert!(enrolment.status_pages.iter().all(|page| page.to_all && page.blocks == Known::Known(false)));
    assert_eq!(enrolment.status_pages.len(), 1);
    assert_eq!(state.named_locations, Known::Absent, "no policy names one");
    let cross = state.cross_tenant.known().unwrap_or_else(|| panic!("{:?}", state.cross_tenant));
    assert!(!cross.default_inbound_blocked && !cross.default_outbound_blocked && cross.partners.is_empty());
    let groups = state.account_groups.known().unwrap_or_else(|| panic!("{:?}", state.account_groups));
    assert_eq!(groups.iter().map(|(upn, ids)| (upn.as_str(), ids.len())).collect::<Vec<_>>(), [(ACCOUNT, 0)]);
    let organization = state.organization.known().expect("known");
    assert_eq!(organization.mdm_authority, Known::Known("intune".to_owned()));
    let account = LabDirectory::new(lab).observe().await.expect("a directory").account;
    let account = account.known().expect("an account").clone();
    assert!(account.name == "CORP\\svc-disjoin" && account.enabled && !account.locked);
    assert!(account.rights.iter().all(|of| of.delete && of.read_properties && of.disable) && account.rights.len() == 1);
}

/// Catches a setting of the world that doesn't reach who reads it.
#[tokio::test]
async fn every_setting_is_read() {
    let other = "9c5d131d-b1c3-4fc4-9e3f-c6557947d551";
    let odd = "11111111-2222-4333-8444-555555555555";
    let in_out = |include: &[&str], exclude: &[&str]| WorldInOut {
        include: include.iter().map(|&s| s.to_owned()).collect(),
        exclude: exclude.iter().map(|&s| s.to_owned()).collect(),
    };
    let world = world(|world| {
        let starts = world.starts;
        let device = world.devices[0].name.clone();
        let account = world.directory.as_mut().expect("a directory").disjoin_account.as_mut().expect("an account");
        (account.locked, account.delete, account.password_expires) = (true, false, Some(starts));
        let own = contoso(world);
        own.mdm_authority = "sccm".to_owned();
        own.apps[0].requested = Some(vec!["User.Read.All".to_owned(), "Device.Read.All".to_owned()]);
        own.apps[0].permissions.push(odd.to_owned());
        own.apps[0].display_name = "Migration".to_owned();
        own.apps[0].credential_expires = Some("2026-12-31T00:00:00Z".parse().expect("a time"));
        own.enrolment.windows_blocked = true;
        own.enrolment.device_limit = 5;
        let page = |name: &str, blocks, groups: &[&str]| WorldStatusPage {
            name: name.to_owned(),
            blocks,
            groups: groups.iter().map(|&g| g.to_owned()).collect(),
        };
        own.enrolment.status_pages = vec![page("Strict", true, &["MIG-Pilot"]), page("Open", false, &[])];
        own.groups.push(WorldGroup {
            name: "Bulk".to_owned(),
            members: vec![ACCOUNT.to_owned()],
            ..own.groups[0].clone()
        });
        own.groups.push(WorldGroup { name: "Devices".to_owned(), members: vec![device], ..own.groups[0].clone() });
        own.registration.join_users = vec![ACCOUNT.to_owned()];
        own.registration.join_groups = vec!["Bulk".to_owned()];
        own.cross_tenant.inbound_blocked = true;
        let partner = WorldPartner { inbound_blocked: Some(false), outbound_blocked: None };
        own.cross_tenant.partners.insert(other.to_owned(), partner);
        let place = |name: &str, trusted| WorldLocation {
            name: name.to_owned(),
            trusted,
            ranges: vec!["6.5.4.0/24".to_owned()],
            devices: false,
        };
        own.named_locations = vec![place("Office", true), place("Shop", false)];
        own.conditional_access = vec![WorldPolicy {
            grant: vec!["block".to_owned()],
            operator: "AND".to_owned(),
            authentication_strength: Some("Phishing-resistant".to_owned()),
            terms_of_use: true,
            include_users: vec!["GuestsOrExternalUsers".to_owned(), ACCOUNT.to_owned()],
            include_groups: vec!["Bulk".to_owned()],
            include_roles: vec![other.to_owned()],
            exclude_groups: vec!["MIG-Pilot".to_owned()],
            service_principals: Some(in_out(
                &["ServicePrincipalsInMyTenant"],
                &["5b0c5a0e-0f3b-4b7e-8a58-2f6d0a4b9c01"],
            )),
            applications: Some(in_out(&["All"], &["Office365"])),
            client_app_types: vec!["browser".to_owned()],
            platforms: Some(in_out(&["windows"], &[])),
            locations: Some(in_out(&["All"], &["Office", "AllTrusted"])),
            sign_in_risk: vec!["high".to_owned()],
            user_risk: vec!["medium".to_owned()],
            device_filter: Some(WorldDeviceFilter { mode: "exclude".to_owned(), rule: "device.x -eq 1".to_owned() }),
            ..WorldPolicy::new("Everything")
        }];
    });
    let Seen { state, lab, .. } = seen(&world).await;
    let organization = state.organization.known().expect("known");
    assert_eq!(organization.mdm_authority, Known::Known("sccm".to_owned()));
    let app = state.app.known().unwrap_or_else(|| panic!("{:?}", state.app));
    assert_eq!(app.requested.known().expect("known"), &["Device.Read.All", "User.Read.All"]);
    assert!(app.assigned.contains(&odd.to_owned()) && app.name == "Migration", "{app:?}");
    assert_eq!(app.credentials.known().expect("known")[0].ends.expect("an end").to_string(), "2026-12-31T00:00:00Z");
    let enrolment = state.enrolment.known().unwrap_or_else(|| panic!("{:?}", state.enrolment));
    assert_eq!((enrolment.windows_blocked, enrolment.device_limit), (Some(true), Some(5)));
    let pages: Vec<_> = enrolment
        .status_pages
        .iter()
        .map(|page| (page.name.as_str(), page.blocks.known().copied(), page.to_all, page.groups.len()))
        .collect();
    let default = ("All users and all devices", Some(false), true, 0);
    assert_eq!(pages, [default, ("Open", Some(false), true, 0), ("Strict", Some(true), false, 1)]);
    let groups = state.account_groups.known().unwrap_or_else(|| panic!("{:?}", state.account_groups));
    assert_eq!(groups[ACCOUNT].len(), 1);
    let scope = &state.registration_policy.known().expect("known").join;
    let JoinScope::Some { users, groups: joiners } = scope else { panic!("{scope:?}") };
    assert_eq!((users.len(), joiners), (1, &groups[ACCOUNT]));
    let cross = state.cross_tenant.known().expect("known");
    assert_eq!((cross.default_inbound_blocked, cross.default_outbound_blocked), (true, false));
    assert_eq!(cross.partners, [(TenantId(other.parse().expect("an id")), false, false)]);
    let places = state.named_locations.known().unwrap_or_else(|| panic!("{:?}", state.named_locations));
    let office = places.iter().find(|place| place.trusted).expect("one is trusted");
    assert_eq!((places.len(), office.name.as_str()), (2, "Office"));
    let policy = &state.conditional_access.known().expect("known")[0];
    assert_eq!((policy.include_users.len(), policy.include_roles.len()), (2, 1));
    assert_eq!((&policy.include_groups, policy.exclude_groups.len()), (&groups[ACCOUNT], 1));
    let own = policy.service_principals.as_ref().expect("set");
    assert_eq!((own.include.len(), &own.exclude), (1, &vec![app.principal.to_string()]));
    assert_eq!(policy.applications.exclude, ["Office365"]);
    assert_eq!(policy.platforms.as_ref().expect("set").include, ["windows"]);
    let except = &policy.locations.as_ref().expect("set").exclude;
    assert!(except.len() == 2 && except.contains(&office.id.to_string()), "{except:?}");
    assert_eq!((&policy.client_app_types[0][..], &policy.sign_in_risk[0][..]), ("browser", "high"));
    assert_eq!((policy.user_risk.len(), policy.device_filter.is_some(), policy.terms_of_use), (1, true, true));
    assert_eq!((policy.operator.as_deref(), &policy.grant[0][..]), (Some("AND"), "block"));
    assert_eq!(policy.authentication_strength.as_deref(), Some("Phishing-resistant"));
    let account = LabDirectory::new(lab).observe().await.expect("a directory").account;
    let account = account.known().expect("an account").clone();
    assert!(account.locked && account.password_expires == Some(world.starts) && !account.rights[0].delete);
}

/// Catches one refused read that spoils another, and a refusal that passes for "nothing there".
#[tokio::test]
async fn each_permission_missing() {
    let without = async |permissions: &[&str]| {
        let world = world(|world| {
            let own = &mut contoso(world).apps[0].permissions;
            *own = [
                "User.Read.All",
                "Device.Read.All",
                "RoleManagement.Read.Directory",
                "GroupMember.Read.All",
                "Organization.Read.All",
                "DeviceManagementServiceConfig.Read.All",
                "Policy.Read.All",
                "Application.Read.All",
            ]
            .iter()
            .filter(|own| !permissions.contains(own))
            .map(|&own| own.to_owned())
            .collect();
        });
        seen(&world).await.state
    };
    fn because<T: std::fmt::Debug>(part: &Known<T>, permission: &str) {
        let why = part.unknown().unwrap_or_else(|| panic!("{part:?}"));
        assert!(why.contains(permission), "{why}");
    }
    let all = without(&[]).await;
    assert!(all.app.known().is_some() && all.enrolment.known().is_some() && all.cross_tenant.known().is_some());
    assert!(all.account_groups.known().is_some() && all.devices.known().is_some(), "{:?}", all.account_groups);
    let state = without(&["Application.Read.All"]).await;
    because(&state.app, "Application.Read.All");
    assert!(state.enrolment.known().is_some() && state.conditional_access.known().is_some());
    let state = without(&["DeviceManagementServiceConfig.Read.All", "User.Read.All"]).await;
    because(&state.enrolment, "DeviceManagementServiceConfig.Read.All");
    because(&state.organization.known().expect("known").mdm_authority, "DeviceManagementServiceConfig.Read.All");
    because(&state.users, "User.Read.All");
    assert!(state.devices.known().is_some(), "whose devices they are doesn't matter where no user is known");
    let state = without(&["Policy.Read.All"]).await;
    because(&state.conditional_access, "Policy.Read.All");
    because(&state.named_locations, "Policy.Read.All");
    because(&state.cross_tenant, "Policy.Read.All");
    assert!(state.app.known().is_some() && state.users.known().is_some());
}

/// Catches an application that is only a guest taken for one that asks for nothing, and one that isn't there at all.
#[tokio::test]
async fn applications_away_from_home() {
    let guest = seen(&world(|world| contoso(world).apps[0].home = false)).await.state;
    let app = guest.app.known().unwrap_or_else(|| panic!("{:?}", guest.app));
    assert_eq!((&app.requested, &app.credentials), (&Known::Absent, &Known::Absent));
    assert!(!app.assigned.is_empty());
    let disabled = seen(&world(|world| contoso(world).apps[0].enabled = false)).await.state;
    assert!(disabled.app.unknown().expect("no token").contains("token."), "{:?}", disabled.app);
    let expired = seen(&world(|world| contoso(world).apps[0].credential_expires = Some(world_start()))).await.state;
    assert!(expired.app.unknown().expect("no token").contains("token."), "{:?}", expired.app);
}

fn world_start() -> Timestamp {
    World::parse("world.yaml", EXAMPLE).expect("a world").starts
}
