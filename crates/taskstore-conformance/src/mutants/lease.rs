//! Mistakes about the life and death of leases.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use taskstore_core::{
    Backend, Heartbeat, LeaseId, Result,
    backend::{Beaten, Isolate, LateLease, Lease, Pulse, TakeOver, TakenOver},
};

use super::{Mutant, bugged::Bugged, memo::Memo};

impl Bugged {
    pub(super) async fn isolate_bugged(&self, request: &Isolate) -> Result<Vec<Option<Lease>>> {
        let mut passed = request.clone();
        if self.is(Mutant::TakeOverKeepsLease) {
            for (lease, _) in &mut passed.tasks {
                lease.batch = self.memo().heir(lease.batch);
            }
        }
        let mut leases = self.inner.isolate(&passed).await?;
        for (lease, (_, asked)) in leases.iter_mut().zip(&request.tasks) {
            if self.is(Mutant::IsolateAgainFails) && self.asked_before(*asked) {
                *lease = None;
            }
            if let Some(lease) = lease {
                self.memo().holders.insert(lease.task, *lease);
            }
        }
        Ok(leases)
    }

    pub(super) async fn take_over_bugged(
        &self,
        request: &TakeOver,
    ) -> Result<Vec<Option<TakenOver>>> {
        let mut taken = self.inner.take_over(request).await?;
        for (taken, (seen, asked)) in taken.iter_mut().zip(&request.leases) {
            if taken.is_none() && self.is(Mutant::TakeOverIgnoresBeat) {
                *taken = self.take_over_at_any_beat(request, seen, *asked).await?;
            }
            if self.is(Mutant::TakeOverAgainFails) && self.asked_before(*asked) {
                *taken = None;
            }
            let Some(taken) = taken else { continue };
            self.memo().held(&taken.tasks);
            self.memo().heirs.insert(seen.lease, *asked);
            self.show_attempts(&mut taken.tasks);
            match self.mutant {
                Mutant::AloneForgotten => taken.alone = false,
                Mutant::AloneWhenSingle => taken.alone = taken.tasks.len() == 1,
                Mutant::TakeOverKeepsLease => {
                    taken.tasks.iter_mut().for_each(|task| task.lease.batch = seen.lease);
                }
                _ => {}
            }
        }
        Ok(taken)
    }

    async fn take_over_at_any_beat(
        &self,
        request: &TakeOver,
        seen: &LateLease,
        asked: LeaseId,
    ) -> Result<Option<TakenOver>> {
        for beat in seen.beat.saturating_sub(3)..seen.beat.saturating_add(3) {
            let mut other = request.clone();
            other.leases = vec![(LateLease { beat, ..*seen }, asked)];
            if let Some(Some(taken)) = self.inner.take_over(&other).await?.pop() {
                return Ok(Some(taken));
            }
        }
        Ok(None)
    }
}

/// The connection of a store with a mistake.
pub(super) struct BuggedHeartbeat {
    pub(super) inner: Box<dyn Heartbeat>,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) mutant: Mutant,
    pub(super) memo: Arc<Mutex<Memo>>,
}

#[async_trait]
impl Heartbeat for BuggedHeartbeat {
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        if self.mutant == Mutant::BeatNotCounted {
            return self.pulse(leases).await;
        }
        let mut asked = leases.to_vec();
        if self.mutant == Mutant::TakeOverKeepsLease {
            let memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
            asked.iter_mut().for_each(|lease| *lease = memo.heir(*lease));
        }
        let mut beaten = self.inner.beat(&asked).await?;
        let memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
        for (pulse, lease) in beaten.leases.iter_mut().zip(leases) {
            match self.mutant {
                Mutant::LeaseLivesOn if memo.ended.contains(lease) => *pulse = Pulse::Alive,
                Mutant::RestOfLeaseLost if memo.ended.contains(lease) => *pulse = Pulse::Lost,
                _ => {}
            }
        }
        if self.mutant == Mutant::CancelUnheard {
            beaten.cancel.clear();
        }
        Ok(beaten)
    }
}

impl BuggedHeartbeat {
    /// Looks whether the leases live, and leaves it at that.
    async fn pulse(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        let mut beaten = Beaten::default();
        for lease in leases {
            let tasks = self.backend.recall(*lease).await?;
            beaten.leases.push(if tasks.is_empty() { Pulse::Lost } else { Pulse::Alive });
            for task in tasks {
                let id = task.lease.task;
                let seen = self.backend.task(id).await?;
                if seen.is_some_and(|seen| seen.cancel_requested_at.is_some()) {
                    beaten.cancel.push(id);
                }
            }
        }
        Ok(beaten)
    }
}
