//! The only ways into a queue and out of it.

use taskstore_core::{QueueName, Result};

use crate::{session::Session, sql::Sql};

/// Where a task waits: the key of its row in ready and in later, which its record repeats.
#[derive(Clone, Debug)]
pub(crate) struct Spot {
    pub(crate) task: i64,
    pub(crate) definition: i64,
    pub(crate) queue: QueueName,
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
}

/// Where a task that is active is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Later,
    Ready,
    Leased,
}

impl Spot {
    /// Puts the task where its time says.
    pub(crate) fn place(&self, session: &Session<'_>, now: i64) -> Result<()> {
        if self.run_at <= now { self.place_ready(session) } else { self.place_later(session) }
    }

    /// Puts the task where it can be claimed, whatever its time is.
    pub(crate) fn place_ready(&self, session: &Session<'_>) -> Result<()> {
        let row = (self.queue.as_str(), self.priority, self.run_at, self.task, self.definition);
        session.execute(Sql::ReadyInsert, row)?;
        session.tell(|news| news.ready(&self.queue));
        Ok(())
    }

    fn place_later(&self, session: &Session<'_>) -> Result<()> {
        let row = (self.queue.as_str(), self.priority, self.run_at, self.task, self.definition);
        session.execute(Sql::LaterInsert, row)?;
        session.tell(|news| news.later(&self.queue, self.run_at));
        Ok(())
    }

    /// Takes the task out of where it waits, later first.
    pub(crate) fn unplace(&self, session: &Session<'_>) -> Result<()> {
        if session.execute(Sql::LaterDelete, (self.run_at, self.task))? == 0 {
            let key = (self.queue.as_str(), self.priority, self.run_at, self.task);
            session.execute(Sql::ReadyDelete, key)?;
        }
        Ok(())
    }

    /// Where the task is, if it is active.
    pub(crate) fn find(&self, session: &Session<'_>) -> Result<Place> {
        let key = (self.queue.as_str(), self.priority, self.run_at, self.task);
        let place: Option<i64> = session.statements.first(Sql::PlaceOf, key, |row| row.get(0))?;
        Ok(match place {
            Some(1) => Place::Later,
            Some(2) => Place::Ready,
            _ => Place::Leased,
        })
    }
}
