//! What control has changed, written at the end: what a record was against what it is to be.

use mysql_async::Value;
use taskstore_core::Result;

use super::{
    control::{Record, State},
    place::{Arrivals, Place, ready_key},
};
use crate::{
    convert::{hex, json_list, seqs_json, status, time},
    session::{Session, values},
    sql::Sql,
    write::result::is_aside,
};

/// What control writes beside the records.
#[derive(Default)]
pub(crate) struct Changes {
    /// Rows of `result_insert`.
    pub(crate) results: Vec<Vec<Value>>,
    records: Vec<String>,
    purged: Vec<i64>,
    lasting: Vec<i64>,
    out_of_later: Vec<String>,
    out_of_ready: Vec<String>,
    arrivals: Arrivals,
    keys: Vec<(Vec<u8>, String)>,
    out_of_aside: Vec<String>,
    aside: Vec<Vec<Value>>,
    out_of_ended: Vec<String>,
    ended: Vec<Vec<Value>>,
    out_of_deleted: Vec<String>,
    deleted: Vec<Vec<Value>>,
    requests: Vec<Vec<Value>>,
}

impl Changes {
    /// Writes all of it, in the order of locks.
    pub(crate) async fn store(
        mut self,
        session: &mut Session<'_>,
        records: impl Iterator<Item = &Record>,
        now: i64,
    ) -> Result<()> {
        for record in records.filter(|record| record.purged || record.now.touched) {
            self.add(session, record, now)?;
        }
        if !self.records.is_empty() {
            let list = json_list(self.records.into_iter());
            session.execute(Sql::ControlWrite, values![list, now]).await?;
        }
        delete(session, Sql::LaterDelete, self.out_of_later).await?;
        delete(session, Sql::ReadyDelete, self.out_of_ready).await?;
        self.keys.sort_unstable();
        let keys = self.keys.iter().map(|(key, id)| format!("[\"{}\",\"{id}\"]", hex(key)));
        delete(session, Sql::UniqueDelete, keys.collect()).await?;
        self.arrivals.store(session).await?;
        delete(session, Sql::AsideDelete, self.out_of_aside).await?;
        session.execute_many(Sql::AsideInsert, self.aside).await?;
        delete(session, Sql::EndedDelete, self.out_of_ended).await?;
        session.execute_many(Sql::EndedInsert, self.ended).await?;
        delete(session, Sql::DeletedDelete, self.out_of_deleted).await?;
        session.execute_many(Sql::DeletedInsert, self.deleted).await?;
        session.execute_many(Sql::CancelInsert, self.requests).await?;
        session.execute_many(Sql::ResultInsert, self.results).await?;
        if !self.lasting.is_empty() {
            let list = seqs_json(self.lasting.into_iter());
            session.execute(Sql::PayloadLasts, values![list]).await?;
        }
        if !self.purged.is_empty() {
            let list = seqs_json(self.purged.into_iter());
            for rows in [Sql::PurgeLog, Sql::PurgeResults, Sql::PurgePayload, Sql::PurgeRecord] {
                session.execute(rows, values![list.as_str()]).await?;
            }
        }
        Ok(())
    }

    fn add(&mut self, session: &mut Session<'_>, record: &Record, at: i64) -> Result<()> {
        let (seq, before, now) = (record.seq, &record.before, &record.now);
        let is_live = |state: &State| matches!(state.status, 0 | 5);
        if record.purged || (is_live(before) && !is_live(now)) {
            self.keys.extend(record.key.clone().map(|key| (key, record.id.to_string())));
        }
        self.leave(seq, before);
        if record.purged {
            self.purged.push(seq);
            return Ok(());
        }
        self.records.push(json(seq, now));
        match now.place {
            Some(Place::Ready) => self.arrivals.place_ready(session, &record.spot()?),
            Some(Place::Later) => self.arrivals.place(session, &record.spot()?, at),
            Some(Place::Leased) | None => {}
        }
        if is_aside(status(now.status, false)?) {
            self.aside.push(values![now.status, seq]);
        }
        if let Some(at) = time(now.completed_at) {
            self.ended.push(values![now.status, at, seq]);
        }
        if let Some(at) = time(now.deleted_at) {
            self.deleted.push(values![at, seq]);
        }
        if time(now.cancel_at).is_some() {
            self.requests.push(values![seq, record.id.to_string()]);
        }
        if now.fresh {
            self.lasting.push(seq);
        }
        Ok(())
    }

    /// Out of wherever it was.
    fn leave(&mut self, seq: i64, before: &State) {
        let State { priority, run_at, .. } = *before;
        match before.place {
            Some(Place::Later) => self.out_of_later.push(format!("[{run_at},{seq}]")),
            Some(Place::Ready) => {
                self.out_of_ready.push(ready_key(&before.queue, priority, run_at, seq));
            }
            Some(Place::Leased) | None => {}
        }
        if status(before.status, false).is_ok_and(is_aside) {
            self.out_of_aside.push(format!("[{},{seq}]", before.status));
        }
        if let Some(at) = time(before.completed_at) {
            self.out_of_ended.push(format!("[{},{at},{seq}]", before.status));
        }
        if let Some(at) = time(before.deleted_at) {
            self.out_of_deleted.push(format!("[{at},{seq}]"));
        }
    }
}

async fn delete(session: &mut Session<'_>, sql: Sql, keys: Vec<String>) -> Result<()> {
    if keys.is_empty() {
        return Ok(());
    }
    session.execute(sql, values![json_list(keys.into_iter())]).await.map(drop)
}

/// The record, for `control_write`.
fn json(seq: i64, now: &State) -> String {
    format!(
        "[{seq},{},{},{},{},{},{},{},{},{},{},{}]",
        serde_json::Value::from(now.queue.as_str()),
        now.priority,
        now.run_at,
        now.status,
        now.turn,
        now.attempts,
        i64::from(now.suspect),
        now.completed_at,
        now.deleted_at,
        now.cancel_at,
        i64::from(now.fresh),
    )
}
