//! Tasks on their way to a runner, and those that become due.

use super::state::{LeaseRow, Place, ReadyKey, State, until};
use crate::{
    DefinitionId, DefinitionStatus, Error, LeaseId, QueueName, Result, TaskId,
    backend::{Claim, Claimed, Known, Promote, Promoted},
};

impl State {
    pub(super) fn claim(&mut self, claim: &Claim) -> Result<Claimed> {
        self.lease_is_unused(claim.lease)?;
        let now = self.stamp(claim.now);
        let open = self.take(claim);
        if !open.is_empty() {
            let row = LeaseRow {
                runner: claim.runner,
                beat: 0,
                beat_at: now,
                lease_for: claim.lease_for,
                claimed_at: now,
                alone: false,
                replaced: None,
                open,
            };
            self.leases.insert(claim.lease, row);
        }
        let tasks = self.leased(claim.lease, now);
        let short = tasks.len() < claim.at_most as usize;
        let due_in = self.later.keys().next().map(|&(run_at, _)| until(run_at, now));
        Ok(Claimed { tasks, at: Some(now), due_in: due_in.filter(|_| short) })
    }

    /// Two claims never share an id.
    pub(super) fn lease_is_unused(&self, lease: LeaseId) -> Result<()> {
        if self.leases.contains_key(&lease) {
            return Err(Error::already_exists("lease", &lease));
        }
        Ok(())
    }

    /// Removes from ready what the claim may have.
    fn take(&mut self, claim: &Claim) -> Vec<(TaskId, u32)> {
        let mut open = Vec::new();
        let mut bytes = 0_usize;
        for share in &claim.queues {
            let room = (claim.at_most as usize).saturating_sub(open.len());
            for (key, task) in self.first_ready(&share.queue, &claim.known, share.at_most, room) {
                let Some(record) = self.records.get(&task) else { continue };
                bytes = bytes.saturating_add(record.parameters.get().len());
                if bytes > claim.bytes_max && !open.is_empty() {
                    return open;
                }
                open.push((task, record.turn));
                self.ready.remove(&key);
            }
        }
        open
    }

    /// The head of a queue.
    fn first_ready(
        &self,
        queue: &QueueName,
        known: &Known,
        at_most: u32,
        room: usize,
    ) -> Vec<(ReadyKey, TaskId)> {
        if self.is_paused(queue) {
            return Vec::new();
        }
        let head: ReadyKey = (queue.clone(), i16::MIN, time::UtcDateTime::MIN, 0);
        self.ready
            .range(head..)
            .take_while(|(key, _)| key.0 == *queue)
            .filter(|(_, task)| {
                let record = self.records.get(task);
                record.is_some_and(|record| self.is_served(record.definition, known))
            })
            .take(room.min(at_most as usize))
            .map(|(key, &task)| (key.clone(), task))
            .collect()
    }

    fn is_served(&self, id: DefinitionId, known: &Known) -> bool {
        let known = match known {
            Known::All => true,
            Known::Only(those) => those.contains(&id),
            Known::Except(those) => !those.contains(&id),
        };
        known
            && self
                .definitions
                .get(&id)
                .is_some_and(|definition| definition.status == DefinitionStatus::Active)
    }

    pub(super) fn promote(&mut self, request: &Promote) -> Promoted {
        let now = self.stamp(request.now);
        let mut moved = 0;
        while moved < request.limit
            && let Some((&key, &task)) = self.later.first_key_value()
            && key.0 <= now
        {
            self.later.remove(&key);
            self.place(task, Place::Ready, now);
            moved += 1;
        }
        let due_in = self.later.keys().next().map(|&(run_at, _)| until(run_at, now));
        Promoted { moved, due_in }
    }
}
