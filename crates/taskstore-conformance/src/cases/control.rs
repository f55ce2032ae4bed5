//! Requeue, reschedule, delete and restore.

use std::time::Duration;

use taskstore_core::{
    Progress, Status,
    backend::{Claim, Control, Fate, Move, Outcome, Report, When},
};

use crate::context::{
    Context, at, cancel, canceled, failed, ids, json, line, lost, output, queue, release, requeue,
    retry, secs, success,
};

cases! { "control":
    given_an_ended_task_when_requeued_then_it_runs_afresh_under_its_id
        ["requeue.afresh" "look.output"];
    given_other_parameters_when_requeued_then_they_replace_the_old_ones ["requeue.parameters"];
    given_a_task_that_has_not_ended_when_requeued_then_refused ["control.refused"];
    given_a_requeue_when_the_former_holder_settles_then_nothing_changes
        ["fence.turn" "requeue.afresh"];
    given_a_requeue_when_looked_at_then_earlier_attempts_and_lines_are_kept
        ["requeue.afresh" "look.attempts" "look.log"];
    given_a_suspect_that_ended_when_requeued_then_it_is_not_suspect ["suspect.cleared"];
    given_a_ready_task_when_rescheduled_to_a_time_to_come_then_it_waits ["reschedule.when"];
    given_a_delayed_task_when_rescheduled_to_now_then_it_runs ["reschedule.when"];
    given_a_ready_task_when_its_priority_changes_then_so_does_its_place ["reschedule.priority"];
    given_a_delayed_task_when_its_priority_changes_then_it_holds_when_due
        ["reschedule.priority"];
    given_a_waiting_task_when_its_queue_changes_then_it_is_claimed_there ["reschedule.queue"];
    given_one_change_when_rescheduled_then_the_rest_is_kept ["control.only_what_it_means"];
    given_no_change_when_rescheduled_then_all_is_kept ["control.only_what_it_means"];
    given_a_paused_task_when_rescheduled_then_it_stays_paused_and_resumes_so
        ["reschedule.when" "resume.task"];
    given_a_running_or_ended_task_when_rescheduled_then_refused ["control.refused"];
    given_a_waiting_task_when_deleted_then_it_is_canceled_and_hidden ["delete.waiting"];
    given_a_paused_task_when_deleted_then_it_is_canceled_and_hidden ["delete.waiting"];
    given_a_running_task_when_deleted_then_its_holder_is_asked_and_it_ends_canceled
        ["delete.running" "cancel.heard" "cancel.yields"];
    given_a_running_task_when_deleted_then_its_success_stands
        ["delete.running" "cancel.end_stands"];
    given_an_ended_task_when_deleted_then_it_is_hidden_as_it_is ["delete.ended"];
    given_a_deleted_task_when_moved_then_it_is_missing ["control.missing"];
    given_a_deleted_task_when_restored_then_it_is_shown_as_it_is ["restore.shown"];
    given_a_task_that_is_not_deleted_when_restored_then_it_is_missing ["control.missing"];
    given_a_restored_task_when_requeued_then_it_runs ["restore.shown" "requeue.afresh"];
    given_narrower_statuses_when_moved_then_others_are_refused ["control.guard"];
    given_wider_statuses_than_the_move_when_asked_then_only_those_are_touched
        ["control.guard" "answers.by_position"];
    given_a_move_when_made_then_other_tasks_are_untouched ["control.only_what_it_means"];
}

/// A task that ended so.
async fn ended(c: &Context, to: taskstore_core::backend::Transition) -> taskstore_core::TaskId {
    let running = c.running().await;
    c.settle(running.lease, to).await;
    running.lease.task
}

async fn given_an_ended_task_when_requeued_then_it_runs_afresh_under_its_id(c: &Context) {
    for (to, from) in [
        (output("1"), Status::Success),
        (failed("no"), Status::Failed),
        (canceled("no"), Status::Canceled),
    ] {
        let id = ended(c, to).await;
        let moved = Outcome::Moved { from, to: Status::Queued };
        assert_eq!(c.control_at(id, requeue(), at(20)).await, moved);
        let seen = c.task(id).await;
        assert_eq!((seen.status, seen.attempts, seen.run_at), (Status::Queued, 0, at(20)));
        assert_eq!((seen.completed_at, seen.updated_at), (None, at(20)));
        assert!(seen.output.is_none(), "the output of an end that is undone");
        let again = c.take_one_at(at(20)).await;
        assert_eq!((again.lease.task, again.attempts), (id, 0));
        assert_eq!(again.parameters.get(), "{}");
        c.end_at(again.lease, success(), Status::Success, at(21)).await;
    }
}

async fn given_other_parameters_when_requeued_then_they_replace_the_old_ones(c: &Context) {
    let id = ended(c, failed("no")).await;
    let to = Move::Requeue { parameters: Some(json(r#"{"fixed":true}"#)) };
    c.control(id, to).await;
    assert_eq!(c.task(id).await.parameters.get(), r#"{"fixed":true}"#);
    let again = c.take_one().await;
    assert_eq!(again.parameters.get(), r#"{"fixed":true}"#);
    c.end(again.lease, success(), Status::Success).await;
    c.control(id, requeue()).await;
    assert_eq!(c.take_one().await.parameters.get(), r#"{"fixed":true}"#, "none keeps them");
}

async fn given_a_task_that_has_not_ended_when_requeued_then_refused(c: &Context) {
    let later = c.later(60).await;
    let running = c.running().await;
    let all = c.ready(2).await;
    c.control(all[0], Move::Pause).await;
    for id in [later, running.lease.task, all[0], all[1]] {
        c.refuses(id, requeue()).await;
    }
    assert_eq!(c.take_one().await.lease.task, all[1]);
    c.nothing_to_claim().await;
}

async fn given_a_requeue_when_the_former_holder_settles_then_nothing_changes(c: &Context) {
    let old = c.running().await.lease;
    c.end(old, failed("no"), Status::Failed).await;
    c.control(old.task, requeue()).await;
    c.changes_nothing(old).await;
    let again = c.take_one().await;
    c.cannot_end(old).await;
    c.end(again.lease, success(), Status::Success).await;
    c.cannot_end(old).await;
}

async fn given_a_requeue_when_looked_at_then_earlier_attempts_and_lines_are_kept(c: &Context) {
    let running = c.running().await;
    let id = running.lease.task;
    let progress = Some(Progress { done: 1, total: 2 });
    let said = Report { lease: running.lease, progress, log: vec![line(0, "first")] };
    c.report(said).await;
    c.end(running.lease, failed("no"), Status::Failed).await;
    c.control(id, requeue()).await;
    assert_eq!(c.task(id).await.progress, None, "it has not begun");
    assert_eq!(c.attempts(id).await.len(), 1);
    let again = c.take_one().await;
    let said = Report { lease: again.lease, progress: None, log: vec![line(0, "second")] };
    c.report(said).await;
    c.end(again.lease, output("2"), Status::Success).await;
    let ends: Vec<_> = c.attempts(id).await.iter().map(|attempt| attempt.status).collect();
    assert_eq!(ends, [Status::Failed, Status::Success]);
    assert_eq!(c.log(id).await, ["first", "second"]);
}

async fn given_a_suspect_that_ended_when_requeued_then_it_is_not_suspect(c: &Context) {
    let running = c.running().await;
    c.end(running.lease, lost(), Status::Queued).await;
    c.control(running.lease.task, cancel()).await;
    assert!(!c.task(running.lease.task).await.suspect, "ended tasks are never suspect");
    c.control(running.lease.task, requeue()).await;
    assert!(!c.take_one().await.suspect);
}

fn reschedule(when: When) -> Move {
    Move::Reschedule { when: Some(when), priority: None, queue: None }
}

const RESCHEDULED: Outcome = Outcome::Moved { from: Status::Queued, to: Status::Queued };

async fn given_a_ready_task_when_rescheduled_to_a_time_to_come_then_it_waits(c: &Context) {
    let all = c.ready(2).await;
    let to_come = reschedule(When::After(secs(30)));
    assert_eq!(c.control_at(all[0], to_come, at(10)).await, RESCHEDULED);
    let seen = c.task(all[0]).await;
    assert_eq!((seen.status, seen.run_at, seen.updated_at), (Status::Queued, at(40), at(10)));
    assert_eq!(c.take_one().await.lease.task, all[1]);
    c.nothing_to_claim().await;
    assert_eq!(c.promote(10, at(10)).await.due_in, Some(secs(30)));
    assert_eq!(c.take_due(at(40)).await.lease.task, all[0]);
}

async fn given_a_delayed_task_when_rescheduled_to_now_then_it_runs(c: &Context) {
    for when in [When::Now, When::At(at(3)), When::After(Duration::ZERO)] {
        let id = c.later(600).await;
        assert_eq!(c.control_at(id, reschedule(when), at(5)).await, RESCHEDULED);
        assert!(c.task(id).await.run_at <= at(5));
        let taken = c.take_due(at(5)).await;
        assert_eq!(taken.lease.task, id, "{when:?}");
    }
    assert_eq!(c.promote(10, at(5)).await.due_in, None, "none is left in later");
}

async fn given_a_ready_task_when_its_priority_changes_then_so_does_its_place(c: &Context) {
    let all = c.ready(3).await;
    let urgent = Move::Reschedule { when: None, priority: Some(-1), queue: None };
    assert_eq!(c.control(all[2], urgent).await, RESCHEDULED);
    assert_eq!(c.task(all[2]).await.priority, -1);
    assert_eq!(ids(&c.take(3).await), [all[2], all[0], all[1]]);
}

async fn given_a_delayed_task_when_its_priority_changes_then_it_holds_when_due(c: &Context) {
    let (one, two) = (c.later(30).await, c.later(30).await);
    let urgent = Move::Reschedule { when: None, priority: Some(-1), queue: None };
    c.control(two, urgent).await;
    c.promote(10, at(30)).await;
    let taken = c.take_at(2, at(30)).await;
    assert_eq!((ids(&taken), taken[0].priority), (vec![two, one], -1));
}

async fn given_a_waiting_task_when_its_queue_changes_then_it_is_claimed_there(c: &Context) {
    let (ready, later) = (c.ready(1).await[0], c.later(30).await);
    let elsewhere = Move::Reschedule { when: None, priority: None, queue: Some(queue("else")) };
    for id in [ready, later] {
        assert_eq!(c.control(id, elsewhere.clone()).await, RESCHEDULED);
        assert_eq!(c.task(id).await.queue, queue("else"));
    }
    c.promote(10, at(30)).await;
    c.nothing_to_claim_at(at(30)).await;
    let claim = Claim::new(c.runner, [queue("else")], 5).at(at(30));
    let taken = c.claim(&claim).await.tasks;
    assert_eq!(ids(&taken), [ready, later]);
    assert!(taken.iter().all(|task| task.queue == queue("else")));
}

async fn given_one_change_when_rescheduled_then_the_rest_is_kept(c: &Context) {
    let mut task = c.new_task().await;
    task.priority = 6;
    task.when = When::After(secs(60));
    task.max_attempts = Some(2);
    let id = c.store(task).await;
    let priority = Move::Reschedule { when: None, priority: Some(4), queue: None };
    c.control(id, priority).await;
    let seen = c.task(id).await;
    assert_eq!((seen.priority, seen.run_at, seen.queue), (4, at(60), queue("default")));
    c.control(id, reschedule(When::At(at(90)))).await;
    let seen = c.task(id).await;
    assert_eq!((seen.priority, seen.run_at, seen.queue), (4, at(90), queue("default")));
    let elsewhere = Move::Reschedule { when: None, priority: None, queue: Some(queue("else")) };
    c.control(id, elsewhere).await;
    let seen = c.task(id).await;
    assert_eq!((seen.priority, seen.run_at, seen.queue), (4, at(90), queue("else")));
    assert_eq!((seen.max_attempts, seen.attempts, seen.created_at), (Some(2), 0, at(0)));
}

async fn given_no_change_when_rescheduled_then_all_is_kept(c: &Context) {
    let all = c.ready(2).await;
    let nothing = Move::Reschedule { when: None, priority: None, queue: None };
    assert_eq!(c.control_at(all[0], nothing, at(9)).await, RESCHEDULED);
    assert_eq!(c.task(all[0]).await.run_at, at(0));
    assert_eq!(ids(&c.take(2).await), all);
}

async fn given_a_paused_task_when_rescheduled_then_it_stays_paused_and_resumes_so(c: &Context) {
    let id = c.ready(1).await[0];
    c.control(id, Move::Pause).await;
    let to = Move::Reschedule {
        when: Some(When::At(at(70))),
        priority: Some(2),
        queue: Some(queue("else")),
    };
    let moved = Outcome::Moved { from: Status::Paused, to: Status::Paused };
    assert_eq!(c.control(id, to).await, moved);
    c.promote(10, at(99)).await;
    let claim = || Claim::new(c.runner, [queue("default"), queue("else")], 5).at(at(99));
    assert!(c.claim(&claim()).await.tasks.is_empty());
    c.control_at(id, Move::Resume, at(60)).await;
    assert_eq!(c.promote(10, at(60)).await.due_in, Some(secs(10)));
    c.promote(10, at(70)).await;
    let taken = c.claim(&claim()).await.tasks;
    assert_eq!((taken[0].run_at, taken[0].priority), (at(70), 2));
    assert_eq!(taken[0].queue, queue("else"));
}

async fn given_a_running_or_ended_task_when_rescheduled_then_refused(c: &Context) {
    let running = c.running().await;
    let to = || reschedule(When::After(secs(5)));
    c.refuses(running.lease.task, to()).await;
    c.end(running.lease, success(), Status::Success).await;
    c.refuses(running.lease.task, to()).await;
    c.refuses(ended(c, failed("no")).await, to()).await;
}

async fn given_a_waiting_task_when_deleted_then_it_is_canceled_and_hidden(c: &Context) {
    let (ready, later) = (c.ready(1).await[0], c.later(30).await);
    let moved = Outcome::Moved { from: Status::Queued, to: Status::Canceled };
    for id in [ready, later] {
        assert_eq!(c.control_at(id, Move::Delete, at(3)).await, moved);
        let seen = c.task(id).await;
        assert_eq!((seen.status, seen.deleted_at), (Status::Canceled, Some(at(3))));
    }
    assert_eq!(c.promote(10, at(30)).await.moved, 0);
    c.nothing_to_claim_at(at(30)).await;
}

async fn given_a_paused_task_when_deleted_then_it_is_canceled_and_hidden(c: &Context) {
    let id = c.ready(1).await[0];
    c.control(id, Move::Pause).await;
    let moved = Outcome::Moved { from: Status::Paused, to: Status::Canceled };
    assert_eq!(c.control(id, Move::Delete).await, moved);
    assert_eq!(c.control(id, Move::Resume).await, Outcome::Missing);
    c.nothing_to_claim().await;
}

async fn given_a_running_task_when_deleted_then_its_holder_is_asked_and_it_ends_canceled(
    c: &Context,
) {
    for to in [retry(5), release()] {
        let running = c.running().await;
        let id = running.lease.task;
        assert_eq!(c.control_at(id, Move::Delete, at(3)).await, Outcome::Requested);
        let seen = c.task(id).await;
        assert_eq!((seen.status, seen.deleted_at), (Status::Running, Some(at(3))));
        assert!(c.beat(&[running.lease.batch]).await.cancel.contains(&id));
        c.end(running.lease, to, Status::Canceled).await;
        assert_eq!(c.task(id).await.deleted_at, Some(at(3)), "it stays hidden");
    }
    c.promote(10, at(99)).await;
    c.nothing_to_claim_at(at(99)).await;
}

async fn given_a_running_task_when_deleted_then_its_success_stands(c: &Context) {
    let running = c.running().await;
    c.control(running.lease.task, Move::Delete).await;
    c.end(running.lease, output("1"), Status::Success).await;
    let seen = c.task(running.lease.task).await;
    assert_eq!((seen.deleted_at, seen.output.unwrap().get()), (Some(at(0)), "1"));
}

async fn given_an_ended_task_when_deleted_then_it_is_hidden_as_it_is(c: &Context) {
    for (to, status) in [(output("1"), Status::Success), (failed("no"), Status::Failed)] {
        let id = ended(c, to).await;
        let before = c.task(id).await;
        let moved = Outcome::Moved { from: status, to: status };
        assert_eq!(c.control_at(id, Move::Delete, at(8)).await, moved);
        let seen = c.task(id).await;
        assert_eq!((seen.status, seen.deleted_at), (status, Some(at(8))));
        assert_eq!((seen.attempts, seen.completed_at), (before.attempts, before.completed_at));
        assert_eq!(seen.last_error, before.last_error);
    }
}

async fn given_a_deleted_task_when_moved_then_it_is_missing(c: &Context) {
    let id = c.ready(1).await[0];
    c.control(id, Move::Delete).await;
    let before = c.whole(id).await;
    for to in [cancel(), requeue(), Move::Pause, Move::Resume, Move::Delete, reschedule(When::Now)]
    {
        assert_eq!(c.control_at(id, to, at(9)).await, Outcome::Missing);
    }
    assert_eq!(c.whole(id).await, before);
    let running = c.running().await.lease.task;
    c.control(running, Move::Delete).await;
    assert_eq!(c.control(running, cancel()).await, Outcome::Missing, "while it runs, too");
}

async fn given_a_deleted_task_when_restored_then_it_is_shown_as_it_is(c: &Context) {
    let waiting = c.ready(1).await[0];
    c.control(waiting, Move::Delete).await;
    let moved = Outcome::Moved { from: Status::Canceled, to: Status::Canceled };
    assert_eq!(c.control(waiting, Move::Restore).await, moved);
    assert_eq!(c.task(waiting).await.deleted_at, None);
    c.nothing_to_claim().await;
    let done = ended(c, output("1")).await;
    let before = c.task(done).await;
    c.control(done, Move::Delete).await;
    let moved = Outcome::Moved { from: Status::Success, to: Status::Success };
    assert_eq!(c.control(done, Move::Restore).await, moved);
    let after = c.task(done).await;
    assert_eq!((after.status, after.deleted_at), (before.status, None));
    assert_eq!((after.attempts, after.completed_at), (before.attempts, before.completed_at));
    assert_eq!(after.output.unwrap().get(), "1");
}

async fn given_a_task_that_is_not_deleted_when_restored_then_it_is_missing(c: &Context) {
    let running = c.running().await.lease.task;
    let (ready, done) = (c.ready(1).await[0], ended_elsewhere(c).await);
    for id in [running, ready, done] {
        let before = c.whole(id).await;
        assert_eq!(c.control_at(id, Move::Restore, at(9)).await, Outcome::Missing);
        assert_eq!(c.whole(id).await, before);
    }
}

/// A task that was canceled while it waited.
async fn ended_elsewhere(c: &Context) -> taskstore_core::TaskId {
    let id = c.later(5).await;
    c.control(id, cancel()).await;
    id
}

async fn given_a_restored_task_when_requeued_then_it_runs(c: &Context) {
    let id = c.ready(1).await[0];
    c.control(id, Move::Delete).await;
    c.control(id, Move::Restore).await;
    let moved = Outcome::Moved { from: Status::Canceled, to: Status::Queued };
    assert_eq!(c.control(id, requeue()).await, moved);
    let again = c.take_one().await;
    c.end(again.lease, release(), Status::Queued).await;
}

async fn given_narrower_statuses_when_moved_then_others_are_refused(c: &Context) {
    let (ready, running) = (c.ready(2).await[1], c.take_one().await);
    let mut only_paused = Control::new(vec![ready, running.lease.task], cancel());
    only_paused.from = vec![Status::Paused];
    let expected = [Outcome::Refused(Status::Queued), Outcome::Refused(Status::Running)];
    assert_eq!(c.control_all(&only_paused).await, expected);
    assert!(c.beat(&[running.lease.batch]).await.cancel.is_empty(), "nothing was asked");
    c.end(running.lease, release(), Status::Queued).await;
    c.take(2).await;
}

async fn given_wider_statuses_than_the_move_when_asked_then_only_those_are_touched(c: &Context) {
    let all = c.ready(3).await;
    let running = c.take_one().await;
    c.control(all[1], Move::Pause).await;
    let asked = vec![all[2], all[1], all[0]];
    let outcomes = c.control_all(&Control::new(asked, Move::Resume).at(at(0))).await;
    let expected = [
        Outcome::Refused(Status::Queued),
        Outcome::Moved { from: Status::Paused, to: Status::Queued },
        Outcome::Refused(Status::Running),
    ];
    assert_eq!(outcomes, expected);
    let report = Report { lease: running.lease, progress: None, log: Vec::new() };
    assert_eq!(c.report(report).await, Fate::Applied { status: Status::Running });
}

async fn given_a_move_when_made_then_other_tasks_are_untouched(c: &Context) {
    let done = ended(c, output("1")).await;
    let running = c.running().await.lease.task;
    let (later, ready) = (c.later(30).await, c.ready(6).await);
    c.control(ready[5], Move::Pause).await;
    let others = [done, running, later, ready[0], ready[5]];
    let mut before = Vec::new();
    for id in others {
        before.push(c.whole(id).await);
    }
    c.control_at(ready[1], cancel(), at(9)).await;
    c.control_at(ready[1], requeue(), at(9)).await;
    c.control_at(ready[2], Move::Delete, at(9)).await;
    c.control_at(ready[3], Move::Pause, at(9)).await;
    c.control_at(ready[4], reschedule(When::After(secs(9))), at(9)).await;
    for (id, before) in others.into_iter().zip(before) {
        assert_eq!(c.whole(id).await, before);
    }
}
