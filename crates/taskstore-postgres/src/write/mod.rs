//! What changes the tables: one function a method, each one transaction.
//!
//! No policy: each applies what was decided, where the guard holds, and says by position whether it
//! did.
//!
//! The order of locks, the same everywhere: leases by their ids, records by theirs, then later, then
//! ready, then unique keys by their hashes; what is inserted comes last. Claims, promotions, take-overs
//! and beats skip what somebody has locked and so wait for nobody.

mod claim;
mod control;
mod definition;
mod enqueue;
mod lease;
mod leased;
mod promote;
mod queue;
mod report;
mod settle;
mod sweep;

pub(crate) use claim::{claim, recall};
pub(crate) use control::control;
pub(crate) use definition::{delete_definition, put_definition};
pub(crate) use enqueue::enqueue;
pub(crate) use lease::{isolate, late_leases, take_over};
pub(crate) use promote::promote;
pub(crate) use queue::put_queue;
pub(crate) use report::report;
pub(crate) use settle::{complete, settle};
pub(crate) use sweep::sweep;
