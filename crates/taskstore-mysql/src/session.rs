//! A connection, the statements that it has prepared, and what its transaction has to tell.

use std::{fmt, sync::Arc};

use driver::{Params, Value, prelude::FromValue};
use mysql_async as driver;
use taskstore_core::{Error, Result, clock};
use time::UtcDateTime;

use crate::{
    error::Mapped,
    link::{Answer, Link},
    settings::Settings,
    sql::{PlanStep, SIZES, Sql, Texts},
    wakeup::News,
};

/// `values![a, b]`: the values of a statement, by position.
macro_rules! values {
    ($($value:expr),* $(,)?) => { vec![$(mysql_async::Value::from($value)),*] };
}
pub(crate) use values;

/// A connection at work.
pub(crate) struct Session<'c> {
    conn: Conn<'c>,
    texts: Arc<Texts>,
    settings: Settings,
    news: News,
    last_id: Option<u64>,
}

/// Whose connection it is.
enum Conn<'c> {
    Own(driver::Conn),
    /// A caller's, in a transaction of the caller's.
    Lent(&'c mut dyn Link),
}

impl fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

/// A row of an answer.
pub(crate) struct Row(driver::Row);

impl Row {
    /// The value of this column.
    pub(crate) fn get<T: FromValue>(&self, column: usize) -> Result<T> {
        match self.0.get_opt(column) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(Error::backend(format!("column {column}: {error}"))),
            None => Err(Error::backend(format!("there is no column {column}"))),
        }
    }

    /// A text that people write too. Bytes that are no UTF-8 become replacement characters: an error
    /// here would stop every neighbour of the task.
    pub(crate) fn text(&self, column: usize) -> Result<String> {
        let bytes: Vec<u8> = self.get(column)?;
        Ok(String::from_utf8(bytes)
            .unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned()))
    }

    /// The same, where it may be NULL.
    pub(crate) fn maybe_text(&self, column: usize) -> Result<Option<String>> {
        if self.is_null(column) { Ok(None) } else { self.text(column).map(Some) }
    }

    /// Whether this column is NULL.
    pub(crate) fn is_null(&self, column: usize) -> bool {
        matches!(self.0.as_ref(column), None | Some(Value::NULL))
    }
}

impl Session<'static> {
    pub(crate) fn new(conn: driver::Conn, texts: Arc<Texts>, settings: Settings) -> Self {
        Self { conn: Conn::Own(conn), texts, settings, news: News::default(), last_id: None }
    }
}

impl<'c> Session<'c> {
    /// On a connection of a caller's.
    pub(crate) fn lent(link: &'c mut dyn Link, texts: Arc<Texts>) -> Self {
        let settings = Settings::default();
        Self { conn: Conn::Lent(link), texts, settings, news: News::default(), last_id: None }
    }

    /// What its server is set to.
    pub(crate) const fn settings(&self) -> Settings {
        self.settings
    }

    /// Whether it is in a transaction of a caller's: at whatever isolation level, and open for as long
    /// as the caller likes.
    pub(crate) const fn is_lent(&self) -> bool {
        matches!(self.conn, Conn::Lent(_))
    }

    /// The texts that its statements are prepared from.
    pub(crate) fn texts(&self) -> &Texts {
        &self.texts
    }

    /// Runs a statement that changes rows; answers how many.
    pub(crate) async fn execute(&mut self, sql: Sql, values: Vec<Value>) -> Result<u64> {
        let texts = self.texts.clone();
        self.exec(texts.get(sql), values).await.map(|answer| answer.changed)
    }

    /// The key that the last statement to store rows made for its first.
    pub(crate) fn last_id(&self) -> Result<i64> {
        let id = self.last_id.and_then(|id| i64::try_from(id).ok());
        id.ok_or_else(|| Error::backend("the server made no key"))
    }

    /// Runs a statement that stores a row for all of these, as few at a time as there must be;
    /// answers how many rows were changed.
    pub(crate) async fn execute_many(&mut self, sql: Sql, rows: Vec<Vec<Value>>) -> Result<u64> {
        let texts = self.texts.clone();
        let mut changed = 0;
        let mut rest = rows.as_slice();
        while !rest.is_empty() {
            let fits = |&&size: &&usize| {
                size == 1
                    || rest.get(..size).is_some_and(|rows| {
                        rows.iter().flatten().map(bytes_of).sum::<usize>()
                            <= self.settings.bytes_max
                    })
            };
            let (at, size) = SIZES
                .iter()
                .enumerate()
                .find(|(_, size)| fits(size))
                .map_or((SIZES.len() - 1, 1), |(at, &size)| (at, size));
            let (now, later) = rest.split_at(size.min(rest.len()));
            let values: Vec<Value> = now.iter().flatten().cloned().collect();
            let answer = self.exec(texts.sized(sql, at), values).await?;
            self.last_id = answer.last_id;
            changed += answer.changed;
            rest = later;
        }
        Ok(changed)
    }

    /// Runs a query for its first row, if there is one.
    pub(crate) async fn first<R>(
        &mut self,
        sql: Sql,
        values: Vec<Value>,
        read: impl FnOnce(&Row) -> Result<R>,
    ) -> Result<Option<R>> {
        let texts = self.texts.clone();
        let rows = self.exec(texts.get(sql), values).await?.rows;
        rows.into_iter().next().map(|row| read(&Row(row))).transpose()
    }

    /// Whether a query finds a row.
    pub(crate) async fn finds(&mut self, sql: Sql, values: Vec<Value>) -> Result<bool> {
        Ok(self.first(sql, values, |_| Ok(())).await?.is_some())
    }

    /// Runs a query for all its rows.
    pub(crate) async fn all<R>(
        &mut self,
        sql: Sql,
        values: Vec<Value>,
        mut read: impl FnMut(&Row) -> Result<R>,
    ) -> Result<Vec<R>> {
        let texts = self.texts.clone();
        let rows = self.exec(texts.get(sql), values).await?.rows;
        rows.into_iter().map(|row| read(&Row(row))).collect()
    }

    /// Runs so many of one query as a single statement, for all their rows, in any order.
    pub(crate) async fn union<R>(
        &mut self,
        sql: Sql,
        times: usize,
        values: Vec<Value>,
        read: impl FnMut(&Row) -> Result<R>,
    ) -> Result<Vec<R>> {
        if times == 0 {
            return Ok(Vec::new());
        }
        let one = format!("({})", self.texts.get(sql).trim_end().trim_end_matches(';'));
        self.query(&vec![one.as_str(); times].join("\nUNION ALL "), values, read).await
    }

    /// Runs a query that was composed of fragments which are parts of this program.
    pub(crate) async fn composed<R>(
        &mut self,
        name: &str,
        text: &str,
        values: Vec<Value>,
        read: impl FnMut(&Row) -> Result<R>,
    ) -> Result<Vec<R>> {
        let text = self.texts.prepare(name, text);
        self.query(&text, values, read).await
    }

    async fn query<R>(
        &mut self,
        text: &str,
        values: Vec<Value>,
        mut read: impl FnMut(&Row) -> Result<R>,
    ) -> Result<Vec<R>> {
        let rows = self.exec(text, values).await?.rows;
        rows.into_iter().map(|row| read(&Row(row))).collect()
    }

    async fn exec(&mut self, text: &str, values: Vec<Value>) -> Result<Answer> {
        self.explain(text, &values).await?;
        self.link().exec(text, params(values)).await.mapped()
    }

    fn link(&mut self) -> &mut dyn Link {
        match &mut self.conn {
            Conn::Own(conn) => conn,
            Conn::Lent(link) => *link,
        }
    }

    /// Runs a text of this crate's own that is not prepared: migrations, and the bounds of
    /// transactions.
    pub(crate) async fn run(&mut self, text: &str) -> Result<()> {
        self.link().query(text).await.mapped().map(drop)
    }

    /// The same, for its rows: of all statements, if it is several.
    pub(crate) async fn ask<R>(
        &mut self,
        text: &str,
        mut read: impl FnMut(&Row) -> Result<R>,
    ) -> Result<Vec<R>> {
        let rows = self.link().query(text).await.mapped()?;
        rows.into_iter().map(|row| read(&Row(row))).collect()
    }

    /// The time of this transaction in microseconds: the request's, or else the server's. Read once.
    pub(crate) async fn now(&mut self, requested: Option<UtcDateTime>) -> Result<i64> {
        if let Some(now) = requested {
            return Ok(clock::to_micros(now));
        }
        let now = self.first(Sql::Now, Vec::new(), |row| row.get(0)).await?;
        now.ok_or_else(|| Error::backend("the server has no time"))
    }

    /// The server's version, what it says of itself, and whether it has InnoDB.
    pub(crate) async fn server(&mut self) -> Result<(String, String, String)> {
        let read = |row: &Row| Ok((row.text(0)?, row.text(1)?, row.text(2)?));
        let server = self.first(Sql::Server, Vec::new(), read).await?;
        server.ok_or_else(|| Error::backend("the server has no version"))
    }

    /// Shows a test how the server will go about a statement. In no release build does anybody watch.
    async fn explain(&mut self, text: &str, values: &[Value]) -> Result<()> {
        let Some(plans) = self.texts.plans() else { return Ok(()) };
        let explain = format!("EXPLAIN FORMAT=TRADITIONAL {text}");
        let rows = self.link().exec(&explain, params(values.to_vec())).await.mapped()?.rows;
        let step = |row: &driver::Row| {
            let said = |name| row.get::<Option<String>, _>(name).flatten().unwrap_or_default();
            PlanStep {
                table: said("table"),
                access: said("type"),
                key: said("key"),
                extra: said("Extra"),
            }
        };
        plans(text, &rows.iter().map(step).collect::<Vec<_>>());
        Ok(())
    }

    /// Tells waiting runners of something, once it is committed.
    pub(crate) fn tell(&mut self, tell: impl FnOnce(&mut News)) {
        tell(&mut self.news);
    }

    /// What there is to tell.
    pub(crate) fn take_news(&mut self) -> News {
        std::mem::take(&mut self.news)
    }
}

fn params(values: Vec<Value>) -> Params {
    if values.is_empty() { Params::Empty } else { Params::Positional(values) }
}

fn bytes_of(value: &Value) -> usize {
    match value {
        Value::Bytes(bytes) => bytes.len(),
        _ => 8,
    }
}
