//! Running one task, or one handler, here and now: no queue, no runner, no waiting.

use std::{sync::Arc, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

use super::TestStore;
use crate::{
    Alias, Error, LogLine, Progress, Result, RunnerId, Task, TaskError, TaskId, TaskKey,
    TaskOutput, TaskResult,
    backend::{Backend as _, LeasedTask, Run, Settle, Settlement},
    handler::{Registered, TaskContext},
    lifecycle::{Ending, Policy, Standing},
    runner::run_handler,
    store::parameters,
};

/// How a handler that was run inline ended, and what it said.
#[derive(Clone, Debug)]
pub struct InlineRun {
    /// What it returned, or why it did not.
    pub result: TaskResult<TaskOutput>,
    /// What it logged, the oldest line first.
    pub log: Vec<LogLine>,
    /// How far it had come, if it said so.
    pub progress: Option<Progress>,
}

impl InlineRun {
    /// What it returned.
    ///
    /// # Panics
    /// It did not succeed, or returned something else; the message says so.
    pub fn output<T: DeserializeOwned>(&self) -> T {
        let output = match &self.result {
            Ok(output) => output.get().map_or("null", |json| json.get()),
            Err(error) => panic!("it did not succeed: {error:?}"),
        };
        serde_json::from_str(output).unwrap_or_else(|error| {
            panic!("it returned {output}, which is something else: {error}")
        })
    }

    /// Why it did not succeed.
    ///
    /// # Panics
    /// It did; the message shows what it returned.
    pub fn error(&self) -> &TaskError {
        match &self.result {
            Err(error) => error,
            Ok(output) => panic!("it succeeded, with {output:?}"),
        }
    }

    /// The texts that it logged.
    #[must_use]
    pub fn lines(&self) -> Vec<&str> {
        self.log.iter().map(|line| line.text.as_str()).collect()
    }
}

impl TestStore {
    /// Runs the handler of this kind once, here, without a task: as its first and only attempt.
    /// Nothing is stored but what the handler itself enqueues.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use taskstore_core::{TaskError, TaskErrorKind, TaskKey, testing::TestStore};
    /// struct Greet;
    /// impl TaskKey for Greet {
    ///     const KEY: &'static str = "greet";
    ///     type Args = String;
    /// }
    ///
    /// let store = TestStore::new();
    /// store.register_fn("greet", |ctx, name: String| async move {
    ///     if name.is_empty() {
    ///         return Err(TaskError::permanent("nobody to greet"));
    ///     }
    ///     ctx.log_info("said hello");
    ///     Ok(format!("hello, {name}"))
    /// }).await?;
    ///
    /// let run = store.run::<Greet>("ada".into()).await?;
    /// assert_eq!(run.output::<String>(), "hello, ada");
    /// assert_eq!(run.lines(), ["said hello"]);
    ///
    /// let run = store.run::<Greet>("".into()).await?;
    /// assert_eq!(run.error().kind(), TaskErrorKind::Permanent);
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound): there is no such `handler`. [`Invalid`](Error::Invalid): the
    /// `parameters` cannot be JSON, or are too large. How the handler ended is no error of this.
    pub async fn run<K: TaskKey>(&self, args: K::Args) -> Result<InlineRun> {
        self.run_by_alias(K::KEY, &args).await
    }

    /// Like [`run`](Self::run), by the alias of the handler or a former one, with any parameters.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_by_alias(&self, alias: &str, args: &impl Serialize) -> Result<InlineRun> {
        let handler = self.handler_of(alias)?;
        let context = TaskContext::direct(&handler, parameters(args)?, self.store.clone(), None);
        let result = run_handler(&handler, &context).await;
        let (progress, log) = context.unreported();
        Ok(InlineRun { result, log, progress })
    }

    /// Runs one task that is queued, here, also before its time: one attempt, which ends it or puts
    /// it back as a runner would. Gives the task as it is afterwards; all others stay where they are.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use std::time::Duration;
    /// # use taskstore_core::{Status, TaskError, testing::TestStore};
    /// let store = TestStore::new();
    /// store.register_fn("flaky", |ctx, _: ()| async move {
    ///     if ctx.attempt() == 1 { Err(TaskError::retryable("busy")) } else { Ok(()) }
    /// }).await?;
    /// let id = store.enqueue_by_alias("", "flaky", ()).delay(Duration::from_secs(60)).await?;
    ///
    /// let task = store.run_one(id).await?;
    /// assert_eq!((task.status, task.last_error.as_deref()), (Status::Queued, Some("busy")));
    /// assert_eq!(store.run_one(id).await?.status, Status::Success);
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound): there is no such `task`, or no `handler` for it.
    /// [`InvalidTransition`](Error::InvalidTransition): it is not queued. How the handler ended is no
    /// error of this: the task says it.
    pub async fn run_one(&self, id: TaskId) -> Result<Task> {
        let task = self.store.tasks().get(id).await?;
        let handler = self
            .store
            .registry()
            .handler(task.definition)
            .ok_or_else(|| Error::not_found("handler", &task.alias))?;
        let Some(leased) = self.backend.claim_one(id, RunnerId::new()) else {
            return Err(Error::InvalidTransition { task: id, from: task.status, to: "run" });
        };
        let end = self.attempt(&handler, leased).await;
        self.backend.settle(&Settle::new(vec![end])).await?;
        self.store.tell_ended([id]);
        self.store.tasks().get(id).await
    }

    /// One attempt, as a runner makes it: this is late only where the clock was moved.
    async fn attempt(&self, handler: &Registered, mut task: LeasedTask) -> Settlement {
        let max_attempts = task.max_attempts.unwrap_or(handler.max_attempts);
        let standing =
            Standing { suspect: task.suspect, ..Standing::running(task.attempts, max_attempts) };
        let policy = Policy { backoff: &handler.backoff, chance: 0.5 };
        let late = task.start_by.filter(|by| by.within.is_zero() && task.attempts == 0);
        if let Some(start_by) = late.filter(|_| !task.suspect) {
            let ending = Ending::Expired { start_by: start_by.at };
            return Settlement::new(task.lease, ending.settle(&standing, policy));
        }
        let now = tokio::time::Instant::now();
        let context = TaskContext::new(&mut task, handler, self.store.clone(), now, None);
        let ending = match run_handler(handler, &context).await {
            Ok(output) => Ending::Succeeded { output: output.into_json() },
            Err(error) => error.into_ending(),
        };
        let (progress, log) = context.unreported();
        let to = ending.settle(&standing, policy);
        // The clock stands still.
        let run = Some(Run { started_after: Duration::ZERO, ran_for: Duration::ZERO });
        Settlement { lease: task.lease, to, run, progress, log }
    }

    fn handler_of(&self, alias: &str) -> Result<Arc<Registered>> {
        let wanted = Alias::new(alias)?;
        let is_it = |handler: &Arc<Registered>| {
            handler.alias == wanted || handler.former_aliases.contains(&wanted)
        };
        let found = self.store.registry().handlers().into_iter().find(is_it);
        found.ok_or_else(|| Error::not_found("handler", &wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Status, TaskErrorKind};

    struct Work;

    impl TaskKey for Work {
        const KEY: &'static str = "work";
        type Args = u32;
    }

    async fn working() -> TestStore {
        let store = TestStore::new();
        let work = |ctx: TaskContext, n: u32| async move {
            ctx.progress(n.into(), 9);
            ctx.log_info(format!("queued: {}", ctx.is_queued()));
            match n {
                0 => Err(TaskError::cancel("nothing to do")),
                1 => Err(TaskError::snooze(Duration::from_secs(60))),
                2 => panic!("two"),
                3 if ctx.attempt() == 1 => Err(TaskError::retryable("not at first")),
                n => {
                    ctx.store().enqueue::<Work>(n + 1).delay(Duration::from_secs(1)).await?;
                    Ok(2 * n)
                }
            }
        };
        store.register_fn("work", work).await.unwrap();
        store
    }

    #[tokio::test]
    async fn a_handler_runs_inline_and_leaves_only_what_it_enqueued() {
        let store = working().await;
        let run = store.run::<Work>(7).await.unwrap();
        assert_eq!(run.output::<u32>(), 14);
        assert_eq!(run.lines(), ["queued: false"]);
        assert_eq!(run.progress, Some(Progress { done: 7, total: 9 }));
        store.assert_enqueued::<Work>(&8);
        assert_eq!(store.all().len(), 1);
        for (n, kind) in [
            (0, TaskErrorKind::Cancel),
            (1, TaskErrorKind::Snooze(Duration::from_secs(60))),
            (2, TaskErrorKind::Panicked),
            (3, TaskErrorKind::Retryable),
        ] {
            assert_eq!(store.run::<Work>(n).await.unwrap().error().kind(), kind);
        }
        let misfit = store.run_by_alias("work", &"seven").await.unwrap();
        assert_eq!(misfit.error().kind(), TaskErrorKind::Permanent);
        let missing = store.run_by_alias("play", &7).await.unwrap_err();
        assert_eq!(missing.to_string(), "handler play was not found");
    }

    #[tokio::test]
    #[should_panic(expected = "it did not succeed")]
    async fn the_output_of_a_run_that_failed_fails_the_test() {
        working().await.run::<Work>(0).await.unwrap().output::<u32>();
    }

    #[tokio::test]
    async fn one_task_runs_inline_before_its_time_and_the_others_stay() {
        let store = working().await;
        let hour = Duration::from_secs(3_600);
        let id = store.enqueue::<Work>(3).delay(hour).unique("k").await.unwrap();
        let other = store.enqueue::<Work>(4).await.unwrap();
        let task = store.run_one(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Queued, 1));
        assert_eq!(task.last_error.as_deref(), Some("not at first"));
        let task = store.run_one(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Success, 2));
        assert_eq!(task.output.unwrap().get(), "6");
        assert_eq!(store.tasks().log(id).await.unwrap().len(), 2);
        let again = store.enqueue::<Work>(5).unique("k").outcome().await.unwrap();
        assert!(!again.duplicate, "its end freed the key");
        assert_eq!(store.tasks().get(other).await.unwrap().status, Status::Queued);

        let ended = store.run_one(id).await.unwrap_err();
        assert_eq!(ended.to_string(), format!("task {id} is success and cannot be run"));
        let missing = store.run_one(TaskId::new()).await.unwrap_err();
        assert!(matches!(missing, Error::NotFound { what: "task", .. }));
    }

    #[tokio::test]
    async fn a_task_that_has_expired_is_discarded_inline_too() {
        let store = working().await;
        let id = store.enqueue::<Work>(4).expires_in(Duration::from_secs(1)).await.unwrap();
        store.advance(Duration::from_secs(1));
        let task = store.run_one(id).await.unwrap();
        assert_eq!((task.status, task.attempts), (Status::Canceled, 0));
        store.tasks().pause(store.enqueue::<Work>(4).await.unwrap()).await.unwrap();
    }
}
