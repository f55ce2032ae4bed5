//! Where the tasks of a list come from, and the fragments that walk down there.

use rusqlite::types::Value;
use taskstore_core::{
    Status,
    backend::{Spot, TaskFilter, TaskOrder, Walk},
};

use super::{
    condition::{self, Condition},
    text::Text,
};
use crate::convert::status_code;

/// The columns of a [`WalkRow`](taskstore_core::backend::WalkRow).
pub(super) const fn columns(walk: Walk) -> &'static str {
    match walk {
        Walk::Record { .. }
        | Walk::Success { .. }
        | Walk::Waiting { .. }
        | Walk::Aside { .. }
        | Walk::Running { .. } => "t.seq,0,0,''",
        Walk::Ready { .. } | Walk::Later { .. } => "c.task,0,0,''",
        Walk::ReadyInLine => "c.task,c.priority,c.run_at,c.queue",
        Walk::LaterInLine => "c.task,0,c.run_at,''",
        Walk::Completed { .. } => "t.seq,t.completed_at,0,''",
        Walk::Deleted => "t.seq,t.deleted_at,0,''",
    }
}

/// The tables. The record joins a place only where the filter asks something of it.
pub(super) const fn from(walk: Walk, filter: &TaskFilter) -> &'static str {
    let record = filter.created.is_some();
    match walk {
        Walk::Record { .. }
        | Walk::Success { .. }
        | Walk::Waiting { .. }
        | Walk::Deleted
        | Walk::Completed { .. } => " FROM task_queue t WHERE ",
        Walk::Aside { .. } => " FROM task_aside c CROSS JOIN task_queue t ON t.seq=c.task WHERE ",
        Walk::Running { .. } => {
            " FROM task_lease l CROSS JOIN task_lease_tasks x ON x.lease=l.lease
              CROSS JOIN json_each(x.tasks) e CROSS JOIN task_queue t
              ON t.seq=CAST(e.key AS INTEGER) AND t.turn=e.value AND t.status=0 WHERE "
        }
        Walk::Ready { .. } | Walk::ReadyInLine if record => {
            " FROM task_ready c CROSS JOIN task_queue t ON t.seq=c.task WHERE "
        }
        Walk::Ready { .. } | Walk::ReadyInLine => " FROM task_ready c WHERE ",
        Walk::Later { .. } | Walk::LaterInLine if record => {
            " FROM task_later c CROSS JOIN task_queue t ON t.seq=c.task WHERE "
        }
        Walk::Later { .. } | Walk::LaterInLine => " FROM task_later c WHERE ",
    }
}

/// What a row that was walked over must fulfil.
pub(super) fn conditions(walk: Walk, filter: &TaskFilter) -> Vec<Condition> {
    match walk {
        Walk::Success { .. } => {
            let mut all = vec![("t.status=2", vec![])];
            all.extend(condition::of_record(filter));
            all
        }
        Walk::Record { .. } | Walk::Aside { .. } | Walk::Running { .. } => {
            condition::of_record(filter)
        }
        Walk::Waiting { .. } => condition::of_waiting(filter),
        Walk::Deleted => {
            let wanted = Status::ALL.into_iter().filter(|&status| {
                filter.wants(status) && TaskOrder::LastDeletedFirst.lists(status)
            });
            let codes: Vec<i16> = wanted.map(status_code).collect();
            condition::of_deleted(filter, &codes)
        }
        Walk::Completed { .. } => condition::of_completed(filter),
        Walk::Ready { .. } | Walk::Later { .. } | Walk::ReadyInLine => condition::of_place(filter),
        Walk::LaterInLine => {
            let queue = condition::queue_of_place(filter);
            queue.into_iter().chain(condition::of_place(filter)).collect()
        }
    }
}

/// Which rows are walked over: those after `after`, and of them those that a key leads to.
pub(super) fn range(walk: Walk, filter: &TaskFilter, after: &Spot, text: &mut Text) {
    let seq = |newest| [Value::from(after.after_number(newest))];
    match walk {
        Walk::Record { newest }
        | Walk::Success { newest }
        | Walk::Waiting { newest }
        | Walk::Running { newest } => {
            text.add(if newest { "t.seq<?" } else { "t.seq>?" }, seq(newest));
        }
        Walk::Aside { status, newest } => {
            text.add("c.status=?", [status_code(status).into()]);
            text.add(if newest { " AND c.task<?" } else { " AND c.task>?" }, seq(newest));
        }
        Walk::Ready { newest } | Walk::Later { newest } => {
            text.add(if newest { "c.task<?" } else { "c.task>?" }, seq(newest));
            if let Some((of_queue, queue)) = condition::queue_of_place(filter) {
                text.add(" AND ", []);
                text.add(of_queue, queue);
            }
        }
        Walk::ReadyInLine => ready_in_line(filter, after, text),
        Walk::LaterInLine => {
            text.add("(c.run_at,c.task)>(?,?)", after.after_later().map(Value::from));
        }
        Walk::Deleted => {
            text.add("t.deleted_at IS NOT NULL", []);
            text.add(" AND (t.deleted_at,t.seq)<(?,?)", after.after_time().map(Value::from));
            if let Some((within, times)) = condition::deleted(filter) {
                text.add(" AND ", []);
                text.add(within, times);
            }
        }
        Walk::Completed { status, deleted } => {
            text.add("t.status=? AND t.completed_at IS NOT NULL", [status_code(status).into()]);
            let which =
                if deleted { " AND t.deleted_at IS NOT NULL" } else { " AND t.deleted_at IS NULL" };
            text.add(which, []);
            text.add(" AND (t.completed_at,t.seq)<(?,?)", after.after_time().map(Value::from));
            if let Some((within, times)) = condition::completed(filter) {
                text.add(" AND ", []);
                text.add(within, times);
            }
        }
    }
}

/// The order of the walk.
pub(super) const fn order(walk: Walk) -> &'static str {
    match walk {
        Walk::Record { newest: true }
        | Walk::Success { newest: true }
        | Walk::Waiting { newest: true }
        | Walk::Running { newest: true } => " ORDER BY t.seq DESC",
        Walk::Record { .. }
        | Walk::Success { .. }
        | Walk::Waiting { .. }
        | Walk::Running { .. } => " ORDER BY t.seq",
        Walk::Aside { newest: true, .. }
        | Walk::Ready { newest: true }
        | Walk::Later { newest: true } => " ORDER BY c.task DESC",
        Walk::Aside { .. } | Walk::Ready { .. } | Walk::Later { .. } => " ORDER BY c.task",
        Walk::ReadyInLine => " ORDER BY c.queue,c.priority,c.run_at,c.task",
        Walk::LaterInLine => " ORDER BY c.run_at,c.task",
        Walk::Deleted => " ORDER BY t.deleted_at DESC,t.seq DESC",
        Walk::Completed { .. } => " ORDER BY t.completed_at DESC,t.seq DESC",
    }
}

fn ready_in_line(filter: &TaskFilter, after: &Spot, text: &mut Text) {
    if let Some(queue) = &filter.queue {
        text.add("c.queue=?", [queue.as_str().to_owned().into()]);
        let key = after.after_ready_in(queue.as_str()).map(Value::from);
        text.add(" AND (c.priority,c.run_at,c.task)>(?,?,?)", key);
    } else {
        let (queue, key) = after.after_ready();
        let key = [queue.to_owned().into()].into_iter().chain(key.map(Value::from));
        text.add("(c.queue,c.priority,c.run_at,c.task)>(?,?,?,?)", key);
    }
}
