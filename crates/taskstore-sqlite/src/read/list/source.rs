//! Where the tasks of a list come from, and the fragments that walk down there.

use rusqlite::types::Value;
use taskstore_core::{
    Status,
    backend::{Spot, TaskFilter, TaskOrder},
};

use super::{
    condition::{self, Condition},
    text::Text,
};
use crate::convert::status_code;

/// A walk down one table in one order. `newest` walks from the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Every task, by the record.
    Record { newest: bool },
    /// Successes, by the record: a plain one has no other row.
    Success { newest: bool },
    /// Failed, canceled or paused tasks.
    Aside { status: i64, newest: bool },
    /// The lists of the leases.
    Running { newest: bool },
    /// What is ready, by order of enqueue.
    Ready { newest: bool },
    /// What is not due yet, by order of enqueue.
    Later { newest: bool },
    /// What is ready, in claim order.
    ReadyInLine,
    /// What is not due yet, in claim order.
    LaterInLine,
    /// What waits, by the record: where so many wait that sorting them costs more.
    Waiting { newest: bool },
    /// What is soft-deleted, last deleted first.
    Deleted,
    /// What has ended with this status, and is soft-deleted or is not, last completed first.
    Completed { status: i64, deleted: bool },
}

/// A row of a walk.
pub(super) struct Row {
    pub(super) seq: i64,
    /// `completed_at`, `deleted_at` or the priority, where the order goes by it.
    pub(super) first: i64,
    /// `run_at`, where the order goes by it.
    pub(super) run_at: i64,
    pub(super) queue: String,
}

impl Source {
    /// Whether all of its rows are sorted for each page.
    pub(super) const fn sorts(self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Later { .. })
    }

    /// The columns of a [`Row`].
    pub(super) const fn columns(self) -> &'static str {
        match self {
            Self::Record { .. }
            | Self::Success { .. }
            | Self::Waiting { .. }
            | Self::Aside { .. }
            | Self::Running { .. } => "t.seq,0,0,''",
            Self::Ready { .. } | Self::Later { .. } => "c.task,0,0,''",
            Self::ReadyInLine => "c.task,c.priority,c.run_at,c.queue",
            Self::LaterInLine => "c.task,0,c.run_at,''",
            Self::Completed { .. } => "t.seq,t.completed_at,0,''",
            Self::Deleted => "t.seq,t.deleted_at,0,''",
        }
    }

    /// The tables. The record joins a place only where the filter asks something of it.
    pub(super) const fn from(self, filter: &TaskFilter) -> &'static str {
        let record = filter.created.is_some();
        match self {
            Self::Record { .. }
            | Self::Success { .. }
            | Self::Waiting { .. }
            | Self::Deleted
            | Self::Completed { .. } => " FROM task_queue t WHERE ",
            Self::Aside { .. } => {
                " FROM task_aside c CROSS JOIN task_queue t ON t.seq=c.task WHERE "
            }
            Self::Running { .. } => {
                " FROM task_lease l CROSS JOIN task_lease_tasks x ON x.lease=l.lease
                  CROSS JOIN json_each(x.tasks) e CROSS JOIN task_queue t
                  ON t.seq=CAST(e.key AS INTEGER) AND t.turn=e.value AND t.status=0 WHERE "
            }
            Self::Ready { .. } | Self::ReadyInLine if record => {
                " FROM task_ready c CROSS JOIN task_queue t ON t.seq=c.task WHERE "
            }
            Self::Ready { .. } | Self::ReadyInLine => " FROM task_ready c WHERE ",
            Self::Later { .. } | Self::LaterInLine if record => {
                " FROM task_later c CROSS JOIN task_queue t ON t.seq=c.task WHERE "
            }
            Self::Later { .. } | Self::LaterInLine => " FROM task_later c WHERE ",
        }
    }

    /// What a row that was walked over must fulfil.
    pub(super) fn conditions(self, filter: &TaskFilter) -> Vec<Condition> {
        match self {
            Self::Success { .. } => {
                let mut all = vec![("t.status=2", vec![])];
                all.extend(condition::of_record(filter));
                all
            }
            Self::Record { .. } | Self::Aside { .. } | Self::Running { .. } => {
                condition::of_record(filter)
            }
            Self::Waiting { .. } => condition::of_waiting(filter),
            Self::Deleted => {
                let wanted = Status::ALL.into_iter().filter(|&status| {
                    filter.wants(status) && TaskOrder::LastDeletedFirst.lists(status)
                });
                let codes: Vec<i64> = wanted.map(status_code).collect();
                condition::of_deleted(filter, &codes)
            }
            Self::Completed { .. } => condition::of_completed(filter),
            Self::Ready { .. } | Self::Later { .. } | Self::ReadyInLine => {
                condition::of_place(filter)
            }
            Self::LaterInLine => {
                let queue = condition::queue_of_place(filter);
                queue.into_iter().chain(condition::of_place(filter)).collect()
            }
        }
    }

    /// Which rows are walked over: those after `after`, and of them those that a key leads to.
    pub(super) fn range(self, filter: &TaskFilter, after: &Spot, text: &mut Text) {
        let [a, b, _] = after.by;
        let seq = |newest: bool| [Value::from(if newest { a.saturating_neg() } else { a })];
        match self {
            Self::Record { newest }
            | Self::Success { newest }
            | Self::Waiting { newest }
            | Self::Running { newest } => {
                text.add(if newest { "t.seq<?" } else { "t.seq>?" }, seq(newest));
            }
            Self::Aside { status, newest } => {
                text.add("c.status=?", [status.into()]);
                text.add(if newest { " AND c.task<?" } else { " AND c.task>?" }, seq(newest));
            }
            Self::Ready { newest } | Self::Later { newest } => {
                text.add(if newest { "c.task<?" } else { "c.task>?" }, seq(newest));
                if let Some((of_queue, queue)) = condition::queue_of_place(filter) {
                    text.add(" AND ", []);
                    text.add(of_queue, queue);
                }
            }
            Self::ReadyInLine => ready_in_line(filter, after, text),
            Self::LaterInLine => {
                let (a, b) = if after.part == 0 { (i64::MIN, i64::MIN) } else { (a, b) };
                text.add("(c.run_at,c.task)>(?,?)", [a.into(), b.into()]);
            }
            Self::Deleted => {
                text.add("t.deleted_at IS NOT NULL", []);
                text.add(
                    " AND (t.deleted_at,t.seq)<(?,?)",
                    [a.saturating_neg().into(), b.saturating_neg().into()],
                );
                if let Some((within, times)) = condition::deleted(filter) {
                    text.add(" AND ", []);
                    text.add(within, times);
                }
            }
            Self::Completed { status, deleted } => {
                text.add("t.status=? AND t.completed_at IS NOT NULL", [status.into()]);
                let which = if deleted {
                    " AND t.deleted_at IS NOT NULL"
                } else {
                    " AND t.deleted_at IS NULL"
                };
                text.add(which, []);
                text.add(
                    " AND (t.completed_at,t.seq)<(?,?)",
                    [a.saturating_neg().into(), b.saturating_neg().into()],
                );
                if let Some((within, times)) = condition::completed(filter) {
                    text.add(" AND ", []);
                    text.add(within, times);
                }
            }
        }
    }

    /// The order of the walk.
    pub(super) const fn order(self) -> &'static str {
        match self {
            Self::Record { newest: true }
            | Self::Success { newest: true }
            | Self::Waiting { newest: true }
            | Self::Running { newest: true } => " ORDER BY t.seq DESC",
            Self::Record { .. }
            | Self::Success { .. }
            | Self::Waiting { .. }
            | Self::Running { .. } => " ORDER BY t.seq",
            Self::Aside { newest: true, .. }
            | Self::Ready { newest: true }
            | Self::Later { newest: true } => " ORDER BY c.task DESC",
            Self::Aside { .. } | Self::Ready { .. } | Self::Later { .. } => " ORDER BY c.task",
            Self::ReadyInLine => " ORDER BY c.queue,c.priority,c.run_at,c.task",
            Self::LaterInLine => " ORDER BY c.run_at,c.task",
            Self::Deleted => " ORDER BY t.deleted_at DESC,t.seq DESC",
            Self::Completed { .. } => " ORDER BY t.completed_at DESC,t.seq DESC",
        }
    }

    /// Where a row stands in the list.
    pub(super) fn spot(self, row: Row) -> Spot {
        match self {
            Self::Record { newest }
            | Self::Success { newest }
            | Self::Waiting { newest }
            | Self::Aside { newest, .. }
            | Self::Running { newest }
            | Self::Ready { newest }
            | Self::Later { newest } => {
                if newest {
                    Spot::newest(row.seq)
                } else {
                    Spot::oldest(row.seq)
                }
            }
            Self::ReadyInLine => Spot::ready(row.queue, row.first, row.run_at, row.seq),
            Self::LaterInLine => Spot::later(row.run_at, row.seq),
            Self::Deleted => Spot::deleted(row.first, row.seq),
            Self::Completed { .. } => Spot::completed(row.first, row.seq),
        }
    }
}

fn ready_in_line(filter: &TaskFilter, after: &Spot, text: &mut Text) {
    let key = after.by.map(Value::from);
    let Some(queue) = &filter.queue else {
        let queue = if after.part == 0 { after.queue.clone() } else { PAST_ALL_QUEUES.to_owned() };
        text.add(
            "(c.queue,c.priority,c.run_at,c.task)>(?,?,?,?)",
            [queue.into()].into_iter().chain(key),
        );
        return;
    };
    let key = match (after.part, after.queue.as_str().cmp(queue.as_str())) {
        (0, std::cmp::Ordering::Equal) => key,
        (0, std::cmp::Ordering::Less) => [i64::MIN; 3].map(Value::from),
        _ => [i64::MAX; 3].map(Value::from),
    };
    text.add("c.queue=?", [queue.as_str().to_owned().into()]);
    text.add(" AND (c.priority,c.run_at,c.task)>(?,?,?)", key);
}

/// Sorts after every name, which is of visible ASCII.
const PAST_ALL_QUEUES: &str = "\u{7f}";
