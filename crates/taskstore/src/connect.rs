//! Opening a store by the URL of a database.
//!
//! The only place that knows which backends there are. URLs may hold passwords, so neither errors
//! nor `Debug` show what could be one.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
};

use taskstore_core::{
    Error, MemoryBackend, Middleware, Next, QueueName, Result, Retention, RunError, Store,
    StoreBuilder, TaskContext, TaskId, TaskOutput, TaskResult, limits,
};

/// What a URL may look like, for errors.
const KNOWN: &str =
    "sqlite://tasks.db, postgres://user@host/database, mysql://user@host/database and memory:";

/// Opens the store that a URL names, when the builder is awaited.
///
/// | URL | store |
/// |---|---|
/// | `sqlite://tasks.db`, `sqlite:///var/lib/tasks.db` | a file, relative or absolute; made if it is not there. Feature `sqlite` |
/// | `postgres://user:password@host:5432/database` | a PostgreSQL server, 13 or younger; `postgresql://` too. Feature `postgres` |
/// | `mysql://user:password@host/database`, `mariadb://..` | a database of MySQL 8.0 or MariaDB 10.6, or newer; port 3306 unless it says `host:port`. Feature `mysql` |
/// | `memory:` | this process's memory: for tests. Each call opens an empty one |
///
/// A `sqlite://` URL may say more after a `?`, as in `sqlite://tasks.db?synchronous=normal&readers=8`:
///
/// | parameter | values, the default first |
/// |---|---|
/// | `synchronous` | `full`: what is committed outlives a loss of power; `normal`: faster, and it outlives a crash of the process only |
/// | `readers` | `4`: how many connections read at the same time, 1 to 64 |
/// | `prefix` | none: what goes before the name of every table, such as `app_` |
/// | `wakeup` | `auto`; `poll`, where inotify hears nothing; `off`: idle runners only poll for the work of other processes |
///
/// A `postgres://` URL, as in `postgres://app@localhost/app?pool=16&schema=jobs`:
///
/// | parameter | values, the default first |
/// |---|---|
/// | `pool` | `8`: how many connections work for runners at the same time, 1 to 1,000; a few more are made for whoever looks, for notices, and for heartbeats |
/// | `schema` | that of the user's `search_path`: the schema of the tables, which must be there |
/// | `prefix` | none: what goes before the name of every table, such as `app_` |
/// | `application_name` | `taskstore`: what the server shows in `pg_stat_activity` |
/// | `connect_timeout` | `5`: seconds to wait for a connection |
/// | `host` | the folder of a unix socket, as in `postgres:///app?host=/run/postgresql` |
/// | `pooler` | `none`; `transaction`: a pooler such as PgBouncer lends a connection for each transaction |
/// | `listen` | `on`: work that other processes enqueue is heard of at once; `off`: idle runners only poll for it; behind a pooler, `postgres://app@db/app`: the server itself, where it is heard |
/// | `target_session_attrs` | `any`, but `read-write` for several hosts, as in `postgres://app@db1,db2/app`: the first that takes writes |
/// | `sslmode` | `prefer` with the feature `tls`, without it `disable`: also `require`, `verify-ca` and `verify-full`, as every client of PostgreSQL has them |
/// | `sslrootcert` | the system's authorities: a file of others |
///
/// A `mysql://` URL may have these; user, password and the rest are percent-encoded, as in `p%40ss`:
///
/// | parameter | values, the default first |
/// |---|---|
/// | `prefix` | none: what goes before the name of every table, such as `app_` |
/// | `pool` | `8`: how many connections work at the same time, 1 to 256; each runner has one more for its heartbeats |
/// | `connect_timeout` | `5`: how many seconds a new connection may take |
/// | `ssl-mode` | `preferred` with the feature `tls`, without it `disabled`: also `required` and `verify_identity`, as every client of MySQL has them; `verify_ca` is refused |
/// | `ssl-ca` | the system's authorities: a file of others, which are then believed alone: `verify_identity` unless `ssl-mode` says otherwise |
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> taskstore::Result<()> {
/// let store = taskstore::connect("memory:").auto_migrate(true).max_concurrency(4).await?;
/// # Ok(())
/// # }
/// ```
///
/// The tables are not looked at, unless [`auto_migrate`](Connect::auto_migrate) brings them up to
/// date; [`Store::migrate`] does so later.
///
/// See [`Connect`] for the settings and the errors.
pub fn connect(url: impl Into<String>) -> Connect {
    Connect {
        url: url.into(),
        prefix: None,
        auto_migrate: false,
        max_concurrency: None,
        retention: None,
        further: Vec::new(),
    }
}

/// What a closure around a run returns.
type Run<'a> = Pin<Box<dyn Future<Output = TaskResult<TaskOutput>> + Send + 'a>>;

type Setting = Box<dyn FnOnce(StoreBuilder) -> StoreBuilder + Send + Sync>;

/// How a store is opened; made by [`connect`]. Awaiting it gives the [`Store`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> taskstore::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let url = format!("sqlite://{}", folder.path().join("tasks.db").display());
/// # let url = if cfg!(feature = "sqlite") { url } else { "memory:".into() };
/// let store = taskstore::connect(url)
///     .prefix("app_")
///     .auto_migrate(true)
///     .on_error(|queue, task, error| eprintln!("{queue}: {task:?}: {error}"))
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Invalid`](Error::Invalid) that names `url`: its scheme is not known, or its feature is off, or
/// its backend cannot read the rest; or that names another setting that cannot be. Then nothing was
/// opened or made.
/// [`Unavailable`](Error::Unavailable) or [`Backend`](Error::Backend): the database could not be
/// opened. With [`auto_migrate`](Self::auto_migrate) also whatever [`Store::migrate`] says.
///
/// No error shows a password that the URL holds.
#[must_use = "a store is not opened until its builder is awaited"]
pub struct Connect {
    url: String,
    prefix: Option<String>,
    auto_migrate: bool,
    max_concurrency: Option<usize>,
    retention: Option<Retention>,
    /// What needs no check before the database is opened, in the order named.
    further: Vec<Setting>,
}

impl Connect {
    /// What goes before the name of every table, so that several stores share a database:
    /// lower-case letters, digits and `_`, a letter first, at most 20. None by default. Counts more
    /// than a `prefix` in the URL. A store in memory has no tables, and shares nothing.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Whether the store brings its tables up to date when it is opened; by default it does not.
    pub fn auto_migrate(mut self, yes: bool) -> Self {
        self.auto_migrate = yes;
        self
    }

    /// How many tasks a runner runs at the same time unless the runner itself says otherwise: 1 to
    /// 10,000, by default 10.
    pub fn max_concurrency(mut self, tasks: usize) -> Self {
        self.max_concurrency = Some(tasks);
        self
    }

    /// How long tasks are kept after their end; by default for ever. Runners purge what is over. See
    /// [`Retention`].
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> taskstore::Result<()> {
    /// use std::time::Duration;
    /// use taskstore::Retention;
    ///
    /// const DAY: Duration = Duration::from_secs(24 * 60 * 60);
    /// let store = taskstore::connect("memory:")
    ///     .retention(Retention::keep_forever().success(7 * DAY).soft_deleted(DAY))
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = Some(retention);
        self
    }

    /// Calls this for everything that goes wrong while tasks run: each failure of a handler, panic,
    /// time-out, lost lease and error of the database. By default they are logged with `tracing`.
    pub fn on_error(
        mut self,
        handler: impl Fn(&QueueName, Option<TaskId>, &RunError) + Send + Sync + 'static,
    ) -> Self {
        self.further.push(Box::new(|builder| builder.on_error(handler)));
        self
    }

    /// Puts this around every run of a handler, within whatever was added before it: to measure, to
    /// report errors, to hold back. See [`Middleware`].
    ///
    /// ```
    /// use std::time::Instant;
    ///
    /// use taskstore::{Middleware, Next, TaskContext, TaskOutput, TaskResult};
    ///
    /// struct Timing;
    ///
    /// impl Middleware for Timing {
    ///     async fn run(&self, ctx: &TaskContext, next: Next<'_>) -> TaskResult<TaskOutput> {
    ///         let began = Instant::now();
    ///         let result = next.run().await;
    ///         println!("{} {} took {:?}", ctx.alias(), ctx.id(), began.elapsed());
    ///         result
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> taskstore::Result<()> {
    /// let store = taskstore::connect("memory:").middleware(Timing).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn middleware(mut self, middleware: impl Middleware) -> Self {
        self.further.push(Box::new(|builder| builder.middleware(middleware)));
        self
    }

    /// Like [`middleware`](Self::middleware), with a closure:
    /// `|ctx, next| Box::pin(async move { next.run().await })`.
    pub fn middleware_fn<F>(mut self, run: F) -> Self
    where
        F: for<'a> Fn(&'a TaskContext, Next<'a>) -> Run<'a> + Send + Sync + 'static,
    {
        self.further.push(Box::new(|builder| builder.middleware_fn(run)));
        self
    }

    async fn open(self) -> Result<Store> {
        if let Some(tasks) = self.max_concurrency {
            limits::check_concurrency("max_concurrency", tasks)?;
        }
        if let Some(retention) = &self.retention {
            retention.check()?;
        }
        match self.scheme() {
            Some("memory") => self.open_memory().await,
            Some("sqlite") => self.open_sqlite().await,
            Some("postgres" | "postgresql") => self.open_postgres().await,
            Some("mysql" | "mariadb") => self.open_mysql().await,
            // Before anything but `://` may stand a user's name or worse.
            Some(scheme) if self.url[scheme.len()..].starts_with("://") => Err(invalid(format!(
                "{scheme:?} is no scheme that is known; URLs look like {KNOWN}"
            ))),
            _ => Err(invalid(format!("it has no scheme; URLs look like {KNOWN}"))),
        }
    }

    async fn open_memory(self) -> Result<Store> {
        if !matches!(&*self.url, "memory:" | "memory://") {
            return Err(invalid("nothing may come after memory:"));
        }
        self.settings(Store::builder(MemoryBackend::new())).await
    }

    #[cfg(feature = "sqlite")]
    async fn open_sqlite(self) -> Result<Store> {
        let mut options = taskstore_sqlite::SqliteOptions::from_url(&self.url)?;
        if let Some(prefix) = &self.prefix {
            options = options.prefix(prefix)?;
        }
        let backend = taskstore_sqlite::SqliteBackend::open(options).await?;
        self.settings(Store::builder(backend)).await
    }

    #[cfg(not(feature = "sqlite"))]
    async fn open_sqlite(self) -> Result<Store> {
        Err(feature_is_off("sqlite"))
    }

    #[cfg(feature = "mysql")]
    async fn open_mysql(self) -> Result<Store> {
        let mut options = taskstore_mysql::MysqlOptions::from_url(&self.url)?;
        if let Some(prefix) = &self.prefix {
            options = options.prefix(prefix)?;
        }
        let backend = taskstore_mysql::MysqlBackend::open(options).await?;
        self.settings(Store::builder(backend)).await
    }

    #[cfg(not(feature = "mysql"))]
    async fn open_mysql(self) -> Result<Store> {
        Err(feature_is_off("mysql"))
    }

    #[cfg(feature = "postgres")]
    async fn open_postgres(self) -> Result<Store> {
        let mut options = taskstore_postgres::PostgresOptions::from_url(&self.url)?;
        if let Some(prefix) = &self.prefix {
            options = options.prefix(prefix)?;
        }
        let backend = taskstore_postgres::PostgresBackend::open(options).await?;
        self.settings(Store::builder(backend)).await
    }

    #[cfg(not(feature = "postgres"))]
    async fn open_postgres(self) -> Result<Store> {
        Err(feature_is_off("postgres"))
    }

    fn settings(self, mut builder: StoreBuilder) -> StoreBuilder {
        if let Some(tasks) = self.max_concurrency {
            builder = builder.max_concurrency(tasks);
        }
        if let Some(retention) = self.retention {
            builder = builder.retention(retention);
        }
        builder = self.further.into_iter().fold(builder, |builder, setting| setting(builder));
        builder.auto_migrate(self.auto_migrate)
    }

    fn scheme(&self) -> Option<&str> {
        self.url.split_once(':').map(|(scheme, _)| scheme)
    }
}

impl IntoFuture for Connect {
    type Output = Result<Store>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<Store>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.open())
    }
}

impl fmt::Debug for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connect")
            .field("prefix", &self.prefix)
            .field("auto_migrate", &self.auto_migrate)
            .field("max_concurrency", &self.max_concurrency)
            .field("retention", &self.retention)
            .finish_non_exhaustive()
    }
}

fn invalid(reason: impl Into<String>) -> Error {
    Error::invalid("url", reason)
}

#[cfg(not(all(feature = "sqlite", feature = "postgres", feature = "mysql")))]
fn feature_is_off(feature: &str) -> Error {
    invalid(format!(
        "{feature}:// needs the cargo feature `{feature}`: cargo add taskstore --features {feature}"
    ))
}
