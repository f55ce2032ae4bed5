//! Middleware: code around every run of a handler.
//!
//! This module puts layers around a run and keeps each layer's panic from the one around it. It runs
//! no handler by itself ([`crate::runner`] does, and gives the innermost future), and decides nothing
//! about what becomes of a task.

use std::{fmt, future::Future, panic::AssertUnwindSafe, sync::Arc};

use futures_util::{FutureExt as _, future::BoxFuture};

use crate::{TaskContext, TaskError, TaskOutput, TaskResult};

/// Code around every run of a handler: measures it, reports its errors, holds it back, or changes
/// what it came to.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use std::time::Instant;
/// # use taskstore_core as taskstore;
/// use taskstore::{MemoryBackend, Middleware, Next, Store, TaskContext, TaskOutput, TaskResult};
///
/// struct Slow { millis: u128 }
///
/// impl Middleware for Slow {
///     async fn run(&self, ctx: &TaskContext, next: Next<'_>) -> TaskResult<TaskOutput> {
///         let began = Instant::now();
///         let result = next.run().await;
///         if began.elapsed().as_millis() > self.millis {
///             ctx.log_info(format!("{} took {:?}", ctx.alias(), began.elapsed()));
///         }
///         result
///     }
/// }
///
/// let store = Store::builder(MemoryBackend::new()).middleware(Slow { millis: 500 }).await?;
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// A store has its middleware from the start: `connect(url).middleware(..)` or
/// [`StoreBuilder::middleware`](crate::StoreBuilder::middleware), or
/// [`middleware_fn`](crate::StoreBuilder::middleware_fn) for a closure. It is around every run: by a
/// runner, by [`execute_cli`](crate::Store::execute_cli), and in tests; of handlers that await, that
/// block, and that are closures; and around each task by itself of a handler that takes many. Without
/// any, nothing is paid for it.
///
/// - **Order**: the first that was added is the outermost. It sees the run first and its end last.
/// - **What it sees**: the [`TaskContext`], and from [`Next::run`] how the run ended: the output, or
///   a [`TaskError`] whose [`kind`](TaskError::kind) tells a failure from a snooze, a cancel, a panic
///   or a time-out. Parameters that do not fit the handler are a permanent failure.
/// - **What it may do**: return something else. What the outermost returns is how the attempt ended,
///   as if the handler had said so. `?` lifts errors of its own as in a handler.
/// - **Without `next.run()`** the handler does not run, and what the middleware returns counts: an
///   output is a success, an error a failure that counts as an attempt. To put a task off without
///   that, return [`TaskError::snooze`].
/// - **Its own panic** is the panic of this run for all that is around it: a failure of the task.
/// - **The handler's time-out** holds for the handler alone: what a middleware does before and after
///   is not counted, and is not limited. A middleware with a time limit of its own around
///   `next.run()` covers what is within.
/// - **To stop it**: like the handler, it is dropped at its next `.await` when a runner that stops
///   drops the run. A cancel fires [`TaskContext::cancelled`].
/// - **A handler that blocks its thread** cannot be dropped. When a middleware drops its `next.run()`,
///   it is told by [`TaskContext::is_cancelled`], and the attempt ends only when it has ended.
///
/// `Next` cannot leave the run: it cannot be kept, cloned, run twice, or given to another tokio task.
/// So one attempt is never more than one run of the handler, and none goes on in secret.
///
/// ```compile_fail
/// # use taskstore_core::{Middleware, Next, TaskContext, TaskOutput, TaskResult};
/// struct InSecret;
/// impl Middleware for InSecret {
///     async fn run(&self, _: &TaskContext, next: Next<'_>) -> TaskResult<TaskOutput> {
///         tokio::spawn(async move { next.run().await });
///         Ok(TaskOutput::none())
///     }
/// }
/// ```
pub trait Middleware: Send + Sync + 'static {
    /// Runs what is within by [`Next::run`], with whatever is to be done before and after.
    fn run(
        &self,
        ctx: &TaskContext,
        next: Next<'_>,
    ) -> impl Future<Output = TaskResult<TaskOutput>> + Send;
}

/// What is within a middleware: the next one, or else the handler. Dropping it leaves that out.
#[must_use = "without `run` the handler does not run"]
pub struct Next<'a> {
    layers: &'a [Layer],
    ctx: &'a TaskContext,
    handler: BoxFuture<'a, TaskResult<TaskOutput>>,
}

impl<'a> Next<'a> {
    /// Runs it, and says how it ended. A panic within is an error of the kind
    /// [`Panicked`](crate::TaskErrorKind::Panicked).
    pub async fn run(self) -> TaskResult<TaskOutput> {
        let Some((layer, within)) = self.layers.split_first() else { return self.handler.await };
        let (ctx, next) = (self.ctx, Next { layers: within, ..self });
        // A closure may panic before there is a future.
        let run = async { layer.0.run(ctx, next).await };
        AssertUnwindSafe(run).catch_unwind().await.unwrap_or_else(|p| Err(TaskError::panicked(&*p)))
    }
}

impl fmt::Debug for Next<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Next").field("ctx", self.ctx).finish_non_exhaustive()
    }
}

/// The middleware of a store, the outermost first.
#[derive(Clone, Default)]
pub(crate) struct Layers(Vec<Layer>);

impl Layers {
    pub(crate) fn add(&mut self, middleware: impl Middleware) {
        self.0.push(Layer(Arc::new(Typed(middleware))));
    }

    pub(crate) fn add_fn<F>(&mut self, run: F)
    where
        F: for<'a> Fn(&'a TaskContext, Next<'a>) -> BoxFuture<'a, TaskResult<TaskOutput>>
            + Send
            + Sync
            + 'static,
    {
        self.0.push(Layer(Arc::new(Closure(run))));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Runs `handler`, which must not panic, within all of them. Each layer's panic is an error to
    /// the one around it, and in the end to the caller.
    pub(crate) async fn around<'a>(
        &'a self,
        ctx: &'a TaskContext,
        handler: BoxFuture<'a, TaskResult<TaskOutput>>,
    ) -> TaskResult<TaskOutput> {
        let output = Next { layers: &self.0, ctx, handler }.run().await?;
        // Set by a middleware that answered in place of the handler.
        Ok(TaskOutput::of(output.into_json().or_else(|| ctx.take_output())))
    }
}

#[derive(Clone)]
struct Layer(Arc<dyn Run>);

/// [`Middleware`], whatever its type.
trait Run: Send + Sync {
    fn run<'a>(
        &'a self,
        ctx: &'a TaskContext,
        next: Next<'a>,
    ) -> BoxFuture<'a, TaskResult<TaskOutput>>;
}

struct Typed<M>(M);

impl<M: Middleware> Run for Typed<M> {
    fn run<'a>(
        &'a self,
        ctx: &'a TaskContext,
        next: Next<'a>,
    ) -> BoxFuture<'a, TaskResult<TaskOutput>> {
        Box::pin(self.0.run(ctx, next))
    }
}

struct Closure<F>(F);

impl<F> Run for Closure<F>
where
    F: for<'a> Fn(&'a TaskContext, Next<'a>) -> BoxFuture<'a, TaskResult<TaskOutput>> + Send + Sync,
{
    fn run<'a>(
        &'a self,
        ctx: &'a TaskContext,
        next: Next<'a>,
    ) -> BoxFuture<'a, TaskResult<TaskOutput>> {
        (self.0)(ctx, next)
    }
}
