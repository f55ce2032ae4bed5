//! What a case works with: a fresh store, a virtual clock, and words for the usual steps.
//!
//! Every step passes its time, so that no case waits for one. What the words assert on the way
//! (a claim takes as many as it was asked for, an accepted settlement that is sent again answers the
//! same and writes nothing) holds in every case.

use std::{
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Attempt, Backend, Definition, LeaseId, LogLevel, LogLine, QueueName, Result, RunnerId,
    Status, Task, TaskId, UniqueHash,
    backend::{
        AttemptIs, Beaten, Capabilities, Claim, Claimed, Control, Enqueue, Enqueued, Expect, Fate,
        Isolate, LateLease, Lease, LeasedTask, Move, NewTask, Outcome, Promote, Promoted,
        QueueSettings, Report, Requeue, Settle, Settled, Settlement, TakeOver, TakenOver,
        Transition, When,
    },
    clock,
};
use time::UtcDateTime;
use tokio::sync::OnceCell;
use ulid::Ulid;

use crate::{Damage, Harness, Plain, PlainEnd, PlainRow, UsersTransaction};

/// A fresh store, and words for what is usually done with one.
pub struct Context {
    harness: Arc<dyn Harness>,
    store: String,
    backend: Arc<dyn Backend>,
    able: Capabilities,
    definition: OnceCell<Definition>,
    /// Who claims, where a case does not say.
    pub(crate) runner: RunnerId,
}

/// Somebody whose program has transactions of its own in the database of a store.
#[derive(Clone)]
pub(crate) struct User {
    harness: Arc<dyn Harness>,
    store: String,
}

impl User {
    pub(crate) async fn begin(&self) -> Box<dyn UsersTransaction> {
        self.harness.begin(&self.store).await
    }

    /// What was written and committed.
    pub(crate) async fn written(&self) -> Vec<i64> {
        self.harness.written(&self.store).await
    }
}

impl Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Context").field(&self.backend).finish()
    }
}

/// The time at which cases begin, and so many seconds later. It has passed long ago, so a lease
/// that was made at it is late by the engine's own clock.
pub(crate) fn at(seconds: i64) -> UtcDateTime {
    clock::from_micros((1_700_000_000 + seconds) * 1_000_000)
}

/// A duration of so many seconds.
pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl Context {
    /// Opens a store that nobody used before.
    pub async fn open(harness: Arc<dyn Harness>) -> Self {
        static STORES: AtomicU32 = AtomicU32::new(0);
        let number = STORES.fetch_add(1, Ordering::Relaxed);
        let store = format!("c{number}_{}", Ulid::generate().to_string().to_lowercase());
        let backend = harness.open(&store).await;
        Self {
            able: backend.capabilities(),
            harness,
            store,
            backend,
            definition: OnceCell::new(),
            runner: RunnerId::new(),
        }
    }

    /// The store.
    #[must_use]
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// What it can do.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.able
    }

    /// What opens more stores like this one.
    pub(crate) fn harness(&self) -> Arc<dyn Harness> {
        Arc::clone(&self.harness)
    }

    /// Another handle to the same store.
    ///
    /// # Panics
    /// The store says that it is shared, but its harness gives no second handle.
    pub async fn reopen(&self) -> Arc<dyn Backend> {
        match self.harness.reopen(&self.store).await {
            Some(backend) => backend,
            None => panic!("the store is shared: its harness must be able to reopen it"),
        }
    }

    /// How long a wake-up may take on a machine that is busy with the rest of the suite.
    pub(crate) fn soon(&self) -> Duration {
        self.harness.deadline() / 12
    }

    /// Another fresh store of the same harness.
    pub(crate) async fn another(&self) -> Self {
        Self::open(self.harness()).await
    }

    // The nouns that a case begins with.

    /// The kind of work that tasks are of, where a case does not say.
    pub(crate) async fn definition(&self) -> &Definition {
        self.definition.get_or_init(|| self.define("case.work")).await
    }

    pub(crate) async fn define(&self, alias: &str) -> Definition {
        let definition = Definition::new(ok("alias", Alias::new(alias)));
        self.put_definition(&definition).await;
        definition
    }

    pub(crate) async fn put_definition(&self, definition: &Definition) {
        let put = self.backend.put_definition(definition, Expect::Absent).await;
        ok("put_definition", put);
    }

    /// Stores the definition again, as changed by the caller.
    pub(crate) async fn change_definition(&self, changed: &Definition, was: &Definition) {
        let expect = Expect::Unchanged { updated_at: was.updated_at };
        ok("put_definition", self.backend.put_definition(changed, expect).await);
    }

    pub(crate) async fn new_task(&self) -> NewTask {
        NewTask::new(self.definition().await.id, json("{}"))
    }

    pub(crate) async fn new_tasks(&self, n: usize) -> Vec<NewTask> {
        let definition = self.definition().await.id;
        (0..n).map(|_| NewTask::new(definition, json("{}"))).collect()
    }

    pub(crate) async fn keyed_task(&self, key: &str) -> NewTask {
        let mut task = self.new_task().await;
        task.unique = Some(ok("unique key", UniqueHash::new("case", key)));
        task
    }

    // Enqueue.

    pub(crate) async fn try_enqueue(
        &self,
        tasks: &[NewTask],
        now: UtcDateTime,
    ) -> Result<Vec<Enqueued>> {
        self.backend.enqueue(&Enqueue::new(tasks).at(now)).await
    }

    pub(crate) async fn enqueue_at(&self, tasks: &[NewTask], now: UtcDateTime) -> Vec<Enqueued> {
        let answers = ok("enqueue", self.try_enqueue(tasks, now).await);
        assert_eq!(answers.len(), tasks.len(), "enqueue answers by position");
        answers
    }

    pub(crate) async fn enqueue(&self, tasks: &[NewTask]) -> Vec<Enqueued> {
        self.enqueue_at(tasks, at(0)).await
    }

    /// Enqueues it at `at(0)`; it must be stored.
    pub(crate) async fn store(&self, task: NewTask) -> TaskId {
        let id = task.id;
        assert_eq!(self.enqueue(&[task]).await, [Enqueued::Stored]);
        id
    }

    /// So many tasks that are ready at `at(0)`.
    pub(crate) async fn ready(&self, n: usize) -> Vec<TaskId> {
        let tasks = self.new_tasks(n).await;
        assert_eq!(self.enqueue(&tasks).await, vec![Enqueued::Stored; n]);
        tasks.iter().map(|task| task.id).collect()
    }

    /// A task that becomes due so many seconds after `at(0)`.
    pub(crate) async fn later(&self, seconds: u64) -> TaskId {
        let mut task = self.new_task().await;
        task.when = When::After(secs(seconds));
        self.store(task).await
    }

    /// One transaction of plain SQL.
    pub(crate) async fn plain(&self, rows: &[PlainRow], end: PlainEnd) -> Result<(), String> {
        self.harness.enqueue_plain(&self.store, rows, end).await
    }

    /// Somebody whose program shares the database with the store.
    pub(crate) fn user(&self) -> User {
        User { harness: self.harness(), store: self.store.clone() }
    }

    /// A row with the alias of the definition, parameters, and these columns.
    pub(crate) async fn plain_row(&self, columns: &[(&'static str, Plain)]) -> PlainRow {
        let alias = Plain::Text(self.definition().await.alias.to_string());
        let mut row = vec![("alias", alias), ("parameters", Plain::Text("{}".to_owned()))];
        for (name, value) in columns {
            row.retain(|(is, _)| is != name);
            row.push((name, value.clone()));
        }
        row
    }

    /// Breaks the store behind its back.
    pub(crate) async fn damage(&self, damage: Damage) {
        self.harness.damage(&self.store, &self.backend, damage).await;
    }

    // Claim.

    /// A claim from the default queue at `at(0)`, by the case's runner, under a lease of 15 s.
    pub(crate) fn claim_of(&self, at_most: u32) -> Claim {
        Claim::new(self.runner, [QueueName::default()], at_most).at(at(0))
    }

    pub(crate) async fn claim(&self, claim: &Claim) -> Claimed {
        let claimed = ok("claim", self.backend.claim(claim).await);
        assert!(claimed.tasks.len() <= claim.at_most as usize, "more than at_most");
        for task in &claimed.tasks {
            assert_eq!(task.lease.batch, claim.lease, "claimed under the caller's lease");
        }
        claimed
    }

    /// Claims exactly so many under one lease, at `at(0)`.
    pub(crate) async fn take(&self, n: usize) -> Vec<LeasedTask> {
        self.take_at(n, at(0)).await
    }

    pub(crate) async fn take_at(&self, n: usize, now: UtcDateTime) -> Vec<LeasedTask> {
        let claim = self.claim_of(u32::try_from(n).unwrap_or(u32::MAX)).at(now);
        let tasks = self.claim(&claim).await.tasks;
        assert_eq!(tasks.len(), n, "as many as there are");
        tasks
    }

    pub(crate) async fn take_one(&self) -> LeasedTask {
        self.take_one_at(at(0)).await
    }

    pub(crate) async fn take_one_at(&self, now: UtcDateTime) -> LeasedTask {
        match self.take_at(1, now).await.pop() {
            Some(task) => task,
            None => panic!("nothing to claim"),
        }
    }

    /// A task that is running, at `at(0)`.
    pub(crate) async fn running(&self) -> LeasedTask {
        self.ready(1).await;
        self.take_one().await
    }

    /// Nothing can be claimed from the default queue.
    pub(crate) async fn nothing_to_claim(&self) {
        self.nothing_to_claim_at(at(0)).await;
    }

    pub(crate) async fn nothing_to_claim_at(&self, now: UtcDateTime) {
        let taken = ids(&self.claim(&self.claim_of(100).at(now)).await.tasks);
        assert_eq!(taken, [], "nothing to claim");
    }

    pub(crate) async fn recall(&self, lease: LeaseId) -> Vec<LeasedTask> {
        ok("recall", self.backend.recall(lease).await)
    }

    // Settle.

    pub(crate) async fn settle_all(&self, request: &Settle) -> Settled {
        let settled = ok("settle", self.backend.settle(request).await);
        assert_eq!(settled.fates.len(), request.settlements.len(), "settle answers by position");
        assert_eq!(settled.claimed.is_some(), request.then.is_some(), "claimed if asked to");
        settled
    }

    /// Ends one attempt at `at(0)`, and says how that went.
    pub(crate) async fn settle(&self, lease: Lease, to: Transition) -> Fate {
        self.settle_at(lease, to, at(0)).await
    }

    pub(crate) async fn settle_at(&self, lease: Lease, to: Transition, now: UtcDateTime) -> Fate {
        self.settle_one(Settlement::new(lease, to), now).await
    }

    pub(crate) async fn settle_one(&self, settlement: Settlement, now: UtcDateTime) -> Fate {
        let fates = self.settle_all(&Settle::new(vec![settlement]).at(now)).await.fates;
        fates.into_iter().next().unwrap_or(Fate::Lost)
    }

    /// Ends one attempt; it must be accepted and lead to `status`. Then sends the same again, as
    /// after a lost reply: the answer is the same, and nothing is written.
    pub(crate) async fn end(&self, lease: Lease, to: Transition, status: Status) {
        self.end_at(lease, to, status, at(0)).await;
    }

    pub(crate) async fn end_at(
        &self,
        lease: Lease,
        to: Transition,
        status: Status,
        now: UtcDateTime,
    ) {
        self.end_one(Settlement::new(lease, to), status, now).await;
    }

    pub(crate) async fn end_one(&self, end: Settlement, status: Status, now: UtcDateTime) {
        let task = end.lease.task;
        let fate = self.settle_one(end.clone(), now).await;
        assert_eq!(fate, Fate::Applied { status }, "the settlement of {task}");
        let before = self.whole(task).await;
        let fate = self.settle_one(end, now + secs(1)).await;
        assert_eq!(fate, Fate::Applied { status }, "the settlement of {task}, sent again");
        assert_eq!(self.whole(task).await, before, "the settlement sent again wrote something");
    }

    /// Tries to end an attempt without the right to: lost, and nothing changes.
    pub(crate) async fn cannot_end(&self, lease: Lease) {
        let before = self.whole(lease.task).await;
        for to in [success(), failed("too late"), retry(1), release(), lost()] {
            let fate = self.settle_at(lease, to.clone(), at(1)).await;
            assert_eq!(fate, Fate::Lost, "{to:?} of {lease:?} without the right to");
        }
        assert_eq!(self.whole(lease.task).await, before, "a lost settlement changed something");
    }

    /// Tries to end an attempt that is over. It may be taken for the settlement that was accepted,
    /// sent again; but nothing changes, and the answer does not speak of another status.
    pub(crate) async fn changes_nothing(&self, lease: Lease) {
        let before = self.whole(lease.task).await;
        let status = self.status(lease.task).await;
        for to in [success(), failed("too late"), retry(1), release(), lost()] {
            let fate = self.settle_at(lease, to.clone(), at(1)).await;
            let allowed = [Fate::Lost, Fate::Applied { status }];
            assert!(allowed.contains(&fate), "{to:?} of {lease:?}, which is over: {fate:?}");
        }
        assert_eq!(self.whole(lease.task).await, before, "a settlement too many was applied");
    }

    pub(crate) async fn report(&self, report: Report) -> Fate {
        let fates = ok("report", self.backend.report(&[report]).await);
        assert_eq!(fates.len(), 1, "report answers by position");
        fates.into_iter().next().unwrap_or(Fate::Lost)
    }

    pub(crate) async fn isolate(&self, tasks: Vec<(Lease, LeaseId)>) -> Vec<Option<Lease>> {
        let mut request = Isolate::new(tasks);
        request.now = Some(at(0));
        let leases = ok("isolate", self.backend.isolate(&request).await);
        assert_eq!(leases.len(), request.tasks.len(), "isolate answers by position");
        leases
    }

    /// Moves the task into a lease of its own, which must be possible.
    pub(crate) async fn isolate_one(&self, lease: Lease) -> Lease {
        let batch = LeaseId::new();
        match self.isolate(vec![(lease, batch)]).await.first() {
            Some(Some(alone)) => {
                assert_eq!((alone.task, alone.batch), (lease.task, batch));
                *alone
            }
            other => panic!("not isolated: {other:?}"),
        }
    }

    pub(crate) async fn promote(&self, limit: u32, now: UtcDateTime) -> Promoted {
        ok("promote", self.backend.promote(&Promote::new(limit).at(now)).await)
    }

    /// Promotes and claims the one task that is due at that time.
    pub(crate) async fn take_due(&self, now: UtcDateTime) -> LeasedTask {
        self.promote(100, now).await;
        self.take_one_at(now).await
    }

    // Leases.

    pub(crate) async fn beat(&self, leases: &[LeaseId]) -> Beaten {
        let mut heartbeat = ok("heartbeat", self.backend.heartbeat().await);
        let beaten = ok("beat", heartbeat.beat(leases).await);
        assert_eq!(beaten.leases.len(), leases.len(), "beat answers by position");
        beaten
    }

    pub(crate) async fn late_leases(&self) -> Vec<LateLease> {
        ok("late_leases", self.backend.late_leases(1_000).await)
    }

    /// The lease as a watcher sees it. It must be late.
    pub(crate) async fn seen(&self, lease: LeaseId) -> LateLease {
        let late = self.late_leases().await;
        match late.iter().find(|seen| seen.lease == lease) {
            Some(seen) => *seen,
            None => panic!("{lease} is not among the late leases {late:?}"),
        }
    }

    pub(crate) async fn take_over_all(&self, request: &TakeOver) -> Vec<Option<TakenOver>> {
        let taken = ok("take_over", self.backend.take_over(request).await);
        assert_eq!(taken.len(), request.leases.len(), "take_over answers by position");
        taken
    }

    /// Takes the lease over for `runner`, at the beat that it has; it must be late, so claimed at a
    /// time that has passed.
    pub(crate) async fn take_over(&self, lease: LeaseId, runner: RunnerId) -> TakenOver {
        let seen = self.seen(lease).await;
        let mut request = TakeOver::new(runner, vec![(seen, LeaseId::new())]);
        request.now = Some(at(100));
        match self.take_over_all(&request).await.pop() {
            Some(Some(taken)) => taken,
            _ => panic!("{seen:?} was not taken over"),
        }
    }

    // Control.

    pub(crate) async fn control_all(&self, request: &Control) -> Vec<Outcome> {
        let outcomes = ok("control", self.backend.control(request).await);
        assert_eq!(outcomes.len(), request.ids.len(), "control answers by position");
        outcomes
    }

    pub(crate) async fn control(&self, task: TaskId, to: Move) -> Outcome {
        self.control_at(task, to, at(0)).await
    }

    pub(crate) async fn control_at(&self, task: TaskId, to: Move, now: UtcDateTime) -> Outcome {
        let outcomes = self.control_all(&Control::new(vec![task], to).at(now)).await;
        outcomes.into_iter().next().unwrap_or(Outcome::Missing)
    }

    /// A move that must be refused, and change nothing.
    pub(crate) async fn refuses(&self, task: TaskId, to: Move) {
        let before = self.whole(task).await;
        let status = self.status(task).await;
        let outcome = self.control_at(task, to.clone(), at(1)).await;
        assert_eq!(outcome, Outcome::Refused(status), "{to:?}");
        assert_eq!(self.whole(task).await, before, "a refused {to:?} changed something");
    }

    pub(crate) async fn put_queue(&self, name: &QueueName, paused: bool) {
        let settings = QueueSettings { name: name.clone(), paused };
        ok("put_queue", self.backend.put_queue(&settings).await);
    }

    // Look.

    pub(crate) async fn task(&self, id: TaskId) -> Task {
        match ok("task", self.backend.task(id).await) {
            Some(task) => task,
            None => panic!("there is no task {id}"),
        }
    }

    pub(crate) async fn status(&self, id: TaskId) -> Status {
        self.task(id).await.status
    }

    pub(crate) async fn attempts(&self, id: TaskId) -> Vec<Attempt> {
        ok("attempts", self.backend.attempts(id).await)
    }

    /// The texts of its log.
    pub(crate) async fn log(&self, id: TaskId) -> Vec<String> {
        let lines = ok("log", self.backend.log(id, 0, u32::MAX).await);
        lines.into_iter().map(|line| line.text).collect()
    }

    /// Everything that people can see of a task, to compare.
    pub(crate) async fn whole(&self, id: TaskId) -> String {
        let log = ok("log", self.backend.log(id, 0, u32::MAX).await);
        let task = ok("task", self.backend.task(id).await);
        format!("{task:#?}\n{:#?}\n{log:#?}", self.attempts(id).await)
    }
}

/// The value, or a panic that says which call failed.
pub(crate) fn ok<T>(what: &str, result: Result<T>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{what}: {error}"),
    }
}

pub(crate) fn json(text: &str) -> Box<RawValue> {
    match RawValue::from_string(text.to_owned()) {
        Ok(value) => value,
        Err(error) => panic!("{text:?} is not JSON: {error}"),
    }
}

pub(crate) fn queue(name: &str) -> QueueName {
    ok("queue", QueueName::new(name))
}

/// The ids of the tasks, in their order.
pub(crate) fn ids(tasks: &[LeasedTask]) -> Vec<TaskId> {
    tasks.iter().map(|task| task.lease.task).collect()
}

/// A line of a log.
pub(crate) fn line(n: u32, text: &str) -> LogLine {
    LogLine::new(n, at(i64::from(n)), LogLevel::Info, text.to_owned())
}

// Transitions, as core makes them.

pub(crate) const fn success() -> Transition {
    Transition::Success { output: None }
}

pub(crate) fn output(text: &str) -> Transition {
    Transition::Success { output: Some(json(text)) }
}

pub(crate) fn failed(error: &str) -> Transition {
    Transition::Failed { error: error.to_owned() }
}

pub(crate) fn canceled(reason: &str) -> Transition {
    Transition::Canceled { reason: reason.to_owned(), attempt: AttemptIs::Counted }
}

/// A counted failure that is tried again after so many seconds.
pub(crate) fn retry(seconds: u64) -> Transition {
    Transition::Requeue {
        to: Requeue::After(secs(seconds)),
        attempt: AttemptIs::Counted,
        suspect: false,
        error: Some("it failed".to_owned()),
    }
}

pub(crate) const fn snooze(seconds: u64) -> Transition {
    Transition::Requeue {
        to: Requeue::After(secs(seconds)),
        attempt: AttemptIs::Refunded,
        suspect: false,
        error: None,
    }
}

pub(crate) const fn release() -> Transition {
    Transition::Requeue {
        to: Requeue::AsBefore,
        attempt: AttemptIs::Refunded,
        suspect: false,
        error: None,
    }
}

/// The loss of a shared lease.
pub(crate) fn lost() -> Transition {
    Transition::Requeue {
        to: Requeue::AsBefore,
        attempt: AttemptIs::Refunded,
        suspect: true,
        error: Some("its runner died".to_owned()),
    }
}

pub(crate) fn cancel() -> Move {
    Move::Cancel { reason: "not needed".to_owned() }
}

pub(crate) const fn requeue() -> Move {
    Move::Requeue { parameters: None }
}
