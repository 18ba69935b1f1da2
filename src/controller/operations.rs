//! What people may do to a run that goes on, apart from how they ask.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::exec::Message;
use crate::model::{DeviceName, RunId};
use crate::port::Result;
use crate::run::Progress;

/// Takes the tokens of a device away.
pub trait Revoke: Send + Sync {
    /// Takes back what a device proves itself with; returns whether it had anything.
    ///
    /// # Errors
    /// `store.*`.
    fn revoke(&self, device: &DeviceName, reason: &str, actor: &str) -> Result<bool>;
}

/// A run that goes on, for those who may ask for something. Cheap to clone.
#[derive(Clone)]
pub struct Operations {
    run: RunId,
    inbox: mpsc::Sender<Message>,
    progress: watch::Receiver<Progress>,
    revoke: Arc<dyn Revoke>,
}

impl Operations {
    pub(super) fn new(
        run: RunId,
        inbox: mpsc::Sender<Message>,
        progress: watch::Receiver<Progress>,
        revoke: Arc<dyn Revoke>,
    ) -> Self {
        Self { run, inbox, progress, revoke }
    }
    /// Returns the run.
    #[must_use]
    pub fn run(&self) -> RunId {
        self.run
    }
    /// Returns the run as people see it now.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.borrow().clone()
    }
    /// Begins nothing new: no device, no commit.
    pub async fn drain(&self) {
        // A controller that has stopped has nothing to drain.
        drop(self.inbox.send(Message::Drain).await);
    }
    /// Takes back what a device proves itself with; returns whether it had anything.
    ///
    /// # Errors
    /// `store.*`.
    pub fn revoke(&self, device: &DeviceName, reason: &str, actor: &str) -> Result<bool> {
        self.revoke.revoke(device, reason, actor)
    }
}
