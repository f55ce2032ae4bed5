//! How the suite opens stores in databases of their own, writes plain SQL into them, and damages them.

#![allow(dead_code, reason = "each test program uses some of it")]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    sync::{Arc, Mutex},
    thread,
};

use mysql_async::{Conn, Opts, OptsBuilder, Params, Row, Value, prelude::Queryable};
use taskstore_conformance::{
    Damage, Harness, Plain, PlainEnd, PlainRow, UsersTransaction, async_trait,
};
use taskstore_core::{
    Backend, Completion, EnqueueMany, EnqueueOne, Error, Notice, Notices, SqlValue, TaskContext,
    TaskId, backend::Migrate,
};
use taskstore_mysql::{CompleteWithin as _, MysqlBackend, MysqlOptions, ToSql as _, Within as _};

/// Says which server there is, as a URL with a user who may make databases.
pub(crate) const SERVER: &str = "TASKSTORE_TEST_MYSQL_URL";

/// The text to run instead of a file's, if any.
pub(crate) type Patch = fn(name: &str, text: &str) -> Option<String>;

/// A database for each store, which goes with the harness.
pub(crate) struct Mysql {
    url: String,
    databases: Mutex<Vec<String>>,
    patch: Option<Patch>,
}

impl Mysql {
    /// On the server of the environment; `None`: there is none.
    pub(crate) fn from_env() -> Option<Self> {
        let url = std::env::var(SERVER).ok().filter(|url| !url.is_empty())?;
        Some(Self { url, databases: Mutex::default(), patch: None })
    }

    /// On the server that this URL names.
    pub(crate) fn at(url: &str) -> Self {
        Self { url: url.to_owned(), databases: Mutex::default(), patch: None }
    }

    /// Whose stores run other statements than those of the files.
    pub(crate) fn patched(mut self, patch: Patch) -> Self {
        self.patch = Some(patch);
        self
    }

    /// How a store of this name is opened, once its database is there.
    pub(crate) fn options(&self, store: &str) -> MysqlOptions {
        let server = server(&self.url);
        let options = MysqlOptions::new(server.ip_or_hostname(), database(store))
            .port(server.tcp_port())
            .user(server.user().unwrap_or("root"));
        let options = match server.pass() {
            Some(password) => options.password(password),
            None => options,
        };
        #[cfg(debug_assertions)]
        let options = match self.patch {
            Some(patch) => options.patch_sql(patch),
            None => options,
        };
        options
    }

    /// The port of the server, and the name of the database of a store.
    pub(crate) fn place(&self, store: &str) -> (u16, String) {
        (server(&self.url).tcp_port(), database(store))
    }

    /// Makes the database of a store.
    pub(crate) async fn make_database(&self, store: &str) {
        let name = database(store);
        self.databases.lock().unwrap().push(name.clone());
        let mut person = Conn::new(server(&self.url)).await.unwrap();
        person.query_drop(format!("DROP DATABASE IF EXISTS {name}")).await.unwrap();
        person.query_drop(format!("CREATE DATABASE {name}")).await.unwrap();
        person.disconnect().await.unwrap();
    }

    /// A connection that a person would have.
    pub(crate) async fn person(&self, store: &str) -> Conn {
        let options = OptsBuilder::from_opts(server(&self.url)).db_name(Some(database(store)));
        Conn::new(options).await.unwrap()
    }

    /// A store in a new database, with its tables.
    pub(crate) async fn new_store(&self, store: &str) -> MysqlBackend {
        self.make_database(store).await;
        let backend = MysqlBackend::open(self.options(store)).await.unwrap();
        backend.migrate(&Migrate::up()).await.unwrap();
        backend
    }

    /// Runs a statement as a person would; answers its rows.
    pub(crate) async fn sql(&self, store: &str, sql: &str) -> Vec<Row> {
        let mut person = self.person(store).await;
        let rows = person.query(sql).await.unwrap();
        person.disconnect().await.unwrap();
        rows
    }
}

fn server(url: &str) -> Opts {
    Opts::from_url(&url.replacen("mariadb://", "mysql://", 1)).unwrap()
}

/// The name of a store's database.
pub(crate) fn database_of(store: &str) -> String {
    database(store)
}

/// Two test programs may use the same names at the same time.
fn database(store: &str) -> String {
    format!("t{}_{store}", std::process::id())
}

impl Drop for Mysql {
    fn drop(&mut self) {
        let databases = std::mem::take(&mut *self.databases.lock().unwrap());
        let server = server(&self.url);
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                // A server of the test's own may have ended before.
                let Ok(mut person) = Conn::new(server).await else { return };
                for name in databases {
                    let drop = format!("DROP DATABASE IF EXISTS {name}");
                    let _ = person.query_drop(drop).await;
                }
                let _ = person.disconnect().await;
            });
        });
        thread.join().unwrap();
    }
}

#[async_trait]
impl Harness for Mysql {
    async fn open(&self, store: &str) -> Arc<dyn Backend> {
        Arc::new(self.new_store(store).await)
    }

    async fn reopen(&self, store: &str) -> Option<Arc<dyn Backend>> {
        Some(Arc::new(MysqlBackend::open(self.options(store)).await.unwrap()))
    }

    async fn enqueue_plain(
        &self,
        store: &str,
        rows: &[PlainRow],
        end: PlainEnd,
    ) -> Result<(), String> {
        let mut person = self.person(store).await;
        person.query_drop("BEGIN").await.unwrap();
        for row in rows {
            let names: Vec<_> = row.iter().map(|(name, _)| *name).collect();
            let marks = vec!["?"; names.len()].join(",");
            let sql = format!("INSERT INTO task_enqueue({}) VALUES({marks})", names.join(","));
            let values = row.iter().map(|(_, value)| sql_value(value)).collect();
            person
                .exec_drop(sql, Params::Positional(values))
                .await
                .map_err(|error| error.to_string())?;
        }
        person
            .query_drop(match end {
                PlainEnd::Commit => "COMMIT",
                PlainEnd::Rollback => "ROLLBACK",
            })
            .await
            .unwrap();
        person.disconnect().await.unwrap();
        Ok(())
    }

    /// A store is a database to make, which takes a busy server its time, and one case makes many.
    fn deadline(&self) -> std::time::Duration {
        std::time::Duration::from_secs(300)
    }

    fn has_transactions(&self) -> bool {
        true
    }

    /// At the isolation level that a connection has by default, and with a snapshot that is older than all
    /// that is done afterwards.
    async fn begin(&self, store: &str) -> Box<dyn UsersTransaction> {
        let mut person = self.person(store).await;
        let table = "CREATE TABLE IF NOT EXISTS theirs\
            (n BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,number BIGINT NOT NULL)";
        person.query_drop(table).await.unwrap();
        person.query_drop("START TRANSACTION WITH CONSISTENT SNAPSHOT").await.unwrap();
        Box::new(Transaction(person))
    }

    async fn written(&self, store: &str) -> Vec<i64> {
        let rows = self.sql(store, "SELECT number FROM theirs ORDER BY n").await;
        rows.into_iter().map(|row| row.get(0).unwrap()).collect()
    }

    fn can_damage(&self) -> bool {
        true
    }

    async fn damage(&self, store: &str, _backend: &Arc<dyn Backend>, damage: Damage) {
        let of_task = "task=(SELECT seq FROM task_queue WHERE id=?)";
        let (tables, of, key): (&[&str], _, Value) = match damage {
            Damage::Place(id) => (&["task_ready", "task_later"], of_task, id.to_string().into()),
            // The list may stay behind: nothing but its lease gives it a meaning.
            Damage::Lease(id) => (&["task_lease"], "lease=?", id.ulid().to_bytes().into()),
            Damage::Record(id) => (&["task_queue"], "id=?", id.to_string().into()),
            Damage::Parameters(id) => (&["task_payload"], of_task, id.to_string().into()),
            Damage::Definition(id) => (&["task_definition"], "id=?", id.to_string().into()),
        };
        let mut person = self.person(store).await;
        let mut rows = 0;
        for table in tables {
            let key = Params::Positional(vec![key.clone()]);
            person.exec_drop(format!("DELETE FROM {table} WHERE {of}"), key).await.unwrap();
            rows += person.affected_rows();
        }
        person.disconnect().await.unwrap();
        assert_eq!(rows, 1, "{damage:?}");
    }
}

/// A connection with a transaction open.
struct Transaction(Conn);

#[async_trait]
impl UsersTransaction for Transaction {
    async fn write(&mut self, number: i64) {
        self.0.exec_drop("INSERT INTO theirs(number) VALUES(?)", (number,)).await.unwrap();
    }

    async fn enqueue(&mut self, task: EnqueueOne) -> Result<Notice, Error> {
        task.within(&mut self.0).await
    }

    async fn enqueue_many(&mut self, tasks: EnqueueMany) -> Result<Notices, Error> {
        tasks.within(&mut self.0).await
    }

    async fn enqueue_by_sql(&mut self, task: EnqueueOne) -> Result<TaskId, Error> {
        let sql = task.to_sql().await?;
        let id = sql.id();
        let (text, values) = sql.into_parts();
        let values = values.into_iter().map(|value| match value {
            SqlValue::Null => Value::NULL,
            SqlValue::Integer(number) => Value::Int(number),
            SqlValue::Real(number) => Value::Double(number),
            SqlValue::Text(text) => text.into(),
            SqlValue::Blob(bytes) => bytes.into(),
        });
        self.0.exec_drop(text, Params::Positional(values.collect())).await.unwrap();
        Ok(id)
    }

    async fn complete(
        &mut self,
        ctx: &TaskContext,
        output: &serde_json::Value,
    ) -> Result<Completion, Error> {
        ctx.complete_within(&mut self.0, output).await
    }

    async fn commit(mut self: Box<Self>) {
        self.0.query_drop("COMMIT").await.unwrap();
        self.0.disconnect().await.unwrap();
    }

    async fn roll_back(mut self: Box<Self>) {
        self.0.query_drop("ROLLBACK").await.unwrap();
        self.0.disconnect().await.unwrap();
    }
}

fn sql_value(value: &Plain) -> Value {
    match value {
        Plain::Null => Value::NULL,
        Plain::Integer(number) => Value::Int(*number),
        Plain::Real(number) => Value::Double(*number),
        Plain::Text(text) => text.as_str().into(),
    }
}
