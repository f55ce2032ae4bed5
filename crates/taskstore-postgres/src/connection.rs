//! How connections are opened, for each of their jobs, and lent for one call each.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use taskstore_core::{Error, Result};

use crate::{
    error::{from_pool, is_rolled_back, spoils_the_connection},
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

    /// What the server is told when the connection begins.
    ///
    /// A generic plan that was made while a table was empty is kept while it fills, so worker
    /// sessions are kept from every plan that is right for small tables only; a sort of a whole
    /// queue, or locks in the order of a hash, would be worse than slow.
    const fn settings(self) -> &'static str {
        match self {
            Self::Work => {
                "-c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off \
                 -c enable_bitmapscan=off -c enable_sort=off -c enable_hashjoin=off \
                 -c enable_mergejoin=off -c lock_timeout=4000 -c statement_timeout=8000 \
                 -c idle_in_transaction_session_timeout=20000"
            }
            Self::Look => {
                "-c jit=off -c plan_cache_mode=force_custom_plan \
                 -c default_transaction_read_only=on -c lock_timeout=4000 \
                 -c statement_timeout=30000 -c idle_in_transaction_session_timeout=60000"
            }
            Self::Beat => {
                "-c jit=off -c plan_cache_mode=force_generic_plan -c enable_seqscan=off \
                 -c enable_bitmapscan=off -c synchronous_commit=off -c lock_timeout=500 \
                 -c statement_timeout=2000"
            }
            Self::Tell => {
                "-c synchronous_commit=off -c lock_timeout=4000 -c statement_timeout=4000"
            }
            Self::Hear => "-c statement_timeout=4000",
            Self::Migrate => "-c jit=off -c lock_timeout=60000",
        }
    }
}

/// Connections for one job, made when they are needed.
pub(crate) struct Connections {
    pool: Pool,
    texts: Arc<Texts>,
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
        Ok(Self { pool, texts, deadline: job.deadline() })
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
        let session = Arc::new(Session::new(object, self.texts.clone()));
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
    let mut server = options.server.clone();
    let mut settings = job.settings().to_owned();
    if let Some(schema) = &options.schema {
        settings.push_str(" -c search_path=");
        settings.push_str(schema);
    }
    server
        .options(&settings)
        .ssl_mode(options.tls.mode())
        .application_name(&options.application_name)
        .connect_timeout(options.connect_timeout)
        .tcp_user_timeout(job.deadline())
        .keepalives(true)
        .keepalives_idle(Duration::from_secs(30));
    server
}
