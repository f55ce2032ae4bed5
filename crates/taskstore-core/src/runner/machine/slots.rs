//! What runs: starting tasks, isolating those that must be alone, hearing of cancels and lost leases.

use std::collections::{HashMap, HashSet};

use super::{
    Action, Config, Holdings, Machine, Moment, Phase, Waiting,
    gather::{Member, Shared},
};
use crate::{
    Error, LeaseId, QueueName, Result, Status, TaskId,
    backend::{Fate, Isolate, Lease, LeasedTask, Settlement},
};

/// A task that has a slot.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) lease: Lease,
    keyed: bool,
    /// Its queue, if that has a limit of its own.
    limited: Option<QueueName>,
    claimed_at: Moment,
    state: State,
    /// Its token was fired.
    fired: bool,
    /// The batch that it shares a slot with.
    batch: Option<Member>,
    /// It runs, and waits for a lease of its own, under this id.
    wants: Option<LeaseId>,
    /// How it has ended, while nobody knows under which lease that is to be saved.
    ended: Option<Settlement>,
}

impl Slot {
    pub(super) fn running(waiting: &Waiting, batch: Option<Member>) -> Self {
        let Waiting { leased_at: claimed_at, limit, task, .. } = waiting;
        Self {
            lease: task.lease,
            keyed: task.keyed,
            limited: limit.map(|_| task.queue.clone()),
            claimed_at: *claimed_at,
            state: State::Running,
            fired: false,
            batch,
            wants: None,
            ended: None,
        }
    }
}

#[derive(Debug)]
enum State {
    /// Waits for a lease of its own, under this id.
    Suspect {
        task: Box<LeasedTask>,
        alone: LeaseId,
        /// When it was asked for first.
        since: Moment,
    },
    Running,
}

/// The tasks that have a slot.
#[derive(Debug, Default)]
pub(super) struct Slots {
    tasks: HashMap<TaskId, Slot>,
    /// The suspect whose turn it is, until its end is saved. Only one at a time: if the process dies,
    /// it is the one to blame, and none that had ended before it loses an attempt. By its lease, for
    /// an earlier end of the same task may still be on its way to the store.
    suspect: Option<Lease>,
    isolating: bool,
    /// How many there are of each queue that has a limit of its own.
    limited: HashMap<QueueName, usize>,
    pub(super) shared: Shared,
}

impl Slots {
    pub(super) fn room(&self, config: &Config) -> usize {
        config.concurrency.saturating_sub(self.tasks.len() - self.shared.saved())
    }

    pub(super) fn has_room(&self, config: &Config) -> bool {
        self.room(config) > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many tasks have a slot, of a queue that has a limit of its own.
    pub(super) fn running_in(&self, queue: &QueueName) -> usize {
        self.limited.get(queue).copied().unwrap_or_default()
    }

    pub(super) fn insert(&mut self, slot: Slot) {
        if let Some(queue) = &slot.limited {
            *self.limited.entry(queue.clone()).or_default() += 1;
        }
        self.tasks.insert(slot.lease.task, slot);
    }

    fn remove(&mut self, task: TaskId) -> Option<Slot> {
        let slot = self.tasks.remove(&task)?;
        if let Some(queue) = &slot.limited
            && let Some(running) = self.limited.get_mut(queue)
        {
            *running -= 1;
            if *running == 0 {
                self.limited.remove(queue);
            }
        }
        Some(slot)
    }

    /// A task that still runs here, under a lease that was lost, waits, and so do suspects while
    /// another has a slot, and those of a queue that is at its limit.
    fn may_start(&self, waiting: &Waiting) -> bool {
        let task = &waiting.task;
        let waits_for_another = task.suspect && self.suspect.is_some();
        let queue_is_full = waiting.limit.is_some_and(|most| self.running_in(&task.queue) >= most);
        !waits_for_another && !queue_is_full && !self.tasks.contains_key(&task.lease.task)
    }

    /// The end of a task under this lease is saved, or was refused.
    pub(super) fn is_over(&mut self, lease: Lease) {
        if self.suspect == Some(lease) {
            self.suspect = None;
        }
    }

    /// Whether a task of this lease has a slot.
    pub(super) fn any_under(&self, lease: LeaseId) -> bool {
        self.tasks.values().any(|slot| slot.lease.batch == lease)
    }

    /// The tasks whose handlers run.
    pub(super) fn running(&self) -> Vec<TaskId> {
        let running = |slot: &&Slot| matches!(slot.state, State::Running) && slot.ended.is_none();
        let mut tasks: Vec<_> =
            self.tasks.values().filter(running).map(|slot| slot.lease.task).collect();
        tasks.sort_unstable();
        tasks
    }

    /// Whether a task waits for a lease of its own.
    pub(super) fn is_isolating(&self) -> bool {
        let waits =
            |slot: &Slot| matches!(slot.state, State::Suspect { .. }) || slot.wants.is_some();
        self.tasks.values().any(waits)
    }
}

/// What may be started: never two runs of one task by one runner, never two suspects at the same
/// time, and nothing that nobody has heard of for the length of its lease, for it may run elsewhere
/// by now: a heartbeat will tell.
pub(super) fn startable<'a>(
    slots: &'a Slots,
    holdings: &'a Holdings,
    config: &'a Config,
    now: Moment,
) -> impl Fn(&Waiting) -> bool + use<'a> {
    let is_alive = move |waiting: &Waiting| {
        now < holdings.alive_at(waiting.leased_at, waiting.since) + config.lease_for
    };
    move |waiting| slots.may_start(waiting) && is_alive(waiting)
}

impl Machine {
    /// Gives free slots to tasks of the buffer.
    pub(super) fn start_tasks(&mut self) {
        self.hold_kinds();
        while matches!(self.phase, Phase::Running) && self.slots.has_room(&self.config) {
            let Some(waiting) = self.next_to_start() else { return };
            if waiting.is_late(self.now) {
                self.discard(waiting.task);
            } else if let Some(kind) = self.kind(&waiting.task) {
                self.start_batch(waiting, kind);
                self.hold_kinds();
            } else {
                self.start_one(waiting);
            }
        }
    }

    fn next_to_start(&mut self) -> Option<Waiting> {
        let (held, gathers) = (&self.batches, &self.config.gathers);
        let may_start = startable(&self.slots, &self.holdings, &self.config, self.now);
        let is_next = |waiting: &Waiting| may_start(waiting) && !held.holds(gathers, &waiting.task);
        self.buffer.pop(is_next)
    }

    fn start_one(&mut self, waiting: Waiting) {
        let mut slot = Slot::running(&waiting, None);
        let Waiting { leased_at: claimed_at, task, .. } = waiting;
        if task.suspect {
            let alone = (self.config.new_lease)();
            self.slots.suspect = Some(slot.lease);
            slot.state = State::Suspect { task: Box::new(task), alone, since: self.now };
            self.slots.insert(slot);
        } else {
            self.slots.insert(slot);
            self.act(Action::Start { task: Box::new(task), claimed_at });
        }
    }

    /// A transaction of the handler's is to hold the task's lease: then nothing else may be under it.
    pub(super) fn wants_alone(&mut self, task: TaskId) {
        let slot = self.slots.tasks.get_mut(&task);
        let Some(slot) = slot.filter(|slot| matches!(slot.state, State::Running)) else {
            return self.act(Action::Alone { task, result: Err(Error::LeaseLost { task }) });
        };
        if slot.wants.is_none() && self.holdings.is_one(slot.lease.batch) {
            let lease = slot.lease;
            self.act(Action::HoldAlone(lease.batch));
            self.act(Action::Alone { task, result: Ok(lease) });
        } else {
            slot.wants.get_or_insert_with(self.config.new_lease);
        }
    }

    /// Asks for leases of their own for tasks that have a slot, all in one request.
    pub(super) fn isolate_tasks(&mut self) {
        let may = self.trouble.is_over(self.now) && self.isolations.is_over(self.now);
        if self.slots.isolating || !may {
            return;
        }
        let wanted = self.slots.tasks.values().filter_map(|slot| match &slot.state {
            State::Suspect { alone, .. } => Some((slot.lease, *alone)),
            State::Running => Some((slot.lease, slot.wants?)),
        });
        let tasks: Vec<_> = wanted.collect();
        if !tasks.is_empty() {
            self.slots.isolating = true;
            self.act(Action::Isolate(Isolate::new(tasks)));
        }
    }

    pub(super) fn isolated(&mut self, request: Isolate, result: Result<Vec<Option<Lease>>>) {
        self.slots.isolating = false;
        let leases = match result {
            Ok(leases) => leases,
            // The same ids are asked for again, and answer as they would have.
            Err(error) => {
                if !error.is_retryable() {
                    // It would be refused again, whatever else succeeds meanwhile.
                    self.isolations.failed(self.now);
                }
                self.tell_those_who_want(&request, &error);
                return self.store_failed(error);
            }
        };
        self.trouble.succeeded();
        self.isolations.succeeded();
        for ((before, own), after) in request.tasks.into_iter().zip(leases) {
            let Some(slot) = self.slots.remove(before.task) else { continue };
            let State::Suspect { mut task, since, .. } = slot.state else {
                self.is_alone(slot, own, after);
                continue;
            };
            self.released(before.batch);
            let Some(lease) = after else {
                self.slots.is_over(before);
                self.act(Action::Lost(before.task));
                continue;
            };
            task.lease = lease;
            self.slots.suspect = Some(lease);
            self.holdings.add(lease.batch, 1);
            self.act(Action::HoldAlone(lease.batch));
            // Granted long ago, if replies were lost: it may have been taken over since.
            let is_fresh = self.now < since + self.config.lease_for;
            if matches!(self.phase, Phase::Running) && !slot.fired && is_fresh {
                let running = Slot { lease, state: State::Running, ..slot };
                self.slots.insert(running);
                self.act(Action::Start { task, claimed_at: slot.claimed_at });
            } else {
                self.release(&task);
            }
        }
    }

    /// A task that runs has the lease `after` to itself, or was lost on the way to it, if this is what
    /// it waits for.
    fn is_alone(&mut self, mut slot: Slot, own: LeaseId, after: Option<Lease>) {
        let task = slot.lease.task;
        if slot.wants != Some(own) {
            return self.slots.insert(slot);
        }
        slot.wants = None;
        let result = match after {
            // Its end will be refused, too.
            None => Err(Error::LeaseLost { task }),
            Some(lease) => {
                self.released(slot.lease.batch);
                slot.lease = lease;
                self.holdings.add(lease.batch, 1);
                self.act(Action::HoldAlone(lease.batch));
                Ok(lease)
            }
        };
        let ended = slot.ended.take();
        self.slots.insert(slot);
        self.act(Action::Alone { task, result });
        if let Some(settlement) = ended {
            self.finished(settlement);
        }
    }

    /// An isolation failed. It is tried again, for it may have happened; but those who asked for it
    /// have a transaction open.
    fn tell_those_who_want(&mut self, request: &Isolate, error: &Error) {
        for (lease, _) in &request.tasks {
            let slot = self.slots.tasks.get(&lease.task);
            if slot.is_some_and(|slot| slot.wants.is_some() && slot.ended.is_none()) {
                let error = if error.is_retryable() {
                    Error::unavailable(error.to_string())
                } else {
                    Error::backend(error.to_string())
                };
                self.act(Action::Alone { task: lease.task, result: Err(error) });
            }
        }
    }

    /// A handler's future is finished or dropped.
    pub(super) fn finished(&mut self, mut settlement: Settlement) {
        if let Some(slot) = self.slots.tasks.get_mut(&settlement.lease.task)
            && slot.wants.is_some()
        {
            slot.ended = Some(settlement);
        } else if let Some(slot) = self.leave_slot(&settlement) {
            // Another one than the run knows, if it was isolated a moment ago.
            settlement.lease = slot.lease;
            self.settle(settlement, slot.keyed);
        }
    }

    /// A handler's future is finished or dropped, and its task is settled already.
    pub(super) fn completed(&mut self, mut settlement: Settlement) {
        if let Some(slot) = self.leave_slot(&settlement) {
            settlement.lease = slot.lease;
            if self.config.once {
                // What ended may have enqueued more, which no claim has looked for.
                self.claims.hint(self.now);
            }
            self.settled(&settlement, Fate::Applied { status: Status::Success });
        }
    }

    fn leave_slot(&mut self, settlement: &Settlement) -> Option<Slot> {
        let slot = self.slots.remove(settlement.lease.task)?;
        slot.batch.into_iter().for_each(|member| self.slots.shared.ended(member));
        if let Some(run) = settlement.run {
            let own = slot.limited.as_ref().and_then(|queue| self.queues.pace(queue));
            let part = run.ran_for / slot.batch.map_or(1, |member| member.of);
            own.unwrap_or(&mut self.pace).ran(part);
        }
        Some(slot)
    }

    /// The heartbeat says that a lease is gone. What waits under it belongs to somebody else; what
    /// runs is told to stop, and its result will be refused. Where everything under it is on its way
    /// to the store already, it may be gone because it was settled.
    pub(super) fn lease_lost(&mut self, lease: LeaseId) {
        self.forget_lease(lease);
        let lost: Vec<_> = self
            .slots
            .tasks
            .values()
            // One that is being isolated may have left it; the answer to that tells.
            .filter(|slot| slot.lease.batch == lease && slot.wants.is_none())
            .map(|slot| slot.lease.task)
            .collect();
        for task in lost {
            self.fire(task);
        }
        if self.holdings.forget(lease) {
            self.act(Action::LetGo(lease));
        }
    }

    /// Somebody wants tasks canceled: the tokens of those that run fire, and those that have not
    /// begun go back, which the store turns into their end.
    pub(super) fn cancel_requested(&mut self, tasks: &[TaskId]) {
        if tasks.is_empty() {
            return;
        }
        let wanted: HashSet<_> = tasks.iter().copied().collect();
        for waiting in self.buffer.take(|waiting| wanted.contains(&waiting.task.lease.task)) {
            self.release(&waiting);
        }
        tasks.iter().for_each(|&task| self.fire(task));
    }

    pub(super) fn fire(&mut self, task: TaskId) {
        if let Some(slot) = self.slots.tasks.get_mut(&task)
            && !slot.fired
        {
            slot.fired = true;
            if matches!(slot.state, State::Running) {
                self.act(Action::Cancel(task));
            }
        }
    }
}
