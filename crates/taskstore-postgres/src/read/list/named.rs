//! Tasks that are named one by one: each is looked up, and its status derived like that of one.

use std::collections::BTreeSet;

use taskstore_core::{
    Result, TaskId,
    backend::{Spot, TaskOrder, TaskQuery, Walked},
};

use super::{
    condition,
    text::Text,
    value::Value,
    walk::{all_of, run},
};
use crate::{
    convert::{Uuid, status},
    error::Mapped,
    session::Session,
};

const COLUMNS: &str = "SELECT t.seq,t.status,
 (SELECT true FROM task_ready r WHERE r.queue=t.queue AND r.priority=t.priority AND r.run_at=t.run_at AND r.task=t.seq) IS TRUE,
 (SELECT true FROM task_later w WHERE w.run_at=t.run_at AND w.task=t.seq) IS TRUE,
 t.queue,t.priority::bigint,t.run_at,coalesce(t.completed_at,0),coalesce(t.deleted_at,0),";

const FROM: &str = " FROM unnest(?) AS e(id)
 CROSS JOIN LATERAL (SELECT * FROM task_queue q WHERE q.id=e.id OFFSET 0) t;";

/// Those of them that match and come after `after`.
pub(super) async fn find(
    session: &Session,
    ids: &[TaskId],
    query: &TaskQuery,
    after: &Spot,
) -> Result<Walked> {
    let mut walked = Walked::default();
    for row in run(session, "named", &text(ids, query)).await? {
        let read = || -> std::result::Result<_, tokio_postgres::Error> {
            let number: i64 = row.try_get(0)?;
            let (is_ready, is_later): (bool, bool) = (row.try_get(2)?, row.try_get(3)?);
            let spot = match query.order {
                TaskOrder::NewestFirst => Spot::newest(number),
                TaskOrder::OldestFirst => Spot::oldest(number),
                TaskOrder::ClaimOrder if is_ready => {
                    Spot::ready(row.try_get(4)?, row.try_get(5)?, row.try_get(6)?, number)
                }
                TaskOrder::ClaimOrder => Spot::later(row.try_get(6)?, number),
                TaskOrder::LastCompletedFirst => Spot::completed(row.try_get(7)?, number),
                TaskOrder::LastDeletedFirst => Spot::deleted(row.try_get(8)?, number),
            };
            let matches: bool = row.try_get(9)?;
            Ok((spot, number, row.try_get::<_, i16>(1)?, is_ready || is_later, matches))
        };
        let (spot, number, code, waits, matches) = read().mapped()?;
        if matches && query.wants(status(code, waits)?) && spot > *after {
            walked.found.push((spot, number));
        }
    }
    Ok(walked)
}

pub(super) fn text(ids: &[TaskId], query: &TaskQuery) -> Text {
    // A set: a task that is named twice is listed once.
    let ids: BTreeSet<TaskId> = ids.iter().copied().collect();
    let ids = ids.into_iter().map(|id| Uuid::of(id.ulid())).collect();
    let mut text = Text::default();
    text.add(COLUMNS, []);
    all_of(&condition::of_record(&query.filter), &mut text);
    text.add(FROM, [Value::Ids(ids)]);
    text
}
