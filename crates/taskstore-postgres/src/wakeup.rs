//! Who waits for work in this process, and what they are told.
//!
//! A hint and no more: a runner that is woken for nothing claims nothing, and one that is not woken
//! looks by itself when its wait has ended.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use taskstore_core::{QueueName, QueuePattern};
use tokio::sync::Notify;

/// What one transaction has to tell.
#[derive(Debug, Default)]
pub(crate) struct News {
    queues: HashMap<QueueName, Came>,
    promoted: bool,
    looked: Option<Looked>,
}

/// What came into a queue.
#[derive(Clone, Copy, Debug, Default)]
struct Came {
    /// Something to claim.
    ready: bool,
    /// Something that is due then.
    due: Option<i64>,
    /// A claim has seen all that was there before.
    seen: bool,
}

impl Came {
    fn add_due(&mut self, at: i64) {
        self.due = Some(self.due.map_or(at, |due| due.min(at)));
    }

    /// Whether it is news for somebody who waits until then.
    fn matters(self, until: i64) -> bool {
        self.ready || self.due.is_some_and(|due| due < until)
    }
}

#[derive(Clone, Copy, Debug)]
struct Looked {
    next_due: Option<i64>,
    events: u64,
}

impl News {
    /// Something was put into ready.
    pub(crate) fn ready(&mut self, queue: &QueueName) {
        self.entry(queue).ready = true;
    }

    /// Something was put into later.
    pub(crate) fn later(&mut self, queue: &QueueName, run_at: i64) {
        self.entry(queue).add_due(run_at);
    }

    /// Due tasks were moved to ready, of whatever queues.
    pub(crate) const fn promoted(&mut self) {
        self.promoted = true;
    }

    /// A claim came back short: it has seen these queues to their ends, and what is due next.
    pub(crate) fn seen(
        &mut self,
        queues: impl Iterator<Item = QueueName>,
        next_due: Option<i64>,
        events: u64,
    ) {
        for queue in queues {
            self.queues.insert(queue, Came { seen: true, ..Came::default() });
        }
        self.looked = Some(Looked { next_due, events });
    }

    fn entry(&mut self, queue: &QueueName) -> &mut Came {
        if !self.queues.contains_key(queue) {
            self.queues.insert(queue.clone(), Came::default());
        }
        // It was made a line above, so the default is never.
        self.queues.entry(queue.clone()).or_default()
    }
}

/// Who waits for work in this process.
#[derive(Debug, Default)]
pub(crate) struct Wakeups {
    state: Mutex<State>,
    /// How often the file was seen to change.
    events: AtomicU64,
    /// Told when somebody begins to wait.
    pub(crate) waiting: std::sync::Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    waiters: HashMap<u64, Waiter>,
    /// What came since a claim has last seen the whole queue: a runner that begins to wait between
    /// the two is told at once.
    unseen: HashMap<QueueName, Came>,
    /// What the last short claim answered to be due next, and the events until then.
    looked: Option<Looked>,
    closed: bool,
}

#[derive(Debug)]
struct Waiter {
    queues: Vec<QueuePattern>,
    until: i64,
    notify: Arc<Notify>,
}

impl Waiter {
    fn waits_for(&self, queue: &QueueName) -> bool {
        self.queues.iter().any(|pattern| pattern.matches(queue))
    }
}

/// A place among those who wait; given up when dropped.
pub(crate) struct Waiting {
    id: u64,
    wakeups: Arc<Wakeups>,
    notify: Arc<Notify>,
}

impl Waiting {
    /// Returns once there is news, also if it came before this was called.
    pub(crate) async fn woken(&self) {
        self.notify.notified().await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.wakeups.lock().waiters.remove(&self.id);
    }
}

impl Wakeups {
    /// Waits for news of these queues that matters before `until`. From here on nothing is missed.
    /// Also whether the file has changed since a claim has last looked, perhaps by another process.
    pub(crate) fn register(
        self: &Arc<Self>,
        queues: &[QueuePattern],
        until: i64,
    ) -> (Waiting, bool) {
        let notify = Arc::new(Notify::new());
        let mut state = self.lock();
        let waiter = Waiter { queues: queues.to_vec(), until, notify: notify.clone() };
        let all = state.unseen.len();
        // Told once: a waiter that does not claim must not be woken over and over.
        state.unseen.retain(|queue, came| !(came.matters(until) && waiter.waits_for(queue)));
        let unseen = state.unseen.len() < all;
        if unseen {
            notify.notify_one();
        }
        let id = state.next;
        state.next += 1;
        state.waiters.insert(id, waiter);
        let changed = state.looked.is_some_and(|looked| looked.events != self.events());
        drop(state);
        self.waiting.notify_all();
        (Waiting { id, wakeups: self.clone(), notify }, changed && !unseen)
    }

    /// What was committed.
    pub(crate) fn publish(&self, news: &News) {
        if news.queues.is_empty() && !news.promoted && news.looked.is_none() {
            return;
        }
        let mut state = self.lock();
        for (queue, came) in &news.queues {
            if came.seen {
                state.unseen.remove(queue);
            }
            if came.ready || came.due.is_some() {
                let unseen = state.unseen.entry(queue.clone()).or_default();
                unseen.ready |= came.ready;
                if let Some(due) = came.due {
                    unseen.add_due(due);
                }
            }
        }
        if news.looked.is_some() {
            state.looked = news.looked;
        }
        for waiter in state.waiters.values() {
            let told = news.promoted
                || news
                    .queues
                    .iter()
                    .any(|(queue, came)| came.matters(waiter.until) && waiter.waits_for(queue));
            if told {
                waiter.notify.notify_one();
            }
        }
    }

    /// The file has changed, by whomever.
    pub(crate) fn changed(&self) {
        self.events.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the file was seen to change.
    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    /// The queues that somebody waits for.
    pub(crate) fn queues(&self) -> Vec<QueuePattern> {
        let state = self.lock();
        let queues: HashSet<_> = state.waiters.values().flat_map(|waiter| &waiter.queues).collect();
        queues.into_iter().cloned().collect()
    }

    /// What a look at the file has found: queues with something to claim, and what is due next.
    /// What the last claim has already said to be due wakes nobody again.
    pub(crate) fn found(&self, ready: &[QueueName], next_due: Option<i64>) {
        let state = self.lock();
        let known = state.looked.and_then(|looked| looked.next_due).unwrap_or(i64::MAX);
        let due = next_due.filter(|&due| due < known);
        for waiter in state.waiters.values() {
            if due.is_some_and(|due| due < waiter.until)
                || ready.iter().any(|queue| waiter.waits_for(queue))
            {
                waiter.notify.notify_one();
            }
        }
    }

    /// Nobody will wait any more.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.waiting.notify_all();
    }

    /// Sleeps until somebody waits, or this long if somebody does. Whether to go on.
    pub(crate) fn wait_for_waiters(&self, pause: std::time::Duration) -> bool {
        let state = self.lock();
        let state = if state.waiters.is_empty() && !state.closed {
            self.waiting.wait(state).unwrap_or_else(PoisonError::into_inner)
        } else {
            self.waiting.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0
        };
        !state.closed
    }

    /// Whether this was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(name: &str) -> QueueName {
        QueueName::new(name).unwrap()
    }

    fn is_woken(waiting: &Waiting) -> bool {
        use std::{future::Future as _, pin::pin, task};
        let mut context = task::Context::from_waker(task::Waker::noop());
        pin!(waiting.woken()).as_mut().poll(&mut context).is_ready()
    }

    fn news(tell: impl FnOnce(&mut News)) -> News {
        let mut news = News::default();
        tell(&mut news);
        news
    }

    #[test]
    fn only_those_who_wait_for_the_queue_are_woken() {
        let wakeups = Arc::new(Wakeups::default());
        let (mail, _) = wakeups.register(&[queue("mail").into()], 100);
        let (other, _) = wakeups.register(&[queue("other").into()], 100);
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        assert!(is_woken(&mail));
        assert!(!is_woken(&other));
    }

    #[test]
    fn a_later_task_wakes_only_those_who_would_sleep_past_it() {
        let wakeups = Arc::new(Wakeups::default());
        let (long, _) = wakeups.register(&[queue("mail").into()], 101);
        let (short, _) = wakeups.register(&[queue("mail").into()], 100);
        wakeups.publish(&news(|n| n.later(&queue("mail"), 100)));
        assert!(is_woken(&long));
        assert!(!is_woken(&short));
    }

    #[test]
    fn what_came_between_a_claim_and_the_wait_is_not_missed_and_told_once() {
        let wakeups = Arc::new(Wakeups::default());
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        assert!(is_woken(&wakeups.register(&[queue("mail").into()], 100).0));
        assert!(!is_woken(&wakeups.register(&[queue("mail").into()], 100).0), "told once");
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        wakeups.publish(&news(|n| n.seen([queue("mail")].into_iter(), None, 0)));
        assert!(
            !is_woken(&wakeups.register(&[queue("mail").into()], 100).0),
            "a claim has seen it"
        );
    }

    #[test]
    fn what_a_claim_has_already_said_to_be_due_wakes_nobody_again() {
        let wakeups = Arc::new(Wakeups::default());
        wakeups.publish(&news(|n| n.seen([queue("mail")].into_iter(), Some(50), 0)));
        let (waiting, _) = wakeups.register(&[queue("mail").into()], 100);
        wakeups.found(&[], Some(50));
        assert!(!is_woken(&waiting));
        wakeups.found(&[], Some(49));
        assert!(is_woken(&waiting));
    }
}
