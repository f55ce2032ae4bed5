//! Queues, as people control them.

use super::Store;
use crate::{QueueName, Result, backend::QueueSettings};

/// Controls queues; made by [`Store::queues`]. A queue needs not be made: it is there as soon as a
/// task waits under its name.
#[derive(Clone, Debug)]
pub struct Queues {
    store: Store,
}

impl Queues {
    pub(super) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// Stops claims from this queue, by whatever process, until it is resumed. What runs goes on;
    /// enqueueing goes on. Once this returned, no claim that starts afterwards takes from it.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid): the name cannot be a queue's. Or what the database says.
    pub async fn pause(&self, queue: impl AsRef<str>) -> Result<()> {
        self.put(queue.as_ref(), true).await
    }

    /// Lets runners claim from this queue again. Fine for one that is not paused.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub async fn resume(&self, queue: impl AsRef<str>) -> Result<()> {
        self.put(queue.as_ref(), false).await
    }

    async fn put(&self, queue: &str, paused: bool) -> Result<()> {
        let name = QueueName::new(queue)?;
        self.store.backend().put_queue(&QueueSettings { name, paused }).await
    }
}
