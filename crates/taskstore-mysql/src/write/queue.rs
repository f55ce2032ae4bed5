//! How queues are served.

use taskstore_core::{Result, backend::QueueSettings};

use crate::{
    session::{Session, values},
    sql::Sql,
};

/// Pauses or resumes a queue.
pub(crate) async fn put_queue(session: &mut Session<'_>, settings: &QueueSettings) -> Result<()> {
    session.execute(Sql::QueuePut, values![settings.name.as_str(), settings.paused]).await?;
    if !settings.paused {
        session.tell(|news| news.ready(&settings.name));
    }
    Ok(())
}
