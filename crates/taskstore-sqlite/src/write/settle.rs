//! Attempts on their way out.

use std::collections::HashMap;

use taskstore_core::{
    LeaseId, QueueName, Result, Status, UniqueHash,
    backend::{AttemptIs, Fate, Lease, Requeue, Settlement, Transition},
    within::Completed,
};

use super::{
    lease::LeaseRow,
    place::{Place, Spot},
    result::{Ending, list_aside, store_log},
};
use crate::{
    convert::{later, lease_key, micros, progress_columns, status, status_code},
    session::Session,
    sql::Sql,
};

/// Ends attempts, in the order of the request, and counts their leases down.
pub(crate) fn settle(
    session: &Session<'_>,
    settlements: &[Settlement],
    now: i64,
) -> Result<Vec<Fate>> {
    let mut leases: HashMap<LeaseId, Batch> = HashMap::new();
    let mut fates = Vec::with_capacity(settlements.len());
    for settlement in settlements {
        let id = settlement.lease.batch;
        let batch = match leases.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(Batch { row: LeaseRow::find(session, id)?, settled: 0 })
            }
        };
        let step = Step { session, settlement, now };
        let (fate, first_time) = match &batch.row {
            Some(row) => step.settle_under(row)?,
            None => (step.sent_again()?, false),
        };
        batch.settled += i64::from(first_time);
        fates.push(fate);
    }
    for (id, batch) in leases {
        if let Some(row) = batch.row
            && batch.settled > 0
        {
            row.count_down(session, id, batch.settled)?;
        }
    }
    Ok(fates)
}

/// Ends one attempt, if nobody has ended it under this lease before: its holder may have done so, and
/// not know.
pub(crate) fn complete(
    session: &Session<'_>,
    settlement: &Settlement,
    now: i64,
) -> Result<Completed> {
    let id = settlement.lease.batch;
    let step = Step { session, settlement, now };
    let row = LeaseRow::find(session, id)?;
    let (fate, first_time) = match &row {
        Some(row) => step.settle_under(row)?,
        None => (step.sent_again()?, false),
    };
    match (fate, row) {
        (Fate::Applied { .. }, Some(row)) if first_time => {
            row.count_down(session, id, 1)?;
            Ok(Completed::Now)
        }
        (Fate::Applied { status }, _) => Ok(Completed::Before(status)),
        (Fate::Lost, _) => Ok(Completed::Lost),
    }
}

/// A lease of the request.
struct Batch {
    row: Option<LeaseRow>,
    /// Settled here for the first time; never those sent again.
    settled: i64,
}

/// One settlement at work.
struct Step<'a, 'c> {
    session: &'a Session<'c>,
    settlement: &'a Settlement,
    now: i64,
}

/// The record as `settle_read` reads it.
struct Record {
    turn: i64,
    status: i64,
    key: Option<[u8; 32]>,
    yields: bool,
    last_lease: Option<[u8; 16]>,
    queue: String,
    priority: i64,
    run_at: i64,
    definition: i64,
    id: String,
}

impl Record {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            turn: row.get(0)?,
            status: row.get(1)?,
            key: row.get(2)?,
            yields: row.get(3)?,
            last_lease: row.get(4)?,
            queue: row.get(5)?,
            priority: row.get(6)?,
            run_at: row.get(7)?,
            definition: row.get(8)?,
            id: row.get(9)?,
        })
    }

    /// Where it waits at that time.
    fn spot(&self, task: i64, run_at: i64) -> Result<Spot> {
        Ok(Spot {
            task,
            definition: self.definition,
            queue: QueueName::new(&self.queue)?,
            priority: self.priority,
            run_at,
        })
    }
}

/// What the transition asks for.
#[derive(Clone, Copy)]
struct Asked<'a> {
    status: Status,
    attempts: i64,
    suspect: bool,
    back: Option<Requeue>,
    output: Option<&'a str>,
    error: Option<&'a str>,
}

impl<'a> Asked<'a> {
    const fn ended(status: Status, output: Option<&'a str>, error: Option<&'a str>) -> Self {
        Self { status, attempts: 1, suspect: false, back: None, output, error }
    }

    fn of(transition: &'a Transition) -> Self {
        match transition {
            Transition::Success { output } => {
                Self::ended(Status::Success, output.as_deref().map(|output| output.get()), None)
            }
            Transition::Failed { error } => Self::ended(Status::Failed, None, Some(error)),
            Transition::Canceled { reason, attempt } => Self {
                attempts: i64::from(*attempt == AttemptIs::Counted),
                ..Self::ended(Status::Canceled, None, Some(reason))
            },
            Transition::Requeue { to, attempt, suspect, error } => Self {
                status: Status::Queued,
                attempts: i64::from(*attempt == AttemptIs::Counted),
                suspect: *suspect,
                back: Some(*to),
                output: None,
                error: error.as_deref(),
            },
        }
    }

    /// It ends, and its attempt counts.
    const fn is_plain(&self) -> bool {
        self.back.is_none() && self.attempts == 1
    }

    /// It yields to a cancel request or a soft delete.
    const fn canceled(self) -> Self {
        Self { status: Status::Canceled, suspect: false, back: None, ..self }
    }
}

impl Step<'_, '_> {
    fn lease(&self) -> Lease {
        self.settlement.lease
    }

    /// Under a lease that is there. Whether it was settled for the first time, too.
    fn settle_under(&self, lease: &LeaseRow) -> Result<(Fate, bool)> {
        let Some(seq) = self.session.listed(self.lease())? else {
            return Ok((self.sent_again()?, false));
        };
        let asked = Asked::of(&self.settlement.to);
        let ran = Ran::of(self.settlement, lease, self.now);
        if asked.is_plain() && self.end_plain(seq, &asked, &ran)? {
            self.say(seq, &asked, &ran, lease)?;
            list_aside(self.session, asked.status, seq)?;
            return Ok((Fate::Applied { status: asked.status }, true));
        }
        let Some(record) = self.record(seq)? else { return Ok((Fate::Lost, false)) };
        if record.status != 0 || record.turn != i64::from(self.lease().turn) {
            return Ok((self.answer_again(seq, &record)?, false));
        }
        let asked = if record.yields && asked.back.is_some() { asked.canceled() } else { asked };
        self.end(seq, &record, &asked, &ran)?;
        self.say(seq, &asked, &ran, lease)?;
        Ok((Fate::Applied { status: asked.status }, true))
    }

    /// An end at which nothing else is at stake; false if there is, or the fence does not hold.
    fn end_plain(&self, seq: i64, asked: &Asked<'_>, ran: &Ran) -> Result<bool> {
        let lease = self.lease();
        let (done, total) = progress_columns(self.settlement.progress);
        let row = (
            seq,
            lease.task.to_string(),
            lease.turn,
            status_code(asked.status),
            self.now,
            ran.began,
            ran.ended,
            lease_key(lease.batch),
            done,
            total,
        );
        let ended = self.session.execute(Sql::SettlePlain, row)? > 0;
        if ended {
            self.session.forget_task(lease.task);
        }
        Ok(ended)
    }

    /// Any end, once the fence was seen to hold.
    fn end(&self, seq: i64, record: &Record, asked: &Asked<'_>, ran: &Ran) -> Result<()> {
        let run_at = match asked.back {
            Some(Requeue::After(delay)) => later(self.now, delay),
            Some(Requeue::AsBefore) | None => record.run_at,
        };
        let (done, total) = progress_columns(self.settlement.progress);
        let row = (
            seq,
            status_code(asked.status),
            asked.attempts,
            asked.suspect,
            run_at,
            self.now,
            ran.began,
            asked.back.is_none().then_some(ran.ended),
            lease_key(self.lease().batch),
            done,
            total,
        );
        self.session.execute(Sql::Settle, row)?;
        self.session.forget_task(self.lease().task);
        let Some(back) = asked.back else {
            if let Some(key) = record.key {
                self.session.execute(Sql::UniqueDelete, (key, seq))?;
            }
            return list_aside(self.session, asked.status, seq);
        };
        let spot = record.spot(seq, run_at)?;
        match back {
            Requeue::AsBefore => spot.place_ready(self.session),
            Requeue::After(_) => spot.place(self.session, self.now),
        }
    }

    /// Stores what there is to say of the attempt.
    fn say(&self, seq: i64, asked: &Asked<'_>, ran: &Ran, lease: &LeaseRow) -> Result<()> {
        let turn = self.lease().turn.into();
        store_log(self.session, seq, turn, &self.settlement.log)?;
        if asked.output.is_none() && asked.error.is_none() {
            return Ok(());
        }
        let ending = Ending {
            task: seq,
            turn,
            status: asked.status,
            began: ran.began.unwrap_or(lease.claimed_at),
            ended: ran.ended,
            owner: Some(&lease.owner),
            output: asked.output,
            error: asked.error,
        };
        ending.store(self.session)
    }

    /// Under a lease that is gone or does not hold the task: it can only be one that was sent again.
    fn sent_again(&self) -> Result<Fate> {
        let Some(seq) = self.session.seq(self.lease().task)? else { return Ok(Fate::Lost) };
        self.record(seq)?.map_or(Ok(Fate::Lost), |record| self.answer_again(seq, &record))
    }

    /// Answers as the first time, if there was one and the task has not moved on since.
    fn answer_again(&self, seq: i64, record: &Record) -> Result<Fate> {
        let lease = self.lease();
        let settled_here = record.turn == i64::from(lease.turn) + 1
            && record.last_lease == Some(lease_key(lease.batch));
        if !settled_here {
            return Ok(Fate::Lost);
        }
        let waits = record.status == 0
            && record.spot(seq, record.run_at)?.find(self.session)? != Place::Leased;
        Ok(Fate::Applied { status: status(record.status, waits)? })
    }

    fn record(&self, seq: i64) -> Result<Option<Record>> {
        let record = self.session.statements.first(Sql::SettleRead, [seq], Record::read)?;
        Ok(record.filter(|record| record.id == self.lease().task.to_string()))
    }
}

/// When the handler ran, by the engine's clock.
struct Ran {
    /// `None`: it never began, or nobody knows.
    began: Option<i64>,
    ended: i64,
}

impl Ran {
    fn of(settlement: &Settlement, lease: &LeaseRow, now: i64) -> Self {
        let Some(run) = settlement.run else { return Self { began: None, ended: now } };
        let began = lease.claimed_at.saturating_add(micros(run.started_after));
        Self { began: Some(began), ended: began.saturating_add(micros(run.ran_for)) }
    }
}

/// The key that a record holds, as the model has it.
pub(crate) const fn unique(key: [u8; 32]) -> UniqueHash {
    UniqueHash(key)
}
