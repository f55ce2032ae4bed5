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
//! # In a transaction of yours
//!
//! [`Within`] enqueues inside a transaction of the caller's, [`CompleteWithin`] ends a handler's task
//! inside one of the handler's, and [`ToSql`] gives the statement to whoever has another driver.
//!
//! Architecture invariant: no type of the driver is part of this crate's public face, but for these
//! helpers, which take the caller's own connection. Which version of `rusqlite` that is, cargo
//! decides; it is [`rusqlite`] here, too.

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
mod to_sql;
mod url;
mod wakeup;
mod watch;
mod within;
mod write;
mod writer;

pub use backend::SqliteBackend;
pub use options::{SqliteOptions, Synchronous, Wakeup};
pub use rusqlite;
pub use to_sql::ToSql;
pub use within::{CompleteWithin, Within};
