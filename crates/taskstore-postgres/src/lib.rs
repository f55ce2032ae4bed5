//! The PostgreSQL backend of **taskstore**: a task store in the database that you have, shared by
//! any number of processes on any number of machines.
//!
//! ```no_run
//! # async fn example() -> taskstore_core::Result<()> {
//! use taskstore_core::backend::{Backend, Migrate};
//! use taskstore_postgres::{PostgresBackend, PostgresOptions};
//!
//! let options = PostgresOptions::from_url("postgres://app@localhost/app")?.prefix("app_")?;
//! let backend = PostgresBackend::open(options).await?;
//! backend.migrate(&Migrate::up()).await?;
//! # Ok(())
//! # }
//! ```
//!
//! Every call is one transaction, nearly always sent and answered in one round trip. Runners use one
//! pool of connections, people who look another, heartbeats a connection of their own.
//!
//! # In a transaction of yours
//!
//! [`Within`] enqueues inside a transaction of the caller's, [`CompleteWithin`] ends a handler's task
//! inside one of the handler's, and [`ToSql`] gives the statement to whoever has another driver.
//!
//! Architecture invariant: no type of the driver is part of this crate's public face, but for these
//! helpers, which take the caller's own connection: of [`tokio_postgres`], or of a pool of
//! [`deadpool_postgres`].

mod backend;
mod connection;
mod convert;
mod error;
mod heartbeat;
mod home;
mod migrate;
mod notices;
mod openings;
mod options;
#[cfg(debug_assertions)]
mod plans;
mod read;
mod session;
mod sql;
mod theirs;
mod tls;
mod to_sql;
mod url;
mod wakeup;
mod within;
mod write;

pub use backend::PostgresBackend;
pub use deadpool_postgres;
pub use options::PostgresOptions;
pub use theirs::Connection;
pub use to_sql::ToSql;
pub use tokio_postgres;
pub use within::{CompleteWithin, Within};
