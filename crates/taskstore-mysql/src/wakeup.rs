//! Who waits for work in this process, and what they are told.
//!
//! A hint and no more: a runner that is woken for nothing claims nothing, and one that is not woken
//! looks by itself when its wait has ended. The server has no notices, so of other processes nothing is
//! heard here: a runner polls, the less often the longer it finds nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use taskstore_core::{QueueName, QueuePattern};
use tokio::{sync::Notify, time::Instant};

/// What one transaction has to tell, once it is committed.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// In how long the earliest of what came into a queue can be claimed.
    queues: HashMap<QueueName, Duration>,
    promoted: bool,
}

impl News {
    /// Something was put into ready.
    pub(crate) fn ready(&mut self, queue: &QueueName) {
        self.later(queue, Duration::ZERO);
    }

    /// Something was put into later, to be due in so long.
    pub(crate) fn later(&mut self, queue: &QueueName, due_in: Duration) {
        match self.queues.get_mut(queue) {
            Some(earliest) => *earliest = due_in.min(*earliest),
            None => drop(self.queues.insert(queue.clone(), due_in)),
        }
    }

    /// Due tasks were moved to ready, of whatever queues.
    pub(crate) const fn promoted(&mut self) {
        self.promoted = true;
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
}

#[derive(Debug)]
struct Waiter {
    queues: Vec<QueuePattern>,
    deadline: Instant,
    notify: Arc<Notify>,
}

impl Waiter {
    /// Whether these are news for it: of its queues, and due before it would look by itself.
    fn is_told(&self, news: &News, now: Instant) -> bool {
        let for_it = |queue: &QueueName| self.queues.iter().any(|pattern| pattern.matches(queue));
        // A time that the clock cannot hold is beyond every deadline.
        let in_time = |due_in| now.checked_add(due_in).is_some_and(|due| due <= self.deadline);
        news.promoted || news.queues.iter().any(|(queue, due)| in_time(*due) && for_it(queue))
    }
}

/// A place among those who wait; given up when dropped.
pub(crate) struct Waiting {
    id: u64,
    wakeups: Arc<Wakeups>,
    deadline: Instant,
    notify: Arc<Notify>,
}

impl Waiting {
    /// Until there is news, also if it came before this was called, or the deadline has come.
    pub(crate) async fn over(self) {
        // Which of the two it was makes no difference to the caller.
        let _ = tokio::time::timeout_at(self.deadline, self.notify.notified()).await;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.wakeups.lock().waiters.remove(&self.id);
    }
}

impl Wakeups {
    /// Waits for news of these queues. From here on nothing that is published is missed.
    pub(crate) fn register(
        self: &Arc<Self>,
        queues: &[QueuePattern],
        at_most: Duration,
    ) -> Waiting {
        let notify = Arc::new(Notify::new());
        let now = Instant::now();
        // What cannot be added is longer than anybody waits.
        let deadline =
            now.checked_add(at_most).unwrap_or_else(|| now + Duration::from_secs(1 << 30));
        let waiter = Waiter { queues: queues.to_vec(), deadline, notify: Arc::clone(&notify) };
        let mut state = self.lock();
        state.next += 1;
        let id = state.next;
        state.waiters.insert(id, waiter);
        drop(state);
        Waiting { id, wakeups: Arc::clone(self), deadline, notify }
    }

    /// What was committed.
    pub(crate) fn publish(&self, news: &News) {
        if news.queues.is_empty() && !news.promoted {
            return;
        }
        let now = Instant::now();
        for waiter in self.lock().waiters.values() {
            if waiter.is_told(news, now) {
                waiter.notify.notify_one();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn queue(name: &str) -> QueueName {
        QueueName::new(name).unwrap()
    }

    fn is_woken(waiting: &Waiting) -> bool {
        use std::{future::Future as _, pin::pin, task};
        let mut context = task::Context::from_waker(task::Waker::noop());
        pin!(waiting.notify.notified()).as_mut().poll(&mut context).is_ready()
    }

    fn news(tell: impl FnOnce(&mut News)) -> News {
        let mut news = News::default();
        tell(&mut news);
        news
    }

    #[test]
    fn only_those_who_wait_for_the_queue_are_woken() {
        let wakeups = Arc::new(Wakeups::default());
        let mail = wakeups.register(&[queue("mail").into()], SECOND);
        let any = wakeups.register(&[QueuePattern::new("m*").unwrap()], SECOND);
        let other = wakeups.register(&[queue("other").into()], SECOND);
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        assert!(is_woken(&mail) && is_woken(&any));
        assert!(!is_woken(&other));
        wakeups.publish(&news(News::promoted));
        assert!(is_woken(&other), "of whatever queues");
    }

    #[test]
    fn a_later_task_wakes_only_those_who_would_sleep_past_it() {
        let wakeups = Arc::new(Wakeups::default());
        let long = wakeups.register(&[queue("mail").into()], 60 * SECOND);
        let short = wakeups.register(&[queue("mail").into()], SECOND);
        wakeups.publish(&news(|n| {
            n.later(&queue("mail"), Duration::MAX);
            n.later(&queue("mail"), 30 * SECOND);
            n.later(&queue("mail"), 40 * SECOND);
        }));
        assert!(is_woken(&long), "the earliest counts");
        assert!(!is_woken(&short));
    }

    #[test]
    fn who_has_gone_is_told_nothing_and_takes_nothing_from_the_others() {
        let wakeups = Arc::new(Wakeups::default());
        drop(wakeups.register(&[queue("mail").into()], SECOND));
        assert!(wakeups.lock().waiters.is_empty());
        let waiting = wakeups.register(&[queue("mail").into()], Duration::MAX);
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        assert!(is_woken(&waiting));
    }

    #[tokio::test]
    async fn what_came_before_it_was_waited_for_is_not_missed() {
        let wakeups = Arc::new(Wakeups::default());
        let waiting = wakeups.register(&[queue("mail").into()], 1_000 * SECOND);
        wakeups.publish(&news(|n| n.ready(&queue("mail"))));
        let over = tokio::time::timeout(10 * SECOND, waiting.over()).await;
        assert!(over.is_ok(), "it waits for its deadline");
    }
}
