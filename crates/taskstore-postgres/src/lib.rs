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
//! Architecture invariant: no type of the driver is part of this crate's public face.

mod backend;
mod connection;
mod convert;
mod error;
mod heartbeat;
mod migrate;
mod notices;
mod openings;
mod options;
mod read;
mod session;
mod sql;
mod tls;
mod url;
mod wakeup;
mod write;

pub use backend::PostgresBackend;
pub use options::PostgresOptions;
