//! What only a store that is small and all in memory can tell: everything. For [`crate::testing`].

use std::{collections::BTreeSet, time::Duration};

use super::{
    MemoryBackend,
    state::{State, until},
};
use crate::{DefinitionStatus, QueueName, Task};

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
