//! Tasks that were claimed ahead and wait for a slot, in claim order.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use super::{Action, Machine, Moment};
use crate::{
    Backoff, LeaseId, QueueName,
    backend::{Lease, LeasedTask, Settlement},
    clock,
    lifecycle::{Ending, Policy, Standing},
};

/// The longest that a claimed task waits for a slot before it goes back, so that slow neighbours
/// never hold up quick tasks that another runner could take.
const HELD_MAX: Duration = Duration::from_secs(1);
/// The same for suspects, which run one at a time: longer, for they would come back at once.
const SUSPECT_HELD_MAX: Duration = Duration::from_secs(10);
/// Most suspects that are held. While there are so many nothing more is claimed.
pub(super) const SUSPECTS_MAX: usize = 1_000;

/// A task that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Since when.
    pub(super) since: Moment,
    /// Its lease is no older than this.
    pub(super) leased_at: Moment,
    /// How many claims had been answered when it came.
    pub(super) answers: u64,
    /// When it is too late to start it.
    pub(super) start_by: Option<Moment>,
    /// Its queue's own limit.
    pub(super) limit: Option<usize>,
    pub(super) task: LeasedTask,
}

impl Waiting {
    /// When it has been held for too long.
    fn stale_at(&self) -> Moment {
        self.since + if self.task.suspect { SUSPECT_HELD_MAX } else { HELD_MAX }
    }

    /// Whether it is too late to start it.
    pub(super) fn is_late(&self, now: Moment) -> bool {
        self.start_by.is_some_and(|at| at <= now)
    }
}

#[derive(Debug, Default)]
pub(super) struct Buffer {
    tasks: VecDeque<Waiting>,
    /// How many of them are suspects, which wait for one another.
    suspects: usize,
    /// Of queues with limits of their own, suspects apart.
    limited: HashMap<QueueName, Held>,
}

/// What is here of a queue with a limit.
#[derive(Debug)]
struct Held {
    tasks: usize,
    limit: usize,
}

impl Buffer {
    pub(super) fn push(&mut self, waiting: Waiting) {
        self.suspects += usize::from(waiting.task.suspect);
        if let (Some(limit), false) = (waiting.limit, waiting.task.suspect) {
            let queue = waiting.task.queue.clone();
            self.limited.entry(queue).or_insert(Held { tasks: 0, limit }).tasks += 1;
        }
        self.tasks.push_back(waiting);
    }

    fn left(&mut self, waiting: &Waiting) {
        if waiting.task.suspect {
            self.suspects -= 1;
        } else if let Some(held) = self.limited.get_mut(&waiting.task.queue) {
            held.tasks -= 1;
            if held.tasks == 0 {
                self.limited.remove(&waiting.task.queue);
            }
        }
    }

    /// The tasks that wait only for a slot: neither for another suspect, nor for another of their
    /// queue to end.
    pub(super) fn ready(&self, running_in: impl Fn(&QueueName) -> usize) -> usize {
        let blocked = |(queue, held): (&QueueName, &Held)| {
            held.tasks.saturating_sub(held.limit.saturating_sub(running_in(queue)))
        };
        self.unsuspected() - self.limited.iter().map(blocked).sum::<usize>()
    }

    /// All but the suspects.
    pub(super) fn unsuspected(&self) -> usize {
        self.tasks.len() - self.suspects
    }

    /// How many wait of a queue with a limit, suspects apart.
    pub(super) fn held(&self, queue: &QueueName) -> usize {
        self.limited.get(queue).map_or(0, |held| held.tasks)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// The first task that `may_start`.
    pub(super) fn pop(&mut self, may_start: impl Fn(&Waiting) -> bool) -> Option<Waiting> {
        let at = self.tasks.iter().position(may_start)?;
        let popped = self.tasks.remove(at)?;
        self.left(&popped);
        Some(popped)
    }

    /// Takes out those for which `leave` says so.
    pub(super) fn take(&mut self, leave: impl FnMut(&Waiting) -> bool) -> Vec<LeasedTask> {
        self.take_some(leave).into_iter().map(|waiting| waiting.task).collect()
    }

    /// Like [`take`](Self::take), with what else is known of them.
    pub(super) fn take_some(&mut self, leave: impl FnMut(&Waiting) -> bool) -> Vec<Waiting> {
        let (out, stay) = self.tasks.drain(..).partition::<Vec<_>, _>(leave);
        self.tasks = stay.into();
        out.iter().for_each(|waiting| self.left(waiting));
        out
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Waiting> {
        self.tasks.iter()
    }

    pub(super) fn leases(&self) -> impl Iterator<Item = Lease> {
        self.tasks.iter().map(|waiting| waiting.task.lease)
    }

    pub(super) fn suspects(&self) -> usize {
        self.suspects
    }

    /// When the first will have been held for too long.
    pub(super) fn stale_at(&self) -> Option<Moment> {
        let oldest = |suspect| self.tasks.iter().find(|waiting| waiting.task.suspect == suspect);
        let suspect = if self.suspects > 0 { oldest(true) } else { None };
        let other = if self.unsuspected() > 0 { oldest(false) } else { None };
        suspect.into_iter().chain(other).map(Waiting::stale_at).min()
    }
}

impl Machine {
    /// Gives back what was held for too long.
    pub(super) fn release_stale(&mut self) {
        let now = self.now;
        if self.buffer.stale_at().is_none_or(|at| at > now) {
            return;
        }
        let stale = self.buffer.take(|waiting| waiting.stale_at() <= now);
        for task in stale.iter().filter(|task| !task.suspect) {
            self.queues.pace(&task.queue).unwrap_or(&mut self.pace).stalled();
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
