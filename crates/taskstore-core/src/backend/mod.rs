//! The seam: what a database must do for taskstore, and nothing that it may decide.
//!
//! # The one idea
//!
//! A task is always in exactly one **place**: ready, later, leased, paused, or done. Every method
//! moves tasks between places, guarded by what the caller believes; the answer says, per item and
//! by position, whether the guard held. Which move to make (retry or fail, how long to back off,
//! what a dead lease means) is decided in core, once, by [`crate::lifecycle::next`], and arrives
//! here as data. A backend never decides retries, backoff, statuses or the death of a lease.
//!
//! # What holds for every method
//!
//! - **The fence.** The right to do something to a running task is a [`Lease`]: the lease row with
//!   that id exists *and* the record's turn is the one claimed *and* the record is active. Owner,
//!   attempts and clocks fence nothing. At most one claim and one accepted settlement per task and
//!   turn. A turn comes from the caller and may be any number: compare it, do not count with it.
//! - **Turn** goes up by one at every end of a claim, at [`isolate`](Backend::isolate), when a
//!   [`sweep`](Backend::sweep) finds the task in no place, and when a waiting task is canceled,
//!   paused, resumed or requeued; never at claim, promote, take-over, heartbeat or a cancel
//!   *request*.
//! - **All or nothing.** A call that returns an error may be sent again. What it asked for happened
//!   whole or not at all, item by item where the method says so.
//! - **Repeatable.** Replies get lost. Ids of tasks and leases are made by the caller, and an
//!   enqueue, a settlement, an isolate or a take-over that is sent again answers as it did the first
//!   time. A claim is never sent again: ask [`recall`](Backend::recall).
//! - **Time.** `now` is `None` in production: the engine reads its own clock once per transaction.
//!   Tests pass a value and travel. Durations are relative to that clock.
//! - **Errors.** What may pass (away, busy, a deadlock's victim) is
//!   [`Unavailable`](crate::Error::Unavailable); what would come again is
//!   [`Backend`](crate::Error::Backend). Never commit after an error. What is missing, or there already,
//!   is called `task`, `task definition` or `lease`.
//! - **Slices in, one fate per item out.** Answers are by position, not by id. Nothing on the hot
//!   path costs a round trip or a transaction per task.
//!
//! Requests are `#[non_exhaustive]` and made by constructors, so that they can grow. Answers are
//! plain: a new field in an answer is a new promise, and every implementer must keep it. Only
//! [`Capabilities`] may grow as well: what an implementer has never heard of, it does not claim.
//!
//! # How to write one
//!
//! [`Backend`] and [`Heartbeat`] are implemented with the attribute of the crate `async-trait`:
//!
//! ```
//! use async_trait::async_trait;
//! use taskstore_core::{
//!     LeaseId, Result,
//!     backend::{Beaten, Capabilities, Heartbeat, Pulse},
//! };
//!
//! fn capabilities() -> Capabilities {
//!     let mut able = Capabilities::default(); // nothing
//!     able.durable = true;
//!     able
//! }
//!
//! struct NobodyIsAlive;
//!
//! #[async_trait]
//! impl Heartbeat for NobodyIsAlive {
//!     async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten> {
//!         Ok(Beaten { leases: vec![Pulse::Lost; leases.len()], cancel: Vec::new() })
//!     }
//! }
//! ```
//!
//! Parameters and outputs are `serde_json::value::RawValue` (feature `raw_value`), which an engine
//! stores as text and never parses; an output of `null` is an output. Times are `time::UtcDateTime`, which
//! [`clock`](crate::clock) turns into microseconds and back; ids are `u128` and back. [`MemoryBackend`](crate::MemoryBackend)
//! is the reference, and made to be read. Begin with the tables and definitions, then enqueue, claim
//! and settle, then leases, and let the suite in `taskstore-conformance` say after each what is
//! missing. `docs/writing-a-backend.md` says more of the way, and `examples/custom_backend` is a whole
//! store that was written so.

mod claim;
mod control;
mod enqueue;
mod lease;
mod look;
mod query;
mod queue;
mod schema;
mod settle;
mod spot;
mod sweep;
mod walk;

use std::{any::Any, fmt, time::Duration};

use async_trait::async_trait;
use time::UtcDateTime;

pub use claim::{Claim, Claimed, Known, LeasedTask, QueueShare, StartBy};
pub use control::{Control, Move, Outcome};
pub use enqueue::{Enqueue, Enqueued, NewTask, When};
pub use lease::{Beaten, Isolate, LateLease, Lease, Promote, Promoted, Pulse, TakeOver, TakenOver};
pub use look::{Cursor, DefinitionKey, DefinitionQuery, Expect, Page};
pub use query::{Counted, TaskFilter, TaskOrder, TaskQuery};
pub use queue::{
    FindWork, QUEUE_PRIORITIES_MAX, QUEUE_TASKS_MAX, QueueQuery, QueueSettings, WorkFound,
};
pub use schema::{Capabilities, Migrate, MigrateTo, MigrationReport};
pub use settle::{AttemptIs, Fate, Report, Requeue, Run, Settle, Settled, Settlement, Transition};
pub use spot::Spot;
pub use sweep::{Missing, Stray, Sweep, Swept};
pub use walk::{Walk, WalkRow, Walked};

use crate::{
    Attempt, Definition, DefinitionId, LeaseId, LogLine, Queue, QueuePattern, Result, Task, TaskId,
};

/// A store of tasks. See the [module](self) for what holds for every method.
#[async_trait]
pub trait Backend: fmt::Debug + Send + Sync + 'static {
    /// What this engine can and cannot do: documented bools, never a silent no-op elsewhere.
    fn capabilities(&self) -> Capabilities;

    /// For what only one engine has, such as enqueueing in a user's own transaction.
    fn as_any(&self) -> &dyn Any;

    // ---- schema ---------------------------------------------------------------------------

    /// Applies, reverts or only plans the numbered migrations. Safe when two processes run it at
    /// once: one waits for the other and then finds nothing to do. `MigrateTo::Nothing` drops
    /// everything the project made and nothing else. An engine without SQL says in words of its own what it
    /// does.
    async fn migrate(&self, request: &Migrate) -> Result<MigrationReport>;

    /// Whether this code can work with the tables that are there.
    ///
    /// # Errors
    /// [`Schema`](crate::Error::Schema): there are none, they are older than this code needs, or
    /// they are newer and say that code of this age no longer fits.
    async fn check_schema(&self) -> Result<()>;

    // ---- the hot path ---------------------------------------------------------------------

    /// Stores tasks, due ones in ready and others in later, all in one transaction.
    ///
    /// Guard: the id is new, and nobody holds the unique key. A task sent again (its id is there)
    /// answers [`Enqueued::Stored`] and changes nothing, whatever became of it meanwhile. A key that
    /// is held, also by an earlier task of the same request, answers [`Enqueued::Duplicate`] and
    /// stores nothing for that position.
    ///
    /// # Errors
    /// [`NotFound`](crate::Error::NotFound): a definition is not there or was deleted;
    /// [`Invalid`](crate::Error::Invalid) with field `task definition`: it is canceled. Nothing of
    /// the request was stored.
    async fn enqueue(&self, request: &Enqueue<'_>) -> Result<Vec<Enqueued>>;

    /// Leases ready tasks, in claim order (priority, then `run_at`, then order of enqueue), under a
    /// new lease id of the caller's. Queues are served strictly in the order of the request; one that
    /// is named again gives from where it had stopped.
    ///
    /// Guard: whoever removes a task from ready has claimed it. Takes nothing from a paused queue or
    /// of a definition that is canceled: once a pause has returned, no claim that starts afterwards
    /// takes from it. There is no test of `run_at`: what is ready is due, so a clock that steps back
    /// hides nothing. Neither the turn nor the attempts change. A claim that takes nothing leaves no
    /// lease. At least one task is taken however large its parameters are; beyond it `bytes_max`
    /// holds.
    ///
    /// Never: two successful claims under one lease id.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::Error::AlreadyExists): the lease id is in use, which is to say that its row
    /// is there. Never to use it again after that is the caller's part.
    async fn claim(&self, claim: &Claim) -> Result<Claimed>;

    /// The tasks that are leased under this id right now, in claim order; empty when it claimed
    /// nothing, ended, or was taken over.
    async fn recall(&self, lease: LeaseId) -> Result<Vec<LeasedTask>>;

    /// Ends attempts, and then claims the next batch if asked to, in the same round trip.
    ///
    /// Guard, per position: the [fence](self). A lease that nobody has taken over holds, however
    /// late. Applied means: turn + 1, attempts + 1 if counted, the result stored if there is an
    /// output, an error or a reason, the log lines appended, a cancel request cleared, a terminal
    /// task's unique key freed, the lease's open count lowered by the engine itself (at none the
    /// lease is gone). A [`Transition::Requeue`] of a task that has a cancel request, or is
    /// soft-deleted, ends it canceled in the same statement; success and failure do not yield.
    /// `suspect` becomes what the transition says; ended tasks are never suspect.
    ///
    /// Sent again: turn is claimed + 1 and this lease was the last to settle the task, so the answer
    /// is [`Fate::Applied`] with the status that the task has, and nothing is written: also while it is
    /// leased again, which changes no turn, so who settled it last is remembered apart from who holds
    /// it. Once the task has moved on it may answer [`Fate::Lost`].
    ///
    /// Never: trusting the caller that a lease is drained; failing the batch because one position
    /// lost.
    ///
    /// # Errors
    /// As for [`claim`](Self::claim) when there is one; then nothing was settled either.
    async fn settle(&self, request: &Settle) -> Result<Settled>;

    /// Moves tasks out of a shared lease, each into a lease of its own under an id of the caller's:
    /// turn + 1, the claim's time and the holder kept. Suspects, so that only the guilty loses
    /// attempts; and a task that is about to be settled in a user's transaction.
    ///
    /// Guard, per position: the [fence](self); `None` where it does not hold. Sent again (the new
    /// lease is there) it answers with the same lease.
    async fn isolate(&self, request: &Isolate) -> Result<Vec<Option<Lease>>>;

    /// Moves due tasks from later to ready, the earliest first. Leaves their records alone.
    async fn promote(&self, request: &Promote) -> Result<Promoted>;

    /// Stores progress and log lines of running tasks. Guarded like a settlement, per position;
    /// [`Fate::Applied`] says `running`. A line that was sent before (same attempt and number) is
    /// kept once, as it came first; of one attempt the newest [`LOG_LINES_MAX`](crate::limits::LOG_LINES_MAX) lines.
    async fn report(&self, reports: &[Report]) -> Result<Vec<Fate>>;

    /// Returns at the deadline, or earlier when work may have come for a queue that matches one of
    /// these, also one that was never used before: something was put into ready there, or into later
    /// to be due before the deadline, or the queue was resumed. A hint only, which may be wrong either
    /// way: polling alone is always correct. Costs no statement while nothing happens. Dropping the
    /// future is fine.
    ///
    /// No hint that concerns work committed after the call began may be missed where
    /// [`Capabilities::notifies_in_process`] is set and the work came through the same backend.
    async fn wait_for_work(&self, queues: &[QueuePattern], at_most: Duration);

    /// Which of the queues that match have something ready and are not paused, in the order of their
    /// names, and when the next task of any becomes due. Costs about as much as there are
    /// queues with something ready, however much that is. A queue whose tasks are all of definitions
    /// that no claim takes may be named.
    async fn find_work(&self, request: &FindWork) -> Result<WorkFound>;

    // ---- life and death of leases -----------------------------------------------------------

    /// Opens the connection that keeps leases alive. Called on the thread, and in the runtime, that
    /// will use it: handlers that block theirs, and a pool that is exhausted, must not stop it.
    async fn heartbeat(&self) -> Result<Box<dyn Heartbeat>>;

    /// Leases whose last beat is old: a hint that keeps the read small, never a verdict. Must name
    /// every lease without a beat for a third of its length or more, also where the engine's
    /// clock stepped back. Leaves out those whose row somebody holds, because a beat could not have
    /// been written there. An engine that cannot skip a lock reads under the lock that a beat needs.
    ///
    /// The watcher in core calls a lease dead when it has seen the same beat for the lease's whole
    /// length on its own monotonic clock, in reads without a gap.
    async fn late_leases(&self, limit: u32) -> Result<Vec<LateLease>>;

    /// Replaces exactly the leases that were seen, at the beat that was seen, by new ones of the
    /// caller's, which fences their former holders: a settlement under the old id is lost. Neither
    /// the turns nor the time of the claim change. Leaves alone a lease that beat meanwhile. The caller then settles the tasks as it
    /// settles its own: no policy lives here.
    ///
    /// By position; `None` where the guard did not hold. Sent again it answers with the same tasks.
    ///
    /// Never: keeping the old lease id for the new holder.
    async fn take_over(&self, request: &TakeOver) -> Result<Vec<Option<TakenOver>>>;

    /// Looks for what belongs nowhere, a bounded number of records and places at a time, because
    /// somebody has written to the tables by hand: active records that are in no place, and places
    /// that no task waits in.
    ///
    /// Guard, under the locks that a claim and a settlement need: the record is active, in neither
    /// ready nor later, and no lease holds its present turn. Such a task is leased under the
    /// request's lease, turn + 1, which fences whoever may still believe to hold it; the caller then
    /// settles it as it settles its own: no policy lives here. A row of ready or later is dropped
    /// whose record is gone, not active, or waits elsewhere; and one whose parameters or definition
    /// are gone, so that its task is a stray, too. Together the looks from the first to the one that
    /// answers no cursor see everything that stayed where it was meanwhile.
    ///
    /// A healthy task is never touched, whatever happens to it at the same moment. Costs no write,
    /// and no lock that anybody waits for, while nothing is found. A row that no task can be claimed
    /// from is no reason for a [`claim`](Self::claim) or a [`take_over`](Self::take_over) to fail: it
    /// is passed by, or dropped, and the sweep finds its task.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::Error::AlreadyExists): the lease id is in use.
    /// [`Invalid`](crate::Error::Invalid) with field `cursor`: it cannot come from this method.
    async fn sweep(&self, request: &Sweep) -> Result<Swept>;

    // ---- control, by anyone, without a lease --------------------------------------------------

    /// Makes a move that anyone may ask for, and says what became of each task, by position.
    ///
    /// Guard: [`Control::from`] holds the statuses that core's lifecycle allows it from; another
    /// status is [`Outcome::Refused`] and nothing changes. A soft-deleted task is
    /// [`Outcome::Missing`] for every move but [`Move::Restore`] and [`Move::Purge`]. For a running
    /// task [`Move::Cancel`] and [`Move::Delete`] leave a request that its holder hears with its
    /// heartbeat. Changes made elsewhere meanwhile are never overwritten: a move touches only what
    /// it means to. All positions are one transaction.
    ///
    /// After a [`Move::Purge`] nothing of the task is left that any method of this trait shows, and
    /// an enqueue with its id stores it as if it had never been there.
    async fn control(&self, request: &Control) -> Result<Vec<Outcome>>;

    /// Pauses or resumes a queue; makes its settings if there are none. A resume is heard by those who
    /// [wait](Self::wait_for_work) for the queue.
    async fn put_queue(&self, settings: &QueueSettings) -> Result<()>;

    // ---- what people look at --------------------------------------------------------------------

    /// A task, also a soft-deleted one.
    async fn task(&self, id: TaskId) -> Result<Option<Task>>;

    /// The tasks that match, in the order asked for, page by page.
    ///
    /// Pages are cut by keyset: a page begins right after the spot where the last one ended, in the
    /// same order. So a task that stays where it is comes exactly once, however many are enqueued,
    /// end or go meanwhile; one that moves in the order meanwhile (a requeue, a promotion) may come
    /// twice or not at all. Each page is read at one moment, so no task of it is there twice or
    /// half changed. Soft-deleted ones are left out unless asked for.
    ///
    /// A page may be shorter than its limit, even empty, and still say where to go on: an engine
    /// looks at a bounded number of tasks for one page. Only `next: None` is the end.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid): the `limit` is not between 1 and 1,000; the `cursor` was
    /// not made by this engine, or for another order; or what [`TaskFilter::check`] refuses.
    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>>;

    /// Like [`tasks`](Self::tasks), but only their ids, up to
    /// [`IDS_MAX`](crate::limits::IDS_MAX) on a page: for whoever goes through very many. Reads
    /// neither parameters nor results.
    ///
    /// # Errors
    /// As for [`tasks`](Self::tasks), but the `limit` may be as far as 10,000.
    async fn task_ids(&self, query: &TaskQuery) -> Result<Page<TaskId>>;

    /// The engine's present time, by the clock that it stamps with.
    async fn now(&self) -> Result<UtcDateTime>;

    /// How many tasks match, as far as `at_most`; soft-deleted ones only if asked for.
    ///
    /// [`Counted::Exactly`] is exact, and never more than `at_most`. [`Counted::AtLeast`] says how
    /// many were seen, at most `at_most`, when the counting stopped: because there are more, or
    /// because the engine had looked at so many that do not match that it gave up. What waits, runs,
    /// or is of one status without any other condition is always counted as far as `at_most`.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid): what [`TaskFilter::check`] refuses.
    async fn count(&self, filter: &TaskFilter, at_most: u64) -> Result<Counted>;

    /// The queues that have a task which has not ended, or settings, in the order of their names, page
    /// by page. Each page is read at one moment.
    ///
    /// Counts are bounded: of each queue at least [`QueueQuery::count_each`] ready tasks are counted,
    /// and as many delayed ones; of running and paused tasks at least [`QUEUE_TASKS_MAX`] of all queues.
    /// [`Counted::Exactly`] is exact. [`Counted::AtLeast`] says how many were seen when the counting
    /// stopped. A queue that has nothing but running or paused tasks is left out only where there are
    /// more than that. An engine that keeps counters and knows better says no more than others do. The
    /// oldest ready task is the one with the earliest `run_at` among the heads of
    /// the [`QUEUE_PRIORITIES_MAX`] most urgent priorities.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid): what [`QueueQuery::check`] refuses.
    async fn queues(&self, query: &QueueQuery) -> Result<Page<Queue>>;

    /// How its attempts ended, the oldest first. What was canceled while it waited was no attempt.
    /// A success without output needs no row of its own: it is listed as long as the task is that success.
    async fn attempts(&self, id: TaskId) -> Result<Vec<Attempt>>;

    /// Its log, the oldest line first: at most `limit` lines after the first `skip`.
    async fn log(&self, id: TaskId, skip: u64, limit: u32) -> Result<Vec<LogLine>>;

    /// Stores a definition whole.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::Error::AlreadyExists): expected absent, but its id is there, or
    /// was until it was deleted for good; or another live one has its alias. [`NotFound`](crate::Error::NotFound): expected unchanged, but
    /// it is not there as it was at that time.
    async fn put_definition(&self, definition: &Definition, expect: Expect) -> Result<()>;

    /// Removes a definition for good: no key finds it, no list shows it, its alias is free, and a
    /// task of it can be neither enqueued nor requeued. Its ended tasks stay, and still show the
    /// alias that it had.
    ///
    /// Guard, in the same transaction: no task of it is queued, running or paused, also no
    /// soft-deleted one. A requeue at the same time either comes first, and the deletion is refused,
    /// or finds no definition, and is [`Outcome::Refused`].
    ///
    /// # Errors
    /// [`InUse`](crate::Error::InUse): the guard did not hold, and nothing changed.
    /// [`NotFound`](crate::Error::NotFound): it is not there, also because it was deleted before.
    async fn delete_definition(&self, id: DefinitionId) -> Result<()>;

    /// The definition with this id, also a soft-deleted one; or the live one with this alias.
    async fn definition(&self, key: &DefinitionKey) -> Result<Option<Definition>>;

    /// Definitions in the order of their ids, page by page.
    ///
    /// # Errors
    /// [`Invalid`](crate::Error::Invalid) with field `cursor`: it cannot come from this method.
    async fn definitions(&self, query: &DefinitionQuery) -> Result<Page<Definition>>;
}

/// The connection that keeps leases alive; made by [`Backend::heartbeat`].
#[async_trait]
pub trait Heartbeat: Send {
    /// Adds one to the beat of each lease, and hears cancel requests. By position.
    ///
    /// Never waits for a lock that somebody else holds: such a lease is [`Pulse::Busy`], which is
    /// safe, since a take-over skips it too. A lease that is not there is [`Pulse::Lost`].
    ///
    /// # Errors
    /// The connection is of no more use: open another.
    async fn beat(&mut self, leases: &[LeaseId]) -> Result<Beaten>;
}

#[cfg(test)]
fn _both_are_object_safe(_: std::sync::Arc<dyn Backend>, _: Box<dyn Heartbeat>) {}
