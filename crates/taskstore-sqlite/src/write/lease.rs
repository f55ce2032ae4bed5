//! Leases: found, made, counted down, isolated, taken over.

use std::fmt::Write as _;

use taskstore_core::{
    LeaseId, QueueName, Result, RunnerId,
    backend::{Isolate, LateLease, Lease, LeasedTask, TakeOver, TakenOver},
};

use crate::{
    convert::{LeasedRow, duration, lease_id, lease_key, no_definition, number},
    session::Session,
    sql::Sql,
};

/// A lease's row.
#[derive(Clone, Debug)]
pub(crate) struct LeaseRow {
    pub(crate) owner: String,
    length: i64,
    pub(crate) claimed_at: i64,
    open: i64,
    alone: bool,
    taken_from: Option<String>,
}

impl LeaseRow {
    /// The row, if the lease is there: half of every fence.
    pub(crate) fn find(session: &Session<'_>, id: LeaseId) -> Result<Option<Self>> {
        session.statements.first(Sql::LeaseFind, [lease_key(id)], Self::read)
    }

    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            owner: row.get(0)?,
            length: row.get(1)?,
            claimed_at: row.get(2)?,
            open: row.get(3)?,
            alone: row.get(4)?,
            taken_from: row.get(5)?,
        })
    }

    /// So many of its tasks have left it: at none the lease is gone.
    pub(crate) fn count_down(&self, session: &Session<'_>, id: LeaseId, by: i64) -> Result<()> {
        if by >= self.open {
            return remove(session, id);
        }
        session.execute(Sql::LeaseCountDown, (lease_key(id), by)).map(drop)
    }
}

fn remove(session: &Session<'_>, id: LeaseId) -> Result<()> {
    session.execute(Sql::LeaseDelete, [lease_key(id)])?;
    session.execute(Sql::LeaseTasksDelete, [lease_key(id)]).map(drop)
}

/// A lease to make.
pub(crate) struct NewLease {
    pub(crate) id: LeaseId,
    pub(crate) owner: String,
    pub(crate) length: i64,
    pub(crate) claimed_at: i64,
    pub(crate) alone: bool,
    pub(crate) taken_from: Option<String>,
}

impl NewLease {
    /// Makes it, with these tasks at these turns; with none there is no lease.
    pub(crate) fn store(
        &self,
        session: &Session<'_>,
        pairs: &[(i64, i64)],
        now: i64,
    ) -> Result<()> {
        if pairs.is_empty() {
            return Ok(());
        }
        let open = i64::try_from(pairs.len()).unwrap_or(i64::MAX);
        let row = (
            lease_key(self.id),
            &self.owner,
            now,
            self.length,
            self.claimed_at,
            open,
            self.alone,
            &self.taken_from,
        );
        session.execute(Sql::LeaseInsert, row)?;
        session.execute(Sql::LeaseTasksInsert, (lease_key(self.id), list(pairs))).map(drop)
    }
}

/// `{"task":turn,..}`, which `json_each` reads in this order.
fn list(pairs: &[(i64, i64)]) -> String {
    let mut list = String::with_capacity(16 * pairs.len() + 2);
    list.push('{');
    for (index, (task, turn)) in pairs.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let _ = write!(list, "{comma}\"{task}\":{turn}");
    }
    list.push('}');
    list
}

/// What is still held under a lease, as its holder is given it at this time.
pub(crate) fn held_under(
    session: &Session<'_>,
    lease: LeaseId,
    now: i64,
) -> Result<Vec<LeasedTask>> {
    let rows = rows_under(session, lease)?;
    rows.into_iter().map(|row| into_task(session, row, lease, now)).collect()
}

fn rows_under(session: &Session<'_>, lease: LeaseId) -> Result<Vec<(String, LeasedRow)>> {
    session
        .statements
        .all(Sql::LeaseTasks, [lease_key(lease)], |row| Ok((row.get(13)?, LeasedRow::read(row)?)))
}

fn into_task(
    session: &Session<'_>,
    (queue, row): (String, LeasedRow),
    batch: LeaseId,
    now: i64,
) -> Result<LeasedTask> {
    // One that is gone stops nobody: the task goes back to its queue, and the sweep finds it there.
    let definition = session.definitions(|known| Ok(known.find(row.definition)))?;
    let definition = definition.unwrap_or_else(no_definition);
    let seq = row.seq;
    let task = row.into_task(batch, definition, QueueName::new(&queue)?, now)?;
    session.remember(task.lease, seq);
    Ok(task)
}

/// Leases that were not heard of for a third of their length, or whose beat lies in the future.
pub(crate) fn late_leases(session: &Session<'_>, limit: u32, now: i64) -> Result<Vec<LateLease>> {
    let rows = session.statements.all(Sql::LateLeases, (now, limit), |row| {
        Ok((row.get::<_, [u8; 16]>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
    })?;
    rows.into_iter()
        .map(|(lease, beat, length)| {
            Ok(LateLease {
                lease: lease_id(lease),
                beat: number(beat)?,
                lease_for: duration(length),
            })
        })
        .collect()
}

/// Replaces leases that were seen dead.
pub(crate) fn take_over(
    session: &Session<'_>,
    request: &TakeOver,
    now: i64,
) -> Result<Vec<Option<TakenOver>>> {
    let take = |&(seen, by)| take_one(session, &seen, by, request.runner, now);
    request.leases.iter().map(take).collect()
}

fn take_one(
    session: &Session<'_>,
    seen: &LateLease,
    by: LeaseId,
    runner: RunnerId,
    now: i64,
) -> Result<Option<TakenOver>> {
    if let Some(there) = LeaseRow::find(session, by)? {
        // Sent again, unless the id is that of a lease which took nothing over.
        let Some(from) = &there.taken_from else { return Ok(None) };
        let tasks = held_under(session, by, now)?;
        return Ok(Some(TakenOver { from: from.parse()?, alone: there.alone, tasks }));
    }
    let beat = i64::try_from(seen.beat).unwrap_or(i64::MAX);
    let key = (lease_key(seen.lease), beat);
    let Some(dead) = session.statements.first(Sql::LeaseAtBeat, key, LeaseRow::read)? else {
        return Ok(None);
    };
    let rows = rows_under(session, seen.lease)?;
    let pairs: Vec<_> = rows.iter().map(|(_, row)| (row.seq, row.turn)).collect();
    remove(session, seen.lease)?;
    let lease = NewLease {
        id: by,
        owner: runner.to_string(),
        length: dead.length,
        claimed_at: dead.claimed_at,
        alone: dead.alone,
        taken_from: Some(dead.owner.clone()),
    };
    lease.store(session, &pairs, now)?;
    let leased = |row| into_task(session, row, by, now);
    let tasks = rows.into_iter().map(leased).collect::<Result<_>>()?;
    Ok(Some(TakenOver { from: dead.owner.parse()?, alone: dead.alone, tasks }))
}

/// Moves tasks into leases of their own.
pub(crate) fn isolate(
    session: &Session<'_>,
    request: &Isolate,
    now: i64,
) -> Result<Vec<Option<Lease>>> {
    request.tasks.iter().map(|&(lease, into)| isolate_one(session, lease, into, now)).collect()
}

fn isolate_one(
    session: &Session<'_>,
    lease: Lease,
    into: LeaseId,
    now: i64,
) -> Result<Option<Lease>> {
    if LeaseRow::find(session, into)?.is_some() {
        // Sent again, if it holds this task at the turn after.
        let held = held_under(session, into, now)?;
        let is_it = |held: &Lease| held.task == lease.task && held.turn == lease.turn + 1;
        return Ok(held.iter().map(|task| task.lease).find(is_it));
    }
    let Some(shared) = LeaseRow::find(session, lease.batch)? else { return Ok(None) };
    let Some(seq) = session.listed(lease)? else { return Ok(None) };
    if session.execute(Sql::Isolate, (seq, lease.turn, now, lease.task.to_string()))? == 0 {
        return Ok(None);
    }
    let turn = lease.turn + 1;
    shared.count_down(session, lease.batch, 1)?;
    let own = NewLease {
        id: into,
        owner: shared.owner,
        length: shared.length,
        claimed_at: shared.claimed_at,
        alone: true,
        taken_from: None,
    };
    own.store(session, &[(seq, turn.into())], now)?;
    let alone = Lease { task: lease.task, batch: into, turn };
    session.remember(alone, seq);
    Ok(Some(alone))
}
