//! What all of these tests use.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use taskstore::{RunError, Status, Store, TaskContext, TaskId, TaskKey};
use taskstore_core::Backend;
use taskstore_sqlite::{SqliteBackend, SqliteOptions};
use tempfile::TempDir;

/// The alias of the tasks that count themselves.
pub(crate) struct Count;

impl TaskKey for Count {
    const KEY: &'static str = "count";
    type Args = u64;
}

/// A migrated SQLite file in a folder of its own.
pub(crate) async fn file() -> (TempDir, Arc<dyn Backend>) {
    let folder = tempfile::tempdir().unwrap();
    let options = SqliteOptions::new(folder.path().join("faults.db"));
    let backend: Arc<dyn Backend> = Arc::new(SqliteBackend::open(options).await.unwrap());
    Store::from(Arc::clone(&backend)).migrate().await.unwrap();
    (folder, backend)
}

/// What a store was told, and how often its handler ran.
#[derive(Clone, Default)]
pub(crate) struct Counts {
    pub(crate) runs: Arc<AtomicUsize>,
    pub(crate) storage_errors: Arc<AtomicUsize>,
    pub(crate) lost: Arc<AtomicUsize>,
}

impl Counts {
    /// Registers a handler that runs for as many milliseconds as its parameters say.
    pub(crate) async fn serve(store: &Store) -> Self {
        let counts = Self::default();
        let told = counts.clone();
        store.set_error_handler(move |_, _, error| {
            match error {
                RunError::Storage(_) => &told.storage_errors,
                RunError::LeaseLost => &told.lost,
                other => panic!("no handler fails here: {other}"),
            }
            .fetch_add(1, Ordering::SeqCst);
        });
        let runs = Arc::clone(&counts.runs);
        store
            .register_fn("count", move |_: TaskContext, millis: u64| {
                runs.fetch_add(1, Ordering::SeqCst);
                async move {
                    tokio::time::sleep(Duration::from_millis(millis)).await;
                    Ok(())
                }
            })
            .await
            .unwrap();
        counts
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    pub(crate) fn storage_errors(&self) -> usize {
        self.storage_errors.load(Ordering::SeqCst)
    }

    pub(crate) fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}

/// Waits until all tasks are over, and checks that each succeeded in its first attempt.
pub(crate) async fn all_succeed_at_once(store: &Store, tasks: &[TaskId]) {
    for &id in tasks {
        over(store, id).await;
        let task = store.tasks().get(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Success, 1), "{task:?}");
    }
}

/// Waits until a task is over; fails after a minute.
pub(crate) async fn over(store: &Store, id: TaskId) {
    tokio::time::timeout(Duration::from_secs(60), async {
        while !store.tasks().get(id).await.unwrap().status.has_ended() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("the task ends");
}
