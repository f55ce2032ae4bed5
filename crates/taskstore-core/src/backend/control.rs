//! What anyone may ask for, without a lease.

use serde_json::value::RawValue;
use time::UtcDateTime;

use super::When;
use crate::{QueueName, Status, TaskId};

/// A move to make with tasks.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Control {
    /// Which tasks.
    pub ids: Vec<TaskId>,
    /// The statuses that the move is allowed from; core's lifecycle says so, not the caller.
    pub from: Vec<Status>,
    /// The move.
    pub to: Move,
    /// The time to stamp; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl Control {
    /// This move, from the statuses that the lifecycle allows, at the engine's own time.
    #[must_use]
    pub fn new(ids: Vec<TaskId>, to: Move) -> Self {
        Self { ids, from: crate::lifecycle::allowed_from(&to), to, now: None }
    }

    /// As if it were this time.
    #[must_use]
    pub const fn at(mut self, now: UtcDateTime) -> Self {
        self.now = Some(now);
        self
    }
}

/// A move that anyone may ask for.
#[derive(Clone, Debug)]
pub enum Move {
    /// Ends a waiting task; asks the holder of a running one to end it.
    Cancel {
        /// Why; becomes the task's last error when it ends here.
        reason: String,
    },
    /// Takes a waiting task out of its queue; it keeps its unique key.
    Pause,
    /// Puts a paused task back, with the `run_at` that it had.
    Resume,
    /// Runs an ended task again, now: attempts and progress reset, its unique key taken again, the
    /// same id. When it was to expire is forgotten, for it was asked for again.
    Requeue {
        /// `None` keeps the parameters.
        parameters: Option<Box<RawValue>>,
    },
    /// Changes what a waiting or paused task waits for; `None` keeps. Whether a waiting one is then in ready
    /// or in later goes by the engine's present time, also when its time was not changed.
    Reschedule {
        /// When it runs.
        when: Option<When>,
        /// Its priority.
        priority: Option<i16>,
        /// Its queue.
        queue: Option<QueueName>,
    },
    /// Cancels what waits, asks the holder of what runs, and hides it.
    Delete,
    /// Shows a soft-deleted task again, as it is.
    Restore,
    /// Removes an ended task for good, soft-deleted or not, with everything of it: parameters,
    /// attempts, outputs, log. Its id is unknown from then on.
    Purge {
        /// Only if it ended before this time, and was soft-deleted before it if it is soft-deleted;
        /// `None`: whenever that was.
        before: Option<UtcDateTime>,
    },
}

/// What became of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The move was made.
    Moved {
        /// The status that it had
        from: Status,
        /// and has now; the same for a reschedule, a restore, a purge, and the deletion of an ended
        /// task.
        to: Status,
    },
    /// A cancel request was left for the holder of its lease, or was there already.
    Requested,
    /// The lifecycle does not allow it from this status; or it is a requeue, and the definition was
    /// [deleted for good](super::Backend::delete_definition); or it is a purge of what ended before a
    /// time, and this ended later.
    Refused(Status),
    /// Its unique key is held by this live task.
    KeyHeldBy(TaskId),
    /// There is no such task, or it is soft-deleted; for a restore, it is not soft-deleted. A purge
    /// finds both.
    Missing,
}
