//! Runs one handler: catches its panic, ends it at its time-out, and says how it ended only when its
//! future is finished or dropped.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{
    sync::mpsc::UnboundedSender,
    task::AbortHandle,
    time::{Instant, timeout},
};
use tracing::Instrument as _;

use super::{machine::Event, news::News};
use crate::{
    backend::{Lease, LeasedTask, Run, Settlement, Transition},
    handler::{Registered, TaskContext},
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

/// What ended a run that did not return.
pub(crate) enum Fault {
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
    let context = TaskContext::new(&mut task, &handler, store.clone());
    let lease = task.lease;
    let blocking = handler.blocking;
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
    let spawned = tokio::spawn(execution.run().instrument(span));
    Running { lease, context, abort: (!blocking).then(|| spawned.abort_handle()) }
}

/// Runs a handler once: catches its panic, and ends it at its time-out.
pub(crate) async fn run_handler(
    handler: &Registered,
    context: &TaskContext,
) -> (Ending, Option<Fault>) {
    let run = handler.run(context.clone());
    // A handler that panics is dropped with everything that it could leave half done.
    let run = AssertUnwindSafe(run).catch_unwind();
    let result = match handler.timeout {
        None => Ok(run.await),
        Some(limit) if handler.blocking => {
            // Its thread cannot be stopped: it is told, and waited for.
            let mut run = std::pin::pin!(run);
            match timeout(limit, &mut run).await {
                Ok(result) => Ok(result),
                Err(_) => {
                    context.token().cancel();
                    let _ = run.await;
                    Err(limit)
                }
            }
        }
        Some(limit) => timeout(limit, run).await.map_err(|_| limit),
    };
    match result {
        Ok(Ok(Ok(output))) => (Ending::Succeeded { output }, None),
        Ok(Ok(Err(error))) => (error.into_ending(), None),
        Ok(Err(panic)) => {
            let message = panic_message(&*panic);
            (failed(format!("panicked: {message}")), Some(Fault::Panicked(message)))
        }
        Err(limit) => (failed(format!("timed out after {limit:?}")), Some(Fault::TimedOut(limit))),
    }
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
    async fn run(mut self) {
        self.began = Instant::now();
        let (ending, fault) = run_handler(&self.handler, &self.context).await;
        self.report(ending, fault);
    }

    fn report(&mut self, ending: Ending, fault: Option<Fault>) {
        let run = Run {
            started_after: self.began.saturating_duration_since(self.claimed_at),
            ran_for: self.began.elapsed(),
        };
        let to = self.decide(ending);
        self.tell(fault, &to);
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
    fn tell(&self, fault: Option<Fault>, to: &Transition) {
        let attempt = self.task.attempts + 1;
        let will_retry = matches!(to, Transition::Requeue { .. });
        let error = match (fault, to) {
            (Some(Fault::Panicked(message)), _) => {
                RunError::Panicked { attempt, message, will_retry }
            }
            (Some(Fault::TimedOut(timeout)), _) => {
                RunError::TimedOut { attempt, timeout, will_retry }
            }
            (
                None,
                Transition::Failed { error } | Transition::Requeue { error: Some(error), .. },
            ) => RunError::Failed { attempt, message: error.clone(), will_retry },
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
