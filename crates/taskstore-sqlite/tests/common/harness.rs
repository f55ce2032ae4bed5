//! How the suite opens stores in files, writes plain SQL into them, and damages them.

#![allow(dead_code, reason = "each test program uses some of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use rusqlite::{TransactionBehavior, types::Value};
use taskstore_conformance::{
    Damage, Harness, Plain, PlainEnd, PlainRow, UsersTransaction, async_trait,
};
use taskstore_core::{
    Backend, Completion, EnqueueMany, EnqueueOne, Error, Notice, Notices, SqlValue, TaskContext,
    TaskId, backend::Migrate,
};
#[cfg(debug_assertions)]
use taskstore_sqlite::Synchronous;
use taskstore_sqlite::{
    CompleteWithin as _, SqliteBackend, SqliteOptions, ToSql as _, Within as _,
};
use tempfile::TempDir;

/// The text to run instead of a file's, if any.
pub(crate) type Patch = fn(name: &str, text: &str) -> Option<String>;

/// A folder for each store, which goes with the harness.
#[derive(Default)]
pub(crate) struct Sqlite {
    folders: Mutex<HashMap<String, TempDir>>,
    patch: Option<Patch>,
}

impl Sqlite {
    /// Whose stores run other statements than those of the files.
    #[cfg(debug_assertions)]
    pub(crate) fn patched(patch: Patch) -> Self {
        Self { folders: Mutex::default(), patch: Some(patch) }
    }

    fn path(&self, store: &str) -> PathBuf {
        let mut folders = self.folders.lock().unwrap();
        let folder =
            folders.entry(store.to_owned()).or_insert_with(|| tempfile::tempdir().unwrap());
        folder.path().join("tasks.db")
    }

    async fn connect(&self, store: &str) -> SqliteBackend {
        let options = SqliteOptions::new(self.path(store));
        #[cfg(debug_assertions)]
        let options = match self.patch {
            // None of these mistakes is about the disk.
            Some(patch) => options.patch_sql(patch).synchronous(Synchronous::Normal),
            None => options,
        };
        SqliteBackend::open(options).await.unwrap()
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

    fn has_transactions(&self) -> bool {
        true
    }

    async fn begin(&self, store: &str) -> Box<dyn UsersTransaction> {
        let connection = rusqlite::Connection::open(self.path(store)).unwrap();
        connection.busy_timeout(Duration::from_secs(10)).unwrap();
        let begin = "CREATE TABLE IF NOT EXISTS theirs(number INTEGER); BEGIN IMMEDIATE;";
        connection.execute_batch(begin).unwrap();
        Box::new(Transaction(connection))
    }

    async fn written(&self, store: &str) -> Vec<i64> {
        let connection = rusqlite::Connection::open(self.path(store)).unwrap();
        let mut numbers = connection.prepare("SELECT number FROM theirs ORDER BY rowid").unwrap();
        numbers.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn can_damage(&self) -> bool {
        true
    }

    async fn damage(&self, store: &str, _backend: &Arc<dyn Backend>, damage: Damage) {
        let person = rusqlite::Connection::open(self.path(store)).unwrap();
        person.busy_timeout(Duration::from_secs(10)).unwrap();
        let task = "(SELECT seq FROM task_queue WHERE id=?1)";
        let delete = |table: &str, of: &str, key: Value| {
            person.execute(&format!("DELETE FROM {table} WHERE {of}"), [key]).unwrap()
        };
        let text = |id: String| Value::Text(id);
        let rows = match damage {
            Damage::Place(id) => ["task_ready", "task_later"]
                .map(|table| delete(table, &format!("task={task}"), text(id.to_string())))
                .into_iter()
                .sum(),
            Damage::Lease(id) => {
                let key = Value::Blob(id.ulid().to_bytes().to_vec());
                // The list may stay behind: nothing but its lease gives it a meaning.
                delete("task_lease", "lease=?1", key)
            }
            Damage::Record(id) => delete("task_queue", "id=?1", text(id.to_string())),
            Damage::Parameters(id) => {
                delete("task_payload", &format!("task={task}"), text(id.to_string()))
            }
            Damage::Definition(id) => delete("task_definition", "id=?1", text(id.to_string())),
        };
        assert_eq!(rows, 1, "{damage:?}");
    }
}

/// A connection with a transaction open. Not rusqlite's own type, which cannot be sent.
struct Transaction(rusqlite::Connection);

#[async_trait]
impl UsersTransaction for Transaction {
    async fn write(&mut self, number: i64) {
        self.0.execute("INSERT INTO theirs VALUES(?1)", [number]).unwrap();
    }

    async fn enqueue(&mut self, task: EnqueueOne) -> Result<Notice, Error> {
        task.within(&self.0)
    }

    async fn enqueue_many(&mut self, tasks: EnqueueMany) -> Result<Notices, Error> {
        tasks.within(&self.0)
    }

    async fn enqueue_by_sql(&mut self, task: EnqueueOne) -> Result<TaskId, Error> {
        let sql = task.to_sql().await?;
        let id = sql.id();
        let (text, values) = sql.into_parts();
        let values = values.into_iter().map(|value| match value {
            SqlValue::Null => Value::Null,
            SqlValue::Integer(number) => Value::Integer(number),
            SqlValue::Real(number) => Value::Real(number),
            SqlValue::Text(text) => Value::Text(text),
            SqlValue::Blob(bytes) => Value::Blob(bytes),
        });
        self.0.execute(&text, rusqlite::params_from_iter(values)).unwrap();
        Ok(id)
    }

    async fn complete(
        &mut self,
        ctx: &TaskContext,
        output: &serde_json::Value,
    ) -> Result<Completion, Error> {
        ctx.complete_within(&self.0, output)
    }

    async fn commit(self: Box<Self>) {
        self.0.execute_batch("COMMIT").unwrap();
    }

    async fn roll_back(self: Box<Self>) {
        self.0.execute_batch("ROLLBACK").unwrap();
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
