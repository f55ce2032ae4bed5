//! Lists.

use taskstore_core::{
    Error, Result, Task, TaskId,
    backend::{Counted, Page, TaskFilter, TaskQuery},
};

use crate::session::Session;

pub(crate) async fn tasks(_: &Session, _: &TaskQuery) -> Result<Page<Task>> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn task_ids(_: &Session, _: &TaskQuery) -> Result<Page<TaskId>> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn count(_: &Session, _: &TaskFilter, _: u64) -> Result<Counted> {
    Err(Error::backend("not there yet"))
}
