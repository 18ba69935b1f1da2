//! Agents of emulated devices: in this process, or in processes of their own that read their settings from
//! a file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::lab_session::LabSession;
use crate::agent::{self, AgentConfig, Durability};
use crate::lab::device::LabDevice;
use crate::model::{DeviceName, Problem};
use crate::net::{self, ClientSettings};
use crate::port::{Clock, Result};

/// Longest wait of one question for orders, in seconds of the wall.
const POLL_SECS: u64 = 20;

/// What external agents need to know to begin. Holds one-time tokens: only the owner may read the file.
#[derive(Serialize, Deserialize)]
pub struct EnrolmentFile {
    /// Version of this file.
    pub format: u32,
    /// Base URL of the controller.
    pub controller: String,
    /// What to trust there besides what the machine trusts, and which proxy is on the way.
    #[serde(default)]
    pub connection: ClientSettings,
    /// Base URL of the lab's tenants.
    pub lab: String,
    /// The lab's folder.
    pub lab_folder: PathBuf,
    /// The world file.
    pub world: PathBuf,
    /// One-time tokens by device.
    pub tokens: BTreeMap<DeviceName, String>,
}

impl EnrolmentFile {
    /// Version of the file.
    pub const FORMAT: u32 = 1;

    /// Writes the file, readable by its owner alone, as a whole or not at all.
    ///
    /// # Errors
    /// `cli.write`.
    pub fn write(&self, path: &Path) -> Result<()> {
        let write = || -> std::io::Result<()> {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let part = path.with_extension("part");
            serde_json::to_writer(options.open(&part)?, self)?;
            std::fs::rename(&part, path)
        };
        write().map_err(|e| Problem::new("cli.write", format!("can't write {}", path.display())).detail(e.to_string()))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// `cli.enrolment`.
    pub fn read(path: &Path) -> Result<Self> {
        let wrong = |detail: String| {
            Problem::new("cli.enrolment", format!("{} isn't a file of enrolment settings", path.display()))
                .next("have `opsole apply --agents external --enrolment FILE` write one")
                .detail(detail)
        };
        let bytes = std::fs::read(path).map_err(|e| wrong(e.to_string()))?;
        let file: Self = serde_json::from_slice(&bytes).map_err(|e| wrong(e.to_string()))?;
        if file.format > Self::FORMAT {
            return Err(wrong(format!("format {} is newer than this program", file.format)));
        }
        Ok(file)
    }
}

/// Agents that run in this process.
pub struct EmbeddedAgents {
    cancel: CancellationToken,
    tasks: JoinSet<()>,
}

impl EmbeddedAgents {
    /// Starts one agent a device.
    ///
    /// # Errors
    /// `lab.*` where a device isn't in the world, `tls.damaged`, `agent.http`.
    pub fn start(
        lab: &LabSession,
        controller: &str,
        connection: &ClientSettings,
        mut tokens: BTreeMap<DeviceName, SecretString>,
    ) -> Result<Self> {
        let http = net::client(controller, connection)?;
        let cancel = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let names: Vec<DeviceName> = tokens.keys().cloned().collect();
        for device in lab.devices(&names)? {
            let Some(token) = tokens.remove(device.name()) else { continue };
            let config = AgentConfig {
                controller: controller.to_owned(),
                enrolment_token: Some(token),
                state: lab.agent_folder(device.name()),
                device: device.name().clone(),
                durability: Durability::Kill,
                poll_secs: POLL_SECS,
                spread_secs: 0,
                http: http.clone(),
                kill_after_entry: None,
                online: None,
                enrolled: None,
            };
            tasks.spawn(one(config, device, lab.clock(), cancel.clone()));
        }
        Ok(Self { cancel, tasks })
    }

    /// Stops all agents.
    pub async fn stop(mut self) {
        self.cancel.cancel();
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn one(config: AgentConfig, device: Arc<LabDevice>, clock: Arc<dyn Clock>, cancel: CancellationToken) {
    let name = config.device.clone();
    if let agent::Exit::Failed(problem) = agent::supervise(config, device, clock, cancel).await {
        // The controller hears nothing more of the device and says so; this line tells why.
        tracing::error!(device = %name, %problem, detail = problem.detail, "the agent can't go on");
    }
}

/// Returns the settings of one external agent.
///
/// # Errors
/// `tls.damaged`, `agent.http`.
pub fn external_config(file: &EnrolmentFile, device: &DeviceName, kill: Option<u64>) -> Result<AgentConfig> {
    // A device that enrolled before needs no token.
    let token = file.tokens.get(device).map(|token| SecretString::from(token.clone()));
    Ok(AgentConfig {
        controller: file.controller.clone(),
        enrolment_token: token,
        state: file.lab_folder.join("agents").join(device.as_str()),
        device: device.clone(),
        durability: Durability::Kill,
        poll_secs: POLL_SECS,
        // An agent that is started by hand is watched by somebody.
        spread_secs: 0,
        http: net::client(&file.controller, &file.connection)?,
        kill_after_entry: kill,
        online: None,
        enrolled: None,
    })
}
