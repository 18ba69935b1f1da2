//! The delivered package on disk: sealed as it came, in one file that only the agent's account reads, wiped after use.
//! It is opened in memory, when it is put on the device.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::journal::Durability;
use crate::model::{DeviceName, Digest, PackageName, Problem, RunId};
use crate::port::Result;
use crate::trust::{BoxedFor, Opener};
use crate::wire::{PackageDelivery, WorkOrder};

/// Where the package lies.
#[derive(Debug, Clone)]
pub struct PackageFile {
    path: PathBuf,
    durability: Durability,
    opener: Arc<Opener>,
}

/// What the file holds.
#[derive(Serialize, Deserialize)]
struct Kept {
    device: DeviceName,
    run: RunId,
    delivery: PackageDelivery,
}

/// A package that was opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Opened {
    /// Name in the plan.
    pub name: PackageName,
    /// Digest of the bytes.
    pub sha256: Digest,
    /// The bytes, base64.
    pub content: Zeroizing<String>,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").field("name", &self.name).field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

fn problem(path: &Path, what: &str, error: &std::io::Error) -> Problem {
    Problem::new("agent.package", format!("{what} the package in {} failed", path.display()))
        .next("free space on the disk and check the rights of the agent's folder")
        .detail(error.to_string())
}

impl PackageFile {
    /// Returns the place in the agent's folder.
    #[must_use]
    pub fn in_folder(folder: &Path, durability: Durability, opener: Arc<Opener>) -> Self {
        Self { path: folder.join("package.json"), durability, opener }
    }

    fn open(&self, device: &DeviceName, run: RunId, delivery: &PackageDelivery) -> std::result::Result<Opened, String> {
        let what = PackageDelivery::what(&delivery.name, delivery.sha256);
        let about = BoxedFor { device, run: Some(run), what: &what };
        let bytes = self.opener.open(&about, &delivery.content)?;
        if Digest::of(&bytes) != delivery.sha256 {
            return Err("its bytes aren't those of the digest that it names".to_owned());
        }
        let content = Zeroizing::new(STANDARD.encode(&*bytes));
        Ok(Opened { name: delivery.name.clone(), sha256: delivery.sha256, content })
    }

    /// Says whether the package of an order can be opened here.
    ///
    /// # Errors
    /// `order.sealed` where it was sealed for another device, run or package.
    pub fn check(&self, order: &WorkOrder) -> Result<()> {
        let Some(delivery) = order.package.as_ref().filter(|package| !package.content.is_empty()) else {
            return Ok(());
        };
        let opened = self.open(&order.task.device, order.run, delivery);
        opened.map(drop).map_err(|why| {
            let what = format!("package {} of the order for {} can't be opened", delivery.name, order.task.device);
            Problem::new("order.sealed", what).detail(why).next("the controller seals it anew with the next order")
        })
    }

    /// Writes the package of an order, as one unit: a half written file is never seen under its name.
    ///
    /// # Errors
    /// `agent.package` where the disk refuses.
    pub fn keep(&self, order: &WorkOrder, delivery: &PackageDelivery) -> Result<()> {
        let kept = Kept { device: order.task.device.clone(), run: order.run, delivery: delivery.clone() };
        let body = serde_json::to_vec(&kept)
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

    /// Returns the package, if it is there and this device's keys open it. One that they don't open is as good as none:
    /// it is delivered again.
    ///
    /// # Errors
    /// `agent.package` where it can't be read.
    pub fn read(&self) -> Result<Option<Opened>> {
        let body = match std::fs::read(&self.path) {
            Ok(body) => Zeroizing::new(body),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(problem(&self.path, "reading", &e)),
        };
        let broken = |_| Problem::new("agent.package", format!("{} isn't a package", self.path.display()));
        let kept: Kept = serde_json::from_slice(&body).map_err(broken)?;
        let opened = self.open(&kept.device, kept.run, &kept.delivery);
        if let Err(why) = &opened {
            tracing::warn!(device = %kept.device, why, "the package can't be opened");
        }
        Ok(opened.ok())
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
