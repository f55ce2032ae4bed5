//! The store: hands each call to the thread or pool that it belongs to.

use std::{
    any::Any,
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use taskstore_core::{
    Attempt, Backend, Definition, DefinitionId, Error, Heartbeat, LeaseId, LogLine, Queue,
    QueuePattern, Result, Store, Task, TaskId,
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
    connection::{PATIENT, open_writer},
    convert::{later, now_or},
    error::joined,
    heartbeat::SqliteHeartbeat,
    migrate,
    options::{SqliteOptions, Wakeup},
    read,
    readers::Readers,
    sql::Texts,
    wakeup::{News, Wakeups},
    watch::{self, Watch},
    write,
    writer::Writer,
};

/// A task store in one SQLite file. Made by [`open`](Self::open).
///
/// Its threads end when it is dropped; requests that were sent before are still done.
#[derive(Debug)]
pub struct SqliteBackend {
    options: SqliteOptions,
    /// The file by its one true name, to tell it from others.
    file: PathBuf,
    texts: Arc<Texts>,
    writer: Writer,
    readers: Readers,
    wakeups: Arc<Wakeups>,
    /// Started by the first who waits; `None` when it could not be.
    watch: OnceLock<Option<Watch>>,
}

impl SqliteBackend {
    /// Opens the file and makes it if it is not there. Its tables are made by
    /// [`migrate`](Backend::migrate).
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) that names `url`: its folder is not there, or the file cannot be
    /// put into WAL mode. [`Unavailable`](Error::Unavailable): it cannot be opened or is locked.
    pub async fn open(options: SqliteOptions) -> Result<Self> {
        joined(tokio::task::spawn_blocking(move || Self::open_blocking(options)).await)
    }

    fn open_blocking(options: SqliteOptions) -> Result<Self> {
        check_folder(&options.path)?;
        let texts = Arc::new(Texts::new(&options.prefix, options.patch));
        let connection = open_writer(&options.path, options.synchronous, PATIENT)?;
        let file = std::fs::canonicalize(&options.path).map_err(Error::unavailable)?;
        let wakeups = Arc::new(Wakeups::default());
        let writer = Writer::start(connection, &options.path, texts.clone(), wakeups.clone())?;
        let readers = Readers::new(options.path.clone(), options.readers, texts.clone());
        Ok(Self { options, file, texts, writer, readers, wakeups, watch: OnceLock::new() })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.options.path()
    }

    /// The backend of this store.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with field `store`: it has another one.
    pub(crate) fn of(store: &Store) -> Result<&Self> {
        let backend = store.backend().as_any().downcast_ref();
        backend.ok_or_else(|| Error::invalid("store", "it is not one in a SQLite file"))
    }

    /// The file by its one true name.
    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    pub(crate) const fn texts(&self) -> &Arc<Texts> {
        &self.texts
    }

    pub(crate) const fn wakeups(&self) -> &Arc<Wakeups> {
        &self.wakeups
    }

    fn start_watch(&self) {
        self.watch.get_or_init(|| {
            let how = self.options.wakeup;
            watch::start(&self.options.path, how, self.texts.clone(), self.wakeups.clone())
                .inspect_err(|error| tracing::warn!(%error, "other processes are not heard"))
                .ok()
        });
    }
}

fn check_folder(path: &Path) -> Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => return Ok(()),
    };
    if folder.is_dir() {
        return Ok(());
    }
    Err(Error::invalid("url", format!("there is no folder {}", folder.display())))
}

#[async_trait]
impl Backend for SqliteBackend {
    fn capabilities(&self) -> Capabilities {
        let mut can = Capabilities::default();
        can.durable = true;
        can.shared = true;
        can.notifies_in_process = true;
        can.notifies_across_processes = self.options.wakeup != Wakeup::Off;
        can.plain_sql = true;
        can
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport> {
        let (request, texts) = (*request, self.texts.clone());
        let options = self.options.clone();
        joined(
            tokio::task::spawn_blocking(move || {
                let connection = open_writer(&options.path, options.synchronous, PATIENT)?;
                migrate::migrate(&connection, &texts, &request)
            })
            .await,
        )
    }

    async fn check_schema(&self) -> Result<()> {
        self.readers
            .read(|statements| migrate::check(statements.connection(), statements.texts()))
            .await
    }

    async fn enqueue(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        let (tasks, now) = (request.tasks.to_vec(), request.now);
        self.writer.call(move |session| write::enqueue(session, &tasks, now_or(now))).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        let (claim, events) = (claim.clone(), self.wakeups.events());
        self.writer
            .call(move |session| write::claim(session, &claim, now_or(claim.now), events))
            .await
    }

    async fn recall(&self, lease: LeaseId) -> Result<Vec<LeasedTask>> {
        // By the writer, so that it comes after a claim whose answer nobody waits for any more.
        self.writer.call(move |session| write::recall(session, lease, now_or(None))).await
    }

    async fn settle(&self, request: &Settle) -> Result<Settled> {
        let (request, events) = (request.clone(), self.wakeups.events());
        self.writer
            .call(move |session| {
                let now = now_or(request.now);
                let fates = write::settle(session, &request.settlements, now)?;
                let claimed = match &request.then {
                    None => None,
                    Some(claim) => {
                        let now = claim.now.map_or(now, clock::to_micros);
                        Some(write::claim(session, claim, now, events)?)
                    }
                };
                Ok(Settled { fates, claimed })
            })
            .await
    }

    async fn isolate(&self, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        let request = request.clone();
        self.writer
            .call(move |session| write::isolate(session, &request, now_or(request.now)))
            .await
    }

    async fn promote(&self, request: &Promote) -> Result<Promoted> {
        let request = *request;
        self.writer
            .call(move |session| write::promote(session, request.limit, now_or(request.now)))
            .await
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Fate>> {
        let reports = reports.to_vec();
        self.writer.call(move |session| write::report(session, &reports, now_or(None))).await
    }

    // Written out, so that the caller is among those who wait when this returns, and not only when
    // the future is first polled: what is committed in between must wake it.
    fn wait_for_work<'life0, 'life1, 'async_trait>(
        &'life0 self,
        queues: &'life1 [QueuePattern],
        at_most: Duration,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        self.start_watch();
        let until = later(now_or(None), at_most);
        let (waiting, changed) = self.wakeups.register(queues, until);
        Box::pin(async move {
            let wait = async {
                if changed {
                    self.look_for_work(queues).await;
                }
                waiting.woken().await;
            };
            // That the time has passed is as good an answer as any.
            let _ = tokio::time::timeout(at_most, wait).await;
        })
    }

    async fn find_work(&self, request: &FindWork) -> Result<WorkFound> {
        let (request, events) = (request.clone(), self.wakeups.events());
        let now = now_or(request.now);
        let found =
            self.readers.read(move |statements| read::find_work(statements, &request, now)).await?;
        // What is due is known from here on: it wakes nobody again.
        let mut news = News::default();
        news.seen([].into_iter(), found.due_in.map(|due| later(now, due)), events);
        self.wakeups.publish(&news);
        Ok(found)
    }

    async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>> {
        Ok(Box::new(SqliteHeartbeat::open(&self.options.path, self.texts.clone())?))
    }

    async fn late_leases(&self, limit: u32) -> Result<Vec<LateLease>> {
        // By the writer, whose lock a beat would need: a read without it shows nothing while
        // somebody else holds the lock.
        self.writer
            .call(move |session| write::late_leases(session, limit, session.steady_now()))
            .await
    }

    async fn take_over(&self, request: &TakeOver) -> Result<Vec<Option<TakenOver>>> {
        let request = request.clone();
        self.writer
            .call(move |session| write::take_over(session, &request, now_or(request.now)))
            .await
    }

    async fn sweep(&self, request: &Sweep) -> Result<Swept> {
        let request = request.clone();
        let look = request.clone();
        let found = self.readers.read(move |statements| read::sweep(statements, &look)).await?;
        if found.is_nothing() {
            return Ok(Swept { next: found.next, ..Swept::default() });
        }
        self.writer
            .call(move |session| write::sweep(session, &request, &found, now_or(request.now)))
            .await
    }

    async fn control(&self, request: &Control) -> Result<Vec<Outcome>> {
        let request = request.clone();
        self.writer
            .call(move |session| write::control(session, &request, now_or(request.now)))
            .await
    }

    async fn put_queue(&self, settings: &QueueSettings) -> Result<()> {
        let settings = settings.clone();
        self.writer.call(move |session| write::put_queue(session, &settings)).await
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>> {
        self.readers.read(move |statements| read::task(statements, id)).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>> {
        let query = query.clone();
        self.readers.read(move |statements| read::tasks(statements, &query)).await
    }

    async fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        let query = query.clone();
        self.readers.read(move |statements| read::task_ids(statements, &query)).await
    }

    async fn now(&self) -> Result<UtcDateTime> {
        Ok(clock::from_micros(now_or(None)))
    }

    async fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        let filter = filter.clone();
        self.readers.read(move |statements| read::count(statements, &filter, at_most)).await
    }

    async fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        let query = query.clone();
        self.readers
            .read(move |statements| read::queues(statements, &query, now_or(query.now)))
            .await
    }

    async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        self.readers.read(move |statements| read::attempts(statements, id)).await
    }

    async fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        self.readers.read(move |statements| read::log(statements, id, skip, limit)).await
    }

    async fn put_definition(&self, definition: &Definition, expect: Expect) -> Result<()> {
        let definition = definition.clone();
        self.writer.call(move |session| write::put_definition(session, &definition, expect)).await
    }

    async fn delete_definition(&self, id: DefinitionId) -> Result<()> {
        self.writer.call(move |session| write::delete_definition(session, id, now_or(None))).await
    }

    async fn definition(&self, key: &DefinitionKey) -> Result<Option<Definition>> {
        let key = key.clone();
        self.readers.read(move |statements| read::definition(statements, &key)).await
    }

    async fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>> {
        let query = query.clone();
        self.readers.read(move |statements| read::definitions(statements, &query)).await
    }
}

impl SqliteBackend {
    /// The file has changed since a claim has last looked: whoever did it, is there work?
    async fn look_for_work(&self, queues: &[QueuePattern]) {
        let queues = queues.to_vec();
        let found = self.readers.read(|statements| watch::work_in(statements, queues)).await;
        match found {
            Ok((ready, next_due)) => self.wakeups.found(&ready, next_due),
            Err(error) => tracing::debug!(%error, "could not look for work"),
        }
    }
}
