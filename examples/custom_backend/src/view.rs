//! A read: the tables as they were at one moment. Reads wait for nobody, and nobody for them.

use std::ops::Bound;

use redb::{Database, Key, ReadOnlyTable, ReadableDatabase, Value};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use taskstore_core::{
    Alias, Attempt, DefinitionId, Holder, LogLevel, LogLine, Progress, Result, Status, Task,
    TaskId, clock,
};

use crate::{
    beats::Beats,
    definition::DefinitionRow,
    error::{refused, unreadable},
    record::{LeaseRow, Record, State},
    settle::{AttemptRow, LineRow},
    tables,
};

type Texts<K> = ReadOnlyTable<K, &'static str>;

/// Its fields are the [tables].
pub struct View {
    number: ReadOnlyTable<u128, i64>,
    task: Texts<i64>,
    parameters: Texts<i64>,
    error: Texts<i64>,
    attempt: Texts<(i64, u32)>,
    log: Texts<(i64, u32, u32)>,
    pub ready: ReadOnlyTable<(&'static str, i16, i64, i64), u128>,
    pub later: ReadOnlyTable<(i64, i64), &'static str>,
    pub state: ReadOnlyTable<(u8, i64), ()>,
    pub ended: ReadOnlyTable<(i64, i64), ()>,
    pub deleted: ReadOnlyTable<(i64, i64), ()>,
    pub count: ReadOnlyTable<(&'static str, u8, bool), u64>,
    lease: Texts<u128>,
    pub definition: Texts<u128>,
    pub alias: ReadOnlyTable<&'static str, u128>,
    pub queue: ReadOnlyTable<&'static str, bool>,
}

impl View {
    pub fn open(database: &Database) -> Result<Self> {
        let read = database.begin_read().map_err(refused)?;
        Ok(Self {
            number: read.open_table(tables::NUMBER).map_err(refused)?,
            task: read.open_table(tables::TASK).map_err(refused)?,
            parameters: read.open_table(tables::PARAMETERS).map_err(refused)?,
            error: read.open_table(tables::ERROR).map_err(refused)?,
            attempt: read.open_table(tables::ATTEMPT).map_err(refused)?,
            log: read.open_table(tables::LOG).map_err(refused)?,
            ready: read.open_table(tables::READY).map_err(refused)?,
            later: read.open_table(tables::LATER).map_err(refused)?,
            state: read.open_table(tables::STATE).map_err(refused)?,
            ended: read.open_table(tables::ENDED).map_err(refused)?,
            deleted: read.open_table(tables::DELETED).map_err(refused)?,
            count: read.open_table(tables::COUNT).map_err(refused)?,
            lease: read.open_table(tables::LEASE).map_err(refused)?,
            definition: read.open_table(tables::DEFINITION).map_err(refused)?,
            alias: read.open_table(tables::ALIAS).map_err(refused)?,
            queue: read.open_table(tables::QUEUE).map_err(refused)?,
        })
    }

    pub fn get<K: Key, V: Value, T>(
        &self,
        table: &ReadOnlyTable<K, V>,
        key: K::SelfType<'_>,
        read: impl FnOnce(V::SelfType<'_>) -> T,
    ) -> Result<Option<T>> {
        Ok(table.get(key).map_err(refused)?.map(|value| read(value.value())))
    }

    pub fn json<K: Key, T: DeserializeOwned>(
        &self,
        table: &Texts<K>,
        key: K::SelfType<'_>,
    ) -> Result<Option<T>> {
        self.get(table, key, |json| serde_json::from_str(json))?.transpose().map_err(unreadable)
    }

    pub fn record(&self, number: i64) -> Result<Option<Record>> {
        self.json(&self.task, number)
    }

    pub fn record_of(&self, id: TaskId) -> Result<Option<Record>> {
        let number = self.get(&self.number, id.into(), |number| number)?;
        number.map_or(Ok(None), |number| self.record(number))
    }

    pub fn next_definition(
        &self,
        after: Option<DefinitionId>,
    ) -> Result<Option<(DefinitionId, String)>> {
        let from = after.map_or(Bound::Unbounded, |id| Bound::Excluded(u128::from(id)));
        let mut rows = self.definition.range((from, Bound::Unbounded)).map_err(refused)?;
        let Some(row) = rows.next() else { return Ok(None) };
        let (id, json) = row.map_err(refused)?;
        Ok(Some((id.value().into(), json.value().to_owned())))
    }

    /// A task as people see it.
    pub fn task(&self, record: &Record, beats: &Beats) -> Result<Task> {
        let number = record.number;
        let definition: Option<DefinitionRow> =
            self.json(&self.definition, record.definition.into())?;
        let alias = definition.as_ref().map_or("?", |definition| &definition.alias);
        let parameters = self.get(&self.parameters, number, str::to_owned)?;
        let ended: Option<AttemptRow> = match record.state {
            State::Success => self.json(&self.attempt, (number, record.turn - 1))?,
            _ => None,
        };
        let at = clock::from_micros;
        Ok(Task {
            id: record.id,
            status: record.state.status(),
            queue: record.queue()?,
            definition: record.definition,
            alias: Alias::new(alias)?,
            parameters: raw(parameters.unwrap_or_else(|| "null".to_owned()))?,
            output: ended.and_then(|attempt| attempt.output).map(raw).transpose()?,
            last_error: self.get(&self.error, number, str::to_owned)?,
            progress: record.progress.map(|(done, total)| Progress { done, total }),
            priority: record.priority,
            attempts: record.attempts + u32::from(record.state == State::Leased),
            max_attempts: record.max_attempts,
            suspect: record.suspect,
            run_at: at(record.run_at),
            expires_at: record.expires_at.map(at),
            timeout: record.timeout.map(std::time::Duration::from_micros),
            created_at: at(record.created_at),
            updated_at: at(record.updated_at),
            started_at: record.started_at.map(at),
            completed_at: record.completed_at.map(at),
            deleted_at: record.deleted_at.map(at),
            cancel_requested_at: record.cancel_requested_at.map(at),
            held_by: self.holder(record, beats)?,
        })
    }

    fn holder(&self, record: &Record, beats: &Beats) -> Result<Option<Holder>> {
        let Some((lease, _)) = record.lease.filter(|_| record.state == State::Leased) else {
            return Ok(None);
        };
        let row: Option<LeaseRow> = self.json(&self.lease, lease.into())?;
        Ok(row.map(|row| Holder {
            runner: row.runner,
            claimed_at: clock::from_micros(row.claimed_at),
            last_beat_at: clock::from_micros(beats.last(lease).unwrap_or(row.claimed_at)),
        }))
    }

    pub fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>> {
        let Some(record) = self.record_of(id)? else { return Ok(Vec::new()) };
        let of = |turn| (record.number, turn);
        let rows = self.attempt.range(of(0)..=of(u32::MAX)).map_err(refused)?;
        let attempts = rows.map(|row| {
            let (key, json) = row.map_err(refused)?;
            let row: AttemptRow = serde_json::from_str(json.value()).map_err(unreadable)?;
            Ok(Attempt {
                turn: key.value().1,
                status: row.status,
                runner: Some(row.runner),
                started_at: clock::from_micros(row.started_at),
                ended_at: clock::from_micros(row.ended_at),
                output: row.output.map(raw).transpose()?,
                error: row.error,
            })
        });
        let mut attempts = attempts.collect::<Result<Vec<_>>>()?;
        attempts.extend(plain_success(&record, attempts.last()));
        Ok(attempts)
    }

    pub fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>> {
        let Some(record) = self.record_of(id)? else { return Ok(Vec::new()) };
        let of = |turn, n| (record.number, turn, n);
        let rows = self.log.range(of(0, 0)..=of(u32::MAX, u32::MAX)).map_err(refused)?;
        let skip = usize::try_from(skip).unwrap_or(usize::MAX);
        rows.skip(skip)
            .take(limit as usize)
            .map(|row| {
                let (key, json) = row.map_err(refused)?;
                let row: LineRow = serde_json::from_str(json.value()).map_err(unreadable)?;
                let level = match row.level {
                    0 => LogLevel::Info,
                    1 => LogLevel::Success,
                    _ => LogLevel::Error,
                };
                Ok(LogLine::new(key.value().2, clock::from_micros(row.at), level, row.text))
            })
            .collect()
    }
}

fn raw(text: String) -> Result<Box<RawValue>> {
    RawValue::from_string(text).map_err(unreadable)
}

/// The attempt that succeeded without output, which is there as long as the success is.
fn plain_success(record: &Record, last: Option<&Attempt>) -> Option<Attempt> {
    let turn = record.turn.checked_sub(1)?;
    let is_told = last.is_some_and(|attempt| attempt.turn == turn);
    let ended_at = record.completed_at.filter(|_| record.state == State::Success && !is_told)?;
    Some(Attempt {
        turn,
        status: Status::Success,
        runner: None,
        started_at: clock::from_micros(record.started_at.unwrap_or(ended_at)),
        ended_at: clock::from_micros(ended_at),
        output: None,
        error: None,
    })
}
