//! What is counted for the crate `metrics`. Decides nothing, and nobody reads it back.
//!
//! The handles of a kind of task are looked up once and kept, so that a task costs a few atomic
//! additions and no search in the recorder.

use std::{
    collections::HashMap,
    sync::{Arc, Once, OnceLock, PoisonError, RwLock},
    time::Duration,
};

use metrics::{Counter, Gauge, Histogram, Label, SharedString, Unit};
use time::UtcDateTime;
use tokio::time::Instant;

use crate::{
    Alias, Error, QueueName, Store,
    backend::{Fate, Lease, LeasedTask, Settle, Settled},
    runner::Outcome,
};

const ENQUEUED: &str = "taskstore_tasks_enqueued_total";
const STARTED: &str = "taskstore_tasks_started_total";
const ENDED: &str = "taskstore_tasks_ended_total";
const DURATION: &str = "taskstore_task_duration_seconds";
const WAIT: &str = "taskstore_task_wait_seconds";
const RUNNING: &str = "taskstore_tasks_running";
const HELD: &str = "taskstore_tasks_held";
const CLAIMS: &str = "taskstore_claims_total";
const CLAIM_TASKS: &str = "taskstore_claim_tasks";
const ERRORS: &str = "taskstore_store_errors_total";
const LEASES_LOST: &str = "taskstore_leases_lost_total";
const TAKEN_OVER: &str = "taskstore_leases_taken_over_total";

/// Tells the recorder what the names mean, once in a process.
fn describe() {
    static DESCRIBED: Once = Once::new();
    DESCRIBED.call_once(|| {
        for (name, text) in [
            (ENQUEUED, "Tasks that were enqueued"),
            (STARTED, "Attempts that began"),
            (ENDED, "Claimed tasks by what became of them"),
            (CLAIMS, "Claims that were answered"),
            (ERRORS, "Calls to the store that failed"),
            (LEASES_LOST, "Leases of this process that others took over"),
            (TAKEN_OVER, "Leases of dead runners that this process took over"),
        ] {
            metrics::describe_counter!(name, Unit::Count, text);
        }
        metrics::describe_gauge!(RUNNING, Unit::Count, "Handlers that run");
        metrics::describe_gauge!(HELD, Unit::Count, "Tasks that are claimed and not settled yet");
        metrics::describe_histogram!(DURATION, Unit::Seconds, "How long an attempt took");
        let wait = "How long a task had been due when its attempt began";
        metrics::describe_histogram!(WAIT, Unit::Seconds, wait);
        metrics::describe_histogram!(CLAIM_TASKS, Unit::Count, "Tasks in a claim that found any");
    });
}

/// What is counted of one kind of task in one queue. A series is there from its first count on.
#[derive(Debug)]
struct Kind {
    labels: Vec<Label>,
    enqueued: OnceLock<Counter>,
    started: OnceLock<Counter>,
    ended: [OnceLock<Counter>; Outcome::ALL.len()],
    duration: OnceLock<Histogram>,
    wait: OnceLock<Histogram>,
    running: OnceLock<Gauge>,
    held: OnceLock<Gauge>,
}

impl Kind {
    fn new(queue: &QueueName, alias: &Alias) -> Self {
        let shared = |text: &str| SharedString::from(text.to_owned());
        Self {
            labels: vec![
                Label::new("queue", shared(queue.as_str())),
                Label::new("alias", shared(alias.as_str())),
            ],
            enqueued: OnceLock::new(),
            started: OnceLock::new(),
            ended: Default::default(),
            duration: OnceLock::new(),
            wait: OnceLock::new(),
            running: OnceLock::new(),
            held: OnceLock::new(),
        }
    }

    fn queue(&self) -> Vec<Label> {
        self.labels.iter().take(1).cloned().collect()
    }

    fn enqueued(&self) -> &Counter {
        self.enqueued.get_or_init(|| metrics::counter!(ENQUEUED, self.labels.clone()))
    }

    fn started(&self) -> &Counter {
        self.started.get_or_init(|| metrics::counter!(STARTED, self.labels.clone()))
    }

    fn ended(&self, outcome: Outcome) {
        let labels = || {
            let mut labels = self.labels.clone();
            labels.push(Label::from_static_parts("status", outcome.as_str()));
            labels
        };
        if let Some(counter) = self.ended.get(outcome as usize) {
            counter.get_or_init(|| metrics::counter!(ENDED, labels())).increment(1);
        }
    }

    fn duration(&self) -> &Histogram {
        self.duration.get_or_init(|| metrics::histogram!(DURATION, self.labels.clone()))
    }

    fn wait(&self) -> &Histogram {
        self.wait.get_or_init(|| metrics::histogram!(WAIT, self.labels.clone()))
    }

    fn running(&self) -> &Gauge {
        self.running.get_or_init(|| metrics::gauge!(RUNNING, self.queue()))
    }

    fn held(&self) -> &Gauge {
        self.held.get_or_init(|| metrics::gauge!(HELD, self.queue()))
    }
}

/// What a store counts.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    kinds: RwLock<HashMap<QueueName, HashMap<Alias, Arc<Kind>>>>,
}

impl Meters {
    fn kind(&self, queue: &QueueName, alias: &Alias) -> Arc<Kind> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(kind) = kinds.get(queue).and_then(|kinds| kinds.get(alias)) {
            return Arc::clone(kind);
        }
        drop(kinds);
        describe();
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        let of_queue = kinds.entry(queue.clone()).or_default();
        let kind = of_queue.entry(alias.clone());
        Arc::clone(kind.or_insert_with(|| Arc::new(Kind::new(queue, alias))))
    }

    /// Tasks were stored.
    pub(crate) fn enqueued(&self, queue: &QueueName, alias: &Alias, tasks: usize) {
        self.kind(queue, alias).enqueued().increment(tasks as u64);
    }

    /// An attempt begins.
    pub(crate) fn begins(
        &self,
        queue: &QueueName,
        alias: &Alias,
        waited: Option<Duration>,
    ) -> Running {
        let kind = self.kind(queue, alias);
        kind.started().increment(1);
        if let Some(waited) = waited {
            kind.wait().record(waited);
        }
        kind.running().increment(1);
        Running { kind, began: Instant::now() }
    }

    /// Tasks of a dead runner were settled. Those that go back are no end of anything: whoever held
    /// them counts them as lost, if it lives.
    pub(crate) fn put_back(
        &self,
        tasks: &[LeasedTask],
        store: &Store,
        request: &Settle,
        settled: &Settled,
    ) {
        for (settlement, fate) in request.settlements.iter().zip(&settled.fates) {
            let Fate::Applied { status } = fate else { continue };
            let outcome = Outcome::saved(&settlement.to, *status);
            let lease = settlement.lease;
            let Some(task) = tasks.iter().find(|task| task.lease == lease) else { continue };
            let Some(handler) = store.registry().handler(task.definition) else { continue };
            if outcome != Outcome::Released {
                self.kind(&task.queue, &handler.alias).ended(outcome);
            }
        }
    }
}

/// An attempt, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    kind: Arc<Kind>,
    began: Instant,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kind.running().decrement(1);
        self.kind.duration().record(self.began.elapsed());
    }
}

/// What a runner holds: every task that it claimed, until its end is saved or somebody else's.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    tasks: HashMap<Lease, Arc<Kind>>,
    /// The engine's clock, as the last claim told it, and when that was.
    clock: Option<(UtcDateTime, Instant)>,
    handles: OnceLock<Handles>,
}

#[derive(Debug)]
struct Handles {
    claims: Counter,
    claim_tasks: Histogram,
    leases_lost: Counter,
}

impl Taken {
    fn handles(&self) -> &Handles {
        self.handles.get_or_init(|| {
            describe();
            Handles {
                claims: metrics::counter!(CLAIMS),
                claim_tasks: metrics::histogram!(CLAIM_TASKS),
                leases_lost: metrics::counter!(LEASES_LOST),
            }
        })
    }

    /// An exchange was answered.
    pub(crate) fn exchanged(&mut self, store: &Store, request: &Settle, settled: &Settled) {
        for (settlement, fate) in request.settlements.iter().zip(&settled.fates) {
            self.leaves(
                settlement.lease,
                match fate {
                    Fate::Applied { status } => Outcome::saved(&settlement.to, *status),
                    Fate::Lost => Outcome::Lost,
                },
            );
        }
        let Some(claimed) = &settled.claimed else { return };
        self.handles().claims.increment(1);
        if !claimed.tasks.is_empty() {
            self.handles().claim_tasks.record(claimed.tasks.len() as f64);
        }
        self.clock = claimed.at.map(|at| (at, Instant::now())).or(self.clock);
        self.takes(store, &claimed.tasks);
    }

    /// Tasks are under a lease of this runner.
    pub(crate) fn takes(&mut self, store: &Store, tasks: &[LeasedTask]) {
        for task in tasks {
            // Without a handler it goes back at once.
            let Some(handler) = store.registry().handler(task.definition) else { continue };
            let kind = store.meters().kind(&task.queue, &handler.alias);
            kind.held().increment(1);
            if let Some(before) = self.tasks.insert(task.lease, kind) {
                before.held().decrement(1);
            }
        }
    }

    /// A task has another lease, or was lost on the way to it.
    pub(crate) fn isolated(&mut self, before: Lease, after: Option<Lease>) {
        match after {
            None => self.leaves(before, Outcome::Lost),
            Some(after) => {
                if let Some(kind) = self.tasks.remove(&before) {
                    self.tasks.insert(after, kind);
                }
            }
        }
    }

    /// A lease was found lost while this was at work under it.
    pub(crate) fn lost_lease(&self) {
        self.handles().leases_lost.increment(1);
    }

    /// Tasks that waited for a slot are somebody else's.
    pub(crate) fn lost_tasks(&mut self, leases: impl IntoIterator<Item = Lease>) {
        leases.into_iter().for_each(|lease| self.leaves(lease, Outcome::Lost));
    }

    fn leaves(&mut self, lease: Lease, outcome: Outcome) {
        if let Some(kind) = self.tasks.remove(&lease) {
            kind.held().decrement(1);
            kind.ended(outcome);
        }
    }

    /// How long a task had been due by the engine's clock, which is not read again: the time since
    /// the last claim is added to what that told.
    pub(crate) fn waited(&self, run_at: UtcDateTime) -> Option<Duration> {
        let (at, then) = self.clock?;
        let due_for = (at - run_at).try_into().unwrap_or(Duration::ZERO);
        Some(due_for + then.elapsed())
    }
}

/// A runner that is gone holds nothing.
impl Drop for Taken {
    fn drop(&mut self) {
        self.tasks.values().for_each(|kind| kind.held().decrement(1));
    }
}

/// A call to the store failed.
pub(crate) fn store_failed(error: &Error) {
    let kind = match error {
        Error::Unavailable { .. } => "unavailable",
        Error::Backend { .. } => "backend",
        Error::Schema { .. } => "schema",
        _ => return,
    };
    describe();
    metrics::counter!(ERRORS, "kind" => kind).increment(1);
}

/// Leases of dead runners were taken over.
pub(crate) fn taken_over(leases: usize) {
    describe();
    metrics::counter!(TAKEN_OVER).increment(leases as u64);
}
