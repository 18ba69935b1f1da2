//! The delivered package on disk: one file that only the agent's account reads, wiped after use.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::journal::Durability;
use crate::model::Problem;
use crate::port::Result;
use crate::wire::PackageDelivery;

/// Where the package lies.
#[derive(Debug, Clone)]
pub struct PackageFile {
    path: PathBuf,
    durability: Durability,
}

fn problem(path: &Path, what: &str, error: &std::io::Error) -> Problem {
    Problem::new("agent.package", format!("{what} the package in {} failed", path.display()))
        .next("free space on the disk and check the rights of the agent's folder")
        .detail(error.to_string())
}

impl PackageFile {
    /// Returns the place in the agent's folder.
    #[must_use]
    pub fn in_folder(folder: &Path, durability: Durability) -> Self {
        Self { path: folder.join("package.json"), durability }
    }

    /// Writes the package, as one unit: a half written file is never seen under its name.
    ///
    /// # Errors
    /// `agent.package` where the disk refuses.
    pub fn keep(&self, delivery: &PackageDelivery) -> Result<()> {
        let body = serde_json::to_vec(delivery)
            .map(Zeroizing::new)
            .map_err(|e| Problem::new("agent.package", "the package can't be written").detail(e.to_string()))?;
        let draft = self.path.with_extension("new");
        let write = || {
            let mut file = super::journal::private_file().write(true).create(true).truncate(true).open(&draft)?;
            file.write_all(&body)?;
            self.sync(&file)?;
            std::fs::rename(&draft, &self.path)
        };
        write().map_err(|e| problem(&self.path, "writing", &e))
    }

    fn sync(&self, file: &std::fs::File) -> std::io::Result<()> {
        match self.durability {
            Durability::PowerLoss => file.sync_data(),
            Durability::Kill => Ok(()),
        }
    }

    /// Returns the package, if it is there.
    ///
    /// # Errors
    /// `agent.package` where it can't be read.
    pub fn read(&self) -> Result<Option<PackageDelivery>> {
        let body = match std::fs::read(&self.path) {
            Ok(body) => Zeroizing::new(body),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(problem(&self.path, "reading", &e)),
        };
        let broken = |_| Problem::new("agent.package", format!("{} isn't a package", self.path.display()));
        serde_json::from_slice(&body).map(Some).map_err(broken)
    }

    /// Overwrites and removes the package; one that isn't there is a success.
    ///
    /// # Errors
    /// `agent.package` where the disk refuses.
    pub fn wipe(&self) -> Result<()> {
        for path in [&self.path, &self.path.with_extension("new")] {
            let Ok(metadata) = std::fs::metadata(path) else { continue };
            let wipe = || {
                let mut file = std::fs::OpenOptions::new().write(true).open(path)?;
                let zeros = vec![0; usize::try_from(metadata.len()).unwrap_or(0)];
                file.write_all(&zeros)?;
                self.sync(&file)?;
                std::fs::remove_file(path)
            };
            wipe().map_err(|e| problem(path, "wiping", &e))?;
        }
        Ok(())
    }
}
