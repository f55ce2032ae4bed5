//! Queues.

use taskstore_core::{Error, Result, backend::QueueSettings};

use crate::session::Session;

pub(crate) async fn put_queue(_: &Session, _: &QueueSettings) -> Result<()> {
    Err(Error::backend("not there yet"))
}
