//! The signals that ask a process to end.

/// Waits for Ctrl-C, or for SIGTERM where there is one: what Kubernetes, systemd and people send.
///
/// If no handler can be installed it never returns, so that a runner does not stop for no reason.
///
/// From the first call on, these signals no longer end the process by themselves: a second Ctrl-C
/// does not cut short a stop that waits for running tasks. How long that may take is up to
/// [`RunnerBuilder::drain_deadline`](crate::RunnerBuilder::drain_deadline) and
/// [`grace`](crate::RunnerBuilder::grace).
pub async fn shutdown_signal() {
    let name = tokio::select! {
        () = ctrl_c() => "Ctrl-C",
        () = terminate() => "SIGTERM",
    };
    tracing::info!("{name}: shutting down");
}

async fn ctrl_c() {
    if let Err(error) = tokio::signal::ctrl_c().await {
        tracing::error!(%error, "Ctrl-C cannot be heard");
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminate() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            terminate.recv().await;
        }
        Err(error) => {
            tracing::error!(%error, "SIGTERM cannot be heard");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn terminate() {
    std::future::pending::<()>().await;
}
