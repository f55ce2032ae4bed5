//! Paused tasks and paused queues.

use taskstore_core::{
    Status,
    backend::{Claim, Move, Outcome, Pulse, Settle, Settlement, When},
};

use crate::context::{Context, at, ids, queue, release, retry, secs, success};

cases! { "pause":
    given_a_ready_task_when_paused_then_it_is_not_claimed ["pause.task"];
    given_a_delayed_task_when_paused_then_its_time_passes_it_by ["pause.task"];
    given_a_paused_task_when_resumed_then_it_has_its_place_in_line ["resume.task"];
    given_a_paused_delayed_task_when_resumed_before_its_time_then_it_waits ["resume.task"];
    given_a_paused_delayed_task_when_resumed_after_its_time_then_it_runs ["resume.task"];
    given_a_running_task_when_paused_then_refused ["control.refused"];
    given_an_ended_task_when_paused_or_resumed_then_refused ["control.refused"];
    given_a_waiting_task_when_resumed_then_refused ["control.refused"];
    given_a_pause_and_a_resume_when_claimed_then_the_turn_counts_both ["turn.when"];
    given_a_paused_task_when_looked_at_then_it_is_as_it_was ["pause.task"];
    given_a_paused_queue_when_claimed_then_nothing_is_taken ["pause.queue"];
    given_a_paused_queue_when_other_queues_are_claimed_then_they_give ["pause.queue"];
    given_a_paused_queue_when_resumed_then_all_is_there ["pause.queue"];
    given_a_paused_queue_when_enqueued_then_tasks_wait_in_it ["pause.queue"];
    given_a_paused_queue_when_due_tasks_are_promoted_then_they_wait_in_it ["pause.queue"];
    given_a_paused_queue_when_its_running_tasks_settle_then_that_is_accepted ["pause.queue"];
    given_a_paused_queue_when_settled_with_a_claim_then_nothing_is_taken
        ["pause.queue" "settle.then_claim"];
    given_a_queue_nobody_used_when_paused_then_it_is_paused ["pause.queue"];
}

const PAUSED: Outcome = Outcome::Moved { from: Status::Queued, to: Status::Paused };
const RESUMED: Outcome = Outcome::Moved { from: Status::Paused, to: Status::Queued };

async fn given_a_ready_task_when_paused_then_it_is_not_claimed(c: &Context) {
    let all = c.ready(2).await;
    assert_eq!(c.control_at(all[0], Move::Pause, at(2)).await, PAUSED);
    let seen = c.task(all[0]).await;
    assert_eq!((seen.status, seen.updated_at), (Status::Paused, at(2)));
    assert_eq!(c.take_one().await.lease.task, all[1]);
    c.nothing_to_claim().await;
    c.refuses(all[0], Move::Pause).await;
}

async fn given_a_delayed_task_when_paused_then_its_time_passes_it_by(c: &Context) {
    let id = c.later(30).await;
    assert_eq!(c.control(id, Move::Pause).await, PAUSED);
    let promoted = c.promote(10, at(30)).await;
    assert_eq!((promoted.moved, promoted.due_in), (0, None));
    c.nothing_to_claim_at(at(30)).await;
}

async fn given_a_paused_task_when_resumed_then_it_has_its_place_in_line(c: &Context) {
    let all = c.ready(3).await;
    c.control(all[0], Move::Pause).await;
    assert_eq!(c.control_at(all[0], Move::Resume, at(50)).await, RESUMED);
    let seen = c.task(all[0]).await;
    assert_eq!((seen.status, seen.run_at, seen.updated_at), (Status::Queued, at(0), at(50)));
    c.promote(10, at(50)).await;
    assert_eq!(ids(&c.take_at(3, at(50)).await), all);
}

async fn given_a_paused_delayed_task_when_resumed_before_its_time_then_it_waits(c: &Context) {
    let id = c.later(30).await;
    c.control(id, Move::Pause).await;
    assert_eq!(c.control_at(id, Move::Resume, at(10)).await, RESUMED);
    assert_eq!(c.task(id).await.run_at, at(30));
    assert_eq!(c.promote(10, at(10)).await.due_in, Some(secs(20)));
    c.nothing_to_claim_at(at(10)).await;
    assert_eq!(c.take_due(at(30)).await.lease.task, id);
}

async fn given_a_paused_delayed_task_when_resumed_after_its_time_then_it_runs(c: &Context) {
    let id = c.later(30).await;
    c.control(id, Move::Pause).await;
    assert_eq!(c.control_at(id, Move::Resume, at(90)).await, RESUMED);
    let taken = c.take_due(at(90)).await;
    assert_eq!((taken.lease.task, taken.run_at), (id, at(30)));
}

async fn given_a_running_task_when_paused_then_refused(c: &Context) {
    let running = c.running().await;
    c.refuses(running.lease.task, Move::Pause).await;
    c.refuses(running.lease.task, Move::Resume).await;
    c.end(running.lease, release(), Status::Queued).await;
}

async fn given_an_ended_task_when_paused_or_resumed_then_refused(c: &Context) {
    let running = c.running().await;
    c.end(running.lease, success(), Status::Success).await;
    c.refuses(running.lease.task, Move::Pause).await;
    c.refuses(running.lease.task, Move::Resume).await;
}

async fn given_a_waiting_task_when_resumed_then_refused(c: &Context) {
    let (ready, later) = (c.ready(1).await[0], c.later(30).await);
    c.refuses(ready, Move::Resume).await;
    c.refuses(later, Move::Resume).await;
    assert_eq!(c.take_one().await.lease.task, ready);
}

async fn given_a_pause_and_a_resume_when_claimed_then_the_turn_counts_both(c: &Context) {
    let first = c.running().await;
    c.end(first.lease, release(), Status::Queued).await;
    c.control(first.lease.task, Move::Pause).await;
    c.control(first.lease.task, Move::Resume).await;
    let again = c.take_due(at(0)).await;
    assert_eq!(again.lease.turn, first.lease.turn + 3, "a release, a pause, a resume");
    c.changes_nothing(first.lease).await;
}

async fn given_a_paused_task_when_looked_at_then_it_is_as_it_was(c: &Context) {
    let mut task = c.keyed_task("k").await;
    task.priority = 5;
    let id = c.store(task).await;
    let running = c.take_one().await;
    c.end(running.lease, retry(0), Status::Queued).await;
    let before = c.task(id).await;
    c.control(id, Move::Pause).await;
    let paused = c.task(id).await;
    assert_eq!((paused.run_at, paused.priority), (before.run_at, before.priority));
    assert_eq!((paused.attempts, paused.last_error), (before.attempts, before.last_error));
    assert_eq!((paused.completed_at, paused.held_by), (None, None));
}

async fn given_a_paused_queue_when_claimed_then_nothing_is_taken(c: &Context) {
    c.ready(2).await;
    c.put_queue(&queue("default"), true).await;
    c.nothing_to_claim().await;
    c.put_queue(&queue("default"), true).await;
    c.nothing_to_claim().await;
}

async fn given_a_paused_queue_when_other_queues_are_claimed_then_they_give(c: &Context) {
    let mut tasks = c.new_tasks(3).await;
    for (task, name) in tasks.iter_mut().zip(["a", "b", "c"]) {
        task.queue = queue(name);
    }
    c.enqueue(&tasks).await;
    c.put_queue(&queue("b"), true).await;
    c.put_queue(&queue("c"), false).await;
    let claim = Claim::new(c.runner, ["b", "a", "c"].map(queue), 10).at(at(0));
    assert_eq!(ids(&c.claim(&claim).await.tasks), [tasks[0].id, tasks[2].id]);
    assert_eq!(c.status(tasks[1].id).await, Status::Queued);
}

async fn given_a_paused_queue_when_resumed_then_all_is_there(c: &Context) {
    let all = c.ready(2).await;
    c.put_queue(&queue("default"), true).await;
    c.put_queue(&queue("default"), false).await;
    assert_eq!(ids(&c.take(2).await), all);
}

async fn given_a_paused_queue_when_enqueued_then_tasks_wait_in_it(c: &Context) {
    c.put_queue(&queue("default"), true).await;
    let all = c.ready(2).await;
    c.nothing_to_claim().await;
    c.put_queue(&queue("default"), false).await;
    assert_eq!(ids(&c.take(2).await), all);
}

async fn given_a_paused_queue_when_due_tasks_are_promoted_then_they_wait_in_it(c: &Context) {
    let mut task = c.new_task().await;
    task.when = When::After(secs(5));
    let id = c.store(task).await;
    c.put_queue(&queue("default"), true).await;
    assert_eq!(c.promote(10, at(5)).await.due_in, None, "it is not forgotten in later");
    c.nothing_to_claim_at(at(5)).await;
    c.put_queue(&queue("default"), false).await;
    assert_eq!(c.take_due(at(5)).await.lease.task, id);
}

async fn given_a_paused_queue_when_its_running_tasks_settle_then_that_is_accepted(c: &Context) {
    c.ready(2).await;
    let batch = c.take(2).await;
    c.put_queue(&queue("default"), true).await;
    assert_eq!(c.beat(&[batch[0].lease.batch]).await.leases, [Pulse::Alive]);
    c.end(batch[0].lease, success(), Status::Success).await;
    c.end(batch[1].lease, release(), Status::Queued).await;
    c.nothing_to_claim().await;
}

async fn given_a_paused_queue_when_settled_with_a_claim_then_nothing_is_taken(c: &Context) {
    c.ready(2).await;
    let running = c.take_one().await;
    c.put_queue(&queue("default"), true).await;
    let settlements = vec![Settlement::new(running.lease, success())];
    let claimed = c.settle_all(&Settle::new(settlements).then(c.claim_of(5))).await.claimed;
    assert!(claimed.unwrap().tasks.is_empty());
    assert_eq!(c.status(running.lease.task).await, Status::Success);
}

async fn given_a_queue_nobody_used_when_paused_then_it_is_paused(c: &Context) {
    c.put_queue(&queue("fresh"), true).await;
    let mut task = c.new_task().await;
    task.queue = queue("fresh");
    c.store(task).await;
    let claim = Claim::new(c.runner, [queue("fresh")], 1).at(at(0));
    assert!(c.claim(&claim).await.tasks.is_empty());
}
