//! Things that happen at the same time: on several threads, round after round. Each case says which
//! answers may come together, and then asks the store who won.

use std::{collections::BTreeSet, sync::Arc};

use taskstore_core::{
    LeaseId, RunnerId, Status, TaskId,
    backend::{
        Claim, Control, Enqueue, Enqueued, Fate, Isolate, Lease, Move, Outcome, Promote,
        QueueSettings, Settle, Settled, Settlement, TakeOver, Transition,
    },
};
use tokio::{sync::Barrier, task::JoinHandle};

use crate::context::{Context, at, cancel, failed, ids, ok, output, queue, release, success};

cases! { "race":
    given_many_claimers_when_they_claim_at_once_then_no_task_has_two_holders ["claim.once"];
    given_two_claims_under_one_lease_when_sent_at_once_then_one_succeeds ["claim.lease_once"];
    given_a_cancel_and_a_claim_when_at_once_then_either_it_is_over_or_the_holder_is_asked
        ["task.one_place" "cancel.requested" "cancel.waiting"];
    given_a_pause_and_a_claim_when_at_once_then_one_of_them_has_it
        ["task.one_place" "pause.task"];
    given_a_queue_pause_and_claims_when_at_once_then_none_that_starts_later_takes
        ["pause.queue"];
    given_a_promotion_and_a_cancel_when_at_once_then_the_task_is_in_one_place
        ["task.one_place" "cancel.waiting" "promote.due"];
    given_promotions_when_at_once_then_each_task_is_moved_once ["promote.due" "task.one_place"];
    given_a_settlement_sent_twice_when_at_once_then_it_is_applied_once
        ["settle.again" "fence.one_settlement" "lease.open"];
    given_two_ends_of_one_attempt_when_at_once_then_one_stands ["fence.one_settlement"];
    given_a_settlement_and_a_take_over_when_at_once_then_one_of_them_has_it
        ["take_over.fences" "fence.one_settlement" "task.one_place"];
    given_takers_when_at_once_then_one_gets_the_lease ["take_over.guard"];
    given_a_beat_and_a_take_over_when_at_once_then_a_counted_beat_keeps_the_lease
        ["take_over.guard" "beat.counts"];
    given_a_cancel_and_a_release_when_at_once_then_the_task_ends_canceled
        ["cancel.yields" "task.one_place"];
    given_an_isolation_and_a_settlement_when_at_once_then_one_of_them_has_it
        ["isolate.guard" "fence.one_settlement"];
    given_one_key_when_many_enqueue_at_once_then_one_is_stored ["unique.held"];
    given_one_request_when_sent_many_times_at_once_then_it_is_stored_once ["enqueue.again"];
    given_requeues_when_at_once_then_the_task_waits_once ["task.one_place" "control.guard"];
    given_a_batch_when_settled_by_many_at_once_then_its_lease_ends_once
        ["lease.open" "settle.applied"];
    given_enqueues_claims_and_settlements_when_at_once_then_nothing_is_lost
        ["task.one_place" "claim.once" "settle.applied"];
}

/// How often each pair is let loose on a fresh task.
const ROUNDS: usize = 12;

/// Both at the same moment, as near as threads come.
async fn both<A, B>(
    a: impl Future<Output = A> + Send + 'static,
    b: impl Future<Output = B> + Send + 'static,
) -> (A, B)
where
    A: Send + 'static,
    B: Send + 'static,
{
    let gate = Arc::new(Barrier::new(2));
    let (a, b) = (behind(&gate, a), behind(&gate, b));
    (a.await.unwrap(), b.await.unwrap())
}

/// So many of the same at the same moment.
async fn all<T, F>(futures: Vec<F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let gate = Arc::new(Barrier::new(futures.len()));
    let begun: Vec<_> = futures.into_iter().map(|future| behind(&gate, future)).collect();
    let mut answers = Vec::new();
    for one in begun {
        answers.push(one.await.unwrap());
    }
    answers
}

fn behind<T: Send + 'static>(
    gate: &Arc<Barrier>,
    future: impl Future<Output = T> + Send + 'static,
) -> JoinHandle<T> {
    let gate = Arc::clone(gate);
    tokio::spawn(async move {
        gate.wait().await;
        future.await
    })
}

/// The call as a future of its own, to be let loose.
macro_rules! call {
    ($c:ident, $method:ident, $request:expr) => {{
        let backend = $c.backend().clone();
        let request = $request;
        async move { ok(stringify!($method), backend.$method(&request).await) }
    }};
}

fn claim_all(runner: RunnerId) -> Claim {
    Claim::new(runner, [queue("default")], 100).at(at(0))
}

fn one(lease: Lease, to: Transition) -> Settle {
    Settle::new(vec![Settlement::new(lease, to)]).at(at(0))
}

async fn given_many_claimers_when_they_claim_at_once_then_no_task_has_two_holders(c: &Context) {
    let mut expected: BTreeSet<TaskId> = c.ready(300).await.into_iter().collect();
    let runners: Vec<_> = (0..6).map(|_| RunnerId::new()).collect();
    let loops = runners.iter().map(|&runner| {
        let backend = c.backend().clone();
        async move {
            let mut mine = Vec::new();
            loop {
                let claim = Claim::new(runner, [queue("default")], 7).at(at(0));
                let tasks = ok("claim", backend.claim(&claim).await).tasks;
                if tasks.is_empty() {
                    return mine;
                }
                mine.extend(tasks);
            }
        }
    });
    let taken = all(loops.collect()).await;
    for (runner, mine) in runners.into_iter().zip(&taken) {
        for task in mine {
            assert!(expected.remove(&task.lease.task), "{} has two holders", task.lease.task);
            let holder = c.task(task.lease.task).await.held_by.unwrap();
            assert_eq!(holder.runner, runner, "who claimed it holds it");
        }
    }
    // An engine that skips what others have locked may come back empty-handed too early.
    let rest = ids(&c.claim(&claim_all(c.runner)).await.tasks);
    assert_eq!(rest, expected.into_iter().collect::<Vec<_>>(), "nothing is lost");
}

async fn given_two_claims_under_one_lease_when_sent_at_once_then_one_succeeds(c: &Context) {
    for _ in 0..ROUNDS {
        c.ready(2).await;
        let claim = c.claim_of(1);
        let send = || {
            let (backend, claim) = (c.backend().clone(), claim.clone());
            async move { backend.claim(&claim).await.map(|claimed| claimed.tasks) }
        };
        let (a, b) = both(send(), send()).await;
        let taken: Vec<_> = [a, b].into_iter().flatten().flatten().collect();
        assert_eq!(taken.len(), 1, "two claims succeeded, or none");
        assert_eq!(ids(&c.recall(claim.lease).await), ids(&taken));
        c.end(taken[0].lease, success(), Status::Success).await;
        c.end(c.take_one().await.lease, success(), Status::Success).await;
    }
}

async fn given_a_cancel_and_a_claim_when_at_once_then_either_it_is_over_or_the_holder_is_asked(
    c: &Context,
) {
    for _ in 0..ROUNDS {
        let id = c.ready(1).await[0];
        let (claimed, outcomes) = both(
            call!(c, claim, claim_all(c.runner)),
            call!(c, control, Control::new(vec![id], cancel()).at(at(0))),
        )
        .await;
        match (&claimed.tasks[..], outcomes[0]) {
            ([], Outcome::Moved { from: Status::Queued, to: Status::Canceled }) => {
                assert_eq!(c.status(id).await, Status::Canceled);
            }
            ([task], Outcome::Requested) => {
                assert!(c.beat(&[task.lease.batch]).await.cancel.contains(&id));
                c.end(task.lease, release(), Status::Canceled).await;
            }
            (tasks, outcome) => panic!("claimed {} and {outcome:?}", tasks.len()),
        }
    }
}

async fn given_a_pause_and_a_claim_when_at_once_then_one_of_them_has_it(c: &Context) {
    for _ in 0..ROUNDS {
        let id = c.ready(1).await[0];
        let (claimed, outcomes) = both(
            call!(c, claim, claim_all(c.runner)),
            call!(c, control, Control::new(vec![id], Move::Pause).at(at(0))),
        )
        .await;
        match (&claimed.tasks[..], outcomes[0]) {
            ([], Outcome::Moved { from: Status::Queued, to: Status::Paused }) => {
                c.control(id, cancel()).await;
            }
            ([task], Outcome::Refused(Status::Running)) => {
                c.end(task.lease, success(), Status::Success).await;
            }
            (tasks, outcome) => panic!("claimed {} and {outcome:?}", tasks.len()),
        }
    }
}

async fn given_a_queue_pause_and_claims_when_at_once_then_none_that_starts_later_takes(
    c: &Context,
) {
    for _ in 0..ROUNDS {
        c.ready(2).await;
        let (claimed, ()) = both(
            call!(c, claim, c.claim_of(1)),
            call!(c, put_queue, QueueSettings { name: queue("default"), paused: true }),
        )
        .await;
        c.nothing_to_claim().await;
        c.put_queue(&queue("default"), false).await;
        let rest = c.take(2 - claimed.tasks.len()).await;
        for task in claimed.tasks.iter().chain(&rest) {
            c.end(task.lease, success(), Status::Success).await;
        }
    }
}

async fn given_a_promotion_and_a_cancel_when_at_once_then_the_task_is_in_one_place(c: &Context) {
    for _ in 0..ROUNDS {
        let id = c.later(5).await;
        let (promoted, outcomes) = both(
            call!(c, promote, Promote::new(10).at(at(5))),
            call!(c, control, Control::new(vec![id], cancel()).at(at(5))),
        )
        .await;
        assert!(promoted.moved <= 1);
        let moved = Outcome::Moved { from: Status::Queued, to: Status::Canceled };
        assert_eq!(outcomes, [moved], "it waited, in one place or the other");
        assert_eq!(c.status(id).await, Status::Canceled);
        assert_eq!(c.promote(10, at(99)).await.moved, 0);
        c.nothing_to_claim_at(at(99)).await;
    }
}

async fn given_promotions_when_at_once_then_each_task_is_moved_once(c: &Context) {
    let mut tasks = c.new_tasks(200).await;
    for task in &mut tasks {
        task.when = taskstore_core::backend::When::At(at(5));
    }
    c.enqueue(&tasks).await;
    let calls = (0..6).map(|_| call!(c, promote, Promote::new(50).at(at(5)))).collect();
    let moved: u32 = all(calls).await.iter().map(|promoted| promoted.moved).sum();
    let rest = c.promote(1_000, at(5)).await.moved;
    assert_eq!(moved + rest, 200);
    c.take_at(200, at(5)).await;
    c.nothing_to_claim_at(at(5)).await;
}

async fn given_a_settlement_sent_twice_when_at_once_then_it_is_applied_once(c: &Context) {
    for _ in 0..ROUNDS {
        c.ready(2).await;
        let batch = c.take(2).await;
        let retry = || call!(c, settle, one(batch[0].lease, crate::context::retry(0)));
        let (a, b) = both(retry(), retry()).await;
        let applied = Fate::Applied { status: Status::Queued };
        assert_eq!((&a.fates[..], &b.fates[..]), (&[applied][..], &[applied][..]));
        let again = c.take_due(at(0)).await;
        assert_eq!((again.attempts, again.lease.turn), (1, batch[0].lease.turn + 1), "once");
        assert_eq!(ids(&c.recall(batch[0].lease.batch).await), [batch[1].lease.task]);
        c.end(again.lease, success(), Status::Success).await;
        c.end(batch[1].lease, success(), Status::Success).await;
    }
}

async fn given_two_ends_of_one_attempt_when_at_once_then_one_stands(c: &Context) {
    for _ in 0..ROUNDS {
        let running = c.running().await.lease;
        let (a, b) = both(
            call!(c, settle, one(running, output("1"))),
            call!(c, settle, one(running, failed("no"))),
        )
        .await;
        let seen = c.task(running.task).await;
        let stands = Fate::Applied { status: seen.status };
        assert_eq!((&a.fates[..], &b.fates[..]), (&[stands][..], &[stands][..]));
        assert_eq!(seen.output.is_some(), seen.status == Status::Success);
        assert_eq!(seen.last_error.is_some(), seen.status == Status::Failed);
        assert_eq!((seen.attempts, c.attempts(running.task).await.len()), (1, 1));
    }
}

async fn given_a_settlement_and_a_take_over_when_at_once_then_one_of_them_has_it(c: &Context) {
    for _ in 0..ROUNDS {
        let old = c.running().await.lease;
        let seen = c.seen(old.batch).await;
        let new = LeaseId::new();
        let (settled, taken): (Settled, _) = both(
            call!(c, settle, one(old, success())),
            call!(c, take_over, TakeOver::new(RunnerId::new(), vec![(seen, new)])),
        )
        .await;
        let taken = taken.into_iter().flatten().flat_map(|taken| taken.tasks).collect::<Vec<_>>();
        match (settled.fates[0], &taken[..]) {
            (Fate::Applied { status: Status::Success }, []) => {
                assert_eq!(c.status(old.task).await, Status::Success);
            }
            (Fate::Lost, [task]) => {
                c.cannot_end(old).await;
                c.end(task.lease, success(), Status::Success).await;
            }
            (fate, taken) => panic!("{fate:?} and {} taken over", taken.len()),
        }
    }
}

async fn given_takers_when_at_once_then_one_gets_the_lease(c: &Context) {
    for _ in 0..ROUNDS {
        let old = c.running().await.lease;
        let seen = c.seen(old.batch).await;
        let takers = (0..4).map(|_| {
            call!(c, take_over, TakeOver::new(RunnerId::new(), vec![(seen, LeaseId::new())]))
        });
        let taken: Vec<_> = all(takers.collect()).await.into_iter().flatten().flatten().collect();
        // An engine that skips what others have locked may refuse all but never accept two.
        assert!(taken.len() <= 1, "{} takers", taken.len());
        let present = match taken.into_iter().next() {
            Some(taken) => taken.tasks[0].lease,
            None => c.take_over(old.batch, RunnerId::new()).await.tasks[0].lease,
        };
        c.cannot_end(old).await;
        c.end(present, success(), Status::Success).await;
    }
}

async fn given_a_beat_and_a_take_over_when_at_once_then_a_counted_beat_keeps_the_lease(
    c: &Context,
) {
    use taskstore_core::backend::Pulse;
    for _ in 0..ROUNDS {
        let old = c.running().await.lease;
        let seen = c.seen(old.batch).await;
        let mut heartbeat = ok("heartbeat", c.backend().heartbeat().await);
        let (beaten, taken) = both(
            async move { ok("beat", heartbeat.beat(&[old.batch]).await) },
            call!(c, take_over, TakeOver::new(RunnerId::new(), vec![(seen, LeaseId::new())])),
        )
        .await;
        match (beaten.leases[0], &taken[0]) {
            (Pulse::Alive | Pulse::Busy, None) => {
                c.end(old, success(), Status::Success).await;
            }
            (Pulse::Lost | Pulse::Busy, Some(taken)) => {
                c.cannot_end(old).await;
                c.end(taken.tasks[0].lease, success(), Status::Success).await;
            }
            (pulse, taken) => panic!("{pulse:?} and taken over: {}", taken.is_some()),
        }
    }
}

async fn given_a_cancel_and_a_release_when_at_once_then_the_task_ends_canceled(c: &Context) {
    for _ in 0..ROUNDS {
        let running = c.running().await.lease;
        let (settled, outcomes) = both(
            call!(c, settle, one(running, release())),
            call!(c, control, Control::new(vec![running.task], cancel()).at(at(0))),
        )
        .await;
        match (settled.fates[0], outcomes[0]) {
            (Fate::Applied { status: Status::Canceled }, Outcome::Requested)
            | (
                Fate::Applied { status: Status::Queued },
                Outcome::Moved { from: Status::Queued, to: Status::Canceled },
            ) => {}
            (fate, outcome) => panic!("{fate:?} and {outcome:?}"),
        }
        assert_eq!(c.status(running.task).await, Status::Canceled);
        c.nothing_to_claim().await;
    }
}

async fn given_an_isolation_and_a_settlement_when_at_once_then_one_of_them_has_it(c: &Context) {
    for _ in 0..ROUNDS {
        c.ready(2).await;
        let batch = c.take(2).await;
        let old = batch[0].lease;
        let (settled, leases) = both(
            call!(c, settle, one(old, success())),
            call!(c, isolate, Isolate::new(vec![(old, LeaseId::new())])),
        )
        .await;
        match (settled.fates[0], leases[0]) {
            (Fate::Applied { status: Status::Success }, None) => {}
            (Fate::Lost, Some(alone)) => c.end(alone, success(), Status::Success).await,
            (fate, lease) => panic!("{fate:?} and {lease:?}"),
        }
        assert_eq!(ids(&c.recall(old.batch).await), [batch[1].lease.task]);
        c.end(batch[1].lease, success(), Status::Success).await;
    }
}

async fn given_one_key_when_many_enqueue_at_once_then_one_is_stored(c: &Context) {
    for round in 0..ROUNDS {
        let mut tasks = Vec::new();
        for _ in 0..4 {
            tasks.push(c.keyed_task(&round.to_string()).await);
        }
        let calls = tasks.iter().map(|task| {
            let (backend, task) = (c.backend().clone(), task.clone());
            async move { ok("enqueue", backend.enqueue(&Enqueue::new(&[task])).await)[0] }
        });
        let answers = all(calls.collect()).await;
        let stored: Vec<_> = tasks
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| **answer == Enqueued::Stored)
            .map(|(task, _)| task.id)
            .collect();
        assert_eq!(stored.len(), 1, "{answers:?}");
        let others = answers.iter().filter(|answer| **answer != Enqueued::Stored);
        others.for_each(|answer| assert_eq!(*answer, Enqueued::Duplicate(stored[0])));
        let taken = c.take_one().await;
        assert_eq!(taken.lease.task, stored[0]);
        c.end(taken.lease, success(), Status::Success).await;
    }
}

async fn given_one_request_when_sent_many_times_at_once_then_it_is_stored_once(c: &Context) {
    for round in 0..ROUNDS {
        let tasks = [c.new_task().await, c.keyed_task(&round.to_string()).await];
        let calls = (0..4).map(|_| {
            let (backend, tasks) = (c.backend().clone(), tasks.clone());
            async move { ok("enqueue", backend.enqueue(&Enqueue::new(&tasks).at(at(0))).await) }
        });
        for answers in all(calls.collect()).await {
            assert_eq!(answers, [Enqueued::Stored; 2]);
        }
        for task in c.take(2).await {
            c.end(task.lease, success(), Status::Success).await;
        }
        c.nothing_to_claim().await;
    }
}

async fn given_requeues_when_at_once_then_the_task_waits_once(c: &Context) {
    for _ in 0..ROUNDS {
        let id = c.ready(1).await[0];
        c.control(id, cancel()).await;
        let to = || call!(c, control, Control::new(vec![id], crate::context::requeue()).at(at(0)));
        let (a, b) = both(to(), to()).await;
        let moved = Outcome::Moved { from: Status::Canceled, to: Status::Queued };
        let outcomes = [a[0], b[0]];
        assert!(outcomes.contains(&moved), "{outcomes:?}");
        assert!(outcomes.contains(&Outcome::Refused(Status::Queued)), "{outcomes:?}");
        c.end(c.take_one().await.lease, success(), Status::Success).await;
        c.nothing_to_claim().await;
    }
}

async fn given_a_batch_when_settled_by_many_at_once_then_its_lease_ends_once(c: &Context) {
    use taskstore_core::backend::Pulse;
    for _ in 0..ROUNDS {
        c.ready(6).await;
        let batch = c.take(6).await;
        let calls = batch.iter().map(|task| call!(c, settle, one(task.lease, success())));
        for settled in all(calls.collect()).await {
            assert_eq!(settled.fates, [Fate::Applied { status: Status::Success }]);
        }
        assert_eq!(c.beat(&[batch[0].lease.batch]).await.leases, [Pulse::Lost]);
        assert!(c.late_leases().await.is_empty());
    }
}

/// Enqueues so many, one by one, while others drain.
async fn given_enqueues_claims_and_settlements_when_at_once_then_nothing_is_lost(c: &Context) {
    const EACH: usize = 60;
    let mut loops: Vec<std::pin::Pin<Box<dyn Future<Output = usize> + Send>>> = Vec::new();
    for _ in 0..2 {
        let (backend, tasks) = (c.backend().clone(), c.new_tasks(EACH).await);
        loops.push(Box::pin(async move {
            for task in tasks {
                ok("enqueue", backend.enqueue(&Enqueue::new(&[task]).at(at(0))).await);
            }
            0
        }));
    }
    for _ in 0..3 {
        let (backend, runner) = (c.backend().clone(), RunnerId::new());
        loops.push(Box::pin(async move {
            let mut done = 0;
            let mut next = Settle::default();
            for _ in 0..EACH {
                let claim = Claim::new(runner, [queue("default")], 3).at(at(0));
                let settled = ok("settle", backend.settle(&next.then(claim)).await);
                for fate in &settled.fates {
                    assert_eq!(*fate, Fate::Applied { status: Status::Success });
                }
                done += settled.fates.len();
                let claimed = settled.claimed.unwrap_or_default().tasks;
                let ends = claimed.iter().map(|task| Settlement::new(task.lease, success()));
                next = Settle::new(ends.collect());
            }
            done + ok("settle", backend.settle(&next).await).fates.len()
        }));
    }
    let done: usize = all(loops).await.into_iter().sum();
    let rest = c.claim(&c.claim_of(1_000)).await.tasks;
    assert_eq!(done + rest.len(), 2 * EACH, "settled once each, or still there");
}
