//! The lifecycle of a task, as one pure function.
//!
//! ```text
//!             promote                claim                     success
//!  later ───────────────▶ ready ───────────────▶ running ───────────────▶ success
//!    ▲                      ▲                     │  │  │   none left
//!    │       retry, snooze  │  release, lost      │  │  └──────────────────▶ failed
//!    └──────────────────────┴─────────────────────┘  │      cancel
//!  queued ◀── resume ── paused ◀── pause ── queued   └─────────────────────▶ canceled
//!    ▲                                                                        │
//!    └──────────────────── requeue (from any end) ────────────────────────────┘
//!                                                    purge (from any end) ──▶ gone
//! ```
//!
//! [`next`] is the only place where a status is decided. What is not in its table is
//! [`InvalidTransition`](crate::Error::InvalidTransition).

mod ending;

use std::time::Duration;

pub use ending::Ending;

use crate::{
    Backoff, Status,
    backend::{AttemptIs, Move, Requeue},
};

/// Where a task stands before an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its status.
    pub status: Status,
    /// Attempts that have ended and were counted.
    pub attempts: u32,
    /// How many it may have, from the task or else its handler.
    pub max_attempts: u32,
    /// Whether somebody has asked for it to be canceled or deleted while it runs.
    pub cancel_requested: bool,
    /// Whether a lease on it was lost before, and it has not run to an end since.
    pub suspect: bool,
}

impl Standing {
    /// A task that is running its attempt number `attempts + 1`.
    #[must_use]
    pub const fn running(attempts: u32, max_attempts: u32) -> Self {
        Self {
            status: Status::Running,
            attempts,
            max_attempts,
            cancel_requested: false,
            suspect: false,
        }
    }
}

/// What happens to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A runner takes it.
    Claimed,
    /// Its handler succeeded.
    Succeeded,
    /// Its handler failed, panicked, or ran out of time.
    Failed(Retry),
    /// Its handler asks to be run again later.
    Snoozed(Duration),
    /// Its handler canceled it.
    CanceledInside,
    /// A runner met it when it was too late to start it.
    Expired,
    /// Its runner gives it back.
    Released,
    /// Its runner died.
    LeaseLost {
        /// Whether it had a lease of its own when it began to run, so that it is the one to blame.
        alone: bool,
    },
    /// Somebody cancels it.
    Cancel,
    /// Somebody pauses it.
    Pause,
    /// Somebody resumes it.
    Resume,
    /// Somebody changes its time, priority or queue.
    Reschedule,
    /// Somebody wants it run again.
    Requeue,
    /// Somebody soft-deletes it.
    Delete,
    /// Somebody shows it again.
    Restore,
    /// Somebody removes it for good.
    Purge,
}

impl Event {
    /// One of each kind.
    pub const ALL: [Self; 17] = [
        Self::Claimed,
        Self::Succeeded,
        Self::Failed(Retry::ByBackoff),
        Self::Snoozed(Duration::ZERO),
        Self::CanceledInside,
        Self::Expired,
        Self::Released,
        Self::LeaseLost { alone: false },
        Self::LeaseLost { alone: true },
        Self::Cancel,
        Self::Pause,
        Self::Resume,
        Self::Reschedule,
        Self::Requeue,
        Self::Delete,
        Self::Restore,
        Self::Purge,
    ];
}

/// Whether and when a failure is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// After the handler's backoff.
    ByBackoff,
    /// After this delay.
    After(Duration),
    /// Never: the failure is permanent.
    Never,
}

/// What a failure needs to be judged by.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    /// How long to wait before another attempt.
    pub backoff: &'a Backoff,
    /// A random number in `0.0..1.0` that varies the wait; 0.5 leaves it as it is.
    pub chance: f64,
}

/// Where a task goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// To its runner.
    Running,
    /// To an end. Its unique key is free.
    Ended {
        /// Success, failed or canceled.
        status: Status,
        /// Whether the attempt that was running counts.
        attempt: AttemptIs,
    },
    /// Back to the queue.
    Queued {
        /// When it runs again.
        to: Requeue,
        /// Whether the attempt that was running counts.
        attempt: AttemptIs,
        /// Whether it must be isolated before it runs again.
        suspect: bool,
    },
    /// To the queue from an end, as if it were new: attempts reset.
    Afresh,
    /// Aside.
    Paused,
    /// Nowhere yet: its holder is asked.
    Requested,
    /// Nowhere: its status stays.
    Unchanged,
    /// Out of the store, with everything of it.
    Gone,
}

/// The lifecycle: where a task goes from where it stands. `None`: not allowed.
#[must_use]
pub fn next(standing: &Standing, event: Event, policy: Policy<'_>) -> Option<Next> {
    use Event::{
        Cancel, CanceledInside, Claimed, Delete, Expired, Failed, LeaseLost, Pause, Released,
        Reschedule, Restore, Resume, Snoozed, Succeeded,
    };
    use Status::{Canceled, Paused, Queued, Running, Success};

    Some(match (standing.status, event) {
        (Queued, Claimed) => Next::Running,

        (Running, Succeeded) => ended(Success),
        (Running, CanceledInside) => ended(Canceled),
        (Running, Expired) => Next::Ended { status: Canceled, attempt: AttemptIs::Refunded },
        (Running, Failed(retry)) => failed(standing, retry, policy, false),
        (Running, Snoozed(by)) => back(standing, Requeue::After(by), false),
        (Running, Released) => back(standing, Requeue::AsBefore, standing.suspect),
        (Running, LeaseLost { alone: false }) => back(standing, Requeue::AsBefore, true),
        (Running, LeaseLost { alone: true }) => failed(standing, Retry::ByBackoff, policy, true),
        (Running, Cancel | Delete) => Next::Requested,

        (Queued | Paused, Cancel | Delete) => {
            Next::Ended { status: Canceled, attempt: AttemptIs::Refunded }
        }
        (Queued, Pause) => Next::Paused,
        (Paused, Resume) => {
            let suspect = standing.suspect;
            Next::Queued { to: Requeue::AsBefore, attempt: AttemptIs::Refunded, suspect }
        }
        (Queued | Paused, Reschedule) | (_, Restore) => Next::Unchanged,
        (status, Event::Requeue) if status.has_ended() => Next::Afresh,
        (status, Delete) if status.has_ended() => Next::Unchanged,
        (status, Event::Purge) if status.has_ended() => Next::Gone,

        _ => return None,
    })
}

/// The statuses from which anyone may ask for a move.
#[must_use]
pub fn allowed_from(to: &Move) -> Vec<Status> {
    let event = match to {
        Move::Cancel { .. } => Event::Cancel,
        Move::Pause => Event::Pause,
        Move::Resume => Event::Resume,
        Move::Requeue { .. } => Event::Requeue,
        Move::Reschedule { .. } => Event::Reschedule,
        Move::Delete => Event::Delete,
        Move::Restore => Event::Restore,
        Move::Purge { .. } => Event::Purge,
    };
    let policy = Policy { backoff: &Backoff::Polynomial, chance: 0.5 };
    let standing = |status| Standing { status, ..Standing::running(0, 1) };
    Status::ALL
        .into_iter()
        .filter(|&status| next(&standing(status), event, policy).is_some())
        .collect()
}

const fn ended(status: Status) -> Next {
    Next::Ended { status, attempt: AttemptIs::Counted }
}

fn failed(standing: &Standing, retry: Retry, policy: Policy<'_>, suspect: bool) -> Next {
    let attempt = standing.attempts.saturating_add(1);
    let delay = match retry {
        Retry::Never => return ended(Status::Failed),
        _ if attempt >= standing.max_attempts => return ended(Status::Failed),
        Retry::After(delay) => delay,
        Retry::ByBackoff => policy.backoff.delay(attempt, policy.chance),
    };
    yielding(standing, Requeue::After(delay), AttemptIs::Counted, suspect)
}

fn back(standing: &Standing, to: Requeue, suspect: bool) -> Next {
    yielding(standing, to, AttemptIs::Refunded, suspect)
}

/// Whatever would go back to the queue yields to a cancel request.
const fn yielding(standing: &Standing, to: Requeue, attempt: AttemptIs, suspect: bool) -> Next {
    if standing.cancel_requested {
        Next::Ended { status: Status::Canceled, attempt }
    } else {
        Next::Queued { to, attempt, suspect }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::AttemptIs::{Counted, Refunded};

    const SECOND: Duration = Duration::from_secs(1);

    fn step(status: Status, event: Event, cancel_requested: bool) -> Option<Next> {
        let backoff = Backoff::fixed(SECOND);
        let standing = Standing { status, cancel_requested, ..Standing::running(1, 3) };
        next(&standing, event, Policy { backoff: &backoff, chance: 0.5 })
    }

    fn queued(to: Requeue, attempt: AttemptIs, suspect: bool) -> Option<Next> {
        Some(Next::Queued { to, attempt, suspect })
    }

    fn over(status: Status, attempt: AttemptIs) -> Option<Next> {
        Some(Next::Ended { status, attempt })
    }

    /// The table of the lifecycle, every status by every event: what is not listed is not allowed.
    #[test]
    fn the_transition_table() {
        use Event::{
            Cancel, CanceledInside, Claimed, Delete, Expired, LeaseLost, Pause, Released,
            Reschedule, Restore, Resume, Snoozed, Succeeded,
        };
        use Requeue::{After, AsBefore};
        use Status::{Canceled, Paused, Queued, Running, Success};

        let table = |status: Status, event: Event| match (status, event) {
            (Queued, Claimed) => Some(Next::Running),
            (Running, Succeeded) => over(Success, Counted),
            (Running, Event::Failed(_)) => queued(After(SECOND), Counted, false),
            (Running, Snoozed(by)) => queued(After(by), Refunded, false),
            (Running, CanceledInside) => over(Canceled, Counted),
            (Running, Expired) => over(Canceled, Refunded),
            (Running, Released) => queued(AsBefore, Refunded, false),
            (Running, LeaseLost { alone: false }) => queued(AsBefore, Refunded, true),
            (Running, LeaseLost { alone: true }) => queued(After(SECOND), Counted, true),
            (Running, Cancel | Delete) => Some(Next::Requested),
            (Queued | Paused, Cancel | Delete) => over(Canceled, Refunded),
            (Queued, Pause) => Some(Next::Paused),
            (Paused, Resume) => queued(AsBefore, Refunded, false),
            (Queued | Paused, Reschedule) | (_, Restore) => Some(Next::Unchanged),
            (Success | Status::Failed | Canceled, Event::Requeue) => Some(Next::Afresh),
            (Success | Status::Failed | Canceled, Delete) => Some(Next::Unchanged),
            (Success | Status::Failed | Canceled, Event::Purge) => Some(Next::Gone),
            _ => None,
        };
        for status in Status::ALL {
            for event in Event::ALL {
                assert_eq!(step(status, event, false), table(status, event), "{status} {event:?}");
            }
        }
    }

    #[test]
    fn the_last_attempt_fails_for_good() {
        let backoff = Backoff::default();
        let policy = Policy { backoff: &backoff, chance: 0.5 };
        for event in [
            Event::Failed(Retry::ByBackoff),
            Event::Failed(Retry::After(SECOND)),
            Event::LeaseLost { alone: true },
        ] {
            assert_eq!(
                next(&Standing::running(2, 3), event, policy),
                over(Status::Failed, Counted)
            );
            assert_eq!(
                next(&Standing::running(9, 3), event, policy),
                over(Status::Failed, Counted)
            );
        }
        assert_eq!(
            next(&Standing::running(0, 1), Event::Failed(Retry::ByBackoff), policy),
            over(Status::Failed, Counted)
        );
    }

    #[test]
    fn a_suspect_that_never_ran_stays_one() {
        let policy = Policy { backoff: &Backoff::Polynomial, chance: 0.5 };
        let standing = Standing { suspect: true, ..Standing::running(0, 3) };
        assert_eq!(
            next(&standing, Event::Released, policy),
            queued(Requeue::AsBefore, Refunded, true)
        );
        assert_eq!(
            next(&standing, Event::Snoozed(SECOND), policy),
            queued(Requeue::After(SECOND), Refunded, false)
        );
    }

    #[test]
    fn a_permanent_failure_is_never_tried_again() {
        assert_eq!(
            step(Status::Running, Event::Failed(Retry::Never), false),
            over(Status::Failed, Counted)
        );
    }

    #[test]
    fn what_would_go_back_yields_to_a_cancel_request_and_an_end_does_not() {
        use Event::*;
        let canceled = |attempt| over(Status::Canceled, attempt);
        for (event, expected) in [
            (Failed(Retry::ByBackoff), canceled(Counted)),
            (Snoozed(SECOND), canceled(Refunded)),
            (Released, canceled(Refunded)),
            (LeaseLost { alone: false }, canceled(Refunded)),
            (LeaseLost { alone: true }, canceled(Counted)),
            (Succeeded, over(Status::Success, Counted)),
            (Failed(Retry::Never), over(Status::Failed, Counted)),
        ] {
            assert_eq!(step(Status::Running, event, true), expected, "{event:?}");
        }
    }

    #[test]
    fn moves_are_allowed_from_the_statuses_of_the_table() {
        use Status::*;
        assert_eq!(
            allowed_from(&Move::Cancel { reason: String::new() }),
            [Queued, Running, Paused]
        );
        assert_eq!(allowed_from(&Move::Pause), [Queued]);
        assert_eq!(allowed_from(&Move::Resume), [Paused]);
        assert_eq!(allowed_from(&Move::Requeue { parameters: None }), [Success, Failed, Canceled]);
        assert_eq!(
            allowed_from(&Move::Reschedule { when: None, priority: None, queue: None }),
            [Queued, Paused]
        );
        assert_eq!(allowed_from(&Move::Delete), Status::ALL);
        assert_eq!(allowed_from(&Move::Restore), Status::ALL);
        assert_eq!(allowed_from(&Move::Purge { before: None }), [Success, Failed, Canceled]);
    }
}
