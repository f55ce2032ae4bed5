//! What became of a bulk action.

use std::fmt;

use crate::{Error, TaskId};

/// Most refusals that are kept with their reasons; all are counted.
const REFUSALS_MAX: usize = 1_000;

/// What a bulk action has done: so far, in `on_progress`, or in all.
#[non_exhaustive]
#[derive(Debug, Default)]
pub struct BulkReport {
    /// Tasks that the move was asked for.
    pub looked_at: u64,
    /// Tasks that made the move.
    pub moved: u64,
    /// Running tasks whose holders were asked to end them.
    pub requested: u64,
    /// Tasks that did not make it; exact, however many.
    pub refused: u64,
    /// The first 1,000 of those, and why.
    pub refusals: Vec<Refusal>,
    /// Whether it went through all that match; not while it goes on, and not when
    /// [`at_most`](super::Bulk::at_most) ended it.
    pub complete: bool,
}

/// A task that did not make the move.
#[non_exhaustive]
#[derive(Debug)]
pub struct Refusal {
    /// The task.
    pub task: TaskId,
    /// The error that the same move of this one task gives: most often
    /// [`InvalidTransition`](Error::InvalidTransition), because its status has changed since it was
    /// found.
    pub why: Error,
}

impl BulkReport {
    pub(super) fn refuse(&mut self, task: TaskId, why: Error) {
        self.refused += 1;
        if self.refusals.len() < REFUSALS_MAX {
            self.refusals.push(Refusal { task, why });
        }
    }

    /// Tasks that made the move or will: their holders were asked.
    pub(super) const fn accepted(&self) -> u64 {
        self.moved + self.requested
    }
}

/// As in `100 moved, 2 requested, 1 refused`.
impl fmt::Display for BulkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} moved", self.moved)?;
        for (count, what) in [(self.requested, "requested"), (self.refused, "refused")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        Ok(())
    }
}
