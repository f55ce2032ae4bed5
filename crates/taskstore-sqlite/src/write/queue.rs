//! How queues are served.

use taskstore_core::{Result, backend::QueueSettings};

use crate::{session::Session, sql::Sql};

/// Pauses or resumes a queue.
pub(crate) fn put_queue(session: &Session<'_>, settings: &QueueSettings) -> Result<()> {
    session.execute(Sql::QueuePut, (settings.name.as_str(), settings.paused))?;
    if !settings.paused {
        session.tell(|news| news.ready(&settings.name));
    }
    Ok(())
}
