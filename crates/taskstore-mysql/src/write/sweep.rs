//! What belongs nowhere, looked at once more under the locks and taken care of.

use std::collections::HashSet;

use taskstore_core::{
    Error, QueueName, Result,
    backend::{Missing, Stray, Sweep, Swept},
};
use taskstore_sql::{PlaceRow, Seen, Wrong};

use super::{
    claim::Definitions,
    lease::{LeaseRow, NewLease},
    place::{Place, Spot, find_places, ready_key},
    record::Record,
};
use crate::{
    convert::{LeasedRow, lease_id, leases_json, micros, no_definition, seqs_json},
    read::wrong_with,
    session::{Session, values},
    sql::Sql,
};

/// Drops rows that are nobody's, and leases tasks that are nowhere, where that is still so.
pub(crate) async fn sweep(
    session: &mut Session<'_>,
    request: &Sweep,
    found: &Seen,
) -> Result<Swept> {
    if LeaseRow::find(session, request.lease).await?.is_some() {
        return Err(Error::already_exists("lease", &request.lease));
    }
    let now = session.now(request.now).await?;
    let seqs = found.strays.iter().copied().chain(found.places.iter().map(|row| row.task));
    let seqs: Vec<i64> = seqs.collect();
    // All records first: nobody settles, moves or purges them any more.
    Record::lock_all(session, seqs.iter().copied()).await?;
    let mut swept = Swept { next: found.next.clone(), ..Swept::default() };
    for row in &found.places {
        if let Some(wrong) = wrong_with(session, row).await?
            && let Some(dropped) = drop_place(session, row, wrong).await?
        {
            swept.dropped.push(dropped);
        }
    }
    swept.strays = adopt(session, request, &seqs, now).await?;
    let orphans = session.all(Sql::SweepLists, Vec::new(), |row| lease_id(row.get(0)?)).await?;
    if !orphans.is_empty() {
        let list = leases_json(orphans.into_iter());
        session.execute(Sql::LeaseTasksDelete, values![list]).await?;
    }
    Ok(swept)
}

/// `None`: somebody was faster.
async fn drop_place(
    session: &mut Session<'_>,
    row: &PlaceRow,
    wrong: Wrong,
) -> Result<Option<String>> {
    let dropped = if row.ready {
        let key = ready_key(&row.queue, row.priority, row.run_at, row.task);
        session.execute(Sql::ReadyDelete, values![format!("[{key}]")]).await?
    } else {
        let key = values![format!("[[{},{}]]", row.run_at, row.task)];
        session.execute(Sql::LaterDelete, key).await?
    };
    Ok((dropped > 0).then(|| row.dropped(wrong)))
}

/// Leases those tasks that are active and in no place.
async fn adopt(
    session: &mut Session<'_>,
    request: &Sweep,
    seqs: &[i64],
    now: i64,
) -> Result<Vec<Stray>> {
    let list = seqs_json(seqs.iter().copied());
    if list == "[]" {
        return Ok(Vec::new());
    }
    let rows = session.all(Sql::SweepTask, values![list], LeasedRow::read).await?;
    let mut candidates = Vec::new();
    for row in rows {
        let Ok(queue) = QueueName::new(&row.queue) else {
            tracing::error!(task = %row.id, queue = row.queue, "it is in no place, and its queue cannot be one");
            continue;
        };
        let (task, definition) = (row.seq, row.definition);
        let (priority, run_at) = (row.priority, row.run_at);
        candidates.push((row, Spot { task, definition, queue, priority, run_at }));
    }
    let spots: Vec<_> = candidates.iter().map(|(_, spot)| spot).collect();
    let places = find_places(session, &spots).await?;
    // After the places: a claim that has taken one meanwhile has made its lease.
    let held = session.all(Sql::Holders, Vec::new(), |row| Ok((row.get(0)?, row.get(1)?)));
    let held: HashSet<(i64, i64)> = held.await?.into_iter().collect();
    let definitions = Definitions::read(session).await?;
    let mut pairs = Vec::new();
    let mut strays = Vec::new();
    for ((mut row, spot), place) in candidates.into_iter().zip(places) {
        if place != Place::Leased || held.contains(&(row.seq, row.turn)) {
            continue;
        }
        row.turn += 1;
        pairs.push((row.seq, row.turn));
        let definition = definitions.find(row.definition);
        let missing = match definition {
            _ if row.lacks_parameters => Some(Missing::Parameters),
            None => Some(Missing::Definition),
            Some(_) => None,
        };
        let definition = definition.unwrap_or_else(no_definition);
        let task = row.into_task(request.lease, definition, spot.queue, now)?;
        strays.push(Stray { task, missing });
    }
    if pairs.is_empty() {
        return Ok(strays);
    }
    let moved = seqs_json(pairs.iter().map(|(seq, _)| *seq));
    session.execute(Sql::Isolate, values![moved, now]).await?;
    let lease = NewLease {
        id: request.lease,
        owner: request.runner.to_string(),
        length: micros(request.lease_for),
        claimed_at: now,
        alone: false,
        taken_from: None,
        pairs,
    };
    NewLease::store_all(session, &[lease], now).await?;
    Ok(strays)
}
