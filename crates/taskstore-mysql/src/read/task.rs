//! Tasks, their attempts and their logs.

use taskstore_core::{Attempt, Error, LogLine, Result, Task, TaskId};

use crate::session::Session;

/// A task, also a soft-deleted one.
pub(crate) async fn task(_session: &mut Session, _id: TaskId) -> Result<Option<Task>> {
    Err(Error::backend("not built yet"))
}

/// How its attempts ended, the oldest first.
pub(crate) async fn attempts(_session: &mut Session, _id: TaskId) -> Result<Vec<Attempt>> {
    Err(Error::backend("not built yet"))
}

/// Its log, the oldest line first.
pub(crate) async fn log(
    _session: &mut Session,
    _id: TaskId,
    _skip: u64,
    _limit: u32,
) -> Result<Vec<LogLine>> {
    Err(Error::backend("not built yet"))
}
