//! Who waits in this process for tasks to end, and is told.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::TaskId;

/// The tasks that somebody waits for. Tells that a task has ended, never how: that is stored.
#[derive(Debug, Default)]
pub(super) struct Endings {
    waited_for: Mutex<HashMap<TaskId, Waited>>,
}

#[derive(Debug, Default)]
struct Waited {
    ended: Arc<Notify>,
    by: usize,
}

impl Endings {
    /// Listens from here on.
    pub(super) fn listen(&self, task: TaskId) -> Listening<'_> {
        let mut waited_for = self.lock();
        let waited = waited_for.entry(task).or_default();
        waited.by += 1;
        Listening { endings: self, task, ended: Arc::clone(&waited.ended) }
    }

    /// These tasks have ended, and that is stored.
    pub(super) fn ended(&self, tasks: impl IntoIterator<Item = TaskId>) {
        let waited_for = self.lock();
        if waited_for.is_empty() {
            return;
        }
        for task in tasks {
            if let Some(waited) = waited_for.get(&task) {
                waited.ended.notify_waiters();
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Waited>> {
        self.waited_for.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens for the end of one task until it is dropped.
#[derive(Debug)]
pub(super) struct Listening<'a> {
    endings: &'a Endings,
    task: TaskId,
    ended: Arc<Notify>,
}

impl Listening<'_> {
    /// Ready when the task ends after this call, even if it is not polled before.
    pub(super) fn next(&self) -> tokio::sync::futures::Notified<'_> {
        self.ended.notified()
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        let mut waited_for = self.endings.lock();
        if let Some(waited) = waited_for.get_mut(&self.task) {
            waited.by -= 1;
            if waited.by == 0 {
                waited_for.remove(&self.task);
            }
        }
    }
}
