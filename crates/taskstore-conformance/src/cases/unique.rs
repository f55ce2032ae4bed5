//! Unique keys.

use std::slice;

use taskstore_core::{
    Status, TaskId, UniqueHash,
    backend::{Enqueued, Move, Outcome, Settle, Settlement, When},
};

use crate::context::{
    Context, at, cancel, canceled, failed, release, requeue, retry, secs, success,
};

cases! { "unique":
    given_a_held_key_when_enqueued_then_the_answer_names_the_holder
        ["unique.held" "enqueue.duplicate"];
    given_one_key_twice_in_a_request_when_enqueued_then_the_first_holds_it
        ["unique.held" "enqueue.duplicate" "answers.by_position"];
    given_other_keys_when_enqueued_then_nobody_waits ["unique.held"];
    given_a_task_that_waits_runs_or_is_paused_when_enqueued_then_it_holds_its_key
        ["unique.held"];
    given_a_task_that_goes_back_when_enqueued_then_it_holds_its_key ["unique.held"];
    given_any_end_when_enqueued_then_the_key_is_free ["unique.freed"];
    given_a_cancel_or_a_delete_of_a_waiting_task_when_enqueued_then_the_key_is_free
        ["unique.freed"];
    given_a_settlement_sent_again_when_another_holds_the_key_then_it_keeps_it
        ["unique.freed" "settle.again"];
    given_a_delete_of_an_ended_task_when_another_holds_the_key_then_it_keeps_it
        ["unique.freed"];
    given_a_requeue_when_made_then_the_key_is_taken_again ["unique.requeue"];
    given_a_requeue_when_another_holds_the_key_then_it_is_named_and_nothing_changes
        ["unique.requeue"];
    given_a_keyed_task_sent_again_when_it_holds_its_key_then_it_is_stored
        ["enqueue.again" "unique.held"];
    given_a_keyed_task_sent_again_when_another_holds_its_key_then_it_is_stored
        ["enqueue.again"];
    given_a_duplicate_when_sent_again_after_the_key_is_free_then_it_is_stored
        ["unique.freed" "enqueue.duplicate"];
    given_a_batch_of_keyed_tasks_when_settled_in_one_call_then_all_keys_are_free
        ["unique.freed"];
    given_a_take_over_when_enqueued_then_the_key_is_held ["unique.held"];
}

async fn holder(c: &Context, key: &str) -> Option<TaskId> {
    match c.enqueue(&[c.keyed_task(key).await]).await[..] {
        [Enqueued::Duplicate(holder)] => Some(holder),
        _ => None,
    }
}

async fn given_a_held_key_when_enqueued_then_the_answer_names_the_holder(c: &Context) {
    let id = c.store(c.keyed_task("k").await).await;
    let second = c.keyed_task("k").await;
    assert_eq!(c.enqueue(slice::from_ref(&second)).await, [Enqueued::Duplicate(id)]);
    assert!(c.backend().task(second.id).await.unwrap().is_none(), "it was stored");
    assert_eq!(c.take_one().await.lease.task, id);
    c.nothing_to_claim().await;
}

async fn given_one_key_twice_in_a_request_when_enqueued_then_the_first_holds_it(c: &Context) {
    let tasks = [
        c.keyed_task("a").await,
        c.new_task().await,
        c.keyed_task("a").await,
        c.keyed_task("b").await,
        c.keyed_task("a").await,
    ];
    let first = Enqueued::Duplicate(tasks[0].id);
    let expected = [Enqueued::Stored, Enqueued::Stored, first, Enqueued::Stored, first];
    assert_eq!(c.enqueue(&tasks).await, expected);
    c.take(3).await;
    c.nothing_to_claim().await;
}

async fn given_other_keys_when_enqueued_then_nobody_waits(c: &Context) {
    c.store(c.keyed_task("a").await).await;
    c.store(c.keyed_task("b").await).await;
    c.store(c.new_task().await).await;
    let mut near = c.new_task().await;
    let mut bits = c.keyed_task("a").await.unique.unwrap().0;
    bits[31] ^= 1;
    near.unique = Some(UniqueHash(bits));
    c.store(near).await;
    c.take(4).await;
}

async fn given_a_task_that_waits_runs_or_is_paused_when_enqueued_then_it_holds_its_key(
    c: &Context,
) {
    let mut task = c.keyed_task("k").await;
    task.when = When::After(secs(60));
    let id = c.store(task).await;
    assert_eq!(holder(c, "k").await, Some(id), "later");
    c.promote(1, at(60)).await;
    assert_eq!(holder(c, "k").await, Some(id), "ready");
    c.control(id, Move::Pause).await;
    assert_eq!(holder(c, "k").await, Some(id), "paused");
    c.control(id, Move::Resume).await;
    assert_eq!(holder(c, "k").await, Some(id), "resumed");
    c.promote(1, at(60)).await;
    c.take(1).await;
    assert_eq!(holder(c, "k").await, Some(id), "running");
}

async fn given_a_task_that_goes_back_when_enqueued_then_it_holds_its_key(c: &Context) {
    let id = c.store(c.keyed_task("k").await).await;
    for to in [release(), retry(0)] {
        let running = c.take_due(at(0)).await;
        assert!(running.keyed);
        c.end(running.lease, to, Status::Queued).await;
        assert_eq!(holder(c, "k").await, Some(id));
    }
}

async fn given_any_end_when_enqueued_then_the_key_is_free(c: &Context) {
    for to in [success(), failed("no"), canceled("no")] {
        c.store(c.keyed_task("k").await).await;
        let running = c.take_one().await;
        c.settle(running.lease, to).await;
    }
    c.store(c.keyed_task("k").await).await;
    let running = c.take_one().await;
    c.control(running.lease.task, cancel()).await;
    c.end(running.lease, retry(5), Status::Canceled).await;
    assert_eq!(holder(c, "k").await, None, "a retry that yielded");
}

async fn given_a_cancel_or_a_delete_of_a_waiting_task_when_enqueued_then_the_key_is_free(
    c: &Context,
) {
    for to in [cancel(), Move::Delete] {
        let waiting = c.store(c.keyed_task("k").await).await;
        c.control(waiting, to.clone()).await;
        let paused = c.store(c.keyed_task("k").await).await;
        c.control(paused, Move::Pause).await;
        c.control(paused, to.clone()).await;
        let mut later = c.keyed_task("k").await;
        later.when = When::After(secs(60));
        let later = c.store(later).await;
        c.control(later, to).await;
    }
    c.store(c.keyed_task("k").await).await;
}

async fn given_a_settlement_sent_again_when_another_holds_the_key_then_it_keeps_it(c: &Context) {
    c.store(c.keyed_task("k").await).await;
    let first = c.take_one().await;
    c.end(first.lease, success(), Status::Success).await;
    let second = c.store(c.keyed_task("k").await).await;
    c.changes_nothing(first.lease).await;
    assert_eq!(holder(c, "k").await, Some(second));
}

async fn given_a_delete_of_an_ended_task_when_another_holds_the_key_then_it_keeps_it(c: &Context) {
    let first = c.store(c.keyed_task("k").await).await;
    c.control(first, cancel()).await;
    let second = c.store(c.keyed_task("k").await).await;
    c.refuses(first, cancel()).await;
    c.control(first, Move::Delete).await;
    c.control(first, Move::Restore).await;
    assert_eq!(holder(c, "k").await, Some(second));
}

async fn given_a_requeue_when_made_then_the_key_is_taken_again(c: &Context) {
    let id = c.store(c.keyed_task("k").await).await;
    c.end(c.take_one().await.lease, success(), Status::Success).await;
    let moved = Outcome::Moved { from: Status::Success, to: Status::Queued };
    assert_eq!(c.control(id, requeue()).await, moved);
    assert_eq!(holder(c, "k").await, Some(id));
    let again = c.take_one().await;
    assert!(again.keyed);
    c.end(again.lease, success(), Status::Success).await;
    assert_eq!(holder(c, "k").await, None);
}

async fn given_a_requeue_when_another_holds_the_key_then_it_is_named_and_nothing_changes(
    c: &Context,
) {
    let first = c.store(c.keyed_task("k").await).await;
    c.control(first, cancel()).await;
    let second = c.store(c.keyed_task("k").await).await;
    let before = c.whole(first).await;
    assert_eq!(c.control_at(first, requeue(), at(9)).await, Outcome::KeyHeldBy(second));
    assert_eq!(c.whole(first).await, before);
    assert_eq!(c.take_one().await.lease.task, second);
    c.nothing_to_claim().await;
}

async fn given_a_keyed_task_sent_again_when_it_holds_its_key_then_it_is_stored(c: &Context) {
    let task = c.keyed_task("k").await;
    c.store(task.clone()).await;
    c.store(task.clone()).await;
    let both = [task.clone(), c.keyed_task("k").await];
    assert_eq!(c.enqueue(&both).await, [Enqueued::Stored, Enqueued::Duplicate(task.id)]);
    c.take(1).await;
    c.nothing_to_claim().await;
}

async fn given_a_keyed_task_sent_again_when_another_holds_its_key_then_it_is_stored(c: &Context) {
    let task = c.keyed_task("k").await;
    c.store(task.clone()).await;
    c.control(task.id, cancel()).await;
    let second = c.store(c.keyed_task("k").await).await;
    assert_eq!(c.enqueue(&[task]).await, [Enqueued::Stored], "whatever became of it");
    assert_eq!(c.take_one().await.lease.task, second);
    c.nothing_to_claim().await;
}

async fn given_a_duplicate_when_sent_again_after_the_key_is_free_then_it_is_stored(c: &Context) {
    let first = c.store(c.keyed_task("k").await).await;
    let second = c.keyed_task("k").await;
    assert_eq!(c.enqueue(slice::from_ref(&second)).await, [Enqueued::Duplicate(first)]);
    c.control(first, cancel()).await;
    assert_eq!(c.enqueue(slice::from_ref(&second)).await, [Enqueued::Stored]);
    assert_eq!(c.take_one().await.lease.task, second.id);
}

async fn given_a_batch_of_keyed_tasks_when_settled_in_one_call_then_all_keys_are_free(c: &Context) {
    for key in ["c", "a", "b"] {
        c.store(c.keyed_task(key).await).await;
    }
    let batch = c.take(3).await;
    let all = batch.iter().map(|task| Settlement::new(task.lease, success())).collect();
    c.settle_all(&Settle::new(all).at(at(0))).await;
    for key in ["a", "b", "c"] {
        assert_eq!(holder(c, key).await, None, "{key}");
    }
}

async fn given_a_take_over_when_enqueued_then_the_key_is_held(c: &Context) {
    let id = c.store(c.keyed_task("k").await).await;
    let running = c.take_one().await;
    let taken = c.take_over(running.lease.batch, c.runner).await;
    assert!(taken.tasks[0].keyed);
    assert_eq!(holder(c, "k").await, Some(id));
    c.end(taken.tasks[0].lease, success(), Status::Success).await;
    assert_eq!(holder(c, "k").await, None);
}
