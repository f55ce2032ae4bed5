//! Runs one handler: catches its panic, ends it at its time-out, and says how it ended only when its
//! future is finished or dropped.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use serde_json::value::RawValue;
use tokio::{
    sync::{mpsc::UnboundedSender, oneshot},
    task::AbortHandle,
    time::{Instant, timeout},
};
use tracing::{Instrument as _, Span};

use super::{machine::Event, news::News, outcome::Outcome};
use crate::{
    Error, Result,
    backend::{Lease, LeasedTask, Settlement, Transition},
    handler::{
        AskAlone, Limit, Registered, TaskContext, TaskError, TaskErrorKind, TaskOutput, TaskResult,
    },
    lifecycle::{Ending, Policy, Retry, Standing},
    retry,
    store::{RunError, Store},
    telemetry::{self, TARGET},
};

/// A handler that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) context: TaskContext,
    /// `None`: it blocks a thread and cannot be dropped.
    abort: Option<AbortHandle>,
    /// Those who wait until its lease is its own.
    asks_alone: Vec<oneshot::Sender<Result<()>>>,
}

impl Running {
    pub(super) const fn new(context: TaskContext, abort: Option<AbortHandle>) -> Self {
        Self { context, abort, asks_alone: Vec::new() }
    }

    /// Somebody waits until its lease is its own.
    pub(super) fn asks_alone(&mut self, answer: oneshot::Sender<Result<()>>) {
        self.asks_alone.push(answer);
    }

    /// Its lease is its own, or why not.
    pub(super) fn alone(&mut self, result: &Result<Lease>) {
        if let Ok(lease) = result {
            self.context.moved(*lease);
        }
        for answer in self.asks_alone.drain(..) {
            let result = result.as_ref().map(|_| ()).map_err(|error| match error {
                Error::LeaseLost { task } => Error::LeaseLost { task: *task },
                error if error.is_retryable() => Error::unavailable(error.to_string()),
                error => Error::backend(error.to_string()),
            });
            // The handler may have been dropped.
            let _ = answer.send(result);
        }
    }

    /// Fires its token.
    pub(super) fn cancel(&self) {
        self.context.token().cancel();
    }

    /// Drops its future, if it lets itself be dropped.
    pub(super) fn drop_future(&self) {
        if let Some(abort) = &self.abort {
            abort.abort();
        }
    }
}

/// A claimed task whose handler is to run.
pub(super) struct ToStart {
    pub(super) task: LeasedTask,
    pub(super) claimed_at: Instant,
    /// From when it was due to its claim, if that is known.
    pub(super) waited: Option<Duration>,
}

/// Starts a handler. When its future is finished or dropped, an [`Event::Finished`] is sent.
pub(super) fn start(
    store: &Store,
    handler: &Arc<Registered>,
    start: ToStart,
    news: UnboundedSender<News>,
) -> Running {
    let blocking = handler.blocking;
    let (execution, span) = Execution::new(store, handler, start, news);
    let context = execution.context();
    let spawned = tokio::spawn(execution.run().instrument(span));
    Running::new(context, (!blocking).then(|| spawned.abort_handle()))
}

/// Runs a handler once, within the middleware of its store. Returns when the handler's future is
/// finished or dropped, and its thread, if it blocks one, has ended.
pub(crate) async fn run_handler(
    handler: &Registered,
    context: &TaskContext,
) -> TaskResult<TaskOutput> {
    let limit = handler.limit(context.timeout());
    let run = run_alone(handler.run(context.clone()), limit, context.clone());
    let layers = context.store().layers();
    if layers.is_empty() {
        return run.await;
    }
    if !handler.blocking {
        return layers.around(context, run.boxed()).await;
    }
    let (run, ended) = to_the_end(run, context);
    let result = layers.around(context, run.boxed()).await;
    // Also where a middleware did not wait for it. Nothing is sent: the sender is dropped.
    let _ = ended.await;
    result
}

/// Catches a handler's panic, and ends it at its time-out.
async fn run_alone(
    run: impl Future<Output = TaskResult<Option<Box<RawValue>>>> + Send + 'static,
    limit: Option<Limit>,
    context: TaskContext,
) -> TaskResult<TaskOutput> {
    // A handler that panics is dropped with everything that it could leave half done.
    let run = AssertUnwindSafe(run).catch_unwind();
    let result = match limit {
        None => run.await,
        Some(Limit::Dropped(limit)) => match timeout(limit, run).await {
            Ok(result) => result,
            Err(_) => return Err(TaskError::timed_out(limit)),
        },
        Some(Limit::Told(limit)) => {
            let mut run = std::pin::pin!(run);
            match timeout(limit, &mut run).await {
                Ok(result) => result,
                Err(_) => {
                    context.token().cancel();
                    let _ = run.await;
                    return Err(TaskError::timed_out(limit));
                }
            }
        }
    };
    match result {
        Ok(result) => result.map(TaskOutput::of),
        Err(panic) => Err(TaskError::panicked(&*panic)),
    }
}

/// A run that goes on when it is dropped, because nothing can end its thread: it is told, and the
/// receiver hears when it has ended, or is dropped without having begun.
fn to_the_end(
    run: impl Future<Output = TaskResult<TaskOutput>> + Send + 'static,
    context: &TaskContext,
) -> (impl Future<Output = TaskResult<TaskOutput>> + Send + 'static, oneshot::Receiver<()>) {
    let (sender, ended) = oneshot::channel();
    let token = context.token().clone();
    let run = async move {
        let told_when_dropped = token.drop_guard();
        let run = async move {
            let result = run.await;
            drop(sender);
            result
        };
        let result = tokio::spawn(run.in_current_span()).await;
        told_when_dropped.disarm();
        // It does not panic: only the end of the runtime ends it.
        result.unwrap_or_else(|error| Err(TaskError::retryable(error)))
    };
    (run, ended)
}

/// One run of a handler for a task, until it is reported.
pub(super) struct Execution {
    store: Store,
    handler: Arc<Registered>,
    task: LeasedTask,
    context: TaskContext,
    /// How long it had been due, as far as that is known.
    waited: Option<Duration>,
    /// Counted as running as long as this is there.
    metered: Option<telemetry::Running>,
    news: UnboundedSender<News>,
    reported: bool,
}

impl Execution {
    /// The run of a claimed task, and its span.
    pub(super) fn new(
        store: &Store,
        handler: &Arc<Registered>,
        ToStart { mut task, claimed_at, waited }: ToStart,
        news: UnboundedSender<News>,
    ) -> (Self, Span) {
        let (id, to) = (task.lease.task, news.clone());
        let ask_alone: AskAlone = Box::new(move |answer| {
            // A runner that is gone drops the sender, which is an answer.
            let _ = to.send(News::Alone(id, answer));
        });
        let context =
            TaskContext::new(&mut task, handler, store.clone(), claimed_at, Some(ask_alone));
        let span = tracing::info_span!(
            target: TARGET,
            "task",
            id = %task.lease.task,
            alias = %handler.alias,
            queue = %task.queue,
            attempt = task.attempts + 1,
        );
        let (store, handler) = (store.clone(), Arc::clone(handler));
        let (metered, reported) = (None, false);
        let execution = Self { store, handler, task, context, waited, metered, news, reported };
        (execution, span)
    }

    pub(super) fn context(&self) -> TaskContext {
        self.context.clone()
    }

    /// Its handler is about to run.
    pub(super) fn begins(&mut self, at: Instant) {
        self.context.begins(at);
        let meters = self.store.meters();
        self.metered = Some(meters.begins(&self.task.queue, &self.handler.alias, self.waited));
    }

    async fn run(mut self) {
        self.begins(Instant::now());
        let result = run_handler(&self.handler, &self.context).await;
        self.report(result);
    }

    pub(super) fn report(&mut self, result: TaskResult<TaskOutput>) {
        let to = match result {
            // It has ended as a success, whatever its handler says now.
            result if self.context.is_completed() => {
                let success = self.decide(Ending::Succeeded { output: None });
                result.err().inspect(|error| self.tell(error, &success));
                success
            }
            Ok(output) => self.decide(Ending::Succeeded { output: output.into_json() }),
            Err(error) => {
                let to = self.decide(error.clone().into_ending());
                self.tell(&error, &to);
                to
            }
        };
        self.finish(to);
    }

    fn decide(&self, ending: Ending) -> Transition {
        let max_attempts = self.task.max_attempts.unwrap_or(self.handler.max_attempts);
        let standing = Standing {
            suspect: self.task.suspect,
            ..Standing::running(self.task.attempts, max_attempts)
        };
        ending.settle(&standing, Policy { backoff: &self.handler.backoff, chance: retry::chance() })
    }

    /// The error handler hears of every failure.
    fn tell(&self, error: &TaskError, to: &Transition) {
        let attempt = self.task.attempts + 1;
        let will_retry = matches!(to, Transition::Requeue { .. });
        let message = || error.bare_message().to_owned();
        let error = match error.kind() {
            TaskErrorKind::Snooze(_) | TaskErrorKind::Cancel => return,
            TaskErrorKind::Panicked => {
                RunError::Panicked { attempt, message: message(), will_retry }
            }
            TaskErrorKind::TimedOut(timeout) => RunError::TimedOut { attempt, timeout, will_retry },
            TaskErrorKind::Retryable | TaskErrorKind::Permanent | TaskErrorKind::RetryIn(_) => {
                RunError::Failed { attempt, message: message(), will_retry }
            }
        };
        self.store.report_error(&self.task.queue, Some(self.task.lease.task), &error);
    }

    fn finish(&mut self, to: Transition) {
        self.reported = true;
        self.metered = None;
        let status = Outcome::decided(&to).as_str();
        let run = self.context.run_so_far();
        let duration = run.map(|run| tracing::field::debug(run.ran_for));
        tracing::debug!(target: TARGET, status, duration, "ended");
        let (progress, log) = self.context.unreported();
        let lease = self.context.lease().unwrap_or(self.task.lease);
        let settlement = Settlement { lease, to, run, progress, log };
        let event = if self.context.is_completed() {
            Event::Completed(settlement)
        } else {
            Event::Finished(settlement)
        };
        // Nobody listens only when the runner's loop is gone, and then its lease will be lost.
        let _ = self.news.send(News::Event(event));
    }
}

/// A future that was dropped before it was finished gives its task back; one that panicked while it
/// was dropped has failed.
impl Drop for Execution {
    fn drop(&mut self) {
        if self.reported {
            return;
        }
        let ending = if self.context.is_completed() {
            Ending::Succeeded { output: None }
        } else if std::thread::panicking() {
            let error = "panicked while its future was dropped".into();
            Ending::Failed { retry: Retry::ByBackoff, error }
        } else {
            Ending::Released
        };
        let to = self.decide(ending);
        self.finish(to);
    }
}
