//! What each action does to an emulated device, and where Windows would refuse.

use base64::Engine as _;
use jiff::Timestamp;
use uuid::Uuid;

use super::cloud::CloudError;
use super::guard;
use super::physics::{Around, device_call};
use super::state::{DeviceState, EMPTY_PROFILE_MIB, JOIN_SECS, PackageBytes, PendingJoin, Power, later};
use crate::lab::packages::PackageContent;
use crate::lab::protocol::EscrowRequest;
use crate::model::{
    Digest, KeyId, LapsTarget, LocalMembership, PackageName, PackageRecord, Problem, ProfileHealth, Protector,
    Recorded, RecoveryPassword, Retry, RunId, Sid, Staging,
};
use crate::port::{DeviceAction, Result};

/// Credential provider of passwords, which the banner switches off (domain.md B3 step 8).
const PASSWORD_PROVIDER: &str = "{60b78e88-ead8-445c-9cfd-0b87f74ea6cd}";

/// Returns the bytes of a package.
pub fn decode(content: &str) -> Result<Vec<u8>> {
    base64::engine::general_purpose::STANDARD
        .decode(content)
        .map_err(|_| Problem::new("device.package-invalid", "the package's bytes aren't base64"))
}

/// Carries one action out.
pub async fn apply(state: &mut DeviceState, action: &DeviceAction, around: &Around<'_>) -> Result<()> {
    let now = around.now;
    match action {
        DeviceAction::Stage { run, profile } => stage(state, *run, profile, now),
        DeviceAction::Unstage => unstage(state),
        DeviceAction::Arm { suspend_reboots, recovery } => arm(state, *suspend_reboots, recovery.as_ref()),
        DeviceAction::Disarm => {
            disarm(state, now);
            Ok(())
        }
        DeviceAction::EnsureRecoveryProtector => {
            ensure_protector(state);
            Ok(())
        }
        DeviceAction::EscrowProtector(key) => escrow(state, *key, around).await,
        DeviceAction::UnjoinDomain => {
            // Not joined is a success (NERR_SetupNotJoined, domain.md B3 step 4).
            if let Some(domain) = &mut state.facts.domain {
                domain.leaving = true;
            }
            Ok(())
        }
        DeviceAction::LeaveEntra => {
            leave_entra(state, around).await;
            Ok(())
        }
        DeviceAction::RemoveMdm => {
            state.facts.mdm = None;
            Ok(())
        }
        DeviceAction::RemoveConfigmgr => {
            state.facts.configmgr = false;
            Ok(())
        }
        DeviceAction::PlacePackage { name, sha256, content } => place(state, name, *sha256, content),
        DeviceAction::WipePackage => {
            state.package = None;
            state.facts.staging.package_file = None;
            Ok(())
        }
        DeviceAction::InstallPackage(name) => install(state, name, now),
        DeviceAction::Restart => {
            state.power = Power::RestartingUntil(later(now, state.habits.restart_secs));
            Ok(())
        }
        DeviceAction::SwapProfile { from, to, path } => swap(state, from, to, path),
        DeviceAction::AddLocalMembers(members) => {
            add_members(&mut state.facts.local_members, members);
            Ok(())
        }
        DeviceAction::RemoveLocalMembers(members) => {
            state.facts.local_members.retain(|member| !members.contains(member));
            Ok(())
        }
        DeviceAction::CleanIdentity(sid) => {
            state.facts.cached_identities.retain(|cached| cached != sid);
            Ok(())
        }
        DeviceAction::RestoreLogonSurface => restore_surface(state, now),
        DeviceAction::SyncMdm => sync(state, around).await,
        DeviceAction::CleanUp { keep_recovery_admin } => {
            clean_up(state, *keep_recovery_admin, now);
            Ok(())
        }
    }
}

fn not_staged(state: &DeviceState) -> Problem {
    Problem::new(
        "device.not-staged",
        format!("{} has no protected folder with the old facts", state.facts.identity.name),
    )
    .next("stage the device first")
}

fn stage(state: &mut DeviceState, run: RunId, profile: &Sid, now: Timestamp) -> Result<()> {
    let staging = &state.facts.staging;
    let under_way = staging.banner || staging.boot_start || staging.installed_package.is_some();
    if let Some(recorded) = &staging.recorded
        && (recorded.run == run || under_way)
    {
        // What was recorded before the first change is never written over by what came after it.
        return Ok(());
    }
    let owned = state.facts.profile_of(profile).map(|found| (found.sid.clone(), found.path.clone()));
    state.facts.staging.recorded = Some(Recorded {
        run,
        at: now,
        logon: state.facts.logon.clone(),
        local_members: state.facts.local_members.clone(),
        profile: owned,
        join: state.facts.join_state(),
    });
    Ok(())
}

fn unstage(state: &mut DeviceState) -> Result<()> {
    if state.facts.staging.banner || state.facts.staging.boot_start {
        return Err(Problem::new(
            "device.still-armed",
            format!("{} still needs the recorded facts to put its sign-in screen back", state.facts.identity.name),
        )
        .next("disarm the device first"));
    }
    state.facts.staging.recorded = None;
    state.facts.staging.package_file = None;
    state.package = None;
    state.hive_copies = None;
    Ok(())
}

fn arm(state: &mut DeviceState, suspend_reboots: u8, recovery: Option<&RecoveryPassword>) -> Result<()> {
    if state.facts.staging.recorded.is_none() {
        return Err(not_staged(state));
    }
    match recovery {
        Some(password) => guard::make_admin(state, password)?,
        None => state.facts.staging.recovery_admin_proven = true,
    }
    let facts = &mut state.facts;
    facts.staging.boot_start = true;
    facts.staging.banner = true;
    let text = "This device is being moved. Please don't sign in until this notice is gone.";
    facts.logon.legal_notice = Some(("Migration in progress".to_owned(), text.to_owned()));
    if !facts.logon.disabled_providers.iter().any(|provider| provider == PASSWORD_PROVIDER) {
        facts.logon.disabled_providers.push(PASSWORD_PROVIDER.to_owned());
    }
    if facts.bitlocker.encrypted {
        facts.bitlocker.suspended_reboots = suspend_reboots;
    }
    state.sign_in_due = None;
    Ok(())
}

/// Puts the sign-in screen back as recorded. DNS is never touched (domain.md B13, 4).
fn surface_back(state: &mut DeviceState, now: Timestamp) {
    if let Some(recorded) = &state.facts.staging.recorded {
        let dns_servers = std::mem::take(&mut state.facts.logon.dns_servers);
        state.facts.logon = crate::model::LogonSurface { dns_servers, ..recorded.logon.clone() };
    }
    state.facts.staging.banner = false;
    state.plan_sign_in(now);
}

fn disarm(state: &mut DeviceState, now: Timestamp) {
    surface_back(state, now);
    state.facts.staging.boot_start = false;
    guard::remove_admin(state);
    state.facts.bitlocker.suspended_reboots = 0;
}

fn restore_surface(state: &mut DeviceState, now: Timestamp) -> Result<()> {
    if state.facts.staging.recorded.is_none() {
        return Err(not_staged(state));
    }
    surface_back(state, now);
    Ok(())
}

fn ensure_protector(state: &mut DeviceState) {
    let bitlocker = &mut state.facts.bitlocker;
    if bitlocker.encrypted && bitlocker.protectors.is_empty() {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("protector/{}", state.facts.identity.serial).as_bytes());
        bitlocker.protectors.push(Protector { id: KeyId(id) });
    }
}

fn cloud_problem(error: CloudError, what: &str) -> Problem {
    match error {
        CloudError::Refused(refusal) => {
            Problem::new("device.refused", format!("{what} was refused: {}", refusal.message))
                .detail(refusal.code)
                .retry(Retry::Soon)
        }
        CloudError::Unreachable(why) => Problem::new("device.offline", format!("{what}: the service can't be reached"))
            .next("check the device's network")
            .detail(why)
            .retry(Retry::ReadFirst),
    }
}

fn offline(state: &DeviceState, around: &Around<'_>, what: &str) -> Result<()> {
    match state.offline_until {
        Some(until) if until > around.now => {
            Err(cloud_problem(CloudError::Unreachable("the device is offline".to_owned()), what))
        }
        _ => Ok(()),
    }
}

async fn escrow(state: &mut DeviceState, key: KeyId, around: &Around<'_>) -> Result<()> {
    let name = &state.facts.identity.name;
    if !state.facts.bitlocker.protectors.iter().any(|protector| protector.id == key) {
        return Err(Problem::new("device.no-such-protector", format!("{name} has no recovery protector {key}"))
            .next("read the protectors again"));
    }
    let what = format!("backing recovery key {key} of {name} up");
    match device_call(state) {
        Some(device) => {
            offline(state, around, &what)?;
            around.cloud.escrow(&EscrowRequest { device, key }).await.map_err(|e| cloud_problem(e, &what))
        }
        // A device that is joined to Active Directory alone keeps its keys there.
        None if state.facts.domain.is_some() => Ok(()),
        None => Err(Problem::new("device.not-joined", format!("{name} is joined to nothing that could keep its key"))
            .retry(Retry::Soon)),
    }
}

async fn leave_entra(state: &mut DeviceState, around: &Around<'_>) {
    if let Some(device) = device_call(state) {
        // `dsregcmd /leave` works offline too: the tenant just isn't told, and the object stays anyway.
        if offline(state, around, "leaving").is_ok() {
            drop(around.cloud.leave(&device).await);
        }
        state.facts.entra = None;
        state.enrol_due = None;
        state.laps_due = None;
        if state.facts.laps == LapsTarget::Entra {
            state.facts.laps = LapsTarget::None;
        }
    }
    state.facts.staging.auto_rejoin_off = true;
    state.rejoin_due = None;
}

fn place(state: &mut DeviceState, name: &PackageName, sha256: Digest, content: &str) -> Result<()> {
    if state.facts.staging.recorded.is_none() {
        return Err(not_staged(state));
    }
    let bytes = decode(content)?;
    if Digest::of(&bytes) != sha256 {
        return Err(Problem::new("device.package-digest", format!("package {name} isn't the one that was agreed"))
            .next("deliver the package again, or put its new digest into the plan"));
    }
    state.package = Some(PackageBytes(content.to_owned()));
    state.facts.staging.package_file = Some(name.clone());
    Ok(())
}

fn install(state: &mut DeviceState, name: &PackageName, now: Timestamp) -> Result<()> {
    let Some(bytes) = state.package.as_ref().filter(|_| state.facts.staging.package_file.as_ref() == Some(name)) else {
        return Err(Problem::new("device.package-missing", format!("package {name} isn't on the device"))
            .next("place the package first")
            .retry(Retry::Soon));
    };
    let token = PackageContent::parse(&decode(&bytes.0)?)?;
    let joined = state.is_entra_only() && state.facts.entra.as_ref().is_some_and(|join| join.tenant == token.tenant);
    let asked = state.join.as_ref().is_some_and(|join| join.package == *name);
    let record = state.facts.staging.installed_package.as_ref();
    if (joined || asked) && record.is_some_and(|record| record.name == *name) {
        return Ok(());
    }
    state.facts.staging.installed_package = Some(PackageRecord { name: name.clone(), at: now });
    if !joined {
        state.join_attempts += 1;
        state.join_error = None;
        let due = (state.facts.domain.is_none()).then(|| later(now, JOIN_SECS));
        state.join = Some(PendingJoin { package: name.clone(), due, attempt: state.join_attempts });
    }
    Ok(())
}

/// Gives a profile to another owner, as `Win32_UserProfile.ChangeOwner` does after a new owner's empty
/// profile was made and deleted (domain.md B3 step 10).
fn swap(state: &mut DeviceState, from: &Sid, to: &Sid, path: &str) -> Result<()> {
    let facts = &mut state.facts;
    let name = &facts.identity.name;
    let same = |other: &str| other.eq_ignore_ascii_case(path);
    let in_use = |sid: &Sid, loaders: &[String]| {
        let by = if loaders.is_empty() { "somebody who is signed in".to_owned() } else { loaders.join(", ") };
        Problem::new("device.profile-in-use", format!("the profile of {sid} on {name} is loaded by {by}"))
            .next("sign the user out, stop what loads the profile, or restart the device")
            .retry(Retry::Soon)
    };
    if facts.profile_of(to).is_some_and(|profile| same(&profile.path) && profile.acl_owner == *to) {
        return Ok(());
    }
    let Some(old) = facts.profile_of(from) else {
        return Err(Problem::new("device.profile-missing", format!("{from} has no profile on {name}"))
            .next("compare ProfileList with the plan's evidence and plan again"));
    };
    if !same(&old.path) {
        return Err(Problem::new(
            "device.profile-path",
            format!("the profile of {from} on {name} lies in {}, not in {path}", old.path),
        )
        .next("plan again with fresh evidence"));
    }
    if old.health != ProfileHealth::Healthy {
        return Err(Problem::new("device.profile-health", format!("the profile of {from} on {name} isn't healthy"))
            .next("repair the profile first"));
    }
    if old.loaded {
        return Err(in_use(from, &old.loaders));
    }
    if let Some(target) = facts.profile_of(to) {
        if target.loaded {
            return Err(in_use(to, &target.loaders));
        }
        if target.size_mib > EMPTY_PROFILE_MIB {
            return Err(Problem::new(
                "device.profile-target-exists",
                format!("{to} already has a profile with data on {name}, in {}", target.path),
            )
            .next("save that profile's files and remove it, or leave the device out"));
        }
    }
    facts.profiles.retain(|profile| profile.sid != *to);
    if let Some(profile) = facts.profiles.iter_mut().find(|profile| profile.sid == *from) {
        profile.sid = to.clone();
        profile.acl_owner = to.clone();
        state.hive_copies = Some(from.clone());
    }
    Ok(())
}

fn add_members(list: &mut Vec<LocalMembership>, members: &[LocalMembership]) {
    list.extend_from_slice(members);
    list.sort();
    list.dedup();
}

async fn sync(state: &mut DeviceState, around: &Around<'_>) -> Result<()> {
    let name = state.facts.identity.name.clone();
    let Some(device) = device_call(state).filter(|_| state.facts.mdm.is_some()) else {
        return Err(Problem::new("device.not-enrolled", format!("{name} isn't enrolled")).retry(Retry::Soon));
    };
    let what = format!("synchronising {name}");
    offline(state, around, &what)?;
    around.cloud.sync(&device).await.map_err(|e| cloud_problem(e, &what))
}

fn clean_up(state: &mut DeviceState, keep_recovery_admin: bool, now: Timestamp) {
    if state.facts.staging.banner {
        surface_back(state, now);
    }
    let recovery_admin_proven = keep_recovery_admin && state.facts.staging.recovery_admin_proven;
    state.facts.staging = Staging { recovery_admin_proven, ..Staging::default() };
    if !recovery_admin_proven {
        guard::remove_admin(state);
    }
    // Protectors that are still suspended, because a restart fell out, protect again.
    state.facts.bitlocker.suspended_reboots = 0;
    state.package = None;
    state.hive_copies = None;
    state.canary = None;
    state.plan_sign_in(now);
}
