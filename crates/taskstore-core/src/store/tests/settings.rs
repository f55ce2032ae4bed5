//! The settings of a store, and its tables.

use std::sync::{Arc, Mutex};

use super::*;
use crate::{RunError, StoreBuilder, TaskId};

#[tokio::test]
async fn a_store_migrates_when_it_is_told_to() {
    let spy = Spy::default();
    let by_default = Store::builder(spy.clone()).await.unwrap();
    assert_eq!(by_default.max_concurrency(), 10);
    let store = Store::builder(spy.clone()).auto_migrate(false).await.unwrap();
    assert_eq!(spy.count("migrate"), 0);
    store.migrate().await.unwrap();
    Store::builder(spy.clone()).auto_migrate(true).max_concurrency(3).await.unwrap();
    assert_eq!(spy.count("migrate"), 2);

    spy.fail("migrate", Fault::Before);
    let refused = Store::builder(spy.clone()).auto_migrate(true).await.unwrap_err();
    assert!(refused.is_retryable());
}

#[tokio::test]
async fn stores_may_share_a_backend() {
    let backend: Arc<dyn Backend> = Arc::new(Spy::default());
    let one = Store::from(Arc::clone(&backend));
    let another = StoreBuilder::from(backend).max_concurrency(2).await.unwrap();
    one.register_fn("count", count).await.unwrap();
    let id = another.enqueue::<Count>(1).await.unwrap();
    assert_eq!(one.tasks().get(id).await.unwrap().id, id);
    assert!(another.registry().definitions().is_empty(), "handlers are each store's own");
}

#[tokio::test]
async fn a_concurrency_that_cannot_be_is_refused_before_anything_is_done() {
    let spy = Spy::default();
    for bad in [0, 10_001, usize::MAX] {
        let refused = Store::builder(spy.clone()).auto_migrate(true).max_concurrency(bad).await;
        assert_eq!(field(refused), "max_concurrency");
    }
    assert_eq!(spy.count("migrate"), 0);
}

#[tokio::test]
async fn the_error_handler_can_be_exchanged() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hear = |name: &'static str| {
        let heard = Arc::clone(&heard);
        move |queue: &QueueName, task: Option<TaskId>, error: &RunError| {
            heard.lock().unwrap().push(format!("{name} {queue} {} {error}", task.is_some()));
        }
    };
    let store = Store::builder(Spy::default()).on_error(hear("first")).await.unwrap();
    let (queue, error) = (QueueName::new("mail").unwrap(), RunError::LeaseLost);
    store.report_error(&queue, Some(TaskId::new()), &error);
    store.set_error_handler(hear("second"));
    store.report_error(&queue, None, &error);
    assert_eq!(
        *heard.lock().unwrap(),
        [
            "first mail true the lease was lost to another runner",
            "second mail false the lease was lost to another runner",
        ]
    );
}

#[tokio::test]
async fn after_going_down_nothing_is_believed_any_more() {
    let (store, spy) = store().await;
    store.migrate_down().await.unwrap();
    assert!(definition(&spy, "count").await.is_none());
    let before = spy.count("enqueue");
    assert_eq!(not_found(store.enqueue::<Count>(1).await), "task definition");
    assert_eq!(spy.count("enqueue"), before, "it asked for the definition first");
}

#[tokio::test]
async fn the_sql_of_pending_migrations_is_only_shown() {
    let (store, spy) = store().await;
    assert_eq!(store.migration_sql().await.unwrap(), "", "memory needs none");
    assert!(definition(&spy, "count").await.is_some());
}
