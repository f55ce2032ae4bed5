//! Handlers: how long they take, and how they end.

use std::time::Duration;

use super::{FAULTS_UNTIL, Happening, MAX_ATTEMPTS, MS, SECOND, World, at_once};
use crate::{
    Backend, Backoff, QueueName, TaskId,
    backend::{LeasedTask, Run, Settlement, Transition},
    lifecycle::{Ending, Policy, Retry, Standing},
    runner::{
        machine::{Event, Moment},
        simulation::process::Life,
    },
};

impl World {
    pub(super) fn handler_begins(&mut self, life: Life, task: LeasedTask) {
        self.ledger.began(task.lease.task, life, task.suspect);
        let Some(process) = self.living(life) else { return };
        if process.running.insert(task.lease.task, task.lease).is_some() {
            self.ledger.violation(format!("{} runs twice in {life:?}", task.lease.task));
        }
        self.count_queue(life, &task.queue);
        if self.now < FAULTS_UNTIL && self.random.u8(..60) == 0 {
            self.fault("poison");
            return self.crash(life.process);
        }
        let takes =
            if self.random.u8(..10) == 0 { self.soon(SECOND * 10) } else { self.soon(MS * 200) };
        if self.random.u8(..8) == 0 {
            // Perhaps when it has ended.
            let at = self.now + self.soon(takes * 2 + MS);
            self.at(at, Happening::Event(life, Event::WantsAlone(task.lease.task)));
        }
        self.at(self.now + takes, Happening::Ends(life, Box::new(task), self.now));
    }

    /// No more of one queue run at the same time than its limit allows.
    fn count_queue(&mut self, life: Life, queue: &QueueName) {
        let store = self.store.clone();
        let Some(process) = self.living(life) else { return };
        let of_queue = |id: &&TaskId| {
            at_once(store.task(**id)).ok().flatten().is_some_and(|task| task.queue == *queue)
        };
        let (running, limit) = (process.running.keys().filter(of_queue).count(), process.limit);
        if running > limit {
            self.ledger.violation(format!("{running} of {queue} run in {life:?}, {limit} may"));
        }
    }

    pub(super) fn handler_ends(&mut self, life: Life, task: &LeasedTask, began: Moment) {
        if let Some(until) = self.paused_until(life) {
            return self.at(until, Happening::Ends(life, Box::new(task.clone()), began));
        }
        let now = self.now;
        let ending = match self.random.u8(..10) {
            0 => Ending::Failed { retry: Retry::ByBackoff, error: "simulated".into() },
            1 => Ending::Snoozed(self.soon(SECOND * 2)),
            _ => Ending::Succeeded { output: None },
        };
        let Some(process) = self.living(life) else { return };
        if process.running.get(&task.lease.task) != Some(&task.lease) {
            return;
        }
        process.running.remove(&task.lease.task);
        let run = Some(Run { started_after: Duration::ZERO, ran_for: now - began });
        let settlement = Settlement { run, ..Settlement::new(task.lease, decide(ending, task)) };
        self.tell(life, Event::Finished(settlement));
    }

    pub(super) fn handler_is_dropped(&mut self, life: Life, task: TaskId) {
        let Some(lease) = self.living(life).and_then(|process| process.running.remove(&task))
        else {
            return;
        };
        let to = Ending::Released.settle(&Standing::running(0, MAX_ATTEMPTS), policy());
        self.at(self.now, Happening::Event(life, Event::Finished(Settlement::new(lease, to))));
    }
}

fn policy() -> Policy<'static> {
    const BACKOFF: &Backoff = &Backoff::Fixed(SECOND);
    Policy { backoff: BACKOFF, chance: 0.5 }
}

/// The transition that the lifecycle decides.
pub(super) fn decide(ending: Ending, task: &LeasedTask) -> Transition {
    let max = task.max_attempts.unwrap_or(MAX_ATTEMPTS);
    let standing = Standing { suspect: task.suspect, ..Standing::running(task.attempts, max) };
    ending.settle(&standing, policy())
}
