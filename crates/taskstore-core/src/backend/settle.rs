//! Attempts on their way out.

use std::time::Duration;

use serde_json::value::RawValue;
use time::UtcDateTime;

use super::{Claim, Claimed, Lease};
use crate::{LogLine, Progress, Status};

/// Attempts to end, and perhaps the next batch to claim.
#[non_exhaustive]
#[derive(Clone, Debug, Default)]
pub struct Settle {
    /// May hold one task more than once, under different leases.
    pub settlements: Vec<Settlement>,
    /// Claimed in the same round trip, after the settlements.
    pub then: Option<Claim>,
    /// The time to stamp; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl Settle {
    /// These settlements and no claim, at the engine's own time.
    #[must_use]
    pub const fn new(settlements: Vec<Settlement>) -> Self {
        Self { settlements, then: None, now: None }
    }

    /// And then this claim.
    #[must_use]
    pub fn then(mut self, claim: Claim) -> Self {
        self.then = Some(claim);
        self
    }

    /// As if it were this time.
    #[must_use]
    pub const fn at(mut self, now: UtcDateTime) -> Self {
        self.now = Some(now);
        self
    }
}

/// The end of one attempt.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// The right to settle it.
    pub lease: Lease,
    /// What becomes of it; decided by core.
    pub to: Transition,
    /// When its handler ran; `None` if it never started, or nobody knows.
    pub run: Option<Run>,
    /// How far the handler came, if it said so since the last report.
    pub progress: Option<Progress>,
    /// Lines of its log that were not reported yet.
    pub log: Vec<LogLine>,
}

impl Settlement {
    /// Ends the attempt under `lease` as `to`, with no more to say.
    #[must_use]
    pub const fn new(lease: Lease, to: Transition) -> Self {
        Self { lease, to, run: None, progress: None, log: Vec::new() }
    }
}

/// When a handler ran, in durations, so that no two clocks are compared: it began
/// `claimed_at + started_after` and ended `ran_for` later, and a task's `started_at` and
/// `completed_at` are its own, not its batch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// From the claim to the handler's beginning.
    pub started_after: Duration,
    /// From there to its end.
    pub ran_for: Duration,
}

/// What becomes of a task at the end of an attempt.
#[derive(Clone, Debug)]
pub enum Transition {
    /// Done. The attempt is counted.
    Success {
        /// What the handler returned, unless that was nothing.
        output: Option<Box<RawValue>>,
    },
    /// Over. The attempt is counted.
    Failed {
        /// Why.
        error: String,
    },
    /// Canceled: from inside, or because it was not started in time.
    Canceled {
        /// Why.
        reason: String,
        /// Whether the attempt counts; not when it never began.
        attempt: AttemptIs,
    },
    /// Back to ready or later: a retry, a snooze, a release and the loss of a lease are one move. It
    /// yields to a cancel request or a soft delete that came meanwhile: the task then ends canceled,
    /// in the same statement, the attempt counted or not as it says here.
    Requeue {
        /// When it runs again.
        to: Requeue,
        /// Whether the attempt counts.
        attempt: AttemptIs,
        /// Whether it must be isolated before it runs again.
        suspect: bool,
        /// Why, if there is something to say.
        error: Option<String>,
    },
}

/// When a task that goes back to the queue runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requeue {
    /// Where it stood, in ready: it keeps its `run_at` and with it its place in line.
    AsBefore,
    /// So long after the engine's present time.
    After(Duration),
}

/// Whether an attempt counts towards `max_attempts`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptIs {
    /// It does.
    Counted,
    /// It does not.
    Refunded,
}

/// What became of a [`Settle`].
#[derive(Clone, Debug, Default)]
pub struct Settled {
    /// By position: a call may carry a task under a dead lease and under the one that replaced it.
    pub fates: Vec<Fate>,
    /// There if, and only if, a claim was asked for.
    pub claimed: Option<Claimed>,
}

/// Whether a guard held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It did.
    Applied {
        /// The status that the task has now.
        status: Status,
    },
    /// The lease had been taken over, or the task had moved on: nothing was changed.
    Lost,
}

/// What a running task has to say meanwhile.
#[derive(Clone, Debug)]
pub struct Report {
    /// The right to say it.
    pub lease: Lease,
    /// How far it has come, if that changed.
    pub progress: Option<Progress>,
    /// Lines of its log that were not reported yet.
    pub log: Vec<LogLine>,
}
