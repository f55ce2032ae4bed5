//! The program of the README, from `connect` to a finished task, and the error handler.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use taskstore::{
    RunError, Status, Store, TaskContext, TaskError, TaskHandler, TaskKey, TaskResult,
};

#[derive(Serialize, Deserialize)]
struct Email {
    to: String,
}

struct SendEmail {
    from: String,
}

impl TaskHandler for SendEmail {
    const ALIAS: &'static str = "email.send";
    type Params = Email;
    type Output = ();
    async fn run(&self, ctx: TaskContext, email: Email) -> TaskResult<()> {
        ctx.log_info(format!("{} -> {}", self.from, email.to));
        Ok(())
    }
}

/// The status of the task that the program enqueued, and its log.
async fn send_an_email(store: Store) -> taskstore::Result<(Status, Vec<String>)> {
    store.migrate().await?;
    store.register(SendEmail { from: "noreply@example.org".into() }).await?;
    let email = Email { to: "user@example.org".into() };
    let id = store.enqueue::<SendEmail>(email).await?;
    store.runner().run_once().await?;
    let log = store.tasks().log(id).await?;
    let status = store.tasks().get(id).await?.status;
    Ok((status, log.into_iter().map(|line| line.text).collect()))
}

#[tokio::test]
async fn the_program_of_the_readme_runs_in_memory() {
    let store = taskstore::connect("memory:").await.unwrap();
    let (status, log) = send_an_email(store).await.unwrap();
    assert_eq!(status, Status::Success);
    assert_eq!(log, ["noreply@example.org -> user@example.org"]);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn the_program_of_the_readme_runs_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("tasks.db").display());
    let (status, log) = send_an_email(taskstore::connect(url).await.unwrap()).await.unwrap();
    assert_eq!(status, Status::Success);
    assert_eq!(log, ["noreply@example.org -> user@example.org"]);
}

struct Charge;

impl TaskKey for Charge {
    const KEY: &'static str = "card.charge";
    type Args = u32;
}

#[tokio::test]
async fn the_error_handler_hears_of_a_failure() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    let store = taskstore::connect("memory:")
        .on_error(move |queue, task, error| {
            let RunError::Failed { attempt: 1, message, will_retry: false, .. } = error else {
                panic!("{error}");
            };
            hears.lock().unwrap().push((queue.to_string(), task, message.clone()));
        })
        .await
        .unwrap();
    let refuse = |_, _: u32| async { Err::<(), _>(TaskError::permanent("no such card")) };
    store.register_fn(Charge::KEY, refuse).await.unwrap();
    let id = store.enqueue::<Charge>(7).queue("bank").await.unwrap();

    let summary = store.runner().queue("bank").run_once().await.unwrap();
    assert_eq!(summary.failed, 1);
    assert_eq!(*heard.lock().unwrap(), [("bank".into(), Some(id), "no such card".into())]);
}

#[cfg(feature = "sqlite")]
mod batches {
    use taskstore::{BatchHandler, BatchTask};

    use super::*;

    /// Counts its runs.
    #[derive(Default)]
    struct Insert {
        runs: Arc<Mutex<Vec<usize>>>,
    }

    impl TaskKey for Insert {
        const KEY: &'static str = "rows.insert";
        type Args = u32;
    }

    impl BatchHandler for Insert {
        const AT_MOST: usize = 50;
        type Output = u32;

        async fn run(&self, tasks: Vec<BatchTask<u32>>) -> TaskResult<Vec<TaskResult<u32>>> {
            if let Ok(mut runs) = self.runs.lock() {
                runs.push(tasks.len());
            }
            let fails = |task: &BatchTask<u32>| task.params % 100 == 3 && task.ctx.attempt() == 1;
            Ok(tasks
                .iter()
                .map(|task| {
                    if fails(task) {
                        Err(TaskError::retry_in(std::time::Duration::ZERO, "not at first"))
                    } else {
                        Ok(task.params)
                    }
                })
                .collect())
        }
    }

    #[tokio::test]
    async fn a_thousand_tasks_on_sqlite_take_few_runs_with_default_settings() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("tasks.db").display());
        let store = taskstore::connect(url).auto_migrate(true).await.unwrap();
        let insert = Insert::default();
        let runs = Arc::clone(&insert.runs);
        store.register_batch(insert).await.unwrap();
        let ids = store.enqueue_many::<Insert>(0..1_000).await.unwrap();
        let summary = store.runner().run_once().await.unwrap();
        assert_eq!((summary.succeeded, summary.retried, summary.lost), (1_000, 10, 0));
        let runs = runs.lock().unwrap().clone();
        assert_eq!(runs.iter().sum::<usize>(), 1_010, "each once, and ten of them again");
        assert!(runs.len() <= 1_000 / Insert::AT_MOST + 10, "{} runs: {runs:?}", runs.len());
        for (n, id) in (0_u32..).zip(ids) {
            let task = store.tasks().get(id).await.unwrap();
            assert_eq!(task.output.unwrap().get(), n.to_string());
            assert_eq!(task.attempts, 1 + u32::from(n % 100 == 3));
        }
    }
}
