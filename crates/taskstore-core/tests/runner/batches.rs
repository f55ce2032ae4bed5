//! Handlers that take many tasks at once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::json;
use taskstore_core::{
    Backoff, BatchHandler, BatchTask, MemoryBackend, Middleware, Next, RunError, Status, Store,
    TaskContext, TaskError, TaskId, TaskKey, TaskOutput, TaskResult, testing::TestStore,
};
use tokio::sync::Notify;

use crate::common::{status, store, until};

/// What a task of the batch does.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum Do {
    Return(u32),
    Nothing,
    Set(u32),
    Retry,
    Fail,
    Snooze,
    Cancel,
    /// Of the whole run.
    FailAll,
    PanicAll,
    HangAll,
    AnswerTooFew,
    WaitForCancel,
}

/// Remembers its runs.
#[derive(Default)]
struct Batch {
    runs: Arc<Mutex<Vec<Vec<TaskId>>>>,
    began: Arc<Notify>,
}

impl TaskKey for Batch {
    const KEY: &'static str = "batch";
    type Args = Do;
}

impl BatchHandler for Batch {
    const AT_MOST: usize = 10;
    const FORMER_ALIASES: &'static [&'static str] = &["batch.old"];
    type Output = Option<u32>;

    async fn run(&self, tasks: Vec<BatchTask<Do>>) -> TaskResult<Vec<TaskResult<Option<u32>>>> {
        self.runs.lock().unwrap().push(tasks.iter().map(|task| task.ctx.id()).collect());
        self.began.notify_one();
        let mut answers = Vec::new();
        for BatchTask { ctx, params } in &tasks {
            ctx.log_info(format!("{params:?}"));
            answers.push(match params {
                Do::Return(n) => Ok(Some(*n)),
                Do::Nothing => Ok(None),
                Do::Set(n) => ctx.set_output(n).map(|()| None),
                Do::Retry => Err(TaskError::retryable("again")),
                Do::Fail => Err(TaskError::permanent("never")),
                Do::Snooze => Err(TaskError::snooze(Duration::from_secs(60))),
                Do::Cancel => Err(TaskError::cancel("no need")),
                Do::FailAll => return Err(TaskError::retryable("the whole call failed")),
                Do::PanicAll => panic!("the whole run panicked"),
                Do::HangAll => std::future::pending().await,
                Do::AnswerTooFew => continue,
                Do::WaitForCancel => {
                    ctx.cancelled().await;
                    let others = tasks.iter().filter(|task| task.ctx.is_cancelled()).count();
                    Ok(Some(u32::try_from(others).unwrap()))
                }
            });
        }
        Ok(answers)
    }

    fn max_attempts(&self) -> u32 {
        2
    }

    fn timeout(&self) -> Option<Duration> {
        Some(Duration::from_millis(50))
    }

    fn backoff(&self) -> Backoff {
        Backoff::fixed(Duration::from_secs(1))
    }
}

type Runs = Arc<Mutex<Vec<Vec<TaskId>>>>;

async fn batching() -> (TestStore, Runs) {
    let store = TestStore::new();
    let batch = Batch::default();
    let runs = Arc::clone(&batch.runs);
    store.register_batch(batch).await.unwrap();
    (store, runs)
}

/// The status, the error and the output of each.
async fn ends(store: &Store, ids: &[TaskId]) -> Vec<(Status, String)> {
    let mut ends = Vec::new();
    for id in ids {
        let task = store.tasks().get(*id).await.unwrap();
        let output = task.output.map(|output| output.get().to_owned());
        ends.push((task.status, task.last_error.or(output).unwrap_or_default()));
    }
    ends
}

fn expected(ends: &[(Status, &str)]) -> Vec<(Status, String)> {
    ends.iter().map(|(status, text)| (*status, (*text).to_owned())).collect()
}

#[tokio::test]
async fn each_task_of_a_batch_ends_by_its_own_answer() {
    let (store, runs) = batching().await;
    let all = [Do::Return(7), Do::Nothing, Do::Set(8), Do::Retry, Do::Fail, Do::Snooze, Do::Cancel];
    let ids = store.enqueue_many::<Batch>(all).await.unwrap();
    let summary = store.drain().await.unwrap();
    assert_eq!(runs.lock().unwrap().as_slice(), std::slice::from_ref(&ids), "in one run, in order");
    assert_eq!(
        ends(&store, &ids).await,
        expected(&[
            (Status::Success, "7"),
            (Status::Success, ""),
            (Status::Success, "8"),
            (Status::Queued, "again"),
            (Status::Failed, "never"),
            (Status::Queued, ""),
            (Status::Canceled, "no need"),
        ])
    );
    let by =
        (summary.succeeded, summary.retried, summary.failed, summary.snoozed, summary.canceled);
    assert_eq!(by, (3, 1, 1, 1, 1), "{summary}");
    for id in &ids {
        assert_eq!(store.tasks().log(*id).await.unwrap().len(), 1, "each has its own log");
    }
    store.advance(Duration::from_secs(1));
    store.drain().await.unwrap();
    assert_eq!(status(&store, ids[3]).await, Status::Failed, "each has its own attempts");
}

#[tokio::test]
async fn what_ends_the_whole_run_is_the_end_of_each() {
    for (what, error) in [
        (Do::FailAll, "the whole call failed"),
        (Do::PanicAll, "panicked: the whole run panicked"),
        (Do::HangAll, "timed out after 50ms"),
        (Do::AnswerTooFew, "the batch handler gave 2 answers for 3 tasks, so none counts"),
    ] {
        let (store, _) = batching().await;
        let told = Arc::new(Mutex::new(Vec::new()));
        let ear = Arc::clone(&told);
        store.set_error_handler(move |_, task, error: &RunError| {
            ear.lock().unwrap().push((task, error.to_string()));
        });
        let ids = store.enqueue_many::<Batch>([Do::Nothing, what, Do::Nothing]).await.unwrap();
        assert_eq!(store.drain().await.unwrap().retried, 3);
        let all = vec![(Status::Queued, error.to_owned()); 3];
        assert_eq!(ends(&store, &ids).await, all);
        let told = told.lock().unwrap();
        let tasks: Vec<_> = told.iter().filter_map(|(task, _)| *task).collect();
        assert_eq!(tasks, ids, "the error handler hears of each");
    }
}

#[tokio::test]
async fn a_task_whose_parameters_do_not_fit_fails_alone() {
    let (store, runs) = batching().await;
    let misfit = store.enqueue_by_alias("", "batch", json!({"Unknown": 1})).await.unwrap();
    let good = store.enqueue::<Batch>(Do::Return(1)).await.unwrap();
    let summary = store.drain().await.unwrap();
    assert_eq!((summary.failed, summary.succeeded), (1, 1));
    assert_eq!(*runs.lock().unwrap(), [[good]]);
    let error = store.tasks().get(misfit).await.unwrap().last_error.unwrap();
    assert!(error.starts_with("parameters do not fit the handler"), "{error}");

    // Also where the rest of the batch fails, and where it is the only one.
    let misfit = store.enqueue_by_alias("", "batch", json!(1)).await.unwrap();
    store.enqueue::<Batch>(Do::PanicAll).max_attempts(1).await.unwrap();
    assert_eq!(store.drain().await.unwrap().failed, 2);
    assert_eq!(status(&store, misfit).await, Status::Failed);
    store.enqueue_by_alias("", "batch", json!(1)).await.unwrap();
    assert_eq!(store.drain().await.unwrap().failed, 1);
    assert_eq!(runs.lock().unwrap().len(), 2, "nothing was left to run");
}

#[tokio::test]
async fn a_cancel_reaches_its_own_task_only() {
    let store = store().await;
    let batch = Batch::default();
    let began = Arc::clone(&batch.began);
    store.register_batch(batch).await.unwrap();
    let both = [Do::WaitForCancel, Do::Nothing];
    let ids = store.enqueue_many::<Batch>(both).timeout(Duration::from_secs(60)).await.unwrap();
    let runner = store.runner().start().await.unwrap();
    began.notified().await;
    store.tasks().cancel(ids[0]).await.unwrap();
    until(&store, ids[0], Status::Success).await;
    until(&store, ids[1], Status::Success).await;
    runner.stop().await;
    let output = store.tasks().get(ids[0]).await.unwrap().output.unwrap();
    assert_eq!(output.get(), "1", "one token fired");
}

#[tokio::test]
async fn a_stop_that_drops_a_batch_gives_each_task_back() {
    let store = store().await;
    let batch = Batch::default();
    let began = Arc::clone(&batch.began);
    store.register_batch(batch).await.unwrap();
    let all = [Do::Nothing, Do::HangAll, Do::Nothing];
    let ids = store.enqueue_many::<Batch>(all).timeout(Duration::from_secs(60)).await.unwrap();
    let runner = store.runner().drain_deadline(Duration::ZERO).grace(Duration::ZERO);
    let runner = runner.start().await.unwrap();
    began.notified().await;
    let stopped = runner.stop().await;
    assert_eq!((stopped.summary.released, stopped.still_running.len()), (3, 0));
    for id in ids {
        let task = store.tasks().get(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Queued, 0));
    }
}

#[tokio::test]
async fn a_thousand_tasks_take_little_more_than_a_tenth_of_the_runs() {
    let store = store().await;
    let batch = Batch::default();
    let runs = Arc::clone(&batch.runs);
    store.register_batch(batch).await.unwrap();
    let ids = store.enqueue_many::<Batch>((0..1_000).map(Do::Return)).await.unwrap();
    assert_eq!(store.runner().run_once().await.unwrap().succeeded, 1_000);
    let runs = runs.lock().unwrap();
    assert!(runs.len() <= 1_000 / Batch::AT_MOST + 5, "{} runs", runs.len());
    let mut ran: Vec<_> = runs.concat();
    ran.sort_unstable();
    assert_eq!(ran, ids, "each once");
}

#[tokio::test]
async fn a_batch_handler_that_comes_while_the_runner_runs_takes_many_soon() {
    let store = store().await;
    let runner = store.runner().start().await.unwrap();
    let batch = Batch::default();
    let runs = Arc::clone(&batch.runs);
    store.register_batch(batch).await.unwrap();
    let first = store.enqueue::<Batch>(Do::Nothing).await.unwrap();
    until(&store, first, Status::Success).await;
    let ids = store.enqueue_many::<Batch>((0..30).map(Do::Return)).await.unwrap();
    for id in ids {
        until(&store, id, Status::Success).await;
    }
    runner.stop().await;
    let runs = runs.lock().unwrap().len();
    assert!(runs <= 1 + 5, "{runs} runs of 31 tasks, at most ten in each");
}

#[tokio::test]
async fn keyed_tasks_of_a_batch_free_their_keys() {
    let (store, runs) = batching().await;
    for key in ["a", "b", "c"] {
        store.enqueue::<Batch>(Do::Nothing).unique(key).await.unwrap();
    }
    store.enqueue::<Batch>(Do::Nothing).await.unwrap();
    assert_eq!(store.drain().await.unwrap().succeeded, 4);
    assert_eq!(runs.lock().unwrap().len(), 1);
    let again = store.enqueue::<Batch>(Do::Nothing).unique("a").outcome().await.unwrap();
    assert!(!again.duplicate);
}

#[tokio::test]
async fn tasks_of_a_former_alias_go_with_the_others() {
    let tables = MemoryBackend::new();
    let before = Store::new(tables.clone());
    before.register_fn("batch.old", |_, _: Do| async { Ok(()) }).await.unwrap();
    let old = before.enqueue_by_alias("", "batch.old", Do::Nothing).await.unwrap();
    let renamed = Store::new(tables);
    let batch = Batch::default();
    let runs = Arc::clone(&batch.runs);
    renamed.register_batch(batch).await.unwrap();
    let new = renamed.enqueue::<Batch>(Do::Nothing).await.unwrap();
    assert_eq!(renamed.runner().run_once().await.unwrap().succeeded, 2);
    assert_eq!(*runs.lock().unwrap(), [[old, new]]);
}

/// A store within this middleware.
async fn within(middleware: impl Middleware) -> (Store, Runs) {
    let store = Store::builder(MemoryBackend::new()).middleware(middleware).await.unwrap();
    let batch = Batch::default();
    let runs = Arc::clone(&batch.runs);
    store.register_batch(batch).await.unwrap();
    (store, runs)
}

struct RefuseSets;

impl Middleware for RefuseSets {
    async fn run(&self, ctx: &TaskContext, next: Next<'_>) -> TaskResult<TaskOutput> {
        if ctx.param("Set").is_some() {
            return Err(TaskError::permanent("refused"));
        }
        let output = next.run().await?;
        ctx.log_info("seen");
        Ok(output)
    }
}

#[tokio::test]
async fn middleware_is_around_each_task_and_keeps_its_own_from_running() {
    let (store, runs) = within(RefuseSets).await;
    let all = [Do::Return(1), Do::Set(2), Do::Return(3)];
    let ids = store.enqueue_many::<Batch>(all).await.unwrap();
    let summary = store.runner().run_once().await.unwrap();
    assert_eq!((summary.succeeded, summary.failed), (2, 1));
    assert_eq!(*runs.lock().unwrap(), [[ids[0], ids[2]]], "one run of those that came through");
    let ends = ends(&store, &ids).await;
    assert_eq!(ends[1], (Status::Failed, "refused".to_owned()));
    let log = store.tasks().log(ids[2]).await.unwrap();
    assert_eq!(log.iter().map(|line| &*line.text).collect::<Vec<_>>(), ["Return(3)", "seen"]);
}

/// Lets one task through at a time.
struct OneByOne(tokio::sync::Mutex<()>);

impl Middleware for OneByOne {
    async fn run(&self, _: &TaskContext, next: Next<'_>) -> TaskResult<TaskOutput> {
        let _turn = self.0.lock().await;
        next.run().await
    }
}

#[tokio::test]
async fn middleware_that_lets_tasks_through_one_by_one_holds_up_nobody_for_ever() {
    let (store, runs) = within(OneByOne(tokio::sync::Mutex::default())).await;
    store.enqueue_many::<Batch>([Do::Nothing, Do::Nothing, Do::Nothing]).await.unwrap();
    assert_eq!(store.runner().run_once().await.unwrap().succeeded, 3);
    assert_eq!(runs.lock().unwrap().len(), 3, "each in a run of its own");
}

/// Gives a task up after a moment.
struct Impatient;

impl Middleware for Impatient {
    async fn run(&self, ctx: &TaskContext, next: Next<'_>) -> TaskResult<TaskOutput> {
        let moment = Duration::from_millis(40);
        match tokio::time::timeout(moment, next.run()).await {
            Ok(result) => result,
            Err(_) => Err(TaskError::permanent(format!("gave up {}", ctx.alias()))),
        }
    }
}

#[tokio::test]
async fn a_task_that_middleware_gives_up_ends_only_when_its_batch_has_ended() {
    let (store, _) = within(Impatient).await;
    let tasks = [Do::Nothing, Do::WaitForCancel];
    let ids = store.enqueue_many::<Batch>(tasks).timeout(Duration::from_secs(60)).await.unwrap();
    let runner = store.runner().start().await.unwrap();
    until(&store, ids[1], Status::Running).await;
    // Long enough for the middleware to give up: only its batch keeps them running.
    tokio::time::sleep(Duration::from_millis(120)).await;
    assert_eq!(status(&store, ids[0]).await, Status::Running);
    store.tasks().cancel(ids[1]).await.unwrap();
    for id in &ids {
        until(&store, *id, Status::Failed).await;
    }
    runner.stop().await;
    assert_eq!(ends(&store, &ids).await[0].1, "gave up batch");
}

#[tokio::test]
async fn a_batch_handler_runs_from_a_command_line_too() {
    let store = TestStore::new();
    store.register_batch(Rows).await.unwrap();
    let report = store.execute_cli("rows", ["--name=ada"]).await.unwrap();
    assert_eq!(report.to_string(), "3");
    assert!(store.execute_cli("rows", ["--name="]).await.is_err());
}

#[derive(Serialize, Deserialize)]
struct Row {
    name: String,
}

struct Rows;

impl TaskKey for Rows {
    const KEY: &'static str = "rows";
    type Args = Row;
}

impl BatchHandler for Rows {
    const AT_MOST: usize = 3;
    type Output = usize;

    async fn run(&self, tasks: Vec<BatchTask<Row>>) -> TaskResult<Vec<TaskResult<usize>>> {
        let answer = |task: &BatchTask<Row>| match task.params.name.len() {
            0 => Err(TaskError::permanent("no name")),
            length => Ok(length),
        };
        Ok(tasks.iter().map(answer).collect())
    }
}

macro_rules! bad_batch {
    ($name:ident, $at_most:literal, $wait:literal) => {
        struct $name;

        impl TaskKey for $name {
            const KEY: &'static str = "bad";
            type Args = ();
        }

        impl BatchHandler for $name {
            const AT_MOST: usize = $at_most;
            type Output = ();

            async fn run(&self, _: Vec<BatchTask<()>>) -> TaskResult<Vec<TaskResult<()>>> {
                unreachable!("it cannot be registered")
            }

            fn wait(&self) -> Duration {
                Duration::from_millis($wait)
            }
        }
    };
}

bad_batch!(Empty, 0, 0);
bad_batch!(Huge, 1_001, 0);
bad_batch!(Slow, 1_000, 501);
bad_batch!(Limit, 1_000, 500);

#[tokio::test]
async fn batches_that_cannot_be_are_refused_by_name() {
    let store = Store::new(MemoryBackend::new());
    let text = |error: taskstore_core::Error| error.to_string();
    let refused = text(store.register_batch(Empty).await.unwrap_err());
    assert_eq!(refused, "AT_MOST is not valid: 0 is not between 1 and 1000");
    let refused = text(store.register_batch(Huge).await.unwrap_err());
    assert_eq!(refused, "AT_MOST is not valid: 1001 is not between 1 and 1000");
    let refused = text(store.register_batch(Slow).await.unwrap_err());
    assert_eq!(refused, "wait is not valid: 501ms is longer than 500ms");
    store.register_batch(Limit).await.unwrap();
}
