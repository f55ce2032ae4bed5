//! A walk down one table, and what several of them found.

use rusqlite::params_from_iter;
use taskstore_core::{
    Result,
    backend::{Spot, TaskFilter},
};

use super::{
    LOOKS_MAX,
    condition::Condition,
    source::{Row, Source},
    text::Text,
};
use crate::{convert::count as bounded, error::Mapped, statements::Statements};

/// What was found, and where the looking stopped before its end.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Spots and keys of tasks that match.
    pub(super) found: Vec<(Spot, i64)>,
    /// Nobody has looked beyond this spot; `None`: there is nothing beyond.
    pub(super) stopped_at: Option<Spot>,
}

impl Walked {
    /// Whether it has so many, or all that there are.
    pub(super) fn is_enough(&self, tasks: usize) -> bool {
        self.found.len() >= tasks || self.stopped_at.is_none()
    }

    pub(super) fn add(&mut self, other: Self) {
        self.found.extend(other.found);
        self.stopped_at = match (self.stopped_at.take(), other.stopped_at) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// The keys of the first so many in order, and where to go on. What lies beyond the spot where
    /// one of the walks stopped is left for the next page: that walk may have something before it.
    pub(super) fn cut(mut self, limit: usize) -> (Vec<i64>, Option<Spot>) {
        self.found.sort_unstable();
        if let Some(stopped_at) = &self.stopped_at {
            self.found.retain(|(spot, _)| spot <= stopped_at);
        }
        let next = if self.found.len() > limit {
            self.found.truncate(limit);
            self.found.last().map(|(spot, _)| spot.clone())
        } else {
            self.stopped_at
        };
        (self.found.into_iter().map(|(_, seq)| seq).collect(), next)
    }
}

/// Walks from `after` on, until `enough` tasks match or so many rows were looked at.
pub(super) fn walk(
    statements: &Statements<'_>,
    source: Source,
    filter: &TaskFilter,
    after: &Spot,
    enough: usize,
    looks_max: usize,
) -> Result<Walked> {
    let conditions = source.conditions(filter);
    // Where every row matches a sort need keep no more of them than are wanted.
    let looks_max = if conditions.is_empty() { enough } else { looks_max };
    let text = list_text(source, filter, &conditions, after, looks_max);
    let sql = statements.texts().prepare("list", &text.sql);
    let mut statement = statements.connection().prepare(&sql).mapped()?;
    let mut rows = statement.query(params_from_iter(text.values)).mapped()?;
    let mut walked = Walked::default();
    let mut looked = 0;
    while let Some(row) = rows.next().mapped()? {
        let read = || {
            let (seq, first, run_at) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((Row { seq, first, run_at, queue: row.get(3)? }, row.get::<_, bool>(4)?))
        };
        let (row, matches) = read().mapped()?;
        looked += 1;
        let seq = row.seq;
        let is_last = looked == looks_max;
        if !matches && !is_last {
            continue;
        }
        let spot = source.spot(row);
        if matches {
            walked.found.push((spot.clone(), seq));
        }
        if is_last || walked.found.len() == enough {
            walked.stopped_at = Some(spot);
            break;
        }
    }
    Ok(walked)
}

/// How many match, and whether everything was looked at.
pub(super) fn count(
    statements: &Statements<'_>,
    source: Source,
    filter: &TaskFilter,
    at_most: u64,
) -> Result<(u64, bool)> {
    let looks_max = at_most.max(LOOKS_MAX as u64).saturating_add(1);
    let text = count_text(source, filter, looks_max);
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
    source: Source,
    filter: &TaskFilter,
    conditions: &[Condition],
    after: &Spot,
    looks_max: usize,
) -> Text {
    let mut text = Text::default();
    text.add("SELECT ", []);
    text.add(source.columns(), []);
    text.add(",", []);
    all_of(conditions, &mut text);
    text.add(source.from(filter), []);
    source.range(filter, after, &mut text);
    text.add(source.order(), []);
    text.add(" LIMIT ?;", [bounded(looks_max as u64).into()]);
    text
}

pub(super) fn count_text(source: Source, filter: &TaskFilter, looks_max: u64) -> Text {
    let mut text = Text::default();
    text.add("SELECT count(*),coalesce(sum(matches),0) FROM (SELECT ", []);
    all_of(&source.conditions(filter), &mut text);
    text.add(" AS matches", []);
    text.add(source.from(filter), []);
    source.range(filter, &Spot::start(), &mut text);
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
