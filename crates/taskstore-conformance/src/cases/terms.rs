//! What is agreed on at enqueue about a task's run: by when it must begin, and how long it may take.
//! An engine keeps and tells it; what follows from it is core's.

use std::time::Duration;

use taskstore_core::{
    Status, TaskId,
    backend::{
        AttemptIs, Claim, LeasedTask, Move, NewTask, Requeue, Run, Settle, Settlement, StartBy,
        Transition, When,
    },
    clock,
    limits::DELAY_MAX,
};
use time::UtcDateTime;

use crate::context::{Context, at, cancel, json, release, requeue, retry, secs, success};

cases! { "terms":
    given_a_task_that_expires_when_claimed_then_the_claim_says_how_long_it_may_wait
        ["terms.start_by" "look.task"];
    given_a_task_that_has_expired_when_claimed_then_the_claim_says_zero ["terms.start_by"];
    given_a_settle_with_a_claim_when_it_takes_a_task_that_expires_then_it_says_so
        ["terms.start_by" "settle.then_claim"];
    given_a_task_that_expires_when_recalled_or_taken_over_then_it_is_told_again
        ["terms.start_by" "claim.recall" "take_over.changes_nothing"];
    given_an_expiry_without_a_time_when_enqueued_then_it_counts_from_the_engines_clock
        ["terms.start_by" "time.engine"];
    given_the_longest_terms_when_stored_then_they_are_exact
        ["terms.start_by" "terms.timeout" "input.limits"];
    given_a_task_that_has_begun_once_when_retried_then_it_expires_no_longer ["terms.begun"];
    given_a_task_that_never_began_when_released_then_it_still_expires ["terms.begun"];
    given_a_task_that_waits_for_its_time_when_it_expires_then_nothing_becomes_of_it_by_itself
        ["terms.start_by" "enqueue.later"];
    given_a_task_that_is_paused_and_resumed_when_claimed_then_it_expires_as_before
        ["terms.start_by" "control.only_what_it_means"];
    given_a_requeue_when_claimed_then_the_task_expires_no_longer_and_keeps_its_time_out
        ["terms.requeue" "terms.timeout"];
    given_a_requeue_with_other_parameters_when_claimed_then_the_task_expires_no_longer
        ["terms.requeue" "requeue.parameters"];
    given_a_refused_requeue_when_looked_at_then_the_expiry_is_there
        ["terms.requeue" "control.refused"];
    given_a_discarded_task_when_looked_at_then_it_is_canceled_and_no_attempt_is_charged
        ["terms.discarded" "look.last_error"];
    given_a_keyed_task_when_discarded_then_its_key_is_free ["terms.discarded" "unique.freed"];
    given_discarded_and_finished_tasks_when_settled_in_one_call_then_each_counts_by_itself
        ["terms.discarded" "answers.by_position"];
    given_a_task_with_a_time_out_when_claimed_then_the_claim_carries_it ["terms.timeout"];
    given_a_task_with_a_time_out_when_it_moves_about_then_it_keeps_it
        ["terms.timeout" "control.only_what_it_means"];
    given_a_task_without_terms_when_claimed_then_it_has_none ["terms.start_by" "terms.timeout"];
}

const MICROSECOND: Duration = Duration::from_micros(1);

/// A task that must begin within ten seconds of `at(0)`.
async fn expiring(c: &Context) -> NewTask {
    let mut task = c.new_task().await;
    task.expires = Some(When::After(secs(10)));
    task
}

fn by(when: UtcDateTime, within: Duration) -> Option<StartBy> {
    Some(StartBy { at: when, within })
}

/// The attempt's end, after its handler has run.
fn ran(task: &LeasedTask, to: Transition) -> Settlement {
    let mut end = Settlement::new(task.lease, to);
    end.run = Some(Run { started_after: MICROSECOND, ran_for: MICROSECOND });
    end
}

fn discard() -> Transition {
    let reason = "expired: not started in time".to_owned();
    Transition::Canceled { reason, attempt: AttemptIs::Refunded }
}

async fn given_a_task_that_expires_when_claimed_then_the_claim_says_how_long_it_may_wait(
    c: &Context,
) {
    let mut at_a_time = c.new_task().await;
    at_a_time.expires = Some(When::At(at(60)));
    let relative = c.store(expiring(c).await).await;
    let absolute = c.store(at_a_time).await;
    assert_eq!(c.task(relative).await.expires_at, Some(at(10)));
    assert_eq!(c.task(absolute).await.expires_at, Some(at(60)));
    let taken = c.take_at(2, at(4)).await;
    assert_eq!(taken[0].start_by, by(at(10), secs(6)));
    assert_eq!(taken[1].start_by, by(at(60), secs(56)));
    assert_eq!(c.task(relative).await.expires_at, Some(at(10)), "it is shown while it runs");
}

async fn given_a_task_that_has_expired_when_claimed_then_the_claim_says_zero(c: &Context) {
    let id = c.store(expiring(c).await).await;
    let mut long_ago = c.new_task().await;
    long_ago.expires = Some(When::At(at(-60)));
    let long_ago = c.store(long_ago).await;
    assert_eq!(c.status(id).await, Status::Queued, "an engine decides nothing");
    let taken = c.take_at(2, at(10)).await;
    assert_eq!(taken[0].start_by, by(at(10), Duration::ZERO), "at that very time it is too late");
    assert_eq!(taken[1].start_by, by(at(-60), Duration::ZERO));
    assert_eq!((taken[0].lease.task, taken[1].lease.task), (id, long_ago));
}

async fn given_a_settle_with_a_claim_when_it_takes_a_task_that_expires_then_it_says_so(
    c: &Context,
) {
    let first = c.running().await;
    c.store(expiring(c).await).await;
    let settle = Settle::new(vec![Settlement::new(first.lease, success())]);
    let settled = c.settle_all(&settle.then(c.claim_of(1).at(at(3))).at(at(3))).await;
    let tasks = settled.claimed.map(|claimed| claimed.tasks).unwrap_or_default();
    assert_eq!(tasks[0].start_by, by(at(10), secs(7)));
}

async fn given_a_task_that_expires_when_recalled_or_taken_over_then_it_is_told_again(c: &Context) {
    let mut task = expiring(c).await;
    task.timeout = Some(secs(5));
    c.store(task).await;
    let taken = c.take_one().await;
    // By the engine's own clock, which is far beyond.
    let recalled = c.recall(taken.lease.batch).await;
    assert_eq!(recalled[0].start_by, by(at(10), Duration::ZERO));
    assert_eq!(recalled[0].timeout, Some(secs(5)));
    let over = c.take_over(taken.lease.batch, c.runner).await;
    assert_eq!(over.tasks[0].start_by, by(at(10), Duration::ZERO));
    assert_eq!(over.tasks[0].timeout, Some(secs(5)));
}

async fn given_an_expiry_without_a_time_when_enqueued_then_it_counts_from_the_engines_clock(
    c: &Context,
) {
    let mut task = c.new_task().await;
    task.expires = Some(When::After(secs(7_200)));
    let id = task.id;
    let request = taskstore_core::backend::Enqueue::new(std::slice::from_ref(&task));
    crate::context::ok("enqueue", c.backend().enqueue(&request).await);
    let seen = c.task(id).await;
    assert_eq!(seen.expires_at, Some(seen.created_at + secs(7_200)));
    let claim = Claim::new(c.runner, [seen.queue], 1);
    let taken = c.claim(&claim).await.tasks;
    let within = taken[0].start_by.map(|start_by| start_by.within).unwrap_or_default();
    assert!(within <= secs(7_200) && within > secs(6_600), "{within:?}");
}

async fn given_the_longest_terms_when_stored_then_they_are_exact(c: &Context) {
    let mut task = c.new_task().await;
    task.expires = Some(When::After(DELAY_MAX));
    task.timeout = Some(DELAY_MAX);
    let mut short = c.new_task().await;
    short.expires = Some(When::At(at(0) + MICROSECOND));
    short.timeout = Some(MICROSECOND);
    let id = c.store(task).await;
    let short = c.store(short).await;
    let seen = c.task(id).await;
    assert_eq!(
        (seen.expires_at, seen.timeout),
        (Some(clock::add(at(0), DELAY_MAX)), Some(DELAY_MAX))
    );
    assert_eq!(c.task(short).await.timeout, Some(MICROSECOND));
    let taken = c.take(2).await;
    assert_eq!(taken[0].start_by, by(clock::add(at(0), DELAY_MAX), DELAY_MAX));
    assert_eq!(taken[0].timeout, Some(DELAY_MAX));
    assert_eq!(taken[1].start_by, by(at(0) + MICROSECOND, MICROSECOND));
}

async fn given_a_task_that_has_begun_once_when_retried_then_it_expires_no_longer(c: &Context) {
    let id = c.store(expiring(c).await).await;
    let first = c.take_one().await;
    assert!(first.start_by.is_some());
    c.end_one(ran(&first, retry(1)), Status::Queued, at(1)).await;
    let again = c.take_due(at(60)).await;
    assert_eq!((again.lease.task, again.start_by), (id, None));
    assert_eq!(c.recall(again.lease.batch).await[0].start_by, None);
    assert_eq!(c.task(id).await.expires_at, Some(at(10)), "it is still shown");
}

async fn given_a_task_that_never_began_when_released_then_it_still_expires(c: &Context) {
    c.store(expiring(c).await).await;
    let first = c.take_one().await;
    c.end(first.lease, release(), Status::Queued).await;
    assert_eq!(c.take_one_at(at(9)).await.start_by, by(at(10), secs(1)));
}

async fn given_a_task_that_waits_for_its_time_when_it_expires_then_nothing_becomes_of_it_by_itself(
    c: &Context,
) {
    let mut task = expiring(c).await;
    task.when = When::After(secs(5));
    let id = c.store(task).await;
    c.promote(10, at(20)).await;
    assert_eq!(c.status(id).await, Status::Queued);
    assert_eq!(c.take_one_at(at(20)).await.start_by, by(at(10), Duration::ZERO));
}

async fn given_a_task_that_is_paused_and_resumed_when_claimed_then_it_expires_as_before(
    c: &Context,
) {
    let id = c.store(expiring(c).await).await;
    c.control(id, Move::Pause).await;
    assert_eq!(c.task(id).await.expires_at, Some(at(10)));
    c.control_at(id, Move::Resume, at(2)).await;
    let to = Move::Reschedule { when: Some(When::Now), priority: Some(3), queue: None };
    c.control_at(id, to, at(3)).await;
    assert_eq!(c.take_one_at(at(4)).await.start_by, by(at(10), secs(6)));
}

/// Ends the task, asks for it again with these parameters, and claims it.
async fn asked_for_again(c: &Context, parameters: Option<&str>) -> (TaskId, LeasedTask) {
    let mut task = expiring(c).await;
    task.timeout = Some(secs(5));
    let id = c.store(task).await;
    let first = c.take_one().await;
    c.end(first.lease, discard(), Status::Canceled).await;
    assert_eq!(c.task(id).await.expires_at, Some(at(10)));
    c.control_at(id, Move::Requeue { parameters: parameters.map(json) }, at(60)).await;
    (id, c.take_one_at(at(60)).await)
}

async fn given_a_requeue_when_claimed_then_the_task_expires_no_longer_and_keeps_its_time_out(
    c: &Context,
) {
    let (id, again) = asked_for_again(c, None).await;
    assert_eq!((again.start_by, again.timeout), (None, Some(secs(5))));
    let seen = c.task(id).await;
    assert_eq!((seen.expires_at, seen.timeout), (None, Some(secs(5))));
    assert_eq!(again.parameters.get(), "{}");
}

async fn given_a_requeue_with_other_parameters_when_claimed_then_the_task_expires_no_longer(
    c: &Context,
) {
    let (id, again) = asked_for_again(c, Some("[1]")).await;
    assert_eq!((again.start_by, again.parameters.get()), (None, "[1]"));
    assert_eq!(c.task(id).await.expires_at, None);
}

async fn given_a_refused_requeue_when_looked_at_then_the_expiry_is_there(c: &Context) {
    let id = c.store(expiring(c).await).await;
    c.refuses(id, requeue()).await;
    assert_eq!(c.task(id).await.expires_at, Some(at(10)));
    c.control(id, cancel()).await;
    assert_eq!(c.task(id).await.expires_at, Some(at(10)), "a cancel has nothing to do with it");
}

async fn given_a_discarded_task_when_looked_at_then_it_is_canceled_and_no_attempt_is_charged(
    c: &Context,
) {
    let id = c.store(expiring(c).await).await;
    let taken = c.take_one_at(at(20)).await;
    c.end_at(taken.lease, discard(), Status::Canceled, at(21)).await;
    let seen = c.task(id).await;
    assert_eq!((seen.attempts, seen.started_at), (0, None));
    assert_eq!(seen.completed_at, Some(at(21)));
    assert_eq!(seen.last_error.as_deref(), Some("expired: not started in time"));
    c.nothing_to_claim_at(at(22)).await;
}

async fn given_a_keyed_task_when_discarded_then_its_key_is_free(c: &Context) {
    let mut task = c.keyed_task("k").await;
    task.expires = Some(When::After(secs(10)));
    c.store(task).await;
    let taken = c.take_one_at(at(20)).await;
    assert!(taken.keyed);
    c.end_at(taken.lease, discard(), Status::Canceled, at(21)).await;
    c.store(c.keyed_task("k").await).await;
}

async fn given_discarded_and_finished_tasks_when_settled_in_one_call_then_each_counts_by_itself(
    c: &Context,
) {
    c.ready(4).await;
    let taken = c.take(4).await;
    let ends = [discard(), success(), discard(), crate::context::canceled("inside")];
    let pairs = taken.iter().zip(ends);
    let settle = Settle::new(pairs.map(|(task, to)| Settlement::new(task.lease, to)).collect());
    c.settle_all(&settle.at(at(1))).await;
    let mut attempts = Vec::new();
    for task in &taken {
        attempts.push(c.task(task.lease.task).await.attempts);
    }
    assert_eq!(attempts, [0, 1, 0, 1]);
}

async fn given_a_task_with_a_time_out_when_claimed_then_the_claim_carries_it(c: &Context) {
    let mut task = c.new_task().await;
    task.timeout = Some(Duration::from_millis(1_500));
    let id = c.store(task).await;
    assert_eq!(c.task(id).await.timeout, Some(Duration::from_millis(1_500)));
    let taken = c.take_one().await;
    assert_eq!((taken.lease.task, taken.timeout), (id, Some(Duration::from_millis(1_500))));
}

async fn given_a_task_with_a_time_out_when_it_moves_about_then_it_keeps_it(c: &Context) {
    let mut task = c.new_task().await;
    task.timeout = Some(secs(9));
    let id = c.store(task).await;
    let first = c.take_one().await;
    let to = Transition::Requeue {
        to: Requeue::After(secs(1)),
        attempt: AttemptIs::Counted,
        suspect: false,
        error: None,
    };
    c.end_one(ran(&first, to), Status::Queued, at(1)).await;
    c.control_at(id, Move::Pause, at(2)).await;
    c.control_at(id, Move::Resume, at(3)).await;
    assert_eq!(c.take_due(at(4)).await.timeout, Some(secs(9)));
}

async fn given_a_task_without_terms_when_claimed_then_it_has_none(c: &Context) {
    let ids = c.ready(1).await;
    let seen = c.task(ids[0]).await;
    assert_eq!((seen.expires_at, seen.timeout), (None, None));
    let taken = c.take_one().await;
    assert_eq!((taken.start_by, taken.timeout), (None, None));
}
