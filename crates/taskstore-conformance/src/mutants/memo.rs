//! What a decorator must remember to make its mistake.

use std::collections::{HashMap, HashSet};

use taskstore_core::{
    LeaseId, LogLine, QueueName, Task, TaskId, UniqueHash,
    backend::{Lease, LeasedTask, StartBy},
};
use time::UtcDateTime;

/// What went through the store so far.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// Ids that were enqueued.
    pub(super) enqueued: HashSet<TaskId>,
    /// Who held a key first.
    pub(super) keys: HashMap<UniqueHash, TaskId>,
    /// Queues that were used.
    pub(super) queues: HashSet<QueueName>,
    /// The newest lease of each task.
    pub(super) holders: HashMap<TaskId, Lease>,
    /// The newest task that was claimed.
    pub(super) newest: Option<LeasedTask>,
    /// When each lease grows old.
    pub(super) old_at: HashMap<LeaseId, UtcDateTime>,
    /// Settlements that were accepted.
    pub(super) settled: HashSet<Lease>,
    /// Leases under which something was settled.
    pub(super) ended: HashSet<LeaseId>,
    /// What replaced a lease.
    pub(super) heirs: HashMap<LeaseId, LeaseId>,
    /// Leases that were asked for by an isolation or a take-over.
    pub(super) asked: HashSet<LeaseId>,
    /// Attempts to show beyond those that the store counts.
    pub(super) attempts: HashMap<TaskId, u32>,
    /// The last task of the page that ended at a cursor.
    pub(super) pages: HashMap<String, Task>,
    /// By when tasks were to begin when they were first claimed.
    pub(super) start_by: HashMap<TaskId, StartBy>,
    /// Logs that outlived their tasks.
    pub(super) logs: HashMap<TaskId, Vec<LogLine>>,
    /// The last id of the page of ids that ended at a cursor.
    pub(super) id_pages: HashMap<String, TaskId>,
    /// Lines that were stored.
    pub(super) lines: HashSet<(Lease, u32)>,
}

impl Memo {
    /// Remembers who holds what.
    pub(super) fn held(&mut self, tasks: &[LeasedTask]) {
        for task in tasks {
            self.holders.insert(task.lease.task, task.lease);
        }
        self.newest = tasks.last().cloned().or(self.newest.take());
    }

    /// The lease that holds under the name of another that it replaced.
    pub(super) fn heir(&self, mut lease: LeaseId) -> LeaseId {
        while let Some(heir) = self.heirs.get(&lease) {
            lease = *heir;
        }
        lease
    }
}
