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
    Result, Status, Task,
    backend::{Counted, Page, Spot, TaskFilter, TaskOrder, TaskQuery},
};

use self::{source::Source, walk::Walked};
use super::task;
use crate::{convert::status_code, statements::Statements};

/// How many rows of a table are looked at for one page, or for a count of fewer. About a
/// millisecond of reading.
const LOOKS_MAX: usize = 10_000;

/// A page of tasks.
pub(crate) fn tasks(statements: &Statements<'_>, query: &TaskQuery) -> Result<Page<Task>> {
    query.check()?;
    let after = query.after.as_ref().map(|cursor| Spot::read(cursor, query.order));
    let after = after.transpose()?.unwrap_or_else(Spot::start);
    let limit = query.limit as usize;
    let mut found = Walked::default();
    if let Some(ids) = &query.filter.ids {
        found.add(named::find(statements, ids, query, &after)?);
    } else {
        for source in sources(query) {
            // What comes later in the claim order is of no use while there is more before it.
            if source == Source::LaterInLine && found.stopped_at.is_some() {
                break;
            }
            found.add(walk::walk(statements, source, &query.filter, &after, limit + 1)?);
        }
    }
    let (rows, next) = found.cut(limit);
    let items = task::tasks(statements, &rows)?;
    Ok(Page { items, next: next.map(|spot| spot.cursor(query.order)) })
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
        for source in countable(filter) {
            if counted.0 > at_most {
                break;
            }
            let (found, is_all) = walk::count(statements, source, filter, at_most)?;
            counted = (counted.0 + found, counted.1 && is_all);
        }
    }
    Ok(match counted {
        (found, _) if found > at_most => Counted::AtLeast(at_most),
        (found, true) => Counted::Exactly(found),
        (found, false) => Counted::AtLeast(found),
    })
}

/// The tables that know the tasks of a list.
fn sources(query: &TaskQuery) -> Vec<Source> {
    let wanted = Status::ALL.into_iter().filter(|&status| query.wants(status));
    let newest = query.order == TaskOrder::NewestFirst;
    match query.order {
        TaskOrder::NewestFirst | TaskOrder::OldestFirst if wanted.clone().count() == 6 => {
            vec![Source::Record { newest }]
        }
        TaskOrder::NewestFirst | TaskOrder::OldestFirst => wanted
            .flat_map(|status| match status {
                Status::Queued => vec![Source::Ready { newest }, Source::Later { newest }],
                Status::Running => vec![Source::Running { newest }],
                Status::Success => vec![Source::Success { newest }],
                aside => vec![Source::Aside { status: status_code(aside), newest }],
            })
            .collect(),
        TaskOrder::ClaimOrder => {
            wanted.flat_map(|_| [Source::ReadyInLine, Source::LaterInLine]).collect()
        }
        TaskOrder::LastCompletedFirst => {
            wanted.flat_map(|status| completed(status, &query.filter)).collect()
        }
    }
}

fn completed(status: Status, filter: &TaskFilter) -> Vec<Source> {
    let status = status_code(status);
    let deleted = filter.with_deleted.then_some(Source::Completed { status, deleted: true });
    [Source::Completed { status, deleted: false }].into_iter().chain(deleted).collect()
}

/// The tables that know them for a count, which needs no order: successes are told apart from all
/// else by the index of what has ended.
fn countable(filter: &TaskFilter) -> Vec<Source> {
    let newest = true;
    let wanted = Status::ALL.into_iter().filter(|&status| filter.wants(status));
    if wanted.clone().count() == Status::ALL.len() {
        return vec![Source::Record { newest }];
    }
    wanted
        .flat_map(|status| match status {
            Status::Queued => vec![Source::ReadyInLine, Source::LaterInLine],
            Status::Running => vec![Source::Running { newest }],
            Status::Paused => vec![Source::Aside { status: status_code(status), newest }],
            ended => completed(ended, filter),
        })
        .collect()
}
