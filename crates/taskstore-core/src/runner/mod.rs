//! The runner: claims tasks, runs their handlers, and saves how they ended.
//!
//! All decisions are made in [`machine`], which knows no clock, runtime or database. Around it:
//! [`shell`] runs its actions on tokio, [`execute`] runs one handler, [`keeper`] keeps leases alive
//! from a thread of its own, [`watch`] takes over what dead runners held, [`sweeping`] puts back
//! what people have pushed out of its place, and [`janitor`] purges what is over.

mod batch;
mod builder;
mod execute;
mod handle;
mod janitor;
mod keeper;
mod known;
mod machine;
mod news;
mod outcome;
mod put_back;
mod queue_options;
mod runners;
mod shell;
mod signal;
#[cfg(test)]
mod simulation;
mod summary;
mod sweeping;
mod watch;

pub use builder::RunnerBuilder;
pub(crate) use execute::run_handler;
pub use handle::{RunnerHandle, Stopped};
pub(crate) use janitor::Janitor;
pub(crate) use machine::{Gather, Gathers};
#[cfg(feature = "metrics")]
pub(crate) use outcome::Outcome;
pub use queue_options::QueueOptions;
pub(crate) use queue_options::Served;
pub(crate) use runners::Runners;
pub use signal::shutdown_signal;
pub use summary::Summary;
pub(crate) use sweeping::look;
