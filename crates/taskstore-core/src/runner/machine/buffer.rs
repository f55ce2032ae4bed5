//! Tasks that were claimed ahead and wait for a slot, in claim order.

use std::{collections::VecDeque, time::Duration};

use super::{Action, Machine, Moment};
use crate::{
    Backoff, LeaseId,
    backend::{Lease, LeasedTask, Settlement},
    clock,
    lifecycle::{Ending, Policy, Standing},
};

/// The longest that a claimed task waits for a slot before it goes back, so that slow neighbours
/// never hold up quick tasks that another runner could take.
const HELD_MAX: Duration = Duration::from_secs(1);

/// A task that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Since when.
    pub(super) since: Moment,
    /// Its lease is no older than this.
    pub(super) leased_at: Moment,
    /// When it is too late to start it.
    pub(super) start_by: Option<Moment>,
    pub(super) task: LeasedTask,
}

#[derive(Debug, Default)]
pub(super) struct Buffer {
    tasks: VecDeque<Waiting>,
    /// How many of them are suspects, which wait for one another.
    suspects: usize,
}

impl Buffer {
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.suspects += usize::from(waiting.task.suspect);
        self.tasks.push_back(waiting);
    }

    /// The tasks that wait only for a slot.
    pub(super) fn ready(&self) -> usize {
        self.tasks.len() - self.suspects
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The first task that `may_start`.
    pub(super) fn pop(&mut self, may_start: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let at = self.tasks.iter().position(may_start)?;
        let popped = self.tasks.remove(at);
        self.suspects -= popped.iter().filter(|waiting| waiting.task.suspect).count();
        popped
    }

    /// Takes out those for which `leave` says so.
    pub(super) fn take(&mut self, leave: impl Fn(&Waiting) -> bool) -> Vec<LeasedTask> {
        let (out, stay) = self.tasks.drain(..).partition::<VecDeque<_>, _>(leave);
        self.tasks = stay;
        self.suspects = self.tasks.iter().filter(|waiting| waiting.task.suspect).count();
        out.into_iter().map(|waiting| waiting.task).collect()
    }

    pub(super) fn leases(&self) -> impl Iterator<Item = Lease> {
        self.tasks.iter().map(|waiting| waiting.task.lease)
    }

    /// When the oldest will have been held for too long.
    pub(super) fn stale_at(&self) -> Option<Moment> {
        self.tasks.front().map(|waiting| waiting.since + HELD_MAX)
    }
}

impl Machine {
    /// Gives back what was held for too long.
    pub(super) fn release_stale(&mut self) {
        let now = self.now;
        if self.buffer.stale_at().is_none_or(|at| at > now) {
            return;
        }
        let stale = self.buffer.take(|waiting| waiting.since + HELD_MAX <= now);
        if stale.iter().any(|task| !task.suspect) {
            self.pace.stalled();
        }
        stale.into_iter().for_each(|task| self.release(&task));
    }

    /// Gives back everything that has not begun.
    pub(super) fn release_buffer(&mut self) {
        let all = self.buffer.take(|_| true);
        all.into_iter().for_each(|task| self.release(&task));
    }

    /// Forgets what was claimed under a lease that somebody took over.
    pub(super) fn forget_lease(&mut self, lease: LeaseId) {
        self.buffer.take(|waiting| waiting.task.lease.batch == lease);
    }

    /// Ends one task that it is too late to start. Its parameters were never looked at.
    pub(super) fn discard(&mut self, task: LeasedTask) {
        let start_by = task.start_by.map_or(clock::from_micros(0), |start_by| start_by.at);
        let ending = Ending::Expired { start_by };
        self.settle(unstarted(&task, ending), task.keyed);
        self.act(Action::Expired(Box::new(task)));
    }

    /// Gives back one task that has not begun. If somebody asked for it to be canceled, the store
    /// ends it so in the same statement.
    pub(super) fn release(&mut self, task: &LeasedTask) {
        self.settle(unstarted(task, Ending::Released), task.keyed);
    }
}

/// The end of a task that has not begun, which needs neither a limit of attempts nor a backoff.
fn unstarted(task: &LeasedTask, ending: Ending) -> Settlement {
    let standing = Standing { suspect: task.suspect, ..Standing::running(task.attempts, u32::MAX) };
    let policy = Policy { backoff: &Backoff::Polynomial, chance: 0.5 };
    Settlement::new(task.lease, ending.settle(&standing, policy))
}
