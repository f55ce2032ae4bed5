//! How an attempt ended, in one word: for sums, events and metrics.

use crate::{
    Status,
    backend::{AttemptIs, Requeue, Transition},
};

/// What became of a task that a runner took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Success,
    Failed,
    Retried,
    Snoozed,
    Canceled,
    /// It was too late to start it.
    Expired,
    Released,
    Lost,
}

impl Outcome {
    /// All of them, in the order of the enum.
    #[cfg(feature = "metrics")]
    pub(crate) const ALL: [Self; 8] = [
        Self::Success,
        Self::Failed,
        Self::Retried,
        Self::Snoozed,
        Self::Canceled,
        Self::Expired,
        Self::Released,
        Self::Lost,
    ];

    /// What a settlement came to, where the store says that the task has this status.
    pub(crate) fn saved(to: &Transition, status: Status) -> Self {
        match status {
            Status::Success => Self::Success,
            Status::Failed => Self::Failed,
            Status::Canceled if matches!(Self::decided(to), Self::Expired) => Self::Expired,
            Status::Canceled => Self::Canceled,
            Status::Queued | Status::Running | Status::Paused => Self::decided(to),
        }
    }

    /// What it will come to, unless somebody cancels the task meanwhile.
    pub(crate) fn decided(to: &Transition) -> Self {
        match to {
            Transition::Success { .. } => Self::Success,
            Transition::Failed { .. } => Self::Failed,
            Transition::Canceled { attempt: AttemptIs::Counted, .. } => Self::Canceled,
            Transition::Canceled { attempt: AttemptIs::Refunded, .. } => Self::Expired,
            Transition::Requeue { attempt: AttemptIs::Counted, .. } => Self::Retried,
            Transition::Requeue { to: Requeue::After(_), .. } => Self::Snoozed,
            Transition::Requeue { to: Requeue::AsBefore, .. } => Self::Released,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Retried => "retried",
            Self::Snoozed => "snoozed",
            Self::Canceled => "canceled",
            Self::Expired => "expired",
            Self::Released => "released",
            Self::Lost => "lost",
        }
    }
}
