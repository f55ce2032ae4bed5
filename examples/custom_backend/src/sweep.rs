//! What belongs nowhere, because somebody has removed rows by hand: active records without a place,
//! then places without a task.

use std::ops::Bound::{Excluded, Unbounded};

use taskstore_core::{
    Error, Result,
    backend::{Missing, Spot, Stray, Sweep, Swept, TaskOrder},
};

use crate::{
    claim::{leased, micros, unused},
    record::{LeaseRow, Record, Row, State},
    tx::Tx,
};

/// Of the looks at records, and of those at places: a [`Spot`] says where one ended.
const RECORDS: TaskOrder = TaskOrder::OldestFirst;
const PLACES: TaskOrder = TaskOrder::ClaimOrder;

pub fn sweep(tx: &mut Tx<'_>, request: &Sweep, now: i64) -> Result<Swept> {
    unused(tx, request.lease)?;
    let bad = |_| Error::invalid("cursor", "it does not come from a sweep");
    let first = Spot::start().cursor(RECORDS);
    let after = request.after.as_ref().unwrap_or(&first);
    let at_most = request.at_most.max(1) as usize;
    let mut swept = Swept::default();
    if let Ok(spot) = Spot::read(after, RECORDS) {
        let last = records(tx, request, &spot, at_most, now, &mut swept)?;
        swept.next =
            Some(last.map_or_else(|| Spot::start().cursor(PLACES), |at| at.cursor(RECORDS)));
        return Ok(swept);
    }
    let spot = Spot::read(after, PLACES).map_err(bad)?;
    let last = if spot.part == 0 {
        let last = ready(tx, &spot, at_most, &mut swept)?;
        Some(last.unwrap_or(Spot::later(i64::MIN, i64::MIN)))
    } else {
        later(tx, &spot, at_most, &mut swept)?
    };
    swept.next = last.map(|at| at.cursor(PLACES));
    Ok(swept)
}

/// Looks at active records; says where it stopped before the end.
fn records(
    tx: &mut Tx<'_>,
    request: &Sweep,
    from: &Spot,
    at_most: usize,
    now: i64,
    swept: &mut Swept,
) -> Result<Option<Spot>> {
    let [state, number, _] = from.by;
    let after = (u8::try_from(state).unwrap_or(0), number);
    let range = (Excluded(after), Excluded((State::Paused as u8, i64::MIN)));
    let rows = tx.state.first(range, at_most, |key, ()| key)?;
    for &(state, number) in &rows {
        let Some(was) = tx.record(number)? else {
            tx.state.remove((state, number))?;
            continue;
        };
        let missing = missing(tx, &was)?;
        if is_in_place(tx, &was)? && (missing.is_none() || was.state == State::Leased) {
            continue;
        }
        let lease = Some((request.lease, u32::try_from(swept.strays.len()).unwrap_or(u32::MAX)));
        let turn = was.turn + 1;
        let is = Record { state: State::Leased, lease, turn, updated_at: now, ..was.clone() };
        tx.put(&was, &is)?;
        swept.strays.extend(leased(tx, &is, now)?.map(|task| Stray { task, missing }));
    }
    if !swept.strays.is_empty() {
        let row = LeaseRow {
            runner: request.runner,
            lease_for: micros(request.lease_for),
            claimed_at: now,
            alone: false,
            made_of: None,
            from: None,
        };
        tx.lease.insert_json(request.lease.into(), &row)?;
    }
    let last = rows.last().filter(|_| rows.len() == at_most);
    Ok(last.map(|&(state, number)| Spot { by: [state.into(), number, 0], ..Spot::start() }))
}

fn is_in_place(tx: &Tx<'_>, record: &Record) -> Result<bool> {
    let number = record.number;
    match (record.state, record.lease) {
        (State::Ready, _) => tx.ready.has((&record.queue, record.priority, record.run_at, number)),
        (State::Later, _) => tx.later.has((record.run_at, number)),
        (State::Leased, Some((lease, position))) => {
            let held = tx.leased.get((lease.into(), position), |is| is == number)?;
            Ok(held == Some(true) && tx.lease.has(lease.into())?)
        }
        _ => Ok(false),
    }
}

fn missing(tx: &Tx<'_>, record: &Record) -> Result<Option<Missing>> {
    Ok(if !tx.parameters.has(record.number)? {
        Some(Missing::Parameters)
    } else if !tx.definition.has(record.definition.into())? {
        Some(Missing::Definition)
    } else {
        None
    })
}

/// Drops rows of ready that no task waits in.
fn ready(tx: &mut Tx<'_>, from: &Spot, at_most: usize, swept: &mut Swept) -> Result<Option<Spot>> {
    let (queue, [priority, run_at, number]) = from.after_ready();
    let priority = i16::try_from(priority).unwrap_or(i16::MIN);
    let range = (Excluded((queue, priority, run_at, number)), Unbounded);
    let rows =
        tx.ready.first(range, at_most, |(queue, priority, run_at, number), definition| {
            (queue.to_owned(), priority, run_at, number, definition)
        })?;
    for (queue, priority, run_at, number, definition) in &rows {
        let row = Row::Ready(queue, *priority, *run_at, *number, *definition);
        drop_if_stray(tx, &row, queue, State::Ready, *number, swept)?;
    }
    let last = rows.last().filter(|_| rows.len() == at_most);
    Ok(last.map(|(queue, priority, run_at, number, _)| {
        Spot::ready(queue.clone(), i64::from(*priority), *run_at, *number)
    }))
}

/// Drops rows of later that no task waits in.
fn later(tx: &mut Tx<'_>, from: &Spot, at_most: usize, swept: &mut Swept) -> Result<Option<Spot>> {
    let [run_at, number] = from.after_later();
    let range = (Excluded((run_at, number)), Unbounded);
    let rows = tx
        .later
        .first(range, at_most, |(run_at, number), queue| (run_at, number, queue.to_owned()))?;
    for (run_at, number, queue) in &rows {
        let row = Row::Later(*run_at, *number, queue);
        drop_if_stray(tx, &row, queue, State::Later, *number, swept)?;
    }
    let last = rows.last().filter(|_| rows.len() == at_most);
    Ok(last.map(|&(run_at, number, _)| Spot::later(run_at, number)))
}

fn drop_if_stray(
    tx: &mut Tx<'_>,
    row: &Row<'_>,
    queue: &str,
    state: State,
    number: i64,
    swept: &mut Swept,
) -> Result<()> {
    let record = tx.record(number)?;
    if record.as_ref().is_some_and(|record| record.rows().contains(row)) {
        return Ok(());
    }
    tx.remove(row)?;
    if record.is_none() {
        tx.remove(&Row::Count(queue, state as u8, false))?;
    }
    swept.dropped.push(format!("{state:?} of the task with number {number} in queue {queue}"));
    Ok(())
}
