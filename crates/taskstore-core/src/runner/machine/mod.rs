//! The runner as a pure state machine: events in, actions out. No clock, no database, no runtime;
//! so shutdown, stalls and races are tested without any of them and without sleeping.
//!
//! A claimed task is held in exactly one of: the [`Buffer`] (waits for a slot), [`Slots`] (is being
//! isolated, or runs), an [`Outbox`] (its end waits to be saved) or a flight (its end is being
//! saved). Everything leaves through a flight, whose answer the store gives. What is never done:
//! settling a task whose future is neither finished nor dropped.
//!
//! ```text
//!  claim ─▶ Buffer ─▶ Slots ─▶ Outbox ─▶ flight (settle + next claim) ─▶ gone
//!              └──────────────────▲  released: at a stop, a cancel, or when held for too long
//! ```

mod buffer;
mod claims;
mod flights;
mod gather;
mod holdings;
mod outbox;
mod pace;
mod queues;
mod slots;
mod stop;
mod trouble;
mod turns;

#[cfg(test)]
mod tests;

use std::time::Duration;

use buffer::{Buffer, Waiting};
use claims::Claims;
use gather::Batches;
pub(crate) use gather::{Gather, Gathers};
use holdings::Holdings;
use outbox::Outbox;
use pace::Pace;
use queues::Queues;
use slots::Slots;
use stop::Phase;
use trouble::Trouble;

use super::{Served, Summary, outcome::Outcome};
use crate::{
    Error, LeaseId, Result, RunnerId, TaskId,
    backend::{
        FindWork, Isolate, Known, Lease, LeasedTask, Promote, Promoted, Settle, Settled,
        Settlement, WorkFound,
    },
};

/// Time since the runner started, on its own monotonic clock.
pub(crate) type Moment = Duration;

/// What a machine is told when it is made.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) runner: RunnerId,
    /// What is served: strictly in this order, unless one of them has a weight.
    pub(crate) queues: Vec<Served>,
    /// Tasks that run at the same time.
    pub(crate) concurrency: usize,
    /// Most tasks claimed ahead of free slots.
    pub(crate) prefetch_max: usize,
    pub(crate) lease_for: Duration,
    /// The longest sleep of an idle runner.
    pub(crate) poll: Duration,
    /// Whether the store tells of work that other processes enqueue; if not, polls start short.
    pub(crate) notified: bool,
    pub(crate) drain_deadline: Duration,
    pub(crate) grace: Duration,
    /// Stop as soon as nothing is due and nothing runs.
    pub(crate) once: bool,
    pub(crate) known: Known,
    /// Which tasks are started together.
    pub(crate) gathers: Gathers,
    /// Where ids of leases come from.
    pub(crate) new_lease: fn() -> LeaseId,
}

/// The two ways to the store: what holds a unique key is settled apart, because another transaction
/// may wait for the key, and must not hold up the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    Plain,
    Keyed,
}

/// What happens to a runner.
#[derive(Debug)]
pub(crate) enum Event {
    /// The time of [`Machine::wake_at`] has come.
    Tick,
    /// Work may have come.
    Hint,
    /// The definitions that there are handlers for, as a claim names them.
    Known(Known),
    /// Which tasks are started together.
    Gathers(Gathers),
    /// A handler's future is finished or dropped.
    Finished(Settlement),
    /// A handler's future is finished or dropped, and its task was settled in a transaction of the
    /// handler's, which has committed.
    Completed(Settlement),
    /// The handler of this task, which runs, wants a lease that no other task shares; answer with
    /// [`Action::Alone`].
    WantsAlone(TaskId),
    /// The answer to an [`Action::Exchange`], with the request.
    Exchanged { lane: Lane, request: Box<Settle>, result: Result<Settled> },
    /// The answer to an [`Action::Recall`].
    Recalled { lease: LeaseId, result: Result<Vec<LeasedTask>> },
    /// The answer to an [`Action::Isolate`], with the request.
    Isolated { request: Isolate, result: Result<Vec<Option<Lease>>> },
    /// The answer to an [`Action::FindWork`].
    WorkFound(Result<WorkFound>),
    /// The answer to an [`Action::Promote`].
    Promoted(Result<Promoted>),
    /// What a heartbeat that began at `at` found: leases that are gone, tasks that somebody wants
    /// canceled. All other leases are alive.
    Beaten { at: Moment, lost: Vec<LeaseId>, cancel: Vec<TaskId> },
    /// Somebody asks the runner to stop.
    Stop,
}

/// What a runner does about it.
#[derive(Debug)]
pub(crate) enum Action {
    /// Settle, and perhaps claim; answer with [`Event::Exchanged`].
    Exchange { lane: Lane, request: Box<Settle> },
    /// Ask what a claim whose reply was lost had taken; answer with [`Event::Recalled`].
    Recall(LeaseId),
    /// Give tasks leases of their own; answer with [`Event::Isolated`].
    Isolate(Isolate),
    /// Look which queues have work; answer with [`Event::WorkFound`], all of them at once.
    FindWork(FindWork),
    /// Move due tasks to ready; answer with [`Event::Promoted`].
    Promote(Promote),
    /// Run the handler; end with [`Event::Finished`], once its future is finished or dropped.
    Start { task: Box<LeasedTask>, claimed_at: Moment },
    /// Run the handler once for all of them; end each with [`Event::Finished`], once that future is
    /// finished or dropped.
    StartBatch(Vec<(LeasedTask, Moment)>),
    /// Fire the token of a running task.
    Cancel(TaskId),
    /// Drop the future of a running task, if it lets itself be dropped.
    Drop(TaskId),
    /// The answer to an [`Event::WantsAlone`]: what the task is held by now, or why it is not alone.
    Alone { task: TaskId, result: Result<Lease> },
    /// Keep this lease alive.
    Hold(LeaseId),
    /// Keep this lease of one task that runs alive, which a transaction of its handler's may lock.
    HoldAlone(LeaseId),
    /// Do not any more.
    LetGo(LeaseId),
    /// Tell the error handler that a task was lost to another runner.
    Lost(TaskId),
    /// Tell whoever watches that a task was discarded, for it was too late to start it.
    Expired(Box<LeasedTask>),
    /// Tell the error handler that the store failed.
    Failed(Error),
    /// Everything is saved, but for tasks whose futures can be neither finished nor dropped.
    Stopped { left: Vec<TaskId> },
}

/// The state of a runner.
#[derive(Debug)]
pub(crate) struct Machine {
    config: Config,
    now: Moment,
    phase: Phase,
    buffer: Buffer,
    slots: Slots,
    queues: Queues,
    batches: Batches,
    plain: Outbox,
    keyed: Outbox,
    holdings: Holdings,
    claims: Claims,
    pace: Pace,
    trouble: Trouble,
    /// Isolations that the store refused, and would refuse again.
    isolations: Trouble,
    actions: Vec<Action>,
    summary: Summary,
}

impl Machine {
    pub(crate) fn new(config: Config) -> Self {
        let queues = Queues::new(&config);
        Self {
            claims: Claims::new(
                config.poll,
                config.notified,
                queues.has_patterns(),
                config.lease_for,
            ),
            queues,
            pace: Pace::new(config.concurrency, config.prefetch_max),
            now: Moment::ZERO,
            phase: Phase::Running,
            buffer: Buffer::default(),
            slots: Slots::default(),
            batches: Batches::default(),
            plain: Outbox::default(),
            keyed: Outbox::default(),
            holdings: Holdings::default(),
            trouble: Trouble::new(config.lease_for),
            isolations: Trouble::new(config.lease_for),
            actions: Vec::new(),
            summary: Summary::default(),
            config,
        }
    }

    /// Takes in what happened at `now`. Call [`advance`](Self::advance) when all is taken in.
    pub(crate) fn take(&mut self, now: Moment, event: Event) {
        self.now = now;
        match event {
            Event::Tick => {}
            Event::Hint => self.claims.hint(now),
            Event::Known(known) if known == self.config.known => {}
            Event::Known(known) => {
                self.config.known = known;
                self.claims.hint(now);
            }
            Event::Gathers(gathers) => self.config.gathers = gathers,
            Event::Finished(settlement) => self.finished(settlement),
            Event::Completed(settlement) => self.completed(settlement),
            Event::WantsAlone(task) => self.wants_alone(task),
            Event::Exchanged { lane, request, result } => self.exchanged(lane, *request, result),
            Event::Recalled { lease, result } => self.recalled(lease, result),
            Event::Isolated { request, result } => self.isolated(request, result),
            Event::WorkFound(result) => self.work_found(result),
            Event::Promoted(result) => self.promoted(result),
            Event::Beaten { at, lost, cancel } => {
                self.holdings.heard(at);
                lost.into_iter().for_each(|lease| self.lease_lost(lease));
                self.cancel_requested(&cancel);
            }
            Event::Stop => self.stop_requested(),
        }
    }

    /// Decides what to do by now.
    pub(crate) fn advance(&mut self, now: Moment) -> Vec<Action> {
        self.now = now;
        self.advance_phase();
        self.start_tasks();
        self.release_stale();
        self.isolate_tasks();
        if self.trouble.is_over(now) {
            self.recall();
            self.promote();
            self.exchange(Lane::Plain);
            self.exchange(Lane::Keyed);
        }
        self.finish_stop();
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Tick`] is due, if nothing else happens before.
    pub(crate) fn wake_at(&self) -> Option<Moment> {
        let running = matches!(self.phase, Phase::Running);
        let claim = (running && self.may_claim_alone()).then(|| self.claims.next_at()).flatten();
        let promote = self.claims.promote_at().filter(|_| running);
        let work = [claim, promote, self.plain.flush_at(), self.keyed.flush_at()];
        let work = work.into_iter().flatten().min().map(|at| self.trouble.not_before(at));
        let trouble = self.trouble.wake_at(self.now);
        // The last deadline of a stop may have passed while the store is away.
        let stop = self.phase.deadline().filter(|at| *at > self.now);
        let isolation = self.isolations.wake_at(self.now);
        let others = [trouble, isolation, stop, self.buffer.stale_at(), self.batch_at()];
        others.into_iter().chain([work]).flatten().min()
    }

    /// Whether to listen for hints from before the next claim on.
    pub(crate) fn is_listening(&self) -> bool {
        matches!(self.phase, Phase::Running) && !self.config.once && self.claims.is_listening()
    }

    /// What became of the tasks so far.
    pub(crate) fn summary(&self) -> Summary {
        self.summary
    }

    /// Whether nothing is left to do, also for tasks that could not be dropped at a stop.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Stopped) && self.slots.is_empty() && self.is_saved()
    }

    /// Whether something runs or waits for a slot under this lease, so that it is not just settled.
    pub(crate) fn is_at_work(&self, lease: LeaseId) -> bool {
        self.slots.any_under(lease) || self.waiting_under(lease).next().is_some()
    }

    /// The tasks that wait for a slot under this lease.
    pub(crate) fn waiting_under(&self, lease: LeaseId) -> impl Iterator<Item = Lease> {
        self.buffer.leases().filter(move |waiting| waiting.batch == lease)
    }

    fn is_saved(&self) -> bool {
        self.buffer.is_empty()
            && self.plain.is_empty()
            && self.keyed.is_empty()
            && self.claims.is_settled()
    }

    fn outbox(&mut self, lane: Lane) -> &mut Outbox {
        match lane {
            Lane::Plain => &mut self.plain,
            Lane::Keyed => &mut self.keyed,
        }
    }

    fn act(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Takes in tasks that are leased under `lease`, since `leased_at` or later, as the store told
    /// when it was asked.
    fn took(
        &mut self,
        lease: LeaseId,
        tasks: Vec<LeasedTask>,
        leased_at: Moment,
        asked_at: Moment,
    ) {
        if self.holdings.add(lease, tasks.len()) {
            self.act(Action::Hold(lease));
        }
        for task in tasks {
            let start_by = start_by(&task, asked_at);
            let limit = self.queues.limit(&task.queue);
            let (since, answers) = (self.now, self.claims.answers());
            self.buffer.push(Waiting { since, leased_at, answers, start_by, limit, task });
        }
        if !matches!(self.phase, Phase::Running) {
            self.release_buffer();
        }
    }

    /// One task of a lease is settled, lost or moved.
    fn released(&mut self, lease: LeaseId) {
        if self.holdings.remove(lease) {
            self.act(Action::LetGo(lease));
        }
    }
}

/// When it is too late to start a task, on this runner's own clock: never later than the store meant,
/// for the answer took its time. Attempts that were lost may have begun, so it is not discarded then.
fn start_by(task: &LeasedTask, asked_at: Moment) -> Option<Moment> {
    let may_have_begun = task.suspect || task.attempts > 0;
    let start_by = task.start_by.filter(|_| !may_have_begun)?;
    Some(asked_at.saturating_add(start_by.within))
}
