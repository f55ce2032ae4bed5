//! A task as people read it.

use std::time::Duration;

use serde_json::value::RawValue;
use time::UtcDateTime;

use super::{Alias, DefinitionId, QueueName, RunnerId, Status, TaskId};

/// A task as it stands.
#[derive(Clone, Debug)]
pub struct Task {
    /// Its id.
    pub id: TaskId,
    /// Its status.
    pub status: Status,
    /// The queue that it waits in or came from.
    pub queue: QueueName,
    /// The kind of work.
    pub definition: DefinitionId,
    /// The alias of that definition.
    pub alias: Alias,
    /// What its handler is given, as JSON: `parameters.get()` is the text.
    pub parameters: Box<RawValue>,
    /// What its handler returned when it succeeded, as JSON: `get()` is the text.
    pub output: Option<Box<RawValue>>,
    /// The newest error of any of its attempts, also when a later one succeeded; or why it was
    /// canceled.
    pub last_error: Option<String>,
    /// How far its handler has come, as last reported.
    pub progress: Option<Progress>,
    /// A lower number runs first; 0 by default.
    pub priority: i16,
    /// As people count: the attempts that were counted, and the one that is running.
    pub attempts: u32,
    /// `None`: as its handler says.
    pub max_attempts: Option<u32>,
    /// Whether its runner died while it held the task: it runs next in a lease of its own.
    pub suspect: bool,
    /// When it may run.
    pub run_at: UtcDateTime,
    /// When it is discarded, if its handler has not begun by then.
    pub expires_at: Option<UtcDateTime>,
    /// How long one run may take; `None`: as its handler says.
    pub timeout: Option<Duration>,
    /// When it was enqueued.
    pub created_at: UtcDateTime,
    /// When anything about it was last changed. A claim, a promotion and a take-over move it, and change
    /// nothing.
    pub updated_at: UtcDateTime,
    /// When its last attempt began, by the handler's own time.
    pub started_at: Option<UtcDateTime>,
    /// When it ended, by the handler's own time.
    pub completed_at: Option<UtcDateTime>,
    /// When it was soft-deleted.
    pub deleted_at: Option<UtcDateTime>,
    /// When somebody asked for its running attempt to be canceled.
    pub cancel_requested_at: Option<UtcDateTime>,
    /// Who runs it, while it is running.
    pub held_by: Option<Holder>,
}

/// How far a handler has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// So much is done
    pub done: u64,
    /// of so much.
    pub total: u64,
}

/// Who runs a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The runner.
    pub runner: RunnerId,
    /// When it claimed the task.
    pub claimed_at: UtcDateTime,
    /// When it last said that it is alive.
    pub last_beat_at: UtcDateTime,
}

/// How one attempt ended. An attempt that left nothing to say (a release, a snooze) leaves none.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The turn that it was claimed at. Turns only grow; not every one is an attempt.
    pub turn: u32,
    /// What became of the task: `queued` when it went back to be tried again.
    pub status: Status,
    /// Who ran it; `None` for a success without output, of which only the times are kept.
    pub runner: Option<RunnerId>,
    /// When it began.
    pub started_at: UtcDateTime,
    /// When it ended.
    pub ended_at: UtcDateTime,
    /// What it returned.
    pub output: Option<Box<RawValue>>,
    /// Why it failed or was canceled.
    pub error: Option<String>,
}
