//! The nouns: what a task, a definition and a queue are. No behaviour beyond checking names.

mod definition;
mod id;
mod log;
mod name;
mod pattern;
mod queue;
mod status;
mod task;
mod unique;

pub use definition::{Definition, DefinitionStatus};
pub use id::{DefinitionId, LeaseId, RunnerId, TaskId};
pub use log::{LogLevel, LogLine};
pub use name::{Alias, QueueName};
pub use pattern::QueuePattern;
pub use queue::{Queue, QueueCounts};
pub use status::Status;
pub use task::{Attempt, Holder, Progress, Task};
pub use unique::UniqueHash;
