//! Lists, page by page.

use taskstore_core::{
    Error, Result, Task, TaskId,
    backend::{Counted, Page, TaskFilter, TaskQuery},
};

use crate::session::Session;

pub(crate) async fn tasks(_session: &mut Session, _query: &TaskQuery) -> Result<Page<Task>> {
    Err(Error::backend("not built yet"))
}

pub(crate) async fn task_ids(_session: &mut Session, _query: &TaskQuery) -> Result<Page<TaskId>> {
    Err(Error::backend("not built yet"))
}

pub(crate) async fn count(
    _session: &mut Session,
    _filter: &TaskFilter,
    _at_most: u64,
) -> Result<Counted> {
    Err(Error::backend("not built yet"))
}
