//! What becomes of a task, and who hears of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use taskstore_core::{
    Definition, Status, TaskContext, TaskError, TaskHandler, TaskResult, backend::Expect, clock,
};
use tokio::sync::Notify;

use crate::common::{Flaky, status, store, until};

#[tokio::test]
async fn a_task_is_retried_until_it_succeeds() {
    let store = store().await;
    store.register(Flaky).await.unwrap();
    let id = store.enqueue::<Flaky>(2).await.unwrap();
    let summary = store.runner().run_once().await.unwrap();
    assert_eq!((summary.succeeded, summary.retried), (1, 2));
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Success, 3));
    assert_eq!(task.output.unwrap().get(), "3");
    assert_eq!(task.last_error.as_deref(), Some("attempt 2"));
}

#[tokio::test]
async fn a_task_that_fails_too_often_fails() {
    let store = store().await;
    store.register(Flaky).await.unwrap();
    let id = store.enqueue::<Flaky>(9).await.unwrap();
    let summary = store.runner().run_once().await.unwrap();
    assert_eq!((summary.failed, summary.retried), (1, 2));
    assert_eq!(status(&store, id).await, Status::Failed);
    assert_eq!(store.tasks().attempts(id).await.unwrap().len(), 3);
}

struct Slow;

impl TaskHandler for Slow {
    const ALIAS: &'static str = "slow";
    type Params = ();
    type Output = ();

    async fn run(&self, _: TaskContext, (): ()) -> TaskResult<()> {
        std::future::pending().await
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_millis(20))
    }
}

#[tokio::test]
async fn panics_time_outs_and_parameters_that_do_not_fit_are_failures_that_are_told() {
    let store = store().await;
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    store.set_error_handler(move |_, _, error| ear.lock().unwrap().push(error.to_string()));
    store.register(Slow).await.unwrap();
    let panics = |_, fuel: u32| async move { Ok(1 / fuel) };
    store.register_fn("panics", panics).await.unwrap();
    store.register_fn("strict", |_, _: u32| async move { Ok(()) }).await.unwrap();
    let slow = store.enqueue::<Slow>(()).max_attempts(1).await.unwrap();
    let panics = store.enqueue_by_alias("", "panics", json!(0)).max_attempts(1).await.unwrap();
    let strict = store.enqueue_by_alias("", "strict", json!("seven")).await.unwrap();
    let summary = store.runner().run_once().await.unwrap();
    assert_eq!(summary.failed, 3, "{summary}");
    let error = async |id| store.tasks().get(id).await.unwrap().last_error.unwrap();
    assert_eq!(error(slow).await, "timed out after 20ms");
    assert_eq!(error(panics).await, "panicked: attempt to divide by zero");
    assert!(error(strict).await.contains("do not fit"), "for good, though it had 20 attempts");
    assert_eq!(told.lock().unwrap().len(), 3, "{told:?}");
}

#[tokio::test]
async fn a_task_of_a_deleted_definition_waits_and_is_not_claimed_over_and_over() {
    let store = store().await;
    store.register(Flaky).await.unwrap();
    let mut gone = Definition::new("gone".parse().unwrap());
    store.backend().put_definition(&gone, Expect::Absent).await.unwrap();
    let id = store.enqueue_by_alias("", "gone", json!({})).await.unwrap();
    let before = Expect::Unchanged { updated_at: gone.updated_at };
    gone.deleted_at = Some(clock::now());
    store.backend().put_definition(&gone, before).await.unwrap();
    let summary = store.runner().run_once().await.unwrap();
    assert_eq!(summary.released, 0, "{summary}");
    assert_eq!(status(&store, id).await, Status::Queued);
}

#[tokio::test]
async fn an_unknown_alias_stays_queued_for_a_runner_that_knows_it() {
    let store = store().await;
    store.register(Flaky).await.unwrap();
    let unknown = Definition::new("unknown".parse().unwrap());
    store.backend().put_definition(&unknown, Expect::Absent).await.unwrap();
    let id = store.enqueue_by_alias("", "unknown", json!({})).await.unwrap();
    let known = store.enqueue::<Flaky>(0).await.unwrap();
    let summary = store.runner().run_once().await.unwrap();
    assert_eq!((summary.succeeded, summary.released), (1, 0));
    assert_eq!(status(&store, known).await, Status::Success);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Queued, 0));
}

#[tokio::test]
async fn a_definition_made_while_the_runner_runs_is_left_to_others() {
    let store = store().await;
    store.register(Flaky).await.unwrap();
    let runner = store.runner().start().await.unwrap();
    let unknown = Definition::new("late".parse().unwrap());
    store.backend().put_definition(&unknown, Expect::Absent).await.unwrap();
    let id = store.enqueue_by_alias("", "late", json!({})).await.unwrap();
    let known = store.enqueue::<Flaky>(0).await.unwrap();
    until(&store, known, Status::Success).await;
    runner.stop().await;
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Queued, 0));
}

#[tokio::test]
async fn a_cancel_reaches_a_running_task_and_it_ends_canceled() {
    let store = store().await;
    let started = Arc::new(Notify::new());
    let began = Arc::clone(&started);
    store
        .register_fn("patient", move |ctx: TaskContext, (): ()| {
            let began = Arc::clone(&began);
            async move {
                began.notify_one();
                ctx.cancelled().await;
                Err::<(), _>(TaskError::retryable("told to stop"))
            }
        })
        .await
        .unwrap();
    let id = store.enqueue_by_alias("", "patient", json!(null)).await.unwrap();
    let runner = store.runner().start().await.unwrap();
    started.notified().await;
    store.tasks().cancel(id).await.unwrap();
    until(&store, id, Status::Canceled).await;
    runner.stop().await;
}

#[tokio::test]
async fn what_a_handler_says_is_stored_while_it_runs() {
    let store = store().await;
    let gate = Arc::new(Notify::new());
    let pass = Arc::clone(&gate);
    store
        .register_fn("talks", move |ctx: TaskContext, (): ()| {
            let pass = Arc::clone(&pass);
            async move {
                ctx.log_info("halfway");
                ctx.progress(1, 2);
                pass.notified().await;
                ctx.log_success("done");
                ctx.set_output("set")?;
                Ok(())
            }
        })
        .await
        .unwrap();
    let id = store.enqueue_by_alias("", "talks", json!(null)).await.unwrap();
    let runner = store.runner().start().await.unwrap();
    let texts = async || {
        let lines = store.tasks().log(id).await.unwrap();
        lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
    };
    tokio::time::timeout(Duration::from_secs(10), async {
        while texts().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the line is stored while the handler runs");
    assert_eq!(store.tasks().get(id).await.unwrap().progress.unwrap().done, 1);
    gate.notify_one();
    until(&store, id, Status::Success).await;
    assert_eq!(texts().await, ["halfway", "done"], "each once");
    assert_eq!(store.tasks().get(id).await.unwrap().output.unwrap().get(), r#""set""#);
    runner.stop().await;
}

#[tokio::test]
async fn what_a_handler_spawns_and_leaves_behind_does_no_harm() {
    let store = store().await;
    let go = Arc::new(Notify::new());
    let said = Arc::new(Notify::new());
    let (wait, tell) = (Arc::clone(&go), Arc::clone(&said));
    store
        .register_fn("spawns", move |ctx: TaskContext, (): ()| {
            let (wait, tell) = (Arc::clone(&wait), Arc::clone(&tell));
            async move {
                tokio::spawn(async move {
                    wait.notified().await;
                    ctx.log_info("too late");
                    ctx.progress(9, 9);
                    tell.notify_one();
                });
                Ok("done")
            }
        })
        .await
        .unwrap();
    let id = store.enqueue_by_alias("", "spawns", json!(null)).await.unwrap();
    assert_eq!(store.runner().run_once().await.unwrap().succeeded, 1);
    go.notify_one();
    said.notified().await;
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.progress), (Status::Success, None));
    assert!(store.tasks().log(id).await.unwrap().is_empty(), "the run was over");
}

#[tokio::test]
async fn an_output_of_ten_megabytes_fails_for_good_and_says_so() {
    let store = store().await;
    let large = |_, (): ()| async move { Ok("x".repeat(10 << 20)) };
    store.register_fn("large", large).await.unwrap();
    let id = store.enqueue_by_alias("", "large", json!(null)).await.unwrap();
    assert_eq!(store.runner().run_once().await.unwrap().failed, 1);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!(task.attempts, 1);
    assert!(task.last_error.unwrap().contains("output"), "it names what is too large");
}
