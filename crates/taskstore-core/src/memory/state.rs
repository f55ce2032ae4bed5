//! What the memory backend holds, laid out as the tables of the SQL engines are, and the few steps
//! that every operation is made of.
//!
//! No policy and no locking: whoever has the `State` has it alone.

use std::{collections::BTreeMap, time::Duration};

use serde_json::value::RawValue;
use time::UtcDateTime;

use super::wake::Waiters;
use crate::{
    Alias, Definition, DefinitionId, LeaseId, LogLine, Progress, QueueName, RunnerId, Status,
    TaskId, UniqueHash,
    backend::{Lease, LeasedTask, StartBy},
    clock,
    limits::LOG_LINES_MAX,
};

/// Queue, priority, `run_at`, order of enqueue: the order in which tasks are claimed.
pub(super) type ReadyKey = (QueueName, i16, UtcDateTime, u64);
/// `run_at`, order of enqueue: the order in which tasks are promoted.
pub(super) type LaterKey = (UtcDateTime, u64);

/// All that is stored.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) definitions: BTreeMap<DefinitionId, Definition>,
    /// The aliases of definitions that were deleted for good: their ended tasks show them.
    pub(super) gone: BTreeMap<DefinitionId, Alias>,
    /// Those with settings, and whether they are paused.
    pub(super) queues: BTreeMap<QueueName, bool>,
    pub(super) records: BTreeMap<TaskId, Record>,
    pub(super) ready: BTreeMap<ReadyKey, TaskId>,
    pub(super) later: BTreeMap<LaterKey, TaskId>,
    pub(super) leases: BTreeMap<LeaseId, LeaseRow>,
    pub(super) results: BTreeMap<(TaskId, u32), Ending>,
    pub(super) logs: BTreeMap<TaskId, BTreeMap<(u32, u32), LogLine>>,
    pub(super) keys: BTreeMap<UniqueHash, TaskId>,
    pub(super) enqueued: u64,
    /// Where its clock stands, if that was stopped; else the time is the machine's.
    pub(super) now: Option<UtcDateTime>,
    pub(super) waiters: Waiters,
}

/// A task, without the place that it is in.
#[derive(Debug)]
pub(super) struct Record {
    /// Its number in the order of enqueue.
    pub(super) order: u64,
    pub(super) definition: DefinitionId,
    pub(super) queue: QueueName,
    pub(super) parameters: Box<RawValue>,
    pub(super) priority: i16,
    pub(super) max_attempts: Option<u32>,
    /// Until a requeue.
    pub(super) expires_at: Option<UtcDateTime>,
    pub(super) timeout: Option<Duration>,
    /// Kept when the key is freed: a requeue takes it again.
    pub(super) unique: Option<UniqueHash>,
    /// `Queued` for every active record. That one is running is derived: it is in no queue.
    pub(super) status: Status,
    pub(super) turn: u32,
    /// Ended and counted.
    pub(super) attempts: u32,
    pub(super) suspect: bool,
    pub(super) progress: Option<Progress>,
    pub(super) run_at: UtcDateTime,
    pub(super) created_at: UtcDateTime,
    pub(super) updated_at: UtcDateTime,
    pub(super) started_at: Option<UtcDateTime>,
    pub(super) completed_at: Option<UtcDateTime>,
    pub(super) deleted_at: Option<UtcDateTime>,
    pub(super) cancel_at: Option<UtcDateTime>,
    /// The lease that settled it last: a settlement sent again is answered by it.
    pub(super) last_lease: Option<LeaseId>,
}

impl Record {
    pub(super) const fn is_active(&self) -> bool {
        matches!(self.status, Status::Queued)
    }

    pub(super) fn ready_key(&self) -> ReadyKey {
        (self.queue.clone(), self.priority, self.run_at, self.order)
    }

    /// By when it must be started, if it has not been.
    fn start_by(&self, now: UtcDateTime) -> Option<StartBy> {
        let at = self.expires_at.filter(|_| self.started_at.is_none())?;
        Some(StartBy { at, within: until(at, now) })
    }

    pub(super) const fn later_key(&self) -> LaterKey {
        (self.run_at, self.order)
    }
}

/// The tasks of one claim.
#[derive(Clone, Debug)]
pub(super) struct LeaseRow {
    pub(super) runner: RunnerId,
    pub(super) beat: u64,
    pub(super) beat_at: UtcDateTime,
    pub(super) lease_for: Duration,
    pub(super) claimed_at: UtcDateTime,
    /// Made by an isolate, or took over one that was.
    pub(super) alone: bool,
    /// The lease that it replaced and who held that: a take-over sent again is answered by it.
    pub(super) replaced: Option<(LeaseId, RunnerId)>,
    /// What is not settled yet, each at the turn of its claim, in claim order. Never empty.
    pub(super) open: Vec<(TaskId, u32)>,
}

/// How an attempt ended, when there is something to say.
#[derive(Debug)]
pub(super) struct Ending {
    pub(super) status: Status,
    /// `None`: it was canceled while it waited, and nobody ran it.
    pub(super) runner: Option<RunnerId>,
    pub(super) started_at: UtcDateTime,
    pub(super) ended_at: UtcDateTime,
    pub(super) output: Option<Box<RawValue>>,
    pub(super) error: Option<String>,
}

/// Which queue a task goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Ready, whatever its `run_at` says.
    Ready,
    /// Ready if it is due, else later.
    ByTime,
}

/// From `now` until `then`, zero when that has passed.
pub(super) fn until(then: UtcDateTime, now: UtcDateTime) -> Duration {
    Duration::try_from(then - now).unwrap_or_default()
}

impl State {
    /// The time to stamp: what the caller says, or the store's own clock.
    pub(super) fn stamp(&self, now: Option<UtcDateTime>) -> UtcDateTime {
        now.map_or_else(|| self.now.unwrap_or_else(clock::now), clock::truncate)
    }

    /// Forgets everything but who waits.
    pub(super) fn clear(&mut self) {
        let waiters = std::mem::take(&mut self.waiters);
        *self = Self { waiters, now: self.now, ..Self::default() };
    }

    /// The status as people see it.
    pub(super) fn status(&self, record: &Record) -> Status {
        if record.is_active() && !self.waits(record) { Status::Running } else { record.status }
    }

    /// Whether a record is in ready or later.
    fn waits(&self, record: &Record) -> bool {
        self.ready.contains_key(&record.ready_key()) || self.later.contains_key(&record.later_key())
    }

    /// Puts an active record into a queue, and wakes who waits for it there.
    pub(super) fn place(&mut self, task: TaskId, place: Place, now: UtcDateTime) {
        let Some(record) = self.records.get(&task) else { return };
        let due = match place {
            Place::Ready => true,
            Place::ByTime => record.run_at <= now,
        };
        let due_in = if due {
            self.ready.insert(record.ready_key(), task);
            Duration::ZERO
        } else {
            self.later.insert(record.later_key(), task);
            until(record.run_at, now)
        };
        self.waiters.hint(&record.queue, due_in);
    }

    /// Takes a record out of its queue; says whether that was ready.
    pub(super) fn unplace(&mut self, task: TaskId) -> bool {
        let Some(record) = self.records.get(&task) else { return false };
        self.later.remove(&record.later_key());
        self.ready.remove(&record.ready_key()).is_some()
    }

    /// The fence: the lease row exists and holds the task at this turn, which is still the record's,
    /// and the record is active.
    pub(super) fn holds(&self, lease: &Lease) -> bool {
        let claimed = self
            .leases
            .get(&lease.batch)
            .is_some_and(|row| row.open.contains(&(lease.task, lease.turn)));
        claimed
            && self
                .records
                .get(&lease.task)
                .is_some_and(|record| record.is_active() && record.turn == lease.turn)
    }

    /// Takes a task out of its lease, which is gone when nothing is left in it.
    pub(super) fn close(&mut self, lease: &Lease) {
        if let Some(row) = self.leases.get_mut(&lease.batch) {
            row.open.retain(|&(task, _)| task != lease.task);
            if row.open.is_empty() {
                self.leases.remove(&lease.batch);
            }
        }
    }

    /// Frees the unique key of a task that has ended.
    pub(super) fn free_key(&mut self, task: TaskId) {
        if let Some(key) = self.records.get(&task).and_then(|record| record.unique)
            && self.keys.get(&key) == Some(&task)
        {
            self.keys.remove(&key);
        }
    }

    /// Appends lines to the log of an attempt: each number once, the newest lines only.
    pub(super) fn write_log(&mut self, task: TaskId, turn: u32, lines: &[LogLine]) {
        if lines.is_empty() {
            return;
        }
        let log = self.logs.entry(task).or_default();
        for line in lines {
            log.entry((turn, line.n)).or_insert_with(|| line.clone());
        }
        while log.range((turn, 0)..=(turn, u32::MAX)).count() > LOG_LINES_MAX as usize {
            let oldest = log.range((turn, 0)..).next().map(|(&key, _)| key);
            oldest.map(|key| log.remove(&key));
        }
    }

    /// The tasks of a lease, as its holder is given them at this time.
    pub(super) fn leased(&self, batch: LeaseId, now: UtcDateTime) -> Vec<LeasedTask> {
        let open = self.leases.get(&batch).map(|row| row.open.as_slice()).unwrap_or_default();
        open.iter()
            .filter_map(|&(task, turn)| {
                let record = self.records.get(&task)?;
                Some(LeasedTask {
                    lease: Lease { task, batch, turn },
                    definition: record.definition,
                    queue: record.queue.clone(),
                    parameters: record.parameters.clone(),
                    priority: record.priority,
                    run_at: record.run_at,
                    attempts: record.attempts,
                    max_attempts: record.max_attempts,
                    suspect: record.suspect,
                    keyed: record.unique.is_some(),
                    start_by: record.start_by(now),
                    timeout: record.timeout,
                })
            })
            .collect()
    }
}
