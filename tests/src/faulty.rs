//! A backend that fails as it is told to: before a call, so that nothing happens, or after it, so
//! that it happened and the reply is lost.

use std::{any::Any, fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use taskstore_core::{
    Attempt, Backend, Definition, DefinitionId, Error, Heartbeat, LeaseId, LogLine, Queue,
    QueuePattern, Result, Task, TaskId,
    backend::{
        Beaten, Capabilities, Claim, Claimed, Control, Counted, DefinitionKey, DefinitionQuery,
        Enqueue, Enqueued, Expect, Fate, FindWork, Isolate, LateLease, Lease, LeasedTask, Migrate,
        MigrationReport, Outcome, Page, Promote, Promoted, QueueQuery, QueueSettings, Report,
        Settle, Settled, Sweep, Swept, TakeOver, TakenOver, TaskFilter, TaskQuery, WorkFound,
    },
};

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered.
    None,
    /// It fails before anything happened.
    Before,
    /// It happens, and the reply is lost.
    After,
}

type Plan = Arc<dyn Fn(&'static str) -> Fault + Send + Sync>;

/// A backend that fails as its plan says, call by call, by the name of the method.
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn Backend>,
    plan: Plan,
}

impl Faulty {
    /// Asks `plan` before each call.
    pub fn new(
        inner: Arc<dyn Backend>,
        plan: impl Fn(&'static str) -> Fault + Send + Sync + 'static,
    ) -> Self {
        Self { inner, plan: Arc::new(plan) }
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Faulty").field(&self.inner).finish()
    }
}

async fn faulty<T>(
    plan: &Plan,
    name: &'static str,
    call: impl Future<Output = Result<T>>,
) -> Result<T> {
    match plan(name) {
        Fault::None => call.await,
        Fault::Before => Err(Error::unavailable(format!("{name}: away"))),
        Fault::After => {
            call.await?;
            Err(Error::unavailable(format!("{name}: the reply was lost")))
        }
    }
}

struct FaultyHeartbeat {
    inner: Box<dyn Heartbeat>,
    plan: Plan,
}

#[async_trait]
impl Heartbeat for FaultyHeartbeat {
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        faulty(&self.plan, "beat", self.inner.beat(leases)).await
    }
}

/// Each method by its own name.
macro_rules! delegate {
    ($($name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Backend for Faulty {
            fn capabilities(&self) -> Capabilities {
                self.inner.capabilities()
            }

            fn as_any(&self) -> &dyn Any {
                self.inner.as_any()
            }

            async fn wait_for_work(&self, queues: &[QueuePattern], at_most: Duration) {
                self.inner.wait_for_work(queues, at_most).await;
            }

            async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>> {
                let inner = faulty(&self.plan, "heartbeat", self.inner.heartbeat()).await?;
                Ok(Box::new(FaultyHeartbeat { inner, plan: Arc::clone(&self.plan) }))
            }

            $(
                async fn $name(&self, $($argument: $kind),*) -> Result<$answer> {
                    faulty(&self.plan, stringify!($name), self.inner.$name($($argument),*)).await
                }
            )*
        }
    };
}

delegate! {
    migrate(request: &Migrate) -> MigrationReport;
    check_schema() -> ();
    enqueue(request: &Enqueue<'_>) -> Vec<Enqueued>;
    claim(claim: &Claim) -> Claimed;
    recall(lease: LeaseId) -> Vec<LeasedTask>;
    settle(request: &Settle) -> Settled;
    isolate(request: &Isolate) -> Vec<Option<Lease>>;
    promote(request: &Promote) -> Promoted;
    report(reports: &[Report]) -> Vec<Fate>;
    find_work(request: &FindWork) -> WorkFound;
    late_leases(limit: u32) -> Vec<LateLease>;
    take_over(request: &TakeOver) -> Vec<Option<TakenOver>>;
    sweep(request: &Sweep) -> Swept;
    control(request: &Control) -> Vec<Outcome>;
    put_queue(settings: &QueueSettings) -> ();
    task(id: TaskId) -> Option<Task>;
    tasks(query: &TaskQuery) -> Page<Task>;
    task_ids(query: &TaskQuery) -> Page<TaskId>;
    now() -> time::UtcDateTime;
    count(filter: &TaskFilter, at_most: u64) -> Counted;
    queues(query: &QueueQuery) -> Page<Queue>;
    attempts(id: TaskId) -> Vec<Attempt>;
    log(id: TaskId, skip: u64, limit: u32) -> Vec<LogLine>;
    put_definition(definition: &Definition, expect: Expect) -> ();
    delete_definition(id: DefinitionId) -> ();
    definition(key: &DefinitionKey) -> Option<Definition>;
    definitions(query: &DefinitionQuery) -> Page<Definition>;
}
