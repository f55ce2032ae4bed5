//! What goes wrong while tasks run, and who hears of it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use crate::{Error, QueueName, Status, TaskId, telemetry::TARGET};

/// What the error handler of a store is told.
#[non_exhaustive]
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A handler failed.
    #[error("attempt {attempt} failed{}: {message}", after(*will_retry))]
    Failed {
        /// Which attempt, from 1.
        attempt: u32,
        /// What it said, with its sources.
        message: String,
        /// Whether the task is tried again.
        will_retry: bool,
    },
    /// A handler panicked.
    #[error("attempt {attempt} panicked{}: {message}", after(*will_retry))]
    Panicked {
        /// Which attempt, from 1.
        attempt: u32,
        /// The panic's message.
        message: String,
        /// Whether the task is tried again.
        will_retry: bool,
    },
    /// A handler took longer than its time-out.
    #[error("attempt {attempt} took longer than {timeout:?}{}", after(*will_retry))]
    TimedOut {
        /// Which attempt, from 1.
        attempt: u32,
        /// How long it was allowed to take.
        timeout: Duration,
        /// Whether the task is tried again.
        will_retry: bool,
    },
    /// Another runner took the task's lease over: what this one did for it is not stored.
    #[error("the lease was lost to another runner")]
    LeaseLost,
    /// The task was in no place, because somebody has changed the tables by hand. It was put back, or
    /// has ended.
    #[error("it was in no place, as if somebody had changed the tables by hand; it is {status}")]
    Astray {
        /// The status that it has.
        status: Status,
    },
    /// The database did not do what a runner asked of it. The runner tries again by itself.
    #[error(transparent)]
    Storage(#[from] Error),
}

fn after(will_retry: bool) -> &'static str {
    if will_retry { " and is tried again" } else { " for good" }
}

type OnError = dyn Fn(&QueueName, Option<TaskId>, &RunError) + Send + Sync;

/// The error handler, which can be exchanged at any time.
pub(super) struct ErrorHandler {
    handler: RwLock<Arc<OnError>>,
}

impl Default for ErrorHandler {
    fn default() -> Self {
        Self { handler: RwLock::new(Arc::new(log)) }
    }
}

impl ErrorHandler {
    pub(super) fn set(
        &self,
        handler: impl Fn(&QueueName, Option<TaskId>, &RunError) + Send + Sync + 'static,
    ) {
        *self.handler.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(handler);
    }

    /// Calls it. Its panic ends here: it must not end a runner.
    pub(super) fn tell(&self, queue: &QueueName, task: Option<TaskId>, error: &RunError) {
        let handler = Arc::clone(&self.handler.read().unwrap_or_else(PoisonError::into_inner));
        if catch_unwind(AssertUnwindSafe(|| handler(queue, task, error))).is_err() {
            tracing::error!(%queue, %error, "the error handler panicked");
        }
    }
}

fn log(queue: &QueueName, task: Option<TaskId>, error: &RunError) {
    match task {
        Some(id) => tracing::error!(target: TARGET, %id, %queue, "{error}"),
        None => tracing::error!(%queue, "{error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn an_error_handler_that_panics_does_no_harm_and_is_called_again() {
        let calls = Arc::new(AtomicU32::new(0));
        let handler = ErrorHandler::default();
        let counted = Arc::clone(&calls);
        handler.set(move |_, _, _| {
            counted.fetch_add(1, Ordering::Relaxed);
            panic!("in the error handler");
        });
        handler.tell(&QueueName::default(), None, &RunError::LeaseLost);
        handler.tell(&QueueName::default(), Some(TaskId::new()), &RunError::LeaseLost);
        assert_eq!(calls.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn errors_say_what_a_person_wants_to_know() {
        let failed =
            |will_retry| RunError::Failed { attempt: 3, message: "a: b".into(), will_retry };
        assert_eq!(failed(true).to_string(), "attempt 3 failed and is tried again: a: b");
        assert_eq!(failed(false).to_string(), "attempt 3 failed for good: a: b");
        assert_eq!(
            RunError::from(Error::unavailable("away")).to_string(),
            "the database is not available: away"
        );
    }
}
