//! Runs a handler for many tasks at once: one future, and an end for each of them.
//!
//! Each task has an [`Execution`] of its own, which says how it ended. It says so only when the run
//! that it took part in is finished or dropped, for a part of a run cannot be dropped.

use std::{sync::Arc, time::Duration};

use futures_util::{FutureExt as _, StreamExt as _, future::join, stream::FuturesUnordered};
use tokio::{
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    time::{Instant, timeout_at},
};
use tracing::{Instrument as _, Span};

use super::{
    execute::{Execution, Running, ToStart},
    news::News,
};
use crate::{
    handler::{Registered, TaskContext, TaskError, TaskOutput, TaskResult},
    store::Store,
    telemetry::TARGET,
};

/// How long a run waits for tasks that middleware holds back, after the first has come through.
const HELD_BACK_MAX: Duration = Duration::from_millis(20);

/// A task of the batch.
struct Member {
    execution: Execution,
    span: Span,
}

/// Starts a handler for these tasks, as one run. When its future is finished or
/// dropped, an [`Event::Finished`](super::machine::Event::Finished) is sent for each.
pub(super) fn start(
    store: &Store,
    handler: &Arc<Registered>,
    tasks: Vec<ToStart>,
    news: &UnboundedSender<News>,
) -> Vec<Running> {
    let span = tracing::info_span!(
        target: TARGET,
        "batch",
        alias = %handler.alias,
        tasks = tasks.len(),
    );
    let members: Vec<_> = tasks
        .into_iter()
        .map(|start| {
            let (execution, span) = Execution::new(store, handler, start, news.clone());
            Member { execution, span }
        })
        .collect();
    let contexts: Vec<_> = members.iter().map(|member| member.execution.context()).collect();
    let run = run(store.clone(), Arc::clone(handler), members).instrument(span);
    let abort = tokio::spawn(run).abort_handle();
    let running = |context| Running::new(context, Some(abort.clone()));
    contexts.into_iter().map(running).collect()
}

async fn run(store: Store, handler: Arc<Registered>, mut members: Vec<Member>) {
    let began = Instant::now();
    members.iter_mut().for_each(|member| member.execution.begins(began));
    if !store.layers().is_empty() {
        return run_within_layers(handler, members).await;
    }
    let contexts = members.iter().map(|member| member.execution.context()).collect();
    let answers = run_together(&handler, contexts).await;
    for (Member { mut execution, span }, answer) in members.into_iter().zip(answers) {
        span.in_scope(|| execution.report(answer));
    }
}

/// All of them may take equally long: the machine starts no others together.
async fn run_together(
    handler: &Registered,
    contexts: Vec<TaskContext>,
) -> Vec<TaskResult<TaskOutput>> {
    let limit = contexts.first().and_then(TaskContext::timeout);
    handler.run_many(contexts, limit).await
}

/// A task that has come through its middleware.
struct Arrival {
    context: TaskContext,
    answer: oneshot::Sender<TaskResult<TaskOutput>>,
    /// Dropped when the run that it took part in is over.
    _over: oneshot::Sender<()>,
}

/// Each task within its own middleware; in the middle those that have come through run together.
async fn run_within_layers(handler: Arc<Registered>, members: Vec<Member>) {
    let (door, arrivals) = unbounded_channel();
    let through: FuturesUnordered<_> = members
        .into_iter()
        .map(|Member { execution, span }| within_layers(execution, door.clone()).instrument(span))
        .collect();
    drop(door);
    // What runs is dropped first, and only then those who say how it ended.
    join(run_arrivals(handler, arrivals), through.for_each(|()| std::future::ready(()))).await;
}

async fn within_layers(mut execution: Execution, door: UnboundedSender<Arrival>) {
    let context = execution.context();
    let (over, is_over) = oneshot::channel();
    let handler = {
        let context = context.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            // Nobody listens only when all of this is being dropped.
            let _ = door.send(Arrival { context, answer, _over: over });
            drop(door);
            answered.await.unwrap_or_else(|_| Err(TaskError::retryable("its batch was given up")))
        }
    };
    let result = context.store().layers().around(&context, handler.boxed()).await;
    // Also where a middleware did not wait for it. Nothing is sent: the sender is dropped.
    let _ = is_over.await;
    execution.report(result);
}

/// Runs what has arrived, until nobody is left who could. What is held back by a middleware must not
/// hold back the others for ever: it may wait for them.
async fn run_arrivals(handler: Arc<Registered>, mut arrivals: UnboundedReceiver<Arrival>) {
    while let Some(first) = arrivals.recv().await {
        let until = Instant::now() + HELD_BACK_MAX;
        let mut batch = vec![first];
        while let Ok(Some(next)) = timeout_at(until, arrivals.recv()).await {
            batch.push(next);
        }
        batch.retain(|arrival| !arrival.answer.is_closed());
        if batch.is_empty() {
            continue;
        }
        let contexts = batch.iter().map(|arrival| arrival.context.clone()).collect();
        let answers = run_together(&handler, contexts).await;
        for (arrival, answer) in batch.into_iter().zip(answers) {
            // A middleware may have given it up meanwhile.
            let _ = arrival.answer.send(answer);
        }
    }
}
