//! What a run holds of its task: the right to end it, and how far a transaction of the handler's has
//! come with that.

use std::sync::{
    OnceLock,
    atomic::{AtomicU8, Ordering},
};

use tokio::time::Instant;

use super::TaskOutput;
use crate::{
    Backoff, LogLine, Progress,
    backend::{Lease, Run, Settlement},
    lifecycle::{Ending, Policy, Standing},
};

/// No transaction of the handler's has completed the task.
const OPEN: u8 = 0;
/// One completes it if it commits, and nobody has said whether it did.
const PERHAPS: u8 = 1;
/// It has committed.
const COMPLETED: u8 = 2;

/// The right of a run to end its task.
pub(super) struct Hold {
    lease: Lease,
    claimed_at: Instant,
    began: OnceLock<Instant>,
    completion: AtomicU8,
}

impl Hold {
    pub(super) const fn new(lease: Lease, claimed_at: Instant) -> Self {
        Self { lease, claimed_at, began: OnceLock::new(), completion: AtomicU8::new(OPEN) }
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
        Settlement { lease: self.lease, to, run: self.run_so_far(), progress, log }
    }

    pub(super) fn may_be_completed(&self) {
        self.completion.fetch_max(PERHAPS, Ordering::AcqRel);
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
