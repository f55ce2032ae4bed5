//! Removing tasks for good.

use taskstore_core::{
    Status, TaskId,
    backend::{Control, Enqueued, Move, Outcome, Report, TaskFilter, TaskOrder, TaskQuery},
};

use crate::context::{
    Context, at, cancel, canceled, failed, line, ok, output, release, requeue, retry, secs, success,
};

cases! { "purge":
    given_an_ended_task_when_purged_then_nothing_of_it_is_left ["purge.gone" "purge.ended"];
    given_a_purge_when_made_then_other_tasks_are_untouched ["purge.gone"];
    given_a_purged_task_when_moved_then_it_is_missing ["control.missing" "purge.gone"];
    given_a_purged_task_when_its_former_holder_settles_then_nothing_comes_back
        ["purge.gone" "fence.lease"];
    given_a_purged_task_when_enqueued_again_then_it_is_new ["purge.gone"];
    given_a_task_that_waits_runs_or_is_paused_when_purged_then_refused
        ["purge.ended" "control.refused"];
    given_a_soft_deleted_task_when_purged_then_it_is_gone ["purge.ended" "purge.gone"];
    given_a_running_task_that_is_soft_deleted_when_purged_then_refused ["purge.ended"];
    given_a_time_when_purged_then_only_what_ended_before_it ["purge.before"];
    given_a_time_when_purged_then_a_later_deletion_counts ["purge.before"];
    given_many_when_purged_then_answered_by_position ["answers.by_position" "purge.ended"];
    given_a_purged_holder_of_a_key_when_the_key_is_used_then_it_is_free
        ["purge.gone" "unique.freed"];
}

const PURGE: Move = Move::Purge { before: None };

const fn gone(from: Status) -> Outcome {
    Outcome::Moved { from, to: from }
}

/// Nothing that can be looked at shows it.
async fn nothing_is_left(c: &Context, id: TaskId) {
    assert!(ok("task", c.backend().task(id).await).is_none(), "the record is left");
    assert!(c.attempts(id).await.is_empty(), "attempts are left");
    assert!(c.log(id).await.is_empty(), "the log is left");
    let mut filter = TaskFilter::default();
    filter.with_deleted = true;
    for order in TaskOrder::ALL {
        let query = TaskQuery::new(filter.clone(), order, 1_000);
        let page = ok("tasks", c.backend().tasks(&query).await);
        assert!(page.items.iter().all(|task| task.id != id), "{order:?} still lists it");
    }
}

/// A task with a line of log and a failed attempt behind it, that ended so at that time.
async fn ended_at(c: &Context, seconds: i64) -> TaskId {
    let running = c.running().await;
    let said = Report { lease: running.lease, progress: None, log: vec![line(0, "first")] };
    c.report(said).await;
    c.settle(running.lease, release()).await;
    let again = c.take_one().await;
    c.settle_at(again.lease, failed("no"), at(seconds)).await;
    again.lease.task
}

async fn given_an_ended_task_when_purged_then_nothing_of_it_is_left(c: &Context) {
    for (to, status) in [
        (success(), Status::Success),
        (output("1"), Status::Success),
        (failed("no"), Status::Failed),
        (canceled("no"), Status::Canceled),
    ] {
        let running = c.running().await;
        let id = running.lease.task;
        let said = Report { lease: running.lease, progress: None, log: vec![line(0, "said")] };
        c.report(said).await;
        c.settle(running.lease, retry(0)).await;
        let again = c.take_due(at(1)).await;
        c.end(again.lease, to, status).await;
        assert_eq!(c.control(id, PURGE).await, gone(status));
        nothing_is_left(c, id).await;
    }
    let waiting = c.ready(1).await[0];
    c.control(waiting, cancel()).await;
    assert_eq!(c.control(waiting, PURGE).await, gone(Status::Canceled));
    nothing_is_left(c, waiting).await;
}

async fn given_a_purge_when_made_then_other_tasks_are_untouched(c: &Context) {
    let mut others = Vec::new();
    let mut purged = Vec::new();
    for _ in 0..2 {
        others.push(ended_at(c, 0).await);
        purged.push(ended_at(c, 0).await);
    }
    others.extend([c.later(30).await, c.running().await.lease.task]);
    let mut before = Vec::new();
    for &id in &others {
        before.push(c.whole(id).await);
    }
    let outcomes = c.control_all(&Control::new(purged, PURGE)).await;
    assert_eq!(outcomes, [gone(Status::Failed); 2]);
    for (id, before) in others.into_iter().zip(before) {
        assert_eq!(c.whole(id).await, before);
    }
}

async fn given_a_purged_task_when_moved_then_it_is_missing(c: &Context) {
    let id = ended_at(c, 0).await;
    c.control(id, PURGE).await;
    for to in [cancel(), requeue(), Move::Pause, Move::Delete, Move::Restore, PURGE] {
        assert_eq!(c.control(id, to).await, Outcome::Missing);
    }
    nothing_is_left(c, id).await;
}

async fn given_a_purged_task_when_its_former_holder_settles_then_nothing_comes_back(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let [gone, other] = [batch[0].lease, batch[1].lease];
    c.end(gone, failed("no"), Status::Failed).await;
    c.control(gone.task, PURGE).await;
    // Its lease lives on for the other task.
    c.cannot_end(gone).await;
    let said = Report { lease: gone, progress: None, log: vec![line(0, "too late")] };
    c.report(said).await;
    assert_eq!(c.isolate(vec![(gone, taskstore_core::LeaseId::new())]).await, [None]);
    nothing_is_left(c, gone.task).await;
    assert_eq!(c.recall(gone.batch).await.len(), 1);
    c.end(other, success(), Status::Success).await;
}

async fn given_a_purged_task_when_enqueued_again_then_it_is_new(c: &Context) {
    let task = c.new_task().await;
    c.store(task.clone()).await;
    let first = c.take_one().await;
    c.end(first.lease, failed("no"), Status::Failed).await;
    c.control(task.id, PURGE).await;
    assert_eq!(c.enqueue_at(std::slice::from_ref(&task), at(9)).await, [Enqueued::Stored]);
    let seen = c.task(task.id).await;
    assert_eq!((seen.status, seen.attempts, seen.created_at), (Status::Queued, 0, at(9)));
    assert_eq!(seen.last_error, None);
    assert!(c.attempts(task.id).await.is_empty());
    c.cannot_end(first.lease).await;
    let again = c.take_one_at(at(9)).await;
    c.cannot_end(first.lease).await;
    c.end_at(again.lease, success(), Status::Success, at(10)).await;
}

async fn given_a_task_that_waits_runs_or_is_paused_when_purged_then_refused(c: &Context) {
    let running = c.running().await;
    let (later, ready) = (c.later(60).await, c.ready(2).await);
    c.control(ready[0], Move::Pause).await;
    for id in [running.lease.task, later, ready[0], ready[1]] {
        c.refuses(id, PURGE).await;
    }
    c.end(running.lease, success(), Status::Success).await;
    assert_eq!(c.take_one().await.lease.task, ready[1]);
}

async fn given_a_soft_deleted_task_when_purged_then_it_is_gone(c: &Context) {
    let (done, waiting) = (ended_at(c, 0).await, c.ready(1).await[0]);
    for (id, status) in [(waiting, Status::Canceled), (done, Status::Failed)] {
        c.control(id, Move::Delete).await;
        assert_eq!(c.control(id, PURGE).await, gone(status));
        nothing_is_left(c, id).await;
    }
}

async fn given_a_running_task_that_is_soft_deleted_when_purged_then_refused(c: &Context) {
    let running = c.running().await;
    c.control(running.lease.task, Move::Delete).await;
    c.refuses(running.lease.task, PURGE).await;
    c.end(running.lease, output("1"), Status::Success).await;
    assert_eq!(c.control(running.lease.task, PURGE).await, gone(Status::Success));
}

async fn given_a_time_when_purged_then_only_what_ended_before_it(c: &Context) {
    let (early, late) = (ended_at(c, 9).await, ended_at(c, 10).await);
    let before = || Move::Purge { before: Some(at(10)) };
    c.refuses(late, before()).await;
    assert_eq!(c.control_at(early, before(), at(50)).await, gone(Status::Failed));
    let outcome = c.control_at(late, Move::Purge { before: Some(at(11)) }, at(50)).await;
    assert_eq!(outcome, gone(Status::Failed));
}

async fn given_a_time_when_purged_then_a_later_deletion_counts(c: &Context) {
    let id = ended_at(c, 5).await;
    c.control_at(id, Move::Delete, at(20)).await;
    c.refuses(id, Move::Purge { before: Some(at(20)) }).await;
    let before = Move::Purge { before: Some(at(20) + secs(1)) };
    assert_eq!(c.control(id, before).await, gone(Status::Failed));
}

async fn given_many_when_purged_then_answered_by_position(c: &Context) {
    let done = ended_at(c, 0).await;
    let waiting = c.ready(1).await[0];
    let asked = vec![waiting, TaskId::new(), done, done];
    let expected = [
        Outcome::Refused(Status::Queued),
        Outcome::Missing,
        gone(Status::Failed),
        Outcome::Missing,
    ];
    assert_eq!(c.control_all(&Control::new(asked, PURGE)).await, expected);
}

async fn given_a_purged_holder_of_a_key_when_the_key_is_used_then_it_is_free(c: &Context) {
    let first = c.store(c.keyed_task("k").await).await;
    c.control(first, cancel()).await;
    c.control(first, PURGE).await;
    let second = c.store(c.keyed_task("k").await).await;
    assert_eq!(c.enqueue(&[c.keyed_task("k").await]).await, [Enqueued::Duplicate(second)]);
}
