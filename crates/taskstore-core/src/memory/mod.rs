//! The store that lives in memory: for tests, for programs that need no durability, and as the
//! reference that the SQL engines are compared with.
//!
//! One mutex around one [`State`] of ordered maps, laid out as the tables of the SQL engines are.
//! Every operation is a plain method of the state; this file only takes the lock and waits. It aims
//! at being obviously right, not at being fast.

mod claim;
mod control;
mod enqueue;
mod lease;
mod look;
mod query;
mod queue;
mod settle;
mod state;
mod sweep;
mod wake;
mod whole;

#[cfg(test)]
mod tests;

use std::{
    any::Any,
    fmt,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use time::UtcDateTime;

#[doc(hidden)]
pub use self::sweep::Lose;
use self::{state::State, wake::Wait};
use crate::{
    Attempt, Backend, Definition, DefinitionId, Heartbeat, LeaseId, LogLine, Queue, QueuePattern,
    Result, Task, TaskId,
    backend::{
        Beaten, Capabilities, Claim, Claimed, Control, Counted, DefinitionKey, DefinitionQuery,
        Enqueue, Enqueued, Expect, Fate, FindWork, Isolate, LateLease, Lease, LeasedTask, Migrate,
        MigrateTo, MigrationReport, Outcome, Page, Promote, Promoted, QueueQuery, QueueSettings,
        Report, Settle, Settled, Sweep, Swept, TakeOver, TakenOver, TaskFilter, TaskQuery,
        WorkFound,
    },
    clock,
};

/// A store in the memory of this process: tasks are gone when it is dropped. Clones share it.
///
/// It needs no migration; migrating to nothing empties it.
///
/// ```
/// use taskstore_core::{Backend, MemoryBackend, backend::Claim, QueueName, RunnerId};
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let backend = MemoryBackend::new();
/// let claimed = backend.claim(&Claim::new(RunnerId::new(), [QueueName::default()], 10)).await?;
/// assert!(claimed.tasks.is_empty());
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct MemoryBackend {
    state: Arc<Mutex<State>>,
}

impl MemoryBackend {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store whose clock stands still until it is [moved](Self::advance): for tests that
    /// travel through delays and retries.
    #[must_use]
    pub fn stopped_at(now: UtcDateTime) -> Self {
        let backend = Self::default();
        backend.state().now = Some(clock::truncate(now));
        backend
    }

    /// Moves a clock that [stands still](Self::stopped_at), and says where it stands then. A store
    /// with the machine's clock is left alone.
    pub fn advance(&self, by: Duration) -> UtcDateTime {
        let mut state = self.state();
        let now = clock::add(state.stamp(None), by);
        if state.now.is_some() {
            state.now = Some(now);
            state.waiters.hint_all();
        }
        now
    }

    /// A panic under the lock can only come from a broken allocation; the state is whole before and
    /// after each map operation, so what is there is still good.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("MemoryBackend")
            .field("tasks", &state.records.len())
            .field("ready", &state.ready.len())
            .field("later", &state.later.len())
            .field("leases", &state.leases.len())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Backend for MemoryBackend {
    fn capabilities(&self) -> Capabilities {
        Capabilities { notifies_in_process: true, ..Capabilities::default() }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport> {
        if request.target == MigrateTo::Nothing && !request.dry_run {
            self.state().clear();
        }
        Ok(MigrationReport::default())
    }

    async fn check_schema(&self) -> Result<()> {
        Ok(())
    }

    async fn enqueue(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        self.state().enqueue(request)
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        self.state().claim(claim)
    }

    async fn recall(&self, lease: LeaseId) -> Result<Vec<LeasedTask>> {
        let state = self.state();
        Ok(state.leased(lease, state.stamp(None)))
    }

    async fn settle(&self, request: &Settle) -> Result<Settled> {
        self.state().settle(request)
    }

    async fn isolate(&self, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        Ok(self.state().isolate(request))
    }

    async fn promote(&self, request: &Promote) -> Result<Promoted> {
        Ok(self.state().promote(request))
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Fate>> {
        Ok(self.state().report(reports))
    }

    // Not an `async fn`: it listens from the call on, not from the first poll on.
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
        Box::pin(Wait::new(Arc::clone(&self.state), queues, at_most).end())
    }

    async fn find_work(&self, request: &FindWork) -> Result<WorkFound> {
        Ok(self.state().find_work(request))
    }

    async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>> {
        Ok(Box::new(MemoryHeartbeat { backend: self.clone() }))
    }

    async fn late_leases(&self, limit: u32) -> Result<Vec<LateLease>> {
        let state = self.state();
        Ok(state.late_leases(limit, state.stamp(None)))
    }

    async fn take_over(&self, request: &TakeOver) -> Result<Vec<Option<TakenOver>>> {
        Ok(self.state().take_over(request))
    }

    async fn sweep(&self, request: &Sweep) -> Result<Swept> {
        self.state().sweep(request)
    }

    async fn control(&self, request: &Control) -> Result<Vec<Outcome>> {
        Ok(self.state().control(request))
    }

    async fn put_queue(&self, settings: &QueueSettings) -> Result<()> {
        self.state().put_queue(settings);
        Ok(())
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>> {
        Ok(self.state().task(id))
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>> {
        self.state().tasks(query)
    }

    async fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        self.state().task_ids(query)
    }

    async fn now(&self) -> Result<UtcDateTime> {
        Ok(self.state().stamp(None))
    }

    async fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        self.state().count(filter, at_most)
    }

    async fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        self.state().queues(query)
    }

    async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        Ok(self.state().attempts(id))
    }

    async fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        Ok(self.state().log(id, skip, limit))
    }

    async fn put_definition(&self, definition: &Definition, expect: Expect) -> Result<()> {
        self.state().put_definition(definition, expect)
    }

    async fn delete_definition(&self, id: DefinitionId) -> Result<()> {
        self.state().delete_definition(id)
    }

    async fn definition(&self, key: &DefinitionKey) -> Result<Option<Definition>> {
        Ok(self.state().definition(key))
    }

    async fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>> {
        self.state().definitions(query)
    }
}

/// A second handle to the same state.
struct MemoryHeartbeat {
    backend: MemoryBackend,
}

#[async_trait]
impl Heartbeat for MemoryHeartbeat {
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        let mut state = self.backend.state();
        let now = state.stamp(None);
        Ok(state.beat(leases, now))
    }
}
