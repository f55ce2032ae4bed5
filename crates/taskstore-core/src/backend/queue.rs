//! Queues: how they are served, what is in them, and which of them have work.

use std::time::Duration;

use time::UtcDateTime;

use super::Cursor;
use crate::{Error, QueueName, QueuePattern, Result, limits::PAGE_MAX};

/// How many priorities of a queue are looked at for its oldest ready task, the most urgent first.
pub const QUEUE_PRIORITIES_MAX: usize = 32;
/// Most running, and most paused tasks of all queues that are counted for one list.
pub const QUEUE_TASKS_MAX: u64 = 10_000;

/// How a queue is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueSettings {
    /// The queue.
    pub name: QueueName,
    /// Whether claims pass it by.
    pub paused: bool,
}

/// A page of queues to look at.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct QueueQuery {
    /// This one alone, also when nothing is known of it. `None`: every queue that has a task which
    /// has not ended, or settings.
    pub only: Option<QueueName>,
    /// From where the last page ended.
    pub after: Option<Cursor>,
    /// At most so many queues: 1 to 1,000.
    pub limit: u32,
    /// So many ready tasks are counted in all, and so many delayed ones, shared out evenly among
    /// the queues of the page.
    pub count_max: u64,
    /// The time from which ages are counted; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl QueueQuery {
    /// The first page of all queues, which counts as far as 10,000 of each kind.
    #[must_use]
    pub const fn new(limit: u32) -> Self {
        Self { only: None, after: None, limit, count_max: 10_000, now: None }
    }

    /// One queue, which is counted as far as 10,000 of each kind.
    #[must_use]
    pub fn one(name: QueueName) -> Self {
        Self { only: Some(name), ..Self::new(1) }
    }

    /// The page after this cursor.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// As if it were this time.
    #[must_use]
    pub const fn at(mut self, now: UtcDateTime) -> Self {
        self.now = Some(now);
        self
    }

    /// The name after which the page begins, if any.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) that names the field: a `limit` that is not between 1 and 1,000, or a
    /// `cursor` that no page of queues gave.
    pub fn check(&self) -> Result<Option<QueueName>> {
        if !(1..=PAGE_MAX).contains(&self.limit) {
            let limit = self.limit;
            return Err(Error::invalid(
                "limit",
                format!("{limit} is not between 1 and {PAGE_MAX}"),
            ));
        }
        let name = |cursor: &Cursor| match QueueName::new(&cursor.0) {
            Ok(name) if !cursor.0.is_empty() => Ok(name),
            _ => Err(Error::invalid("cursor", "it does not come from a page of queues")),
        };
        self.after.as_ref().map(name).transpose()
    }

    /// How far each of so many queues is counted, ready and delayed tasks each: always so far, and where an
    /// engine likes as far as [`count_max`](Self::count_max). What lies beyond is
    /// [`AtLeast`](super::Counted::AtLeast), also where an engine knows it.
    #[must_use]
    pub fn count_each(&self, queues: usize) -> u64 {
        (self.count_max / u64::try_from(queues.max(1)).unwrap_or(u64::MAX)).max(1)
    }
}

/// What to look for before a claim, where it is not known which queues there are.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct FindWork {
    /// Queues that match one of these.
    pub among: Vec<QueuePattern>,
    /// From where the last answer ended.
    pub after: Option<QueueName>,
    /// At most so many names: 1 to 1,000.
    pub limit: u32,
    /// The time to count from; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl FindWork {
    /// The first 1,000 queues that match one of these.
    #[must_use]
    pub const fn new(among: Vec<QueuePattern>) -> Self {
        Self { among, after: None, limit: PAGE_MAX, now: None }
    }

    /// As if it were this time.
    #[must_use]
    pub const fn at(mut self, now: UtcDateTime) -> Self {
        self.now = Some(now);
        self
    }

    /// Whether a queue is among those.
    #[must_use]
    pub fn wants(&self, queue: &QueueName) -> bool {
        self.among.iter().any(|pattern| pattern.matches(queue))
    }
}

/// Where there is work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WorkFound {
    /// Queues that have something ready and are not paused, in the order of their names.
    pub queues: Vec<QueueName>,
    /// Where to go on; `None`: these were all.
    pub next: Option<QueueName>,
    /// In how long the next task of any queue becomes due, by the engine's clock, zero if one is due
    /// but not yet promoted; `None` when later is empty.
    pub due_in: Option<Duration>,
}
