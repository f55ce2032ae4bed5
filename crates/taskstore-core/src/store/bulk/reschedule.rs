//! Rescheduling many tasks.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use time::UtcDateTime;

use super::{Bulk, BulkReport};
use crate::{Result, store::reschedule::Change};

/// What to change about every waiting or paused task that matches; changed when it is awaited, as
/// every [`Bulk`] action. What is not named stays.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use taskstore_core::{MemoryBackend, Store};
/// # let store = Store::new(MemoryBackend::new());
/// # store.register_fn("email.send", |_, _: u8| async { Ok(()) }).await?;
/// # store.enqueue_by_alias("mail", "email.send", 7).await?;
/// let moved = store.tasks().queue("mail").reschedule().queue("slow").priority(10).await?;
/// assert_eq!(moved.moved, 1);
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As for [`Bulk`]; and [`Invalid`](crate::Error::Invalid) for the first value that cannot be
/// (`queue`, `delay`, `at`), or for `reschedule` itself when nothing is to change.
#[derive(Debug)]
#[must_use = "nothing is changed until it is awaited"]
pub struct BulkReschedule {
    bulk: Bulk,
    change: Change,
}

impl BulkReschedule {
    pub(in crate::store) fn new(bulk: Bulk) -> Self {
        Self { bulk, change: Change::default() }
    }

    /// Runs them as soon as a runner has room. Of `now`, [`delay`](Self::delay) and [`at`](Self::at)
    /// the last one counts.
    pub fn now(mut self) -> Self {
        self.change.now();
        self
    }

    /// Runs them after this delay, at most 100 years.
    pub fn delay(mut self, delay: Duration) -> Self {
        self.change.delay(delay);
        self
    }

    /// Runs them at this time, at most 100 years ahead; at once when it has passed.
    pub fn at(mut self, time: impl Into<UtcDateTime>) -> Self {
        self.change.at(time.into());
        self
    }

    /// A lower number runs first.
    pub fn priority(mut self, priority: i16) -> Self {
        self.change.priority(priority);
        self
    }

    /// Moves them to another queue.
    pub fn queue(mut self, name: impl AsRef<str>) -> Self {
        self.change.queue(name.as_ref());
        self
    }

    /// See [`Bulk::at_most`].
    pub fn at_most(mut self, tasks: u64) -> Self {
        self.bulk = self.bulk.at_most(tasks);
        self
    }

    /// See [`Bulk::on_progress`].
    pub fn on_progress(mut self, tell: impl FnMut(&BulkReport) + Send + 'static) -> Self {
        self.bulk = self.bulk.on_progress(tell);
        self
    }
}

impl IntoFuture for BulkReschedule {
    type Output = Result<BulkReport>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<BulkReport>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        self.bulk.to(self.change.into_move()).into_future()
    }
}
