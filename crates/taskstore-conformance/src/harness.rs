//! What the suite must be told about a store: how a fresh one is opened.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use serde_json::Value;
use taskstore_core::{
    Backend, Completion, DefinitionId, EnqueueMany, EnqueueOne, Error, LeaseId, Notice, Notices,
    TaskContext, TaskId,
};

/// Opens stores for the cases. Panics where it cannot: no case is skipped because of that.
///
/// Cases run at the same time, each with a store of its own. A harness of an engine with files or
/// databases makes one per name, and removes what it made when it is dropped, or at its next start.
#[async_trait]
pub trait Harness: Send + Sync + 'static {
    /// A fresh, migrated and empty store. `store` is a name that was not used before: 1 to 40
    /// lower-case letters, digits and `_`, so that it can name a file, a database or a schema.
    async fn open(&self, store: &str) -> Arc<dyn Backend>;

    /// Another handle to the store of this name, as independent of the first as another process
    /// would be. `None`, as by default, is only right where
    /// [`Capabilities::shared`](taskstore_core::backend::Capabilities::shared) is false, and a case
    /// fails that needs a second handle of a shared store and gets none.
    async fn reopen(&self, _store: &str) -> Option<Arc<dyn Backend>> {
        None
    }

    /// Runs these statements, in one transaction, on a connection of its own that knows nothing of the
    /// store's code, as a person or a program in another language would have it; and says why the
    /// first that fails does. It must be there where
    /// [`Capabilities::plain_sql`](taskstore_core::backend::Capabilities::plain_sql) is set.
    async fn enqueue_plain(
        &self,
        _store: &str,
        _rows: &[PlainRow],
        _end: PlainEnd,
    ) -> Result<(), String> {
        panic!("the store has plain SQL: its harness must be able to write some")
    }

    /// Whether [`begin`](Self::begin) can begin a transaction. The cases of transactions are ignored
    /// where it cannot, as by default.
    fn has_transactions(&self) -> bool {
        false
    }

    /// Begins a transaction on a connection of its own to the database of this store, as a program has
    /// it that uses the engine's driver and the helpers of the store's crate.
    async fn begin(&self, _store: &str) -> Box<dyn UsersTransaction> {
        panic!("the harness begins no transactions")
    }

    /// The numbers that such transactions have [written](UsersTransaction::write) and committed, in
    /// their order.
    async fn written(&self, _store: &str) -> Vec<i64> {
        panic!("the harness begins no transactions")
    }

    /// Whether [`damage`](Self::damage) can break a store. The cases of the sweep are ignored where it
    /// cannot, as by default; where
    /// [`Capabilities::plain_sql`](taskstore_core::backend::Capabilities::plain_sql) is set it must.
    fn can_damage(&self) -> bool {
        false
    }

    /// Breaks the store as a person with a shell of the database could, behind its back.
    async fn damage(&self, _store: &str, _backend: &Arc<dyn Backend>, damage: Damage) {
        panic!("the harness cannot do this: {damage:?}")
    }

    /// How long a case may take before it fails as hanging: 60 s by default.
    fn deadline(&self) -> Duration {
        Duration::from_secs(60)
    }
}

#[async_trait]
impl<H: Harness + ?Sized> Harness for Arc<H> {
    async fn open(&self, store: &str) -> Arc<dyn Backend> {
        H::open(self, store).await
    }

    async fn reopen(&self, store: &str) -> Option<Arc<dyn Backend>> {
        H::reopen(self, store).await
    }

    async fn enqueue_plain(
        &self,
        store: &str,
        rows: &[PlainRow],
        end: PlainEnd,
    ) -> Result<(), String> {
        H::enqueue_plain(self, store, rows, end).await
    }

    fn has_transactions(&self) -> bool {
        H::has_transactions(self)
    }

    async fn begin(&self, store: &str) -> Box<dyn UsersTransaction> {
        H::begin(self, store).await
    }

    async fn written(&self, store: &str) -> Vec<i64> {
        H::written(self, store).await
    }

    fn can_damage(&self) -> bool {
        H::can_damage(self)
    }

    async fn damage(&self, store: &str, backend: &Arc<dyn Backend>, damage: Damage) {
        H::damage(self, store, backend, damage).await;
    }

    fn deadline(&self) -> Duration {
        H::deadline(self)
    }
}

/// A transaction of a program's own. One that is dropped is rolled back.
#[async_trait]
pub trait UsersTransaction: Send {
    /// Writes a number into a table of the program's own.
    async fn write(&mut self, number: i64);

    /// Enqueues a task in the transaction.
    async fn enqueue(&mut self, task: EnqueueOne) -> Result<Notice, Error>;

    /// Enqueues many tasks in the transaction.
    async fn enqueue_many(&mut self, tasks: EnqueueMany) -> Result<Notices, Error>;

    /// Enqueues a task by a statement for other drivers, in the transaction.
    async fn enqueue_by_sql(&mut self, task: EnqueueOne) -> Result<TaskId, Error>;

    /// Completes the task of a run in the transaction.
    async fn complete(&mut self, ctx: &TaskContext, output: &Value) -> Result<Completion, Error>;

    /// Commits it.
    async fn commit(self: Box<Self>);

    /// Rolls it back.
    async fn roll_back(self: Box<Self>);
}

/// One `INSERT INTO task_enqueue`: its columns and their values. What is not named is left out.
pub type PlainRow = Vec<(&'static str, Plain)>;

/// A value as SQL has it.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    /// `NULL`.
    Null,
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Real(f64),
    /// A text.
    Text(String),
}

/// How a transaction ends in which every statement went well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlainEnd {
    /// It is committed.
    Commit,
    /// It is rolled back.
    Rollback,
}

/// What somebody deletes by hand.
#[derive(Clone, Copy, Debug)]
pub enum Damage {
    /// The row of ready or later that a task waits in.
    Place(TaskId),
    /// A lease, with the list of what it holds.
    Lease(LeaseId),
    /// The record of a task, but not its place, which stays behind.
    Record(TaskId),
    /// The parameters of a task. Only asked of stores with plain SQL.
    Parameters(TaskId),
    /// The row of a definition, but not its tasks.
    Definition(DefinitionId),
}
