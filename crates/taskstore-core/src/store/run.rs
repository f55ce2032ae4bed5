//! Starting and stopping runners.

use futures_util::future::join_all;

use super::Store;
use crate::{
    QueueName, Result,
    runner::{RunnerBuilder, RunnerHandle, Stopped},
};

impl Store {
    /// A runner to be described and started: every mode is a setting of it.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use taskstore_core::{MemoryBackend, Store};
    /// let store = Store::new(MemoryBackend::new());
    /// store.migrate().await?;
    /// store.register_fn("greet", |_, name: String| async move { Ok(format!("hello {name}")) }).await?;
    /// let id = store.enqueue_by_alias("mail", "greet", "you").await?;
    ///
    /// let summary = store.runner().queue("mail").run_once().await?;
    /// assert_eq!(summary.succeeded, 1);
    /// assert_eq!(store.tasks().get(id).await?.output.unwrap().get(), r#""hello you""#);
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn runner(&self) -> RunnerBuilder {
        RunnerBuilder::new(self.clone(), self.max_concurrency())
    }

    /// Serves the queue `default`, one task at a time.
    ///
    /// # Errors
    /// As for [`RunnerBuilder::start`].
    pub async fn run_default(&self) -> Result<RunnerHandle> {
        self.runner().serial().start().await
    }

    /// Serves a queue, one task at a time.
    ///
    /// # Errors
    /// As for [`RunnerBuilder::start`].
    pub async fn run_serial(&self, queue: impl AsRef<str>) -> Result<RunnerHandle> {
        self.runner().queue(queue).serial().start().await
    }

    /// Serves a queue, as many tasks at a time as the store says: 10 by default.
    ///
    /// # Errors
    /// As for [`RunnerBuilder::start`].
    pub async fn run_concurrent(&self, queue: impl AsRef<str>) -> Result<RunnerHandle> {
        self.runner().queue(queue).start().await
    }

    /// Stops every runner of this store, all at the same time, as [`RunnerHandle::stop`] does. Says
    /// what they left behind; nothing where none was running.
    pub async fn stop(&self) -> Vec<Stopped> {
        self.stop_those(None).await
    }

    /// Stops the runner that serves this queue, with whatever other queues it serves. Fine if there
    /// is none.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid): not the name of a queue.
    pub async fn stop_queue(&self, queue: impl AsRef<str>) -> Result<Option<Stopped>> {
        let queue = QueueName::new(queue.as_ref())?;
        Ok(self.stop_those(Some(&queue)).await.pop())
    }

    async fn stop_those(&self, queue: Option<&QueueName>) -> Vec<Stopped> {
        let handles = self.runners().handles(queue);
        join_all(handles.iter().map(RunnerHandle::stop)).await
    }
}
