//! Active Directory, seen by the controller.

use async_trait::async_trait;
use uuid::Uuid;

use super::Result;
use crate::state::{AdComputer, DirectoryState};

/// Active Directory.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Reads all computers below the declared organizational units.
    ///
    /// # Errors
    /// Where the directory can't be read.
    async fn observe(&self) -> Result<DirectoryState>;
    /// Returns one computer.
    ///
    /// # Errors
    /// Where the directory can't be read. A computer that isn't there is `None`.
    async fn computer(&self, guid: Uuid) -> Result<Option<AdComputer>>;
    /// Returns the computer with this name below the declared organizational units, without case.
    ///
    /// # Errors
    /// Where the directory can't be read. A computer that isn't there is `None`.
    async fn computer_by_name(&self, name: &str) -> Result<Option<AdComputer>> {
        let state = self.observe().await?;
        Ok(state.computers.into_iter().find(|computer| computer.name.eq_ignore_ascii_case(name)))
    }
    /// Disables or enables a computer. Refuses domain controllers.
    ///
    /// # Errors
    /// `directory.*` codes.
    async fn set_enabled(&self, guid: Uuid, enabled: bool) -> Result<()>;
    /// Deletes a computer; one that isn't there is a success. Refuses domain controllers.
    ///
    /// # Errors
    /// `directory.*` codes.
    async fn delete(&self, guid: Uuid) -> Result<()>;
}
