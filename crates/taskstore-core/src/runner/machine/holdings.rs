//! The leases that are kept alive, each with its tasks that are not settled yet.

use std::collections::HashMap;

use super::Moment;
use crate::LeaseId;

#[derive(Debug, Default)]
pub(super) struct Holdings {
    open: HashMap<LeaseId, usize>,
    /// When the last heartbeat began that was answered.
    heard_at: Moment,
}

impl Holdings {
    /// So many tasks more are held under a lease. True: it was not held before.
    pub(super) fn add(&mut self, lease: LeaseId, tasks: usize) -> bool {
        if tasks == 0 {
            return false;
        }
        let open = self.open.entry(lease).or_default();
        let fresh = *open == 0;
        *open += tasks;
        fresh
    }

    /// One task less. True: that was its last.
    pub(super) fn remove(&mut self, lease: LeaseId) -> bool {
        let Some(open) = self.open.get_mut(&lease) else { return false };
        *open = open.saturating_sub(1);
        *open == 0 && self.open.remove(&lease).is_some()
    }

    /// Whether just one task is held under a lease.
    pub(super) fn is_one(&self, lease: LeaseId) -> bool {
        self.open.get(&lease) == Some(&1)
    }

    /// A heartbeat that began at this moment was answered.
    pub(super) fn heard(&mut self, at: Moment) {
        self.heard_at = self.heard_at.max(at);
    }

    /// When it was last known that what was leased at `leased_at`, is beaten since `held_since`, and
    /// not lost since, is alive. A beat from before that says nothing of it.
    pub(super) fn alive_at(&self, leased_at: Moment, held_since: Moment) -> Moment {
        if self.heard_at >= held_since { self.heard_at } else { leased_at }
    }

    /// The whole lease is gone. True: it was held.
    pub(super) fn forget(&mut self, lease: LeaseId) -> bool {
        self.open.remove(&lease).is_some()
    }
}
