//! A runner that was started, as its user holds it.

use tokio::sync::watch;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::AbortOnDropHandle,
};

use super::{Summary, runners::Reservation};
use crate::TaskId;

/// What a runner left behind when it stopped.
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stopped {
    /// What became of the tasks that it took.
    pub summary: Summary,
    /// Tasks whose handlers block a thread, so that they could be neither ended nor dropped. They
    /// keep their leases, and are saved when they end, as long as the process lives.
    pub still_running: Vec<TaskId>,
}

/// A runner that was started. Dropping it lets the runner go on; `Store::stop` stops it then.
#[derive(Clone, Debug)]
pub struct RunnerHandle {
    stop: CancellationToken,
    stopped: watch::Receiver<Option<Stopped>>,
}

impl RunnerHandle {
    /// Stops it: no new claims, prefetched tasks go back at once, running ones finish. After the
    /// drain deadline their tokens fire, after the grace period their futures are dropped and the
    /// tasks go back to the queue. Returns when every status is durably saved; as long as the
    /// database is away, that is not yet. Stopping twice is fine.
    pub async fn stop(&self) -> Stopped {
        self.stop.cancel();
        self.stopped().await
    }

    /// Asks it to stop when the guard is dropped.
    pub(super) fn stop_guard(&self) -> DropGuard {
        self.stop.clone().drop_guard()
    }

    /// Waits until it has stopped, for whatever reason.
    pub async fn stopped(&self) -> Stopped {
        let mut stopped = self.stopped.clone();
        // The sender is only dropped unsent when the runtime that ran it was shut down.
        stopped.wait_for(Option::is_some).await.ok().and_then(|s| s.clone()).unwrap_or_default()
    }

    /// Whether it has not stopped yet.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.stopped.borrow().is_none() && self.stopped.has_changed().is_ok()
    }
}

/// The loop's end of a handle.
pub(super) struct Done {
    stopped: watch::Sender<Option<Stopped>>,
    /// Keeps the queues taken until the runner has stopped.
    reservation: Option<Reservation>,
    /// What goes on beside it until then: the watch for dead leases, the sweep.
    beside: Vec<AbortOnDropHandle<()>>,
}

impl Done {
    pub(super) fn new(
        reservation: Reservation,
        beside: Vec<AbortOnDropHandle<()>>,
    ) -> (RunnerHandle, CancellationToken, Self) {
        let (sender, stopped) = watch::channel(None);
        let stop = CancellationToken::new();
        let handle = RunnerHandle { stop: stop.clone(), stopped };
        reservation.started(&handle);
        let done = Self { stopped: sender, reservation: Some(reservation), beside };
        (handle, stop, done)
    }

    /// Everything is saved: the queues are free, and whoever waits is told.
    pub(super) fn stopped(&mut self, stopped: Stopped) {
        self.reservation = None;
        self.beside.clear();
        self.stopped.send_replace(Some(stopped));
    }
}
