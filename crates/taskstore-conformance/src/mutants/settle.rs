//! Mistakes at the end of attempts, and while they run.

use std::time::Duration;

use taskstore_core::{
    LeaseId, Result, Status,
    backend::{
        AttemptIs, Control, Fate, Lease, Move, Report, Requeue, Settle, Settled, Settlement,
        Transition,
    },
    clock,
};

use super::{Mutant, bugged::Bugged};

impl Bugged {
    pub(super) async fn settle_bugged(&self, request: &Settle) -> Result<Settled> {
        let mut passed = request.clone();
        let mut early = None;
        if self.is(Mutant::ClaimBeforeSettle)
            && let Some(claim) = passed.then.take()
        {
            early = Some(self.claim_bugged(&claim).await?);
        }
        let refused: Vec<bool> =
            request.settlements.iter().map(|end| self.refuses(end, request)).collect();
        passed.settlements.clear();
        for (end, refused) in request.settlements.iter().zip(&refused) {
            if !refused {
                passed.settlements.push(self.bug_settlement(end).await?);
            }
        }
        let claim = passed.then.take().map(|claim| self.bug_claim(&claim));
        passed.then.clone_from(&claim);
        let mut settled = self.inner.settle(&passed).await?;
        let mut fates = std::mem::take(&mut settled.fates).into_iter();
        for (end, refused) in request.settlements.iter().zip(refused) {
            let fate = if refused { Fate::Lost } else { fates.next().unwrap_or(Fate::Lost) };
            settled.fates.push(self.bug_fate(end, fate).await?);
        }
        if self.is(Mutant::OneLostLosesAll) && settled.fates.contains(&Fate::Lost) {
            settled.fates.fill(Fate::Lost);
        }
        if let (Some(claim), Some(claimed)) = (&claim, &mut settled.claimed) {
            self.bug_claimed(claim, claimed);
        }
        Ok(Settled { claimed: settled.claimed.or(early), ..settled })
    }

    /// Whether the mistake refuses it, right or wrong.
    fn refuses(&self, end: &Settlement, request: &Settle) -> bool {
        let memo = self.memo();
        let batch = end.lease.batch;
        match self.mutant {
            Mutant::SettleAgainLost => memo.settled.contains(&end.lease),
            Mutant::RestOfLeaseLost => {
                memo.ended.contains(&batch) && !memo.settled.contains(&end.lease)
            }
            Mutant::ClockKillsLease => {
                let now = request.now.unwrap_or_else(clock::now);
                !memo.settled.contains(&end.lease)
                    && memo.old_at.get(&batch).is_some_and(|old_at| *old_at < now)
            }
            _ => false,
        }
    }

    /// The mistakes in what is asked for.
    async fn bug_settlement(&self, end: &Settlement) -> Result<Settlement> {
        let mut end = end.clone();
        match (self.mutant, &mut end.to) {
            (Mutant::AttemptNotRefunded, Transition::Requeue { attempt, .. }) => {
                *attempt = AttemptIs::Counted;
            }
            (Mutant::SuspectForgotten, Transition::Requeue { suspect, .. }) => *suspect = false,
            (Mutant::ReleaseLosesPlace, Transition::Requeue { to, .. })
                if *to == Requeue::AsBefore =>
            {
                *to = Requeue::After(Duration::ZERO);
            }
            (Mutant::DiscardCounted, Transition::Canceled { attempt, .. }) => {
                *attempt = AttemptIs::Counted;
            }
            (Mutant::ReasonDropped, Transition::Requeue { error, .. }) => *error = None,
            (Mutant::OutputDropped, Transition::Success { output }) => *output = None,
            (Mutant::EndYields, Transition::Success { .. }) => {
                let task = self.inner.task(end.lease.task).await?;
                if task.is_some_and(|task| task.cancel_requested_at.is_some()) {
                    end.to = Transition::Canceled {
                        reason: "requested".to_owned(),
                        attempt: AttemptIs::Counted,
                    };
                }
            }
            (Mutant::NoTurnCheck, _) => end.lease = self.unfenced(end.lease).await?,
            (Mutant::TakeOverKeepsLease | Mutant::SettleAfterTakeOver, _) => {
                end.lease.batch = self.memo().heir(end.lease.batch);
            }
            _ => {}
        }
        if self.is(Mutant::LineKeptTwice) {
            self.renumber(end.lease, &mut end.log);
        }
        Ok(end)
    }

    /// The mistakes in what follows, and in the answer.
    async fn bug_fate(&self, end: &Settlement, fate: Fate) -> Result<Fate> {
        let Fate::Applied { status } = fate else { return Ok(fate) };
        let first = {
            let mut memo = self.memo();
            memo.ended.insert(end.lease.batch);
            memo.settled.insert(end.lease)
        };
        let refunded = Transition::Requeue {
            to: Requeue::AsBefore,
            attempt: AttemptIs::Refunded,
            suspect: false,
            error: None,
        };
        let back = std::mem::discriminant(&end.to) == std::mem::discriminant(&refunded);
        let counted = !matches!(end.to, Transition::Requeue { attempt: AttemptIs::Refunded, .. });
        if self.is(Mutant::AttemptCountedTwice) && first && counted {
            *self.memo().attempts.entry(end.lease.task).or_default() += 1;
        }
        if self.is(Mutant::RequeueDoesNotYield) && back && status == Status::Canceled {
            let again = Move::Requeue { parameters: None };
            self.inner.control(&Control::new(vec![end.lease.task], again)).await?;
            return Ok(Fate::Applied { status: Status::Queued });
        }
        Ok(fate)
    }

    /// The lease that really holds the task, for whoever names a living lease.
    async fn unfenced(&self, lease: Lease) -> Result<Lease> {
        let holder = self.memo().holders.get(&lease.task).copied();
        let lives = !self.inner.recall(lease.batch).await?.is_empty();
        Ok(holder.filter(|_| lives).unwrap_or(lease))
    }

    pub(super) async fn report_bugged(&self, reports: &[Report]) -> Result<Vec<Fate>> {
        let mut reports = reports.to_vec();
        for report in &mut reports {
            match self.mutant {
                Mutant::ReportUnfenced => {
                    let holder = self.memo().holders.get(&report.lease.task).copied();
                    report.lease = holder.unwrap_or(report.lease);
                }
                Mutant::TakeOverKeepsLease => {
                    report.lease.batch = self.memo().heir(report.lease.batch);
                }
                Mutant::LineKeptTwice => self.renumber(report.lease, &mut report.log),
                _ => {}
            }
        }
        self.inner.report(&reports).await
    }

    /// Gives lines that are there already a number of their own.
    fn renumber(&self, lease: Lease, log: &mut [taskstore_core::LogLine]) {
        let mut memo = self.memo();
        for line in log {
            while !memo.lines.insert((lease, line.n)) {
                line.n += 10_000;
            }
        }
    }

    /// Remembers what was asked for; whether it was asked for before.
    pub(super) fn asked_before(&self, lease: LeaseId) -> bool {
        !self.memo().asked.insert(lease)
    }
}
