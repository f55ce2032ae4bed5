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
//! # What is where
//!
//! - [`connect`] opens a [`Store`] by the URL of a database; the store takes handlers and tasks.
//! - [`TaskHandler`], [`TaskContext`] and [`TaskError`] are what handlers are made of.
//! - [`Store::runner`] runs tasks, until [`shutdown_signal`] or whatever else you wait for.
//! - [`Store::tasks`] and [`Store::queues`] look at what is there, and control it.
//! - [`Error`] is what a store answers when it cannot do what was asked.
//! - [`backend`] is for whoever writes a store of their own.
//!
//! # Features
//!
//! - `sqlite` (on by default): `sqlite://` URLs, and the module `sqlite`. SQLite is built in.

mod connect;

pub use connect::{Connect, connect};
pub use taskstore_core::testing;
pub use taskstore_core::{
    Alias, Attempt, Backoff, BoxError, Definition, DefinitionId, DefinitionStatus, EnqueueMany,
    EnqueueOne, EnqueueOutcome, Error, Holder, LogLevel, LogLine, MAX_ATTEMPTS, MemoryBackend,
    Progress, QueueName, Queues, Reschedule, Result, RunError, RunnerBuilder, RunnerHandle,
    RunnerId, Status, Stopped, Store, StoreBuilder, Summary, Task, TaskContext, TaskError,
    TaskHandler, TaskId, TaskKey, TaskResult, Tasks, limits, shutdown_signal,
};
#[cfg(feature = "sqlite")]
pub use taskstore_sqlite as sqlite;

/// For whoever writes a store of their own: the [`Backend`](backend::Backend) trait, the requests
/// and answers that it is made of, and what they are decided by. Prove it with the suite in
/// `taskstore-conformance`, and use it by [`Store::new`].
pub mod backend {
    pub use taskstore_core::backend::*;
    pub use taskstore_core::{LeaseId, UniqueHash, clock, lifecycle};
}
