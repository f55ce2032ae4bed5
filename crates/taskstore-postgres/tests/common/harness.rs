//! How the suite opens stores in schemas of their own, writes plain SQL into them, and damages them.

#![allow(dead_code, reason = "each test program uses some of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "transaction.rs"]
mod transaction;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use taskstore_conformance::{
    Damage, Harness, Plain, PlainEnd, PlainRow, UsersTransaction, async_trait,
};
use taskstore_core::{Backend, backend::Migrate};
use taskstore_postgres::{PostgresBackend, PostgresOptions};
use tokio_postgres::{NoTls, SimpleQueryMessage};

/// Says which server there is, as a URL with a user who may make schemas.
pub(crate) const SERVER: &str = "TASKSTORE_TEST_POSTGRES_URL";
/// Says where the server itself is, if stores go through a pooler.
const DIRECT: &str = "TASKSTORE_TEST_POSTGRES_DIRECT_URL";

/// The text to run instead of a file's, if any.
pub(crate) type Patch = fn(name: &str, text: &str) -> Option<String>;

/// A schema for each store, which goes with the harness.
pub(crate) struct Postgres {
    /// Where stores go.
    url: String,
    /// Where persons go.
    direct: String,
    schemas: Mutex<Vec<String>>,
    patch: Option<Patch>,
    /// Whether the next transaction is begun by hand.
    by_hand: AtomicBool,
}

impl Postgres {
    /// On the server of the environment; `None`: there is none.
    pub(crate) fn from_env() -> Option<Self> {
        let url = std::env::var(SERVER).ok().filter(|url| !url.is_empty())?;
        let direct = std::env::var(DIRECT).unwrap_or_else(|_| url.clone());
        Some(Self::at(url, direct))
    }

    /// Stores go one way and persons another.
    pub(crate) fn at(url: String, direct: String) -> Self {
        Self {
            url,
            direct,
            schemas: Mutex::default(),
            patch: None,
            by_hand: AtomicBool::new(false),
        }
    }

    /// Whose stores run other statements than those of the files.
    pub(crate) fn patched(mut self, patch: Patch) -> Self {
        self.patch = Some(patch);
        self
    }

    /// How a store of this name is opened, once its schema is there.
    pub(crate) fn options(&self, store: &str) -> PostgresOptions {
        self.options_of(&self.url, store)
    }

    /// The same, reached in another way.
    pub(crate) fn options_of(&self, url: &str, store: &str) -> PostgresOptions {
        let options = PostgresOptions::from_url(url).unwrap().schema(&schema(store)).unwrap();
        #[cfg(debug_assertions)]
        let options = match self.patch {
            Some(patch) => options.patch_sql(patch),
            None => options,
        };
        options
    }

    /// Makes the schema of a store.
    pub(crate) async fn make_schema(&self, store: &str) {
        let schema = schema(store);
        self.schemas.lock().unwrap().push(schema.clone());
        run(&self.direct, &format!("CREATE SCHEMA {schema}")).await.unwrap();
    }

    /// A connection of a program's own, which does not look at the store's schema.
    pub(crate) async fn connect(&self) -> tokio_postgres::Client {
        let (client, connection) = tokio_postgres::connect(&self.direct, NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// Runs statements in the schema of a store, as a person would; answers the values of the last.
    pub(crate) async fn sql(&self, store: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
        run(&self.direct, &format!("SET search_path={};{sql}", schema(store))).await
    }
}

/// Two test programs may use the same names at the same time.
pub(crate) fn schema(store: &str) -> String {
    format!("t{}_{store}", std::process::id())
}

async fn run(url: &str, sql: &str) -> Result<Vec<Vec<String>>, String> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    let connection = tokio::spawn(connection);
    let answer = client.simple_query(sql).await;
    drop(client);
    let _ = connection.await;
    let said = |error: tokio_postgres::Error| {
        error.as_db_error().map_or(error.to_string(), |said| said.message().to_owned())
    };
    let mut rows = Vec::new();
    for message in answer.map_err(said)? {
        match message {
            SimpleQueryMessage::Row(row) => rows.push(
                (0..row.len()).map(|column| row.get(column).unwrap_or("").to_owned()).collect(),
            ),
            SimpleQueryMessage::CommandComplete(count) => rows.push(vec![count.to_string()]),
            _ => {}
        }
    }
    Ok(rows)
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let (url, schemas) =
            (self.direct.clone(), std::mem::take(&mut *self.schemas.lock().unwrap()));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                for schema in schemas {
                    run(&url, &format!("DROP SCHEMA IF EXISTS {schema} CASCADE")).await.unwrap();
                }
            });
        });
        thread.join().unwrap();
    }
}

#[async_trait]
impl Harness for Postgres {
    async fn open(&self, store: &str) -> Arc<dyn Backend> {
        self.make_schema(store).await;
        let backend = PostgresBackend::open(self.options(store)).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        self.sql(store, "CREATE TABLE theirs(n serial,number bigint)").await.unwrap();
        Arc::new(backend)
    }

    async fn reopen(&self, store: &str) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(PostgresBackend::open(self.options(store)).await.unwrap()))
    }

    async fn enqueue_plain(
        &self,
        store: &str,
        rows: &[PlainRow],
        end: PlainEnd,
    ) -> Result<(), String> {
        let mut sql = "BEGIN;".to_owned();
        for row in rows {
            let names: Vec<_> = row.iter().map(|(name, _)| *name).collect();
            let values: Vec<_> = row.iter().map(|(_, value)| literal(value)).collect();
            sql += &format!(
                "INSERT INTO task_enqueue({}) VALUES({});",
                names.join(","),
                values.join(",")
            );
        }
        sql += match end {
            PlainEnd::Commit => "COMMIT",
            PlainEnd::Rollback => "ROLLBACK",
        };
        self.sql(store, &sql).await.map(drop)
    }

    fn has_transactions(&self) -> bool {
        true
    }

    async fn begin(&self, store: &str) -> Box<dyn UsersTransaction> {
        let table = format!("{}.theirs", schema(store));
        let by_hand = self.by_hand.fetch_xor(true, Ordering::Relaxed);
        Box::new(transaction::Open::begin(self.connect().await, table, by_hand).await)
    }

    async fn written(&self, store: &str) -> Vec<i64> {
        let sql = "SELECT number FROM theirs ORDER BY n";
        let rows = self.sql(store, sql).await.unwrap();
        // Around them is what is said of the statements.
        let numbers = rows.iter().skip(1).take(rows.len() - 2);
        numbers.map(|row| row.first().unwrap().parse().unwrap()).collect()
    }

    /// A store is a schema to make, which takes a busy server its time, and one case makes many.
    fn deadline(&self) -> Duration {
        Duration::from_secs(300)
    }

    fn can_damage(&self) -> bool {
        true
    }

    async fn damage(&self, store: &str, _backend: &Arc<dyn Backend>, damage: Damage) {
        let id = |ulid: ulid::Ulid| format!("'{}'::uuid", hex(ulid));
        let seq = |ulid| format!("(SELECT seq FROM task_queue WHERE id={})", id(ulid));
        let deletes = match damage {
            Damage::Place(task) => ["task_ready", "task_later"]
                .map(|table| format!("DELETE FROM {table} WHERE task={}", seq(task.ulid())))
                .to_vec(),
            // The list may stay behind: nothing but its lease gives it a meaning.
            Damage::Lease(lease) => {
                vec![format!("DELETE FROM task_lease WHERE lease={}", id(lease.ulid()))]
            }
            Damage::Record(task) => {
                vec![format!("DELETE FROM task_queue WHERE id={}", id(task.ulid()))]
            }
            Damage::Parameters(task) => {
                vec![format!("DELETE FROM task_payload WHERE task={}", seq(task.ulid()))]
            }
            Damage::Definition(definition) => {
                vec![format!("DELETE FROM task_definition WHERE id={}", id(definition.ulid()))]
            }
        };
        let mut rows = 0;
        for delete in deletes {
            let said = self.sql(store, &delete).await.unwrap();
            rows += said.last().unwrap().first().unwrap().parse::<u64>().unwrap();
        }
        assert_eq!(rows, 1, "{damage:?}");
    }
}

fn hex(ulid: ulid::Ulid) -> String {
    ulid.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn literal(value: &Plain) -> String {
    match value {
        Plain::Null => "NULL".to_owned(),
        Plain::Integer(number) => number.to_string(),
        Plain::Real(number) => format!("{number:?}"),
        Plain::Text(text) => format!("'{}'", text.replace('\'', "''")),
    }
}
