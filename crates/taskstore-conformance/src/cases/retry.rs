//! Tasks that go back to the queue.

use std::time::Duration;

use taskstore_core::{
    Status,
    backend::{AttemptIs, Fate, Requeue, Settle, Settlement, Transition, When},
    clock,
    limits::DELAY_MAX,
};

use crate::context::{Context, at, failed, ids, lost, release, retry, secs, snooze, success};

cases! { "retry":
    given_a_failure_when_retried_then_it_waits_for_its_backoff_and_the_attempt_counts
        ["retry.after" "retry.counted"];
    given_a_snooze_when_settled_then_it_waits_and_the_attempt_is_refunded
        ["retry.after" "retry.refunded"];
    given_a_release_when_settled_then_its_place_in_line_is_kept
        ["retry.as_before" "retry.refunded"];
    given_a_release_of_a_promoted_task_when_settled_then_its_time_is_kept ["retry.as_before"];
    given_no_delay_when_retried_then_it_is_due_at_once ["retry.after"];
    given_the_longest_delay_when_retried_then_its_time_is_exact ["retry.after" "input.limits"];
    given_a_delay_when_settled_without_a_time_then_it_counts_from_the_engines_clock
        ["time.engine" "retry.after"];
    given_counted_and_refunded_attempts_when_claimed_then_only_the_counted_show
        ["retry.counted" "retry.refunded" "look.attempts_count"];
    given_each_end_of_a_claim_when_claimed_again_then_the_turn_is_one_more ["turn.when"];
    given_a_retry_when_looked_at_then_the_attempt_says_why ["look.attempts" "look.last_error"];
    given_a_suspect_when_claimed_then_the_claim_says_so ["suspect.kept"];
    given_a_suspect_when_it_ends_then_it_is_no_longer_suspect ["suspect.cleared"];
    given_a_suspect_when_retried_as_innocent_then_it_is_no_longer_suspect ["suspect.cleared"];
    given_a_retried_batch_when_promoted_then_priorities_hold ["claim.order" "retry.after"];
    given_retries_after_different_delays_in_one_call_then_each_has_its_own ["retry.after"];
}

async fn given_a_failure_when_retried_then_it_waits_for_its_backoff_and_the_attempt_counts(
    c: &Context,
) {
    let running = c.running().await;
    let id = running.lease.task;
    c.end_at(running.lease, retry(30), Status::Queued, at(5)).await;
    let seen = c.task(id).await;
    assert_eq!((seen.run_at, seen.attempts, seen.suspect), (at(35), 1, false));
    assert_eq!((seen.updated_at, seen.completed_at), (at(5), None));
    c.promote(10, at(34)).await;
    c.nothing_to_claim_at(at(34)).await;
    let again = c.take_due(at(35)).await;
    assert_eq!((again.lease.task, again.attempts, again.run_at), (id, 1, at(35)));
    assert_eq!(c.task(id).await.attempts, 2, "it is on its second");
}

async fn given_a_snooze_when_settled_then_it_waits_and_the_attempt_is_refunded(c: &Context) {
    let running = c.running().await;
    c.end_at(running.lease, snooze(30), Status::Queued, at(5)).await;
    let seen = c.task(running.lease.task).await;
    assert_eq!((seen.run_at, seen.attempts), (at(35), 0));
    assert!(c.attempts(running.lease.task).await.is_empty(), "nothing to say");
    assert_eq!(c.take_due(at(35)).await.attempts, 0);
}

async fn given_a_release_when_settled_then_its_place_in_line_is_kept(c: &Context) {
    let all = c.ready(3).await;
    let first = c.take_one().await;
    c.end_at(first.lease, release(), Status::Queued, at(50)).await;
    let seen = c.task(all[0]).await;
    assert_eq!((seen.run_at, seen.attempts), (at(0), 0));
    let again = c.take(3).await;
    assert_eq!(ids(&again), all, "before those that were enqueued after it");
    assert_eq!((again[0].run_at, again[0].attempts), (at(0), 0));
}

async fn given_a_release_of_a_promoted_task_when_settled_then_its_time_is_kept(c: &Context) {
    let mut task = c.new_task().await;
    task.when = When::At(at(20));
    task.priority = 4;
    let id = c.store(task).await;
    let taken = c.take_due(at(25)).await;
    c.end_at(taken.lease, release(), Status::Queued, at(26)).await;
    let again = c.take_one_at(at(26)).await;
    assert_eq!((again.lease.task, again.run_at, again.priority), (id, at(20), 4));
}

async fn given_no_delay_when_retried_then_it_is_due_at_once(c: &Context) {
    let running = c.running().await;
    c.end_at(running.lease, retry(0), Status::Queued, at(5)).await;
    assert_eq!(c.task(running.lease.task).await.run_at, at(5));
    assert_eq!(c.take_due(at(5)).await.lease.task, running.lease.task);
}

async fn given_the_longest_delay_when_retried_then_its_time_is_exact(c: &Context) {
    let running = c.running().await;
    let to = Transition::Requeue {
        to: Requeue::After(DELAY_MAX),
        attempt: AttemptIs::Counted,
        suspect: false,
        error: None,
    };
    c.end(running.lease, to, Status::Queued).await;
    assert_eq!(c.task(running.lease.task).await.run_at, clock::add(at(0), DELAY_MAX));
}

async fn given_a_delay_when_settled_without_a_time_then_it_counts_from_the_engines_clock(
    c: &Context,
) {
    let running = c.running().await;
    let settlement = Settlement::new(running.lease, retry(7_200));
    c.settle_all(&Settle::new(vec![settlement])).await;
    let seen = c.task(running.lease.task).await;
    assert_eq!(seen.run_at, seen.updated_at + secs(7_200), "one time for the transaction");
    assert!((clock::now() - seen.updated_at).abs() < secs(600));
}

async fn given_counted_and_refunded_attempts_when_claimed_then_only_the_counted_show(c: &Context) {
    c.ready(1).await;
    let ends = [retry(0), snooze(0), retry(0), release(), lost(), retry(0)];
    for (to, before) in ends.into_iter().zip([0, 1, 1, 2, 2, 2]) {
        let taken = c.take_due(at(1)).await;
        assert_eq!(taken.attempts, before, "before {to:?}");
        assert_eq!(c.task(taken.lease.task).await.attempts, before + 1, "the running one too");
        c.end_at(taken.lease, to, Status::Queued, at(0)).await;
    }
    let last = c.take_due(at(1)).await;
    assert_eq!(last.attempts, 3);
    c.end(last.lease, failed("enough"), Status::Failed).await;
    assert_eq!(c.task(last.lease.task).await.attempts, 4);
}

async fn given_each_end_of_a_claim_when_claimed_again_then_the_turn_is_one_more(c: &Context) {
    c.ready(1).await;
    let mut turn = None;
    for to in [retry(0), snooze(0), release(), lost()] {
        let taken = c.take_due(at(1)).await;
        if let Some(turn) = turn {
            assert_eq!(taken.lease.turn, turn, "before {to:?}");
        }
        turn = Some(taken.lease.turn + 1);
        c.end_at(taken.lease, to, Status::Queued, at(0)).await;
    }
    assert_eq!(Some(c.take_due(at(1)).await.lease.turn), turn);
}

async fn given_a_retry_when_looked_at_then_the_attempt_says_why(c: &Context) {
    let running = c.running().await;
    let id = running.lease.task;
    c.end_at(running.lease, retry(30), Status::Queued, at(5)).await;
    let attempts = c.attempts(id).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!((attempts[0].status, attempts[0].turn), (Status::Queued, running.lease.turn));
    assert_eq!(attempts[0].error.as_deref(), Some("it failed"));
    assert_eq!(attempts[0].runner, Some(c.runner));
    assert_eq!(c.task(id).await.last_error.as_deref(), Some("it failed"));
    let again = c.take_due(at(35)).await;
    c.end_at(again.lease, failed("for good"), Status::Failed, at(36)).await;
    assert_eq!(c.task(id).await.last_error.as_deref(), Some("for good"), "the newest");
    assert_eq!(c.attempts(id).await.len(), 2);
}

async fn given_a_suspect_when_claimed_then_the_claim_says_so(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    c.end(batch[0].lease, lost(), Status::Queued).await;
    let seen = c.task(batch[0].lease.task).await;
    assert!(seen.suspect && !c.task(batch[1].lease.task).await.suspect);
    assert_eq!((seen.attempts, seen.run_at), (0, at(0)));
    let again = c.take_one().await;
    assert!(again.suspect);
    assert!(c.recall(again.lease.batch).await[0].suspect, "and so does a recall");
    c.end(again.lease, lost(), Status::Queued).await;
    assert!(c.take_one().await.suspect, "lost again");
}

async fn given_a_suspect_when_it_ends_then_it_is_no_longer_suspect(c: &Context) {
    for (to, status) in [(success(), Status::Success), (failed("no"), Status::Failed)] {
        let running = c.running().await;
        c.end(running.lease, lost(), Status::Queued).await;
        let again = c.take_one().await;
        c.end(again.lease, to, status).await;
        assert!(!c.task(again.lease.task).await.suspect);
    }
}

async fn given_a_suspect_when_retried_as_innocent_then_it_is_no_longer_suspect(c: &Context) {
    let running = c.running().await;
    c.end(running.lease, lost(), Status::Queued).await;
    let again = c.take_one().await;
    c.end(again.lease, retry(5), Status::Queued).await;
    assert!(!c.task(again.lease.task).await.suspect);
    assert!(!c.take_due(at(5)).await.suspect);
}

async fn given_a_retried_batch_when_promoted_then_priorities_hold(c: &Context) {
    let mut tasks = c.new_tasks(3).await;
    for (task, priority) in tasks.iter_mut().zip([2, 1, 3]) {
        task.priority = priority;
    }
    c.enqueue(&tasks).await;
    let taken = c.take(3).await;
    let all = taken.iter().map(|task| Settlement::new(task.lease, retry(5))).collect();
    c.settle_all(&Settle::new(all).at(at(0))).await;
    assert_eq!(c.promote(10, at(5)).await.moved, 3);
    let again = ids(&c.take_at(3, at(5)).await);
    assert_eq!(again, [tasks[1].id, tasks[0].id, tasks[2].id]);
}

async fn given_retries_after_different_delays_in_one_call_then_each_has_its_own(c: &Context) {
    c.ready(4).await;
    let taken = c.take(4).await;
    let ends = [retry(40), release(), retry(20), snooze(60)];
    let all = taken.iter().zip(ends).map(|(task, to)| Settlement::new(task.lease, to)).collect();
    let fates = c.settle_all(&Settle::new(all).at(at(1))).await.fates;
    assert_eq!(fates, [Fate::Applied { status: Status::Queued }; 4]);
    for (task, due) in taken.iter().zip([41, 0, 21, 61]) {
        assert_eq!(c.task(task.lease.task).await.run_at, at(due));
    }
    let promoted = c.promote(10, at(0)).await;
    assert_eq!((promoted.moved, promoted.due_in), (0, Some(Duration::from_secs(21))));
}
