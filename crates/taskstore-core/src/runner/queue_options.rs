//! How a runner serves a queue.

use crate::{
    Error, QueuePattern, Result,
    limits::{WEIGHT_MAX, check_concurrency},
};

/// How a runner serves a queue, or each of the queues that match a pattern.
///
/// ```
/// # use taskstore_core::QueueOptions;
/// // Three times as often as a queue of weight 1, and at most five of its tasks at a time.
/// let mail = QueueOptions::new().weight(3).concurrency(5);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "it is given to a runner"]
pub struct QueueOptions {
    weight: Option<u32>,
    concurrency: Option<usize>,
}

impl QueueOptions {
    /// Without a weight, and without a limit of its own.
    pub const fn new() -> Self {
        Self { weight: None, concurrency: None }
    }

    /// How large this queue's share is while others have work too: 1 to 1,000, where 1 is what a
    /// queue has that says nothing. As soon as one queue of a runner has a weight, its queues are
    /// served by weight, and no longer strictly in the order named.
    pub const fn weight(mut self, weight: u32) -> Self {
        self.weight = Some(weight);
        self
    }

    /// At most so many tasks of this queue run at the same time in this runner: 1 to 10,000. Without
    /// it, as many as the runner runs. Other runners have limits of their own.
    pub const fn concurrency(mut self, tasks: usize) -> Self {
        self.concurrency = Some(tasks);
        self
    }

    /// A queue that is served like this.
    pub(crate) fn serve(self, queues: QueuePattern) -> Result<Served> {
        if self.weight.is_some_and(|weight| !(1..=WEIGHT_MAX).contains(&weight)) {
            return Err(Error::invalid(
                "weight",
                format!("that of {queues} is not between 1 and {WEIGHT_MAX}"),
            ));
        }
        if let Some(tasks) = self.concurrency {
            check_concurrency("concurrency", tasks)?;
        }
        Ok(Served { queues, weight: self.weight, concurrency: self.concurrency })
    }
}

/// A queue, or those that match, and how they are served.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    pub(crate) queues: QueuePattern,
    pub(crate) weight: Option<u32>,
    /// At most so many tasks of each at the same time.
    pub(crate) concurrency: Option<usize>,
}
