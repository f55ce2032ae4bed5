//! What a subscriber is told: a task is followed by its id from the producer to each attempt.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod capture;

use std::time::Duration;

use capture::{Said, about};
use serde_json::json;
use taskstore_core::{Backoff, MemoryBackend, Store, TaskContext, TaskHandler, TaskResult};
use tracing::Level;

async fn store() -> Store {
    capture::start();
    Store::new(MemoryBackend::new())
}

/// What is of the target of tasks, as `what level field=value..`, without times.
fn lines(said: &[Said]) -> Vec<String> {
    let line = |said: &Said| {
        let fields = said.fields.iter().filter(|(name, _)| **name != "duration");
        let fields = fields.map(|(name, value)| format!(" {name}={value}"));
        format!("{} {}{}", said.what, said.level, fields.collect::<String>())
    };
    said.iter().filter(|said| said.target == "taskstore::task").map(line).collect()
}

#[tokio::test]
async fn a_task_is_followed_by_its_id_from_the_producer_to_the_end() {
    let store = store().await;
    store
        .register_fn("trace.follow", |_, (): ()| async {
            tracing::info!(target: "taskstore::test", "inside");
            Ok(())
        })
        .await
        .unwrap();
    let id = store.enqueue_by_alias("mail", "trace.follow", ()).await.unwrap().to_string();
    store.runner().queue("mail").run_once().await.unwrap();
    let said = about("id", &id);
    assert_eq!(
        lines(&said),
        [
            format!("enqueue INFO alias=trace.follow id={id} queue=mail"),
            format!("enqueued DEBUG duplicate=false id={id}"),
            format!("task INFO alias=trace.follow attempt=1 id={id} queue=mail"),
            "ended DEBUG status=success".to_owned(),
        ]
    );
    let inside = said.iter().find(|said| said.what == "inside").unwrap();
    assert_eq!(inside.within.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["task"]);
    let ended = said.iter().find(|said| said.what == "ended").unwrap();
    assert!(ended.fields.contains_key("duration"), "{ended:?}");
}

struct Flaky;

impl TaskHandler for Flaky {
    const ALIAS: &'static str = "trace.flaky";
    type Params = ();
    type Output = ();

    async fn run(&self, ctx: TaskContext, (): ()) -> TaskResult<()> {
        assert!(ctx.attempt() > 1, "not yet");
        Ok(())
    }

    fn backoff(&self) -> Backoff {
        Backoff::fixed(Duration::ZERO)
    }
}

#[tokio::test]
async fn each_attempt_has_a_span_and_its_failure_is_told_in_it() {
    let store = store().await;
    store.register(Flaky).await.unwrap();
    let id = store.enqueue::<Flaky>(()).await.unwrap().to_string();
    store.runner().run_once().await.unwrap();
    let said = about("id", &id);
    let ends: Vec<_> = said
        .iter()
        .filter(|said| said.what == "ended")
        .map(|said| format!("{} {}", said.within[0].1["attempt"], said.fields["status"]))
        .collect();
    assert_eq!(ends, ["1 retried", "2 success"]);
    let failure = said.iter().find(|said| said.level == Level::ERROR).unwrap();
    assert_eq!(failure.what, "attempt 1 panicked and is tried again: not yet");
    assert_eq!(failure.within[0].0, "task");
}

#[tokio::test]
async fn a_handler_that_blocks_is_in_its_span_on_its_own_thread() {
    let store = store().await;
    store
        .register_blocking_fn("trace.blocks", |_, (): ()| {
            tracing::info!(target: "taskstore::test", "blocking");
            Ok(())
        })
        .await
        .unwrap();
    let id = store.enqueue_by_alias("", "trace.blocks", ()).await.unwrap().to_string();
    store.runner().run_once().await.unwrap();
    let said = about("id", &id);
    let inside = said.iter().find(|said| said.what == "blocking").unwrap();
    assert_eq!(inside.within[0].0, "task");
}

#[tokio::test]
async fn many_tasks_share_a_span_in_which_each_has_its_id_and_a_duplicate_says_so() {
    let store = store().await;
    store.register_fn("trace.many", |_, _: u32| async { Ok(()) }).await.unwrap();
    struct Many;
    impl taskstore_core::TaskKey for Many {
        const KEY: &'static str = "trace.many";
        type Args = u32;
    }
    let ids = store.enqueue_many::<Many>([1, 2]).queue("bulk").await.unwrap();
    assert_eq!(
        lines(&about("alias", "trace.many")),
        [
            "enqueue INFO alias=trace.many queue=bulk tasks=2".to_owned(),
            format!("enqueued DEBUG duplicate=false id={}", ids[0]),
            format!("enqueued DEBUG duplicate=false id={}", ids[1]),
        ]
    );
    let first = store.enqueue::<Many>(3).unique("key").await.unwrap();
    let second = store.enqueue::<Many>(3).unique("key");
    let second_id = second.id().to_string();
    assert_eq!(second.await.unwrap(), first);
    let duplicate = about("id", &second_id).pop().unwrap();
    let expected = [("duplicate", "true".to_owned()), ("id", first.to_string())];
    assert_eq!(duplicate.fields.into_iter().collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn what_could_not_be_enqueued_says_why() {
    let store = store().await;
    let enqueue = store.enqueue_by_alias("", "trace.unknown", json!(1));
    let id = enqueue.id().to_string();
    enqueue.await.unwrap_err();
    let said = about("id", &id);
    let refused = said.iter().find(|said| said.what == "not enqueued").unwrap();
    assert!(refused.fields["error"].contains("trace.unknown was not found"), "{refused:?}");
}

#[tokio::test]
async fn a_run_that_was_dropped_ends_released_in_its_span() {
    let store = store().await;
    let begun = std::sync::Arc::new(tokio::sync::Notify::new());
    let begins = std::sync::Arc::clone(&begun);
    store
        .register_fn("trace.dropped", move |_, (): ()| {
            begins.notify_one();
            std::future::pending::<TaskResult<()>>()
        })
        .await
        .unwrap();
    let id = store.enqueue_by_alias("", "trace.dropped", ()).await.unwrap().to_string();
    let moment = Duration::from_millis(10);
    let runner = store.runner().drain_deadline(moment).grace(moment).start().await.unwrap();
    begun.notified().await;
    runner.stop().await;
    let said = about("id", &id);
    let ended = said.iter().find(|said| said.what == "ended").unwrap();
    assert_eq!((&*ended.fields["status"], ended.within[0].0), ("released", "task"));
}
