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

use taskstore_core::{
    Result, Task, TaskId,
    backend::{Counted, Cursor, Page, Spot, TaskFilter, TaskOrder, TaskQuery, Walk, Walked},
};

use super::task;
use crate::{
    convert::count as bounded,
    session::{Row, Session, values},
    sql::Sql,
};

/// How many rows of a table are looked at for one page, or for a count of fewer. About a
/// millisecond of reading.
const LOOKS_MAX: usize = 10_000;

/// Rows of the record that are read in the time in which so many that wait are sorted, for one page.
const SORTS: i64 = 20_000;

/// How many rows of the record are looked at, at least, before what waits is sorted.
const NEAR: usize = 4_000;

/// A page of tasks.
pub(crate) async fn tasks(session: &mut Session<'_>, query: &TaskQuery) -> Result<Page<Task>> {
    query.check()?;
    let walks = walks(session, query).await?;
    let (rows, next) = page(session, query, walks).await?;
    Ok(Page { items: task::tasks(session, &rows).await?, next })
}

/// The ids of a page of tasks, for whoever goes through very many.
pub(crate) async fn task_ids(session: &mut Session<'_>, query: &TaskQuery) -> Result<Page<TaskId>> {
    query.check_ids()?;
    let walks = walks_of_many(session, query).await?;
    let (rows, next) = page(session, query, walks).await?;
    Ok(Page { items: task::ids(session, &rows).await?, next })
}

/// The keys of a page, and where to go on.
async fn page(
    session: &mut Session<'_>,
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
        found.add(named::find(session, ids, &query, &after).await?);
    } else {
        let walks = match near(session, &query, &after, &walks).await? {
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
            found.add(walk::walk(session, walk, filter, &after, limit + 1, LOOKS_MAX).await?);
        }
    }
    let (rows, next) = found.cut(limit);
    Ok((rows, next.map(|spot| spot.cursor(query.order))))
}

/// What waits, newest first, where the record has a page of it right after the last one: what was
/// enqueued last is seldom over first. Then nothing is sorted. And the other walks.
async fn near(
    session: &mut Session<'_>,
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
    let walked = walk::walk(session, waiting, &query.filter, after, enough, looks_max).await?;
    let rest = || walks.iter().copied().filter(|walk| !walk.sorts()).collect();
    Ok(walked.is_enough(enough).then(|| (walked, rest())))
}

/// How many tasks match.
pub(crate) async fn count(
    session: &mut Session<'_>,
    filter: &TaskFilter,
    at_most: u64,
) -> Result<Counted> {
    filter.check()?;
    let mut counted = (0_u64, true);
    if let Some(ids) = &filter.ids {
        let query = TaskQuery::new(filter.clone(), TaskOrder::OldestFirst, 1);
        counted.0 = named::find(session, ids, &query, &Spot::start()).await?.found.len() as u64;
    } else {
        for walk in merged(Walk::of_count(filter), filter) {
            if counted.0 > at_most {
                break;
            }
            let (found, is_all) = walk::count(session, walk, filter, at_most).await?;
            counted = (counted.0 + found, counted.1 && is_all);
        }
    }
    Ok(match counted {
        (found, _) if found > at_most => Counted::AtLeast(at_most),
        (found, true) => Counted::Exactly(found),
        (found, false) => Counted::AtLeast(found),
    })
}

/// What has ended lies in one table, deleted or not, so where both are asked for they are one walk.
fn merged(mut walks: Vec<Walk>, filter: &TaskFilter) -> Vec<Walk> {
    if filter.deleted.is_none() {
        walks.retain(|walk| !matches!(walk, Walk::Completed { deleted: true, .. }));
    }
    walks
}

/// The walks of a list. The trash is walked down where it is small, for it lies in another order.
async fn walks(session: &mut Session<'_>, query: &TaskQuery) -> Result<Vec<Walk>> {
    let mut walks = merged(Walk::of(query), &query.filter);
    let in_trash = |walk: &Walk| matches!(walk, Walk::Completed { deleted: true, .. });
    if walks.iter().any(in_trash) && !is_small(session).await? {
        for walk in &mut walks {
            if let Walk::Completed { deleted, .. } = walk {
                *deleted = false;
            }
        }
    }
    Ok(walks)
}

/// Whether the trash is sorted sooner than what is in it is found among all that has ended.
async fn is_small(session: &mut Session<'_>) -> Result<bool> {
    let limit = bounded(LOOKS_MAX as u64);
    let in_trash = session.first(Sql::DeletedCount, values![limit], |row| row.get(0)).await?;
    Ok(in_trash.is_none_or(|count: i64| count < limit))
}

/// The same as [`walks`], for whoever reads page after page to the end. What waits is sorted anew
/// for each page, so where many wait the record is walked down instead: with `r` that wait and `n`
/// records that is cheaper once `r * r` is above `n` times [`SORTS`].
async fn walks_of_many(session: &mut Session<'_>, query: &TaskQuery) -> Result<Vec<Walk>> {
    let mut walks = walks(session, query).await?;
    if !walks.iter().copied().any(Walk::sorts) {
        return Ok(walks);
    }
    let (_, records) = waiting(session, 0).await?;
    let at_most = records.saturating_mul(SORTS).isqrt();
    let (waiting, _) = waiting(session, at_most).await?;
    if waiting >= at_most {
        walks.retain(|walk| !walk.sorts());
        walks.push(Walk::Waiting { newest: query.order == TaskOrder::NewestFirst });
    }
    Ok(walks)
}

/// How many wait, as far as a limit, and about how many records there are.
async fn waiting(session: &mut Session<'_>, limit: i64) -> Result<(i64, i64)> {
    let read = |row: &Row| Ok((row.get(0)?, row.get::<Option<i64>>(1)?.unwrap_or_default()));
    let counted = session.first(Sql::WaitingCount, values![limit, limit], read).await?;
    Ok(counted.unwrap_or_default())
}
