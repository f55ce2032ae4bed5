//! Tasks that fell out of every place, because somebody wrote to the tables by hand.

use std::time::Duration;

use time::UtcDateTime;

use super::{Cursor, LeasedTask};
use crate::{LeaseId, RunnerId};

/// A bounded look for what belongs nowhere. Never sent again: what it found is then under its lease,
/// and found as what any dead holder leaves.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Who sweeps.
    pub runner: RunnerId,
    /// The lease to make for what is found: new, never used before.
    pub lease: LeaseId,
    /// How long that lives without a beat.
    pub lease_for: Duration,
    /// From where the last look ended; `None`: from the beginning.
    pub after: Option<Cursor>,
    /// Looks at so many records or places, about.
    pub at_most: u32,
    /// The time to stamp; `None`: the engine's own.
    pub now: Option<UtcDateTime>,
}

impl Sweep {
    /// A look from the beginning at so many records or places, under a new lease of 15 s.
    #[must_use]
    pub fn new(runner: RunnerId, at_most: u32) -> Self {
        Self {
            runner,
            lease: LeaseId::new(),
            lease_for: Duration::from_secs(15),
            after: None,
            at_most,
            now: None,
        }
    }

    /// The look after this one.
    #[must_use]
    pub fn after(mut self, cursor: Cursor) -> Self {
        self.after = Some(cursor);
        self
    }

    /// As if it were this time.
    #[must_use]
    pub const fn at(mut self, now: UtcDateTime) -> Self {
        self.now = Some(now);
        self
    }
}

/// What a look found.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Tasks that were active and in no place, now leased under the lease of the request. The caller
    /// settles them.
    pub strays: Vec<Stray>,
    /// Rows of places that belonged to no task that waits there, in the engine's own words. They are
    /// gone.
    pub dropped: Vec<String>,
    /// Where to go on; `None`: all was looked at.
    pub next: Option<Cursor>,
}

/// A task that was in no place.
#[derive(Clone, Debug)]
pub struct Stray {
    /// The task, under its new lease. Parameters that are gone are `null`; a definition that is gone
    /// has an id that no definition has.
    pub task: LeasedTask,
    /// What it cannot run without, and is gone.
    pub missing: Option<Missing>,
}

/// What somebody has deleted of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Its parameters.
    Parameters,
    /// Its definition.
    Definition,
}
