//! Tasks, as people look at them and control them.

use serde::Serialize;

use super::{FindTasks, Reschedule, Store, options::parameters};
use crate::{
    Attempt, Error, LogLine, Result, Status, Task, TaskId,
    backend::{Control, Move, Outcome},
    limits::{ERROR_BYTES_MAX, LOG_LINES_MAX, tame},
};

/// Why a task was canceled, when nobody gave a reason.
pub(super) const NO_REASON: &str = "canceled";

/// Looks at tasks, and controls them; made by [`Store::tasks`].
///
/// Every move answers with the status that the task has afterwards. A task that is running cannot
/// be ended from outside: its holder is asked, in whatever process it is, and the answer is
/// [`Status::Running`].
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// # use taskstore_core as taskstore;
/// use taskstore::{MemoryBackend, Status, Store};
///
/// let store = Store::new(MemoryBackend::new());
/// store.register_fn("email.send", |_, _: u8| async { Ok(()) }).await?;
/// let id = store.enqueue_by_alias("mail", "email.send", 7).await?;
///
/// assert_eq!(store.tasks().pause(id).await?, Status::Paused);
/// assert_eq!(store.tasks().cancel_because(id, "no longer needed").await?, Status::Canceled);
/// assert_eq!(store.tasks().get(id).await?.last_error.as_deref(), Some("no longer needed"));
/// assert_eq!(
///     store.tasks().resume(id).await.unwrap_err().to_string(),
///     format!("task {id} is canceled and cannot be resumed"),
/// );
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Of every move: [`InvalidTransition`](Error::InvalidTransition): the lifecycle does not allow it
/// from the status that the task has. [`NotFound`](Error::NotFound): there is no such `task`, or it
/// is soft-deleted. Or what the database says. Then nothing has changed.
#[derive(Clone, Debug)]
pub struct Tasks {
    store: Store,
}

impl Tasks {
    pub(super) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// The task as it stands; also a soft-deleted one, which has a `deleted_at`.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound): there is no such `task`.
    pub async fn get(&self, id: TaskId) -> Result<Task> {
        self.store.backend().task(id).await?.ok_or_else(|| Error::not_found("task", &id))
    }

    /// All tasks, to list, count or move; any word of [`FindTasks`] narrows it.
    pub fn all(&self) -> FindTasks {
        FindTasks::new(self.store.clone())
    }

    /// Those of these that are there, to list, count or move.
    pub fn ids(&self, ids: impl IntoIterator<Item = TaskId>) -> FindTasks {
        self.all().ids(ids)
    }

    /// The tasks of this queue, to list, count or move.
    pub fn queue(&self, name: impl AsRef<str>) -> FindTasks {
        self.all().queue(name)
    }

    /// The tasks of this status, to list, count or move.
    pub fn status(&self, status: Status) -> FindTasks {
        self.all().status(status)
    }

    /// The tasks of the definition with this alias, to list, count or move.
    pub fn definition(&self, alias: impl AsRef<str>) -> FindTasks {
        self.all().definition(alias)
    }

    /// How its attempts ended, the oldest first. An attempt that left nothing to say, as a release
    /// or a snooze, is not among them.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound): there is no such `task`.
    pub async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        let attempts = self.store.backend().attempts(id).await?;
        if attempts.is_empty() {
            self.get(id).await?;
        }
        Ok(attempts)
    }

    /// Its whole log, the oldest line first: up to 1,000 lines of each attempt. See
    /// [`log_page`](Self::log_page) for a part of it.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound): there is no such `task`.
    pub async fn log(&self, id: TaskId) -> Result<Vec<LogLine>> {
        let mut lines: Vec<LogLine> = Vec::new();
        loop {
            let page = self.log_page(id, lines.len() as u64, LOG_LINES_MAX).await?;
            let last = page.len() < LOG_LINES_MAX as usize;
            lines.extend(page);
            if last {
                return Ok(lines);
            }
        }
    }

    /// At most `limit` lines of its log after the first `skip`, the oldest first.
    ///
    /// # Errors
    /// [`NotFound`](Error::NotFound): there is no such `task`. [`Invalid`](Error::Invalid): `limit`
    /// is not between 1 and 1,000.
    pub async fn log_page(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        if !(1..=LOG_LINES_MAX).contains(&limit) {
            return Err(Error::invalid("limit", format!("{limit} is not between 1 and 1000")));
        }
        let lines = self.store.backend().log(id, skip, limit).await?;
        if lines.is_empty() {
            self.get(id).await?;
        }
        Ok(lines)
    }

    /// Ends a waiting task; asks the holder of a running one to end it, which takes about 2 s.
    ///
    /// # Errors
    /// See [`Tasks`].
    pub async fn cancel(&self, id: TaskId) -> Result<Status> {
        self.cancel_because(id, NO_REASON).await
    }

    /// Like [`cancel`](Self::cancel), with a reason for people: at most 16 KiB, longer ones are cut
    /// and marked. A task that ends here has it as its last error.
    ///
    /// # Errors
    /// See [`Tasks`].
    pub async fn cancel_because(&self, id: TaskId, reason: impl Into<String>) -> Result<Status> {
        let reason = tame(reason.into(), ERROR_BYTES_MAX);
        self.make(id, Move::Cancel { reason }, "canceled").await
    }

    /// Takes a waiting task out of its queue until it is resumed. It keeps its unique key.
    ///
    /// # Errors
    /// See [`Tasks`].
    pub async fn pause(&self, id: TaskId) -> Result<Status> {
        self.make(id, Move::Pause, "paused").await
    }

    /// Puts a paused task back into its queue, to run when it was to run.
    ///
    /// # Errors
    /// See [`Tasks`].
    pub async fn resume(&self, id: TaskId) -> Result<Status> {
        self.make(id, Move::Resume, "resumed").await
    }

    /// Runs a task again that has ended, under the same id: at once, with all of its attempts.
    ///
    /// # Errors
    /// See [`Tasks`]; and [`AlreadyExists`](Error::AlreadyExists): another live task has its unique
    /// key, and is named.
    pub async fn requeue(&self, id: TaskId) -> Result<Status> {
        self.make(id, Move::Requeue { parameters: None }, "requeued").await
    }

    /// Like [`requeue`](Self::requeue), with other parameters: at most 1 MiB of JSON.
    ///
    /// # Errors
    /// As for [`requeue`](Self::requeue), and [`Invalid`](Error::Invalid) for the `parameters`.
    pub async fn requeue_with(&self, id: TaskId, parameters: impl Serialize) -> Result<Status> {
        let parameters = Some(self::parameters(&parameters)?);
        self.make(id, Move::Requeue { parameters }, "requeued").await
    }

    /// Changes when a waiting or paused task runs, its priority or its queue, when the builder is
    /// awaited.
    pub fn reschedule(&self, id: TaskId) -> Reschedule {
        Reschedule::new(self.clone(), id)
    }

    /// Hides a task. A waiting one is canceled; the holder of a running one is asked to end it.
    ///
    /// # Errors
    /// See [`Tasks`].
    pub async fn soft_delete(&self, id: TaskId) -> Result<Status> {
        self.make(id, Move::Delete, "deleted").await
    }

    /// Shows a soft-deleted task again, as it is.
    ///
    /// # Errors
    /// See [`Tasks`]; [`NotFound`](Error::NotFound) also for one that is not soft-deleted.
    pub async fn restore(&self, id: TaskId) -> Result<Status> {
        self.make(id, Move::Restore, "restored").await
    }

    /// Removes a task for good that has ended, soft-deleted or not, with everything of it:
    /// parameters, attempts, outputs and log. Nothing brings it back. Its id is unknown from then on,
    /// so an enqueue that is sent again would store it anew.
    ///
    /// # Errors
    /// See [`Tasks`]; a soft-deleted task is found.
    pub async fn purge(&self, id: TaskId) -> Result<()> {
        self.make(id, Move::Purge { before: None }, "purged").await.map(drop)
    }

    /// Asks for a move of one task. `asked` is its participle.
    pub(super) async fn make(&self, id: TaskId, to: Move, asked: &'static str) -> Result<Status> {
        let answers = self.store.backend().control(&Control::new(vec![id], to)).await?;
        match answers.first() {
            Some(Outcome::Moved { to, .. }) => {
                if to.has_ended() {
                    self.store.tell_ended([id]);
                }
                Ok(*to)
            }
            Some(Outcome::Requested) => Ok(Status::Running),
            Some(&refused) => Err(refusal(id, refused, asked)),
            None => Err(Error::backend("it did not answer for the task")),
        }
    }
}

/// Why a task did not make the move. `asked` is its participle.
pub(super) fn refusal(id: TaskId, outcome: Outcome, asked: &'static str) -> Error {
    match outcome {
        Outcome::Refused(from) => Error::InvalidTransition { task: id, from, to: asked },
        Outcome::KeyHeldBy(holder) => {
            Error::already_exists("task with the same unique key", &holder)
        }
        Outcome::Missing => Error::not_found("task", &id),
        Outcome::Moved { .. } | Outcome::Requested => Error::backend("the move was made"),
    }
}
