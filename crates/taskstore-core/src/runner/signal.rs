//! The signals that ask a process to end.

use std::sync::Once;

/// 128 and the number of SIGINT, as shells say it.
const BY_CTRL_C: i32 = 130;

/// Waits for Ctrl-C, or for SIGTERM where there is one: what Kubernetes, systemd and people send.
///
/// If no handler can be installed it never returns, so that a runner does not stop for no reason.
///
/// The first of these signals is heard here and ends nothing by itself: running tasks may finish, for as
/// long as [`RunnerBuilder::drain_deadline`](crate::RunnerBuilder::drain_deadline) and
/// [`grace`](crate::RunnerBuilder::grace) say. Whoever does not want to wait presses **Ctrl-C a second
/// time, which ends the process at once**, with the exit code 130 that shells give to it. Then tasks
/// that ran are not given back: they run again when other runners, or this program when it is started
/// again, have found their leases dead. A second SIGTERM changes nothing, for supervisors may send
/// it more than once, and have SIGKILL.
///
/// A program that wants Ctrl-C to mean something else the second time waits for `tokio::signal`
/// instead.
pub async fn shutdown_signal() {
    let name = tokio::select! {
        () = ctrl_c() => "Ctrl-C",
        () = terminate() => "SIGTERM",
    };
    tracing::info!("{name}: shutting down; Ctrl-C ends the process at once");
    end_at_ctrl_c();
}

/// From here on the next Ctrl-C ends the process. On a thread of its own, so that handlers which
/// block every other thread, and are the reason for it, cannot keep it from being heard.
fn end_at_ctrl_c() {
    static ARMED: Once = Once::new();
    ARMED.call_once(|| {
        let wait = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            if runtime.and_then(|runtime| runtime.block_on(tokio::signal::ctrl_c())).is_ok() {
                tracing::warn!("Ctrl-C again: the process ends at once");
                std::process::exit(BY_CTRL_C);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("taskstore-ctrl-c".into()).spawn(wait)
        {
            tracing::warn!(%error, "a second Ctrl-C will not be heard");
        }
    });
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
