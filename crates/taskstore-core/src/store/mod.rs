//! [`Store`]: the one handle that a program keeps.
//!
//! It checks what it is given, asks the [`Backend`], and turns answers into results. It holds no
//! tasks and decides nothing about them.

mod builder;
mod bulk;
mod cli;
mod definition_builders;
mod definition_cache;
mod definitions;
mod endings;
mod enqueue;
mod find;
mod options;
mod queues;
mod register;
mod reschedule;
mod retention;
mod run;
mod run_error;
mod schema;
mod sweep;
mod tasks;
mod wait_for;

use std::{fmt, sync::Arc};

pub use builder::StoreBuilder;
pub use bulk::{Bulk, BulkReport, BulkReschedule, Refusal};
pub use cli::{CliReport, ExecuteCli, HandlerInfo};
pub use definition_builders::{CreateDefinition, ListDefinitions, UpdateDefinition};
use definition_cache::DefinitionCache;
pub use definitions::Definitions;
use endings::Endings;
pub use enqueue::{EnqueueMany, EnqueueOne, EnqueueOutcome};
pub use find::FindTasks;
pub(crate) use options::parameters;
pub use queues::Queues;
pub use reschedule::Reschedule;
pub(crate) use retention::Manner;
pub use retention::Purged;
use run_error::ErrorHandler;
pub use run_error::RunError;
pub use sweep::SweepReport;
pub use tasks::Tasks;

use crate::{
    Backend, QueueName, Retention, TaskId,
    handler::Registry,
    middleware::Layers,
    runner::{Janitor, Runners},
    telemetry::Meters,
};

/// A store of tasks, and the handlers that this program has for them.
///
/// Cheap to clone; clones are the same store. It has no type parameter: whatever database is under
/// it, functions just take a `Store`.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use std::time::Duration;
/// # use taskstore_core as taskstore;
/// use taskstore::{MemoryBackend, Store, TaskKey};
///
/// struct SendEmail;
/// impl TaskKey for SendEmail {
///     const KEY: &'static str = "email.send";
///     type Args = String;
/// }
///
/// let store = Store::new(MemoryBackend::new());
/// store.migrate().await?;
/// store.register_fn("email.send", |ctx, to: String| async move {
///     ctx.log_info(format!("-> {to}"));
///     Ok(())
/// }).await?;
///
/// let id = store
///     .enqueue::<SendEmail>("user@example.org".into())
///     .queue("mail")
///     .delay(Duration::from_secs(300))
///     .await?;
/// assert_eq!(store.tasks().get(id).await?.queue.as_str(), "mail");
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Arc<dyn Backend>,
    registry: Registry,
    definitions: DefinitionCache,
    on_error: ErrorHandler,
    max_concurrency: usize,
    runners: Runners,
    endings: Endings,
    retention: Retention,
    janitor: Janitor,
    layers: Layers,
    meters: Meters,
    sweeping: tokio::sync::Mutex<()>,
}

impl Store {
    /// A store over this backend, with every default.
    pub fn new(backend: impl Backend) -> Self {
        StoreBuilder::new(Arc::new(backend)).build()
    }

    /// A store over this backend, with settings; awaited when they are made.
    pub fn builder(backend: impl Backend) -> StoreBuilder {
        StoreBuilder::new(Arc::new(backend))
    }

    /// Looks at tasks, and controls them.
    #[must_use]
    pub fn tasks(&self) -> Tasks {
        Tasks::new(self.clone())
    }

    /// Looks at task definitions, and controls them.
    #[must_use]
    pub fn definitions(&self) -> Definitions {
        Definitions::new(self.clone())
    }

    /// Looks at queues, and controls them.
    #[must_use]
    pub fn queues(&self) -> Queues {
        Queues::new(self.clone())
    }

    /// Calls `handler` for everything that goes wrong while tasks run, instead of the handler that
    /// was there: for each failure of a handler, panic, time-out, lost lease and error of the
    /// database. By default each is logged with `tracing`. It should return soon, because a runner
    /// waits for it; if it panics, that is logged.
    pub fn set_error_handler(
        &self,
        handler: impl Fn(&QueueName, Option<TaskId>, &RunError) + Send + Sync + 'static,
    ) {
        self.inner.on_error.set(handler);
    }

    /// The backend, for what only one of them can do.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.inner.backend
    }

    /// The handlers that were registered.
    pub(crate) fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// The runners that were started and have not stopped.
    pub(crate) fn runners(&self) -> &Runners {
        &self.inner.runners
    }

    /// What is around every run.
    pub(crate) fn layers(&self) -> &Layers {
        &self.inner.layers
    }

    /// What is counted.
    pub(crate) fn meters(&self) -> &Meters {
        &self.inner.meters
    }

    /// How long tasks are kept after their end.
    pub(crate) fn retention(&self) -> &Retention {
        &self.inner.retention
    }

    /// Who purges what is over, while a runner runs.
    pub(crate) fn janitor(&self) -> &Janitor {
        &self.inner.janitor
    }

    /// The definitions that were seen a moment ago.
    fn definition_cache(&self) -> &DefinitionCache {
        &self.inner.definitions
    }

    /// Waits until no other runner of this store sweeps.
    pub(crate) async fn sweeping(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.inner.sweeping.lock().await
    }

    /// How many tasks a runner runs at the same time unless it says otherwise.
    pub(crate) fn max_concurrency(&self) -> usize {
        self.inner.max_concurrency
    }

    /// Tells the error handler.
    pub(crate) fn report_error(&self, queue: &QueueName, task: Option<TaskId>, error: &RunError) {
        self.inner.on_error.tell(queue, task, error);
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("backend", &self.inner.backend).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
