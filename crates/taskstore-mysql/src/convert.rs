//! Between the model's types and what the tables store.

use std::{collections::HashMap, fmt::Write as _};

use crate::{
    session::{Row, Session, values},
    sql::Sql,
};
use taskstore_core::{
    DefinitionId, Error, LeaseId, Progress, QueueName, Result, TaskId,
    backend::{Lease, LeasedTask, StartBy},
    clock,
};

pub(crate) use taskstore_sql::{
    count, duration, json, later, level, level_code, max_attempts, micros, no_definition, number,
    status, status_code, until,
};

/// A lease's id as it is stored.
pub(crate) fn lease_key(id: LeaseId) -> [u8; 16] {
    id.ulid().to_bytes()
}

/// A lease's id as it was stored.
pub(crate) fn lease_id(key: Vec<u8>) -> Result<LeaseId> {
    let key = key.try_into().map_err(|_| Error::backend("a lease has no 16 bytes"))?;
    Ok(LeaseId::from(ulid::Ulid::from_bytes(key)))
}

/// Leases for `JSON_TABLE`: `["00FF..",..]`, in the order of their bytes, which is that of the key.
pub(crate) fn leases_json(leases: impl Iterator<Item = LeaseId>) -> String {
    let mut keys: Vec<_> = leases.map(lease_key).collect();
    keys.sort_unstable();
    keys.dedup();
    json_list(keys.iter().map(|key| format!("\"{}\"", hex(key))))
}

/// Keys of tasks for `JSON_TABLE`: `[1,2,..]`, in their order.
pub(crate) fn seqs_json(seqs: impl Iterator<Item = i64>) -> String {
    let mut seqs: Vec<_> = seqs.collect();
    seqs.sort_unstable();
    seqs.dedup();
    json_list(seqs.iter().map(i64::to_string))
}

/// `[a,b,..]`, of what is JSON already.
pub(crate) fn json_list(items: impl Iterator<Item = String>) -> String {
    let mut list = String::from("[");
    for item in items {
        if list.len() > 1 {
            list.push(',');
        }
        list.push_str(&item);
    }
    list.push(']');
    list
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}

/// What stands for no time in a column that is never NULL, so that its row keeps its size.
pub(crate) const NO_TIME: i64 = 0;

/// The time that a column shows, if it is one.
pub(crate) fn time(stored: i64) -> Option<i64> {
    (stored != NO_TIME).then_some(stored)
}

/// The two columns of a progress; -1 stands for none.
pub(crate) fn progress_columns(progress: Option<Progress>) -> (i64, i64) {
    progress.map_or((-1, -1), |p| (count(p.done), count(p.total)))
}

/// A claimed task as the statements `claim_tasks`, `lease_tasks` and `sweep_task` read it.
pub(crate) struct LeasedRow {
    /// Its key inside the database.
    pub(crate) seq: i64,
    pub(crate) turn: i64,
    pub(crate) id: String,
    /// The key of its definition inside the database.
    pub(crate) definition: i64,
    pub(crate) parameters: String,
    attempts: i64,
    max_attempts: i64,
    suspect: bool,
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
    keyed: bool,
    expires_at: Option<i64>,
    timeout: Option<i64>,
    pub(crate) queue: String,
    /// Whether somebody has deleted its parameters by hand.
    pub(crate) lacks_parameters: bool,
}

impl LeasedRow {
    pub(crate) fn read(row: &Row) -> Result<Self> {
        let parameters = row.maybe_text(4)?;
        Ok(Self {
            seq: row.get(0)?,
            turn: row.get(1)?,
            id: row.get(2)?,
            definition: row.get(3)?,
            lacks_parameters: parameters.is_none(),
            parameters: parameters.unwrap_or_else(|| "null".to_owned()),
            attempts: row.get(5)?,
            max_attempts: row.get(6)?,
            suspect: row.get(7)?,
            priority: row.get(8)?,
            run_at: row.get(9)?,
            keyed: row.get(10)?,
            expires_at: row.get(11)?,
            timeout: row.get(12)?,
            queue: row.get(13)?,
        })
    }

    /// The task under this lease, at this time.
    pub(crate) fn into_task(
        self,
        batch: LeaseId,
        definition: DefinitionId,
        queue: QueueName,
        now: i64,
    ) -> Result<LeasedTask> {
        let start_by = |at| StartBy { at: clock::from_micros(at), within: until(at, now) };
        Ok(LeasedTask {
            lease: Lease { task: self.id.parse()?, batch, turn: number(self.turn)? },
            definition,
            queue,
            parameters: json(self.parameters)?,
            priority: number(self.priority)?,
            run_at: clock::from_micros(self.run_at),
            attempts: number(self.attempts)?,
            max_attempts: max_attempts(self.max_attempts)?,
            suspect: self.suspect,
            keyed: self.keyed,
            start_by: self.expires_at.map(start_by),
            timeout: self.timeout.map(duration),
        })
    }
}

/// The keys of tasks inside the database; also which of them are there.
pub(crate) async fn seqs_of(
    session: &mut Session<'_>,
    ids: impl Iterator<Item = TaskId>,
) -> Result<HashMap<TaskId, i64>> {
    let mut ids: Vec<_> = ids.collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let list = json_list(ids.iter().map(|id| format!("\"{id}\"")));
    let read = |row: &Row| Ok((row.get::<String>(0)?.parse()?, row.get(1)?));
    Ok(session.all(Sql::TaskSeqs, values![list], read).await?.into_iter().collect())
}
