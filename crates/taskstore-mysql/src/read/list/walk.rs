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

/// Rows for each that is wanted that are fetched whether they match or not: most often most of them do.
const FETCHES: [usize; 2] = [2, 8];

/// Walks from `after` on, until `enough` tasks match or so many rows were looked at.
pub(super) async fn walk(
    session: &mut Session<'_>,
    walk: Walk,
    filter: &TaskFilter,
    after: &Spot,
    enough: usize,
    looks_max: usize,
) -> Result<Walked> {
    let conditions = source::conditions(walk, filter);
    let mut walked = Walked::default();
    let mut after = after.clone();
    let mut looks_left = looks_max;
    // Where every row matches a sort need keep no more of them than are wanted.
    if conditions.is_empty() {
        looks_left = enough;
    }
    let is_sorted = walk.sorts()
        || matches!(walk, Walk::Running { .. } | Walk::Completed { deleted: true, .. });
    // What has to be sorted is sorted once.
    let fetches = if is_sorted { [looks_max; 2] } else { FETCHES.map(|times| times * enough) };
    for fetch in fetches {
        let fetch = fetch.min(looks_left);
        let text = list_text(walk, filter, &conditions, &after, fetch);
        let rows = session.composed("list", &text.sql, text.values, read).await?;
        let is_end = rows.len() < fetch;
        for (row, matches) in rows {
            looks_left -= 1;
            after = walk.spot(row.clone());
            if walked.look(walk, row, matches, enough, looks_left == 0).is_break() {
                return Ok(walked);
            }
        }
        if is_end {
            return Ok(walked);
        }
    }
    // Few match. Those that do not are looked at where they are, and stay there.
    let text = window_text(walk, filter, &conditions, &after, looks_left);
    let mut rows = session.composed("list", &text.sql, text.values, read).await?;
    rows.sort_by_cached_key(|(row, _)| walk.spot(row.clone()));
    for (row, _) in rows {
        if walked.look(walk, row, true, enough, false).is_break() {
            return Ok(walked);
        }
    }
    let text = last_text(walk, filter, &after, looks_left);
    for (row, _) in session.composed("list", &text.sql, text.values, read).await? {
        let _ = walked.look(walk, row, false, enough, true);
    }
    Ok(walked)
}

fn read(row: &Row) -> Result<(WalkRow, bool)> {
    let (number, first, run_at) = (row.get(0)?, row.get(1)?, row.get(2)?);
    Ok((WalkRow { number, first, run_at, queue: row.text(3)? }, row.get(4)?))
}

/// How many match, and whether everything was looked at.
pub(super) async fn count(
    session: &mut Session<'_>,
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

fn list_text(
    walk: Walk,
    filter: &TaskFilter,
    conditions: &[Condition],
    after: &Spot,
    fetch: usize,
) -> Text {
    let mut text = Text::default();
    rows(walk, filter, conditions, after, &mut text);
    text.add(" LIMIT ?;", [bounded(fetch as u64).into()]);
    text
}

/// Of the next so many rows those that match, in any order.
fn window_text(
    walk: Walk,
    filter: &TaskFilter,
    conditions: &[Condition],
    after: &Spot,
    looks: usize,
) -> Text {
    let mut text = Text::default();
    text.add("SELECT w.n,w.a,w.b,w.q,w.m FROM (", []);
    rows(walk, filter, conditions, after, &mut text);
    text.add(" LIMIT ?) w WHERE w.m;", [bounded(looks as u64).into()]);
    text
}

/// The last of the next so many rows, if there are so many.
fn last_text(walk: Walk, filter: &TaskFilter, after: &Spot, looks: usize) -> Text {
    let mut text = Text::default();
    rows(walk, filter, &[], after, &mut text);
    let skip = bounded(looks.saturating_sub(1) as u64);
    text.add(" LIMIT 1 OFFSET ?;", [skip.into()]);
    text
}

fn rows(walk: Walk, filter: &TaskFilter, conditions: &[Condition], after: &Spot, text: &mut Text) {
    text.add("SELECT ", []);
    text.add(source::columns(walk), []);
    text.add(",", []);
    all_of(conditions, text);
    text.add(" AS m", []);
    text.add(source::from(walk, filter), []);
    source::range(walk, filter, after, text);
    text.add(source::order(walk), []);
}

fn count_text(walk: Walk, filter: &TaskFilter, looks_max: u64) -> Text {
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
