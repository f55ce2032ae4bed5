//! Waiting for work. The only cases that let real time pass: none of them waits longer than it
//! takes, and a deadline far away shows that it was not the deadline that ended the wait.

use std::{pin::pin, task::Poll, time::Duration};

use futures_util::poll;
use taskstore_core::{
    Backend, QueueName, QueuePattern, Status,
    backend::{Enqueue, Move, NewTask, When},
};

use crate::context::{Context, at, cancel, ok, queue, release, requeue, retry, secs, success};

cases! { "wake":
    given_nothing_when_waited_then_it_ends_at_the_deadline ["wake.deadline"];
    given_a_wait_when_a_task_is_enqueued_then_it_ends needs NotifiesInProcess ["wake.heard"];
    given_a_wait_for_many_queues_when_one_gets_a_task_then_it_ends needs NotifiesInProcess
        ["wake.heard"];
    given_a_wait_when_a_task_is_released_then_it_ends needs NotifiesInProcess ["wake.heard"];
    given_a_wait_when_a_task_is_promoted_then_it_ends needs NotifiesInProcess ["wake.heard"];
    given_a_wait_when_a_task_is_resumed_then_it_ends needs NotifiesInProcess ["wake.heard"];
    given_a_wait_when_a_task_is_requeued_then_it_ends needs NotifiesInProcess ["wake.heard"];
    given_a_wait_when_a_task_is_rescheduled_to_now_then_it_ends needs NotifiesInProcess
        ["wake.heard"];
    given_a_wait_when_a_task_moves_to_the_queue_then_it_ends needs NotifiesInProcess
        ["wake.heard"];
    given_a_wait_when_a_task_is_put_into_later_then_it_ends_by_its_time needs NotifiesInProcess
        ["wake.later"];
    given_a_wait_when_a_retry_is_due_before_the_deadline_then_it_ends_by_its_time
        needs NotifiesInProcess ["wake.later"];
    given_a_wait_for_a_pattern_when_a_queue_is_used_for_the_first_time_then_it_ends
        needs NotifiesInProcess ["wake.matching"];
    given_a_wait_for_a_pattern_when_a_task_is_delayed_or_promoted_then_it_ends
        needs NotifiesInProcess ["wake.matching" "wake.later"];
    given_a_wait_when_its_queue_is_resumed_then_it_ends needs NotifiesInProcess ["wake.resumed"];
    given_another_handle_when_it_uses_a_queue_for_the_first_time_then_a_wait_for_a_pattern_ends
        needs NotifiesAcrossProcesses ["wake.across" "wake.matching"];
    given_many_waits_when_a_task_is_enqueued_then_each_ends needs NotifiesInProcess
        ["wake.heard"];
    given_a_dropped_wait_when_a_task_is_enqueued_then_others_still_end needs NotifiesInProcess
        ["wake.dropped"];
    given_a_wait_over_when_waited_again_then_work_is_heard_again needs NotifiesInProcess
        ["wake.heard"];
    given_no_wake_up_when_polled_then_all_work_is_found ["wake.polling"];
    given_another_handle_when_it_enqueues_then_the_wait_ends needs NotifiesAcrossProcesses
        ["wake.across"];
}

const FAR: Duration = Duration::from_secs(3_600);

/// Begins to wait, lets `work` happen, and sees that the wait ends long before its deadline.
async fn ends_when(c: &Context, queues: &[QueuePattern], work: impl Future<Output = ()>) {
    let mut wait = pin!(c.backend().wait_for_work(queues, FAR));
    // A hint may be wrong: a wait that ends for nothing is begun again.
    while poll!(wait.as_mut()) == Poll::Ready(()) {
        wait.set(c.backend().wait_for_work(queues, FAR));
    }
    work.await;
    if tokio::time::timeout(c.soon(), wait).await.is_err() {
        panic!("nobody heard of the work");
    }
}

fn default() -> [QueuePattern; 1] {
    [QueueName::default().into()]
}

async fn given_nothing_when_waited_then_it_ends_at_the_deadline(c: &Context) {
    let queues = default();
    c.backend().wait_for_work(&queues, Duration::ZERO).await;
    let wait = c.backend().wait_for_work(&queues, Duration::from_millis(20));
    assert!(tokio::time::timeout(c.soon(), wait).await.is_ok());
    let wait = c.backend().wait_for_work(&[], Duration::from_millis(20));
    assert!(tokio::time::timeout(c.soon(), wait).await.is_ok(), "for no queue");
}

/// Enqueues a task that is due at once by the engine's own clock.
async fn enqueue(backend: &dyn Backend, task: NewTask) {
    ok("enqueue", backend.enqueue(&Enqueue::new(&[task])).await);
}

async fn given_a_wait_when_a_task_is_enqueued_then_it_ends(c: &Context) {
    let task = c.new_task().await;
    ends_when(c, &default(), enqueue(&**c.backend(), task)).await;
}

async fn given_a_wait_for_many_queues_when_one_gets_a_task_then_it_ends(c: &Context) {
    let names = ["a", "b", "c"].map(queue);
    let queues = names.clone().map(QueuePattern::from);
    for name in &names {
        let mut task = c.new_task().await;
        task.queue = name.clone();
        ends_when(c, &queues, enqueue(&**c.backend(), task)).await;
    }
}

async fn given_a_wait_when_a_task_is_released_then_it_ends(c: &Context) {
    let running = c.running().await;
    ends_when(c, &default(), c.end(running.lease, release(), Status::Queued)).await;
}

async fn given_a_wait_when_a_task_is_promoted_then_it_ends(c: &Context) {
    c.later(600).await;
    ends_when(c, &default(), async {
        assert_eq!(c.promote(1, at(600)).await.moved, 1);
    })
    .await;
}

async fn given_a_wait_when_a_task_is_resumed_then_it_ends(c: &Context) {
    let id = c.ready(1).await[0];
    c.control(id, Move::Pause).await;
    ends_when(c, &default(), async {
        c.control(id, Move::Resume).await;
    })
    .await;
}

async fn given_a_wait_when_a_task_is_requeued_then_it_ends(c: &Context) {
    let id = c.ready(1).await[0];
    c.control(id, cancel()).await;
    ends_when(c, &default(), async {
        c.control(id, requeue()).await;
    })
    .await;
}

async fn given_a_wait_when_a_task_is_rescheduled_to_now_then_it_ends(c: &Context) {
    let id = c.later(600).await;
    ends_when(c, &default(), async {
        let to = Move::Reschedule { when: Some(When::Now), priority: None, queue: None };
        c.control(id, to).await;
    })
    .await;
}

async fn given_a_wait_when_a_task_moves_to_the_queue_then_it_ends(c: &Context) {
    let id = c.ready(1).await[0];
    let elsewhere = queue("else");
    ends_when(c, &[elsewhere.clone().into()], async {
        let queue = Some(elsewhere.clone());
        c.control(id, Move::Reschedule { when: None, priority: None, queue }).await;
    })
    .await;
}

async fn given_a_wait_when_a_task_is_put_into_later_then_it_ends_by_its_time(c: &Context) {
    let mut task = c.new_task().await;
    task.when = When::After(Duration::from_millis(50));
    ends_when(c, &default(), enqueue(&**c.backend(), task)).await;
}

async fn given_a_wait_when_a_retry_is_due_before_the_deadline_then_it_ends_by_its_time(
    c: &Context,
) {
    let running = c.running().await;
    ends_when(c, &default(), c.end(running.lease, retry(1), Status::Queued)).await;
}

fn pattern(text: &str) -> [QueuePattern; 1] {
    [ok("pattern", QueuePattern::new(text))]
}

async fn given_a_wait_for_a_pattern_when_a_queue_is_used_for_the_first_time_then_it_ends(
    c: &Context,
) {
    for (text, name) in [("mail-*", "mail-eu"), ("*", "x"), ("*-us", "mail-us")] {
        let mut task = c.new_task().await;
        task.queue = queue(name);
        ends_when(c, &pattern(text), enqueue(&**c.backend(), task)).await;
    }
}

async fn given_a_wait_for_a_pattern_when_a_task_is_delayed_or_promoted_then_it_ends(c: &Context) {
    let mut task = c.new_task().await;
    (task.queue, task.when) = (queue("mail-eu"), When::After(Duration::from_millis(50)));
    ends_when(c, &pattern("mail-*"), enqueue(&**c.backend(), task)).await;
    let mut task = c.new_task().await;
    (task.queue, task.when) = (queue("mail-us"), When::After(secs(600)));
    c.store(task).await;
    ends_when(c, &pattern("mail-*"), async {
        assert_eq!(c.promote(1, at(600)).await.moved, 1);
    })
    .await;
}

async fn given_a_wait_when_its_queue_is_resumed_then_it_ends(c: &Context) {
    let mail = queue("mail-eu");
    for queues in [[mail.clone().into()], pattern("mail-*")] {
        c.put_queue(&mail, true).await;
        ends_when(c, &queues, c.put_queue(&mail, false)).await;
    }
}

async fn given_another_handle_when_it_uses_a_queue_for_the_first_time_then_a_wait_for_a_pattern_ends(
    c: &Context,
) {
    let other = c.reopen().await;
    let mut task = c.new_task().await;
    task.queue = queue("mail-eu");
    ends_when(c, &pattern("mail-*"), enqueue(&*other, task)).await;
}

async fn given_many_waits_when_a_task_is_enqueued_then_each_ends(c: &Context) {
    let task = c.new_task().await;
    let queues =
        [["a", "default"], ["default", "b"]].map(|pair| pair.map(queue).map(QueuePattern::from));
    let mut first = pin!(c.backend().wait_for_work(&queues[0], FAR));
    let mut second = pin!(c.backend().wait_for_work(&queues[1], FAR));
    let begun = (poll!(first.as_mut()), poll!(second.as_mut()));
    enqueue(&**c.backend(), task).await;
    // One that ended before, for nothing, has kept its promise.
    if begun.0 == Poll::Pending {
        assert!(tokio::time::timeout(c.soon(), first).await.is_ok(), "the first one");
    }
    if begun.1 == Poll::Pending {
        assert!(tokio::time::timeout(c.soon(), second).await.is_ok(), "the second one");
    }
}

async fn given_a_dropped_wait_when_a_task_is_enqueued_then_others_still_end(c: &Context) {
    let queues = default();
    for _ in 0..3 {
        let mut dropped = Box::pin(c.backend().wait_for_work(&queues, FAR));
        let _ = poll!(dropped.as_mut());
        drop(dropped);
    }
    let task = c.new_task().await;
    ends_when(c, &queues, enqueue(&**c.backend(), task)).await;
}

async fn given_a_wait_over_when_waited_again_then_work_is_heard_again(c: &Context) {
    for _ in 0..5 {
        let task = c.new_task().await;
        ends_when(c, &default(), enqueue(&**c.backend(), task)).await;
    }
    c.take(5).await;
}

async fn given_no_wake_up_when_polled_then_all_work_is_found(c: &Context) {
    let (later, ready) = (c.later(30).await, c.ready(1).await[0]);
    let found = c.take_one().await;
    assert_eq!(found.lease.task, ready);
    c.end(found.lease, success(), Status::Success).await;
    let due_in = c.claim(&c.claim_of(1)).await.due_in;
    assert_eq!(due_in, Some(secs(30)), "so long a poller may sleep");
    assert_eq!(c.take_due(at(30)).await.lease.task, later);
}

async fn given_another_handle_when_it_enqueues_then_the_wait_ends(c: &Context) {
    let other = c.reopen().await;
    let task = c.new_task().await;
    ends_when(c, &default(), enqueue(&*other, task)).await;
}
