//! Making and dropping the tables.

use redb::{
    Database, Key, ReadableDatabase, TableDefinition, TableHandle, Value, WriteTransaction,
};
use taskstore_core::{
    Error, Result,
    backend::{Migrate, MigrateTo, MigrationReport},
};

use crate::{
    error::{VERSION, no_tables, refused},
    tables,
};

/// The only migration there is.
const INITIAL: &str = "0001_initial";

/// What is done to a table.
type Step = fn(&WriteTransaction) -> Result<()>;

fn make<K: Key + 'static, V: Value + 'static>(
    txn: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<()> {
    txn.open_table(table).map(drop).map_err(refused)
}

fn remove(txn: &WriteTransaction, table: impl TableHandle) -> Result<()> {
    txn.delete_table(table).map(drop).map_err(refused)
}

/// Each table: its name, how it is made, how it is dropped.
macro_rules! all {
    ($($table:ident)+) => {
        [$((
            stringify!($table),
            (|txn| make(txn, tables::$table)) as Step,
            (|txn| remove(txn, tables::$table)) as Step,
        )),+]
    };
}

const TABLES: [(&str, Step, Step); 20] = all! {
    META NUMBER TASK PARAMETERS ERROR ATTEMPT LOG READY LATER LEASED ASKED STATE ENDED DELETED KEY
    COUNT LEASE DEFINITION ALIAS QUEUE
};

pub fn migrate(database: &Database, request: Migrate) -> Result<MigrationReport> {
    // redb has one writer: who comes second waits here, and then finds nothing to do.
    let txn = database.begin_write().map_err(refused)?;
    let up = request.target == MigrateTo::Latest;
    let is_there = version(&txn)?.is_some();
    if up == is_there {
        return Ok(MigrationReport::default());
    }
    let verb = if up { "create" } else { "drop" };
    let report = MigrationReport {
        applied: vec![INITIAL.to_owned()],
        sql: TABLES.map(|(name, ..)| format!("{verb} table {}", name.to_lowercase())).to_vec(),
    };
    if request.dry_run {
        return Ok(report);
    }
    for (_, make, remove) in TABLES {
        if up { make(&txn) } else { remove(&txn) }?;
    }
    if up {
        let mut meta = txn.open_table(tables::META).map_err(refused)?;
        meta.insert("version", i64::from(VERSION)).map_err(refused)?;
    }
    txn.commit().map_err(refused)?;
    Ok(report)
}

fn version(txn: &WriteTransaction) -> Result<Option<i64>> {
    let mut names = txn.list_tables().map_err(refused)?;
    if !names.any(|table| table.name() == tables::META.name()) {
        return Ok(None);
    }
    let meta = txn.open_table(tables::META).map_err(refused)?;
    let version = redb::ReadableTable::get(&meta, "version").map_err(refused)?;
    Ok(version.map(|version| version.value()))
}

pub fn check(database: &Database) -> Result<()> {
    let read = database.begin_read().map_err(refused)?;
    let meta = read.open_table(tables::META).map_err(refused)?;
    let found = meta.get("version").map_err(refused)?.ok_or_else(no_tables)?.value();
    if found == i64::from(VERSION) {
        return Ok(());
    }
    Err(Error::Schema {
        found: u32::try_from(found).unwrap_or(u32::MAX),
        expected: VERSION,
        advice: "this build is too old or too new for these tables",
    })
}
