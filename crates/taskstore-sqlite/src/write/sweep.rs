//! What belongs nowhere, looked at once more under the lock and taken care of.

use taskstore_core::{
    Error, QueueName, Result,
    backend::{Missing, Stray, Sweep, Swept},
};
use taskstore_sql::{PlaceRow, Seen, Wrong};

use super::{
    lease::{LeaseRow, NewLease},
    place::{Place, Spot},
};
use crate::{
    convert::{LeasedRow, micros, no_definition},
    read::wrong_with,
    session::Session,
    sql::Sql,
};

/// Drops rows that are nobody's, and leases tasks that are nowhere, where that is still so.
pub(crate) fn sweep(
    session: &Session<'_>,
    request: &Sweep,
    found: &Seen,
    now: i64,
) -> Result<Swept> {
    if LeaseRow::find(session, request.lease)?.is_some() {
        return Err(Error::already_exists("lease", &request.lease));
    }
    session.execute(Sql::LeaseListsPrune, [])?;
    let mut swept = Swept { next: found.next.clone(), ..Swept::default() };
    let mut seqs = found.strays.clone();
    for row in &found.places {
        if let Some(wrong) = wrong_with(&session.statements, row)? {
            swept.dropped.push(drop_place(session, row, wrong)?);
            seqs.push(row.task);
        }
    }
    let mut adopting = Adopting { session, request, pairs: Vec::new(), strays: Vec::new(), now };
    for seq in seqs {
        adopting.adopt(seq)?;
    }
    let lease = NewLease {
        id: request.lease,
        owner: request.runner.to_string(),
        length: micros(request.lease_for),
        claimed_at: now,
        alone: false,
        taken_from: None,
    };
    lease.store(session, &adopting.pairs, now)?;
    swept.strays = adopting.strays;
    Ok(swept)
}

fn drop_place(session: &Session<'_>, row: &PlaceRow, wrong: Wrong) -> Result<String> {
    if row.ready {
        let key = (row.queue.as_str(), row.priority, row.run_at, row.task);
        session.execute(Sql::ReadyDelete, key)?;
    } else {
        session.execute(Sql::LaterDelete, (row.run_at, row.task))?;
    }
    Ok(row.dropped(wrong))
}

struct Adopting<'a, 'c> {
    session: &'a Session<'c>,
    request: &'a Sweep,
    pairs: Vec<(i64, i64)>,
    strays: Vec<Stray>,
    now: i64,
}

impl Adopting<'_, '_> {
    /// Leases the task, if it is active and in no place.
    fn adopt(&mut self, seq: i64) -> Result<()> {
        let read = |row: &rusqlite::Row<'_>| LeasedRow::read_damaged(row);
        let Some(task) = self.session.statements.first(Sql::SweepTask, [seq], read)? else {
            return Ok(());
        };
        let (mut row, queue, has_parameters) = task;
        let Ok(queue) = QueueName::new(&queue) else {
            tracing::error!(task = %row.id, queue, "it is in no place, and its queue cannot be one");
            return Ok(());
        };
        let spot = Spot {
            task: seq,
            definition: row.definition,
            queue: queue.clone(),
            priority: row.priority,
            run_at: row.run_at,
        };
        let waits = spot.find(self.session)? != Place::Leased;
        let is_held = || self.session.statements.finds(Sql::TaskHolder, (seq, row.turn));
        let adopted = self.pairs.iter().any(|&(pair, _)| pair == seq);
        if waits || adopted || is_held()? {
            return Ok(());
        }
        let id = row.id.clone();
        if self.session.execute(Sql::Isolate, (seq, row.turn, self.now, id))? == 0 {
            return Ok(());
        }
        row.turn += 1;
        self.pairs.push((seq, row.turn));
        let definition = self.session.definitions(|known| Ok(known.find(row.definition)))?;
        let missing = match definition {
            _ if !has_parameters => Some(Missing::Parameters),
            None => Some(Missing::Definition),
            Some(_) => None,
        };
        let definition = definition.unwrap_or_else(no_definition);
        let task = row.into_task(self.request.lease, definition, queue, self.now)?;
        self.session.remember(task.lease, seq);
        self.strays.push(Stray { task, missing });
        Ok(())
    }
}
