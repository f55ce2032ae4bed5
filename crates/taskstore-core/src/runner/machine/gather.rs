//! Batches: tasks of one kind that wait are started together, as many as their handler takes, and
//! share a slot.
//!
//! What is there is started; nothing is invented to fill a batch. Only where more of it is likely to
//! come with the next claim, that claim is waited for, once.

use std::{collections::HashMap, sync::Arc, time::Duration};

use super::{
    Action, Machine, Moment, Phase, Waiting,
    slots::{Slot, startable},
};
use crate::{DefinitionId, QueueName, backend::LeasedTask};

/// Most tasks that a claim brings for batches.
const CLAIM_MAX: usize = 1_000;
/// How much the newest claim counts in what is expected of the next.
const NEWEST: f64 = 0.5;

/// How the tasks of a definition are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gather {
    /// The handler: definitions of its former aliases go with it.
    pub(crate) handler: DefinitionId,
    /// Most tasks in a batch.
    pub(crate) at_most: usize,
    /// How long a batch that is not full waits for more.
    pub(crate) wait: Duration,
}

/// The definitions whose tasks are gathered.
pub(crate) type Gathers = Arc<HashMap<DefinitionId, Gather>>;

/// What goes together: tasks of one handler that may take equally long.
type Kind = (DefinitionId, Option<Duration>);

/// The tasks of a kind that wait.
#[derive(Clone, Copy, Debug)]
struct Group {
    gather: Gather,
    waiting: usize,
    /// Since when the first of them has waited.
    since: Moment,
    /// How many claims had been answered when it came.
    answers: u64,
    /// Whether one is of a queue with a limit of its own, which may not give more.
    limited: bool,
}

/// Tasks that share a slot.
#[derive(Debug, Default)]
pub(super) struct Shared {
    next: u64,
    /// How many tasks of each batch still run.
    running: HashMap<u64, usize>,
}

/// What is gathered.
#[derive(Debug, Default)]
pub(super) struct Batches {
    /// Kinds that wait for more.
    held: HashMap<Kind, Group>,
    /// Slots that a task of the newest claims takes: 1, or less where batches are made of them.
    share: Option<f64>,
}

/// The batch of a task that runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    batch: u64,
    /// How many ran together.
    pub(super) of: u32,
}

impl Shared {
    /// Slots that are saved by sharing.
    pub(super) fn saved(&self) -> usize {
        self.running.values().sum::<usize>() - self.running.len()
    }

    fn begin(&mut self, tasks: usize) -> Member {
        self.next += 1;
        self.running.insert(self.next, tasks);
        Member { batch: self.next, of: u32::try_from(tasks).unwrap_or(u32::MAX) }
    }

    /// One of its tasks has ended.
    pub(super) fn ended(&mut self, member: Member) {
        if let Some(left) = self.running.get_mut(&member.batch) {
            *left -= 1;
            if *left == 0 {
                self.running.remove(&member.batch);
            }
        }
    }
}

impl Batches {
    /// So many tasks are likely to fill so many slots.
    pub(super) fn filling(&self, slots: usize) -> usize {
        let Some(share) = self.share.filter(|share| *share < 1.0) else { return slots };
        #[expect(clippy::cast_precision_loss, reason = "at most 10,000 slots")]
        let tasks = slots as f64 / share;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
        let tasks = tasks as usize;
        tasks.clamp(slots, slots.max(CLAIM_MAX))
    }

    /// So many more would fill the batches that wait for more.
    pub(super) fn missing(&self) -> usize {
        self.held.values().map(|group| group.gather.at_most - group.waiting).sum()
    }

    /// When the next of those that wait has waited long enough.
    fn start_after(&self, now: Moment) -> Option<Moment> {
        let ends = self.held.values().map(|group| group.since + group.gather.wait);
        ends.filter(|at| *at > now).min()
    }

    /// Whether something waits for more of its kind.
    pub(super) fn is_any_held(&self) -> bool {
        !self.held.is_empty()
    }

    /// Whether it waits for more of its kind.
    pub(super) fn holds(&self, gathers: &Gathers, task: &LeasedTask) -> bool {
        !self.held.is_empty()
            && kind(gathers, task).is_some_and(|kind| self.held.contains_key(&kind))
    }

    /// A claim brought these.
    pub(super) fn came(&mut self, tasks: &[LeasedTask], gathers: &Gathers) {
        if tasks.is_empty() || (gathers.is_empty() && self.share.is_none()) {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "a batch has at most 1,000")]
        let slots = |task: &LeasedTask| match gathers.get(&task.definition) {
            Some(gather) if !task.suspect => 1.0 / gather.at_most as f64,
            _ => 1.0,
        };
        #[expect(clippy::cast_precision_loss, reason = "a claim has at most some thousands")]
        let mean = tasks.iter().map(slots).sum::<f64>() / tasks.len() as f64;
        self.share = Some(self.share.map_or(mean, |share| share + NEWEST * (mean - share)));
    }
}

/// What this task may run together with.
fn kind(gathers: &Gathers, task: &LeasedTask) -> Option<Kind> {
    let gather = gathers.get(&task.definition).filter(|_| !task.suspect)?;
    Some((gather.handler, task.timeout))
}

impl Machine {
    /// Whether a task is started together with others, and with which.
    pub(super) fn kind(&self, task: &LeasedTask) -> Option<Kind> {
        kind(&self.config.gathers, task)
    }

    /// Looks which kinds wait for more: not enough of them is here for a batch, and more may come
    /// with a claim that can be sent, or within the time that their handler waits.
    pub(super) fn hold_kinds(&mut self) {
        let gathers = &self.config.gathers;
        if gathers.is_empty() {
            return self.batches.held.clear();
        }
        let may_start = startable(&self.slots, &self.holdings, &self.config, self.now);
        let mut groups: HashMap<Kind, Group> = HashMap::new();
        for waiting in self.buffer.iter().filter(|waiting| may_start(waiting)) {
            let Some(kind) = kind(gathers, &waiting.task) else { continue };
            let Some(gather) = gathers.get(&waiting.task.definition).copied() else { continue };
            let (since, answers) = (waiting.since, waiting.answers);
            let group = Group { gather, waiting: 0, since, answers, limited: false };
            let group = groups.entry(kind).or_insert(group);
            group.waiting += 1;
            group.limited |= waiting.limit.is_some();
        }
        groups.retain(|_, group| {
            let lingers = self.now < group.since + group.gather.wait;
            let more = self.trouble.is_over(self.now) && self.claims.brings_more(group.answers);
            group.waiting < group.gather.at_most && (lingers || (more && !group.limited))
        });
        self.batches.held = groups;
    }

    /// Starts this task together with what waits of its kind.
    pub(super) fn start_batch(&mut self, first: Waiting, kind: Kind) {
        let now = self.now;
        let gather = self.config.gathers.get(&first.task.definition);
        let others = gather.map_or(0, |gather| gather.at_most.saturating_sub(1));
        let taken = self.take_kind(&first, kind, others).into_iter();
        let (late, others): (Vec<_>, Vec<_>) = taken.partition(|waiting| waiting.is_late(now));
        late.into_iter().for_each(|waiting| self.discard(waiting.task));
        let member = self.slots.shared.begin(others.len() + 1);
        let mut batch = Vec::with_capacity(others.len() + 1);
        for waiting in std::iter::once(first).chain(others) {
            self.slots.insert(Slot::running(&waiting, Some(member)));
            batch.push((waiting.task, waiting.leased_at));
        }
        self.act(Action::StartBatch(batch));
    }

    /// So many more of this kind, and those before them that it is too late to start. A queue's own
    /// limit counts tasks, also in a batch.
    fn take_kind(&mut self, first: &Waiting, wanted: Kind, mut at_most: usize) -> Vec<Waiting> {
        let (now, gathers, slots) = (self.now, &self.config.gathers, &self.slots);
        let may_start = startable(slots, &self.holdings, &self.config, now);
        // Of queues with limits of their own: those that this batch takes.
        let mut limited: HashMap<QueueName, usize> = HashMap::new();
        if first.limit.is_some() {
            limited.insert(first.task.queue.clone(), 1);
        }
        self.buffer.take_some(|waiting| {
            let is_it = at_most > 0 && kind(gathers, &waiting.task) == Some(wanted);
            if !is_it || !may_start(waiting) {
                return false;
            }
            if waiting.is_late(now) {
                return true;
            }
            if let Some(most) = waiting.limit {
                let queue = &waiting.task.queue;
                let taken = limited.entry(queue.clone()).or_default();
                if slots.running_in(queue) + *taken >= most {
                    return false;
                }
                *taken += 1;
            }
            at_most -= 1;
            true
        })
    }

    /// When a batch that waits for more is to be started.
    pub(super) fn batch_at(&self) -> Option<Moment> {
        let running = matches!(self.phase, Phase::Running);
        self.batches.start_after(self.now).filter(|_| running)
    }
}
