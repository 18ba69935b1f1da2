//! How a device is before anybody touches it, from the world's description.

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::state::{DeviceState, FORMAT, Habits, Power};
use crate::lab::seed::DeviceIds;
use crate::lab::world::{World, WorldDevice};
use crate::model::{
    BitLocker, DeviceFacts, DeviceName, DomainJoin, EntraDeviceId, EntraJoin, Identity, IntuneId, JoinState, KeyId,
    LapsTarget, LocalMembership, LogonSurface, Mdm, Problem, Profile, Protector, Sid, SignIn, Staging, TenantId,
    UserId,
};
use crate::port::Result;

/// Ids of a device's first state. The same ids stand in the emulated tenants and directory.
#[derive(Debug, Clone)]
pub struct DeviceSeed {
    /// Tenant that the device is joined to or registered in.
    pub tenant: Option<TenantId>,
    /// Registration there.
    pub device_id: EntraDeviceId,
    /// Intune device there.
    pub intune: IntuneId,
    /// Recovery key.
    pub bitlocker_key: KeyId,
    /// Account of the computer in Active Directory; its domain part names the domain's groups.
    pub computer_sid: Sid,
    /// Owner of the profile.
    pub old_user_sid: Sid,
    /// Who signs in after the move.
    pub new_user: Option<UserId>,
}

impl From<DeviceIds> for DeviceSeed {
    fn from(ids: DeviceIds) -> Self {
        Self {
            tenant: ids.tenant,
            device_id: ids.device_id,
            intune: ids.intune,
            bitlocker_key: ids.bitlocker_key,
            computer_sid: ids.computer_sid,
            old_user_sid: ids.old_user_sid,
            new_user: ids.new_user,
        }
    }
}

fn group_sid(name: &str) -> Result<Sid> {
    // Well-known SIDs of local groups; the names are localised on a real device.
    let text = match name {
        "administrators" => "S-1-5-32-544",
        "users" => "S-1-5-32-545",
        "power-users" => "S-1-5-32-547",
        "remote-desktop-users" => "S-1-5-32-555",
        "network-configuration-operators" => "S-1-5-32-556",
        "hyper-v-administrators" => "S-1-5-32-578",
        other => other,
    };
    text.parse().map_err(|_| {
        Problem::new("lab.world", format!("`{name}` isn't a local group that the lab knows"))
            .next("use administrators, users, remote-desktop-users or a SID")
    })
}

/// Returns the SID of the domain's group with a relative id.
fn domain_group(computer: &Sid, rid: u32) -> Option<Sid> {
    let (domain, _) = computer.as_str().rsplit_once('-')?;
    format!("{domain}-{rid}").parse().ok()
}

fn local_members(device: &WorldDevice, seed: &DeviceSeed) -> Result<Vec<LocalMembership>> {
    let mut members = Vec::with_capacity(device.local_groups.len() + 1);
    for group in &device.local_groups {
        members.push(LocalMembership { group: group_sid(group)?, member: seed.old_user_sid.clone() });
    }
    if matches!(device.join, JoinState::Ad | JoinState::Hybrid)
        && let Some(admins) = domain_group(&seed.computer_sid, 512)
    {
        members.push(LocalMembership { group: group_sid("administrators")?, member: admins });
    }
    members.sort();
    members.dedup();
    Ok(members)
}

fn profile(device: &WorldDevice, seed: &DeviceSeed, starts: Timestamp) -> Profile {
    let local_part = device.user.split('@').next().unwrap_or("user");
    Profile {
        sid: seed.old_user_sid.clone(),
        path: format!("C:\\Users\\{local_part}"),
        health: device.profile,
        // The device is in use when the world begins.
        loaded: device.join != JoinState::Workgroup,
        acl_owner: seed.old_user_sid.clone(),
        size_mib: device.profile_mib,
        loaders: Vec::new(),
        last_used: Some(starts),
    }
}

/// Returns the first state of a device.
///
/// # Errors
/// `lab.world` where the description can't be: joined to a domain or a tenant that the world lacks.
pub fn first_state(world: &World, device: &WorldDevice, seed: &DeviceSeed) -> Result<DeviceState> {
    let missing = |what: &str| {
        Problem::new(
            "lab.world",
            format!("device {} is {} and the world has no {what}", device.name, device.join.as_str()),
        )
        .next(format!("add the {what} to the world, or join the device in another way"))
    };
    let entra = match device.join {
        JoinState::Hybrid | JoinState::Entra => {
            let tenant = seed.tenant.ok_or_else(|| missing("tenant for it"))?;
            Some(EntraJoin { tenant, device_id: seed.device_id, healthy: true })
        }
        JoinState::Ad | JoinState::Workgroup => None,
    };
    let domain = match device.join {
        JoinState::Ad | JoinState::Hybrid => {
            let directory = world.directory.as_ref().ok_or_else(|| missing("directory"))?;
            Some(DomainJoin { domain: directory.domain.clone(), leaving: false })
        }
        JoinState::Entra | JoinState::Workgroup => None,
    };
    let mdm = entra.as_ref().filter(|_| device.intune).map(|join| Mdm {
        provider: "MS DM Server".to_owned(),
        tenant: Some(join.tenant),
        device: Some(seed.intune),
        // Enrolled some months before the story begins.
        since: world.starts.saturating_sub(SignedDuration::from_hours(24 * 120)).unwrap_or(Timestamp::MIN),
    });
    let laps = match device.join {
        JoinState::Ad => LapsTarget::Ad,
        JoinState::Hybrid | JoinState::Entra if device.intune => LapsTarget::Entra,
        JoinState::Hybrid | JoinState::Entra | JoinState::Workgroup => LapsTarget::None,
    };
    let signed_in = device.join != JoinState::Workgroup;
    let mut facts = DeviceFacts {
        identity: Identity {
            name: DeviceName::new(&device.name).to_string(),
            serial: device.serial.clone(),
            edition: device.edition.clone(),
            build: 22_631,
        },
        domain,
        mdm,
        configmgr: device.configmgr,
        profiles: vec![profile(device, seed, world.starts)],
        bitlocker: BitLocker {
            encrypted: device.bitlocker,
            converting: false,
            suspended_reboots: 0,
            protectors: device.bitlocker.then_some(Protector { id: seed.bitlocker_key }).into_iter().collect(),
        },
        laps,
        local_members: local_members(device, seed)?,
        logon: LogonSurface {
            legal_notice: device.legal_notice.clone(),
            auto_logon: false,
            disabled_providers: Vec::new(),
            dns_servers: vec!["10.0.0.53".to_owned(), "10.0.1.53".to_owned()],
        },
        cached_identities: vec![seed.old_user_sid.clone()],
        staging: Staging::default(),
        sign_in: signed_in.then(|| SignIn { sid: seed.old_user_sid.clone(), prt: entra.is_some(), at: world.starts }),
        pending_reboot: device.pending_reboot,
        on_ac: device.on_ac,
        free_mib: 120_000,
        entra,
    };
    let new_sid = seed.new_user.map(Sid::of_entra_user);
    device.survey.spoil(&mut facts, new_sid.as_ref(), world.starts);
    let hybrid = (device.join == JoinState::Hybrid).then(|| facts.entra.clone()).flatten();
    Ok(DeviceState {
        format: FORMAT,
        habits: Habits {
            restart_secs: device.restart_secs,
            sign_in_secs: device.sign_in_secs,
            // Which tenant will manage it isn't known yet; the slowest is the safe guess.
            laps_secs: world.tenants.values().map(|tenant| tenant.service.laps_secs).max().unwrap_or(0),
            old_user: seed.old_user_sid.clone(),
            new_user: seed.new_user,
            hybrid,
            hardware_hash: hardware_hash(&device.serial),
        },
        power: Power::Up,
        boots: 0,
        session: signed_in,
        join: None,
        join_attempts: 0,
        join_error: None,
        enrol_due: None,
        laps_due: None,
        sign_in_due: None,
        rejoin_due: None,
        offline_until: None,
        package: None,
        hive_copies: None,
        recovery_admin: None,
        canary: None,
        faults_used: std::collections::BTreeMap::new(),
        survey: super::survey::first_survey(world, device),
        facts,
    })
}

/// Returns something of a hardware hash's look that is the same for a serial number every time.
fn hardware_hash(serial: &str) -> String {
    use base64::Engine as _;
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, serial.as_bytes());
    base64::engine::general_purpose::STANDARD.encode(id.as_bytes().repeat(8))
}
