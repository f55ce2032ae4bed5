//! The leases that are kept alive, each with its tasks that are not settled yet.

use std::collections::HashMap;

use crate::LeaseId;

#[derive(Debug, Default)]
pub(super) struct Holdings {
    open: HashMap<LeaseId, usize>,
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

    /// The whole lease is gone. True: it was held.
    pub(super) fn forget(&mut self, lease: LeaseId) -> bool {
        self.open.remove(&lease).is_some()
    }
}
