//! The thin shell around the machine: runs its actions on tokio, and brings it what happens. It
//! decides nothing about tasks.

use std::{
    collections::HashMap,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::Poll,
    time::Duration,
};

use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    batch,
    execute::{self, Running, ToStart},
    handle::{Done, Stopped},
    keeper::{Keeper, Listener, call_limit, deadline},
    known,
    machine::{Action, Config, Event, Lane, Machine},
    news::News,
};
use crate::{
    Backend, Error, LeaseId, QueueName, QueuePattern, Result, RunnerId, Status, TaskId,
    backend::{Fate, FindWork, LeasedTask, Report, Settle, Settled, Settlement, WorkFound},
    clock,
    lifecycle::{Ending, Policy, Standing},
    store::{RunError, Store},
    telemetry::{self, TARGET, Taken},
};

/// How often progress and log lines of running tasks are stored.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// Most bytes of log lines in one report, but for what one task has said; the rest goes with the
/// next.
const REPORT_BYTES_MAX: usize = 4 << 20;
/// How often it is looked for definitions that other processes made.
const KNOWN_EVERY: Duration = Duration::from_secs(15);
/// Most events taken in before the machine decides.
const EVENTS_MAX: usize = 1_024;

/// Waits for a hint; false when its time is over.
type Hint = Pin<Box<dyn Future<Output = bool> + Send>>;

/// The loop of one runner.
pub(super) struct Shell {
    store: Store,
    runner: RunnerId,
    machine: Machine,
    keeper: Keeper,
    queues: Vec<QueuePattern>,
    /// Moments of the machine count from here.
    started: Instant,
    /// Every call to the store is given up after this time.
    deadline: Duration,
    poll: Duration,
    running: HashMap<TaskId, Running>,
    taken: Taken,
    hint: Option<Hint>,
    news: UnboundedSender<News>,
    inbox: UnboundedReceiver<News>,
    reporting: bool,
}

impl Shell {
    /// # Errors
    /// The operating system gives no thread for the heartbeat.
    pub(super) fn new(store: Store, config: Config) -> Result<Self> {
        let (news, inbox) = unbounded_channel();
        let started = Instant::now();
        let ear = Ear { started, news: news.clone() };
        let keeper = Keeper::start(Arc::clone(store.backend()), config.lease_for, ear)?;
        Ok(Self {
            store,
            runner: config.runner,
            keeper,
            queues: config.queues.iter().map(|served| served.queues.clone()).collect(),
            started,
            deadline: call_limit(config.lease_for),
            poll: config.poll,
            machine: Machine::new(config),
            running: HashMap::new(),
            taken: Taken::default(),
            hint: None,
            news,
            inbox,
            reporting: false,
        })
    }

    /// Runs until everything is saved after `stop` fired, or, in a run once, until nothing is due.
    /// Says so through `done`, and goes on for tasks that could not be dropped.
    pub(super) async fn run(mut self, stop: CancellationToken, mut done: Done) {
        let mut news = Vec::with_capacity(EVENTS_MAX);
        let mut report = every(REPORT_EVERY);
        let mut refresh = every(KNOWN_EVERY);
        let mut stopping = false;
        loop {
            let actions = self.machine.advance(self.started.elapsed());
            // Before a claim is sent: what is committed after it must be heard of.
            self.listen().await;
            actions.into_iter().for_each(|action| self.perform(action, &mut done));
            if self.machine.is_over() {
                return;
            }
            let wake_at = self.machine.wake_at().map_or_else(far_away, |at| self.started + at);
            tokio::select! {
                biased;
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.take(Event::Stop);
                }
                // Before the inbox, which may never be empty; they come once a second at most.
                _ = report.tick(), if !self.running.is_empty() => self.report(),
                _ = refresh.tick() => self.refresh_known(),
                _ = self.inbox.recv_many(&mut news, EVENTS_MAX) => {
                    news.drain(..).for_each(|news| self.hear(news));
                }
                came = hint(&mut self.hint) => {
                    self.hint = None;
                    self.take(if came { Event::Hint } else { Event::Tick });
                }
                () = sleep_until(wake_at) => self.take(Event::Tick),
            }
        }
    }

    fn take(&mut self, event: Event) {
        self.machine.take(self.started.elapsed(), event);
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Event(mut event) => {
                if let Event::Beaten { lost, .. } = &mut event {
                    lost.retain(|lease| !self.has_ended_under(*lease));
                }
                match &event {
                    Event::Finished(settlement) => {
                        self.running.remove(&settlement.lease.task);
                    }
                    Event::Completed(settlement) => {
                        self.running.remove(&settlement.lease.task);
                        self.completed(settlement);
                    }
                    Event::Exchanged { request, result: Ok(settled), .. } => {
                        telemetry::exchanged(request, settled);
                        self.taken.exchanged(&self.store, request, settled);
                        self.store.tell_settled(request, settled);
                    }
                    Event::Promoted(Ok(promoted)) if promoted.moved > 0 => {
                        tracing::debug!(tasks = promoted.moved, "due tasks are ready");
                    }
                    Event::Isolated { request, result: Ok(leases) } => {
                        let alone = leases.iter().flatten().count();
                        tracing::debug!(asked = request.tasks.len(), alone, "isolated");
                        let pairs = request.tasks.iter().zip(leases);
                        pairs.for_each(|((from, _), to)| self.taken.isolated(*from, *to));
                    }
                    Event::Recalled { lease, result: Ok(tasks) } => {
                        tracing::debug!(%lease, tasks = tasks.len(), "a claim was recalled");
                        self.taken.takes(&self.store, tasks);
                    }
                    Event::Beaten { lost, .. } => {
                        for lease in lost.iter().filter(|lease| self.machine.is_at_work(**lease)) {
                            self.taken.lost_lease();
                            self.taken.lost_tasks(self.machine.waiting_under(*lease));
                        }
                    }
                    _ => {}
                }
                self.take(event);
            }
            News::Reported(reports, result) => self.reported(&reports, result),
            News::Alone(task, answer) => {
                if let Some(running) = self.running.get_mut(&task) {
                    running.asks_alone(answer);
                    self.take(Event::WantsAlone(task));
                }
            }
            News::Trouble(error) => self.trouble(error),
        }
    }

    /// What a handler has saved itself is told like what the runner saves.
    fn completed(&mut self, settlement: &Settlement) {
        let request = Settle::new(vec![settlement.clone()]);
        let fates = vec![Fate::Applied { status: Status::Success }];
        let settled = Settled { fates, claimed: None };
        self.taken.exchanged(&self.store, &request, &settled);
        self.store.tell_settled(&request, &settled);
    }

    /// Makes sure that hints are listened for, if the machine wants them: a hint that comes after
    /// this returns is heard.
    async fn listen(&mut self) {
        if !self.machine.is_listening() {
            self.hint = None;
        } else if self.hint.is_none() {
            let backend = Arc::clone(self.store.backend());
            let (queues, at_most) = (self.queues.clone(), self.poll);
            let mut hint: Hint = Box::pin(async move {
                let began = Instant::now();
                backend.wait_for_work(&queues, at_most).await;
                began.elapsed() < at_most
            });
            let came = poll_fn(|cx| Poll::Ready(hint.as_mut().poll(cx) == Poll::Ready(true))).await;
            if came {
                self.take(Event::Hint);
            } else {
                self.hint = Some(hint);
            }
        }
    }

    fn perform(&mut self, action: Action, done: &mut Done) {
        match action {
            Action::Exchange { lane, request } => self.exchange(lane, request),
            Action::Recall(lease) => self.call(
                "recall",
                move |store| async move { store.recall(lease).await },
                move |result| Event::Recalled { lease, result },
            ),
            Action::Isolate(request) => {
                let again = request.clone();
                self.call(
                    "isolate",
                    move |store| async move { store.isolate(&again).await },
                    move |result| Event::Isolated { request, result },
                );
            }
            Action::FindWork(request) => self.call(
                "looking for work",
                move |store| async move { find_work(&*store, request).await },
                Event::WorkFound,
            ),
            Action::Promote(request) => self.call(
                "promote",
                move |store| async move { store.promote(&request).await },
                Event::Promoted,
            ),
            Action::Start { task, claimed_at } => self.start(*task, claimed_at),
            Action::StartBatch(tasks) => self.start_batch(tasks),
            Action::Alone { task, result } => {
                if let Some(running) = self.running.get_mut(&task) {
                    running.alone(&result);
                }
            }
            Action::Cancel(task) => self.with_running(task, Running::cancel),
            Action::Drop(task) => self.with_running(task, Running::drop_future),
            Action::Hold(lease) => self.keeper.hold(lease),
            Action::HoldAlone(lease) => self.keeper.hold_alone(lease),
            Action::LetGo(lease) => self.keeper.let_go(lease),
            Action::Lost(task) => self.lost(task),
            Action::Expired(task) => expired(&task),
            Action::Failed(error) => self.trouble(error),
            Action::Stopped { left } => {
                tracing::info!(runner = %self.runner, "runner stopped: {}", self.machine.summary());
                done.stopped(Stopped { summary: self.machine.summary(), still_running: left });
            }
        }
    }

    /// Calls the store beside the loop; the answer comes back as an event.
    fn call<T, F>(
        &self,
        name: &'static str,
        call: impl FnOnce(Arc<dyn Backend>) -> F,
        answer: impl FnOnce(Result<T>) -> Event + Send + 'static,
    ) where
        F: Future<Output = Result<T>> + Send + 'static,
        T: Send,
    {
        let (limit, news) = (self.deadline, self.news.clone());
        let call = call(Arc::clone(self.store.backend()));
        tokio::spawn(async move {
            let result = deadline(limit, name, call).await;
            // The loop is gone only with its runtime.
            let _ = news.send(News::Event(answer(result)));
        });
    }

    fn exchange(&self, lane: Lane, request: Box<Settle>) {
        let (limit, news) = (self.deadline, self.news.clone());
        let backend = Arc::clone(self.store.backend());
        tokio::spawn(async move {
            let result = deadline(limit, "settle and claim", exchange(&*backend, &request)).await;
            let _ = news.send(News::Event(Event::Exchanged { lane, request, result }));
        });
    }

    fn start(&mut self, task: LeasedTask, claimed_at: Duration) {
        if let Some(handler) = self.store.registry().handler(task.definition) {
            if handler.gather().is_some() {
                // It may have been registered a moment ago.
                self.take(Event::Gathers(self.store.registry().gathers()));
            }
            let id = task.lease.task;
            let start = self.to_start(task, claimed_at);
            let running = execute::start(&self.store, &handler, start, self.news.clone());
            self.running.insert(id, running);
        } else {
            // A definition that was made a moment ago: its task waits for a runner that knows it.
            let standing =
                Standing { suspect: task.suspect, ..Standing::running(task.attempts, u32::MAX) };
            let policy = Policy { backoff: &crate::Backoff::default(), chance: 0.5 };
            let settlement =
                Settlement::new(task.lease, Ending::Released.settle(&standing, policy));
            let _ = self.news.send(News::Event(Event::Finished(settlement)));
            self.refresh_known();
        }
    }

    /// Starts tasks of one handler together.
    fn start_batch(&mut self, tasks: Vec<(LeasedTask, Duration)>) {
        let definition = tasks.first().map(|(task, _)| task.definition);
        let handler = definition.and_then(|definition| self.store.registry().handler(definition));
        let Some(handler) = handler else {
            return tasks.into_iter().for_each(|(task, claimed_at)| self.start(task, claimed_at));
        };
        let tasks = tasks.into_iter().map(|(task, claimed_at)| self.to_start(task, claimed_at));
        let running = batch::start(&self.store, &handler, tasks.collect(), &self.news);
        self.running.extend(running.into_iter().map(|running| (running.context.id(), running)));
    }

    fn to_start(&self, task: LeasedTask, claimed_at: Duration) -> ToStart {
        let waited = self.taken.waited(task.run_at);
        ToStart { task, claimed_at: self.started + claimed_at, waited }
    }

    /// Whether a lease is gone because handlers have ended everything under it in transactions of
    /// theirs, and go on.
    fn has_ended_under(&self, lease: LeaseId) -> bool {
        let mut under = self.running.values().filter(|running| {
            running.context.lease().is_some_and(|running| running.batch == lease)
        });
        under.next().is_some_and(|first| first.context.is_completed())
            && under.all(|running| running.context.is_completed())
            && self.machine.waiting_under(lease).next().is_none()
    }

    fn with_running(&self, task: TaskId, act: impl FnOnce(&Running)) {
        if let Some(running) = self.running.get(&task) {
            act(running);
        }
    }

    /// Stores what running tasks have said meanwhile, all in one request.
    fn report(&mut self) {
        if self.reporting {
            return;
        }
        let reports = self.running.values().filter_map(|running| {
            if running.context.is_perhaps_completed() {
                // A transaction of the handler's may lock it, and what it says goes with its end.
                return None;
            }
            let (progress, log) = running.context.unreported();
            let said = progress.is_some() || !log.is_empty();
            let lease = running.context.lease()?;
            said.then_some(Report { lease, progress, log })
        });
        let mut bytes = 0;
        let fits = |report: &Report| {
            let room = bytes < REPORT_BYTES_MAX;
            bytes += report.log.iter().map(|line| line.text.len() + 64).sum::<usize>();
            room
        };
        let reports: Vec<_> = reports.take_while(fits).collect();
        if reports.is_empty() {
            return;
        }
        self.reporting = true;
        let (limit, news) = (self.deadline, self.news.clone());
        let backend = Arc::clone(self.store.backend());
        tokio::spawn(async move {
            let result = deadline(limit, "report", backend.report(&reports)).await;
            let _ = news.send(News::Reported(reports, result));
        });
    }

    /// What is stored need not be said again; what is not is said again with the next report, or
    /// with the end. Also what was refused because the task has another lease since.
    fn reported(&mut self, reports: &[Report], result: Result<Vec<Fate>>) {
        self.reporting = false;
        match result {
            Ok(fates) => {
                for (report, fate) in reports.iter().zip(fates) {
                    self.with_running(report.lease.task, |running| {
                        let has_moved = running.context.lease() != Some(report.lease);
                        if fate != Fate::Lost || !has_moved {
                            running.context.reported(report);
                        }
                    });
                }
            }
            Err(error) => self.trouble(error),
        }
    }

    fn refresh_known(&self) {
        let (store, news, limit) = (self.store.clone(), self.news.clone(), self.deadline);
        tokio::spawn(async move {
            let known = deadline(limit, "listing definitions", known::known(&store)).await;
            let _ = news.send(match known {
                Ok(known) => News::Event(Event::Known(known)),
                Err(error) => News::Trouble(error),
            });
        });
    }

    /// A lost lease is rare: the queue for the error handler is looked up.
    fn lost(&self, task: TaskId) {
        tracing::warn!(target: TARGET, id = %task, "its lease was lost to another runner; the result was refused");
        let (store, fallback) = (self.store.clone(), self.queue());
        tokio::spawn(async move {
            let queue = match store.backend().task(task).await {
                Ok(Some(found)) => found.queue,
                _ => fallback,
            };
            store.report_error(&queue, Some(task), &RunError::LeaseLost);
        });
    }

    fn trouble(&self, error: Error) {
        tracing::warn!(%error, "the store failed; trying again");
        self.store.report_error(&self.queue(), None, &RunError::Storage(error));
    }

    /// The first queue that is named: whoever is told of an error wants to know of which runner.
    fn queue(&self) -> QueueName {
        self.queues.iter().find_map(QueuePattern::name).cloned().unwrap_or_default()
    }
}

/// No failure: whoever enqueued the task wanted it so.
fn expired(task: &LeasedTask) {
    let start_by = task.start_by.map(|start_by| clock::to_text(start_by.at));
    let (id, queue) = (task.lease.task, &task.queue);
    tracing::info!(target: TARGET, %id, %queue, start_by, "expired");
}

/// How the keeper reaches the loop.
struct Ear {
    started: Instant,
    news: UnboundedSender<News>,
}

impl Listener for Ear {
    fn beaten(&self, at: Instant, lost: Vec<LeaseId>, cancel: Vec<TaskId>) {
        let at = at.saturating_duration_since(self.started);
        let _ = self.news.send(News::Event(Event::Beaten { at, lost, cancel }));
    }

    fn trouble(&self, error: Error) {
        let _ = self.news.send(News::Trouble(error));
    }
}

/// All that is found, part by part.
async fn find_work(backend: &dyn Backend, mut request: FindWork) -> Result<WorkFound> {
    let mut found = WorkFound::default();
    loop {
        let part = backend.find_work(&request).await?;
        found.queues.extend(part.queues);
        found.due_in = part.due_in;
        match part.next {
            Some(next) => request.after = Some(next),
            None => return Ok(found),
        }
    }
}

/// A claim with nothing to settle goes by itself.
async fn exchange(backend: &dyn Backend, request: &Settle) -> Result<Settled> {
    match &request.then {
        Some(claim) if request.settlements.is_empty() => {
            Ok(Settled { fates: Vec::new(), claimed: Some(backend.claim(claim).await?) })
        }
        _ => backend.settle(request).await,
    }
}

/// The hint, if one is listened for.
async fn hint(hint: &mut Option<Hint>) -> bool {
    match hint {
        Some(hint) => hint.await,
        None => std::future::pending().await,
    }
}

fn every(period: Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// A time that does not come while this program runs.
fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(86_400)
}
