//! The tasks of a request, under their locks.

use std::collections::{HashMap, HashSet};

use taskstore_core::{QueueName, Result, Status, TaskId};
use tokio_postgres::Row;

use super::Sql;
use crate::{
    convert::{Uuid, status},
    error::Mapped,
    session::Session,
};

/// Where a task that is active is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Later,
    Ready,
    Leased,
}

/// A task as it stands, and will until the end of the transaction.
#[derive(Clone, Debug)]
pub(super) struct Subject {
    pub(super) now: i64,
    pub(super) seq: i64,
    pub(super) queue: QueueName,
    pub(super) priority: i16,
    pub(super) run_at: i64,
    pub(super) status: i16,
    pub(super) definition: Uuid,
    pub(super) key: Option<Vec<u8>>,
    pub(super) deleted_at: Option<i64>,
    pub(super) turn: i32,
    pub(super) completed_at: Option<i64>,
    /// Where it is, if it is active.
    pub(super) place: Option<Place>,
}

impl Subject {
    fn read(row: &Row) -> Result<(Uuid, Self)> {
        let subject = Self {
            now: row.try_get(0).mapped()?,
            seq: row.try_get(2).mapped()?,
            queue: QueueName::new(row.try_get::<_, &str>(3).mapped()?)?,
            priority: row.try_get(4).mapped()?,
            run_at: row.try_get(5).mapped()?,
            status: row.try_get(6).mapped()?,
            definition: row.try_get(7).mapped()?,
            key: row.try_get(8).mapped()?,
            deleted_at: row.try_get(9).mapped()?,
            turn: row.try_get(10).mapped()?,
            completed_at: row.try_get(11).mapped()?,
            place: None,
        };
        Ok((row.try_get(1).mapped()?, subject))
    }

    /// The status that people see.
    pub(super) fn from(&self) -> Result<Status> {
        status(self.status, self.place != Some(Place::Leased))
    }
}

/// The tasks that are there, locked, in the order of the request.
pub(super) async fn read(
    session: &Session,
    now: Option<i64>,
    round: &[(usize, TaskId)],
) -> Result<Vec<(usize, Subject)>> {
    let ids: Vec<_> = round.iter().map(|(_, id)| Uuid::of(id.ulid())).collect();
    let look: [crate::session::Param<'_>; 2] = [&now, &ids];
    let places: [crate::session::Param<'_>; 1] = [&ids];
    let steps =
        [(Sql::ControlRead, &look[..]), (Sql::ControlLater, &places), (Sql::ControlReady, &places)];
    let answers = session.together(false, &steps, false).await?;
    let [records, later, ready] = answers.as_slice() else { return Ok(Vec::new()) };
    let (later, ready) = (seqs(later)?, seqs(ready)?);
    let mut subjects = HashMap::new();
    for row in records {
        let (id, mut subject) = Subject::read(row)?;
        if subject.status == 0 {
            subject.place = Some(match subject.seq {
                seq if later.contains(&seq) => Place::Later,
                seq if ready.contains(&seq) => Place::Ready,
                _ => Place::Leased,
            });
        }
        subjects.insert(id, subject);
    }
    let found = round.iter().zip(&ids);
    Ok(found.filter_map(|(&(position, _), id)| Some((position, subjects.remove(id)?))).collect())
}

fn seqs(rows: &[Row]) -> Result<HashSet<i64>> {
    rows.iter().map(|row| row.try_get(0).mapped()).collect()
}
