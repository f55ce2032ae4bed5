//! The runners of one store: no queue is served twice, and all can be stopped.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::handle::RunnerHandle;
use crate::{Error, QueueName, QueuePattern, Result};

/// The runners that serve queues.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runners {
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    made: u64,
    serving: Vec<Serving>,
}

/// What one runner serves.
#[derive(Debug)]
struct Serving {
    number: u64,
    queues: Vec<QueuePattern>,
    /// The runner, once it has started.
    handle: Option<RunnerHandle>,
}

impl Runners {
    /// Keeps these queues for one runner until the reservation is dropped.
    ///
    /// # Errors
    /// [`AlreadyExists`](Error::AlreadyExists): one of them is served already, or could be, because it
    /// matches a pattern that is served.
    pub(super) fn reserve(&self, queues: &[QueuePattern]) -> Result<Reservation> {
        let mut state = self.lock();
        let served = || state.serving.iter().flat_map(|serving| &serving.queues);
        for queue in queues {
            if let Some(other) = served().find(|other| other.overlaps(queue)) {
                let key = if other == queue {
                    queue.to_string()
                } else {
                    format!("{queue}, which overlaps {other},")
                };
                return Err(Error::already_exists("runner for queue", &key));
            }
        }
        state.made += 1;
        let number = state.made;
        state.serving.push(Serving { number, queues: queues.to_vec(), handle: None });
        Ok(Reservation { runners: self.clone(), number })
    }

    /// The runners of all queues, or of one.
    pub(crate) fn handles(&self, queue: Option<&QueueName>) -> Vec<RunnerHandle> {
        let serves = |serving: &&Serving| {
            queue.is_none_or(|queue| serving.queues.iter().any(|served| served.matches(queue)))
        };
        self.lock().serving.iter().filter(serves).filter_map(|s| s.handle.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queues that are kept for one runner.
#[derive(Debug)]
pub(super) struct Reservation {
    runners: Runners,
    number: u64,
}

impl Reservation {
    /// The runner has started.
    pub(super) fn started(&self, handle: &RunnerHandle) {
        let mut state = self.runners.lock();
        for serving in state.serving.iter_mut().filter(|serving| serving.number == self.number) {
            serving.handle = Some(handle.clone());
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.runners.lock().serving.retain(|serving| serving.number != self.number);
    }
}
