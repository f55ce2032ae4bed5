//! Lists and counts of tasks.
//!
//! Each status has a table that knows its tasks, so that none is sought among a million others. A
//! list walks down those tables in its order, from where the last page ended, until it has enough or
//! has looked at [`LOOKS_MAX`] rows, and merges what it found. The statements are the only ones that
//! are composed: of fragments that are written here, and of values that are bound. The status that
//! the view derives is never asked for.

mod condition;
mod named;
mod source;
mod text;
mod walk;

#[cfg(test)]
mod tests;

use taskstore_core::{
    Result, Task, TaskId,
    backend::{Counted, Cursor, Page, Spot, TaskFilter, TaskOrder, TaskQuery, Walk, Walked},
};

use super::task;
use crate::{sql::Sql, statements::Statements};

/// How many rows of a table are looked at for one page, or for a count of fewer. About a
/// millisecond of reading.
const LOOKS_MAX: usize = 10_000;

/// Rows of the record that are read in the time in which so many that wait are sorted, for one page.
const SORTS: i64 = 20_000;

/// How many rows of the record are looked at, at least, before what waits is sorted.
const NEAR: usize = 4_000;

/// A page of tasks.
pub(crate) fn tasks(statements: &Statements<'_>, query: &TaskQuery) -> Result<Page<Task>> {
    query.check()?;
    let (rows, next) = page(statements, query, Walk::of(query))?;
    Ok(Page { items: task::tasks(statements, &rows)?, next })
}

/// The ids of a page of tasks, for whoever goes through very many.
pub(crate) fn task_ids(statements: &Statements<'_>, query: &TaskQuery) -> Result<Page<TaskId>> {
    query.check_ids()?;
    let (rows, next) = page(statements, query, walks_of_many(statements, query)?)?;
    Ok(Page { items: task::ids(statements, &rows)?, next })
}

/// The keys of a page, and where to go on.
fn page(
    statements: &Statements<'_>,
    query: &TaskQuery,
    walks: Vec<Walk>,
) -> Result<(Vec<i64>, Option<Cursor>)> {
    let mut query = query.clone();
    query.filter = query.whole_filter();
    let after = query.after.as_ref().map(|cursor| Spot::read(cursor, query.order));
    let after = after.transpose()?.unwrap_or_else(Spot::start);
    let limit = query.limit as usize;
    let mut found = Walked::default();
    if let Some(ids) = &query.filter.ids {
        found.add(named::find(statements, ids, &query, &after)?);
    } else {
        let walks = match near(statements, &query, &after, &walks)? {
            Some((near, rest)) => {
                found.add(near);
                rest
            }
            None => walks,
        };
        for walk in walks {
            // What comes later in the claim order is of no use while there is more before it.
            if walk == Walk::LaterInLine && found.stopped_at.is_some() {
                break;
            }
            let filter = &query.filter;
            found.add(walk::walk(statements, walk, filter, &after, limit + 1, LOOKS_MAX)?);
        }
    }
    let (rows, next) = found.cut(limit);
    Ok((rows, next.map(|spot| spot.cursor(query.order))))
}

/// What waits, newest first, where the record has a page of it right after the last one: what was
/// enqueued last is seldom over first. Then nothing is sorted. And the other walks.
fn near(
    statements: &Statements<'_>,
    query: &TaskQuery,
    after: &Spot,
    walks: &[Walk],
) -> Result<Option<(Walked, Vec<Walk>)>> {
    let newest = query.order == TaskOrder::NewestFirst;
    if !newest || !walks.iter().copied().any(Walk::sorts) {
        return Ok(None);
    }
    let waiting = Walk::Waiting { newest };
    let enough = query.limit as usize + 1;
    let looks_max = (enough * 4).clamp(NEAR, LOOKS_MAX);
    let walked = walk::walk(statements, waiting, &query.filter, after, enough, looks_max)?;
    let rest = || walks.iter().copied().filter(|walk| !walk.sorts()).collect();
    Ok(walked.is_enough(enough).then(|| (walked, rest())))
}

/// How many tasks match.
pub(crate) fn count(
    statements: &Statements<'_>,
    filter: &TaskFilter,
    at_most: u64,
) -> Result<Counted> {
    filter.check()?;
    let mut counted = (0_u64, true);
    if let Some(ids) = &filter.ids {
        let query = TaskQuery::new(filter.clone(), TaskOrder::OldestFirst, 1);
        counted.0 = named::find(statements, ids, &query, &Spot::start())?.found.len() as u64;
    } else {
        for walk in Walk::of_count(filter) {
            if counted.0 > at_most {
                break;
            }
            let (found, is_all) = walk::count(statements, walk, filter, at_most)?;
            counted = (counted.0 + found, counted.1 && is_all);
        }
    }
    Ok(match counted {
        (found, _) if found > at_most => Counted::AtLeast(at_most),
        (found, true) => Counted::Exactly(found),
        (found, false) => Counted::AtLeast(found),
    })
}

/// The same as [`Walk::of`], for whoever reads page after page to the end. What waits is sorted anew
/// for each page, so where many wait the record is walked down instead: with `r` that wait and `n`
/// records that is cheaper once `r * r` is above `n` times [`SORTS`].
fn walks_of_many(statements: &Statements<'_>, query: &TaskQuery) -> Result<Vec<Walk>> {
    let mut walks = Walk::of(query);
    if !walks.iter().copied().any(Walk::sorts) {
        return Ok(walks);
    }
    let records: Option<i64> =
        statements.first(Sql::WaitingCount, [0], |row| row.get(1))?.unwrap_or_default();
    let at_most = records.unwrap_or_default().saturating_mul(SORTS).isqrt();
    let waiting: Option<i64> = statements.first(Sql::WaitingCount, [at_most], |row| row.get(0))?;
    if waiting.is_some_and(|waiting| waiting >= at_most) {
        walks.retain(|walk| !walk.sorts());
        walks.push(Walk::Waiting { newest: query.order == TaskOrder::NewestFirst });
    }
    Ok(walks)
}
