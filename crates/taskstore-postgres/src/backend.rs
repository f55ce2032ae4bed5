//! The store: hands each call to the connections that it belongs to.

use std::{
    any::Any,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
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
};
use time::UtcDateTime;
use tokio::sync::Semaphore;

use crate::{
    connection::{Connections, Job},
    convert::{here, later},
    error::is_locked,
    heartbeat::PostgresHeartbeat,
    home::Home,
    migrate,
    notices::Notices,
    options::PostgresOptions,
    read,
    session::Session,
    sql::Texts,
    wakeup::{News, Wakeups},
    write,
};

#[cfg(debug_assertions)]
use crate::plans;

/// Most connections for whoever looks.
const READERS_MAX: u32 = 4;

/// Connections that enqueues with unique keys leave to others: each may wait for a transaction of
/// somebody's that holds its key, and runners must settle and claim meanwhile.
const UNKEYED: u32 = 2;

/// How long one of them waits for its turn.
const KEYED_WAIT: Duration = Duration::from_secs(8);

/// How often a definition that transactions keep from being deleted is tried, and how soon again. All
/// who enqueue wait behind each try.
const DELETES_MAX: u32 = 8;
const DELETE_AGAIN: Duration = Duration::from_millis(500);

/// A task store in a PostgreSQL database. Made by [`open`](Self::open).
#[derive(Debug)]
pub struct PostgresBackend {
    options: PostgresOptions,
    texts: Arc<Texts>,
    workers: Connections,
    readers: Connections,
    /// Turns of enqueues with unique keys.
    keyed: Semaphore,
    tell: Tell,
    /// Where the store was when last looked.
    home: Mutex<Option<Arc<Home>>>,
}

/// Tells who waits for work what was committed.
#[derive(Clone, Debug)]
pub(crate) struct Tell {
    wakeups: Arc<Wakeups>,
    notices: Arc<Notices>,
    elsewhere: bool,
}

impl Tell {
    /// Here at once and elsewhere soon.
    pub(crate) fn publish(&self, news: &News) {
        self.wakeups.publish(news);
        if self.elsewhere {
            self.notices.send(news);
        }
    }
}

impl PostgresBackend {
    /// Opens one connection, to see whether the server can be reached; others are made when they are
    /// needed. The tables are made by [`migrate`](Backend::migrate).
    ///
    /// # Errors
    /// [`Unavailable`](taskstore_core::Error::Unavailable): the server cannot be reached.
    /// [`Invalid`](taskstore_core::Error::Invalid) that names `url`: it refuses the user, has no such
    /// database, or is a pooler and the options do not say so.
    pub async fn open(options: PostgresOptions) -> Result<Self> {
        options.check()?;
        let texts = Arc::new(Texts::new(&options.prefix, options.patch));
        let workers = Connections::new(&options, Job::Work, options.pool, texts.clone())?;
        let readers =
            Connections::new(&options, Job::Look, options.pool.min(READERS_MAX), texts.clone())?;
        workers.try_out().await?;
        let wakeups = Arc::new(Wakeups::default());
        let notices = Arc::new(Notices::new(options.clone(), texts.clone(), wakeups.clone()));
        let tell = Tell { wakeups, notices, elsewhere: options.tells() };
        let keyed = Semaphore::new(options.pool.saturating_sub(UNKEYED).max(1) as usize);
        Ok(Self { options, texts, workers, readers, keyed, tell, home: Mutex::default() })
    }

    /// How the server would run every list and count: what each walks down, its statement, and its
    /// plan as JSON. For a test of them, and not there in a release build.
    ///
    /// # Errors
    /// As for any call.
    #[doc(hidden)]
    #[cfg(debug_assertions)]
    pub async fn list_plans(&self) -> Result<Vec<[String; 3]>> {
        self.readers.run("plans", |session| async move { read::plans(&session).await }).await
    }

    /// How the server would run every other statement, on the connections that write: its name, and its
    /// plan as JSON. For a test of them, and not there in a release build.
    ///
    /// # Errors
    /// As for any call.
    #[doc(hidden)]
    #[cfg(debug_assertions)]
    pub async fn statement_plans(&self) -> Result<Vec<[String; 2]>> {
        self.workers
            .run("plans", |session| async move { plans::of_statements(&session).await })
            .await
    }

    /// That of a store, if it is one of these.
    pub(crate) fn of(store: &Store) -> Result<&Self> {
        let backend = store.backend().as_any().downcast_ref();
        backend.ok_or_else(|| Error::invalid("store", "it is not one in PostgreSQL"))
    }

    pub(crate) const fn tell(&self) -> &Tell {
        &self.tell
    }

    /// Where the store is, as it was said when last asked.
    pub(crate) async fn home(&self) -> Result<Arc<Home>> {
        let known = self.home.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(home) => Ok(home),
            None => self.look_home().await,
        }
    }

    /// Where the store is now.
    pub(crate) async fn look_home(&self) -> Result<Arc<Home>> {
        let look = |session: Arc<Session>| async move { Home::look(&session).await };
        let home = self.workers.run("a look at the store", look).await?;
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = Some(home.clone());
        Ok(home)
    }

    fn publish(&self, news: &News) {
        self.tell.publish(news);
    }
}

#[async_trait]
impl Backend for PostgresBackend {
    fn capabilities(&self) -> Capabilities {
        let mut can = Capabilities::default();
        can.durable = true;
        can.shared = true;
        can.notifies_in_process = true;
        can.notifies_across_processes = self.options.hears();
        can.plain_sql = true;
        can
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport> {
        let patient = Connections::new(&self.options, Job::Migrate, 1, self.texts.clone())?;
        patient
            .run("a migration", |session| async move { migrate::migrate(&session, request).await })
            .await
    }

    async fn check_schema(&self) -> Result<()> {
        self.readers
            .run("a look at the schema", |session| async move { migrate::check(&session).await })
            .await
    }

    async fn enqueue(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        let _turn = if request.tasks.iter().any(|task| task.unique.is_some()) {
            let turn = tokio::time::timeout(KEYED_WAIT, self.keyed.acquire()).await;
            // It is never closed.
            Some(turn.map_err(|_| Error::timed_out("a unique key", KEYED_WAIT))?)
        } else {
            None
        };
        let (answer, news) = self
            .workers
            .run("enqueue", |session| async move { write::enqueue(&*session, request).await })
            .await?;
        self.publish(&news);
        Ok(answer)
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        let events = self.tell.wakeups.events();
        let (answer, news) = self
            .workers
            .run("claim", |session| async move { write::claim(&session, claim, events).await })
            .await?;
        self.publish(&news);
        Ok(answer)
    }

    async fn recall(&self, lease: LeaseId) -> Result<Vec<LeasedTask>> {
        self.workers
            .run("recall", |session| async move { write::recall(&session, lease).await })
            .await
    }

    async fn settle(&self, request: &Settle) -> Result<Settled> {
        let events = self.tell.wakeups.events();
        let (answer, news) = self
            .workers
            .run("settle", |session| async move { write::settle(&session, request, events).await })
            .await?;
        self.publish(&news);
        Ok(answer)
    }

    async fn isolate(&self, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        self.workers
            .run("isolate", |session| async move { write::isolate(&session, request).await })
            .await
    }

    async fn promote(&self, request: &Promote) -> Result<Promoted> {
        let (answer, news) = self
            .workers
            .run("promote", |session| async move { write::promote(&session, request).await })
            .await?;
        self.publish(&news);
        Ok(answer)
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Fate>> {
        self.workers
            .run("report", |session| async move { write::report(&session, reports).await })
            .await
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
        let waiting = self.tell.wakeups.register(queues, later(here(), at_most));
        if self.options.hears() {
            self.tell.notices.hear();
        }
        Box::pin(async move {
            // That the time has passed is as good an answer as any.
            let _ = tokio::time::timeout(at_most, waiting.woken()).await;
        })
    }

    async fn find_work(&self, request: &FindWork) -> Result<WorkFound> {
        self.readers
            .run("find_work", |session| async move { read::find_work(&session, request).await })
            .await
    }

    async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>> {
        Ok(Box::new(PostgresHeartbeat::open(&self.options, self.texts.clone()).await?))
    }

    async fn late_leases(&self, limit: u32) -> Result<Vec<LateLease>> {
        self.workers
            .run("late_leases", |session| async move { write::late_leases(&session, limit).await })
            .await
    }

    async fn take_over(&self, request: &TakeOver) -> Result<Vec<Option<TakenOver>>> {
        self.workers
            .run("take_over", |session| async move { write::take_over(&session, request).await })
            .await
    }

    async fn sweep(&self, request: &Sweep) -> Result<Swept> {
        self.workers
            .run("sweep", |session| async move { write::sweep(&session, request).await })
            .await
    }

    async fn control(&self, request: &Control) -> Result<Vec<Outcome>> {
        let (answer, news) = self
            .workers
            .run("control", |session| async move { write::control(&session, request).await })
            .await?;
        self.publish(&news);
        Ok(answer)
    }

    async fn put_queue(&self, settings: &QueueSettings) -> Result<()> {
        self.workers
            .run("put_queue", |session| async move { write::put_queue(&session, settings).await })
            .await?;
        if !settings.paused {
            let mut news = News::default();
            news.ready(&settings.name);
            self.publish(&news);
        }
        Ok(())
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>> {
        self.readers.run("task", |session| async move { read::task(&session, id).await }).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>> {
        self.readers.run("tasks", |session| async move { read::tasks(&session, query).await }).await
    }

    async fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        self.readers
            .run("task_ids", |session| async move { read::task_ids(&session, query).await })
            .await
    }

    async fn now(&self) -> Result<UtcDateTime> {
        self.readers.run("now", |session| async move { read::now(&session).await }).await
    }

    async fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        self.readers
            .run("count", |session| async move { read::count(&session, filter, at_most).await })
            .await
    }

    async fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        self.readers
            .run("queues", |session| async move { read::queues(&session, query).await })
            .await
    }

    async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        self.readers
            .run("attempts", |session| async move { read::attempts(&session, id).await })
            .await
    }

    async fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        self.readers
            .run("log", |session| async move { read::log(&session, id, skip, limit).await })
            .await
    }

    async fn put_definition(&self, definition: &Definition, expect: Expect) -> Result<()> {
        self.workers
            .run("put_definition", |session| async move {
                write::put_definition(&session, definition, expect).await
            })
            .await
    }

    async fn delete_definition(&self, id: DefinitionId) -> Result<()> {
        let mut tries = 1;
        loop {
            let delete =
                |session: Arc<Session>| async move { write::delete_definition(&session, id).await };
            match self.workers.run("delete_definition", delete).await {
                Err(error) if is_locked(&error) && tries < DELETES_MAX => tries += 1,
                done => return done,
            }
            tokio::time::sleep(DELETE_AGAIN).await;
        }
    }

    async fn definition(&self, key: &DefinitionKey) -> Result<Option<Definition>> {
        self.readers
            .run("definition", |session| async move { read::definition(&*session, key).await })
            .await
    }

    async fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>> {
        self.readers
            .run("definitions", |session| async move { read::definitions(&session, query).await })
            .await
    }
}
