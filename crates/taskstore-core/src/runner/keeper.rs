//! Keeps leases alive from a thread, a runtime and a connection of its own, so that handlers that
//! block theirs, and a pool that is exhausted, never cost a lease.

use std::{collections::BTreeMap, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt as _;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    Backend, Error, Heartbeat, LeaseId, Result, TaskId,
    backend::{Beaten, Pulse},
    telemetry,
};

/// The longest time between two beats.
const BEAT_EVERY_MAX: Duration = Duration::from_secs(1);
/// The longest that a call to the store is waited for.
const CALL_MAX: Duration = Duration::from_secs(30);
/// How often to try again while the store does not answer.
const RETRY_EVERY: Duration = Duration::from_millis(250);

/// What the runner tells its keeper.
#[derive(Debug)]
enum Order {
    Hold(LeaseId),
    HoldAlone(LeaseId),
    LetGo(LeaseId),
}

/// The runner's end of it. Dropping it ends the thread.
#[derive(Debug)]
pub(super) struct Keeper {
    orders: mpsc::UnboundedSender<Order>,
}

/// What a keeper reports back.
pub(super) trait Listener: Send + 'static {
    /// What a heartbeat found. The last one that was written for every lease, and not kept from it
    /// by somebody who may be taking one over, began at this time.
    fn beaten(&self, at: Instant, lost: Vec<LeaseId>, cancel: Vec<TaskId>);
    fn trouble(&self, error: Error);
}

impl Keeper {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub(super) fn start(
        backend: Arc<dyn Backend>,
        lease_for: Duration,
        listener: impl Listener,
    ) -> Result<Self> {
        let (orders, inbox) = mpsc::unbounded_channel();
        std::thread::Builder::new()
            .name("taskstore-heartbeat".into())
            .spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                match runtime {
                    Ok(runtime) => {
                        runtime.block_on(Beating::new(backend, lease_for, listener).run(inbox));
                    }
                    Err(error) => listener.trouble(Error::backend(error)),
                }
            })
            .map_err(Error::backend)?;
        Ok(Self { orders })
    }

    pub(super) fn hold(&self, lease: LeaseId) {
        // The thread only ends when this end is dropped.
        let _ = self.orders.send(Order::Hold(lease));
    }

    /// A lease of one task, which runs: a transaction of its handler's may keep it from being beaten, for
    /// as long as it likes, and that says nothing of other leases.
    pub(super) fn hold_alone(&self, lease: LeaseId) {
        let _ = self.orders.send(Order::HoldAlone(lease));
    }

    pub(super) fn let_go(&self, lease: LeaseId) {
        let _ = self.orders.send(Order::LetGo(lease));
    }
}

/// The thread's end of it.
struct Beating<L> {
    backend: Arc<dyn Backend>,
    listener: L,
    /// Every call is given up after this time.
    deadline: Duration,
    every: Duration,
    /// Whether each is that of one task, which runs.
    held: BTreeMap<LeaseId, bool>,
    connection: Option<Box<dyn Heartbeat>>,
    /// Whether the last beat failed: an outage is reported once.
    failing: bool,
    next: Instant,
    /// When the last beat began that was written for every lease.
    heard: Instant,
}

impl<L: Listener> Beating<L> {
    fn new(backend: Arc<dyn Backend>, lease_for: Duration, listener: L) -> Self {
        Self {
            backend,
            listener,
            deadline: call_limit(lease_for),
            every: (lease_for / 4).min(BEAT_EVERY_MAX),
            held: BTreeMap::new(),
            connection: None,
            failing: false,
            next: Instant::now(),
            heard: Instant::now(),
        }
    }

    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<Order>) {
        // Opened before it is needed, so that the first lease does not wait for it.
        self.connect().await;
        loop {
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(Order::Hold(lease)) => self.hold(lease, false),
                    Some(Order::HoldAlone(lease)) => self.hold(lease, true),
                    Some(Order::LetGo(lease)) => { self.held.remove(&lease); }
                    None => return,
                },
                () = tokio::time::sleep_until(self.next), if !self.held.is_empty() => self.beat().await,
            }
        }
    }

    fn hold(&mut self, lease: LeaseId, alone: bool) {
        if self.held.is_empty() {
            // A claim is as good as a beat.
            self.next = Instant::now() + self.every;
        }
        self.held.insert(lease, alone);
    }

    async fn connect(&mut self) -> Option<&mut Box<dyn Heartbeat>> {
        if self.connection.is_none() {
            match deadline(self.deadline, "opening the heartbeat", self.backend.heartbeat()).await {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => self.failed(error),
            }
        }
        self.connection.as_mut()
    }

    async fn beat(&mut self) {
        let leases: Vec<_> = self.held.keys().copied().collect();
        let limit = self.deadline;
        let began = Instant::now();
        self.next = began + RETRY_EVERY.min(self.every);
        let Some(connection) = self.connect().await else { return };
        match deadline(limit, "the heartbeat", connection.beat(&leases)).await {
            Ok(beaten) => self.beaten(began, &leases, beaten),
            Err(error) => {
                self.connection = None;
                self.failed(error);
            }
        }
    }

    fn beaten(&mut self, began: Instant, leases: &[LeaseId], beaten: Beaten) {
        if std::mem::take(&mut self.failing) {
            tracing::info!("the heartbeat is back");
        }
        let pulses = || leases.iter().zip(&beaten.leases);
        let busy = pulses().any(|(lease, pulse)| {
            let alone = self.held.get(lease).copied().unwrap_or_default();
            *pulse == Pulse::Busy && !alone
        });
        self.next = began + if busy { self.every / 4 } else { self.every };
        let lost: Vec<_> =
            pulses().filter(|(_, pulse)| **pulse == Pulse::Lost).map(|(lease, _)| *lease).collect();
        if lost.is_empty() && beaten.cancel.is_empty() {
            tracing::trace!(leases = leases.len(), busy, "beat");
        } else {
            let (lost, cancel) = (lost.len(), beaten.cancel.len());
            tracing::debug!(leases = leases.len(), busy, lost, cancel, "beat");
        }
        for lease in &lost {
            self.held.remove(lease);
        }
        if !busy {
            self.heard = began;
        }
        self.listener.beaten(self.heard, lost, beaten.cancel);
    }

    fn failed(&mut self, error: Error) {
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(%error, leases = self.held.len(), "the heartbeat fails; trying again");
            self.listener.trouble(error);
        }
    }
}

/// How long a call to the store is waited for: a quarter of the lease, so that there is time for
/// others, and not for hours where leases are long.
pub(super) fn call_limit(lease_for: Duration) -> Duration {
    (lease_for / 4).min(CALL_MAX)
}

/// A call to the store that is given up after a while. One that panics is answered, too: a runner
/// would wait for the answer for ever.
pub(super) async fn deadline<T>(
    after: Duration,
    call: &'static str,
    future: impl Future<Output = Result<T>>,
) -> Result<T> {
    let answer = AssertUnwindSafe(future).catch_unwind();
    let answer = match tokio::time::timeout(after, answer).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(Error::backend(format!("{call}: the store panicked"))),
        Err(_) => Err(Error::timed_out(call, after)),
    };
    answer.inspect_err(telemetry::store_failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Beats = Vec<(Instant, Vec<TaskId>)>;

    #[derive(Clone, Default)]
    struct Heard(Arc<std::sync::Mutex<Beats>>);

    impl Listener for Heard {
        fn beaten(&self, at: Instant, _: Vec<LeaseId>, cancel: Vec<TaskId>) {
            self.0.lock().unwrap().push((at, cancel));
        }

        fn trouble(&self, _: Error) {}
    }

    #[tokio::test]
    async fn a_beat_that_could_not_be_written_shows_no_lease_alive_but_tells_of_cancels() {
        let heard = Heard::default();
        let backend = Arc::new(crate::MemoryBackend::new());
        let mut beating = Beating::new(backend, Duration::from_secs(15), heard.clone());
        let (lease, task) = (LeaseId::new(), TaskId::new());
        let first = Instant::now();
        let second = first + Duration::from_secs(1);
        let pulse = |pulse| Beaten { leases: vec![pulse], cancel: vec![task] };
        beating.beaten(first, &[lease], pulse(Pulse::Alive));
        beating.beaten(second, &[lease], pulse(Pulse::Busy));
        assert_eq!(*heard.0.lock().unwrap(), [(first, vec![task]), (first, vec![task])]);
    }

    #[tokio::test]
    async fn a_lease_that_a_handlers_transaction_holds_leaves_the_others_alive() {
        let heard = Heard::default();
        let backend = Arc::new(crate::MemoryBackend::new());
        let mut beating = Beating::new(backend, Duration::from_secs(15), heard.clone());
        let (shared, alone) = (LeaseId::new(), LeaseId::new());
        beating.hold(shared, false);
        beating.hold(alone, true);
        let at = Instant::now() + Duration::from_secs(1);
        let answer = |shared| Beaten { leases: vec![shared, Pulse::Busy], cancel: Vec::new() };
        beating.beaten(at, &[shared, alone], answer(Pulse::Alive));
        assert_eq!(heard.0.lock().unwrap().last(), Some(&(at, vec![])));
        assert_eq!(beating.next, at + Duration::from_secs(1), "there is no hurry");
        let later = at + Duration::from_secs(1);
        beating.beaten(later, &[shared, alone], answer(Pulse::Busy));
        assert_eq!(heard.0.lock().unwrap().last(), Some(&(at, vec![])));
    }

    #[test]
    fn a_call_is_given_up_in_time_for_another_and_never_waited_for_for_hours() {
        assert_eq!(call_limit(Duration::from_secs(2)), Duration::from_millis(500));
        assert_eq!(call_limit(Duration::from_secs(86_400)), Duration::from_secs(30));
    }

    #[tokio::test]
    async fn a_call_that_panics_is_answered_all_the_same() {
        let call = async { if true { panic!("a bug of the store's") } else { Ok(()) } };
        let answer = deadline(Duration::from_secs(20), "beating", call).await;
        assert!(matches!(answer, Err(Error::Backend { .. })), "{answer:?}");
    }
}
