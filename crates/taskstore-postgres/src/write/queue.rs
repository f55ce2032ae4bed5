//! How queues are served.

use taskstore_core::{Result, backend::QueueSettings};

use crate::{session::Session, sql::Sql};

/// Pauses or resumes a queue.
pub(crate) async fn put_queue(session: &Session, settings: &QueueSettings) -> Result<()> {
    session.execute(Sql::QueuePut, &[&settings.name.as_str(), &settings.paused]).await.map(drop)
}
