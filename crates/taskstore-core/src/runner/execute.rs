//! Runs one handler: catches its panic, ends it at its time-out, and says how it ended only when its
//! future is finished or dropped.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use serde_json::value::RawValue;
use tokio::{
    sync::mpsc::UnboundedSender,
    task::AbortHandle,
    time::{Instant, timeout},
};
use tracing::Instrument as _;

use super::{machine::Event, shell::News};
use crate::{
    backend::{Lease, LeasedTask, Run, Settlement, Transition},
    handler::{Registered, TaskContext, TaskError},
    lifecycle::{Ending, Policy, Retry, Standing},
    retry,
    store::{RunError, Store},
};

/// A handler that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) lease: Lease,
    pub(super) context: TaskContext,
    /// `None`: it blocks a thread and cannot be dropped.
    abort: Option<AbortHandle>,
}

impl Running {
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

/// How a handler's future ended.
enum Outcome {
    Returned(Result<Option<Box<RawValue>>, TaskError>),
    Panicked(String),
    TimedOut(Duration),
}

/// Starts a handler. When its future is finished or dropped, an [`Event::Finished`] is sent.
pub(super) fn start(
    store: &Store,
    handler: Arc<Registered>,
    mut task: LeasedTask,
    claimed_at: Instant,
    news: UnboundedSender<News>,
) -> Running {
    let context = TaskContext::new(&task, &handler, store.clone());
    let lease = task.lease;
    let blocking = handler.blocking;
    let parameters = std::mem::replace(&mut task.parameters, RawValue::NULL.to_owned());
    let span = tracing::info_span!(
        "task",
        id = %lease.task,
        alias = %handler.alias,
        queue = %task.queue,
        attempt = task.attempts + 1,
    );
    let execution = Execution {
        store: store.clone(),
        handler,
        task,
        context: context.clone(),
        claimed_at,
        began: Instant::now(),
        news,
        reported: false,
    };
    let spawned = tokio::spawn(execution.run(parameters).instrument(span));
    Running { lease, context, abort: (!blocking).then(|| spawned.abort_handle()) }
}

/// One run of a handler, until it is reported.
struct Execution {
    store: Store,
    handler: Arc<Registered>,
    task: LeasedTask,
    context: TaskContext,
    claimed_at: Instant,
    began: Instant,
    news: UnboundedSender<News>,
    reported: bool,
}

impl Execution {
    async fn run(mut self, parameters: Box<RawValue>) {
        self.began = Instant::now();
        let run = self.handler.run(self.context.clone(), parameters);
        // A handler that panics is dropped with everything that it could leave half done.
        let run = AssertUnwindSafe(run).catch_unwind();
        let result = match self.handler.timeout {
            None => Ok(run.await),
            Some(limit) if self.handler.blocking => {
                // Its thread cannot be stopped: it is told, and waited for.
                let mut run = std::pin::pin!(run);
                match timeout(limit, &mut run).await {
                    Ok(result) => Ok(result),
                    Err(_) => {
                        self.context.token().cancel();
                        let _ = run.await;
                        Err(limit)
                    }
                }
            }
            Some(limit) => timeout(limit, run).await.map_err(|_| limit),
        };
        let outcome = match result {
            Ok(Ok(returned)) => Outcome::Returned(returned),
            Ok(Err(panic)) => Outcome::Panicked(panic_message(&*panic)),
            Err(limit) => Outcome::TimedOut(limit),
        };
        self.report(&outcome);
    }

    fn report(&mut self, outcome: &Outcome) {
        let run = Run {
            started_after: self.began.saturating_duration_since(self.claimed_at),
            ran_for: self.began.elapsed(),
        };
        let ending = match outcome {
            Outcome::Returned(Ok(output)) => Ending::Succeeded { output: output.clone() },
            Outcome::Returned(Err(error)) => error.clone().into_ending(),
            Outcome::Panicked(message) => failed(format!("panicked: {message}")),
            Outcome::TimedOut(limit) => failed(format!("timed out after {limit:?}")),
        };
        let to = self.decide(ending);
        self.tell(outcome, &to);
        let (progress, log) = self.context.unreported();
        self.finish(Settlement { lease: self.task.lease, to, run: Some(run), progress, log });
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
    fn tell(&self, outcome: &Outcome, to: &Transition) {
        let attempt = self.task.attempts + 1;
        let will_retry = matches!(to, Transition::Requeue { .. });
        let error = match (outcome, to) {
            (Outcome::Panicked(message), _) => {
                RunError::Panicked { attempt, message: message.clone(), will_retry }
            }
            (Outcome::TimedOut(timeout), _) => {
                RunError::TimedOut { attempt, timeout: *timeout, will_retry }
            }
            (
                Outcome::Returned(_),
                Transition::Failed { error: message }
                | Transition::Requeue { error: Some(message), .. },
            ) => RunError::Failed { attempt, message: message.clone(), will_retry },
            _ => return,
        };
        self.store.report_error(&self.task.queue, Some(self.task.lease.task), &error);
    }

    fn finish(&mut self, settlement: Settlement) {
        self.reported = true;
        // Nobody listens only when the runner's loop is gone, and then its lease will be lost.
        let _ = self.news.send(News::Event(Event::Finished(settlement)));
    }
}

/// A future that was dropped before it was finished gives its task back; one that panicked while it
/// was dropped has failed.
impl Drop for Execution {
    fn drop(&mut self) {
        if self.reported {
            return;
        }
        let ending = if std::thread::panicking() {
            failed("panicked while its future was dropped".into())
        } else {
            Ending::Released
        };
        let to = self.decide(ending);
        let (progress, log) = self.context.unreported();
        self.finish(Settlement { lease: self.task.lease, to, run: None, progress, log });
    }
}

fn failed(error: String) -> Ending {
    Ending::Failed { retry: Retry::ByBackoff, error }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("with something that is not a text").to_owned()
}
