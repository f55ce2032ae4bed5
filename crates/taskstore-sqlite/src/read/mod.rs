//! What people look at: one function a method, run on a connection that cannot write.

mod definition;
mod list;
mod queue;
mod sweep;
mod task;

pub(crate) use definition::{definition, definitions};
pub(crate) use list::{count, task_ids, tasks};
pub(crate) use queue::{find_work, next_due, queues};
pub(crate) use sweep::{sweep, wrong_with};
pub(crate) use task::{attempts, log, task};
