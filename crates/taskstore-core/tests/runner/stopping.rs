//! Stopping: everything is saved, and nothing is lost.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::json;
use taskstore_core::{Error, Status, TaskContext, TaskError, TaskResult};
use tokio::sync::{Notify, Semaphore};

use crate::common::{status, store, until};

#[tokio::test]
async fn stop_lets_running_tasks_finish_and_gives_back_the_rest() {
    let store = store().await;
    let gate = Arc::new(Semaphore::new(0));
    let started = Arc::new(Notify::new());
    let (pass, began) = (Arc::clone(&gate), Arc::clone(&started));
    store
        .register_fn("gated", move |_, (): ()| {
            let (pass, began) = (Arc::clone(&pass), Arc::clone(&began));
            async move {
                began.notify_one();
                let _pass = pass.acquire().await;
                Ok(())
            }
        })
        .await
        .unwrap();
    let first = store.enqueue_by_alias("", "gated", json!(null)).await.unwrap();
    let second = store.enqueue_by_alias("", "gated", json!(null)).await.unwrap();
    let runner = store.runner().serial().start().await.unwrap();
    started.notified().await;
    let stopping = tokio::spawn({
        let runner = runner.clone();
        async move { runner.stop().await }
    });
    tokio::task::yield_now().await;
    assert!(runner.is_running(), "it waits for what runs");
    gate.add_permits(1);
    let stopped = stopping.await.unwrap();
    assert_eq!(stopped.summary.succeeded, 1);
    assert_eq!(status(&store, first).await, Status::Success, "saved before stop returned");
    let second = store.tasks().get(second).await.unwrap();
    assert_eq!((second.status, second.attempts), (Status::Queued, 0));
}

#[tokio::test]
async fn a_runner_whose_run_is_dropped_stops_and_another_may_start() {
    let store = store().await;
    let started = Arc::new(Notify::new());
    let began = Arc::clone(&started);
    let runs = move |_, (): ()| {
        began.notify_one();
        async { Ok(()) }
    };
    store.register_fn("runs", runs).await.unwrap();
    let id = store.enqueue_by_alias("", "runs", ()).await.unwrap();
    tokio::select! {
        ended = store.runner().run_until(std::future::pending()) => panic!("{ended:?}"),
        () = started.notified() => {}
    }
    let another = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            match store.runner().start().await {
                Ok(another) => break another,
                Err(Error::AlreadyExists { .. }) => {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
    let another = another.await.expect("the first one never stopped");
    assert_eq!(status(&store, id).await, Status::Success, "what ran was finished and saved");
    another.stop().await;
}

#[tokio::test]
async fn a_handler_that_ignores_the_stop_is_dropped_and_its_task_goes_back() {
    let store = store().await;
    let started = Arc::new(Notify::new());
    let fired = Arc::new(AtomicUsize::new(0));
    let (began, tokens) = (Arc::clone(&started), Arc::clone(&fired));
    store
        .register_fn("stubborn", move |ctx: TaskContext, (): ()| {
            let (began, tokens) = (Arc::clone(&began), Arc::clone(&tokens));
            async move {
                began.notify_one();
                ctx.cancelled().await;
                tokens.fetch_add(1, Ordering::SeqCst);
                std::future::pending::<TaskResult<()>>().await
            }
        })
        .await
        .unwrap();
    let id = store.enqueue_by_alias("", "stubborn", json!(null)).await.unwrap();
    let moment = Duration::from_millis(30);
    let runner = store.runner().drain_deadline(moment).grace(moment).start().await.unwrap();
    started.notified().await;
    let stopped = runner.stop().await;
    assert_eq!(fired.load(Ordering::SeqCst), 1, "its token fired first");
    assert_eq!((stopped.summary.released, stopped.still_running.len()), (1, 0));
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Queued, 0), "the attempt is refunded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_blocking_handler_that_ignores_the_stop_is_named_and_saved_when_it_ends() {
    let store = store().await;
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let started = Arc::new(Notify::new());
    let began = Arc::clone(&started);
    store
        .register_blocking_fn("blocks", move |_, (): ()| {
            began.notify_one();
            wait.lock().unwrap().recv().map_err(TaskError::from)
        })
        .await
        .unwrap();
    let id = store.enqueue_by_alias("", "blocks", json!(null)).await.unwrap();
    let moment = Duration::from_millis(10);
    let runner = store.runner().drain_deadline(moment).grace(moment).start().await.unwrap();
    started.notified().await;
    let stopped = runner.stop().await;
    assert_eq!(stopped.still_running, [id]);
    assert_eq!(status(&store, id).await, Status::Running);
    go.send(()).unwrap();
    until(&store, id, Status::Success).await;
}
