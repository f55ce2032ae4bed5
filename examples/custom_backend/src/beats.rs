//! Beats, in the memory of the process.
//!
//! A redb file belongs to one process, and so does every runner that works on it. When the process is
//! gone nobody asks for its beats any more: they need not be on the disk, and never wait for it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use redb::{Database, ReadableDatabase, ReadableTable};
use taskstore_core::{
    Heartbeat, LeaseId, Result, TaskId,
    backend::{Beaten, LateLease, Pulse},
    clock,
};

use crate::{
    error::{refused, unreadable},
    record::LeaseRow,
    tables::{ASKED, LEASE},
};

#[derive(Clone, Copy, Debug)]
struct Beat {
    count: u64,
    at: i64,
    /// A take-over has seen the count, and is not committed yet.
    held: bool,
}

/// The beats of all leases; none for a lease that did not beat yet.
#[derive(Debug, Default)]
pub struct Beats(Mutex<HashMap<LeaseId, Beat>>);

impl Beats {
    fn lock(&self) -> MutexGuard<'_, HashMap<LeaseId, Beat>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the lease was last heard of, if it was.
    pub fn last(&self, lease: LeaseId) -> Option<i64> {
        self.lock().get(&lease).filter(|beat| beat.count > 0).map(|beat| beat.at)
    }

    /// Keeps the lease from beating if this is its present beat, and says whether it is.
    pub fn hold(&self, lease: LeaseId, count: u64) -> bool {
        let mut beats = self.lock();
        let beat = beats.entry(lease).or_insert(Beat { count: 0, at: 0, held: false });
        beat.held |= beat.count == count;
        beat.count == count
    }

    /// Lets leases beat again, if they are still there.
    pub fn release(&self, leases: &[LeaseId]) {
        let mut beats = self.lock();
        for lease in leases {
            if let Some(beat) = beats.get_mut(lease) {
                beat.held = false;
            }
        }
    }

    /// Leases that did not beat for a third of their length, or whose beat lies in the future because the
    /// clock stepped back.
    pub fn late(&self, database: &Database, limit: usize) -> Result<Vec<LateLease>> {
        // Read under the lock, so that a beat that is counted is of a lease that was read.
        let mut beats = self.lock();
        let table = database.begin_read().map_err(refused)?.open_table(LEASE).map_err(refused)?;
        let now = clock::to_micros(clock::now());
        let (mut late, mut there) = (Vec::new(), HashMap::new());
        for row in table.iter().map_err(refused)? {
            let (id, row) = row.map_err(refused)?;
            let (id, row): (_, LeaseRow) =
                (LeaseId::from(id.value()), serde_json::from_str(row.value()).map_err(unreadable)?);
            let beat = beats.get(&id).copied();
            there.extend(beat.map(|beat| (id, beat)));
            let beat = beat.filter(|beat| beat.count > 0);
            let silent = now - beat.map_or(row.claimed_at, |beat| beat.at);
            if u64::try_from(silent).is_ok_and(|silent| silent < row.lease_for / 3) {
                continue;
            }
            if late.len() < limit {
                late.push(LateLease {
                    lease: id,
                    beat: beat.map_or(0, |beat| beat.count),
                    lease_for: Duration::from_micros(row.lease_for),
                });
            }
        }
        *beats = there;
        Ok(late)
    }
}

/// What a runner's keeper beats with.
pub struct Keeper {
    pub database: Arc<Database>,
    pub beats: Arc<Beats>,
}

#[async_trait]
impl Heartbeat for Keeper {
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
        let mut beats = self.beats.lock();
        let read = self.database.begin_read().map_err(refused)?;
        let table = read.open_table(LEASE).map_err(refused)?;
        let asked = read.open_table(ASKED).map_err(refused)?;
        let at = clock::to_micros(clock::now());
        let mut beaten = Beaten::default();
        for &lease in leases {
            let key = u128::from(lease);
            if table.get(key).map_err(refused)?.is_none() {
                beats.remove(&lease);
                beaten.leases.push(Pulse::Lost);
                continue;
            }
            let beat = beats.entry(lease).or_insert(Beat { count: 0, at, held: false });
            if beat.held {
                beaten.leases.push(Pulse::Busy);
                continue;
            }
            (beat.count, beat.at) = (beat.count + 1, at);
            beaten.leases.push(Pulse::Alive);
            for row in asked.range((key, 0)..=(key, u128::MAX)).map_err(refused)? {
                beaten.cancel.push(TaskId::from(row.map_err(refused)?.0.value().1));
            }
        }
        Ok(beaten)
    }
}
