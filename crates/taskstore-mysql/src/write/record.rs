//! The record of a task, as the end of an attempt must know it.

use std::collections::HashMap;

use taskstore_core::{QueueName, Result, TaskId, backend::Lease};

use super::place::Spot;
use crate::{
    convert::{lease_key, seqs_json},
    session::{Row, Session, values},
    sql::Sql,
};

/// The record as `settle_read` reads it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) seq: i64,
    pub(super) id: String,
    pub(super) turn: i64,
    pub(super) status: i64,
    pub(super) key: Option<Vec<u8>>,
    pub(super) cancel: bool,
    pub(super) deleted: bool,
    pub(super) last_lease: Vec<u8>,
    queue: String,
    priority: i64,
    pub(super) run_at: i64,
    definition: i64,
}

impl Record {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            id: row.get(1)?,
            turn: row.get(2)?,
            status: row.get(3)?,
            key: row.get(4)?,
            cancel: row.get(5)?,
            deleted: row.get(6)?,
            last_lease: row.get(7)?,
            queue: row.get(8)?,
            priority: row.get(9)?,
            run_at: row.get(10)?,
            definition: row.get(11)?,
        })
    }

    /// Those that are there, by key, locked in that order.
    pub(super) async fn lock_all(
        session: &mut Session<'_>,
        seqs: impl Iterator<Item = i64>,
    ) -> Result<HashMap<i64, Self>> {
        let list = seqs_json(seqs);
        if list == "[]" {
            return Ok(HashMap::new());
        }
        let rows = session.all(Sql::SettleRead, values![list], Self::read).await?;
        Ok(rows.into_iter().map(|record| (record.seq, record)).collect())
    }

    /// The one of this task, locked, whatever the transaction has seen before.
    pub(super) async fn lock(session: &mut Session<'_>, id: TaskId) -> Result<Option<Self>> {
        session.first(Sql::RecordLock, values![id.to_string()], Self::read).await
    }

    /// Where it waits at its time.
    pub(super) fn spot(&self) -> Result<Spot> {
        Ok(Spot {
            task: self.seq,
            definition: self.definition,
            queue: QueueName::new(&self.queue)?,
            priority: self.priority,
            run_at: self.run_at,
        })
    }

    /// Whether the attempt under this lease was the last to end.
    pub(super) fn was_settled_under(&self, lease: Lease) -> bool {
        self.turn == i64::from(lease.turn) + 1 && self.last_lease == lease_key(lease.batch)
    }
}
