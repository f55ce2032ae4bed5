//! The heart of **taskstore**, a durable task queue that lives in the database you already have.
//!
//! Most programs depend on the facade crate `taskstore` and never name this one. Depend on it
//! directly to write a store of your own: implement [`Backend`], then let the suite in
//! `taskstore-conformance` prove it.
//!
//! A **task** is in exactly one *place*: ready, later, leased, paused or done. A [`Backend`] moves
//! tasks between places, guarded by what the caller believes; which move to make is decided here,
//! once, by the pure function [`lifecycle::next`].
//!
//! Architecture invariant: this crate performs no I/O and names no driver.

pub mod backend;
pub mod clock;
mod error;
mod handler;
pub mod lifecycle;
pub mod limits;
mod memory;
mod middleware;
mod model;
mod retention;
mod retry;
mod runner;
mod store;
pub mod telemetry;
pub mod testing;
mod watcher;
pub mod within;

/// For implementing [`Backend`] and [`Heartbeat`] without naming the crate.
pub use async_trait::async_trait;
pub use backend::{Backend, Heartbeat};
pub use error::{BoxError, Error, Result};
pub use handler::{
    BatchHandler, BatchTask, TaskContext, TaskError, TaskErrorKind, TaskHandler, TaskKey,
    TaskOutput, TaskResult,
};
#[doc(hidden)]
pub use memory::Lose;
pub use memory::MemoryBackend;
pub use middleware::{Middleware, Next};
pub use model::{
    Alias, Attempt, Definition, DefinitionId, DefinitionStatus, Holder, LeaseId, LogLevel, LogLine,
    Progress, Queue, QueueCounts, QueueName, QueuePattern, RunnerId, Status, Task, TaskId,
    UniqueHash,
};
pub use retention::Retention;
pub use retry::{Backoff, MAX_ATTEMPTS};
pub use runner::{QueueOptions, RunnerBuilder, RunnerHandle, Stopped, Summary, shutdown_signal};
pub use store::{
    Bulk, BulkReport, BulkReschedule, CliReport, CreateDefinition, Definitions, EnqueueMany,
    EnqueueOne, EnqueueOutcome, ExecuteCli, FindTasks, HandlerInfo, ListDefinitions, Purged,
    Queues, Refusal, Reschedule, RunError, Store, StoreBuilder, SweepReport, Tasks,
    UpdateDefinition,
};
pub use within::{Completion, EnqueueSql, Notice, Notices, SqlValue};
