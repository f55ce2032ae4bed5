//! Tasks.

use taskstore_core::{Attempt, Error, LogLine, Result, Task, TaskId};

use crate::session::Session;

pub(crate) async fn task(_: &Session, _: TaskId) -> Result<Option<Task>> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn attempts(_: &Session, _: TaskId) -> Result<Vec<Attempt>> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn log(_: &Session, _: TaskId, _: u64, _: u32) -> Result<Vec<LogLine>> {
    Err(Error::backend("not there yet"))
}
