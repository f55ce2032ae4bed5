//! Attempts on their way out. What becomes of a task was decided; here it is applied, if the fence
//! holds.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use taskstore_core::{
    LogLevel, LogLine, Progress, Result, RunnerId, Status,
    backend::{AttemptIs, Fate, Lease, Report, Requeue, Run, Settlement, Transition},
    clock,
    limits::LOG_LINES_MAX,
};

use crate::{
    record::{LeaseRow, Record, State},
    tx::Tx,
};

/// How an attempt ended.
#[derive(Serialize, Deserialize)]
pub struct AttemptRow {
    pub status: Status,
    pub runner: RunnerId,
    pub started_at: i64,
    pub ended_at: i64,
    /// JSON as text: as JSON within JSON an output of `null` would be none.
    pub output: Option<String>,
    pub error: Option<String>,
}

/// A line of a log.
#[derive(Serialize, Deserialize)]
pub struct LineRow {
    pub at: i64,
    pub level: u8,
    pub text: String,
}

/// How a record changes, and what there is to say of it.
struct End<'s> {
    state: State,
    counted: bool,
    suspect: bool,
    run_at: i64,
    output: Option<&'s RawValue>,
    error: Option<&'s str>,
}

pub fn settle(tx: &mut Tx<'_>, settlement: &Settlement, now: i64) -> Result<Fate> {
    let lease = settlement.lease;
    let Some(was) = tx.record_of(lease.task)? else { return Ok(Fate::Lost) };
    let row = tx.lease_row(lease.batch)?;
    let Some(row) = row.filter(|_| was.is_held_by(&lease)) else { return Ok(again(&was, &lease)) };
    let end = end(&was, &settlement.to, now);
    let ran = settlement.run.map(|run| ran(&row, run));
    let (started_at, ended_at) = ran.unwrap_or((row.claimed_at, now));
    let mut is = Record {
        state: end.state,
        turn: was.turn + 1,
        attempts: was.attempts + u32::from(end.counted),
        suspect: end.suspect,
        run_at: end.run_at,
        started_at: ran.map(|(started_at, _)| started_at).or(was.started_at),
        cancel_requested_at: None,
        lease: None,
        settled_by: Some(lease.batch),
        updated_at: now,
        ..was.clone()
    };
    if end.state.status().has_ended() {
        is.completed_at = Some(ended_at);
    }
    say(tx, &mut is, &lease, settlement.progress, &settlement.log)?;
    let status = end.state.status();
    // What has nothing to say leaves none; of a success without output the record has the times.
    if end.output.is_some() || end.error.is_some() {
        let attempt = AttemptRow {
            status,
            runner: row.runner,
            started_at,
            ended_at,
            output: end.output.map(|json| json.get().to_owned()),
            error: end.error.map(ToOwned::to_owned),
        };
        tx.attempt.insert_json((was.number, lease.turn), &attempt)?;
    }
    if let Some(error) = end.error {
        tx.error.insert(was.number, error)?;
    }
    tx.put(&was, &is)?;
    Ok(Fate::Applied { status })
}

/// The fence did not hold: is this the settlement that ended the attempt, sent again?
fn again(record: &Record, lease: &Lease) -> Fate {
    // A turn comes from whoever asks: it may be any number.
    if record.turn.checked_sub(1) == Some(lease.turn) && record.settled_by == Some(lease.batch) {
        return Fate::Applied { status: record.state.status() };
    }
    Fate::Lost
}

fn end<'s>(was: &Record, to: &'s Transition, now: i64) -> End<'s> {
    let ended = |state, counted| End {
        state,
        counted,
        suspect: false,
        run_at: was.run_at,
        output: None,
        error: None,
    };
    match to {
        Transition::Success { output } => {
            End { output: output.as_deref(), ..ended(State::Success, true) }
        }
        Transition::Failed { error } => End { error: Some(error), ..ended(State::Failed, true) },
        Transition::Canceled { reason, attempt } => {
            let counted = *attempt == AttemptIs::Counted;
            End { error: Some(reason), ..ended(State::Canceled, counted) }
        }
        Transition::Requeue { to, attempt, suspect, error } => {
            let counted = *attempt == AttemptIs::Counted;
            let error = error.as_deref();
            if was.must_end() {
                return End { error, ..ended(State::Canceled, counted) };
            }
            let (state, run_at) = match to {
                // Its time had come once, whatever a clock says now.
                Requeue::AsBefore => (State::Ready, was.run_at),
                Requeue::After(delay) => {
                    let at = clock::to_micros(clock::add(clock::from_micros(now), *delay));
                    (State::waiting(at, now), at)
                }
            };
            End { suspect: *suspect, run_at, error, ..ended(state, counted) }
        }
    }
}

/// When a handler began and ended, by the clock that stamped the claim.
fn ran(row: &LeaseRow, run: Run) -> (i64, i64) {
    let started_at = clock::add(clock::from_micros(row.claimed_at), run.started_after);
    let ended_at = clock::add(started_at, run.ran_for);
    (clock::to_micros(started_at), clock::to_micros(ended_at))
}

pub fn report(tx: &mut Tx<'_>, report: &Report, now: i64) -> Result<Fate> {
    let was = tx.record_of(report.lease.task)?.filter(|record| record.is_held_by(&report.lease));
    let Some(was) = was else { return Ok(Fate::Lost) };
    let mut is = Record { updated_at: now, ..was.clone() };
    say(tx, &mut is, &report.lease, report.progress, &report.log)?;
    tx.put(&was, &is)?;
    Ok(Fate::Applied { status: Status::Running })
}

fn say(
    tx: &mut Tx<'_>,
    record: &mut Record,
    lease: &Lease,
    progress: Option<Progress>,
    lines: &[LogLine],
) -> Result<()> {
    if let Some(Progress { done, total }) = progress {
        record.progress = Some((done, total));
    }
    let of = |n| (record.number, lease.turn, n);
    for line in lines {
        let level = match line.level {
            LogLevel::Info => 0,
            LogLevel::Success => 1,
            LogLevel::Error => 2,
        };
        let row = LineRow { at: clock::to_micros(line.at), level, text: line.text.clone() };
        // Sent again, it is kept as it came first.
        if !tx.log.has(of(line.n))? {
            tx.log.insert_json(of(line.n), &row)?;
        }
    }
    // Only an attempt that has numbered that many lines can have too many.
    if lines.iter().any(|line| line.n >= LOG_LINES_MAX) {
        let all = tx.log.walk(of(0)..=of(u32::MAX), |(.., n), _| Some(n))?;
        if let Some(&first) = all.iter().rev().nth(LOG_LINES_MAX as usize - 1) {
            tx.log.remove_all(of(0)..of(first))?;
        }
    }
    Ok(())
}

/// What is left of a task that has ended is removed with its record.
pub fn forget(tx: &mut Tx<'_>, record: &Record) -> Result<()> {
    let number = record.number;
    tx.parameters.remove(number)?;
    tx.error.remove(number)?;
    tx.attempt.remove_all((number, 0)..=(number, u32::MAX))?;
    tx.log.remove_all((number, 0, 0)..=(number, u32::MAX, u32::MAX))?;
    tx.forget(record)
}
