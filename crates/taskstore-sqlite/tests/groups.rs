//! Many callers, one transaction: what one of them does wrong is only its own.

mod common;

use std::sync::Arc;

use common::{Store, claim};
use taskstore_core::{
    Backend, DefinitionId, Error, Status,
    backend::{Enqueue, Enqueued, Settle, Settlement, Transition},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_fails_harms_no_other_of_its_group() {
    let store = Arc::new(Store::new().await);
    store.enqueue(2).await;
    let used = claim(2);
    let held = store.backend.claim(&used).await.unwrap().tasks.remove(0).lease;
    // While somebody else has the lock, all of these gather in one group.
    let other = store.sql();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..60 {
        let store = store.clone();
        let used = used.clone();
        calls.spawn(async move {
            match call % 3 {
                0 => {
                    let task = store.task();
                    let stored = store.backend.enqueue(&Enqueue::new(&[task])).await.unwrap();
                    assert_eq!(stored, [Enqueued::Stored]);
                }
                1 => {
                    let mut tasks = [store.task(), store.task()];
                    tasks[1].definition = DefinitionId::new();
                    let error = store.backend.enqueue(&Enqueue::new(&tasks)).await.unwrap_err();
                    assert!(matches!(error, Error::NotFound { .. }), "{error}");
                }
                _ => {
                    // Settles one of two tasks and fails then, because their lease is still there.
                    let end = Settlement::new(held, Transition::Success { output: None });
                    let request = Settle::new(vec![end]).then(used);
                    let error = store.backend.settle(&request).await.unwrap_err();
                    assert!(matches!(error, Error::AlreadyExists { .. }), "{error}");
                }
            }
        });
    }
    tokio::task::yield_now().await;
    other.execute_batch("ROLLBACK").unwrap();
    while let Some(call) = calls.join_next().await {
        call.unwrap();
    }
    let stored: i64 =
        store.sql().query_row("SELECT count(*) FROM task_queue", [], |row| row.get(0)).unwrap();
    assert_eq!(stored, 2 + 20);
    let task = store.backend.task(held.task).await.unwrap().unwrap();
    assert_eq!(task.status, Status::Running, "its settlement was undone with the claim");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_fails_in_the_middle_is_undone_alone() {
    let store = Arc::new(Store::new().await);
    // A task for which the second of its rows cannot be stored.
    store
        .sql()
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON task_payload WHEN NEW.parameters='\"bad\"'
             BEGIN SELECT raise(ABORT,'refused'); END;",
        )
        .unwrap();
    let other = store.sql();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let mut calls = tokio::task::JoinSet::new();
    for call in 0..40 {
        let store = store.clone();
        calls.spawn(async move {
            let mut task = store.task();
            if call % 4 == 0 {
                task.parameters = common::json("\"bad\"");
            }
            (call % 4 == 0, store.backend.enqueue(&Enqueue::new(&[task])).await)
        });
    }
    tokio::task::yield_now().await;
    other.execute_batch("ROLLBACK").unwrap();
    while let Some(call) = calls.join_next().await {
        let (is_bad, answer) = call.unwrap();
        assert_eq!(answer.is_err(), is_bad, "{answer:?}");
    }
    for table in ["task_queue", "task_ready", "task_payload"] {
        let sql = format!("SELECT count(*) FROM {table}");
        let rows: i64 = store.sql().query_row(&sql, [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 30, "{table}");
    }
}

#[tokio::test]
async fn what_was_asked_before_the_backend_is_dropped_is_answered() {
    let store = Store::new().await;
    let task = store.task();
    let answer = {
        let tasks = [task];
        store.backend.enqueue(&Enqueue::new(&tasks)).await.unwrap()
    };
    assert_eq!(answer, [Enqueued::Stored]);
    let path = store.backend.path().to_owned();
    let folder = store.folder;
    drop(store.backend);
    let reopened =
        taskstore_sqlite::SqliteBackend::open(taskstore_sqlite::SqliteOptions::new(path))
            .await
            .unwrap();
    assert_eq!(reopened.claim(&claim(1)).await.unwrap().tasks.len(), 1);
    drop(folder);
}
