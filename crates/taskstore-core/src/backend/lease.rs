//! The life and death of leases, and the tasks that wait for their time.

use std::time::Duration;

use time::UtcDateTime;

use super::LeasedTask;
use crate::{LeaseId, RunnerId, TaskId};

/// The right to settle one attempt once; a new one for every claim.
///
/// `batch` names the lease row, `turn` the record's counter that every transition bumps. Both are
/// checked: a batch outlives a task that was retried out of it, and attempts may be refunded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The task.
    pub task: TaskId,
    /// The lease row that the task was claimed under.
    pub batch: LeaseId,
    /// The record's turn when it was claimed.
    pub turn: u32,
}

/// What a beat found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Beaten {
    /// By position.
    pub leases: Vec<Pulse>,
    /// Tasks whose cancel somebody has requested: all that are leased under the leases asked about,
    /// and perhaps others.
    pub cancel: Vec<TaskId>,
}

/// Whether a lease is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// Its beat was counted.
    Alive,
    /// Somebody, perhaps its own settlement, holds the row. Safe: a take-over skips it too.
    Busy,
    /// It was taken over, or has nothing left to settle.
    Lost,
}

/// Tasks to move into leases of their own.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Isolate {
    /// Each with the id of its new lease.
    pub tasks: Vec<(Lease, LeaseId)>,
    /// The time to stamp; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl Isolate {
    /// These, at the engine's own time.
    #[must_use]
    pub const fn new(tasks: Vec<(Lease, LeaseId)>) -> Self {
        Self { tasks, now: None }
    }
}

/// A lease that was not heard of for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LateLease {
    /// The lease.
    pub lease: LeaseId,
    /// Its beat, as read.
    pub beat: u64,
    /// How long it lives without one.
    pub lease_for: Duration,
}

/// Leases to replace.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct TakeOver {
    /// Who takes them.
    pub runner: RunnerId,
    /// What was seen dead, and the id of the lease that replaces it.
    pub leases: Vec<(LateLease, LeaseId)>,
    /// The time to stamp; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl TakeOver {
    /// These, at the engine's own time.
    #[must_use]
    pub const fn new(runner: RunnerId, leases: Vec<(LateLease, LeaseId)>) -> Self {
        Self { runner, leases, now: None }
    }
}

/// A lease that was replaced.
#[derive(Clone, Debug)]
pub struct TakenOver {
    /// Who held it.
    pub from: RunnerId,
    /// Whether it was made by [`isolate`](super::Backend::isolate), so that the task in it had a
    /// lease of its own when it began to run. Passed on when it is taken over again.
    pub alone: bool,
    /// What was not settled yet, under the new lease. Empty: nothing was left, and there is none.
    pub tasks: Vec<LeasedTask>,
}

/// Due tasks to move from later to ready.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Promote {
    /// At most so many.
    pub limit: u32,
    /// The time by which they are due; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl Promote {
    /// At most so many, by the engine's own time.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self { limit, now: None }
    }

    /// As if it were this time.
    #[must_use]
    pub const fn at(mut self, now: UtcDateTime) -> Self {
        self.now = Some(now);
        self
    }
}

/// What a promotion did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promoted {
    /// So many tasks were moved.
    pub moved: u32,
    /// In how long the next one becomes due, zero if it is; `None` when later is empty.
    pub due_in: Option<Duration>,
}
