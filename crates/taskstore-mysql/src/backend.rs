//! The store: hands each call to a transaction on a connection of the pool.

use std::{any::Any, future::Future, pin::Pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use taskstore_core::{
    Attempt, Backend, Definition, DefinitionId, Heartbeat, LeaseId, LogLine, Queue, QueuePattern,
    Result, Task, TaskId,
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
        let texts = Arc::new(Texts::new(&options.prefix, options.patch));
        let wakeups = Arc::new(Wakeups::default());
        let connector = Connector::new(&options, texts);
        let mut session = connector.open().await?;
        check_server(&mut session).await?;
        let pool = Pool::new(connector, options.pool, wakeups.clone(), options.call_timeout);
        pool.give_back(session);
        Ok(Self { pool, wakeups })
    }
}

#[async_trait]
impl Backend for MysqlBackend {
    fn capabilities(&self) -> Capabilities {
        let mut can = Capabilities::default();
        can.durable = true;
        can.shared = true;
        can.notifies_in_process = true;
        can
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport> {
        migrate::migrate(&mut self.pool.connector().open().await?, request).await
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
