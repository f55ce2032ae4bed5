//! The suite on a file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use taskstore_conformance::{Harness, async_trait};
use taskstore_core::{Backend, backend::Migrate};
use taskstore_sqlite::{SqliteBackend, SqliteOptions};
use tempfile::TempDir;

/// A folder for each store, which goes with the program.
#[derive(Default)]
struct Sqlite {
    folders: Mutex<HashMap<String, TempDir>>,
}

impl Sqlite {
    async fn connect(&self, store: &str) -> SqliteBackend {
        let path = {
            let mut folders = self.folders.lock().unwrap();
            let folder =
                folders.entry(store.to_owned()).or_insert_with(|| tempfile::tempdir().unwrap());
            folder.path().join("tasks.db")
        };
        SqliteBackend::open(SqliteOptions::new(path)).await.unwrap()
    }
}

#[async_trait]
impl Harness for Sqlite {
    async fn open(&self, store: &str) -> Arc<dyn Backend> {
        let backend = self.connect(store).await;
        backend.migrate(&Migrate::up()).await.unwrap();
        Arc::new(backend)
    }

    async fn reopen(&self, store: &str) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(self.connect(store).await))
    }
}

taskstore_conformance::conformance_suite!(Sqlite::default());
