//! What backends need to work inside a transaction of the caller's.
//!
//! A program uses the traits of its backend's crate, such as `taskstore::sqlite::Within` and
//! `taskstore::sqlite::CompleteWithin`. Here is what they share: every check of an enqueue, and what
//! it means that a run completes its task. A backend only says how its driver does it.
//!
//! No names of drivers here: a backend hands itself over as an [`EnqueueIn`], or as a closure.

use std::{fmt, future::Future};

use serde::Serialize;

use crate::{
    Alias, Definition, EnqueueMany, EnqueueOne, EnqueueOutcome, Error, QueueName, Result, Status,
    Store, TaskContext, TaskId, TaskOutput,
    backend::{Enqueued, NewTask, Settlement},
};

/// Where tasks can be put: the store's own connections, or a transaction of the caller's.
pub trait EnqueueIn {
    /// The live definition with this alias, as [`Backend::definition`](crate::Backend::definition).
    fn definition(&mut self, alias: &Alias) -> impl Future<Output = Result<Option<Definition>>>;

    /// Stores tasks as [`Backend::enqueue`](crate::Backend::enqueue) does. An error that it answers
    /// with must leave the transaction as it was, whatever had been stored for earlier tasks.
    fn enqueue(&mut self, tasks: &[NewTask]) -> impl Future<Output = Result<Vec<Enqueued>>>;
}

/// Tells the runners of this process; made by a backend.
pub type Wake = Box<dyn FnOnce() + Send>;

/// Something that can be enqueued: one task or many.
pub trait Enqueueing: sealed::Sealed + Sized {
    /// What is to be sent after the commit.
    type Notice;

    /// The store that it is enqueued into.
    fn store(&self) -> &Store;

    /// Stores it there, if it can be. What `wake` then answers is called when the notice is sent.
    fn put_in<P: EnqueueIn>(
        self,
        place: &mut P,
        wake: impl FnOnce(&mut P) -> Wake,
    ) -> impl Future<Output = Result<Self::Notice>>;
}

impl Enqueueing for EnqueueOne {
    type Notice = Notice;

    fn store(&self) -> &Store {
        self.store()
    }

    async fn put_in<P: EnqueueIn>(
        self,
        place: &mut P,
        wake: impl FnOnce(&mut P) -> Wake,
    ) -> Result<Notice> {
        let store = self.store().clone();
        let (alias, queue, outcome) = self.put_in(place).await?;
        Ok(Notice { outcome, unsent: Unsent { store, alias, queue, wake: wake(place) } })
    }
}

impl Enqueueing for EnqueueMany {
    type Notice = Notices;

    fn store(&self) -> &Store {
        self.store()
    }

    async fn put_in<P: EnqueueIn>(
        self,
        place: &mut P,
        wake: impl FnOnce(&mut P) -> Wake,
    ) -> Result<Notices> {
        let store = self.store().clone();
        let (alias, queue, outcomes) = self.put_in(place, |_, _, _| {}).await?;
        let ids = outcomes.iter().map(|outcome| outcome.id).collect();
        let unsent = Unsent { store, alias, queue, wake: wake(place) };
        Ok(Notices { ids, outcomes, unsent })
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for crate::EnqueueOne {}
    impl Sealed for crate::EnqueueMany {}
}

struct Unsent {
    store: Store,
    alias: Alias,
    queue: QueueName,
    wake: Wake,
}

impl Unsent {
    fn send(self, outcomes: &[EnqueueOutcome]) {
        self.store.count_enqueued(&self.alias, &self.queue, outcomes);
        (self.wake)();
    }
}

/// A task that was enqueued in a transaction of the caller's. To be [sent](Self::send) when that has
/// committed, and dropped when it was rolled back.
#[must_use = "send it after the commit, so that a waiting runner starts the task at once"]
pub struct Notice {
    outcome: EnqueueOutcome,
    unsent: Unsent,
}

impl Notice {
    /// The id of the task, or of the live one that has its unique key.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.outcome.id
    }

    /// Whether it was held back because another live task has its unique key.
    #[must_use]
    pub const fn is_duplicate(&self) -> bool {
        self.outcome.duplicate
    }

    /// Tells the runners that the transaction has committed, and counts the task as enqueued. One
    /// that is never sent costs the time until a runner looks by itself, and no more.
    pub fn send(self) {
        self.unsent.send(&[self.outcome]);
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notice").field(&self.outcome).finish()
    }
}

/// Tasks that were enqueued in a transaction of the caller's. To be [sent](Self::send) when that has
/// committed, and dropped when it was rolled back.
#[must_use = "send them after the commit, so that a waiting runner starts the tasks at once"]
pub struct Notices {
    ids: Vec<TaskId>,
    outcomes: Vec<EnqueueOutcome>,
    unsent: Unsent,
}

impl Notices {
    /// The ids of the tasks, in order.
    #[must_use]
    pub fn ids(&self) -> &[TaskId] {
        &self.ids
    }

    /// Tells the runners that the transaction has committed, and counts the tasks as enqueued. What
    /// is never sent costs the time until a runner looks by itself, and no more.
    pub fn send(self) {
        self.unsent.send(&self.outcomes);
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Notices").field(&self.ids).finish()
    }
}

/// What became of a settlement in a transaction of the handler's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completed {
    /// The fence held, and the transaction has the task's end.
    Now,
    /// The task has ended under this very lease before, with this status: an earlier transaction of
    /// this run has committed.
    Before(Status),
    /// The lease was taken over, or the task has moved on. Nothing was written.
    Lost,
}

/// The output that a run completes its task with.
///
/// # Errors
/// [`Invalid`](Error::Invalid) with field `output`: above 1 MiB, or no JSON.
pub fn output(output: &impl Serialize) -> Result<TaskOutput> {
    TaskOutput::json(output).map_err(|error| {
        let message = error.message();
        let reason = message.strip_prefix("output is not valid: ").unwrap_or(message);
        Error::invalid("output", reason)
    })
}

/// Returns once the task of this run shares its lease with no other, so that a transaction which
/// locks the lease holds up nobody else. Where rows are locked one by one, this comes before
/// [`complete`]; it writes on a connection of the store's own, and only if the lease is shared.
/// Nothing to do for a run without a queue.
///
/// # Errors
/// [`LeaseLost`](Error::LeaseLost): another runner has the task. Whatever the store answers; the runner
/// goes on trying then, and knows what came of it before it saves how the run has ended.
pub async fn isolate(ctx: &TaskContext) -> Result<()> {
    ctx.alone().await
}

/// Completes the task of this run: `settle` applies the settlement in the handler's transaction,
/// fenced like any other, and only if it is the first under its lease. A run without a queue has
/// nothing to settle.
///
/// # Errors
/// [`LeaseLost`](Error::LeaseLost): another runner has the task.
/// [`InvalidTransition`](Error::InvalidTransition): an earlier transaction of this run has
/// completed it. Whatever `settle` says.
pub async fn complete<F: Future<Output = Result<Completed>>>(
    ctx: &TaskContext,
    output: TaskOutput,
    settle: impl FnOnce(Settlement) -> F,
) -> Result<Completion> {
    if let Some(settlement) = ctx.completes(output) {
        let task = ctx.id();
        // From before it is locked: whoever reports what it says meanwhile would wait.
        let is_first = ctx.may_be_completed();
        let refused = match settle(settlement).await {
            Ok(Completed::Now) => None,
            Ok(Completed::Before(from)) => {
                Some(Error::InvalidTransition { task, from, to: "completed again" })
            }
            Ok(Completed::Lost) => Some(Error::LeaseLost { task }),
            Err(error) => Some(error),
        };
        if let Some(error) = refused {
            if is_first {
                ctx.is_not_completed();
            }
            return Err(error);
        }
    }
    Ok(Completion { ctx: ctx.clone() })
}

/// A task that is completed as soon as the handler's transaction commits. Say
/// [`committed`](Self::committed) then, and drop it when that was rolled back.
#[must_use = "say committed() after the commit, so that the runner need not ask the database"]
pub struct Completion {
    ctx: TaskContext,
}

impl Completion {
    /// The transaction has committed, so nothing is left to be saved: whatever the handler returns,
    /// its task is a success.
    ///
    /// Where this is never said, because the transaction was rolled back, or nobody knows, the runner
    /// saves what the handler returns, as usual. If the transaction had committed, the database answers
    /// that the task has ended, and nothing is written.
    pub fn committed(self) {
        self.ctx.is_completed_for_good();
    }
}

impl fmt::Debug for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Completion").field(&self.ctx.id()).finish()
    }
}

/// The task that an enqueue stands for, checked, for backends that put it into SQL.
///
/// # Errors
/// As awaiting the enqueue.
pub async fn checked(enqueue: EnqueueOne) -> Result<(Alias, NewTask)> {
    enqueue.checked().await
}

/// A statement that enqueues one task, for whatever driver the caller has: its text, and the values
/// to bind, in order.
#[derive(Debug)]
#[must_use = "nothing is enqueued until you run it"]
pub struct EnqueueSql {
    id: TaskId,
    text: String,
    values: Vec<SqlValue>,
}

/// A value to bind.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// NULL.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// A text.
    Text(String),
    /// Bytes.
    Blob(Vec<u8>),
}

impl EnqueueSql {
    /// This statement, which enqueues the task with this id.
    pub const fn new(id: TaskId, text: String, values: Vec<SqlValue>) -> Self {
        Self { id, text, values }
    }

    /// The id that the task will have.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// The statement, with the placeholders of its engine.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to bind, in order.
    #[must_use]
    pub fn values(&self) -> &[SqlValue] {
        &self.values
    }

    /// The text and the values, for drivers that want to own them.
    #[must_use]
    pub fn into_parts(self) -> (String, Vec<SqlValue>) {
        (self.text, self.values)
    }
}
