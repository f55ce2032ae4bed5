//! Leases change hands.

use taskstore_core::{
    LeaseId, Result, RunnerId,
    backend::{LateLease, Lease, TakenOver},
};

use crate::{
    claim::{leased, tasks_under},
    record::{LeaseRow, Record},
    tx::Tx,
};

/// Moves a task into a lease of its own; `None` where the fence does not hold.
pub fn isolate(tx: &mut Tx<'_>, lease: &Lease, to: LeaseId, now: i64) -> Result<Option<Lease>> {
    let Some(was) = tx.record_of(lease.task)? else { return Ok(None) };
    let alone = Lease { task: lease.task, batch: to, turn: lease.turn.saturating_add(1) };
    if let Some(row) = tx.lease_row(to)? {
        // Sent again.
        let is_this = row.made_of == Some(lease.batch) && was.is_held_by(&alone);
        return Ok(is_this.then_some(alone));
    }
    let Some(row) = tx.lease_row(lease.batch)?.filter(|_| was.is_held_by(lease)) else {
        return Ok(None);
    };
    let row = LeaseRow { alone: true, made_of: Some(lease.batch), from: Some(row.runner), ..row };
    tx.lease.insert_json(to.into(), &row)?;
    let turn = alone.turn;
    tx.put(&was, &Record { turn, lease: Some((to, 0)), updated_at: now, ..was.clone() })?;
    Ok(Some(alone))
}

/// Replaces a lease by one of the taker's; `None` where it is not at the beat that was seen.
pub fn take_over(
    tx: &mut Tx<'_>,
    runner: RunnerId,
    seen: &LateLease,
    to: LeaseId,
    now: i64,
) -> Result<Option<TakenOver>> {
    if let Some(row) = tx.lease_row(to)? {
        let from = row.from.filter(|_| row.made_of == Some(seen.lease) && row.runner == runner);
        return from.map(|from| taken_over(tx, from, row.alone, to, now)).transpose();
    }
    let Some(row) = tx.lease_row(seen.lease)? else { return Ok(None) };
    if !tx.beats.hold(seen.lease, seen.beat) {
        return Ok(None);
    }
    tx.held.push(seen.lease);
    let (from, alone) = (row.runner, row.alone);
    let made_of = Some(seen.lease);
    let row = LeaseRow { runner, made_of, from: Some(from), ..row };
    tx.lease.insert_json(to.into(), &row)?;
    for was in tasks_under(tx, seen.lease)? {
        let position = was.lease.map_or(0, |(_, position)| position);
        if !tx.parameters.has(was.number)? {
            // It cannot run. Without a place it is found by the next sweep.
            tx.leased.remove((seen.lease.into(), position))?;
            continue;
        }
        tx.put(&was, &Record { lease: Some((to, position)), ..was.clone() })?;
    }
    // Gone with its last task, unless it held none.
    tx.lease.remove(seen.lease.into())?;
    tx.end_if_empty(to)?;
    taken_over(tx, from, alone, to, now).map(Some)
}

fn taken_over(
    tx: &Tx<'_>,
    from: RunnerId,
    alone: bool,
    lease: LeaseId,
    now: i64,
) -> Result<TakenOver> {
    let records = tasks_under(tx, lease)?;
    let tasks = records.iter().filter_map(|record| leased(tx, record, now).transpose());
    Ok(TakenOver { from, alone, tasks: tasks.collect::<Result<_>>()? })
}
