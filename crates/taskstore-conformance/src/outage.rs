//! What every call must do while a server is away, and what must be true when it is back: an error that is
//! worth another try, in time, and after it the answer that the first call would have had.
//!
//! How the server goes away is the test's: it kills it, stops it, or puts a [`Proxy`](crate::Proxy) before it.

use std::{
    collections::BTreeSet,
    fmt::Debug,
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Backend, Definition, Error, Heartbeat, LeaseId, QueueName, Result, RunnerId, Status,
    TaskId, UniqueHash,
    backend::{
        Claim, Control, Enqueue, Enqueued, Expect, Fate, Isolate, LateLease, Lease, Move, NewTask,
        Outcome, Promote, Pulse, Report, Settle, Settlement, TakeOver, Transition,
    },
};

/// Whoever comes back has so long, with connections to be made and locks of lost sessions to be waited for.
const BACK: Duration = Duration::from_secs(40);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(50);
/// So many tasks there are before: each call has one of its own.
const TASKS: usize = 8;

/// A store with work under way, and one request of every kind that a runner makes.
///
/// ```no_run
/// # async fn example(backend: std::sync::Arc<dyn taskstore_core::Backend>) {
/// use std::time::Duration;
/// use taskstore_conformance::Outage;
///
/// let mut outage = Outage::prepare(backend).await;
/// // .. the server goes away ..
/// outage.during(Duration::from_secs(12)).await;
/// // .. and comes back ..
/// outage.after().await;
/// # }
/// ```
pub struct Outage {
    backend: Arc<dyn Backend>,
    heart: Box<dyn Heartbeat>,
    runner: RunnerId,
    enqueue: Vec<NewTask>,
    claim: Claim,
    settle: Settle,
    take_over: TakeOver,
    isolate: Isolate,
    report: Report,
    beats: LeaseId,
    cancel: TaskId,
}

impl Outage {
    /// Stores tasks and leases them in an empty store, and opens the connections that it will need.
    pub async fn prepare(backend: Arc<dyn Backend>) -> Self {
        let definition = Definition::new(good(Alias::new("outage")));
        good(backend.put_definition(&definition, Expect::Absent).await);
        let runner = RunnerId::new();
        let new = || NewTask::new(definition.id, RawValue::NULL.to_owned());
        let tasks: Vec<_> = (0..TASKS).map(|_| new()).collect();
        good(backend.enqueue(&Enqueue::new(&tasks)).await);
        let mut leases = Vec::new();
        for _ in 0..TASKS - 2 {
            leases.extend(good(backend.claim(&claim(runner)).await).tasks);
        }
        let lease = |n: usize| leases.get(n).unwrap_or_else(|| panic!("lease {n}")).lease;
        let late = LateLease { lease: lease(1).batch, beat: 0, lease_for: Duration::from_secs(15) };
        let mut keyed = new();
        keyed.unique = Some(good(UniqueHash::new("outage", "one")));
        let cancel = tasks.last().map(|task| task.id);
        let outage = Self {
            heart: good(backend.heartbeat().await),
            enqueue: vec![new(), keyed],
            claim: claim(runner),
            settle: Settle::new(vec![success(lease(0))]),
            take_over: TakeOver::new(RunnerId::new(), vec![(late, LeaseId::new())]),
            isolate: Isolate::new(vec![(lease(2), LeaseId::new())]),
            report: Report { lease: lease(3), progress: None, log: Vec::new() },
            beats: lease(4).batch,
            cancel: cancel.unwrap_or_else(TaskId::new),
            runner,
            backend,
        };
        // A call for each connection that will be needed at the same time.
        join_all((0..TASKS).map(|_| outage.backend.recall(LeaseId::new()))).await;
        outage
    }

    /// Calls everything at the same time while the server is away: each must be an error that is worth
    /// another try, within `limit`.
    pub async fn during(&mut self, limit: Duration) {
        let backend = &*self.backend;
        let control = Control::new(vec![self.cancel], cancel());
        let enqueue = Enqueue::new(&self.enqueue);
        let reports = [self.report.clone()];
        let promote = Promote::new(10);
        let leases = [self.beats];
        futures_util::join!(
            fails("enqueue", limit, backend.enqueue(&enqueue)),
            fails("claim", limit, backend.claim(&self.claim)),
            fails("settle", limit, backend.settle(&self.settle)),
            fails("take_over", limit, backend.take_over(&self.take_over)),
            fails("isolate", limit, backend.isolate(&self.isolate)),
            fails("report", limit, backend.report(&reports)),
            fails("promote", limit, backend.promote(&promote)),
            fails("control", limit, backend.control(&control)),
            fails("a beat", limit, self.heart.beat(&leases)),
        );
    }

    /// Says everything again when the server is back: each must be answered as if it had been said once, and
    /// nothing may be lost.
    pub async fn after(mut self) {
        let backend = self.backend.clone();
        let enqueue = Enqueue::new(&self.enqueue);
        let stored = again("enqueue", async || backend.enqueue(&enqueue).await).await;
        assert_eq!(stored, [Enqueued::Stored, Enqueued::Stored]);
        let settled = again("settle", async || backend.settle(&self.settle).await).await;
        assert_eq!(settled.fates, [Fate::Applied { status: Status::Success }]);
        let taken = again("take_over", async || backend.take_over(&self.take_over).await).await;
        let taken = taken.into_iter().next().flatten().unwrap_or_else(|| panic!("not taken over"));
        assert_eq!((taken.from, taken.tasks.len()), (self.runner, 1));
        let isolated = again("isolate", async || backend.isolate(&self.isolate).await).await;
        let isolated = isolated.first().copied().flatten();
        let isolated = isolated.unwrap_or_else(|| panic!("not isolated"));
        let outcome = again("control", async || {
            backend.control(&Control::new(vec![self.cancel], cancel())).await
        });
        let outcome = outcome.await.into_iter().next();
        // The first call may have canceled it already.
        let canceled =
            matches!(outcome, Some(Outcome::Moved { .. } | Outcome::Refused(Status::Canceled)));
        assert!(canceled, "{outcome:?}");
        self.beats_on().await;
        let mut held = vec![isolated];
        held.extend(taken.tasks.iter().map(|task| task.lease));
        self.is_complete(held).await;
    }

    async fn beats_on(&mut self) {
        let began = Instant::now();
        loop {
            match self.heart.beat(&[self.beats]).await {
                Ok(beaten) => return assert_eq!(beaten.leases, [Pulse::Alive]),
                Err(Error::Unavailable { .. }) if began.elapsed() < BACK => {}
                Err(error) => panic!("a beat: {error}"),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Every task is over, is held by somebody who knows it, or can be claimed: none is in no place, and none
    /// in two.
    async fn is_complete(&self, held: Vec<Lease>) {
        let ends = self.settle.settlements.iter().map(|settlement| settlement.lease.task);
        let mut over: BTreeSet<_> = ends.chain([self.cancel]).collect();
        let mut held = held;
        // Three of the leases were not touched: that which was reported of, that which beats, and the last.
        let all = TASKS + self.enqueue.len() - 3;
        let began = Instant::now();
        loop {
            let settle = Settle::new(held.iter().copied().map(success).collect());
            let settled = again("settle", async || self.backend.settle(&settle).await).await;
            for (lease, fate) in held.iter().zip(settled.fates) {
                assert_eq!(fate, Fate::Applied { status: Status::Success }, "{lease:?}");
                assert!(over.insert(lease.task), "{lease:?} was in two places");
            }
            if over.len() == all {
                return;
            }
            assert!(began.elapsed() < BACK, "{} of {all} tasks are in a place", over.len());
            let claimed = again("claim", async || self.backend.claim(&claim(self.runner)).await);
            held = claimed.await.tasks.iter().map(|task| task.lease).collect();
            // A claim is never sent again: it is asked what became of it, for a server may do late what
            // it was asked before.
            let recalled = again("recall", async || self.backend.recall(self.claim.lease).await);
            held.extend(recalled.await.iter().map(|task| task.lease));
            if held.is_empty() {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

impl Debug for Outage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outage").field("backend", &self.backend).finish_non_exhaustive()
    }
}

fn claim(runner: RunnerId) -> Claim {
    Claim::new(runner, [QueueName::default()], 1)
}

fn success(lease: Lease) -> Settlement {
    Settlement::new(lease, Transition::Success { output: None })
}

fn cancel() -> Move {
    Move::Cancel { reason: "the outage".to_owned() }
}

fn good<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}

async fn fails<T: Debug>(what: &str, limit: Duration, call: impl Future<Output = Result<T>>) {
    let began = Instant::now();
    let answer = tokio::time::timeout(limit, call).await;
    let took = began.elapsed();
    match answer {
        Ok(Err(Error::Unavailable { .. })) => {}
        Ok(answer) => panic!("{what} was answered after {took:?}: {answer:?}"),
        Err(_) => panic!("{what} was not answered within {limit:?}"),
    }
}

/// Until it is answered by something else than that it is worth another try.
async fn again<T>(what: &str, call: impl AsyncFn() -> Result<T>) -> T {
    let began = Instant::now();
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(Error::Unavailable { .. }) if began.elapsed() < BACK => {}
            Err(error) => panic!("{what}: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
