//! Who waits for work hears of it: at once in the same process, within milliseconds from another.

mod common;

use std::time::{Duration, Instant};

use common::Store;
use taskstore_core::{
    Backend, QueueName, QueuePattern,
    backend::{Enqueue, When},
};
use taskstore_sqlite::Wakeup;

const LONG: Duration = Duration::from_secs(20);

fn queues() -> [QueuePattern; 1] {
    [QueueName::default().into()]
}

/// The state of a runner that has nothing to do: a claim has seen that the queue is empty.
async fn idle(store: &Store) {
    assert!(store.claim(1).await.tasks.is_empty());
}

#[tokio::test]
async fn work_of_the_same_process_is_heard_of_from_the_moment_of_the_call() {
    let store = Store::with(|options| options.wakeup(Wakeup::Off)).await;
    idle(&store).await;
    let waited = queues();
    let wait = store.backend.wait_for_work(&waited, LONG);
    store.enqueue(1).await;
    let began = Instant::now();
    wait.await;
    assert!(began.elapsed() < LONG / 2);
}

#[tokio::test]
async fn work_of_another_process_is_heard_of_by_inotify_and_by_polling() {
    for how in [Wakeup::Auto, Wakeup::Poll] {
        let store = Store::with(|options| options.wakeup(how)).await;
        idle(&store).await;
        let other = store.other().await;
        let waited = queues();
        let wait = store.backend.wait_for_work(&waited, LONG);
        let task = store.task();
        let (_, took) =
            tokio::join!(async { other.enqueue(&Enqueue::new(&[task])).await.unwrap() }, async {
                let began = Instant::now();
                wait.await;
                began.elapsed()
            });
        assert!(took < LONG / 2, "{how:?}: {took:?}");
    }
}

#[tokio::test]
async fn beats_and_far_tasks_of_another_process_wake_nobody() {
    let store = Store::new().await;
    store.enqueue(1).await;
    let lease = store.claim(1).await.tasks[0].lease.batch;
    idle(&store).await;
    let other = store.other().await;
    let mut heart = other.heartbeat().await.unwrap();
    let mut far = store.task();
    far.when = When::After(Duration::from_secs(3_600));
    let waited = queues();
    let short = Duration::from_millis(400);
    let began = Instant::now();
    let wait = store.backend.wait_for_work(&waited, short);
    let (_, ()) = tokio::join!(
        async {
            other.enqueue(&Enqueue::new(&[far])).await.unwrap();
            for _ in 0..3 {
                heart.beat(&[lease]).await.unwrap();
            }
        },
        wait
    );
    assert!(began.elapsed() >= short, "it was woken after {:?}", began.elapsed());
}

#[tokio::test]
async fn a_task_of_another_process_that_is_due_before_the_deadline_wakes() {
    let store = Store::new().await;
    idle(&store).await;
    let other = store.other().await;
    let mut soon = store.task();
    soon.when = When::After(Duration::from_secs(1));
    let waited = queues();
    let wait = store.backend.wait_for_work(&waited, LONG);
    let began = Instant::now();
    tokio::join!(async { drop(other.enqueue(&Enqueue::new(&[soon])).await.unwrap()) }, wait);
    assert!(began.elapsed() < LONG / 2);
}

#[tokio::test]
async fn no_work_of_another_process_is_looked_for_before_it_can_be_seen() {
    let store = Store::new().await;
    let other = store.other().await;
    let waited = queues();
    let mut late = Vec::new();
    for n in 0..30 {
        idle(&store).await;
        let wait = store.backend.wait_for_work(&waited, LONG);
        other.enqueue(&Enqueue::new(&[store.task()])).await.unwrap();
        let began = Instant::now();
        wait.await;
        // The checkpoint of the other process comes a second later, and would be heard too.
        if began.elapsed() > Duration::from_millis(500) {
            late.push((n, began.elapsed()));
        }
        assert_eq!(store.claim(1).await.tasks.len(), 1);
    }
    assert!(late.is_empty(), "{late:?}");
}
