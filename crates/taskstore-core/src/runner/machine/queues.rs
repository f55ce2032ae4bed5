//! Which queues are asked, in which order, and for how many tasks.
//!
//! Queues are served strictly in the order in which they are named, or, when one of them has a weight,
//! all by weight; queues of one pattern share evenly among themselves either way. A claim first asks
//! each for its share, and then each for what the others have left. A queue with a limit of its own
//! is asked for no more than may run, and a little ahead at its own pace; what it holds beyond
//! that takes no room from others.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::{
    Config,
    buffer::Buffer,
    pace::Pace,
    slots::Slots,
    turns::{self, Candidate, Turn},
};
use crate::{
    QueueName, QueuePattern,
    backend::{LeasedTask, QueueShare},
    runner::Served,
};

/// Most queues of one rank in a claim. The rest comes with the next one.
const ASKED_MAX: usize = 100;

/// What a machine knows of the queues that it serves.
#[derive(Debug)]
pub(super) struct Queues {
    served: Vec<Served>,
    by_weight: bool,
    has_limits: bool,
    /// Those that are named, and those that were found to have work.
    known: BTreeMap<QueueName, Known>,
    /// What each rank has come to: whoever begins to have work begins there.
    ranks: Vec<Turn>,
    prefetch_max: usize,
    /// What the claim under way asks, and whether there were more queues than it could ask.
    asked: Vec<Asked>,
    left_out: bool,
}

/// What a claim asks of one queue.
#[derive(Debug)]
struct Asked {
    queue: QueueName,
    rank: usize,
    /// Its share, of which it is asked before others may have what is left.
    share: usize,
    in_all: usize,
}

#[derive(Debug)]
struct Known {
    /// Which of `served` it is.
    place: usize,
    turn: Turn,
    limit: Option<Limit>,
}

/// A queue's own limit.
#[derive(Debug)]
struct Limit {
    most: usize,
    pace: Pace,
    /// It may have more than it was asked for.
    has_more: bool,
}

/// How much of a queue with a limit is here.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Here {
    /// Waits for a slot.
    pub(super) held: usize,
    /// Has one.
    pub(super) running: usize,
}

impl Limit {
    /// So many may be claimed.
    fn allows(&self, here: Here) -> usize {
        (self.most + self.pace.prefetch()).saturating_sub(here.held + here.running)
    }

    /// So many wait for one of their own queue to end.
    fn blocked(&self, here: Here) -> usize {
        here.held.saturating_sub(self.most.saturating_sub(here.running))
    }
}

impl Queues {
    pub(super) fn new(config: &Config) -> Self {
        let served = config.queues.clone();
        let by_weight = served.iter().any(|served| served.weight.is_some());
        let ranks = vec![0; if by_weight { 1 } else { served.len() }];
        let mut queues = Self {
            served,
            by_weight,
            has_limits: config.queues.iter().any(|served| served.concurrency.is_some()),
            known: BTreeMap::new(),
            ranks,
            prefetch_max: config.prefetch_max,
            asked: Vec::new(),
            left_out: false,
        };
        let names: Vec<_> =
            queues.served.iter().filter_map(|served| served.queues.name()).cloned().collect();
        names.into_iter().for_each(|name| queues.learn(name));
        queues
    }

    /// Those that are not known by name.
    pub(super) fn patterns(&self) -> Vec<QueuePattern> {
        let patterns = self.served.iter().filter(|served| served.queues.name().is_none());
        patterns.map(|served| served.queues.clone()).collect()
    }

    pub(super) fn has_patterns(&self) -> bool {
        self.served.iter().any(|served| served.queues.name().is_none())
    }

    /// The queue's own limit, if it has one.
    pub(super) fn limit(&self, queue: &QueueName) -> Option<usize> {
        if !self.has_limits {
            return None;
        }
        self.place(queue).and_then(|place| self.served.get(place)?.concurrency)
    }

    /// Which of `served` a queue is: the one that names it, or else the first that it matches.
    fn place(&self, queue: &QueueName) -> Option<usize> {
        let named = self.served.iter().position(|served| served.queues.name() == Some(queue));
        named.or_else(|| self.served.iter().position(|served| served.queues.matches(queue)))
    }

    const fn rank(&self, place: usize) -> usize {
        if self.by_weight { 0 } else { place }
    }

    fn learn(&mut self, queue: QueueName) {
        let Some(place) = self.place(&queue) else { return };
        let Some(served) = self.served.get(place) else { return };
        let turn = self.ranks.get(self.rank(place)).copied().unwrap_or_default();
        let limit = served.concurrency.map(|most| Limit {
            most,
            pace: Pace::new(most, self.prefetch_max),
            has_more: false,
        });
        self.known.entry(queue).or_insert(Known { place, turn, limit });
    }

    /// These have work, and of those that are not named no others.
    pub(super) fn found(&mut self, queues: Vec<QueueName>) {
        let there: HashSet<_> = queues.iter().cloned().collect();
        self.forget(|queue| !there.contains(queue));
        queues.into_iter().for_each(|queue| self.learn(queue));
    }

    /// Forgets some of those that are not named.
    fn forget(&mut self, gone: impl Fn(&QueueName) -> bool) {
        let served = &self.served;
        self.known.retain(|queue, known| {
            let named = served.get(known.place).is_some_and(|s| s.queues.name().is_some());
            named || !gone(queue)
        });
    }

    fn limited(&self) -> impl Iterator<Item = (&QueueName, &Limit)> {
        let some = if self.has_limits { Some(&self.known) } else { None };
        some.into_iter().flatten().filter_map(|(queue, known)| Some((queue, known.limit.as_ref()?)))
    }

    /// The pace of a queue that has a limit.
    pub(super) fn pace(&mut self, queue: &QueueName) -> Option<&mut Pace> {
        self.known.get_mut(queue)?.limit.as_mut().map(|limit| &mut limit.pace)
    }

    /// So many tasks of queues with limits may be claimed ahead, beyond what is there of them.
    pub(super) fn prefetch(&self, here: impl Fn(&QueueName) -> Here) -> usize {
        let ahead = |(queue, limit): (&QueueName, &Limit)| {
            limit.pace.prefetch().saturating_sub(limit.blocked(here(queue)))
        };
        self.limited().map(ahead).sum()
    }

    /// Whether any may be asked.
    pub(super) fn any_allows(&self, here: impl Fn(&QueueName) -> Here) -> bool {
        let allows = |limit: &Limit, queue| limit.allows(here(queue)) > 0;
        self.known
            .iter()
            .any(|(queue, known)| known.limit.as_ref().is_none_or(|limit| allows(limit, queue)))
    }

    /// Whether any may be asked. One that may not may have more than anybody knows.
    pub(super) fn any_to_ask(&mut self, here: impl Fn(&QueueName) -> Here) -> bool {
        for (queue, known) in &mut self.known {
            if let Some(limit) = &mut known.limit {
                limit.has_more |= limit.allows(here(queue)) == 0;
            }
        }
        self.any_allows(here)
    }

    /// Whether one that was full has room again, and may have more.
    pub(super) fn wants_more(&self, here: impl Fn(&QueueName) -> Here) -> bool {
        self.limited().any(|(queue, limit)| {
            let here = here(queue);
            let low = limit.blocked(here) <= limit.pace.prefetch() / 2;
            limit.has_more && low && limit.allows(here) > 0
        })
    }

    /// What a claim of so many asks of each queue; none where all are full.
    pub(super) fn shares(
        &mut self,
        wanted: usize,
        here: impl Fn(&QueueName) -> Here,
    ) -> Vec<QueueShare> {
        self.asked.clear();
        self.left_out = false;
        let mut all = Vec::new();
        for rank in 0..self.ranks.len() {
            let members = self.members(rank, wanted, &here);
            let candidates: Vec<_> = members.iter().map(|(_, candidate)| *candidate).collect();
            let shares = turns::share_out(wanted, &candidates);
            let share_of = |queue: &QueueName, at_most: usize| QueueShare {
                queue: queue.clone(),
                at_most: u32::try_from(at_most).unwrap_or(u32::MAX),
            };
            for ((queue, _), &share) in members.iter().zip(&shares).filter(|(_, s)| **s > 0) {
                all.push(share_of(queue, share));
            }
            for ((queue, candidate), share) in members.into_iter().zip(shares) {
                let in_all = candidate.at_most;
                if in_all > share {
                    all.push(share_of(&queue, in_all - share));
                }
                self.asked.push(Asked { queue, rank, share, in_all });
            }
            if self.left_out {
                // Those after it must wait for all of this rank.
                break;
            }
        }
        all
    }

    /// The queues of a rank that may give, who is behind first.
    fn members(
        &mut self,
        rank: usize,
        wanted: usize,
        here: &impl Fn(&QueueName) -> Here,
    ) -> Vec<(QueueName, Candidate)> {
        let mut members = Vec::new();
        let by_weight = self.by_weight;
        for (queue, known) in &mut self.known {
            if (if by_weight { 0 } else { known.place }) != rank {
                continue;
            }
            let weight = self.served.get(known.place).and_then(|served| served.weight);
            let allowed = known.limit.as_ref().map_or(wanted, |limit| limit.allows(here(queue)));
            if let (0, Some(limit)) = (allowed, &mut known.limit) {
                // It is not asked, so nobody knows.
                limit.has_more = true;
                continue;
            }
            let (turn, weight) = (known.turn, weight.unwrap_or(1));
            members.push((queue.clone(), Candidate { turn, weight, at_most: allowed.min(wanted) }));
        }
        members.sort_by_key(|(_, candidate)| candidate.turn);
        self.left_out = members.len() > ASKED_MAX;
        members.truncate(ASKED_MAX);
        members
    }

    /// Counts what queues gave.
    pub(super) fn gave(&mut self, tasks: &[LeasedTask]) {
        for task in tasks {
            if let Some(known) = self.known.get_mut(&task.queue) {
                let weight = self.served.get(known.place).and_then(|served| served.weight);
                known.turn = known.turn.saturating_add(turns::cost(weight.unwrap_or(1)));
            }
        }
    }

    /// The claim that was asked for came back: with less than it asked for in all, if `short`, and
    /// with all that its bytes let it take, if `whole`. Whether each queue was seen to its end, but
    /// for those that are full.
    pub(super) fn came_back(&mut self, tasks: &[LeasedTask], wanted: usize, whole: bool) -> bool {
        let short = whole && tasks.len() < wanted;
        let mut gave: HashMap<&QueueName, usize> = HashMap::new();
        for task in tasks {
            *gave.entry(&task.queue).or_default() += 1;
        }
        let gave = |queue| gave.get(queue).copied().unwrap_or_default();
        let asked = std::mem::take(&mut self.asked);
        let (mut empty, mut room) = (HashSet::new(), wanted);
        for rank in 0..self.ranks.len() {
            let of_rank = || asked.iter().filter(|asked| asked.rank == rank);
            // Each was asked for its share while there was room for it.
            let all_asked = whole && of_rank().map(|asked| asked.share).sum::<usize>() <= room;
            for asked in of_rank() {
                let (gave, queue) = (gave(&asked.queue), &asked.queue);
                room = room.saturating_sub(gave);
                let is_empty = (all_asked && gave < asked.share) || (short && gave < asked.in_all);
                if is_empty {
                    empty.insert(queue.clone());
                }
                let limit = self.known.get_mut(queue).and_then(|known| known.limit.as_mut());
                if let Some(limit) = limit.filter(|_| is_empty || gave >= asked.in_all) {
                    limit.has_more = !is_empty;
                }
            }
            let full = of_rank().filter(|asked| !empty.contains(&asked.queue));
            self.reach(rank, full.map(|asked| &asked.queue));
        }
        self.catch_up(&empty);
        self.forget(|queue| empty.contains(queue));
        short && !std::mem::take(&mut self.left_out)
    }

    /// A rank has come to where the last of those is that have more.
    fn reach<'a>(&mut self, rank: usize, full: impl Iterator<Item = &'a QueueName>) {
        let turn = |queue| self.known.get(queue).map(|known| known.turn);
        let in_rank = |known: &&Known| self.rank(known.place) == rank;
        let furthest = || self.known.values().filter(in_rank).map(|known| known.turn).max();
        let Some(turn) = full.filter_map(turn).min().or_else(furthest) else { return };
        if let Some(reached) = self.ranks.get_mut(rank) {
            *reached = turn.max(*reached);
        }
    }

    /// Those that had nothing left are brought up to where their rank is.
    fn catch_up(&mut self, empty: &HashSet<QueueName>) {
        for queue in empty {
            if let Some(known) = self.known.get_mut(queue) {
                let rank = if self.by_weight { 0 } else { known.place };
                known.turn = known.turn.max(self.ranks.get(rank).copied().unwrap_or_default());
            }
        }
    }
}

/// How much is here of the queues that have limits.
pub(super) fn here<'a>(buffer: &'a Buffer, slots: &'a Slots) -> impl Fn(&QueueName) -> Here + 'a {
    |queue| Here { held: buffer.held(queue), running: slots.running_in(queue) }
}
