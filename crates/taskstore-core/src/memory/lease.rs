//! The life and death of leases.

use time::UtcDateTime;

use super::state::{LeaseRow, State};
use crate::{
    LeaseId, RunnerId,
    backend::{Beaten, Isolate, LateLease, Lease, Pulse, TakeOver, TakenOver},
};

impl State {
    pub(super) fn isolate(&mut self, request: &Isolate) -> Vec<Option<Lease>> {
        let now = self.stamp(request.now);
        request.tasks.iter().map(|&(lease, apart)| self.isolate_one(lease, apart, now)).collect()
    }

    fn isolate_one(&mut self, lease: Lease, apart: LeaseId, now: UtcDateTime) -> Option<Lease> {
        let isolated = Lease { batch: apart, turn: lease.turn.checked_add(1)?, ..lease };
        if self.leases.contains_key(&apart) {
            return self.holds(&isolated).then_some(isolated);
        }
        if !self.holds(&lease) {
            return None;
        }
        let shared = self.leases.get(&lease.batch)?.clone();
        let row = LeaseRow {
            beat: 0,
            beat_at: now,
            alone: true,
            replaced: None,
            open: vec![(isolated.task, isolated.turn)],
            ..shared
        };
        let record = self.records.get_mut(&lease.task)?;
        record.turn = isolated.turn;
        record.updated_at = now;
        self.close(&lease);
        self.leases.insert(apart, row);
        Some(isolated)
    }

    pub(super) fn beat(&mut self, leases: &[LeaseId], now: UtcDateTime) -> Beaten {
        let mut beaten = Beaten::default();
        for lease in leases {
            let Some(row) = self.leases.get_mut(lease) else {
                beaten.leases.push(Pulse::Lost);
                continue;
            };
            row.beat += 1;
            row.beat_at = now;
            beaten.leases.push(Pulse::Alive);
            let asked = row.open.iter().map(|&(task, _)| task).filter(|task| {
                self.records.get(task).is_some_and(|record| record.cancel_at.is_some())
            });
            beaten.cancel.extend(asked);
        }
        beaten
    }

    /// Those without a beat for a third of their length, or with one in the future: a clock that stepped
    /// back hides no lease.
    pub(super) fn late_leases(&self, limit: u32, now: UtcDateTime) -> Vec<LateLease> {
        let mut late: Vec<_> = self
            .leases
            .iter()
            .filter(|(_, row)| (now - row.beat_at).unsigned_abs() >= row.lease_for / 3)
            .collect();
        late.sort_by_key(|(_, row)| row.beat_at);
        late.into_iter()
            .take(limit as usize)
            .map(|(&lease, row)| LateLease { lease, beat: row.beat, lease_for: row.lease_for })
            .collect()
    }

    pub(super) fn take_over(&mut self, request: &TakeOver) -> Vec<Option<TakenOver>> {
        let now = self.stamp(request.now);
        request
            .leases
            .iter()
            .map(|(seen, lease)| self.take_over_one(seen, *lease, request.runner, now))
            .collect()
    }

    fn take_over_one(
        &mut self,
        seen: &LateLease,
        lease: LeaseId,
        runner: RunnerId,
        now: UtcDateTime,
    ) -> Option<TakenOver> {
        if !self.leases.contains_key(&lease) {
            self.leases.get(&seen.lease).filter(|row| row.beat == seen.beat)?;
            let dead = self.leases.remove(&seen.lease)?;
            let row = LeaseRow {
                runner,
                beat: 0,
                beat_at: now,
                replaced: Some((seen.lease, dead.runner)),
                ..dead
            };
            self.leases.insert(lease, row);
        }
        let row = self.leases.get(&lease)?;
        let (_, from) = row.replaced.filter(|(dead, _)| *dead == seen.lease)?;
        Some(TakenOver { from, alone: row.alone, tasks: self.leased(lease, now) })
    }
}
