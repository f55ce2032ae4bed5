//! Who waits for work in this process, and what they are told.
//!
//! A hint and no more: a runner that is woken for nothing claims nothing, and one that is not woken
//! looks by itself when its wait has ended.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use taskstore_core::{QueueName, QueuePattern};
use tokio::sync::Notify;

/// Most queues that are told apart; of more it is said that anything may have come.
const QUEUES_MAX: usize = 1_000;

/// What one transaction has to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct News {
    queues: HashMap<QueueName, Came>,
    any: bool,
    seen: Option<(Vec<QueueName>, u64)>,
}

/// What came into a queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Came {
    /// Something to claim.
    pub(crate) ready: bool,
    /// Something that is due then.
    pub(crate) due: Option<i64>,
}

impl Came {
    fn add(&mut self, other: Self) {
        self.ready |= other.ready;
        self.due = match (self.due, other.due) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }

    /// Whether it is news for somebody who waits until then.
    fn matters(self, until: i64) -> bool {
        self.ready || self.due.is_some_and(|due| due < until)
    }
}

impl News {
    /// Something was put into ready.
    pub(crate) fn ready(&mut self, queue: &QueueName) {
        self.add(queue, Came { ready: true, due: None });
    }

    /// Something was put into later.
    pub(crate) fn later(&mut self, queue: &QueueName, run_at: i64) {
        self.add(queue, Came { ready: false, due: Some(run_at) });
    }

    /// Something may have come into any queue.
    pub(crate) fn any(&mut self) {
        self.any = true;
        self.queues.clear();
    }

    /// A claim came back short: it has seen these queues to their ends, as they were when
    /// [`Wakeups::events`] said so.
    pub(crate) fn seen(&mut self, queues: impl IntoIterator<Item = QueueName>, events: u64) {
        self.seen = Some((queues.into_iter().collect(), events));
    }

    /// Together with this.
    pub(crate) fn merge(&mut self, other: &Self) {
        if other.any {
            self.any();
        }
        for (queue, came) in &other.queues {
            self.add(queue, *came);
        }
        if other.seen.is_some() {
            self.seen.clone_from(&other.seen);
        }
    }

    /// Whether nobody need be told.
    pub(crate) fn is_nothing(&self) -> bool {
        !self.any && self.queues.is_empty()
    }

    /// What came into which queue; `None`: something into any.
    pub(crate) fn queues(&self) -> Option<&HashMap<QueueName, Came>> {
        (!self.any).then_some(&self.queues)
    }

    fn add(&mut self, queue: &QueueName, came: Came) {
        if self.any {
            return;
        }
        if let Some(there) = self.queues.get_mut(queue) {
            there.add(came);
        } else if self.queues.len() < QUEUES_MAX {
            self.queues.insert(queue.clone(), came);
        } else {
            self.any();
        }
    }

    /// Whether it is news for somebody who waits for these queues until then.
    fn matters(&self, queues: &[QueuePattern], until: i64) -> bool {
        self.any
            || self.queues.iter().any(|(queue, came)| {
                came.matters(until) && queues.iter().any(|pattern| pattern.matches(queue))
            })
    }
}

/// Who waits for work in this process.
#[derive(Debug, Default)]
pub(crate) struct Wakeups {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    waiters: HashMap<u64, Waiter>,
    /// How often there was news.
    events: u64,
    /// What came since a claim has last seen the whole queue, and at which event: a runner that begins
    /// to wait between the two is told at once.
    unseen: HashMap<QueueName, (Came, u64)>,
    /// Something may have come into any queue.
    unseen_any: bool,
}

#[derive(Debug)]
struct Waiter {
    queues: Vec<QueuePattern>,
    until: i64,
    notify: Arc<Notify>,
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
    pub(crate) fn register(self: &Arc<Self>, queues: &[QueuePattern], until: i64) -> Waiting {
        let notify = Arc::new(Notify::new());
        let mut state = self.lock();
        // Told once: a waiter that does not claim must not be woken over and over.
        let all = state.unseen.len();
        state.unseen.retain(|queue, (came, _)| {
            !(came.matters(until) && queues.iter().any(|pattern| pattern.matches(queue)))
        });
        if std::mem::take(&mut state.unseen_any) || state.unseen.len() < all {
            notify.notify_one();
        }
        let id = state.next;
        state.next += 1;
        let waiter = Waiter { queues: queues.to_vec(), until, notify: notify.clone() };
        state.waiters.insert(id, waiter);
        drop(state);
        Waiting { id, wakeups: self.clone(), notify }
    }

    /// What was committed, here or elsewhere.
    pub(crate) fn publish(&self, news: &News) {
        let mut state = self.lock();
        if let Some((queues, events)) = &news.seen {
            for queue in queues {
                // What came after the claim began, it may not have seen.
                if state.unseen.get(queue).is_some_and(|(_, at)| at <= events) {
                    state.unseen.remove(queue);
                }
            }
        }
        if news.is_nothing() {
            return;
        }
        state.events += 1;
        let event = state.events;
        let told = |waiter: &&Waiter| news.matters(&waiter.queues, waiter.until);
        let mut heard = false;
        for waiter in state.waiters.values().filter(told) {
            waiter.notify.notify_one();
            heard = true;
        }
        // Those who wait were told; what nobody waits for is kept for the next who does.
        state.unseen_any |= news.any && !heard;
        for (queue, came) in &news.queues {
            if state.unseen.len() >= QUEUES_MAX && !state.unseen.contains_key(queue) {
                state.unseen.clear();
                state.unseen_any = true;
                break;
            }
            let (unseen, at) = state.unseen.entry(queue.clone()).or_default();
            unseen.add(*came);
            *at = event;
        }
    }

    /// How often there was news.
    pub(crate) fn events(&self) -> u64 {
        self.lock().events
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
        let mail = wakeups.register(&[queue("mail").into()], 100);
        let other = wakeups.register(&[queue("other").into()], 100);
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        assert!(is_woken(&mail));
        assert!(!is_woken(&other));
        wakeups.publish(&news(News::any));
        assert!(is_woken(&other));
    }

    #[test]
    fn a_later_task_wakes_only_those_who_would_sleep_past_it() {
        let wakeups = Arc::new(Wakeups::default());
        let long = wakeups.register(&[queue("mail").into()], 101);
        let short = wakeups.register(&[queue("mail").into()], 100);
        wakeups.publish(&news(|n| n.later(&queue("mail"), 100)));
        assert!(is_woken(&long));
        assert!(!is_woken(&short));
    }

    #[test]
    fn what_came_between_a_claim_and_the_wait_is_not_missed_and_told_once() {
        let wakeups = Arc::new(Wakeups::default());
        let waits = || is_woken(&wakeups.register(&[queue("mail").into()], 100));
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        assert!(waits());
        assert!(!waits(), "told once");
        wakeups.publish(&news(News::any));
        assert!(waits());
        assert!(!waits(), "told once");
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        wakeups.publish(&news(|n| n.seen([queue("mail")], wakeups.events())));
        assert!(!waits(), "a claim has seen it");
    }

    #[test]
    fn what_came_while_a_claim_was_on_its_way_may_not_have_been_seen() {
        let wakeups = Arc::new(Wakeups::default());
        let before = wakeups.events();
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        wakeups.publish(&news(|n| n.seen([queue("mail")], before)));
        assert!(is_woken(&wakeups.register(&[queue("mail").into()], 100)));
    }

    #[test]
    fn very_many_queues_are_any_queue() {
        let wakeups = Arc::new(Wakeups::default());
        let names = |from: usize| (from..from + QUEUES_MAX).map(|n| queue(&n.to_string()));
        let few = news(|n| names(0).for_each(|name| n.ready(&name)));
        assert_eq!(few.queues().unwrap().len(), QUEUES_MAX);
        wakeups.publish(&few);
        let mut many = few;
        many.merge(&news(|n| n.ready(&queue("more"))));
        assert!(many.queues().is_none() && !many.is_nothing());
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        assert!(is_woken(&wakeups.register(&[queue("never").into()], 100)));
    }
}
