//! What reaches the loop of a runner from the tasks and threads around it.

use super::machine::Event;
use crate::{Error, Result, backend::Report};

/// What reaches the loop.
#[derive(Debug)]
pub(super) enum News {
    /// For the machine.
    Event(Event),
    /// Reports were stored, or not.
    Reported(Vec<Report>, Result<()>),
    /// The store failed somewhere else.
    Trouble(Error),
}
