//! Purging what is over, in small batches.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use super::{Store, bulk::Pace};
use crate::{
    Result, Status, TaskId,
    backend::{Control, Move, Outcome, TaskQuery},
    limits::{BULK_PASS_MAX, PAGE_MAX},
    retention::{Over, Walk},
};

/// How many tasks a retention has purged.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Those that had succeeded.
    pub success: u64,
    /// Those that had failed.
    pub failed: u64,
    /// Those that had been canceled.
    pub canceled: u64,
    /// Those that were soft-deleted, however they had ended.
    pub soft_deleted: u64,
}

impl Purged {
    /// All of them.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.success + self.failed + self.canceled + self.soft_deleted
    }

    const fn count(&mut self, what: Over) {
        let counter = match what {
            Over::Ended(Status::Success) => &mut self.success,
            Over::Ended(Status::Failed) => &mut self.failed,
            Over::Ended(_) => &mut self.canceled,
            Over::SoftDeleted => &mut self.soft_deleted,
        };
        *counter += 1;
    }
}

/// As in `12 purged`.
impl fmt::Display for Purged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} purged", self.total())
    }
}

/// How much others are made to wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    /// Most tasks in one transaction.
    most: usize,
    /// About how long a transaction may take.
    target: Duration,
    /// After each, so many times as long as it took is left to others.
    rest: f64,
}

/// By hand: it should come to an end.
const BY_HAND: Manner =
    Manner { most: BULK_PASS_MAX, target: Duration::from_millis(20), rest: 0.5 };

impl Manner {
    /// Beside runners: it has all the time in the world.
    pub(crate) const BESIDE: Self = Self { most: 200, target: Duration::from_millis(5), rest: 3.0 };
}

impl Store {
    /// Purges what is over by the [retention](crate::Retention) of this store, and says how many
    /// that were: none, where everything is kept. For programs without a runner, as from cron; where
    /// a runner runs it is done beside it.
    ///
    /// It goes through all that has ended, in batches of at most 500 tasks. Stopped half-way, what is
    /// purged is purged, and the next call goes on.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// # use std::time::Duration;
    /// # use taskstore_core as taskstore;
    /// use taskstore::{Retention, testing::TestStore};
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    ///
    /// let store =
    ///     TestStore::with(|settings| settings.retention(Retention::keep_forever().success(7 * DAY)));
    /// store.register_fn("note", |_, _: u8| async { Ok(()) }).await?;
    /// store.enqueue_by_alias("", "note", 1).await?;
    /// store.drain().await?;
    /// assert_eq!(store.apply_retention().await?.total(), 0);
    ///
    /// store.advance(8 * DAY);
    /// assert_eq!(store.apply_retention().await?.success, 1);
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid): the `retention` cannot be. Or what the database says.
    pub async fn apply_retention(&self) -> Result<Purged> {
        self.retention().check()?;
        let mut walks = self.retention().walks();
        let mut purged = Purged::default();
        self.purge_what_is_over(&mut walks, BY_HAND, &mut purged).await?;
        Ok(purged)
    }

    /// One round. What a walk has looked through it does not look at again.
    pub(crate) async fn purge_what_is_over(
        &self,
        walks: &mut [Walk],
        manner: Manner,
        purged: &mut Purged,
    ) -> Result<()> {
        if walks.is_empty() {
            return Ok(());
        }
        let now = self.backend().now().await?;
        let mut pace = Pace::new(manner.most, manner.target, manner.rest);
        for walk in walks {
            let Some((before, filter)) = walk.next(now) else { continue };
            let to = Move::Purge { before: Some(before) };
            let mut query = TaskQuery::new(filter, walk.order(), PAGE_MAX);
            loop {
                let page = self.backend().task_ids(&query).await?;
                self.purge_those(page.items, &to, walk.what, &mut pace, purged).await?;
                if page.next.is_none() {
                    break;
                }
                query.after = page.next;
            }
            walk.looked(before);
        }
        Ok(())
    }

    async fn purge_those(
        &self,
        mut ids: Vec<TaskId>,
        to: &Move,
        what: Over,
        pace: &mut Pace,
        purged: &mut Purged,
    ) -> Result<()> {
        while !ids.is_empty() {
            let rest = ids.split_off(ids.len().min(pace.size()));
            let began = Instant::now();
            let mut request = Control::new(ids, to.clone());
            if let Over::Ended(status) = what {
                request.from = vec![status];
            }
            // What was changed meanwhile is refused or missing, and stays.
            let outcomes = self.backend().control(&request).await?;
            let gone = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Moved { .. }));
            gone.for_each(|_| purged.count(what));
            tokio::time::sleep(pace.took(began.elapsed())).await;
            ids = rest;
        }
        Ok(())
    }
}
