//! Rescheduling: a builder that is awaited.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use time::UtcDateTime;

use super::{Tasks, options::check_when};
use crate::{
    Error, QueueName, Result, Status, TaskId,
    backend::{Move, When},
};

/// What to change about a waiting or paused task; changed when it is awaited, and not before. What
/// is not named stays. Awaiting gives the status that the task has, `queued` or `paused`.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use std::time::Duration;
/// # use taskstore_core::{MemoryBackend, Store};
/// # let store = Store::new(MemoryBackend::new());
/// # store.register_fn("email.send", |_, _: u8| async { Ok(()) }).await?;
/// let id = store.enqueue_by_alias("mail", "email.send", 7).await?;
/// store.tasks().reschedule(id).delay(Duration::from_secs(60)).queue("slow").await?;
/// assert_eq!(store.tasks().get(id).await?.queue.as_str(), "slow");
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As every move of [`Tasks`]; and [`Invalid`](Error::Invalid) for the first value that cannot be
/// (`queue`, `delay`, `at`), or for `reschedule` itself when nothing is to change.
#[derive(Debug)]
#[must_use = "nothing is changed until it is awaited"]
pub struct Reschedule {
    tasks: Tasks,
    id: TaskId,
    change: Change,
}

impl Reschedule {
    pub(super) fn new(tasks: Tasks, id: TaskId) -> Self {
        Self { tasks, id, change: Change::default() }
    }

    /// Runs it as soon as a runner has room. Of `now`, [`delay`](Self::delay) and [`at`](Self::at)
    /// the last one counts.
    pub fn now(mut self) -> Self {
        self.change.now();
        self
    }

    /// Runs it after this delay, at most 100 years.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.change.delay(delay);
        self
    }

    /// Runs it at this time, at most 100 years ahead; at once when it has passed. A
    /// [`SystemTime`](std::time::SystemTime) will do, or a time of the crate `time`.
    pub fn at(mut self, time: impl Into<UtcDateTime>) -> Self {
        self.change.at(time.into());
        self
    }

    /// A lower number runs first.
    pub fn priority(mut self, priority: i16) -> Self {
        self.change.priority(priority);
        self
    }

    /// Moves it to another queue.
    pub fn queue(mut self, name: impl AsRef<str>) -> Self {
        self.change.queue(name.as_ref());
        self
    }

    async fn change(self) -> Result<Status> {
        self.tasks.make(self.id, self.change.into_move()?, "rescheduled").await
    }
}

/// What to change about one task or many.
#[derive(Debug, Default)]
pub(super) struct Change {
    when: Option<Result<When>>,
    priority: Option<i16>,
    queue: Option<Result<QueueName>>,
}

impl Change {
    pub(super) fn now(&mut self) {
        self.when = Some(Ok(When::Now));
    }

    pub(super) fn delay(&mut self, delay: Duration) {
        self.when = Some(check_when(When::After(delay)));
    }

    pub(super) fn at(&mut self, time: UtcDateTime) {
        self.when = Some(check_when(When::At(time)));
    }

    pub(super) const fn priority(&mut self, priority: i16) {
        self.priority = Some(priority);
    }

    pub(super) fn queue(&mut self, name: &str) {
        self.queue = Some(QueueName::new(name));
    }

    /// The move, or the first value that cannot be.
    pub(super) fn into_move(self) -> Result<Move> {
        let (when, queue) = (self.when.transpose()?, self.queue.transpose()?);
        if when.is_none() && self.priority.is_none() && queue.is_none() {
            return Err(Error::invalid(
                "reschedule",
                "say what to change: a time, a priority or a queue",
            ));
        }
        Ok(Move::Reschedule { when, priority: self.priority, queue })
    }
}

impl IntoFuture for Reschedule {
    type Output = Result<Status>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Status>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.change())
    }
}
