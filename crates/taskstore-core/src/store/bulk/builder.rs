//! A bulk action: a builder that is awaited.

use std::{
    collections::HashSet,
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
};

use time::UtcDateTime;

use super::{
    BulkReport,
    walk::{OnProgress, Walk},
};
use crate::{
    Error, Result, Status, TaskId,
    backend::{Move, TaskFilter},
    lifecycle::allowed_from,
    store::FindTasks,
};

/// The same move of every task that matches, when it is awaited; made by the verbs of
/// [`FindTasks`]. Awaiting it gives a [`BulkReport`].
///
/// Nothing is moved by accident: a [`FindTasks`] that names nothing is only had by
/// [`all`](crate::Tasks::all), and an empty list of ids is refused.
///
/// It works in passes of at most 500 tasks, each a transaction that is short enough for runners and
/// producers to go on beside it. It visits what is there when it begins and matches, each task once,
/// newest first; what is enqueued meanwhile is left alone. A task whose status has changed since it
/// was found is refused in the report, and no error. Of the statuses that the move is not allowed
/// from, no task is looked at, unless it is named by its id.
///
/// Killed half-way, or stopped by an error, whole passes are done and the rest is not: say it
/// again, and it goes on with what is left.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use taskstore_core as taskstore;
/// use taskstore::{MemoryBackend, Status, Store};
///
/// let store = Store::new(MemoryBackend::new());
/// store.register_fn("email.send", |_, _: u8| async { Ok(()) }).await?;
/// for n in 0..100 {
///     store.enqueue_by_alias("mail", "email.send", n).await?;
/// }
///
/// let canceled = store.tasks().queue("mail").cancel_because("no longer needed").await?;
/// assert_eq!(canceled.to_string(), "100 moved");
///
/// let again = store
///     .tasks()
///     .queue("mail")
///     .status(Status::Canceled)
///     .requeue()
///     .at_most(10)
///     .on_progress(|so_far| println!("{so_far}"))
///     .await?;
/// assert_eq!((again.moved, again.complete), (10, false));
///
/// assert_eq!(store.tasks().all().purge().await?.moved, 90);
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Before anything is done: [`Invalid`](Error::Invalid) for the first value that cannot be: what
/// [`FindTasks`] refuses; `ids`: none is named; `status`: none that is named allows the move, or a requeue names none;
/// `limit`, `cursor` or `order`: they belong to a list, say [`at_most`](Self::at_most); `at_most`:
/// it is 0; and what the move itself refuses. [`NotFound`](Error::NotFound): there is no such
/// `task definition`.
///
/// Afterwards: [`Unfinished`](Error::Unfinished), with what was done so far and why it stopped.
#[must_use = "nothing is done until it is awaited"]
pub struct Bulk {
    find: FindTasks,
    to: Result<Move>,
    asked: &'static str,
    at_most: Option<u64>,
    on_progress: Option<OnProgress>,
}

impl Bulk {
    pub(in crate::store) const fn new(
        find: FindTasks,
        to: Result<Move>,
        asked: &'static str,
    ) -> Self {
        Self { find, to, asked, at_most: None, on_progress: None }
    }

    /// Ends when so many tasks have made the move, or their holders were asked; the newest first.
    pub const fn at_most(mut self, tasks: u64) -> Self {
        self.at_most = Some(tasks);
        self
    }

    /// Calls this after each pass, so some times a second, with what was done so far. It should
    /// return soon: the action waits for it.
    pub fn on_progress(mut self, tell: impl FnMut(&BulkReport) + Send + 'static) -> Self {
        self.on_progress = Some(Box::new(tell));
        self
    }

    /// The same, to another end.
    pub(super) fn to(mut self, to: Result<Move>) -> Self {
        self.to = to;
        self
    }

    async fn run(self) -> Result<BulkReport> {
        self.find.check_for_bulk()?;
        if self.at_most == Some(0) {
            return Err(Error::invalid("at_most", "it is 0: nothing would be done"));
        }
        let to = self.to?;
        let mut filter = self.find.filter().await?;
        filter.check()?;
        let from = statuses(&mut filter, &to, self.asked)?;
        let ids = only_ids(&mut filter);
        if matches!(to, Move::Restore) {
            filter.deleted.get_or_insert(UtcDateTime::MIN..UtcDateTime::MAX);
        }
        let mut walk = Walk {
            store: self.find.store().clone(),
            to,
            from,
            asked: self.asked,
            at_most: self.at_most.unwrap_or(u64::MAX),
            on_progress: self.on_progress,
            report: BulkReport::default(),
        };
        let done = match ids {
            Some(ids) => walk.through_ids(ids).await,
            None => walk.through(filter).await,
        };
        let Walk { report, asked, .. } = walk;
        match done {
            Ok(()) => {
                tracing::info!(
                    moved = report.moved,
                    requested = report.requested,
                    refused = report.refused,
                    "many tasks were to be {asked}"
                );
                Ok(report)
            }
            Err(source) => {
                Err(Error::Unfinished { done: Box::new(report), source: Box::new(source) })
            }
        }
    }
}

/// The statuses that the move is made from. Where tasks are not named one by one, no others are
/// looked for.
fn statuses(filter: &mut TaskFilter, to: &Move, asked: &str) -> Result<Vec<Status>> {
    let mut from = allowed_from(to);
    if let Some(named) = &filter.statuses {
        from.retain(|status| named.contains(status));
        if let (true, Some(status)) = (from.is_empty(), named.first()) {
            return Err(Error::invalid(
                "status",
                format!("a task that is {status} cannot be {asked}"),
            ));
        }
    }
    if matches!(to, Move::Requeue { .. }) && filter.statuses.is_none() && filter.ids.is_none() {
        return Err(Error::invalid(
            "status",
            "say which are to run again, as in status(Status::Failed): successes have ended, too",
        ));
    }
    if filter.ids.is_none() && from != Status::ALL {
        filter.statuses = Some(from.clone());
    }
    Ok(from)
}

/// The ids, each once, where nothing else is asked of the tasks: then each of them is answered for,
/// also one that is not there.
fn only_ids(filter: &mut TaskFilter) -> Option<Vec<TaskId>> {
    let ids = filter.ids.take()?;
    let mut rest = filter.clone();
    rest.with_deleted = false;
    if rest != TaskFilter::default() {
        filter.ids = Some(ids);
        return None;
    }
    let mut seen = HashSet::with_capacity(ids.len());
    Some(ids.into_iter().filter(|id| seen.insert(*id)).collect())
}

impl fmt::Debug for Bulk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bulk")
            .field("find", &self.find)
            .field("to", &self.to)
            .field("at_most", &self.at_most)
            .finish_non_exhaustive()
    }
}

impl IntoFuture for Bulk {
    type Output = Result<BulkReport>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<BulkReport>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.run())
    }
}
