//! What really happened to each task, and what must not have.

use std::collections::BTreeMap;

use crate::{Status, Task, TaskId};

use super::process::Life;

/// One run of a handler.
#[derive(Clone, Copy, Debug)]
struct Run {
    life: Life,
    /// Its end was accepted by the store: whatever runs next is another attempt.
    accepted: bool,
}

/// The history of all tasks.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    runs: BTreeMap<TaskId, Vec<Run>>,
    /// Lives that crashed, or were paused for longer than a lease.
    harmed: Vec<Life>,
    pub(super) violations: Vec<String>,
}

impl Ledger {
    pub(super) fn harmed(&mut self, life: Life) {
        self.harmed.push(life);
    }

    pub(super) fn violation(&mut self, what: String) {
        self.violations.push(what);
    }

    /// A handler begins. Whoever ran it before has ended it for the store, or came to harm.
    pub(super) fn began(&mut self, task: TaskId, life: Life) {
        let runs = self.runs.entry(task).or_default();
        let open = runs.iter().filter(|run| !run.accepted && run.life != life);
        for run in
            open.filter(|run| !self.harmed.contains(&run.life) && !self.harmed.contains(&life))
        {
            self.violations.push(format!("{task} runs in {life:?} while {:?} lives", run.life));
        }
        runs.push(Run { life, accepted: false });
    }

    /// The store accepted the end of a task's run, or its release.
    pub(super) fn accepted(&mut self, task: TaskId, life: Life) {
        if let Some(runs) = self.runs.get_mut(&task) {
            runs.iter_mut().filter(|run| run.life == life).for_each(|run| run.accepted = true);
        }
    }

    /// Everything is over: how the store says that it ended.
    pub(super) fn judge(&mut self, task: &Task) {
        let runs = self.runs.get(&task.id).map_or(0, Vec::len);
        if !task.status.has_ended() {
            self.violations.push(format!("{} is lost: {}", task.id, task.status));
        }
        if task.attempts as usize > runs {
            self.violations
                .push(format!("{} was charged {} of {runs} runs", task.id, task.attempts));
        }
        if task.status == Status::Success && runs == 0 {
            self.violations.push(format!("{} succeeded without a run", task.id));
        }
    }
}
