//! Queues.

use taskstore_core::{
    Error, Queue, Result,
    backend::{FindWork, Page, QueueQuery, WorkFound},
};

use crate::{session::Session, sql::Sql};

pub(crate) async fn find_work(_session: &mut Session, _request: &FindWork) -> Result<WorkFound> {
    Err(Error::backend("not built yet"))
}

/// When the next task of any queue is due.
pub(crate) async fn next_due(session: &mut Session) -> Result<Option<i64>> {
    Ok(session.first(Sql::NextDue, Vec::new(), |row| row.get::<Option<i64>>(0)).await?.flatten())
}

pub(crate) async fn queues(_session: &mut Session, _query: &QueueQuery) -> Result<Page<Queue>> {
    Err(Error::backend("not built yet"))
}
