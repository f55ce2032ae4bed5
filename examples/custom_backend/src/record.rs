//! The record of a task, and the rows that follow from it.
//!
//! The one idea that keeps this store small: where a task stands is in its record alone. Every
//! other row that says so (its place, its index rows, the counters, its key) is computed from the
//! record, and [`Tx::put`](crate::tx::Tx::put) writes the difference. So no move can forget one.

use serde::{Deserialize, Serialize};
use taskstore_core::{
    DefinitionId, LeaseId, QueueName, Result, RunnerId, Status, TaskId, backend::Lease,
};

/// Where a task is. The places ready and later are one status, and the place done is three.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum State {
    Ready,
    Later,
    Leased,
    Paused,
    Success,
    Failed,
    Canceled,
}

impl State {
    pub const ALL: [Self; 7] = [
        Self::Ready,
        Self::Later,
        Self::Leased,
        Self::Paused,
        Self::Success,
        Self::Failed,
        Self::Canceled,
    ];

    pub const fn status(self) -> Status {
        match self {
            Self::Ready | Self::Later => Status::Queued,
            Self::Leased => Status::Running,
            Self::Paused => Status::Paused,
            Self::Success => Status::Success,
            Self::Failed => Status::Failed,
            Self::Canceled => Status::Canceled,
        }
    }

    /// Ready if its time has come, and else later.
    pub const fn waiting(run_at: i64, now: i64) -> Self {
        if run_at <= now { Self::Ready } else { Self::Later }
    }
}

/// A task, but for what is large.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub id: TaskId,
    pub number: i64,
    pub definition: DefinitionId,
    pub queue: String,
    pub state: State,
    pub turn: u32,
    pub priority: i16,
    pub run_at: i64,
    pub attempts: u32,
    pub max_attempts: Option<u32>,
    pub suspect: bool,
    pub unique: Option<[u8; 32]>,
    pub expires_at: Option<i64>,
    pub timeout: Option<u64>,
    pub progress: Option<(u64, u64)>,
    pub created_at: i64,
    pub updated_at: i64,
    pub started_at: Option<i64>,
    pub completed_at: Option<i64>,
    pub deleted_at: Option<i64>,
    pub cancel_requested_at: Option<i64>,
    /// The lease that holds it, and its position there.
    pub lease: Option<(LeaseId, u32)>,
    /// The lease that settled it last: so a settlement that is sent again is known, also when the task is
    /// claimed again meanwhile.
    pub settled_by: Option<LeaseId>,
}

impl Record {
    pub fn queue(&self) -> Result<QueueName> {
        QueueName::new(&self.queue)
    }

    /// The fence: the lease holds this task, at this turn. That the lease's row is there follows, for it
    /// goes with its last task.
    pub fn is_held_by(&self, lease: &Lease) -> bool {
        self.state == State::Leased
            && self.turn == lease.turn
            && self.lease.is_some_and(|(batch, _)| batch == lease.batch)
    }

    /// Whether whoever holds it has been asked to end it.
    pub const fn must_end(&self) -> bool {
        self.cancel_requested_at.is_some() || self.deleted_at.is_some()
    }

    /// All rows that follow from it.
    pub fn rows(&self) -> Vec<Row<'_>> {
        let (number, state) = (self.number, self.state);
        let mut rows = vec![
            Row::State(state as u8, number),
            Row::Count(&self.queue, state as u8, self.deleted_at.is_some()),
        ];
        match (state, self.lease) {
            (State::Ready, _) => rows.push(self.ready()),
            (State::Later, _) => rows.push(Row::Later(self.run_at, number, &self.queue)),
            (State::Leased, Some((lease, position))) => {
                rows.push(Row::Leased(lease.into(), position, number));
                if self.cancel_requested_at.is_some() {
                    rows.push(Row::Asked(lease.into(), self.id.into()));
                }
            }
            _ => {}
        }
        let is_live = !state.status().has_ended();
        rows.extend(self.unique.filter(|_| is_live).map(|key| Row::Key(key, number)));
        rows.extend(self.completed_at.map(|at| Row::Ended(at, number)));
        rows.extend(self.deleted_at.map(|at| Row::Deleted(at, number)));
        rows
    }

    fn ready(&self) -> Row<'_> {
        Row::Ready(&self.queue, self.priority, self.run_at, self.number, self.definition.into())
    }
}

/// A row that follows from a record: see [`tables`](crate::tables).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row<'a> {
    Ready(&'a str, i16, i64, i64, u128),
    Later(i64, i64, &'a str),
    Leased(u128, u32, i64),
    Asked(u128, u128),
    State(u8, i64),
    Ended(i64, i64),
    Deleted(i64, i64),
    Key([u8; 32], i64),
    Count(&'a str, u8, bool),
}

/// The row of a lease. Its beat is [elsewhere](crate::beats).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LeaseRow {
    pub runner: RunnerId,
    /// In microseconds.
    pub lease_for: u64,
    pub claimed_at: i64,
    /// Made by an isolation.
    pub alone: bool,
    /// The lease that it was made of: so an isolation or a take-over sent again is known.
    pub made_of: Option<LeaseId>,
    /// Who held that.
    pub from: Option<RunnerId>,
}
