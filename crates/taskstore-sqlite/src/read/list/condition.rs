//! What a filter asks of a row.

use std::ops::Range;

use rusqlite::types::Value;
use taskstore_core::backend::TaskFilter;
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
const NOT_DELETED: &str = "t.deleted_at IS NULL";
/// Of the queue, on the row `c` of ready or later.
const QUEUE_OF_PLACE: &str = "c.queue=?";
const DEFINITION_OF_PLACE: &str = "c.definition_id=(SELECT seq FROM task_definition WHERE id=?)";

/// Times are stored as whole microseconds: the first that is not before each end.
fn ends(range: &Range<UtcDateTime>) -> Vec<Value> {
    let first = |at: UtcDateTime| {
        let micros = -(-at.unix_timestamp_nanos()).div_euclid(1_000);
        i64::try_from(micros).unwrap_or(i64::MAX)
    };
    vec![first(range.start).into(), first(range.end).into()]
}

/// All of the filter but ids and statuses, on the record `t`.
pub(super) fn of_record(filter: &TaskFilter) -> Vec<Condition> {
    let mut all = of_completed(filter);
    all.extend(completed(filter));
    if !filter.with_deleted {
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
    all.extend(created(filter));
    all
}

/// All but the queue, on the row `c` of ready or later: what waits is neither deleted nor
/// completed.
pub(super) fn of_place(filter: &TaskFilter) -> Vec<Condition> {
    let definition = filter.definition.map(|id| (DEFINITION_OF_PLACE, vec![id.to_string().into()]));
    definition.into_iter().chain(created(filter)).collect()
}

/// The queue, on the row `c` of ready or later.
pub(super) fn queue_of_place(filter: &TaskFilter) -> Option<Condition> {
    let queue = filter.queue.as_ref()?;
    Some((QUEUE_OF_PLACE, vec![queue.as_str().to_owned().into()]))
}

fn created(filter: &TaskFilter) -> Option<Condition> {
    filter.created.as_ref().map(|span| (CREATED, ends(span)))
}

/// The time of completion, on the record `t`.
pub(super) fn completed(filter: &TaskFilter) -> Option<Condition> {
    filter.completed.as_ref().map(|span| (COMPLETED, ends(span)))
}
