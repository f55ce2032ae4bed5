//! Stands for [`meters`](super) where the feature `metrics` is off: nothing is counted, and nothing
//! is left of it.

use std::time::Duration;

use time::UtcDateTime;

use crate::{
    Alias, Error, QueueName, Store,
    backend::{Lease, LeasedTask, Settle, Settled},
};

#[derive(Debug, Default)]
pub(crate) struct Meters {}

impl Meters {
    pub(crate) fn enqueued(&self, _: &QueueName, _: &Alias, _: usize) {}

    pub(crate) fn begins(&self, _: &QueueName, _: &Alias, _: Option<Duration>) -> Running {
        Running
    }

    pub(crate) fn put_back(&self, _: &[LeasedTask], _: &Store, _: &Settle, _: &Settled) {}
}

#[derive(Debug)]
pub(crate) struct Running;

#[derive(Debug, Default)]
pub(crate) struct Taken {}

impl Taken {
    pub(crate) fn exchanged(&mut self, _: &Store, _: &Settle, _: &Settled) {}

    pub(crate) fn takes(&mut self, _: &Store, _: &[LeasedTask]) {}

    pub(crate) fn isolated(&mut self, _: Lease, _: Option<Lease>) {}

    pub(crate) fn lost_lease(&self) {}

    pub(crate) fn lost_tasks(&mut self, _: impl IntoIterator<Item = Lease>) {}

    pub(crate) fn waited(&self, _: UtcDateTime) -> Option<Duration> {
        None
    }
}

pub(crate) fn store_failed(_: &Error) {}

pub(crate) fn taken_over(_: usize) {}
