//! Puts the agent onto a device and takes it away. Again is an upgrade: what is so already is set again, which changes
//! nothing.

use serde::Serialize;

use super::settings::{self, AgentSettings};
use super::{RESTART_SECS, SERVICE, SERVICE_DESCRIPTION, SERVICE_DISPLAY, STOP_SECS};
use crate::model::{DeviceName, Problem};
use crate::port::Result;
use crate::windows::machine::{Files, Key, Machine, ServiceSpec, StartKind};

/// Where everything lies. Folders of Windows are asked for, not assumed: they may be on another drive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Places {
    /// Folder of the program.
    pub folder: String,
    /// The program.
    pub program: String,
    /// Folder of all that the agent keeps.
    pub data: String,
    /// Identity, journal, package.
    pub state: String,
    /// Logs.
    pub logs: String,
    /// The token, while it wasn't used.
    pub token: String,
    /// Authorities of the controller.
    pub authorities: String,
}

impl Places {
    /// Finds the places of this device.
    ///
    /// # Errors
    /// `windows.*` where Windows doesn't tell its folders.
    pub fn of(machine: &dyn Machine) -> Result<Self> {
        // The variable of a process that was started by a 32 bit one names the other folder; this value doesn't.
        let version = Key::machine(r"SOFTWARE\Microsoft\Windows\CurrentVersion");
        let programs = match machine.value(&version, "ProgramFilesDir")?.and_then(|v| v.text().map(str::to_owned)) {
            Some(folder) => folder,
            None => format!(r"{}\Program Files", machine.folder("SystemDrive")?),
        };
        let folder = format!(r"{}\Opsole", programs.trim_end_matches('\\'));
        let data = format!(r"{}\Opsole", machine.folder("ProgramData")?.trim_end_matches('\\'));
        Ok(Self {
            program: format!(r"{folder}\opsole.exe"),
            state: format!(r"{data}\agent"),
            logs: format!(r"{data}\logs"),
            token: format!(r"{data}\agent\token.bin"),
            authorities: format!(r"{data}\agent\authorities.pem"),
            folder,
            data,
        })
    }
}

/// What is to be installed.
#[derive(Debug)]
pub struct Request {
    /// The program that runs now.
    pub program: String,
    /// New settings; those that the device has stay where there are none.
    pub settings: Option<AgentSettings>,
    /// The device enrolled before, so it needs no token.
    pub enrolled: bool,
}

/// One thing that an installation sees to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What it is: `folder`, `program`, `settings`, `token`, `service`, `start`.
    pub part: &'static str,
    /// Which one.
    pub object: String,
    /// What is done, part of a sentence; `nothing` where it is so already.
    pub change: &'static str,
}

/// What an installation did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// Where everything lies.
    pub places: Places,
    /// Each part in the order in which it is done.
    pub parts: Vec<Part>,
}

const NOTHING: &str = "nothing";

fn same_path(a: &str, b: &str) -> bool {
    a.trim_start_matches(r"\\?\").eq_ignore_ascii_case(b.trim_start_matches(r"\\?\"))
}

/// Returns the command line of the service. Quoted: an unquoted path with a blank lets another program in its place.
#[must_use]
pub fn command(places: &Places) -> String {
    format!("\"{}\" agent run --service", places.program)
}

fn spec(places: &Places) -> ServiceSpec {
    ServiceSpec {
        name: SERVICE.to_owned(),
        display: SERVICE_DISPLAY.to_owned(),
        description: SERVICE_DESCRIPTION.to_owned(),
        command: command(places),
        start: StartKind::Auto,
        restart_secs: RESTART_SECS,
    }
}

/// Says what an installation would do, and changes nothing.
///
/// # Errors
/// `agent.settings` where there are none and no new ones, or they can't be used here; `agent.no-token` where the device
/// isn't enrolled and no token is at hand; `windows.*` where something can't be read.
pub fn look(machine: &dyn Machine, request: &Request) -> Result<Installed> {
    let places = Places::of(machine)?;
    let device = DeviceName::new(&machine.computer_name()?);
    // Settings that are damaged are replaced by new ones; without new ones they are the problem.
    let kept = match settings::read(machine, &places) {
        Err(_) if request.settings.is_some() => None,
        kept => kept?,
    };
    let mut parts = Vec::new();
    let mut part = |part, object: &str, change| parts.push(Part { part, object: object.to_owned(), change });
    for folder in [&places.folder, &places.state, &places.logs] {
        part("folder", folder, if machine.exists(folder)? { NOTHING } else { "is made" });
    }
    let change = match (same_path(&request.program, &places.program), machine.exists(&places.program)?) {
        (true, _) => NOTHING,
        (false, true) => "is replaced",
        (false, false) => "is copied",
    };
    part("program", &places.program, change);
    let token_kept = kept.as_ref().is_some_and(|kept| kept.token.is_some());
    let token_given = match &request.settings {
        Some(settings) => {
            settings.check(&device)?;
            part("settings", r"HKLM\SOFTWARE\Opsole", if kept.is_some() { "are replaced" } else { "are written" });
            settings.token.is_some()
        }
        None if kept.is_some() => {
            part("settings", r"HKLM\SOFTWARE\Opsole", NOTHING);
            false
        }
        None => {
            return Err(Problem::new("agent.settings", format!("{device} wasn't told its controller"))
                .next("give `--settings FILE`, or `--controller URL` with a token"));
        }
    };
    match (token_given, token_kept || request.enrolled) {
        (true, _) => part("token", &places.token, "is kept, encrypted, until it is used"),
        (false, true) => part("token", &places.token, NOTHING),
        (false, false) => {
            return Err(Problem::new(
                "agent.no-token",
                format!("{device} isn't enrolled, and no enrolment token came"),
            )
            .next("issue one with `opsole devices issue`, and give it with the settings or `--token-file`"));
        }
    }
    let wanted = spec(&places);
    let service = machine.service(SERVICE)?;
    let change = match &service {
        None => "is made",
        Some(found) if found.command == wanted.command && found.start == wanted.start => NOTHING,
        Some(_) => "is changed",
    };
    part("service", SERVICE, change);
    let runs = service.is_some_and(|service| service.running);
    part("start", SERVICE, if runs { "is started again" } else { "is started" });
    Ok(Installed { places, parts })
}

/// Installs the agent, or brings it up to date.
///
/// # Errors
/// As [`look`]; `agent.not-system` where this process may not, `windows.*` where Windows refuses something: what was
/// done stays, and the same command goes on.
pub fn install(machine: &dyn Machine, request: &Request) -> Result<Installed> {
    let installed = look(machine, request)?;
    let places = &installed.places;
    // Windows doesn't let a program be replaced while it runs.
    machine.stop_service(SERVICE, STOP_SECS)?;
    Files::create_private(machine, &places.data)?;
    Files::create_private(machine, &places.state)?;
    Files::create_private(machine, &places.logs)?;
    if !same_path(&request.program, &places.program) {
        copy_program(machine, &request.program, places)?;
    }
    if let Some(new) = &request.settings {
        settings::write(machine, places, new)?;
    }
    machine.install_service(&spec(places))?;
    machine.start_service(SERVICE)?;
    Ok(installed)
}

/// Largest program that is believed to be one, in bytes.
const PROGRAM_BYTES: u64 = 128 << 20;

/// Puts the program in its place. Its folder is private before anything lies in it: what is there runs as SYSTEM.
fn copy_program(machine: &dyn Machine, from: &str, places: &Places) -> Result<()> {
    let bytes = machine.read(from, PROGRAM_BYTES)?.ok_or_else(|| {
        Problem::new("agent.program", format!("there is no program {from}")).next("start it by its whole path")
    })?;
    Files::create_private(machine, &places.folder)?;
    Ok(machine.write(&places.program, &bytes)?)
}

/// What taking away did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Uninstalled {
    /// What was there and is gone now.
    pub removed: Vec<String>,
    /// What is left, and why: a program can't remove itself while it runs.
    pub left: Vec<String>,
}

/// Takes the agent away: service, settings, all that it kept, and the program unless it is the one that runs.
/// With `dry_run` nothing is changed.
///
/// # Errors
/// `windows.*` where Windows refuses something: the same command goes on.
pub fn uninstall(machine: &dyn Machine, program: &str, dry_run: bool) -> Result<Uninstalled> {
    let places = Places::of(machine)?;
    let mut done = Uninstalled { removed: Vec::new(), left: Vec::new() };
    if machine.service(SERVICE)?.is_some() {
        if !dry_run {
            machine.stop_service(SERVICE, STOP_SECS)?;
            machine.remove_service(SERVICE)?;
        }
        done.removed.push(format!("service {SERVICE}"));
    }
    let key = Key::machine(r"SOFTWARE\Opsole");
    if machine.values(&key)?.is_some() {
        if !dry_run {
            machine.remove_tree(&key)?;
        }
        done.removed.push(key.to_string());
    }
    let own = same_path(program, &places.program);
    let mut remove = |path: &str| -> Result<()> {
        if machine.exists(path)? {
            if !dry_run {
                machine.remove(path)?;
            }
            done.removed.push(path.to_owned());
        }
        Ok(())
    };
    remove(&places.data)?;
    if own {
        done.left.push(places.program);
    } else {
        remove(&places.folder)?;
    }
    Ok(done)
}
