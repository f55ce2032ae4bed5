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
    /// Who was granted a lease.
    granted: BTreeMap<LeaseId, Life>,
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
        let suspect = runs.len();
        runs.push(Run { life, accepted: false, alone });
        if alone && !self.harmed.contains(&life) {
            self.only_suspect(task, suspect, life);
        }
    }

    /// While a suspect runs, or its end is not saved, no other one may run beside it: if they died
    /// together, nobody could say which of them is to blame.
    fn only_suspect(&mut self, task: TaskId, run: usize, life: Life) {
        let open = |run: &Run| run.alone && !run.accepted && run.life == life;
        let others = self.runs.iter().filter(|(id, runs)| {
            runs.iter().enumerate().any(|(n, other)| open(other) && (**id, n) != (task, run))
        });
        for other in others.map(|(id, _)| *id).collect::<Vec<_>>() {
            self.violations.push(format!("{task} is a suspect beside {other} in {life:?}"));
        }
    }

    /// The store granted this lease.
    pub(super) fn granted(&mut self, lease: LeaseId, life: Life) {
        self.granted.insert(lease, life);
    }

    /// The leases that were granted to this life.
    pub(super) fn leases(&self, life: Life) -> Vec<LeaseId> {
        self.granted.iter().filter(|(_, of)| **of == life).map(|(lease, _)| *lease).collect()
    }

    /// A watcher took a lease over. `lives`: whether this life goes on.
    pub(super) fn taken_over(&mut self, lease: LeaseId, lives: impl FnOnce(Life) -> bool) {
        let Some(&life) = self.granted.get(&lease) else { return };
        if !self.harmed.contains(&life) && lives(life) {
            self.violations.push(format!("{lease} was taken from {life:?}, which lives"));
        }
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
