//! Code around every run.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use taskstore_core::{
    CliReport, Error, MemoryBackend, Middleware, Next, Status, Store, StoreBuilder, TaskContext,
    TaskError, TaskErrorKind, TaskHandler, TaskId, TaskOutput, TaskResult, testing::TestStore,
};
use tokio::sync::Notify;

use crate::common::{Flaky, status, until};

type Seen = Arc<Mutex<Vec<String>>>;

/// Writes down when a run enters and leaves, and how it ended.
struct Recorder {
    name: &'static str,
    seen: Seen,
}

impl Recorder {
    fn say(&self, what: &str) {
        self.seen.lock().unwrap().push(format!("{}: {what}", self.name));
    }
}

impl Middleware for Recorder {
    async fn run(&self, ctx: &TaskContext, next: Next<'_>) -> TaskResult<TaskOutput> {
        self.say(&format!("{} in {}, attempt {}", ctx.alias(), ctx.queue(), ctx.attempt()));
        let result = next.run().await;
        self.say(&match &result {
            Ok(output) => output.get().map_or("nothing", |json| json.get()).to_owned(),
            Err(error) => format!("{:?}, {error}", error.kind()),
        });
        result
    }
}

fn recorder(name: &'static str) -> (Recorder, Seen) {
    let seen = Seen::default();
    (Recorder { name, seen: Arc::clone(&seen) }, seen)
}

async fn store(settings: impl FnOnce(StoreBuilder) -> StoreBuilder) -> Store {
    settings(Store::builder(MemoryBackend::new())).auto_migrate(true).await.unwrap()
}

async fn enqueue(store: &Store, alias: &str) -> TaskId {
    store.enqueue_by_alias("", alias, json!(null)).await.unwrap()
}

fn seen(seen: &Seen) -> Vec<String> {
    std::mem::take(&mut *seen.lock().unwrap())
}

#[tokio::test]
async fn the_first_that_was_added_is_the_outermost_of_every_kind_of_handler() {
    let seen_by_all = Seen::default();
    let recorder = |name| Recorder { name, seen: Arc::clone(&seen_by_all) };
    let store =
        store(|settings| settings.middleware(recorder("outer")).middleware(recorder("inner")))
            .await;
    store.register_fn("awaits", |_, (): ()| async { Ok(1) }).await.unwrap();
    store.register_blocking_fn("blocks", |_, (): ()| Ok(2)).await.unwrap();
    store.register(Flaky).await.unwrap();
    store.enqueue::<Flaky>(0).await.unwrap();
    enqueue(&store, "awaits").await;
    enqueue(&store, "blocks").await;
    assert_eq!(store.runner().serial().run_once().await.unwrap().succeeded, 3);
    let expected = |alias: &str, output: &str| {
        [
            format!("outer: {alias} in default, attempt 1"),
            format!("inner: {alias} in default, attempt 1"),
            format!("inner: {output}"),
            format!("outer: {output}"),
        ]
    };
    let expected = [expected("flaky", "1"), expected("awaits", "1"), expected("blocks", "2")];
    assert_eq!(seen(&seen_by_all), expected.concat());
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
async fn every_way_in_which_a_run_can_end_is_seen() {
    let (recorder, log) = recorder("it");
    let store = store(|settings| settings.middleware(recorder)).await;
    let second = Duration::from_secs(1);
    store
        .register_fn("ends", move |_, how: String| async move {
            match &*how {
                "well" => Ok("done"),
                "retryable" => Err(TaskError::retryable("no")),
                "permanent" => Err(TaskError::permanent("no")),
                "retry_in" => Err(TaskError::retry_in(second, "no")),
                "snooze" => Err(TaskError::snooze(second)),
                "cancel" => Err(TaskError::cancel("no")),
                _ => panic!("at {how}"),
            }
        })
        .await
        .unwrap();
    store
        .register_blocking_fn("bursts", |_, (): ()| -> TaskResult<()> { panic!("too") })
        .await
        .unwrap();
    store.register(Slow).await.unwrap();
    let ends = async |alias: &str, how: serde_json::Value| {
        store.enqueue_by_alias("", alias, how).max_attempts(1).await.unwrap();
        store.runner().run_once().await.unwrap();
        seen(&log).pop().unwrap()
    };
    for (how, expected) in [
        ("well", r#"it: "done""#),
        ("retryable", "it: Retryable, no"),
        ("permanent", "it: Permanent, no"),
        ("retry_in", "it: RetryIn(1s), no"),
        ("snooze", "it: Snooze(1s), snoozed for 1s"),
        ("cancel", "it: Cancel, no"),
        ("panic", "it: Panicked, panicked: at panic"),
    ] {
        assert_eq!(ends("ends", json!(how)).await, expected);
    }
    assert_eq!(ends("bursts", json!(null)).await, "it: Panicked, panicked: too");
    assert_eq!(ends("slow", json!(null)).await, "it: TimedOut(20ms), timed out after 20ms");
    let misfit = ends("ends", json!(7)).await;
    assert!(misfit.starts_with("it: Permanent, parameters do not fit"), "{misfit}");
}

#[tokio::test]
async fn an_error_may_be_turned_into_another_or_into_a_success() {
    let told = Seen::default();
    let ear = Arc::clone(&told);
    let store = store(|settings| {
        settings
            .on_error(move |_, _, error| ear.lock().unwrap().push(error.to_string()))
            .middleware_fn(|ctx, next| {
                Box::pin(async move {
                    match next.run().await {
                        Err(error) if matches!(error.kind(), TaskErrorKind::TimedOut(_)) => {
                            Err(TaskError::permanent(format!("{} gives up: {error}", ctx.alias())))
                        }
                        Err(error) if error.kind() == TaskErrorKind::Panicked => {
                            TaskOutput::json(&error.message())
                        }
                        result => result,
                    }
                })
            })
    })
    .await;
    store.register(Slow).await.unwrap();
    store.register_fn("panics", |_, n: u32| async move { Ok(1 / n) }).await.unwrap();
    let slow = enqueue(&store, "slow").await;
    let panics = store.enqueue_by_alias("", "panics", 0).await.unwrap();
    let summary = store.runner().run_once().await.unwrap();
    assert_eq!((summary.failed, summary.succeeded), (1, 1), "{summary}");
    let slow = store.tasks().get(slow).await.unwrap();
    assert_eq!(slow.last_error.as_deref(), Some("slow gives up: timed out after 20ms"));
    let panics = store.tasks().get(panics).await.unwrap();
    assert_eq!(panics.output.unwrap().get(), r#""panicked: attempt to divide by zero""#);
    assert_eq!(
        seen(&told),
        ["attempt 1 failed for good: slow gives up: timed out after 20ms"],
        "only what it came to"
    );
}

#[tokio::test]
async fn a_panic_in_a_middleware_is_a_failure_of_its_task_and_seen_by_those_around_it() {
    let (recorder, log) = recorder("outer");
    let store = store(|settings| {
        settings.middleware(recorder).middleware_fn(|ctx, next| {
            assert_ne!(ctx.alias().as_str(), "at_once", "no future yet");
            Box::pin(async move {
                let result = next.run().await;
                assert_ne!(ctx.alias().as_str(), "after", "it has run");
                result
            })
        })
    })
    .await;
    for alias in ["at_once", "after", "fine"] {
        store.register_fn(alias, |_, (): ()| async { Ok(()) }).await.unwrap();
    }
    let runner = store.runner().serial().start().await.unwrap();
    for alias in ["at_once", "after"] {
        let id = store.enqueue_by_alias("", alias, json!(null)).max_attempts(1).await.unwrap();
        until(&store, id, Status::Failed).await;
        let error = store.tasks().get(id).await.unwrap().last_error.unwrap();
        assert!(error.starts_with("panicked: assertion"), "{error}");
        assert!(seen(&log)[1].starts_with("outer: Panicked, panicked: assertion"));
    }
    let fine = enqueue(&store, "fine").await;
    until(&store, fine, Status::Success).await;
    runner.stop().await;
}

#[tokio::test]
async fn without_its_handler_a_task_ends_as_the_middleware_says_and_the_attempt_counts() {
    let store = store(|settings| {
        settings.middleware_fn(|ctx, next| {
            Box::pin(async move {
                match ctx.param("say").as_deref() {
                    Some("ok") => TaskOutput::json(&7),
                    Some("set") => ctx.set_output(8).map(|()| TaskOutput::none()),
                    Some("fail") => Err(TaskError::retryable("not today")),
                    Some("later") => Err(TaskError::snooze(Duration::from_secs(60))),
                    _ => next.run().await,
                }
            })
        })
    })
    .await;
    let never = |_, _: serde_json::Value| async { Err::<(), _>(TaskError::permanent("it ran")) };
    store.register_fn("never", never).await.unwrap();
    let say = async |what: &str| {
        let builder = store.enqueue_by_alias("", "never", json!({ "say": what }));
        builder.max_attempts(1).await.unwrap()
    };
    let ids = [say("ok").await, say("set").await, say("fail").await, say("later").await];
    store.runner().run_once().await.unwrap();
    let mut tasks = Vec::new();
    for id in ids {
        let task = store.tasks().get(id).await.unwrap();
        let output = task.output.map(|json| json.get().to_owned());
        tasks.push((task.status, task.attempts, output, task.last_error));
    }
    assert_eq!(
        tasks,
        [
            (Status::Success, 1, Some("7".into()), None),
            (Status::Success, 1, Some("8".into()), None),
            (Status::Failed, 1, None, Some("not today".into())),
            (Status::Queued, 0, None, None),
        ]
    );
}

#[tokio::test]
async fn the_time_out_of_a_handler_does_not_count_what_is_around_it() {
    let store = store(|settings| {
        settings.middleware_fn(|_, next| {
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(30)).await; // longer than the time-out
                next.run().await
            })
        })
    })
    .await;
    struct Quick;
    impl TaskHandler for Quick {
        const ALIAS: &'static str = "quick";
        type Params = ();
        type Output = ();
        async fn run(&self, _: TaskContext, (): ()) -> TaskResult<()> {
            Ok(())
        }
        fn timeout(&self) -> Option<Duration> {
            Some(Duration::from_millis(20))
        }
    }
    store.register(Quick).await.unwrap();
    let id = enqueue(&store, "quick").await;
    store.runner().run_once().await.unwrap();
    assert_eq!(status(&store, id).await, Status::Success);
}

/// Gives up what is within after 20 ms.
struct Impatient;

impl Middleware for Impatient {
    async fn run(&self, _: &TaskContext, next: Next<'_>) -> TaskResult<TaskOutput> {
        let patience = Duration::from_millis(20);
        tokio::time::timeout(patience, next.run()).await.map_err(TaskError::permanent)?
    }
}

#[tokio::test]
async fn a_middleware_with_a_limit_of_its_own_drops_what_is_within() {
    let (recorder, log) = recorder("outer");
    let store = store(|settings| settings.middleware(recorder).middleware(Impatient)).await;
    let forever = |_, (): ()| std::future::pending::<TaskResult<()>>();
    store.register_fn("forever", forever).await.unwrap();
    let id = enqueue(&store, "forever").await;
    store.runner().run_once().await.unwrap();
    assert_eq!(status(&store, id).await, Status::Failed);
    assert_eq!(seen(&log)[1], "outer: Permanent, deadline has elapsed");
}

#[tokio::test]
async fn a_blocking_handler_that_a_middleware_gave_up_is_told_and_waited_for() {
    let store = store(|settings| settings.middleware(Impatient)).await;
    let ended = Arc::new(Mutex::new(false));
    let end = Arc::clone(&ended);
    let blocks = move |ctx: TaskContext, (): ()| {
        while !ctx.is_cancelled() {
            std::thread::yield_now();
        }
        // Long after the middleware has said how the attempt ended.
        std::thread::sleep(Duration::from_millis(50));
        *end.lock().unwrap() = true;
        Ok(())
    };
    store.register_blocking_fn("blocks", blocks).await.unwrap();
    let id = enqueue(&store, "blocks").await;
    let summary = store.runner().run_once().await.unwrap();
    assert!(*ended.lock().unwrap(), "it was settled while its thread ran");
    assert_eq!(summary.failed, 1);
    let error = store.tasks().get(id).await.unwrap().last_error;
    assert_eq!(error.as_deref(), Some("deadline has elapsed"));
}

#[tokio::test]
async fn a_stop_that_drops_a_run_drops_the_middleware_too() {
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let dropped = Seen::default();
    struct Tell(Seen);
    impl Drop for Tell {
        fn drop(&mut self) {
            self.0.lock().unwrap().push("dropped".into());
        }
    }
    let seen_dropped = Arc::clone(&dropped);
    let store = store(|settings| {
        settings.middleware_fn(move |_, next| {
            let tell = Tell(Arc::clone(&seen_dropped));
            let begins = Arc::clone(&begins);
            Box::pin(async move {
                begins.notify_one();
                std::future::pending::<()>().await;
                drop(tell);
                next.run().await
            })
        })
    })
    .await;
    store.register_fn("held", |_, (): ()| async { Ok(()) }).await.unwrap();
    let id = enqueue(&store, "held").await;
    let moment = Duration::from_millis(10);
    let runner = store.runner().drain_deadline(moment).grace(moment).start().await.unwrap();
    begun.notified().await;
    assert_eq!(runner.stop().await.summary.released, 1);
    assert_eq!(seen(&dropped), ["dropped"]);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Queued, 0));
}

#[tokio::test]
async fn a_command_line_and_a_test_store_run_within_it_too() {
    let (recorder, log) = recorder("it");
    let store = TestStore::with(|settings| settings.middleware(recorder));
    store.register_fn("greet", |_, _: serde_json::Value| async { Ok("hello") }).await.unwrap();
    store.enqueue_by_alias("mail", "greet", json!({})).await.unwrap();
    assert_eq!(store.drain().await.unwrap().succeeded, 1);
    assert_eq!(seen(&log), ["it: greet in mail, attempt 1", r#"it: "hello""#]);
    let report = store.execute_cli("greet", ["--a=b"]).await.unwrap();
    assert!(matches!(report, CliReport::Ran { .. }));
    assert_eq!(seen(&log), ["it: greet in default, attempt 1", r#"it: "hello""#]);

    let refuses = TestStore::with(|settings| {
        settings.middleware_fn(|_, _| Box::pin(async { Err(TaskError::cancel("closed")) }))
    });
    refuses.register_fn("greet", |_, (): ()| async { Ok(()) }).await.unwrap();
    let refused = refuses.execute_cli("greet", [""; 0]).await.unwrap_err();
    assert!(matches!(&refused, Error::Handler { message, .. } if message == "canceled: closed"));
}
