//! What a filter asks of a row.

use std::ops::Range;

use mysql_async::Value;
use taskstore_core::{QueueName, backend::TaskFilter, clock};
use time::UtcDateTime;

/// A fragment that is true or false, and its values.
pub(super) type Condition = (&'static str, Vec<Value>);

/// Of the queue, on the record `t`.
const QUEUE: &str = "t.queue=?";
/// Of the definition, on the record `t`.
const DEFINITION: &str = "t.definition_id=(SELECT seq FROM task_definition WHERE id=?)";
const CREATED: &str = "t.created_at>=? AND t.created_at<?";
/// What is completed, on the record `t`; 0 stands for no time.
const COMPLETED: &str = "t.completed_at<>0 AND t.completed_at>=? AND t.completed_at<?";
/// The same, by the key of `task_ended`.
const COMPLETED_KEY: &str = "c.completed_at>=? AND c.completed_at<?";
/// What is soft-deleted, on the record `t`.
const DELETED: &str = "t.deleted_at<>0 AND t.deleted_at>=? AND t.deleted_at<?";
/// The same, by the key of `task_deleted`.
const DELETED_KEY: &str = "c.deleted_at>=? AND c.deleted_at<?";
const NOT_DELETED: &str = "t.deleted_at=0";
/// In one of these queues: their names are set between line feeds, which no name has. A list of
/// question marks would be another statement for each number of names, and end at 65,535. As bytes, or
/// MySQL would find `mail` in `Mail`.
const IN_QUEUES: &str = "LOCATE(CAST(CONCAT('\n',t.queue,'\n') AS BINARY),CAST(? AS BINARY))>0";
const NOT_IN_QUEUES: &str = "LOCATE(CAST(CONCAT('\n',t.queue,'\n') AS BINARY),CAST(? AS BINARY))=0";
/// Of one of these statuses as they are stored, on the record `t`.
const STATUSES: &str = "FIND_IN_SET(t.status,?)>0";
/// Active and not leased, on the record `t`.
const WAITS: &str = "t.status=0 AND (
 EXISTS(SELECT 1 FROM task_ready r WHERE r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq)
 OR EXISTS(SELECT 1 FROM task_later w WHERE w.run_at=t.run_at AND w.task=t.seq))";
/// Of the queue, on the row `c` of ready or later.
const QUEUE_OF_PLACE: &str = "c.queue=?";
const IN_QUEUES_OF_PLACE: &str =
    "LOCATE(CAST(CONCAT('\n',c.queue,'\n') AS BINARY),CAST(? AS BINARY))>0";
const NOT_IN_QUEUES_OF_PLACE: &str =
    "LOCATE(CAST(CONCAT('\n',c.queue,'\n') AS BINARY),CAST(? AS BINARY))=0";
const DEFINITION_OF_PLACE: &str = "c.definition_id=(SELECT seq FROM task_definition WHERE id=?)";

/// Times are stored as whole microseconds: the first that is not before each end.
fn ends(range: &Range<UtcDateTime>) -> Vec<Value> {
    vec![clock::to_micros_up(range.start).into(), clock::to_micros_up(range.end).into()]
}

/// All of the filter but ids and statuses, on the record `t`.
pub(super) fn of_record(filter: &TaskFilter) -> Vec<Condition> {
    let mut all = of_completed(filter);
    all.extend(completed(filter));
    all
}

/// The same, where the table that is walked down has the times of completion in its key.
pub(super) fn of_completed(filter: &TaskFilter) -> Vec<Condition> {
    let mut all = of_any(filter);
    all.extend(deleted(filter));
    if filter.deleted.is_none() && !filter.with_deleted {
        all.push((NOT_DELETED, vec![]));
    }
    all
}

/// All but ids, statuses, and the times of completion and of deletion, on the record `t`.
fn of_any(filter: &TaskFilter) -> Vec<Condition> {
    let mut all = Vec::new();
    if let Some(queue) = &filter.queue {
        all.push((QUEUE, vec![queue.as_str().into()]));
    }
    if let Some(definition) = filter.definition {
        all.push((DEFINITION, vec![definition.to_string().into()]));
    }
    all.extend(queues(filter, [IN_QUEUES, NOT_IN_QUEUES]));
    all.extend(created(filter));
    all
}

/// All but the time of deletion, of one of these statuses as they are stored, on the record `t`.
pub(super) fn of_deleted(filter: &TaskFilter, statuses: &[i16]) -> Vec<Condition> {
    let mut all = of_any(filter);
    all.extend(completed(filter));
    let statuses: Vec<String> = statuses.iter().map(ToString::to_string).collect();
    all.push((STATUSES, vec![statuses.join(",").into()]));
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
    Some((QUEUE_OF_PLACE, vec![queue.as_str().into()]))
}

fn created(filter: &TaskFilter) -> Option<Condition> {
    filter.created.as_ref().map(|span| (CREATED, ends(span)))
}

/// In one of many queues, or in none of them.
fn queues(filter: &TaskFilter, [within, without]: [&'static str; 2]) -> Vec<Condition> {
    let only = filter.queues.as_deref().map(|queues| (within, vec![lines(queues)]));
    let except = Some(filter.except_queues.as_slice()).filter(|queues| !queues.is_empty());
    only.into_iter().chain(except.map(|queues| (without, vec![lines(queues)]))).collect()
}

/// The names, each between line feeds.
fn lines(queues: &[QueueName]) -> Value {
    let mut text = String::from("\n");
    for queue in queues {
        text.push_str(queue.as_str());
        text.push('\n');
    }
    text.into()
}

/// The time of soft deletion, on the record `t`.
fn deleted(filter: &TaskFilter) -> Option<Condition> {
    filter.deleted.as_ref().map(|span| (DELETED, ends(span)))
}

/// The time of soft deletion, by the key of the trash.
pub(super) fn deleted_key(filter: &TaskFilter) -> Option<Condition> {
    filter.deleted.as_ref().map(|span| (DELETED_KEY, ends(span)))
}

/// The time of completion, on the record `t`.
fn completed(filter: &TaskFilter) -> Option<Condition> {
    filter.completed.as_ref().map(|span| (COMPLETED, ends(span)))
}

/// The time of completion, by the key of what has ended.
pub(super) fn completed_key(filter: &TaskFilter) -> Option<Condition> {
    filter.completed.as_ref().map(|span| (COMPLETED_KEY, ends(span)))
}
