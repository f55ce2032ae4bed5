//! A look for what belongs nowhere: without a lock, so that nobody waits for it. What it finds is
//! looked at once more by the writer.

use std::collections::HashSet;

use taskstore_core::{Error, Result, backend::Sweep};
use taskstore_sql::{Look, PlaceRow, Seen, Sweeping, Wrong};

use crate::{convert::lease_key, sql::Sql, statements::Statements};

/// Looks on from where the last look ended.
pub(crate) fn sweep(statements: &Statements<'_>, request: &Sweep) -> Result<Seen> {
    if statements.finds(Sql::LeaseFind, [lease_key(request.lease)])? {
        return Err(Error::already_exists("lease", &request.lease));
    }
    let mut sweeping = Sweeping::new(request)?;
    while let Some(look) = sweeping.look() {
        match look {
            Look::Places(after, limit) => {
                sweeping.saw_places(places(statements, &after, limit)?);
            }
            Look::Records(after, limit) => {
                let last = statements.first(Sql::SweepLast, [], |row| row.get(0))?.unwrap_or(0);
                let until = after.saturating_add(limit).min(last);
                sweeping.saw_records(nowhere(statements, after, until)?, until, last);
            }
        }
    }
    Ok(sweeping.seen())
}

/// The rows of a place after this one, with what is wrong with each.
fn places(
    statements: &Statements<'_>,
    after: &PlaceRow,
    limit: i64,
) -> Result<Vec<(PlaceRow, Option<Wrong>)>> {
    if after.ready {
        let from = (after.queue.as_str(), after.priority, after.run_at, after.task, limit);
        statements.all(Sql::SweepReady, from, |row| read(row, true))
    } else {
        let from = (after.run_at, after.task, limit);
        statements.all(Sql::SweepLater, from, |row| read(row, false))
    }
}

fn read(row: &rusqlite::Row<'_>, ready: bool) -> rusqlite::Result<(PlaceRow, Option<Wrong>)> {
    let place = PlaceRow {
        ready,
        queue: row.get(0)?,
        priority: row.get(1)?,
        run_at: row.get(2)?,
        task: row.get(3)?,
    };
    Ok((place, Wrong::of(row.get::<_, i64>(4)?)))
}

/// The active records from after one to another that are in no place and in no list.
fn nowhere(statements: &Statements<'_>, after: i64, until: i64) -> Result<Vec<i64>> {
    let pair = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let mut nowhere: Vec<(i64, i64)> = statements.all(Sql::SweepRecords, (after, until), pair)?;
    if !nowhere.is_empty() {
        let held: HashSet<_> = statements.all(Sql::Holders, [], pair)?.into_iter().collect();
        nowhere.retain(|pair| !held.contains(pair));
    }
    Ok(nowhere.into_iter().map(|(seq, _)| seq).collect())
}

/// What is wrong with exactly this row; `None` also when it is gone.
pub(crate) fn wrong_with(statements: &Statements<'_>, row: &PlaceRow) -> Result<Option<Wrong>> {
    let found = places(statements, &row.before(), 1)?.into_iter().next();
    Ok(found.filter(|(is, _)| is == row).and_then(|(_, wrong)| wrong))
}
