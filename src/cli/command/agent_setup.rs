//! `opsole agent install|uninstall`: the agent comes onto this Windows device and goes.

use std::io::Read as _;
use std::path::Path;

use serde_json::json;
use zeroize::Zeroizing;

use crate::agent::Journal;
use crate::cli::args::{InstallArgs, UninstallArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::real;
use crate::cli::ui::Ui;
use crate::model::{DeviceName, Problem};
use crate::windows::install::{self, AgentSettings, Installed, Places, Request};

/// Longest token file that is read, in bytes.
const TOKEN_BYTES: u64 = 4096;

/// Installs the agent, or shows what that would do.
///
/// # Errors
/// `agent.no-windows`, `agent.settings*`, `agent.no-token`, `cli.read-settings`, `windows.*`.
pub fn install(ui: &Ui, args: &InstallArgs) -> Result<Exit, Failure> {
    let real::This { machine, .. } = real::this()?;
    let device = DeviceName::new(&machine.computer_name().map_err(Problem::from)?);
    let enrolled = Path::new(&Places::of(&*machine)?.state).join("identity.json").exists();
    let request = Request { program: program()?, settings: settings(args, &device)?, enrolled };
    let installed =
        if args.dry_run { install::look(&*machine, &request)? } else { install::install(&*machine, &request)? };
    if ui.json() {
        let (parts, places) = (&installed.parts, &installed.places);
        ui.answer_json(&json!({
            "format": "opsole.agent-install/1", "device": device, "dry_run": args.dry_run, "parts": parts,
            "places": places, "version": env!("CARGO_PKG_VERSION"),
        }))?;
    } else {
        ui.answer(&text(&installed, args.dry_run))?;
    }
    Ok(Exit::OK)
}

fn text(installed: &Installed, dry_run: bool) -> String {
    let mut lines: Vec<String> =
        installed.parts.iter().map(|part| format!("  {:<9} {:<50} {}", part.part, part.object, part.change)).collect();
    lines.push(if dry_run { "Nothing was done." } else { "The agent is installed and runs." }.to_owned());
    lines.join("\n")
}

fn program() -> Result<String, Problem> {
    let own = std::env::current_exe()
        .map_err(|e| Problem::new("agent.program", "the path of this program can't be found").detail(e.to_string()))?;
    Ok(own.to_string_lossy().into_owned())
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> Problem {
    Problem::new("cli.read-settings", format!("can't read {}", path.display()))
        .detail(error.to_string())
        .next("check the path, and that the account SYSTEM may read it: on a share that is the computer's account")
}

/// Puts the settings together: the file or the arguments, and the token where it comes by itself.
fn settings(args: &InstallArgs, device: &DeviceName) -> Result<Option<AgentSettings>, Problem> {
    let mut settings = match (&args.settings, &args.controller) {
        (Some(path), _) => {
            let file = if path.is_dir() { path.join(format!("{device}.json")) } else { path.clone() };
            let bytes = Zeroizing::new(std::fs::read(&file).map_err(|e| unreadable(&file, &e))?);
            Some(AgentSettings::parse(&bytes)?)
        }
        (None, Some(url)) => {
            let mut settings = AgentSettings::new(url.as_str().trim_end_matches('/'));
            settings.pins.clone_from(&args.pin);
            if let Some(proxy) = &args.proxy {
                settings.proxy = proxy.clone();
            }
            if let Some(path) = &args.authorities {
                settings.authorities = Some(std::fs::read_to_string(path).map_err(|e| unreadable(path, &e))?);
            }
            Some(settings)
        }
        (None, None) => None,
    };
    let read = |reader: &mut dyn std::io::Read| -> std::io::Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::new());
        reader.take(TOKEN_BYTES).read_to_string(&mut text)?;
        Ok(Zeroizing::new(text.trim().trim_start_matches('\u{feff}').to_owned()))
    };
    let token = match &args.token_file {
        Some(path) => {
            Some(std::fs::File::open(path).and_then(|mut file| read(&mut file)).map_err(|e| unreadable(path, &e))?)
        }
        None if args.token_stdin => {
            let token = read(&mut std::io::stdin().lock());
            Some(token.map_err(|e| unreadable(Path::new("standard input"), &e))?)
        }
        None => None,
    };
    match (&mut settings, token) {
        (Some(settings), Some(token)) => settings.token = Some(token),
        (None, Some(_)) => {
            return Err(Problem::new("agent.settings", "a token came, and no settings")
                .next("give `--settings FILE` or `--controller URL` with it"));
        }
        (_, None) => {}
    }
    Ok(settings)
}

/// Takes the agent away.
///
/// # Errors
/// `agent.no-windows`, `agent.under-way` where a migration is, `windows.*`.
pub async fn uninstall(ui: &Ui, args: &UninstallArgs) -> Result<Exit, Failure> {
    let this = real::this()?;
    let machine = &this.machine;
    let program = program()?;
    // Looking at a device makes a folder for what its tasks answer: not where there is no agent.
    let there = install::uninstall(&**machine, &program, true)?;
    let installed = !there.removed.is_empty() || !there.left.is_empty();
    if installed && !args.force {
        not_under_way(&this).await?;
    }
    if let Some(reason) = &args.reason {
        tracing::warn!(reason, "the agent is removed while a migration may be under way");
    }
    let done = install::uninstall(&**machine, &program, args.dry_run)?;
    if ui.json() {
        ui.answer_json(&json!({
            "format": "opsole.agent-uninstall/1", "dry_run": args.dry_run, "removed": done.removed, "left": done.left,
        }))?;
        return Ok(Exit::OK);
    }
    let word = if args.dry_run { "Would remove" } else { "Removed" };
    let mut lines: Vec<String> = done.removed.iter().map(|what| format!("{word} {what}.")).collect();
    lines.extend(done.left.iter().map(|what| format!("Left {what}: a program can't remove itself while it runs.")));
    if lines.is_empty() {
        lines.push("The agent isn't installed.".to_owned());
    }
    ui.answer(&lines.join("\n"))?;
    Ok(Exit::OK)
}

/// Refuses where the journal or the device itself tells of a migration: unknown isn't none.
async fn not_under_way(this: &real::This) -> Result<(), Failure> {
    let refuse = |why: String| {
        Problem::new("agent.under-way", format!("the agent is needed: {why}"))
            .next("let the migration end, or `opsole agent recover`; else add `--force --reason TEXT`")
    };
    let ledger = Journal::look(Path::new(&Places::of(&*this.machine)?.state));
    let ledger = ledger.map_err(|problem| refuse(format!("its journal can't be read ({problem})")))?;
    if let Some(ledger) = ledger.filter(crate::agent::Ledger::is_under_way) {
        let step = ledger.current().map_or_else(|| "its end".to_owned(), |step| step.op.to_string());
        return Err(refuse(format!("a migration is under way, at {step}")).into());
    }
    let facts = this.os.inspect().await;
    let facts = facts.map_err(|problem| refuse(format!("the device can't be looked at ({problem})")))?;
    if facts.staging.recorded.is_some() || facts.staging.banner || facts.staging.boot_start {
        return Err(refuse("something of a migration is on the device".to_owned()).into());
    }
    Ok(())
}
