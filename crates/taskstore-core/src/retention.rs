//! How long tasks are kept after their end, as a policy: which of them are over, and since when.
//!
//! Reads no clock and no store: `store::retention` does that for it.

use std::{collections::BTreeMap, time::Duration};

use time::UtcDateTime;

use crate::{
    Error, QueueName, Result, Status,
    backend::{TaskFilter, TaskOrder},
    limits::{DELAY_MAX, RETENTION_MIN},
};

/// How long tasks are kept after their end, by status and queue. What it does not name is kept for
/// ever; what waits, runs or is paused is never touched.
///
/// ```
/// use std::time::Duration;
/// # use taskstore_core as taskstore;
/// use taskstore::Retention;
///
/// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
///
/// let retention = Retention::keep_forever()
///     .success(7 * DAY)
///     .failed(30 * DAY)
///     .canceled(30 * DAY)
///     .soft_deleted(DAY)
///     .queue("mail", Retention::keep_forever().ended(DAY))
///     .queue("audit", Retention::keep_forever());
/// # retention.check().unwrap();
/// ```
///
/// It is given to the store ([`StoreBuilder::retention`](crate::StoreBuilder::retention)). Then the
/// runners of each process purge what is over, every five minutes, in small batches with pauses, so
/// that a task is kept for as long as was said and goes a few minutes later.
/// [`Store::apply_retention`](crate::Store::apply_retention) does it by hand. A purged task is gone
/// with everything of it: parameters, attempts, outputs, log.
///
/// The space of what was purged is used again; on SQLite the file does not shrink by it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "it is given to a store"]
pub struct Retention {
    success: Option<Duration>,
    failed: Option<Duration>,
    canceled: Option<Duration>,
    soft_deleted: Option<Duration>,
    queues: BTreeMap<QueueName, Retention>,
    /// The first value that cannot be: its field, and why.
    bad: Option<(&'static str, String)>,
}

impl Retention {
    /// Everything is kept for ever, as it is where nothing else is said.
    pub fn keep_forever() -> Self {
        Self::default()
    }

    /// Keeps tasks that succeeded for so long after their end: 1 minute to 100 years.
    pub const fn success(mut self, keep_for: Duration) -> Self {
        self.success = Some(keep_for);
        self
    }

    /// Keeps tasks that failed for good for so long after their end.
    pub const fn failed(mut self, keep_for: Duration) -> Self {
        self.failed = Some(keep_for);
        self
    }

    /// Keeps canceled tasks for so long after their end.
    pub const fn canceled(mut self, keep_for: Duration) -> Self {
        self.canceled = Some(keep_for);
        self
    }

    /// Keeps tasks for so long after their end, however they ended.
    pub const fn ended(self, keep_for: Duration) -> Self {
        self.success(keep_for).failed(keep_for).canceled(keep_for)
    }

    /// Keeps soft-deleted tasks for so long after they were deleted, and ended if that was later,
    /// whatever is said of their status.
    pub const fn soft_deleted(mut self, keep_for: Duration) -> Self {
        self.soft_deleted = Some(keep_for);
        self
    }

    /// Keeps the tasks of this queue so, and not as is said of the others.
    pub fn queue(mut self, name: impl AsRef<str>, retention: Self) -> Self {
        match QueueName::new(name.as_ref()) {
            Ok(queue) => {
                self.queues.insert(queue, retention);
            }
            Err(error) => {
                self.bad.get_or_insert(("queue", error.to_string()));
            }
        }
        self
    }

    /// Refuses what cannot be.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid): the name of a `queue` is none; or, as `retention`, a time is not
    /// between 1 minute and 100 years, or a queue within a queue is named.
    pub fn check(&self) -> Result<()> {
        if let Some((field, reason)) = &self.bad {
            return Err(Error::invalid(field, reason.clone()));
        }
        for (name, keep_for) in [
            ("success", self.success),
            ("failed", self.failed),
            ("canceled", self.canceled),
            ("soft_deleted", self.soft_deleted),
        ] {
            if keep_for.is_some_and(|time| !(RETENTION_MIN..=DELAY_MAX).contains(&time)) {
                return Err(Error::invalid(
                    "retention",
                    format!("{name} is not between 1 minute and 100 years"),
                ));
            }
        }
        for (name, retention) in &self.queues {
            if !retention.queues.is_empty() {
                return Err(Error::invalid(
                    "retention",
                    format!("the retention of queue {name} names another queue"),
                ));
            }
            retention.check()?;
        }
        Ok(())
    }

    /// What is to be looked through, each with the time that it is kept: queues of which the same is
    /// said are one walk.
    pub(crate) fn walks(&self) -> Vec<Walk> {
        Over::ALL.into_iter().flat_map(|what| self.walks_of(what)).collect()
    }

    fn walks_of(&self, what: Over) -> Vec<Walk> {
        let mut by_time: BTreeMap<Duration, Vec<QueueName>> = BTreeMap::new();
        for (queue, retention) in &self.queues {
            if let Some(keep_for) = retention.keeps(what) {
                by_time.entry(keep_for).or_default().push(queue.clone());
            }
        }
        let all_others = self.keeps(what).map(|keep_for| {
            let except = self.queues.keys().cloned().collect();
            Walk { what, keep_for, of: Queues::Except(except), looked_until: None }
        });
        let named = by_time.into_iter().map(|(keep_for, queues)| Walk {
            what,
            keep_for,
            of: Queues::Only(queues),
            looked_until: None,
        });
        all_others.into_iter().chain(named).collect()
    }

    const fn keeps(&self, what: Over) -> Option<Duration> {
        match what {
            Over::Ended(Status::Success) => self.success,
            Over::Ended(Status::Failed) => self.failed,
            Over::Ended(_) => self.canceled,
            Over::SoftDeleted => self.soft_deleted,
        }
    }
}

/// What may be over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Over {
    /// Not soft-deleted, and ended so.
    Ended(Status),
    SoftDeleted,
}

impl Over {
    const ALL: [Self; 4] = [
        Self::Ended(Status::Success),
        Self::Ended(Status::Failed),
        Self::Ended(Status::Canceled),
        Self::SoftDeleted,
    ];
}

/// Which queues a walk is about.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Queues {
    Only(Vec<QueueName>),
    Except(Vec<QueueName>),
}

/// A walk through what may be over, in the order of time, which goes on where it ended: what was
/// looked at and kept is not looked at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Walk {
    pub(crate) what: Over,
    keep_for: Duration,
    of: Queues,
    /// All that is older was looked at.
    looked_until: Option<UtcDateTime>,
}

impl Walk {
    /// Before which time tasks are over, and what to look for; `None`: nothing new can be.
    pub(crate) fn next(&self, now: UtcDateTime) -> Option<(UtcDateTime, TaskFilter)> {
        let before = now.checked_sub(time::Duration::try_from(self.keep_for).ok()?)?;
        let from = self.looked_until.unwrap_or(UtcDateTime::MIN);
        if from >= before {
            return None;
        }
        let mut filter = TaskFilter::default();
        match self.what {
            Over::Ended(status) => {
                filter.statuses = Some(vec![status]);
                filter.completed = Some(from..before);
            }
            Over::SoftDeleted => {
                let ended = Status::ALL.into_iter().filter(|status| status.has_ended());
                filter.statuses = Some(ended.collect());
                filter.deleted = Some(from..before);
            }
        }
        match &self.of {
            Queues::Only(queues) => filter.queues = Some(queues.clone()),
            Queues::Except(queues) => filter.except_queues.clone_from(queues),
        }
        Some((before, filter))
    }

    /// Whatever the order, the next walk begins at this one's end.
    pub(crate) const fn order(&self) -> TaskOrder {
        match self.what {
            Over::Ended(_) => TaskOrder::LastCompletedFirst,
            Over::SoftDeleted => TaskOrder::LastDeletedFirst,
        }
    }

    /// Everything before this time was looked at.
    pub(crate) const fn looked(&mut self, before: UtcDateTime) {
        self.looked_until = Some(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const DAY: Duration = Duration::from_secs(86_400);

    fn queue(name: &str) -> QueueName {
        QueueName::new(name).unwrap()
    }

    #[test]
    fn nothing_is_looked_for_where_everything_is_kept() {
        assert_eq!(Retention::keep_forever().walks(), []);
        let named = Retention::keep_forever().queue("mail", Retention::keep_forever());
        assert_eq!(named.walks(), []);
    }

    #[test]
    fn queues_that_keep_as_long_are_one_walk_and_those_that_keep_for_ever_are_none() {
        let day = || Retention::keep_forever().success(DAY);
        let retention = Retention::keep_forever()
            .success(7 * DAY)
            .queue("a", day())
            .queue("b", day())
            .queue("c", Retention::keep_forever());
        let walks: Vec<_> =
            retention.walks().into_iter().map(|walk| (walk.keep_for, walk.of)).collect();
        let expected = [
            (7 * DAY, Queues::Except(vec![queue("a"), queue("b"), queue("c")])),
            (DAY, Queues::Only(vec![queue("a"), queue("b")])),
        ];
        assert_eq!(walks, expected);
        assert_eq!(Retention::keep_forever().ended(DAY).soft_deleted(DAY).walks().len(), 4);
    }

    #[test]
    fn a_walk_goes_on_where_it_ended() {
        let now = clock::now();
        let [mut walk] =
            <[Walk; 1]>::try_from(Retention::keep_forever().failed(DAY).walks()).expect("one walk");
        let (before, filter) = walk.next(now).unwrap();
        assert_eq!(filter.statuses, Some(vec![Status::Failed]));
        assert_eq!(filter.completed, Some(UtcDateTime::MIN..before));
        assert_eq!(before, now - DAY);
        walk.looked(before);
        assert_eq!(walk.next(now), None, "nothing new");
        assert_eq!(walk.next(now - DAY), None, "a clock that steps back");
        let (later, filter) = walk.next(now + DAY).unwrap();
        assert_eq!((later, filter.completed), (now, Some(before..now)));
    }

    #[test]
    fn what_cannot_be_is_refused_and_named() {
        let field = |retention: Retention| match retention.check().unwrap_err() {
            Error::Invalid { field, .. } => field,
            other => panic!("{other}"),
        };
        let forever = Retention::keep_forever;
        assert_eq!(field(forever().success(Duration::from_secs(59))), "retention");
        assert_eq!(field(forever().soft_deleted(Duration::MAX)), "retention");
        assert_eq!(field(forever().queue("a", forever().failed(Duration::ZERO))), "retention");
        assert_eq!(field(forever().queue("two words", forever())), "queue");
        let nested = forever().queue("a", forever().queue("b", forever()));
        assert_eq!(field(nested), "retention");
        forever().ended(Duration::from_secs(60)).check().unwrap();
    }
}
