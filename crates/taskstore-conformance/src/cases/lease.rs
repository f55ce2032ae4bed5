//! The life and death of leases.

use std::time::Duration;

use taskstore_core::{
    LeaseId, RunnerId, Status,
    backend::{Fate, LateLease, Lease, Pulse, Report, TakeOver},
    clock,
};

use crate::context::{
    Context, at, cancel, failed, ids, lost, ok, output, release, retry, secs, success,
};

cases! { "lease":
    given_living_and_unknown_leases_when_they_beat_then_the_answers_are_by_position
        ["beat.alive" "beat.lost" "answers.by_position"];
    given_no_leases_when_they_beat_then_no_answers ["answers.by_position"];
    given_one_connection_when_it_beats_often_then_the_lease_lives ["beat.alive"];
    given_a_beat_when_looked_at_then_the_holder_was_heard_of ["beat.alive" "look.held_by"];
    given_a_lease_without_a_beat_when_asked_then_it_is_late ["late.names"];
    given_a_lease_of_the_future_when_asked_then_it_is_late ["late.names"];
    given_more_late_leases_than_asked_for_when_asked_then_no_more_than_so_many ["late.names"];
    given_no_lease_when_asked_then_none_is_late ["late.names"];
    given_a_dead_lease_when_taken_over_then_the_old_holder_has_no_rights
        ["take_over.fences" "beat.lost"];
    given_a_dead_lease_when_taken_over_then_the_new_holder_has_all_rights ["take_over.holder"];
    given_a_take_over_when_made_then_the_lease_id_is_the_takers
        ["take_over.holder" "take_over.fences"];
    given_a_take_over_when_made_then_turn_attempts_and_status_stay
        ["take_over.changes_nothing" "turn.when"];
    given_a_take_over_when_sent_again_then_it_answers_the_same ["take_over.again"];
    given_a_take_over_sent_again_when_some_was_settled_then_the_rest_is_named
        ["take_over.again"];
    given_a_lease_that_beat_meanwhile_when_taken_over_then_it_is_left_alone
        ["take_over.guard" "beat.counts"];
    given_another_beat_than_it_has_when_taken_over_then_it_is_left_alone ["take_over.guard"];
    given_a_lease_named_at_another_beat_too_when_taken_over_then_by_position
        ["take_over.guard" "answers.by_position"];
    given_two_takers_when_both_saw_it_dead_then_one_gets_it ["take_over.guard"];
    given_dead_living_and_unknown_leases_when_taken_over_then_by_position
        ["take_over.guard" "answers.by_position"];
    given_a_half_settled_lease_when_taken_over_then_only_the_rest_moves ["take_over.rest"];
    given_a_settled_lease_when_taken_over_then_there_is_none ["take_over.rest" "lease.open"];
    given_a_settlement_before_the_take_over_when_sent_again_after_it_then_applied
        ["settle.again"];
    given_a_lease_taken_over_twice_when_all_settle_then_only_the_last_holder_does
        ["take_over.fences" "fence.one_settlement"];
    given_a_take_over_when_the_old_holder_settles_with_it_in_one_call_then_by_position
        ["take_over.fences" "answers.by_position"];
    given_a_shared_lease_when_taken_over_then_nobody_was_alone ["take_over.alone"];
    given_a_claim_of_one_when_taken_over_then_it_was_not_alone ["take_over.alone"];
    given_an_isolated_task_when_taken_over_then_it_was_alone_also_the_next_time
        ["take_over.alone"];
    given_a_lost_batch_when_settled_as_lost_then_all_run_again_as_suspects
        ["suspect.kept" "retry.refunded" "take_over.holder"];
    given_a_cancel_request_when_taken_over_then_the_new_holder_hears_it
        ["cancel.heard" "take_over.changes_nothing"];
    given_a_suspect_when_taken_over_then_the_taker_is_told ["suspect.kept"];
}

async fn given_living_and_unknown_leases_when_they_beat_then_the_answers_are_by_position(
    c: &Context,
) {
    let (one, two) = (c.running().await.lease, c.running().await.lease);
    let over = c.running().await.lease;
    c.end(over, success(), Status::Success).await;
    let asked = [LeaseId::new(), two.batch, over.batch, one.batch];
    let pulses = c.beat(&asked).await.leases;
    assert_eq!(pulses, [Pulse::Lost, Pulse::Alive, Pulse::Lost, Pulse::Alive]);
}

async fn given_no_leases_when_they_beat_then_no_answers(c: &Context) {
    assert!(c.beat(&[]).await.leases.is_empty());
}

async fn given_one_connection_when_it_beats_often_then_the_lease_lives(c: &Context) {
    let running = c.running().await;
    let mut heartbeat = ok("heartbeat", c.backend().heartbeat().await);
    let mut other = ok("a second heartbeat", c.backend().heartbeat().await);
    for _ in 0..20 {
        for connection in [&mut heartbeat, &mut other] {
            let beaten = ok("beat", connection.beat(&[running.lease.batch]).await);
            assert_eq!(beaten.leases, [Pulse::Alive]);
        }
    }
    c.end(running.lease, success(), Status::Success).await;
    let beaten = ok("beat", heartbeat.beat(&[running.lease.batch]).await);
    assert_eq!(beaten.leases, [Pulse::Lost]);
}

async fn given_a_beat_when_looked_at_then_the_holder_was_heard_of(c: &Context) {
    let running = c.running().await;
    c.beat(&[running.lease.batch]).await;
    let holder = c.task(running.lease.task).await.held_by.unwrap();
    assert_eq!(holder.claimed_at, at(0), "a beat does not move it");
    let off = (clock::now() - holder.last_beat_at).abs();
    assert!(off < secs(600), "by the engine's clock, {off} off");
}

async fn given_a_lease_without_a_beat_when_asked_then_it_is_late(c: &Context) {
    c.ready(1).await;
    let mut claim = c.claim_of(1);
    claim.lease_for = secs(77);
    c.claim(&claim).await;
    let seen = c.seen(claim.lease).await;
    assert_eq!(seen.lease_for, secs(77));
    assert_eq!(c.seen(claim.lease).await, seen, "nothing moves without a beat");
}

async fn given_a_lease_of_the_future_when_asked_then_it_is_late(c: &Context) {
    c.ready(1).await;
    let far = clock::add(clock::now(), Duration::from_secs(365 * 24 * 3_600));
    let taken = c.take_one_at(far).await;
    c.seen(taken.lease.batch).await;
}

async fn given_more_late_leases_than_asked_for_when_asked_then_no_more_than_so_many(c: &Context) {
    let mut leases = Vec::new();
    for _ in 0..5 {
        leases.push(c.running().await.lease.batch);
    }
    let two = ok("late_leases", c.backend().late_leases(2).await);
    assert_eq!(two.len(), 2);
    assert!(two.iter().all(|late| leases.contains(&late.lease)));
    let mut all: Vec<_> = c.late_leases().await.iter().map(|late| late.lease).collect();
    all.sort();
    assert_eq!(all, leases);
}

async fn given_no_lease_when_asked_then_none_is_late(c: &Context) {
    c.ready(1).await;
    assert!(c.late_leases().await.is_empty());
}

async fn given_a_dead_lease_when_taken_over_then_the_old_holder_has_no_rights(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let old = batch[0].lease;
    c.take_over(old.batch, RunnerId::new()).await;
    c.cannot_end(old).await;
    c.cannot_end(batch[1].lease).await;
    let report = Report { lease: old, progress: None, log: Vec::new() };
    assert_eq!(c.report(report).await, Fate::Lost);
    assert_eq!(c.isolate(vec![(old, LeaseId::new())]).await, [None]);
    assert_eq!(c.beat(&[old.batch]).await.leases, [Pulse::Lost]);
    assert!(c.recall(old.batch).await.is_empty());
    assert!(c.late_leases().await.iter().all(|late| late.lease != old.batch));
}

async fn given_a_dead_lease_when_taken_over_then_the_new_holder_has_all_rights(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let taker = RunnerId::new();
    let taken = c.take_over(batch[0].lease.batch, taker).await;
    assert_eq!(taken.from, c.runner);
    assert_eq!(ids(&taken.tasks), ids(&batch));
    let present = taken.tasks[0].lease;
    assert_eq!(c.task(present.task).await.held_by.unwrap().runner, taker);
    assert_eq!(c.beat(&[present.batch]).await.leases, [Pulse::Alive]);
    assert_eq!(ids(&c.recall(present.batch).await), ids(&batch));
    let report = Report { lease: present, progress: None, log: Vec::new() };
    assert_eq!(c.report(report).await, Fate::Applied { status: Status::Running });
    c.end(present, output("1"), Status::Success).await;
    let attempts = c.attempts(present.task).await;
    assert_eq!(attempts[0].runner, Some(taker), "whoever holds it has settled it");
    c.end(taken.tasks[1].lease, retry(5), Status::Queued).await;
}

async fn given_a_take_over_when_made_then_the_lease_id_is_the_takers(c: &Context) {
    let running = c.running().await;
    let seen = c.seen(running.lease.batch).await;
    let new = LeaseId::new();
    let request = TakeOver::new(RunnerId::new(), vec![(seen, new)]);
    let taken = c.take_over_all(&request).await.pop().unwrap().unwrap();
    assert_eq!(taken.tasks[0].lease.batch, new);
    assert_ne!(taken.tasks[0].lease.batch, running.lease.batch);
    c.end(taken.tasks[0].lease, success(), Status::Success).await;
}

async fn given_a_take_over_when_made_then_turn_attempts_and_status_stay(c: &Context) {
    let mut task = c.keyed_task("k").await;
    task.priority = 3;
    task.max_attempts = Some(8);
    c.store(task).await;
    let running = c.take_one().await;
    let seen = c.task(running.lease.task).await;
    let taken = c.take_over(running.lease.batch, RunnerId::new()).await;
    let expected = Lease { batch: taken.tasks[0].lease.batch, ..running.lease };
    let moved = taskstore_core::backend::LeasedTask { lease: expected, ..running.clone() };
    assert_eq!(format!("{:?}", taken.tasks[0]), format!("{moved:?}"), "as it was claimed");
    let after = c.task(running.lease.task).await;
    assert_eq!((after.status, after.attempts), (seen.status, seen.attempts));
    assert!(c.attempts(running.lease.task).await.is_empty(), "no attempt has ended");
}

async fn given_a_take_over_when_sent_again_then_it_answers_the_same(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let seen = c.seen(batch[0].lease.batch).await;
    let request = TakeOver::new(RunnerId::new(), vec![(seen, LeaseId::new())]);
    let first = c.take_over_all(&request).await;
    let again = c.take_over_all(&request).await;
    let tasks = |taken: &[Option<_>]| {
        let taken: &taskstore_core::backend::TakenOver = taken[0].as_ref().unwrap();
        format!("{:?}", taken.tasks)
    };
    assert_eq!(tasks(&again), tasks(&first));
    for task in &first[0].as_ref().unwrap().tasks {
        c.end(task.lease, success(), Status::Success).await;
    }
}

async fn given_a_take_over_sent_again_when_some_was_settled_then_the_rest_is_named(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let seen = c.seen(batch[0].lease.batch).await;
    let request = TakeOver::new(RunnerId::new(), vec![(seen, LeaseId::new())]);
    let first = c.take_over_all(&request).await.pop().unwrap().unwrap();
    c.end(first.tasks[0].lease, success(), Status::Success).await;
    let again = c.take_over_all(&request).await.pop().unwrap().unwrap();
    assert_eq!(ids(&again.tasks), [batch[1].lease.task], "what is not settled yet");
    c.end(again.tasks[0].lease, success(), Status::Success).await;
}

async fn given_a_lease_that_beat_meanwhile_when_taken_over_then_it_is_left_alone(c: &Context) {
    let running = c.running().await;
    let seen = c.seen(running.lease.batch).await;
    assert_eq!(c.beat(&[running.lease.batch]).await.leases, [Pulse::Alive]);
    let request = |seen| TakeOver::new(RunnerId::new(), vec![(seen, LeaseId::new())]);
    assert!(c.take_over_all(&request(seen)).await[0].is_none());
    assert_eq!(c.task(running.lease.task).await.held_by.unwrap().runner, c.runner);
    assert_eq!(c.beat(&[running.lease.batch]).await.leases, [Pulse::Alive]);
    let two_beats_on = LateLease { beat: seen.beat + 2, ..seen };
    assert!(c.take_over_all(&request(two_beats_on)).await[0].is_some(), "a beat adds one");
}

async fn given_another_beat_than_it_has_when_taken_over_then_it_is_left_alone(c: &Context) {
    let running = c.running().await;
    let seen = c.seen(running.lease.batch).await;
    for beat in [seen.beat + 1, seen.beat + 1_000, u64::from(u32::MAX)] {
        let never = LateLease { beat, ..seen };
        let request = TakeOver::new(RunnerId::new(), vec![(never, LeaseId::new())]);
        assert!(c.take_over_all(&request).await[0].is_none());
    }
    c.end(running.lease, success(), Status::Success).await;
}

async fn given_a_lease_named_at_another_beat_too_when_taken_over_then_by_position(c: &Context) {
    let running = c.running().await;
    let seen = c.seen(running.lease.batch).await;
    let other = LateLease { beat: seen.beat + 1, ..seen };
    let leases = [other, seen, seen, other].map(|seen| (seen, LeaseId::new())).to_vec();
    let taken = c.take_over_all(&TakeOver::new(RunnerId::new(), leases)).await;
    assert_eq!([0, 1, 2, 3].map(|at: usize| taken[at].is_some()), [false, true, false, false]);
    c.end(taken[1].as_ref().unwrap().tasks[0].lease, success(), Status::Success).await;
}

async fn given_two_takers_when_both_saw_it_dead_then_one_gets_it(c: &Context) {
    let running = c.running().await;
    let seen = c.seen(running.lease.batch).await;
    let request = || TakeOver::new(RunnerId::new(), vec![(seen, LeaseId::new())]);
    let first = c.take_over_all(&request()).await.pop().unwrap().unwrap();
    assert!(c.take_over_all(&request()).await[0].is_none(), "it is gone");
    c.end(first.tasks[0].lease, success(), Status::Success).await;
}

async fn given_dead_living_and_unknown_leases_when_taken_over_then_by_position(c: &Context) {
    let (dead, living) = (c.running().await.lease, c.running().await.lease);
    let unknown = LateLease { lease: LeaseId::new(), beat: 0, lease_for: secs(15) };
    let seen = [c.seen(living.batch).await, unknown, c.seen(dead.batch).await];
    c.beat(&[living.batch]).await;
    let leases = seen.map(|seen| (seen, LeaseId::new())).to_vec();
    let taken = c.take_over_all(&TakeOver::new(RunnerId::new(), leases)).await;
    assert!(taken[0].is_none() && taken[1].is_none());
    assert_eq!(ids(&taken[2].as_ref().unwrap().tasks), [dead.task]);
    c.cannot_end(dead).await;
    c.end(living, success(), Status::Success).await;
}

async fn given_a_half_settled_lease_when_taken_over_then_only_the_rest_moves(c: &Context) {
    c.ready(3).await;
    let batch = c.take(3).await;
    c.end(batch[0].lease, success(), Status::Success).await;
    c.end(batch[1].lease, release(), Status::Queued).await;
    let elsewhere = c.take_one().await;
    let taken = c.take_over(batch[0].lease.batch, RunnerId::new()).await;
    assert_eq!(ids(&taken.tasks), [batch[2].lease.task], "not what others hold by now");
    let new = taken.tasks[0].lease;
    c.end(elsewhere.lease, success(), Status::Success).await;
    c.end(new, success(), Status::Success).await;
    assert_eq!(c.beat(&[new.batch]).await.leases, [Pulse::Lost], "its count was right");
}

async fn given_a_settled_lease_when_taken_over_then_there_is_none(c: &Context) {
    let running = c.running().await;
    let seen = c.seen(running.lease.batch).await;
    c.end(running.lease, success(), Status::Success).await;
    let request = TakeOver::new(RunnerId::new(), vec![(seen, LeaseId::new())]);
    let taken = c.take_over_all(&request).await;
    assert!(taken[0].as_ref().is_none_or(|taken| taken.tasks.is_empty()), "{taken:?}");
    assert_eq!(c.beat(&[request.leases[0].1]).await.leases, [Pulse::Lost]);
    assert!(c.late_leases().await.is_empty());
}

async fn given_a_settlement_before_the_take_over_when_sent_again_after_it_then_applied(
    c: &Context,
) {
    c.ready(2).await;
    let batch = c.take(2).await;
    c.end(batch[0].lease, success(), Status::Success).await;
    c.take_over(batch[0].lease.batch, RunnerId::new()).await;
    let before = c.whole(batch[0].lease.task).await;
    let fate = c.settle_at(batch[0].lease, success(), at(200)).await;
    assert_eq!(fate, Fate::Applied { status: Status::Success });
    assert_eq!(c.whole(batch[0].lease.task).await, before);
    c.cannot_end(batch[1].lease).await;
}

async fn given_a_lease_taken_over_twice_when_all_settle_then_only_the_last_holder_does(
    c: &Context,
) {
    let first = c.running().await.lease;
    let second = c.take_over(first.batch, RunnerId::new()).await.tasks[0].lease;
    let third = c.take_over(second.batch, RunnerId::new()).await.tasks[0].lease;
    c.cannot_end(first).await;
    c.cannot_end(second).await;
    c.end(third, success(), Status::Success).await;
    c.cannot_end(first).await;
    c.cannot_end(second).await;
}

async fn given_a_take_over_when_the_old_holder_settles_with_it_in_one_call_then_by_position(
    c: &Context,
) {
    use taskstore_core::backend::{Settle, Settlement};
    let old = c.running().await.lease;
    let new = c.take_over(old.batch, RunnerId::new()).await.tasks[0].lease;
    let request = Settle::new(vec![
        Settlement::new(old, failed("stale")),
        Settlement::new(new, success()),
        Settlement::new(old, failed("stale")),
    ]);
    let fates = c.settle_all(&request.at(at(0))).await.fates;
    assert_eq!(fates, [Fate::Lost, Fate::Applied { status: Status::Success }, Fate::Lost]);
    assert_eq!(c.task(old.task).await.last_error, None);
}

async fn given_a_shared_lease_when_taken_over_then_nobody_was_alone(c: &Context) {
    c.ready(2).await;
    let lease = c.take(2).await[0].lease.batch;
    assert!(!c.take_over(lease, RunnerId::new()).await.alone);
}

async fn given_a_claim_of_one_when_taken_over_then_it_was_not_alone(c: &Context) {
    let running = c.running().await;
    let taken = c.take_over(running.lease.batch, RunnerId::new()).await;
    assert!(!taken.alone, "only what was isolated was alone when it began");
}

async fn given_an_isolated_task_when_taken_over_then_it_was_alone_also_the_next_time(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    let alone = c.isolate_one(batch[0].lease).await;
    let first = c.take_over(alone.batch, RunnerId::new()).await;
    assert!(first.alone);
    let second = c.take_over(first.tasks[0].lease.batch, RunnerId::new()).await;
    assert!(second.alone, "passed on");
    assert!(!c.take_over(batch[1].lease.batch, RunnerId::new()).await.alone);
}

async fn given_a_lost_batch_when_settled_as_lost_then_all_run_again_as_suspects(c: &Context) {
    let all = c.ready(3).await;
    let batch = c.take(3).await;
    let taken = c.take_over(batch[0].lease.batch, RunnerId::new()).await;
    for task in &taken.tasks {
        c.end(task.lease, lost(), Status::Queued).await;
    }
    let again = c.take(3).await;
    assert_eq!(ids(&again), all, "with their place in line");
    assert!(again.iter().all(|task| task.suspect && task.attempts == 0));
    for task in &batch {
        c.cannot_end(task.lease).await;
    }
}

async fn given_a_cancel_request_when_taken_over_then_the_new_holder_hears_it(c: &Context) {
    let running = c.running().await;
    let id = running.lease.task;
    c.control(id, cancel()).await;
    let taken = c.take_over(running.lease.batch, RunnerId::new()).await;
    let new = taken.tasks[0].lease;
    assert!(c.beat(&[new.batch]).await.cancel.contains(&id));
    c.end(new, lost(), Status::Canceled).await;
}

async fn given_a_suspect_when_taken_over_then_the_taker_is_told(c: &Context) {
    let running = c.running().await;
    c.end(running.lease, lost(), Status::Queued).await;
    let again = c.take_one().await;
    let taken = c.take_over(again.lease.batch, RunnerId::new()).await;
    assert!(taken.tasks[0].suspect);
}
