//! What anyone may ask for, without a lease.

use std::collections::HashMap;

use taskstore_core::{
    QueueName, Result, Status, TaskId, UniqueHash,
    backend::{Control, Move, Outcome, When},
    clock,
};

use super::{
    enqueue::{take_keys, time_of},
    place::{Place, Spot, find_places},
    result::{Ending, list_aside, unlist_aside},
};
use crate::{
    convert::{hex, json_list, seqs_json, seqs_of, status, status_code, time},
    session::{Row, Session, values},
    sql::Sql,
};

/// Makes a move with each task, in the order of the request. All records are locked first, in their
/// order, and then the places of those that are active.
pub(crate) async fn control(session: &mut Session, request: &Control) -> Result<Vec<Outcome>> {
    let seqs = seqs_of(session, request.ids.iter().copied()).await?;
    if seqs.is_empty() {
        return Ok(vec![Outcome::Missing; request.ids.len()]);
    }
    let list = seqs_json(seqs.values().copied());
    let rows = session.all(Sql::ControlRead, values![list], Record::read).await?;
    let mut records: HashMap<i64, Record> = rows.into_iter().map(|row| (row.seq, row)).collect();
    let now = session.now(request.now).await?;
    place_all(session, &mut records).await?;
    let mut outcomes = Vec::with_capacity(request.ids.len());
    for id in &request.ids {
        let record = seqs.get(id).and_then(|seq| records.get_mut(seq)).filter(|row| !row.purged);
        outcomes.push(match record {
            None => Outcome::Missing,
            Some(record) => control_one(session, *id, record, request, now).await?,
        });
    }
    Ok(outcomes)
}

/// Where the active ones are. From here on they stay there until the end of the transaction.
async fn place_all(session: &mut Session, records: &mut HashMap<i64, Record>) -> Result<()> {
    let active = records.values().filter(|record| record.status == 0);
    let spots: Vec<_> = active.map(Record::spot).collect::<Result<_>>()?;
    let places = find_places(session, &spots.iter().collect::<Vec<_>>()).await?;
    for (spot, place) in spots.iter().zip(places) {
        if let Some(record) = records.get_mut(&spot.task) {
            record.place = Some(place);
        }
    }
    Ok(())
}

async fn control_one(
    session: &mut Session,
    id: TaskId,
    record: &mut Record,
    request: &Control,
    now: i64,
) -> Result<Outcome> {
    let wants_deleted = matches!(request.to, Move::Restore);
    let wants_any = matches!(request.to, Move::Purge { .. });
    if !wants_any && time(record.deleted_at).is_some() != wants_deleted {
        return Ok(Outcome::Missing);
    }
    let from = status(record.status, record.place != Some(Place::Leased))?;
    if !request.from.contains(&from) {
        return Ok(Outcome::Refused(from));
    }
    let spot = record.spot()?;
    let mut task = Subject { session, id, record, spot, from, now };
    match &request.to {
        Move::Cancel { reason } => task.cancel(Some(reason), false).await,
        Move::Delete => task.delete().await,
        Move::Restore => task.hide(0).await,
        Move::Purge { before } => task.purge(before.map(clock::to_micros)).await,
        Move::Pause => task.pause().await,
        Move::Resume => task.resume().await,
        Move::Requeue { parameters } => task.requeue(parameters.as_deref().map(|p| p.get())).await,
        Move::Reschedule { when, priority, queue } => {
            task.reschedule(*when, *priority, queue.as_ref()).await
        }
    }
}

/// The record as `control_read` reads it, and where it is; kept up to date, for an id may be named
/// twice.
struct Record {
    seq: i64,
    queue: String,
    priority: i64,
    run_at: i64,
    status: i64,
    definition: i64,
    key: Option<Vec<u8>>,
    deleted_at: i64,
    turn: i64,
    completed_at: i64,
    place: Option<Place>,
    purged: bool,
}

impl Record {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            queue: row.get(2)?,
            priority: row.get(3)?,
            run_at: row.get(4)?,
            status: row.get(5)?,
            definition: row.get(6)?,
            key: row.get(7)?,
            deleted_at: row.get(8)?,
            turn: row.get(9)?,
            completed_at: row.get(10)?,
            place: None,
            purged: false,
        })
    }

    fn spot(&self) -> Result<Spot> {
        Ok(Spot {
            task: self.seq,
            definition: self.definition,
            queue: QueueName::new(&self.queue)?,
            priority: self.priority,
            run_at: self.run_at,
        })
    }

    fn unique(&self) -> Option<UniqueHash> {
        self.key.clone()?.try_into().ok().map(UniqueHash)
    }
}

/// A task that the lifecycle allows the move for.
struct Subject<'a> {
    session: &'a mut Session,
    id: TaskId,
    record: &'a mut Record,
    spot: Spot,
    from: Status,
    now: i64,
}

impl Subject<'_> {
    const fn moved(&self, to: Status) -> Outcome {
        Outcome::Moved { from: self.from, to }
    }

    /// Takes it from wherever it waits or is listed.
    async fn leave(&mut self) -> Result<()> {
        match self.record.place {
            Some(Place::Later | Place::Ready) => self.spot.unplace(self.session).await,
            _ => unlist_aside(self.session, self.from, self.record.seq).await,
        }
    }

    /// It is no more among those that have ended.
    async fn unlist_ended(&mut self) -> Result<()> {
        let record = &*self.record;
        let key = values![record.status, record.completed_at, record.seq];
        self.session.execute(Sql::EndedDelete, key).await.map(drop)
    }

    async fn set_status(&mut self, to: Status, delete: bool) -> Result<()> {
        let (code, now) = (status_code(to), self.now);
        let row = values![code, code, code, now, delete, now, now, self.record.seq];
        self.session.execute(Sql::ControlStatus, row).await?;
        if delete {
            self.trash().await?;
        }
        self.record.status = code;
        self.record.turn += 1;
        self.record.place = None;
        Ok(())
    }

    /// Notes that it is in the trash since now.
    async fn trash(&mut self) -> Result<()> {
        self.record.deleted_at = self.now;
        self.session.execute(Sql::DeletedInsert, values![self.now, self.record.seq]).await.map(drop)
    }

    async fn free_key(&mut self) -> Result<()> {
        let Some(key) = &self.record.key else { return Ok(()) };
        let list = json_list([format!("[\"{}\",\"{}\"]", hex(key), self.id)].into_iter());
        self.session.execute(Sql::UniqueDelete, values![list]).await.map(drop)
    }

    async fn cancel(&mut self, reason: Option<&str>, delete: bool) -> Result<Outcome> {
        let (task, now) = (self.record.seq, self.now);
        if self.from == Status::Running {
            let row = values![now, delete, now, now, task];
            self.session.execute(Sql::ControlRequest, row).await?;
            let id = self.id.to_string();
            self.session.execute(Sql::CancelInsert, values![task, id]).await?;
            if delete {
                self.trash().await?;
            }
            return Ok(Outcome::Requested);
        }
        let turn = self.record.turn;
        self.leave().await?;
        self.set_status(Status::Canceled, delete).await?;
        self.record.completed_at = now;
        self.free_key().await?;
        list_aside(self.session, Status::Canceled, task).await?;
        let ended = values![status_code(Status::Canceled), now, task];
        self.session.execute(Sql::EndedInsert, ended).await?;
        if let Some(reason) = reason {
            let ending = Ending {
                task,
                turn,
                status: Status::Canceled,
                began: now,
                ended: now,
                owner: None,
                output: None,
                error: Some(reason),
            };
            self.session.execute(Sql::ResultInsert, ending.row()).await?;
        }
        Ok(self.moved(Status::Canceled))
    }

    async fn delete(&mut self) -> Result<Outcome> {
        if self.from.has_ended() {
            return self.hide(self.now).await;
        }
        self.cancel(None, true).await
    }

    /// Hides it, or with 0 shows it again.
    async fn hide(&mut self, at: i64) -> Result<Outcome> {
        let task = self.record.seq;
        self.session.execute(Sql::ControlHide, values![at, self.now, task]).await?;
        if time(at).is_some() {
            self.trash().await?;
        } else {
            self.untrash().await?;
        }
        Ok(self.moved(self.from))
    }

    async fn untrash(&mut self) -> Result<()> {
        if let Some(at) = time(self.record.deleted_at) {
            self.session.execute(Sql::DeletedDelete, values![at, self.record.seq]).await?;
        }
        self.record.deleted_at = 0;
        Ok(())
    }

    /// Removes every row of it. Its lease's list may keep a pair that matches no record any more.
    async fn purge(&mut self, before: Option<i64>) -> Result<Outcome> {
        let over_since = self.record.completed_at.max(self.record.deleted_at);
        if before.is_some_and(|before| time(over_since).is_none_or(|at| at >= before)) {
            return Ok(Outcome::Refused(self.from));
        }
        let task = self.record.seq;
        unlist_aside(self.session, self.from, task).await?;
        self.unlist_ended().await?;
        self.untrash().await?;
        self.free_key().await?;
        for rows in [Sql::PurgeLog, Sql::PurgeResults, Sql::PurgePayload, Sql::PurgeRecord] {
            self.session.execute(rows, values![task]).await?;
        }
        self.record.purged = true;
        Ok(self.moved(self.from))
    }

    async fn pause(&mut self) -> Result<Outcome> {
        self.leave().await?;
        self.set_status(Status::Paused, false).await?;
        list_aside(self.session, Status::Paused, self.record.seq).await?;
        Ok(self.moved(Status::Paused))
    }

    async fn resume(&mut self) -> Result<Outcome> {
        self.leave().await?;
        self.set_status(Status::Queued, false).await?;
        self.place().await?;
        Ok(self.moved(Status::Queued))
    }

    /// Puts it where its time says.
    async fn place(&mut self) -> Result<()> {
        self.spot.place(self.session, self.now).await?;
        let due = self.spot.run_at <= self.now;
        self.record.place = Some(if due { Place::Ready } else { Place::Later });
        Ok(())
    }

    async fn requeue(&mut self, parameters: Option<&str>) -> Result<Outcome> {
        let definition = values![self.spot.definition];
        let status =
            self.session.first(Sql::DefinitionForRequeue, definition, |row| row.get::<i64>(0));
        if status.await?.is_none_or(|status| status == 2) {
            return Ok(Outcome::Refused(self.from));
        }
        if let Some(key) = self.record.unique() {
            let holders = take_keys(self.session, &[(key, self.id)]).await?;
            if let Some(&holder) = holders.get(&key)
                && holder != self.id
            {
                return Ok(Outcome::KeyHeldBy(holder));
            }
        }
        let (task, now) = (self.record.seq, self.now);
        self.leave().await?;
        self.unlist_ended().await?;
        self.session.execute(Sql::ControlRequeue, values![now, now, task]).await?;
        self.session.execute(Sql::PayloadLasts, values![task]).await?;
        if let Some(parameters) = parameters {
            self.session.execute(Sql::PayloadUpdate, values![parameters, task]).await?;
        }
        let outcome = self.moved(Status::Queued);
        self.spot.run_at = now;
        self.spot.place_ready(self.session).await?;
        let record = &mut *self.record;
        (record.status, record.run_at, record.completed_at) = (0, now, 0);
        (record.turn, record.place) = (record.turn + 1, Some(Place::Ready));
        Ok(outcome)
    }

    async fn reschedule(
        &mut self,
        when: Option<When>,
        priority: Option<i16>,
        queue: Option<&QueueName>,
    ) -> Result<Outcome> {
        let waits = matches!(self.record.place, Some(Place::Later | Place::Ready));
        if waits {
            self.spot.unplace(self.session).await?;
        }
        let spot = &mut self.spot;
        spot.run_at = when.map_or(spot.run_at, |when| time_of(when, self.now));
        spot.priority = priority.map_or(spot.priority, i64::from);
        if let Some(queue) = queue {
            spot.queue = queue.clone();
        }
        let row = values![spot.queue.as_str(), spot.priority, spot.run_at, self.now, spot.task];
        let record = &mut *self.record;
        (record.priority, record.run_at) = (spot.priority, spot.run_at);
        spot.queue.as_str().clone_into(&mut record.queue);
        if record.place == Some(Place::Ready) && when.is_none() {
            self.spot.place_ready(self.session).await?;
        } else if waits {
            self.place().await?;
        }
        self.session.execute(Sql::ControlReschedule, row).await?;
        Ok(self.moved(self.from))
    }
}
