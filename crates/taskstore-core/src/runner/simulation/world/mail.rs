//! Requests and replies on their way, some of which are lost.

use super::{FAULTS_UNTIL, Happening, World, at_once};
use crate::{
    Backend, Error, Result,
    backend::{Claimed, Fate, Isolate, Lease, Settle, Settled},
    runner::{
        machine::{Action, Event},
        simulation::process::Life,
    },
};

/// What becomes of a request and its reply.
#[derive(Clone, Copy)]
enum Mail {
    Arrives,
    RequestLost,
    ReplyLost,
}

impl Mail {
    fn carry<T>(self, call: impl FnOnce() -> Result<T>) -> Result<T> {
        let lost = || Err(Error::unavailable("simulated"));
        match self {
            Self::Arrives => call(),
            Self::RequestLost => lost(),
            Self::ReplyLost => call().and_then(|_| lost()),
        }
    }
}

impl World {
    /// A request arrives, also of a process that is gone by now; requests and replies are lost.
    pub(super) fn asked(&mut self, life: Life, action: Action) {
        let mail = self.mail();
        let store = self.store.clone();
        let event = match action {
            Action::Exchange { lane, request } => {
                let result = mail.carry(|| self.exchange(life, &request));
                Event::Exchanged { lane, request, result }
            }
            Action::Recall(lease) => {
                let result = mail.carry(|| at_once(store.recall(lease)));
                Event::Recalled { lease, result }
            }
            Action::Isolate(request) => {
                let result = mail.carry(|| self.isolate(life, &request));
                Event::Isolated { request, result }
            }
            Action::FindWork(request) => {
                Event::WorkFound(mail.carry(|| at_once(store.find_work(&request))))
            }
            Action::Promote(request) => {
                Event::Promoted(mail.carry(|| at_once(store.promote(&request))))
            }
            other => unreachable!("{other:?} is no request"),
        };
        let at = self.now + self.latency();
        self.at(at, Happening::Event(life, event));
    }

    fn mail(&mut self) -> Mail {
        let chance = if self.now < FAULTS_UNTIL { self.random.u8(..30) } else { u8::MAX };
        if self.away || chance == 0 {
            self.fault("request lost");
            Mail::RequestLost
        } else if chance == 1 {
            self.fault("reply lost");
            Mail::ReplyLost
        } else {
            Mail::Arrives
        }
    }

    fn isolate(&mut self, life: Life, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        let leases = at_once(self.store.isolate(request))?;
        for lease in leases.iter().flatten() {
            self.ledger.granted(lease.batch, life);
            self.ledger.isolated(lease.task, lease.batch);
        }
        Ok(leases)
    }

    fn exchange(&mut self, life: Life, request: &Settle) -> Result<Settled> {
        if let Some(claim) = &request.then {
            self.ledger.granted(claim.lease, life);
        }
        if request.settlements.is_empty() {
            let claimed: Option<Claimed> = match &request.then {
                Some(claim) => Some(at_once(self.store.claim(claim))?),
                None => None,
            };
            return Ok(Settled { fates: Vec::new(), claimed });
        }
        let settled = at_once(self.store.settle(request))?;
        for (settlement, fate) in request.settlements.iter().zip(&settled.fates) {
            if matches!(fate, Fate::Applied { .. }) {
                self.ledger.accepted(settlement.lease.task, life);
            }
        }
        Ok(settled)
    }
}
