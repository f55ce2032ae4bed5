//! The suite on a file.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use rusqlite::{TransactionBehavior, types::Value};
use taskstore_conformance::{Harness, Plain, PlainEnd, PlainRow, async_trait};
use taskstore_core::{Backend, backend::Migrate};
use taskstore_sqlite::{SqliteBackend, SqliteOptions};
use tempfile::TempDir;

/// A folder for each store, which goes with the program.
#[derive(Default)]
struct Sqlite {
    folders: Mutex<HashMap<String, TempDir>>,
}

impl Sqlite {
    fn path(&self, store: &str) -> PathBuf {
        let mut folders = self.folders.lock().unwrap();
        let folder =
            folders.entry(store.to_owned()).or_insert_with(|| tempfile::tempdir().unwrap());
        folder.path().join("tasks.db")
    }

    async fn connect(&self, store: &str) -> SqliteBackend {
        SqliteBackend::open(SqliteOptions::new(self.path(store))).await.unwrap()
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

    async fn enqueue_plain(
        &self,
        store: &str,
        rows: &[PlainRow],
        end: PlainEnd,
    ) -> Result<(), String> {
        let mut person = rusqlite::Connection::open(self.path(store)).unwrap();
        let transaction = person.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
        for row in rows {
            let names: Vec<_> = row.iter().map(|(name, _)| *name).collect();
            let marks = vec!["?"; names.len()].join(",");
            let sql = format!("INSERT INTO task_enqueue({}) VALUES({marks})", names.join(","));
            let values = row.iter().map(|(_, value)| sql_value(value));
            transaction
                .execute(&sql, rusqlite::params_from_iter(values))
                .map_err(|error| error.to_string())?;
        }
        match end {
            PlainEnd::Commit => transaction.commit().unwrap(),
            PlainEnd::Rollback => transaction.rollback().unwrap(),
        }
        Ok(())
    }
}

fn sql_value(value: &Plain) -> Value {
    match value {
        Plain::Null => Value::Null,
        Plain::Integer(number) => Value::Integer(*number),
        Plain::Real(number) => Value::Real(*number),
        Plain::Text(text) => Value::Text(text.clone()),
    }
}

taskstore_conformance::conformance_suite!(Sqlite::default());
