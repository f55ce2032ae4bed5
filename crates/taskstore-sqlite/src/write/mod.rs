//! What changes the file: one function a method, run by the writer thread inside its transaction, or
//! inside one of the caller's.
//!
//! No policy: each applies what was decided, where the guard holds, and says by position whether it
//! did. Nothing here commits, waits, or keeps anything between two calls but hints.

mod claim;
mod control;
mod definition;
mod enqueue;
mod lease;
mod place;
mod promote;
mod queue;
mod report;
mod result;
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
