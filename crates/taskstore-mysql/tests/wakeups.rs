//! Who waits for work hears of it at once in the same process; of other processes nobody tells, and the
//! engine says so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use common::Store;
use taskstore_core::{
    Backend, QueueName, QueuePattern,
    backend::{Enqueue, When},
};
use taskstore_mysql::PlanStep;

common::server_tests!(
    work_of_the_same_process_is_heard_of_from_the_moment_of_the_call,
    a_far_task_and_what_was_refused_wake_nobody,
    a_wait_costs_no_statement,
);

const LONG: Duration = Duration::from_secs(20);

fn queues() -> [QueuePattern; 1] {
    [QueueName::default().into()]
}

async fn work_of_the_same_process_is_heard_of_from_the_moment_of_the_call() {
    let store = Store::new().await;
    let waited = queues();
    let wait = store.backend.wait_for_work(&waited, LONG);
    store.enqueue(1).await;
    let began = Instant::now();
    wait.await;
    assert!(began.elapsed() < LONG / 2);
}

async fn a_far_task_and_what_was_refused_wake_nobody() {
    let store = Store::new().await;
    let mut far = store.task();
    far.when = When::After(Duration::from_secs(3_600));
    let mut refused = store.task();
    refused.definition = taskstore_core::DefinitionId::new();
    let waited = queues();
    let short = Duration::from_millis(400);
    let began = Instant::now();
    let wait = store.backend.wait_for_work(&waited, short);
    store.backend.enqueue(&Enqueue::new(&[far])).await.unwrap();
    assert!(store.backend.enqueue(&Enqueue::new(&[refused])).await.is_err());
    wait.await;
    assert!(began.elapsed() >= short, "it was woken after {:?}", began.elapsed());
}

static STATEMENTS: AtomicUsize = AtomicUsize::new(0);

async fn a_wait_costs_no_statement() {
    let count = |_: &str, _: &[PlanStep]| {
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
    };
    let store = Store::with(|options| options.watch_plans(count)).await;
    assert!(!store.backend.capabilities().hears_of_everything(), "so a runner polls by itself");
    let before = STATEMENTS.load(Ordering::Relaxed);
    assert!(before > 0, "a statement is counted");
    store.backend.wait_for_work(&queues(), Duration::from_millis(700)).await;
    assert_eq!(STATEMENTS.load(Ordering::Relaxed), before);
}
