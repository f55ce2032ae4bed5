//! Tasks on their way to a runner.

use std::time::Duration;

use serde_json::value::RawValue;
use time::UtcDateTime;

use super::Lease;
use crate::{DefinitionId, LeaseId, QueueName, RunnerId};

/// What a runner is ready to take.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Claim {
    /// The lease to make: new, never used before.
    pub lease: LeaseId,
    /// Who claims.
    pub runner: RunnerId,
    /// How long the lease lives without a beat.
    pub lease_for: Duration,
    /// From which queues, strictly in this order.
    pub queues: Vec<QueueShare>,
    /// At most so many tasks in all.
    pub at_most: u32,
    /// Which definitions the runner knows.
    pub known: Known,
    /// Stop before the tasks' parameters have more bytes than this, but take one at least.
    pub bytes_max: usize,
    /// The time to stamp; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl Claim {
    /// A claim of `at_most` tasks from these queues, under a new lease of 15 s, of any definition.
    #[must_use]
    pub fn new(
        runner: RunnerId,
        queues: impl IntoIterator<Item = QueueName>,
        at_most: u32,
    ) -> Self {
        let queues = queues.into_iter().map(|queue| QueueShare { queue, at_most }).collect();
        Self {
            lease: LeaseId::new(),
            runner,
            lease_for: Duration::from_secs(15),
            queues,
            at_most,
            known: Known::All,
            bytes_max: 16 << 20,
            now: None,
        }
    }

    /// As if it were this time.
    #[must_use]
    pub const fn at(mut self, now: UtcDateTime) -> Self {
        self.now = Some(now);
        self
    }
}

/// What to take from one queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueShare {
    /// The queue.
    pub queue: QueueName,
    /// At most so many.
    pub at_most: u32,
}

/// Which definitions a runner has handlers for; whichever list is shorter. What slips through (a
/// definition made a moment ago) is released at once, its attempt refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Whatever there is.
    All,
    /// These and no others.
    Only(Vec<DefinitionId>),
    /// All but these.
    Except(Vec<DefinitionId>),
}

/// What a claim took.
#[derive(Clone, Debug, Default)]
pub struct Claimed {
    /// In claim order, queue by queue.
    pub tasks: Vec<LeasedTask>,
    /// When that was, by the engine's clock, which also stamped `run_at`: to measure how long tasks
    /// had waited. Nothing is decided by it.
    pub at: Option<UtcDateTime>,
    /// In how long the next task of any queue becomes due, by the engine's clock, zero if one is due
    /// but not yet promoted. Only when the claim came back short; `None` also when later is empty.
    pub due_in: Option<Duration>,
}

/// A claimed task: what its handler needs, and no more.
#[derive(Clone, Debug)]
pub struct LeasedTask {
    /// The right to settle it.
    pub lease: Lease,
    /// The kind of work.
    pub definition: DefinitionId,
    /// Where it waited.
    pub queue: QueueName,
    /// What its handler is given.
    pub parameters: Box<RawValue>,
    /// Its priority.
    pub priority: i16,
    /// When it was to run.
    pub run_at: UtcDateTime,
    /// Attempts that have ended and were counted; this one is the next.
    pub attempts: u32,
    /// `None`: as the handler says.
    pub max_attempts: Option<u32>,
    /// Lost with its holder before: isolate it before it runs.
    pub suspect: bool,
    /// It holds a unique key: settle it apart, because another transaction may wait for that key.
    pub keyed: bool,
    /// By when it must be started, unless its handler began once already. The engine only says so;
    /// whether it is too late is decided in core.
    pub start_by: Option<StartBy>,
    /// How long its run may take; `None`: as the handler says.
    pub timeout: Option<Duration>,
}

/// By when a task must be started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartBy {
    /// The time, for people.
    pub at: UtcDateTime,
    /// How long that is from the answer on, by the engine's own clock; zero when it has passed. So
    /// the clocks of two machines are never compared.
    pub within: Duration,
}
