//! One call on one connection: its statements, and the transaction they make.
//!
//! Statements that do not need each other's answers are sent together and answered together
//! ([`Session::together`]), so that a transaction of several costs one round trip.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use deadpool_postgres::Object;
use futures_util::{TryStreamExt as _, future::join_all};
use taskstore_core::{Error, Result};
use tokio_postgres::{
    Row, Statement,
    types::{ToSql, Type},
};

use crate::{
    error::Mapped,
    openings::Openings,
    sql::{Sql, Texts},
};

/// A bound value.
pub(crate) type Param<'a> = &'a (dyn ToSql + Sync);

/// A statement and its values.
pub(crate) type Step<'a> = (Sql, &'a [Param<'a>]);

/// A statement that can be sent.
enum Ready<'a> {
    /// The connection knows it.
    Prepared(Statement),
    /// Its text and the types of its values go with it, and nothing stays behind: the next transaction may
    /// be lent another connection.
    Typed(&'a str, Arc<[Type]>),
}

/// Where the statements of a write run: on a connection of the store's, or in a transaction of the
/// caller's.
pub(crate) trait Run: Sync {
    /// As [`Session::rows`].
    fn rows(&self, sql: Sql, params: &[Param<'_>])
    -> impl Future<Output = Result<Vec<Row>>> + Send;

    /// As [`Session::together`].
    fn together(
        &self,
        begin: bool,
        steps: &[Step<'_>],
        commit: bool,
    ) -> impl Future<Output = Result<Vec<Vec<Row>>>> + Send;

    /// As [`Session::begin`].
    fn begin(&self) -> impl Future<Output = Result<()>> + Send;

    /// As [`Session::commit`].
    fn commit(&self) -> impl Future<Output = Result<()>> + Send;

    /// Runs a statement for its first row, if there is one.
    fn first(
        &self,
        sql: Sql,
        params: &[Param<'_>],
    ) -> impl Future<Output = Result<Option<Row>>> + Send {
        async move { Ok(self.rows(sql, params).await?.into_iter().next()) }
    }
}

impl Run for Session {
    async fn rows(&self, sql: Sql, params: &[Param<'_>]) -> Result<Vec<Row>> {
        self.rows(sql, params).await
    }

    async fn together(
        &self,
        begin: bool,
        steps: &[Step<'_>],
        commit: bool,
    ) -> Result<Vec<Vec<Row>>> {
        self.together(begin, steps, commit).await
    }

    async fn begin(&self) -> Result<()> {
        self.begin().await
    }

    async fn commit(&self) -> Result<()> {
        self.commit().await
    }
}

/// A connection that was lent for one call. If the call does not come to its end, nobody knows what
/// the connection is in the middle of: it is closed, and not used again.
pub(crate) struct Session {
    /// There until it is dropped.
    object: Option<Object>,
    texts: Arc<Texts>,
    openings: Arc<Openings>,
    in_transaction: AtomicBool,
    settled: AtomicBool,
}

impl Session {
    pub(crate) fn new(object: Object, texts: Arc<Texts>, openings: Arc<Openings>) -> Self {
        Self {
            object: Some(object),
            texts,
            openings,
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

    /// Runs any text for all its rows. It is prepared once for each connection, or its types are asked for
    /// once behind a pooler.
    pub(crate) async fn rows_of(&self, text: &str, params: &[Param<'_>]) -> Result<Vec<Row>> {
        self.one(text, params).await.map(|answer| answer.rows)
    }

    /// Runs a statement for its first row, if there is one.
    pub(crate) async fn first(&self, sql: Sql, params: &[Param<'_>]) -> Result<Option<Row>> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// Runs a statement that changes rows; answers how many.
    pub(crate) async fn execute(&self, sql: Sql, params: &[Param<'_>]) -> Result<u64> {
        self.one(self.texts.get(sql), params).await.map(|answer| answer.changed)
    }

    async fn one(&self, text: &str, params: &[Param<'_>]) -> Result<Answer> {
        let ready = self.ready(text).await?;
        if self.must_open() {
            let answers = self.send(true, &[(ready, params)], true).await?;
            return Ok(answers.into_iter().next().unwrap_or_default());
        }
        ask(self.object()?, &ready, params).await.mapped()
    }

    /// The types of the values of statements.
    pub(crate) async fn types(&self, statements: &[Sql]) -> Result<Vec<Vec<Type>>> {
        let mut types = Vec::with_capacity(statements.len());
        for sql in statements {
            types.push(match self.ready(self.texts.get(*sql)).await? {
                Ready::Prepared(statement) => statement.params().to_vec(),
                Ready::Typed(_, types) => types.to_vec(),
            });
        }
        Ok(types)
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
            statements.push((self.ready(self.texts.get(*sql)).await?, *params));
        }
        let alone = !begin && self.must_open();
        let answers = self.send(begin || alone, &statements, commit || alone).await?;
        Ok(answers.into_iter().map(|answer| answer.rows).collect())
    }

    async fn send(
        &self,
        begin: bool,
        statements: &[(Ready<'_>, &[Param<'_>])],
        commit: bool,
    ) -> Result<Vec<Answer>> {
        let client = self.object()?;
        if begin {
            self.in_transaction.store(true, Ordering::Relaxed);
        }
        let word = async |text: Option<&str>| match text {
            Some(text) => client.batch_execute(text).await,
            None => Ok(()),
        };
        // So few that each is polled, and so sent, in this order.
        let middle = join_all(statements.iter().map(|(ready, params)| ask(client, ready, params)));
        let (began, answers, ended) = futures_util::join!(
            word(begin.then_some(self.openings.plain.as_str())),
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

    /// Whether a statement that is sent alone needs a transaction to be told how to work.
    fn must_open(&self) -> bool {
        self.openings.pooled && !self.in_transaction.load(Ordering::Relaxed)
    }

    /// Prepares a text for this connection, or learns the types of its values for all.
    async fn ready<'a>(&self, text: &'a str) -> Result<Ready<'a>> {
        if !self.openings.pooled {
            return Ok(Ready::Prepared(self.object()?.prepare_cached(text).await.mapped()?));
        }
        if let Some(types) = self.texts.types(text) {
            return Ok(Ready::Typed(text, types));
        }
        let alone = self.must_open();
        if alone {
            self.begin().await?;
        }
        // Forgotten again before the transaction ends, and with it the connection.
        let types = self.object()?.prepare(text).await.map(|statement| statement.params().into());
        if alone {
            // Rolls back if there was an error.
            self.commit().await?;
        }
        Ok(Ready::Typed(text, self.texts.learn(text, types.mapped()?)))
    }

    /// Begins to read at one moment: what follows sees what is committed now, and nothing later.
    pub(crate) async fn snapshot(&self) -> Result<()> {
        self.open(&self.openings.snapshot).await
    }

    /// The same for a list or a count.
    pub(crate) async fn snapshot_of_walks(&self) -> Result<()> {
        self.open(&self.openings.walks).await
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
        self.open(&self.openings.plain).await
    }

    async fn open(&self, opening: &str) -> Result<()> {
        self.in_transaction.store(true, Ordering::Relaxed);
        self.batch(opening).await
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

/// What came of a statement.
#[derive(Default)]
struct Answer {
    rows: Vec<Row>,
    changed: u64,
}

async fn ask(
    client: &Object,
    ready: &Ready<'_>,
    params: &[Param<'_>],
) -> std::result::Result<Answer, tokio_postgres::Error> {
    let each = params.iter().copied();
    let stream = match ready {
        Ready::Prepared(statement) => client.query_raw(statement, each).await?,
        Ready::Typed(text, types) => {
            client.query_typed_raw(text, each.zip(types.iter().cloned())).await?
        }
    };
    let mut stream = pin!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await? {
        rows.push(row);
    }
    Ok(Answer { rows, changed: stream.rows_affected().unwrap_or_default() })
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
