//! What became of the tasks of a runner.

use std::{fmt, ops::AddAssign};

use super::outcome::Outcome;

/// What became of the tasks that a runner took, as far as it was saved.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Done.
    pub succeeded: u64,
    /// Over, without success.
    pub failed: u64,
    /// Failed, and back in the queue for another attempt.
    pub retried: u64,
    /// Back in the queue because their handlers asked for it.
    pub snoozed: u64,
    /// Canceled, from inside or by somebody's request.
    pub canceled: u64,
    /// Given back before they ran, or dropped at a stop.
    pub released: u64,
    /// Lost to another runner, so that their results were refused.
    pub lost: u64,
}

impl Summary {
    /// Handlers that ran to an end which was saved.
    #[must_use]
    pub const fn ran(&self) -> u64 {
        self.succeeded + self.failed + self.retried + self.snoozed + self.canceled
    }

    pub(super) fn count(&mut self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Success => &mut self.succeeded,
            Outcome::Failed => &mut self.failed,
            Outcome::Retried => &mut self.retried,
            Outcome::Snoozed => &mut self.snoozed,
            Outcome::Canceled | Outcome::Expired => &mut self.canceled,
            Outcome::Released => &mut self.released,
            Outcome::Lost => &mut self.lost,
        };
        *counter += 1;
    }
}

impl AddAssign for Summary {
    fn add_assign(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.failed += other.failed;
        self.retried += other.retried;
        self.snoozed += other.snoozed;
        self.canceled += other.canceled;
        self.released += other.released;
        self.lost += other.lost;
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = [
            (self.succeeded, "succeeded"),
            (self.failed, "failed"),
            (self.retried, "retried"),
            (self.snoozed, "snoozed"),
            (self.canceled, "canceled"),
            (self.released, "released"),
            (self.lost, "lost"),
        ];
        let mut words =
            counts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}"));
        let Some(first) = words.next() else { return f.write_str("nothing ran") };
        f.write_str(&first)?;
        words.try_for_each(|word| write!(f, ", {word}"))
    }
}
