//! A walk down one table: its statement, and what it finds.

use taskstore_core::{
    Result,
    backend::{Spot, TaskFilter, Walk, WalkRow, Walked},
};
use tokio_postgres::Row;

use super::{LOOKS_MAX, condition::Condition, source, text::Text, value::Value};
use crate::{convert::count as bounded, error::Mapped, session::Session};

/// Walks from `after` on, until `enough` tasks match or so many rows were looked at.
pub(super) async fn walk(
    session: &Session,
    walk: Walk,
    filter: &TaskFilter,
    after: &Spot,
    enough: usize,
    looks_max: usize,
) -> Result<Walked> {
    let conditions = source::conditions(walk, filter);
    // Where every row matches a sort need keep no more of them than are wanted.
    let looks_max = if conditions.is_empty() { enough } else { looks_max };
    let text = list_text(walk, filter, &conditions, after, enough, looks_max);
    let mut walked = Walked::default();
    for row in run(session, "list", &text).await? {
        let read = || {
            let (number, first, run_at) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            let is_last = row.try_get::<_, i64>(5)? == bounded(looks_max as u64);
            let row = (WalkRow { number, first, run_at, queue: row.try_get(3)? }, row.try_get(4)?);
            Ok((row, is_last))
        };
        let ((row, matches), is_last) = read().mapped()?;
        if walked.look(walk, row, matches, enough, is_last).is_break() {
            break;
        }
    }
    Ok(walked)
}

/// How many match, and whether everything was looked at.
pub(super) async fn count(
    session: &Session,
    walk: Walk,
    filter: &TaskFilter,
    at_most: u64,
) -> Result<(u64, bool)> {
    let looks_max = at_most.max(LOOKS_MAX as u64).saturating_add(1);
    let text = count_text(walk, filter, looks_max);
    let rows = run(session, "count", &text).await?;
    let Some(row) = rows.first() else { return Ok((0, true)) };
    let (looked, found): (i64, i64) = (row.try_get(0).mapped()?, row.try_get(1).mapped()?);
    Ok((found.unsigned_abs(), looked.unsigned_abs() < looks_max))
}

/// Runs what was composed. The name is that under which a test may plant a bug.
pub(super) async fn run(session: &Session, name: &str, text: &Text) -> Result<Vec<Row>> {
    let params: Vec<_> = text.values.iter().map(Value::bound).collect();
    session.composed(&session.texts().prepare(name, &text.sql), &params).await
}

/// The rows that match, and the last that may be looked at, each with its number in the walk. The
/// server stops looking when it has enough: nothing here needs a row before it gives one.
pub(super) fn list_text(
    walk: Walk,
    filter: &TaskFilter,
    conditions: &[Condition],
    after: &Spot,
    enough: usize,
    looks_max: usize,
) -> Text {
    let looks_max = bounded(looks_max as u64);
    let mut text = Text::default();
    text.add("SELECT task,first,run_at,queue,matches,n FROM (SELECT w.*,row_number() OVER () AS n FROM (", []);
    walked_over(walk, filter, conditions, after, Some(source::order(walk)), looks_max, &mut text);
    let enough = bounded(enough as u64);
    text.add(") w) w WHERE matches OR n=? LIMIT ?;", [looks_max.into(), enough.into()]);
    text
}

pub(super) fn count_text(walk: Walk, filter: &TaskFilter, looks_max: u64) -> Text {
    let mut text = Text::default();
    text.add("SELECT count(*),count(*) FILTER (WHERE matches) FROM (", []);
    let conditions = source::conditions(walk, filter);
    let looks_max = bounded(looks_max);
    walked_over(walk, filter, &conditions, &Spot::start(), None, looks_max, &mut text);
    text.add(") w;", []);
    text
}

/// The rows that are looked at, and whether each matches. The limit comes before the record is asked,
/// so that no plan can ask it more often.
fn walked_over(
    walk: Walk,
    filter: &TaskFilter,
    conditions: &[Condition],
    after: &Spot,
    order: Option<&'static str>,
    looks_max: i64,
    text: &mut Text,
) {
    let order = order.unwrap_or_default();
    text.add("SELECT ", []);
    text.add(source::columns(walk), []);
    text.add(",", []);
    all_of(conditions, text);
    text.add(" AS matches ", []);
    let is_running = matches!(walk, Walk::Running { .. });
    if is_running || source::joins(walk, filter, conditions) {
        text.add("FROM (SELECT c.* ", []);
        text.add(source::table(walk), []);
        source::range(walk, filter, after, text);
        text.add(order, []);
        if is_running {
            text.add(") c", []);
            text.add(source::HELD, []);
            text.add(order, []);
            text.add(" LIMIT ?", [looks_max.into()]);
        } else {
            text.add(" LIMIT ?) c", [looks_max.into()]);
            text.add(source::RECORD, []);
            text.add(order, []);
        }
    } else {
        text.add(source::table(walk), []);
        source::range(walk, filter, after, text);
        text.add(order, []);
        text.add(" LIMIT ?", [looks_max.into()]);
    }
}

/// Whether a row matches, as a value that is never NULL: rows that do not are looked at all the same,
/// and counted.
pub(super) fn all_of(conditions: &[Condition], text: &mut Text) {
    text.add("(true", []);
    for (fragment, values) in conditions {
        text.add(" AND ", []);
        text.add(fragment, values.iter().cloned());
    }
    text.add(") IS TRUE", []);
}
