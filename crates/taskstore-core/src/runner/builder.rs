//! How a runner is described and started.

use std::{future::Future, time::Duration};

use tokio_util::task::AbortOnDropHandle;

use super::{
    handle::{Done, RunnerHandle},
    janitor, known,
    machine::Config,
    queue_options::{QueueOptions, Served},
    shell::Shell,
    summary::Summary,
    sweeping::sweep_slowly,
    watch::watch,
};
use crate::{
    Error, LeaseId, QueueName, QueuePattern, Result, RunnerId,
    limits::{self, CONCURRENCY_MAX, LEASE_MAX, LEASE_MIN},
    store::Store,
};

/// The lease of a runner that says nothing else.
const LEASE: Duration = Duration::from_secs(15);
/// Most tasks claimed ahead of free slots.
const PREFETCH: usize = 500;
/// The longest sleep of an idle runner.
const POLL: Duration = Duration::from_secs(1);
/// The shortest poll, so that no setting makes a busy loop.
const POLL_MIN: Duration = Duration::from_millis(10);
const POLL_MAX: Duration = Duration::from_secs(60 * 60);
const DRAIN_DEADLINE: Duration = Duration::from_secs(30);
const GRACE: Duration = Duration::from_secs(5);

/// A runner to be started; made by `Store::runner`.
///
/// Without a word it serves the queue `default` with as many handlers at once as the store says
/// (10), a lease of 15 s, and a drain deadline of 30 s. Values that cannot be accepted are reported
/// when it starts.
#[must_use = "a runner does nothing until it is started"]
#[derive(Debug)]
pub struct RunnerBuilder {
    store: Store,
    queues: Vec<Served>,
    concurrency: usize,
    prefetch: usize,
    poll: Duration,
    lease: Duration,
    drain_deadline: Duration,
    grace: Duration,
    bad: Option<Error>,
}

impl RunnerBuilder {
    pub(crate) fn new(store: Store, concurrency: usize) -> Self {
        Self {
            store,
            queues: Vec::new(),
            concurrency,
            prefetch: PREFETCH,
            poll: POLL,
            lease: LEASE,
            drain_deadline: DRAIN_DEADLINE,
            grace: GRACE,
            bad: None,
        }
    }

    /// Serves this queue; repeat it for more. They are served strictly in the order named: while the
    /// first has work, the second waits. [Weights](QueueOptions::weight) change that. Without any
    /// queue, `default` is served.
    pub fn queue(self, name: impl AsRef<str>) -> Self {
        self.queue_with(name, QueueOptions::new())
    }

    /// Serves this queue by weight, or with a limit of its own.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use taskstore_core::{MemoryBackend, QueueOptions, Store};
    ///
    /// let store = Store::new(MemoryBackend::new());
    /// let runner = store
    ///     .runner()
    ///     .queue_with("mail", QueueOptions::new().weight(3))
    ///     // A third as often as mail while both have work, and never more than two at a time.
    ///     .queue_with("reports", QueueOptions::new().weight(1).concurrency(2))
    ///     .start()
    ///     .await?;
    /// runner.stop().await;
    /// # Ok::<(), taskstore_core::Error>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn queue_with(mut self, name: impl AsRef<str>, options: QueueOptions) -> Self {
        let queue = QueueName::new(name.as_ref()).map(QueuePattern::from);
        self.serve(queue, options);
        self
    }

    /// Serves every queue whose name matches, also those that appear later; `*` stands for any number
    /// of any characters. See [`queues_matching_with`](Self::queues_matching_with).
    pub fn queues_matching(self, pattern: impl AsRef<str>) -> Self {
        self.queues_matching_with(pattern, QueueOptions::new())
    }

    /// Serves every queue whose name matches, also those that appear later: each as if it had been
    /// named with these options, so that each has this weight and this limit for itself. Among
    /// each other they share evenly, whatever the rest does. A queue that is also named keeps what it was
    /// named with; of several patterns the first that matches counts.
    pub fn queues_matching_with(mut self, pattern: impl AsRef<str>, options: QueueOptions) -> Self {
        self.serve(QueuePattern::new(pattern.as_ref()), options);
        self
    }

    /// Serves every queue there is, also those that appear later.
    pub fn all_queues(self) -> Self {
        self.queues_matching("*")
    }

    fn serve(&mut self, queues: Result<QueuePattern>, options: QueueOptions) {
        match queues.and_then(|queues| options.serve(queues)) {
            Ok(served) if self.queues.iter().any(|other| other.queues == served.queues) => {
                self.bad(Error::invalid("queue", format!("{} is named twice", served.queues)));
            }
            Ok(served) => self.queues.push(served),
            Err(error) => self.bad(error),
        }
    }

    /// One task at a time in this runner, in claim order.
    pub fn serial(self) -> Self {
        self.concurrency(1)
    }

    /// At most so many tasks at the same time: 1 to 10,000, by default 10.
    pub fn concurrency(mut self, tasks: usize) -> Self {
        self.concurrency = tasks;
        self
    }

    /// At most so many tasks claimed ahead of free slots, by default 500; 0 claims only what can
    /// start. Within it, as many are claimed as 250 ms of work at the measured rate.
    pub fn prefetch(mut self, tasks: usize) -> Self {
        self.prefetch = tasks;
        self
    }

    /// The longest sleep of an idle runner: 10 ms to an hour, by default 1 s. What wakes it earlier
    /// only makes it faster.
    pub fn poll_every(mut self, time: Duration) -> Self {
        self.poll = time;
        self
    }

    /// How long this runner may be unheard of before others take its tasks over: 2 s to a day, by
    /// default 15 s. Heartbeats have a thread of their own, so that long and blocking handlers need
    /// no long lease.
    pub fn lease(mut self, time: Duration) -> Self {
        self.lease = time;
        self
    }

    /// How long running tasks may go on after a stop before their tokens fire; by default 30 s.
    pub fn drain_deadline(mut self, time: Duration) -> Self {
        self.drain_deadline = time;
        self
    }

    /// How long they may go on after that before their futures are dropped; by default 5 s.
    pub fn grace(mut self, time: Duration) -> Self {
        self.grace = time;
        self
    }

    /// Starts it. It goes on until it is stopped, also when the handle is dropped.
    ///
    /// # Errors
    /// [`Error::Invalid`] names a setting that cannot be accepted; [`Error::AlreadyExists`]: one of
    /// its queues is served by this store already, or matches a pattern that is, or the other way
    /// round; [`Error::Schema`]: the tables are missing, or not
    /// those that this code works with; [`Error::Unavailable`]: the store cannot be reached.
    pub async fn start(self) -> Result<RunnerHandle> {
        self.launch(false).await
    }

    /// Runs until `signal` is ready, and then stops as [`RunnerHandle::stop`] does. Should this future
    /// be dropped before, the runner stops in the same way, and nobody waits for it; [`Store::stop`]
    /// does.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn run_until(self, signal: impl Future<Output = ()>) -> Result<()> {
        let mut signal = std::pin::pin!(signal);
        // The signal first, so that it is listened for before anything runs that it must stop.
        let handle = tokio::select! {
            biased;
            () = &mut signal => return Ok(()),
            started = self.start() => started?,
        };
        let _stops_when_dropped = handle.stop_guard();
        tokio::select! {
            () = signal => {}
            _ = handle.stopped() => {}
        }
        let stopped = handle.stop().await;
        if !stopped.still_running.is_empty() {
            tracing::warn!(tasks = ?stopped.still_running, "their handlers block and could not be ended");
        }
        Ok(())
    }

    /// Runs what is due, and returns when nothing is due any more and all of it is saved. Tasks that
    /// fail and wait for another attempt are not waited for. For tests, cron and lambdas. Should this
    /// future be dropped before, the runner stops as that of [`run_until`](Self::run_until) does.
    ///
    /// # Errors
    /// As for [`start`](Self::start).
    pub async fn run_once(self) -> Result<Summary> {
        let handle = self.launch(true).await?;
        let _stops_when_dropped = handle.stop_guard();
        Ok(handle.stopped().await.summary)
    }

    fn bad(&mut self, error: Error) {
        self.bad.get_or_insert(error);
    }

    fn check(&mut self) -> Result<()> {
        if let Some(error) = self.bad.take() {
            return Err(error);
        }
        if self.queues.is_empty() {
            self.serve(Ok(QueueName::default().into()), QueueOptions::new());
        }
        if !(1..=CONCURRENCY_MAX).contains(&self.concurrency) {
            return Err(Error::invalid(
                "concurrency",
                format!("it must be 1 to {CONCURRENCY_MAX}"),
            ));
        }
        if self.prefetch > CONCURRENCY_MAX {
            return Err(Error::invalid(
                "prefetch",
                format!("it must be at most {CONCURRENCY_MAX}"),
            ));
        }
        between("poll_every", self.poll, POLL_MIN, POLL_MAX)?;
        between("lease", self.lease, LEASE_MIN, LEASE_MAX)?;
        limits::check_delay("drain_deadline", self.drain_deadline)?;
        limits::check_delay("grace", self.grace)
    }

    async fn launch(mut self, once: bool) -> Result<RunnerHandle> {
        self.check()?;
        let store = self.store;
        let queues: Vec<_> = self.queues.iter().map(|served| served.queues.clone()).collect();
        let reservation = store.runners().reserve(&queues)?;
        store.backend().check_schema().await?;
        let runner = RunnerId::new();
        let config = Config {
            runner,
            queues: self.queues,
            concurrency: self.concurrency,
            prefetch_max: self.prefetch,
            lease_for: self.lease,
            poll: self.poll,
            notified: store.backend().capabilities().hears_of_everything(),
            drain_deadline: self.drain_deadline,
            grace: self.grace,
            once,
            known: known::known(&store).await?,
            gathers: store.registry().gathers(),
            new_lease: LeaseId::new,
        };
        let handlers = store.registry().definitions().len();
        tracing::info!(
            %runner,
            ?queues,
            concurrency = config.concurrency,
            handlers,
            "runner starts"
        );
        if handlers == 0 {
            tracing::warn!(%runner, "no handler is registered: the runner will find nothing to do");
        }
        let shell = Shell::new(store.clone(), config)?;
        let janitor = if once { None } else { janitor::on_duty(&store) };
        let watching = watch(store.clone(), runner, self.lease);
        let beside = vec![
            AbortOnDropHandle::new(tokio::spawn(async move {
                // On duty for as long as anything is watched.
                let _janitor = janitor;
                watching.await;
            })),
            AbortOnDropHandle::new(tokio::spawn(sweep_slowly(store, runner, self.lease))),
        ];
        let (handle, stop, done) = Done::new(reservation, beside);
        tokio::spawn(shell.run(stop, done));
        Ok(handle)
    }
}

fn between(field: &'static str, value: Duration, least: Duration, most: Duration) -> Result<()> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(field, format!("{value:?} is not between {least:?} and {most:?}")))
}
