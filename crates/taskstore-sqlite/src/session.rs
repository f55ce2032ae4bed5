//! What the writer thread works with inside one transaction, and remembers between them.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    time::Instant,
};

use rusqlite::Params;
use taskstore_core::{DefinitionId, Result, TaskId, backend::Lease};

use crate::{
    convert::{lease_key, micros, now_or},
    sql::Sql,
    statements::Statements,
    wakeup::News,
};

/// Most claimed tasks that are remembered; then all are forgotten.
const HELD_MAX: usize = 100_000;

/// What the writer thread works with.
pub(crate) struct Session<'c> {
    /// The statements of its connection.
    pub(crate) statements: Statements<'c>,
    definitions: RefCell<Option<Definitions>>,
    data_version: Cell<i64>,
    held: RefCell<HashMap<TaskId, Held>>,
    news: RefCell<News>,
    changed: Cell<bool>,
    began: (i64, Instant),
}

impl<'c> Session<'c> {
    /// One that remembers nothing yet.
    pub(crate) fn new(statements: Statements<'c>) -> Self {
        Self {
            statements,
            definitions: RefCell::default(),
            data_version: Cell::new(-1),
            held: RefCell::default(),
            news: RefCell::default(),
            changed: Cell::new(false),
            began: (now_or(None), Instant::now()),
        }
    }

    /// Called once the transaction holds the lock: what others have committed since is seen from
    /// here on, and nothing more comes until its end.
    pub(crate) fn begin(&self) -> Result<()> {
        let version =
            self.statements.first(Sql::DataVersion, [], |row| row.get(0))?.unwrap_or_default();
        if self.data_version.replace(version) != version {
            self.definitions.take();
        }
        Ok(())
    }

    /// What was read in a transaction that was rolled back may never have been so.
    pub(crate) fn forget(&self) {
        self.definitions.take();
        self.held.borrow_mut().clear();
    }

    /// Runs a statement that changes rows, and remembers whether it did.
    pub(crate) fn execute(&self, sql: Sql, params: impl Params) -> Result<usize> {
        let rows = self.statements.execute(sql, params)?;
        if rows > 0 {
            self.changed.set(true);
        }
        Ok(rows)
    }

    /// The time by a clock that never steps back, so that a beat which is old looks old also when the
    /// system's clock has just been set back.
    pub(crate) fn steady_now(&self) -> i64 {
        let (began, since) = self.began;
        began.saturating_add(micros(since.elapsed())).max(now_or(None))
    }

    /// Whether a row was changed since this was asked last.
    pub(crate) fn take_changed(&self) -> bool {
        self.changed.take()
    }

    /// Tells waiting runners of something, once it is committed.
    pub(crate) fn tell(&self, tell: impl FnOnce(&mut News)) {
        tell(&mut self.news.borrow_mut());
    }

    /// What there is to tell.
    pub(crate) fn take_news(&self) -> News {
        self.news.take()
    }

    /// The definitions, as of this transaction.
    pub(crate) fn definitions<R>(&self, look: impl FnOnce(&Definitions) -> Result<R>) -> Result<R> {
        let mut known = self.definitions.borrow_mut();
        let known = match &mut *known {
            Some(known) => known,
            empty => empty.insert(Definitions::read(&self.statements)?),
        };
        look(known)
    }

    /// The definitions are about to change.
    pub(crate) fn forget_definitions(&self) {
        self.definitions.take();
    }

    /// The key of a task inside the file.
    pub(crate) fn seq(&self, id: TaskId) -> Result<Option<i64>> {
        if let Some(held) = self.held.borrow().get(&id) {
            return Ok(Some(held.seq));
        }
        self.statements.first(Sql::TaskSeq, [id.to_string()], |row| row.get(0))
    }

    /// The key inside the file of a task that this lease holds at this turn. `None`: it does not,
    /// or the task has been settled. A list is never changed, so one that was made or read here need
    /// not be read again.
    pub(crate) fn listed(&self, lease: Lease) -> Result<Option<i64>> {
        if let Some(seq) = self.remembered(lease) {
            return Ok(Some(seq));
        }
        let Some(seq) = self.seq(lease.task)? else { return Ok(None) };
        let key = (lease_key(lease.batch), seq, lease.turn);
        let pairs = self.statements.all(Sql::LeasePairs, key, |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
        })?;
        for (seq, turn, task) in pairs {
            self.remember(Lease { task: task.parse()?, batch: lease.batch, turn }, seq);
        }
        Ok(self.remembered(lease))
    }

    fn remembered(&self, lease: Lease) -> Option<i64> {
        let held = self.held.borrow();
        held.get(&lease.task).filter(|held| held.lease == lease).map(|held| held.seq)
    }

    /// Remembers a task that was claimed, for its settlement.
    pub(crate) fn remember(&self, lease: Lease, seq: i64) {
        let mut held = self.held.borrow_mut();
        if held.len() >= HELD_MAX {
            held.clear();
        }
        held.insert(lease.task, Held { seq, lease });
    }

    /// The task was settled.
    pub(crate) fn forget_task(&self, id: TaskId) {
        self.held.borrow_mut().remove(&id);
    }
}

/// A task that was claimed through this connection.
#[derive(Clone, Copy, Debug)]
struct Held {
    seq: i64,
    lease: Lease,
}

/// The definitions of the file.
#[derive(Debug)]
pub(crate) struct Definitions {
    all: Vec<Known>,
    by_id: HashMap<DefinitionId, usize>,
    by_seq: HashMap<i64, DefinitionId>,
}

/// What a claim or an enqueue must know of a definition.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) seq: i64,
    pub(crate) id: DefinitionId,
    pub(crate) active: bool,
    pub(crate) deleted: bool,
    /// For good.
    pub(crate) gone: bool,
}

impl Definitions {
    fn read(statements: &Statements<'_>) -> Result<Self> {
        let rows = statements.all(Sql::DefinitionsKnown, [], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?, row.get(3)?))
        })?;
        let mut known = Self { all: Vec::new(), by_id: HashMap::new(), by_seq: HashMap::new() };
        for (seq, id, status, deleted) in rows {
            let id = id.parse()?;
            known.by_id.insert(id, known.all.len());
            known.by_seq.insert(seq, id);
            known.all.push(Known { seq, id, active: status == 0, deleted, gone: status == 2 });
        }
        Ok(known)
    }

    /// All of them.
    pub(crate) fn all(&self) -> &[Known] {
        &self.all
    }

    /// The one with this id.
    pub(crate) fn get(&self, id: DefinitionId) -> Option<Known> {
        self.all.get(*self.by_id.get(&id)?).copied()
    }

    /// Whether the one with this key inside the file was deleted for good.
    pub(crate) fn is_gone(&self, seq: i64) -> Result<bool> {
        Ok(self.find(seq).and_then(|id| self.get(id)).is_none_or(|known| known.gone))
    }

    /// The id of the one with this key inside the file; `None`: somebody has deleted it by hand.
    pub(crate) fn find(&self, seq: i64) -> Option<DefinitionId> {
        self.by_seq.get(&seq).copied()
    }
}
