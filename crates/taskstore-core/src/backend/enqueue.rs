//! Tasks on their way in.

use std::time::Duration;

use serde_json::value::RawValue;
use time::UtcDateTime;

use crate::{DefinitionId, QueueName, TaskId, UniqueHash};

/// Tasks to store, all in one transaction.
#[non_exhaustive]
#[derive(Clone, Copy, Debug)]
pub struct Enqueue<'a> {
    /// The tasks, in the order in which they are claimed if all else is equal.
    pub tasks: &'a [NewTask],
    /// The time to stamp; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl<'a> Enqueue<'a> {
    /// These tasks, at the engine's own time.
    #[must_use]
    pub const fn new(tasks: &'a [NewTask]) -> Self {
        Self { tasks, now: None }
    }

    /// As if it were this time.
    #[must_use]
    pub const fn at(mut self, now: UtcDateTime) -> Self {
        self.now = Some(now);
        self
    }
}

/// One task to store. Checked by whoever makes it; an engine takes it as it is.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct NewTask {
    /// Its id, made by the caller.
    pub id: TaskId,
    /// The kind of work.
    pub definition: DefinitionId,
    /// Where it waits.
    pub queue: QueueName,
    /// What its handler is given.
    pub parameters: Box<RawValue>,
    /// A lower number runs first.
    pub priority: i16,
    /// When it may run.
    pub when: When,
    /// `None`: as the handler says when it runs.
    pub max_attempts: Option<u32>,
    /// Held from now until the task has ended.
    pub unique: Option<UniqueHash>,
    /// When nobody may start it any more; `None`: never. [`When::Now`] means at once.
    pub expires: Option<When>,
    /// How long one run may take; `None`: as the handler says.
    pub timeout: Option<Duration>,
}

impl NewTask {
    /// A task with a new id for the default queue, to run now.
    #[must_use]
    pub fn new(definition: DefinitionId, parameters: Box<RawValue>) -> Self {
        Self {
            id: TaskId::new(),
            definition,
            queue: QueueName::default(),
            parameters,
            priority: 0,
            when: When::Now,
            max_attempts: None,
            unique: None,
            expires: None,
            timeout: None,
        }
    }
}

/// When a task may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// As soon as a runner has room.
    Now,
    /// So long after the engine's present time.
    After(Duration),
    /// At this time; at once when it has passed.
    At(UtcDateTime),
}

/// What became of one task to store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is stored, by this request or by an earlier one with the same id.
    Stored,
    /// Held back by this live task, which has the same unique key.
    Duplicate(TaskId),
}
