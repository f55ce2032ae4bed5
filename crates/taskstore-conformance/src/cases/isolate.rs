//! Tasks that get a lease of their own.

use taskstore_core::{
    LeaseId, RunnerId, Status,
    backend::{Enqueued, Fate, Lease, Pulse, Report},
};

use crate::context::{Context, at, cancel, ids, lost, release, retry, success};

cases! { "isolate":
    given_a_batch_when_one_is_isolated_then_it_has_a_lease_of_its_own
        ["isolate.moves" "turn.when"];
    given_an_isolated_task_when_settled_under_its_old_lease_then_lost
        ["isolate.fences" "fence.turn"];
    given_an_isolated_task_when_settled_then_the_rest_of_its_batch_is_untouched
        ["isolate.moves" "lease.open"];
    given_an_isolated_task_when_looked_at_then_holder_and_claim_time_are_kept
        ["isolate.keeps" "look.held_by"];
    given_a_whole_batch_when_isolated_then_its_lease_is_gone ["isolate.moves" "lease.open"];
    given_an_isolation_when_sent_again_then_it_answers_with_the_same_lease ["isolate.again"];
    given_held_and_lost_tasks_when_isolated_then_by_position
        ["isolate.guard" "answers.by_position"];
    given_a_settled_task_when_isolated_then_none ["isolate.guard"];
    given_a_task_under_a_stale_lease_when_isolated_then_none ["isolate.guard" "fence.turn"];
    given_a_suspect_when_isolated_and_lost_then_its_neighbours_lose_nothing
        ["isolate.moves" "take_over.alone"];
    given_a_cancel_request_when_isolated_then_it_is_heard_under_the_lease_of_its_own
        ["isolate.keeps" "cancel.heard"];
    given_a_keyed_task_when_isolated_then_its_key_is_held ["isolate.keeps" "unique.held"];
    given_an_isolated_task_when_released_then_attempts_and_turn_are_right
        ["isolate.keeps" "turn.when"];
}

async fn given_a_batch_when_one_is_isolated_then_it_has_a_lease_of_its_own(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    let old = batch[1].lease;
    let alone = c.isolate_one(old).await;
    assert_eq!(alone.turn, old.turn + 1);
    assert_eq!(ids(&c.recall(alone.batch).await), [old.task]);
    assert_eq!(c.recall(alone.batch).await[0].lease, alone);
    assert_eq!(ids(&c.recall(old.batch).await), [batch[0].lease.task, batch[2].lease.task]);
    assert_eq!(c.beat(&[alone.batch, old.batch]).await.leases, [Pulse::Alive; 2]);
    assert_eq!(c.status(old.task).await, Status::Running);
}

async fn given_an_isolated_task_when_settled_under_its_old_lease_then_lost(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let alone = c.isolate_one(batch[0].lease).await;
    c.cannot_end(batch[0].lease).await;
    c.cannot_end(Lease { turn: alone.turn, ..batch[0].lease }).await;
    c.cannot_end(Lease { turn: batch[0].lease.turn, ..alone }).await;
    let report = Report { lease: batch[0].lease, progress: None, log: Vec::new() };
    assert_eq!(c.report(report).await, Fate::Lost);
    c.end(alone, success(), Status::Success).await;
}

async fn given_an_isolated_task_when_settled_then_the_rest_of_its_batch_is_untouched(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let alone = c.isolate_one(batch[0].lease).await;
    c.end(alone, success(), Status::Success).await;
    let pulses = c.beat(&[alone.batch, batch[1].lease.batch]).await.leases;
    assert_eq!(pulses, [Pulse::Lost, Pulse::Alive]);
    c.end(batch[1].lease, success(), Status::Success).await;
    assert_eq!(c.beat(&[batch[1].lease.batch]).await.leases, [Pulse::Lost]);
}

async fn given_an_isolated_task_when_looked_at_then_holder_and_claim_time_are_kept(c: &Context) {
    c.ready(2).await;
    let batch = c.take_at(2, at(-30)).await;
    let before = c.task(batch[0].lease.task).await;
    let alone = c.isolate_one(batch[0].lease).await;
    let after = c.task(alone.task).await;
    let (was, is) = (before.held_by.unwrap(), after.held_by.unwrap());
    assert_eq!((is.runner, is.claimed_at), (was.runner, was.claimed_at));
    assert_eq!((after.attempts, after.run_at), (before.attempts, before.run_at));
    assert!(c.attempts(alone.task).await.is_empty(), "no attempt has ended");
}

async fn given_a_whole_batch_when_isolated_then_its_lease_is_gone(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let wishes: Vec<_> = batch.iter().map(|task| (task.lease, LeaseId::new())).collect();
    let alone = c.isolate(wishes).await;
    assert_eq!(c.beat(&[batch[0].lease.batch]).await.leases, [Pulse::Lost]);
    assert!(c.late_leases().await.iter().all(|late| late.lease != batch[0].lease.batch));
    for lease in alone {
        c.end(lease.unwrap(), success(), Status::Success).await;
    }
}

async fn given_an_isolation_when_sent_again_then_it_answers_with_the_same_lease(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let wish = vec![(batch[0].lease, LeaseId::new())];
    let first = c.isolate(wish.clone()).await;
    assert!(first[0].is_some());
    assert_eq!(c.isolate(wish.clone()).await, first);
    assert_eq!(c.isolate(wish).await, first, "the turn went up once");
    c.end(first[0].unwrap(), success(), Status::Success).await;
    assert_eq!(ids(&c.recall(batch[1].lease.batch).await), [batch[1].lease.task]);
}

async fn given_held_and_lost_tasks_when_isolated_then_by_position(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    c.end(batch[1].lease, success(), Status::Success).await;
    let wishes: Vec<_> = batch.iter().map(|task| (task.lease, LeaseId::new())).collect();
    let leases = c.isolate(wishes.clone()).await;
    assert_eq!(leases[0].unwrap().batch, wishes[0].1);
    assert_eq!(leases[1], None);
    assert_eq!(leases[2].unwrap().batch, wishes[2].1);
    assert_eq!(c.beat(&[wishes[1].1]).await.leases, [Pulse::Lost], "no lease of nothing");
    assert!(c.isolate(Vec::new()).await.is_empty());
}

async fn given_a_settled_task_when_isolated_then_none(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    c.end(batch[0].lease, retry(50), Status::Queued).await;
    let before = c.whole(batch[0].lease.task).await;
    assert_eq!(c.isolate(vec![(batch[0].lease, LeaseId::new())]).await, [None]);
    assert_eq!(c.whole(batch[0].lease.task).await, before);
    assert_eq!(c.take_due(at(50)).await.lease.task, batch[0].lease.task);
}

async fn given_a_task_under_a_stale_lease_when_isolated_then_none(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    c.end(batch[0].lease, release(), Status::Queued).await;
    let present = c.take_one().await;
    assert_eq!(c.isolate(vec![(batch[0].lease, LeaseId::new())]).await, [None]);
    c.end(present.lease, success(), Status::Success).await;
}

async fn given_a_suspect_when_isolated_and_lost_then_its_neighbours_lose_nothing(c: &Context) {
    c.ready(2).await;
    for task in c.take(2).await {
        c.end(task.lease, lost(), Status::Queued).await;
    }
    let batch = c.take(2).await;
    assert!(batch.iter().all(|task| task.suspect));
    let guilty = c.isolate_one(batch[0].lease).await;
    let taken = c.take_over(guilty.batch, RunnerId::new()).await;
    assert!(taken.alone);
    assert_eq!(ids(&taken.tasks), [guilty.task], "and nobody else");
    c.end(taken.tasks[0].lease, retry(5), Status::Queued).await;
    c.end(batch[1].lease, release(), Status::Queued).await;
    assert_eq!(c.task(guilty.task).await.attempts, 1);
    assert_eq!(c.task(batch[1].lease.task).await.attempts, 0);
}

async fn given_a_cancel_request_when_isolated_then_it_is_heard_under_the_lease_of_its_own(
    c: &Context,
) {
    let running = c.running().await;
    c.control(running.lease.task, cancel()).await;
    let alone = c.isolate_one(running.lease).await;
    assert!(c.beat(&[alone.batch]).await.cancel.contains(&alone.task));
    c.end(alone, retry(5), Status::Canceled).await;
}

async fn given_a_keyed_task_when_isolated_then_its_key_is_held(c: &Context) {
    let id = c.store(c.keyed_task("k").await).await;
    let running = c.take_one().await;
    let alone = c.isolate_one(running.lease).await;
    assert!(c.recall(alone.batch).await[0].keyed);
    assert_eq!(c.enqueue(&[c.keyed_task("k").await]).await, [Enqueued::Duplicate(id)]);
    c.end(alone, success(), Status::Success).await;
    assert_eq!(c.enqueue(&[c.keyed_task("k").await]).await, [Enqueued::Stored]);
}

async fn given_an_isolated_task_when_released_then_attempts_and_turn_are_right(c: &Context) {
    let running = c.running().await;
    let alone = c.isolate_one(running.lease).await;
    c.end(alone, release(), Status::Queued).await;
    let again = c.take_one().await;
    assert_eq!((again.lease.turn, again.attempts), (running.lease.turn + 2, 0));
}
