//! The SQLite backend of **taskstore**: a whole task store in one file, shared by any number of
//! threads and processes of one machine.
//!
//! Every write of a process goes through one thread, which puts what came in meanwhile into one
//! transaction (group commit) and answers after the commit. Reads go through a small pool of
//! connections that cannot write, and heartbeats have a connection of their own.
//!
//! ```no_run
//! # async fn example() -> taskstore_core::Result<()> {
//! use taskstore_core::backend::{Backend, Migrate};
//! use taskstore_sqlite::{SqliteBackend, SqliteOptions};
//!
//! let options = SqliteOptions::new("tasks.db").prefix("app_")?;
//! let backend = SqliteBackend::open(options).await?;
//! backend.migrate(&Migrate::up()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Architecture invariant: no type of the driver is part of this crate's public face.

mod backend;
mod connection;
mod convert;
mod error;
mod heartbeat;
mod migrate;
mod options;
mod read;
mod readers;
mod session;
mod sql;
mod statements;
#[cfg(test)]
mod tests;
mod url;
mod wakeup;
mod watch;
mod write;
mod writer;

pub use backend::SqliteBackend;
pub use options::{SqliteOptions, Synchronous, Wakeup};
