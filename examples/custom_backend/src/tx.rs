//! The one write transaction, with its tables open.

use std::{cell::Cell, collections::HashMap, ops::RangeBounds};

use redb::{Key, ReadableTable, Table, TableDefinition, Value, WriteTransaction};
use serde::{Serialize, de::DeserializeOwned};
use taskstore_core::{LeaseId, Result, TaskId, clock};
use time::UtcDateTime;

use crate::{
    beats::Beats,
    error::{VERSION, no_tables, refused, unreadable},
    hints::Hint,
    record::{LeaseRow, Record, Row, State},
    tables,
};

/// A table that notes whether something was written: a transaction that wrote nothing needs no
/// commit, and so an idle runner costs no write to the disk.
pub struct Rows<'t, K: Key + 'static, V: Value + 'static> {
    table: Table<'t, K, V>,
    touched: &'t Cell<bool>,
}

impl<K: Key + 'static, V: Value + 'static> Rows<'_, K, V> {
    /// What is under the key, as `read` makes of it.
    pub fn get<T>(
        &self,
        key: K::SelfType<'_>,
        read: impl FnOnce(V::SelfType<'_>) -> T,
    ) -> Result<Option<T>> {
        Ok(self.table.get(key).map_err(refused)?.map(|value| read(value.value())))
    }

    pub fn has(&self, key: K::SelfType<'_>) -> Result<bool> {
        Ok(self.get(key, |_| ())?.is_some())
    }

    pub fn insert(&mut self, key: K::SelfType<'_>, value: V::SelfType<'_>) -> Result<()> {
        self.table.insert(key, value).map_err(refused)?;
        self.touched.set(true);
        Ok(())
    }

    pub fn remove(&mut self, key: K::SelfType<'_>) -> Result<bool> {
        let was_there = self.table.remove(key).map_err(refused)?.is_some();
        self.touched.set(self.touched.get() || was_there);
        Ok(was_there)
    }

    pub fn remove_all<'k>(&mut self, range: impl RangeBounds<K::SelfType<'k>> + 'k) -> Result<()> {
        self.touched.set(true);
        self.table.retain_in(range, |_, _| false).map_err(refused)
    }

    /// What `read` makes of the rows in this range, in order, as long as it makes something of them.
    pub fn walk<'k, T>(
        &self,
        range: impl RangeBounds<K::SelfType<'k>> + 'k,
        mut read: impl FnMut(K::SelfType<'_>, V::SelfType<'_>) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut found = Vec::new();
        for row in self.table.range(range).map_err(refused)? {
            let (key, value) = row.map_err(refused)?;
            match read(key.value(), value.value()) {
                Some(item) => found.push(item),
                None => break,
            }
        }
        Ok(found)
    }

    /// The first `n` rows of this range.
    pub fn first<'k, T>(
        &self,
        range: impl RangeBounds<K::SelfType<'k>> + 'k,
        n: usize,
        mut read: impl FnMut(K::SelfType<'_>, V::SelfType<'_>) -> T,
    ) -> Result<Vec<T>> {
        let mut left = n;
        self.walk(range, |key, value| {
            left = left.checked_sub(1)?;
            Some(read(key, value))
        })
    }
}

impl<K: Key + 'static> Rows<'_, K, &'static str> {
    pub fn get_json<T: DeserializeOwned>(&self, key: K::SelfType<'_>) -> Result<Option<T>> {
        self.get(key, |json| serde_json::from_str(json))?.transpose().map_err(unreadable)
    }

    pub fn insert_json(&mut self, key: K::SelfType<'_>, value: &impl Serialize) -> Result<()> {
        self.insert(key, &serde_json::to_string(value).map_err(unreadable)?)
    }
}

/// A write transaction. Its fields are the [tables].
pub struct Tx<'t> {
    /// The time, read once.
    pub now: i64,
    pub meta: Rows<'t, &'static str, i64>,
    pub number: Rows<'t, u128, i64>,
    task: Rows<'t, i64, &'static str>,
    pub parameters: Rows<'t, i64, &'static str>,
    pub error: Rows<'t, i64, &'static str>,
    pub attempt: Rows<'t, (i64, u32), &'static str>,
    pub log: Rows<'t, (i64, u32, u32), &'static str>,
    pub ready: Rows<'t, (&'static str, i16, i64, i64), u128>,
    pub later: Rows<'t, (i64, i64), &'static str>,
    pub leased: Rows<'t, (u128, u32), i64>,
    asked: Rows<'t, (u128, u128), ()>,
    pub state: Rows<'t, (u8, i64), ()>,
    ended: Rows<'t, (i64, i64), ()>,
    deleted: Rows<'t, (i64, i64), ()>,
    pub key: Rows<'t, &'static [u8; 32], i64>,
    count: Rows<'t, (&'static str, u8, bool), u64>,
    pub lease: Rows<'t, u128, &'static str>,
    pub definition: Rows<'t, u128, &'static str>,
    pub alias: Rows<'t, &'static str, u128>,
    pub queue: Rows<'t, &'static str, bool>,
    /// The beats, and the leases of them that this transaction holds.
    pub beats: &'t Beats,
    pub held: Vec<LeaseId>,
    /// What to tell those who wait for work, once this is committed.
    pub hints: HashMap<String, Hint>,
}

impl<'t> Tx<'t> {
    /// Opens the tables, which must be there.
    pub fn open(
        txn: &'t WriteTransaction,
        touched: &'t Cell<bool>,
        beats: &'t Beats,
    ) -> Result<Self> {
        // Opening a table makes it, but nobody commits after an error.
        let meta = open(txn, touched, tables::META)?;
        if meta.get("version", |version| version)? != Some(i64::from(VERSION)) {
            return Err(no_tables());
        }
        Ok(Self {
            now: clock::to_micros(clock::now()),
            meta,
            number: open(txn, touched, tables::NUMBER)?,
            task: open(txn, touched, tables::TASK)?,
            parameters: open(txn, touched, tables::PARAMETERS)?,
            error: open(txn, touched, tables::ERROR)?,
            attempt: open(txn, touched, tables::ATTEMPT)?,
            log: open(txn, touched, tables::LOG)?,
            ready: open(txn, touched, tables::READY)?,
            later: open(txn, touched, tables::LATER)?,
            leased: open(txn, touched, tables::LEASED)?,
            asked: open(txn, touched, tables::ASKED)?,
            state: open(txn, touched, tables::STATE)?,
            ended: open(txn, touched, tables::ENDED)?,
            deleted: open(txn, touched, tables::DELETED)?,
            key: open(txn, touched, tables::KEY)?,
            count: open(txn, touched, tables::COUNT)?,
            lease: open(txn, touched, tables::LEASE)?,
            definition: open(txn, touched, tables::DEFINITION)?,
            alias: open(txn, touched, tables::ALIAS)?,
            queue: open(txn, touched, tables::QUEUE)?,
            beats,
            held: Vec::new(),
            hints: HashMap::new(),
        })
    }

    /// The time of a request that names one, or the engine's own.
    pub fn at(&self, now: Option<UtcDateTime>) -> i64 {
        now.map_or(self.now, clock::to_micros)
    }

    pub fn record(&self, number: i64) -> Result<Option<Record>> {
        self.task.get_json(number)
    }

    pub fn record_of(&self, id: TaskId) -> Result<Option<Record>> {
        let number = self.number.get(id.into(), |number| number)?;
        number.map_or(Ok(None), |number| self.record(number))
    }

    /// Stores a record that was not there.
    pub fn add(&mut self, record: &Record) -> Result<()> {
        self.replace(&[], &record.rows())?;
        self.task.insert_json(record.number, record)
    }

    /// Stores a record as it is now, and moves every row that follows from it.
    pub fn put(&mut self, was: &Record, is: &Record) -> Result<()> {
        self.replace(&was.rows(), &is.rows())?;
        self.task.insert_json(is.number, is)?;
        match was.lease {
            Some((lease, _)) if was.state == State::Leased => self.end_if_empty(lease),
            _ => Ok(()),
        }
    }

    /// Removes a record, with every row that follows from it.
    pub fn forget(&mut self, record: &Record) -> Result<()> {
        self.replace(&record.rows(), &[])?;
        self.task.remove(record.number)?;
        self.number.remove(record.id.into())?;
        Ok(())
    }

    /// A lease lives as long as it holds something.
    pub fn end_if_empty(&mut self, lease: LeaseId) -> Result<()> {
        let lease = u128::from(lease);
        if self.leased.first((lease, 0)..=(lease, u32::MAX), 1, |_, _| ())?.is_empty() {
            self.lease.remove(lease)?;
        }
        Ok(())
    }

    pub fn lease_row(&self, lease: LeaseId) -> Result<Option<LeaseRow>> {
        self.lease.get_json(lease.into())
    }

    fn replace(&mut self, was: &[Row<'_>], is: &[Row<'_>]) -> Result<()> {
        was.iter().filter(|row| !is.contains(row)).try_for_each(|row| self.remove(row))?;
        is.iter().filter(|row| !was.contains(row)).try_for_each(|row| self.insert(row))
    }

    fn insert(&mut self, row: &Row<'_>) -> Result<()> {
        match *row {
            Row::Ready(queue, priority, run_at, number, definition) => {
                self.hint(queue, None);
                self.ready.insert((queue, priority, run_at, number), definition)
            }
            Row::Later(run_at, number, queue) => {
                self.hint(queue, Some(run_at));
                self.later.insert((run_at, number), queue)
            }
            Row::Leased(lease, position, number) => self.leased.insert((lease, position), number),
            Row::Asked(lease, task) => self.asked.insert((lease, task), ()),
            Row::State(state, number) => self.state.insert((state, number), ()),
            Row::Ended(at, number) => self.ended.insert((at, number), ()),
            Row::Deleted(at, number) => self.deleted.insert((at, number), ()),
            Row::Key(key, number) => self.key.insert(&key, number),
            Row::Count(queue, state, deleted) => {
                let key = (queue, state, deleted);
                let count = self.count.get(key, |count| count)?.unwrap_or(0);
                self.count.insert(key, count + 1)
            }
        }
    }

    /// Removes a row that follows from a record, if it is there.
    pub fn remove(&mut self, row: &Row<'_>) -> Result<()> {
        match *row {
            Row::Ready(queue, priority, run_at, number, _) => {
                self.ready.remove((queue, priority, run_at, number))
            }
            Row::Later(run_at, number, _) => self.later.remove((run_at, number)),
            Row::Leased(lease, position, _) => self.leased.remove((lease, position)),
            Row::Asked(lease, task) => self.asked.remove((lease, task)),
            Row::State(state, number) => self.state.remove((state, number)),
            Row::Ended(at, number) => self.ended.remove((at, number)),
            Row::Deleted(at, number) => self.deleted.remove((at, number)),
            Row::Key(key, _) => self.key.remove(&key),
            Row::Count(queue, state, deleted) => {
                let key = (queue, state, deleted);
                match self.count.get(key, |count| count)? {
                    Some(count) if count > 1 => self.count.insert(key, count - 1).map(|()| true),
                    _ => self.count.remove(key),
                }
            }
        }
        .map(|_| ())
    }

    /// Something may be there to do in this queue: now, or at that time.
    pub fn hint(&mut self, queue: &str, due: Option<i64>) {
        match self.hints.get_mut(queue) {
            Some(hint) => hint.due = hint.due.min(due),
            None => drop(self.hints.insert(queue.to_owned(), Hint { due })),
        }
    }
}

fn open<'t, K: Key + 'static, V: Value + 'static>(
    txn: &'t WriteTransaction,
    touched: &'t Cell<bool>,
    table: TableDefinition<'_, K, V>,
) -> Result<Rows<'t, K, V>> {
    Ok(Rows { table: txn.open_table(table).map_err(refused)?, touched })
}
