//! What all of these tests use.

use std::time::Duration;

use taskstore_core::{
    Backoff, MemoryBackend, Status, Store, TaskContext, TaskError, TaskHandler, TaskId, TaskResult,
};

pub(crate) async fn store() -> Store {
    let store = Store::new(MemoryBackend::new());
    store.migrate().await.unwrap();
    store
}

pub(crate) async fn status(store: &Store, id: TaskId) -> Status {
    store.tasks().get(id).await.unwrap().status
}

/// Waits for a task to have a status; fails after 20 s.
pub(crate) async fn until(store: &Store, id: TaskId, wanted: Status) {
    tokio::time::timeout(Duration::from_secs(20), async {
        while status(store, id).await != wanted {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("the task never became {wanted}"));
}

/// Fails as often as its parameters say, and then returns the number of the attempt.
pub(crate) struct Flaky;

impl TaskHandler for Flaky {
    const ALIAS: &'static str = "flaky";
    type Params = u32;
    type Output = u32;

    async fn run(&self, ctx: TaskContext, fails: u32) -> TaskResult<u32> {
        if ctx.attempt() <= fails {
            Err(TaskError::retryable(format!("attempt {}", ctx.attempt())))
        } else {
            Ok(ctx.attempt())
        }
    }

    fn max_attempts(&self) -> u32 {
        3
    }

    fn backoff(&self) -> Backoff {
        Backoff::fixed(Duration::ZERO)
    }
}
