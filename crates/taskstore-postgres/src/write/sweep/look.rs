//! A look for what belongs nowhere: without a lock, so that nobody waits for it.

use taskstore_core::{
    Error, Result,
    backend::{Cursor, Sweep},
};

use tokio_postgres::Row;

use crate::{error::Mapped, session::Session, sql::Sql};

/// A record is only asked for its status, unless it is active: so many cost what one place does.
const RECORDS_A_PLACE: i64 = 10;

/// What is wrong with a row of ready or later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrong {
    NoRecord,
    Elsewhere,
    NoParameters,
    NoDefinition,
}

impl Wrong {
    const fn of(code: i32) -> Option<Self> {
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
pub(super) struct PlaceRow {
    pub(super) ready: bool,
    pub(super) queue: String,
    pub(super) priority: i16,
    pub(super) run_at: i64,
    pub(super) task: i64,
}

/// What one look found.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Records that seem to be nowhere.
    pub(super) strays: Vec<i64>,
    /// Rows that seem to be nobody's.
    pub(super) places: Vec<PlaceRow>,
    pub(super) next: Option<Cursor>,
}

/// Looks on from where the last look ended.
pub(super) async fn look(session: &Session, request: &Sweep) -> Result<Found> {
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
    session: &Session,
    after: &PlaceRow,
    limit: i64,
    found: &mut Found,
) -> Result<(i64, At)> {
    let rows = places_from(session, after, limit).await?;
    let seen = count(&rows);
    let last = rows.last().map(|(row, _)| row.clone());
    found.places.extend(rows.into_iter().filter(|(_, wrong)| wrong.is_some()).map(|(row, _)| row));
    Ok(match last {
        Some(last) if seen >= limit => (seen, At::Ready(last)),
        _ => (seen, At::Later { run_at: i64::MIN, task: 0 }),
    })
}

async fn look_at_later(
    session: &Session,
    (run_at, task): (i64, i64),
    limit: i64,
    found: &mut Found,
) -> Result<(i64, At)> {
    let after = PlaceRow { ready: false, queue: String::new(), priority: 0, run_at, task };
    let rows = places_from(session, &after, limit).await?;
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
    session: &Session,
    after: i64,
    limit: i64,
    found: &mut Found,
) -> Result<Option<i64>> {
    let last = session.first(Sql::SweepLast, &[]).await?;
    let last: i64 = last.map(|row| row.try_get(0).mapped()).transpose()?.unwrap_or(0);
    let until = after.saturating_add(limit.saturating_mul(RECORDS_A_PLACE)).min(last);
    for row in session.rows(Sql::SweepRecords, &[&after, &until]).await? {
        found.strays.push(row.try_get(0).mapped()?);
    }
    Ok((until < last).then_some(until))
}

/// The rows after this one, with what is wrong with each.
async fn places_from(
    session: &Session,
    after: &PlaceRow,
    limit: i64,
) -> Result<Vec<(PlaceRow, Option<Wrong>)>> {
    let rows = if after.ready {
        let from: [crate::session::Param<'_>; 5] =
            [&after.queue, &after.priority, &after.run_at, &after.task, &limit];
        session.rows(Sql::SweepReady, &from).await?
    } else {
        session.rows(Sql::SweepLater, &[&after.run_at, &after.task, &limit]).await?
    };
    rows.iter().map(|row| read(row, after.ready)).collect()
}

fn read(row: &Row, ready: bool) -> Result<(PlaceRow, Option<Wrong>)> {
    let place = PlaceRow {
        ready,
        queue: row.try_get(0).mapped()?,
        priority: row.try_get(1).mapped()?,
        run_at: row.try_get(2).mapped()?,
        task: row.try_get(3).mapped()?,
    };
    Ok((place, Wrong::of(row.try_get(4).mapped()?)))
}

/// What is wrong with exactly this row; `None` also when it is gone.
pub(super) async fn wrong_with(session: &Session, row: &PlaceRow) -> Result<Option<Wrong>> {
    // The first row after the one before it.
    let before = PlaceRow { task: row.task.saturating_sub(1), ..row.clone() };
    let found = places_from(session, &before, 1).await?.into_iter().next();
    Ok(found.filter(|(is, _)| is == row).and_then(|(_, wrong)| wrong))
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
        Self::Ready(PlaceRow { ready: true, queue, priority: i16::MIN, run_at: 0, task: 0 })
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
                let priority = i16::try_from(number()?).map_err(|_| bad())?;
                let (run_at, task) = (number()?, number()?);
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
