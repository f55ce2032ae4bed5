//! The settings of a store.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
};

use futures_util::future::BoxFuture;

use super::{DefinitionCache, Endings, ErrorHandler, Inner, RunError, Store};
use crate::{
    Backend, Middleware, Next, QueueName, Result, Retention, TaskContext, TaskId, TaskOutput,
    TaskResult, backend::Migrate, handler::Registry, limits, middleware::Layers, telemetry::Meters,
};

/// How many tasks a runner runs at the same time unless somebody says otherwise.
const MAX_CONCURRENCY: usize = 10;

/// The settings of a store; awaiting it gives the [`Store`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use taskstore_core as taskstore;
/// use taskstore::{MemoryBackend, Store};
///
/// let store = Store::builder(MemoryBackend::new())
///     .auto_migrate(true)
///     .max_concurrency(4)
///     .on_error(|queue, task, error| eprintln!("{queue}: {task:?}: {error}"))
///     .await?;
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Invalid`](crate::Error::Invalid) for a setting that cannot be; with
/// [`auto_migrate`](Self::auto_migrate) whatever [`Store::migrate`] says.
#[must_use = "a store is not opened until its builder is awaited"]
pub struct StoreBuilder {
    backend: Arc<dyn Backend>,
    on_error: ErrorHandler,
    max_concurrency: usize,
    auto_migrate: bool,
    retention: Retention,
    layers: Layers,
}

impl StoreBuilder {
    pub(super) fn new(backend: Arc<dyn Backend>) -> Self {
        Self {
            backend,
            on_error: ErrorHandler::default(),
            max_concurrency: MAX_CONCURRENCY,
            auto_migrate: false,
            retention: Retention::default(),
            layers: Layers::default(),
        }
    }

    /// How many tasks a runner runs at the same time unless the runner itself says otherwise: 1 to
    /// 10,000, by default 10.
    pub fn max_concurrency(mut self, tasks: usize) -> Self {
        self.max_concurrency = tasks;
        self
    }

    /// Whether the store brings its tables up to date when it is opened. By default it does not:
    /// [`Store::migrate`] does when it is called.
    pub fn auto_migrate(mut self, yes: bool) -> Self {
        self.auto_migrate = yes;
        self
    }

    /// How long tasks are kept after their end; by default for ever. See [`Retention`].
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Calls this for everything that goes wrong while tasks run; see
    /// [`Store::set_error_handler`].
    pub fn on_error(
        self,
        handler: impl Fn(&QueueName, Option<TaskId>, &RunError) + Send + Sync + 'static,
    ) -> Self {
        self.on_error.set(handler);
        self
    }

    /// Puts this around every run of a handler, within whatever was added before it. See
    /// [`Middleware`].
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.layers.add(middleware);
        self
    }

    /// Like [`middleware`](Self::middleware), with a closure.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use taskstore_core as taskstore;
    /// use taskstore::{MemoryBackend, Store, TaskError, TaskErrorKind};
    ///
    /// // What took too long once is not tried again.
    /// let store = Store::builder(MemoryBackend::new())
    ///     .middleware_fn(|_ctx, next| Box::pin(async move {
    ///         next.run().await.map_err(|error| match error.kind() {
    ///             TaskErrorKind::TimedOut(_) => TaskError::permanent(error.message()),
    ///             _ => error,
    ///         })
    ///     }))
    ///     .await?;
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn middleware_fn<F>(mut self, run: F) -> Self
    where
        F: for<'a> Fn(&'a TaskContext, Next<'a>) -> BoxFuture<'a, TaskResult<TaskOutput>>
            + Send
            + Sync
            + 'static,
    {
        self.layers.add_fn(run);
        self
    }

    async fn open(self) -> Result<Store> {
        limits::check_concurrency("max_concurrency", self.max_concurrency)?;
        self.retention.check()?;
        if self.auto_migrate {
            self.backend.migrate(&Migrate::up()).await?;
        }
        Ok(self.build())
    }

    pub(crate) fn build(self) -> Store {
        Store {
            inner: Arc::new(Inner {
                backend: self.backend,
                registry: Registry::default(),
                definitions: DefinitionCache::default(),
                on_error: self.on_error,
                max_concurrency: self.max_concurrency,
                runners: crate::runner::Runners::default(),
                endings: Endings::default(),
                retention: self.retention,
                janitor: crate::runner::Janitor::default(),
                layers: self.layers,
                meters: Meters::default(),
                sweeping: tokio::sync::Mutex::new(()),
            }),
        }
    }
}

/// The settings of a store over a backend that others share.
impl From<Arc<dyn Backend>> for StoreBuilder {
    fn from(backend: Arc<dyn Backend>) -> Self {
        Self::new(backend)
    }
}

/// A store over a backend that others share, with every default.
impl From<Arc<dyn Backend>> for Store {
    fn from(backend: Arc<dyn Backend>) -> Self {
        StoreBuilder::new(backend).build()
    }
}

impl IntoFuture for StoreBuilder {
    type Output = Result<Store>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Store>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}
