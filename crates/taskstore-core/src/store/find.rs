//! Many tasks: a builder that says which, and then lists or counts them, or moves them all.

use std::ops::Range;

use serde::Serialize;
use time::UtcDateTime;

use super::{
    Store,
    bulk::{Bulk, BulkReschedule},
    options::parameters,
    tasks::NO_REASON,
};
use crate::{
    Alias, Error, QueueName, Result, Status, Task, TaskId,
    backend::{Counted, Cursor, DefinitionKey, Move, Page, TaskFilter, TaskOrder, TaskQuery},
    limits::{ERROR_BYTES_MAX, tame},
};

/// How many tasks a page has, unless it is said.
const PAGE_TASKS: u32 = 50;
/// How far is counted, unless it is said.
const COUNT_AT_MOST: u64 = 10_000;

/// Which tasks to list, count or move; made by [`Tasks`](super::Tasks), and good for several calls.
///
/// Each word narrows it; soft-deleted tasks are left out unless
/// [`with_deleted`](Self::with_deleted) is said. The newest come first, 50 to a page, unless it is
/// said otherwise.
///
/// The verbs from [`cancel`](Self::cancel) to [`purge`](Self::purge) are [bulk actions](Bulk): each
/// makes the same move as the method of [`Tasks`](super::Tasks) of that name, of all that match,
/// however many pages that were.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use taskstore_core::{MemoryBackend, Status, Store, backend::Counted};
///
/// let store = Store::new(MemoryBackend::new());
/// store.register_fn("email.send", |_, _: u8| async { Ok(()) }).await?;
/// for n in 0..3 {
///     store.enqueue_by_alias("mail", "email.send", n).await?;
/// }
///
/// let mail = store.tasks().queue("mail").status(Status::Queued).newest_first().limit(2);
/// let page = mail.list().await?;
/// assert_eq!(page.items.len(), 2);
/// let rest = mail.clone().after(page.next.expect("a third one")).list().await?;
/// assert_eq!((rest.items.len(), rest.next), (1, None));
/// assert_eq!(mail.count().await?, Counted::Exactly(3));
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Of [`list`](Self::list) and [`count`](Self::count): [`Invalid`](Error::Invalid) for the first
/// value that cannot be: `queue`, `alias`, `ids` (more than 10,000), `created`, `completed`,
/// `deleted`, `limit`, `cursor`. [`NotFound`](Error::NotFound): there is no such `task definition`. Or what the
/// database says.
#[derive(Clone, Debug)]
#[must_use = "nothing is looked at until it is listed, counted or moved"]
pub struct FindTasks {
    store: Store,
    query: TaskQuery,
    alias: Option<Alias>,
    /// The last word that only a list understands.
    of_a_list: Option<&'static str>,
    /// The first value that cannot be: its field, and why.
    bad: Option<(&'static str, String)>,
}

impl FindTasks {
    pub(super) fn new(store: Store) -> Self {
        let query = TaskQuery::new(TaskFilter::default(), TaskOrder::default(), PAGE_TASKS);
        Self { store, query, alias: None, of_a_list: None, bad: None }
    }

    fn remember<T>(&mut self, value: Result<T>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(Error::Invalid { field, reason }) => {
                self.bad.get_or_insert((field, reason));
                None
            }
            Err(error) => {
                self.bad.get_or_insert(("query", error.to_string()));
                None
            }
        }
    }

    /// Those of these that are there. Said twice, all of them.
    pub fn ids(mut self, ids: impl IntoIterator<Item = TaskId>) -> Self {
        self.query.filter.ids.get_or_insert_default().extend(ids);
        self
    }

    /// In this queue, or from it.
    pub fn queue(mut self, name: impl AsRef<str>) -> Self {
        let queue = QueueName::new(name.as_ref());
        self.query.filter.queue = self.remember(queue);
        self
    }

    /// Of this status. Said twice, of either.
    pub fn status(mut self, status: Status) -> Self {
        self.query.filter.statuses.get_or_insert_default().push(status);
        self
    }

    /// Of the definition with this alias.
    pub fn definition(mut self, alias: impl AsRef<str>) -> Self {
        let alias = Alias::new(alias.as_ref());
        self.alias = self.remember(alias);
        self
    }

    /// Enqueued at the first of these times or later, and before the second.
    pub fn created(mut self, within: Range<UtcDateTime>) -> Self {
        self.query.filter.created = Some(within);
        self
    }

    /// Ended at the first of these times or later, and before the second.
    pub fn completed(mut self, within: Range<UtcDateTime>) -> Self {
        self.query.filter.completed = Some(within);
        self
    }

    /// Soft-deleted at the first of these times or later, and before the second: only those.
    pub fn deleted(mut self, within: Range<UtcDateTime>) -> Self {
        self.query.filter.deleted = Some(within);
        self
    }

    /// Also soft-deleted ones.
    pub const fn with_deleted(mut self) -> Self {
        self.query.filter.with_deleted = true;
        self
    }

    /// In this order; the last one said counts.
    pub const fn order(mut self, order: TaskOrder) -> Self {
        self.query.order = order;
        // A bulk action goes newest first, too.
        if !matches!(order, TaskOrder::NewestFirst) {
            self.of_a_list = Some("order");
        }
        self
    }

    /// What was enqueued last comes first, as it does unless another order is said.
    pub const fn newest_first(self) -> Self {
        self.order(TaskOrder::NewestFirst)
    }

    /// What was enqueued first comes first.
    pub const fn oldest_first(self) -> Self {
        self.order(TaskOrder::OldestFirst)
    }

    /// As runners would take them; only what is queued.
    pub const fn claim_order(self) -> Self {
        self.order(TaskOrder::ClaimOrder)
    }

    /// What ended last comes first; only what has ended.
    pub const fn last_completed_first(self) -> Self {
        self.order(TaskOrder::LastCompletedFirst)
    }

    /// What was soft-deleted last comes first; only what is soft-deleted.
    pub const fn last_deleted_first(self) -> Self {
        self.order(TaskOrder::LastDeletedFirst)
    }

    /// The page after the one that named this cursor, in the same order. `None` is the first page.
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.query.after = cursor.into();
        if self.query.after.is_some() {
            self.of_a_list = Some("cursor");
        }
        self
    }

    /// At most so many on the page: 1 to 1,000, by default 50.
    pub const fn limit(mut self, tasks: u32) -> Self {
        self.query.limit = tasks;
        self.of_a_list = Some("limit");
        self
    }

    /// A page of them. Full, unless it is the last: where few match, the database is asked
    /// again and again, each time for a bounded piece of work.
    ///
    /// # Errors
    /// See [`FindTasks`].
    pub async fn list(&self) -> Result<Page<Task>> {
        let mut query = TaskQuery { filter: self.filter().await?, ..self.query.clone() };
        let mut page = Page { items: Vec::new(), next: None };
        loop {
            let more = self.store.backend().tasks(&query).await?;
            page.items.extend(more.items);
            page.next = more.next;
            let found = u32::try_from(page.items.len()).unwrap_or(u32::MAX);
            query.limit = self.query.limit.saturating_sub(found);
            if query.limit == 0 || page.next.is_none() {
                return Ok(page);
            }
            query.after.clone_from(&page.next);
        }
    }

    /// How many there are, as far as 10,000. Order, cursor and limit do not matter.
    ///
    /// # Errors
    /// See [`FindTasks`].
    pub async fn count(&self) -> Result<Counted> {
        self.count_up_to(COUNT_AT_MOST).await
    }

    /// How many there are, as far as `at_most`: counting costs about a millisecond for each 10,000.
    ///
    /// # Errors
    /// See [`FindTasks`].
    pub async fn count_up_to(&self, at_most: u64) -> Result<Counted> {
        self.store.backend().count(&self.filter().await?, at_most).await
    }

    pub(super) async fn filter(&self) -> Result<TaskFilter> {
        if let Some((field, reason)) = &self.bad {
            return Err(Error::invalid(field, reason.clone()));
        }
        let mut filter = self.query.filter.clone();
        if let Some(alias) = &self.alias {
            let key = DefinitionKey::Alias(alias.clone());
            let found = self.store.backend().definition(&key).await?;
            let definition = found.ok_or_else(|| Error::not_found("task definition", alias))?;
            filter.definition = Some(definition.id);
        }
        Ok(filter)
    }

    pub(super) const fn store(&self) -> &Store {
        &self.store
    }

    /// Refuses what a bulk action cannot mean.
    pub(super) fn check_for_bulk(&self) -> Result<()> {
        if let Some(field) = self.of_a_list {
            return Err(Error::invalid(
                field,
                "it is for lists: a bulk action goes through all that match, newest first; say \
                 at_most on it",
            ));
        }
        if self.query.filter.ids.as_ref().is_some_and(Vec::is_empty) {
            return Err(Error::invalid("ids", "none is named"));
        }
        Ok(())
    }
}

/// Bulk actions.
impl FindTasks {
    /// Ends those that wait or are paused; asks the holders of those that run.
    pub fn cancel(&self) -> Bulk {
        self.cancel_because(NO_REASON)
    }

    /// Like [`cancel`](Self::cancel), with a reason for people: at most 16 KiB, longer ones are cut
    /// and marked.
    pub fn cancel_because(&self, reason: impl Into<String>) -> Bulk {
        let reason = tame(reason.into(), ERROR_BYTES_MAX);
        self.bulk(Move::Cancel { reason }, "canceled")
    }

    /// Takes those that wait out of their queues until they are resumed.
    pub fn pause(&self) -> Bulk {
        self.bulk(Move::Pause, "paused")
    }

    /// Puts those that are paused back into their queues.
    pub fn resume(&self) -> Bulk {
        self.bulk(Move::Resume, "resumed")
    }

    /// Runs those that have ended again: at once, with all of their attempts. Say which, by
    /// [`status`](Self::status) or [`ids`](Self::ids): successes have ended, too.
    pub fn requeue(&self) -> Bulk {
        self.bulk(Move::Requeue { parameters: None }, "requeued")
    }

    /// Like [`requeue`](Self::requeue), all of them with these parameters: at most 1 MiB of JSON.
    pub fn requeue_with(&self, parameters: impl Serialize) -> Bulk {
        let to = self::parameters(&parameters)
            .map(|parameters| Move::Requeue { parameters: Some(parameters) });
        Bulk::new(self.clone(), to, "requeued")
    }

    /// Changes when those that wait or are paused run, their priority or their queue.
    pub fn reschedule(&self) -> BulkReschedule {
        let unchanged = Move::Reschedule { when: None, priority: None, queue: None };
        BulkReschedule::new(self.bulk(unchanged, "rescheduled"))
    }

    /// Hides them. Those that wait or are paused are canceled; the holders of those that run are
    /// asked.
    pub fn soft_delete(&self) -> Bulk {
        self.bulk(Move::Delete, "deleted")
    }

    /// Shows those that are soft-deleted again, as they are.
    pub fn restore(&self) -> Bulk {
        self.bulk(Move::Restore, "restored")
    }

    /// Removes those that have ended for good, with everything of them. Soft-deleted ones go with
    /// [`with_deleted`](Self::with_deleted) or [`deleted`](Self::deleted).
    pub fn purge(&self) -> Bulk {
        self.bulk(Move::Purge { before: None }, "purged")
    }

    fn bulk(&self, to: Move, asked: &'static str) -> Bulk {
        Bulk::new(self.clone(), Ok(to), asked)
    }
}
