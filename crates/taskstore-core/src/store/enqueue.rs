//! Enqueueing: builders that are awaited.

use std::{
    future::{Future, IntoFuture},
    pin::Pin,
    time::Duration,
};

use serde::Serialize;
use serde_json::value::RawValue;
use time::UtcDateTime;
use tracing::Instrument as _;

use super::{
    Store,
    options::{Bad, Options, parameters},
};
use crate::{
    Alias, Definition, DefinitionId, Error, QueueName, Result, TaskId, TaskKey,
    backend::{Enqueue, Enqueued, NewTask, When},
    limits::{ENQUEUE_BYTES_MAX, ENQUEUE_TASKS_MAX},
    telemetry::{self, TARGET},
    within::EnqueueIn,
};

impl Store {
    /// Enqueues a task, when the builder is awaited.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use taskstore_core::{MemoryBackend, Store, TaskKey};
    /// # struct SendEmail;
    /// # impl TaskKey for SendEmail { const KEY: &'static str = "email.send"; type Args = String; }
    /// # let store = Store::new(MemoryBackend::new());
    /// # store.register_fn("email.send", |_, _: String| async { Ok(()) }).await?;
    /// let id = store
    ///     .enqueue::<SendEmail>("user@example.org".into())
    ///     .queue("mail")
    ///     .priority(-10)
    ///     .max_attempts(3)
    ///     .await?;
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// See [`EnqueueOne`] for what it answers, and its errors.
    #[expect(clippy::needless_pass_by_value, reason = "reads like handing the parameters over")]
    pub fn enqueue<K: TaskKey>(&self, args: K::Args) -> EnqueueOne {
        EnqueueOne::new(self.clone(), K::KEY, &args)
    }

    /// Enqueues a task by the alias of its definition, when the builder is awaited. The parameters
    /// are whatever serde can turn into JSON: a `serde_json::Value`, a map, a struct.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use std::collections::HashMap;
    /// # use taskstore_core::{MemoryBackend, Store};
    /// # let store = Store::new(MemoryBackend::new());
    /// # store.register_fn("email.send", |_, _: HashMap<String, String>| async { Ok(()) }).await?;
    /// let to = HashMap::from([("to", "user@example.org")]);
    /// let id = store.enqueue_by_alias("mail", "email.send", to).await?;
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// See [`EnqueueOne`] for what it answers, and its errors.
    pub fn enqueue_by_alias(
        &self,
        queue: impl AsRef<str>,
        alias: impl AsRef<str>,
        parameters: impl Serialize,
    ) -> EnqueueOne {
        EnqueueOne::new(self.clone(), alias.as_ref(), &parameters).queue(queue)
    }

    /// Enqueues many tasks of one kind, when the builder is awaited: up to 10,000 of them, or 4 MiB
    /// of parameters, in one round trip.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use taskstore_core::{MemoryBackend, Store, TaskKey};
    /// # struct SendEmail;
    /// # impl TaskKey for SendEmail { const KEY: &'static str = "email.send"; type Args = String; }
    /// # let store = Store::new(MemoryBackend::new());
    /// # store.register_fn("email.send", |_, _: String| async { Ok(()) }).await?;
    /// let everybody = (0..1_000).map(|n| format!("user{n}@example.org"));
    /// let ids = store.enqueue_many::<SendEmail>(everybody).queue("mail").await?;
    /// assert_eq!(ids.len(), 1_000);
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// See [`EnqueueMany`] for what it answers, and its errors.
    pub fn enqueue_many<K: TaskKey>(&self, many: impl IntoIterator<Item = K::Args>) -> EnqueueMany {
        EnqueueMany::new(self.clone(), K::KEY, many)
    }

    /// Stores one request's worth of tasks of a definition that was perhaps seen a moment ago.
    async fn put_tasks<P: EnqueueIn>(
        &self,
        place: &mut P,
        alias: &Alias,
        tasks: impl Fn(DefinitionId) -> Result<Vec<NewTask>>,
    ) -> Result<Vec<EnqueueOutcome>> {
        let answered = self.put_tasks_of_alias(place, alias, tasks).await;
        match &answered {
            Ok(outcomes) => telemetry::enqueued(outcomes),
            Err(error) => {
                telemetry::store_failed(error);
                tracing::debug!(target: TARGET, %error, "not enqueued");
            }
        }
        answered
    }

    async fn put_tasks_of_alias<P: EnqueueIn>(
        &self,
        place: &mut P,
        alias: &Alias,
        tasks: impl Fn(DefinitionId) -> Result<Vec<NewTask>>,
    ) -> Result<Vec<EnqueueOutcome>> {
        let believed = self.inner.definitions.get(alias);
        let definition = match believed {
            Some(definition) => definition,
            None => self.definition_to_enqueue(place, alias).await?,
        };
        match put_tasks_of(place, tasks(definition)?).await {
            Err(error @ (Error::NotFound { .. } | Error::Invalid { .. })) => {
                self.inner.definitions.forget(alias);
                if believed.is_none() {
                    return Err(error);
                }
                let definition = self.definition_to_enqueue(place, alias).await?;
                put_tasks_of(place, tasks(definition)?).await
            }
            answered => answered,
        }
    }

    /// Counts what is stored for good.
    pub(crate) fn count_enqueued(
        &self,
        alias: &Alias,
        queue: &QueueName,
        outcomes: &[EnqueueOutcome],
    ) {
        let stored = outcomes.iter().filter(|outcome| !outcome.duplicate).count();
        self.meters().enqueued(queue, alias, stored);
    }
}

async fn put_tasks_of<P: EnqueueIn>(
    place: &mut P,
    tasks: Vec<NewTask>,
) -> Result<Vec<EnqueueOutcome>> {
    let answers = place.enqueue(&tasks).await?;
    Ok(tasks
        .iter()
        .zip(answers)
        .map(|(task, answer)| EnqueueOutcome::new(task.id, answer))
        .collect())
}

/// The store's own connections.
struct Own<'a>(&'a Store);

impl EnqueueIn for Own<'_> {
    async fn definition(&mut self, alias: &Alias) -> Result<Option<Definition>> {
        self.0.definition_by_alias(alias).await
    }

    async fn enqueue(&mut self, tasks: &[NewTask]) -> Result<Vec<Enqueued>> {
        self.0.backend().enqueue(&Enqueue::new(tasks)).await
    }
}

/// What became of a task to enqueue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnqueueOutcome {
    /// The id of the task that was stored, or of the live one that has its unique key.
    pub id: TaskId,
    /// Whether it was held back because another live task has its unique key.
    pub duplicate: bool,
}

impl EnqueueOutcome {
    const fn new(id: TaskId, answer: Enqueued) -> Self {
        match answer {
            Enqueued::Stored => Self { id, duplicate: false },
            Enqueued::Duplicate(id) => Self { id, duplicate: true },
        }
    }
}

/// A task to enqueue; stored when it is awaited, and not before. Awaiting gives its id, or the id
/// of the live task that has the same [unique key](Self::unique); [`outcome`](Self::outcome) tells
/// which.
///
/// The id is made with the builder. So after an error that
/// [may pass](Error::is_retryable) a clone of it can be awaited again: whether or not the first
/// request arrived, there will be one task. Nothing is tried again by itself.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use taskstore_core::{MemoryBackend, Store, TaskKey};
/// # struct Close;
/// # impl TaskKey for Close { const KEY: &'static str = "day.close"; type Args = u32; }
/// # let store = Store::new(MemoryBackend::new());
/// # store.register_fn("day.close", |_, _: u32| async { Ok(()) }).await?;
/// let enqueue = store.enqueue::<Close>(31).unique("2026-01-31");
/// assert_eq!(enqueue.clone().await?, enqueue.id());
/// assert_eq!(enqueue.clone().await?, enqueue.id(), "the same task, once");
///
/// let another = store.enqueue::<Close>(31).unique("2026-01-31").outcome().await?;
/// assert!(another.duplicate && another.id == enqueue.id());
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Nothing is stored when it fails with
/// [`Invalid`](Error::Invalid): the first value that cannot be, by its field: `alias`, `parameters`
/// (no JSON, or above 1 MiB), `queue`, `delay`, `at`, `max_attempts`, `expires_in`, `expires_at` (also
/// when it expires before it may run), `timeout`, `unique key`, `unique scope`;
/// or `task definition`, which is canceled.
/// [`NotFound`](Error::NotFound): there is no `task definition` with this alias.
/// [`Schema`](Error::Schema): there are no tables.
/// After [`Unavailable`](Error::Unavailable) it may be stored or not.
#[derive(Clone, Debug)]
#[must_use = "nothing is enqueued until it is awaited"]
pub struct EnqueueOne {
    store: Store,
    id: TaskId,
    work: Result<(Alias, Box<RawValue>), Bad>,
    options: Options,
}

impl EnqueueOne {
    fn new(store: Store, alias: &str, value: &impl Serialize) -> Self {
        let work = Alias::new(alias).and_then(|alias| Ok((alias, parameters(value)?)));
        Self {
            store,
            id: TaskId::new(),
            work: work.map_err(Bad::from),
            options: Options::default(),
        }
    }

    /// The id that the task will have.
    #[must_use]
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// Stores nothing while another live task (queued, running or paused) of the same definition has
    /// this key, and answers with the id of that one: 1 byte to 1 KiB. See
    /// [`outcome`](Self::outcome).
    pub fn unique(mut self, key: impl AsRef<str>) -> Self {
        self.options.unique(key.as_ref());
        self
    }

    /// Like [`unique`](Self::unique), among all tasks that use the same scope, whatever their
    /// definition: at most 1 KiB each.
    pub fn unique_in(mut self, scope: impl AsRef<str>, key: impl AsRef<str>) -> Self {
        self.options.unique_in(scope.as_ref(), key.as_ref());
        self
    }

    /// Stores the task, and says whether it was a duplicate.
    ///
    /// # Errors
    /// As awaiting it.
    pub async fn outcome(self) -> Result<EnqueueOutcome> {
        let store = self.store.clone();
        let (alias, queue, outcome) = self.put_in(&mut Own(&store)).await?;
        store.count_enqueued(&alias, &queue, &[outcome]);
        Ok(outcome)
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The definition's alias and the task, all of it checked but that the definition is there and
    /// active, unless the task needs to know it.
    pub(crate) async fn checked(self) -> Result<(Alias, NewTask)> {
        let (alias, parameters) = self.work?;
        self.options.check()?;
        let believed = self.store.inner.definitions.get(&alias);
        let definition = match believed {
            Some(definition) => definition,
            None => self.store.definition_to_enqueue(&mut Own(&self.store), &alias).await?,
        };
        let task = self.options.task(self.id, definition, parameters)?;
        Ok((alias, task))
    }

    /// Stores the task there, and says of which alias and in which queue. Counts nothing: it may not
    /// be for good.
    pub(crate) async fn put_in<P: EnqueueIn>(
        self,
        place: &mut P,
    ) -> Result<(Alias, QueueName, EnqueueOutcome)> {
        let (alias, parameters) = self.work?;
        self.options.check()?;
        let queue = self.options.queue_name();
        let span = tracing::info_span!(
            target: TARGET,
            "enqueue",
            id = %self.id,
            %alias,
            %queue,
        );
        let task =
            |definition| Ok(vec![self.options.task(self.id, definition, parameters.clone())?]);
        let outcomes = self.store.put_tasks(place, &alias, task).instrument(span).await?;
        let outcome = one(outcomes)?;
        Ok((alias, queue.clone(), outcome))
    }
}

impl IntoFuture for EnqueueOne {
    type Output = Result<TaskId>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<TaskId>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async { Ok(self.outcome().await?.id) })
    }
}

/// Many tasks of one kind to enqueue, with the same options; stored when it is awaited, and not
/// before. Awaiting gives their ids, in order.
///
/// All of them are checked before the first is stored. Then up to 10,000 of them, or 4 MiB of
/// parameters, go in one transaction, one after another: if one fails, those before it are stored.
/// The ids are made with the builder, so a clone of it can be awaited again after an error that
/// [may pass](Error::is_retryable), and stores what is missing.
///
/// # Errors
/// As [`EnqueueOne`]; a reason about parameters says which, from 0. No tasks at all are no error.
#[derive(Clone, Debug)]
#[must_use = "nothing is enqueued until it is awaited"]
pub struct EnqueueMany {
    store: Store,
    work: Result<(Alias, Vec<Draft>), Bad>,
    options: Options,
}

/// A task's id and parameters.
type Draft = (TaskId, Box<RawValue>);

impl EnqueueMany {
    fn new<A: Serialize>(store: Store, alias: &str, many: impl IntoIterator<Item = A>) -> Self {
        let work = Alias::new(alias).and_then(|alias| {
            let drafts = many.into_iter().enumerate().map(|(n, args)| draft(n, &args));
            Ok((alias, drafts.collect::<Result<_>>()?))
        });
        Self { store, work: work.map_err(Bad::from), options: Options::default() }
    }

    async fn put(self) -> Result<Vec<TaskId>> {
        let store = self.store.clone();
        let count = |alias: &Alias, queue: &QueueName, outcomes: &[EnqueueOutcome]| {
            store.count_enqueued(alias, queue, outcomes);
        };
        let (_, _, outcomes) = self.put_in(&mut Own(&store), count).await?;
        Ok(outcomes.iter().map(|outcome| outcome.id).collect())
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// Stores the tasks there, chunk by chunk, and tells of each chunk.
    pub(crate) async fn put_in<P: EnqueueIn>(
        self,
        place: &mut P,
        stored: impl Fn(&Alias, &QueueName, &[EnqueueOutcome]),
    ) -> Result<(Alias, QueueName, Vec<EnqueueOutcome>)> {
        let (alias, drafts) = self.work?;
        self.options.check()?;
        let queue = self.options.queue_name();
        let span = tracing::info_span!(
            target: TARGET,
            "enqueue",
            tasks = drafts.len(),
            %alias,
            %queue,
        );
        let mut outcomes = Vec::with_capacity(drafts.len());
        for chunk in chunks(&drafts) {
            let tasks = |definition| {
                let task = |(id, json): &Draft| self.options.task(*id, definition, json.clone());
                chunk.iter().map(task).collect()
            };
            let put = self.store.put_tasks(place, &alias, tasks);
            let of_chunk = put.instrument(span.clone()).await?;
            stored(&alias, queue, &of_chunk);
            outcomes.extend(of_chunk);
        }
        Ok((alias, queue.clone(), outcomes))
    }
}

impl IntoFuture for EnqueueMany {
    type Output = Result<Vec<TaskId>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Vec<TaskId>>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.put())
    }
}

/// The options that both builders have.
macro_rules! options {
    ($builder:ident) => {
        impl $builder {
            /// Where it waits: 1 to 64 visible ASCII characters, by default `default`.
            pub fn queue(mut self, name: impl AsRef<str>) -> Self {
                self.options.queue(name.as_ref());
                self
            }

            /// A lower number runs first; by default 0.
            pub fn priority(mut self, priority: i16) -> Self {
                self.options.priority(priority);
                self
            }

            /// Runs it after this delay, at most 100 years. Of `delay` and [`at`](Self::at) the
            /// last one counts.
            pub fn delay(mut self, delay: Duration) -> Self {
                self.options.when(When::After(delay));
                self
            }

            /// Runs it at this time, at most 100 years ahead; at once when it has passed. A
            /// [`SystemTime`](std::time::SystemTime) will do, or a time of the crate `time`. Of
            /// [`delay`](Self::delay) and `at` the last one counts.
            pub fn at(mut self, time: impl Into<UtcDateTime>) -> Self {
                self.options.when(When::At(time.into()));
                self
            }

            /// How often it is tried before it fails, instead of what its handler says: 1 to
            /// 10,000.
            pub fn max_attempts(mut self, attempts: u32) -> Self {
                self.options.max_attempts(attempts);
                self
            }

            /// Discards it if no handler has begun it so long after it was enqueued: it ends
            /// `canceled`, and its reason says by when it was to be started. At most 100 years. What
            /// has begun once is retried as ever, and a task that somebody requeues does not expire.
            /// Of `expires_in` and [`expires_at`](Self::expires_at) the last one counts.
            ///
            /// By the database's own clock, so the clocks of machines need not agree.
            pub fn expires_in(mut self, delay: Duration) -> Self {
                self.options.expires_in(delay);
                self
            }

            /// Like [`expires_in`](Self::expires_in), at this time, at most 100 years ahead. A time
            /// that has passed is no error: the task is discarded when a runner meets it.
            pub fn expires_at(mut self, time: impl Into<UtcDateTime>) -> Self {
                self.options.expires_at(time.into());
                self
            }

            /// How long one run may take, instead of what its handler says: more than zero, at most
            /// 100 years.
            pub fn timeout(mut self, limit: Duration) -> Self {
                self.options.timeout(limit);
                self
            }
        }
    };
}

options!(EnqueueOne);
options!(EnqueueMany);

fn draft(n: usize, args: &impl Serialize) -> Result<Draft> {
    match parameters(args) {
        Ok(json) => Ok((TaskId::new(), json)),
        Err(Error::Invalid { field, reason }) => {
            Err(Error::invalid(field, format!("those of task {n}: {reason}")))
        }
        Err(error) => Err(error),
    }
}

/// What goes in one request each: not too many, and not too large together, but one at least.
fn chunks(mut drafts: &[Draft]) -> impl Iterator<Item = &[Draft]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fit = drafts
            .iter()
            .take(ENQUEUE_TASKS_MAX)
            .take_while(|(_, json)| {
                bytes += json.get().len();
                bytes <= ENQUEUE_BYTES_MAX
            })
            .count();
        let (chunk, rest) = drafts.split_at_checked(fit.max(1))?;
        drafts = rest;
        Some(chunk)
    })
}

fn one(outcomes: Vec<EnqueueOutcome>) -> Result<EnqueueOutcome> {
    outcomes.into_iter().next().ok_or_else(|| Error::backend("it did not answer for the task"))
}
