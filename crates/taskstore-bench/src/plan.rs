//! What is measured, in which order, and how much of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Size {
    /// For figures that are published: some minutes.
    Full,
    /// For a first look: under 30 seconds.
    Quick,
    /// For tests of the bench itself. Its figures mean nothing.
    Tiny,
}

/// What is measured once in every round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it is called in reports.
    pub name: &'static str,
    pub(crate) work: Work,
}

/// What a case does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Disk { lasts: Duration },
    Enqueue { callers: usize, per_call: usize, lasts: Duration },
    Drain { bytes: usize, tasks: u64, processes: usize },
    Naive { lasts: Duration },
    PickUp { tasks: u64, across: bool },
    Idle { lasts: Duration },
}

/// The table that a case is shown in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Group {
    /// How many tasks per second.
    Rates,
    /// How soon a task starts.
    PickUp,
    /// What a runner costs that has nothing to do.
    Idle,
    /// What one durable write costs.
    Disk,
}

impl Work {
    pub(crate) const fn group(&self) -> Group {
        match self {
            Self::Disk { .. } => Group::Disk,
            Self::Enqueue { .. } | Self::Drain { .. } | Self::Naive { .. } => Group::Rates,
            Self::PickUp { .. } => Group::PickUp,
            Self::Idle { .. } => Group::Idle,
        }
    }
}

/// All that one run does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How often every case is measured.
    pub rounds: usize,
    /// In this order.
    pub cases: Vec<Case>,
}

pub(crate) const ENQUEUE_1: &str = "enqueue, 1 caller";
pub(crate) const ENQUEUE_64: &str = "enqueue, 64 callers";
pub(crate) const ENQUEUE_BULK: &str = "enqueue, 1,000 at once";
pub(crate) const DRAIN_10_B: &str = "drain, 10 B";
pub(crate) const DRAIN_BY_4: &str = "drain, 10 B, 4 processes";
pub(crate) const DRAIN_1_KB: &str = "drain, 1 kB";
pub(crate) const DRAIN_10_KB: &str = "drain, 10 kB";
pub(crate) const NAIVE: &str = "naive, 10 B";

impl Plan {
    /// Three rounds of this size, or as many as are asked for.
    #[must_use]
    pub fn new(size: Size, rounds: Option<usize>) -> Self {
        let (lasts, tasks, picked) = match size {
            Size::Full => (Duration::from_secs(3), [300_000, 150_000, 30_000], 250),
            Size::Quick => (Duration::from_millis(400), [30_000, 15_000, 3_000], 40),
            Size::Tiny => (Duration::from_millis(50), [300, 200, 100], 5),
        };
        let enqueue = |callers, per_call| Work::Enqueue { callers, per_call, lasts };
        let drain = |bytes, tasks, processes| Work::Drain { bytes, tasks, processes };
        let [small, middle, large] = tasks;
        let work = [
            ("disk, 4 KiB written and synced", Work::Disk { lasts: lasts / 2 }),
            (ENQUEUE_1, enqueue(1, 1)),
            (ENQUEUE_64, enqueue(64, 1)),
            (ENQUEUE_BULK, enqueue(1, 1_000)),
            (DRAIN_10_B, drain(10, small, 1)),
            (DRAIN_BY_4, drain(10, small, 4)),
            (NAIVE, Work::Naive { lasts }),
            (DRAIN_1_KB, drain(1_000, middle, 1)),
            (DRAIN_10_KB, drain(10_000, large, 1)),
            ("pick-up, in process", Work::PickUp { tasks: picked, across: false }),
            ("pick-up, across processes", Work::PickUp { tasks: picked, across: true }),
            ("idle runner", Work::Idle { lasts: lasts * 2 }),
        ];
        let cases = work.map(|(name, work)| Case { name, work }).into();
        let rounds = rounds.unwrap_or(if size == Size::Tiny { 1 } else { 3 });
        Self { rounds, cases }
    }
}
