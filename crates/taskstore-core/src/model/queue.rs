//! A queue as people look at it.

use std::time::Duration;

use super::QueueName;
use crate::backend::Counted;

/// A queue at the moment when it was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Whether claims pass it by.
    pub paused: bool,
    /// Its tasks that have not ended.
    pub tasks: QueueCounts,
    /// How long the ready task that waits longest has been due, by the store's own clock; zero
    /// where that clock stepped back. Found at the head of each priority: of the 32 most urgent ones,
    /// should there be more. `None`: nothing is ready.
    pub oldest_ready: Option<Duration>,
}

/// How many tasks of a queue have not ended, by what they wait for. Soft-deleted ones that still run
/// are among the running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueCounts {
    /// Due: a runner may take them, unless the queue is paused.
    pub ready: Counted,
    /// Wait for their time, or for another attempt.
    pub delayed: Counted,
    /// Held by a runner.
    pub running: Counted,
    /// Paused one by one.
    pub paused: Counted,
}

impl Queue {
    /// A queue with nothing in it.
    #[must_use]
    pub const fn empty(name: QueueName) -> Self {
        let none = Counted::Exactly(0);
        let tasks = QueueCounts { ready: none, delayed: none, running: none, paused: none };
        Self { name, paused: false, tasks, oldest_ready: None }
    }
}
