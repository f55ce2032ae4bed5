//! What a handler is told about the run that it is in, and what it can say while it runs.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Registered, TaskOutput, TaskResult,
    hold::{AskAlone, Hold},
    output,
    parameters::Parameters,
    said::Said,
};
use crate::{
    Alias, LogLevel, LogLine, Progress, QueueName, Result, Store, TaskId,
    backend::{Lease, LeasedTask, Report, Run, Settlement},
};

/// Everything about one run of a handler. Cheap to clone; clones are the same run.
///
/// ```
/// # use taskstore_core::{TaskContext, TaskHandler, TaskResult};
/// # struct Import;
/// # impl TaskHandler for Import {
/// #     const ALIAS: &'static str = "import";
/// #     type Params = ();
/// #     type Output = u64;
/// async fn run(&self, ctx: TaskContext, _: ()) -> TaskResult<u64> {
///     let files = ctx.param_list("files");
///     for (done, file) in (1..).zip(&files) {
///         if ctx.is_cancelled() {
///             break;
///         }
///         ctx.log_info(format!("reading {file}"));
///         ctx.progress(done, files.len() as u64);
///     }
///     Ok(files.len() as u64)
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct TaskContext {
    run: Arc<ThisRun>,
}

/// Hears log lines as they are said.
pub(crate) type Echo = Arc<dyn Fn(&LogLine) + Send + Sync>;

struct ThisRun {
    task: TaskId,
    alias: Alias,
    queue: QueueName,
    attempt: u32,
    max_attempts: u32,
    timeout: Option<Duration>,
    /// The right to end the task; none of a run without a queue.
    hold: Option<Hold>,
    parameters: Parameters,
    token: CancellationToken,
    said: Mutex<Said>,
    echo: Option<Echo>,
    store: Store,
}

impl TaskContext {
    /// The context of the next run of a task that was claimed at this time, which takes the task's
    /// parameters with it. `ask_alone`: whom to ask for a lease of its own, if the task shares one.
    pub(crate) fn new(
        task: &mut LeasedTask,
        handler: &Registered,
        store: Store,
        claimed_at: Instant,
        ask_alone: Option<AskAlone>,
    ) -> Self {
        let json = std::mem::replace(&mut task.parameters, RawValue::NULL.to_owned());
        Self {
            run: Arc::new(ThisRun {
                task: task.lease.task,
                alias: handler.alias.clone(),
                queue: task.queue.clone(),
                attempt: task.attempts.saturating_add(1),
                max_attempts: task.max_attempts.unwrap_or(handler.max_attempts),
                timeout: task.timeout.or(handler.timeout),
                hold: Some(Hold::new(task.lease, claimed_at, ask_alone)),
                parameters: Parameters::new(json),
                token: CancellationToken::new(),
                said: Mutex::default(),
                echo: None,
                store,
            }),
        }
    }

    /// The context of a run without a queue, whose log lines go to `echo` at once.
    pub(crate) fn direct(
        handler: &Registered,
        parameters: Box<RawValue>,
        store: Store,
        echo: Option<Echo>,
    ) -> Self {
        Self {
            run: Arc::new(ThisRun {
                task: TaskId::new(),
                alias: handler.alias.clone(),
                queue: QueueName::default(),
                attempt: 1,
                max_attempts: 1,
                timeout: handler.timeout,
                hold: None,
                parameters: Parameters::new(parameters),
                token: CancellationToken::new(),
                said: Mutex::default(),
                echo,
                store,
            }),
        }
    }

    /// The task's id; of a run without a queue one that no task has.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.run.task
    }

    /// The alias of its handler; of a task that was enqueued under a former alias the present one.
    #[must_use]
    pub fn alias(&self) -> &Alias {
        &self.run.alias
    }

    /// The queue that it waited in.
    #[must_use]
    pub fn queue(&self) -> &QueueName {
        &self.run.queue
    }

    /// Which attempt this is, from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.run.attempt
    }

    /// How many attempts the task has in all.
    #[must_use]
    pub fn max_attempts(&self) -> u32 {
        self.run.max_attempts
    }

    /// How long this run may take: as the task was enqueued with, or else as its handler says.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.run.timeout
    }

    /// A top-level field of the parameters as text: a string as it is, a number, bool, array or
    /// object as its JSON. `None` when it is not there, or null.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<String> {
        self.run.parameters.get(name)
    }

    /// A top-level field of the parameters as a list: the items of an array, or a text split at
    /// each `;`. Empty when it is not there, null, or the empty text. Nothing is trimmed.
    #[must_use]
    pub fn param_list(&self, name: &str) -> Vec<String> {
        self.run.parameters.list(name)
    }

    /// Adds a line to the task's log: at most 8 KiB, longer ones are cut and marked. 1,000 lines are
    /// kept of an attempt; the newest win.
    pub fn log_info(&self, text: impl Into<String>) {
        self.log(LogLevel::Info, text.into());
    }

    /// Adds a line about something that went wrong; otherwise like [`log_info`](Self::log_info).
    pub fn log_error(&self, text: impl Into<String>) {
        self.log(LogLevel::Error, text.into());
    }

    /// Adds a line about something that went well; otherwise like [`log_info`](Self::log_info).
    pub fn log_success(&self, text: impl Into<String>) {
        self.log(LogLevel::Success, text.into());
    }

    /// Sets the output that is stored if the run succeeds, unless `run` returns one itself: what it
    /// returns wins, but for `()` and whatever else is null in JSON. The last call counts.
    ///
    /// # Errors
    /// A permanent [`TaskError`](super::TaskError) for an output above 1 MiB, or one that cannot be
    /// JSON; the output that was set before stays.
    pub fn set_output(&self, output: impl Serialize) -> TaskResult<()> {
        let json = output::to_json(&output)?;
        self.said().output(json);
        Ok(())
    }

    /// Says how far the run has come, in any unit. Stored within seconds; the last call counts.
    pub fn progress(&self, done: u64, total: u64) {
        self.said().progress(Progress { done, total });
    }

    /// Waits until this run is asked to end: somebody canceled or deleted the task, its lease was
    /// lost, or its runner shuts down and its deadline has passed. Best in a `tokio::select!`.
    pub async fn cancelled(&self) {
        self.run.token.cancelled().await;
    }

    /// Whether this run is asked to end. For loops that do not wait, and for blocking handlers.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.run.token.is_cancelled()
    }

    /// Whether a runner claimed the task from a queue; false when it was run directly.
    #[must_use]
    pub fn is_queued(&self) -> bool {
        self.run.hold.is_some()
    }

    /// The store, to enqueue what follows.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.run.store
    }

    /// The parameters as they were enqueued.
    pub(crate) fn parameters(&self) -> &RawValue {
        self.run.parameters.json()
    }

    /// What fires when the run is to end.
    pub(crate) fn token(&self) -> &CancellationToken {
        &self.run.token
    }

    /// Progress, if it changed, and log lines that were not stored yet.
    pub(crate) fn unreported(&self) -> (Option<Progress>, Vec<LogLine>) {
        self.said().unreported()
    }

    /// This much is stored, and need not be said again.
    pub(crate) fn reported(&self, report: &Report) {
        self.said().reported(report.progress, report.log.last().map(|line| line.n));
    }

    /// What [`set_output`](Self::set_output) left, once.
    pub(crate) fn take_output(&self) -> Option<Box<RawValue>> {
        self.said().take_output()
    }

    /// The handler is about to run.
    pub(crate) fn begins(&self, at: Instant) {
        if let Some(hold) = &self.run.hold {
            hold.begins(at);
        }
    }

    /// When the handler ran, as far as it has come; `None`: it has not begun.
    pub(crate) fn run_so_far(&self) -> Option<Run> {
        self.run.hold.as_ref()?.run_so_far()
    }

    /// What the run holds the task by; none without a queue.
    pub(crate) fn lease(&self) -> Option<Lease> {
        self.run.hold.as_ref().map(Hold::lease)
    }

    /// The task was moved into a lease of its own.
    pub(crate) fn moved(&self, lease: Lease) {
        if let Some(hold) = &self.run.hold {
            hold.moved(lease);
        }
    }

    /// Returns once the task shares its lease with no other.
    pub(crate) async fn alone(&self) -> Result<()> {
        match &self.run.hold {
            Some(hold) => hold.alone().await,
            None => Ok(()),
        }
    }

    /// The settlement by which this run ends its task as a success; `None`: it has no task.
    pub(crate) fn completes(&self, output: TaskOutput) -> Option<Settlement> {
        let hold = self.run.hold.as_ref()?;
        let (progress, log) = self.unreported();
        Some(hold.success(output, self.run.attempt, self.run.max_attempts, progress, log))
    }

    /// A transaction of the handler's completes the task, if it commits. True: none did before.
    pub(crate) fn may_be_completed(&self) -> bool {
        self.run.hold.as_ref().is_some_and(Hold::may_be_completed)
    }

    /// It does not.
    pub(crate) fn is_not_completed(&self) {
        if let Some(hold) = &self.run.hold {
            hold.is_not_completed();
        }
    }

    /// That transaction has committed.
    pub(crate) fn is_completed_for_good(&self) {
        if let Some(hold) = &self.run.hold {
            hold.completed();
        }
    }

    /// Whether the task may be locked by a transaction of the handler's, or has ended in it.
    pub(crate) fn is_perhaps_completed(&self) -> bool {
        self.run.hold.as_ref().is_some_and(Hold::is_perhaps_completed)
    }

    /// Whether the task has ended in a transaction of the handler's.
    pub(crate) fn is_completed(&self) -> bool {
        self.run.hold.as_ref().is_some_and(Hold::is_completed)
    }

    fn log(&self, level: LogLevel, text: String) {
        match &self.run.echo {
            None => self.said().log(level, text),
            // Under the lock, so that lines are heard in their order.
            Some(echo) => self.said().log_aloud(level, text, &**echo),
        }
    }

    fn said(&self) -> MutexGuard<'_, Said> {
        // Nothing panics while it is locked, and a handler's panic must not silence its log.
        self.run.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TaskContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskContext")
            .field("id", &self.run.task)
            .field("alias", &self.run.alias)
            .field("queue", &self.run.queue)
            .field("attempt", &self.run.attempt)
            .finish_non_exhaustive()
    }
}
