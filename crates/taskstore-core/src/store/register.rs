//! Handlers on their way into a store.

use std::future::Future;

use serde::{Serialize, de::DeserializeOwned};

use super::Store;
use crate::{
    BatchHandler, Definition, Error, Result, TaskContext, TaskHandler, TaskResult,
    handler::Candidate,
};

/// What to do when a handler has no definition yet.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IfMissing {
    Make,
    Fail,
}

impl Store {
    /// Adds a handler, and makes its definition if there is none. From then on runners of this store
    /// take tasks of that kind. Returns the definition.
    ///
    /// A definition that is there stays as it is, also its texts: they belong to whoever operates
    /// it. One that is canceled stays canceled: its tasks are not claimed until somebody activates
    /// it. One that was soft-deleted is not found, so another is made in its place.
    ///
    /// # Errors
    /// [`AlreadyExists`](Error::AlreadyExists): this store has a handler with this alias, or one of
    /// its former aliases. [`Invalid`](Error::Invalid): an alias, a text, the number of attempts or
    /// the time-out cannot be. Or what the database says. The handler is not added then, and may be
    /// registered again.
    pub async fn register<H: TaskHandler>(&self, handler: H) -> Result<Definition> {
        self.add(Candidate::handler(handler)?, IfMissing::Make).await
    }

    /// Adds a handler whose definition must be there already.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound): there is no definition with its alias. Otherwise as
    /// [`register`](Self::register).
    pub async fn register_existing<H: TaskHandler>(&self, handler: H) -> Result<Definition> {
        self.add(Candidate::handler(handler)?, IfMissing::Fail).await
    }

    /// Adds a handler that takes many tasks at once.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) also for an `AT_MOST` that is not 1 to 1,000, or a `wait` above
    /// half a second. Otherwise as [`register`](Self::register).
    pub async fn register_batch<H: BatchHandler>(&self, handler: H) -> Result<Definition> {
        self.add(Candidate::batch_handler(handler)?, IfMissing::Make).await
    }

    /// Adds a closure as the handler of `alias`, with every default of [`TaskHandler`].
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use taskstore_core::{MemoryBackend, Store};
    /// # let store = Store::new(MemoryBackend::new());
    /// store.register_fn("report.build", |ctx, pages: u32| async move {
    ///     ctx.progress(0, pages.into());
    ///     Ok(())
    /// }).await?;
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn register_fn<P, O, F, Fut>(&self, alias: &str, run: F) -> Result<Definition>
    where
        P: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        F: Fn(TaskContext, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = TaskResult<O>> + Send + 'static,
    {
        self.add(Candidate::closure(alias, run)?, IfMissing::Make).await
    }

    /// Adds a handler whose `run` may block its thread (heavy computing, blocking I/O): each run
    /// gets a thread of its own, out of the way of everything that awaits.
    ///
    /// Nothing can stop a thread from outside: such a handler must look at
    /// [`TaskContext::is_cancelled`] now and then, also to keep its time-out.
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn register_blocking<H: TaskHandler>(&self, handler: H) -> Result<Definition> {
        self.add(Candidate::blocking_handler(handler)?, IfMissing::Make).await
    }

    /// Adds a closure that may block its thread, as [`register_blocking`](Self::register_blocking)
    /// does.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use taskstore_core::{MemoryBackend, Store};
    /// # let store = Store::new(MemoryBackend::new());
    /// store.register_blocking_fn("primes.count", |_, below: u32| {
    ///     Ok((2..below).filter(|n| (2..*n).all(|d| n % d != 0)).count())
    /// }).await?;
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`register`](Self::register).
    pub async fn register_blocking_fn<P, O, F>(&self, alias: &str, run: F) -> Result<Definition>
    where
        P: DeserializeOwned + Send + 'static,
        O: Serialize + Send + 'static,
        F: Fn(TaskContext, P) -> TaskResult<O> + Send + Sync + 'static,
    {
        self.add(Candidate::blocking_closure(alias, run)?, IfMissing::Make).await
    }

    async fn add(&self, candidate: Candidate, if_missing: IfMissing) -> Result<Definition> {
        let alias = &candidate.wanted.alias;
        let mut aliases = candidate.former_aliases.clone();
        aliases.push(alias.clone());
        let reservation = self.registry().reserve(aliases)?;

        let definition = match if_missing {
            IfMissing::Make => self.find_or_make_definition(&candidate.wanted).await?,
            IfMissing::Fail => self
                .definition_by_alias(alias)
                .await?
                .ok_or_else(|| Error::not_found("task definition", alias))?,
        };
        let mut served = vec![definition.id];
        for former in &candidate.former_aliases {
            served.extend(self.definition_by_alias(former).await?.map(|former| former.id));
        }

        self.inner.definitions.put(&definition);
        reservation.fill(candidate.registered(definition.id), &served);
        Ok(definition)
    }
}
