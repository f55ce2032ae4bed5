//! What a task goes through, from end to end, as this engine stores it.

mod common;

use std::time::Duration;

use common::{Store, claim, json};
use taskstore_core::{
    Backend, Error, LeaseId, LogLevel, LogLine, Progress, RunnerId, Status, UniqueHash,
    backend::{
        AttemptIs, Control, Enqueue, Enqueued, Fate, Isolate, LateLease, Move, Outcome, Promote,
        Pulse, Requeue, Run, Settle, Settlement, TakeOver, Transition, When,
    },
    clock,
};

const SECOND: Duration = Duration::from_secs(1);

fn success() -> Transition {
    Transition::Success { output: None }
}

fn retry(delay: Duration) -> Transition {
    Transition::Requeue {
        to: Requeue::After(delay),
        attempt: AttemptIs::Counted,
        suspect: false,
        error: Some("boom".into()),
    }
}

#[tokio::test]
async fn a_task_is_enqueued_claimed_and_settled_and_shows_it() {
    let store = Store::new().await;
    let id = store.enqueue(1).await[0];
    let task = store.backend.task(id).await.unwrap().unwrap();
    assert_eq!((task.status, task.attempts), (Status::Queued, 0));

    let claimed = store.claim(10).await;
    assert_eq!(claimed.tasks.len(), 1);
    assert_eq!(claimed.due_in, None);
    let task = store.backend.task(id).await.unwrap().unwrap();
    assert_eq!((task.status, task.attempts), (Status::Running, 1));
    let held = task.held_by.unwrap();

    let mut settlement = Settlement::new(
        claimed.tasks[0].lease,
        Transition::Success { output: Some(json("{\"sent\":1}")) },
    );
    settlement.run = Some(Run { started_after: SECOND, ran_for: 2 * SECOND });
    settlement.progress = Some(Progress { done: 3, total: 4 });
    settlement.log = vec![LogLine::new(0, clock::now(), LogLevel::Info, "sent".into())];
    let request = Settle::new(vec![settlement]);
    let applied = vec![Fate::Applied { status: Status::Success }];
    assert_eq!(store.backend.settle(&request).await.unwrap().fates, applied);
    assert_eq!(store.backend.settle(&request).await.unwrap().fates, applied, "sent again");

    let task = store.backend.task(id).await.unwrap().unwrap();
    assert_eq!((task.status, task.attempts), (Status::Success, 1));
    assert_eq!(task.output.unwrap().get(), "{\"sent\":1}");
    assert_eq!(task.started_at, Some(clock::add(held.claimed_at, SECOND)));
    assert_eq!(task.completed_at, Some(clock::add(held.claimed_at, 3 * SECOND)));
    assert_eq!(task.progress, Some(Progress { done: 3, total: 4 }));
    let attempts = store.backend.attempts(id).await.unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].runner, Some(held.runner));
    assert_eq!(store.backend.log(id, 0, 10).await.unwrap()[0].text, "sent");
    let leases: i64 =
        store.sql().query_row("SELECT count(*) FROM task_lease", [], |r| r.get(0)).unwrap();
    assert_eq!(leases, 0);
}

#[tokio::test]
async fn one_call_settles_a_batch_and_claims_the_next() {
    let store = Store::new().await;
    let ids = store.enqueue(10).await;
    let first = store.claim(4).await;
    let claimed: Vec<_> = first.tasks.iter().map(|task| task.lease.task).collect();
    assert_eq!(claimed, ids[..4]);
    let settlements =
        first.tasks.iter().map(|task| Settlement::new(task.lease, success())).collect();
    let settled = store.backend.settle(&Settle::new(settlements).then(claim(4))).await.unwrap();
    assert_eq!(settled.fates, [Fate::Applied { status: Status::Success }; 4]);
    let next: Vec<_> = settled.claimed.unwrap().tasks.iter().map(|t| t.lease.task).collect();
    assert_eq!(next, ids[4..8]);
    let attempts = store.backend.attempts(ids[0]).await.unwrap();
    assert_eq!((attempts.len(), attempts[0].runner), (1, None));
}

#[tokio::test]
async fn a_used_lease_id_claims_nothing_and_settles_nothing() {
    let store = Store::new().await;
    store.enqueue(3).await;
    let used = claim(1);
    let first = store.backend.claim(&used).await.unwrap();
    assert!(matches!(
        store.backend.claim(&used).await.unwrap_err(),
        Error::AlreadyExists { what: "lease", .. }
    ));
    let request =
        Settle::new(vec![Settlement::new(first.tasks[0].lease, success())]).then(used.clone());
    let other = store.claim(1).await;
    let both = Settle::new(vec![Settlement::new(other.tasks[0].lease, success())]).then(used);
    assert!(matches!(store.backend.settle(&both).await.unwrap_err(), Error::AlreadyExists { .. }));
    let task = store.backend.task(other.tasks[0].lease.task).await.unwrap().unwrap();
    assert_eq!(task.status, Status::Running);
    // The settlement ends the lease, so that its id is free by the time of the claim.
    assert!(store.backend.settle(&request).await.is_ok());
}

#[tokio::test]
async fn a_retry_waits_in_later_until_it_is_promoted() {
    let store = Store::new().await;
    let id = store.enqueue(1).await[0];
    let lease = store.claim(1).await.tasks[0].lease;
    let request = Settle::new(vec![Settlement::new(lease, retry(60 * SECOND))]);
    let fates = store.backend.settle(&request).await.unwrap().fates;
    assert_eq!(fates, [Fate::Applied { status: Status::Queued }]);
    let due_in = store.claim(1).await.due_in.unwrap();
    assert!(due_in > 59 * SECOND && due_in <= 60 * SECOND);
    let promoted = store.backend.promote(&Promote::new(10)).await.unwrap();
    assert_eq!(promoted.moved, 0);
    let later = Promote::new(10).at(clock::add(clock::now(), 61 * SECOND));
    assert_eq!(store.backend.promote(&later).await.unwrap().moved, 1);
    let again = &store.claim(1).await.tasks[0];
    assert_eq!((again.lease.task, again.lease.turn, again.attempts), (id, lease.turn + 1, 1));
    let fates = store.backend.settle(&request).await.unwrap().fates;
    assert_eq!(fates, [Fate::Applied { status: Status::Running }], "sent again, and claimed since");
    let task = store.backend.task(id).await.unwrap().unwrap();
    assert_eq!((task.status, task.last_error.as_deref()), (Status::Running, Some("boom")));
}

#[tokio::test]
async fn a_unique_key_is_free_at_the_end_and_taken_again_at_a_requeue() {
    let store = Store::new().await;
    let key = UniqueHash::new("scope", "key").unwrap();
    let keyed = || {
        let mut task = store.task();
        task.unique = Some(key);
        task
    };
    let (first, second) = (keyed(), keyed());
    let both = [first.clone(), second.clone(), first.clone()];
    assert_eq!(
        store.backend.enqueue(&Enqueue::new(&both)).await.unwrap(),
        [Enqueued::Stored, Enqueued::Duplicate(first.id), Enqueued::Stored]
    );
    let lease = store.claim(1).await.tasks[0].lease;
    store.backend.settle(&Settle::new(vec![Settlement::new(lease, success())])).await.unwrap();
    let second = [second];
    assert_eq!(store.backend.enqueue(&Enqueue::new(&second)).await.unwrap(), [Enqueued::Stored]);
    let requeue = Control::new(vec![first.id], Move::Requeue { parameters: None });
    assert_eq!(store.backend.control(&requeue).await.unwrap(), [Outcome::KeyHeldBy(second[0].id)]);
    let cancel = Control::new(vec![second[0].id], Move::Cancel { reason: "why".into() });
    assert_eq!(
        store.backend.control(&cancel).await.unwrap(),
        [Outcome::Moved { from: Status::Queued, to: Status::Canceled }]
    );
    let task = store.backend.task(second[0].id).await.unwrap().unwrap();
    assert_eq!(task.last_error.as_deref(), Some("why"));
    assert!(store.backend.attempts(second[0].id).await.unwrap().is_empty(), "nobody ran it");
    assert_eq!(
        store.backend.control(&requeue).await.unwrap(),
        [Outcome::Moved { from: Status::Success, to: Status::Queued }]
    );
    assert_eq!(
        store.backend.enqueue(&Enqueue::new(&[keyed()])).await.unwrap(),
        [Enqueued::Duplicate(first.id)]
    );
}

#[tokio::test]
async fn a_cancel_request_is_heard_with_the_beat_and_ends_what_would_go_back() {
    let store = Store::new().await;
    let ids = store.enqueue(2).await;
    let claimed = store.claim(2).await;
    let cancel = Control::new(vec![ids[0]], Move::Cancel { reason: "stop".into() });
    assert_eq!(store.backend.control(&cancel).await.unwrap(), [Outcome::Requested]);
    let mut heart = store.backend.heartbeat().await.unwrap();
    let beaten = heart.beat(&[claimed.tasks[0].lease.batch, LeaseId::new()]).await.unwrap();
    assert_eq!(beaten.leases, [Pulse::Alive, Pulse::Lost]);
    assert_eq!(beaten.cancel, [ids[0]]);
    let settlements =
        claimed.tasks.iter().map(|t| Settlement::new(t.lease, retry(SECOND))).collect();
    let fates = store.backend.settle(&Settle::new(settlements)).await.unwrap().fates;
    assert_eq!(
        fates,
        [Fate::Applied { status: Status::Canceled }, Fate::Applied { status: Status::Queued }]
    );
    assert!(heart.beat(&[]).await.unwrap().cancel.is_empty());
}

#[tokio::test]
async fn a_beat_is_busy_while_somebody_else_has_the_lock() {
    let store = Store::new().await;
    store.enqueue(1).await;
    let lease = store.claim(1).await.tasks[0].lease.batch;
    let mut heart = store.backend.heartbeat().await.unwrap();
    let user = store.sql();
    user.execute_batch("BEGIN IMMEDIATE").unwrap();
    let began = std::time::Instant::now();
    assert_eq!(heart.beat(&[lease]).await.unwrap().leases, [Pulse::Busy]);
    assert!(began.elapsed() < 2 * SECOND);
    user.execute_batch("ROLLBACK").unwrap();
    assert_eq!(heart.beat(&[lease]).await.unwrap().leases, [Pulse::Alive]);
}

#[tokio::test]
async fn a_lease_taken_over_fences_its_former_holder() {
    let store = Store::new().await;
    store.enqueue(2).await;
    let claimed = store.claim(2).await;
    let old = claimed.tasks[0].lease;
    let held = store.backend.task(old.task).await.unwrap().unwrap().held_by.unwrap();
    let seen = LateLease { lease: old.batch, beat: 0, lease_for: Duration::from_secs(15) };
    let by = LeaseId::new();
    let take = TakeOver::new(RunnerId::new(), vec![(seen, by)]);
    let taken = store.backend.take_over(&take).await.unwrap().remove(0).unwrap();
    assert_eq!((taken.from, taken.alone, taken.tasks.len()), (held.runner, false, 2));
    let again = store.backend.take_over(&take).await.unwrap().remove(0).unwrap();
    assert_eq!((again.from, again.tasks.len()), (held.runner, 2), "sent again");
    let settle = |lease| Settle::new(vec![Settlement::new(lease, success())]);
    let fates = store.backend.settle(&settle(old)).await.unwrap().fates;
    assert_eq!(fates, [Fate::Lost]);
    let fates = store.backend.settle(&settle(taken.tasks[0].lease)).await.unwrap().fates;
    assert_eq!(fates, [Fate::Applied { status: Status::Success }]);
    assert_eq!(store.backend.recall(by).await.unwrap().len(), 1);
    assert!(store.backend.recall(old.batch).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_isolated_task_has_a_lease_of_its_own_which_a_take_over_passes_on() {
    let store = Store::new().await;
    store.enqueue(2).await;
    let shared = store.claim(2).await.tasks[0].lease;
    let own = LeaseId::new();
    let isolate = Isolate::new(vec![(shared, own)]);
    let alone = store.backend.isolate(&isolate).await.unwrap()[0].unwrap();
    assert_eq!((alone.batch, alone.turn), (own, shared.turn + 1));
    assert_eq!(store.backend.isolate(&isolate).await.unwrap(), [Some(alone)], "sent again");
    assert_eq!(store.backend.recall(shared.batch).await.unwrap().len(), 1);
    let seen = LateLease { lease: own, beat: 0, lease_for: SECOND };
    let take = TakeOver::new(RunnerId::new(), vec![(seen, LeaseId::new())]);
    let taken = store.backend.take_over(&take).await.unwrap().remove(0).unwrap();
    assert!(taken.alone);
    let fates =
        store.backend.settle(&Settle::new(vec![Settlement::new(shared, success())])).await.unwrap();
    assert_eq!(fates.fates, [Fate::Lost], "it left that lease");
}

#[tokio::test]
async fn a_dead_lease_is_late_and_a_beaten_one_is_not() {
    let store = Store::new().await;
    store.enqueue(2).await;
    let long_ago = clock::from_micros(clock::to_micros(clock::now()) - 20_000_000);
    let dead = store.backend.claim(&claim(1).at(long_ago)).await.unwrap();
    store.claim(1).await;
    let late = store.backend.late_leases(10).await.unwrap();
    assert_eq!(late.len(), 1);
    assert_eq!(late[0].lease, dead.tasks[0].lease.batch);
    assert_eq!(late[0].lease_for, Duration::from_secs(15));
    let mut heart = store.backend.heartbeat().await.unwrap();
    heart.beat(&[late[0].lease]).await.unwrap();
    assert!(store.backend.late_leases(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_claim_stops_at_its_bytes_but_takes_one_task_at_least() {
    let store = Store::new().await;
    let mut tasks: Vec<_> = (0..4).map(|_| store.task()).collect();
    for task in &mut tasks {
        task.parameters = json(&format!("\"{}\"", "x".repeat(98)));
    }
    store.backend.enqueue(&Enqueue::new(&tasks)).await.unwrap();
    let mut small = claim(4);
    small.bytes_max = 10;
    assert_eq!(store.backend.claim(&small).await.unwrap().tasks.len(), 1);
    let mut two = claim(4);
    two.bytes_max = 250;
    assert_eq!(store.backend.claim(&two).await.unwrap().tasks.len(), 2);
    assert_eq!(store.claim(4).await.tasks.len(), 1);
}

#[tokio::test]
async fn only_the_newest_lines_of_an_attempt_are_kept() {
    let store = Store::new().await;
    let id = store.enqueue(1).await[0];
    let lease = store.claim(1).await.tasks[0].lease;
    let line = |n| LogLine::new(n, clock::now(), LogLevel::Error, n.to_string());
    let mut settlement = Settlement::new(lease, success());
    settlement.log = (0..1_500).map(line).collect();
    store.backend.settle(&Settle::new(vec![settlement])).await.unwrap();
    let log = store.backend.log(id, 0, 5_000).await.unwrap();
    assert_eq!(log.iter().map(|line| line.n).collect::<Vec<_>>(), (500..1_500).collect::<Vec<_>>());
    assert_eq!(store.backend.log(id, 998, 5).await.unwrap().len(), 2);
}

#[tokio::test]
async fn waiting_tasks_are_paused_resumed_rescheduled_deleted_and_restored() {
    let store = Store::new().await;
    let id = store.enqueue(1).await[0];
    let ask = async |to| store.backend.control(&Control::new(vec![id], to)).await.unwrap()[0];
    let moved = |from, to| Outcome::Moved { from, to };
    use Status::{Canceled, Paused, Queued};
    assert_eq!(ask(Move::Pause).await, moved(Queued, Paused));
    assert_eq!(ask(Move::Pause).await, Outcome::Refused(Paused));
    let far = When::After(3_600 * SECOND);
    let reschedule = Move::Reschedule { when: Some(far), priority: Some(-3), queue: None };
    assert_eq!(ask(reschedule).await, moved(Paused, Paused));
    assert_eq!(ask(Move::Resume).await, moved(Paused, Queued));
    assert!(store.claim(1).await.tasks.is_empty(), "it is not due yet");
    let now = Move::Reschedule { when: Some(When::Now), priority: None, queue: None };
    assert_eq!(ask(now).await, moved(Queued, Queued));
    assert_eq!(store.backend.task(id).await.unwrap().unwrap().priority, -3);
    assert_eq!(ask(Move::Delete).await, moved(Queued, Canceled));
    assert_eq!(ask(Move::Delete).await, Outcome::Missing);
    assert_eq!(ask(Move::Restore).await, moved(Canceled, Canceled));
    assert_eq!(ask(Move::Restore).await, Outcome::Missing);
    let parameters = Some(json("[1]"));
    assert_eq!(ask(Move::Requeue { parameters }).await, moved(Canceled, Queued));
    let claimed = store.claim(1).await;
    assert_eq!(claimed.tasks[0].parameters.get(), "[1]");
}
