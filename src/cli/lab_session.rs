//! The lab as a command uses it: its tenants served on this machine, its directory, its devices.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::lab::device::{DeviceSeed, DeviceState, HttpCloud, LabDevice, first_state};
use crate::lab::directory::LabDirectory;
use crate::lab::packages::LabPackages;
use crate::lab::seed::Index;
use crate::lab::world::World;
use crate::lab::{Lab, tenant};
use crate::model::{DeviceName, Known, Problem};
use crate::plan::TenantSpec;
use crate::port::{Clock, Directory, Packages, Result};
use crate::state::Evidence;

/// An open lab whose tenants are served.
pub struct LabSession {
    lab: Arc<Lab>,
    clock: Arc<dyn Clock>,
    server: tenant::TenantServer,
    folder: PathBuf,
}

/// Where the lab's things are.
#[must_use]
pub fn folder(state: &Path) -> PathBuf {
    state.join("lab")
}

/// Reads a world file.
///
/// # Errors
/// `lab.world` with the place of the mistake.
pub fn read_world(path: &Path) -> Result<World> {
    let text = std::fs::read_to_string(path).map_err(|e| {
        Problem::new("lab.world", format!("can't read the world file {}", path.display()))
            .detail(e.to_string())
            .next("put it back, or name the right one under `cloud: {lab: FILE}` in the plan")
    })?;
    World::parse(&path.to_string_lossy(), &text)
}

/// Returns the lab's moment without serving anything.
///
/// # Errors
/// As [`Lab::open`].
pub fn now(world: &Path, state: &Path) -> Result<Timestamp> {
    let world = read_world(world)?;
    if !folder(state).join("world.db").exists() {
        return Ok(world.starts);
    }
    Ok(Lab::open(&folder(state), &world)?.now())
}

impl LabSession {
    /// Opens the lab as it was left and serves its tenants on a port of this machine.
    ///
    /// # Errors
    /// `lab.*`.
    pub async fn open(world: &Path, state: &Path) -> Result<Self> {
        Self::serve(world, state, SocketAddr::from(([127, 0, 0, 1], 0))).await
    }

    /// The same on a given address.
    ///
    /// # Errors
    /// `lab.*`.
    pub async fn serve(world: &Path, state: &Path, address: SocketAddr) -> Result<Self> {
        let world = read_world(world)?;
        let lab = Arc::new(Lab::open(&folder(state), &world)?);
        let clock: Arc<dyn Clock> = lab.clock(true);
        let listener = tokio::net::TcpListener::bind(address).await.map_err(|e| {
            Problem::new("lab.listen", format!("can't listen on {address}"))
                .detail(e.to_string())
                .next("name another address with `--listen`")
        })?;
        let server = tenant::serve(lab.clone(), listener)?;
        Ok(Self { lab, clock, server, folder: folder(state) })
    }

    /// Lets the clock run from now on, this many times faster than the wall where a number is given.
    pub fn start_clock(&mut self, speed: Option<f64>) {
        if let Some(speed) = speed {
            self.lab.set_speed(speed);
        }
        self.clock = self.lab.clock(false);
    }

    /// Lets time pass at once, and returns the moment that it is then.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn skip(&mut self, time: std::time::Duration) -> Result<Timestamp> {
        self.clock = self.lab.skip(time)?;
        Ok(self.clock.now())
    }

    /// Returns the lab.
    #[must_use]
    pub fn lab(&self) -> &Arc<Lab> {
        &self.lab
    }
    /// Returns the world's clock.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }
    /// Returns the base URL of the tenants.
    #[must_use]
    pub fn url(&self) -> &str {
        self.server.base()
    }
    /// Returns the directory.
    #[must_use]
    pub fn directory(&self) -> Arc<dyn Directory> {
        Arc::new(LabDirectory::new(self.lab.clone()))
    }
    /// Says whether the world leaves its computers to a real directory.
    #[must_use]
    pub fn is_directory_elsewhere(&self) -> bool {
        self.lab.world().directory.as_ref().is_some_and(|directory| directory.elsewhere)
    }
    /// Returns the packages.
    #[must_use]
    pub fn packages(&self) -> Arc<dyn Packages> {
        Arc::new(LabPackages::new(self.lab.clone()))
    }
    /// Returns where an emulated device's agent keeps its state.
    #[must_use]
    pub fn agent_folder(&self, device: &DeviceName) -> PathBuf {
        self.folder.join("agents").join(device.as_str())
    }
    /// Returns the secret of the plan's application in the lab.
    #[must_use]
    pub fn secret(&self, tenant: &TenantSpec) -> Option<SecretString> {
        let found = self.lab.world().tenants.values().find(|world| world.id == tenant.id.0)?;
        let app = found.apps.iter().find(|app| app.client_id.eq_ignore_ascii_case(&tenant.app.client_id))?;
        Some(SecretString::from(app.secret.clone()))
    }

    /// Returns what an agent would find on every device of the world now. A device that was never touched
    /// is computed from the world file, so that looking at a large world writes nothing.
    ///
    /// # Errors
    /// `lab.store`.
    pub fn evidence(&self) -> Result<BTreeMap<DeviceName, Known<Evidence>>> {
        let world = self.lab.world();
        let index = Index::new(world);
        let stored: BTreeMap<String, String> = self.lab.store().all("device")?.into_iter().collect();
        let at = self.clock.now();
        let mut all = BTreeMap::new();
        for device in &world.devices {
            let name = DeviceName::new(&device.name);
            let state = match stored.get(name.as_str()) {
                Some(body) => serde_json::from_str::<DeviceState>(body).map_err(|e| {
                    Problem::new("lab.store", format!("the lab's device {name} can't be read")).detail(e.to_string())
                }),
                None => first_state(world, device, &DeviceSeed::from(index.device_ids(device))),
            };
            let evidence = match state {
                Ok(state) => Known::Known(Evidence { at, survey: Some(state.survey(at)), facts: state.facts }),
                Err(problem) => Known::Unknown(problem.to_string()),
            };
            all.insert(name, evidence);
        }
        Ok(all)
    }

    /// Opens emulated devices by name; all share one HTTP client.
    ///
    /// # Errors
    /// `lab.no-device` where the world has none of the name.
    pub fn devices<'a>(&self, names: impl IntoIterator<Item = &'a DeviceName>) -> Result<Vec<Arc<LabDevice>>> {
        open_devices(&self.lab, self.url(), &self.clock, names)
    }

    /// Keeps the time and stops serving.
    ///
    /// # Errors
    /// `lab.store`.
    pub async fn close(self) -> Result<()> {
        self.server.stop().await
    }
}

/// Opens emulated devices of a lab whose tenants are served at `url`, maybe by another process.
///
/// # Errors
/// `lab.no-device` where the world has none of the name.
pub fn open_devices<'a>(
    lab: &Lab,
    url: &str,
    clock: &Arc<dyn Clock>,
    names: impl IntoIterator<Item = &'a DeviceName>,
) -> Result<Vec<Arc<LabDevice>>> {
    let world = lab.world();
    let index = Index::new(world);
    let by_name: BTreeMap<DeviceName, _> =
        world.devices.iter().map(|device| (DeviceName::new(&device.name), device)).collect();
    let cloud = Arc::new(HttpCloud::new(url)?);
    let open = |name: &DeviceName| {
        let device = by_name.get(name).ok_or_else(|| {
            Problem::new("lab.no-device", format!("the lab's world has no device {name}"))
                .next("take the device out of the inventory, or add it to the world file")
        })?;
        LabDevice::open_indexed(lab.store().clone(), clock.clone(), cloud.clone(), &index, device).map(Arc::new)
    };
    names.into_iter().map(open).collect()
}
