//! A memory backend that counts what it is asked, and fails when it is told to.

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    Attempt, Backend, Definition, DefinitionId, Error, Heartbeat, LeaseId, LogLine, MemoryBackend,
    Queue, QueuePattern, Result, Task, TaskId,
    backend::{
        Capabilities, Claim, Claimed, Control, Counted, DefinitionKey, DefinitionQuery, Enqueue,
        Enqueued, Expect, Fate, FindWork, Isolate, LateLease, Lease, LeasedTask, Migrate,
        MigrationReport, Outcome, Page, Promote, Promoted, QueueQuery, QueueSettings, Report,
        Settle, Settled, Sweep, Swept, TakeOver, TakenOver, TaskFilter, TaskQuery, WorkFound,
    },
};

/// How a call goes wrong.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fault {
    /// The request is lost.
    Before,
    /// The reply is lost.
    After,
    /// The definition is not seen yet.
    Blind,
    /// The database refuses: it has no tables.
    NoTables,
}

/// Clones share everything, also what is stored: two stores over clones are two processes.
#[derive(Clone, Debug, Default)]
pub(super) struct Spy {
    pub(super) memory: MemoryBackend,
    calls: Arc<Mutex<HashMap<&'static str, usize>>>,
    faults: Arc<Mutex<VecDeque<(&'static str, Fault)>>>,
    queries: Arc<Mutex<Vec<TaskQuery>>>,
}

impl Spy {
    /// How often this was called.
    pub(super) fn count(&self, call: &str) -> usize {
        self.calls.lock().unwrap().get(call).copied().unwrap_or_default()
    }

    /// What ids were asked for.
    pub(super) fn queries(&self) -> Vec<TaskQuery> {
        self.queries.lock().unwrap().clone()
    }

    /// Makes the next call of this name go wrong.
    pub(super) fn fail(&self, call: &'static str, fault: Fault) {
        self.faults.lock().unwrap().push_back((call, fault));
    }

    fn called(&self, call: &'static str) -> Option<Fault> {
        *self.calls.lock().unwrap().entry(call).or_default() += 1;
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter().position(|(named, _)| *named == call)?;
        faults.remove(at).map(|(_, fault)| fault)
    }
}

/// Counts the call, and lets it fail before or after it was made.
macro_rules! spied {
    ($self:ident.$call:ident($($arg:expr),*)) => {{
        let fault = $self.called(stringify!($call));
        match fault {
            Some(Fault::Before) => return Err(Error::unavailable("the request was lost")),
            Some(Fault::NoTables) => return Err(Error::backend("no such table")),
            _ => {}
        }
        let answer = $self.memory.$call($($arg),*).await;
        match fault {
            Some(Fault::After) => Err(Error::unavailable("the reply was lost")),
            _ => answer,
        }
    }};
}

#[async_trait]
impl Backend for Spy {
    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport> {
        spied!(self.migrate(request))
    }

    async fn check_schema(&self) -> Result<()> {
        match self.called("check_schema") {
            None => self.memory.check_schema().await,
            Some(_) => Err(Error::Schema { found: 0, expected: 1, advice: "migrate" }),
        }
    }

    async fn enqueue(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        spied!(self.enqueue(request))
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        spied!(self.claim(claim))
    }

    async fn recall(&self, lease: LeaseId) -> Result<Vec<LeasedTask>> {
        spied!(self.recall(lease))
    }

    async fn settle(&self, request: &Settle) -> Result<Settled> {
        spied!(self.settle(request))
    }

    async fn isolate(&self, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        spied!(self.isolate(request))
    }

    async fn promote(&self, request: &Promote) -> Result<Promoted> {
        spied!(self.promote(request))
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Fate>> {
        spied!(self.report(reports))
    }

    async fn wait_for_work(&self, queues: &[QueuePattern], at_most: Duration) {
        self.memory.wait_for_work(queues, at_most).await;
    }

    async fn find_work(&self, request: &FindWork) -> Result<WorkFound> {
        spied!(self.find_work(request))
    }

    async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>> {
        spied!(self.heartbeat())
    }

    async fn late_leases(&self, limit: u32) -> Result<Vec<LateLease>> {
        spied!(self.late_leases(limit))
    }

    async fn take_over(&self, request: &TakeOver) -> Result<Vec<Option<TakenOver>>> {
        spied!(self.take_over(request))
    }

    async fn sweep(&self, request: &Sweep) -> Result<Swept> {
        spied!(self.sweep(request))
    }

    async fn control(&self, request: &Control) -> Result<Vec<Outcome>> {
        spied!(self.control(request))
    }

    async fn put_queue(&self, settings: &QueueSettings) -> Result<()> {
        spied!(self.put_queue(settings))
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>> {
        spied!(self.task(id))
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>> {
        spied!(self.tasks(query))
    }

    async fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        self.queries.lock().unwrap().push(query.clone());
        spied!(self.task_ids(query))
    }

    async fn now(&self) -> Result<time::UtcDateTime> {
        spied!(self.now())
    }

    async fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        spied!(self.count(filter, at_most))
    }

    async fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        spied!(self.queues(query))
    }

    async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        spied!(self.attempts(id))
    }

    async fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        spied!(self.log(id, skip, limit))
    }

    async fn put_definition(&self, definition: &Definition, expect: Expect) -> Result<()> {
        spied!(self.put_definition(definition, expect))
    }

    async fn delete_definition(&self, id: DefinitionId) -> Result<()> {
        spied!(self.delete_definition(id))
    }

    async fn definition(&self, key: &DefinitionKey) -> Result<Option<Definition>> {
        let fault = self.called("definition");
        match fault {
            Some(Fault::Blind) => Ok(None),
            Some(Fault::NoTables) => Err(Error::backend("no such table")),
            Some(_) => Err(Error::unavailable("the request was lost")),
            None => self.memory.definition(key).await,
        }
    }

    async fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>> {
        spied!(self.definitions(query))
    }
}
