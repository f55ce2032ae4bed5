//! What can go wrong, as values that a caller can act on.

use std::{fmt, time::Duration};

use crate::{
    model::{Alias, LogLine, Status, TaskId},
    store::BulkReport,
};

/// The result of everything here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Any error as a source.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong with the store. A handler's own failure is another type.
///
/// `Debug` shows the same text as `Display`, because that is what a program prints whose `main`
/// returns it:
///
/// ```
/// # use taskstore_core::Error;
/// let error = Error::not_found("task", "7");
/// assert_eq!(format!("Error: {error:?}"), "Error: task 7 was not found");
/// ```
#[non_exhaustive]
#[derive(thiserror::Error)]
pub enum Error {
    /// There is no such thing.
    #[error("{what} {key} was not found{}", advice(what))]
    NotFound {
        /// What was looked for: `task`, `task definition`, `handler`.
        what: &'static str,
        /// The id or name that was asked for.
        key: String,
    },
    /// There is one already.
    #[error("{what} {key} exists already{}", instead(what))]
    AlreadyExists {
        /// What was to be made.
        what: &'static str,
        /// Its id or name.
        key: String,
    },
    /// It cannot be removed, because something else still needs it.
    #[error("{what} {key} is in use: {by}")]
    InUse {
        /// What was to be removed.
        what: &'static str,
        /// Its id or name.
        key: String,
        /// What needs it.
        by: &'static str,
    },
    /// Somebody else changed it since it was read. Nothing was written.
    #[error("{what} {key} was changed meanwhile: read it again")]
    Changed {
        /// What was to be changed.
        what: &'static str,
        /// Its id or name.
        key: String,
    },
    /// A value that cannot be accepted. Nothing was written.
    #[error("{field} is not valid: {reason}")]
    Invalid {
        /// The field, as the caller typed it.
        field: &'static str,
        /// What is wrong, and what would be right.
        reason: String,
    },
    /// The lifecycle does not allow this move from the status that the task has.
    #[error("task {task} is {from} and cannot be {to}")]
    InvalidTransition {
        /// The task.
        task: TaskId,
        /// The status it has.
        from: Status,
        /// What was asked, as a participle: `canceled`, `paused`.
        to: &'static str,
    },
    /// A handler that was run directly did not succeed.
    #[error("{alias} failed: {message}")]
    Handler {
        /// Its alias.
        alias: Alias,
        /// What it said.
        message: String,
        /// What it logged: at most the newest 1,000 lines.
        log: Vec<LogLine>,
    },
    /// A task that was waited for failed.
    #[error("task {task} failed: {error}")]
    Failed {
        /// The task.
        task: TaskId,
        /// Its last error.
        error: String,
    },
    /// A task that was waited for was canceled.
    #[error("task {task} was canceled: {reason}")]
    Canceled {
        /// The task.
        task: TaskId,
        /// Why.
        reason: String,
    },
    /// A task that was waited for did not end in time. It goes on.
    #[error("task {task} did not end within {after:?}: it is {status}")]
    NotEnded {
        /// The task.
        task: TaskId,
        /// The status that it has.
        status: Status,
        /// How long it was waited for.
        after: Duration,
    },
    /// A bulk action stopped before its end. What is done stays done, nothing is half done, and saying
    /// it again goes on with what is left. A pass whose reply was lost may be done and not counted.
    #[error("it stopped after {done}: {source}; say it again to go on")]
    Unfinished {
        /// What was done so far.
        done: Box<BulkReport>,
        /// Why it stopped.
        source: Box<Error>,
    },
    /// Another runner took the task's lease over. Nothing was changed.
    #[error("the lease on task {task} was lost to another runner")]
    LeaseLost {
        /// The task.
        task: TaskId,
    },
    /// The tables are not those that this build works with.
    #[error("the schema is at version {found}, this build needs {expected}: {advice}")]
    Schema {
        /// The version found; 0 where there are no tables.
        found: u32,
        /// The version that this build needs.
        expected: u32,
        /// What to do about it.
        advice: &'static str,
    },
    /// Worth trying again: the database is away, busy, or chose this transaction as a victim.
    #[error("the database is not available: {source}")]
    Unavailable {
        /// What the driver said.
        source: BoxError,
    },
    /// The database refused, and would refuse again.
    #[error("the database refused: {source}")]
    Backend {
        /// What the driver said.
        source: BoxError,
    },
}

/// What to do about a thing that is missing, where that is always the same.
fn advice(what: &str) -> &'static str {
    match what {
        "task definition" => ": it is made when its handler is registered",
        _ => "",
    }
}

/// What to do about a thing that is there already, where that is always the same.
fn instead(what: &str) -> &'static str {
    match what {
        "runner for queue" => ": a store has one for a queue, whose concurrency may be raised",
        _ => "",
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error {
    /// A value that cannot be accepted.
    pub fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { field, reason: reason.into() }
    }

    /// Something that is not there.
    pub fn not_found(what: &'static str, key: &(impl ToString + ?Sized)) -> Self {
        Self::NotFound { what, key: key.to_string() }
    }

    /// Something that is there already.
    pub fn already_exists(what: &'static str, key: &(impl ToString + ?Sized)) -> Self {
        Self::AlreadyExists { what, key: key.to_string() }
    }

    /// A definition that live tasks refer to.
    pub fn definition_in_use(id: &(impl ToString + ?Sized)) -> Self {
        Self::InUse {
            what: "task definition",
            key: id.to_string(),
            by: "tasks of it are queued, running or paused",
        }
    }

    /// Something that is not as it was read.
    pub fn changed(what: &'static str, key: &(impl ToString + ?Sized)) -> Self {
        Self::Changed { what, key: key.to_string() }
    }

    /// A failure that may pass.
    pub fn unavailable(source: impl Into<BoxError>) -> Self {
        Self::Unavailable { source: source.into() }
    }

    /// A failure that would come again.
    pub fn backend(source: impl Into<BoxError>) -> Self {
        Self::Backend { source: source.into() }
    }

    /// A call that did not answer within its deadline.
    #[must_use]
    pub fn timed_out(call: &'static str, after: Duration) -> Self {
        Self::unavailable(format!("{call} did not answer within {after:?}"))
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::Unfinished { source, .. } => source.is_retryable(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_definition_says_how_it_is_made_and_other_things_do_not() {
        assert_eq!(
            Error::not_found("task definition", "email.send").to_string(),
            "task definition email.send was not found: it is made when its handler is registered",
        );
        assert_eq!(Error::not_found("task", "7").to_string(), "task 7 was not found");
    }
}
