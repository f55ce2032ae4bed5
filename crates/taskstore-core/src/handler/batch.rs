//! Handlers that take many tasks at once, and how such a run ends for each of them.

use std::{future::Future, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::{FutureExt as _, future::BoxFuture};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    TaskContext, TaskError, TaskKey, TaskOutput, TaskResult,
    registered::{parse, stored},
};
use crate::{Backoff, MAX_ATTEMPTS};

/// A kind of work that is done for many tasks at once: rows for one bulk insert, messages for one
/// call of an API.
///
/// Its tasks are enqueued one by one like any others, and each ends by itself: with its own output,
/// retry, snooze or failure. Only the run is shared. A runner gives it what is there when a slot is
/// free, at most [`AT_MOST`](Self::AT_MOST) tasks, and waits at most for one more claim to fill the
/// batch; a batch takes one slot of the runner's concurrency.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use serde::{Deserialize, Serialize};
/// # use taskstore_core as taskstore;
/// use taskstore::{BatchHandler, BatchTask, MemoryBackend, Store, TaskError, TaskKey, TaskResult};
///
/// #[derive(Serialize, Deserialize)]
/// struct Row { name: String }
///
/// struct InsertRows;
///
/// impl TaskKey for InsertRows {
///     const KEY: &'static str = "rows.insert";
///     type Args = Row;
/// }
///
/// impl BatchHandler for InsertRows {
///     const AT_MOST: usize = 500;
///     type Output = usize;
///
///     async fn run(&self, tasks: Vec<BatchTask<Row>>) -> TaskResult<Vec<TaskResult<usize>>> {
///         // One statement for all of them; an error of the whole would be the error of each.
///         let insert = |task: &BatchTask<Row>| match task.params.name.len() {
///             0 => Err(TaskError::permanent("it has no name")),
///             length => Ok(length),
///         };
///         Ok(tasks.iter().map(insert).collect())
///     }
/// }
///
/// let store = Store::new(MemoryBackend::new());
/// store.register_batch(InsertRows).await?;
/// let rows = ["ada", "", "grace"].map(|name| Row { name: name.to_owned() });
/// store.enqueue_many::<InsertRows>(rows).await?;
/// let summary = store.runner().run_once().await?;
/// assert_eq!((summary.succeeded, summary.failed), (2, 1));
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// - **Answers** come by position: as many as there were tasks, in their order. Another number is a
///   failure of each, to be tried again.
/// - **An error of the whole**, a panic and a time-out are those of each task; what attempts each has
///   left is its own.
/// - **Parameters that do not fit** fail their own task; its neighbours run without it.
/// - **A cancel** fires the [token](TaskContext::cancelled) of its own task only. What the handler
///   answers for it counts.
/// - **A task with a time-out of its own** runs together with those of the same time-out.
/// - **Middleware** is around each task by itself. A task that it holds back for more than a moment
///   runs in another batch, and one that it gives up ends only when the batch has ended.
/// - **After a crash** a task that may be to blame runs as a batch of one.
pub trait BatchHandler: TaskKey<Args: DeserializeOwned + Send> + Send + Sync + 'static {
    /// Most tasks in one run: 1 to 1,000.
    const AT_MOST: usize;

    /// Aliases that it had before. Tasks that were enqueued under them are run by this handler.
    const FORMER_ALIASES: &'static [&'static str] = &[];

    /// A short name for people: at most 255 characters. Used when its definition is made.
    const TITLE: &'static str = "";

    /// What it does, for people: at most 64 KiB. Used when its definition is made.
    const DESCRIPTION: &'static str = "";

    /// What a task's part of the run returns, stored as JSON: at most 1 MiB. `()` stores nothing.
    type Output: Serialize + Send;

    /// Does the work of these tasks, at least one.
    ///
    /// # Errors
    /// An error of the whole run is the error of each task.
    fn run(
        &self,
        tasks: Vec<BatchTask<Self::Args>>,
    ) -> impl Future<Output = TaskResult<Vec<TaskResult<Self::Output>>>> + Send;

    /// How often a task is tried before it fails, unless it was enqueued with a number of its own:
    /// 1 to 10,000, by default 20.
    fn max_attempts(&self) -> u32 {
        MAX_ATTEMPTS
    }

    /// How long one run may take, for all of its tasks; then it is dropped at its next `.await`, and
    /// has failed. By default there is no limit.
    fn timeout(&self) -> Option<Duration> {
        None
    }

    /// How long to wait after a failure before the next try.
    fn backoff(&self) -> Backoff {
        Backoff::default()
    }

    /// How long a batch that is not full waits for more tasks before it starts: at most half a
    /// second, by default not at all.
    fn wait(&self) -> Duration {
        Duration::ZERO
    }
}

/// One task of a batch.
#[derive(Clone, Debug)]
pub struct BatchTask<P> {
    /// Everything about its run; its log, progress and token are its own.
    pub ctx: TaskContext,
    /// What it was enqueued with.
    pub params: P,
}

/// What a run comes to, by position.
pub(super) type BatchWork =
    Box<dyn Fn(Vec<TaskContext>, Option<Duration>) -> BoxFuture<'static, Answers> + Send + Sync>;

/// As many as there were contexts.
pub(crate) type Answers = Vec<TaskResult<TaskOutput>>;

/// A handler that takes JSON. The future never panics: it answers for each.
pub(super) fn batch_work<H: BatchHandler>(handler: H) -> BatchWork {
    let handler = Arc::new(handler);
    Box::new(move |contexts, limit| Box::pin(run(Arc::clone(&handler), contexts, limit)))
}

async fn run<H: BatchHandler>(
    handler: Arc<H>,
    contexts: Vec<TaskContext>,
    limit: Option<Duration>,
) -> Answers {
    let mut misfits: Vec<Option<TaskError>> = Vec::with_capacity(contexts.len());
    let mut tasks = Vec::with_capacity(contexts.len());
    for ctx in &contexts {
        // A type's own deserializer may panic, and harms only its own task.
        let parsed = std::panic::catch_unwind(AssertUnwindSafe(|| parse(ctx.parameters())))
            .unwrap_or_else(|panic| Err(TaskError::panicked(&*panic)));
        misfits.push(parsed.map(|params| tasks.push(BatchTask { ctx: ctx.clone(), params })).err());
    }
    let asked = tasks.len();
    let whole = if asked == 0 { Ok(Vec::new()) } else { within(&*handler, tasks, limit).await };
    let (mut answers, error) = match whole {
        Ok(answers) if answers.len() == asked => (answers.into_iter(), None),
        Ok(answers) => (Vec::new().into_iter(), Some(miscounted(answers.len(), asked))),
        Err(error) => (Vec::new().into_iter(), Some(error)),
    };
    let answer = |(ctx, misfit): (&TaskContext, Option<TaskError>)| match misfit {
        Some(misfit) => Err(misfit),
        None => match (&error, answers.next()) {
            (Some(error), _) => Err(error.clone()),
            (None, Some(answer)) => stored(ctx, &answer?).map(TaskOutput::of),
            (None, None) => Err(miscounted(0, asked)),
        },
    };
    contexts.iter().zip(misfits).map(answer).collect()
}

/// Catches its panic, and drops it at its time-out.
async fn within<H: BatchHandler>(
    handler: &H,
    tasks: Vec<BatchTask<H::Args>>,
    limit: Option<Duration>,
) -> TaskResult<Vec<TaskResult<H::Output>>> {
    // What panics is dropped with everything that it could leave half done.
    let run = AssertUnwindSafe(async { handler.run(tasks).await }).catch_unwind();
    let ran = match limit {
        None => run.await,
        Some(limit) => match tokio::time::timeout(limit, run).await {
            Ok(ran) => ran,
            Err(_) => return Err(TaskError::timed_out(limit)),
        },
    };
    ran.unwrap_or_else(|panic| Err(TaskError::panicked(&*panic)))
}

fn miscounted(answers: usize, tasks: usize) -> TaskError {
    TaskError::retryable(format!(
        "the batch handler gave {answers} answers for {tasks} tasks, so none counts"
    ))
}
