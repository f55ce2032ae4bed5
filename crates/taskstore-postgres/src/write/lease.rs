//! Leases.

use taskstore_core::{
    Error, Result,
    backend::{Isolate, LateLease, Lease, TakeOver, TakenOver},
};

use crate::session::Session;

pub(crate) async fn isolate(_: &Session, _: &Isolate) -> Result<Vec<Option<Lease>>> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn late_leases(_: &Session, _: u32) -> Result<Vec<LateLease>> {
    Err(Error::backend("not there yet"))
}

pub(crate) async fn take_over(_: &Session, _: &TakeOver) -> Result<Vec<Option<TakenOver>>> {
    Err(Error::backend("not there yet"))
}
