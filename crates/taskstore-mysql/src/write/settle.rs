//! Attempts on their way out.

use std::collections::{HashMap, HashSet};

use mysql_async::Value;
use taskstore_core::{
    LeaseId, Result, Status, TaskId,
    backend::{AttemptIs, Fate, Requeue, Settle, Settled, Settlement, Transition},
    clock,
    within::Completed,
};

use super::{
    claim,
    lease::{LeaseRow, Leases, Pairs, count_down, lock_with_pairs, pairs_of},
    place::{Arrivals, Place, find_places},
    record::Record,
    result::{Ending, Lines, is_aside},
};
use crate::{
    convert::{
        hex, json_list, later, lease_key, micros, progress_columns, seqs_json, seqs_of, status,
        status_code,
    },
    session::{Session, values},
    sql::Sql,
};

/// Ends attempts, and then claims the next batch if asked to.
pub(crate) async fn settle(session: &mut Session<'_>, request: &Settle) -> Result<Settled> {
    let now = session.now(request.now).await?;
    let fates = settle_all(session, &request.settlements, now).await?;
    let claimed = match &request.then {
        None => None,
        Some(next) => {
            let now = next.now.map_or(now, clock::to_micros);
            Some(claim::claim(session, next, now).await?)
        }
    };
    Ok(Settled { fates, claimed })
}

/// Ends one attempt in a transaction of its handler's, if nobody has ended it under this lease before:
/// the handler may have done so, and not know. What it must know is read under a lock, for the caller's
/// snapshot may be older. A row that is not there is not sought: at REPEATABLE READ the gap would be
/// locked, and with it every new lease, so [`before`] comes first.
pub(crate) async fn complete(
    session: &mut Session<'_>,
    settlement: &Settlement,
    now: i64,
) -> Result<Completed> {
    let lease = settlement.lease;
    let (leases, pairs) = lock_with_pairs(session, lease.batch).await?;
    let Some(record) = Record::lock(session, lease.task).await? else {
        return Ok(Completed::Lost);
    };
    let seqs = HashMap::from([(lease.task, record.seq)]);
    let records = HashMap::from([(record.seq, record)]);
    let mut work =
        Work { leases, pairs, seqs, records, ends: Ends::default(), again: Vec::new(), now };
    let fate = work.settle(session, settlement, 0)?;
    let Work { leases, ends, again, .. } = work;
    ends.store(session, &leases, now).await?;
    match fate {
        Fate::Applied { .. } => Ok(Completed::Now),
        Fate::Lost => was_before(session, &again).await,
    }
}

/// What became of the attempt if its lease is gone; `None`: it is there.
pub(crate) async fn before(
    session: &mut Session<'_>,
    settlement: &Settlement,
) -> Result<Option<Completed>> {
    let lease = settlement.lease;
    if LeaseRow::find(session, lease.batch).await?.is_some() {
        return Ok(None);
    }
    let record = Record::lock(session, lease.task).await?;
    let record = record.filter(|record| record.was_settled_under(lease));
    let again: Vec<_> = record.into_iter().map(|record| (0, record)).collect();
    was_before(session, &again).await.map(Some)
}

async fn was_before(session: &mut Session<'_>, again: &[(usize, Record)]) -> Result<Completed> {
    let mut fates = [Fate::Lost];
    answer_again(session, again, &mut fates).await?;
    Ok(match fates {
        [Fate::Applied { status }] => Completed::Before(status),
        [Fate::Lost] => Completed::Lost,
    })
}

/// Ends attempts, in the order of the request, and counts their leases down.
async fn settle_all(
    session: &mut Session<'_>,
    settlements: &[Settlement],
    now: i64,
) -> Result<Vec<Fate>> {
    if settlements.is_empty() {
        return Ok(Vec::new());
    }
    let leases = LeaseRow::lock_all(session, settlements.iter().map(|s| s.lease.batch)).await?;
    let pairs = pairs_of(session, &leases).await?;
    let seqs = seqs_of(session, settlements.iter().map(|s| s.lease.task)).await?;
    let records = Record::lock_all(session, seqs.values().copied()).await?;
    let mut work =
        Work { leases, pairs, seqs, records, ends: Ends::default(), again: Vec::new(), now };
    let mut fates = Vec::with_capacity(settlements.len());
    for settlement in settlements {
        let fate = work.settle(session, settlement, fates.len())?;
        fates.push(fate);
    }
    let Work { leases, ends, mut again, records, .. } = work;
    ends.store(session, &leases, now).await?;
    // What moved on later in this very call was held when its position was reached.
    let has_moved = |record: &Record| {
        record.status == 0 && records.get(&record.seq).is_some_and(|now| now.turn != record.turn)
    };
    for (position, _) in again.extract_if(.., |(_, record)| has_moved(record)) {
        if let Some(fate) = fates.get_mut(position) {
            *fate = Fate::Applied { status: Status::Running };
        }
    }
    answer_again(session, &again, &mut fates).await?;
    Ok(fates)
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

    /// It yields to a cancel request or a soft delete.
    const fn canceled(self) -> Self {
        Self { status: Status::Canceled, suspect: false, back: None, ..self }
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

/// Settlements at work: everything that they name is locked and read.
struct Work {
    leases: Leases,
    pairs: Pairs,
    seqs: HashMap<TaskId, i64>,
    records: HashMap<i64, Record>,
    ends: Ends,
    /// Positions that were settled before, with the record that says what became of the task.
    again: Vec<(usize, Record)>,
    now: i64,
}

impl Work {
    fn settle(
        &mut self,
        session: &mut Session<'_>,
        settlement: &Settlement,
        position: usize,
    ) -> Result<Fate> {
        let lease = settlement.lease;
        let Some(record) = self.seqs.get(&lease.task).and_then(|seq| self.records.get_mut(seq))
        else {
            return Ok(Fate::Lost);
        };
        let row = self.leases.get(&lease.batch);
        let turn = i64::from(lease.turn);
        let holds = record.status == 0
            && record.turn == turn
            && self.pairs.contains(&(lease.batch, record.seq, turn));
        let Some(row) = row.filter(|_| holds) else {
            if record.was_settled_under(lease) {
                self.again.push((position, record.clone()));
            }
            return Ok(Fate::Lost);
        };
        let asked = Asked::of(&settlement.to);
        let yields = record.cancel || record.deleted;
        let asked = if yields && asked.back.is_some() { asked.canceled() } else { asked };
        let ran = Ran::of(settlement, row, self.now);
        self.ends.add(session, settlement, record, &asked, &ran, row, self.now)?;
        Ok(Fate::Applied { status: asked.status })
    }
}

/// Answers as the first time, for what has not moved on since.
async fn answer_again(
    session: &mut Session<'_>,
    again: &[(usize, Record)],
    fates: &mut [Fate],
) -> Result<()> {
    let active = again.iter().filter(|(_, record)| record.status == 0);
    let spots: Vec<_> = active.map(|(_, record)| record.spot()).collect::<Result<_>>()?;
    let places = find_places(session, &spots.iter().collect::<Vec<_>>()).await?;
    let waiting: HashSet<i64> = spots
        .iter()
        .zip(&places)
        .filter(|(_, place)| **place != Place::Leased)
        .map(|(spot, _)| spot.task)
        .collect();
    for (position, record) in again {
        let status = status(record.status, waiting.contains(&record.seq))?;
        if let Some(fate) = fates.get_mut(*position) {
            *fate = Fate::Applied { status };
        }
    }
    Ok(())
}

/// What the accepted settlements write, one statement for each table.
#[derive(Default)]
struct Ends {
    records: Vec<(i64, String)>,
    arrivals: Arrivals,
    keys: Vec<(Vec<u8>, String)>,
    aside: Vec<Vec<Value>>,
    ended: Vec<Vec<Value>>,
    canceled: Vec<i64>,
    results: Vec<Vec<Value>>,
    lines: Lines,
    left: HashMap<LeaseId, i64>,
}

impl Ends {
    #[expect(clippy::too_many_arguments, reason = "all of one settlement")]
    fn add(
        &mut self,
        session: &mut Session<'_>,
        settlement: &Settlement,
        record: &mut Record,
        asked: &Asked<'_>,
        ran: &Ran,
        lease: &LeaseRow,
        now: i64,
    ) -> Result<()> {
        let (seq, turn) = (record.seq, record.turn);
        let key = lease_key(settlement.lease.batch);
        if let Some(Requeue::After(delay)) = asked.back {
            record.run_at = later(now, delay);
        }
        let ended = if asked.back.is_some() { 0 } else { ran.ended };
        let (done, total) = progress_columns(settlement.progress);
        self.records.push((
            seq,
            format!(
                "[{seq},{},{},{},{},{},{ended},\"{}\",{done},{total}]",
                status_code(asked.status),
                asked.attempts,
                i64::from(asked.suspect),
                record.run_at,
                ran.began.unwrap_or(0),
                hex(&key),
            ),
        ));
        match asked.back {
            Some(Requeue::AsBefore) => self.arrivals.place_ready(session, &record.spot()?),
            Some(Requeue::After(_)) => self.arrivals.place(session, &record.spot()?, now),
            None => self.end(record, asked.status, ended),
        }
        if record.cancel {
            self.canceled.push(seq);
        }
        self.lines.add(seq, turn, &settlement.log);
        if asked.output.is_some() || asked.error.is_some() {
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
            self.results.push(ending.row());
        }
        *self.left.entry(settlement.lease.batch).or_default() += 1;
        // As it is from here on, for whoever names it once more.
        record.turn += 1;
        record.status = status_code(asked.status).into();
        record.last_lease = key.to_vec();
        Ok(())
    }

    fn end(&mut self, record: &Record, status: Status, ended: i64) {
        if let Some(key) = &record.key {
            self.keys.push((key.clone(), record.id.clone()));
        }
        if is_aside(status) {
            self.aside.push(values![status_code(status), record.seq]);
        }
        self.ended.push(values![status_code(status), ended, record.seq]);
    }

    async fn store(mut self, session: &mut Session<'_>, leases: &Leases, now: i64) -> Result<()> {
        if self.records.is_empty() {
            return Ok(());
        }
        self.records.sort_unstable_by_key(|(seq, _)| *seq);
        let list = json_list(self.records.into_iter().map(|(_, record)| record));
        session.execute(Sql::Settle, values![list, now]).await?;
        self.arrivals.store(session).await?;
        if !self.keys.is_empty() {
            self.keys.sort_unstable();
            let list =
                json_list(self.keys.iter().map(|(key, id)| format!("[\"{}\",\"{id}\"]", hex(key))));
            session.execute(Sql::UniqueDelete, values![list]).await?;
        }
        session.execute_many(Sql::AsideInsert, self.aside).await?;
        session.execute_many(Sql::EndedInsert, self.ended).await?;
        if !self.canceled.is_empty() {
            let list = seqs_json(self.canceled.into_iter());
            session.execute(Sql::CancelDelete, values![list]).await?;
        }
        session.execute_many(Sql::ResultInsert, self.results).await?;
        self.lines.store(session).await?;
        count_down(session, leases, &self.left).await
    }
}
