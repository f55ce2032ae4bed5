//! How connections are opened, for each of their jobs, and lent for one call each.

use std::{
    fmt::{self, Write as _},
    future::Future,
    sync::Arc,
    time::Duration,
};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use taskstore_core::{Error, Result};
use tokio_postgres::config::TargetSessionAttrs;

use crate::{
    error::{from_pool, is_rolled_back, spoils_the_connection},
    openings::Openings,
    options::PostgresOptions,
    session::Session,
    sql::Texts,
};

/// How often a transaction is tried that the server undoes for another's sake.
const TRIES_MAX: u32 = 8;

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Job {
    /// Runners and whoever enqueues or controls: few statements, many times.
    Work,
    /// People: any question.
    Look,
    /// Beats.
    Beat,
    /// Notices to other processes, of which none need survive a crash.
    Tell,
    /// Notices from other processes.
    Hear,
    /// Migrations: patient.
    Migrate,
}

impl Job {
    /// How long a call may take. The server gives up before its client does, so that the client
    /// knows what became of it; all of it well before a lease of the default length is over.
    const fn deadline(self) -> Duration {
        match self {
            Self::Work => Duration::from_secs(10),
            Self::Look => Duration::from_secs(35),
            Self::Beat => Duration::from_secs(3),
            Self::Tell | Self::Hear => Duration::from_secs(10),
            Self::Migrate => Duration::from_secs(600),
        }
    }

    /// What the server is told when the connection begins, or behind a pooler each transaction. It goes
    /// before what an administrator has set for the role or the database.
    ///
    /// A generic plan that was made while a table was empty is kept while it fills, so worker
    /// sessions are kept from every plan that is right for small tables only; a sort of a whole
    /// queue, or locks in the order of a hash, would be worse than slow.
    pub(crate) const fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Work => &[
                ("jit", "off"),
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_seqscan", "off"),
                ("enable_bitmapscan", "off"),
                ("enable_sort", "off"),
                ("enable_hashjoin", "off"),
                ("enable_mergejoin", "off"),
                ("enable_material", "off"),
                ("lock_timeout", "4000"),
                ("statement_timeout", "8000"),
                ("idle_in_transaction_session_timeout", "20000"),
            ],
            Self::Look => &[
                ("jit", "off"),
                ("plan_cache_mode", "force_custom_plan"),
                ("lock_timeout", "4000"),
                ("statement_timeout", "30000"),
                ("idle_in_transaction_session_timeout", "60000"),
            ],
            Self::Beat => &[
                ("jit", "off"),
                ("plan_cache_mode", "force_generic_plan"),
                ("enable_seqscan", "off"),
                ("enable_bitmapscan", "off"),
                ("synchronous_commit", "off"),
                ("lock_timeout", "500"),
                ("statement_timeout", "2000"),
                ("idle_in_transaction_session_timeout", "4000"),
            ],
            Self::Tell => &[
                ("synchronous_commit", "off"),
                ("lock_timeout", "4000"),
                ("statement_timeout", "4000"),
            ],
            Self::Hear => &[("statement_timeout", "4000")],
            Self::Migrate => &[
                ("jit", "off"),
                ("lock_timeout", "60000"),
                ("statement_timeout", "0"),
                ("idle_in_transaction_session_timeout", "0"),
            ],
        }
    }

    /// Whether nothing that it runs may write.
    pub(crate) const fn only_reads(self) -> bool {
        matches!(self, Self::Look)
    }
}

/// Connections for one job, made when they are needed.
pub(crate) struct Connections {
    pool: Pool,
    texts: Arc<Texts>,
    openings: Arc<Openings>,
    deadline: Duration,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("pool", &self.pool.status()).finish_non_exhaustive()
    }
}

impl Connections {
    /// At most so many.
    pub(crate) fn new(
        options: &PostgresOptions,
        job: Job,
        at_most: u32,
        texts: Arc<Texts>,
    ) -> Result<Self> {
        let config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let connector = options.tls.connector()?;
        let manager = Manager::from_config(server_for(options, job), connector, config);
        let pool = Pool::builder(manager)
            .max_size(at_most.max(1) as usize)
            .wait_timeout(Some(options.connect_timeout.max(job.deadline() / 2)))
            .create_timeout(Some(options.connect_timeout))
            .recycle_timeout(Some(options.connect_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(Error::backend)?;
        let openings = Arc::new(Openings::new(options, job));
        Ok(Self { pool, texts, openings, deadline: job.deadline() })
    }

    /// Opens a connection, to see whether one can be.
    pub(crate) async fn try_out(&self) -> Result<()> {
        self.pool.get().await.map(drop).map_err(from_pool)
    }

    /// Runs `work` on a connection, and once more from the beginning when the server has undone its
    /// transaction for another's sake.
    pub(crate) async fn run<R, F>(
        &self,
        call: &'static str,
        work: impl Fn(Arc<Session>) -> F,
    ) -> Result<R>
    where
        F: Future<Output = Result<R>>,
    {
        let mut tries = 1;
        loop {
            let done = self.once(call, &work).await;
            match &done {
                Err(error) if is_rolled_back(error) && tries < TRIES_MAX => {
                    tracing::debug!(%error, call, tries, "once more");
                    tries += 1;
                }
                _ => return done,
            }
        }
    }

    async fn once<R, F>(&self, call: &'static str, work: impl Fn(Arc<Session>) -> F) -> Result<R>
    where
        F: Future<Output = Result<R>>,
    {
        let object = self.pool.get().await.map_err(from_pool)?;
        let session = Arc::new(Session::new(object, self.texts.clone(), self.openings.clone()));
        let lent = session.clone();
        let done = tokio::time::timeout(self.deadline, async {
            let done = work(lent).await;
            if !done.as_ref().is_err_and(spoils_the_connection) {
                session.settle().await;
            }
            done
        });
        done.await.map_err(|_| Error::timed_out(call, self.deadline))?
    }
}

/// How the server is reached for this job.
pub(crate) fn server_for(options: &PostgresOptions, job: Job) -> tokio_postgres::Config {
    let speaks = matches!(job, Job::Tell | Job::Hear);
    let direct = options.listen_at.as_ref().filter(|_| speaks);
    let mut server = direct.unwrap_or(&options.server).clone();
    let hosts = u32::try_from(server.get_hosts().len()).unwrap_or(u32::MAX).max(1);
    if options.primary {
        server.target_session_attrs(TargetSessionAttrs::ReadWrite);
    }
    // A pooler refuses them, or takes them for whoever has the connection next.
    if direct.is_some() || !options.pooled {
        server.options(settings_at_start(options, job));
    }
    server
        .ssl_mode(options.tls.mode())
        .application_name(&options.application_name)
        // For each host; the others need their share.
        .connect_timeout(options.connect_timeout / hosts)
        .tcp_user_timeout(job.deadline())
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(30));
    server
}

fn settings_at_start(options: &PostgresOptions, job: Job) -> String {
    let mut settings = String::new();
    let mut set = |name: &str, value: &str| {
        let _ = write!(settings, "-c {name}={} ", value.replace(' ', "\\ "));
    };
    job.settings().iter().for_each(|(name, value)| set(name, value));
    // Every guard is written for READ COMMITTED, whatever a role has as its default.
    set("default_transaction_isolation", "read committed");
    // Whether a host is the primary is told by what it says of itself.
    let read_only = job.only_reads() && !options.primary;
    set("default_transaction_read_only", if read_only { "on" } else { "off" });
    if let Some(schema) = &options.schema {
        set("search_path", schema);
    }
    settings
}
