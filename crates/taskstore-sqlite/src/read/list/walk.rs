//! A walk down one table: its statement, and what it finds.

use rusqlite::params_from_iter;
use taskstore_core::{
    Result,
    backend::{Spot, TaskFilter, Walk, WalkRow, Walked},
};

use super::{LOOKS_MAX, condition::Condition, source, text::Text};
use crate::{convert::count as bounded, error::Mapped, statements::Statements};

/// Walks from `after` on, until `enough` tasks match or so many rows were looked at.
pub(super) fn walk(
    statements: &Statements<'_>,
    walk: Walk,
    filter: &TaskFilter,
    after: &Spot,
    enough: usize,
    looks_max: usize,
) -> Result<Walked> {
    let conditions = source::conditions(walk, filter);
    // Where every row matches a sort need keep no more of them than are wanted.
    let looks_max = if conditions.is_empty() { enough } else { looks_max };
    let text = list_text(walk, filter, &conditions, after, looks_max);
    let sql = statements.texts().prepare("list", &text.sql);
    let mut statement = statements.connection().prepare(&sql).mapped()?;
    let mut rows = statement.query(params_from_iter(text.values)).mapped()?;
    let mut walked = Walked::default();
    let mut looked = 0;
    while let Some(row) = rows.next().mapped()? {
        let read = || {
            let (number, first, run_at) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((WalkRow { number, first, run_at, queue: row.get(3)? }, row.get(4)?))
        };
        let (row, matches) = read().mapped()?;
        looked += 1;
        if walked.look(walk, row, matches, enough, looked == looks_max).is_break() {
            break;
        }
    }
    Ok(walked)
}

/// How many match, and whether everything was looked at.
pub(super) fn count(
    statements: &Statements<'_>,
    walk: Walk,
    filter: &TaskFilter,
    at_most: u64,
) -> Result<(u64, bool)> {
    let looks_max = at_most.max(LOOKS_MAX as u64).saturating_add(1);
    let text = count_text(walk, filter, looks_max);
    let sql = statements.texts().prepare("count", &text.sql);
    let mut statement = statements.connection().prepare(&sql).mapped()?;
    let (looked, found): (u64, u64) = statement
        .query_row(params_from_iter(text.values), |row| {
            let (looked, found): (i64, i64) = (row.get(0)?, row.get(1)?);
            Ok((looked.unsigned_abs(), found.unsigned_abs()))
        })
        .mapped()?;
    Ok((found, looked < looks_max))
}

pub(super) fn list_text(
    walk: Walk,
    filter: &TaskFilter,
    conditions: &[Condition],
    after: &Spot,
    looks_max: usize,
) -> Text {
    let mut text = Text::default();
    text.add("SELECT ", []);
    text.add(source::columns(walk), []);
    text.add(",", []);
    all_of(conditions, &mut text);
    text.add(source::from(walk, filter), []);
    source::range(walk, filter, after, &mut text);
    text.add(source::order(walk), []);
    text.add(" LIMIT ?;", [bounded(looks_max as u64).into()]);
    text
}

pub(super) fn count_text(walk: Walk, filter: &TaskFilter, looks_max: u64) -> Text {
    let mut text = Text::default();
    text.add("SELECT count(*),coalesce(sum(matches),0) FROM (SELECT ", []);
    all_of(&source::conditions(walk, filter), &mut text);
    text.add(" AS matches", []);
    text.add(source::from(walk, filter), []);
    source::range(walk, filter, &Spot::start(), &mut text);
    text.add(" LIMIT ?);", [bounded(looks_max).into()]);
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
