//! The statements of one connection, prepared when they are first used and kept.
//!
//! Kept here and not in a cache of the driver's, which hashes the text at every use and clears the
//! bindings.

use std::{cell::RefCell, ops::ControlFlow};

use rusqlite::{Connection, Params, Row, Statement};
use taskstore_core::Result;

use crate::{
    error::{Mapped, from_sqlite},
    sql::{Sql, Texts},
};

/// The statements of one connection.
pub(crate) struct Statements<'c> {
    connection: &'c Connection,
    texts: &'c Texts,
    prepared: Vec<RefCell<Option<Statement<'c>>>>,
}

impl<'c> Statements<'c> {
    /// None prepared yet.
    pub(crate) fn new(connection: &'c Connection, texts: &'c Texts) -> Self {
        let prepared = Sql::ALL.iter().map(|_| RefCell::new(None)).collect();
        Self { connection, texts, prepared }
    }

    /// The connection that they run on.
    pub(crate) const fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// The texts that they are prepared from.
    pub(crate) const fn texts(&self) -> &'c Texts {
        self.texts
    }

    /// Runs a statement that changes rows; answers how many.
    pub(crate) fn execute(&self, sql: Sql, params: impl Params) -> Result<usize> {
        self.with(sql, |statement| statement.execute(params))
    }

    /// Runs a query for its first row, if there is one.
    pub(crate) fn first<R>(
        &self,
        sql: Sql,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Option<R>> {
        self.with(sql, |statement| statement.query(params)?.next()?.map(read).transpose())
    }

    /// Whether a query finds a row.
    pub(crate) fn finds(&self, sql: Sql, params: impl Params) -> Result<bool> {
        Ok(self.first(sql, params, |_| Ok(()))?.is_some())
    }

    /// Runs a query row by row, until `read` breaks off.
    pub(crate) fn each(
        &self,
        sql: Sql,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.with(sql, |statement| {
            let mut rows = statement.query(params)?;
            while let Some(row) = rows.next()? {
                if read(row)?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Runs a query for all its rows.
    pub(crate) fn all<R>(
        &self,
        sql: Sql,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<R>,
    ) -> Result<Vec<R>> {
        let mut found = Vec::new();
        self.each(sql, params, |row| {
            found.push(read(row)?);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    fn with<R>(
        &self,
        sql: Sql,
        run: impl FnOnce(&mut Statement<'c>) -> rusqlite::Result<R>,
    ) -> Result<R> {
        let Some(slot) = self.prepared.get(sql as usize) else {
            return Err(from_sqlite(rusqlite::Error::InvalidQuery));
        };
        let mut slot = slot.borrow_mut();
        let statement = match &mut *slot {
            Some(statement) => statement,
            empty => empty.insert(self.connection.prepare(self.texts.get(sql)).mapped()?),
        };
        run(statement).mapped()
    }

    /// How often a prepared statement was parsed anew; `None` if it was never used.
    #[cfg(test)]
    pub(crate) fn reprepared(&self, sql: Sql) -> Option<i32> {
        let slot = self.prepared.get(sql as usize)?.borrow();
        let statement = slot.as_ref()?;
        Some(statement.get_status(rusqlite::StatementStatus::RePrepare))
    }
}
