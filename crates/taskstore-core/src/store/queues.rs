//! Queues, as people look at them and control them.

use super::Store;
use crate::{
    Queue, QueueName, Result,
    backend::{QueueQuery, QueueSettings},
    limits::PAGE_MAX,
};

/// Looks at queues, and controls them; made by [`Store::queues`]. A queue needs not be made: it is
/// there as soon as a task waits under its name.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use taskstore_core::{MemoryBackend, Store, backend::Counted};
///
/// let store = Store::new(MemoryBackend::new());
/// store.register_fn("email.send", |_, _: u8| async { Ok(()) }).await?;
/// store.enqueue_by_alias("mail", "email.send", 1).await?;
/// store.queues().pause("mail").await?;
///
/// let queues = store.queues().list().await?;
/// assert_eq!(queues.len(), 1);
/// assert_eq!((queues[0].name.as_str(), queues[0].paused), ("mail", true));
/// assert_eq!(queues[0].tasks.ready, Counted::Exactly(1));
/// # Ok::<(), taskstore_core::Error>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Queues {
    store: Store,
}

impl Queues {
    pub(super) const fn new(store: Store) -> Self {
        Self { store }
    }

    /// The queues that have tasks which have not ended, or were ever paused or resumed, in the order
    /// of their names.
    ///
    /// Counts are bounded, so that a list takes milliseconds however much waits: of each kind 10,000
    /// ready and 10,000 delayed tasks, shared out evenly among the queues, and 10,000 running and
    /// 10,000 paused ones of all. What stops there is [`Counted::AtLeast`](crate::backend::Counted).
    /// More than 1,000 queues are read 1,000 at a time, each time with as much to count. For
    /// further counts of one queue there is [`FindTasks::count_up_to`](super::FindTasks::count_up_to).
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self) -> Result<Vec<Queue>> {
        let mut query = QueueQuery::new(PAGE_MAX);
        let mut all = Vec::new();
        loop {
            let page = self.store.backend().queues(&query).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => query = query.after(next),
                None => return Ok(all),
            }
        }
    }

    /// One queue, whose ready and delayed tasks are counted as far as 10,000 each. A queue that nobody
    /// has used is one with nothing in it.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid): the name cannot be a queue's. Or what the database says.
    pub async fn get(&self, queue: impl AsRef<str>) -> Result<Queue> {
        let name = QueueName::new(queue.as_ref())?;
        let page = self.store.backend().queues(&QueueQuery::one(name.clone())).await?;
        Ok(page.items.into_iter().next().unwrap_or_else(|| Queue::empty(name)))
    }

    /// Stops claims from this queue, by whatever process, until it is resumed. What runs goes on;
    /// enqueueing goes on. Once this returned, no claim that starts afterwards takes from it.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid): the name cannot be a queue's. Or what the database says.
    pub async fn pause(&self, queue: impl AsRef<str>) -> Result<()> {
        self.put(queue.as_ref(), true).await
    }

    /// Lets runners claim from this queue again: at once those of this process, and others as soon
    /// as they hear of it. Fine for one that is not paused.
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
