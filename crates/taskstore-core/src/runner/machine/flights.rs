//! Saving the ends of attempts, and claiming in the same round trip. One flight a lane at a time, so
//! that whatever ends meanwhile goes together with the next.

use super::{Action, Lane, Machine, Outcome, Phase};
use crate::{
    Error, Result,
    backend::{Fate, Settle, Settled, Settlement, Transition},
    limits::{ERROR_BYTES_MAX, tame},
};

impl Machine {
    /// The end of an attempt is to be saved.
    pub(super) fn settle(&mut self, settlement: Settlement, keyed: bool) {
        let now = self.now;
        let lane = if keyed { Lane::Keyed } else { Lane::Plain };
        self.outbox(lane).push(now, settlement);
    }

    /// Sends what is to be saved, with a claim if there is room and it is time.
    pub(super) fn exchange(&mut self, lane: Lane) {
        let now = self.now;
        if self.outbox(lane).is_in_flight() {
            return;
        }
        let must_flush = self.must_flush(lane);
        let claim_due = lane == Lane::Plain && self.is_claim_due();
        if !must_flush && !claim_due {
            return;
        }
        // A batch that is sent again goes alone: were it refused because of the claim, it would be
        // taken for guilty.
        let alone = lane == Lane::Keyed || self.plain.is_resending();
        let claim = if alone { None } else { self.make_claim() };
        let outbox = self.outbox(lane);
        if claim.is_none() && !outbox.has_waiting() {
            return;
        }
        let settlements = outbox.depart(now);
        let mut request = Settle::new(settlements);
        request.then = claim;
        self.act(Action::Exchange { lane, request: Box::new(request) });
    }

    /// Whether what waits must go: a slot starves, the batch is full, it has waited for company long
    /// enough, or the runner stops.
    fn must_flush(&mut self, lane: Lane) -> bool {
        let now = self.now;
        let starving = self.is_starving();
        let stopping = !matches!(self.phase, Phase::Running);
        let outbox = self.outbox(lane);
        outbox.has_waiting()
            && (starving
                || stopping
                || outbox.is_full()
                || outbox.flush_at().is_some_and(|at| at <= now))
    }

    /// Whether a slot is free that nothing here may have, or only what waits for more of its kind.
    fn is_starving(&self) -> bool {
        self.slots.has_room(&self.config) && (self.ready() == 0 || self.batches.is_any_held())
    }

    /// Whether to claim even if nothing is to be saved.
    fn is_claim_due(&self) -> bool {
        matches!(self.phase, Phase::Running)
            && self.may_claim_alone()
            && (self.claims.is_due(self.now) || self.wants_more())
    }

    /// Whether there is need for a claim by itself: there is room, and the buffer has run low.
    pub(super) fn may_claim_alone(&self) -> bool {
        let low = self.is_starving() || self.ready() <= self.pace.low_water();
        low && self.wanted() > 0
            && !self.plain.is_in_flight()
            && self.claims.is_settled()
            && self.may_ask()
    }

    pub(super) fn exchanged(&mut self, lane: Lane, request: Settle, result: Result<Settled>) {
        let now = self.now;
        let took = self.outbox(lane).landed(now);
        match result {
            Ok(settled) => {
                self.trouble.succeeded();
                self.pace.traveled(took);
                self.outbox(lane).take_refused();
                if self.config.once && (request.then.is_none() || self.queues.has_patterns()) {
                    // What ended may have enqueued more, which no claim or look has looked for.
                    self.claims.hint(now);
                }
                for (settlement, fate) in request.settlements.iter().zip(settled.fates) {
                    self.settled(settlement, fate);
                }
                if let (Some(claim), Some(claimed)) = (request.then, settled.claimed) {
                    self.claimed(claim.lease, claimed, claim.at_most);
                }
            }
            Err(error) if error.is_retryable() => {
                if let Some(claim) = request.then {
                    self.claims.in_doubt(self.now, claim.lease);
                }
                self.outbox(lane).push_again(request.settlements);
                self.store_failed(error);
            }
            // No result is to blame for tables that are missing.
            Err(error @ Error::Schema { .. }) => {
                if request.then.is_some() {
                    self.claims.failed(now);
                }
                self.outbox(lane).push_again(request.settlements);
                self.store_failed(error);
            }
            Err(error) => self.refused_for_good(lane, request, error),
        }
    }

    /// The store refused a batch and would refuse it again: halve it until the one bad value is
    /// found, so that it harms only its own task. That one fails with the reason, unless the store
    /// refuses this as well: then it is no fault of the result, which is kept and tried again later.
    fn refused_for_good(&mut self, lane: Lane, request: Settle, error: Error) {
        let Settle { mut settlements, then, .. } = request;
        // Perhaps the claim was to blame: once more without it.
        let with_claim = then.is_some();
        if with_claim {
            self.claims.refused(self.now, settlements.is_empty());
        }
        match settlements.as_mut_slice() {
            [] => self.store_failed(error),
            _ if with_claim => self.outbox(lane).push_again(settlements),
            [bad] => {
                let outbox = self.outbox(lane);
                if let Some(refused) = outbox.take_refused() {
                    outbox.push_again(vec![refused]);
                    self.store_failed(error);
                } else {
                    outbox.substitute(bad.clone(), substitute(bad, &error));
                    self.act(Action::Failed(error));
                }
            }
            _ => {
                let second = settlements.split_off(settlements.len() / 2);
                self.outbox(lane).push_again(settlements);
                self.outbox(lane).push_again(second);
            }
        }
    }

    pub(super) fn settled(&mut self, settlement: &Settlement, fate: Fate) {
        self.released(settlement.lease.batch);
        self.slots.is_over(settlement.lease);
        match fate {
            Fate::Applied { status } => {
                self.summary.count(Outcome::saved(&settlement.to, status));
            }
            Fate::Lost => {
                self.summary.count(Outcome::Lost);
                self.act(Action::Lost(settlement.lease.task));
            }
        }
    }

    /// The store failed: tell, wait, try again.
    pub(super) fn store_failed(&mut self, error: Error) {
        self.trouble.failed(self.now);
        self.act(Action::Failed(error));
    }
}

/// The failure that stands for a result which the store refused, and says so.
fn substitute(bad: &Settlement, error: &Error) -> Settlement {
    let error = tame(format!("its result could not be saved: {error}"), ERROR_BYTES_MAX);
    Settlement { run: bad.run, ..Settlement::new(bad.lease, Transition::Failed { error }) }
}
