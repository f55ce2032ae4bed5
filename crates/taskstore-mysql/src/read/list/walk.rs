//! A walk down one table: its statement, and what it finds.

use taskstore_core::{
    Result,
    backend::{Spot, TaskFilter, Walk, WalkRow, Walked},
};

use super::{LOOKS_MAX, condition::Condition, source, text::Text};
use crate::{
    convert::count as bounded,
    session::{Row, Session},
};

/// How many rows more are fetched each time while too few of them match.
const GROWTH: usize = 4;

/// Walks from `after` on, until `enough` tasks match or so many rows were looked at.
pub(super) async fn walk(
    session: &mut Session,
    walk: Walk,
    filter: &TaskFilter,
    after: &Spot,
    enough: usize,
    looks_max: usize,
) -> Result<Walked> {
    let conditions = source::conditions(walk, filter);
    // Where every row matches a sort need keep no more of them than are wanted.
    let looks_max = if conditions.is_empty() { enough } else { looks_max };
    let mut walked = Walked::default();
    let mut after = after.clone();
    let (mut looked, mut fetch) = (0, first_fetch(walk, enough, looks_max));
    loop {
        let text = list_text(walk, filter, &conditions, &after, fetch);
        let rows = session.composed("list", &text.sql, text.values, read).await?;
        let is_last = rows.len() < fetch;
        for (row, matches) in rows {
            looked += 1;
            after = walk.spot(row.clone());
            if walked.look(walk, row, matches, enough, looked == looks_max).is_break() {
                return Ok(walked);
            }
        }
        if is_last {
            return Ok(walked);
        }
        fetch = (fetch * GROWTH).min(looks_max - looked);
    }
}

/// How many rows to fetch first. Every row crosses the network, and most often most of them match; but
/// what has to be sorted is sorted once.
fn first_fetch(walk: Walk, enough: usize, looks_max: usize) -> usize {
    let sorted = walk.sorts()
        || matches!(walk, Walk::Running { .. } | Walk::Completed { deleted: true, .. });
    if sorted { looks_max } else { looks_max.min(enough * 2) }
}

fn read(row: &Row) -> Result<(WalkRow, bool)> {
    let (number, first, run_at) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok((WalkRow { number, first, run_at, queue: row.text(3)? }, row.get(4)?))
}

/// How many match, and whether everything was looked at.
pub(super) async fn count(
    session: &mut Session,
    walk: Walk,
    filter: &TaskFilter,
    at_most: u64,
) -> Result<(u64, bool)> {
    let looks_max = at_most.max(LOOKS_MAX as u64).saturating_add(1);
    let text = count_text(walk, filter, looks_max);
    let read = |row: &Row| Ok((row.get::<u64>(0)?, row.get::<u64>(1)?));
    let counted = session.composed("count", &text.sql, text.values, read).await?;
    let (looked, found) = counted.into_iter().next().unwrap_or_default();
    Ok((found, looked < looks_max))
}

pub(super) fn list_text(
    walk: Walk,
    filter: &TaskFilter,
    conditions: &[Condition],
    after: &Spot,
    fetch: usize,
) -> Text {
    let mut text = Text::default();
    text.add("SELECT ", []);
    text.add(source::columns(walk), []);
    text.add(",", []);
    all_of(conditions, &mut text);
    text.add(source::from(walk, filter), []);
    source::range(walk, filter, after, &mut text);
    text.add(source::order(walk), []);
    text.add(" LIMIT ?;", [bounded(fetch as u64).into()]);
    text
}

pub(super) fn count_text(walk: Walk, filter: &TaskFilter, looks_max: u64) -> Text {
    let mut text = Text::default();
    text.add("SELECT COUNT(*),CAST(COALESCE(SUM(m.matches),0) AS UNSIGNED) FROM (SELECT ", []);
    all_of(&source::conditions(walk, filter), &mut text);
    text.add(" AS matches", []);
    text.add(source::from(walk, filter), []);
    source::range(walk, filter, &Spot::start(), &mut text);
    text.add(" LIMIT ?) m;", [bounded(looks_max).into()]);
    text
}

/// Whether a row matches, as a value that is never NULL: rows that do not are looked at all the same,
/// and counted.
pub(super) fn all_of(conditions: &[Condition], text: &mut Text) {
    text.add("(1", []);
    for (fragment, values) in conditions {
        text.add(" AND ", []);
        text.add(fragment, values.iter().cloned());
    }
    text.add(") IS TRUE", []);
}
