//! Many tasks at once: which of them, in which order, page by page, and how many.

use std::{fmt, ops::Range};

use time::UtcDateTime;

use super::Cursor;
use crate::{
    DefinitionId, Error, QueueName, Result, Status, TaskId,
    limits::{IDS_MAX, PAGE_MAX},
};

/// Which tasks. Each field narrows it; a field that is `None` says nothing.
///
/// ```
/// use taskstore_core::{QueueName, Status, backend::TaskFilter};
///
/// let mut filter = TaskFilter::default();
/// filter.queue = Some(QueueName::new("mail")?);
/// filter.statuses = Some(vec![Status::Failed, Status::Canceled]);
/// assert!(filter.wants(Status::Failed) && !filter.wants(Status::Queued));
/// # Ok::<(), taskstore_core::Error>(())
/// ```
#[non_exhaustive]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// These, as far as they are there: at most 10,000, none of them matches nothing.
    pub ids: Option<Vec<TaskId>>,
    /// Of one of these statuses; none of them matches nothing.
    pub statuses: Option<Vec<Status>>,
    /// In this queue, or from it.
    pub queue: Option<QueueName>,
    /// In one of these queues.
    pub queues: Option<Vec<QueueName>>,
    /// In none of these queues.
    pub except_queues: Vec<QueueName>,
    /// Of this kind of work.
    pub definition: Option<DefinitionId>,
    /// Enqueued at the first of these times or later, and before the second.
    pub created: Option<Range<UtcDateTime>>,
    /// Ended at the first of these times or later, and before the second.
    pub completed: Option<Range<UtcDateTime>>,
    /// Soft-deleted at the first of these times or later, and before the second: those and no
    /// others, whatever [`with_deleted`](Self::with_deleted) says.
    pub deleted: Option<Range<UtcDateTime>>,
    /// Also soft-deleted ones.
    pub with_deleted: bool,
}

impl TaskFilter {
    /// Whether tasks of this status may match. Only what has ended has a time of completion, and
    /// what waits or is paused is never soft-deleted.
    #[must_use]
    pub fn wants(&self, status: Status) -> bool {
        let named = self.statuses.as_ref().is_none_or(|statuses| statuses.contains(&status));
        named
            && (self.completed.is_none() || status.has_ended())
            && (self.deleted.is_none() || !matches!(status, Status::Queued | Status::Paused))
    }

    /// Refuses what no engine need look at.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) that names the field: too many `ids`, or a range (`created`,
    /// `completed`, `deleted`) that ends before it begins.
    pub fn check(&self) -> Result<()> {
        if self.ids.as_ref().is_some_and(|ids| ids.len() > IDS_MAX) {
            return Err(Error::invalid("ids", format!("there are more than {IDS_MAX}")));
        }
        let ranges = [
            ("created", &self.created),
            ("completed", &self.completed),
            ("deleted", &self.deleted),
        ];
        for (field, range) in ranges {
            if range.as_ref().is_some_and(|range| range.end < range.start) {
                return Err(Error::invalid(field, "it ends before it begins"));
            }
        }
        Ok(())
    }
}

/// The order of a list of tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TaskOrder {
    /// What was enqueued last comes first.
    #[default]
    NewestFirst,
    /// What was enqueued first comes first.
    OldestFirst,
    /// As claims would take them. Only queued tasks have such a place, so no others are listed:
    /// first what is ready, queue by queue in the order of their names, each by priority, time and
    /// order of enqueue; then what is not due yet, by time and order of enqueue.
    ClaimOrder,
    /// What ended last, by its handler's own time, comes first; of what ended at the same time, what
    /// was enqueued last. Only what has ended is listed.
    LastCompletedFirst,
    /// What was soft-deleted last comes first; of what was at the same time, what was enqueued last.
    /// Only what is soft-deleted is listed, whatever the filter says of it.
    LastDeletedFirst,
}

impl TaskOrder {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::NewestFirst,
        Self::OldestFirst,
        Self::ClaimOrder,
        Self::LastCompletedFirst,
        Self::LastDeletedFirst,
    ];

    /// Whether tasks of this status are listed in this order.
    #[must_use]
    pub const fn lists(self, status: Status) -> bool {
        match self {
            Self::NewestFirst | Self::OldestFirst => true,
            Self::ClaimOrder => matches!(status, Status::Queued),
            Self::LastCompletedFirst => status.has_ended(),
            Self::LastDeletedFirst => !matches!(status, Status::Queued | Status::Paused),
        }
    }
}

/// A page of tasks to read.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct TaskQuery {
    /// Which tasks.
    pub filter: TaskFilter,
    /// In which order.
    pub order: TaskOrder,
    /// From where the last page ended, in the same order.
    pub after: Option<Cursor>,
    /// At most so many: 1 to 1,000, or to 10,000 where only ids are asked for.
    pub limit: u32,
}

impl TaskQuery {
    /// The first page.
    #[must_use]
    pub const fn new(filter: TaskFilter, order: TaskOrder, limit: u32) -> Self {
        Self { filter, order, after: None, limit }
    }

    /// The page after this cursor.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// Whether tasks of this status can be on the page.
    #[must_use]
    pub fn wants(&self, status: Status) -> bool {
        self.order.lists(status) && self.filter.wants(status)
    }

    /// The filter, with what the order adds to it: only what is soft-deleted, where it goes by that.
    #[must_use]
    pub fn whole_filter(&self) -> TaskFilter {
        let mut filter = self.filter.clone();
        if self.order == TaskOrder::LastDeletedFirst {
            filter.deleted.get_or_insert(UtcDateTime::MIN..UtcDateTime::MAX);
        }
        filter
    }

    /// Refuses what no engine need look at.
    ///
    /// # Errors
    /// [`Invalid`](Error::Invalid) that names the field: a `limit` that is not between 1 and 1,000,
    /// or what the filter refuses.
    pub fn check(&self) -> Result<()> {
        self.check_up_to(PAGE_MAX as usize)
    }

    /// The same for a page of ids: a `limit` as far as 10,000.
    ///
    /// # Errors
    /// As for [`check`](Self::check).
    pub fn check_ids(&self) -> Result<()> {
        self.check_up_to(IDS_MAX)
    }

    fn check_up_to(&self, limit_max: usize) -> Result<()> {
        let limit = self.limit;
        if !(1..=limit_max).contains(&(limit as usize)) {
            return Err(Error::invalid(
                "limit",
                format!("{limit} is not between 1 and {limit_max}"),
            ));
        }
        self.filter.check()
    }
}

/// How many: a count that never looks at a million tasks for a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// So many, and no more.
    Exactly(u64),
    /// So many were seen before the counting stopped.
    AtLeast(u64),
}

/// As in `7`, or `10000 or more`.
impl fmt::Display for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(number) => number.fmt(f),
            Self::AtLeast(number) => write!(f, "{number} or more"),
        }
    }
}

impl Counted {
    /// The number, of which there may be more.
    #[must_use]
    pub const fn seen(self) -> u64 {
        match self {
            Self::Exactly(number) | Self::AtLeast(number) => number,
        }
    }

    /// Whether there are no more.
    #[must_use]
    pub const fn is_exact(self) -> bool {
        matches!(self, Self::Exactly(_))
    }
}
