//! Who waits for work, and how they hear of it.
//!
//! A waiter is in the state before its call returns to whoever made it, and a hint is given under
//! the same lock as the change that it speaks of: nothing falls between the two.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::state::State;
use crate::{QueueName, QueuePattern};

/// Everybody who waits.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    made: u64,
    waiting: BTreeMap<u64, Waiter>,
}

#[derive(Debug)]
struct Waiter {
    queues: Vec<QueuePattern>,
    deadline: Instant,
    bell: Arc<Notify>,
}

impl Waiter {
    fn waits_for(&self, queue: &QueueName) -> bool {
        self.queues.iter().any(|pattern| pattern.matches(queue))
    }
}

impl Waiters {
    /// Work for this queue is due in so long.
    pub(super) fn hint(&self, queue: &QueueName, due_in: Duration) {
        for waiter in self.waiting.values().filter(|waiter| waiter.waits_for(queue)) {
            // A `due_in` that overflows the clock is beyond every deadline.
            let due = Instant::now().checked_add(due_in);
            if due.is_some_and(|due| due <= waiter.deadline) {
                waiter.bell.notify_one();
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Work for any queue may be due.
    pub(super) fn hint_all(&self) {
        for waiter in self.waiting.values() {
            waiter.bell.notify_one();
        }
    }
}

/// A call that waits; leaves the state when it is dropped.
pub(super) struct Wait {
    state: Arc<Mutex<State>>,
    number: u64,
    deadline: Instant,
    bell: Arc<Notify>,
}

impl Wait {
    /// Begins to listen.
    pub(super) fn new(
        state: Arc<Mutex<State>>,
        queues: &[QueuePattern],
        at_most: Duration,
    ) -> Self {
        let bell = Arc::new(Notify::new());
        let start = Instant::now();
        // What cannot be added is longer than anybody waits.
        let deadline =
            start.checked_add(at_most).unwrap_or_else(|| start + Duration::from_secs(1 << 30));
        let waiter = Waiter { queues: queues.to_vec(), deadline, bell: Arc::clone(&bell) };
        let number = {
            let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
            let waiters = &mut state.waiters;
            waiters.made += 1;
            waiters.waiting.insert(waiters.made, waiter);
            waiters.made
        };
        Self { state, number, deadline, bell }
    }

    /// Until there is a hint, or the deadline has come.
    pub(super) async fn end(self) {
        // Which of the two it was makes no difference to the caller.
        let _ = tokio::time::timeout_at(self.deadline, self.bell.notified()).await;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiters.waiting.remove(&self.number);
    }
}
