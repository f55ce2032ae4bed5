//! Tasks on their way in.

use std::time::Duration;

use taskstore_core::{
    DefinitionId, DefinitionStatus, Error, Status, TaskId,
    backend::{Enqueue, Enqueued, NewTask, When},
    clock,
    limits::{ATTEMPTS_MAX, DELAY_MAX},
};

use crate::context::{Context, at, ids, json, queue, secs, success};

cases! { "enqueue":
    given_a_task_for_now_when_enqueued_then_it_is_ready_and_all_it_was_given_is_kept
        ["enqueue.stored" "look.task"];
    given_defaults_when_enqueued_then_the_record_shows_them ["enqueue.stored" "look.task"];
    given_a_delay_when_enqueued_then_it_is_queued_but_not_claimed ["enqueue.later"];
    given_a_time_to_come_when_enqueued_then_it_waits_for_it ["enqueue.later"];
    given_a_time_that_has_passed_when_enqueued_then_it_is_ready_at_once ["enqueue.past"];
    given_the_longest_delay_when_enqueued_then_its_time_is_exact ["enqueue.later" "input.limits"];
    given_no_time_when_enqueued_then_the_engine_stamps_its_own ["time.engine"];
    given_a_stored_task_when_sent_again_then_it_answers_stored_and_is_there_once
        ["enqueue.again"];
    given_an_ended_task_when_sent_again_then_it_stays_ended ["enqueue.again"];
    given_a_running_task_when_sent_again_then_its_holder_keeps_it ["enqueue.again"];
    given_a_half_known_request_when_sent_again_then_only_the_rest_is_stored
        ["enqueue.again" "answers.by_position"];
    given_one_id_twice_in_a_request_when_enqueued_then_it_is_stored_once ["enqueue.again"];
    given_an_unknown_definition_when_enqueued_then_nothing_of_the_request_is_stored
        ["enqueue.whole" "enqueue.definition"];
    given_a_deleted_definition_when_enqueued_then_it_is_not_found ["enqueue.definition"];
    given_a_canceled_definition_when_enqueued_then_it_is_refused_by_name
        ["enqueue.definition" "enqueue.whole"];
    given_no_tasks_when_enqueued_then_no_answers ["answers.by_position"];
    given_a_thousand_tasks_when_enqueued_then_all_are_claimed_in_their_order
        ["enqueue.stored" "claim.order"];
}

async fn given_a_task_for_now_when_enqueued_then_it_is_ready_and_all_it_was_given_is_kept(
    c: &Context,
) {
    let mut task = c.new_task().await;
    task.queue = queue("mail");
    task.parameters = json(r#"{"to": "me",  "n": 1.50}"#);
    task.priority = -7;
    task.max_attempts = Some(3);
    let id = c.store(task).await;
    let seen = c.task(id).await;
    assert_eq!(seen.id, id);
    assert_eq!(seen.status, Status::Queued);
    assert_eq!(seen.queue, queue("mail"));
    assert_eq!(seen.definition, c.definition().await.id);
    assert_eq!(seen.alias, c.definition().await.alias);
    assert_eq!(seen.parameters.get(), r#"{"to": "me",  "n": 1.50}"#, "byte by byte");
    assert_eq!(seen.priority, -7);
    assert_eq!(seen.max_attempts, Some(3));
    assert_eq!((seen.run_at, seen.created_at, seen.updated_at), (at(0), at(0), at(0)));
}

async fn given_defaults_when_enqueued_then_the_record_shows_them(c: &Context) {
    let id = c.ready(1).await[0];
    let seen = c.task(id).await;
    assert_eq!((seen.attempts, seen.max_attempts, seen.priority), (0, None, 0));
    assert_eq!(seen.queue, queue("default"));
    assert!(!seen.suspect);
    assert_eq!((seen.started_at, seen.completed_at, seen.deleted_at), (None, None, None));
    assert_eq!((seen.cancel_requested_at, seen.held_by), (None, None));
    assert_eq!((seen.last_error, seen.progress), (None, None));
    assert!(seen.output.is_none());
    assert!(c.attempts(id).await.is_empty());
    assert!(c.log(id).await.is_empty());
}

async fn given_a_delay_when_enqueued_then_it_is_queued_but_not_claimed(c: &Context) {
    let id = c.later(60).await;
    let seen = c.task(id).await;
    assert_eq!((seen.status, seen.run_at), (Status::Queued, at(60)));
    c.nothing_to_claim().await;
    assert_eq!(c.take_due(at(60)).await.lease.task, id);
}

async fn given_a_time_to_come_when_enqueued_then_it_waits_for_it(c: &Context) {
    let mut task = c.new_task().await;
    let to_come = at(90) + Duration::from_micros(1);
    task.when = When::At(to_come);
    let id = c.store(task).await;
    assert_eq!(c.task(id).await.run_at, to_come, "to the microsecond");
    c.promote(10, at(90)).await;
    c.nothing_to_claim_at(at(90)).await;
    let taken = c.take_due(to_come).await;
    assert_eq!((taken.lease.task, taken.run_at), (id, to_come));
}

async fn given_a_time_that_has_passed_when_enqueued_then_it_is_ready_at_once(c: &Context) {
    let mut tasks = c.new_tasks(3).await;
    tasks[0].when = When::At(at(-3_600));
    tasks[1].when = When::At(at(0));
    tasks[2].when = When::After(Duration::ZERO);
    c.enqueue(&tasks).await;
    for task in c.take(3).await {
        assert!(task.run_at <= at(0), "{}", task.run_at);
    }
}

async fn given_the_longest_delay_when_enqueued_then_its_time_is_exact(c: &Context) {
    let mut task = c.new_task().await;
    task.when = When::After(DELAY_MAX);
    task.max_attempts = Some(ATTEMPTS_MAX);
    let id = c.store(task).await;
    let seen = c.task(id).await;
    assert_eq!(seen.run_at, clock::add(at(0), DELAY_MAX));
    assert_eq!(seen.max_attempts, Some(ATTEMPTS_MAX));
    assert_eq!(c.promote(10, at(0)).await.due_in, Some(DELAY_MAX));
}

async fn given_no_time_when_enqueued_then_the_engine_stamps_its_own(c: &Context) {
    let mut tasks = c.new_tasks(2).await;
    tasks[1].when = When::After(secs(3_600));
    let answers = c.backend().enqueue(&Enqueue::new(&tasks)).await.unwrap();
    assert_eq!(answers, [Enqueued::Stored; 2]);
    let (due, delayed) = (c.task(tasks[0].id).await, c.task(tasks[1].id).await);
    let off = (clock::now() - due.created_at).abs();
    assert!(off < secs(600), "the engine's clock is {off} off");
    assert_eq!(due.run_at, due.created_at);
    assert_eq!(due.created_at, delayed.created_at, "one time for the transaction");
    assert_eq!(delayed.run_at, delayed.created_at + secs(3_600));
}

async fn given_a_stored_task_when_sent_again_then_it_answers_stored_and_is_there_once(c: &Context) {
    let mut task = c.new_task().await;
    let id = c.store(task.clone()).await;
    let before = c.whole(id).await;
    task.priority = 9;
    task.parameters = json("[1]");
    task.when = When::After(secs(9));
    assert_eq!(c.enqueue_at(&[task], at(5)).await, [Enqueued::Stored]);
    assert_eq!(c.whole(id).await, before);
    c.promote(10, at(100)).await;
    assert_eq!(ids(&c.take(1).await), [id]);
    c.nothing_to_claim().await;
}

async fn given_an_ended_task_when_sent_again_then_it_stays_ended(c: &Context) {
    let task = c.new_task().await;
    let id = c.store(task.clone()).await;
    let taken = c.take_one().await;
    c.end(taken.lease, success(), Status::Success).await;
    let before = c.whole(id).await;
    assert_eq!(c.enqueue_at(&[task], at(9)).await, [Enqueued::Stored]);
    assert_eq!(c.whole(id).await, before);
    c.nothing_to_claim().await;
}

async fn given_a_running_task_when_sent_again_then_its_holder_keeps_it(c: &Context) {
    let task = c.new_task().await;
    c.store(task.clone()).await;
    let taken = c.take_one().await;
    assert_eq!(c.enqueue_at(&[task], at(9)).await, [Enqueued::Stored]);
    c.nothing_to_claim().await;
    c.end(taken.lease, success(), Status::Success).await;
}

async fn given_a_half_known_request_when_sent_again_then_only_the_rest_is_stored(c: &Context) {
    let tasks = c.new_tasks(4).await;
    c.enqueue(&[tasks[1].clone(), tasks[3].clone()]).await;
    assert_eq!(c.enqueue(&tasks).await, [Enqueued::Stored; 4]);
    let mut taken = ids(&c.take(4).await);
    taken.sort();
    assert_eq!(taken, tasks.iter().map(|task| task.id).collect::<Vec<_>>());
    c.nothing_to_claim().await;
}

async fn given_one_id_twice_in_a_request_when_enqueued_then_it_is_stored_once(c: &Context) {
    let task = c.new_task().await;
    assert_eq!(c.enqueue(&[task.clone(), task]).await, [Enqueued::Stored; 2]);
    c.take(1).await;
    c.nothing_to_claim().await;
}

async fn given_an_unknown_definition_when_enqueued_then_nothing_of_the_request_is_stored(
    c: &Context,
) {
    let good = c.keyed_task("k").await;
    let bad = NewTask::new(DefinitionId::new(), json("{}"));
    let request = [good.clone(), bad, c.new_task().await];
    let error = c.try_enqueue(&request, at(0)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    nothing_stored(c, &request).await;
    assert_eq!(c.enqueue(&[c.keyed_task("k").await]).await, [Enqueued::Stored], "the key is free");
}

async fn given_a_deleted_definition_when_enqueued_then_it_is_not_found(c: &Context) {
    let was = c.define("gone").await;
    let mut gone = was.clone();
    gone.deleted_at = Some(at(0));
    c.change_definition(&gone, &was).await;
    let request = [c.new_task().await, NewTask::new(gone.id, json("{}"))];
    let error = c.try_enqueue(&request, at(0)).await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error}");
    nothing_stored(c, &request).await;
}

async fn given_a_canceled_definition_when_enqueued_then_it_is_refused_by_name(c: &Context) {
    let was = c.define("off").await;
    let mut off = was.clone();
    off.status = DefinitionStatus::Canceled;
    c.change_definition(&off, &was).await;
    let request = [c.new_task().await, NewTask::new(off.id, json("{}"))];
    let error = c.try_enqueue(&request, at(0)).await.unwrap_err();
    assert!(matches!(error, Error::Invalid { field: "task definition", .. }), "{error}");
    nothing_stored(c, &request).await;
}

async fn given_no_tasks_when_enqueued_then_no_answers(c: &Context) {
    assert_eq!(c.enqueue(&[]).await, []);
}

async fn given_a_thousand_tasks_when_enqueued_then_all_are_claimed_in_their_order(c: &Context) {
    let all = c.ready(1_000).await;
    assert_eq!(ids(&c.take(1_000).await), all);
    c.nothing_to_claim().await;
}

async fn nothing_stored(c: &Context, request: &[NewTask]) {
    let all: Vec<TaskId> = request.iter().map(|task| task.id).collect();
    for id in all {
        assert!(c.backend().task(id).await.unwrap().is_none(), "{id} was stored");
    }
    c.nothing_to_claim().await;
}
