//! A store of your own, as an example: taskstore on [redb], an embedded key-value database that is
//! no SQL at all.
//!
//! ```no_run
//! # async fn example() -> taskstore_core::Result<()> {
//! let backend = taskstore_custom_backend::RedbBackend::open("tasks.redb").await?;
//! let store = taskstore_core::Store::new(backend);
//! store.migrate().await?;
//! # Ok(())
//! # }
//! ```
//!
//! This file is the whole of the trait, each method a line or two: what is written goes through
//! the `writer`, what is read through a `view`. Each other file is one concept, and `docs/writing-a-backend.md`
//! says in which order to read them.

mod beats;
mod claim;
mod control;
mod definition;
mod enqueue;
mod error;
mod hints;
mod lease;
mod list;
mod queue;
mod record;
mod schema;
mod settle;
mod sweep;
pub mod tables;
mod tx;
mod view;
mod writer;

use std::{any::Any, fmt, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use redb::Database;
use taskstore_core::{
    Attempt, Backend, Definition, DefinitionId, Error, Heartbeat, LeaseId, LogLine, Queue,
    QueuePattern, Result, Task, TaskId,
    backend::{
        Capabilities, Claim, Claimed, Control, Counted, DefinitionKey, DefinitionQuery, Enqueue,
        Enqueued, Expect, Fate, FindWork, Isolate, LateLease, Lease, LeasedTask, Migrate,
        MigrationReport, Outcome, Page, Promote, Promoted, QueueQuery, QueueSettings, Report,
        Settle, Settled, Sweep, Swept, TakeOver, TakenOver, TaskFilter, TaskQuery, WorkFound,
    },
    clock,
};
use time::UtcDateTime;

use crate::{
    beats::{Beats, Keeper},
    error::refused,
    hints::Hints,
    view::View,
    writer::Writer,
};

/// A store in a redb file, which belongs to one process at a time.
pub struct RedbBackend {
    // Dropped first, so that what was asked for is done before the file is closed.
    writer: Writer,
    database: Arc<Database>,
    beats: Arc<Beats>,
    hints: Arc<Hints>,
}

impl fmt::Debug for RedbBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedbBackend").finish_non_exhaustive()
    }
}

impl RedbBackend {
    /// Opens the file, or makes it. There are no tables in it until [`migrate`](Backend::migrate).
    ///
    /// # Errors
    /// [`Unavailable`](Error::Unavailable): another process has it open, or this one.
    /// [`Backend`](Error::Backend): it cannot be opened, or is no redb file.
    pub async fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref().to_owned();
        let database = blocking(move || Database::create(path).map_err(refused)).await?;
        let (database, beats) = (Arc::new(database), Arc::new(Beats::default()));
        let hints = Arc::new(Hints::new());
        let writer = Writer::start(Arc::clone(&database), Arc::clone(&beats), Arc::clone(&hints));
        Ok(Self { writer: writer.map_err(Error::backend)?, database, beats, hints })
    }

    /// The file, for whoever wants to see the [`tables`] as they are. What is written past this store is
    /// written by hand: it is what [`sweep`](Backend::sweep) is for.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&View) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let database = Arc::clone(&self.database);
        blocking(move || read(&View::open(&database)?)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(Error::backend)?
}

fn now() -> i64 {
    clock::to_micros(clock::now())
}

#[async_trait]
impl Backend for RedbBackend {
    fn capabilities(&self) -> Capabilities {
        let mut able = Capabilities::default();
        able.durable = true;
        able.notifies_in_process = true;
        able
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport> {
        let (database, request) = (Arc::clone(&self.database), *request);
        blocking(move || schema::migrate(&database, request)).await
    }

    async fn check_schema(&self) -> Result<()> {
        let database = Arc::clone(&self.database);
        blocking(move || schema::check(&database)).await
    }

    async fn enqueue(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        let (tasks, now) = (request.tasks.to_vec(), request.now);
        self.writer.write(move |tx| enqueue::enqueue(tx, &tasks, tx.at(now))).await
    }

    async fn claim(&self, request: &Claim) -> Result<Claimed> {
        let request = request.clone();
        self.writer.write(move |tx| claim::claim(tx, &request, tx.at(request.now))).await
    }

    async fn recall(&self, lease: LeaseId) -> Result<Vec<LeasedTask>> {
        self.writer.write(move |tx| claim::recall(tx, lease, tx.now)).await
    }

    async fn settle(&self, request: &Settle) -> Result<Settled> {
        let request = request.clone();
        self.writer
            .write(move |tx| {
                let now = tx.at(request.now);
                let fates = request.settlements.iter().map(|end| settle::settle(tx, end, now));
                let fates = fates.collect::<Result<_>>()?;
                let then = request.then.as_ref();
                let claimed = then.map(|then| claim::claim(tx, then, tx.at(then.now)));
                Ok(Settled { fates, claimed: claimed.transpose()? })
            })
            .await
    }

    async fn isolate(&self, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        let request = request.clone();
        self.writer
            .write(move |tx| {
                let now = tx.at(request.now);
                request
                    .tasks
                    .iter()
                    .map(|(lease, to)| lease::isolate(tx, lease, *to, now))
                    .collect()
            })
            .await
    }

    async fn promote(&self, request: &Promote) -> Result<Promoted> {
        let request = *request;
        self.writer.write(move |tx| claim::promote(tx, request.limit, tx.at(request.now))).await
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Fate>> {
        let reports = reports.to_vec();
        self.writer
            .write(move |tx| {
                reports.iter().map(|report| settle::report(tx, report, tx.now)).collect()
            })
            .await
    }

    async fn wait_for_work(&self, queues: &[QueuePattern], at_most: Duration) {
        self.hints.wait(queues, at_most).await;
    }

    async fn find_work(&self, request: &FindWork) -> Result<WorkFound> {
        let request = request.clone();
        let at = request.now.map_or_else(now, clock::to_micros);
        self.read(move |view| queue::find_work(view, &request, at)).await
    }

    async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>> {
        let (database, beats) = (Arc::clone(&self.database), Arc::clone(&self.beats));
        Ok(Box::new(Keeper { database, beats }))
    }

    async fn late_leases(&self, limit: u32) -> Result<Vec<LateLease>> {
        let (database, beats) = (Arc::clone(&self.database), Arc::clone(&self.beats));
        blocking(move || beats.late(&database, limit as usize)).await
    }

    async fn take_over(&self, request: &TakeOver) -> Result<Vec<Option<TakenOver>>> {
        let request = request.clone();
        self.writer
            .write(move |tx| {
                let now = tx.at(request.now);
                let leases = request.leases.iter();
                leases
                    .map(|(seen, to)| lease::take_over(tx, request.runner, seen, *to, now))
                    .collect()
            })
            .await
    }

    async fn sweep(&self, request: &Sweep) -> Result<Swept> {
        let request = request.clone();
        self.writer.write(move |tx| sweep::sweep(tx, &request, tx.at(request.now))).await
    }

    async fn control(&self, request: &Control) -> Result<Vec<Outcome>> {
        let request = request.clone();
        self.writer
            .write(move |tx| {
                let now = tx.at(request.now);
                request.ids.iter().map(|id| control::control(tx, &request, *id, now)).collect()
            })
            .await
    }

    async fn put_queue(&self, settings: &QueueSettings) -> Result<()> {
        let QueueSettings { name, paused } = settings.clone();
        self.writer
            .write(move |tx| {
                if !paused {
                    tx.hint(name.as_str(), None);
                }
                tx.queue.insert(name.as_str(), paused)
            })
            .await
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>> {
        let beats = Arc::clone(&self.beats);
        self.read(move |view| {
            view.record_of(id)?.map(|record| view.task(&record, &beats)).transpose()
        })
        .await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>> {
        query.check()?;
        let (query, beats) = (query.clone(), Arc::clone(&self.beats));
        self.read(move |view| {
            let Page { items, next } = list::page(view, &query)?;
            let items = items.into_iter().map(|record| view.task(&record, &beats));
            Ok(Page { items: items.collect::<Result<_>>()?, next })
        })
        .await
    }

    async fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        query.check_ids()?;
        let query = query.clone();
        self.read(move |view| {
            let Page { items, next } = list::page(view, &query)?;
            Ok(Page { items: items.into_iter().map(|record| record.id).collect(), next })
        })
        .await
    }

    async fn now(&self) -> Result<UtcDateTime> {
        Ok(clock::now())
    }

    async fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        let filter = filter.clone();
        self.read(move |view| list::count(view, &filter, at_most)).await
    }

    async fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        let query = query.clone();
        let at = query.now.map_or_else(now, clock::to_micros);
        self.read(move |view| queue::list(view, &query, at)).await
    }

    async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        self.read(move |view| view.attempts(id)).await
    }

    async fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        self.read(move |view| view.log(id, skip, limit)).await
    }

    async fn put_definition(&self, definition: &Definition, expect: Expect) -> Result<()> {
        let definition = definition.clone();
        self.writer.write(move |tx| definition::put(tx, &definition, expect)).await
    }

    async fn delete_definition(&self, id: DefinitionId) -> Result<()> {
        self.writer.write(move |tx| definition::delete(tx, id)).await
    }

    async fn definition(&self, key: &DefinitionKey) -> Result<Option<Definition>> {
        let key = key.clone();
        self.read(move |view| definition::get(view, &key)).await
    }

    async fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>> {
        let query = query.clone();
        self.read(move |view| definition::list(view, &query)).await
    }
}
