//! Attempts on their way out, and what they say while they run.

use serde_json::value::RawValue;
use time::UtcDateTime;

use super::state::{Ending, Place, State};
use crate::{
    Result, Status,
    backend::{AttemptIs, Fate, Lease, Report, Requeue, Settle, Settled, Settlement, Transition},
    clock,
};

/// A transition, taken apart.
struct End<'a> {
    /// `None`: it has ended.
    back: Option<Requeue>,
    status: Status,
    attempt: AttemptIs,
    suspect: bool,
    output: Option<&'a RawValue>,
    error: Option<&'a str>,
}

impl State {
    pub(super) fn settle(&mut self, request: &Settle) -> Result<Settled> {
        if let Some(claim) = &request.then {
            self.lease_is_unused(claim.lease)?;
        }
        let now = self.stamp(request.now);
        let fates = request.settlements.iter().map(|one| self.settle_one(one, now)).collect();
        let claimed = request.then.as_ref().map(|claim| self.claim(claim)).transpose()?;
        Ok(Settled { fates, claimed })
    }

    fn settle_one(&mut self, settlement: &Settlement, now: UtcDateTime) -> Fate {
        let Lease { task, batch, turn } = settlement.lease;
        if !self.holds(&settlement.lease) {
            return self.settled_before(&settlement.lease);
        }
        let Some((claimed_at, runner)) =
            self.leases.get(&batch).map(|row| (row.claimed_at, row.runner))
        else {
            return Fate::Lost;
        };
        self.write_log(task, turn, &settlement.log);
        let Some(record) = self.records.get_mut(&task) else { return Fate::Lost };
        let asked_to_stop = record.cancel_at.is_some() || record.deleted_at.is_some();
        let end = take_apart(&settlement.to, asked_to_stop);

        let began = settlement.run.map(|run| clock::add(claimed_at, run.started_after));
        let ended = match (began, settlement.run) {
            (Some(began), Some(run)) => clock::add(began, run.ran_for),
            _ => now,
        };
        record.turn += 1;
        record.attempts += u32::from(end.attempt == AttemptIs::Counted);
        record.suspect = end.suspect;
        record.status = end.status;
        record.progress = settlement.progress.or(record.progress);
        record.updated_at = now;
        record.started_at = began.or(record.started_at);
        record.completed_at = end.status.has_ended().then_some(ended);
        record.cancel_at = None;
        record.last_lease = Some(batch);
        if let Some(Requeue::After(delay)) = end.back {
            record.run_at = clock::add(now, delay);
        }

        if end.output.is_some() || end.error.is_some() {
            let ending = Ending {
                status: end.status,
                runner: Some(runner),
                started_at: began.unwrap_or(claimed_at),
                ended_at: ended,
                output: end.output.map(ToOwned::to_owned),
                error: end.error.map(ToOwned::to_owned),
            };
            self.results.insert((task, turn), ending);
        }
        self.close(&settlement.lease);
        match end.back {
            Some(Requeue::AsBefore) => self.place(task, Place::Ready, now),
            Some(Requeue::After(_)) => self.place(task, Place::ByTime, now),
            None => self.free_key(task),
        }
        Fate::Applied { status: end.status }
    }

    /// The answer to a settlement whose fence does not hold: as the first time, if it was sent again.
    fn settled_before(&self, lease: &Lease) -> Fate {
        match self.records.get(&lease.task) {
            Some(record)
                if lease.turn.checked_add(1) == Some(record.turn)
                    && record.last_lease == Some(lease.batch) =>
            {
                Fate::Applied { status: self.status(record) }
            }
            _ => Fate::Lost,
        }
    }

    pub(super) fn report(&mut self, reports: &[Report]) -> Vec<Fate> {
        let mut fates = Vec::with_capacity(reports.len());
        for report in reports {
            if !self.holds(&report.lease) {
                fates.push(Fate::Lost);
                continue;
            }
            self.write_log(report.lease.task, report.lease.turn, &report.log);
            if let Some(record) = self.records.get_mut(&report.lease.task) {
                record.progress = report.progress.or(record.progress);
            }
            fates.push(Fate::Applied { status: Status::Running });
        }
        fates
    }
}

fn take_apart(to: &Transition, asked_to_stop: bool) -> End<'_> {
    let over = |status, output, error| End {
        back: None,
        status,
        attempt: AttemptIs::Counted,
        suspect: false,
        output,
        error,
    };
    match to {
        Transition::Success { output } => over(Status::Success, output.as_deref(), None),
        Transition::Failed { error } => over(Status::Failed, None, Some(error)),
        Transition::Canceled { reason, attempt } => {
            End { attempt: *attempt, ..over(Status::Canceled, None, Some(reason)) }
        }
        Transition::Requeue { attempt, error, .. } if asked_to_stop => {
            End { attempt: *attempt, ..over(Status::Canceled, None, error.as_deref()) }
        }
        Transition::Requeue { to, attempt, suspect, error } => End {
            back: Some(*to),
            status: Status::Queued,
            attempt: *attempt,
            suspect: *suspect,
            output: None,
            error: error.as_deref(),
        },
    }
}
