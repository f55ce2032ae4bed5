//! Tasks that are named one by one: each is looked up, and its status derived like that of one.

use std::collections::BTreeSet;

use rusqlite::params_from_iter;
use taskstore_core::{
    Error, Result, TaskId,
    backend::{Spot, TaskOrder, TaskQuery, Walked},
};

use super::{condition, text::Text, walk::all_of};
use crate::{convert::status, error::Mapped, statements::Statements};

const COLUMNS: &str = "SELECT t.seq,t.status,
 EXISTS(SELECT 1 FROM task_ready r WHERE r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq),
 EXISTS(SELECT 1 FROM task_later w WHERE w.run_at=t.run_at AND w.task=t.seq),
 t.queue,t.priority,t.run_at,coalesce(t.completed_at,0),coalesce(t.deleted_at,0),";

const FROM: &str = " FROM json_each(?) e CROSS JOIN task_queue t ON t.id=e.value;";

/// Those of them that match and come after `after`.
pub(super) fn find(
    statements: &Statements<'_>,
    ids: &[TaskId],
    query: &TaskQuery,
    after: &Spot,
) -> Result<Walked> {
    let text = text(ids, query)?;
    let sql = statements.texts().prepare("named", &text.sql);
    let mut statement = statements.connection().prepare(&sql).mapped()?;
    let mut rows = statement.query(params_from_iter(text.values)).mapped()?;
    let mut walked = Walked::default();
    while let Some(row) = rows.next().mapped()? {
        let read = || -> rusqlite::Result<_> {
            let seq: i64 = row.get(0)?;
            let (is_ready, is_later): (bool, bool) = (row.get(2)?, row.get(3)?);
            let spot = match query.order {
                TaskOrder::NewestFirst => Spot::newest(seq),
                TaskOrder::OldestFirst => Spot::oldest(seq),
                TaskOrder::ClaimOrder if is_ready => {
                    Spot::ready(row.get(4)?, row.get(5)?, row.get(6)?, seq)
                }
                TaskOrder::ClaimOrder => Spot::later(row.get(6)?, seq),
                TaskOrder::LastCompletedFirst => Spot::completed(row.get(7)?, seq),
                TaskOrder::LastDeletedFirst => Spot::deleted(row.get(8)?, seq),
            };
            Ok((spot, seq, row.get::<_, i64>(1)?, is_ready || is_later, row.get::<_, bool>(9)?))
        };
        let (spot, seq, code, waits, matches) = read().mapped()?;
        if matches && query.wants(status(code, waits)?) && spot > *after {
            walked.found.push((spot, seq));
        }
    }
    Ok(walked)
}

pub(super) fn text(ids: &[TaskId], query: &TaskQuery) -> Result<Text> {
    // A set: a task that is named twice is listed once.
    let ids: BTreeSet<TaskId> = ids.iter().copied().collect();
    let ids = serde_json::to_string(&ids).map_err(Error::backend)?;
    let mut text = Text::default();
    text.add(COLUMNS, []);
    all_of(&condition::of_record(&query.filter), &mut text);
    text.add(FROM, [ids.into()]);
    Ok(text)
}
