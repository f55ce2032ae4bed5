//! What anyone may ask for, without a lease.
//!
//! All records are locked first, in their order, and then the places of those that are active. The
//! moves are made in memory, and what they have changed is written at the end, a statement for each
//! table.

use std::collections::{BTreeMap, HashMap};

use taskstore_core::{
    QueueName, Result, Status, TaskId, UniqueHash,
    backend::{Control, Move, Outcome, When},
    clock,
};

use super::{
    changes::Changes,
    enqueue::{take_keys, time_of},
    place::{Place, Spot, find_places},
    result::Ending,
};
use crate::{
    convert::{seqs_json, seqs_of, status, status_code, time},
    session::{Row, Session, values},
    sql::Sql,
};

/// Makes a move with each task, in the order of the request.
pub(crate) async fn control(session: &mut Session<'_>, request: &Control) -> Result<Vec<Outcome>> {
    let seqs = seqs_of(session, request.ids.iter().copied()).await?;
    if seqs.is_empty() {
        return Ok(vec![Outcome::Missing; request.ids.len()]);
    }
    let list = seqs_json(seqs.values().copied());
    let rows = session.all(Sql::ControlRead, values![list], Record::read).await?;
    let mut records: BTreeMap<i64, Record> = rows.into_iter().map(|row| (row.seq, row)).collect();
    let now = session.now(request.now).await?;
    place_all(session, &mut records).await?;
    let mut changes = Changes::default();
    let mut gone = HashMap::new();
    let mut outcomes = Vec::with_capacity(request.ids.len());
    for id in &request.ids {
        let record = seqs.get(id).and_then(|seq| records.get_mut(seq)).filter(|row| !row.purged);
        outcomes.push(match record {
            None => Outcome::Missing,
            Some(record) => {
                let mut subject =
                    Subject { session, record, changes: &mut changes, gone: &mut gone, now };
                subject.make(request).await?
            }
        });
    }
    changes.store(session, records.values(), now).await?;
    Ok(outcomes)
}

/// Where the active ones are. From here on they stay there until the end of the transaction.
async fn place_all(session: &mut Session<'_>, records: &mut BTreeMap<i64, Record>) -> Result<()> {
    let active = records.values().filter(|record| record.now.status == 0);
    let spots: Vec<_> = active.map(Record::spot).collect::<Result<_>>()?;
    let places = find_places(session, &spots.iter().collect::<Vec<_>>()).await?;
    for (spot, place) in spots.iter().zip(places) {
        if let Some(record) = records.get_mut(&spot.task) {
            record.before.place = Some(place);
            record.now.place = Some(place);
        }
    }
    Ok(())
}

/// A record, as `control_read` has read it, and as it is to be.
pub(crate) struct Record {
    pub(crate) seq: i64,
    pub(crate) id: TaskId,
    pub(crate) definition: i64,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) before: State,
    pub(crate) now: State,
    pub(crate) purged: bool,
}

/// What moves change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) queue: String,
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
    pub(crate) status: i64,
    pub(crate) turn: i64,
    pub(crate) attempts: i64,
    pub(crate) suspect: bool,
    pub(crate) completed_at: i64,
    pub(crate) deleted_at: i64,
    pub(crate) cancel_at: i64,
    /// Where it is, if it is active.
    pub(crate) place: Option<Place>,
    /// It begins anew: what it has said of its progress is void.
    pub(crate) fresh: bool,
    /// A move was made, even if it changed nothing but the time of the last change.
    pub(crate) touched: bool,
}

impl Record {
    fn read(row: &Row) -> Result<Self> {
        let state = State {
            queue: row.get(4)?,
            priority: row.get(5)?,
            run_at: row.get(6)?,
            status: row.get(7)?,
            turn: row.get(8)?,
            attempts: row.get(9)?,
            suspect: row.get(10)?,
            completed_at: row.get(11)?,
            deleted_at: row.get(12)?,
            cancel_at: row.get(13)?,
            place: None,
            fresh: false,
            touched: false,
        };
        Ok(Self {
            seq: row.get(0)?,
            id: row.get::<String>(1)?.parse()?,
            definition: row.get(2)?,
            key: row.get(3)?,
            before: state.clone(),
            now: state,
            purged: false,
        })
    }

    /// Where it waits, or would.
    pub(crate) fn spot(&self) -> Result<Spot> {
        Ok(Spot {
            task: self.seq,
            definition: self.definition,
            queue: QueueName::new(&self.now.queue)?,
            priority: self.now.priority,
            run_at: self.now.run_at,
        })
    }

    fn unique(&self) -> Option<UniqueHash> {
        self.key.clone()?.try_into().ok().map(UniqueHash)
    }
}

/// A task to make a move with.
struct Subject<'a, 'c> {
    session: &'a mut Session<'c>,
    record: &'a mut Record,
    changes: &'a mut Changes,
    /// Whether a definition was deleted for good, as far as it was asked.
    gone: &'a mut HashMap<i64, bool>,
    now: i64,
}

impl Subject<'_, '_> {
    async fn make(&mut self, request: &Control) -> Result<Outcome> {
        let now = &self.record.now;
        let wants_deleted = matches!(request.to, Move::Restore);
        let wants_any = matches!(request.to, Move::Purge { .. });
        if !wants_any && time(now.deleted_at).is_some() != wants_deleted {
            return Ok(Outcome::Missing);
        }
        let from = status(now.status, now.place != Some(Place::Leased))?;
        if !request.from.contains(&from) {
            return Ok(Outcome::Refused(from));
        }
        let to = match &request.to {
            Move::Cancel { reason } => return Ok(self.cancel(from, Some(reason))),
            Move::Delete => return Ok(self.delete(from)),
            Move::Restore => {
                self.record.now.deleted_at = 0;
                from
            }
            Move::Purge { before } => {
                if !self.purge(before.map(clock::to_micros)) {
                    return Ok(Outcome::Refused(from));
                }
                from
            }
            Move::Pause => self.end_as(Status::Paused, None),
            Move::Resume => self.resume(),
            Move::Requeue { parameters } => {
                match self.requeue(from, parameters.as_deref().map(|p| p.get())).await? {
                    None => Status::Queued,
                    Some(refused) => return Ok(refused),
                }
            }
            Move::Reschedule { when, priority, queue } => {
                self.reschedule(*when, *priority, queue.as_ref());
                from
            }
        };
        self.record.now.touched = true;
        Ok(Outcome::Moved { from, to })
    }

    /// It waits no more, and the turn fences whoever held it.
    fn end_as(&mut self, to: Status, place: Option<Place>) -> Status {
        let now = &mut self.record.now;
        now.status = status_code(to).into();
        now.turn += 1;
        now.place = place;
        to
    }

    fn cancel(&mut self, from: Status, reason: Option<&str>) -> Outcome {
        let state = &mut self.record.now;
        state.touched = true;
        if from == Status::Running {
            // The turn stays, so that its holder, who hears of it with the next beat, can settle it.
            state.cancel_at = time(state.cancel_at).unwrap_or(self.now);
            return Outcome::Requested;
        }
        let turn = state.turn;
        // What has ended is not suspect.
        state.suspect = false;
        state.completed_at = self.now;
        let to = self.end_as(Status::Canceled, None);
        if let Some(reason) = reason {
            let ending = Ending {
                task: self.record.seq,
                turn,
                status: to,
                began: self.now,
                ended: self.now,
                owner: None,
                output: None,
                error: Some(reason),
            };
            self.changes.results.push(ending.row());
        }
        Outcome::Moved { from, to }
    }

    fn delete(&mut self, from: Status) -> Outcome {
        self.record.now.deleted_at = self.now;
        if from.has_ended() {
            self.record.now.touched = true;
            return Outcome::Moved { from, to: from };
        }
        self.cancel(from, None)
    }

    /// Removes every row of it, if it is old enough. Its lease's list may keep a pair that matches no
    /// record any more.
    fn purge(&mut self, before: Option<i64>) -> bool {
        let now = &self.record.now;
        let over_since = now.completed_at.max(now.deleted_at);
        let too_young = before.is_some_and(|before| time(over_since).is_none_or(|at| at >= before));
        self.record.purged = !too_young;
        !too_young
    }

    fn resume(&mut self) -> Status {
        let place = self.due_place();
        self.end_as(Status::Queued, Some(place))
    }

    const fn due_place(&self) -> Place {
        if self.record.now.run_at <= self.now { Place::Ready } else { Place::Later }
    }

    /// As if it were new, under the same id. Why it cannot be, if so.
    async fn requeue(&mut self, from: Status, parameters: Option<&str>) -> Result<Option<Outcome>> {
        if self.is_gone().await? {
            return Ok(Some(Outcome::Refused(from)));
        }
        let (id, task) = (self.record.id, self.record.seq);
        if let Some(key) = self.record.unique() {
            let holders = take_keys(self.session, &[(key, id)]).await?;
            if let Some(&holder) = holders.get(&key)
                && holder != id
            {
                return Ok(Some(Outcome::KeyHeldBy(holder)));
            }
        }
        if let Some(parameters) = parameters {
            self.session.execute(Sql::PayloadUpdate, values![parameters, task]).await?;
        }
        self.end_as(Status::Queued, Some(Place::Ready));
        let now = &mut self.record.now;
        (now.attempts, now.suspect, now.fresh) = (0, false, true);
        (now.run_at, now.completed_at) = (self.now, 0);
        Ok(None)
    }

    /// Whether its definition was deleted for good. If not, it stays so until the end of the
    /// transaction.
    async fn is_gone(&mut self) -> Result<bool> {
        let definition = self.record.definition;
        if let Some(&gone) = self.gone.get(&definition) {
            return Ok(gone);
        }
        let read = |row: &Row| row.get::<i64>(0);
        let status =
            self.session.first(Sql::DefinitionForRequeue, values![definition], read).await?;
        let gone = status.is_none_or(|status| status == 2);
        self.gone.insert(definition, gone);
        Ok(gone)
    }

    fn reschedule(&mut self, when: Option<When>, priority: Option<i16>, queue: Option<&QueueName>) {
        let now = &mut self.record.now;
        if let Some(when) = when {
            now.run_at = time_of(when, self.now);
        }
        now.priority = priority.map_or(now.priority, i64::from);
        if let Some(queue) = queue {
            queue.as_str().clone_into(&mut now.queue);
        }
        let stays_ready = now.place == Some(Place::Ready) && when.is_none();
        if matches!(now.place, Some(Place::Later | Place::Ready)) && !stays_ready {
            self.record.now.place = Some(self.due_place());
        }
    }
}
