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
//! | span `batch`: one run of a handler that takes many tasks, around its `task` spans | info | `alias`, `tasks` |
//! | `ended`, in the span `task` | debug | `status` (`success`, `failed`, `retried`, `snoozed`, `canceled`, `released`), `duration` |
//! | `expired`: it was too late to start it | info | `id`, `queue`, `start_by` |
//! | a failure, panic or time-out in the span `task`, a lost lease | error | `id`, `queue`; unless the store has an [error handler](crate::Store::set_error_handler) of its own |
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
//!
//! # Metrics
//!
//! With the cargo feature `metrics` everything below is recorded through the crate
//! [`metrics`](https://docs.rs/metrics), for whatever exporter the program installs; the example
//! `metrics` shows one for Prometheus. Install the recorder before the store is opened. Without the
//! feature nothing of it is compiled.
//!
//! | name | kind | labels | what |
//! |---|---|---|---|
//! | `taskstore_tasks_enqueued_total` | counter | `queue`, `alias` | tasks that this process enqueued; duplicates of a unique key are not counted |
//! | `taskstore_tasks_started_total` | counter | `queue`, `alias` | attempts that began |
//! | `taskstore_tasks_ended_total` | counter | `queue`, `alias`, `status` | claimed tasks by what became of them, when that was saved |
//! | `taskstore_task_duration_seconds` | histogram | `queue`, `alias` | how long an attempt took, with its middleware, however it ended |
//! | `taskstore_task_wait_seconds` | histogram | `queue`, `alias` | from the time that a task was to run at to the beginning of its attempt, by the database's clock |
//! | `taskstore_tasks_running` | gauge | `queue` | handlers that run |
//! | `taskstore_tasks_held` | gauge | `queue` | tasks that are claimed and not saved yet: those that run, those that wait for a free slot, and those whose end is on its way to the database |
//! | `taskstore_claims_total` | counter | | claims that were answered, also with nothing |
//! | `taskstore_claim_tasks` | histogram | | tasks in a claim that found any |
//! | `taskstore_store_errors_total` | counter | `kind` | failed calls to the database: `unavailable`, `backend`, `schema` |
//! | `taskstore_leases_lost_total` | counter | | leases of this process that others took over while something was held under them |
//! | `taskstore_leases_taken_over_total` | counter | | leases of dead runners that this process took over, with tasks |
//!
//! `status` is `success`, `failed` (for good), `retried`, `snoozed`, `canceled`, `expired` (it was too
//! late to start it), `released` (given back before it ran, or dropped at a stop) or `lost` (to
//! another runner). The rates of `failed` and `lost` are what to be woken for.
//!
//! Labels have as many values as there are queues and handlers: a queue for each customer is a
//! series for each customer. `alias` is that of the handler, also of tasks that were enqueued under
//! a former one; of a task that was only enqueued, the one it was enqueued under. Each process
//! counts what it did itself; how many tasks wait is known to the database alone, which
//! [`Store::queues`](crate::Store::queues) asks.

#[cfg(feature = "metrics")]
mod meters;
#[cfg(not(feature = "metrics"))]
mod no_meters;

#[cfg(feature = "metrics")]
pub(crate) use meters::{Meters, Running, Taken, store_failed, taken_over};
#[cfg(not(feature = "metrics"))]
pub(crate) use no_meters::{Meters, Running, Taken, store_failed, taken_over};

use crate::{
    backend::{Settle, Settled},
    store::EnqueueOutcome,
};

/// The target of what happens to a task.
pub(crate) const TARGET: &str = "taskstore::task";

/// Tasks were enqueued.
pub(crate) fn enqueued(outcomes: &[EnqueueOutcome]) {
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
