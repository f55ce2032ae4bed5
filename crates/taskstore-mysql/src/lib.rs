//! The MySQL and MariaDB backend of **taskstore**: a task store in a database that any number of
//! processes and machines share. MySQL 8.0 and later, MariaDB 10.6 and later.
//!
//! Every call is one short transaction at READ COMMITTED on a connection of a small pool, done once
//! more when the server chose it as a deadlock's victim. Claims skip what others have locked.
//! Heartbeats have a connection of their own and never wait.
//!
//! ```no_run
//! # async fn example() -> taskstore_core::Result<()> {
//! use taskstore_core::backend::{Backend, Migrate};
//! use taskstore_mysql::{MysqlBackend, MysqlOptions};
//!
//! let options = MysqlOptions::from_url("mysql://user:secret@localhost/app?prefix=app_")?;
//! let backend = MysqlBackend::open(options).await?;
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
//! helpers, which take the caller's own connection: that of [`mysql_async`], as it is named here, too.

mod backend;
mod connection;
mod convert;
mod error;
mod heartbeat;
mod lent;
mod link;
mod migrate;
mod options;
mod pool;
mod read;
mod session;
mod settings;
mod sql;
mod tls;
mod to_sql;
mod url;
mod wakeup;
mod within;
mod write;

pub use backend::MysqlBackend;
pub use mysql_async;
pub use options::MysqlOptions;
#[doc(hidden)]
pub use sql::PlanStep;
pub use to_sql::ToSql;
pub use within::{CompleteWithin, Within};
