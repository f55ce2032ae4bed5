//! What people call the state of a task.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The status of a task. A delayed task, or one that waits for a retry, is `queued` with a
/// `run_at` in the future.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Waits for a runner, or for its time.
    Queued,
    /// Leased by a runner.
    Running,
    /// Its handler succeeded.
    Success,
    /// It failed permanently, or once too often.
    Failed,
    /// Somebody canceled it.
    Canceled,
    /// Somebody paused it; it keeps its unique key.
    Paused,
}

impl Status {
    /// All of them, in the order of the lifecycle.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Success, Self::Failed, Self::Canceled, Self::Paused];

    /// Whether it is over: success, failed or canceled.
    #[must_use]
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Canceled)
    }

    /// The word that the view `task` shows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Paused => "paused",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
