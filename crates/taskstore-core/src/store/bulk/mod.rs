//! The same move of many tasks: all that match a filter, in bounded passes.
//!
//! Each pass is one transaction of the engine, so that a kill or an outage leaves whole passes, and
//! saying the action again goes on with what is left. Which tasks there are is read in pages of
//! ids, newest first: what is enqueued meanwhile is newer than where the walk began, and a move
//! changes no task's place in it, so each task is visited once at most and the walk ends, whatever
//! becomes of the tasks.

mod builder;
mod pace;
mod report;
mod reschedule;
mod walk;

pub use builder::Bulk;
pub(crate) use pace::Pace;
pub use report::{BulkReport, Refusal};
pub use reschedule::BulkReschedule;
