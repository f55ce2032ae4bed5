//! What a run holds of its task: the right to end it, and how far a transaction of the handler's has
//! come with that.

use std::sync::{
    Mutex, OnceLock, PoisonError,
    atomic::{AtomicU8, Ordering},
};

use tokio::{sync::oneshot, time::Instant};

use super::TaskOutput;
use crate::{
    Backoff, Error, LogLine, Progress, Result,
    backend::{Lease, Run, Settlement},
    lifecycle::{Ending, Policy, Standing},
};

/// No transaction of the handler's has completed the task.
const OPEN: u8 = 0;
/// One completes it if it commits, and nobody has said whether it did.
const PERHAPS: u8 = 1;
/// It has committed.
const COMPLETED: u8 = 2;

/// Asks the runner for a lease that this task has to itself; it answers when the run has one.
pub(crate) type AskAlone = Box<dyn Fn(oneshot::Sender<Result<()>>) + Send + Sync>;

/// The right of a run to end its task.
pub(super) struct Hold {
    /// Another one once the task was isolated.
    lease: Mutex<Lease>,
    /// `None`: the task shares its lease with no other.
    ask_alone: Option<AskAlone>,
    claimed_at: Instant,
    began: OnceLock<Instant>,
    completion: AtomicU8,
}

impl Hold {
    pub(super) const fn new(
        lease: Lease,
        claimed_at: Instant,
        ask_alone: Option<AskAlone>,
    ) -> Self {
        Self {
            lease: Mutex::new(lease),
            ask_alone,
            claimed_at,
            began: OnceLock::new(),
            completion: AtomicU8::new(OPEN),
        }
    }

    pub(super) fn lease(&self) -> Lease {
        // Nothing panics while it is locked.
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task was isolated.
    pub(super) fn moved(&self, lease: Lease) {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = lease;
    }

    /// Returns once the task shares its lease with no other.
    pub(super) async fn alone(&self) -> Result<()> {
        let Some(ask) = &self.ask_alone else { return Ok(()) };
        let (sender, answer) = oneshot::channel();
        ask(sender);
        answer.await.unwrap_or_else(|_| Err(Error::unavailable("the runner has ended")))
    }

    /// The handler is about to run.
    pub(super) fn begins(&self, at: Instant) {
        // It begins once.
        let _ = self.began.set(at);
    }

    /// When it ran, as far as it has come; `None`: it has not begun.
    pub(super) fn run_so_far(&self) -> Option<Run> {
        let began = *self.began.get()?;
        let started_after = began.saturating_duration_since(self.claimed_at);
        Some(Run { started_after, ran_for: began.elapsed() })
    }

    /// The end of this attempt, the `attempt`th, as a success.
    pub(super) fn success(
        &self,
        output: TaskOutput,
        attempt: u32,
        max_attempts: u32,
        progress: Option<Progress>,
        log: Vec<LogLine>,
    ) -> Settlement {
        let standing = Standing::running(attempt.saturating_sub(1), max_attempts);
        // A success asks for neither.
        let policy = Policy { backoff: &Backoff::default(), chance: 0.5 };
        let to = Ending::Succeeded { output: output.into_json() }.settle(&standing, policy);
        Settlement { lease: self.lease(), to, run: self.run_so_far(), progress, log }
    }

    /// True: it was not before.
    pub(super) fn may_be_completed(&self) -> bool {
        self.completion.fetch_max(PERHAPS, Ordering::AcqRel) == OPEN
    }

    /// It came to nothing.
    pub(super) fn is_not_completed(&self) {
        // Another completion may have begun.
        let _ =
            self.completion.compare_exchange(PERHAPS, OPEN, Ordering::AcqRel, Ordering::Acquire);
    }

    pub(super) fn completed(&self) {
        self.completion.fetch_max(COMPLETED, Ordering::AcqRel);
    }

    pub(super) fn is_perhaps_completed(&self) -> bool {
        self.completion.load(Ordering::Acquire) != OPEN
    }

    pub(super) fn is_completed(&self) -> bool {
        self.completion.load(Ordering::Acquire) == COMPLETED
    }
}
