//! One simulated process: a machine, a watcher, what it keeps alive and what it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    DefinitionId, LeaseId, RunnerId, TaskId,
    backend::{Cursor, Known, Lease},
    runner::{
        Served,
        machine::{Config, Gather, Machine, Moment},
    },
    watcher::Watcher,
};

/// The lease of every simulated runner.
pub(super) const LEASE: Duration = Duration::from_secs(4);

/// Which process, and which start of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Life {
    pub(super) process: usize,
    pub(super) start: u32,
}

/// A process that lives.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) life: Life,
    pub(super) runner: RunnerId,
    pub(super) machine: Machine,
    pub(super) watcher: Watcher,
    pub(super) held: BTreeSet<LeaseId>,
    pub(super) running: BTreeMap<TaskId, Lease>,
    /// Most tasks of one queue at the same time.
    pub(super) limit: usize,
    /// The world's time when it started: moments of the machine count from here.
    pub(super) started: Moment,
    /// It does nothing until then.
    pub(super) paused_until: Moment,
    pub(super) stopping: bool,
    pub(super) stopped: bool,
    /// Where its sweep goes on.
    pub(super) swept: Option<Cursor>,
}

impl Process {
    pub(super) fn start(
        life: Life,
        now: Moment,
        queues: Vec<Served>,
        concurrency: usize,
        notified: bool,
        gathers: Option<(DefinitionId, Gather)>,
    ) -> Self {
        let runner = RunnerId::new();
        let limit = queues.iter().filter_map(|served| served.concurrency).min();
        let config = Config {
            runner,
            queues,
            concurrency,
            prefetch_max: 20,
            lease_for: LEASE,
            poll: Duration::from_secs(1),
            notified,
            drain_deadline: Duration::from_secs(3),
            grace: Duration::from_secs(1),
            once: false,
            known: Known::All,
            gathers: Arc::new(gathers.into_iter().collect()),
            new_lease: LeaseId::new,
        };
        Self {
            life,
            runner,
            machine: Machine::new(config),
            watcher: Watcher::new(LEASE),
            held: BTreeSet::new(),
            running: BTreeMap::new(),
            limit: limit.unwrap_or(usize::MAX),
            started: now,
            paused_until: Moment::ZERO,
            stopping: false,
            stopped: false,
            swept: None,
        }
    }

    /// The machine's own time.
    pub(super) fn own(&self, now: Moment) -> Moment {
        now.saturating_sub(self.started)
    }
}
