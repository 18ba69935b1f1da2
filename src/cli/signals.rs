//! Ctrl-C and friends.

/// Returns when somebody asks the program to stop: Ctrl-C, or a termination signal.
pub async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_err() {
        // Without signals nothing can interrupt; waiting for ever is what the caller expects.
        std::future::pending::<()>().await;
    }
}
