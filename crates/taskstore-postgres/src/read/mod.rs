//! What people look at: one function a method, run on a connection that cannot write.

mod definition;
mod list;
mod queue;
mod task;

pub(crate) use definition::{definition, definitions};
#[cfg(debug_assertions)]
pub(crate) use list::plans;
pub(crate) use list::{count, task_ids, tasks};
pub(crate) use queue::{find_work, now, queues};
pub(crate) use task::{attempts, log, task};
