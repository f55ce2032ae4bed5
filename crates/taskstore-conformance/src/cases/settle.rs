//! Attempts on their way out.

use taskstore_core::{
    Error, LeaseId, Progress, Status, TaskId,
    backend::{Fate, Lease, Pulse, Run, Settle, Settlement},
};

use crate::context::{
    Context, at, cancel, canceled, failed, ids, json, line, output, release, requeue, retry, secs,
    success,
};

cases! { "settle":
    given_a_success_with_output_when_settled_then_the_output_is_kept
        ["settle.applied" "look.output" "look.attempts"];
    given_a_success_without_output_when_settled_then_the_attempt_is_shown_from_the_record
        ["settle.applied" "look.attempts"];
    given_a_failure_when_settled_then_it_is_over_and_says_why
        ["settle.applied" "look.attempts" "look.last_error"];
    given_a_cancel_from_inside_when_settled_then_it_is_canceled_and_says_why
        ["settle.applied" "look.last_error"];
    given_a_run_when_settled_then_its_times_are_the_handlers_own ["settle.times"];
    given_progress_and_lines_when_settled_then_they_are_kept ["settle.says" "look.log"];
    given_any_end_when_settled_then_it_is_never_claimed_again ["settle.over"];
    given_a_batch_when_one_position_is_lost_then_the_others_are_applied
        ["answers.by_position" "settle.one_lost"];
    given_an_applied_settlement_when_another_end_is_sent_then_the_first_one_stands
        ["settle.again" "fence.one_settlement"];
    given_a_settlement_sent_again_after_the_task_moved_on_then_nothing_changes
        ["settle.again" "fence.turn"];
    given_a_task_that_left_a_live_batch_when_its_old_lease_settles_then_nothing_changes
        ["fence.turn" "fence.one_settlement"];
    given_a_turn_to_come_when_settled_then_lost ["fence.turn"];
    given_the_right_turn_under_another_lease_when_settled_then_lost ["fence.lease"];
    given_a_task_that_waits_when_settled_under_any_lease_then_nothing_changes ["fence.active"];
    given_no_such_task_or_lease_when_settled_then_lost ["fence.lease"];
    given_a_waiting_task_is_canceled_when_settled_under_any_lease_then_nothing_changes ["fence.active"];
    given_a_lease_without_a_beat_for_hours_when_settled_then_it_is_accepted ["lease.holds"];
    given_a_batch_when_settled_one_by_one_then_the_lease_lives_until_the_last
        ["lease.open"];
    given_a_lease_settled_whole_when_it_beats_then_it_is_lost ["lease.open"];
    given_a_repeated_settlement_when_counted_then_the_rest_of_the_lease_lives
        ["lease.open" "settle.again"];
    given_a_settle_with_a_claim_when_sent_then_both_are_done ["settle.then_claim"];
    given_a_release_with_a_claim_when_sent_then_the_claim_sees_what_was_released
        ["settle.then_claim"];
    given_a_claim_under_a_used_lease_when_settled_then_nothing_was_settled
        ["settle.then_claim" "errors.whole"];
    given_a_task_under_its_old_and_its_present_lease_when_settled_in_one_call_then_by_position
        ["answers.by_position" "fence.turn"];
    given_nothing_to_settle_when_settled_then_no_fates ["answers.by_position"];
    given_attempts_that_ended_when_looked_at_then_the_oldest_comes_first
        ["look.attempts" "look.last_error"];
}

async fn given_a_success_with_output_when_settled_then_the_output_is_kept(c: &Context) {
    let running = c.running().await;
    let id = running.lease.task;
    c.end_at(running.lease, output(r#"{"n":  1}"#), Status::Success, at(3)).await;
    let seen = c.task(id).await;
    assert_eq!(seen.output.unwrap().get(), r#"{"n":  1}"#);
    assert_eq!((seen.attempts, seen.completed_at), (1, Some(at(3))));
    assert_eq!((seen.updated_at, seen.last_error), (at(3), None));
    let attempts = c.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].turn, attempts[0].status), (running.lease.turn, Status::Success));
    assert_eq!(attempts[0].runner, Some(c.runner));
    assert_eq!(attempts[0].output.as_ref().unwrap().get(), r#"{"n":  1}"#);
    assert_eq!(attempts[0].ended_at, at(3));
}

async fn given_a_success_without_output_when_settled_then_the_attempt_is_shown_from_the_record(
    c: &Context,
) {
    let running = c.running().await;
    let run = Run { started_after: secs(1), ran_for: secs(4) };
    let end = Settlement { run: Some(run), ..Settlement::new(running.lease, success()) };
    c.end_one(end, Status::Success, at(6)).await;
    let seen = c.task(running.lease.task).await;
    assert!(seen.output.is_none());
    let attempts = c.attempts(running.lease.task).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].status, Status::Success);
    assert_eq!((attempts[0].started_at, attempts[0].ended_at), (at(1), at(5)));
    assert!(attempts[0].output.is_none() && attempts[0].error.is_none());
}

async fn given_a_failure_when_settled_then_it_is_over_and_says_why(c: &Context) {
    let running = c.running().await;
    c.end(running.lease, failed("no such address"), Status::Failed).await;
    let seen = c.task(running.lease.task).await;
    assert_eq!(seen.last_error.as_deref(), Some("no such address"));
    assert_eq!((seen.attempts, seen.status), (1, Status::Failed));
    let attempts = c.attempts(running.lease.task).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].status, attempts[0].runner), (Status::Failed, Some(c.runner)));
    assert_eq!(attempts[0].error.as_deref(), Some("no such address"));
}

async fn given_a_cancel_from_inside_when_settled_then_it_is_canceled_and_says_why(c: &Context) {
    let running = c.running().await;
    c.end(running.lease, canceled("nothing to do"), Status::Canceled).await;
    let seen = c.task(running.lease.task).await;
    assert_eq!(seen.last_error.as_deref(), Some("nothing to do"));
    assert_eq!((seen.attempts, seen.completed_at), (1, Some(at(0))));
}

async fn given_a_run_when_settled_then_its_times_are_the_handlers_own(c: &Context) {
    c.ready(2).await;
    let batch = c.take_at(2, at(10)).await;
    let end = |i: usize, started_after, ran_for| Settlement {
        run: Some(Run { started_after: secs(started_after), ran_for: secs(ran_for) }),
        ..Settlement::new(batch[i].lease, success())
    };
    c.settle_all(&Settle::new(vec![end(0, 0, 2), end(1, 2, 5)]).at(at(60))).await;
    let times = async |i: usize| {
        let seen = c.task(batch[i].lease.task).await;
        (seen.started_at, seen.completed_at, seen.updated_at)
    };
    assert_eq!(times(0).await, (Some(at(10)), Some(at(12)), at(60)));
    assert_eq!(times(1).await, (Some(at(12)), Some(at(17)), at(60)));
}

async fn given_progress_and_lines_when_settled_then_they_are_kept(c: &Context) {
    let running = c.running().await;
    let mut end = Settlement::new(running.lease, success());
    end.progress = Some(Progress { done: 3, total: 4 });
    end.log = vec![line(0, "begun"), line(1, "done")];
    c.end_one(end, Status::Success, at(1)).await;
    let id = running.lease.task;
    assert_eq!(c.task(id).await.progress, Some(Progress { done: 3, total: 4 }));
    assert_eq!(c.log(id).await, ["begun", "done"]);
}

async fn given_any_end_when_settled_then_it_is_never_claimed_again(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    c.end(batch[0].lease, success(), Status::Success).await;
    c.end(batch[1].lease, failed("no"), Status::Failed).await;
    c.end(batch[2].lease, canceled("no"), Status::Canceled).await;
    c.promote(10, at(99)).await;
    c.nothing_to_claim_at(at(99)).await;
}

async fn given_a_batch_when_one_position_is_lost_then_the_others_are_applied(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    let stale = Lease { turn: batch[1].lease.turn + 7, ..batch[1].lease };
    let settlements = vec![
        Settlement::new(batch[0].lease, success()),
        Settlement::new(stale, success()),
        Settlement::new(batch[2].lease, failed("no")),
    ];
    let request = Settle::new(settlements).at(at(0));
    let expected = [
        Fate::Applied { status: Status::Success },
        Fate::Lost,
        Fate::Applied { status: Status::Failed },
    ];
    assert_eq!(c.settle_all(&request).await.fates, expected);
    assert_eq!(c.settle_all(&request).await.fates, expected, "sent again");
    assert_eq!(c.status(batch[0].lease.task).await, Status::Success);
    assert_eq!(c.status(batch[1].lease.task).await, Status::Running);
    assert_eq!(c.status(batch[2].lease.task).await, Status::Failed);
}

async fn given_an_applied_settlement_when_another_end_is_sent_then_the_first_one_stands(
    c: &Context,
) {
    let running = c.running().await;
    c.end(running.lease, output("1"), Status::Success).await;
    let before = c.whole(running.lease.task).await;
    for other in [failed("no"), output("2"), retry(5), release(), canceled("no")] {
        let fate = c.settle_at(running.lease, other, at(9)).await;
        assert_eq!(fate, Fate::Applied { status: Status::Success }, "the status that it has");
    }
    assert_eq!(c.whole(running.lease.task).await, before);
    c.promote(9, at(99)).await;
    c.nothing_to_claim_at(at(99)).await;
}

async fn given_a_settlement_sent_again_after_the_task_moved_on_then_nothing_changes(c: &Context) {
    let first = c.running().await;
    let id = first.lease.task;
    c.end(first.lease, success(), Status::Success).await;
    c.control(id, requeue()).await;
    let waiting = c.whole(id).await;
    c.settle_at(first.lease, failed("stale"), at(50)).await;
    assert_eq!(c.whole(id).await, waiting, "while it waits again");
    let second = c.take_one().await;
    let running = c.whole(id).await;
    assert_eq!(c.settle_at(first.lease, failed("stale"), at(50)).await, Fate::Lost);
    assert_eq!(c.whole(id).await, running, "while another holds it");
    c.end(second.lease, output("2"), Status::Success).await;
    let ended = c.whole(id).await;
    c.settle_at(first.lease, failed("stale"), at(50)).await;
    assert_eq!(c.whole(id).await, ended, "when it has ended again");
}

async fn given_a_task_that_left_a_live_batch_when_its_old_lease_settles_then_nothing_changes(
    c: &Context,
) {
    c.ready(2).await;
    let batch = c.take(2).await;
    c.end(batch[0].lease, release(), Status::Queued).await;
    let present = c.take_one().await;
    assert_eq!(present.lease.task, batch[0].lease.task);
    assert_eq!(c.beat(&[batch[0].lease.batch]).await.leases, [Pulse::Alive], "one is open");
    c.changes_nothing(batch[0].lease).await;
    c.end(present.lease, retry(0), Status::Queued).await;
    let third = c.take_due(at(0)).await;
    c.cannot_end(batch[0].lease).await;
    c.end(third.lease, success(), Status::Success).await;
    c.cannot_end(batch[0].lease).await;
    c.end(batch[1].lease, success(), Status::Success).await;
}

async fn given_a_turn_to_come_when_settled_then_lost(c: &Context) {
    let running = c.running().await;
    for turn in [running.lease.turn + 1, running.lease.turn + 2, u32::MAX] {
        c.cannot_end(Lease { turn, ..running.lease }).await;
    }
    c.end(running.lease, success(), Status::Success).await;
}

async fn given_the_right_turn_under_another_lease_when_settled_then_lost(c: &Context) {
    c.ready(2).await;
    let (one, other) = (c.take_one().await.lease, c.take_one().await.lease);
    assert_eq!(one.turn, other.turn);
    c.cannot_end(Lease { batch: other.batch, ..one }).await;
    c.end(one, success(), Status::Success).await;
    c.end(other, success(), Status::Success).await;
}

async fn given_a_task_that_waits_when_settled_under_any_lease_then_nothing_changes(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    c.end(batch[0].lease, retry(60), Status::Queued).await;
    c.end(batch[1].lease, release(), Status::Queued).await;
    let fresh = c.ready(1).await[0];
    for task in [batch[0].lease.task, batch[1].lease.task, fresh] {
        for turn in 0..4 {
            c.changes_nothing(Lease { task, turn, batch: batch[2].lease.batch }).await;
        }
    }
    c.end(batch[2].lease, success(), Status::Success).await;
}

async fn given_no_such_task_or_lease_when_settled_then_lost(c: &Context) {
    let running = c.running().await.lease;
    c.cannot_end(Lease { batch: LeaseId::new(), ..running }).await;
    c.cannot_end(Lease { task: TaskId::new(), ..running }).await;
    c.end(running, success(), Status::Success).await;
}

async fn given_a_waiting_task_is_canceled_when_settled_under_any_lease_then_nothing_changes(
    c: &Context,
) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let stale = batch[0].lease;
    c.end(stale, release(), Status::Queued).await;
    c.control(stale.task, cancel()).await;
    for turn in stale.turn..stale.turn + 4 {
        c.changes_nothing(Lease { turn, ..stale }).await;
    }
    c.end(batch[1].lease, success(), Status::Success).await;
}

async fn given_a_lease_without_a_beat_for_hours_when_settled_then_it_is_accepted(c: &Context) {
    let running = c.running().await;
    c.seen(running.lease.batch).await;
    c.end_at(running.lease, success(), Status::Success, at(100_000)).await;
}

async fn given_a_batch_when_settled_one_by_one_then_the_lease_lives_until_the_last(c: &Context) {
    c.ready(4).await;
    let batch = c.take(4).await;
    let lease = batch[0].lease.batch;
    let ends = [success(), release(), failed("no"), retry(9)];
    let statuses = [Status::Success, Status::Queued, Status::Failed, Status::Queued];
    for (task, (to, status)) in batch.iter().zip(ends.into_iter().zip(statuses)) {
        assert_eq!(c.beat(&[lease]).await.leases, [Pulse::Alive]);
        c.end(task.lease, to, status).await;
    }
    assert_eq!(c.beat(&[lease]).await.leases, [Pulse::Lost]);
}

async fn given_a_lease_settled_whole_when_it_beats_then_it_is_lost(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    let all = batch.iter().map(|task| Settlement::new(task.lease, success())).collect();
    c.settle_all(&Settle::new(all).at(at(0))).await;
    let lease = batch[0].lease.batch;
    assert_eq!(c.beat(&[lease]).await.leases, [Pulse::Lost]);
    assert!(c.recall(lease).await.is_empty());
    assert!(c.late_leases().await.is_empty(), "nobody has to watch it");
}

async fn given_a_repeated_settlement_when_counted_then_the_rest_of_the_lease_lives(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    let first = Settle::new(vec![Settlement::new(batch[0].lease, success())]).at(at(0));
    for _ in 0..5 {
        c.settle_all(&first).await;
    }
    let lease = batch[0].lease.batch;
    assert_eq!(c.beat(&[lease]).await.leases, [Pulse::Alive]);
    assert_eq!(ids(&c.recall(lease).await), ids(&batch[1..]));
    c.end(batch[1].lease, success(), Status::Success).await;
    c.end(batch[2].lease, success(), Status::Success).await;
}

async fn given_a_settle_with_a_claim_when_sent_then_both_are_done(c: &Context) {
    let all = c.ready(3).await;
    let first = c.take_one().await;
    let claim = c.claim_of(5);
    let request =
        Settle::new(vec![Settlement::new(first.lease, success())]).then(claim.clone()).at(at(1));
    let settled = c.settle_all(&request).await;
    assert_eq!(settled.fates, [Fate::Applied { status: Status::Success }]);
    let claimed = settled.claimed.unwrap();
    assert_eq!(ids(&claimed.tasks), all[1..]);
    assert_eq!(ids(&c.recall(claim.lease).await), all[1..]);
    for task in claimed.tasks {
        c.end(task.lease, success(), Status::Success).await;
    }
}

async fn given_a_release_with_a_claim_when_sent_then_the_claim_sees_what_was_released(c: &Context) {
    let first = c.running().await;
    let end = || Settlement::new(first.lease, release());
    let request = Settle::new(vec![end(), end()]).then(c.claim_of(5)).at(at(1));
    let settled = c.settle_all(&request).await;
    // Also what is there twice is answered before the claim.
    assert_eq!(settled.fates, [Fate::Applied { status: Status::Queued }; 2]);
    let claimed = settled.claimed.unwrap();
    assert_eq!(ids(&claimed.tasks), [first.lease.task]);
    assert_eq!(claimed.tasks[0].lease.turn, first.lease.turn + 1);
    assert_eq!(c.settle(first.lease, success()).await, Fate::Applied { status: Status::Running });
    c.end(claimed.tasks[0].lease, success(), Status::Success).await;
}

async fn given_a_claim_under_a_used_lease_when_settled_then_nothing_was_settled(c: &Context) {
    c.ready(3).await;
    let batch = c.take(2).await;
    let mut claim = c.claim_of(5);
    claim.lease = batch[0].lease.batch;
    let request = Settle::new(vec![Settlement::new(batch[0].lease, success())]).then(claim);
    let error = c.backend().settle(&request).await.unwrap_err();
    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
    assert_eq!(c.status(batch[0].lease.task).await, Status::Running);
    c.end(batch[0].lease, success(), Status::Success).await;
    c.take(1).await;
}

async fn given_a_task_under_its_old_and_its_present_lease_when_settled_in_one_call_then_by_position(
    c: &Context,
) {
    for (to, status) in [(release(), Status::Queued), (success(), Status::Success)] {
        c.ready(1).await;
        let old = c.take_one().await.lease;
        c.end(old, release(), Status::Queued).await;
        let present = c.take_one().await.lease;
        let request =
            Settle::new(vec![Settlement::new(old, failed("stale")), Settlement::new(present, to)]);
        let fates = c.settle_all(&request).await.fates;
        // It was settled before; and it runs when that is asked, whatever comes later in the call.
        assert_eq!(fates[0], Fate::Applied { status: Status::Running });
        assert_eq!(fates[1], Fate::Applied { status });
        let seen = c.task(present.task).await;
        assert_eq!((seen.status, seen.last_error), (status, None));
    }
}

async fn given_nothing_to_settle_when_settled_then_no_fates(c: &Context) {
    assert!(c.settle_all(&Settle::new(Vec::new())).await.fates.is_empty());
}

async fn given_attempts_that_ended_when_looked_at_then_the_oldest_comes_first(c: &Context) {
    let first = c.running().await;
    let id = first.lease.task;
    c.end(first.lease, retry(10), Status::Queued).await;
    let second = c.take_due(at(10)).await;
    c.end_at(second.lease, release(), Status::Queued, at(11)).await;
    let third = c.take_one_at(at(12)).await;
    c.end_at(third.lease, output("3"), Status::Success, at(13)).await;
    let attempts = c.attempts(id).await;
    let ends: Vec<_> = attempts.iter().map(|attempt| (attempt.turn, attempt.status)).collect();
    let expected = [(first.lease.turn, Status::Queued), (third.lease.turn, Status::Success)];
    assert_eq!(ends, expected, "a release has nothing to say");
    assert_eq!(attempts[0].error.as_deref(), Some("it failed"));
    let seen = c.task(id).await;
    assert_eq!(seen.last_error.as_deref(), Some("it failed"), "the newest that has one");
    assert_eq!((seen.attempts, seen.output.unwrap().get()), (2, json("3").get()));
}
