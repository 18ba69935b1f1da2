//! `opsole devices`: enrolment tokens, keys, revocation.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use zeroize::Zeroizing;

use super::plan as plan_command;
use crate::cli::args::{IssueArgs, RevokeArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::observe;
use crate::cli::session::{Session, actor, moment_or_now};
use crate::cli::settings::Settings;
use crate::controller::{Credentials, Invited, KnownAgent};
use crate::model::{DeviceName, Problem, PublicKey, RunId, WaveName};
use crate::port::SystemEntropy;
use crate::render::words::count;
use crate::run::RunPlan;
use crate::store::{self, SqliteStore, TlsFolder};
use crate::windows::install::AgentSettings;

/// One device, as `opsole.devices/1`.
#[derive(Debug, Serialize)]
struct Line {
    device: DeviceName,
    enrolled: Option<Timestamp>,
    key: Option<PublicKey>,
    agent: Option<String>,
    token: Option<Token>,
}

/// A token that is open.
#[derive(Debug, Serialize)]
struct Token {
    wave: WaveName,
    expires: Timestamp,
    expired: bool,
    serial: Option<String>,
    used: bool,
}

impl Line {
    fn new(device: DeviceName, known: KnownAgent, now: Timestamp) -> Self {
        let token = known.enrolment.map(|open| Token {
            wave: open.wave,
            expires: open.expires,
            expired: now > open.expires,
            serial: open.serial,
            used: open.used_by.is_some(),
        });
        let enrolled = known.enrolled;
        Self {
            device,
            enrolled: enrolled.as_ref().map(|enrolled| enrolled.since),
            key: enrolled.as_ref().map(|enrolled| enrolled.key),
            agent: enrolled.map(|enrolled| enrolled.agent),
            token,
        }
    }

    fn text(&self) -> String {
        let enrolled = match (&self.enrolled, &self.key) {
            (Some(since), Some(key)) => format!("since {since} with key {}", key.short()),
            _ => "not enrolled".to_owned(),
        };
        let token = match &self.token {
            None => String::new(),
            Some(token) if token.expired => format!("; its token for {} ran out at {}", token.wave, token.expires),
            Some(token) if token.used => format!("; its token for {} is being used", token.wave),
            Some(token) => format!("; has a token for {} until {}", token.wave, token.expires),
        };
        format!("  {:<20} {enrolled}{token}", self.device.as_str())
    }
}

/// Shows what the controller knows of devices.
///
/// # Errors
/// `store.*`.
pub fn list(settings: &Settings) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let credentials = credentials(&settings.state()?)?;
    let now = moment_or_now(settings);
    let lines: Vec<Line> =
        credentials.all()?.into_iter().map(|(device, known)| Line::new(device, known, now)).collect();
    if ui.json() {
        ui.answer_json(&serde_json::json!({"format": "opsole.devices/1", "devices": lines}))?;
        return Ok(Exit::OK);
    }
    if lines.is_empty() {
        ui.answer("No device is enrolled or has a token.")?;
        return Ok(Exit::OK);
    }
    let enrolled = lines.iter().filter(|line| line.enrolled.is_some()).count();
    let text: Vec<String> = lines.iter().map(Line::text).collect();
    ui.answer(&format!("{} enrolled:\n{}", count(enrolled, "device"), text.join("\n")))?;
    Ok(Exit::OK)
}

fn credentials(state: &Path) -> Result<Credentials, Problem> {
    Ok(Credentials::new(Arc::new(SqliteStore::open(state)?), Arc::new(SystemEntropy)))
}

/// Tokens in a file. Secrets: whoever has one can enrol as its device until it is used.
#[derive(Serialize)]
struct TokenFile<'a> {
    format: &'static str,
    wave: &'a WaveName,
    expires: Timestamp,
    controller: PublicKey,
    tokens: BTreeMap<&'a DeviceName, &'a str>,
}

/// Issues tokens for the devices of a wave.
///
/// # Errors
/// As a plan; `enrolment.none`, `cli.write`, `store.*`.
pub async fn issue(settings: &Settings, args: &IssueArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let session = Session::open(settings).await?;
    ui.warnings(&session.warnings);
    let snapshot = observe::observe(&session).await?;
    let wave = WaveName::from(args.wave.as_str());
    let changes = plan_command::decide(&session.plan, &snapshot, Some(&args.wave))?;
    let now = session.clock.now();
    let run = RunPlan::from_changes(&changes, &session.plan, &wave, RunId(uuid::Uuid::nil()), now)?;
    let wanted: Vec<DeviceName> = args.device.iter().map(|name| DeviceName::new(name)).collect();
    let invited: Vec<Invited> = run
        .devices
        .iter()
        .map(|device| &device.task)
        .filter(|task| wanted.is_empty() || wanted.contains(&task.device))
        .map(|task| Invited { device: task.device.clone(), serial: task.serial.clone(), registration: task.old_device })
        .collect();
    if let Some(missing) = wanted.iter().find(|name| !invited.iter().any(|invited| invited.device == **name)) {
        let problem = Problem::new("enrolment.none", format!("{missing} doesn't run in wave {wave} as things stand"));
        return Err(problem.next(format!("look at `opsole plan --device {missing}`: it says why")).into());
    }
    if invited.is_empty() {
        let problem = Problem::new("enrolment.none", format!("no device of wave {wave} would run as things stand"));
        return Err(problem.next(format!("look at `opsole plan --wave {wave}`: it says what holds them back")).into());
    }
    let credentials = Credentials::new(session.store.clone(), Arc::new(SystemEntropy));
    let mut enrolled = Vec::new();
    for one in &invited {
        if credentials.known(&one.device)?.enrolled.is_some() {
            enrolled.push(&one.device);
        }
    }
    let key = store::controller_key(&session.state)?.public();
    let valid = SignedDuration::try_from(args.valid).unwrap_or(SignedDuration::MAX);
    let expires = now.saturating_add(valid).unwrap_or(Timestamp::MAX);
    // The file is made before tokens are void that somebody may be using.
    let mut file = new_private_file(&args.out)?;
    let tokens = credentials.issue(&wave, &invited, key, (now, expires), &actor())?;
    write(&mut file, &args.out, &wave, expires, key, &tokens)?;
    let written = write_settings(&session.state, args, &tokens)?;
    if ui.json() {
        let devices: Vec<&DeviceName> = tokens.iter().map(|(device, _)| device).collect();
        let answer = serde_json::json!({
            "format": "opsole.devices-issue/1", "wave": wave, "expires": expires, "file": args.out, "devices": devices,
            "enrolled_already": enrolled, "settings": written,
        });
        ui.answer_json(&answer)?;
    } else {
        let out = args.out.display();
        ui.answer(&format!("Wrote tokens for {} to {out}, good until {expires}.", count(tokens.len(), "device")))?;
        if !written.is_empty() {
            ui.note("Each file of settings is for `opsole agent install --settings` on its device alone.");
        }
        ui.note("Give each device its own token alone, and remove the file once they are enrolled.");
        if !enrolled.is_empty() {
            let names: Vec<&str> = enrolled.iter().take(10).map(|name| name.as_str()).collect();
            ui.note(&format!(
                "{} enrolled already ({}{}): a token lets no other keys in before `opsole devices revoke`.",
                count(enrolled.len(), "device"),
                names.join(", "),
                if enrolled.len() > names.len() { ", …" } else { "" }
            ));
        }
    }
    session.close().await?;
    Ok(Exit::OK)
}

fn unwritten(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::new("cli.write", format!("can't write {}", path.display()))
        .detail(error.to_string())
        .next("name another file, in a folder that you may write to; one that is there isn't overwritten")
}

fn new_private_file(path: &Path) -> Result<std::fs::File, Problem> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(|e| unwritten(path, &e))
}

fn write(
    file: &mut std::fs::File,
    path: &Path,
    wave: &WaveName,
    expires: Timestamp,
    controller: PublicKey,
    tokens: &[(DeviceName, SecretString)],
) -> Result<(), Problem> {
    let tokens = tokens.iter().map(|(device, token)| (device, token.expose_secret())).collect();
    let content = TokenFile { format: "opsole.enrolment-tokens/1", wave, expires, controller, tokens };
    let body = Zeroizing::new(serde_json::to_vec_pretty(&content).map_err(|e| unwritten(path, &e))?);
    file.write_all(&body).and_then(|()| file.sync_all()).map_err(|e| unwritten(path, &e))
}

/// Writes one file of settings a device, with our own authority where there is one. What lies there is replaced: its
/// token is void.
fn write_settings(
    state: &Path,
    args: &IssueArgs,
    tokens: &[(DeviceName, SecretString)],
) -> Result<Vec<PathBuf>, Problem> {
    let (Some(folder), Some(url)) = (&args.settings, &args.url) else { return Ok(Vec::new()) };
    let tls = TlsFolder::of(state);
    let authorities = if tls.server().exists() { Some(tls.authority_pem()?) } else { None };
    std::fs::create_dir_all(folder).map_err(|e| unwritten(folder, &e))?;
    let mut written = Vec::new();
    for (device, token) in tokens {
        let path = folder.join(format!("{device}.json"));
        let settings = AgentSettings {
            authorities: authorities.clone(),
            pins: args.pin.clone(),
            proxy: args.agent_proxy.clone(),
            device: Some(device.clone()),
            token: Some(Zeroizing::new(token.expose_secret().to_owned())),
            ..AgentSettings::new(url.as_str().trim_end_matches('/'))
        };
        settings.check(device)?;
        let body = Zeroizing::new(serde_json::to_vec_pretty(&settings).map_err(|e| unwritten(&path, &e))?);
        let draft = folder.join(format!(".{device}.part"));
        // One that an earlier try left behind.
        drop(std::fs::remove_file(&draft));
        let mut file = new_private_file(&draft)?;
        file.write_all(&body).and_then(|()| file.sync_all()).map_err(|e| unwritten(&path, &e))?;
        std::fs::rename(&draft, &path).map_err(|e| unwritten(&path, &e))?;
        written.push(path);
    }
    Ok(written)
}

/// Takes back what devices prove themselves with.
///
/// # Errors
/// `enrolment.unknown`, `cli.not-confirmed`, `store.*`.
pub fn revoke(settings: &Settings, args: &RevokeArgs) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let credentials = credentials(&settings.state()?)?;
    let names: Vec<DeviceName> = args.devices.iter().map(|name| DeviceName::new(name)).collect();
    for name in &names {
        if credentials.known(name)? == KnownAgent::default() {
            let problem = Problem::new("enrolment.unknown", format!("{name} isn't enrolled and has no token"));
            return Err(problem.next("look at `opsole devices list`").into());
        }
    }
    if !args.yes {
        if !ui.interactive {
            let problem = Problem::new("cli.not-confirmed", "nobody is there to confirm this")
                .next("look at `opsole devices list`, then add `--yes`");
            return Err(Failure::Exit(Box::new(problem), Exit::DECLINED));
        }
        let question = format!(
            "Revoke {}? Until they enrol anew nothing reaches them. Only `yes` does it:",
            count(names.len(), "device")
        );
        if !ui.confirm(&question)? {
            ui.note("Nothing was done.");
            return Ok(Exit::DECLINED);
        }
    }
    let at = moment_or_now(settings);
    for name in &names {
        credentials.revoke(name, &args.reason, at, &actor())?;
    }
    if ui.json() {
        ui.answer_json(&serde_json::json!({"format": "opsole.devices-revoke/1", "revoked": names}))?;
    } else {
        ui.answer(&format!("Revoked {}. A new token lets a device enrol again.", count(names.len(), "device")))?;
    }
    Ok(Exit::OK)
}
