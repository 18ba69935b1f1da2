//! What time does to a device: restarts end, joins and enrolments happen, people sign in.

use jiff::Timestamp;

use super::cloud::{Cloud, CloudError};
use super::fault;
use super::state::{AGAIN_SECS, DeviceState, ENROL_SECS, Event, JOIN_SECS, JoinError, Power, REJOIN_SECS, later};
use crate::lab::packages::PackageContent;
use crate::lab::protocol::{DeviceCall, EnrolMdmRequest, JoinRequest, Refusal, SignInRequest};
use crate::lab::world::{Fault, FaultKind};
use crate::model::{LapsTarget, Mdm, Op, Profile, ProfileHealth, Sid, SignIn};

/// What surrounds a device while something happens to it.
pub struct Around<'a> {
    /// The tenants.
    pub cloud: &'a dyn Cloud,
    /// Faults that can strike it.
    pub faults: &'a [(usize, Fault)],
    /// Now, by the world's clock.
    pub now: Timestamp,
}

/// Lets one due event happen. Afterwards it is gone or due later than now.
pub async fn happen(state: &mut DeviceState, due: Timestamp, event: Event, around: &Around<'_>) {
    let offline = state.offline_until.filter(|until| *until > around.now);
    match event {
        Event::Boot => boot(state, due),
        Event::Rejoin => {
            state.rejoin_due = None;
            let joined = state.facts.domain.as_ref().is_some_and(|domain| !domain.leaving);
            if joined && state.facts.entra.is_none() && !state.facts.staging.auto_rejoin_off {
                state.facts.entra = state.habits.hybrid.clone();
            }
        }
        Event::Join => match (offline, &mut state.join) {
            (Some(until), Some(join)) => join.due = Some(later(until, JOIN_SECS)),
            _ => join(state, around).await,
        },
        Event::Enrol => match offline {
            Some(until) => state.enrol_due = Some(later(until, ENROL_SECS)),
            None => enrol(state, around).await,
        },
        Event::Laps => match offline {
            Some(until) => state.laps_due = Some(later(until, AGAIN_SECS)),
            None => laps(state, around).await,
        },
        Event::SignIn => sign_in(state, due, offline, around).await,
    }
}

fn boot(state: &mut DeviceState, at: Timestamp) {
    state.power = Power::Up;
    state.boots += 1;
    state.session = false;
    state.sign_in_due = None;
    state.facts.pending_reboot = false;
    state.facts.bitlocker.suspended_reboots = state.facts.bitlocker.suspended_reboots.saturating_sub(1);
    for profile in &mut state.facts.profiles {
        // What loads a profile besides its user loads it again at boot (domain.md E4).
        profile.loaded = !profile.loaders.is_empty();
    }
    if state.facts.domain.as_ref().is_some_and(|domain| domain.leaving) {
        state.facts.domain = None;
        if state.facts.laps == LapsTarget::Ad {
            state.facts.laps = LapsTarget::None;
        }
    }
    if let Some(join) = &mut state.join {
        join.due = Some(later(at, JOIN_SECS));
    }
    let on_domain = state.facts.domain.is_some();
    if on_domain && state.habits.hybrid.is_some() && state.facts.entra.is_none() && !state.facts.staging.auto_rejoin_off
    {
        state.rejoin_due = Some(later(at, REJOIN_SECS));
    }
    state.plan_sign_in(at);
}

fn join_refused(state: &mut DeviceState, code: &str, message: impl Into<String>) {
    state.join = None;
    state.join_error = Some(JoinError { code: code.to_owned(), message: message.into() });
}

async fn join(state: &mut DeviceState, around: &Around<'_>) {
    let Some(pending) = state.join.clone() else { return };
    if state.facts.entra.is_some() || state.facts.domain.is_some() {
        // NERR_SetupAlreadyJoined, 2691 [K].
        join_refused(state, "0x80070a83", "the device is still joined to something else");
        return;
    }
    let token =
        state.package.as_ref().map(|bytes| super::actions::decode(&bytes.0).and_then(|b| PackageContent::parse(&b)));
    let token = match token {
        Some(Ok(token)) => token,
        Some(Err(problem)) => return join_refused(state, "0x8007000d", problem.message),
        None => return join_refused(state, "0x80070002", "the package is gone"),
    };
    if token.expires <= around.now {
        return join_refused(state, "AADSTS240001", "the package's bulk token has run out");
    }
    match fault::strike(state, around.faults, Some(Op::VerifyJoin), |kind| {
        matches!(kind, FaultKind::Fail(_) | FaultKind::Lie | FaultKind::Offline(_))
    }) {
        Some(FaultKind::Fail(code)) => return join_refused(state, &code, "the join was refused"),
        Some(FaultKind::Lie) => {
            state.join = None;
            return;
        }
        Some(FaultKind::Offline(secs)) => {
            state.offline_until = Some(later(around.now, secs));
            state.join = Some(super::state::PendingJoin { due: Some(later(around.now, secs + JOIN_SECS)), ..pending });
            return;
        }
        _ => {}
    }
    let request = JoinRequest {
        account: token.account,
        token: token.token,
        name: state.facts.identity.name.clone(),
        serial: state.facts.identity.serial.clone(),
        attempt: pending.attempt,
    };
    match around.cloud.join(&request).await {
        Ok(answer) => {
            state.join = None;
            state.join_error = None;
            state.facts.entra =
                Some(crate::model::EntraJoin { tenant: answer.tenant, device_id: answer.device_id, healthy: true });
            state.enrol_due = Some(later(around.now, ENROL_SECS));
            state.plan_sign_in(around.now);
        }
        Err(CloudError::Refused(Refusal { code, message })) => join_refused(state, &code, message),
        Err(CloudError::Unreachable(_)) => {
            // Windows tries again by itself; the same attempt, since the service may have acted.
            state.join = Some(super::state::PendingJoin { due: Some(later(around.now, AGAIN_SECS)), ..pending });
            state.join_error = Some(JoinError {
                code: "0x80072efd".to_owned(),
                message: "the registration service can't be reached".to_owned(),
            });
        }
    }
}

/// Returns how the device names itself to its tenant.
pub fn device_call(state: &DeviceState) -> Option<DeviceCall> {
    state.facts.entra.as_ref().map(|join| DeviceCall { tenant: join.tenant, device_id: join.device_id })
}

async fn enrol(state: &mut DeviceState, around: &Around<'_>) {
    state.enrol_due = None;
    let Some(device) = device_call(state) else { return };
    if state.facts.mdm.as_ref().is_some_and(|mdm| mdm.tenant == Some(device.tenant) && mdm.since >= around.now) {
        return;
    }
    if state.facts.mdm.is_some() {
        // A stale enrolment stands in the way: 0x8018000a, until it is removed.
        state.enrol_due = Some(later(around.now, AGAIN_SECS));
        return;
    }
    let hit = fault::strike(state, around.faults, Some(Op::VerifyEnrolment), |kind| {
        matches!(kind, FaultKind::Fail(_) | FaultKind::Lie)
    });
    if hit.is_some() {
        // Windows' enrolment task tries again by itself, whatever it was told.
        state.enrol_due = Some(later(around.now, AGAIN_SECS));
        return;
    }
    let request = EnrolMdmRequest {
        device,
        name: state.facts.identity.name.clone(),
        serial: state.facts.identity.serial.clone(),
    };
    match around.cloud.enrol(&request).await {
        Ok(answer) => {
            state.facts.mdm = Some(Mdm {
                provider: "MS DM Server".to_owned(),
                tenant: Some(device.tenant),
                device: Some(answer.intune_id),
                since: around.now,
            });
            // The first synchronisation belongs to the enrolment; where it fails the next one does it.
            drop(around.cloud.sync(&device).await);
            state.laps_due = Some(later(around.now, state.habits.laps_secs));
        }
        Err(_) => state.enrol_due = Some(later(around.now, AGAIN_SECS)),
    }
}

async fn laps(state: &mut DeviceState, around: &Around<'_>) {
    state.laps_due = None;
    let Some(device) = device_call(state).filter(|_| state.facts.mdm.is_some()) else { return };
    match around.cloud.laps(&device).await {
        Ok(()) => state.facts.laps = LapsTarget::Entra,
        Err(_) => state.laps_due = Some(later(around.now, AGAIN_SECS)),
    }
}

async fn sign_in(state: &mut DeviceState, due: Timestamp, offline: Option<Timestamp>, around: &Around<'_>) {
    state.sign_in_due = None;
    if state.session || state.facts.staging.banner {
        return;
    }
    if !state.is_entra_only() {
        // Domain users sign in with what is cached, also offline. In a workgroup only a local
        // administrator can, and nobody knows one: the device stands still until it is joined.
        if state.facts.domain.is_some() {
            let sid = state.habits.old_user.clone();
            let prt = state.facts.entra.as_ref().is_some_and(|join| join.healthy) && offline.is_none();
            open_session(state, &sid, prt, due);
        }
        return;
    }
    let (Some(device), Some(user)) = (device_call(state), state.habits.new_user) else { return };
    if let Some(until) = offline {
        state.sign_in_due = Some(later(until, AGAIN_SECS));
        return;
    }
    let hit = fault::strike(state, around.faults, Some(Op::AwaitSignIn), |kind| {
        matches!(kind, FaultKind::Fail(_) | FaultKind::Lie)
    });
    let answer = match hit {
        Some(_) => Err(CloudError::Unreachable("fault of the world".to_owned())),
        None => around.cloud.sign_in(&SignInRequest { device, user }).await,
    };
    match answer {
        Ok(()) => open_session(state, &Sid::of_entra_user(user), true, due),
        Err(_) => state.sign_in_due = Some(later(around.now, 5 * AGAIN_SECS)),
    }
}

/// Opens a session the way the User Profile Service does it (domain.md B3 step 10, E3).
fn open_session(state: &mut DeviceState, sid: &Sid, prt: bool, at: Timestamp) {
    let fits = fault::owns(state, sid);
    let facts = &mut state.facts;
    match facts.profiles.iter_mut().find(|profile| profile.sid == *sid) {
        Some(profile) if fits => {
            profile.loaded = true;
            profile.last_used = Some(at);
        }
        Some(profile) => {
            // The hive can't be opened: the entry becomes the `.bak` twin and a temporary one is used.
            profile.health = ProfileHealth::Corrupt;
            let temporary = new_profile(sid, "C:\\Users\\TEMP".to_owned(), ProfileHealth::Temporary, at);
            facts.profiles.insert(0, temporary);
        }
        None => {
            // The disaster that every migration has to prevent: an empty profile beside the old one.
            let path = free_path(facts.profiles.first().map_or("C:\\Users\\user", |profile| &profile.path), facts);
            let fresh = new_profile(sid, path, ProfileHealth::Healthy, at);
            facts.profiles.push(fresh);
        }
    }
    if !facts.cached_identities.contains(sid) {
        facts.cached_identities.push(sid.clone());
        facts.cached_identities.sort();
    }
    facts.sign_in = Some(SignIn { sid: sid.clone(), prt, at });
    state.session = true;
}

fn new_profile(sid: &Sid, path: String, health: ProfileHealth, at: Timestamp) -> Profile {
    Profile {
        sid: sid.clone(),
        path,
        health,
        loaded: true,
        acl_owner: sid.clone(),
        size_mib: 40,
        loaders: Vec::new(),
        last_used: Some(at),
    }
}

/// Returns a path that no profile has, as Windows forms it: `.000`, `.001`, …
fn free_path(wanted: &str, facts: &crate::model::DeviceFacts) -> String {
    let taken = |path: &str| facts.profiles.iter().any(|profile| profile.path.eq_ignore_ascii_case(path));
    (0..=facts.profiles.len())
        .map(|n| format!("{wanted}.{n:03}"))
        .find(|path| !taken(path))
        .unwrap_or_else(|| wanted.to_owned())
}
