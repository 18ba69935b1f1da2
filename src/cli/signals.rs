//! Ctrl-C and friends.

use std::io;

/// Requests to stop: Ctrl-C, or a termination signal. Listens from the moment it is made, so that none is lost
/// between two looks.
pub struct Interrupts {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Interrupts {
    /// Begins to listen; from now on a signal doesn't end the program by itself.
    ///
    /// # Errors
    /// Where the system refuses it.
    pub fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns at the next request to stop.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
impl Interrupts {
    /// Begins to listen; from now on a signal doesn't end the program by itself.
    ///
    /// # Errors
    /// Never here.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Returns at the next request to stop.
    pub async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            // Without signals nothing can interrupt; waiting for ever is what the caller expects.
            std::future::pending::<()>().await;
        }
    }
}
