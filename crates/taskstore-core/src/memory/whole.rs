//! What only a store that is small and all in memory can tell: everything. For [`crate::testing`].

use std::{collections::BTreeSet, time::Duration};

use super::{
    MemoryBackend,
    state::{LeaseRow, State, until},
};
use crate::{
    DefinitionStatus, LeaseId, QueueName, RunnerId, Status, Task, TaskId, backend::LeasedTask,
};

/// The lease of a task that is run by a test.
const LEASE: Duration = Duration::from_secs(15);

impl MemoryBackend {
    /// Every queue that a task was ever enqueued to.
    pub(crate) fn queue_names(&self) -> BTreeSet<QueueName> {
        self.state().records.values().map(|record| record.queue.clone()).collect()
    }

    /// Every task, the oldest first.
    pub(crate) fn all_tasks(&self) -> Vec<Task> {
        let state = self.state();
        state.records.keys().filter_map(|&id| state.task(id)).collect()
    }

    /// What a runner that knows every definition would claim.
    pub(crate) fn due_tasks(&self) -> Vec<Task> {
        let state = self.state();
        state
            .ready
            .values()
            .filter_map(|&id| state.task(id))
            .filter(|task| state.serves(task))
            .collect()
    }

    /// Leases one task that is queued, whatever its time and queue say; `None`: it is not.
    pub(crate) fn claim_one(&self, id: TaskId, runner: RunnerId) -> Option<LeasedTask> {
        let mut state = self.state();
        let now = state.stamp(None);
        let turn = state.records.get(&id).filter(|r| state.status(r) == Status::Queued)?.turn;
        state.unplace(id);
        let lease = LeaseId::new();
        let row = LeaseRow {
            runner,
            beat: 0,
            beat_at: now,
            lease_for: LEASE,
            claimed_at: now,
            alone: true,
            replaced: None,
            open: vec![(id, turn)],
        };
        state.leases.insert(lease, row);
        state.leased(lease, now).pop()
    }

    /// In how long the next task becomes due, if one waits for its time.
    pub(crate) fn next_due_in(&self) -> Option<Duration> {
        let state = self.state();
        let (next, _) = state.later.keys().next()?;
        Some(until(*next, state.stamp(None)))
    }
}

impl State {
    fn serves(&self, task: &Task) -> bool {
        let definition = self.definitions.get(&task.definition);
        !self.is_paused(&task.queue)
            && definition.is_some_and(|definition| definition.status == DefinitionStatus::Active)
    }
}
