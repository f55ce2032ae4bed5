//! Handlers: the user's code, what it is told, and what it answers.
//!
//! This module turns a typed handler into something that a runner can call with JSON. It decides
//! nothing about what becomes of a task ([`crate::lifecycle`] does), and runs nothing by itself. It
//! catches no panic but that of a batch, which is one of each of its tasks.

mod batch;
mod context;
mod error;
mod hold;
mod output;
mod parameters;
mod registered;
mod registry;
mod said;
mod task_handler;

pub(crate) use batch::Answers;
pub use batch::{BatchHandler, BatchTask};
pub(crate) use context::Echo;
pub use context::TaskContext;
pub use error::{TaskError, TaskErrorKind, TaskResult};
pub(crate) use hold::AskAlone;
pub use output::TaskOutput;
pub(crate) use registered::{Candidate, Limit, Misfit, Registered};
pub(crate) use registry::Registry;
pub use task_handler::{TaskHandler, TaskKey};

#[cfg(test)]
mod tests;
