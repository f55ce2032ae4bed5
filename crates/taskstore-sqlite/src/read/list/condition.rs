//! What a filter asks of a row.

use std::ops::Range;

use rusqlite::types::Value;
use taskstore_core::{QueueName, backend::TaskFilter, clock};
use time::UtcDateTime;

/// A fragment that is true or false, and its values.
pub(super) type Condition = (&'static str, Vec<Value>);

/// Of the queue, on the record `t`.
const QUEUE: &str = "t.queue=?";
/// Of the definition, on the record `t`.
const DEFINITION: &str = "t.definition_id=(SELECT seq FROM task_definition WHERE id=?)";
const CREATED: &str = "t.created_at>=? AND t.created_at<?";
/// What is completed, on the record `t`.
const COMPLETED: &str = "t.completed_at>=? AND t.completed_at<?";
/// What is soft-deleted, on the record `t`.
const DELETED: &str = "t.deleted_at>=? AND t.deleted_at<?";
const NOT_DELETED: &str = "t.deleted_at IS NULL";
const IN_QUEUES: &str = "t.queue IN (SELECT value FROM json_each(?))";
const NOT_IN_QUEUES: &str = "t.queue NOT IN (SELECT value FROM json_each(?))";
/// Of one of these statuses as they are stored, on the record `t`.
const STATUSES: &str = "t.status IN (SELECT value FROM json_each(?))";
/// Active and not leased, on the record `t`.
const WAITS: &str = "t.status=0 AND (
 EXISTS(SELECT 1 FROM task_ready r WHERE r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq)
 OR EXISTS(SELECT 1 FROM task_later w WHERE w.run_at=t.run_at AND w.task=t.seq))";
/// Of the queue, on the row `c` of ready or later.
const QUEUE_OF_PLACE: &str = "c.queue=?";
const IN_QUEUES_OF_PLACE: &str = "c.queue IN (SELECT value FROM json_each(?))";
const NOT_IN_QUEUES_OF_PLACE: &str = "c.queue NOT IN (SELECT value FROM json_each(?))";
const DEFINITION_OF_PLACE: &str = "c.definition_id=(SELECT seq FROM task_definition WHERE id=?)";

/// The ends of a range, as times are stored.
fn ends(range: &Range<UtcDateTime>) -> Vec<Value> {
    vec![clock::to_micros_up(range.start).into(), clock::to_micros_up(range.end).into()]
}

/// All of the filter but ids and statuses, on the record `t`.
pub(super) fn of_record(filter: &TaskFilter) -> Vec<Condition> {
    let mut all = of_completed(filter);
    all.extend(completed(filter));
    if filter.deleted.is_none() && !filter.with_deleted {
        all.push((NOT_DELETED, vec![]));
    }
    all
}

/// The same, where an index tells what is deleted and has the times of completion in their order.
pub(super) fn of_completed(filter: &TaskFilter) -> Vec<Condition> {
    let mut all = Vec::new();
    if let Some(queue) = &filter.queue {
        all.push((QUEUE, vec![queue.as_str().to_owned().into()]));
    }
    if let Some(definition) = filter.definition {
        all.push((DEFINITION, vec![definition.to_string().into()]));
    }
    all.extend(queues(filter, [IN_QUEUES, NOT_IN_QUEUES]));
    all.extend(created(filter));
    all.extend(deleted(filter));
    all
}

/// All but the time of deletion, of one of these statuses as they are stored, on the record `t`.
pub(super) fn of_deleted(filter: &TaskFilter, statuses: &[i16]) -> Vec<Condition> {
    let mut rest = filter.clone();
    rest.deleted = None;
    let mut all = of_completed(&rest);
    all.extend(completed(filter));
    all.push((STATUSES, vec![array(statuses.iter().map(ToString::to_string))]));
    all
}

/// What waits, by the record `t`.
pub(super) fn of_waiting(filter: &TaskFilter) -> Vec<Condition> {
    let mut all = of_record(filter);
    all.push((WAITS, vec![]));
    all
}

/// All but the queue, on the row `c` of ready or later: what waits is neither deleted nor
/// completed.
pub(super) fn of_place(filter: &TaskFilter) -> Vec<Condition> {
    let definition = filter.definition.map(|id| (DEFINITION_OF_PLACE, vec![id.to_string().into()]));
    let queues = queues(filter, [IN_QUEUES_OF_PLACE, NOT_IN_QUEUES_OF_PLACE]);
    definition.into_iter().chain(queues).chain(created(filter)).collect()
}

/// The queue, on the row `c` of ready or later.
pub(super) fn queue_of_place(filter: &TaskFilter) -> Option<Condition> {
    let queue = filter.queue.as_ref()?;
    Some((QUEUE_OF_PLACE, vec![queue.as_str().to_owned().into()]))
}

fn created(filter: &TaskFilter) -> Option<Condition> {
    filter.created.as_ref().map(|span| (CREATED, ends(span)))
}

/// In one of many queues, or in none of them.
fn queues(filter: &TaskFilter, [within, without]: [&'static str; 2]) -> Vec<Condition> {
    let names =
        |queues: &[QueueName]| array(queues.iter().map(|queue| format!("\"{}\"", queue.as_str())));
    let only = filter.queues.as_deref().map(|queues| (within, vec![names(queues)]));
    let except = Some(filter.except_queues.as_slice()).filter(|queues| !queues.is_empty());
    only.into_iter().chain(except.map(|queues| (without, vec![names(queues)]))).collect()
}

/// A JSON array of what is JSON already. A queue's name holds nothing that JSON would escape.
fn array(values: impl Iterator<Item = String>) -> Value {
    let values: Vec<String> = values.collect();
    format!("[{}]", values.join(",")).into()
}

/// The time of soft deletion, on the record `t`.
pub(super) fn deleted(filter: &TaskFilter) -> Option<Condition> {
    filter.deleted.as_ref().map(|span| (DELETED, ends(span)))
}

/// The time of completion, on the record `t`.
pub(super) fn completed(filter: &TaskFilter) -> Option<Condition> {
    filter.completed.as_ref().map(|span| (COMPLETED, ends(span)))
}
