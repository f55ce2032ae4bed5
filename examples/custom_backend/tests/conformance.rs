//! The suite of taskstore, on this store.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{sync::Arc, time::Duration};

use redb::{ReadableTable, WriteTransaction};
use taskstore_conformance::{Damage, Harness, async_trait, conformance_suite};
use taskstore_core::{Backend, TaskId, backend::Migrate};
use taskstore_custom_backend::{RedbBackend, tables};

/// Each case has a file of its own, in a folder that goes with the harness.
struct Files(tempfile::TempDir);

#[async_trait]
impl Harness for Files {
    async fn open(&self, store: &str) -> Arc<dyn Backend> {
        let backend = RedbBackend::open(self.0.path().join(store)).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        Arc::new(backend)
    }

    /// Every case waits for the disk, and perhaps the disk for others.
    fn deadline(&self) -> Duration {
        Duration::from_secs(180)
    }

    // What follows is only for the cases of the sweep: it removes rows behind the store's back.

    fn can_damage(&self) -> bool {
        true
    }

    async fn damage(&self, _store: &str, backend: &Arc<dyn Backend>, damage: Damage) {
        let backend: &RedbBackend = backend.as_any().downcast_ref().unwrap();
        let txn = backend.database().begin_write().unwrap();
        match damage {
            Damage::Place(id) => remove_place(&txn, number(&txn, id)),
            Damage::Lease(lease) => {
                let lease = u128::from(lease);
                txn.open_table(tables::LEASE).unwrap().remove(lease).unwrap();
                let mut leased = txn.open_table(tables::LEASED).unwrap();
                leased.retain_in((lease, 0)..=(lease, u32::MAX), |_, _| false).unwrap();
            }
            Damage::Record(id) => {
                let number = number(&txn, id);
                txn.open_table(tables::TASK).unwrap().remove(number).unwrap();
            }
            Damage::Parameters(id) => {
                let number = number(&txn, id);
                txn.open_table(tables::PARAMETERS).unwrap().remove(number).unwrap();
            }
            Damage::Definition(id) => {
                let mut definitions = txn.open_table(tables::DEFINITION).unwrap();
                definitions.remove(u128::from(id)).unwrap();
            }
        }
        txn.commit().unwrap();
    }
}

fn number(txn: &WriteTransaction, id: TaskId) -> i64 {
    txn.open_table(tables::NUMBER).unwrap().get(u128::from(id)).unwrap().unwrap().value()
}

/// Removes the row of ready or later that a task waits in.
fn remove_place(txn: &WriteTransaction, number: i64) {
    let mut ready = txn.open_table(tables::READY).unwrap();
    ready.retain(|(.., is), _| is != number).unwrap();
    let mut later = txn.open_table(tables::LATER).unwrap();
    later.retain(|(_, is), _| is != number).unwrap();
}

conformance_suite!(Files(tempfile::tempdir().unwrap()));
