//! Tasks as claims and take-overs read them.

use taskstore_core::{
    LeaseId, QueueName, Result,
    backend::{Lease, LeasedTask, StartBy},
    clock,
};
use tokio_postgres::Row;

use crate::{
    convert::{Uuid, duration, json, max_attempts, number, until},
    error::Mapped,
};

/// Where the columns of a task begin in the rows of `claim_ready`, `lease_tasks` and `sweep_task`.
const FIRST: usize = 5;

/// A task of such a row, with its key inside the database.
pub(super) struct Leased {
    pub(super) seq: i64,
    pub(super) task: LeasedTask,
}

impl Leased {
    /// Whether the row has a task.
    pub(super) fn is_in(row: &Row) -> Result<bool> {
        Ok(row.try_get::<_, Option<i64>>(FIRST).mapped()?.is_some())
    }

    /// Under this lease.
    pub(super) fn read(row: &Row, batch: LeaseId) -> Result<Self> {
        let now: i64 = row.try_get(0).mapped()?;
        let at = |column: usize| FIRST + column;
        let start_by = |at| StartBy { at: clock::from_micros(at), within: until(at, now) };
        let parameters: Option<String> = row.try_get(at(4)).mapped()?;
        let expires_at: Option<i64> = row.try_get(at(11)).mapped()?;
        let timeout: Option<i64> = row.try_get(at(12)).mapped()?;
        let lease = Lease {
            task: row.try_get::<_, Uuid>(at(2)).mapped()?.id(),
            batch,
            turn: number(row.try_get::<_, i32>(at(1)).mapped()?)?,
        };
        let task = LeasedTask {
            lease,
            definition: row.try_get::<_, Uuid>(at(3)).mapped()?.id(),
            parameters: json(parameters.unwrap_or_else(|| "null".to_owned()))?,
            attempts: number(row.try_get::<_, i32>(at(5)).mapped()?)?,
            max_attempts: max_attempts(row.try_get::<_, i32>(at(6)).mapped()?)?,
            suspect: row.try_get(at(7)).mapped()?,
            priority: row.try_get(at(8)).mapped()?,
            run_at: clock::from_micros(row.try_get(at(9)).mapped()?),
            keyed: row.try_get(at(10)).mapped()?,
            start_by: expires_at.map(start_by),
            timeout: timeout.map(duration),
            queue: QueueName::new(row.try_get::<_, &str>(at(13)).mapped()?)?,
        };
        Ok(Self { seq: row.try_get(at(0)).mapped()?, task })
    }

    /// Whether the row of `sweep_task` has parameters.
    pub(super) fn has_parameters(row: &Row) -> Result<bool> {
        Ok(row.try_get::<_, Option<&str>>(FIRST + 4).mapped()?.is_some())
    }

    /// Whether the definition of the row of `sweep_task` is gone.
    pub(super) fn has_no_definition(row: &Row) -> Result<bool> {
        row.try_get(FIRST + 14).mapped()
    }
}
