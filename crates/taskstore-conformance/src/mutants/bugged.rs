//! The decorator: passes every call on, but for the one mistake.

use std::{
    any::Any,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use taskstore_core::{
    Attempt, Backend, Definition, DefinitionId, Heartbeat, LeaseId, LogLine, Queue, QueuePattern,
    Result, Status, Task, TaskId,
    backend::{
        Capabilities, Claim, Claimed, Control, Counted, DefinitionKey, DefinitionQuery, Enqueue,
        Enqueued, Expect, Fate, FindWork, Isolate, LateLease, Lease, LeasedTask, Migrate,
        MigrateTo, MigrationReport, Move, Outcome, Page, Promote, Promoted, QueueQuery,
        QueueSettings, Report, Settle, Settled, Sweep, Swept, TakeOver, TakenOver, TaskFilter,
        TaskQuery, WorkFound,
    },
};
use tokio::sync::Notify;

use super::{Mutant, lease::BuggedHeartbeat, memo::Memo};

/// A store with one mistake.
pub(super) struct Bugged {
    pub(super) inner: Arc<dyn Backend>,
    pub(super) mutant: Mutant,
    memo: Arc<Mutex<Memo>>,
    enqueued: Notify,
}

impl fmt::Debug for Bugged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with {:?}", self.inner, self.mutant)
    }
}

impl Bugged {
    pub(super) fn new(inner: Arc<dyn Backend>, mutant: Mutant) -> Self {
        Self { inner, mutant, memo: Arc::default(), enqueued: Notify::new() }
    }

    pub(super) fn memo(&self) -> MutexGuard<'_, Memo> {
        self.memo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.mutant == mutant
    }

    /// Shows the attempts that the mistake adds.
    pub(super) fn show_attempts(&self, tasks: &mut [LeasedTask]) {
        let memo = self.memo();
        for task in tasks {
            task.attempts += memo.attempts.get(&task.lease.task).copied().unwrap_or(0);
        }
    }

    /// Cancels what is paused, so that nothing is in the way.
    async fn delete_definition_in_use(&self, id: DefinitionId) -> Result<()> {
        let tasks = self.memo().enqueued.iter().copied().collect();
        let mut cancel = Control::new(tasks, Move::Cancel { reason: String::new() });
        cancel.from = vec![Status::Paused];
        self.inner.control(&cancel).await?;
        self.inner.delete_definition(id).await
    }

    pub(super) async fn status(&self, id: TaskId) -> Result<Option<Status>> {
        Ok(self.inner.task(id).await?.map(|task| task.status))
    }
}

#[async_trait]
impl Backend for Bugged {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn as_any(&self) -> &dyn Any {
        self.inner.as_any()
    }

    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport> {
        if self.is(Mutant::DownForgotten) && request.target == MigrateTo::Nothing {
            return Ok(MigrationReport::default());
        }
        self.inner.migrate(request).await
    }

    async fn check_schema(&self) -> Result<()> {
        self.inner.check_schema().await
    }

    async fn enqueue(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>> {
        let answers = self.enqueue_bugged(request).await;
        self.enqueued.notify_waiters();
        answers
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed> {
        self.claim_bugged(claim).await
    }

    async fn recall(&self, lease: LeaseId) -> Result<Vec<LeasedTask>> {
        if self.is(Mutant::RecallForgets) {
            return Ok(Vec::new());
        }
        let kept = self.is(Mutant::TakeOverKeepsLease);
        let mut tasks =
            self.inner.recall(if kept { self.memo().heir(lease) } else { lease }).await?;
        for task in tasks.iter_mut().filter(|_| kept) {
            task.lease.batch = lease;
        }
        self.show_attempts(&mut tasks);
        Ok(tasks)
    }

    async fn settle(&self, request: &Settle) -> Result<Settled> {
        self.settle_bugged(request).await
    }

    async fn isolate(&self, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        self.isolate_bugged(request).await
    }

    async fn promote(&self, request: &Promote) -> Result<Promoted> {
        self.promote_bugged(request).await
    }

    async fn report(&self, reports: &[Report]) -> Result<Vec<Fate>> {
        self.report_bugged(reports).await
    }

    async fn wait_for_work(&self, queues: &[QueuePattern], at_most: Duration) {
        if self.is(Mutant::WakeUpLost) {
            tokio::time::sleep(at_most).await;
        } else if self.is(Mutant::WakeUpByEnqueueOnly) {
            let _ = tokio::time::timeout(at_most, self.enqueued.notified()).await;
        } else if self.is(Mutant::WakeUpByNameOnly) {
            let named: Vec<_> =
                queues.iter().filter(|queue| queue.name().is_some()).cloned().collect();
            self.inner.wait_for_work(&named, at_most).await;
        } else {
            self.inner.wait_for_work(queues, at_most).await;
        }
    }

    async fn find_work(&self, request: &FindWork) -> Result<WorkFound> {
        self.find_work_bugged(request).await
    }

    async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>> {
        Ok(Box::new(BuggedHeartbeat {
            inner: self.inner.heartbeat().await?,
            backend: Arc::clone(&self.inner),
            mutant: self.mutant,
            memo: Arc::clone(&self.memo),
        }))
    }

    async fn late_leases(&self, limit: u32) -> Result<Vec<LateLease>> {
        if self.is(Mutant::LateLeasesHidden) {
            return Ok(Vec::new());
        }
        self.inner.late_leases(limit).await
    }

    async fn take_over(&self, request: &TakeOver) -> Result<Vec<Option<TakenOver>>> {
        self.take_over_bugged(request).await
    }

    async fn sweep(&self, request: &Sweep) -> Result<Swept> {
        self.sweep_bugged(request).await
    }

    async fn control(&self, request: &Control) -> Result<Vec<Outcome>> {
        let mut request = request.clone();
        match &mut request.to {
            Move::Reschedule { priority, .. } if self.is(Mutant::RescheduleOverwrites) => {
                priority.get_or_insert(0);
            }
            Move::Cancel { .. } if self.is(Mutant::CancelForgotten) => {
                if let [id] = request.ids[..]
                    && self.status(id).await? == Some(Status::Running)
                {
                    return Ok(vec![Outcome::Requested]);
                }
            }
            Move::Requeue { .. } if self.is(Mutant::RequeueKeepsAttempts) => {
                for id in &request.ids {
                    let before = self.inner.task(*id).await?.map_or(0, |task| task.attempts);
                    *self.memo().attempts.entry(*id).or_default() += before;
                }
            }
            Move::Purge { .. } => return self.purge_bugged(request).await,
            _ => {}
        }
        if self.is(Mutant::GuardIgnored) {
            request.from = Status::ALL.to_vec();
        }
        self.inner.control(&request).await
    }

    async fn put_queue(&self, settings: &QueueSettings) -> Result<()> {
        if self.is(Mutant::PauseIgnored) && settings.paused {
            return Ok(());
        }
        self.inner.put_queue(settings).await
    }

    async fn task(&self, id: TaskId) -> Result<Option<Task>> {
        let mut task = self.inner.task(id).await?;
        if let Some(task) = &mut task {
            task.attempts += self.memo().attempts.get(&id).copied().unwrap_or(0);
        }
        Ok(task)
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>> {
        self.tasks_bugged(query).await
    }

    async fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>> {
        self.task_ids_bugged(query).await
    }

    async fn now(&self) -> Result<time::UtcDateTime> {
        self.inner.now().await
    }

    async fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted> {
        self.count_bugged(filter, at_most).await
    }

    async fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>> {
        self.queues_bugged(query).await
    }

    async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        self.inner.attempts(id).await
    }

    async fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        let left = self.memo().logs.get(&id).cloned();
        match left {
            Some(lines) if self.inner.task(id).await?.is_none() => {
                let skip = usize::try_from(skip).unwrap_or(usize::MAX);
                Ok(lines.into_iter().skip(skip).take(limit as usize).collect())
            }
            _ => self.inner.log(id, skip, limit).await,
        }
    }

    async fn put_definition(&self, definition: &Definition, expect: Expect) -> Result<()> {
        let mut expect = expect;
        if self.is(Mutant::DefinitionOverwritten)
            && let Expect::Unchanged { updated_at } = &mut expect
            && let Some(is) = self.inner.definition(&DefinitionKey::Id(definition.id)).await?
        {
            *updated_at = is.updated_at;
        }
        self.inner.put_definition(definition, expect).await
    }

    async fn delete_definition(&self, id: DefinitionId) -> Result<()> {
        if self.is(Mutant::DefinitionDeletedInUse) {
            return self.delete_definition_in_use(id).await;
        }
        self.inner.delete_definition(id).await
    }

    async fn definition(&self, key: &DefinitionKey) -> Result<Option<Definition>> {
        self.inner.definition(key).await
    }

    async fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>> {
        self.inner.definitions(query).await
    }
}
