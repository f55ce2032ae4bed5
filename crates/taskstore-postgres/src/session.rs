//! One call on one connection: its statements, and the transaction they make.
//!
//! Statements that do not need each other's answers are sent together and answered together
//! ([`Session::together`]), so that a transaction of several costs one round trip.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use deadpool_postgres::Object;
use futures_util::future::join_all;
use taskstore_core::{Error, Result};
use tokio_postgres::{
    Row, Statement,
    types::{ToSql, Type},
};

use crate::{
    error::Mapped,
    sql::{Sql, Texts},
};

pub(crate) const BEGIN_WALKS: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
    SET LOCAL enable_seqscan=off; SET LOCAL enable_bitmapscan=off; SET LOCAL enable_sort=off; \
    SET LOCAL enable_hashjoin=off; SET LOCAL enable_mergejoin=off; \
    SET LOCAL max_parallel_workers_per_gather=0";

/// A bound value.
pub(crate) type Param<'a> = &'a (dyn ToSql + Sync);

/// A statement and its values.
pub(crate) type Step<'a> = (Sql, &'a [Param<'a>]);

/// A connection that was lent for one call. If the call does not come to its end, nobody knows what
/// the connection is in the middle of: it is closed, and not used again.
pub(crate) struct Session {
    /// There until it is dropped.
    object: Option<Object>,
    texts: Arc<Texts>,
    in_transaction: AtomicBool,
    settled: AtomicBool,
}

impl Session {
    pub(crate) fn new(object: Object, texts: Arc<Texts>) -> Self {
        Self {
            object: Some(object),
            texts,
            in_transaction: AtomicBool::new(false),
            settled: AtomicBool::new(false),
        }
    }

    /// The texts that it runs.
    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// Runs a statement for all its rows.
    pub(crate) async fn rows(&self, sql: Sql, params: &[Param<'_>]) -> Result<Vec<Row>> {
        self.rows_of(self.texts.get(sql), params).await
    }

    /// Runs any text for all its rows. It is prepared once for each connection.
    pub(crate) async fn rows_of(&self, text: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        let statement = self.object()?.prepare_cached(text).await.mapped()?;
        self.object()?.query(&statement, params).await.mapped()
    }

    /// Runs a statement for its first row, if there is one.
    pub(crate) async fn first(&self, sql: Sql, params: &[Param<'_>]) -> Result<Option<Row>> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// Runs a statement that changes rows; answers how many.
    pub(crate) async fn execute(&self, sql: Sql, params: &[Param<'_>]) -> Result<u64> {
        let statement = self.object()?.prepare_cached(self.texts.get(sql)).await.mapped()?;
        self.object()?.execute(&statement, params).await.mapped()
    }

    /// Runs statements without values, such as a migration.
    pub(crate) async fn batch(&self, text: &str) -> Result<()> {
        self.object()?.batch_execute(text).await.mapped()
    }

    /// These statements in this order in one round trip, perhaps with the beginning or the end of a
    /// transaction around them. After an error nothing that follows it is done, and its transaction
    /// is not committed.
    pub(crate) async fn together(
        &self,
        begin: bool,
        steps: &[Step<'_>],
        commit: bool,
    ) -> Result<Vec<Vec<Row>>> {
        let mut statements = Vec::with_capacity(steps.len());
        for (sql, params) in steps {
            // Before anything is sent, for it may need an answer.
            let statement = self.object()?.prepare_cached(self.texts.get(*sql)).await.mapped()?;
            statements.push((statement, *params));
        }
        self.send(begin, &statements, commit).await
    }

    async fn send(
        &self,
        begin: bool,
        statements: &[(Statement, &[Param<'_>])],
        commit: bool,
    ) -> Result<Vec<Vec<Row>>> {
        let client = self.object()?;
        if begin {
            self.in_transaction.store(true, Ordering::Relaxed);
        }
        let word = async |text: Option<&str>| match text {
            Some(text) => client.batch_execute(text).await,
            None => Ok(()),
        };
        // So few that each is polled, and so sent, in this order.
        let middle = join_all(statements.iter().map(|(sql, params)| client.query(sql, params)));
        let (began, answers, ended) = futures_util::join!(
            word(begin.then_some("BEGIN")),
            middle,
            word(commit.then_some("COMMIT"))
        );
        began.mapped()?;
        let answers = answers.into_iter().collect::<std::result::Result<Vec<_>, _>>();
        if commit && ended.is_ok() {
            // After an error, too: the server then rolls back.
            self.in_transaction.store(false, Ordering::Relaxed);
        }
        let answers = answers.mapped()?;
        ended.mapped()?;
        Ok(answers)
    }

    /// Begins to read at one moment: what follows sees what is committed now, and nothing later.
    pub(crate) async fn snapshot(&self) -> Result<()> {
        self.in_transaction.store(true, Ordering::Relaxed);
        self.batch("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await
    }

    /// The same for a list or a count, which then walks down keys whatever the statistics say: they
    /// may be as old as the last time that somebody counted an empty table. What must be sorted still
    /// is.
    pub(crate) async fn snapshot_of_walks(&self) -> Result<()> {
        self.in_transaction.store(true, Ordering::Relaxed);
        self.batch(BEGIN_WALKS).await
    }

    /// Runs a text that was composed, in one round trip. It is planned for its values and not kept.
    pub(crate) async fn composed(
        &self,
        text: &str,
        params: &[(Param<'_>, Type)],
    ) -> Result<Vec<Row>> {
        self.object()?.query_typed(text, params).await.mapped()
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<()> {
        self.in_transaction.store(true, Ordering::Relaxed);
        self.batch("BEGIN").await
    }

    /// Ends the transaction.
    pub(crate) async fn commit(&self) -> Result<()> {
        self.batch("COMMIT").await?;
        self.in_transaction.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// The call has come to its end: the connection can be used again, once what it left open is
    /// undone.
    pub(crate) async fn settle(&self) {
        if self.in_transaction.load(Ordering::Relaxed) && self.batch("ROLLBACK").await.is_err() {
            return;
        }
        self.in_transaction.store(false, Ordering::Relaxed);
        self.settled.store(true, Ordering::Relaxed);
    }

    fn object(&self) -> Result<&Object> {
        self.object.as_ref().ok_or_else(|| Error::unavailable("the connection is gone"))
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let settled = *self.settled.get_mut();
        if let Some(object) = self.object.take()
            && !settled
        {
            drop(Object::take(object));
        }
    }
}
