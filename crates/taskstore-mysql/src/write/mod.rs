//! What changes the store: one function a method, run inside one transaction.
//!
//! No policy: each applies what was decided, where the guard holds, and says by position whether it
//! did. Nothing here commits, or keeps anything between two calls.
//!
//! Locks are taken in one order, or two transactions would wait for each other: leases by id, records
//! by seq, later, ready, definitions and unique keys, then rows of one's own, then a claim. Whoever
//! skips locked rows (claim, promote, take-over, heartbeat) waits for nobody afterwards.

mod changes;
mod claim;
mod control;
mod definition;
mod enqueue;
mod lease;
mod place;
mod promote;
mod queue;
mod record;
mod report;
mod result;
mod settle;
mod sweep;

pub(crate) use claim::{claim_alone, recall};
pub(crate) use control::control;
pub(crate) use definition::{delete_definition, put_definition};
pub(crate) use enqueue::{Elsewhere, clear_enqueued, enqueue, enqueue_at, held};
pub(crate) use lease::{isolate, late_leases, take_over};
pub(crate) use promote::promote;
pub(crate) use queue::put_queue;
pub(crate) use report::report;
pub(crate) use settle::{before, complete, settle};
pub(crate) use sweep::sweep;
