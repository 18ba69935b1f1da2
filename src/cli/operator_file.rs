//! What `apply` leaves beside the plan for other commands of the same person while a run goes on: where its API is, and
//! a token that dies with the process.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::model::{Problem, RunId};
use crate::net::{ClientSettings, ProxySetting};
use crate::operators::Token;
use crate::port::Result;

/// Name of the file in the state folder.
const NAME: &str = "operator.json";

/// The file. Holds a token: only its owner may read it.
#[derive(Serialize, Deserialize)]
pub struct OperatorFile {
    /// Version of this file.
    pub format: u32,
    /// Base URL of the controller.
    pub url: String,
    /// Where this machine reaches it, whatever the name in the URL leads to.
    pub at: SocketAddr,
    /// How it is called.
    pub connection: ClientSettings,
    /// The one-time token.
    pub token: String,
    /// The run.
    pub run: RunId,
    /// Process of `apply`.
    pub pid: u32,
}

/// The file while a run goes on; taken away when it is dropped.
pub struct Kept(PathBuf);

impl Drop for Kept {
    fn drop(&mut self) {
        // What stays after a crash is worth nothing: the token was known to that process alone.
        drop(std::fs::remove_file(&self.0));
    }
}

impl OperatorFile {
    const FORMAT: u32 = 1;

    /// Describes a run of this process.
    #[must_use]
    pub fn of(
        url: &str,
        secured: bool,
        listening: SocketAddr,
        connection: &ClientSettings,
        token: &Token,
        run: RunId,
    ) -> Self {
        let at = here(listening);
        // What is said to agents may be a proxy's address; without TLS the machine itself needs no name.
        let url = if secured { url.to_owned() } else { format!("http://{at}") };
        let (token, pid) = (token.expose().to_owned(), std::process::id());
        let connection = ClientSettings { proxy: ProxySetting::Direct, ..connection.clone() };
        Self { format: Self::FORMAT, url, at, connection, token, run, pid }
    }

    /// Writes the file, readable by its owner alone, as a whole or not at all.
    ///
    /// # Errors
    /// `cli.write`.
    pub fn keep(&self, state: &Path) -> Result<Kept> {
        let path = state.join(NAME);
        let write = || -> std::io::Result<()> {
            let part = path.with_extension("part");
            // A file that is left of an earlier process keeps its rights when it is written to again.
            drop(std::fs::remove_file(&part));
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            serde_json::to_writer(options.open(&part)?, self)?;
            std::fs::rename(&part, &path)
        };
        write().map_err(|e| {
            Problem::new("cli.write", format!("can't write {}", path.display()))
                .detail(e.to_string())
                .next("check that you may write to the state folder")
        })?;
        Ok(Kept(path))
    }

    /// Reads the file of the run that goes on here.
    ///
    /// # Errors
    /// `operator.no-run` where none does.
    pub fn read(state: &Path) -> Result<Self> {
        let none = || {
            Problem::new("operator.no-run", "no run goes on here")
                .next("start one with `opsole apply`, or name the controller with `--url`")
        };
        let bytes = std::fs::read(state.join(NAME)).map_err(|_| none())?;
        let file: Self = serde_json::from_slice(&bytes).map_err(|e| none().detail(e.to_string()))?;
        if file.format > Self::FORMAT { Err(none().detail("a newer version of opsole runs it")) } else { Ok(file) }
    }
}

/// Returns the address at which this machine reaches what it listens on.
fn here(listening: SocketAddr) -> SocketAddr {
    let ip = match listening.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        other => other,
    };
    SocketAddr::new(ip, listening.port())
}
