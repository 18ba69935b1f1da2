//! This very machine as a device: the one place that makes the Windows side.

use std::path::PathBuf;
use std::sync::Arc;

#[cfg(not(windows))]
use super::exit::Exit;
use super::failure::Failure;
use super::lab_session::LabSession;
use super::session::read_plan;
use super::settings::Settings;
use crate::agent::Durability;
use crate::model::{DeviceName, Problem};
#[cfg(windows)]
use crate::port::SystemClock;
use crate::port::{Clock, DeviceOs};
#[cfg(windows)]
use crate::windows::install;
use crate::windows::install::Places;
use crate::windows::machine::Machine;

/// This machine.
pub struct This {
    /// Its Windows.
    pub machine: Arc<dyn Machine>,
    /// The same for the agent.
    pub os: Arc<dyn DeviceOs>,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
}

/// Returns this machine. The one place that makes the Windows side of the agent.
///
/// # Errors
/// `windows.*` where Windows doesn't let this process be what it is.
#[cfg(windows)]
pub fn this() -> Result<This, Failure> {
    use crate::windows::device::{Options, WindowsDevice};
    use crate::windows::machine::Host as _;
    use crate::windows::{stand_in, sys};

    let windows = sys::Windows::new().map_err(Problem::from)?;
    let (machine, clock): (Arc<dyn Machine>, Arc<dyn Clock>) = match stand_in::Answering::of(&windows, sys::is_wine())?
    {
        // Only under Wine, and there only in tests: what Wine lacks is answered from outside.
        Some(answering) => {
            let (address, speed) = (answering.address, answering.speed);
            let machine = Arc::new(stand_in::StandIn::connect(windows, &address).map_err(Problem::from)?);
            let clock = crate::lab::clock::LabClock::running(machine.now(), speed);
            (machine, Arc::new(clock))
        }
        None => (Arc::new(windows), Arc::new(SystemClock)),
    };
    let places = Places::of(&*machine)?;
    let options = Options { service_command: install::command(&places), ..Options::default() };
    let os = Arc::new(WindowsDevice::with_options(Arc::clone(&machine), options));
    Ok(This { machine, os, clock })
}

/// Returns this machine. The one place that makes the Windows side of the agent.
///
/// # Errors
/// `agent.no-windows` where this isn't a Windows, with the exit code of a wrong command line.
#[cfg(not(windows))]
pub fn this() -> Result<This, Failure> {
    let problem = Problem::new("agent.no-windows", "this machine isn't Windows, and the agent's service is for that")
        .next("run it on the device; of a lab's devices name one with `--device NAME`, with their plan here");
    Err(Failure::Exit(Box::new(problem), Exit::USAGE))
}

/// A device that a command is about: this machine, or one of a lab.
pub struct OpenDevice {
    /// Its name.
    pub name: DeviceName,
    /// The agent's folder.
    pub folder: PathBuf,
    /// Its system.
    pub os: Arc<dyn DeviceOs>,
    /// Its time.
    pub clock: Arc<dyn Clock>,
    /// What its journal survives.
    pub durability: Durability,
    /// Windows, where it is this machine.
    pub machine: Option<Arc<dyn Machine>>,
    lab: Option<LabSession>,
}

impl OpenDevice {
    /// Opens the device that is meant: of the lab of the plan here, else this machine.
    ///
    /// # Errors
    /// `agent.no-windows`, `cli.which-device`, `lab.*`, `windows.*`.
    pub async fn open(settings: &Settings, device: Option<&str>) -> Result<Self, Failure> {
        let world = match settings.plan() {
            Ok(_) => read_plan(settings)?.world()?,
            // Nobody keeps a plan on a device.
            Err(_) => None,
        };
        let Some(world) = world else {
            let This { machine, os, clock } = this()?;
            let name = DeviceName::new(&machine.computer_name().map_err(Problem::from)?);
            if let Some(other) = device.filter(|other| DeviceName::new(other) != name) {
                let problem = Problem::new("cli.unknown-device", format!("this machine is {name}, not {other}"));
                return Err(problem.next("leave `--device` out, or run it on that device").into());
            }
            let folder = PathBuf::from(Places::of(&*machine)?.state);
            let durability = Durability::PowerLoss;
            return Ok(Self { name, folder, os, clock, durability, machine: Some(machine), lab: None });
        };
        let lab = LabSession::open(&world, &settings.state()?).await?;
        let name = super::command::inspect::which(&lab, device)?;
        let os = lab.devices([&name])?.pop();
        let os = os.ok_or_else(|| Problem::new("lab.no-device", format!("the lab has no device {name}")))?;
        let (folder, clock) = (lab.agent_folder(&name), lab.clock());
        Ok(Self { name, folder, os, clock, durability: Durability::Kill, machine: None, lab: Some(lab) })
    }

    /// Closes what was opened.
    ///
    /// # Errors
    /// `lab.store`.
    pub async fn close(self) -> Result<(), Problem> {
        match self.lab {
            Some(lab) => lab.close().await,
            None => Ok(()),
        }
    }
}
