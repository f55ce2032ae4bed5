//! The tables: what is kept under which key.
//!
//! redb keeps the rows of a table sorted by their keys, so a key that is a tuple is an index, too.
//! Each task has a *number*, which says in what order tasks were enqueued, and by which all else
//! names it. Times are microseconds since 1970.

use redb::TableDefinition;

/// What is kept under the keys `K`.
pub type Kept<K, V> = TableDefinition<'static, K, V>;

/// `version`, and the `next` number.
pub const META: Kept<&str, i64> = TableDefinition::new("meta");

// ---- what is known of a task ------------------------------------------------------------------

/// Its id → its number.
pub const NUMBER: Kept<u128, i64> = TableDefinition::new("number");
/// Its number → its record (`record.rs`), as JSON. The one truth: the tables of the next
/// group are made from it.
pub const TASK: Kept<i64, &str> = TableDefinition::new("task");
/// Its number → its parameters.
pub const PARAMETERS: Kept<i64, &str> = TableDefinition::new("parameters");
/// Its number → its newest error, or why it was canceled.
pub const ERROR: Kept<i64, &str> = TableDefinition::new("error");
/// Number, turn → how that attempt ended, as JSON.
pub const ATTEMPT: Kept<(i64, u32), &str> = TableDefinition::new("attempt");
/// Number, turn, line → the line, as JSON.
pub const LOG: Kept<(i64, u32, u32), &str> = TableDefinition::new("log");

// ---- what follows from the records --------------------------------------------------------------

/// The place *ready*, in claim order: queue, priority, time, number → definition.
pub const READY: Kept<(&str, i16, i64, i64), u128> = TableDefinition::new("ready");
/// The place *later*: time, number → queue.
pub const LATER: Kept<(i64, i64), &str> = TableDefinition::new("later");
/// The place *leased*: lease, position in the claim → number.
pub const LEASED: Kept<(u128, u32), i64> = TableDefinition::new("leased");
/// Cancel requests that a holder has to hear of: lease, task.
pub const ASKED: Kept<(u128, u128), ()> = TableDefinition::new("asked");
/// State, number: the tasks of one status, in the order of enqueue.
pub const STATE: Kept<(u8, i64), ()> = TableDefinition::new("state");
/// When it ended, number.
pub const ENDED: Kept<(i64, i64), ()> = TableDefinition::new("ended");
/// When it was soft-deleted, number.
pub const DELETED: Kept<(i64, i64), ()> = TableDefinition::new("deleted");
/// Unique key → number of the live task that holds it.
pub const KEY: Kept<&[u8; 32], i64> = TableDefinition::new("key");
/// Queue, state, whether soft-deleted → how many. One writer at a time makes counters safe.
pub const COUNT: Kept<(&str, u8, bool), u64> = TableDefinition::new("count");

// ---- leases, definitions, queues ------------------------------------------------------------------

/// Lease → who holds it and since when, as JSON.
pub const LEASE: Kept<u128, &str> = TableDefinition::new("lease");
/// Definition → all of it, as JSON; also what was deleted for good, because ended tasks show its alias.
pub const DEFINITION: Kept<u128, &str> = TableDefinition::new("definition");
/// Alias → definition, of those that are not deleted.
pub const ALIAS: Kept<&str, u128> = TableDefinition::new("alias");
/// Queue → whether it is paused.
pub const QUEUE: Kept<&str, bool> = TableDefinition::new("queue");
