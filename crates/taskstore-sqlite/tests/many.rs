//! Going through very many tasks that wait: by the record, where sorting them costs more.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::collections::BTreeSet;

use common::Store;
use taskstore_core::{
    Backend, Status, TaskId,
    backend::{Control, Move, TaskFilter, TaskOrder, TaskQuery},
};

/// More than are sorted for a page.
const TASKS: usize = 25_000;

async fn all_ids(store: &Store, order: TaskOrder) -> Vec<TaskId> {
    let mut filter = TaskFilter::default();
    filter.statuses = Some(vec![Status::Queued]);
    let mut query = TaskQuery::new(filter, order, 10_000);
    let mut all = Vec::new();
    loop {
        let page = store.backend.task_ids(&query).await.unwrap();
        all.extend(page.items);
        match page.next {
            Some(next) => query = query.after(next),
            None => return all,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_that_wait_are_found_in_the_order_of_enqueue_whatever_else_is_there() {
    let store = Store::new().await;
    let mut queued = store.enqueue(TASKS).await;
    let running: BTreeSet<TaskId> =
        store.claim(100).await.tasks.iter().map(|task| task.lease.task).collect();
    assert_eq!(running.len(), 100);
    queued.retain(|id| !running.contains(id));
    let cancel = Move::Cancel { reason: "why".into() };
    let canceled: Vec<_> = queued.iter().copied().step_by(100).collect();
    store.backend.control(&Control::new(canceled.clone(), cancel)).await.unwrap();
    queued.retain(|id| !canceled.contains(id));
    assert!(queued.len() > 24_000);
    assert_eq!(all_ids(&store, TaskOrder::OldestFirst).await, queued);
    queued.reverse();
    assert_eq!(all_ids(&store, TaskOrder::NewestFirst).await, queued);
}
