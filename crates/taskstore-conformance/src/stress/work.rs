//! One participant of the stress.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::value::RawValue;
use taskstore_core::{
    Backend, Heartbeat, LeaseId, LogLevel, LogLine, Progress, RunnerId, TaskId,
    backend::{
        AttemptIs, Claim, Control, Cursor, Enqueue, Isolate, LateLease, Lease, LeasedTask, Move,
        Promote, QueueSettings, Report, Requeue, Run, Settle, Settlement, Sweep, TakeOver,
        Transition, When,
    },
    clock,
};

use super::{Options, world};
use crate::checker::{Event, Recorded};

/// So many requests of a kind, and rights that were used, are kept to be sent again.
const KEPT: usize = 16;
/// So many tasks are asked about at any time.
const WINDOW: u64 = 40;
/// How long it takes until the window has moved on by one task.
const STEP: Duration = Duration::from_millis(1);

/// What a participant knows.
pub(super) struct Worker {
    recorded: Recorded,
    heart: Option<Box<dyn Heartbeat>>,
    random: fastrand::Rng,
    options: Options,
    runner: RunnerId,
    start: Instant,
    /// Rights that it believes to have.
    mine: Vec<Lease>,
    /// Rights that it used, gave up or forgot.
    stale: Vec<Lease>,
    settles: Vec<Settle>,
    isolates: Vec<Isolate>,
    take_overs: Vec<TakeOver>,
    /// Leases as they were seen a while ago.
    late: Vec<LateLease>,
    /// The queue that it has paused.
    paused: Option<u64>,
    /// Where its sweep goes on.
    swept: Option<Cursor>,
}

impl Worker {
    pub(super) fn new(backend: Arc<dyn Backend>, options: Options, number: u32) -> Self {
        let mut random = fastrand::Rng::with_seed(options.seed);
        // A generator of its own for each participant: seeds that are close must not go alike.
        for _ in 0..number {
            random = random.fork();
        }
        let recorded = Recorded::new(backend, number).losing(options.faults, random.u64(..));
        Self {
            recorded,
            heart: None,
            random,
            options,
            runner: RunnerId::new(),
            start: Instant::now(),
            mine: Vec::new(),
            stale: Vec::new(),
            settles: Vec::new(),
            isolates: Vec::new(),
            take_overs: Vec::new(),
            late: Vec::new(),
            paused: None,
            swept: None,
        }
    }

    pub(super) fn history(&self) -> Vec<Event> {
        self.recorded.history()
    }

    /// An error is an answer like any other here: it is in the history, and the checker judges it.
    pub(super) async fn work(&mut self) {
        while self.start.elapsed() < self.options.lasts {
            match self.random.u8(..100) {
                0..16 => self.enqueue().await,
                16..22 => drop(self.recorded.promote(&Promote::new(20)).await),
                22..40 => self.claim().await,
                40..56 => self.settle().await,
                56..61 => self.settle_stale().await,
                61..66 => self.send_again().await,
                66..70 => self.isolate().await,
                70..75 => self.beat().await,
                75..81 => self.take_over().await,
                81..91 => self.control().await,
                91..93 => self.report().await,
                93..95 => self.recall().await,
                95..97 => self.look().await,
                97 => self.pause_or_resume_a_queue().await,
                98 => self.sweep().await,
                _ => self.crash(),
            }
            // Others get their turn on a single thread too.
            tokio::task::yield_now().await;
        }
    }

    /// A task of the window, which moves on with time, so that all participants ask about the same
    /// few tasks without talking to each other.
    fn number(&mut self) -> u64 {
        let steps = self.start.elapsed().as_micros() / STEP.as_micros();
        u64::try_from(steps).unwrap_or_default() + self.random.u64(..WINDOW)
    }

    /// A task of the window, or one that it had to do with: while a slow store answers, the window has
    /// moved on to tasks that are not there yet.
    fn task_id(&mut self) -> TaskId {
        let known = if self.random.bool() { &self.mine } else { &self.stale };
        if let Some(lease) = self.random.choice(known).filter(|_| self.random.bool()) {
            return lease.task;
        }
        world::task_id(self.options.seed, self.number())
    }

    async fn enqueue(&mut self) {
        let count = self.random.usize(1..6);
        let tasks: Vec<_> =
            (0..count).map(|_| world::task(self.options.seed, self.number())).collect();
        if self.recorded.enqueue(&Enqueue::new(&tasks)).await.is_err() && self.random.bool() {
            let _ = self.recorded.enqueue(&Enqueue::new(&tasks)).await;
        }
    }

    fn a_claim(&mut self) -> Claim {
        let first = self.random.u64(..world::QUEUES);
        let queues = (first..=first + self.random.u64(..world::QUEUES)).map(world::queue);
        let mut claim = Claim::new(self.runner, queues, self.random.u32(1..9));
        claim.lease_for = Duration::from_millis(self.random.u64(4..60));
        claim
    }

    async fn claim(&mut self) {
        let claim = self.a_claim();
        let tasks = match self.recorded.claim(&claim).await {
            Ok(claimed) => claimed.tasks,
            // A claim is never sent again.
            Err(_) => self.recorded.recall(claim.lease).await.unwrap_or_default(),
        };
        self.keep(&tasks);
    }

    fn keep(&mut self, tasks: &[LeasedTask]) {
        self.mine.extend(tasks.iter().map(|task| task.lease));
    }

    fn one_of_mine(&mut self) -> Option<Lease> {
        self.random.choice(&self.mine).copied()
    }

    fn give_up(&mut self, lease: Lease) {
        self.mine.retain(|mine| *mine != lease);
        keep_some(&mut self.stale, lease);
    }

    fn transition(&mut self) -> Transition {
        match self.random.u8(..12) {
            0..4 => Transition::Success { output: None },
            4 => Transition::Success { output: Some(RawValue::TRUE.to_owned()) },
            5 => Transition::Failed { error: "failed for good".into() },
            6 => Transition::Canceled {
                reason: "canceled inside, or expired".into(),
                attempt: if self.random.bool() { AttemptIs::Counted } else { AttemptIs::Refunded },
            },
            7 => self.requeue(AttemptIs::Counted, false, Some("try again")),
            8 => self.requeue(AttemptIs::Refunded, false, None),
            9 => self.requeue(AttemptIs::Refunded, true, Some("its runner died")),
            _ => Transition::Requeue {
                to: Requeue::AsBefore,
                attempt: AttemptIs::Refunded,
                suspect: self.random.bool(),
                error: None,
            },
        }
    }

    fn requeue(&mut self, attempt: AttemptIs, suspect: bool, error: Option<&str>) -> Transition {
        let to = Requeue::After(Duration::from_millis(self.random.u64(..15)));
        Transition::Requeue { to, attempt, suspect, error: error.map(ToOwned::to_owned) }
    }

    fn settlement(&mut self, lease: Lease) -> Settlement {
        let mut settlement = Settlement::new(lease, self.transition());
        settlement.run = self.random.bool().then_some(Run {
            started_after: Duration::from_millis(1),
            ran_for: Duration::from_millis(2),
        });
        settlement
    }

    async fn settle(&mut self) {
        let mut leases = Vec::new();
        for _ in 0..self.random.usize(1..6) {
            if let Some(lease) = self.one_of_mine() {
                self.give_up(lease);
                leases.push(lease);
            }
        }
        if self.random.u8(..8) == 0 {
            leases.extend(leases.first().copied());
        }
        if self.random.u8(..6) == 0 {
            leases.extend(self.random.choice(&self.stale).copied());
        }
        let settlements = leases.into_iter().map(|lease| self.settlement(lease)).collect();
        self.send_settle(Settle::new(settlements)).await;
    }

    async fn send_settle(&mut self, mut request: Settle) {
        if self.random.u8(..3) == 0 {
            request.then = Some(self.a_claim());
        }
        let tasks = match (self.recorded.settle(&request).await, request.then.take()) {
            (Ok(settled), _) => settled.claimed.unwrap_or_default().tasks,
            (Err(_), Some(claim)) => self.recorded.recall(claim.lease).await.unwrap_or_default(),
            (Err(_), None) => Vec::new(),
        };
        self.keep(&tasks);
        keep_some(&mut self.settles, request);
    }

    async fn settle_stale(&mut self) {
        if let Some(lease) = self.random.choice(&self.stale).copied() {
            let settlement = self.settlement(lease);
            self.send_settle(Settle::new(vec![settlement])).await;
        }
    }

    async fn send_again(&mut self) {
        match self.random.u8(..4) {
            0 => {
                if let Some(request) = self.random.choice(&self.isolates) {
                    let _ = self.recorded.isolate(request).await;
                }
            }
            1 => {
                if let Some(request) = self.random.choice(&self.take_overs) {
                    let _ = self.recorded.take_over(request).await;
                }
            }
            _ => {
                if let Some(request) = self.random.choice(&self.settles) {
                    let _ = self.recorded.settle(request).await;
                }
            }
        }
    }

    async fn isolate(&mut self) {
        let leases: Vec<_> =
            (0..self.random.usize(1..4)).filter_map(|_| self.one_of_mine()).collect();
        let request =
            Isolate::new(leases.into_iter().map(|lease| (lease, LeaseId::new())).collect());
        let mut answer = self.recorded.isolate(&request).await;
        if answer.is_err() {
            answer = self.recorded.isolate(&request).await;
        }
        for (isolated, &(lease, _)) in answer.into_iter().flatten().zip(&request.tasks) {
            if let Some(isolated) = isolated {
                self.give_up(lease);
                self.mine.push(isolated);
            }
        }
        keep_some(&mut self.isolates, request);
    }

    async fn beat(&mut self) {
        let mut leases: Vec<_> = self.mine.iter().map(|lease| lease.batch).collect();
        leases.dedup();
        if self.heart.is_none() {
            self.heart = self.recorded.heartbeat().await.ok();
        }
        let Some(heart) = &mut self.heart else { return };
        if heart.beat(&leases).await.is_err() {
            self.heart = None;
        }
    }

    /// Also of the living: a take-over is safe whether or not the holder is dead. Those seen a while
    /// ago have perhaps beaten meanwhile.
    async fn take_over(&mut self) {
        let late = self.recorded.late_leases(6).await.unwrap_or_default();
        let mut seen = std::mem::take(&mut self.late);
        for late in late {
            if self.random.bool() { seen.push(late) } else { self.late.push(late) }
        }
        let leases = seen.into_iter().map(|late| (late, LeaseId::new())).collect();
        let request = TakeOver::new(self.runner, leases);
        let mut answer = self.recorded.take_over(&request).await;
        if answer.is_err() {
            answer = self.recorded.take_over(&request).await;
        }
        for taken in answer.into_iter().flatten().flatten() {
            self.keep(&taken.tasks);
        }
        keep_some(&mut self.take_overs, request);
    }

    async fn control(&mut self) {
        let ids: Vec<_> = (0..self.random.usize(1..4)).map(|_| self.task_id()).collect();
        let to = match self.random.u8(..11) {
            0 | 1 => Move::Cancel { reason: "not needed".into() },
            2 => Move::Pause,
            3 | 4 => Move::Resume,
            5 | 6 => Move::Requeue { parameters: None },
            7 => Move::Reschedule {
                when: self.random.bool().then_some(When::Now),
                priority: Some(self.random.i16(-1..=1)),
                queue: Some(world::queue(self.random.u64(..world::QUEUES))),
            },
            8 => Move::Delete,
            9 => Move::Purge { before: None },
            _ => Move::Restore,
        };
        let _ = self.recorded.control(&Control::new(ids, to)).await;
    }

    async fn report(&mut self) {
        let stale = self.random.choice(&self.stale).copied();
        let reports: Vec<_> = self
            .one_of_mine()
            .into_iter()
            .chain(stale)
            .map(|lease| Report {
                lease,
                progress: Some(Progress { done: 1, total: 2 }),
                log: vec![LogLine::new(0, clock::now(), LogLevel::Info, "half".into())],
            })
            .collect();
        let _ = self.recorded.report(&reports).await;
    }

    async fn recall(&mut self) {
        if let Some(lease) = self.one_of_mine() {
            let _ = self.recorded.recall(lease.batch).await;
        }
    }

    async fn look(&mut self) {
        let task = self.task_id();
        let _ = self.recorded.task(task).await;
        let _ = self.recorded.attempts(task).await;
    }

    async fn pause_or_resume_a_queue(&mut self) {
        let resumed = self.paused.take();
        let number = resumed.unwrap_or_else(|| self.random.u64(..world::QUEUES));
        self.paused = resumed.is_none().then_some(number);
        let settings = QueueSettings { name: world::queue(number), paused: self.paused.is_some() };
        let _ = self.recorded.put_queue(&settings).await;
    }

    /// Nothing is ever out of its place, so a sweep must find nothing, whatever happens meanwhile.
    async fn sweep(&mut self) {
        let mut sweep = Sweep::new(self.runner, self.random.u32(1..60));
        sweep.after = self.swept.take();
        if let Ok(swept) = self.recorded.sweep(&sweep).await {
            let strays: Vec<_> = swept.strays.iter().map(|stray| stray.task.lease).collect();
            assert!(
                strays.is_empty() && swept.dropped.is_empty(),
                "a sweep took what was in its place: {strays:?} {:?}",
                swept.dropped
            );
            self.swept = swept.next;
        }
    }

    /// Forgets what it holds; the others find it by its leases.
    fn crash(&mut self) {
        for lease in std::mem::take(&mut self.mine) {
            keep_some(&mut self.stale, lease);
        }
        self.runner = RunnerId::new();
    }
}

fn keep_some<T>(kept: &mut Vec<T>, one: T) {
    if kept.len() >= KEPT {
        kept.remove(0);
    }
    kept.push(one);
}
