//! What changes the store: one function a method, run inside one transaction.
//!
//! No policy: each applies what was decided, where the guard holds, and says by position whether it
//! did. Nothing here commits, or keeps anything between two calls.
//!
//! Locks are taken in one order, or two transactions would wait for each other: leases by id, records
//! by seq, later, ready, unique keys by hash, then rows of one's own, then a claim. Whoever skips
//! locked rows (claim, promote, take-over, heartbeat) waits for nobody afterwards.
//! Enqueue: definitions, unique keys, new rows.

mod definition;

pub(crate) use definition::{delete_definition, put_definition};
use taskstore_core::{Error, LeaseId, Result, backend::*};

use crate::{read::Found, session::Session};

macro_rules! todo_fn { ($($name:ident($($a:ident: $t:ty),*) -> $r:ty;)*) => { $(
    pub(crate) async fn $name(_session: &mut Session, $($a: $t),*) -> Result<$r> { $(let _ = $a;)* Err(Error::backend("not built yet")) } )* } }
todo_fn! {
    enqueue(request: &Enqueue<'_>) -> Vec<Enqueued>;
    claim_alone(claim: &Claim) -> Claimed;
    recall(lease: LeaseId) -> Vec<LeasedTask>;
    settle(request: &Settle) -> Settled;
    isolate(request: &Isolate) -> Vec<Option<Lease>>;
    promote(request: &Promote) -> Promoted;
    report(reports: &[Report]) -> Vec<Fate>;
    late_leases(limit: u32) -> Vec<LateLease>;
    take_over(request: &TakeOver) -> Vec<Option<TakenOver>>;
    sweep(request: &Sweep, found: &Found) -> Swept;
    control(request: &Control) -> Vec<Outcome>;
    put_queue(settings: &QueueSettings) -> ();
}
