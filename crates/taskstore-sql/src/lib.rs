//! What the stores on SQL databases have in common, as far as Rust decides it: the codes that their tables
//! hold, the prefix of their names, the order of their migrations, and the path of a sweep.
//!
//! No statement and no driver is in here: those are what the engines differ in. This crate is a
//! part of [`taskstore`](https://docs.rs/taskstore) and follows its versions; a store on another SQL
//! database may be built on it.

mod code;
mod migration;
mod prefix;
mod sweep;

pub use code::{
    count, duration, json, later, level, level_code, max_attempts, micros, no_definition, number,
    status, status_code, until,
};
pub use migration::{Applied, Migration, Migrations, READ_BOOK};
pub use prefix::Names;
pub use sweep::{Look, PlaceRow, Seen, Sweeping, Wrong};
