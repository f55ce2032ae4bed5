//! A handler whose effect and end are one transaction, in processes that are killed between any two of
//! its steps: the effect is there exactly once.

use std::{
    process::{Child, Command, ExitCode, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use taskstore_core::{Status, Store as Tasks, TaskContext, TaskKey, TaskResult};
use taskstore_postgres::{
    CompleteWithin as _, PostgresBackend, PostgresOptions,
    deadpool_postgres::{Manager, Pool},
};
use tokio_postgres::NoTls;

use crate::{
    Test,
    harness::{self, SERVER},
    store::{Store, with_store},
};

pub(crate) const TESTS: &[Test] = &[(
    "a_process_killed_between_effect_and_end_has_done_it_once",
    a_process_killed_between_effect_and_end_has_done_it_once,
)];

/// Where a process can be when it is killed.
const DEATHS: [&str; 5] =
    ["before the effect", "after the effect", "after the end", "after the commit", "at last"];

const LEASE: Duration = Duration::from_secs(2);

/// Names the schema to a process that is to be a worker, and no test.
const WORKER: &str = "TASKSTORE_PAY_WORKER";

struct Pay;

impl TaskKey for Pay {
    const KEY: &'static str = "pay";
    type Args = String;
}

/// Writes the task's id into the table `effect` and completes the task, in one transaction. The first
/// run of a task kills its process at that point.
async fn pay(ctx: TaskContext, pool: Pool, schema: Arc<str>, dies: String) -> TaskResult<()> {
    let id = ctx.id().to_string();
    let mut client = pool.get().await?;
    let began = format!("INSERT INTO {schema}.began VALUES($1) ON CONFLICT DO NOTHING");
    let first = client.execute(&began, &[&id]).await? == 1;
    let here = |point: &str| {
        if first && dies == point {
            // No unwinding, no destructors, no rollback: as kill -9 does it.
            std::process::abort();
        }
    };
    let transaction = client.transaction().await?;
    here("before the effect");
    transaction.execute(&format!("INSERT INTO {schema}.effect VALUES($1)"), &[&id]).await?;
    here("after the effect");
    let completion = ctx.complete_within(&transaction, ()).await?;
    here("after the end");
    transaction.commit().await?;
    here("after the commit");
    completion.committed();
    here("at last");
    Ok(())
}

/// Works until it is killed, if this process is to be a worker.
pub(crate) fn worker() -> Option<ExitCode> {
    let schema: Arc<str> = std::env::var(WORKER).ok()?.into();
    let url = std::env::var(SERVER).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let manager = Manager::new(url.parse().unwrap(), NoTls);
        let pool = Pool::builder(manager).max_size(4).build().unwrap();
        let options = PostgresOptions::from_url(&url).unwrap().schema(&schema).unwrap();
        let tasks = Tasks::new(PostgresBackend::open(options).await.unwrap());
        let run = move |ctx, dies| pay(ctx, pool.clone(), schema.clone(), dies);
        tasks.register_fn(Pay::KEY, run).await.unwrap();
        let runner = tasks.runner().lease(LEASE).concurrency(3).start().await.unwrap();
        std::future::pending::<()>().await;
        runner.stop().await;
    });
    Some(ExitCode::FAILURE)
}

/// Killed when it is dropped.
struct Worker(Child);

impl Worker {
    fn start(schema: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.env(WORKER, schema).stdin(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_process_killed_between_effect_and_end_has_done_it_once() {
    std::thread::scope(|scope| {
        for point in DEATHS {
            scope.spawn(move || with_store(async |store| dies(store, point).await));
        }
    });
}

async fn dies(store: Store, point: &str) {
    store.sql("CREATE TABLE began(task text PRIMARY KEY)").await;
    store.sql("CREATE TABLE effect(task text)").await;
    let tasks = Tasks::new(store.other().await);
    tasks.register_fn(Pay::KEY, |_, _: String| async { Ok(()) }).await.unwrap();
    // All in one claim.
    let ends = ["nowhere", point, "nowhere"].map(str::to_owned);
    let ids = tasks.enqueue_many::<Pay>(ends).await.unwrap();
    let schema = harness::schema(&store.name);
    let began = Instant::now();
    let (mut worker, mut deaths) = (Worker::start(&schema), 0);
    let mut open = ids.clone();
    while deaths == 0 || !open.is_empty() {
        assert!(began.elapsed() < Duration::from_secs(90), "{point}: {open:?} are not over");
        if worker.0.try_wait().unwrap().is_some() {
            deaths += 1;
            worker = Worker::start(&schema);
        }
        if let Some(id) = open.last() {
            let status = tasks.tasks().get(*id).await.unwrap().status;
            if status == Status::Success {
                open.pop();
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(deaths, 1, "{point}");
    for id in &ids {
        let effects = store.sql(&format!("SELECT count(*) FROM effect WHERE task='{id}'")).await;
        assert_eq!(effects[0][0], "1", "{point}: the effect of {id}");
        let task = tasks.tasks().get(*id).await.unwrap();
        // In a lease of its own its loss counts: so it may be with the neighbours, which complete too,
        // at any moment; and with the one whose death this is only between its end and its commit.
        let alone = *id != ids[1] || point == "after the end";
        let most = if alone { 2 } else { 1 };
        assert!(task.attempts <= most, "{point}: {task:?}");
    }
}
