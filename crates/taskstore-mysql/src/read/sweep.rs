//! A look for what belongs nowhere: without a lock, so that nobody waits for it. What it finds is
//! looked at once more by the writer.

use std::collections::HashSet;

use taskstore_core::{Error, Result, backend::Sweep};
use taskstore_sql::{Look, PlaceRow, Seen, Sweeping, Wrong};

use crate::{
    convert::lease_key,
    session::{Row, Session, values},
    sql::Sql,
};

/// Looks on from where the last look ended.
pub(crate) async fn sweep(session: &mut Session<'_>, request: &Sweep) -> Result<Seen> {
    if session.finds(Sql::LeaseFind, values![&lease_key(request.lease)[..]]).await? {
        return Err(Error::already_exists("lease", &request.lease));
    }
    let mut sweeping = Sweeping::new(request)?;
    while let Some(look) = sweeping.look() {
        match look {
            Look::Places(after, limit) => {
                sweeping.saw_places(places(session, &after, limit).await?);
            }
            Look::Records(after, limit) => {
                let last = session.first(Sql::SweepLast, Vec::new(), |row| row.get(0)).await?;
                let last = last.unwrap_or(0);
                let until = after.saturating_add(limit).min(last);
                sweeping.saw_records(nowhere(session, after, until).await?, until, last);
            }
        }
    }
    Ok(sweeping.seen())
}

/// The rows of a place after this one, with what is wrong with each. No row-value comparison, which
/// gives no range on MariaDB.
async fn places(
    session: &mut Session<'_>,
    after: &PlaceRow,
    limit: i64,
) -> Result<Vec<(PlaceRow, Option<Wrong>)>> {
    let (priority, run_at, task) = (after.priority, after.run_at, after.task);
    if after.ready {
        let queue = after.queue.as_str();
        let from = values![queue, queue, priority, priority, run_at, run_at, task, limit];
        session.all(Sql::SweepReady, from, |row| read(row, true)).await
    } else {
        let from = values![run_at, run_at, task, limit];
        session.all(Sql::SweepLater, from, |row| read(row, false)).await
    }
}

fn read(row: &Row, ready: bool) -> Result<(PlaceRow, Option<Wrong>)> {
    let place = PlaceRow {
        ready,
        queue: row.get(0)?,
        priority: row.get(1)?,
        run_at: row.get(2)?,
        task: row.get(3)?,
    };
    Ok((place, Wrong::of(row.get::<i64>(4)?)))
}

/// The active records from after one to another that are in no place and in no list.
async fn nowhere(session: &mut Session<'_>, after: i64, until: i64) -> Result<Vec<i64>> {
    let pair = |row: &Row| Ok((row.get(0)?, row.get(1)?));
    let mut nowhere: Vec<(i64, i64)> =
        session.all(Sql::SweepRecords, values![after, until], pair).await?;
    if !nowhere.is_empty() {
        let held = session.all(Sql::Holders, Vec::new(), pair).await?;
        let held: HashSet<_> = held.into_iter().collect();
        nowhere.retain(|pair| !held.contains(pair));
    }
    Ok(nowhere.into_iter().map(|(seq, _)| seq).collect())
}

/// What is wrong with exactly this row; `None` also when it is gone.
pub(crate) async fn wrong_with(session: &mut Session<'_>, row: &PlaceRow) -> Result<Option<Wrong>> {
    let found = places(session, &row.before(), 1).await?.into_iter().next();
    Ok(found.filter(|(is, _)| is == row).and_then(|(_, wrong)| wrong))
}
