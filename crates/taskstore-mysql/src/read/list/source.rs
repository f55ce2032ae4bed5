//! Where the tasks of a list come from, and the fragments that walk down there.
//!
//! Two things are said with more words than elsewhere, because the optimizers need them: which key to
//! walk down (a small or fresh table looks cheaper to scan, and is then scanned when it has grown), and
//! what comes after a key, as `a>? OR (a=? AND ..)`: a comparison of rows leads MariaDB to no range.

use mysql_async::Value;
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
        | Walk::Running { .. } => "t.seq AS n,0 AS a,0 AS b,'' AS q",
        Walk::Aside { .. } | Walk::Ready { .. } | Walk::Later { .. } => {
            "c.task AS n,0 AS a,0 AS b,'' AS q"
        }
        Walk::ReadyInLine => "c.task AS n,c.priority AS a,c.run_at AS b,c.queue AS q",
        Walk::LaterInLine => "c.task AS n,0 AS a,c.run_at AS b,'' AS q",
        Walk::Completed { deleted: false, .. } => "c.task AS n,c.completed_at AS a,0 AS b,'' AS q",
        Walk::Completed { .. } => "c.task AS n,t.completed_at AS a,0 AS b,'' AS q",
        Walk::Deleted => "c.task AS n,c.deleted_at AS a,0 AS b,'' AS q",
    }
}

/// The tables. The record joins a place only where the filter asks something of it.
pub(super) const fn from(walk: Walk, filter: &TaskFilter) -> &'static str {
    let record = filter.created.is_some();
    match walk {
        Walk::Record { .. } | Walk::Success { .. } | Walk::Waiting { .. } => {
            " FROM task_queue t FORCE INDEX(PRIMARY) WHERE "
        }
        Walk::Aside { .. } => {
            " FROM task_aside c FORCE INDEX(PRIMARY)
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=c.task WHERE "
        }
        Walk::Completed { deleted: false, .. } => {
            " FROM task_ended c FORCE INDEX(PRIMARY)
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=c.task WHERE "
        }
        Walk::Deleted | Walk::Completed { .. } => {
            " FROM task_deleted c FORCE INDEX(PRIMARY)
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=c.task WHERE "
        }
        Walk::Running { .. } => {
            " FROM task_lease l STRAIGHT_JOIN task_lease_tasks x FORCE INDEX(PRIMARY) ON x.lease=l.lease
 STRAIGHT_JOIN JSON_TABLE(x.tasks,'$[*]' COLUMNS(task BIGINT PATH '$[0]',turn INT PATH '$[1]')) e
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=e.task AND t.turn=e.turn AND t.status=0 WHERE "
        }
        Walk::Ready { .. } | Walk::ReadyInLine if record => {
            " FROM task_ready c FORCE INDEX(PRIMARY)
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=c.task WHERE "
        }
        Walk::Ready { .. } | Walk::ReadyInLine => " FROM task_ready c FORCE INDEX(PRIMARY) WHERE ",
        Walk::Later { .. } | Walk::LaterInLine if record => {
            " FROM task_later c FORCE INDEX(PRIMARY)
 STRAIGHT_JOIN task_queue t FORCE INDEX(PRIMARY) ON t.seq=c.task WHERE "
        }
        Walk::Later { .. } | Walk::LaterInLine => " FROM task_later c FORCE INDEX(PRIMARY) WHERE ",
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
        Walk::Completed { status, deleted: true } => {
            condition::of_deleted(filter, &[status_code(status)])
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
            let [at, task] = after.after_later();
            let key = [at, at, task].map(Value::from);
            text.add("(c.run_at>? OR (c.run_at=? AND c.task>?))", key);
        }
        Walk::Deleted => {
            let key = by_time(after);
            text.add("(c.deleted_at<? OR (c.deleted_at=? AND c.task<?))", key);
            and(condition::deleted_key(filter), text);
        }
        Walk::Completed { status, deleted: false } => {
            text.add("c.status=?", [status_code(status).into()]);
            let key = by_time(after);
            text.add(" AND (c.completed_at<? OR (c.completed_at=? AND c.task<?))", key);
            and(condition::completed_key(filter), text);
        }
        Walk::Completed { .. } => {
            let key = by_time(after);
            text.add("(t.completed_at<? OR (t.completed_at=? AND c.task<?))", key);
            and(condition::deleted_key(filter), text);
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
        Walk::Aside { newest: true, .. } => " ORDER BY c.status DESC,c.task DESC",
        Walk::Aside { .. } => " ORDER BY c.status,c.task",
        Walk::Ready { newest: true } | Walk::Later { newest: true } => " ORDER BY c.task DESC",
        Walk::Ready { .. } | Walk::Later { .. } => " ORDER BY c.task",
        Walk::ReadyInLine => " ORDER BY c.queue,c.priority,c.run_at,c.task",
        Walk::LaterInLine => " ORDER BY c.run_at,c.task",
        Walk::Deleted => " ORDER BY c.deleted_at DESC,c.task DESC",
        Walk::Completed { deleted: false, .. } => {
            " ORDER BY c.status DESC,c.completed_at DESC,c.task DESC"
        }
        Walk::Completed { .. } => " ORDER BY t.completed_at DESC,c.task DESC",
    }
}

/// The key after which a walk by a time goes on, last first.
fn by_time(after: &Spot) -> [Value; 3] {
    let [at, task] = after.after_time();
    [at, at, task].map(Value::from)
}

fn and(condition: Option<Condition>, text: &mut Text) {
    if let Some((fragment, values)) = condition {
        text.add(" AND ", []);
        text.add(fragment, values);
    }
}

fn ready_in_line(filter: &TaskFilter, after: &Spot, text: &mut Text) {
    if let Some(queue) = &filter.queue {
        text.add("c.queue=?", [queue.as_str().into()]);
        text.add(" AND ", []);
        in_queue(after.after_ready_in(queue.as_str()), text);
    } else {
        let (queue, key) = after.after_ready();
        text.add("(c.queue>? OR (c.queue=? AND ", [queue.into(), queue.into()]);
        in_queue(key, text);
        text.add("))", []);
    }
}

fn in_queue([priority, run_at, task]: [i64; 3], text: &mut Text) {
    // A bound beyond what the column holds must not become a value that it does.
    let key = [priority, priority, run_at, run_at, task].map(Value::from);
    text.add("(c.priority>? OR (c.priority=? AND (c.run_at>? OR (c.run_at=? AND c.task>?))))", key);
}
