//! What can be observed: spans and events of [`tracing`](https://docs.rs/tracing), and metrics.
//!
//! # Spans and events
//!
//! Nothing is seen until a program installs a subscriber. Both ends of a task have the target
//! `taskstore::task` and the same field names, so that a task is followed by its `id` from the
//! producer to each of its attempts, in whatever processes they are; the span of the handler is the
//! parent of whatever the handler says.
//!
//! | span or event | level | fields |
//! |---|---|---|
//! | span `enqueue` | info | `id`, `alias`, `queue`; of many: `tasks` instead of `id` |
//! | `enqueued`, for each task | debug | `id`, and `duplicate` where another live task has its unique key |
//! | `not enqueued` | debug | `error` |
//! | span `task`: one attempt | info | `id`, `alias`, `queue`, `attempt` (from 1) |
//! | `ended`, in the span `task` | debug | `status` (`success`, `failed`, `retried`, `snoozed`, `canceled`, `released`), `duration` |
//! | a failure, panic or time-out, in the span `task` | error | `queue`, `task`; unless the store has an [error handler](crate::Store::set_error_handler) of its own |
//!
//! All other targets begin with `taskstore_`: a runner starts and stops at info; dead runners, lost
//! leases and a database that is away are at warn; claims, settlements and promotions at debug; what
//! happens over and over, such as beats, at trace. A filter like
//! `RUST_LOG=info,taskstore::task=debug` shows one line for each attempt.
//!
//! A trace does not follow a task by itself: there is nothing in a task that says which trace it
//! came from. A program that uses distributed tracing puts its `traceparent` among the parameters,
//! and a [`Middleware`](crate::Middleware) continues it:
//! [`ctx.param("traceparent")`](crate::TaskContext::param).

use crate::{
    Alias, QueueName,
    backend::{Settle, Settled},
    store::EnqueueOutcome,
};

/// The target of what happens to a task.
pub(crate) const TARGET: &str = "taskstore::task";

/// Tasks of one kind were enqueued.
pub(crate) fn enqueued(_alias: &Alias, _queue: &QueueName, outcomes: &[EnqueueOutcome]) {
    if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        for EnqueueOutcome { id, duplicate } in outcomes {
            tracing::debug!(target: TARGET, %id, duplicate, "enqueued");
        }
    }
}

/// A runner settled, claimed, or both.
pub(crate) fn exchanged(request: &Settle, settled: &Settled) {
    let (settled, claimed) = (settled.fates.len(), settled.claimed.as_ref().map(|c| c.tasks.len()));
    if settled == 0 && claimed == Some(0) {
        tracing::trace!(queues = request.then.as_ref().map(|c| c.queues.len()), "nothing to claim");
    } else {
        tracing::debug!(settled, claimed, "settled and claimed");
    }
}
