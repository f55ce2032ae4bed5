//! What reaches the loop of a runner from the tasks and threads around it.

use tokio::sync::oneshot;

use super::machine::Event;
use crate::{
    Error, Result, TaskId,
    backend::{Fate, Report},
};

/// What reaches the loop.
#[derive(Debug)]
pub(super) enum News {
    /// For the machine.
    Event(Event),
    /// Reports were stored, or not.
    Reported(Vec<Report>, Result<Vec<Fate>>),
    /// The run of this task wants a lease that it shares with no other.
    Alone(TaskId, oneshot::Sender<Result<()>>),
    /// The store failed somewhere else.
    Trouble(Error),
}
