//! Runners at work, and what their handlers saw: every run of every task.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Backend, DefinitionId, Error, RunError, Status, Store, TaskContext, TaskId, TaskKey,
    backend::{DefinitionKey, Enqueue, Enqueued, NewTask},
};
use taskstore_postgres::{PostgresBackend, PostgresOptions};

/// The tasks: each runs for so many milliseconds.
pub(crate) struct Work;

impl TaskKey for Work {
    const KEY: &'static str = "work";
    type Args = u64;
}

/// What went on in all processes of a test together.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    runs: Arc<Mutex<BTreeMap<TaskId, u32>>>,
    lost: Arc<Mutex<Vec<Option<TaskId>>>>,
}

impl Seen {
    /// A store that is a process of its own, as far as the database can tell, and runs tasks.
    pub(crate) async fn process(&self, options: PostgresOptions) -> Store {
        let backend: Arc<dyn Backend> = Arc::new(PostgresBackend::open(options).await.unwrap());
        let store = Store::from(backend);
        let lost = self.lost.clone();
        store.set_error_handler(move |_, task, error| match error {
            // The outage itself.
            RunError::Storage(_) => {}
            RunError::LeaseLost => lost.lock().unwrap().push(task),
            other => panic!("no handler fails here: {other}"),
        });
        let runs = self.runs.clone();
        let handler = move |ctx: TaskContext, millis: u64| {
            *runs.lock().unwrap().entry(ctx.id()).or_default() += 1;
            async move {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                Ok(())
            }
        };
        store.register_fn(Work::KEY, handler).await.unwrap();
        store
    }

    pub(crate) fn runs(&self) -> usize {
        self.runs.lock().unwrap().values().map(|&runs| runs as usize).sum()
    }

    /// Waits for so many runs.
    pub(crate) async fn has_run(&self, runs: usize) {
        let began = Instant::now();
        while self.runs() < runs {
            assert!(began.elapsed() < Duration::from_secs(60), "{} of {runs} ran", self.runs());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until all tasks are over: each succeeded, and ran once, for nobody died who ran it.
    pub(crate) async fn each_ran_once(&self, store: &Store, tasks: &[TaskId]) {
        let began = Instant::now();
        for &id in tasks {
            let task = loop {
                let task = store.tasks().get(id).await;
                match task {
                    Ok(task) if task.status.has_ended() => break task,
                    Ok(_) | Err(Error::Unavailable { .. }) => {}
                    Err(error) => panic!("{id}: {error}"),
                }
                let waited = began.elapsed();
                assert!(waited < Duration::from_secs(60), "{id} is not over: {task:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            };
            assert_eq!((task.status, task.attempts), (Status::Success, 1), "{task:?}");
        }
        let runs = self.runs.lock().unwrap();
        let again: Vec<_> = runs.iter().filter(|(_, runs)| **runs != 1).collect();
        assert!(again.is_empty(), "living workers' tasks ran again: {again:?}");
        assert_eq!(runs.len(), tasks.len());
        assert!(self.lost.lock().unwrap().is_empty(), "a living worker lost a lease");
    }
}

/// What the tasks are of.
pub(crate) async fn definition(backend: &PostgresBackend) -> DefinitionId {
    let alias = DefinitionKey::Alias(Alias::new(Work::KEY).unwrap());
    backend.definition(&alias).await.unwrap().unwrap().id
}

/// Enqueues one task after the other until it is told to stop, each again under its id until it is
/// acknowledged; those that were.
pub(crate) async fn produce(
    backend: &PostgresBackend,
    definition: DefinitionId,
    goes_on: impl Fn(usize) -> bool,
) -> Vec<TaskId> {
    let mut tasks = Vec::new();
    while goes_on(tasks.len()) {
        let task = NewTask::new(definition, RawValue::from_string("5".to_owned()).unwrap());
        let request = [task];
        loop {
            match backend.enqueue(&Enqueue::new(&request)).await {
                Ok(answers) => break assert_eq!(answers, [Enqueued::Stored]),
                Err(Error::Unavailable { .. }) => {}
                Err(error) => panic!("{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        tasks.push(request[0].id);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tasks
}
