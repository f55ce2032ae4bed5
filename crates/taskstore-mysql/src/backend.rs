//! The store: hands each call to a transaction on a connection of the pool.

use std::{
    any::Any,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
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
    connection::{Connector, check_server},
    heartbeat::MysqlHeartbeat,
    lent::Identity,
    migrate,
    options::MysqlOptions,
    pool::Pool,
    read,
    sql::Texts,
    wakeup::Wakeups,
    write,
};

/// A task store in a MySQL or MariaDB database. Made by [`open`](Self::open).
#[derive(Debug)]
pub struct MysqlBackend {
    pool: Pool,
    texts: Arc<Texts>,
    /// Which database it is in, as far as it was asked.
    identity: Mutex<Option<Identity>>,
    /// Whether `task_enqueue` is there: it needs triggers, which the server may refuse.
    plain_sql: AtomicBool,
    wakeups: Arc<Wakeups>,
}

impl MysqlBackend {
    /// Connects, and refuses a server that the store cannot rely on. The tables are made by
    /// [`migrate`](Backend::migrate).
    ///
    /// # Errors
    /// [`Invalid`](taskstore_core::Error::Invalid) that names `url`: the server refuses the user, has
    /// no such database, or is too old or of another kind.
    /// [`Unavailable`](taskstore_core::Error::Unavailable): it does not answer.
    pub async fn open(options: MysqlOptions) -> Result<Self> {
        let texts = Arc::new(Texts::new(&options.prefix, options.patch).watched(options.plans));
        let wakeups = Arc::new(Wakeups::default());
        let connector = Connector::new(&options, texts.clone())?;
        let mut session = connector.open().await?;
        check_server(&mut session).await?;
        let plain_sql = AtomicBool::new(migrate::has_plain_sql(&mut session).await?);
        let pool = Pool::new(connector, options.pool, wakeups.clone(), options.call_timeout);
        pool.give_back(session);
        Ok(Self { pool, texts, identity: Mutex::default(), plain_sql, wakeups })
    }

    /// The backend of this store.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) with field `store`: it has another one.
    pub(crate) fn of(store: &Store) -> Result<&Self> {
        let backend = store.backend().as_any().downcast_ref();
        backend.ok_or_else(|| Error::invalid("store", "it is not one in a MySQL database"))
    }

    pub(crate) const fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) const fn texts(&self) -> &Arc<Texts> {
        &self.texts
    }

    pub(crate) const fn wakeups(&self) -> &Arc<Wakeups> {
        &self.wakeups
    }

    /// Which database it is in, asked once.
    pub(crate) async fn identity(&self) -> Result<Identity> {
        let known = self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match known {
            Some(known) => Ok(known),
            None => self.identity_anew().await,
        }
    }

    /// The same, asked once more.
    pub(crate) async fn identity_anew(&self) -> Result<Identity> {
        let found = self.pool.read("identity", &(), |s, ()| Box::pin(Identity::ask(s))).await?;
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(found)
    }

    /// Whether people can enqueue with plain SQL.
    pub(crate) fn has_plain_sql(&self) -> bool {
        self.plain_sql.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl Backend for MysqlBackend {
    fn capabilities(&self) -> Capabilities {
        let mut can = Capabilities::default();
        can.durable = true;
        can.shared = true;
        can.notifies_in_process = true;
        can.plain_sql = self.plain_sql.load(Ordering::Relaxed);
        can
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport> {
        let mut session = self.pool.connector().open().await?;
        let report = migrate::migrate(&mut session, request).await?;
        self.plain_sql.store(migrate::has_plain_sql(&mut session).await?, Ordering::Relaxed);
        Ok(report)
    }

    async fn check_schema(&self) -> Result<()> {
        self.pool.read("check_schema", &(), |session, ()| Box::pin(migrate::check(session))).await
    }

    async fn enqueue(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        self.pool.write("enqueue", request, |s, r| Box::pin(write::enqueue(s, r))).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        self.pool.write("claim", claim, |s, r| Box::pin(write::claim_alone(s, r))).await
    }

    async fn recall(&self, lease: LeaseId) -> Result<Vec<LeasedTask>> {
        self.pool.write("recall", &lease, |s, r| Box::pin(write::recall(s, *r))).await
    }

    async fn settle(&self, request: &Settle) -> Result<Settled> {
        self.pool.write("settle", request, |s, r| Box::pin(write::settle(s, r))).await
    }

    async fn isolate(&self, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        self.pool.write("isolate", request, |s, r| Box::pin(write::isolate(s, r))).await
    }

    async fn promote(&self, request: &Promote) -> Result<Promoted> {
        self.pool.write("promote", request, |s, r| Box::pin(write::promote(s, r))).await
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Fate>> {
        self.pool.write("report", reports, |s, r| Box::pin(write::report(s, r))).await
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
        Box::pin(self.wakeups.register(queues, at_most).over())
    }

    async fn find_work(&self, request: &FindWork) -> Result<WorkFound> {
        self.pool.read("find_work", request, |s, r| Box::pin(read::find_work(s, r))).await
    }

    async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>> {
        Ok(Box::new(MysqlHeartbeat::open(self.pool.connector(), self.pool.call_timeout()).await?))
    }

    async fn late_leases(&self, limit: u32) -> Result<Vec<LateLease>> {
        self.pool.write("late_leases", &limit, |s, r| Box::pin(write::late_leases(s, *r))).await
    }

    async fn take_over(&self, request: &TakeOver) -> Result<Vec<Option<TakenOver>>> {
        self.pool.write("take_over", request, |s, r| Box::pin(write::take_over(s, r))).await
    }

    async fn sweep(&self, request: &Sweep) -> Result<Swept> {
        let found = self.pool.read("sweep", request, |s, r| Box::pin(read::sweep(s, r))).await?;
        if self.plain_sql.load(Ordering::Relaxed) {
            self.pool.write("sweep", &(), |s, ()| Box::pin(write::clear_enqueued(s))).await?;
        }
        if found.is_nothing() {
            return Ok(Swept { next: found.next, ..Swept::default() });
        }
        let both = (request.clone(), found);
        self.pool.write("sweep", &both, |s, (r, found)| Box::pin(write::sweep(s, r, found))).await
    }

    async fn control(&self, request: &Control) -> Result<Vec<Outcome>> {
        self.pool.write("control", request, |s, r| Box::pin(write::control(s, r))).await
    }

    async fn put_queue(&self, settings: &QueueSettings) -> Result<()> {
        self.pool.write("put_queue", settings, |s, r| Box::pin(write::put_queue(s, r))).await
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>> {
        self.pool.read("task", &id, |s, r| Box::pin(read::task(s, *r))).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>> {
        self.pool.read("tasks", query, |s, r| Box::pin(read::tasks(s, r))).await
    }

    async fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        self.pool.read("task_ids", query, |s, r| Box::pin(read::task_ids(s, r))).await
    }

    async fn now(&self) -> Result<UtcDateTime> {
        let now = self.pool.read("now", &(), |s, ()| Box::pin(s.now(None))).await?;
        Ok(clock::from_micros(now))
    }

    async fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        let both = (filter.clone(), at_most);
        self.pool.read("count", &both, |s, (f, n)| Box::pin(read::count(s, f, *n))).await
    }

    async fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        self.pool.read("queues", query, |s, r| Box::pin(read::queues(s, r))).await
    }

    async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        self.pool.read("attempts", &id, |s, r| Box::pin(read::attempts(s, *r))).await
    }

    async fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        let all = (id, skip, limit);
        self.pool.read("log", &all, |s, &(id, skip, n)| Box::pin(read::log(s, id, skip, n))).await
    }

    async fn put_definition(&self, definition: &Definition, expect: Expect) -> Result<()> {
        let both = (definition.clone(), expect);
        self.pool
            .write("put_definition", &both, |s, (d, e)| Box::pin(write::put_definition(s, d, *e)))
            .await
    }

    async fn delete_definition(&self, id: DefinitionId) -> Result<()> {
        self.pool
            .write("delete_definition", &id, |s, r| Box::pin(write::delete_definition(s, *r)))
            .await
    }

    async fn definition(&self, key: &DefinitionKey) -> Result<Option<Definition>> {
        self.pool.read("definition", key, |s, r| Box::pin(read::definition(s, r))).await
    }

    async fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>> {
        self.pool.read("definitions", query, |s, r| Box::pin(read::definitions(s, r))).await
    }
}
