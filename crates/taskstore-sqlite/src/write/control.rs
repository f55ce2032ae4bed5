//! What anyone may ask for, without a lease.

use taskstore_core::{
    QueueName, Result, Status, TaskId,
    backend::{Control, Move, Outcome, When},
    clock,
};

use super::{
    enqueue::{holder_of, time_of},
    place::{Place, Spot},
    result::{Ending, list_aside, unlist_aside},
    settle::unique,
};
use crate::{
    convert::{status, status_code},
    session::Session,
    sql::Sql,
};

/// Makes a move with each task, in the order of the request.
pub(crate) fn control(session: &Session<'_>, request: &Control, now: i64) -> Result<Vec<Outcome>> {
    request.ids.iter().map(|&id| control_one(session, id, request, now)).collect()
}

fn control_one(session: &Session<'_>, id: TaskId, request: &Control, now: i64) -> Result<Outcome> {
    let wants_deleted = matches!(request.to, Move::Restore);
    let wants_any = matches!(request.to, Move::Purge { .. });
    let found = session.statements.first(Sql::ControlRead, [id.to_string()], Row::read)?;
    let Some(row) = found.filter(|row| wants_any || row.deleted_at.is_some() == wants_deleted)
    else {
        return Ok(Outcome::Missing);
    };
    let spot = Spot {
        task: row.seq,
        definition: row.definition,
        queue: QueueName::new(&row.queue)?,
        priority: row.priority,
        run_at: row.run_at,
    };
    // One lock serves the file: what is seen here is so until the end of the transaction.
    let place = if row.status == 0 { Some(spot.find(session)?) } else { None };
    let from = status(row.status, place != Some(Place::Leased))?;
    if !request.from.contains(&from) {
        return Ok(Outcome::Refused(from));
    }
    let task = Subject { session, row, spot, place, from, now };
    match &request.to {
        Move::Cancel { reason } => task.cancel(Some(reason), false),
        Move::Delete => task.delete(),
        Move::Restore => task.hide(None),
        Move::Purge { before } => task.purge(before.map(clock::to_micros)),
        Move::Pause => task.pause(),
        Move::Resume => task.resume(),
        Move::Requeue { parameters } => task.requeue(parameters.as_deref().map(|p| p.get())),
        Move::Reschedule { when, priority, queue } => {
            task.reschedule(*when, *priority, queue.as_ref())
        }
    }
}

/// The record as `control_read` reads it.
struct Row {
    seq: i64,
    queue: String,
    priority: i64,
    run_at: i64,
    status: i64,
    definition: i64,
    key: Option<[u8; 32]>,
    deleted_at: Option<i64>,
    turn: i64,
    completed_at: Option<i64>,
}

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            queue: row.get(1)?,
            priority: row.get(2)?,
            run_at: row.get(3)?,
            status: row.get(4)?,
            definition: row.get(5)?,
            key: row.get(6)?,
            deleted_at: row.get(7)?,
            turn: row.get(8)?,
            completed_at: row.get(9)?,
        })
    }
}

/// A task that the lifecycle allows the move for.
struct Subject<'a, 'c> {
    session: &'a Session<'c>,
    row: Row,
    spot: Spot,
    /// Where it is, if it is active.
    place: Option<Place>,
    from: Status,
    now: i64,
}

impl Subject<'_, '_> {
    const fn moved(&self, to: Status) -> Outcome {
        Outcome::Moved { from: self.from, to }
    }

    /// Takes it from wherever it waits or is listed.
    fn leave(&self) -> Result<()> {
        match self.place {
            Some(Place::Later | Place::Ready) => self.spot.unplace(self.session),
            _ => unlist_aside(self.session, self.from, self.row.seq),
        }
    }

    fn set_status(&self, to: Status, delete: bool) -> Result<()> {
        let row = (self.row.seq, status_code(to), self.now, delete);
        self.session.execute(Sql::ControlStatus, row).map(drop)
    }

    fn cancel(&self, reason: Option<&str>, delete: bool) -> Result<Outcome> {
        if self.from == Status::Running {
            let row = (self.row.seq, self.now, delete);
            self.session.execute(Sql::ControlRequest, row)?;
            return Ok(Outcome::Requested);
        }
        self.leave()?;
        self.set_status(Status::Canceled, delete)?;
        if let Some(key) = self.row.key {
            self.session.execute(Sql::UniqueDelete, (key, self.row.seq))?;
        }
        list_aside(self.session, Status::Canceled, self.row.seq)?;
        if let Some(reason) = reason {
            let ending = Ending {
                task: self.row.seq,
                turn: self.row.turn,
                status: Status::Canceled,
                began: self.now,
                ended: self.now,
                owner: None,
                output: None,
                error: Some(reason),
            };
            ending.store(self.session)?;
        }
        Ok(self.moved(Status::Canceled))
    }

    fn delete(&self) -> Result<Outcome> {
        if self.from.has_ended() {
            return self.hide(Some(self.now));
        }
        self.cancel(None, true)
    }

    /// Hides it, or shows it again.
    fn hide(&self, at: Option<i64>) -> Result<Outcome> {
        self.session.execute(Sql::ControlHide, (self.row.seq, at, self.now))?;
        Ok(self.moved(self.from))
    }

    /// Removes every row of it. Its lease's list may keep a pair that matches no record any more.
    fn purge(&self, before: Option<i64>) -> Result<Outcome> {
        let over_since = self.row.completed_at.max(self.row.deleted_at);
        if before.is_some_and(|before| over_since.is_none_or(|at| at >= before)) {
            return Ok(Outcome::Refused(self.from));
        }
        let task = self.row.seq;
        unlist_aside(self.session, self.from, task)?;
        if let Some(key) = self.row.key {
            self.session.execute(Sql::UniqueDelete, (key, task))?;
        }
        for rows in [Sql::PurgeLog, Sql::PurgeResults, Sql::PurgePayload, Sql::PurgeRecord] {
            self.session.execute(rows, [task])?;
        }
        Ok(self.moved(self.from))
    }

    fn pause(&self) -> Result<Outcome> {
        self.leave()?;
        self.set_status(Status::Paused, false)?;
        list_aside(self.session, Status::Paused, self.row.seq)?;
        Ok(self.moved(Status::Paused))
    }

    fn resume(&self) -> Result<Outcome> {
        self.leave()?;
        self.set_status(Status::Queued, false)?;
        self.spot.place(self.session, self.now)?;
        Ok(self.moved(Status::Queued))
    }

    fn requeue(self, parameters: Option<&str>) -> Result<Outcome> {
        if self.session.definitions(|known| known.is_gone(self.spot.definition))? {
            return Ok(Outcome::Refused(self.from));
        }
        if let Some(key) = self.row.key
            && self.session.execute(Sql::UniqueInsert, (key, self.row.seq))? == 0
            && let Some(holder) = holder_of(self.session, unique(key))?
        {
            return Ok(Outcome::KeyHeldBy(holder));
        }
        self.leave()?;
        self.session.execute(Sql::ControlRequeue, (self.row.seq, self.now))?;
        self.session.execute(Sql::PayloadLasts, [self.row.seq])?;
        if let Some(parameters) = parameters {
            self.session.execute(Sql::PayloadUpdate, (self.row.seq, parameters))?;
        }
        let outcome = self.moved(Status::Queued);
        Spot { run_at: self.now, ..self.spot }.place_ready(self.session)?;
        Ok(outcome)
    }

    fn reschedule(
        &self,
        when: Option<When>,
        priority: Option<i16>,
        queue: Option<&QueueName>,
    ) -> Result<Outcome> {
        let run_at = when.map_or(self.spot.run_at, |when| time_of(when, self.now));
        let spot = Spot {
            queue: queue.unwrap_or(&self.spot.queue).clone(),
            priority: priority.map_or(self.spot.priority, i64::from),
            run_at,
            ..self.spot
        };
        let row = (spot.task, spot.queue.as_str(), spot.priority, run_at, self.now);
        match self.place {
            Some(Place::Ready) if when.is_none() => {
                self.spot.unplace(self.session)?;
                spot.place_ready(self.session)?;
            }
            Some(Place::Later | Place::Ready) => {
                self.spot.unplace(self.session)?;
                spot.place(self.session, self.now)?;
            }
            _ => {}
        }
        self.session.execute(Sql::ControlReschedule, row)?;
        Ok(self.moved(self.from))
    }
}
