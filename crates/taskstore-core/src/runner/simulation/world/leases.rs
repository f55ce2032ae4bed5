//! Heartbeats, and watchers that take over what is dead.

use super::{Happening, SECOND, World, at_once, handlers::decide};
use crate::{
    Backend, LeaseId,
    backend::{LateLease, LeasedTask, Pulse, Settle, Settlement, Sweep, TakeOver},
    lifecycle::Ending,
    runner::{
        machine::{Event, Moment},
        simulation::process::{LEASE, Life},
    },
};

impl World {
    pub(super) fn beat(&mut self, life: Life) {
        if let Some(until) = self.paused_until(life) {
            return self.at(until, Happening::Beat(life));
        }
        let (now, away) = (self.now, self.away);
        let Some(process) = self.living(life) else { return };
        let held: Vec<LeaseId> = process.held.iter().copied().collect();
        let at = process.own(now);
        self.at(now + SECOND, Happening::Beat(life));
        if held.is_empty() || away {
            return;
        }
        let mut heartbeat = at_once(self.store.heartbeat()).expect("the memory backend beats");
        let beaten = at_once(heartbeat.beat(&held)).expect("the memory backend beats");
        let pulses = held.iter().zip(&beaten.leases);
        let lost: Vec<_> = pulses.filter(|(_, p)| **p == Pulse::Lost).map(|(l, _)| *l).collect();
        let arrives = now + self.latency();
        self.at(arrives, Happening::Event(life, Event::Beaten { at, lost, cancel: beaten.cancel }));
    }

    pub(super) fn watch(&mut self, life: Life) {
        if let Some(until) = self.paused_until(life) {
            return self.at(until, Happening::Watch(life));
        }
        let (now, away) = (self.now, self.away);
        let Some(process) = self.living(life) else { return };
        if away {
            process.watcher.failed();
            return self.at(now + LEASE / 8, Happening::Watch(life));
        }
        let late = at_once(self.store.late_leases(100)).expect("the memory backend answers");
        let arrives = now + self.latency();
        self.at(arrives, Happening::WatchRead(life, now, late));
    }

    pub(super) fn watch_read(&mut self, life: Life, began: Moment, late: &[LateLease]) {
        if let Some(until) = self.paused_until(life) {
            return self.at(until, Happening::WatchRead(life, began, late.to_vec()));
        }
        let now = self.now;
        let Some(process) = self.living(life) else { return };
        let dead = process.watcher.read(began, now, late);
        let (pause, runner) = (process.watcher.pause(now), process.runner);
        self.at(now + pause, Happening::Watch(life));
        // The request, the reply, or the process may be gone: somebody takes over again.
        if dead.is_empty() || self.away || self.random.u8(..10) == 0 {
            return;
        }
        self.fault("take-over");
        let leases: Vec<_> = dead.into_iter().map(|late| (late, LeaseId::new())).collect();
        let request = TakeOver::new(runner, leases.clone());
        let taken = at_once(self.store.take_over(&request)).expect("it answers");
        for ((late, _), taken) in leases.iter().zip(&taken) {
            if taken.is_some() {
                let processes = &self.processes;
                let lives = |of: Life| processes.iter().flatten().any(|p| p.life == of);
                self.ledger.taken_over(late.lease, lives);
            }
        }
        if self.random.u8(..10) == 0 {
            return;
        }
        for taken in taken.into_iter().flatten() {
            let lost = |task: &LeasedTask| {
                Settlement::new(task.lease, decide(Ending::LeaseLost { alone: taken.alone }, task))
            };
            let settlements = taken.tasks.iter().map(lost).collect();
            at_once(self.store.settle(&Settle::new(settlements))).expect("it settles");
        }
        self.hint();
    }

    /// Nothing is ever out of its place here, so a sweep that finds something took it from somebody.
    pub(super) fn sweep(&mut self, life: Life) {
        if let Some(until) = self.paused_until(life) {
            return self.at(until, Happening::Sweep(life));
        }
        let (now, away) = (self.now, self.away);
        let Some(process) = self.living(life) else { return };
        let mut sweep = Sweep::new(process.runner, 10);
        sweep.after = process.swept.take();
        self.at(now + SECOND, Happening::Sweep(life));
        if away {
            return;
        }
        let swept = at_once(self.store.sweep(&sweep)).expect("the memory backend sweeps");
        self.fault("sweep");
        for stray in swept.strays {
            let task = stray.task.lease.task;
            self.ledger.violation(format!("a sweep took {task}, which was in its place"));
        }
        if let Some(process) = self.living(life) {
            process.swept = swept.next;
        }
    }
}
