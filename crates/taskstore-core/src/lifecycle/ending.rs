//! How an attempt ended, with what there is to say, as the transition that a store applies.

use std::time::Duration;

use serde_json::value::RawValue;
use time::UtcDateTime;

use super::{Event, Next, Policy, Retry, Standing, next};
use crate::{
    Status,
    backend::{AttemptIs, Requeue, Transition},
    clock,
    limits::{ERROR_BYTES_MAX, tame},
};

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Ending {
    /// The handler succeeded.
    Succeeded {
        /// What it returned, unless that was nothing.
        output: Option<Box<RawValue>>,
    },
    /// The handler failed, panicked, or ran out of time.
    Failed {
        /// Whether and when it is tried again.
        retry: Retry,
        /// Why.
        error: String,
    },
    /// The handler asks to be run again later.
    Snoozed(Duration),
    /// The handler canceled it.
    Canceled {
        /// Why.
        reason: String,
    },
    /// Nobody started it in time.
    Expired {
        /// By when it was to be started.
        start_by: UtcDateTime,
    },
    /// Its runner gives it back.
    Released,
    /// Its runner died.
    LeaseLost {
        /// Whether it had a lease of its own when it began to run.
        alone: bool,
    },
    /// It was found in no place: somebody has written to the tables by hand.
    Astray,
}

impl Ending {
    fn event(&self) -> Event {
        match self {
            Self::Succeeded { .. } => Event::Succeeded,
            Self::Failed { retry, .. } => Event::Failed(*retry),
            Self::Snoozed(by) => Event::Snoozed(*by),
            Self::Canceled { .. } => Event::CanceledInside,
            Self::Expired { .. } => Event::Expired,
            Self::Released => Event::Released,
            // Nobody knows whether it ran: what holds of a shared lease holds of it.
            Self::Astray => Event::LeaseLost { alone: false },
            Self::LeaseLost { alone } => Event::LeaseLost { alone: *alone },
        }
    }

    /// The transition for a task that was running: [`next`], with the output, error or reason.
    #[must_use]
    pub fn settle(self, standing: &Standing, policy: Policy<'_>) -> Transition {
        let running = Standing { status: Status::Running, ..*standing };
        let next = next(&running, self.event(), policy);
        let (output, error) = self.into_words();
        let said = || error.clone().unwrap_or_default();
        match next {
            Some(Next::Ended { status: Status::Success, .. }) => Transition::Success { output },
            Some(Next::Ended { status: Status::Failed, .. }) => {
                Transition::Failed { error: said() }
            }
            Some(Next::Ended { attempt, .. }) => Transition::Canceled { reason: said(), attempt },
            Some(Next::Queued { to, attempt, suspect }) => {
                Transition::Requeue { to, attempt, suspect, error }
            }
            // No ending of a running task leads anywhere else; giving it back is always safe.
            _ => Transition::Requeue {
                to: Requeue::AsBefore,
                attempt: AttemptIs::Refunded,
                suspect: standing.suspect,
                error,
            },
        }
    }

    fn into_words(self) -> (Option<Box<RawValue>>, Option<String>) {
        let words = |text| Some(tame(text, ERROR_BYTES_MAX));
        match self {
            Self::Succeeded { output } => (output, None),
            Self::Failed { error, .. } => (None, words(error)),
            Self::Canceled { reason } => (None, words(reason)),
            Self::Expired { start_by } => {
                (None, words(format!("expired: not started by {}", clock::to_text(start_by))))
            }
            Self::Snoozed(_) | Self::Released => (None, None),
            Self::Astray => (None, words("it was in no place, and was put back".into())),
            Self::LeaseLost { alone: true } => {
                (None, words("its runner died while it ran this task alone".into()))
            }
            Self::LeaseLost { alone: false } => {
                (None, words("its runner died; the attempt is not counted".into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Backoff;

    fn settle(ending: Ending, attempts: u32) -> Transition {
        let policy = Policy { backoff: &Backoff::Fixed(Duration::from_secs(1)), chance: 0.5 };
        ending.settle(&Standing::running(attempts, 3), policy)
    }

    #[test]
    fn a_failure_keeps_its_reason_until_the_end() {
        let failed = || Ending::Failed { retry: Retry::ByBackoff, error: "no\0route".into() };
        assert!(matches!(settle(failed(), 0),
            Transition::Requeue { to: Requeue::After(_), attempt: AttemptIs::Counted, error: Some(error), .. }
            if error == "no\u{FFFD}route"));
        assert!(
            matches!(settle(failed(), 2), Transition::Failed { error } if error == "no\u{FFFD}route")
        );
    }

    #[test]
    fn a_lost_lease_says_so() {
        assert!(matches!(
            settle(Ending::LeaseLost { alone: false }, 2),
            Transition::Requeue { attempt: AttemptIs::Refunded, suspect: true, error: Some(_), .. }
        ));
        assert!(matches!(settle(Ending::LeaseLost { alone: true }, 2),
            Transition::Failed { error } if error.contains("died")));
    }

    #[test]
    fn a_task_that_expired_is_canceled_with_its_time_and_without_an_attempt() {
        let expired = || Ending::Expired { start_by: clock::from_micros(1_700_000_000_000_001) };
        for attempts in [0, 2, 9] {
            let Transition::Canceled { reason, attempt } = settle(expired(), attempts) else {
                panic!("it is canceled")
            };
            assert_eq!(reason, "expired: not started by 2023-11-14 22:13:20.000001");
            assert_eq!(attempt, AttemptIs::Refunded);
        }
    }

    #[test]
    fn what_was_astray_goes_back_uncharged_and_suspect() {
        assert!(matches!(
            settle(Ending::Astray, 2),
            Transition::Requeue {
                to: Requeue::AsBefore,
                attempt: AttemptIs::Refunded,
                suspect: true,
                error: Some(_),
            }
        ));
    }

    #[test]
    fn a_release_has_nothing_to_say() {
        assert!(matches!(
            settle(Ending::Released, 2),
            Transition::Requeue {
                to: Requeue::AsBefore,
                attempt: AttemptIs::Refunded,
                error: None,
                ..
            }
        ));
    }
}
