//! What a handler can say is to become of its task, and what it is told about its run.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use taskstore_core::{
    MemoryBackend, Status, Store, TaskContext, TaskError, TaskHandler, TaskResult,
    testing::{START, TestStore},
};

const MINUTE: Duration = Duration::from_secs(60);

/// Ends as its parameters say.
async fn obedient() -> TestStore {
    let store = TestStore::new();
    let ends = |ctx: TaskContext, how: String| async move {
        match (how.as_str(), ctx.attempt()) {
            ("snooze twice", _) if snoozed(&ctx).await < 2 => Err(TaskError::snooze(MINUTE)),
            ("retry after", 1) => Err(TaskError::retry_in(7 * MINUTE, "the bank asks to wait")),
            ("for good", _) => Err(TaskError::permanent("no such account")),
            ("cancel", _) => Err(TaskError::cancel("the order was withdrawn")),
            _ => Ok("done"),
        }
    };
    store.register_fn("obey", ends).await.unwrap();
    store
}

/// How many minutes the clock has moved on.
async fn snoozed(ctx: &TaskContext) -> i64 {
    let task = ctx.store().tasks().get(ctx.id()).await.unwrap();
    (task.run_at - START).whole_minutes()
}

#[tokio::test]
async fn a_snooze_puts_a_task_off_without_costing_an_attempt() {
    let store = obedient().await;
    let enqueue = store.enqueue_by_alias("", "obey", "snooze twice").max_attempts(1);
    let id = enqueue.await.unwrap();
    assert_eq!(store.drain().await.unwrap().snoozed, 1);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts, task.run_at), (Status::Queued, 0, START + MINUTE));
    assert_eq!(task.last_error, None, "it is no failure");
    let summary = store.drain_all().await.unwrap();
    assert_eq!((summary.snoozed, summary.succeeded), (1, 1));
    assert_eq!(store.tasks().get(id).await.unwrap().attempts, 1);
}

#[tokio::test]
async fn a_failure_may_name_its_own_delay() {
    let store = obedient().await;
    let id = store.enqueue_by_alias("", "obey", "retry after").await.unwrap();
    assert_eq!(store.drain().await.unwrap().retried, 1);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.attempts, task.run_at), (1, START + 7 * MINUTE), "not by the backoff");
    assert_eq!(task.last_error.as_deref(), Some("the bank asks to wait"));
    assert_eq!(store.drain_all().await.unwrap().succeeded, 1);
}

#[tokio::test]
async fn a_permanent_failure_fails_at_once() {
    let store = obedient().await;
    let id = store.enqueue_by_alias("", "obey", "for good").max_attempts(20).await.unwrap();
    assert_eq!(store.drain_all().await.unwrap().failed, 1);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Failed, 1));
    assert_eq!(task.last_error.as_deref(), Some("no such account"));
}

#[tokio::test]
async fn a_handler_may_cancel_its_task_from_inside() {
    let store = obedient().await;
    let key = store.enqueue_by_alias("", "obey", "cancel").unique("order 7");
    let id = key.await.unwrap();
    assert_eq!(store.drain_all().await.unwrap().canceled, 1);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!((task.status, task.attempts), (Status::Canceled, 1));
    assert_eq!(task.last_error.as_deref(), Some("the order was withdrawn"));
    let again = store.enqueue_by_alias("", "obey", "").unique("order 7").outcome().await.unwrap();
    assert!(!again.duplicate, "its key is free");
}

/// Was called `mail` once.
struct SendEmail;

impl TaskHandler for SendEmail {
    const ALIAS: &'static str = "email.send";
    const FORMER_ALIASES: &'static [&'static str] = &["mail", "never.used"];
    type Params = u32;
    type Output = String;

    async fn run(&self, ctx: TaskContext, n: u32) -> TaskResult<String> {
        Ok(format!("{} {n}", ctx.alias()))
    }
}

#[tokio::test]
async fn a_renamed_handler_runs_the_tasks_that_wait_under_its_former_alias() {
    let tables = MemoryBackend::new();
    let before = Store::new(tables.clone());
    before.register_fn("mail", |_, _: u32| async { Ok(()) }).await.unwrap();
    let old = before.enqueue_by_alias("", "mail", 1).await.unwrap();

    let renamed = Store::new(tables);
    renamed.register(SendEmail).await.unwrap();
    let new = renamed.enqueue::<SendEmail>(2).await.unwrap();
    // A producer that was not rebuilt yet.
    let late = before.enqueue_by_alias("", "mail", 3).await.unwrap();
    assert_eq!(renamed.runner().run_once().await.unwrap().succeeded, 3);
    for (id, alias, output) in [
        (old, "mail", "\"email.send 1\""),
        (new, "email.send", "\"email.send 2\""),
        (late, "mail", "\"email.send 3\""),
    ] {
        let task = renamed.tasks().get(id).await.unwrap();
        assert_eq!((task.alias.as_str(), task.output.unwrap().get()), (alias, output));
    }
}

#[tokio::test]
async fn a_handler_is_told_everything_about_its_run() {
    let store = TestStore::new();
    let told = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&told);
    let tell = move |ctx: TaskContext, _: serde_json::Value| {
        let said = json!({
            "id": ctx.id(), "alias": ctx.alias().as_str(), "queue": ctx.queue().as_str(),
            "attempt": ctx.attempt(), "max_attempts": ctx.max_attempts(),
            "timeout": ctx.timeout().map(|limit| limit.as_secs()),
            "to": ctx.param("to"), "cc": ctx.param_list("cc"), "none": ctx.param("none"),
            "queued": ctx.is_queued(), "cancelled": ctx.is_cancelled(),
        });
        ear.lock().unwrap().push(said);
        async move {
            ctx.log_info("info");
            ctx.log_error("error");
            ctx.log_success("success");
            ctx.progress(1, 2);
            ctx.set_output("set")?;
            ctx.store().enqueue_by_alias("next", "tell", json!({})).delay(MINUTE).await?;
            Ok(())
        }
    };
    store.register_fn("tell", tell).await.unwrap();
    let parameters = json!({"to": "ada", "cc": "bob;eve"});
    let enqueue = store.enqueue_by_alias("mail", "tell", parameters).max_attempts(3);
    let id = enqueue.timeout(MINUTE).await.unwrap();
    store.drain().await.unwrap();
    let expected = json!({
        "id": id, "alias": "tell", "queue": "mail", "attempt": 1, "max_attempts": 3, "timeout": 60,
        "to": "ada", "cc": ["bob", "eve"], "none": null, "queued": true, "cancelled": false,
    });
    assert_eq!(*told.lock().unwrap(), [expected]);
    let task = store.tasks().get(id).await.unwrap();
    assert_eq!(task.output.unwrap().get(), "\"set\"");
    let progress = task.progress.unwrap();
    assert_eq!((progress.done, progress.total), (1, 2));
    let log = store.tasks().log(id).await.unwrap();
    let lines: Vec<_> = log.iter().map(|line| (line.level.as_str(), &*line.text)).collect();
    assert_eq!(lines, [("info", "info"), ("error", "error"), ("success", "success")]);
    assert_eq!(store.all().len(), 2);
}
