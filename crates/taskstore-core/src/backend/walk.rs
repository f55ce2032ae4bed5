//! Lists and counts as walks down tables that know the tasks of one status, and what several of
//! them found.
//!
//! A help for writers of engines that keep the tables of this project (`docs/sql.md`) in a database
//! with SQL: which walks a list needs, where each goes on, and how pages are cut. The statements are
//! the engine's own. A row that is walked over and does not match is looked at and passed by, so that
//! a page is bounded by what is looked at and not by what is found.

use std::ops::ControlFlow;

use super::{Spot, TaskFilter, TaskOrder, TaskQuery};
use crate::Status;

/// A walk down one table in one order. `newest` walks from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// Every task, by the record.
    Record {
        /// From the end.
        newest: bool,
    },
    /// Successes, by the record: a plain one has no other row.
    Success {
        /// From the end.
        newest: bool,
    },
    /// Failed, canceled or paused tasks.
    Aside {
        /// Which of them.
        status: Status,
        /// From the end.
        newest: bool,
    },
    /// The lists of the leases.
    Running {
        /// From the end.
        newest: bool,
    },
    /// What is ready, by order of enqueue.
    Ready {
        /// From the end.
        newest: bool,
    },
    /// What is not due yet, by order of enqueue.
    Later {
        /// From the end.
        newest: bool,
    },
    /// What is ready, in claim order.
    ReadyInLine,
    /// What is not due yet, in claim order.
    LaterInLine,
    /// What waits, by the record: where so many wait that sorting them costs more.
    Waiting {
        /// From the end.
        newest: bool,
    },
    /// What is soft-deleted, last deleted first.
    Deleted,
    /// What has ended with this status, and is soft-deleted or is not, last completed first.
    Completed {
        /// Which of them.
        status: Status,
        /// Those that are soft-deleted, or those that are not.
        deleted: bool,
    },
}

/// A row that was walked over.
#[derive(Clone, Debug)]
pub struct WalkRow {
    /// The task's number in the order of enqueue.
    pub number: i64,
    /// When it was completed or deleted, or its priority, where the order goes by it.
    pub first: i64,
    /// When it runs, where the order goes by it.
    pub run_at: i64,
    /// Its queue, where the order goes by it.
    pub queue: String,
}

impl Walk {
    /// The walks that together meet every task of this list.
    #[must_use]
    pub fn of(query: &TaskQuery) -> Vec<Self> {
        let wanted = Status::ALL.into_iter().filter(|&status| query.wants(status));
        let newest = query.order == TaskOrder::NewestFirst;
        match query.order {
            TaskOrder::NewestFirst | TaskOrder::OldestFirst
                if wanted.clone().count() == Status::ALL.len() =>
            {
                vec![Self::Record { newest }]
            }
            TaskOrder::NewestFirst | TaskOrder::OldestFirst => wanted
                .flat_map(|status| match status {
                    Status::Queued => vec![Self::Ready { newest }, Self::Later { newest }],
                    Status::Running => vec![Self::Running { newest }],
                    Status::Success => vec![Self::Success { newest }],
                    status => vec![Self::Aside { status, newest }],
                })
                .collect(),
            TaskOrder::ClaimOrder => {
                wanted.flat_map(|_| [Self::ReadyInLine, Self::LaterInLine]).collect()
            }
            TaskOrder::LastCompletedFirst => {
                wanted.flat_map(|status| Self::completed(status, &query.filter)).collect()
            }
            TaskOrder::LastDeletedFirst => wanted.take(1).map(|_| Self::Deleted).collect(),
        }
    }

    /// The walks that together meet every task of this count, which needs no order: successes are
    /// told apart from all else by the table of what has ended.
    #[must_use]
    pub fn of_count(filter: &TaskFilter) -> Vec<Self> {
        let newest = true;
        let wanted = Status::ALL.into_iter().filter(|&status| filter.wants(status));
        if wanted.clone().count() == Status::ALL.len() {
            return vec![Self::Record { newest }];
        }
        wanted
            .flat_map(|status| match status {
                Status::Queued => vec![Self::ReadyInLine, Self::LaterInLine],
                Status::Running => vec![Self::Running { newest }],
                Status::Paused => vec![Self::Aside { status, newest }],
                ended => Self::completed(ended, filter),
            })
            .collect()
    }

    fn completed(status: Status, filter: &TaskFilter) -> Vec<Self> {
        let deleted = filter.with_deleted || filter.deleted.is_some();
        let deleted = deleted.then_some(Self::Completed { status, deleted: true });
        let shown = filter.deleted.is_none().then_some(Self::Completed { status, deleted: false });
        shown.into_iter().chain(deleted).collect()
    }

    /// Whether all of its rows are sorted for each page.
    #[must_use]
    pub const fn sorts(self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Later { .. })
    }

    /// Whether it goes from the newest to the oldest; `None` where it goes by something else.
    #[must_use]
    pub const fn newest(self) -> Option<bool> {
        match self {
            Self::Record { newest }
            | Self::Success { newest }
            | Self::Aside { newest, .. }
            | Self::Running { newest }
            | Self::Ready { newest }
            | Self::Later { newest }
            | Self::Waiting { newest } => Some(newest),
            Self::ReadyInLine | Self::LaterInLine | Self::Deleted | Self::Completed { .. } => None,
        }
    }

    /// Where a row stands in the list.
    #[must_use]
    pub fn spot(self, row: WalkRow) -> Spot {
        match self {
            Self::ReadyInLine => Spot::ready(row.queue, row.first, row.run_at, row.number),
            Self::LaterInLine => Spot::later(row.run_at, row.number),
            Self::Deleted => Spot::deleted(row.first, row.number),
            Self::Completed { .. } => Spot::completed(row.first, row.number),
            _ if self.newest() == Some(true) => Spot::newest(row.number),
            _ => Spot::oldest(row.number),
        }
    }
}

/// Where a walk goes on after a spot: the key of the last row that it shall not meet again.
impl Spot {
    /// Of a walk by order of enqueue: that number, from the end or not.
    #[must_use]
    pub const fn after_number(&self, newest: bool) -> i64 {
        let [number, ..] = self.by;
        if newest { number.saturating_neg() } else { number }
    }

    /// Of a walk by a time, the last first: that time and number.
    #[must_use]
    pub const fn after_time(&self) -> [i64; 2] {
        let [at, number, _] = self.by;
        [at.saturating_neg(), number.saturating_neg()]
    }

    /// Of a walk down all that is ready: that queue, priority, time and number.
    #[must_use]
    pub fn after_ready(&self) -> (&str, [i64; 3]) {
        (if self.part == 0 { &self.queue } else { PAST_ALL_QUEUES }, self.by)
    }

    /// Of a walk down what is ready in one queue: that priority, time and number.
    #[must_use]
    pub fn after_ready_in(&self, queue: &str) -> [i64; 3] {
        match (self.part, self.queue.as_str().cmp(queue)) {
            (0, std::cmp::Ordering::Equal) => self.by,
            (0, std::cmp::Ordering::Less) => [i64::MIN; 3],
            _ => [i64::MAX; 3],
        }
    }

    /// Of a walk down what is not due yet: that time and number.
    #[must_use]
    pub const fn after_later(&self) -> [i64; 2] {
        let [at, number, _] = self.by;
        if self.part == 0 { [i64::MIN; 2] } else { [at, number] }
    }
}

/// Sorts after every name, which is of visible ASCII.
const PAST_ALL_QUEUES: &str = "\u{7f}";

/// What was found, and where the looking stopped before its end.
#[derive(Debug, Default)]
pub struct Walked {
    /// Spots and numbers of tasks that match.
    pub found: Vec<(Spot, i64)>,
    /// Nobody has looked beyond this spot; `None`: there is nothing beyond.
    pub stopped_at: Option<Spot>,
}

impl Walked {
    /// Takes the next row of a walk, which breaks off when `enough` match, and at the `last` row that
    /// may be looked at. Rows that do not match may be left out by whoever reads them, all but that one.
    pub fn look(
        &mut self,
        walk: Walk,
        row: WalkRow,
        matches: bool,
        enough: usize,
        last: bool,
    ) -> ControlFlow<()> {
        if !matches && !last {
            return ControlFlow::Continue(());
        }
        let number = row.number;
        let spot = walk.spot(row);
        if matches {
            self.found.push((spot.clone(), number));
        }
        if last || self.found.len() >= enough {
            self.stopped_at = Some(spot);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    /// Whether it has so many, or all that there are.
    #[must_use]
    pub fn is_enough(&self, tasks: usize) -> bool {
        self.found.len() >= tasks || self.stopped_at.is_none()
    }

    /// Together with what another walk of the same list found.
    pub fn add(&mut self, other: Self) {
        self.found.extend(other.found);
        self.stopped_at = match (self.stopped_at.take(), other.stopped_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// The numbers of the first so many in order, and where to go on. What lies beyond the spot where
    /// one of the walks stopped is left for the next page: that walk may have something before it.
    #[must_use]
    pub fn cut(mut self, limit: usize) -> (Vec<i64>, Option<Spot>) {
        self.found.sort_unstable();
        if let Some(stopped_at) = &self.stopped_at {
            self.found.retain(|(spot, _)| spot <= stopped_at);
        }
        let next = if self.found.len() > limit {
            self.found.truncate(limit);
            self.found.last().map(|(spot, _)| spot.clone())
        } else {
            self.stopped_at
        };
        (self.found.into_iter().map(|(_, number)| number).collect(), next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEWEST: Walk = Walk::Record { newest: true };

    fn row(number: i64) -> WalkRow {
        WalkRow { number, first: 0, run_at: 0, queue: String::new() }
    }

    /// Walks over these rows, of which the even ones match.
    fn walked(numbers: &[i64], enough: usize, looks_max: usize) -> Walked {
        let mut walked = Walked::default();
        for (looked, &number) in (1..).zip(numbers) {
            let (matches, last) = (number % 2 == 0, looked == looks_max);
            if walked.look(NEWEST, row(number), matches, enough, last).is_break() {
                break;
            }
        }
        walked
    }

    #[test]
    fn a_walk_stops_when_it_has_enough_or_has_looked_enough() {
        let all = walked(&[9, 8, 7, 6], 3, 9);
        assert_eq!((all.found.len(), &all.stopped_at), (2, &None));
        assert!(all.is_enough(3));
        let enough = walked(&[9, 8, 7, 6, 4], 2, 9);
        assert_eq!(enough.stopped_at, Some(Spot::newest(6)));
        let tired = walked(&[9, 8, 7, 6, 4], 3, 3);
        assert_eq!((tired.found.len(), &tired.stopped_at), (1, &Some(Spot::newest(7))));
        assert!(!tired.is_enough(3));
    }

    #[test]
    fn nothing_is_listed_that_another_walk_may_have_something_before() {
        let mut both = walked(&[20, 18, 2], 9, 9);
        both.add(walked(&[19, 17, 10], 9, 3));
        assert_eq!(both.cut(9), (vec![20, 18, 10], Some(Spot::newest(10))));
    }

    #[test]
    fn a_page_ends_with_its_last_task() {
        assert_eq!(walked(&[8, 6, 4], 9, 9).cut(2), (vec![8, 6], Some(Spot::newest(6))));
        assert_eq!(walked(&[8, 6, 4], 9, 9).cut(3), (vec![8, 6, 4], None));
        assert_eq!(walked(&[8, 6, 4], 3, 9).cut(3), (vec![8, 6, 4], Some(Spot::newest(4))));
    }

    #[test]
    fn a_walk_goes_on_where_its_page_ended() {
        for newest in [false, true] {
            let spot = Walk::Running { newest }.spot(row(7));
            assert_eq!(spot.after_number(newest), 7);
            let past_all = if newest { i64::MAX } else { i64::MIN };
            assert_eq!(Spot::start().after_number(newest), past_all);
        }
        assert_eq!(Spot::completed(5, 7).after_time(), [5, 7]);
        assert_eq!(Spot::start().after_time(), [i64::MAX; 2]);
        let ready = Spot::ready("b".to_owned(), 1, 2, 3);
        assert_eq!(ready.after_ready(), ("b", [1, 2, 3]));
        assert_eq!(ready.after_ready_in("a"), [i64::MAX; 3]);
        assert_eq!(ready.after_ready_in("b"), [1, 2, 3]);
        assert_eq!(ready.after_ready_in("c"), [i64::MIN; 3]);
        assert_eq!(ready.after_later(), [i64::MIN; 2]);
        let later = Spot::later(2, 3);
        assert_eq!(later.after_later(), [2, 3]);
        assert!(later.after_ready().0 > "~");
        assert_eq!(later.after_ready_in("a"), [i64::MAX; 3]);
        assert_eq!(Spot::start().after_ready_in("a"), [i64::MIN; 3]);
    }

    #[test]
    fn each_status_has_walks_of_its_own() {
        let of = |order, set: fn(&mut TaskFilter)| {
            let mut filter = TaskFilter::default();
            set(&mut filter);
            (Walk::of(&TaskQuery::new(filter.clone(), order, 9)), Walk::of_count(&filter))
        };
        let record = Walk::Record { newest: true };
        assert_eq!(of(TaskOrder::NewestFirst, |_| ()), (vec![record], vec![record]));
        let newest = false;
        let (list, count) = of(TaskOrder::OldestFirst, |filter| {
            filter.statuses = Some(vec![Status::Queued, Status::Failed]);
            filter.with_deleted = true;
        });
        let status = Status::Failed;
        let aside = Walk::Aside { status, newest };
        assert_eq!(list, [Walk::Ready { newest }, Walk::Later { newest }, aside]);
        let ended = [false, true].map(|deleted| Walk::Completed { status, deleted });
        let [shown, deleted] = ended;
        assert_eq!(count, [Walk::ReadyInLine, Walk::LaterInLine, shown, deleted]);
        let (list, _) = of(TaskOrder::LastDeletedFirst, |_| ());
        assert_eq!(list, [Walk::Deleted]);
        let (list, _) = of(TaskOrder::LastCompletedFirst, |filter| {
            filter.statuses = Some(vec![Status::Failed, Status::Running]);
            filter.deleted = Some(crate::clock::from_micros(0)..crate::clock::from_micros(1));
        });
        assert_eq!(list, [deleted]);
    }
}
