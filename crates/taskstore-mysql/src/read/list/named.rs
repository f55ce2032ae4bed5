//! Tasks that are named one by one: each is looked up, and its status derived like that of one.

use std::collections::BTreeSet;

use taskstore_core::{
    Result, TaskId,
    backend::{Spot, TaskOrder, TaskQuery, Walked},
};

use super::{condition, text::Text, walk::all_of};
use crate::{
    convert::{json_list, status},
    session::{Row, Session},
};

const COLUMNS: &str = "SELECT t.seq,t.status,
 EXISTS(SELECT 1 FROM task_ready r WHERE r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq),
 EXISTS(SELECT 1 FROM task_later w WHERE w.run_at=t.run_at AND w.task=t.seq),
 t.queue,t.priority,t.run_at,t.completed_at,t.deleted_at,";

/// Compared in the collation of the key, or it would not lead there.
const FROM: &str = " FROM JSON_TABLE(?,'$[*]' COLUMNS(id CHAR(26) PATH '$')) e
 STRAIGHT_JOIN task_queue t FORCE INDEX(task_queue_id) ON t.id=CONVERT(e.id USING ascii) COLLATE ascii_bin;";

/// Those of them that match and come after `after`.
pub(super) async fn find(
    session: &mut Session<'_>,
    ids: &[TaskId],
    query: &TaskQuery,
    after: &Spot,
) -> Result<Walked> {
    let text = text(ids, query);
    let mut walked = Walked::default();
    let read = |row: &Row| {
        let (spot, seq) = (spot(row, query.order)?, row.get(0)?);
        let waits = row.get(2)? || row.get(3)?;
        let is_wanted = query.wants(status(row.get::<i64>(1)?, waits)?);
        if row.get(9)? && is_wanted && spot > *after {
            walked.found.push((spot, seq));
        }
        Ok(())
    };
    session.composed("named", &text.sql, text.values, read).await?;
    Ok(walked)
}

/// Where the row of a named task stands in the list.
fn spot(row: &Row, order: TaskOrder) -> Result<Spot> {
    let seq = row.get(0)?;
    Ok(match order {
        TaskOrder::NewestFirst => Spot::newest(seq),
        TaskOrder::OldestFirst => Spot::oldest(seq),
        TaskOrder::ClaimOrder if row.get(2)? => {
            Spot::ready(row.text(4)?, row.get(5)?, row.get(6)?, seq)
        }
        TaskOrder::ClaimOrder => Spot::later(row.get(6)?, seq),
        TaskOrder::LastCompletedFirst => Spot::completed(row.get(7)?, seq),
        TaskOrder::LastDeletedFirst => Spot::deleted(row.get(8)?, seq),
    })
}

pub(super) fn text(ids: &[TaskId], query: &TaskQuery) -> Text {
    // A set: a task that is named twice is listed once.
    let ids: BTreeSet<TaskId> = ids.iter().copied().collect();
    let ids = json_list(ids.iter().map(|id| format!("\"{id}\"")));
    let mut text = Text::default();
    text.add(COLUMNS, []);
    all_of(&condition::of_record(&query.filter), &mut text);
    text.add(FROM, [ids.into()]);
    text
}
