//! When to claim, when to promote, and when to listen for hints.
//!
//! After a claim that was filled the next one is due as soon as there is room. After one that came
//! back short, the queues are empty as far as this runner knows: it listens, claims once more
//! (something may have come before it listened), and then sleeps until a hint, the next due task, or
//! the poll. Polling alone is always correct.
//!
//! Where not all queues are known by name, it looks which have work before such a claim, and now and
//! then while it is busy; when there is none, the look stands for the claim.

use std::{collections::VecDeque, time::Duration};

use super::{Action, Machine, Moment, Phase, Trouble, buffer::SUSPECTS_MAX, queues::here};
use crate::{
    LeaseId, Result,
    backend::{Claim, Claimed, FindWork, LeasedTask, Promote, Promoted, WorkFound},
    limits::PARAMETERS_BYTES_MAX,
};

/// The first poll of an idle runner whose store does not tell of other processes' work; each
/// further one waits twice as long.
const POLL_FIRST: Duration = Duration::from_millis(10);
/// The longest that hints are not believed after several that came to nothing.
const QUIET_MAX: Duration = Duration::from_millis(250);
/// How often due tasks are moved to ready while the queues are never empty.
const PROMOTE_EVERY: Duration = Duration::from_millis(500);
/// How soon again while somebody else holds what is due.
const PROMOTE_AGAIN: Duration = Duration::from_millis(10);
/// How often new queues are looked for while those that are known are never empty.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Most tasks in one promotion.
const PROMOTE_MAX: u32 = 1_000;
/// Most bytes of parameters in one claim.
const BYTES_MAX: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Claims {
    poll: Duration,
    notified: bool,
    next_at: Option<Moment>,
    promote_at: Option<Moment>,
    promoting: bool,
    listening: bool,
    /// Whether hints were listened for when the claim under way was sent.
    listened: bool,
    hinted: bool,
    in_flight: bool,
    sent_at: Moment,
    /// Whether a hint caused the claim under way.
    by_hint: bool,
    /// Hints in a row that came to nothing.
    false_hints: u32,
    /// Claims in a row that brought nothing.
    empty: u32,
    /// Whether the last claim found all that there was.
    drained: bool,
    /// Claims that were answered.
    answers: u64,
    /// Claims whose reply was lost, and when they were sent.
    doubtful: VecDeque<(LeaseId, Moment)>,
    /// When the recall under way was sent.
    recalling: Option<Moment>,
    /// Claims that the store refused, and would refuse again.
    refused: Trouble,
    /// The last one was refused together with settlements, which may have been to blame.
    suspected: bool,
    /// Whether queues must be looked for, because not all are known by name.
    looks: bool,
    /// When that was done last; `None`: it must be done before the next claim.
    looked_at: Option<Moment>,
    /// The next claim asks what a look has just found.
    fresh: bool,
    /// Whether the claim under way asks every queue that had work when it was last listened for.
    asks_all: bool,
}

impl Claims {
    pub(super) fn new(poll: Duration, notified: bool, looks: bool, lease_for: Duration) -> Self {
        Self {
            refused: Trouble::new(lease_for),
            suspected: false,
            poll,
            notified,
            looks,
            looked_at: None,
            fresh: false,
            asks_all: false,
            next_at: Some(Moment::ZERO),
            promote_at: Some(Moment::ZERO),
            promoting: false,
            listening: false,
            listened: false,
            hinted: false,
            in_flight: false,
            sent_at: Moment::ZERO,
            by_hint: false,
            false_hints: 0,
            empty: 0,
            drained: false,
            answers: 0,
            doubtful: VecDeque::new(),
            recalling: None,
        }
    }

    pub(super) fn next_at(&self) -> Option<Moment> {
        if self.in_flight { None } else { self.next_at.map(|at| self.refused.not_before(at)) }
    }

    pub(super) fn promote_at(&self) -> Option<Moment> {
        if self.promoting { None } else { self.promote_at }
    }

    pub(super) fn is_listening(&self) -> bool {
        self.listening
    }

    /// Whether a claim by itself is due.
    pub(super) fn is_due(&self, now: Moment) -> bool {
        self.next_at().is_some_and(|at| at <= now)
    }

    /// How many claims were answered so far.
    pub(super) fn answers(&self) -> u64 {
        self.answers
    }

    /// Whether the next claim is likely to bring more of what came when so many were answered. It is
    /// waited for once.
    pub(super) fn brings_more(&self, answers: u64) -> bool {
        !self.drained && self.answers == answers
    }

    /// Whether no claim is under way or in doubt.
    pub(super) fn is_settled(&self) -> bool {
        !self.in_flight && self.doubtful.is_empty() && self.recalling.is_none()
    }

    /// Whether nothing was left when last looked, and no promotion can change that.
    pub(super) fn is_drained(&self, now: Moment) -> bool {
        self.drained && !self.hinted && !self.promoting && self.promote_at.is_none_or(|at| at > now)
    }

    /// Work may have come. Hints that came to nothing several times in a row are believed ever
    /// less often, for another runner was quicker, or the work is not for this one.
    pub(super) fn hint(&mut self, now: Moment) {
        self.hinted = true;
        self.listening = false;
        self.next_at = Some(now.max(self.sent_at + self.quiet()));
    }

    fn quiet(&self) -> Duration {
        match self.false_hints {
            0..=2 => Duration::ZERO,
            hints => Duration::from_millis(1 << (hints - 3).min(8)).min(QUIET_MAX),
        }
    }

    fn sent(&mut self, now: Moment) {
        self.asks_all = !self.looks || self.fresh;
        if !std::mem::take(&mut self.fresh) {
            self.listen();
        }
        self.under_way(now);
    }

    /// A look was sent, which the claim will follow.
    fn looks_around(&mut self, now: Moment) {
        self.fresh = false;
        self.listen();
        self.under_way(now);
    }

    fn under_way(&mut self, now: Moment) {
        self.in_flight = true;
        self.sent_at = now;
        self.next_at = None;
    }

    fn listen(&mut self) {
        self.by_hint = std::mem::take(&mut self.hinted);
        // A hint that concerns work committed from here on must be heard.
        self.listened = self.drained || self.listening;
        self.listening = self.listened;
    }

    /// Whether to look for queues before the next claim.
    fn must_look(&self, now: Moment) -> bool {
        let is_due = self.looked_at.is_none_or(|at| at + LOOK_EVERY <= now);
        self.looks && !self.fresh && is_due
    }

    /// The look has found queues to ask.
    fn looked(&mut self, now: Moment) {
        self.in_flight = false;
        self.looked_at = Some(now);
        self.fresh = true;
        self.next_at = Some(now);
    }

    /// The look has found none.
    fn found_nothing(&mut self, now: Moment, due_in: Option<Duration>) {
        (self.asks_all, self.fresh) = (true, false);
        self.came_back(now, 0, true, due_in);
    }

    /// The answer came; whether every queue that was asked was seen to its end. When the claim was
    /// sent.
    pub(super) fn came_back(
        &mut self,
        now: Moment,
        got: usize,
        seen: bool,
        due_in: Option<Duration>,
    ) -> Moment {
        self.in_flight = false;
        self.answers += 1;
        self.refused.succeeded();
        self.suspected = false;
        self.drained = seen && self.asks_all;
        if seen || self.hinted {
            self.looked_at = None;
        }
        if got > 0 {
            (self.empty, self.false_hints) = (0, 0);
        } else {
            self.empty = self.empty.saturating_add(1);
            self.false_hints = self.false_hints.saturating_add(u32::from(self.by_hint));
        }
        if !self.drained {
            self.listening = false;
            self.next_at = Some(now);
            // While queues are full nobody says what becomes due, so it is looked for.
            let soon = now + PROMOTE_EVERY;
            self.promote_at = Some(self.promote_at.map_or(soon, |at| at.min(soon)));
            return self.sent_at;
        }
        self.promote_at = due_in.map(|due| now + due);
        self.next_at = Some(if self.hinted {
            now.max(self.sent_at + self.quiet())
        } else if self.listened {
            now + self.idle_for()
        } else {
            now
        });
        self.sent_at
    }

    /// How long to sleep when nothing is heard.
    fn idle_for(&self) -> Duration {
        if self.notified {
            return self.poll;
        }
        POLL_FIRST.saturating_mul(1 << self.empty.min(16)).min(self.poll)
    }

    /// The claim failed and took nothing.
    pub(super) fn failed(&mut self, now: Moment) {
        self.in_flight = false;
        (self.fresh, self.looked_at) = (false, None);
        self.next_at = Some(now);
    }

    /// The store refused the claim, and would refuse it again: it is asked ever less often, whatever
    /// else succeeds meanwhile. The settlements that went with it may have been to blame, the first
    /// time.
    pub(super) fn refused(&mut self, now: Moment, alone: bool) {
        self.failed(now);
        if alone || std::mem::replace(&mut self.suspected, true) {
            self.refused.failed(now);
        }
    }

    /// The claim's reply was lost: it may have taken tasks.
    pub(super) fn in_doubt(&mut self, now: Moment, lease: LeaseId) {
        self.failed(now);
        self.doubtful.push_back((lease, self.sent_at));
    }
}

impl Machine {
    /// So many tasks could be taken in.
    pub(super) fn wanted(&self) -> usize {
        let most = self.config.prefetch_max;
        let ahead = self.pace.prefetch() + self.queues.prefetch(here(&self.buffer, &self.slots));
        let slots = self.slots.room(&self.config);
        let room = self.batches.filling(slots);
        let wanted = (room + ahead.min(most)).saturating_sub(self.ready());
        // What waits for others of its queue takes no slot from the rest, but memory.
        let wanted = wanted.min((room + most).saturating_sub(self.buffer.unsuspected()));
        let wanted = wanted.min(SUSPECTS_MAX.saturating_sub(self.buffer.suspects()));
        wanted.max(if slots > 0 { self.batches.missing() } else { 0 })
    }

    /// The tasks that wait only for a slot.
    pub(super) fn ready(&self) -> usize {
        self.buffer.ready(|queue| self.slots.running_in(queue))
    }

    /// Whether there is a queue to ask, or may be one.
    pub(super) fn may_ask(&self) -> bool {
        self.claims.looks || self.queues.any_allows(here(&self.buffer, &self.slots))
    }

    /// Whether a queue that was at its limit has room again.
    pub(super) fn wants_more(&self) -> bool {
        self.queues.wants_more(here(&self.buffer, &self.slots))
    }

    /// The claim to send along, if it is time for one. Where queues must be looked for first, asks
    /// for that instead.
    pub(super) fn make_claim(&mut self) -> Option<Claim> {
        let wanted = self.wanted();
        let running = matches!(self.phase, Phase::Running);
        let may = running && self.claims.is_settled() && self.claims.refused.is_over(self.now);
        if !may || wanted == 0 {
            return None;
        }
        if self.claims.must_look(self.now) {
            self.look();
            return None;
        }
        let queues = self.queues.shares(wanted, here(&self.buffer, &self.slots));
        if queues.is_empty() {
            if self.claims.looks {
                // All that were found are full: is there another one?
                self.look();
            }
            return None;
        }
        self.claims.sent(self.now);
        let at_most = u32::try_from(wanted).unwrap_or(u32::MAX);
        let mut claim = Claim::new(self.config.runner, [], at_most);
        claim.lease = (self.config.new_lease)();
        claim.lease_for = self.config.lease_for;
        claim.bytes_max = BYTES_MAX;
        claim.known = self.config.known.clone();
        claim.queues = queues;
        Some(claim)
    }

    fn look(&mut self) {
        self.claims.looks_around(self.now);
        self.act(Action::FindWork(FindWork::new(self.queues.patterns())));
    }

    /// Takes in what a claim brought.
    pub(super) fn claimed(&mut self, lease: LeaseId, claimed: Claimed, asked: u32) {
        let Claimed { tasks, due_in, .. } = claimed;
        let bytes: usize = tasks.iter().map(|task| task.parameters.get().len()).sum();
        let whole = bytes + PARAMETERS_BYTES_MAX < BYTES_MAX;
        self.queues.gave(&tasks);
        self.batches.came(&tasks, &self.config.gathers);
        let seen = self.queues.came_back(&tasks, asked as usize, whole);
        let sent_at = self.claims.came_back(self.now, tasks.len(), seen, due_in);
        self.took(lease, tasks, sent_at, sent_at);
    }

    /// The queues that have work were looked for.
    pub(super) fn work_found(&mut self, result: Result<WorkFound>) {
        match result {
            Ok(found) => {
                self.trouble.succeeded();
                self.queues.found(found.queues);
                self.claims.looked(self.now);
                if !self.queues.any_to_ask(here(&self.buffer, &self.slots)) {
                    self.claims.found_nothing(self.now, found.due_in);
                }
            }
            Err(error) => {
                self.claims.failed(self.now);
                self.store_failed(error);
            }
        }
    }

    /// Asks what a claim whose reply was lost had taken.
    pub(super) fn recall(&mut self) {
        if self.claims.recalling.is_some() {
            return;
        }
        if let Some(&(lease, _)) = self.claims.doubtful.front() {
            self.claims.recalling = Some(self.now);
            self.act(Action::Recall(lease));
        }
    }

    pub(super) fn recalled(&mut self, lease: LeaseId, result: Result<Vec<LeasedTask>>) {
        let asked_at = self.claims.recalling.take().unwrap_or_default();
        match result {
            Ok(tasks) => {
                self.trouble.succeeded();
                let sent_at = self.claims.doubtful.pop_front().map(|(_, sent_at)| sent_at);
                self.took(lease, tasks, sent_at.unwrap_or_default(), asked_at);
            }
            Err(error) => self.store_failed(error),
        }
    }

    /// Moves due tasks to ready when the next one is due, and now and then while busy.
    pub(super) fn promote(&mut self) {
        let due = self.claims.promote_at().is_some_and(|at| at <= self.now);
        if due && matches!(self.phase, Phase::Running) {
            self.claims.promoting = true;
            self.act(Action::Promote(Promote::new(PROMOTE_MAX)));
        }
    }

    pub(super) fn promoted(&mut self, result: Result<Promoted>) {
        self.claims.promoting = false;
        match result {
            Ok(promoted) => {
                self.trouble.succeeded();
                let pause = if promoted.moved == 0 { PROMOTE_AGAIN } else { Duration::ZERO };
                let pause = |due: Duration| if due.is_zero() { pause } else { due };
                let next = promoted.due_in.map(|due| self.now + pause(due));
                let busy = (!self.claims.drained).then(|| self.now + PROMOTE_EVERY);
                self.claims.promote_at = [next, busy].into_iter().flatten().min();
                if promoted.moved > 0 {
                    self.claims.drained = false;
                    self.claims.hint(self.now);
                }
            }
            Err(error) => self.store_failed(error),
        }
    }
}
