//! A look for what belongs nowhere: without a lock, so that nobody waits for it. What it finds is
//! looked at once more by the writer.

use std::collections::HashSet;

use taskstore_core::{
    Error, Result,
    backend::{Cursor, Sweep},
};

use crate::{
    convert::lease_key,
    session::{Row, Session, values},
    sql::Sql,
};

/// A record is only asked for its status, unless it is active: so many cost what one place does.
const RECORDS_A_PLACE: i64 = 10;

/// What is wrong with a row of ready or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    NoRecord,
    Elsewhere,
    NoParameters,
    NoDefinition,
}

impl Wrong {
    const fn of(code: i64) -> Option<Self> {
        match code {
            0 => None,
            1 => Some(Self::NoRecord),
            2 => Some(Self::Elsewhere),
            3 => Some(Self::NoParameters),
            _ => Some(Self::NoDefinition),
        }
    }
}

/// A row of ready or later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PlaceRow {
    pub(crate) ready: bool,
    pub(crate) queue: String,
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
    pub(crate) task: i64,
}

/// What one look found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Records that seem to be nowhere.
    pub(crate) strays: Vec<i64>,
    /// Rows that seem to be nobody's.
    pub(crate) places: Vec<PlaceRow>,
    pub(crate) next: Option<Cursor>,
}

impl Found {
    pub(crate) const fn is_nothing(&self) -> bool {
        self.strays.is_empty() && self.places.is_empty()
    }
}

/// Looks on from where the last look ended.
pub(crate) async fn sweep(session: &mut Session<'_>, request: &Sweep) -> Result<Found> {
    if session.finds(Sql::LeaseFind, values![&lease_key(request.lease)[..]]).await? {
        return Err(Error::already_exists("lease", &request.lease));
    }
    let mut found = Found::default();
    let mut left = i64::from(request.at_most.max(1));
    let mut at = request.after.as_ref().map_or(Ok(At::start()), At::read)?;
    loop {
        let (seen, next) = match &at {
            At::Ready(row) => look_at_ready(session, row, left, &mut found).await?,
            At::Later { run_at, task } => {
                look_at_later(session, (*run_at, *task), left, &mut found).await?
            }
            At::Records(seq) => {
                let end = look_at_records(session, *seq, left, &mut found).await?;
                found.next = end.map(|seq| At::Records(seq).cursor());
                return Ok(found);
            }
        };
        left -= seen;
        at = next;
        if left <= 0 {
            found.next = Some(at.cursor());
            return Ok(found);
        }
    }
}

async fn look_at_ready(
    session: &mut Session<'_>,
    after: &PlaceRow,
    limit: i64,
    found: &mut Found,
) -> Result<(i64, At)> {
    let from = ready_after(after, after.task, limit);
    let rows = session.all(Sql::SweepReady, from, |row| read(row, true)).await?;
    let seen = count(&rows);
    let last = rows.last().map(|(row, _)| row.clone());
    found.places.extend(rows.into_iter().filter(|(_, wrong)| wrong.is_some()).map(|(row, _)| row));
    Ok(match last {
        Some(last) if seen >= limit => (seen, At::Ready(last)),
        _ => (seen, At::Later { run_at: i64::MIN, task: 0 }),
    })
}

async fn look_at_later(
    session: &mut Session<'_>,
    after: (i64, i64),
    limit: i64,
    found: &mut Found,
) -> Result<(i64, At)> {
    let from = values![after.0, after.0, after.1, limit];
    let rows = session.all(Sql::SweepLater, from, |row| read(row, false)).await?;
    let seen = count(&rows);
    let last = rows.last().map(|(row, _)| (row.run_at, row.task));
    found.places.extend(rows.into_iter().filter(|(_, wrong)| wrong.is_some()).map(|(row, _)| row));
    Ok(match last {
        Some((run_at, task)) if seen >= limit => (seen, At::Later { run_at, task }),
        _ => (seen, At::Records(0)),
    })
}

/// Where to go on, unless all was seen.
async fn look_at_records(
    session: &mut Session<'_>,
    after: i64,
    limit: i64,
    found: &mut Found,
) -> Result<Option<i64>> {
    let last = session.first(Sql::SweepLast, Vec::new(), |row| row.get(0)).await?.unwrap_or(0);
    let until = after.saturating_add(limit.saturating_mul(RECORDS_A_PLACE)).min(last);
    let nowhere: Vec<(i64, i64)> = session
        .all(Sql::SweepRecords, values![after, until], |row| Ok((row.get(0)?, row.get(1)?)))
        .await?;
    if !nowhere.is_empty() {
        let held: HashSet<(i64, i64)> = session
            .all(Sql::Holders, Vec::new(), |row| Ok((row.get(0)?, row.get(1)?)))
            .await?
            .into_iter()
            .collect();
        let strays = nowhere.into_iter().filter(|pair| !held.contains(pair)).map(|(seq, _)| seq);
        found.strays.extend(strays);
    }
    Ok((until < last).then_some(until))
}

fn read(row: &Row, ready: bool) -> Result<(PlaceRow, Option<Wrong>)> {
    let place = PlaceRow {
        ready,
        queue: row.get(0)?,
        priority: row.get(1)?,
        run_at: row.get(2)?,
        task: row.get(3)?,
    };
    Ok((place, Wrong::of(row.get(4)?)))
}

/// What is wrong with exactly this row; `None` also when it is gone.
pub(crate) async fn wrong_with(session: &mut Session<'_>, row: &PlaceRow) -> Result<Option<Wrong>> {
    // The first row after the one before it.
    let before = row.task.saturating_sub(1);
    let found = if row.ready {
        let from = ready_after(row, before, 1);
        session.first(Sql::SweepReady, from, |row| read(row, true)).await?
    } else {
        session
            .first(Sql::SweepLater, values![row.run_at, row.run_at, before, 1], |row| {
                read(row, false)
            })
            .await?
    };
    Ok(found.filter(|(is, _)| is == row).and_then(|(_, wrong)| wrong))
}

/// The values of `sweep_ready`: no row-value comparison, which gives no range on MariaDB.
fn ready_after(row: &PlaceRow, task: i64, limit: i64) -> Vec<mysql_async::Value> {
    let queue = row.queue.as_str();
    values![queue, queue, row.priority, row.priority, row.run_at, row.run_at, task, limit]
}

fn count<T>(rows: &[T]) -> i64 {
    i64::try_from(rows.len()).unwrap_or(i64::MAX)
}

/// Where a look ended: ready first, then later, then the records.
#[derive(Clone, Debug, PartialEq, Eq)]
enum At {
    Ready(PlaceRow),
    Later { run_at: i64, task: i64 },
    Records(i64),
}

impl At {
    fn start() -> Self {
        let queue = String::new();
        Self::Ready(PlaceRow { ready: true, queue, priority: i64::MIN, run_at: 0, task: 0 })
    }

    fn cursor(&self) -> Cursor {
        Cursor(match self {
            // The queue comes last, because it may hold dots itself.
            Self::Ready(row) => {
                format!("ready.{}.{}.{}.{}", row.priority, row.run_at, row.task, row.queue)
            }
            Self::Later { run_at, task } => format!("later.{run_at}.{task}"),
            Self::Records(seq) => format!("records.{seq}"),
        })
    }

    fn read(cursor: &Cursor) -> Result<Self> {
        let bad = || Error::invalid("cursor", "it was not made by this store for a sweep");
        let (kind, rest) = cursor.0.split_once('.').ok_or_else(bad)?;
        let mut words = rest.splitn(4, '.');
        let mut number = || words.next().and_then(|word| word.parse::<i64>().ok()).ok_or_else(bad);
        let at = match kind {
            "ready" => {
                let (priority, run_at, task) = (number()?, number()?, number()?);
                let queue = words.next().ok_or_else(bad)?.to_owned();
                Self::Ready(PlaceRow { ready: true, queue, priority, run_at, task })
            }
            "later" => Self::Later { run_at: number()?, task: number()? },
            "records" => Self::Records(number()?),
            _ => return Err(bad()),
        };
        if at.cursor() == *cursor { Ok(at) } else { Err(bad()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_says_where_a_look_ended_and_garbage_is_refused() {
        let queue = "a.b-c.".to_owned();
        let row = PlaceRow { ready: true, queue, priority: -5, run_at: i64::MAX, task: 3 };
        for at in [At::start(), At::Ready(row), At::Later { run_at: -1, task: 2 }, At::Records(9)] {
            assert_eq!(At::read(&at.cursor()).unwrap(), at);
        }
        for text in ["", ".", "ready", "ready.1.2", "later.1", "later.+1.2", "records.", "x.1"] {
            assert!(At::read(&Cursor(text.to_owned())).is_err(), "{text}");
        }
    }
}
