//! The same move of many tasks.

use std::{
    future::IntoFuture,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt;

use super::*;
use crate::{
    BulkReport, Status, TaskId,
    backend::{Cursor, Settle, Settlement, TaskOrder, Transition},
};

async fn enqueue(store: &Store, queue: &str, tasks: u64) -> Vec<TaskId> {
    store.enqueue_many::<Count>(0..tasks).queue(queue).await.unwrap()
}

/// Runs everything that is due in the queue to this end.
async fn end_all(spy: &Spy, queue: &str, to: Transition) {
    loop {
        let claimed = claim(spy, queue).await;
        if claimed.is_empty() {
            return;
        }
        let ends = claimed.iter().map(|task| Settlement::new(task.lease, to.clone())).collect();
        spy.memory.settle(&Settle::new(ends)).await.unwrap();
    }
}

fn failed() -> Transition {
    Transition::Failed { error: "no".into() }
}

async fn seen(store: &Store, status: Status) -> u64 {
    store.tasks().status(status).with_deleted().count().await.unwrap().seen()
}

#[tokio::test]
async fn every_verb_moves_all_that_match_and_nothing_else() {
    let (store, spy) = store().await;
    let tasks = store.tasks();
    enqueue(&store, "mail", 30).await;
    enqueue(&store, "other", 3).await;
    let mail = || tasks.queue("mail");
    assert_eq!(mail().pause().await.unwrap().moved, 30);
    assert_eq!(seen(&store, Status::Paused).await, 30);
    assert_eq!(mail().reschedule().priority(3).queue("slow").await.unwrap().moved, 30);
    let slow = || tasks.queue("slow");
    assert_eq!(slow().resume().await.unwrap().moved, 30);
    assert_eq!(slow().cancel_because("why").await.unwrap().moved, 30);
    let one = slow().limit(1).list().await.unwrap().items.remove(0);
    assert_eq!((one.last_error.as_deref(), one.priority), (Some("why"), 3));
    let canceled = slow().status(Status::Canceled);
    assert_eq!(canceled.requeue_with(7).await.unwrap().moved, 30);
    assert_eq!(slow().limit(1).list().await.unwrap().items[0].parameters.get(), "7");
    end_all(&spy, "slow", failed()).await;
    assert_eq!(slow().status(Status::Failed).requeue().await.unwrap().moved, 30);
    assert_eq!(slow().soft_delete().await.unwrap().moved, 30);
    assert_eq!(slow().count().await.unwrap().seen(), 0);
    assert_eq!(slow().purge().await.unwrap().looked_at, 0, "they are hidden");
    assert_eq!(slow().restore().await.unwrap().moved, 30);
    assert_eq!(slow().purge().await.unwrap().moved, 30);
    assert_eq!(seen(&store, Status::Queued).await, 3, "the others were left alone");
    let done = tasks.all().cancel().await.unwrap();
    assert_eq!((done.moved, done.refused, done.complete), (3, 0, true));
}

#[tokio::test]
async fn running_tasks_are_asked_and_the_report_tells_them_apart() {
    let (store, spy) = store().await;
    enqueue(&store, "mail", 5).await;
    assert_eq!(claim(&spy, "mail").await.len(), 5);
    enqueue(&store, "mail", 2).await;
    let done = store.tasks().all().cancel().await.unwrap();
    assert_eq!((done.looked_at, done.moved, done.requested), (7, 2, 5));
    assert_eq!(done.to_string(), "2 moved, 5 requested");
    let none = store.tasks().status(Status::Queued).cancel().await.unwrap();
    assert_eq!(none.looked_at, 0, "what runs is not queued");
}

#[tokio::test]
async fn ids_are_answered_one_by_one_each_once() {
    let (store, _) = store().await;
    let all = enqueue(&store, "mail", 3).await;
    store.tasks().cancel(all[0]).await.unwrap();
    let stranger = TaskId::new();
    let ids = [all[0], all[1], all[1], stranger];
    let done = store.tasks().ids(ids).cancel().await.unwrap();
    assert_eq!((done.looked_at, done.moved, done.refused), (3, 1, 2));
    let why: Vec<_> = done.refusals.iter().map(|r| (r.task, r.why.to_string())).collect();
    let expected = [
        (all[0], format!("task {} is canceled and cannot be canceled", all[0])),
        (stranger, format!("task {stranger} was not found")),
    ];
    assert_eq!(why, expected);
    let narrowed = store.tasks().ids(all.clone()).queue("other").cancel().await.unwrap();
    assert_eq!((narrowed.looked_at, narrowed.complete), (0, true));
    let mail = store.tasks().ids(all[1..].to_vec()).queue("mail");
    assert_eq!(mail.soft_delete().await.unwrap().moved, 2);
    assert_eq!(mail.restore().await.unwrap().moved, 2);
}

#[tokio::test]
async fn refusals_are_kept_up_to_a_thousand_and_counted_beyond() {
    let (store, _) = store().await;
    let ids: Vec<_> = (0..1_200).map(|_| TaskId::new()).collect();
    let done = store.tasks().ids(ids).purge().await.unwrap();
    assert_eq!((done.refused, done.refusals.len()), (1_200, 1_000));
}

#[tokio::test]
async fn what_is_moved_ends_at_most_at_what_was_said_newest_first() {
    let (store, _) = store().await;
    let all = enqueue(&store, "mail", 700).await;
    let done = store.tasks().all().pause().at_most(650).await.unwrap();
    assert_eq!((done.moved, done.complete), (650, false));
    let left = store.tasks().status(Status::Queued).oldest_first().limit(100).list().await.unwrap();
    let left: Vec<_> = left.items.iter().map(|task| task.id).collect();
    assert_eq!(left, all[..50], "the newest went first");
    let rest = store.tasks().all().pause().at_most(50).await.unwrap();
    assert_eq!(rest.moved, 50);
}

#[tokio::test]
async fn progress_is_told_pass_by_pass() {
    let (store, spy) = store().await;
    enqueue(&store, "mail", 1_300).await;
    let told: Arc<Mutex<Vec<u64>>> = Arc::default();
    let telling = Arc::clone(&told);
    let tell = move |so_far: &BulkReport| telling.lock().unwrap().push(so_far.moved);
    store.tasks().all().cancel().on_progress(tell).await.unwrap();
    let told = told.lock().unwrap();
    assert_eq!(told.last(), Some(&1_300));
    assert!(told.windows(2).all(|pair| pair[0] < pair[1] && pair[1] - pair[0] <= 500));
    assert_eq!(spy.count("control"), told.len());
    assert_eq!(spy.count("tasks"), 0, "no parameters were read");
}

#[tokio::test]
async fn large_parameters_go_in_small_passes() {
    let (store, spy) = store().await;
    enqueue(&store, "mail", 40).await;
    store.tasks().all().cancel().await.unwrap();
    let before = spy.count("control");
    let large = "x".repeat(900 << 10);
    let canceled = store.tasks().status(Status::Canceled);
    assert_eq!(canceled.requeue_with(large).await.unwrap().moved, 40);
    assert_eq!(spy.count("control") - before, 10, "4 MiB of parameters each");
}

#[tokio::test]
async fn a_requeue_of_failures_that_fail_again_meanwhile_ends() {
    let (store, spy) = store().await;
    enqueue(&store, "mail", 1_500).await;
    end_all(&spy, "mail", failed()).await;
    let again = spy.clone();
    // Each pass fails whole before the next one is made.
    let fail_again = move |_: &BulkReport| {
        end_all(&again, "mail", failed()).now_or_never().unwrap();
    };
    let requeue = store.tasks().status(Status::Failed).requeue().on_progress(fail_again);
    let done = requeue.await.unwrap();
    assert_eq!((done.looked_at, done.moved), (1_500, 1_500), "each once");
    assert_eq!(seen(&store, Status::Failed).await, 1_500);
}

#[tokio::test]
async fn what_is_enqueued_meanwhile_is_left_alone() {
    let (store, _) = store().await;
    enqueue(&store, "mail", 1_500).await;
    let producer = store.clone();
    let enqueue_one = move |_: &BulkReport| {
        producer.enqueue::<Count>(1).into_future().now_or_never().unwrap().unwrap();
    };
    let done = store.tasks().all().cancel().on_progress(enqueue_one).await.unwrap();
    assert_eq!(done.moved, 1_500);
    assert!(seen(&store, Status::Queued).await > 2);
}

#[tokio::test]
async fn a_status_that_moved_on_is_a_refusal() {
    let (store, spy) = store().await;
    let all = enqueue(&store, "mail", 600).await;
    let thief = spy.clone();
    // Between the page of ids and the later passes a runner takes everything.
    let claim_all = move |_: &BulkReport| {
        while !claim(&thief, "mail").now_or_never().unwrap().is_empty() {}
    };
    let queued = store.tasks().status(Status::Queued);
    let done = queued.cancel().on_progress(claim_all).await.unwrap();
    assert_eq!((done.looked_at, done.requested), (600, 0), "only what is queued");
    assert!(done.moved > 0 && done.refused > 0, "{done}");
    assert_eq!(done.moved + done.refused, 600);
    assert!(matches!(
        done.refusals[0].why,
        Error::InvalidTransition { from: Status::Running, to: "canceled", .. }
    ));
    assert!(all.contains(&done.refusals[0].task));
}

#[tokio::test]
async fn an_outage_says_how_far_it_came_and_saying_it_again_goes_on() {
    let (store, spy) = store().await;
    enqueue(&store, "mail", 1_000).await;
    let breaker = spy.clone();
    let break_next = move |_: &BulkReport| breaker.fail("control", Fault::Before);
    let error = store.tasks().all().cancel().on_progress(break_next).await.unwrap_err();
    assert!(error.is_retryable(), "{error}");
    let Error::Unfinished { done, source } = error else { panic!("{error}") };
    assert!(matches!(*source, Error::Unavailable { .. }));
    assert_eq!((done.moved, done.complete), (seen(&store, Status::Canceled).await, false));
    let done = done.moved;
    assert!(done > 0 && done < 1_000);

    // A reply is lost: that pass is done, and not counted.
    spy.fail("control", Fault::After);
    let error = store.tasks().all().cancel().await.unwrap_err();
    assert!(error.to_string().starts_with("it stopped after 0 moved: "), "{error}");
    let twice = seen(&store, Status::Canceled).await;
    assert!(twice > done && twice < 1_000);

    spy.fail("task_ids", Fault::Before);
    assert!(store.tasks().all().cancel().await.unwrap_err().is_retryable());
    let rest = store.tasks().all().cancel().await.unwrap();
    assert_eq!((rest.moved, rest.refused, rest.complete), (1_000 - twice, 0, true));
}

#[tokio::test]
async fn whoever_waits_for_a_task_that_is_canceled_with_many_hears_of_it() {
    let (store, _) = store().await;
    let all = enqueue(&store, "mail", 3).await;
    let waits = store.wait_for(all[1], Duration::from_secs(60));
    let cancels = async { store.tasks().all().cancel().await.unwrap() };
    let (ended, _) = tokio::join!(waits, cancels);
    assert!(matches!(ended, Err(Error::Canceled { .. })));
}

#[tokio::test]
async fn bad_input_is_named_and_nothing_is_done() {
    let (store, spy) = store().await;
    let all = enqueue(&store, "mail", 3).await;
    let tasks = store.tasks();
    assert_eq!(field(tasks.ids([]).cancel().await), "ids");
    assert_eq!(field(tasks.ids([]).queue("mail").purge().await), "ids");
    assert_eq!(field(tasks.ids(vec![all[0]; 10_001]).cancel().await), "ids");
    assert_eq!(field(tasks.queue("two words").cancel().await), "queue");
    assert_eq!(field(tasks.definition("").cancel().await), "alias");
    assert_eq!(not_found(tasks.definition("nobody").cancel().await), "task definition");
    assert_eq!(field(tasks.all().limit(10).cancel().await), "limit");
    assert_eq!(field(tasks.all().after(Cursor("n".into())).cancel().await), "cursor");
    assert_eq!(field(tasks.all().oldest_first().cancel().await), "order");
    assert_eq!(field(tasks.all().order(TaskOrder::ClaimOrder).cancel().await), "order");
    assert_eq!(field(tasks.all().cancel().at_most(0).await), "at_most");
    assert_eq!(field(tasks.status(Status::Success).cancel().await), "status");
    assert_eq!(field(tasks.status(Status::Running).purge().await), "status");
    assert_eq!(field(tasks.all().requeue().await), "status");
    assert_eq!(field(tasks.queue("mail").requeue_with(1).await), "status");
    assert_eq!(field(tasks.all().reschedule().await), "reschedule");
    assert_eq!(field(tasks.all().reschedule().queue("two words").await), "queue");
    assert_eq!(field(tasks.all().reschedule().delay(Duration::MAX).await), "delay");
    let failed = tasks.status(Status::Failed);
    assert_eq!(field(failed.requeue_with("x".repeat(1 << 20)).await), "parameters");
    let now = clock::now();
    let backwards = tasks.all().deleted(now..now - Duration::from_secs(1));
    assert_eq!(field(backwards.restore().await), "deleted");
    assert_eq!(spy.count("control") + spy.count("task_ids"), 0, "nobody was asked");
    assert_eq!(tasks.all().newest_first().cancel().await.unwrap().moved, 3);
}
