//! For tests of programs that use taskstore: a store in memory whose clock stands still.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! use std::time::Duration;
//! use taskstore_core::{Status, TaskError, TaskKey, testing::TestStore};
//!
//! struct Remind;
//! impl TaskKey for Remind {
//!     const KEY: &'static str = "remind";
//!     type Args = String;
//! }
//!
//! let store = TestStore::new();
//! store.register_fn("remind", |ctx, _: String| async move {
//!     if ctx.attempt() == 1 { Err(TaskError::retryable("not now")) } else { Ok(()) }
//! }).await?;
//!
//! // What the program under test does:
//! let id = store.enqueue::<Remind>("ada".into()).delay(Duration::from_secs(3_600)).await?;
//!
//! store.assert_enqueued::<Remind>(&"ada".into());
//! assert_eq!(store.drain().await?.ran(), 0, "it is not due");
//! store.advance(Duration::from_secs(3_600));
//! assert_eq!(store.drain().await?.retried, 1);
//! assert_eq!(store.drain_all().await?.succeeded, 1, "through the backoff, without waiting");
//! assert_eq!(store.tasks().get(id).await?.status, Status::Success);
//! # Ok::<(), taskstore_core::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod inline;

use std::{ops::Deref, time::Duration};

pub use inline::InlineRun;

use serde_json::Value;
use time::{UtcDateTime, macros::utc_datetime};

use crate::{
    Error, MemoryBackend, Result, Store, StoreBuilder, Summary, Task, TaskKey, limits::DELAY_MAX,
};

/// Where the clock of a new test store stands: noon of a Monday, far from every change of an hour.
pub const START: UtcDateTime = utc_datetime!(2024-01-15 12:00);

/// The most rounds of [`TestStore::drain_all`]: a task that is retried for ever ends the test.
const ROUNDS_MAX: usize = 10_000;

/// A [`Store`] in memory, whose clock stands still until it is moved.
///
/// It is used like any store, and can be given to whatever takes one. Nothing runs by itself: tasks
/// run in the calling test, all that are due in [`drain`](Self::drain), through delays and retries in
/// [`drain_all`](Self::drain_all), one in [`run_one`](Self::run_one); or a handler without a task in
/// [`run`](Self::run).
#[derive(Clone, Debug)]
pub struct TestStore {
    store: Store,
    backend: MemoryBackend,
}

impl Default for TestStore {
    fn default() -> Self {
        Self::new()
    }
}

impl TestStore {
    /// An empty store, its clock at [`START`].
    #[must_use]
    pub fn new() -> Self {
        Self::with(|settings| settings)
    }

    /// An empty store with settings: the middleware and the error handler of the program under test.
    ///
    /// ```
    /// # use taskstore_core::testing::TestStore;
    /// let store = TestStore::with(|settings| {
    ///     settings.middleware_fn(|ctx, next| Box::pin(async move {
    ///         ctx.log_info("it begins");
    ///         next.run().await
    ///     }))
    /// });
    /// ```
    #[must_use]
    pub fn with(settings: impl FnOnce(StoreBuilder) -> StoreBuilder) -> Self {
        let backend = MemoryBackend::stopped_at(START);
        Self { store: settings(Store::builder(backend.clone())).build(), backend }
    }

    /// Moves the clock, and says where it stands then. Tasks that become due run in the next
    /// [`drain`](Self::drain). The waits of retries vary by up to a tenth, so move it by more than that.
    pub fn advance(&self, by: Duration) -> UtcDateTime {
        self.backend.advance(by)
    }

    /// Runs everything that is due in all queues, also what handlers enqueue meanwhile, and returns
    /// when nothing is due any more. Failed tasks that wait for another attempt are left waiting.
    ///
    /// # Errors
    /// A handler is missing: [`Error::NotFound`] names the alias of a task that is due and that
    /// nobody can run.
    pub async fn drain(&self) -> Result<Summary> {
        let mut all = Summary::default();
        loop {
            let mut ran = Summary::default();
            for queue in self.backend.queue_names() {
                ran += self.store.runner().queue(queue).run_once().await?;
            }
            if ran == Summary::default() {
                break;
            }
            all += ran;
        }
        match self.due().into_iter().next() {
            Some(task) => Err(Error::not_found("handler", &task.alias)),
            None => Ok(all),
        }
    }

    /// Runs everything, moving the clock to whatever is due next, until nothing is queued: through
    /// delays, retries and snoozes.
    ///
    /// # Errors
    /// As for [`drain`](Self::drain); [`Error::Invalid`] when tasks come back for ever.
    pub async fn drain_all(&self) -> Result<Summary> {
        let mut all = Summary::default();
        for _ in 0..ROUNDS_MAX {
            all += self.drain().await?;
            let Some(wait) = self.backend.next_due_in() else { return Ok(all) };
            self.advance(wait.min(DELAY_MAX));
        }
        Err(Error::invalid("tasks", format!("some still come back after {ROUNDS_MAX} rounds")))
    }

    /// Every task that was ever enqueued, the oldest first.
    #[must_use]
    pub fn all(&self) -> Vec<Task> {
        self.backend.all_tasks()
    }

    /// Fails the test unless a task of this kind with these parameters is queued.
    ///
    /// # Panics
    /// None is; the message shows those that are.
    pub fn assert_enqueued<K: TaskKey>(&self, args: &K::Args) {
        let wanted = json(args);
        let queued = self.queued::<K>();
        assert!(
            queued.iter().any(|task| parameters(task) == wanted),
            "no {} task with {wanted} is queued, but {:?}",
            K::KEY,
            queued.iter().map(parameters).collect::<Vec<_>>(),
        );
    }

    /// Fails the test if a task of this kind is queued.
    ///
    /// # Panics
    /// One is; the message shows it.
    pub fn assert_none_enqueued<K: TaskKey>(&self) {
        let queued = self.queued::<K>();
        assert!(
            queued.is_empty(),
            "{} tasks are queued: {:?}",
            K::KEY,
            queued.iter().map(parameters).collect::<Vec<_>>(),
        );
    }

    fn queued<K: TaskKey>(&self) -> Vec<Task> {
        let mut tasks = self.all();
        tasks.retain(|task| task.alias.as_str() == K::KEY && task.status == crate::Status::Queued);
        tasks
    }

    /// What is due and queued, in queues and of definitions that are served.
    fn due(&self) -> Vec<Task> {
        self.backend.due_tasks()
    }
}

impl Deref for TestStore {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl From<&TestStore> for Store {
    fn from(test: &TestStore) -> Self {
        test.store.clone()
    }
}

fn json(args: &impl serde::Serialize) -> Value {
    // What cannot be JSON could not have been enqueued, so nothing equals it.
    serde_json::to_value(args).unwrap_or(Value::String("not JSON".into()))
}

fn parameters(task: &Task) -> Value {
    serde_json::from_str(task.parameters.get()).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Status, TaskError};

    struct Note;

    impl TaskKey for Note {
        const KEY: &'static str = "note";
        type Args = u32;
    }

    #[tokio::test]
    async fn a_task_is_drained_through_all_of_its_retries_without_waiting() {
        let store = TestStore::new();
        let fails = |ctx: crate::TaskContext, times: u32| async move {
            if ctx.attempt() > times { Ok(()) } else { Err(TaskError::retryable("not yet")) }
        };
        store.register_fn("note", fails).await.unwrap();
        let id = store.enqueue::<Note>(19).queue("slow").await.unwrap();
        let summary = store.drain_all().await.unwrap();
        assert_eq!((summary.succeeded, summary.retried), (1, 19));
        let task = store.tasks().get(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Success, 20));
        let days = (task.completed_at.unwrap() - START).whole_days();
        assert!((5..8).contains(&days), "{days} days passed");
    }

    #[tokio::test]
    async fn what_handlers_enqueue_runs_in_the_same_drain() {
        let store = TestStore::new();
        let chain = |ctx: crate::TaskContext, left: u32| async move {
            if left > 0 {
                ctx.store().enqueue::<Note>(left - 1).queue(format!("q{left}")).await?;
            }
            Ok(())
        };
        store.register_fn("note", chain).await.unwrap();
        store.enqueue::<Note>(5).await.unwrap();
        assert_eq!(store.drain().await.unwrap().succeeded, 6);
        store.assert_none_enqueued::<Note>();
    }

    #[tokio::test]
    async fn a_task_that_nobody_can_run_is_an_error_that_names_its_alias() {
        let producer = TestStore::new();
        producer.register_fn("note", |_, _: u32| async move { Ok(()) }).await.unwrap();
        producer.enqueue::<Note>(1).await.unwrap();
        // The same store in a program that has no handler.
        let consumer = TestStore {
            store: Store::new(producer.backend.clone()),
            backend: producer.backend.clone(),
        };
        let error = consumer.drain().await.unwrap_err();
        assert_eq!(error.to_string(), "handler note was not found");
        consumer.queues().pause("default").await.unwrap();
        assert_eq!(consumer.drain().await.unwrap(), Summary::default(), "nobody is asked to");
    }

    #[tokio::test]
    #[should_panic(expected = "no note task with 8 is queued, but [Number(7)]")]
    async fn an_assertion_that_fails_shows_what_is_queued() {
        let store = TestStore::new();
        store.register_fn("note", |_, _: u32| async move { Ok(()) }).await.unwrap();
        store.enqueue::<Note>(7).await.unwrap();
        store.assert_enqueued::<Note>(&7);
        store.assert_enqueued::<Note>(&8);
    }
}
