//! `opsole lab …`: the emulated world by itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::lab_session::{self, LabSession};
use crate::cli::session;
use crate::cli::settings::Settings;
use crate::cli::signals::Interrupts;
use crate::cli::ui::Ui;
use crate::lab::{Lab, generate as generator};
use crate::model::{DeviceName, Problem, Scenario};
use crate::store::{ApplyLock, Holder};

fn world_of_plan(settings: &Settings) -> Result<PathBuf, Failure> {
    session::read_plan(settings)?.world()?.ok_or_else(|| {
        Problem::new("lab.no-world", "the plan's tenants aren't in a lab")
            .next("name a world with `--world FILE`, or give a tenant `cloud: {lab: world.yaml}`")
            .into()
    })
}

/// Serves the tenants until it is interrupted.
///
/// # Errors
/// `lab.*`.
pub async fn serve(
    settings: &Settings,
    world: Option<&Path>,
    listen: SocketAddr,
    speed: Option<f64>,
) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let (world, state) = match world {
        Some(world) => {
            let state = settings.state().unwrap_or_else(|_| crate::cli::settings::beside(world).join(".opsole"));
            (world.to_owned(), state)
        }
        None => (world_of_plan(settings)?, settings.state()?),
    };
    let mut interrupts = Interrupts::listen()?;
    let mut lab = LabSession::serve(&world, &state, listen).await?;
    lab.start_clock(speed);
    let tenants: Vec<_> = lab
        .lab()
        .world()
        .tenants
        .iter()
        .map(|(name, tenant)| {
            let clients: Vec<&str> = tenant.apps.iter().map(|app| app.client_id.as_str()).collect();
            serde_json::json!({
                "name": name,
                "id": tenant.id,
                "token_endpoint": format!("{}/{}/oauth2/v2.0/token", lab.url(), tenant.id),
                "client_ids": clients,
            })
        })
        .collect();
    if ui.json() {
        ui.answer_json(&serde_json::json!({"format": "opsole.lab/1", "graph": lab.url(), "tenants": tenants}))?;
    } else {
        let mut text = format!("Serving Graph at {}/v1.0 and {}/beta; Ctrl-C stops.", lab.url(), lab.url());
        for tenant in &tenants {
            text.push_str(&format!(
                "\n{}: tokens at {} for {}",
                tenant["name"].as_str().unwrap_or_default(),
                tenant["token_endpoint"].as_str().unwrap_or_default(),
                tenant["client_ids"]
            ));
        }
        ui.answer(&text)?;
    }
    interrupts.next().await;
    lab.close().await?;
    Ok(Exit::OK)
}

/// Puts the world back to its first moment, and forgets runs and records of devices.
///
/// # Errors
/// `lab.locked` where a run is under way.
pub fn reset(settings: &Settings, yes: bool) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    world_of_plan(settings)?;
    let state = settings.state()?;
    if !state.exists() {
        return was_reset(ui);
    }
    if !yes {
        let question =
            format!("Forget the lab's world, its runs and its records in {}? Only `yes` does it:", state.display());
        if !ui.interactive {
            let problem = Problem::new(
                "cli.not-confirmed",
                "resetting the lab forgets runs and records, and nobody is there to ask",
            )
            .next("add `--yes`");
            return Err(Failure::Exit(Box::new(problem), Exit::DECLINED));
        }
        if !ui.confirm(&question)? {
            ui.note("Nothing was reset.");
            return Ok(Exit::DECLINED);
        }
    }
    let _lock = ApplyLock::take(&state, &Holder::this_process(None, session::now()))?;
    let folder = lab_session::folder(&state);
    Lab::reset(&folder)?;
    let agents = folder.join("agents");
    if agents.exists() {
        std::fs::remove_dir_all(&agents).map_err(|e| {
            Problem::new("lab.store", format!("can't remove {}", agents.display())).detail(e.to_string())
        })?;
    }
    // Runs and records speak of a world that is no more.
    for name in ["state.db", "state.db-wal", "state.db-shm", "audit.head", "reviewed.json"] {
        match std::fs::remove_file(state.join(name)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                let message = format!("can't remove {}", state.join(name).display());
                return Err(Problem::new("store.folder", message).detail(e.to_string()).into());
            }
            _ => {}
        }
    }
    was_reset(ui)
}

fn was_reset(ui: &Ui) -> Result<Exit, Failure> {
    if ui.json() {
        ui.answer_json(&serde_json::json!({"format": "opsole.lab-reset/1", "reset": true}))?;
    } else {
        ui.note("The world is at its first moment.");
    }
    Ok(Exit::OK)
}

/// Writes a world of any size, its inventory and a plan for it.
///
/// # Errors
/// `cli.exists` and `cli.write`.
pub fn generate(ui: &Ui, devices: u32, seed: u64, scenario: Scenario, folder: &Path) -> Result<Exit, Failure> {
    let made = generator::generate(devices, seed, scenario);
    let mut files = vec![("world.yaml", made.world.to_yaml()), ("plan.yaml", made.plan), ("devices.csv", made.devices)];
    files.extend(made.users.map(|users| ("users.csv", users)));
    if let Some((name, _)) = files.iter().find(|(name, _)| folder.join(name).exists()) {
        return Err(Problem::new("cli.exists", format!("{} is there already", folder.join(name).display()))
            .next("name another folder: nothing was written")
            .into());
    }
    let failed = |path: &Path, e: std::io::Error| {
        Problem::new("cli.write", format!("can't write {}", path.display())).detail(e.to_string())
    };
    std::fs::create_dir_all(folder).map_err(|e| failed(folder, e))?;
    let mut written = Vec::new();
    for (name, text) in &files {
        let path = folder.join(name);
        std::fs::write(&path, text).map_err(|e| failed(&path, e))?;
        written.push(path);
    }
    ui.wrote(&written)?;
    Ok(Exit::OK)
}

/// Lets time pass in the world. What its services had put off happens when they are next asked; devices whose agents
/// don't run do nothing meanwhile.
///
/// # Errors
/// `lab.*`; `lab.locked` where a run or a server has the world.
pub async fn wait(settings: &Settings, time: std::time::Duration) -> Result<Exit, Failure> {
    let ui = &settings.ui;
    let world = world_of_plan(settings)?;
    let mut lab = LabSession::open(&world, &settings.state()?).await?;
    let now = lab.skip(time)?;
    lab.close().await?;
    if ui.json() {
        ui.answer_json(&serde_json::json!({"format": "opsole.lab-wait/1", "now": now}))?;
    } else {
        ui.note(&format!("It is {now} in the world."));
    }
    Ok(Exit::OK)
}

/// Shows the world as it is now, without serving anything.
///
/// # Errors
/// `lab.*`.
pub fn show(settings: &Settings, device: Option<&str>) -> Result<Exit, Failure> {
    let world = lab_session::read_world(&world_of_plan(settings)?)?;
    let lab = Lab::open(&lab_session::folder(&settings.state()?), &world)?;
    let mut document = lab.export()?;
    if let Some(device) = device {
        let name = DeviceName::new(device);
        let found =
            document.pointer_mut("/devices").and_then(|all| all.get_mut(name.as_str())).map(serde_json::Value::take);
        let names: Vec<&str> = world.devices.iter().map(|device| device.name.as_str()).collect();
        document = found.ok_or_else(|| {
            let near = super::plan::did_you_mean(name.as_str(), &names);
            Problem::new("lab.no-device", format!("the lab's world has no device {name}"))
                .next(format!("{near}`opsole lab show` lists them all"))
        })?;
    }
    settings.ui.answer_json(&document)?;
    Ok(Exit::OK)
}
