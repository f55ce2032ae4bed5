//! The tables of a store.

use super::Store;
use crate::{
    Result,
    backend::{Migrate, MigrationReport},
};

impl Store {
    /// Brings the tables up to date. Safe when several processes do it at once: one works, the
    /// others wait and find nothing to do. Says what it did.
    ///
    /// # Errors
    /// What the database says; the migrations before the one that failed stay applied.
    pub async fn migrate(&self) -> Result<MigrationReport> {
        self.backend().migrate(&Migrate::up()).await
    }

    /// Drops everything that taskstore made in this database, tasks and all, and nothing else.
    ///
    /// # Errors
    /// What the database says.
    pub async fn migrate_down(&self) -> Result<MigrationReport> {
        let report = self.backend().migrate(&Migrate::down()).await?;
        self.inner.definitions.forget_all();
        Ok(report)
    }

    /// The SQL that [`migrate`](Self::migrate) would run, for whoever runs it by hand; empty when
    /// the tables are up to date. Changes nothing.
    ///
    /// # Errors
    /// What the database says.
    pub async fn migration_sql(&self) -> Result<String> {
        let report = self.backend().migrate(&Migrate::up().dry_run()).await?;
        Ok(report.sql.join("\n"))
    }
}
