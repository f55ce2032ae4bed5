//! A look for what belongs nowhere: without a lock, so that nobody waits for it.

use taskstore_core::{Result, backend::Sweep};
use taskstore_sql::{Look, PlaceRow, Seen, Sweeping, Wrong};
use tokio_postgres::Row;

use crate::{
    error::Mapped,
    session::{Param, Session},
    sql::Sql,
};

/// Looks on from where the last look ended.
pub(super) async fn look(session: &Session, request: &Sweep) -> Result<Seen> {
    let mut sweeping = Sweeping::new(request)?;
    while let Some(look) = sweeping.look() {
        match look {
            Look::Places(after, limit) => {
                sweeping.saw_places(places(session, &after, limit).await?);
            }
            Look::Records(after, limit) => {
                let last = session.first(Sql::SweepLast, &[]).await?;
                let last: i64 = last.map(|row| row.try_get(0).mapped()).transpose()?.unwrap_or(0);
                let until = after.saturating_add(limit).min(last);
                let rows = session.rows(Sql::SweepRecords, &[&after, &until]).await?;
                let strays = rows.iter().map(|row| row.try_get(0).mapped());
                sweeping.saw_records(strays.collect::<Result<Vec<i64>>>()?, until, last);
            }
        }
    }
    Ok(sweeping.seen())
}

/// The rows of a place after this one, with what is wrong with each.
async fn places(
    session: &Session,
    after: &PlaceRow,
    limit: i64,
) -> Result<Vec<(PlaceRow, Option<Wrong>)>> {
    let rows = if after.ready {
        let priority = priority(after);
        let from: [Param<'_>; 5] = [&after.queue, &priority, &after.run_at, &after.task, &limit];
        session.rows(Sql::SweepReady, &from).await?
    } else {
        session.rows(Sql::SweepLater, &[&after.run_at, &after.task, &limit]).await?
    };
    rows.iter().map(|row| read(row, after.ready)).collect()
}

/// As the column has it. A sweep begins before every priority.
pub(super) fn priority(row: &PlaceRow) -> i16 {
    i16::try_from(row.priority).unwrap_or(i16::MIN)
}

fn read(row: &Row, ready: bool) -> Result<(PlaceRow, Option<Wrong>)> {
    let place = PlaceRow {
        ready,
        queue: row.try_get(0).mapped()?,
        priority: row.try_get::<_, i16>(1).mapped()?.into(),
        run_at: row.try_get(2).mapped()?,
        task: row.try_get(3).mapped()?,
    };
    Ok((place, Wrong::of(row.try_get::<_, i32>(4).mapped()?)))
}

/// What is wrong with exactly this row; `None` also when it is gone.
pub(super) async fn wrong_with(session: &Session, row: &PlaceRow) -> Result<Option<Wrong>> {
    let found = places(session, &row.before(), 1).await?.into_iter().next();
    Ok(found.filter(|(is, _)| is == row).and_then(|(_, wrong)| wrong))
}
