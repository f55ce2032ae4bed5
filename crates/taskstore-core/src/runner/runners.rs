//! The runners of one store: no queue is served twice, and all can be stopped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::handle::RunnerHandle;
use crate::{Error, QueueName, Result};

/// The queues that are served, each with the runner that serves it, once it has started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Runners {
    queues: Arc<Mutex<HashMap<QueueName, Option<RunnerHandle>>>>,
}

impl Runners {
    /// Keeps these queues for one runner until the reservation is dropped.
    ///
    /// # Errors
    /// [`AlreadyExists`](Error::AlreadyExists): one of them is served already.
    pub(super) fn reserve(&self, queues: &[QueueName]) -> Result<Reservation> {
        let mut served = self.lock();
        if let Some(queue) = queues.iter().find(|queue| served.contains_key(queue)) {
            return Err(Error::already_exists("runner for queue", queue));
        }
        served.extend(queues.iter().map(|queue| (queue.clone(), None)));
        Ok(Reservation { runners: self.clone(), queues: queues.to_vec() })
    }

    /// The runners of all queues, or of one; a runner of several queues comes as often.
    pub(crate) fn handles(&self, queue: Option<&QueueName>) -> Vec<RunnerHandle> {
        let served = self.lock();
        let wanted = |name: &QueueName| queue.is_none_or(|queue| queue == name);
        served
            .iter()
            .filter(|(name, _)| wanted(name))
            .filter_map(|(_, handle)| handle.clone())
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<QueueName, Option<RunnerHandle>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Queues that are kept for one runner.
#[derive(Debug)]
pub(super) struct Reservation {
    runners: Runners,
    queues: Vec<QueueName>,
}

impl Reservation {
    /// The runner has started.
    pub(super) fn started(&self, handle: &RunnerHandle) {
        let mut served = self.runners.lock();
        for queue in &self.queues {
            served.insert(queue.clone(), Some(handle.clone()));
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut served = self.runners.lock();
        for queue in &self.queues {
            served.remove(queue);
        }
    }
}
