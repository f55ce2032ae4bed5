//! Cancel and cancel requests.

use taskstore_core::{
    Status, TaskId,
    backend::{Enqueued, Fate, Move, Outcome, Settle, Settlement},
};

use crate::context::{
    Context, at, cancel, canceled, failed, lost, output, release, requeue, retry, snooze, success,
};

cases! { "cancel":
    given_a_ready_task_when_canceled_then_it_is_over_and_says_why
        ["cancel.waiting" "look.last_error"];
    given_a_delayed_task_when_canceled_then_its_time_never_comes ["cancel.waiting"];
    given_a_paused_task_when_canceled_then_it_is_over ["cancel.waiting"];
    given_a_running_task_when_canceled_then_its_holder_hears_it
        ["cancel.requested" "cancel.heard"];
    given_a_request_when_asked_again_then_it_is_there_already ["cancel.requested"];
    given_requests_when_a_lease_beats_then_it_hears_all_of_its_own ["cancel.heard"];
    given_a_request_when_a_retry_is_settled_then_the_task_ends_canceled ["cancel.yields"];
    given_a_request_when_a_snooze_or_a_release_is_settled_then_the_task_ends_canceled
        ["cancel.yields" "retry.refunded"];
    given_a_request_when_the_lease_was_lost_then_the_task_ends_canceled ["cancel.yields"];
    given_a_request_when_the_handler_succeeds_then_the_success_stands ["cancel.end_stands"];
    given_a_request_when_the_handler_fails_for_good_then_the_failure_stands
        ["cancel.end_stands"];
    given_a_request_when_one_of_a_batch_yields_then_the_others_do_not
        ["cancel.yields" "answers.by_position"];
    given_a_request_when_the_claim_has_ended_then_it_is_cleared ["cancel.cleared"];
    given_a_request_when_the_task_is_claimed_with_others_then_only_it_is_named
        ["cancel.heard" "cancel.requested"];
    given_a_request_when_made_then_neither_turn_nor_lease_change ["turn.when" "cancel.requested"];
    given_an_ended_task_when_canceled_then_refused ["control.refused"];
    given_no_such_task_when_canceled_then_missing ["control.missing"];
    given_many_tasks_when_canceled_in_one_call_then_by_position ["answers.by_position"];
    given_a_canceled_waiting_task_when_requeued_then_the_turn_counts_both ["turn.when"];
    given_a_canceled_task_when_looked_at_then_no_attempt_was_charged ["cancel.waiting"];
}

const CANCELED: Outcome = Outcome::Moved { from: Status::Queued, to: Status::Canceled };

async fn given_a_ready_task_when_canceled_then_it_is_over_and_says_why(c: &Context) {
    let id = c.ready(1).await[0];
    assert_eq!(c.control_at(id, cancel(), at(4)).await, CANCELED);
    let seen = c.task(id).await;
    assert_eq!((seen.status, seen.completed_at), (Status::Canceled, Some(at(4))));
    assert_eq!(seen.last_error.as_deref(), Some("not needed"));
    assert_eq!((seen.updated_at, seen.cancel_requested_at), (at(4), None));
    c.nothing_to_claim().await;
}

async fn given_a_delayed_task_when_canceled_then_its_time_never_comes(c: &Context) {
    let id = c.later(60).await;
    assert_eq!(c.control(id, cancel()).await, CANCELED);
    let promoted = c.promote(10, at(60)).await;
    assert_eq!((promoted.moved, promoted.due_in), (0, None));
    c.nothing_to_claim_at(at(60)).await;
}

async fn given_a_paused_task_when_canceled_then_it_is_over(c: &Context) {
    let id = c.ready(1).await[0];
    c.control(id, Move::Pause).await;
    let moved = Outcome::Moved { from: Status::Paused, to: Status::Canceled };
    assert_eq!(c.control(id, cancel()).await, moved);
    c.refuses(id, Move::Resume).await;
    c.nothing_to_claim().await;
}

async fn given_a_running_task_when_canceled_then_its_holder_hears_it(c: &Context) {
    let running = c.running().await;
    let id = running.lease.task;
    assert!(!c.beat(&[running.lease.batch]).await.cancel.contains(&id));
    assert_eq!(c.control_at(id, cancel(), at(3)).await, Outcome::Requested);
    assert!(c.beat(&[running.lease.batch]).await.cancel.contains(&id));
    assert!(c.beat(&[running.lease.batch]).await.cancel.contains(&id), "until it has ended");
    let seen = c.task(id).await;
    assert_eq!((seen.status, seen.cancel_requested_at), (Status::Running, Some(at(3))));
}

async fn given_a_request_when_asked_again_then_it_is_there_already(c: &Context) {
    let running = c.running().await;
    for seconds in 1..4 {
        let outcome = c.control_at(running.lease.task, cancel(), at(seconds)).await;
        assert_eq!(outcome, Outcome::Requested);
    }
    let asked = c.task(running.lease.task).await.cancel_requested_at;
    assert_eq!(asked, Some(at(1)), "since when it was asked for");
    c.end(running.lease, release(), Status::Canceled).await;
}

async fn given_requests_when_a_lease_beats_then_it_hears_all_of_its_own(c: &Context) {
    c.ready(5).await;
    let (batch, other) = (c.take(3).await, c.take(2).await);
    let asked = [batch[0].lease.task, batch[2].lease.task, other[1].lease.task];
    let outcomes =
        c.control_all(&taskstore_core::backend::Control::new(asked.to_vec(), cancel())).await;
    assert_eq!(outcomes, [Outcome::Requested; 3]);
    let heard = c.beat(&[batch[0].lease.batch]).await.cancel;
    assert!(heard.contains(&asked[0]) && heard.contains(&asked[1]));
    assert!(heard.iter().all(|id| asked.contains(id)), "nobody asked for the others");
    let heard = c.beat(&[other[0].lease.batch, batch[0].lease.batch]).await.cancel;
    assert!(asked.iter().all(|id| heard.contains(id)), "of all leases asked about");
}

async fn given_a_request_when_a_retry_is_settled_then_the_task_ends_canceled(c: &Context) {
    let running = c.running().await;
    c.control(running.lease.task, cancel()).await;
    c.end_at(running.lease, retry(5), Status::Canceled, at(2)).await;
    let seen = c.task(running.lease.task).await;
    assert_eq!(seen.attempts, 1, "counted, as the transition says");
    assert_eq!(seen.last_error.as_deref(), Some("it failed"));
    assert_eq!((seen.completed_at, seen.cancel_requested_at), (Some(at(2)), None));
    c.promote(10, at(99)).await;
    c.nothing_to_claim_at(at(99)).await;
}

async fn given_a_request_when_a_snooze_or_a_release_is_settled_then_the_task_ends_canceled(
    c: &Context,
) {
    for to in [snooze(5), release()] {
        let running = c.running().await;
        c.control(running.lease.task, cancel()).await;
        c.end(running.lease, to, Status::Canceled).await;
        assert_eq!(c.task(running.lease.task).await.attempts, 0, "refunded");
    }
    c.promote(10, at(99)).await;
    c.nothing_to_claim_at(at(99)).await;
}

async fn given_a_request_when_the_lease_was_lost_then_the_task_ends_canceled(c: &Context) {
    let running = c.running().await;
    c.control(running.lease.task, cancel()).await;
    let taken = c.take_over(running.lease.batch, c.runner).await;
    c.end(taken.tasks[0].lease, lost(), Status::Canceled).await;
    let seen = c.task(running.lease.task).await;
    assert_eq!((seen.attempts, seen.suspect), (0, false), "ended tasks are never suspect");
}

async fn given_a_request_when_the_handler_succeeds_then_the_success_stands(c: &Context) {
    let running = c.running().await;
    c.control(running.lease.task, cancel()).await;
    c.end(running.lease, output("7"), Status::Success).await;
    let seen = c.task(running.lease.task).await;
    assert_eq!((seen.output.unwrap().get(), seen.cancel_requested_at), ("7", None));
}

async fn given_a_request_when_the_handler_fails_for_good_then_the_failure_stands(c: &Context) {
    for (to, status) in [(failed("no"), Status::Failed), (canceled("inside"), Status::Canceled)] {
        let running = c.running().await;
        c.control(running.lease.task, cancel()).await;
        c.end(running.lease, to, status).await;
        assert_eq!(c.task(running.lease.task).await.cancel_requested_at, None);
    }
}

async fn given_a_request_when_one_of_a_batch_yields_then_the_others_do_not(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    c.control(batch[1].lease.task, cancel()).await;
    let all = batch.iter().map(|task| Settlement::new(task.lease, release())).collect();
    let request = Settle::new(all).at(at(0));
    let fates = c.settle_all(&request).await.fates;
    let applied = |status| Fate::Applied { status };
    let expected = [Status::Queued, Status::Canceled, Status::Queued].map(applied);
    assert_eq!(fates, expected);
    assert_eq!(c.settle_all(&request).await.fates, expected, "sent again");
    c.take(2).await;
}

async fn given_a_request_when_the_claim_has_ended_then_it_is_cleared(c: &Context) {
    let running = c.running().await;
    let id = running.lease.task;
    c.control(id, cancel()).await;
    c.end(running.lease, success(), Status::Success).await;
    c.control(id, requeue()).await;
    let again = c.take_one().await;
    assert_eq!(c.task(id).await.cancel_requested_at, None);
    assert!(!c.beat(&[again.lease.batch]).await.cancel.contains(&id));
    c.end(again.lease, retry(5), Status::Queued).await;
}

async fn given_a_request_when_the_task_is_claimed_with_others_then_only_it_is_named(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    c.control(batch[1].lease.task, cancel()).await;
    let heard = c.beat(&[batch[0].lease.batch]).await.cancel;
    assert_eq!(heard, [batch[1].lease.task]);
    assert_eq!(c.task(batch[0].lease.task).await.cancel_requested_at, None);
}

async fn given_a_request_when_made_then_neither_turn_nor_lease_change(c: &Context) {
    let running = c.running().await;
    c.control(running.lease.task, cancel()).await;
    assert_eq!(c.recall(running.lease.batch).await[0].lease, running.lease);
    c.end(running.lease, success(), Status::Success).await;
}

async fn given_an_ended_task_when_canceled_then_refused(c: &Context) {
    for to in [success(), failed("no"), canceled("inside")] {
        let running = c.running().await;
        c.settle(running.lease, to).await;
        c.refuses(running.lease.task, cancel()).await;
    }
}

async fn given_no_such_task_when_canceled_then_missing(c: &Context) {
    for to in [cancel(), requeue(), Move::Pause, Move::Resume, Move::Delete, Move::Restore] {
        assert_eq!(c.control(TaskId::new(), to).await, Outcome::Missing);
    }
}

async fn given_many_tasks_when_canceled_in_one_call_then_by_position(c: &Context) {
    let running = c.running().await.lease.task;
    let ended = c.running().await.lease;
    c.end(ended, success(), Status::Success).await;
    let (ready, later) = (c.ready(1).await[0], c.later(9).await);
    let asked = vec![later, ended.task, TaskId::new(), running, ready];
    let control = taskstore_core::backend::Control::new(asked, cancel()).at(at(1));
    let expected = [
        CANCELED,
        Outcome::Refused(Status::Success),
        Outcome::Missing,
        Outcome::Requested,
        CANCELED,
    ];
    assert_eq!(c.control_all(&control).await, expected);
    let none = taskstore_core::backend::Control::new(Vec::new(), cancel());
    assert!(c.control_all(&none).await.is_empty());
}

async fn given_a_canceled_waiting_task_when_requeued_then_the_turn_counts_both(c: &Context) {
    let first = c.running().await;
    c.end(first.lease, release(), Status::Queued).await;
    c.control(first.lease.task, cancel()).await;
    c.control(first.lease.task, requeue()).await;
    let again = c.take_one().await;
    assert_eq!(again.lease.turn, first.lease.turn + 3, "a release, a cancel, a requeue");
}

async fn given_a_canceled_task_when_looked_at_then_no_attempt_was_charged(c: &Context) {
    let id = c.store(c.keyed_task("k").await).await;
    c.control(id, cancel()).await;
    let seen = c.task(id).await;
    assert_eq!((seen.attempts, seen.started_at), (0, None));
    assert!(c.attempts(id).await.is_empty(), "it was none");
    assert_eq!(c.enqueue(&[c.keyed_task("k").await]).await, [Enqueued::Stored]);
}
