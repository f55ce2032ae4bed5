//! Tasks on their way in.

use taskstore_core::{
    Error, Result,
    backend::{Enqueue, Enqueued},
};

use crate::session::Session;

pub(crate) async fn enqueue(
    _: &Session,
    _: &Enqueue<'_>,
) -> Result<(Vec<Enqueued>, crate::wakeup::News)> {
    Err(Error::backend("not there yet"))
}
