//! What reaches a machine, and what it does about it.

use super::{Happening, MS, SECOND, World, at_once};
use crate::{
    Backend as _, TaskId,
    runner::{
        machine::{Action, Event},
        simulation::process::Life,
    },
};

impl World {
    pub(super) fn tell(&mut self, life: Life, event: Event) {
        if let Some(until) = self.paused_until(life) {
            return self.at(until, Happening::Event(life, event));
        }
        let now = self.now;
        let Some(process) = self.living(life) else { return };
        let own = process.own(now);
        process.machine.take(own, event);
        let actions = process.machine.advance(own);
        let wake = process.machine.wake_at().map(|at| process.started + at);
        for action in actions {
            self.act(life, action);
        }
        if let Some(at) = wake {
            // The next of its kind comes a little later, also where it asks for it at once.
            self.at(at.max(now + MS / 10), Happening::Event(life, Event::Tick));
        }
    }

    pub(super) fn act(&mut self, life: Life, action: Action) {
        match action {
            Action::Start { task, .. } => self.handler_begins(life, *task),
            Action::StartBatch(tasks) => {
                tasks.into_iter().for_each(|(task, _)| self.handler_begins(life, task));
            }
            Action::Hold(lease) | Action::HoldAlone(lease) => {
                self.living(life).map(|process| process.held.insert(lease));
            }
            Action::LetGo(lease) => {
                self.living(life).map(|process| process.held.remove(&lease));
            }
            Action::Drop(task) => self.handler_is_dropped(life, task),
            Action::Stopped { left } => self.stopped(life, &left),
            Action::Alone { .. }
            | Action::Cancel(_)
            | Action::Lost(_)
            | Action::Expired(_)
            | Action::Failed(_) => {}
            request => {
                let at = self.now + self.latency();
                self.at(at, Happening::Asked(life, request));
            }
        }
    }

    pub(super) fn stopped(&mut self, life: Life, left: &[TaskId]) {
        let Some(process) = self.living(life) else { return };
        process.stopped = true;
        let (runs, over) = (process.running.len(), process.machine.is_over());
        if runs != left.len() || !over && left.is_empty() {
            self.ledger.violation(format!("{life:?} says that it stopped, and {runs} run"));
        }
        for lease in self.ledger.leases(life) {
            let held = at_once(self.store.recall(lease)).expect("the memory backend answers");
            let held = held.iter().map(|task| task.lease.task);
            for task in held.filter(|task| !left.contains(task)).collect::<Vec<_>>() {
                self.ledger.violation(format!("{life:?} stopped and still holds {task}"));
            }
        }
        if let Some(slot) = self.processes.get_mut(life.process) {
            *slot = None;
        }
        let back = self.soon(SECOND);
        self.at(self.now + back, Happening::Start(life.process));
    }
}
