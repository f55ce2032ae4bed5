//! Queues.

use taskstore_core::{
    Error, Queue, Result,
    backend::{FindWork, Page, QueueQuery, WorkFound},
};

use crate::session::Session;

pub(crate) async fn find_work(_: &Session, _: &FindWork) -> Result<WorkFound> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn now(_: &Session) -> Result<time::UtcDateTime> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn queues(_: &Session, _: &QueueQuery) -> Result<Page<Queue>> {
    Err(Error::backend("not there yet"))
}
