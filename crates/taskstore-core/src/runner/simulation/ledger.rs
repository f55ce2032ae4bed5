//! What really happened to each task, and what must not have.

use std::collections::{BTreeMap, BTreeSet};

use crate::{LeaseId, Status, Task, TaskId};

use super::process::Life;

/// One run of a handler.
#[derive(Clone, Copy, Debug)]
struct Run {
    life: Life,
    /// Its end was accepted by the store: whatever runs next is another attempt.
    accepted: bool,
    /// It had a lease of its own.
    alone: bool,
}

/// The history of all tasks.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    runs: BTreeMap<TaskId, Vec<Run>>,
    /// Leases that were granted to one task alone.
    isolated: BTreeMap<TaskId, BTreeSet<LeaseId>>,
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
    pub(super) fn began(&mut self, task: TaskId, life: Life, alone: bool) {
        let runs = self.runs.entry(task).or_default();
        let open = runs.iter().filter(|run| !run.accepted && run.life != life);
        for run in
            open.filter(|run| !self.harmed.contains(&run.life) && !self.harmed.contains(&life))
        {
            self.violations.push(format!("{task} runs in {life:?} while {:?} lives", run.life));
        }
        runs.push(Run { life, accepted: false, alone });
    }

    /// The store granted a task a lease of its own. For the store, that is when it starts: a process
    /// that dies before the handler's first line is not told from one that dies after it.
    pub(super) fn isolated(&mut self, task: TaskId, lease: LeaseId) {
        self.isolated.entry(task).or_default().insert(lease);
    }

    /// The store accepted the end of a task's run, or its release.
    pub(super) fn accepted(&mut self, task: TaskId, life: Life) {
        if let Some(runs) = self.runs.get_mut(&task) {
            runs.iter_mut().filter(|run| run.life == life).for_each(|run| run.accepted = true);
        }
    }

    /// Everything is over: how the store says that it ended.
    pub(super) fn judge(&mut self, task: &Task) {
        let runs = self.runs.get(&task.id).map_or(&[][..], Vec::as_slice);
        let shared = runs.iter().filter(|run| !run.alone).count();
        let starts = shared + self.isolated.get(&task.id).map_or(0, BTreeSet::len);
        if !task.status.has_ended() {
            self.violations.push(format!("{} is lost: {}", task.id, task.status));
        }
        if task.attempts as usize > starts {
            self.violations
                .push(format!("{} was charged {} of {starts} starts", task.id, task.attempts));
        }
        if task.status == Status::Success && runs.is_empty() {
            self.violations.push(format!("{} succeeded without a run", task.id));
        }
    }
}
