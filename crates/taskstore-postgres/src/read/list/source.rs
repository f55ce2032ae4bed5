//! Where the tasks of a list come from, and the fragments that walk down there.

use taskstore_core::{
    Status,
    backend::{Spot, TaskFilter, TaskOrder, Walk},
};

use super::{
    condition::{self, Condition},
    text::Text,
    value::Value,
};
use crate::convert::status_code;

/// The columns of a row, and of them the places that its spot is made of.
pub(super) const fn columns(walk: Walk) -> &'static str {
    match walk {
        Walk::Record { .. } | Walk::Success { .. } | Walk::Waiting { .. } => {
            "t.seq AS task,0::bigint AS first,0::bigint AS run_at,'' AS queue"
        }
        Walk::Aside { .. } | Walk::Running { .. } | Walk::Ready { .. } | Walk::Later { .. } => {
            "c.task,0::bigint AS first,0::bigint AS run_at,'' AS queue"
        }
        Walk::ReadyInLine => "c.task,c.priority::bigint AS first,c.run_at,c.queue",
        Walk::LaterInLine => "c.task,0::bigint AS first,c.run_at,'' AS queue",
        Walk::Completed { .. } => "c.task,c.completed_at AS first,0::bigint AS run_at,'' AS queue",
        Walk::Deleted => "t.seq AS task,t.deleted_at AS first,0::bigint AS run_at,'' AS queue",
    }
}

/// The table that is walked down, but for its condition: the record `t`, or rows `c` that each name
/// a task.
pub(super) const fn table(walk: Walk) -> &'static str {
    match walk {
        Walk::Record { .. } | Walk::Success { .. } | Walk::Waiting { .. } | Walk::Deleted => {
            "FROM task_queue t WHERE "
        }
        Walk::Aside { .. } => "FROM task_aside c WHERE ",
        Walk::Running { .. } => {
            "FROM (SELECT e.task,e.turn FROM task_lease l JOIN task_lease_tasks x ON x.lease=l.lease
 CROSS JOIN LATERAL unnest(x.tasks,x.turns) AS e(task,turn)) c WHERE "
        }
        Walk::Ready { .. } | Walk::ReadyInLine => "FROM task_ready c WHERE ",
        Walk::Later { .. } | Walk::LaterInLine => "FROM task_later c WHERE ",
        Walk::Completed { .. } => "FROM task_ended c WHERE ",
    }
}

/// How the record is asked for each row `c`, after the walk and its limit: `OFFSET 0` keeps the
/// planner from joining the two in any other way than row by row.
pub(super) const RECORD: &str =
    " LEFT JOIN LATERAL (SELECT * FROM task_queue q WHERE q.seq=c.task OFFSET 0) t ON true";

/// The same for the lists of the leases, which name tasks that have gone on, too: before the limit.
pub(super) const HELD: &str = " CROSS JOIN LATERAL (SELECT * FROM task_queue q
 WHERE q.seq=c.task AND q.turn=c.turn AND q.status=0 OFFSET 0) t";

/// Whether it walks down the record itself.
pub(super) const fn is_record(walk: Walk) -> bool {
    matches!(
        walk,
        Walk::Record { .. } | Walk::Success { .. } | Walk::Waiting { .. } | Walk::Deleted
    )
}

/// Whether the conditions ask something of the record that a row `c` names.
pub(super) fn joins(walk: Walk, filter: &TaskFilter, conditions: &[Condition]) -> bool {
    match walk {
        Walk::Ready { .. } | Walk::Later { .. } | Walk::ReadyInLine | Walk::LaterInLine => {
            filter.created.is_some()
        }
        _ => !is_record(walk) && !conditions.is_empty(),
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
            condition::of_deleted(filter, wanted.map(status_code).map(i64::from).collect())
        }
        Walk::Completed { .. } => condition::of_ended(filter),
        Walk::Ready { .. } | Walk::Later { .. } | Walk::ReadyInLine => condition::of_place(filter),
        Walk::LaterInLine => {
            let queue = condition::queue_of_place(filter);
            queue.into_iter().chain(condition::of_place(filter)).collect()
        }
    }
}

/// Which rows are walked over: those after `after`, and of them those that a key leads to.
pub(super) fn range(walk: Walk, filter: &TaskFilter, after: &Spot, text: &mut Text) {
    let number = |newest| [Value::from(after.after_number(newest))];
    let and = |text: &mut Text, condition: Option<Condition>| {
        if let Some((fragment, values)) = condition {
            text.add(" AND ", []);
            text.add(fragment, values);
        }
    };
    match walk {
        Walk::Record { newest } | Walk::Success { newest } | Walk::Waiting { newest } => {
            text.add(if newest { "t.seq<?" } else { "t.seq>?" }, number(newest));
        }
        Walk::Running { newest } => {
            text.add(if newest { "c.task<?" } else { "c.task>?" }, number(newest));
        }
        Walk::Aside { status, newest } => {
            text.add("c.status=?", [i64::from(status_code(status)).into()]);
            text.add(if newest { " AND c.task<?" } else { " AND c.task>?" }, number(newest));
        }
        Walk::Ready { newest } | Walk::Later { newest } => {
            text.add(if newest { "c.task<?" } else { "c.task>?" }, number(newest));
            and(text, condition::queue_of_place(filter));
        }
        Walk::ReadyInLine => ready_in_line(filter, after, text),
        Walk::LaterInLine => {
            text.add("(c.run_at,c.task)>(?,?)", after.after_later().map(Value::from));
        }
        Walk::Deleted => {
            text.add("t.deleted_at IS NOT NULL", []);
            text.add(" AND (t.deleted_at,t.seq)<(?,?)", after.after_time().map(Value::from));
            and(text, condition::deleted(filter));
        }
        Walk::Completed { status, deleted } => {
            text.add("c.status=?", [i64::from(status_code(status)).into()]);
            text.add(if deleted { " AND c.deleted" } else { " AND NOT c.deleted" }, []);
            text.add(" AND (c.completed_at,c.task)<(?,?)", after.after_time().map(Value::from));
            and(text, condition::completed_of_ended(filter));
        }
    }
}

/// The order of the walk.
pub(super) const fn order(walk: Walk) -> &'static str {
    match walk {
        Walk::Record { newest: true }
        | Walk::Success { newest: true }
        | Walk::Waiting { newest: true } => " ORDER BY t.seq DESC",
        Walk::Record { .. } | Walk::Success { .. } | Walk::Waiting { .. } => " ORDER BY t.seq",
        Walk::Aside { newest: true, .. }
        | Walk::Running { newest: true }
        | Walk::Ready { newest: true }
        | Walk::Later { newest: true } => " ORDER BY c.task DESC",
        Walk::Aside { .. } | Walk::Running { .. } | Walk::Ready { .. } | Walk::Later { .. } => {
            " ORDER BY c.task"
        }
        Walk::ReadyInLine => " ORDER BY c.queue,c.priority,c.run_at,c.task",
        Walk::LaterInLine => " ORDER BY c.run_at,c.task",
        Walk::Deleted => " ORDER BY t.deleted_at DESC,t.seq DESC",
        Walk::Completed { .. } => " ORDER BY c.completed_at DESC,c.task DESC",
    }
}

fn ready_in_line(filter: &TaskFilter, after: &Spot, text: &mut Text) {
    if let Some(queue) = &filter.queue {
        text.add("c.queue=?", [queue.as_str().into()]);
        let key = after.after_ready_in(queue.as_str()).map(Value::from);
        text.add(" AND (c.priority,c.run_at,c.task)>(?,?,?)", key);
    } else {
        let (queue, key) = after.after_ready();
        let key = [Value::from(queue)].into_iter().chain(key.map(Value::from));
        text.add("(c.queue,c.priority,c.run_at,c.task)>(?,?,?,?)", key);
    }
}
