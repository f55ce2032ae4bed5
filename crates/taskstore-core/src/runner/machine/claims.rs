//! When to claim, when to promote, and when to listen for hints.
//!
//! After a claim that was filled the next one is due as soon as there is room. After one that came
//! back short, the queues are empty as far as this runner knows: it listens, claims once more
//! (something may have come before it listened), and then sleeps until a hint, the next due task, or
//! the poll. Polling alone is always correct.

use std::{collections::VecDeque, time::Duration};

use super::{Action, Machine, Moment, Phase};
use crate::{
    LeaseId, QueueName, Result,
    backend::{Claim, Claimed, LeasedTask, Promote, Promoted, QueueShare},
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
    /// Claims whose reply was lost, and when they were sent.
    doubtful: VecDeque<(LeaseId, Moment)>,
    /// When the recall under way was sent.
    recalling: Option<Moment>,
}

impl Claims {
    pub(super) fn new(poll: Duration, notified: bool) -> Self {
        Self {
            poll,
            notified,
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
            doubtful: VecDeque::new(),
            recalling: None,
        }
    }

    pub(super) fn next_at(&self) -> Option<Moment> {
        if self.in_flight { None } else { self.next_at }
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
        self.in_flight = true;
        self.sent_at = now;
        self.by_hint = std::mem::take(&mut self.hinted);
        // A hint that concerns work committed from here on must be heard.
        self.listened = self.drained || self.listening;
        self.listening = self.listened;
        self.next_at = None;
    }

    /// The answer came. When the claim was sent.
    pub(super) fn came_back(&mut self, now: Moment, asked: u32, claimed: &Claimed) -> Moment {
        self.in_flight = false;
        let got = u32::try_from(claimed.tasks.len()).unwrap_or(u32::MAX);
        let bytes: usize = claimed.tasks.iter().map(|task| task.parameters.get().len()).sum();
        self.drained = got < asked && bytes + PARAMETERS_BYTES_MAX < BYTES_MAX;
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
        self.promote_at = claimed.due_in.map(|due| now + due);
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
        self.next_at = Some(now);
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
        let room = self.slots.room(&self.config) + self.pace.prefetch();
        room.saturating_sub(self.buffer.ready())
    }

    /// The claim to send along, if it is time for one.
    pub(super) fn make_claim(&mut self) -> Option<Claim> {
        let wanted = u32::try_from(self.wanted()).unwrap_or(u32::MAX);
        let may = matches!(self.phase, Phase::Running) && self.claims.is_settled() && wanted > 0;
        if !may {
            return None;
        }
        self.claims.sent(self.now);
        let mut claim = Claim::new(self.config.runner, [], wanted);
        claim.lease = (self.config.new_lease)();
        claim.lease_for = self.config.lease_for;
        claim.bytes_max = BYTES_MAX;
        claim.known = self.config.known.clone();
        let share = |queue: &QueueName| QueueShare { queue: queue.clone(), at_most: wanted };
        claim.queues = self.config.queues.iter().map(share).collect();
        Some(claim)
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
