//! What was asked of a store and what it answered, as plain data that can be written to a file and
//! merged with the histories of other processes.

use std::{
    fmt,
    sync::OnceLock,
    time::{Instant, SystemTime},
};

use serde::{Deserialize, Serialize};
use taskstore_core::{
    Status, TaskId,
    backend::{
        AttemptIs, Enqueued, Fate, Lease, LeasedTask, Move, Outcome, Pulse, TakenOver, Transition,
    },
};
use ulid::Ulid;

/// What is unknown because nothing came back.
pub(super) const NO_ANSWER: &str = "no answer";

/// One thing that was asked of the store; of a request with several positions, one of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Who asked.
    pub by: u32,
    /// When the call was made, in microseconds, comparable within one machine.
    pub started: u64,
    /// When it returned; `None`: it never did, as far as anybody knows.
    pub ended: Option<u64>,
    /// What was asked, and what the answer was.
    pub what: What,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer<T> {
    /// This.
    Said(T),
    /// An error which says that nothing was done.
    Refused(String),
    /// An error that leaves it open whether it was done, or no answer at all.
    Unknown(String),
}

/// A request, by what it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A task to store.
    Enqueue {
        /// Its id.
        task: TaskId,
        /// Its unique key.
        key: Option<String>,
        /// `Some`: held back by this task.
        answer: Answer<Option<TaskId>>,
    },
    /// A claim under this lease.
    Claim {
        /// The lease to make.
        lease: Ulid,
        /// What it took.
        answer: Answer<Vec<Given>>,
    },
    /// What is leased under it.
    Recall {
        /// The lease asked about.
        lease: Ulid,
        /// What it holds.
        answer: Answer<Vec<Given>>,
    },
    /// The end of an attempt.
    Settle {
        /// The right to it.
        held: Held,
        /// What becomes of the task.
        to: To,
        /// `None`: lost.
        answer: Answer<Option<Status>>,
    },
    /// Progress or log lines.
    Report {
        /// The right to it.
        held: Held,
        /// `None`: lost.
        answer: Answer<Option<Status>>,
    },
    /// A lease of its own.
    Isolate {
        /// The right to it.
        held: Held,
        /// The lease to make.
        apart: Ulid,
        /// What is held then.
        answer: Answer<Option<Held>>,
    },
    /// A beat.
    Beat {
        /// The lease.
        lease: Ulid,
        /// Whether it was counted; `None`: busy.
        answer: Answer<Option<bool>>,
    },
    /// A lease to replace.
    TakeOver {
        /// The lease that was seen.
        seen: Ulid,
        /// At this beat.
        beat: u64,
        /// The lease to make.
        lease: Ulid,
        /// What it held; `None`: it was left alone.
        answer: Answer<Option<Taken>>,
    },
    /// A move that anyone may ask for.
    Control {
        /// The task.
        task: TaskId,
        /// The move.
        to: Asked,
        /// What became of it.
        answer: Answer<Became>,
    },
    /// The task as people see it.
    Look {
        /// The task.
        task: TaskId,
        /// As it was.
        answer: Answer<Option<Seen>>,
    },
    /// How its attempts ended.
    Attempts {
        /// The task.
        task: TaskId,
        /// The oldest first.
        answer: Answer<Vec<Ended>>,
    },
}

/// The right to settle an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Held {
    /// The task.
    pub task: TaskId,
    /// The lease.
    pub lease: Ulid,
    /// The turn.
    pub turn: u32,
}

/// A task in a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The right to settle it.
    pub held: Held,
    /// Attempts counted so far.
    pub attempts: u32,
    /// Whether it must be isolated.
    pub suspect: bool,
}

/// What a take-over found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Whether the lease had been made by an isolate.
    pub alone: bool,
    /// What was left in it.
    pub tasks: Vec<Given>,
}

/// What a settlement makes of a task.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum To {
    /// An end, with its output, error or reason.
    End(Status, Option<String>),
    /// Canceled without an attempt, for this reason.
    Discarded(String),
    /// Back to the queue.
    Back {
        /// Whether the attempt counts.
        counted: bool,
        /// Whether it becomes suspect.
        suspect: bool,
        /// Why.
        error: Option<String>,
    },
}

/// A move that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Asked {
    /// Cancel, for this reason.
    Cancel(String),
    /// Pause.
    Pause,
    /// Resume.
    Resume,
    /// Requeue.
    Requeue,
    /// Reschedule.
    Reschedule,
    /// Soft-delete.
    Delete,
    /// Restore.
    Restore,
    /// Purge.
    Purge,
}

/// What a control call made of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Became {
    /// Moved from the one to the other.
    Moved(Status, Status),
    /// Its holder is asked.
    Requested,
    /// Not allowed from this status.
    Refused(Status),
    /// Its key is held by this task.
    KeyHeldBy(TaskId),
    /// Not there, or hidden.
    Missing,
}

/// A task as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Its status.
    pub status: Status,
    /// As people count.
    pub attempts: u32,
    /// Whether it is suspect.
    pub suspect: bool,
    /// Whether a cancel was requested.
    pub cancel_requested: bool,
    /// Whether it is soft-deleted.
    pub deleted: bool,
}

/// The end of an attempt as people see it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Ended {
    /// The turn of its claim.
    pub turn: u32,
    /// What became of the task.
    pub status: Status,
    /// The output, error or reason.
    pub text: Option<String>,
}

impl Event {
    /// The task that it is about, for what is about a single one.
    #[must_use]
    pub const fn task(&self) -> Option<TaskId> {
        match &self.what {
            What::Enqueue { task, .. }
            | What::Control { task, .. }
            | What::Look { task, .. }
            | What::Attempts { task, .. } => Some(*task),
            What::Settle { held, .. } | What::Report { held, .. } | What::Isolate { held, .. } => {
                Some(held.task)
            }
            What::Claim { .. }
            | What::Recall { .. }
            | What::Beat { .. }
            | What::TakeOver { .. } => None,
        }
    }
}

impl What {
    /// Why the outcome is unknown, if it is.
    pub(crate) fn unknown(&self) -> Option<&str> {
        match self {
            Self::Enqueue { answer, .. } => answer.unknown(),
            Self::Claim { answer, .. } | Self::Recall { answer, .. } => answer.unknown(),
            Self::Settle { answer, .. } | Self::Report { answer, .. } => answer.unknown(),
            Self::Isolate { answer, .. } => answer.unknown(),
            Self::Beat { answer, .. } => answer.unknown(),
            Self::TakeOver { answer, .. } => answer.unknown(),
            Self::Control { answer, .. } => answer.unknown(),
            Self::Look { answer, .. } => answer.unknown(),
            Self::Attempts { answer, .. } => answer.unknown(),
        }
    }
}

impl<T> Answer<T> {
    fn unknown(&self) -> Option<&str> {
        match self {
            Self::Unknown(why) => Some(why),
            Self::Said(_) | Self::Refused(_) => None,
        }
    }

    /// What was said, if anything was.
    pub const fn said(&self) -> Option<&T> {
        match self {
            Self::Said(said) => Some(said),
            Self::Refused(_) | Self::Unknown(_) => None,
        }
    }
}

/// Microseconds: never back within a process, and comparable between the processes of a machine.
pub(crate) fn micros() -> u64 {
    static START: OnceLock<(Instant, u64)> = OnceLock::new();
    let (start, at_start) = START.get_or_init(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        (Instant::now(), u64::try_from(since.as_micros()).unwrap_or_default())
    });
    at_start.saturating_add(u64::try_from(start.elapsed().as_micros()).unwrap_or_default())
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} turn {} under {}", self.task, self.turn, self.lease)
    }
}

impl From<Lease> for Held {
    fn from(lease: Lease) -> Self {
        Self { task: lease.task, lease: lease.batch.ulid(), turn: lease.turn }
    }
}

impl From<&LeasedTask> for Given {
    fn from(task: &LeasedTask) -> Self {
        Self { held: task.lease.into(), attempts: task.attempts, suspect: task.suspect }
    }
}

impl From<&TakenOver> for Taken {
    fn from(taken: &TakenOver) -> Self {
        Self { alone: taken.alone, tasks: taken.tasks.iter().map(Given::from).collect() }
    }
}

impl From<&Transition> for To {
    fn from(transition: &Transition) -> Self {
        match transition {
            Transition::Success { output } => {
                Self::End(Status::Success, output.as_ref().map(|output| output.get().to_owned()))
            }
            Transition::Failed { error } => Self::End(Status::Failed, Some(error.clone())),
            Transition::Canceled { reason, attempt: AttemptIs::Counted } => {
                Self::End(Status::Canceled, Some(reason.clone()))
            }
            Transition::Canceled { reason, .. } => Self::Discarded(reason.clone()),
            Transition::Requeue { attempt, suspect, error, .. } => Self::Back {
                counted: *attempt == AttemptIs::Counted,
                suspect: *suspect,
                error: error.clone(),
            },
        }
    }
}

impl From<&Move> for Asked {
    fn from(to: &Move) -> Self {
        match to {
            Move::Cancel { reason } => Self::Cancel(reason.clone()),
            Move::Pause => Self::Pause,
            Move::Resume => Self::Resume,
            Move::Requeue { .. } => Self::Requeue,
            Move::Reschedule { .. } => Self::Reschedule,
            Move::Delete => Self::Delete,
            Move::Restore => Self::Restore,
            Move::Purge { .. } => Self::Purge,
        }
    }
}

impl From<Outcome> for Became {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Moved { from, to } => Self::Moved(from, to),
            Outcome::Requested => Self::Requested,
            Outcome::Refused(status) => Self::Refused(status),
            Outcome::KeyHeldBy(task) => Self::KeyHeldBy(task),
            Outcome::Missing => Self::Missing,
        }
    }
}

pub(super) fn fate(fate: Fate) -> Option<Status> {
    match fate {
        Fate::Applied { status } => Some(status),
        Fate::Lost => None,
    }
}

pub(super) fn enqueued(enqueued: Enqueued) -> Option<TaskId> {
    match enqueued {
        Enqueued::Stored => None,
        Enqueued::Duplicate(holder) => Some(holder),
    }
}

pub(super) fn pulse(pulse: Pulse) -> Option<bool> {
    match pulse {
        Pulse::Alive => Some(true),
        Pulse::Lost => Some(false),
        Pulse::Busy => None,
    }
}
