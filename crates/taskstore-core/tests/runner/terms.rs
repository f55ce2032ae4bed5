//! Tasks that must begin by a time, and tasks with a time-out of their own.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use taskstore_core::{
    Status, TaskContext, TaskError, TaskHandler, TaskKey, TaskResult, testing::TestStore,
};

use crate::common::{status, store, until};

const MINUTE: Duration = Duration::from_secs(60);

struct Code;

impl TaskKey for Code {
    const KEY: &'static str = "code.send";
    type Args = u32;
}

/// A store whose handler counts its runs and fails as often as it is told.
async fn counting() -> (TestStore, Arc<AtomicU32>) {
    let store = TestStore::new();
    let runs = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&runs);
    let handler = move |ctx: TaskContext, fails: u32| {
        counted.fetch_add(1, Ordering::Relaxed);
        async move { if ctx.attempt() <= fails { Err(TaskError::retryable("not yet")) } else { Ok(()) } }
    };
    store.register_fn("code.send", handler).await.unwrap();
    (store, runs)
}

#[tokio::test]
async fn a_task_that_nobody_began_in_time_is_discarded_unrun_and_is_no_failure() {
    let (store, runs) = counting().await;
    store.set_error_handler(|_, _, error| panic!("nothing failed, but it was told: {error}"));
    let late = store.enqueue::<Code>(0).expires_in(MINUTE).await.unwrap();
    let early = store.enqueue::<Code>(0).expires_in(2 * MINUTE).await.unwrap();
    let start = store.advance(MINUTE);
    let summary = store.drain().await.unwrap();
    assert_eq!((summary.canceled, summary.succeeded), (1, 1), "{summary}");
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    let task = store.tasks().get(late).await.unwrap();
    assert_eq!((task.status, task.attempts, task.expires_at), (Status::Canceled, 0, Some(start)));
    let reason = task.last_error.unwrap();
    assert_eq!(reason, "expired: not started by 2024-01-15 12:01:00.000000");
    assert_eq!(status(&store, early).await, Status::Success);
    // Whoever waits for it hears of it as of any end.
    let error = store.wait_for(late, MINUTE).await.unwrap_err();
    assert!(error.to_string().contains(&reason), "{error}");
}

#[tokio::test]
async fn a_task_that_has_begun_in_time_is_retried_long_after() {
    let (store, runs) = counting().await;
    let id = store.enqueue::<Code>(5).expires_in(Duration::from_millis(1)).await.unwrap();
    let summary = store.drain_all().await.unwrap();
    assert_eq!((summary.retried, summary.succeeded), (5, 1), "{summary}");
    assert_eq!(runs.load(Ordering::Relaxed), 6);
    assert!(
        store.advance(Duration::ZERO) > store.tasks().get(id).await.unwrap().expires_at.unwrap()
    );
}

#[tokio::test]
async fn an_expired_task_that_a_person_asks_for_again_runs() {
    let (store, runs) = counting().await;
    let id = store.enqueue::<Code>(0).expires_at(store.advance(Duration::ZERO)).await.unwrap();
    assert_eq!(store.drain().await.unwrap().canceled, 1);
    store.tasks().requeue(id).await.unwrap();
    store.advance(MINUTE);
    assert_eq!(store.drain().await.unwrap().succeeded, 1);
    assert_eq!((runs.load(Ordering::Relaxed), status(&store, id).await), (1, Status::Success));
}

#[tokio::test]
async fn many_tasks_share_their_terms() {
    let (store, _) = counting().await;
    let many = store.enqueue_many::<Code>([0, 0, 0]).expires_in(MINUTE).timeout(2 * MINUTE);
    for id in many.await.unwrap() {
        let task = store.tasks().get(id).await.unwrap();
        assert_eq!(task.expires_at, Some(task.created_at + MINUTE));
        assert_eq!(task.timeout, Some(2 * MINUTE));
    }
    store.advance(MINUTE);
    assert_eq!(store.drain().await.unwrap().canceled, 3);
}

/// Runs for ever, unless it is ended.
struct Endless(Option<Duration>);

impl TaskHandler for Endless {
    const ALIAS: &'static str = "endless";
    type Params = ();
    type Output = ();

    async fn run(&self, _: TaskContext, (): ()) -> TaskResult<()> {
        std::future::pending().await
    }

    fn timeout(&self) -> Option<Duration> {
        self.0
    }

    fn max_attempts(&self) -> u32 {
        1
    }
}

#[tokio::test]
async fn a_tasks_own_time_out_wins_over_its_handlers() {
    for of_handler in [None, Some(MINUTE), Some(Duration::from_millis(1))] {
        let store = store().await;
        store.register(Endless(of_handler)).await.unwrap();
        let own = Duration::from_millis(25);
        let id = store.enqueue::<Endless>(()).timeout(own).await.unwrap();
        assert_eq!(store.runner().run_once().await.unwrap().failed, 1);
        let error = store.tasks().get(id).await.unwrap().last_error;
        assert_eq!(error.as_deref(), Some("timed out after 25ms"), "{of_handler:?}");
    }
}

#[tokio::test]
async fn a_handler_knows_how_long_it_may_take() {
    let store = store().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    let tell = move |ctx: TaskContext, _: ()| {
        ear.lock().unwrap().push(ctx.timeout());
        async { Ok(()) }
    };
    store.register_fn("tell", tell).await.unwrap();
    store.enqueue_by_alias("", "tell", ()).timeout(MINUTE).await.unwrap();
    store.enqueue_by_alias("", "tell", ()).await.unwrap();
    store.runner().serial().run_once().await.unwrap();
    assert_eq!(*told.lock().unwrap(), [Some(MINUTE), None]);
}

#[tokio::test]
async fn what_was_dropped_in_its_run_has_begun() {
    let store = store().await;
    store.register(Endless(None)).await.unwrap();
    let begun = store.enqueue::<Endless>(()).expires_in(MINUTE).await.unwrap();
    let runner = store.runner().drain_deadline(Duration::ZERO).grace(Duration::ZERO);
    let runner = runner.start().await.unwrap();
    until(&store, begun, Status::Running).await;
    runner.stop().await;
    let task = store.tasks().get(begun).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Queued, 0));
    assert!(task.started_at.is_some(), "it had begun, so it is not discarded later");
}
