//! A durable task queue that lives in the database you already have.
//!
//! ```
//! use serde::{Deserialize, Serialize};
//! use taskstore::{TaskContext, TaskHandler, TaskResult};
//!
//! #[derive(Serialize, Deserialize)]
//! struct Email { to: String }
//!
//! struct SendEmail { from: String }                 // dependencies are plain fields
//!
//! impl TaskHandler for SendEmail {
//!     const ALIAS: &'static str = "email.send";
//!     type Params = Email;
//!     type Output = ();
//!     async fn run(&self, ctx: TaskContext, email: Email) -> TaskResult<()> {
//!         ctx.log_info(format!("{} -> {}", self.from, email.to));
//!         Ok(())
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> taskstore::Result<()> {
//! let store = taskstore::connect("memory:").await?;
//! store.migrate().await?;
//! store.register(SendEmail { from: "noreply@example.org".into() }).await?;
//! store.enqueue::<SendEmail>(Email { to: "user@example.org".into() }).await?;
//! # Ok(())
//! # }
//! ```
//!
//! A **task definition** is a kind of work, named by its alias. A **task** is one piece of it that
//! waits in a **queue**. A [`TaskHandler`] is the code that does it. A **runner** claims tasks and
//! runs them; its right to a task is a **lease**, and each run is an **attempt**.
//!
//! # More of it
//!
//! ```
//! use std::time::Duration;
//! use taskstore::TaskError;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> taskstore::Result<()> {
//! let store = taskstore::connect("memory:").auto_migrate(true).await?;
//!
//! // A closure is a handler, too. What it returns is the task's output.
//! store
//!     .register_fn("report.build", |ctx, month: u8| async move {
//!         if month > 12 {
//!             // Not tried again. `?`, or TaskError::retryable, would be.
//!             return Err(TaskError::permanent(format!("there is no month {month}")));
//!         }
//!         ctx.log_info(format!("attempt {}", ctx.attempt()));
//!         Ok(u32::from(month) * 1_000)
//!     })
//!     .await?;
//!
//! // By queue, alias and parameters; with options, which are those of `enqueue`, too.
//! let may = store.enqueue_by_alias("reports", "report.build", 5).priority(-10).await?;
//! let bad = store.enqueue_by_alias("reports", "report.build", 13).max_attempts(3).await?;
//! store.enqueue_by_alias("reports", "report.build", 6).delay(Duration::from_secs(3600)).await?;
//!
//! // While a task with this key waits, runs or is paused there is no second one.
//! let one = store.enqueue_by_alias("reports", "report.build", 7).unique("2026-07").await?;
//! let same = store.enqueue_by_alias("reports", "report.build", 7).unique("2026-07").await?;
//! assert_eq!(one, same);
//!
//! // A runner serves `default` unless it is told which queues. This one returns when nothing is due.
//! let summary = store.runner().queue("reports").run_once().await?;
//! assert_eq!(summary.to_string(), "2 succeeded, 1 failed");
//!
//! // What became of them.
//! let task = store.tasks().get(may).await?;
//! assert_eq!((task.status.as_str(), task.attempts), ("success", 1));
//! assert_eq!(task.output.unwrap().get(), "5000");
//! assert_eq!(store.tasks().log(may).await?[0].text, "attempt 1");
//! assert_eq!(store.tasks().attempts(bad).await?[0].error.as_deref(), Some("there is no month 13"));
//! # Ok(())
//! # }
//! ```
//!
//! To serve until Ctrl-C or SIGTERM: `store.runner().run_until(taskstore::shutdown_signal()).await`.
//! Failures, panics and errors of the database are logged with `tracing`, or given to
//! [`Connect::on_error`].
//!
//! # What is where
//!
//! - [`connect`] opens a [`Store`] by the URL of a database; the store takes handlers and tasks.
//! - [`TaskHandler`], [`TaskContext`] and [`TaskError`] are what handlers are made of.
//! - [`Middleware`] goes around every run of a handler; [`telemetry`] says what is traced and counted.
//! - [`Store::runner`] runs tasks, until [`shutdown_signal`] or whatever else you wait for.
//! - [`Store::tasks`], [`Store::definitions`] and [`Store::queues`] look at what is there, and control it.
//! - [`Store::wait_for`] waits until a task has ended; [`Store::execute_cli`] runs a handler from a
//!   command line.
//! - The traits `Within`, `CompleteWithin` and `ToSql` of the module of a database, such as `sqlite`
//!   or `postgres`, enqueue and complete tasks in a transaction of your own.
//! - [`Error`] is what a store answers when it cannot do what was asked.
//! - [`backend`] is for whoever writes a store of their own.
//!
//! # Features
//!
//! - `metrics`: counters, gauges and histograms through the crate `metrics`, as [`telemetry`] lists
//!   them.
//! - `mysql`: `mysql://` and `mariadb://` URLs, and the module `mysql`.
//! - `postgres`: `postgres://` URLs, and the module `postgres`.
//! - `sqlite` (on by default): `sqlite://` URLs, and the module `sqlite`. SQLite is built in.

mod connect;

pub use connect::{Connect, connect};
pub use taskstore_core::backend::{Counted, Cursor, Page, TaskOrder};
pub use taskstore_core::{
    Alias, Attempt, Backoff, BatchHandler, BatchTask, BoxError, Bulk, BulkReport, BulkReschedule,
    CliReport, Completion, CreateDefinition, Definition, DefinitionId, DefinitionStatus,
    Definitions, EnqueueMany, EnqueueOne, EnqueueOutcome, EnqueueSql, Error, ExecuteCli, FindTasks,
    HandlerInfo, Holder, ListDefinitions, LogLevel, LogLine, MAX_ATTEMPTS, MemoryBackend,
    Middleware, Next, Notice, Notices, Progress, Purged, Queue, QueueCounts, QueueName,
    QueueOptions, QueuePattern, Queues, Refusal, Reschedule, Result, Retention, RunError,
    RunnerBuilder, RunnerHandle, RunnerId, SqlValue, Status, Stopped, Store, StoreBuilder, Summary,
    SweepReport, Task, TaskContext, TaskError, TaskErrorKind, TaskHandler, TaskId, TaskKey,
    TaskOutput, TaskResult, Tasks, UpdateDefinition, limits, shutdown_signal,
};
pub use taskstore_core::{telemetry, testing};
#[cfg(feature = "mysql")]
#[doc(inline)]
pub use taskstore_mysql as mysql;
#[cfg(feature = "postgres")]
#[doc(inline)]
pub use taskstore_postgres as postgres;
#[cfg(feature = "sqlite")]
#[doc(inline)]
pub use taskstore_sqlite as sqlite;

/// For whoever writes a store of their own: the [`Backend`](backend::Backend) trait, the requests
/// and answers that it is made of, and what they are decided by. Prove it with the suite in
/// `taskstore-conformance`, and use it by [`Store::new`].
pub mod backend {
    pub use taskstore_core::backend::*;
    pub use taskstore_core::{LeaseId, UniqueHash, clock, lifecycle, within};
}
