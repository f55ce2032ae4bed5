//! Waiting for a task to end, whoever runs it.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::{Instant, timeout_at};

use super::Store;
use crate::{
    Error, Result, Status, Task, TaskId,
    backend::{Fate, Settle, Settled},
    limits,
};

/// The first look again, for a task that another process runs.
const POLL_MIN: Duration = Duration::from_millis(10);
/// The longest time between two looks.
const POLL_MAX: Duration = Duration::from_secs(1);

impl Store {
    /// Waits until a task has ended, and gives its output: what its handler returned as JSON, or
    /// `None` where that was nothing. It may have ended before.
    ///
    /// An end that comes through this store is heard of at once. One in another process is found by
    /// looking: first after 10 ms, then ever more seldom, at last once a second. A task that fails
    /// and is tried again, waits or is paused has not ended.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use std::time::Duration;
    /// # use taskstore_core::{MemoryBackend, Store};
    /// # let store = Store::new(MemoryBackend::new());
    /// # store.migrate().await?;
    /// store.register_fn("double", |_, n: u32| async move { Ok(2 * n) }).await?;
    /// let runner = store.runner().start().await?;
    ///
    /// let id = store.enqueue_by_alias("", "double", 21).await?;
    /// let output = store.wait_for(id, Duration::from_secs(10)).await?;
    /// assert_eq!(output.unwrap().get(), "42");
    /// # runner.stop().await;
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Failed`](Error::Failed), with its last error, and [`Canceled`](Error::Canceled), with the
    /// reason: so it ended. [`NotEnded`](Error::NotEnded): not within `timeout`; the task goes on, and
    /// can be waited for again. [`NotFound`](Error::NotFound): there is no such `task`.
    /// [`Invalid`](Error::Invalid): `timeout` is longer than 100 years. A database that is away is
    /// waited for until `timeout`, and only then an error.
    pub async fn wait_for(&self, id: TaskId, timeout: Duration) -> Result<Option<Box<RawValue>>> {
        limits::check_delay("timeout", timeout)?;
        let deadline = Instant::now() + timeout;
        let listening = self.inner.endings.listen(id);
        let tasks = self.tasks();
        let mut poll = POLL_MIN;
        loop {
            // Before the look: what ends after it is heard of.
            let ended = listening.next();
            // A look gets a second at least, also where the time is over at once.
            let look_until = deadline.max(Instant::now() + POLL_MAX);
            let looked = timeout_at(look_until, tasks.get(id)).await;
            let seen = match looked {
                Ok(Ok(task)) if task.status.has_ended() => return output_of(task),
                Ok(Ok(task)) => Error::NotEnded { task: id, status: task.status, after: timeout },
                Ok(Err(error)) if error.is_retryable() => error,
                Ok(Err(error)) => return Err(error),
                Err(_) => Error::timed_out("looking at the task", timeout),
            };
            if Instant::now() >= deadline {
                return Err(seen);
            }
            // Either way it is looked at again.
            let _ = timeout_at(deadline.min(Instant::now() + poll), ended).await;
            poll = (poll * 2).min(POLL_MAX);
        }
    }

    /// Like [`wait_for`](Self::wait_for), with the output as a type of yours. No output is read as
    /// `null`, which `()` and `Option` take.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use std::time::Duration;
    /// # use taskstore_core::{MemoryBackend, Store};
    /// # let store = Store::new(MemoryBackend::new());
    /// store.register_fn("double", |_, n: u32| async move { Ok(2 * n) }).await?;
    /// let id = store.enqueue_by_alias("", "double", 21).await?;
    /// store.runner().run_once().await?;
    /// let doubled: u32 = store.wait_for_output(id, Duration::from_secs(10)).await?;
    /// assert_eq!(doubled, 42);
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As for [`wait_for`](Self::wait_for); [`Invalid`](Error::Invalid): the `output` is not of this
    /// type, and stays where it is.
    pub async fn wait_for_output<T: DeserializeOwned>(
        &self,
        id: TaskId,
        timeout: Duration,
    ) -> Result<T> {
        let output = self.wait_for(id, timeout).await?;
        let json = output.as_deref().map_or("null", RawValue::get);
        serde_json::from_str(json)
            .map_err(|error| Error::invalid("output", format!("it is of another type: {error}")))
    }

    /// These tasks have ended, and that is stored: whoever waits for them looks at once.
    pub(crate) fn tell_ended(&self, tasks: impl IntoIterator<Item = TaskId>) {
        self.inner.endings.ended(tasks);
    }

    /// These settlements were answered: whoever waits for a task that has ended by them looks at once.
    pub(crate) fn tell_settled(&self, request: &Settle, settled: &Settled) {
        let ended = |fate: &Fate| matches!(fate, Fate::Applied { status } if status.has_ended());
        let all = request.settlements.iter().zip(&settled.fates);
        self.tell_ended(all.filter(|(_, fate)| ended(fate)).map(|(s, _)| s.lease.task));
    }
}

fn output_of(task: Task) -> Result<Option<Box<RawValue>>> {
    match task.status {
        Status::Success => Ok(task.output),
        Status::Failed => Err(Error::Failed {
            task: task.id,
            error: task.last_error.unwrap_or_else(|| "it left no reason".to_owned()),
        }),
        _ => Err(Error::Canceled {
            task: task.id,
            reason: task.last_error.unwrap_or_else(|| "no reason was given".to_owned()),
        }),
    }
}
