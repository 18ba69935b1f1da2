//! What a run works with on its way out: ports, the operators' API, the agents of a lab's devices.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret as _;

use super::agents::{EmbeddedAgents, EnrolmentFile};
use super::args::{Agents, ApplyArgs};
use super::failure::Failure;
use super::operator_file::{Kept, OperatorFile};
use super::session::{Session, actor, read_plan};
use super::settings::Settings;
use crate::controller::api::{Api, ApiConfig, ApiLimits, Oidc, OidcConfig, OneTimeToken};
use crate::controller::{self, Handle, Ports};
use crate::model::{DeviceName, Known, Problem, Side};
use crate::net::ClientSettings;
use crate::port::{SystemClock, SystemEntropy};
use crate::render::words::count;
use crate::store;

/// What agents are told of the way to the controller.
pub struct Way {
    /// Base URL that agents call.
    pub url: String,
    /// Whoever stands between reads nothing.
    pub secured: bool,
    /// How it is called.
    pub connection: ClientSettings,
}

/// Makes the operators' API of a run, and the file with which other commands of the same person find it.
///
/// # Errors
/// `api.oidc` where the identity provider's address can't be used, `cli.write`.
pub fn operators_api(
    args: &ApplyArgs,
    session: &Session,
    handle: &Handle,
    way: &Way,
    listening: SocketAddr,
) -> Result<(Api, Kept), Problem> {
    let oidc = match (&args.oidc_issuer, &args.oidc_audience) {
        (Some(issuer), Some(audience)) => {
            Some(Oidc::new(OidcConfig { issuer: issuer.clone(), audience: audience.clone() })?)
        }
        _ => None,
    };
    let (local, token) = OneTimeToken::new(&actor())?;
    // Where nothing is encrypted, a password that came from elsewhere could be read on the way.
    let this_machine_only = !way.secured;
    let config = ApiConfig { limits: ApiLimits::default(), local: Some(local), oidc, this_machine_only };
    let store = session.store.clone();
    let api = Api::new(handle.operations(), store, Arc::new(SystemClock), session.clock.clone(), config);
    let kept = OperatorFile::of(&way.url, way.secured, listening, &way.connection, &token, handle.run())
        .keep(&session.state)?;
    Ok((api, kept))
}

/// Returns what the controller works with.
///
/// # Errors
/// `cli.no-tenant`, `key.*`, `vault.key`.
pub fn ports(session: &Session) -> Result<Ports, Problem> {
    let mut tenants = BTreeMap::new();
    for side in [Side::Origin, Side::Destination] {
        let spec = session.plan.tenant(side).ok_or_else(|| Problem::new("cli.no-tenant", "the plan lacks a tenant"))?;
        if let Some(tenant) = session.tenants.get(&spec.name) {
            tenants.insert(side, tenant.clone());
        }
    }
    let directory = match &session.directory {
        Known::Known(directory) => Some(directory.clone()),
        Known::Absent | Known::Unknown(_) => None,
    };
    Ok(Ports {
        tenants,
        directory,
        store: session.store.clone(),
        packages: session.packages.clone(),
        clock: session.clock.clone(),
        key: Arc::new(store::controller_key(&session.state)?),
        vault: Arc::new(store::FileVault::own(&session.state)?),
        entropy: Arc::new(SystemEntropy),
        actor: actor(),
    })
}

/// Starts the agents of a lab's devices, or writes what they need to know; real devices have their own.
///
/// # Errors
/// `cli.enrolment`, `cli.write`, `lab.*`, `agent.*`, `store.*`.
pub fn start_agents(
    settings: &Settings,
    args: &ApplyArgs,
    session: &Session,
    handle: &Handle,
    devices: &[DeviceName],
    way: &Way,
) -> Result<Option<EmbeddedAgents>, Failure> {
    let Some(lab) = &session.lab else {
        settings.ui.note(&format!("Waiting for the agents of {} at {}.", count(devices.len(), "device"), way.url));
        return Ok(None);
    };
    let tokens = handle.enrolment_tokens(devices, controller::ENROLMENT)?;
    if args.agents == Agents::Embedded {
        return Ok(Some(EmbeddedAgents::start(lab, &way.url, &way.connection, tokens)?));
    }
    let Some(path) = &args.enrolment else {
        return Err(Problem::new("cli.enrolment", "external agents need their enrolment settings")
            .next("name a file for them with `--enrolment FILE`")
            .into());
    };
    let absolute = |path: &Path| std::path::absolute(path);
    let world = read_plan(settings)?.world()?.unwrap_or_default();
    let file = EnrolmentFile {
        format: EnrolmentFile::FORMAT,
        controller: way.url.clone(),
        connection: way.connection.clone(),
        lab: lab.url().to_owned(),
        lab_folder: absolute(&super::lab_session::folder(&session.state))?,
        world: absolute(&world)?,
        tokens: tokens.into_iter().map(|(device, token)| (device, token.expose_secret().to_owned())).collect(),
    };
    file.write(path)?;
    settings.ui.note(&format!(
        "Start the agents with `opsole agent run --enrolment {} --device NAME`, one for each of {}.",
        path.display(),
        count(devices.len(), "device")
    ));
    Ok(None)
}
